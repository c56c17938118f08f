//! The order a person gives at the desk: a form, read strictly, becomes a command. Pure.
//!
//! Each action has its own reasons out of the closed catalogue; a note goes with "another reason"
//! and with nothing else.

use std::time::Duration;

use domain::wire::v1::{Command, LaneMode, ReasonRecord, Verb};
use domain::{LaneId, Plate, Timestamp, VehicleGroup};
use serde::Deserialize;

use crate::language::Language;

/// How long a command may be carried out, in run time.
const VALID: Duration = Duration::from_secs(10);

/// The least real time a command is valid, however fast the run goes.
const VALID_REAL_MIN: Duration = Duration::from_secs(2);

/// The longest note, in characters.
const NOTE_LEN_MAX: usize = 200;

/// The highest group the desk offers.
pub(crate) const GROUP_MAX: u8 = 5;

/// The form of one call, as it was sent.
#[derive(Deserialize)]
pub(crate) struct OrderForm {
    lane: String,
    call: u64,
    action: String,
    #[serde(default)]
    plate: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    open_reason: String,
    #[serde(default)]
    turn_away_reason: String,
    #[serde(default)]
    note: String,
}

/// The form of an order about a lane, as it was sent. It has a password in it.
#[derive(Deserialize)]
pub(crate) struct LaneOrderForm {
    lane: String,
    action: String,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    convoy: String,
    #[serde(default)]
    vehicles: String,
    #[serde(default)]
    minutes: String,
    /// Who agrees: their name, password and code.
    #[serde(default)]
    pub second: String,
    #[serde(default)]
    pub second_password: String,
    #[serde(default)]
    pub second_code: String,
}

/// The modes that a desk may order, the usual one first.
pub(crate) const MODES: [LaneMode; 5] = [
    LaneMode::Automatic,
    LaneMode::EtcOnly,
    LaneMode::Attended,
    LaneMode::Closed,
    LaneMode::Maintenance,
];

/// A mode's name in a form and in the audit log.
pub(crate) const fn mode_name(mode: LaneMode) -> &'static str {
    match mode {
        LaneMode::Automatic => "automatic",
        LaneMode::Attended => "attended",
        LaneMode::EtcOnly => "etc-only",
        LaneMode::Closed => "closed",
        LaneMode::Maintenance => "maintenance",
    }
}

impl LaneOrderForm {
    /// Reads the form.
    pub(crate) fn order(&self) -> Result<Order, OrderError> {
        let lane = self.lane.parse().or(Err(OrderError::Lane))?;
        let verb = match self.action.as_str() {
            "set-mode" => {
                let mode = MODES.into_iter().find(|mode| mode_name(*mode) == self.mode);
                Verb::SetMode { mode: mode.ok_or(OrderError::Mode)? }
            }
            "begin-convoy" => {
                let number = |text: &str| {
                    text.trim().parse::<u32>().ok().filter(|n| *n > 0).ok_or(OrderError::Convoy)
                };
                let name = self.convoy.trim().to_owned();
                if name.is_empty() {
                    return Err(OrderError::Convoy);
                }
                let lasts_s = number(&self.minutes)?.checked_mul(60).ok_or(OrderError::Convoy)?;
                Verb::BeginConvoy { name, vehicles_max: number(&self.vehicles)?, lasts_s }
            }
            "end-convoy" => Verb::EndConvoy,
            _ => return Err(OrderError::Action),
        };
        Ok(Order { lane, call: 0, verb })
    }
}

/// What the form asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// The lane.
    pub lane: LaneId,
    /// The call; 0 where it is about the lane.
    pub call: u64,
    /// What to do.
    pub verb: Verb,
}

/// Why a form is no order. The texts are for the person at the desk, in their language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderError {
    /// Not a lane.
    #[error("the form names no lane")]
    Lane,
    /// Not an action.
    #[error("the form names no action")]
    Action,
    /// Not a plate.
    #[error("the form has no plate")]
    Plate,
    /// Not a group.
    #[error("the form has no vehicle group")]
    Group,
    /// Not a reason of this action.
    #[error("the form has no reason that goes with the action")]
    Reason,
    /// Not a mode of a lane.
    #[error("the form has no mode")]
    Mode,
    /// Not the numbers of a convoy.
    #[error("the form has no name, number of vehicles or minutes of a convoy")]
    Convoy,
    /// "Another reason" without a note, or with one that is too long.
    #[error("another reason needs a note of at most {NOTE_LEN_MAX} characters")]
    Note,
}

impl OrderError {
    /// What to tell the person at the desk.
    pub(crate) fn text(self, t: Language) -> &'static str {
        match self {
            Self::Lane => t.form_lane(),
            Self::Action => t.form_action(),
            Self::Plate => t.form_plate(),
            Self::Group => t.form_group(),
            Self::Reason => t.form_reason(),
            Self::Mode => t.form_mode(),
            Self::Convoy => t.form_convoy(),
            Self::Note => t.form_note(),
        }
    }
}

/// A reason as a form sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReasonChoice {
    /// Its name in the form.
    pub name: &'static str,
    /// The reason; its note is empty.
    pub reason: ReasonRecord,
}

const fn choice(name: &'static str, reason: ReasonRecord) -> ReasonChoice {
    ReasonChoice { name, reason }
}

