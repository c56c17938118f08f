//! The roads of a tariff: how stations hang together, how far they are apart, and what a
//! kilometre costs.
//!
//! *Section*: the way between two neighbours on a road. *Way*: the stations of a trip, in order.
//! *Gantry*: a station on the way that sees vehicles and stops none.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::rules::of_group;
use crate::{Amount, MoneyError, Rounding, StationId, VehicleGroup};

/// What trips of a road cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChargedBy {
    /// What is published for entry and exit. The rate per kilometre is only a check.
    #[default]
    Published,
    /// The rate per kilometre times the length of the way.
    Distance,
    /// The sum of the published amounts of its sections.
    Sections,
}

/// The published rates of a kilometre, group 1 first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Its name, such as `level-1`.
    pub name: String,
    /// For one kilometre.
    pub per_km: Vec<Amount>,
}

/// The way between two neighbours, in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its two ends.
    pub between: [StationId; 2],
    /// How long it is, in metres.
    pub length_m: u32,
    /// What it costs, group 1 first, where the road is charged by sections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amounts: Vec<Amount>,
}

/// One road of a tariff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Road {
    /// Its name, as its stations have it.
    pub name: String,
    /// How its trips are charged.
    #[serde(default)]
    pub charged_by: ChargedBy,
    /// The rate of a kilometre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// How rate times kilometres becomes whole units.
    #[serde(default = "half_up")]
    pub rounding: Rounding,
    /// To a multiple of how many units.
    #[serde(default = "one")]
    pub rounding_unit: u32,
    /// Whether there costs what back costs.
    #[serde(default)]
    pub symmetric: bool,
    /// Stations that see vehicles and stop none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gantries: Vec<StationId>,
    /// Its sections.
    #[serde(default, rename = "section", skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Section>,
}

const fn half_up() -> Rounding {
    Rounding::HalfUp
}

const fn one() -> u32 {
    1
}

/// The stations of a trip in order, and those of them that did not see the vehicle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way<'a> {
    pub(super) sections: Vec<&'a Section>,
    pub(super) stations: Vec<&'a StationId>,
}

impl Road {
    /// Whether the station is on the road.
    #[must_use]
    pub fn has(&self, station: &StationId) -> bool {
        self.sections.iter().any(|section| section.between.contains(station))
    }

    /// All its stations, in order of their names.
    #[must_use]
    pub fn stations(&self) -> BTreeSet<&StationId> {
        self.sections.iter().flat_map(|section| &section.between).collect()
    }

    /// How far it is from one station to another by the shortest way, in metres.
    #[must_use]
    pub fn length_m(&self, from: &StationId, to: &StationId) -> Option<u64> {
        Some(length_m(&self.shortest(from, to)?.sections))
    }

    /// Rate times kilometres, by the road's rounding.
    ///
    /// # Errors
    /// When the product does not fit.
    pub fn by_distance(&self, length_m: u64, per_km: Amount) -> Result<Amount, MoneyError> {
        let unit = i128::from(self.rounding_unit.max(1));
        let product = i128::from(per_km.minor_units()) * i128::from(length_m);
        let divisor = 1_000 * unit;
        let units = match self.rounding {
            Rounding::HalfUp => (2 * product + divisor) / (2 * divisor),
            Rounding::Down => product / divisor,
        };
        Amount::try_new(i64::try_from(units * unit).map_err(|_too_large| MoneyError::Overflow)?)
    }

