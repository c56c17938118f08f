//! Tariffs: what a crossing costs, by version.
//!
//! *Tariff*: one operator's published fares from an instant on. *Segment*: what is paid for: a
//! pass of an open station, or a trip between an entry and an exit station. The published amount
//! is the truth; a rate per kilometre may only check it.

mod file;

use std::collections::BTreeMap;

use crate::{Amount, Currency, OperatorId, StationId, Timestamp, VehicleGroup};

pub use file::{FareRow, TariffFile, TariffFileError};

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
    /// Where the fares were published.
    pub source: String,
    fares: BTreeMap<(Segment, VehicleGroup), Amount>,
}

impl Tariff {
    /// Begins a version without fares.
    #[must_use]
    pub fn new(
        version: String,
        operator: OperatorId,
        currency: Currency,
        valid_from: Timestamp,
        source: String,
    ) -> Self {
        Self { version, operator, currency, valid_from, source, fares: BTreeMap::new() }
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

    /// The fare of a segment for a group.
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

    /// The dearest trip that ends at `exit`: what a vehicle without a known entry owes.
    #[must_use]
    pub fn dearest_trip_to(&self, exit: &StationId, group: VehicleGroup) -> Option<Amount> {
        self.fares
            .iter()
            .filter(|((segment, of), _)| {
                *of == group && matches!(segment, Segment::Trip { exit: to, .. } if to == exit)
            })
            .map(|(_, amount)| *amount)
            .max()
    }

    /// All fares, in order of segment and group.
    pub fn fares(&self) -> impl Iterator<Item = (&Segment, VehicleGroup, Amount)> {
        self.fares.iter().map(|((segment, group), amount)| (segment, *group, *amount))
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
    /// When none has begun.
    pub fn in_force(&self, operator: &OperatorId, at: Timestamp) -> Result<&Tariff, TariffError> {
        self.versions
            .range((operator.clone(), Timestamp::MIN)..=(operator.clone(), at))
            .next_back()
            .map(|(_, tariff)| tariff)
            .ok_or_else(|| TariffError::NotInForce { operator: operator.clone(), at })
    }

    /// All versions, by operator and beginning.
    pub fn versions(&self) -> impl Iterator<Item = &Tariff> {
        self.versions.values()
    }
}

#[cfg(test)]
mod tests;
