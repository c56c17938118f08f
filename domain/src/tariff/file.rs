//! A tariff as a file: what the centre imports and keeps, and the lanes read.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{
    Caps, Discount, InsteadOfTrip, PassPeriod, Rate, Road, Segment, Tariff, TariffError, TripRules,
};
use crate::{Amount, Currency, OperatorId, StationId, Timestamp, VehicleGroup};

/// Why a tariff file is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffFileError {
    /// A fare names neither a station nor a trip, or both.
    #[error("fare {index} needs either `station`, or `entry` and `exit`")]
    Segment {
        /// Which fare, counted from 1.
        index: usize,
    },
    /// A fare has no amounts, or more than there can be groups.
    #[error("fare {index} needs 1 to 20 amounts, group 1 first")]
    Amounts {
        /// Which fare, counted from 1.
        index: usize,
    },
    /// A trip has no month or quarter pass.
    #[error("fare {index}: `month` and `quarter` are prices of passes of an open `station`")]
    Pass {
        /// Which fare, counted from 1.
        index: usize,
    },
    /// The zone is not known.
    #[error("`zone` {name:?} is not in the IANA database, as \"Asia/Ho_Chi_Minh\" is")]
    Zone {
        /// The name that was given.
        name: String,
    },
    /// Something that is told in local time, and no zone.
    #[error("{what} is in local time: it needs `zone`, such as \"Asia/Ho_Chi_Minh\"")]
    NoZone {
        /// What needs it.
        what: String,
    },
    /// The beginning or end is not an instant.
    #[error(
        "{text:?} is neither a day such as \"2023-12-29\", nor a local time such as \
         \"2023-12-29T06:00\", nor an instant such as \"2023-12-28T17:00:00Z\""
    )]
    Begin {
        /// The text that was given.
        text: String,
    },
    /// It ends before it begins.
    #[error("`valid_until` must be after `valid_from`")]
    Ends,
    /// A road names a rate that the file does not have.
    #[error("road {road:?}: there is no rate {rate:?}; give it as [[rate]] with that name")]
    Rate {
        /// The road.
        road: String,
        /// The rate it names.
        rate: String,
    },
    /// A road is charged by something it does not have.
    #[error("road {road:?} is charged by {by}: it needs {needs}")]
    Road {
        /// The road.
        road: String,
        /// How it is charged.
        by: &'static str,
        /// What is missing.
        needs: &'static str,
    },
    /// Two of a kind have one name.
    #[error("there are two {kind}s {name:?}: names are unique")]
    Name {
        /// Of what.
        kind: &'static str,
        /// Which name.
        name: String,
    },
    /// The rule for a missing entry needs the entry.
    #[error(
        "`missing_entry` cannot be \"trip\": nobody knows it; \"dearest-trip\", \"cheapest-trip\", \
         \"cheapest-return\", \"nothing\" or {{ amounts = [..] }} can be charged"
    )]
    MissingEntry,
    /// Two fares for one thing.
    #[error(transparent)]
    Tariff(#[from] TariffError),
}

/// When a version begins or ends: an instant, or a day or time in the tariff's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Begin {
    /// The same everywhere.
    Instant(Timestamp),
    /// What the clock on the wall says; a day begins at midnight.
    Local(DateTime),
}

impl TryFrom<String> for Begin {
    type Error = TariffFileError;
    fn try_from(text: String) -> Result<Self, TariffFileError> {
        // A local time without offset is no instant, so the two cannot be mistaken.
        text.parse()
            .map(Self::Instant)
            .or_else(|_not_an_instant| text.parse().map(Self::Local))
            .map_err(|_neither| TariffFileError::Begin { text: text.chars().take(40).collect() })
    }
}

impl From<Begin> for String {
    fn from(begin: Begin) -> Self {
        match begin {
            Begin::Instant(at) => at.to_string(),
            Begin::Local(local) => local.to_string(),
        }
    }
}

impl Begin {
    fn at(self, zone: Option<&TimeZone>, what: &str) -> Result<Timestamp, TariffFileError> {
        match (self, zone) {
            (Self::Instant(at), _) => Ok(at),
            (Self::Local(local), Some(zone)) => local
                .to_zoned(zone.clone())
                .map(|zoned| zoned.timestamp())
                .map_err(|_outside| TariffFileError::Begin { text: local.to_string() }),
            (Self::Local(_), None) => Err(TariffFileError::NoZone { what: format!("`{what}`") }),
        }
    }
}

/// What an operator says holds between its amounts. Nothing is charged by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckRow {
    /// A month's pass costs so many passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month_passes: Option<u32>,
    /// A quarter's pass costs so many passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarter_passes: Option<u32>,
    /// How far rounding may take a published amount from rate times kilometres.
    pub rate_tolerance: Amount,
}

