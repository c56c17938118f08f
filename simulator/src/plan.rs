//! Who comes when, and where to: the journeys of a run, planned before it begins.
//!
//! *Leg*: one crossing of a journey. The lane is not planned: a driver takes the shortest queue.

use std::time::Duration;

use domain::passage::LaneRole;
use domain::{StationId, Timestamp};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::network::{ApproachIndex, Network};
use crate::population::{Means, Population, Route, VehicleIndex};
use crate::traffic::Recording;

/// How many vehicles come to a lane in an hour.
const LANE_FLOW_PER_HOUR: f64 = 380.0;
/// Of a thousand crossings with a tag, at how many it is not read.
const UNREAD_PER_THOUSAND: u32 = 15;
/// How fast a driver comes up to a lane, in metres a second: 20 to 30 km/h.
const APPROACH_MPS: std::ops::Range<f64> = 5.6..8.3;
/// How fast a driver goes on the road.
const ROAD_KMH: std::ops::Range<f64> = 80.0..110.0;
/// How long a driver who was turned away takes to top up and come again.
const RETURN_MINUTES: std::ops::Range<f64> = 5.0..12.0;

/// Why journeys could not be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Vehicles are to go where the network has no lanes.
    #[error("the network has no lanes for {0:?}")]
    NoLanes(Route),
    /// Two stations of a road have no distance.
    #[error("no distance is known from {entry} to {exit}")]
    NoDistance {
        /// Where the trip begins.
        entry: StationId,
        /// Where it would end.
        exit: StationId,
    },
    /// A recorded pass is of a gate that the network does not have.
    #[error("line {line}: the network has no lanes for gate {gate} in this direction")]
    NoGate {
        /// The line of the recording.
        line: u64,
        /// The gate.
        gate: u32,
    },
}

/// Whether a tag is read at a crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagReadable {
    /// As soon as it is in the antenna's zone.
    Yes,
    /// Not this time: badly placed, or shadowed.
    No,
}

/// One crossing of a journey.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg {
    /// Where.
    pub approach: ApproachIndex,
    /// How long the drive takes from the crossing before.
    pub drive: Duration,
    /// Whether the tag will be read.
    pub tag: TagReadable,
    /// How fast the vehicle comes up to the lane.
    pub approach_mps: f64,
}

/// All of a vehicle's crossings.
#[derive(Debug, Clone, PartialEq)]
pub struct Journey {
    /// Who.
    pub vehicle: VehicleIndex,
    /// When it comes to its first lane, counted from the plan's beginning.
    pub arrives: Duration,
    /// How long it stays away when it was turned away.
    pub returns_after: Duration,
    /// Where to.
    pub legs: Vec<Leg>,
}

/// Everyone, and their journeys in the order of arrival.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Who drives.
    pub population: Population,
    /// The journeys.
    pub journeys: Vec<Journey>,
    /// The run time that arrivals count from; absent where they count from the moment at which
    /// vehicles are let in.
    pub begins_at: Option<Timestamp>,
}

impl Plan {
    /// Plans one journey for each vehicle: arrivals at random, as many an hour as lanes take.
    ///
    /// # Errors
    /// When the network lacks lanes or distances for where vehicles are bound.
    pub fn of_population(
        network: &Network,
        population: Population,
        seed: u64,
    ) -> Result<Self, PlanError> {
        let mut planner = Planner { network, chance: ChaCha8Rng::seed_from_u64(!seed) };
        let mut journeys = Vec::new();
        for route in [Route::OpenStation, Route::Road] {
            let bound: Vec<_> = population
                .indexed()
                .filter(|(_, vehicle)| vehicle.route == route)
                .map(|(index, vehicle)| (index, vehicle.means))
                .collect();
            let spread_s = planner.spread_s(route, bound.len());
            for (vehicle, means) in bound {
                journeys.push(planner.journey(route, vehicle, means, spread_s)?);
            }
        }
        journeys.sort_by_key(|journey| (journey.arrives, journey.vehicle));
        Ok(Self { population, journeys, begins_at: None })
    }

