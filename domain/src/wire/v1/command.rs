//! Commands from the desk to a lane: request and reply, never stored, expiring at once.

use serde::{Deserialize, Serialize};

use crate::passage::Reason;
use crate::{LaneId, PassageId, Plate, Timestamp, VehicleGroup};

/// A reason of the closed catalogue, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant mirrors the one of the same name in `Reason`")]
pub enum ReasonRecord {
    CashPaid,
    CashAtExit,
    PlateRead,
    PriorityVehicle,
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
            Reason::PriorityVehicle => Self::PriorityVehicle,
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
            ReasonRecord::PriorityVehicle => Self::PriorityVehicle,
            ReasonRecord::EquipmentFault => Self::EquipmentFault,
            ReasonRecord::NoMeansOfPayment => Self::NoMeansOfPayment,
            ReasonRecord::DriversWish => Self::DriversWish,
            ReasonRecord::Other { note } => Self::Other { note },
        }
    }
}

/// What the attendant wants done with the vehicle at the head of the lane.
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
    /// The call it answers, as the lane numbered it.
    pub call: u64,
    /// The attendant's staff id.
    pub attendant: String,
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