impl Default for CheckRow {
    fn default() -> Self {
        // Amounts published as sums of rounded parts are up to one unit off.
        let one = Amount::try_new(1).unwrap_or(Amount::ZERO);
        Self { month_passes: None, quarter_passes: None, rate_tolerance: one }
    }
}

/// A tariff file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of the same names in `Tariff`")]
pub struct TariffFile {
    pub version: String,
    pub operator: OperatorId,
    pub currency: Currency,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    pub valid_from: Begin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Begin>,
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<u8>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub check: CheckRow,
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: TripRules,
    #[serde(default, skip_serializing_if = "is_default")]
    pub cap: Caps,
    #[serde(default, rename = "rate", skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<Rate>,
    #[serde(default, rename = "road", skip_serializing_if = "Vec::is_empty")]
    pub roads: Vec<Road>,
    #[serde(default, rename = "discount", skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    #[serde(default, rename = "fare", skip_serializing_if = "Vec::is_empty")]
    pub fares: Vec<FareRow>,
}

impl TariffFile {
    /// A file of published fares and nothing else.
    #[must_use]
    pub fn new(
        version: String,
        operator: OperatorId,
        currency: Currency,
        valid_from: Begin,
        source: String,
        fares: Vec<FareRow>,
    ) -> Self {
        Self {
            version,
            operator,
            currency,
            zone: None,
            valid_from,
            valid_until: None,
            source,
            groups: None,
            check: CheckRow::default(),
            rules: TripRules::default(),
            cap: Caps::default(),
            rates: Vec::new(),
            roads: Vec::new(),
            discounts: Vec::new(),
            fares,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Fares of one segment by group: of a pass where `station` is given, of a trip where `entry` and
/// `exit` are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FareRow {
    /// The open station.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub station: Option<StationId>,
    /// Where the trip begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<StationId>,
    /// Where the trip ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<StationId>,
    /// In whole minor units, group 1 first.
    pub amounts: Vec<Amount>,
    /// What a month's pass costs, group 1 first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub month: Vec<Amount>,
    /// What a quarter's pass costs, group 1 first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarter: Vec<Amount>,
}

impl FareRow {
    /// What is paid for, where the row names one thing.
    #[must_use]
    pub fn segment(&self) -> Option<Segment> {
        match (&self.station, &self.entry, &self.exit) {
            (Some(station), None, None) => Some(Segment::Pass { station: station.clone() }),
            (None, Some(entry), Some(exit)) => {
                Some(Segment::Trip { entry: entry.clone(), exit: exit.clone() })
            }
            _ => None,
        }
    }
}

impl TryFrom<TariffFile> for Tariff {
    type Error = TariffFileError;

    fn try_from(file: TariffFile) -> Result<Self, TariffFileError> {
        let named = |name: &String| {
            TimeZone::get(name).map_err(|_unknown| TariffFileError::Zone { name: name.clone() })
        };
        let zone = file.zone.as_ref().map(named).transpose()?;
        check_names(&file)?;
        check_roads(&file)?;
        check_zone(&file)?;
        if file.rules.missing_entry == InsteadOfTrip::Trip {
            return Err(TariffFileError::MissingEntry);
        }
        let valid_from = file.valid_from.at(zone.as_ref(), "valid_from")?;
        let until = file.valid_until.map(|until| until.at(zone.as_ref(), "valid_until"));
        let valid_until = until.transpose()?;
        if valid_until.is_some_and(|until| until <= valid_from) {
            return Err(TariffFileError::Ends);
        }
        let mut tariff =
            Self::new(file.version, file.operator, file.currency, valid_from, file.source);
        tariff.valid_until = valid_until;
        tariff.zone = zone.unwrap_or(TimeZone::UTC);
        tariff.groups = file.groups;
        tariff.roads = file.roads;
        tariff.rates = file.rates;
        tariff.discounts = file.discounts;
        tariff.caps = file.cap;
        tariff.rules = file.rules;
        tariff.check = file.check;
        for (index, fare) in (1..).zip(file.fares) {
            add_fare(&mut tariff, index, &fare)?;
        }
        Ok(tariff)
    }
}

fn check_names(file: &TariffFile) -> Result<(), TariffFileError> {
    let kinds = [
        ("rate", file.rates.iter().map(|rate| &rate.name).collect::<Vec<_>>()),
        ("road", file.roads.iter().map(|road| &road.name).collect()),
        ("discount", file.discounts.iter().map(|discount| &discount.name).collect()),
    ];
    for (kind, mut names) in kinds {
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TariffFileError::Name { kind, name: twice[0].clone() });
        }
    }
    Ok(())
}

