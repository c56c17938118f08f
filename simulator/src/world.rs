//! The world: every lane's road, the journeys of a run, and the truth of each crossing.
//!
//! Pure: time, pulses and the attendant's answers are arguments, what follows is taken out with
//! `take_*`. *Answer*: what the attendant has told the lane to do with a crossing; it counts once
//! the lane says that it is done, or once the vehicle has gone through after it was sent.

mod crossing;
mod journeys;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use domain::passage::LaneRole;
use domain::tariff::TariffError;
use domain::{AccountId, Amount, LaneId, Plate, Timestamp};
use rfid_driver::emulator::FieldTag;

use crate::antenna;
use crate::network::Network;
use crate::plan::{Plan, TagReadable};
use crate::population::Vehicle;
use crate::road::{CrossingKey, LaneRoad, Pulse, RoadEvent, STEP_MAX, length_m};
use crate::truth::{How, TruthLine};

use crossing::{Answer, Crossing};
use journeys::{Ended, Journeys};

pub(crate) use crossing::Verdict;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Vehicles that have a journey.
    pub vehicles: u64,
    /// Vehicles whose journey is over.
    pub vehicles_done: u64,
    /// Crossings that are planned now; it falls when a vehicle is turned away for good, and rises
    /// when one comes again.
    pub planned: u64,
    /// Crossings that have begun: the vehicle has chosen a lane.
    pub arrived: u64,
    /// Crossings that have ended.
    pub crossed: u64,
    /// Vehicles in a lane or in the queue before it.
    pub in_lane: u64,
    /// Crossings that have ended, by how.
    pub by_how: BTreeMap<How, u64>,
    /// Vehicles that an arm came down on: never.
    pub struck: u64,
}

impl Progress {
    /// Whether every journey is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.vehicles_done == self.vehicles
    }
}

/// A top-up that a driver asks for; the same reference again means the same top-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUp {
    /// The account.
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
    /// The driver's reference.
    pub reference: String,
}

/// The place of a lane in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneIndex(pub(crate) usize);

/// What an attendant sees at the head of a lane.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) crossing: CrossingKey,
    pub(crate) role: LaneRole,
    /// Whether it has come to a stand at the line.
    pub(crate) stands: bool,
    pub(crate) vehicle: Vehicle,
}

/// One lane with everyone in it and before it.
#[derive(Debug)]
struct LaneWorld {
    id: LaneId,
    role: LaneRole,
    road: LaneRoad,
    /// Vehicles that have chosen the lane and do not yet have room in it.
    waiting: VecDeque<CrossingKey>,
    /// What the reader was last told.
    field: Vec<FieldTag>,
}

impl LaneWorld {
    fn queue_len(&self) -> usize {
        self.waiting.len() + self.road.len()
    }
}

/// Everything that happens outside the lanes' cabinets.
#[derive(Debug)]
pub(crate) struct World {
    network: Network,
    lanes: Vec<LaneWorld>,
    journeys: Journeys,
    crossings: BTreeMap<CrossingKey, Crossing>,
    next_key: u64,
    now: Duration,
    /// The run's wall time at `now` zero.
    zero_at: Timestamp,
    progress: Progress,
    truths: Vec<TruthLine>,
    top_ups: Vec<TopUp>,
}

impl World {
    /// A world in which nobody comes yet. Its time counts from `zero_at`; drivers who were turned
    /// away stay away for `away_min` at least.
    pub(crate) fn new(
        network: Network,
        plan: Plan,
        zero_at: Timestamp,
        away_min: Duration,
    ) -> Self {
        let lanes = network
            .lanes()
            .map(|lane| LaneWorld {
                id: lane.id.clone(),
                role: lane.role,
                road: LaneRoad::new(),
                waiting: VecDeque::new(),
                field: Vec::new(),
            })
            .collect();
        let journeys = Journeys::new(plan, away_min);
        let progress = Progress {
            vehicles: journeys.count(),
            planned: journeys.crossings_planned(),
            ..Progress::default()
        };
        Self {
            network,
            lanes,
            journeys,
            crossings: BTreeMap::new(),
            next_key: 1,
            now: Duration::ZERO,
            zero_at,
            progress,
            truths: Vec::new(),
            top_ups: Vec::new(),
        }
    }

