//! One crossing: who, where, what the attendant said, and what it comes to.

use std::time::Duration;

use domain::passage::LaneRole;
use domain::tariff::{Segment, TariffError};
use domain::{Amount, LaneId, StationId, Timestamp};

use super::LaneIndex;
use super::journeys::{Ended, JourneyIndex};
use crate::network::Network;
use crate::plan::{Leg, TagReadable};
use crate::population::{Means, Vehicle};
use crate::truth::How;

/// What an attendant decided about a vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Let through: charged by plate, or paid in cash.
    LetThrough,
    /// Let through as a priority vehicle.
    Priority,
    /// Sent back.
    TurnedAway,
}

/// How far the attendant's word about a crossing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// None was needed, or the lane refused it.
    None,
    /// On its way, or its reply was lost.
    Sent(Verdict),
    /// Carried out.
    Done(Verdict),
}

#[derive(Debug)]
pub(super) struct Crossing {
    pub(super) journey: JourneyIndex,
    pub(super) lane: LaneIndex,
    pub(super) tag: TagReadable,
    pub(super) approach_mps: f64,
    pub(super) answer: Answer,
    pub(super) passed_at: Option<Duration>,
}

impl Crossing {
    pub(super) fn new(journey: JourneyIndex, lane: LaneIndex, leg: &Leg) -> Self {
        Self {
            journey,
            lane,
            tag: leg.tag,
            approach_mps: leg.approach_mps,
            answer: Answer::None,
            passed_at: None,
        }
    }

    /// How the crossing ended: by the attendant's word where there is one, otherwise by what the
    /// vehicle carries.
    pub(super) fn how(&self, ended: Ended, means: Means) -> How {
        match (ended, self.answer) {
            (Ended::TurnedAway, _) => How::TurnedAway,
            (Ended::Through, Answer::Sent(verdict) | Answer::Done(verdict)) => match verdict {
                Verdict::LetThrough => How::Attendant,
                Verdict::Priority => How::Exempt,
                Verdict::TurnedAway => unattended(means),
            },
            (Ended::Through, Answer::None) => unattended(means),
        }
    }
}

fn unattended(means: Means) -> How {
    match means {
        Means::MonthPass => How::Pass,
        Means::Exempt | Means::Priority => How::Exempt,
        Means::Tag | Means::Plate | Means::Cash | Means::EmptyAccount { .. } | Means::Blocked => {
            How::Tag
        }
    }
}

/// What follows from tariff and trip: nothing on an entry, for who is turned away or exempt, and
/// for the holder of a pass, whoever let them through.
pub(super) fn fare(
    network: &Network,
    role: LaneRole,
    lane: &LaneId,
    vehicle: &Vehicle,
    how: How,
    entry: Option<&StationId>,
    at: Timestamp,
) -> Result<Amount, TariffError> {
    let free = matches!(how, How::Pass | How::Exempt | How::TurnedAway)
        || matches!(vehicle.means, Means::MonthPass | Means::Exempt);
    let segment = match (role, entry) {
        _ if free => return Ok(Amount::ZERO),
        (LaneRole::Entry, _) => return Ok(Amount::ZERO),
        (LaneRole::Exit, Some(entry)) => {
            Segment::Trip { entry: entry.clone(), exit: lane.station().clone() }
        }
        (LaneRole::Open, _) | (LaneRole::Exit, None) => {
            Segment::Pass { station: lane.station().clone() }
        }
    };
    network.fare(lane.operator(), &segment, vehicle.group, at)
}