fn check_roads(file: &TariffFile) -> Result<(), TariffFileError> {
    use super::ChargedBy;
    for road in &file.roads {
        let wanted = |by, needs| TariffFileError::Road { road: road.name.clone(), by, needs };
        if let Some(rate) = &road.rate
            && !file.rates.iter().any(|known| known.name == *rate)
        {
            return Err(TariffFileError::Rate { road: road.name.clone(), rate: rate.clone() });
        }
        match road.charged_by {
            ChargedBy::Published => {}
            ChargedBy::Distance if road.rate.is_some() => {}
            ChargedBy::Distance => return Err(wanted("distance", "`rate`")),
            ChargedBy::Sections
                if road.sections.iter().all(|section| !section.amounts.is_empty()) => {}
            ChargedBy::Sections => return Err(wanted("sections", "`amounts` for each section")),
        }
    }
    Ok(())
}

fn check_zone(file: &TariffFile) -> Result<(), TariffFileError> {
    if file.zone.is_some() {
        return Ok(());
    }
    let needs = |what: String| Err(TariffFileError::NoZone { what });
    if !file.cap.day.is_empty() {
        return needs("the day of `cap.day`".to_owned());
    }
    match file.discounts.iter().find(|discount| discount.needs_zone()) {
        Some(discount) => needs(format!("discount {:?}", discount.name)),
        None => Ok(()),
    }
}

fn add_fare(tariff: &mut Tariff, index: usize, fare: &FareRow) -> Result<(), TariffFileError> {
    let segment = fare.segment().ok_or(TariffFileError::Segment { index })?;
    if fare.amounts.is_empty() {
        return Err(TariffFileError::Amounts { index });
    }
    for (group, amount) in by_group(index, &fare.amounts)? {
        tariff.add(segment.clone(), group, amount)?;
    }
    for (period, amounts) in
        [(PassPeriod::Month, &fare.month), (PassPeriod::Quarter, &fare.quarter)]
    {
        for (group, amount) in by_group(index, amounts)? {
            let Segment::Pass { station } = &segment else {
                return Err(TariffFileError::Pass { index });
            };
            tariff.passes.insert((station.clone(), period, group), amount);
        }
    }
    Ok(())
}

fn by_group(
    index: usize,
    amounts: &[Amount],
) -> Result<Vec<(VehicleGroup, Amount)>, TariffFileError> {
    let group = |number| {
        VehicleGroup::try_new(number).map_err(|_past_the_last| TariffFileError::Amounts { index })
    };
    (1..).zip(amounts).map(|(number, amount)| Ok((group(number)?, *amount))).collect()
}

impl From<&Tariff> for TariffFile {
    /// The file that this tariff could have been read from, its rows in order of segment. Fares
    /// of groups above one that has none are not in it: a row begins with group 1.
    fn from(tariff: &Tariff) -> Self {
        let mut rows: BTreeMap<&Segment, Vec<Amount>> = BTreeMap::new();
        for ((segment, group), amount) in &tariff.fares {
            let amounts = rows.entry(segment).or_default();
            if amounts.len() + 1 == usize::from(group.number()) {
                amounts.push(*amount);
            }
        }
        let row = |(segment, amounts): (&Segment, Vec<Amount>)| match segment {
            Segment::Pass { station } => {
                let of = |period: PassPeriod| {
                    let own = tariff.passes.iter();
                    own.filter(|((at, of, _), _)| at == station && *of == period)
                        .map(|(_, amount)| *amount)
                        .collect()
                };
                FareRow {
                    station: Some(station.clone()),
                    amounts,
                    month: of(PassPeriod::Month),
                    quarter: of(PassPeriod::Quarter),
                    ..FareRow::default()
                }
            }
            Segment::Trip { entry, exit } => FareRow {
                entry: Some(entry.clone()),
                exit: Some(exit.clone()),
                amounts,
                ..FareRow::default()
            },
        };
        Self {
            version: tariff.version.clone(),
            operator: tariff.operator.clone(),
            currency: tariff.currency,
            zone: tariff.zone.iana_name().map(str::to_owned),
            valid_from: Begin::Instant(tariff.valid_from),
            valid_until: tariff.valid_until.map(Begin::Instant),
            source: tariff.source.clone(),
            groups: tariff.groups,
            check: tariff.check,
            rules: tariff.rules.clone(),
            cap: tariff.caps.clone(),
            rates: tariff.rates.clone(),
            roads: tariff.roads.clone(),
            discounts: tariff.discounts.clone(),
            fares: rows.into_iter().map(row).collect(),
        }
    }
}