    /// Plans the passes of a recording, each at its recorded second.
    ///
    /// # Errors
    /// When the network was not made for the recording's gates.
    pub fn of_recording(
        network: &Network,
        recording: &Recording,
        seed: u64,
    ) -> Result<Self, PlanError> {
        let begins_at = recording.passes.iter().map(|pass| pass.at).min();
        let starts_at = begins_at.unwrap_or(Timestamp::UNIX_EPOCH);
        let population = Population::of_recording(&recording.passes, seed, starts_at);
        let mut planner = Planner { network, chance: ChaCha8Rng::seed_from_u64(!seed) };
        let mut journeys = Vec::new();
        for ((vehicle, _), pass) in population.indexed().zip(&recording.passes) {
            let approach = network
                .gate(pass.gate, pass.direction)
                .ok_or(PlanError::NoGate { line: pass.line, gate: pass.gate })?;
            // A recorded tag was read: that is how it came to be recorded.
            let legs = vec![planner.leg(approach, Duration::ZERO, TagReadable::Yes)];
            let arrives = pass.at.duration_since(starts_at).unsigned_abs();
            let returns_after = planner.returns_after();
            journeys.push(Journey { vehicle, arrives, returns_after, legs });
        }
        journeys.sort_by_key(|journey| (journey.arrives, journey.vehicle));
        Ok(Self { population, journeys, begins_at })
    }
}

struct Planner<'a> {
    network: &'a Network,
    chance: ChaCha8Rng,
}

impl Planner<'_> {
    /// Over how long `count` arrivals are spread.
    fn spread_s(&self, route: Route, count: usize) -> f64 {
        let role = first_role(route);
        let lanes: usize = self.network.approaches_for(role).map(|(_, a)| a.lanes.len()).sum();
        let per_lane = f64::from(u32::try_from(count).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(lanes.max(1)).unwrap_or(u32::MAX));
        per_lane / LANE_FLOW_PER_HOUR * 3600.0
    }

    fn journey(
        &mut self,
        route: Route,
        vehicle: VehicleIndex,
        means: Means,
        spread_s: f64,
    ) -> Result<Journey, PlanError> {
        let arrives = Duration::from_secs_f64(self.chance.random_range(0.0..=spread_s));
        let returns_after = self.returns_after();
        let first = self.choose(first_role(route)).ok_or(PlanError::NoLanes(route))?;
        let mut legs = vec![self.leg_for(means, first, Duration::ZERO)];
        if route == Route::Road {
            let (exit, drive) = self.trip_from(first)?;
            legs.push(self.leg_for(means, exit, drive));
        }
        Ok(Journey { vehicle, arrives, returns_after, legs })
    }

    fn choose(&mut self, role: LaneRole) -> Option<ApproachIndex> {
        let open: Vec<ApproachIndex> = self.network.approaches_for(role).map(|(i, _)| i).collect();
        open.choose(&mut self.chance).copied()
    }

    /// Another station of the road, and how long it takes to get there.
    fn trip_from(&mut self, entry: ApproachIndex) -> Result<(ApproachIndex, Duration), PlanError> {
        let entry = &self.network.approach(entry).station;
        let exits: Vec<_> = self
            .network
            .approaches_for(LaneRole::Exit)
            .filter(|(_, approach)| approach.station != *entry)
            .collect();
        let (index, exit) =
            exits.choose(&mut self.chance).copied().ok_or(PlanError::NoLanes(Route::Road))?;
        let distance_km = self.network.distance_km(entry, &exit.station).ok_or_else(|| {
            PlanError::NoDistance { entry: entry.clone(), exit: exit.station.clone() }
        })?;
        let hours = f64::from(distance_km) / self.chance.random_range(ROAD_KMH);
        Ok((index, Duration::from_secs_f64(hours * 3600.0)))
    }

    fn leg_for(&mut self, means: Means, approach: ApproachIndex, drive: Duration) -> Leg {
        // Only where there is money behind it: what a missed tag comes to is then never in doubt.
        let unread = self.chance.random_ratio(UNREAD_PER_THOUSAND, 1000) && means == Means::Tag;
        let tag = if unread { TagReadable::No } else { TagReadable::Yes };
        self.leg(approach, drive, tag)
    }

    fn leg(&mut self, approach: ApproachIndex, drive: Duration, tag: TagReadable) -> Leg {
        Leg { approach, drive, tag, approach_mps: self.chance.random_range(APPROACH_MPS) }
    }

    fn returns_after(&mut self) -> Duration {
        Duration::from_secs_f64(self.chance.random_range(RETURN_MINUTES) * 60.0)
    }
}

const fn first_role(route: Route) -> LaneRole {
    match route {
        Route::OpenStation => LaneRole::Open,
        Route::Road => LaneRole::Entry,
    }
}

#[cfg(test)]
mod tests;
