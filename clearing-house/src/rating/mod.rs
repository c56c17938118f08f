//! Rating: what a passage costs and who pays. Pure, and the same every time it is asked.
//!
//! *Facts*: what the books know about the vehicle, its passes, its entitlements and its entry at
//! the time. *Basis*: what a charge consists of: fare, discount, caps, and what was strange. The
//! lane's own fare is only what the driver was shown; this is what is charged. What a crossing
//! costs says [`Tariff::price`](domain::tariff::Tariff::price), which the lane asks too; here is
//! added who pays, and who need not. Each rule stands in `docs/rating.md` with its test.

pub(crate) mod facts;
pub(crate) mod proof;

use domain::passage::{ClockQuality, Decision, LaneRole, Passage, Payment, Reason};
use domain::tariff::{Crossing, Parts, Passing, PriceRule, TariffBook, TripCase};
use domain::wire::v1::Disposition;
use domain::{
    AccountId, Amount, IssuerId, OperatorId, PassageId, Plate, StationId, Timestamp, VehicleGroup,
};

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
    /// Discounts it is entitled to.
    pub entitlements: Vec<Entitlement>,
}

/// A vehicle's right to a discount that not everybody gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// Whose discount.
    pub operator: OperatorId,
    /// Its name in the operator's tariff.
    pub discount: String,
    /// From when.
    pub valid_from: Timestamp,
    /// The first instant at which it is no longer good.
    pub valid_until: Timestamp,
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
    /// Rate times kilometres.
    Distance,
    /// The published amounts of the sections of its way.
    Sections,
    /// An entry: the trip is paid for where it ends.
    Entry,
    /// Exempt by law, or on duty.
    Exempt,
    /// Covered by a pass.
    Pass,
    /// No entry is known: what the operator charges then.
    MissingEntry,
    /// It left where it came in: what the operator charges then.
    UTurn,
    /// It stayed too long: what the operator charges then.
    OverTime,
    /// It was too fast for that entry to be its own: what the operator charges then.
    ImpossibleSpeed,
    /// Sent back.
    TurnedAway,
    /// Left before anything was decided.
    LeftUndecided,
    /// Let through, and nobody we know owns the tag or plate.
    UnknownVehicle,
    /// Let through, and no tariff has a fare for it.
    NoFare,
    /// It came later than the operator may charge for.
    TooLate,
    /// Signed by its lane, and of a form this program cannot read.
    Unreadable,
}

impl Why {
    /// The reason by its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fare => "fare",
            Self::Distance => "distance",
            Self::Sections => "sections",
            Self::Entry => "entry",
            Self::Exempt => "exempt",
            Self::Pass => "pass",
            Self::MissingEntry => "missing-entry",
            Self::UTurn => "u-turn",
            Self::OverTime => "over-time",
            Self::ImpossibleSpeed => "impossible-speed",
            Self::TurnedAway => "turned-away",
            Self::LeftUndecided => "left-undecided",
            Self::UnknownVehicle => "unknown-vehicle",
            Self::NoFare => "no-fare",
            Self::TooLate => "too-late",
            Self::Unreadable => "unreadable",
        }
    }
}

impl From<PriceRule> for Why {
    fn from(rule: PriceRule) -> Self {
        match rule {
            // A missed gantry changes nothing by itself: its way is charged by another rule.
            PriceRule::Published | PriceRule::Instead(TripCase::MissedGantry) => Self::Fare,
            PriceRule::Distance => Self::Distance,
            PriceRule::Sections => Self::Sections,
            PriceRule::Instead(TripCase::MissingEntry) => Self::MissingEntry,
            PriceRule::Instead(TripCase::UTurn) => Self::UTurn,
            PriceRule::Instead(TripCase::OverTime) => Self::OverTime,
            PriceRule::Instead(TripCase::ImpossibleSpeed) => Self::ImpossibleSpeed,
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
    /// What the amount consists of.
    pub basis: Basis,
}

/// What a charge consists of, to the last unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Basis {
    /// Fare, and what is taken off it.
    pub parts: Parts,
    /// The discount that was given.
    pub discount: Option<String>,
    /// What is strange about the trip.
    pub cases: Vec<TripCase>,
    /// Gantries on its way that did not see the vehicle.
    pub missed: Vec<StationId>,
    /// The cap of the vehicle's day, where there is one.
    pub day: Option<DayBasis>,
}

/// The cap of a vehicle's day, and how much of it was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayBasis {
    /// The most a day costs.
    pub cap: Amount,
    /// What the vehicle was charged on that day before this.
    pub before: Amount,
    /// The row of the books where that is counted; none before it is.
    pub spent: Option<i64>,
}

impl Basis {
    /// Whether amount and reason already say everything: a fare of which nothing is taken off.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.parts.amount() == self.parts.gross
            && self.discount.is_none()
            && self.cases.is_empty()
            && self.missed.is_empty()
            && self.day.is_none()
    }
}

impl Charge {
    /// A passage for which nobody pays.
    #[must_use]
    pub fn nothing(disposition: Disposition, why: Why, entry: Option<EntryFacts>) -> Self {
        Self {
            disposition,
            why,
            payer: Payer::Nobody,
            amount: Amount::ZERO,
            tariff: None,
            entry,
            basis: Basis::default(),
        }
    }

