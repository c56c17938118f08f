//! What a crossing costs: the one function that lanes and the centre both ask.
//!
//! *Price*: the fare by its rule, what a discount takes off, and what caps take off. The lane and
//! the centre get the same price for the same crossing; they differ only in what they know of it.
//! What a vehicle paid before on the same day only the centre knows, so the day's cap comes last.
//!
//! Deliberately absent: who pays, passes and exemptions (`clearing-house`, rating), and what the
//! lane does about it.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::road::{ChargedBy, Road, length_m};
use super::rules::{InsteadOfTrip, MissedGantry, TripCase, of_group};
use super::{Segment, Tariff, TariffError};
use crate::passage::{ClockQuality, LaneRole};
use crate::{Amount, MoneyError, StationId, Timestamp, VehicleGroup};

/// What a vehicle did that may cost something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing<'a> {
    /// It passed an open station.
    Open {
        /// The station.
        station: &'a StationId,
    },
    /// It left a road whose entry is known.
    Trip {
        /// Where it came in.
        entry: &'a StationId,
        /// Where it left.
        exit: &'a StationId,
        /// How long it took; absent where no clock can be trusted.
        took: Option<SignedDuration>,
        /// The gantries that saw it, in order.
        via: &'a [StationId],
    },
    /// It left a road, and nobody knows where it came in.
    WithoutEntry {
        /// Where it left.
        exit: &'a StationId,
    },
}

impl<'a> Passing<'a> {
    /// What a vehicle does that passes a lane, as far as its entry (where and when) is known;
    /// nothing where it only enters a road. An untrusted clock says nothing of how long it took.
    #[must_use]
    pub fn of_lane(
        role: LaneRole,
        station: &'a StationId,
        entry: Option<(&'a StationId, Timestamp)>,
        at: Timestamp,
        clock: ClockQuality,
    ) -> Option<Self> {
        match (role, entry) {
            (LaneRole::Entry, _) => None,
            (LaneRole::Open, _) => Some(Self::Open { station }),
            (LaneRole::Exit, None) => Some(Self::WithoutEntry { exit: station }),
            (LaneRole::Exit, Some((entry, entered))) => Some(Self::Trip {
                entry,
                exit: station,
                took: (clock == ClockQuality::Synchronised).then(|| at.duration_since(entered)),
                via: &[],
            }),
        }
    }
}

/// A crossing to be priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing<'a> {
    /// What the vehicle did.
    pub passing: Passing<'a>,
    /// Its group.
    pub group: VehicleGroup,
    /// When it was at the lane that is paid at.
    pub at: Timestamp,
    /// The discounts it is entitled to then, by name.
    pub entitlements: &'a [&'a str],
}

/// By which rule the fare came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriceRule {
    /// The published amount.
    Published,
    /// Rate times kilometres.
    Distance,
    /// The published amounts of the sections of its way.
    Sections,
    /// What the operator charges in place of the trip, because of this.
    Instead(TripCase),
}

/// A price in its parts, which make up the amount to the last unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// The fare.
    pub gross: Amount,
    /// What a discount takes off it.
    pub discount: Amount,
    /// What the trip's cap takes off what is left.
    pub over_trip_cap: Amount,
    /// What the day's cap takes off what is left then.
    pub over_day_cap: Amount,
}

impl Parts {
    /// A fare of which nothing is taken off.
    #[must_use]
    pub fn of(gross: Amount) -> Self {
        Self { gross, ..Self::default() }
    }

    /// What is charged.
    #[must_use]
    pub fn amount(&self) -> Amount {
        [self.discount, self.over_trip_cap, self.over_day_cap].into_iter().fold(self.gross, less)
    }
}

/// One amount less another, and nothing where that would be negative.
fn less(amount: Amount, other: Amount) -> Amount {
    amount.minus(other).unwrap_or(Amount::ZERO)
}

/// What a crossing costs, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// By which rule.
    pub rule: PriceRule,
    /// What it consists of.
    pub parts: Parts,
    /// The discount that was given.
    pub discount: Option<String>,
    /// What is strange about it, in the order of [`TripCase`].
    pub cases: Vec<TripCase>,
    /// Gantries on its way that did not see it, in order.
    pub missed: Vec<StationId>,
}

impl Price {
    /// What is charged.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.parts.amount()
    }
}

impl Parts {
    /// These parts for a vehicle that was charged `before` on the same day, where a day costs
    /// `cap` at the most.
    #[must_use]
    pub fn under_day_cap(self, cap: Amount, before: Amount) -> Self {
        let uncapped = Self { over_day_cap: Amount::ZERO, ..self };
        let room = less(cap, before);
        Self { over_day_cap: less(uncapped.amount(), room), ..uncapped }
    }
}

/// The fare of a crossing before anything is taken off.
struct Fare<'a> {
    rule: PriceRule,
    amount: Amount,
    missed: Vec<&'a StationId>,
}

