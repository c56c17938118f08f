//! What lanes tell people who watch: events and heartbeats. Neither is ever money.

use serde::{Deserialize, Serialize};

use crate::signature::Digest256;
use crate::{Amount, LaneId, TagId, Timestamp, VehicleGroup};

use super::{ClockRecord, DecisionRecord, ExceptionRecord, LaneMode};

/// How a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReaderHealth {
    /// Nothing is known yet, or the line is closed.
    Away,
    /// Being probed or configured.
    Starting,
    /// Reading.
    Reading,
    /// Connected, and not as it should be.
    Degraded,
}

/// What a lane goes on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DegradedMode {
    /// No reader: vehicles are served by their plates.
    NoReader,
    /// Neither loops nor arm.
    NoFieldIo,
    /// Nobody measures vehicles.
    NoClassifier,
    /// A panel shows drivers nothing.
    NoDisplay,
    /// A camera is not heard.
    NoCamera,
    /// The wall clock is far from the centre's: times are marked, and may be wrong.
    ClockFar,
}

/// Why a vehicle has to be looked at afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum CaseKind {
    /// It carries more than one tag; one of them is charged.
    TwoTags,
    /// Another group was measured than the list has; the list's is charged.
    GroupDiffers {
        /// The list's.
        listed: VehicleGroup,
        /// The measured one.
        measured: VehicleGroup,
    },
    /// It was let through and went out backwards.
    Reversed,
    /// It was let through and was not seen to go.
    LeftUnseen,
    /// Its tag was let through at another lane.
    TakenElsewhere,
}

/// A convoy that is being let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvoyRecord {
    /// What people call it.
    pub name: String,
    /// Who ordered it: a staff id.
    pub by: String,
    /// Who agreed: a staff id.
    pub second: String,
    /// How many vehicles it has had.
    pub vehicles: u32,
    /// How many it may have.
    pub vehicles_max: u32,
}

/// What happened in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum EventKind {
    /// A vehicle came onto the presence loop.
    VehicleArrived {
        /// How many vehicles are now between the loops.
        queue: usize,
    },
    /// A person is needed.
    CallRaised {
        /// The lane's number for the call; none comes twice.
        call: u64,
        /// Why.
        exception: ExceptionRecord,
        /// The tag, where one was read.
        tag: Option<TagId>,
        /// The fare that is due, where it is known.
        fare: Option<Amount>,
    },
    /// The call has been settled: by a command, a late tag, or the vehicle's leaving.
    CallEnded {
        /// The call.
        call: u64,
    },
    /// A passage was written down.
    PassageRecorded {
        /// The epoch.
        epoch: u32,
        /// The sequence.
        seq: u64,
        /// What was decided.
        decision: DecisionRecord,
        /// The group.
        group: Option<VehicleGroup>,
        /// The fare shown.
        fare: Option<Amount>,
        /// From the last fact it needed (the last byte of the tag's frame, or the loop's edge
        /// where the tag came first) to the decision on a tag, in real microseconds.
        read_to_decision_us: Option<u64>,
    },
    /// The arm was told to go up.
    Opened {
        /// From the same fact to the end of the open command, in real microseconds; absent where
        /// neither a tag nor a loop was the cause.
        read_to_open_us: Option<u64>,
    },
    /// The vehicle has left over the safety loop.
    VehicleLeft {
        /// How many vehicles are still between the loops.
        queue: usize,
    },
    /// A vehicle crossed the safety loop that nothing was decided about.
    Violation,
    /// Receipts came in.
    Posted {
        /// Everything up to here is posted.
        upto: u64,
        /// From the same fact to the receipt, in real microseconds, for the passages on a tag
        /// that this receipt covers.
        read_to_posted_us: Vec<u64>,
    },
    /// The reader's health has changed.
    Reader {
        /// How it is now.
        health: ReaderHealth,
    },
    /// A vehicle has to be looked at afterwards. Kept in the lane's journal, and sent until the
    /// broker has it.
    Case {
        /// The epoch of that journal.
        epoch: u32,
        /// The case's number in it, from 1 without gaps.
        number: u64,
        /// What.
        case: CaseKind,
        /// The vehicle's passage, where one was written.
        passage: Option<u64>,
        /// Pictures of the vehicle, by their digests, that the lane keeps.
        pictures: Vec<Digest256>,
    },
    /// Something needs a person on call.
    Alarm {
        /// What, without anything personal.
        text: String,
    },
    /// The lane works by another directive from now on.
    DirectiveApplied {
        /// The directive's version.
        version: u64,
        /// How the lane works.
        mode: LaneMode,
    },
    /// The desk has the lane work in another way from now on.
    ModeOrdered {
        /// How the lane works.
        mode: LaneMode,
        /// Who ordered it: a staff id.
        by: String,
    },
    /// The arm stays up for a convoy.
    ConvoyBegan {
        /// It.
        convoy: ConvoyRecord,
    },
    /// The arm no longer stays up for it.
    ConvoyEnded {
        /// Its name.
        name: String,
        /// How many vehicles it had.
        vehicles: u32,
    },
    /// Events were lost, the least severe first, because too many waited for the broker.
    EventsDropped {
        /// How many.
        count: u64,
    },
}

