//! A passage: the fact that a vehicle was at a lane, and what the lane decided.
//!
//! *Passage*: one vehicle at one lane, whatever was decided. *Decision*: what the lane did.
//! *Exception*: why the vehicle did not simply pass; a person answered it. *Attendance*: who
//! answered, and with which reason of the closed catalogue.

use crate::account_list::ListStatus;
use crate::order::SignedOrder;
use crate::signature::Digest256;
use crate::{Amount, PassageId, Plate, StationId, TagId, Timestamp, VehicleGroup};

/// What a lane is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneRole {
    /// A lane of an open station: every pass is paid for.
    Open,
    /// Onto an entry/exit road: nothing is paid yet.
    Entry,
    /// Off an entry/exit road: the trip is paid for.
    Exit,
}

/// How far the lane trusts its wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockQuality {
    /// Disciplined, and within its bound.
    Synchronised,
    /// Running free or off by more than the bound.
    Unsynchronised,
}

/// Why a vehicle did not simply pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExceptionKind {
    /// No tag was read in time.
    NoTag,
    /// The tag is on no list.
    UnknownTag,
    /// The account has no money for it.
    NoMoney,
    /// The account or tag is locked.
    Blocked,
    /// The account is closed or the tag was taken back.
    Closed,
    /// The account is still an old toll account.
    NotConverted,
    /// No fare is known for the vehicle here.
    NoFare,
    /// The vehicle left without a decision: it backed out.
    LeftUndecided,
    /// The lane is closed, and it came all the same.
    LaneClosed,
}

/// What the lane did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Opened on the tag alone.
    OpenedByTag,
    /// Opened by the attendant, who identified the vehicle by its plate.
    ChargedByPlate,
    /// Opened by the attendant for a reason of the catalogue.
    OpenedByAttendant,
    /// Sent back by the attendant.
    TurnedAway,
    /// Nothing: the vehicle left first.
    LeftUndecided,
}

impl Decision {
    /// Whether the vehicle went through.
    #[must_use]
    pub const fn went_through(self) -> bool {
        match self {
            Self::OpenedByTag | Self::ChargedByPlate | Self::OpenedByAttendant => true,
            Self::TurnedAway | Self::LeftUndecided => false,
        }
    }
}

/// How the passage is paid for, as far as the lane knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payment {
    /// From the traffic account of the tag or plate.
    Account,
    /// In cash at the lane, for which the operator answers.
    Cash,
    /// Nothing is due here.
    Nothing,
}

/// The closed catalogue of reasons an attendant may give; the numbers never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// 10: the fare was paid in cash.
    CashPaid,
    /// 11: the vehicle was let in and pays in cash where it leaves.
    CashAtExit,
    /// 12: the plate stands for the tag.
    PlateRead,
    /// 13: the group was corrected, and the account of the tag pays for that.
    GroupCorrected,
    /// 20: a priority vehicle on duty.
    PriorityVehicle,
    /// 21: one of a convoy that two people let through.
    Convoy,
    /// 30: equipment of the lane failed.
    EquipmentFault,
    /// 40: no means of payment.
    NoMeansOfPayment,
    /// 41: the driver turned back.
    DriversWish,
    /// 99: something else, which the note says.
    Other {
        /// What it was.
        note: String,
    },
}

/// That the attendant corrected the group that the toll is charged by; the passage's group is what
/// it was corrected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// The list's group, else the measured one; absent where neither was known.
    pub from: Option<VehicleGroup>,
}

/// Who answered an exception, and why so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendance {
    /// The attendant's staff id.
    pub attendant: String,
    /// The id of the command, unique for all time.
    pub command: String,
    /// The reason given.
    pub reason: Reason,
    /// Who agreed, where it takes two people.
    pub second: Option<String>,
    /// The group before it was corrected, where it was.
    pub corrected: Option<Correction>,
    /// The order as it was signed: the proof of who gave it. Absent where nobody signed it.
    pub order: Option<SignedOrder>,
}

impl Attendance {
    /// The answer of one person, who corrected nothing and signed nothing.
    #[must_use]
    pub const fn of(attendant: String, command: String, reason: Reason) -> Self {
        Self { attendant, command, reason, second: None, corrected: None, order: None }
    }
}

/// Where and when a trip began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRef {
    /// The passage of the entry lane.
    pub passage: PassageId,
    /// Its station.
    pub station: StationId,
    /// When.
    pub at: Timestamp,
}

/// What a lane writes down about one vehicle, before it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Lane, epoch and sequence.
    pub id: PassageId,
    /// What the lane is for.
    pub role: LaneRole,
    /// The lane's wall clock at the decision.
    pub at: Timestamp,
    /// How far that clock is trusted.
    pub clock: ClockQuality,
    /// Monotonic time since the controller started, in nanoseconds.
    pub uptime_ns: u64,
    /// Which start of the controller that was.
    pub boot: String,
    /// The tag that was read.
    pub tag: Option<TagId>,
    /// The plate, where a person or camera read it.
    pub plate: Option<Plate>,
    /// The group the lane went by: the list's, or the attendant's.
    pub group: Option<VehicleGroup>,
    /// The version of the account list the lane had.
    pub list_version: u64,
    /// What the list said of the tag.
    pub status_seen: Option<ListStatus>,
    /// The tariff version the lane went by.
    pub tariff: Option<String>,
    /// Where the trip began, as far as the lane knew.
    pub entry: Option<EntryRef>,
    /// Why a person was needed, if one was.
    pub exception: Option<ExceptionKind>,
    /// What the lane did.
    pub decision: Decision,
    /// Who answered, if a person did.
    pub attendance: Option<Attendance>,
    /// The fare the lane showed; the clearing house rates again.
    pub fare: Option<Amount>,
    /// How it is paid for.
    pub payment: Payment,
    /// The digest of the passage before, zero for the first of an epoch.
    pub previous: Digest256,
}
