//! Commands from the desk to a lane: request and reply, never stored, expiring at once. Who signs
//! them, and with what, is [`crate::order`]'s.

use serde::{Deserialize, Serialize};

use crate::passage::Reason;
use crate::signature::PublicKey;
use crate::{LaneId, PassageId, Plate, Timestamp, VehicleGroup};

use super::LaneMode;

/// A reason of the closed catalogue, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant mirrors the one of the same name in `Reason`")]
pub enum ReasonRecord {
    CashPaid,
    CashAtExit,
    PlateRead,
    GroupCorrected,
    PriorityVehicle,
    Convoy,
    EquipmentFault,
    NoMeansOfPayment,
    DriversWish,
    Other { note: String },
}

impl From<Reason> for ReasonRecord {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::CashPaid => Self::CashPaid,
            Reason::CashAtExit => Self::CashAtExit,
            Reason::PlateRead => Self::PlateRead,
            Reason::GroupCorrected => Self::GroupCorrected,
            Reason::PriorityVehicle => Self::PriorityVehicle,
            Reason::Convoy => Self::Convoy,
            Reason::EquipmentFault => Self::EquipmentFault,
            Reason::NoMeansOfPayment => Self::NoMeansOfPayment,
            Reason::DriversWish => Self::DriversWish,
            Reason::Other { note } => Self::Other { note },
        }
    }
}

impl From<ReasonRecord> for Reason {
    fn from(record: ReasonRecord) -> Self {
        match record {
            ReasonRecord::CashPaid => Self::CashPaid,
            ReasonRecord::CashAtExit => Self::CashAtExit,
            ReasonRecord::PlateRead => Self::PlateRead,
            ReasonRecord::GroupCorrected => Self::GroupCorrected,
            ReasonRecord::PriorityVehicle => Self::PriorityVehicle,
            ReasonRecord::Convoy => Self::Convoy,
            ReasonRecord::EquipmentFault => Self::EquipmentFault,
            ReasonRecord::NoMeansOfPayment => Self::NoMeansOfPayment,
            ReasonRecord::DriversWish => Self::DriversWish,
            ReasonRecord::Other { note } => Self::Other { note },
        }
    }
}

/// What the attendant wants done: with the vehicle at the head of the lane, or with the lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Verb {
    /// Open for a reason; the plate and group as the attendant sees them.
    Open {
        /// Why.
        reason: ReasonRecord,
        /// The plate.
        plate: Plate,
        /// The group.
        group: VehicleGroup,
    },
    /// Open and charge the account that the plate belongs to.
    ChargeByPlate {
        /// The plate.
        plate: Plate,
        /// The group.
        group: VehicleGroup,
    },
    /// Send the vehicle back.
    TurnAway {
        /// Why.
        reason: ReasonRecord,
    },
    /// Correct the group that the toll of the vehicle is charged by.
    ChangeGroup {
        /// What it is.
        group: VehicleGroup,
    },
    /// Forget what was read of the vehicle, and look for its tag once more.
    RetryRead,
    /// Let a convoy through under an arm that stays up. Two people order it; the call is 0.
    BeginConvoy {
        /// What people call it; nothing personal.
        name: String,
        /// How many vehicles at most.
        vehicles_max: u32,
        /// For how many seconds at most.
        lasts_s: u32,
    },
    /// The convoy is through. The call is 0.
    EndConvoy,
    /// Work in this way until told otherwise, or until the centre's next directive. The call is 0.
    SetMode {
        /// How.
        mode: LaneMode,
    },
}

impl Verb {
    /// Whether it is about one vehicle, and not about the lane.
    #[must_use]
    pub const fn is_about_vehicle(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::ChargeByPlate { .. }
            | Self::TurnAway { .. }
            | Self::ChangeGroup { .. }
            | Self::RetryRead => true,
            Self::BeginConvoy { .. } | Self::EndConvoy | Self::SetMode { .. } => false,
        }
    }
}

/// What somebody may be at a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeskRole {
    /// Answers vehicles that wait.
    StationOperator,
    /// Stands over the station's operators.
    Supervisor,
}

/// A desk's word that a person is logged in there and alone holds a key, signed by the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Badge {
    /// 1.
    pub v: u32,
    /// The key that the person's orders are signed with.
    pub key: PublicKey,
    /// The person's staff id.
    pub person: String,
    /// What they may be at a desk.
    pub roles: Vec<DeskRole>,
    /// Where: `*`, an operator, or `OPERATOR/STATION`.
    pub scope: String,
    /// From when on.
    pub issued_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A command for one lane about one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// 1.
    pub v: u32,
    /// Unique for all time; a repeated command has one effect.
    pub id: String,
    /// The lane.
    pub lane: LaneId,
    /// The call it answers, as the lane numbered it; 0 for none.
    pub call: u64,
    /// The attendant's staff id.
    pub attendant: String,
    /// The staff id of who agreed, where it takes two people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// When it was given.
    pub issued_at: Timestamp,
    /// When it is no longer to be carried out; at most ten seconds later.
    pub expires_at: Timestamp,
    /// What to do.
    pub verb: Verb,
}

/// What the lane answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandAnswer {
    /// Done, and written down as this passage.
    Done {
        /// The passage.
        passage: PassageId,
    },
    /// Done; there was no passage to write.
    Obeyed,
    /// Not done.
    Refused {
        /// Why, for a person to read.
        why: String,
    },
}

/// The lane's reply to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandReply {
    /// 1.
    pub v: u32,
    /// The command.
    pub id: String,
    /// What became of it.
    pub answer: CommandAnswer,
}