/// How much it matters that an event is not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For those who watch now; it is no loss later.
    Passing,
    /// Belongs into the story of the day.
    Note,
    /// A device or the way of working changed.
    Fault,
    /// A person must look.
    Alarm,
}

impl EventKind {
    /// How much it matters that this event is not lost.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::VehicleArrived { .. }
            | Self::PassageRecorded { .. }
            | Self::Opened { .. }
            | Self::VehicleLeft { .. }
            | Self::Posted { .. } => Severity::Passing,
            Self::CallRaised { .. } | Self::CallEnded { .. } | Self::Case { .. } => Severity::Note,
            Self::Reader { .. }
            | Self::DirectiveApplied { .. }
            | Self::ModeOrdered { .. }
            | Self::ConvoyBegan { .. }
            | Self::ConvoyEnded { .. } => Severity::Fault,
            Self::Violation | Self::Alarm { .. } | Self::EventsDropped { .. } => Severity::Alarm,
        }
    }
}

/// An event of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneEvent {
    /// 1.
    pub v: u32,
    /// The lane.
    pub lane: LaneId,
    /// When, by the lane's clock.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// A lane's sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// 1.
    pub v: u32,
    /// The lane.
    pub lane: LaneId,
    /// When, by the lane's clock.
    pub at: Timestamp,
    /// The epoch of its journal.
    pub epoch: u32,
    /// The last sequence written; 0 for none.
    pub last_seq: u64,
    /// The watermark of the last receipt.
    pub posted_upto: u64,
    /// The version of the account list.
    pub list_version: u64,
    /// Its content hash.
    pub list_hash: Digest256,
    /// The reader.
    pub reader: ReaderHealth,
    /// Whether loops and arm answer.
    pub field_io: bool,
    /// Vehicles between the loops.
    pub queue: usize,
    /// Calls that wait for a person.
    pub calls: usize,
    /// Whether the arm is up, as its switch says; absent while unknown.
    pub arm_up: Option<bool>,
    /// Passages that are only in memory, because the journal cannot be written; absent while it
    /// can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<u64>,
    /// What the lane goes on without; absent where it has everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<DegradedMode>,
    /// What the station adds about links, clock and disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vitals: Option<Vitals>,
}

/// Links, clock and disk of a lane, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vitals {
    /// Whether the wall clock is to be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockRecord>,
    /// How far the centre's clock is ahead of the lane's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_us: Option<i64>,
    /// How far that may be wrong, either way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_error_us: Option<u64>,
    /// Passages that no receipt covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u64>,
    /// When the oldest of them happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_unposted_at: Option<Timestamp>,
    /// When the centre last said that the list is the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_confirmed_at: Option<Timestamp>,
    /// The version of the tariff directive that is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tariff_version: Option<u64>,
    /// The version of the lane's directive that is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directive_version: Option<u64>,
    /// How the lane works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<LaneMode>,
    /// The convoy that is being let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convoy: Option<ConvoyRecord>,
    /// Events that wait for the broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_waiting: Option<u64>,
    /// What is free on the disk of the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// The version of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
}