/// The reasons to open, the usual one first.
pub(crate) const OPEN_REASONS: [ReasonChoice; 5] = [
    choice("cash-paid", ReasonRecord::CashPaid),
    choice("cash-at-exit", ReasonRecord::CashAtExit),
    choice("priority-vehicle", ReasonRecord::PriorityVehicle),
    choice("equipment-fault", ReasonRecord::EquipmentFault),
    choice("other", ReasonRecord::Other { note: String::new() }),
];

/// The reasons to turn a vehicle away, the usual one first.
pub(crate) const TURN_AWAY_REASONS: [ReasonChoice; 4] = [
    choice("no-means-of-payment", ReasonRecord::NoMeansOfPayment),
    choice("drivers-wish", ReasonRecord::DriversWish),
    choice("equipment-fault", ReasonRecord::EquipmentFault),
    choice("other", ReasonRecord::Other { note: String::new() }),
];

impl OrderForm {
    /// Reads the form.
    pub(crate) fn order(&self) -> Result<Order, OrderError> {
        let lane = self.lane.parse().or(Err(OrderError::Lane))?;
        let verb = match self.action.as_str() {
            "open" => Verb::Open {
                reason: self.reason(&self.open_reason, &OPEN_REASONS)?,
                plate: self.plate()?,
                group: self.group()?,
            },
            "charge-by-plate" => Verb::ChargeByPlate { plate: self.plate()?, group: self.group()? },
            "turn-away" => {
                Verb::TurnAway { reason: self.reason(&self.turn_away_reason, &TURN_AWAY_REASONS)? }
            }
            "change-group" => Verb::ChangeGroup { group: self.group()? },
            "retry-read" => Verb::RetryRead,
            _ => return Err(OrderError::Action),
        };
        Ok(Order { lane, call: self.call, verb })
    }

    fn plate(&self) -> Result<Plate, OrderError> {
        Plate::try_new(&self.plate).or(Err(OrderError::Plate))
    }

    fn group(&self) -> Result<VehicleGroup, OrderError> {
        let number: u8 = self.group.parse().or(Err(OrderError::Group))?;
        if number > GROUP_MAX {
            return Err(OrderError::Group);
        }
        VehicleGroup::try_new(number).or(Err(OrderError::Group))
    }

    fn reason(&self, name: &str, choices: &[ReasonChoice]) -> Result<ReasonRecord, OrderError> {
        let chosen = choices.iter().find(|choice| choice.name == name).ok_or(OrderError::Reason)?;
        match &chosen.reason {
            ReasonRecord::Other { .. } => {
                let note = self.note.trim();
                if note.is_empty() || note.chars().count() > NOTE_LEN_MAX {
                    return Err(OrderError::Note);
                }
                Ok(ReasonRecord::Other { note: note.to_owned() })
            }
            reason => Ok(reason.clone()),
        }
    }
}

/// What a verb is called in the audit log, and its reason; nothing of plate or note.
pub(crate) fn names_of(verb: &Verb) -> (&'static str, Option<&'static str>) {
    match verb {
        Verb::Open { reason, .. } => ("open", Some(reason_name(reason))),
        Verb::ChargeByPlate { .. } => ("charge-by-plate", None),
        Verb::TurnAway { reason } => ("turn-away", Some(reason_name(reason))),
        Verb::ChangeGroup { .. } => ("change-group", None),
        Verb::RetryRead => ("retry-read", None),
        Verb::BeginConvoy { .. } => ("begin-convoy", None),
        Verb::EndConvoy => ("end-convoy", None),
        Verb::SetMode { mode } => ("set-mode", Some(mode_name(*mode))),
    }
}

fn reason_name(reason: &ReasonRecord) -> &'static str {
    match reason {
        ReasonRecord::CashPaid => "cash-paid",
        ReasonRecord::CashAtExit => "cash-at-exit",
        ReasonRecord::PlateRead => "plate-read",
        ReasonRecord::GroupCorrected => "group-corrected",
        ReasonRecord::PriorityVehicle => "priority-vehicle",
        ReasonRecord::Convoy => "convoy",
        ReasonRecord::EquipmentFault => "equipment-fault",
        ReasonRecord::NoMeansOfPayment => "no-means-of-payment",
        ReasonRecord::DriversWish => "drivers-wish",
        ReasonRecord::Other { .. } => "other",
    }
}

/// The reason of a name, for a person to read.
pub(crate) fn reason_of_name(name: &str) -> Option<ReasonRecord> {
    let choices = OPEN_REASONS.into_iter().chain(TURN_AWAY_REASONS);
    choices.filter(|choice| choice.name == name).map(|choice| choice.reason).next()
}

impl Order {
    /// The command that carries the order, given now by this attendant, with who agreed.
    pub(crate) fn command(
        self,
        id: String,
        (attendant, second): (&str, Option<&str>),
        now: Timestamp,
        speed: f64,
    ) -> Command {
        Command {
            v: 1,
            id,
            lane: self.lane,
            call: self.call,
            attendant: attendant.to_owned(),
            second: second.map(str::to_owned),
            issued_at: now,
            expires_at: now.saturating_add(validity(speed)).unwrap_or(Timestamp::MAX),
            verb: self.verb,
        }
    }
}

/// How long, in run time, a command is valid: ten seconds, and never less than two real ones.
pub(crate) fn validity(speed: f64) -> Duration {
    VALID.max(VALID_REAL_MIN.mul_f64(speed))
}

#[cfg(test)]
mod tests;
