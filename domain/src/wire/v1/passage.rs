//! The passage on the wire and in the journal.

use serde::{Deserialize, Serialize};

use crate::account_list::ListStatus;
use crate::order::SignedOrder;
use crate::passage::{
    Attendance, ClockQuality, Correction, Decision, EntryRef, ExceptionKind, LaneRole, Passage,
    Payment,
};
use crate::signature::Digest256;
use crate::{Amount, PassageId, Plate, StationId, TagId, Timestamp, VehicleGroup};

use super::{ReasonRecord, StatusRecord};

macro_rules! mirror {
    ($(#[$doc:meta])* $record:ident of $core:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[allow(missing_docs, reason = "each variant mirrors the one of the same name; not each is exported")]
        pub enum $record { $($variant),+ }

        impl From<$core> for $record {
            fn from(core: $core) -> Self {
                match core { $($core::$variant => Self::$variant),+ }
            }
        }

        impl From<$record> for $core {
            fn from(record: $record) -> Self {
                match record { $($record::$variant => Self::$variant),+ }
            }
        }
    };
}
pub(super) use mirror;

mirror! {
    /// A lane's role by name.
    RoleRecord of LaneRole { Open, Entry, Exit }
}
mirror! {
    /// A clock's quality by name.
    ClockRecord of ClockQuality { Synchronised, Unsynchronised }
}
mirror! {
    /// An exception by name.
    ExceptionRecord of ExceptionKind {
        NoTag, UnknownTag, NoMoney, Blocked, Closed, NotConverted, NoFare, LeftUndecided,
        LaneClosed,
    }
}
mirror! {
    /// A decision by name.
    DecisionRecord of Decision {
        OpenedByTag, ChargedByPlate, OpenedByAttendant, TurnedAway, LeftUndecided,
    }
}
mirror! {
    /// A way to pay by name.
    PaymentRecord of Payment { Account, Cash, Nothing }
}

/// That the attendant corrected the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectionRecord {
    /// The group before, where one was known.
    pub from: Option<VehicleGroup>,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttendanceRecord {
    /// The attendant's staff id.
    pub attendant: String,
    /// The command's id.
    pub command: String,
    /// The reason of the catalogue.
    pub reason: ReasonRecord,
    /// Who agreed, where it takes two people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// The group before it was corrected, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected: Option<CorrectionRecord>,
    /// The order as it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<SignedOrder>,
}

impl From<Attendance> for AttendanceRecord {
    fn from(attendance: Attendance) -> Self {
        Self {
            attendant: attendance.attendant,
            command: attendance.command,
            reason: attendance.reason.into(),
            second: attendance.second,
            corrected: attendance.corrected.map(|Correction { from }| CorrectionRecord { from }),
            order: attendance.order,
        }
    }
}

impl From<AttendanceRecord> for Attendance {
    fn from(record: AttendanceRecord) -> Self {
        Self {
            attendant: record.attendant,
            command: record.command,
            reason: record.reason.into(),
            second: record.second,
            corrected: record.corrected.map(|CorrectionRecord { from }| Correction { from }),
            order: record.order,
        }
    }
}

/// Where a trip began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRefRecord {
    /// The entry lane's passage.
    pub passage: PassageId,
    /// Its station.
    pub station: StationId,
    /// When.
    pub at: Timestamp,
}

/// A passage; its JSON bytes are what is signed, hashed, chained and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field mirrors the one of the same name in `Passage`")]
pub struct PassageRecord {
    /// 1.
    pub v: u32,
    pub id: PassageId,
    pub role: RoleRecord,
    pub at: Timestamp,
    pub clock: ClockRecord,
    pub uptime_ns: u64,
    pub boot: String,
    pub tag: Option<TagId>,
    pub plate: Option<Plate>,
    pub group: Option<VehicleGroup>,
    pub list_version: u64,
    pub status_seen: Option<StatusRecord>,
    pub tariff: Option<String>,
    pub entry: Option<EntryRefRecord>,
    pub exception: Option<ExceptionRecord>,
    pub decision: DecisionRecord,
    pub attendance: Option<AttendanceRecord>,
    pub fare: Option<Amount>,
    pub payment: PaymentRecord,
    pub previous: Digest256,
}

impl From<Passage> for PassageRecord {
    fn from(passage: Passage) -> Self {
        Self {
            v: 1,
            id: passage.id,
            role: passage.role.into(),
            at: passage.at,
            clock: passage.clock.into(),
            uptime_ns: passage.uptime_ns,
            boot: passage.boot,
            tag: passage.tag,
            plate: passage.plate,
            group: passage.group,
            list_version: passage.list_version,
            status_seen: passage.status_seen.map(Into::into),
            tariff: passage.tariff,
            entry: passage.entry.map(|entry| EntryRefRecord {
                passage: entry.passage,
                station: entry.station,
                at: entry.at,
            }),
            exception: passage.exception.map(Into::into),
            decision: passage.decision.into(),
            attendance: passage.attendance.map(Into::into),
            fare: passage.fare,
            payment: passage.payment.into(),
            previous: passage.previous,
        }
    }
}

impl From<PassageRecord> for Passage {
    fn from(record: PassageRecord) -> Self {
        Self {
            id: record.id,
            role: record.role.into(),
            at: record.at,
            clock: record.clock.into(),
            uptime_ns: record.uptime_ns,
            boot: record.boot,
            tag: record.tag,
            plate: record.plate,
            group: record.group,
            list_version: record.list_version,
            status_seen: record.status_seen.map(ListStatus::from),
            tariff: record.tariff,
            entry: record.entry.map(|entry| EntryRef {
                passage: entry.passage,
                station: entry.station,
                at: entry.at,
            }),
            exception: record.exception.map(Into::into),
            decision: record.decision.into(),
            attendance: record.attendance.map(Into::into),
            fare: record.fare,
            payment: record.payment.into(),
            previous: record.previous,
        }
    }
}