    /// The shortest way that passes `via` in this order; ties go to the first section named.
    pub(super) fn way(
        &self,
        entry: &StationId,
        via: &[StationId],
        exit: &StationId,
    ) -> Option<Way<'_>> {
        let mut way: Option<Way<'_>> = None;
        let mut at = entry;
        for next in via.iter().chain(std::iter::once(exit)) {
            let leg = self.shortest(at, next)?;
            way = Some(match way {
                None => leg,
                Some(mut so_far) => {
                    so_far.sections.extend(leg.sections);
                    so_far.stations.extend(leg.stations.into_iter().skip(1));
                    so_far
                }
            });
            at = next;
        }
        way
    }

    /// The shortest way between two stations.
    fn shortest(&self, from: &StationId, to: &StationId) -> Option<Way<'_>> {
        let stations = self.stations();
        let from = *stations.get(from)?;
        let to = *stations.get(to)?;
        // Roads have some dozens of stations: settling the nearest one after the other is enough.
        let mut reached: BTreeMap<&StationId, (u64, Option<&Section>)> =
            BTreeMap::from([(from, (0, None))]);
        let mut settled: BTreeSet<&StationId> = BTreeSet::new();
        while let Some((&at, &(length_m, _))) = reached
            .iter()
            .filter(|(station, _)| !settled.contains(*station))
            .min_by_key(|(_, (length_m, _))| *length_m)
        {
            settled.insert(at);
            for section in &self.sections {
                let Some(next) = section.other_end(at) else { continue };
                let there_m = length_m + u64::from(section.length_m);
                if reached.get(next).is_none_or(|(known_m, _)| there_m < *known_m) {
                    reached.insert(next, (there_m, Some(section)));
                }
            }
        }
        let mut sections = Vec::new();
        let mut backwards = vec![to];
        let mut at = to;
        while at != from {
            let section = reached.get(at)?.1?;
            at = section.other_end(at)?;
            sections.push(section);
            backwards.push(at);
        }
        sections.reverse();
        backwards.reverse();
        Some(Way { sections, stations: backwards })
    }
}

impl Section {
    fn other_end(&self, station: &StationId) -> Option<&StationId> {
        let [one, other] = &self.between;
        if one == station {
            Some(other)
        } else if other == station {
            Some(one)
        } else {
            None
        }
    }

    pub(super) fn fare(&self, group: VehicleGroup) -> Option<Amount> {
        of_group(&self.amounts, group)
    }
}

pub(super) fn length_m(sections: &[&Section]) -> u64 {
    sections.iter().map(|section| u64::from(section.length_m)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station(name: &str) -> StationId {
        StationId::try_new(name).unwrap()
    }

    /// `a -3- b -4- c -1- d`, and a long way round `a -9- d`.
    fn road() -> Road {
        let section = |one: &str, other: &str, km: u32| Section {
            between: [station(one), station(other)],
            length_m: km * 1_000,
            amounts: Vec::new(),
        };
        Road {
            name: "ring".into(),
            charged_by: ChargedBy::Distance,
            rate: None,
            rounding: Rounding::HalfUp,
            rounding_unit: 1,
            symmetric: true,
            gantries: Vec::new(),
            sections: vec![
                section("a", "b", 3),
                section("b", "c", 4),
                section("c", "d", 1),
                section("a", "d", 9),
            ],
        }
    }

    #[test]
    fn the_shortest_way_is_taken_unless_the_vehicle_was_seen_elsewhere() {
        let road = road();
        let way = |via: &[&str]| {
            let via: Vec<StationId> = via.iter().map(|name| station(name)).collect();
            let way = road.way(&station("a"), &via, &station("d")).unwrap();
            let names: Vec<&str> = way.stations.iter().map(|one| one.as_str()).collect();
            (names.join(" "), length_m(&way.sections))
        };
        assert_eq!(way(&[]), ("a b c d".into(), 8_000));
        assert_eq!(way(&["c"]), ("a b c d".into(), 8_000));
        assert_eq!(way(&["d", "c"]), ("a b c d c d".into(), 10_000));
        assert_eq!(road.length_m(&station("d"), &station("a")), Some(8_000));
        assert_eq!(road.length_m(&station("a"), &station("elsewhere")), None);
    }

    #[test]
    fn rate_times_kilometres_is_rounded_by_the_named_rule() {
        let check = |rounding, rounding_unit, length_m, per_km, amount| {
            let road = Road { rounding, rounding_unit, ..road() };
            let per_km = Amount::try_new(per_km).unwrap();
            let found = road.by_distance(length_m, per_km).unwrap().minor_units();
            assert_eq!(found, amount, "{rounding:?} to {rounding_unit}");
        };
        // Mai Sơn to QL45, group 2 of level 2: 61.01 km × 1,350 = 82,363.5.
        check(Rounding::HalfUp, 1, 61_010, 1_350, 82_364);
        check(Rounding::Down, 1, 61_010, 1_350, 82_363);
        check(Rounding::HalfUp, 1_000, 61_010, 1_350, 82_000);
        check(Rounding::HalfUp, 500, 61_010, 1_350, 82_500);
        // Phan Thiết to Dầu Giây, level 1: exactly 99 km.
        check(Rounding::HalfUp, 1, 99_000, 5_200, 514_800);
    }
}
