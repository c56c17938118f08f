//! Rating: what a passage costs and who pays. Pure, and the same every time it is asked.
//!
//! *Facts*: what the books know about the vehicle, its pass and its entry at the time. The lane's
//! own fare is only what the driver was shown; this is what is charged.

use domain::passage::{Decision, LaneRole, Passage, Payment, Reason};
use domain::tariff::{Segment, TariffBook};
use domain::wire::v1::Disposition;
use domain::{AccountId, Amount, IssuerId, PassageId, Plate, StationId, Timestamp, VehicleGroup};

/// What the books know of a vehicle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VehicleFacts {
    /// Its plate.
    pub plate: Plate,
    /// The account that pays for it.
    pub account: AccountId,
    /// Who holds that account.
    pub issuer: IssuerId,
    /// Its registered group.
    pub group: VehicleGroup,
    /// Exempt by law.
    pub exempt: bool,
    /// Its passes.
    pub passes: Vec<PassFacts>,
}

/// A month or quarter pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassFacts {
    /// The station it is good for.
    pub station: StationId,
    /// From when.
    pub valid_from: Timestamp,
    /// The first instant at which it is no longer good.
    pub valid_until: Timestamp,
}

/// The entry a trip began with, as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFacts {
    /// The entry lane's passage.
    pub passage: PassageId,
    /// Its station.
    pub station: StationId,
    /// When.
    pub at: Timestamp,
}

/// What is known of the entry of an exit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryFinding {
    /// The lane is no exit.
    NotNeeded,
    /// Here it is.
    Found(EntryFacts),
    /// Not here yet, and there is still time for it to come.
    Awaited,
    /// Not here, and it is no longer waited for.
    Missing,
}

/// Why a charge is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The published fare.
    Fare,
    /// An entry: the trip is paid for where it ends.
    Entry,
    /// Exempt by law, or on duty.
    Exempt,
    /// Covered by a pass.
    Pass,
    /// No entry is known: the dearest trip to this exit.
    MissingEntry,
    /// Sent back.
    TurnedAway,
    /// Left before anything was decided.
    LeftUndecided,
    /// Let through, and nobody we know owns the tag or plate.
    UnknownVehicle,
    /// Let through, and no tariff has a fare for it.
    NoFare,
    /// Signed by its lane, and of a form this program cannot read.
    Unreadable,
}

impl Why {
    /// The reason by its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fare => "fare",
            Self::Entry => "entry",
            Self::Exempt => "exempt",
            Self::Pass => "pass",
            Self::MissingEntry => "missing-entry",
            Self::TurnedAway => "turned-away",
            Self::LeftUndecided => "left-undecided",
            Self::UnknownVehicle => "unknown-vehicle",
            Self::NoFare => "no-fare",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Who pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payer {
    /// A traffic account.
    Account {
        /// Which.
        account: AccountId,
        /// Who holds it.
        issuer: IssuerId,
    },
    /// The driver, in cash, to the operator.
    Cash,
    /// Nobody: nothing is due.
    Nobody,
}

/// What a passage was found to cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// What became of the passage.
    pub disposition: Disposition,
    /// Why so.
    pub why: Why,
    /// Who pays.
    pub payer: Payer,
    /// How much.
    pub amount: Amount,
    /// The tariff version that says so.
    pub tariff: Option<String>,
    /// The entry the trip began with.
    pub entry: Option<EntryFacts>,
}

/// The answer of rating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rating {
    /// Decided.
    Charged(Charge),
    /// To be asked again when the entry has come.
    AwaitsEntry,
}

/// Rates one passage.
#[must_use]
pub fn rate(
    passage: &Passage,
    vehicle: Option<&VehicleFacts>,
    entry: EntryFinding,
    tariffs: &TariffBook,
) -> Rating {
    let free = |disposition, why, entry| {
        Rating::Charged(Charge {
            disposition,
            why,
            payer: Payer::Nobody,
            amount: Amount::ZERO,
            tariff: None,
            entry,
        })
    };
    match passage.decision {
        Decision::TurnedAway => return free(Disposition::NotPosted, Why::TurnedAway, None),
        Decision::LeftUndecided => return free(Disposition::NotPosted, Why::LeftUndecided, None),
        Decision::OpenedByTag | Decision::ChargedByPlate | Decision::OpenedByAttendant => {}
    }
    if passage.role == LaneRole::Entry {
        return free(Disposition::Posted, Why::Entry, None);
    }
    let entry = match entry {
        EntryFinding::Awaited => return Rating::AwaitsEntry,
        EntryFinding::Found(entry) => Some(entry),
        EntryFinding::NotNeeded | EntryFinding::Missing => None,
    };
    if is_exempt(passage, vehicle) {
        return free(Disposition::Posted, Why::Exempt, entry);
    }
    if passage.role == LaneRole::Open && has_pass(passage, vehicle) {
        return free(Disposition::Posted, Why::Pass, None);
    }
    let payer = match (passage.payment, vehicle) {
        (Payment::Cash, _) => Payer::Cash,
        (Payment::Account | Payment::Nothing, Some(vehicle)) => {
            Payer::Account { account: vehicle.account, issuer: vehicle.issuer.clone() }
        }
        (Payment::Account | Payment::Nothing, None) => {
            return free(Disposition::Invalid, Why::UnknownVehicle, entry);
        }
    };
    let Some((why, amount, tariff)) = fare(passage, vehicle, entry.as_ref(), tariffs) else {
        return free(Disposition::NotOnFile, Why::NoFare, entry);
    };
    let payer = if amount.is_zero() { Payer::Nobody } else { payer };
    Rating::Charged(Charge {
        disposition: Disposition::Posted,
        why,
        payer,
        amount,
        tariff: Some(tariff),
        entry,
    })
}

fn is_exempt(passage: &Passage, vehicle: Option<&VehicleFacts>) -> bool {
    let on_duty = passage
        .attendance
        .as_ref()
        .is_some_and(|attendance| attendance.reason == Reason::PriorityVehicle);
    on_duty || vehicle.is_some_and(|vehicle| vehicle.exempt)
}

fn has_pass(passage: &Passage, vehicle: Option<&VehicleFacts>) -> bool {
    vehicle.is_some_and(|vehicle| {
        vehicle.passes.iter().any(|pass| {
            pass.station == *passage.id.lane.station()
                && pass.valid_from <= passage.at
                && passage.at < pass.valid_until
        })
    })
}

/// The registered group goes before what anyone saw; a stranger's is what the attendant saw.
fn fare(
    passage: &Passage,
    vehicle: Option<&VehicleFacts>,
    entry: Option<&EntryFacts>,
    tariffs: &TariffBook,
) -> Option<(Why, Amount, String)> {
    let group = vehicle.map(|vehicle| vehicle.group).or(passage.group)?;
    let station = passage.id.lane.station();
    let tariff = tariffs.in_force(passage.id.lane.operator(), passage.at).ok()?;
    let (why, amount) = match (passage.role, entry) {
        (LaneRole::Open | LaneRole::Entry, _) => {
            let segment = Segment::Pass { station: station.clone() };
            (Why::Fare, tariff.fare(&segment, group).ok()?)
        }
        (LaneRole::Exit, Some(entry)) => {
            let segment = Segment::Trip { entry: entry.station.clone(), exit: station.clone() };
            (Why::Fare, tariff.fare(&segment, group).ok()?)
        }
        (LaneRole::Exit, None) => (Why::MissingEntry, tariff.dearest_trip_to(station, group)?),
    };
    Some((why, amount, tariff.version.clone()))
}

#[cfg(test)]
mod tests;
