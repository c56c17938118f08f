//! Tariffs: what a crossing costs, by version.
//!
//! *Tariff*: one operator's published fares from an instant on. *Segment*: what is paid for: a
//! pass of an open station, or a trip between an entry and an exit station. The published amount
//! is the truth; a rate per kilometre may only check it, unless the operator publishes nothing
//! else. Everything an operator may choose is data: fares, roads, rates, discounts, caps, and the
//! rules for trips that are not simply a trip.
//!
//! In the order to read them: [`Tariff`] and the book of versions here; what may be chosen
//! (`rules`, `road`); what a crossing costs ([`Tariff::price`]); the file.

mod file;
mod price;
mod road;
mod rules;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::{Amount, Currency, MoneyError, OperatorId, StationId, Timestamp, VehicleGroup};

pub use file::{Begin, CheckRow, FareRow, TariffFile, TariffFileError};
pub use price::{Crossing, Parts, Passing, Price, PriceRule};
pub use road::{ChargedBy, Rate, Road, Section};
pub use rules::{
    Caps, Discount, For, Hours, ImpossibleSpeed, InsteadOfTrip, MissedGantry, MissingExit,
    OverTime, Share, ShareError, TooLate, TripCase, TripRules, Weekday,
};

/// Why a fare could not be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// No tariff of the operator was in force.
    #[error("operator {operator} has no tariff in force at {at}")]
    NotInForce {
        /// Whose tariff was asked for.
        operator: OperatorId,
        /// When.
        at: Timestamp,
    },
    /// The tariff has no fare for the segment and group.
    #[error("tariff {version} has no fare for {segment} and group {group}")]
    NoFare {
        /// The tariff in force.
        version: String,
        /// What was to be paid for.
        segment: Segment,
        /// The vehicle's group.
        group: VehicleGroup,
    },
    /// The tariff has no trip to the exit, or says nothing of a vehicle that came out there.
    #[error("tariff {version} has no trip to {exit} for group {group}")]
    NoTrip {
        /// The tariff in force.
        version: String,
        /// Where the vehicle came out.
        exit: StationId,
        /// Its group.
        group: VehicleGroup,
    },
    /// Two fares for one segment and group.
    #[error("tariff {version} has two fares for {segment} and group {group}")]
    Twice {
        /// The tariff.
        version: String,
        /// What is paid for.
        segment: Segment,
        /// The vehicle's group.
        group: VehicleGroup,
    },
    /// An amount is more than can be written down.
    #[error("tariff {version}")]
    Money {
        /// The tariff.
        version: String,
        /// What is wrong with the amount.
        #[source]
        source: MoneyError,
    },
}

/// What is paid for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// One pass of an open station.
    Pass {
        /// The station.
        station: StationId,
    },
    /// A trip on an entry/exit road.
    Trip {
        /// Where the vehicle came in.
        entry: StationId,
        /// Where it left.
        exit: StationId,
    },
}

impl std::fmt::Display for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pass { station } => write!(f, "a pass of {station}"),
            Self::Trip { entry, exit } => write!(f, "the trip {entry} to {exit}"),
        }
    }
}

/// How long a pass of an open station is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PassPeriod {
    /// A month.
    Month,
    /// Three months.
    Quarter,
}

/// One version of an operator's fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// The version's name, unique with its operator.
    pub version: String,
    /// Whose fares.
    pub operator: OperatorId,
    /// In which currency.
    pub currency: Currency,
    /// From when on; it ends where the operator's next version begins.
    pub valid_from: Timestamp,
    /// The first instant at which it is no longer valid, where it has an end of its own.
    pub valid_until: Option<Timestamp>,
    /// Where the fares were published.
    pub source: String,
    /// The zone of the road: its days, and times of day.
    pub zone: TimeZone,
    /// How many groups it has, where it says so.
    pub groups: Option<u8>,
    /// Roads, for lengths, rates and what is charged by the kilometre.
    pub roads: Vec<Road>,
    /// Rates per kilometre.
    pub rates: Vec<Rate>,
    /// Discounts.
    pub discounts: Vec<Discount>,
    /// Caps.
    pub caps: Caps,
    /// Trips that are not simply a trip.
    pub rules: TripRules,
    /// What the operator says holds between its amounts; for checks only.
    pub check: CheckRow,
    fares: BTreeMap<(Segment, VehicleGroup), Amount>,
    passes: BTreeMap<(StationId, PassPeriod, VehicleGroup), Amount>,
}

