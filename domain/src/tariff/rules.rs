//! The rules of a tariff beside its fares: discounts, caps, and what trips that are not simply a
//! trip cost. All of it is data of one operator's version; nothing here is one country's.
//!
//! *Entitlement*: a vehicle's right to a discount that not everybody gets, such as a local
//! resident's. *Cap*: the most that a trip, or a vehicle's day, costs. *Trip case*: what is
//! strange about a trip; it is charged by rule, and a person may look at it afterwards.
//!
//! These types have one form, in the program and in a tariff file.

use jiff::Zoned;
use jiff::civil::{Date, Time};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Amount, MoneyError, Rounding, StationId, VehicleGroup};

/// What is strange about a trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TripCase {
    /// No entry is known.
    MissingEntry,
    /// It left where it came in.
    UTurn,
    /// It stayed longer than the operator allows.
    OverTime,
    /// It was faster than any vehicle can be: is that its entry?
    ImpossibleSpeed,
    /// A gantry on its way did not see it.
    MissedGantry,
}

impl TripCase {
    /// Every case.
    pub const ALL: [Self; 5] = [
        Self::MissingEntry,
        Self::UTurn,
        Self::OverTime,
        Self::ImpossibleSpeed,
        Self::MissedGantry,
    ];

    /// The case by its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingEntry => "missing-entry",
            Self::UTurn => "u-turn",
            Self::OverTime => "over-time",
            Self::ImpossibleSpeed => "impossible-speed",
            Self::MissedGantry => "missed-gantry",
        }
    }
}

/// What is charged where a trip is not simply a trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InsteadOfTrip {
    /// The fare of the trip itself, where it has one.
    Trip,
    /// The dearest trip that ends at this exit: as if from the farthest station.
    DearestTrip,
    /// The cheapest trip that ends at this exit.
    CheapestTrip,
    /// The cheapest trip, there and back.
    CheapestReturn,
    /// Nothing; only a person looks at it.
    Nothing,
    /// These amounts, group 1 first.
    Amounts(Vec<Amount>),
}

/// A trip that took longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverTime {
    /// The longest a trip may take, in minutes.
    pub after_minutes: u32,
    /// What is charged.
    pub charge: InsteadOfTrip,
}

/// A trip that was faster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpossibleSpeed {
    /// The highest mean speed that is believed, in km/h.
    pub above_kmh: u32,
    /// What is charged.
    pub charge: InsteadOfTrip,
}

/// An entry to which no exit comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingExit {
    /// From when on nobody waits for the exit, in minutes after the entry.
    pub after_minutes: u32,
}

/// A passage that reached the centre late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TooLate {
    /// How many days of 24 hours a customer's account may be charged after the passage.
    pub after_days: u16,
}

/// What a way with gantries costs where one of them did not see the vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissedGantry {
    /// The whole way: the vehicle cannot have come otherwise.
    #[default]
    Infer,
    /// Only the sections whose two ends saw it.
    SeenOnly,
}

/// What an operator charges for trips that are not simply a trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TripRules {
    /// No entry is known.
    pub missing_entry: InsteadOfTrip,
    /// It left where it came in, and the fares name no trip from there to there.
    pub u_turn: InsteadOfTrip,
    /// It stayed too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_time: Option<OverTime>,
    /// It was too fast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impossible_speed: Option<ImpossibleSpeed>,
    /// It never left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_exit: Option<MissingExit>,
    /// A gantry missed it.
    pub missed_gantry: MissedGantry,
    /// It came too late to be charged to an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_late: Option<TooLate>,
}

impl Default for TripRules {
    fn default() -> Self {
        Self {
            missing_entry: InsteadOfTrip::DearestTrip,
            u_turn: InsteadOfTrip::Trip,
            over_time: None,
            impossible_speed: None,
            missing_exit: None,
            missed_gantry: MissedGantry::Infer,
            too_late: None,
        }
    }
}

/// A number that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share is 0 to 1, such as \"0.5\", not {0}")]
pub struct ShareError(pub Decimal);

/// A share of an amount, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Share(Decimal);

