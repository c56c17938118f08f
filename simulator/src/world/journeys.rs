//! Where everybody is on their journey, and when they come to a lane next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use domain::{Amount, StationId, Timestamp};

use super::TopUp;
use crate::plan::{Journey, Leg, Plan};
use crate::population::{EmptyHanded, Means, Population, Vehicle};

/// What a driver pays in after being turned away.
const TOP_UP_VND: i64 = 5_000_000;
/// How often a driver tries a lane before giving up.
const TRIES_MAX: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JourneyIndex(usize);

/// How a crossing ended for its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Through,
    TurnedAway,
}

/// What follows for the run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) over: bool,
    pub(super) crossings_more: u64,
    pub(super) crossings_less: u64,
    pub(super) top_up: Option<TopUp>,
}

#[derive(Debug)]
struct OnTheWay {
    journey: Journey,
    leg: usize,
    tries: u32,
    entered_at: Option<StationId>,
}

#[derive(Debug)]
pub(super) struct Journeys {
    population: Population,
    begins_at: Option<Timestamp>,
    away_min: Duration,
    on_the_way: Vec<OnTheWay>,
    arrivals: BinaryHeap<Reverse<(Duration, JourneyIndex)>>,
}

impl Journeys {
    pub(super) fn new(plan: Plan, away_min: Duration) -> Self {
        let on_the_way = plan
            .journeys
            .into_iter()
            .map(|journey| OnTheWay { journey, leg: 0, tries: 0, entered_at: None })
            .collect();
        Self {
            population: plan.population,
            begins_at: plan.begins_at,
            away_min,
            on_the_way,
            arrivals: BinaryHeap::new(),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.on_the_way.len() as u64
    }

    pub(super) fn crossings_planned(&self) -> u64 {
        self.on_the_way.iter().map(|way| way.journey.legs.len() as u64).sum()
    }

    /// Sets everyone's first arrival, `now` being `at` on the wall; who should have come already
    /// comes at once.
    pub(super) fn begin(&mut self, now: Duration, at: Timestamp) {
        let ahead = self.begins_at.map(|begins_at| begins_at.duration_since(at));
        for (index, way) in self.on_the_way.iter().enumerate() {
            let arrives = now + way.journey.arrives;
            let arrives = match ahead {
                None => arrives,
                Some(ahead) if ahead.is_negative() => {
                    arrives.saturating_sub(ahead.unsigned_abs()).max(now)
                }
                Some(ahead) => arrives + ahead.unsigned_abs(),
            };
            self.arrivals.push(Reverse((arrives, JourneyIndex(index))));
        }
    }

    pub(super) fn pop_arrival(&mut self, now: Duration) -> Option<JourneyIndex> {
        let Reverse((at, _)) = self.arrivals.peek()?;
        if *at > now {
            return None;
        }
        self.arrivals.pop().map(|Reverse((_, journey))| journey)
    }

    pub(super) fn vehicle(&self, journey: JourneyIndex) -> &Vehicle {
        self.population.vehicle(self.on_the_way[journey.0].journey.vehicle)
    }

    pub(super) fn leg(&self, journey: JourneyIndex) -> &Leg {
        let way = &self.on_the_way[journey.0];
        &way.journey.legs[way.leg]
    }

    /// Where the trip of a journey began.
    pub(super) fn entry_station(&self, journey: JourneyIndex) -> Option<&StationId> {
        self.on_the_way[journey.0].entered_at.as_ref()
    }

    /// Sends a driver on after a crossing: to the next lane, home, or to top up and come again.
    pub(super) fn handle_ended(
        &mut self,
        index: JourneyIndex,
        ended: Ended,
        station: StationId,
        now: Duration,
    ) -> Next {
        let vehicle = self.population.vehicle(self.on_the_way[index.0].journey.vehicle);
        let (means, account) = (vehicle.means, vehicle.account);
        let way = &mut self.on_the_way[index.0];
        match ended {
            Ended::Through => {
                way.leg += 1;
                way.tries = 0;
                way.entered_at = Some(station);
                let Some(leg) = way.journey.legs.get(way.leg) else {
                    return Next { over: true, ..Next::default() };
                };
                self.arrivals.push(Reverse((now + leg.drive, index)));
                Next::default()
            }
            Ended::TurnedAway => {
                way.tries += 1;
                let tops_up = means == Means::EmptyAccount { then: EmptyHanded::TopsUp };
                let (true, Some(account)) = (tops_up && way.tries < TRIES_MAX, account) else {
                    let left = way.journey.legs.len() - way.leg - 1;
                    return Next { over: true, crossings_less: left as u64, ..Next::default() };
                };
                let away = way.journey.returns_after.max(self.away_min);
                self.arrivals.push(Reverse((now + away, index)));
                let top_up = TopUp {
                    account,
                    amount: Amount::try_new(TOP_UP_VND).unwrap_or(Amount::ZERO),
                    reference: format!("top-up-{account}"),
                };
                Next { crossings_more: 1, top_up: Some(top_up), ..Next::default() }
            }
        }
    }
}