impl Tariff {
    /// What a crossing costs by this tariff.
    ///
    /// # Errors
    /// When the tariff has no fare for it, or an amount does not fit.
    pub fn price(&self, crossing: &Crossing<'_>) -> Result<Price, TariffError> {
        let mut cases = BTreeSet::new();
        let fare = match crossing.passing {
            Passing::Open { station } => Fare {
                rule: PriceRule::Published,
                amount: self.fare(&Segment::Pass { station: station.clone() }, crossing.group)?,
                missed: Vec::new(),
            },
            Passing::WithoutEntry { exit } => {
                cases.insert(TripCase::MissingEntry);
                self.instead(TripCase::MissingEntry, None, exit, crossing.group)?
            }
            Passing::Trip { entry, exit, took, via } => {
                let strange = self.strange(entry, exit, took);
                cases.extend(strange);
                self.trip(strange, entry, exit, via, crossing.group)?
            }
        };
        if !fare.missed.is_empty() {
            cases.insert(TripCase::MissedGantry);
        }
        let (discount, taken_off) = self.discount(crossing, &fare)?;
        let discounted = Parts { discount: taken_off, ..Parts::of(fare.amount) };
        let over_trip_cap = of_group(&self.caps.trip, crossing.group)
            .map_or(Amount::ZERO, |cap| less(discounted.amount(), cap));
        Ok(Price {
            rule: fare.rule,
            parts: Parts { over_trip_cap, ..discounted },
            discount,
            cases: cases.into_iter().collect(),
            missed: fare.missed.into_iter().cloned().collect(),
        })
    }

    /// The most that a vehicle of this group pays on one day, where there is such a cap.
    #[must_use]
    pub fn day_cap(&self, group: VehicleGroup) -> Option<Amount> {
        of_group(&self.caps.day, group)
    }

    /// How far a trip is, in metres, by the shortest way of a road that has both stations.
    #[must_use]
    pub fn length_m(&self, entry: &StationId, exit: &StationId) -> Option<u64> {
        self.roads.iter().find_map(|road| road.length_m(entry, exit))
    }

    /// The strangest thing about a trip: what cannot be goes before what may not be.
    fn strange(
        &self,
        entry: &StationId,
        exit: &StationId,
        took: Option<SignedDuration>,
    ) -> Option<TripCase> {
        let too_fast = |took: SignedDuration| {
            let rule = self.rules.impossible_speed.as_ref()?;
            let length_m = i128::from(self.length_m(entry, exit)?);
            // m/ms against km/h: one km/h is 1 m in 3,600 ms.
            let at_least_ms = length_m * 3_600 / i128::from(rule.above_kmh.max(1));
            (took.as_millis() < at_least_ms).then_some(TripCase::ImpossibleSpeed)
        };
        let too_long = |took: SignedDuration| {
            let rule = self.rules.over_time.as_ref()?;
            let most = SignedDuration::from_mins(i64::from(rule.after_minutes));
            (took > most).then_some(TripCase::OverTime)
        };
        took.and_then(|took| too_fast(took).or_else(|| too_long(took)))
            .or_else(|| (entry == exit).then_some(TripCase::UTurn))
    }