impl Share {
    /// Takes a share.
    ///
    /// # Errors
    /// When it is below 0 or above 1.
    pub fn try_new(share: Decimal) -> Result<Self, ShareError> {
        if (Decimal::ZERO..=Decimal::ONE).contains(&share) {
            Ok(Self(share))
        } else {
            Err(ShareError(share))
        }
    }
}

impl TryFrom<Decimal> for Share {
    type Error = ShareError;
    fn try_from(share: Decimal) -> Result<Self, ShareError> {
        Self::try_new(share)
    }
}

impl From<Share> for Decimal {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// Who gets a discount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum For {
    /// Every vehicle.
    Everybody,
    /// Vehicles that are entitled to it by name, such as local residents.
    Entitled,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the days of the week")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<jiff::civil::Weekday> for Weekday {
    fn from(day: jiff::civil::Weekday) -> Self {
        match day {
            jiff::civil::Weekday::Monday => Self::Monday,
            jiff::civil::Weekday::Tuesday => Self::Tuesday,
            jiff::civil::Weekday::Wednesday => Self::Wednesday,
            jiff::civil::Weekday::Thursday => Self::Thursday,
            jiff::civil::Weekday::Friday => Self::Friday,
            jiff::civil::Weekday::Saturday => Self::Saturday,
            jiff::civil::Weekday::Sunday => Self::Sunday,
        }
    }
}

/// A part of the day in the tariff's zone; one that ends before it begins goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Its first instant.
    pub from: Time,
    /// The first instant that is no longer in it.
    pub until: Time,
}

impl Hours {
    fn contain(self, time: Time) -> bool {
        if self.from < self.until {
            self.from <= time && time < self.until
        } else {
            self.from <= time || time < self.until
        }
    }
}

/// A discount: a share of the fare that is not charged. Of several, the one worth most is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    /// Its name, which the charge and entitlements give.
    pub name: String,
    /// The share of the fare that is taken off.
    pub share: Share,
    /// How the part taken off becomes whole units.
    #[serde(default = "half_up")]
    pub rounding: Rounding,
    /// Who gets it.
    #[serde(rename = "for")]
    pub whom: For,
    /// Where: passes of these stations, and trips that begin or end there. Empty: everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stations: Vec<StationId>,
    /// For which groups. Empty: for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<VehicleGroup>,
    /// At which time of day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// On which days of the week. Empty: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
    /// The first day of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_day: Option<Date>,
    /// The last day of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<Date>,
}

const fn half_up() -> Rounding {
    Rounding::HalfUp
}

impl Discount {
    /// Whether the discount asks what time or day it is where the road is.
    #[must_use]
    pub fn needs_zone(&self) -> bool {
        self.hours.is_some()
            || !self.weekdays.is_empty()
            || self.first_day.is_some()
            || self.last_day.is_some()
    }

    /// Whether a crossing gets it.
    pub(super) fn applies(
        &self,
        stations: &[&StationId],
        group: VehicleGroup,
        local: &Zoned,
        entitlements: &[&str],
    ) -> bool {
        let entitled = match self.whom {
            For::Everybody => true,
            For::Entitled => entitlements.contains(&self.name.as_str()),
        };
        entitled
            && (self.stations.is_empty() || stations.iter().any(|at| self.stations.contains(at)))
            && (self.groups.is_empty() || self.groups.contains(&group))
            && self.hours.is_none_or(|hours| hours.contain(local.time()))
            && (self.weekdays.is_empty() || self.weekdays.contains(&local.weekday().into()))
            && self.first_day.is_none_or(|first| first <= local.date())
            && self.last_day.is_none_or(|last| local.date() <= last)
    }

    /// What is taken off a fare.
    pub(super) fn worth(&self, fare: Amount) -> Result<Amount, MoneyError> {
        fare.share(self.share.0, self.rounding)
    }
}

/// The most that is charged, group 1 first. Empty: no such cap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caps {
    /// For one pass or trip.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trip: Vec<Amount>,
    /// For all passes and trips that a vehicle's account pays the operator on one day of the
    /// tariff's zone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub day: Vec<Amount>,
}

/// The amount of a group in a list that begins with group 1.
pub(super) fn of_group(amounts: &[Amount], group: VehicleGroup) -> Option<Amount> {
    amounts.get(usize::from(group.number()) - 1).copied()
}