    /// This charge, rated again, after what the books say that the vehicle's day had cost.
    #[must_use]
    pub(crate) fn after(self, stored: Option<&Basis>) -> Self {
        let Some(day) = stored.and_then(|basis| basis.day) else { return self };
        let mut charge = self.under_day_cap(day.before);
        if let Some(own) = &mut charge.basis.day {
            own.spent = day.spent;
        }
        charge
    }

    /// This charge for a vehicle that was charged `before` on the same day. Without a cap of the
    /// day it stays as it is.
    #[must_use]
    pub fn under_day_cap(mut self, before: Amount) -> Self {
        if let Some(DayBasis { cap, spent, .. }) = self.basis.day {
            self.basis.day = Some(DayBasis { cap, before, spent });
            self.basis.parts = self.basis.parts.under_day_cap(cap, before);
            self.amount = self.basis.parts.amount();
            if self.amount.is_zero() {
                self.payer = Payer::Nobody;
            }
        }
        self
    }
}

/// The answer of rating.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every answer is a charge, taken apart at once"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rating {
    /// Decided.
    Charged(Charge),
    /// To be asked again when the entry has come.
    AwaitsEntry,
}

/// Rates one passage at an instant, as the first of its vehicle's day: see
/// [`Charge::under_day_cap`].
#[must_use]
pub fn rate(
    passage: &Passage,
    vehicle: Option<&VehicleFacts>,
    entry: EntryFinding,
    tariffs: &TariffBook,
    rated_at: Timestamp,
) -> Rating {
    let free = |disposition, why, entry| Rating::Charged(Charge::nothing(disposition, why, entry));
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
    match price(passage, vehicle, &payer, entry.as_ref(), tariffs) {
        None => free(Disposition::NotOnFile, Why::NoFare, entry),
        Some(_)
            if matches!(payer, Payer::Account { .. }) && is_late(passage, tariffs, rated_at) =>
        {
            free(Disposition::TooOld, Why::TooLate, entry)
        }
        Some(Priced { why, basis, tariff }) => {
            let amount = basis.parts.amount();
            Rating::Charged(Charge {
                disposition: Disposition::Posted,
                why,
                payer: if amount.is_zero() { Payer::Nobody } else { payer },
                amount,
                tariff: Some(tariff),
                entry,
                basis,
            })
        }
    }
}

/// Whether an account can no longer be charged. By a clock that nobody trusts nothing is too late;
/// cash was paid when it was.
fn is_late(passage: &Passage, tariffs: &TariffBook, rated_at: Timestamp) -> bool {
    let tariff = tariffs.in_force(passage.id.lane.operator(), passage.at).ok();
    let Some(rule) = tariff.and_then(|tariff| tariff.rules.too_late) else { return false };
    let age = rated_at.duration_since(passage.at);
    passage.clock == ClockQuality::Synchronised
        && age > jiff::SignedDuration::from_hours(24 * i64::from(rule.after_days))
}

fn is_exempt(passage: &Passage, vehicle: Option<&VehicleFacts>) -> bool {
    let on_duty = passage
        .attendance
        .as_ref()
        .is_some_and(|by| matches!(by.reason, Reason::PriorityVehicle | Reason::Convoy));
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

/// What a passage is priced at.
struct Priced {
    why: Why,
    basis: Basis,
    tariff: String,
}

/// The registered group goes before what anyone saw, but for one that an attendant corrected; a
/// stranger's is what the attendant saw.
fn price(
    passage: &Passage,
    vehicle: Option<&VehicleFacts>,
    payer: &Payer,
    entry: Option<&EntryFacts>,
    tariffs: &TariffBook,
) -> Option<Priced> {
    let is_corrected = passage.attendance.as_ref().is_some_and(|by| by.corrected.is_some());
    let registered = vehicle.map(|vehicle| vehicle.group).filter(|_| !is_corrected);
    let group = registered.or(passage.group)?;
    let operator = passage.id.lane.operator();
    let tariff = tariffs.in_force(operator, passage.at).ok()?;
    let entered = entry.map(|entry| (&entry.station, entry.at));
    let station = passage.id.lane.station();
    let passing = Passing::of_lane(passage.role, station, entered, passage.at, passage.clock)?;
    let is_good = |right: &&Entitlement| {
        right.operator == *operator
            && right.valid_from <= passage.at
            && passage.at < right.valid_until
    };
    let entitlements: Vec<&str> = vehicle
        .into_iter()
        .flat_map(|vehicle| &vehicle.entitlements)
        .filter(is_good)
        .map(|right| right.discount.as_str())
        .collect();
    let crossing = Crossing { passing, group, at: passage.at, entitlements: &entitlements };
    let price = tariff.price(&crossing).ok()?;
    // Who pays in cash pays what the lane asks for: it cannot know what the day has cost.
    let day = match payer {
        Payer::Account { .. } => tariff.day_cap(group),
        Payer::Cash | Payer::Nobody => None,
    };
    let basis = Basis {
        parts: day.map_or(price.parts, |cap| price.parts.under_day_cap(cap, Amount::ZERO)),
        discount: price.discount,
        cases: price.cases,
        missed: price.missed,
        day: day.map(|cap| DayBasis { cap, before: Amount::ZERO, spent: None }),
    };
    Some(Priced { why: price.rule.into(), basis, tariff: tariff.version.clone() })
}

#[cfg(test)]
mod tests;
