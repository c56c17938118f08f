//! A lane's manifest: its own account of what it wrote on a settlement day. Request and reply.
//!
//! The centre can see a number that is missing *between* two that came. What a lane wrote last and
//! never sent it cannot see: the lane says it here. The two take *turns*: the lane's turn carries a
//! manifest or none; the centre's *call* says which day it wants next. So the day is the centre's,
//! by its calendar, and the numbers are the lane's: a manifest begins behind the last number of the
//! one before, whatever clocks did, and every number is in exactly one. Both messages are signed, and
//! a call names the digest of the turn it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::passage::Decision;
use crate::signature::Digest256;
use crate::{Amount, BusinessDate, LaneId, Timestamp};

use super::{DecisionRecord, PassageRecord, PaymentRecord};

/// A lane's turn; signed by the lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestTurn {
    /// 1.
    pub v: u32,
    /// The lane.
    pub lane: LaneId,
    /// The epoch of its journal.
    pub epoch: u32,
    /// When, by the lane's clock.
    pub at: Timestamp,
    /// The manifest of the day that was wanted; none in a turn that only asks.
    pub manifest: Option<DayManifest>,
    /// Where the day that was wanted can no longer be counted: the last number that the journal has
    /// forgotten, as it does with what was receipted long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten_upto: Option<u64>,
}

/// What one journal has of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayManifest {
    /// The settlement day.
    pub day: BusinessDate,
    /// The first number: that behind the manifest before.
    pub first_seq: u64,
    /// The last number; one less than the first where the lane wrote nothing.
    pub last_seq: u64,
    /// The digest of the last record, or of the one before the day where there is none in it; zero
    /// before the first.
    pub head: Digest256,
    /// What its passages come to.
    pub sums: PassageSums,
    /// What the loops counted; absent where the lane has none that could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loops: Option<LoopDay>,
}

/// Passages, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassageSums {
    /// How many.
    pub passages: u64,
    /// The fares of those that went through and are paid for, as the lane had them.
    pub amount: Amount,
    /// How many of each vehicle group; `-` where it is not known.
    pub groups: BTreeMap<String, u64>,
    /// How many of each decision.
    pub decisions: BTreeMap<String, u64>,
}

impl PassageSums {
    /// Counts a passage in. Tells whether the sum still is an amount.
    #[must_use]
    pub fn count(&mut self, passage: &PassageRecord) -> bool {
        self.passages += 1;
        let group =
            passage.group.map_or_else(|| "-".to_owned(), |group| group.number().to_string());
        *self.groups.entry(group).or_default() += 1;
        *self.decisions.entry(passage.decision.name().to_owned()).or_default() += 1;
        let is_paid = match passage.payment {
            PaymentRecord::Account | PaymentRecord::Cash => {
                Decision::from(passage.decision).went_through()
            }
            PaymentRecord::Nothing => false,
        };
        let fare = passage.fare.filter(|_| is_paid).unwrap_or(Amount::ZERO);
        self.amount.plus(fare).map(|sum| self.amount = sum).is_ok()
    }
}

impl DecisionRecord {
    /// Every decision.
    pub const ALL: [Self; 5] = [
        Self::OpenedByTag,
        Self::ChargedByPlate,
        Self::OpenedByAttendant,
        Self::TurnedAway,
        Self::LeftUndecided,
    ];

    /// The decision by its name on the wire and in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenedByTag => "opened-by-tag",
            Self::ChargedByPlate => "charged-by-plate",
            Self::OpenedByAttendant => "opened-by-attendant",
            Self::TurnedAway => "turned-away",
            Self::LeftUndecided => "left-undecided",
        }
    }
}

/// Vehicles as the loops counted them since the journal began.
///
/// Every passage whose vehicle was not sent away ends in one way: its vehicle crossed the exit loop,
/// went back, or was not seen to go; or it is between the loops still. So between any two records of
/// a journal, those passages are `crossings - repeats - strays + unseen + turned_back + between`, each
/// as its growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopCounts {
    /// Pulses of the exit loop.
    pub crossings: u64,
    /// Of these, pulses of a vehicle that was counted already: its trailer, or a loop that chatters.
    pub repeats: u64,
    /// Pulses of which no vehicle is known: it came while the loops were silent, or the wrong way.
    pub strays: u64,
    /// Vehicles that may have gone and made no pulse of their own.
    pub unseen: u64,
    /// Vehicles that went out backwards, with a passage.
    pub turned_back: u64,
    /// Vehicles between the loops that have their passage.
    pub between: u64,
    /// Times the loops' own counters began anew, so that pulses may be missing.
    pub lost: u64,
}

/// The loops of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopDay {
    /// As they stood at the record before the first.
    pub before: LoopCounts,
    /// The hours in which something was written, in the order of their numbers.
    pub hours: Vec<LoopHour>,
}

/// The loops at the end of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopHour {
    /// When the hour began, by the lane's clock.
    pub from: Timestamp,
    /// The last number of the hour.
    pub last_seq: u64,
    /// As they stood at that record.
    pub counts: LoopCounts,
}

/// The centre's call; signed by the centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestCall {
    /// 1.
    pub v: u32,
    /// The lane that had its turn.
    pub lane: LaneId,
    /// The digest of its payload.
    pub turn: Digest256,
    /// The day that is wanted; none where the centre has all of them.
    pub wanted: Option<WantedDay>,
    /// When the next day ends: before that nothing will be wanted.
    pub next_at: Timestamp,
}

/// A day whose manifest is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedDay {
    /// The settlement day.
    pub day: BusinessDate,
    /// When it ended.
    pub ends_at: Timestamp,
    /// The number behind which it begins.
    pub after_seq: u64,
    /// Where it is asked for again: its last number, which is not to change.
    pub last_seq: Option<u64>,
}