    /// Lets vehicles come from now on.
    pub(crate) fn begin(&mut self) {
        let at = self.wall_time(self.now);
        self.journeys.begin(self.now, at);
    }

    pub(crate) fn progress(&self) -> Progress {
        let in_lane = self.progress.arrived - self.progress.crossed;
        let struck = self.lanes.iter().map(|lane| lane.road.struck()).sum();
        Progress { in_lane, struck, ..self.progress.clone() }
    }

    pub(crate) fn lane_index(&self, lane: &LaneId) -> Option<LaneIndex> {
        self.lanes.iter().position(|l| l.id == *lane).map(LaneIndex)
    }

    pub(crate) fn road(&self, lane: LaneIndex) -> &LaneRoad {
        &self.lanes[lane.0].road
    }

    pub(crate) fn handle_pulse(&mut self, lane: LaneIndex, pulse: Pulse) {
        self.lanes[lane.0].road.handle_pulse(pulse);
    }

    pub(crate) fn take_truths(&mut self) -> Vec<TruthLine> {
        std::mem::take(&mut self.truths)
    }

    pub(crate) fn take_top_ups(&mut self) -> Vec<TopUp> {
        std::mem::take(&mut self.top_ups)
    }

    /// The lanes whose antenna has other tags in its field than before, with all of them.
    pub(crate) fn take_field_changes(&mut self) -> Vec<(LaneIndex, Vec<FieldTag>)> {
        let mut changes = Vec::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let field: Vec<FieldTag> = lane
                .road
                .in_zone()
                .filter_map(|(key, place)| {
                    let crossing = self.crossings.get(&key)?;
                    let readable = crossing.tag == TagReadable::Yes;
                    let tag = self.journeys.vehicle(crossing.journey).tag.as_ref()?;
                    readable.then(|| antenna::field_tag(tag, place)).flatten()
                })
                .collect();
            if field != lane.field {
                lane.field.clone_from(&field);
                changes.push((LaneIndex(index), field));
            }
        }
        changes
    }

    /// Who stands at the head of a lane, or is just coming up to its line.
    pub(crate) fn head(&self, lane: LaneIndex) -> Option<Head> {
        let lane = &self.lanes[lane.0];
        let crossing = lane.road.head()?;
        let vehicle = self.journeys.vehicle(self.crossings.get(&crossing)?.journey).clone();
        Some(Head { crossing, role: lane.role, stands: lane.road.head_stands(), vehicle })
    }

    /// The plate of the vehicle that came into a lane's zone last: who is on the presence loop.
    pub(crate) fn newest_plate(&self, lane: LaneIndex) -> Option<Plate> {
        let (key, _) = self.lanes[lane.0].road.in_zone().last()?;
        let journey = self.crossings.get(&key)?.journey;
        Some(self.journeys.vehicle(journey).plate.clone())
    }

    /// The attendant has sent a command about a crossing; nobody knows yet what became of it.
    pub(crate) fn handle_answer_sent(&mut self, crossing: CrossingKey, verdict: Verdict) {
        self.answer(crossing, Answer::Sent(verdict));
    }

    /// The lane did not carry the command out.
    pub(crate) fn handle_answer_refused(&mut self, crossing: CrossingKey) {
        self.answer(crossing, Answer::None);
    }

    /// The lane has carried the command out.
    pub(crate) fn handle_answer_done(&mut self, crossing: CrossingKey, verdict: Verdict) {
        self.answer(crossing, Answer::Done(verdict));
        let lane = self.crossings.get(&crossing).map(|crossing| crossing.lane);
        if let (Verdict::TurnedAway, Some(lane)) = (verdict, lane) {
            self.lanes[lane.0].road.turn_back(crossing);
        }
    }

    fn answer(&mut self, crossing: CrossingKey, answer: Answer) {
        if let Some(crossing) = self.crossings.get_mut(&crossing) {
            crossing.answer = answer;
        }
    }

    /// Lets time pass until `to`, in steps that the kinematics allow.
    ///
    /// # Errors
    /// When a crossing has no fare in the network's tariffs.
    pub(crate) fn advance(&mut self, to: Duration) -> Result<(), TariffError> {
        while self.now < to {
            let step = STEP_MAX.min(to.saturating_sub(self.now));
            self.now += step;
            while let Some(journey) = self.journeys.pop_arrival(self.now) {
                self.arrive(journey);
            }
            for index in 0..self.lanes.len() {
                self.step_lane(LaneIndex(index), step)?;
            }
        }
        Ok(())
    }

    fn step_lane(&mut self, index: LaneIndex, step: Duration) -> Result<(), TariffError> {
        let lane = &mut self.lanes[index.0];
        if lane.road.has_room()
            && let Some(key) = lane.waiting.pop_front()
            && let Some(crossing) = self.crossings.get(&key)
        {
            let group = self.journeys.vehicle(crossing.journey).group;
            lane.road.appear(key, length_m(group), crossing.approach_mps);
        }
        let mut events = Vec::new();
        lane.road.step(step, &mut events);
        for event in events {
            match event {
                RoadEvent::PassedArm(key) => {
                    if let Some(crossing) = self.crossings.get_mut(&key) {
                        crossing.passed_at = Some(self.now);
                    }
                }
                RoadEvent::Left(key) => self.end(key, Ended::Through)?,
                RoadEvent::BackedOut(key) => self.end(key, Ended::TurnedAway)?,
            }
        }
        Ok(())
    }

    /// A vehicle comes to a station and takes the shortest queue.
    fn arrive(&mut self, journey: journeys::JourneyIndex) {
        let leg = self.journeys.leg(journey);
        let lanes = &self.network.approach(leg.approach).lanes;
        let shortest = (0..self.lanes.len())
            .filter(|index| lanes.contains(&self.lanes[*index].id))
            .min_by_key(|index| self.lanes[*index].queue_len());
        let Some(lane) = shortest.map(LaneIndex) else { return };
        let key = CrossingKey(self.next_key);
        self.next_key += 1;
        let crossing = Crossing::new(journey, lane, leg);
        self.crossings.insert(key, crossing);
        self.lanes[lane.0].waiting.push_back(key);
        self.progress.arrived += 1;
    }

    fn end(&mut self, key: CrossingKey, ended: Ended) -> Result<(), TariffError> {
        let Some(crossing) = self.crossings.remove(&key) else { return Ok(()) };
        let lane = &self.lanes[crossing.lane.0];
        let vehicle = self.journeys.vehicle(crossing.journey);
        let at = self.wall_time(crossing.passed_at.unwrap_or(self.now));
        let how = crossing.how(ended, vehicle.means);
        let entry = self.journeys.entry_station(crossing.journey);
        let fare = crossing::fare(&self.network, lane.role, &lane.id, vehicle, how, entry, at)?;
        self.truths.push(TruthLine::new(&lane.id, at, vehicle, how, fare));
        let station = lane.id.station().clone();
        let next = self.journeys.handle_ended(crossing.journey, ended, station, self.now);
        self.progress.crossed += 1;
        *self.progress.by_how.entry(how).or_default() += 1;
        self.progress.planned += next.crossings_more;
        self.progress.planned -= next.crossings_less;
        self.progress.vehicles_done += u64::from(next.over);
        self.top_ups.extend(next.top_up);
        Ok(())
    }

    fn wall_time(&self, at: Duration) -> Timestamp {
        self.zero_at.saturating_add(at).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests;