    fn trip(
        &self,
        strange: Option<TripCase>,
        entry: &StationId,
        exit: &StationId,
        via: &[StationId],
        group: VehicleGroup,
    ) -> Result<Fare<'_>, TariffError> {
        let own = self.own_fare(entry, via, exit, group);
        match strange {
            None => own,
            // A published amount for coming out where one went in is the rule for that.
            Some(TripCase::UTurn) if own.is_ok() => own,
            Some(case) => self.instead(case, Some(own), exit, group),
        }
    }

    /// What is charged in place of a trip; `own` is the trip's own fare, where it has one.
    fn instead<'a>(
        &'a self,
        case: TripCase,
        own: Option<Result<Fare<'a>, TariffError>>,
        exit: &StationId,
        group: VehicleGroup,
    ) -> Result<Fare<'a>, TariffError> {
        let rule = match case {
            TripCase::MissingEntry => Some(&self.rules.missing_entry),
            TripCase::UTurn => Some(&self.rules.u_turn),
            TripCase::OverTime => self.rules.over_time.as_ref().map(|rule| &rule.charge),
            TripCase::ImpossibleSpeed => {
                self.rules.impossible_speed.as_ref().map(|rule| &rule.charge)
            }
            TripCase::MissedGantry => None,
        };
        let none =
            || TariffError::NoTrip { version: self.version.clone(), exit: exit.clone(), group };
        let amount = match rule.unwrap_or(&InsteadOfTrip::Trip) {
            InsteadOfTrip::Trip => return own.unwrap_or_else(|| Err(none())),
            InsteadOfTrip::DearestTrip => self.dearest_trip_to(exit, group),
            InsteadOfTrip::CheapestTrip => self.trips_to(exit, group).into_iter().min(),
            InsteadOfTrip::CheapestReturn => match self.trips_to(exit, group).into_iter().min() {
                Some(there) => Some(there.plus(there).map_err(|source| self.overflow(source))?),
                None => None,
            },
            InsteadOfTrip::Nothing => Some(Amount::ZERO),
            InsteadOfTrip::Amounts(amounts) => of_group(amounts, group),
        };
        let amount = amount.ok_or_else(none)?;
        Ok(Fare { rule: PriceRule::Instead(case), amount, missed: Vec::new() })
    }

    /// The dearest trip that ends at `exit`.
    #[must_use]
    pub fn dearest_trip_to(&self, exit: &StationId, group: VehicleGroup) -> Option<Amount> {
        self.trips_to(exit, group).into_iter().max()
    }

    /// What every trip that ends at `exit` costs.
    fn trips_to(&self, exit: &StationId, group: VehicleGroup) -> Vec<Amount> {
        let published = self.fares().filter_map(|(segment, _, _)| match segment {
            Segment::Trip { entry, exit: to } if to == exit => Some(entry),
            Segment::Trip { .. } | Segment::Pass { .. } => None,
        });
        let computed = self
            .roads
            .iter()
            .filter(|road| road.charged_by != ChargedBy::Published && road.has(exit))
            .flat_map(|road| {
                road.stations().into_iter().filter(|station| !road.gantries.contains(*station))
            });
        let entries: BTreeSet<&StationId> =
            published.chain(computed).filter(|entry| *entry != exit).collect();
        let fare = |entry| Some(self.own_fare(entry, &[], exit, group).ok()?.amount);
        entries.into_iter().filter_map(fare).collect()
    }

    /// What a trip costs that is simply a trip. The published amount goes before any other.
    fn own_fare(
        &self,
        entry: &StationId,
        via: &[StationId],
        exit: &StationId,
        group: VehicleGroup,
    ) -> Result<Fare<'_>, TariffError> {
        let segment = Segment::Trip { entry: entry.clone(), exit: exit.clone() };
        let published = self.fare(&segment, group);
        let mut ways = self.roads.iter().filter_map(|road| {
            let known: Vec<StationId> =
                via.iter().filter(|station| road.has(station)).cloned().collect();
            Some((road, road.way(entry, &known, exit)?))
        });
        let Some((road, way)) = ways.next() else {
            let rule = PriceRule::Published;
            return published.map(|amount| Fare { rule, amount, missed: Vec::new() });
        };
        let missed: Vec<&StationId> = way
            .stations
            .iter()
            .copied()
            .filter(|station| road.gantries.contains(station) && !via.contains(station))
            .filter(|station| *station != entry && *station != exit)
            .collect();
        let went_nowhere = way.sections.is_empty();
        let paid = match self.rules.missed_gantry {
            MissedGantry::Infer => way.sections,
            MissedGantry::SeenOnly => {
                let unseen = |end: &StationId| missed.contains(&end);
                way.sections.into_iter().filter(|one| !one.between.iter().any(unseen)).collect()
            }
        };
        let (rule, amount) = match (published, road.charged_by) {
            (Ok(amount), _) => (PriceRule::Published, amount),
            (Err(error), _) if went_nowhere => return Err(error),
            (Err(error), ChargedBy::Published) => return Err(error),
            (Err(error), ChargedBy::Distance) => {
                let per_km = self.per_km(road, group).ok_or(error)?;
                let amount = road.by_distance(length_m(&paid), per_km);
                (PriceRule::Distance, amount.map_err(|source| self.overflow(source))?)
            }
            (Err(error), ChargedBy::Sections) => {
                let amounts: Option<Vec<Amount>> = paid.iter().map(|one| one.fare(group)).collect();
                let sum = Amount::sum(amounts.ok_or(error)?);
                (PriceRule::Sections, sum.map_err(|source| self.overflow(source))?)
            }
        };
        Ok(Fare { rule, amount, missed })
    }

    /// What a kilometre of a road costs.
    #[must_use]
    pub fn per_km(&self, road: &Road, group: VehicleGroup) -> Option<Amount> {
        let name = road.rate.as_ref()?;
        let rate = self.rates.iter().find(|rate| rate.name == *name)?;
        of_group(&rate.per_km, group)
    }

    /// The discount that is worth most; what is charged in place of a trip gets none.
    fn discount(
        &self,
        crossing: &Crossing<'_>,
        fare: &Fare<'_>,
    ) -> Result<(Option<String>, Amount), TariffError> {
        let stations: Vec<&StationId> = match (fare.rule, crossing.passing) {
            (PriceRule::Instead(_), _) => return Ok((None, Amount::ZERO)),
            (_, Passing::Open { station }) => vec![station],
            (_, Passing::Trip { entry, exit, .. }) => vec![entry, exit],
            (_, Passing::WithoutEntry { exit }) => vec![exit],
        };
        let local = crossing.at.to_zoned(self.zone.clone());
        let mut best: Option<(&str, Amount)> = None;
        for discount in &self.discounts {
            if discount.applies(&stations, crossing.group, &local, crossing.entitlements) {
                let worth = discount.worth(fare.amount).map_err(|source| self.overflow(source))?;
                if best.is_none_or(|(_, most)| most < worth) {
                    best = Some((&discount.name, worth));
                }
            }
        }
        Ok(best.map_or((None, Amount::ZERO), |(name, worth)| (Some(name.to_owned()), worth)))
    }

    fn overflow(&self, source: MoneyError) -> TariffError {
        TariffError::Money { version: self.version.clone(), source }
    }
}

#[cfg(test)]
mod tests;
