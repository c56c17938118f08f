//! Version 1 of every message. Fields are only ever added, and only as optional ones.

mod command;
mod directive;
mod event;
mod list;
mod manifest;
mod passage;
mod picture;
mod question;
mod time;

use serde::{Deserialize, Serialize};

use crate::signature::{Digest256, HalfDigest};
use crate::{LaneId, PassageId, Plate, StationId, TagId, Timestamp, VehicleGroup};

pub use command::{Badge, Command, CommandAnswer, CommandReply, DeskRole, ReasonRecord, Verb};
pub use directive::{ChoiceRecord, LaneDirective, LaneMode, PolicyRecord, TariffDirective};
pub use event::{
    CaseKind, ConvoyRecord, DegradedMode, EventKind, Heartbeat, LaneEvent, ReaderHealth, Severity,
    Vitals,
};
pub use list::{ChangeRecord, DeltaRecord, ListEntryRecord, Manifest, PassRecord, StatusRecord};
pub use manifest::{
    DayManifest, LoopCounts, LoopDay, LoopHour, ManifestCall, ManifestTurn, PassageSums, WantedDay,
};
pub use passage::{
    AttendanceRecord, ClockRecord, CorrectionRecord, DecisionRecord, EntryRefRecord,
    ExceptionRecord, PassageRecord, PaymentRecord, RoleRecord,
};
pub use picture::{PictureKind, PictureNote, PictureRecord, Pictured};
pub use question::{AccountAnswer, AccountQuestion, RulingRecord};
pub use time::{ListConfirmation, TimeAnswer, TimeQuestion};

/// Why a message was not understood.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not JSON, or not of this shape. What the parser says is not kept: it quotes.
    #[error("a {what} is not as version 1 has it: line {line}, column {column}")]
    Shape {
        /// Which message was expected.
        what: &'static str,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A later version than this program knows.
    #[error("a {what} is of version {version}, and this program knows version 1")]
    Version {
        /// Which message was expected.
        what: &'static str,
        /// Its version.
        version: u32,
    },
}

/// Reads a message, whose version must be 1.
///
/// # Errors
/// When it is no such message, or one of another version.
pub fn parse<'a, T: Deserialize<'a>>(
    what: &'static str,
    payload: &'a [u8],
) -> Result<T, WireError> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    let shape = |error: serde_json::Error| WireError::Shape {
        what,
        line: error.line(),
        column: error.column(),
    };
    let Versioned { v } = serde_json::from_slice(payload).map_err(shape)?;
    if v != 1 {
        return Err(WireError::Version { what, version: v });
    }
    serde_json::from_slice(payload).map_err(shape)
}

/// Writes a message.
///
/// # Panics
/// Never: every message of this contract has a JSON form.
#[must_use]
pub fn emit<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages of the contract have a JSON form")
}

/// What became of a passage at the clearing house.
///
/// The eight of NIOP ICD 1.02, by name, and the two a receiver needs besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// Charged, or found to cost nothing.
    Posted,
    /// Came again with the same content.
    Duplicate,
    /// The tag or plate belongs to nobody we know.
    Invalid,
    /// Understood, and nothing to charge: turned away, or left.
    NotPosted,
    /// Came too late to be charged.
    TooOld,
    /// Could not be read.
    FormatError,
    /// Not on file: refers to something we never had.
    NotOnFile,
    /// A fault on the way or at the centre.
    SystemError,
    /// Came again with another content; the first stands.
    Conflict,
    /// Not decided yet.
    Pending,
}

impl Disposition {
    /// The disposition by its name on the wire and in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Duplicate => "duplicate",
            Self::Invalid => "invalid",
            Self::NotPosted => "not-posted",
            Self::TooOld => "too-old",
            Self::FormatError => "format-error",
            Self::NotOnFile => "not-on-file",
            Self::SystemError => "system-error",
            Self::Conflict => "conflict",
            Self::Pending => "pending",
        }
    }
}

/// The centre's signed word to a lane: everything up to here is safe with us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// 1.
    pub v: u32,
    /// The lane it is for.
    pub lane: LaneId,
    /// The epoch it is about.
    pub epoch: u32,
    /// Every sequence up to this one, without a gap, has been stored with a disposition.
    pub posted_upto: u64,
    /// What is stored under that sequence, by its digest; absent where that is 0. A lane whose own
    /// record of that number is another one does not believe the receipt: its journal is an old
    /// copy, and has used numbers a second time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted_digest: Option<HalfDigest>,
    /// Sequences past a gap that the centre lacks, as inclusive ranges: send them again.
    pub missing: Vec<(u64, u64)>,
    /// When.
    pub issued_at: Timestamp,
}

/// An entry onto an entry/exit road, for the exits of that road.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRecord {
    /// 1.
    pub v: u32,
    /// The entry lane's passage.
    pub passage: PassageId,
    /// Its station.
    pub station: StationId,
    /// When.
    pub at: Timestamp,
    /// The tag, where one was read.
    pub tag: Option<TagId>,
    /// The plate, where it is known.
    pub plate: Option<Plate>,
    /// The group, where it is known.
    pub group: Option<VehicleGroup>,
}

/// A lane's question: its journal is blank, which epoch may it write?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRequest {
    /// 1.
    pub v: u32,
    /// The lane that asks.
    pub lane: LaneId,
    /// The new journal's own identity, so that a repeated question gets the same answer.
    pub journal: Digest256,
}

/// The centre's answer, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochGrant {
    /// 1.
    pub v: u32,
    /// The lane that asked.
    pub lane: LaneId,
    /// The journal it asked for.
    pub journal: Digest256,
    /// The epoch it may write.
    pub epoch: u32,
}

#[cfg(test)]
mod tests;