impl Tariff {
    /// Begins a version without fares, in UTC, without an end, rules or discounts.
    #[must_use]
    pub fn new(
        version: String,
        operator: OperatorId,
        currency: Currency,
        valid_from: Timestamp,
        source: String,
    ) -> Self {
        Self {
            version,
            operator,
            currency,
            valid_from,
            valid_until: None,
            source,
            zone: TimeZone::UTC,
            groups: None,
            roads: Vec::new(),
            rates: Vec::new(),
            discounts: Vec::new(),
            caps: Caps::default(),
            rules: TripRules::default(),
            check: CheckRow::default(),
            fares: BTreeMap::new(),
            passes: BTreeMap::new(),
        }
    }

    /// Adds a fare.
    ///
    /// # Errors
    /// When the segment and group have one already.
    pub fn add(
        &mut self,
        segment: Segment,
        group: VehicleGroup,
        amount: Amount,
    ) -> Result<(), TariffError> {
        if self.fares.contains_key(&(segment.clone(), group)) {
            return Err(TariffError::Twice { version: self.version.clone(), segment, group });
        }
        self.fares.insert((segment, group), amount);
        Ok(())
    }

    /// The published fare of a segment for a group. What a crossing costs says [`Tariff::price`].
    ///
    /// # Errors
    /// When the tariff has none.
    pub fn fare(&self, segment: &Segment, group: VehicleGroup) -> Result<Amount, TariffError> {
        self.fares.get(&(segment.clone(), group)).copied().ok_or_else(|| TariffError::NoFare {
            version: self.version.clone(),
            segment: segment.clone(),
            group,
        })
    }

    /// All published fares, in order of segment and group.
    pub fn fares(&self) -> impl Iterator<Item = (&Segment, VehicleGroup, Amount)> {
        self.fares.iter().map(|((segment, group), amount)| (segment, *group, *amount))
    }

    /// What a month's or quarter's pass of a station costs.
    #[must_use]
    pub fn pass_price(
        &self,
        station: &StationId,
        period: PassPeriod,
        group: VehicleGroup,
    ) -> Option<Amount> {
        self.passes.get(&(station.clone(), period, group)).copied()
    }

    /// Whether the version is in force at an instant, unless a later one has begun.
    #[must_use]
    pub fn is_valid(&self, at: Timestamp) -> bool {
        self.valid_from <= at && self.valid_until.is_none_or(|until| at < until)
    }
}

/// Every tariff version that is known, of every operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TariffBook {
    versions: BTreeMap<(OperatorId, Timestamp), Tariff>,
}

impl TariffBook {
    /// Adds a version; one with the same operator and beginning takes its place.
    pub fn insert(&mut self, tariff: Tariff) {
        self.versions.insert((tariff.operator.clone(), tariff.valid_from), tariff);
    }

    /// The version of an operator that is in force at an instant.
    ///
    /// # Errors
    /// When none has begun, or the last that has begun has ended.
    pub fn in_force(&self, operator: &OperatorId, at: Timestamp) -> Result<&Tariff, TariffError> {
        self.versions
            .range((operator.clone(), Timestamp::MIN)..=(operator.clone(), at))
            .next_back()
            .map(|(_, tariff)| tariff)
            .filter(|tariff| tariff.is_valid(at))
            .ok_or_else(|| TariffError::NotInForce { operator: operator.clone(), at })
    }

    /// All versions, by operator and beginning.
    pub fn versions(&self) -> impl Iterator<Item = &Tariff> {
        self.versions.values()
    }
}

#[cfg(test)]
mod tests;
