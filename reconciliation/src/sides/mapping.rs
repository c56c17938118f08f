//! The mapping of a table: which column is what, and how it is written. Data, read from TOML.

use std::collections::BTreeMap;
use std::fmt;

use domain::{Currency, VehicleGroup};
use jiff::tz::TimeZone;
use serde::Deserialize;

/// A column by its name in the first line, or by its number from 1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// By name.
    Name(String),
    /// By number, from 1.
    Number(usize),
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// One column, or several that are one thing together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Columns {
    /// One.
    One(Column),
    /// Several, in this order.
    Several(Vec<Column>),
}

impl Columns {
    pub(super) fn as_slice(&self) -> &[Column] {
        match self {
            Self::One(column) => std::slice::from_ref(column),
            Self::Several(columns) => columns,
        }
    }
}

/// What some values of a column mean.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The column.
    pub column: Column,
    /// Its values that mean it.
    pub values: Vec<String>,
}

/// Which column is what. What is not named is not there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The name that both sides have for the thing; several columns are joined by `|`.
    pub identity: Option<Columns>,
    /// The station.
    pub station: Option<Column>,
    /// The tag, in hexadecimal digits.
    pub tag: Option<Column>,
    /// The plate.
    pub plate: Option<Column>,
    /// When it was.
    pub time: Option<Columns>,
    /// The tariff group.
    pub group: Option<Column>,
    /// What it is worth; below zero, it gives money back.
    pub amount: Column,
    /// What gives money back, where the amount does not say it.
    pub reversed: Option<Mark>,
    /// What is disputed.
    pub disputed: Option<Mark>,
    /// The line of another file that the row was read from.
    pub line: Option<Column>,
}

/// How instants are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeForm {
    /// `iso` (the default), `compact` (`20260901070908`), `unix-s`, `unix-ms`, or a pattern such as
    /// `%d/%m/%Y %H:%M:%S`.
    #[serde(default = "iso")]
    pub format: String,
    /// The zone of times that name none.
    #[serde(default = "utc")]
    pub zone: String,
}

fn iso() -> String {
    "iso".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Default for TimeForm {
    fn default() -> Self {
        Self { format: iso(), zone: utc() }
    }
}

/// How amounts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AmountForm {
    /// In whole minor units: `47000`, and cents where there are cents.
    #[default]
    MinorUnits,
    /// With a point before what is smaller than the unit: `470.50`.
    Point,
    /// With a comma: `470,50`.
    Comma,
}

/// The form of a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// In which currency the amounts are.
    #[serde(default = "dong")]
    pub currency: Currency,
    /// What stands between two columns; a comma where not said.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Whether the first line names the columns; it does where not said.
    #[serde(default = "yes")]
    pub header: bool,
    /// How amounts are written.
    #[serde(default)]
    pub amounts: AmountForm,
    /// How instants are written.
    #[serde(default)]
    pub time: TimeForm,
    /// Which column is what.
    pub columns: Roles,
    /// What the file calls stations, and what we call them; a name that is not here is taken as it
    /// is.
    #[serde(default)]
    pub stations: BTreeMap<String, String>,
    /// What the file calls tariff groups; where this is empty, they are numbers.
    #[serde(default)]
    pub groups: BTreeMap<String, VehicleGroup>,
}

fn dong() -> Currency {
    Currency::VND
}

fn comma() -> char {
    ','
}

fn yes() -> bool {
    true
}

/// Why a mapping is none.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// Not TOML, or not of this form.
    #[error("read the mapping")]
    Toml(#[from] toml::de::Error),
    /// More than one byte, or one that cells are made of.
    #[error("{0:?} cannot stand between columns: use a comma, a semicolon, a bar or a tab")]
    Delimiter(char),
    /// A column by its name in a file without names.
    #[error("column {0:?} is named, but header is false: give its number, from 1")]
    Unnamed(String),
    /// Columns are counted from 1.
    #[error("there is no column 0; columns are counted from 1")]
    Zero,
    /// Not a time zone.
    #[error("{zone:?} is not a time zone such as Asia/Ho_Chi_Minh")]
    Zone {
        /// The name.
        zone: String,
        /// What the database said.
        #[source]
        source: jiff::Error,
    },
    /// Not a form of instants.
    #[error("{0:?} is not a time format: iso, compact, unix-s, unix-ms, or a pattern with %")]
    Format(String),
}

impl Mapping {
    /// The mapping of the normal form: the form in which other files are written to be matched.
    #[must_use]
    pub fn normal() -> Self {
        let one = |name: &str| Some(Column::Name(name.to_owned()));
        let several = |name: &str| one(name).map(Columns::One);
        let mark =
            |name: &str| one(name).map(|column| Mark { column, values: vec!["yes".to_owned()] });
        Self {
            currency: dong(),
            delimiter: comma(),
            header: true,
            amounts: AmountForm::MinorUnits,
            time: TimeForm::default(),
            columns: Roles {
                identity: several("identity"),
                station: one("station"),
                tag: one("tag"),
                plate: one("plate"),
                time: several("time"),
                group: one("group"),
                amount: Column::Name("amount".to_owned()),
                reversed: mark("reversed"),
                disputed: mark("disputed"),
                line: one("line"),
            },
            stations: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    /// Reads and checks a mapping.
    ///
    /// # Errors
    /// When it is not one; the text says what would be right.
    pub fn try_from_toml(text: &str) -> Result<Self, MappingError> {
        let mapping: Self = toml::from_str(text)?;
        mapping.check()?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), MappingError> {
        if !matches!(self.delimiter, ',' | ';' | '|' | '\t') {
            return Err(MappingError::Delimiter(self.delimiter));
        }
        let roles = &self.columns;
        let several = [&roles.identity, &roles.time].into_iter().flatten();
        let single = [&roles.station, &roles.tag, &roles.plate, &roles.group, &roles.line];
        let marks = [&roles.reversed, &roles.disputed].into_iter().flatten();
        let all = several
            .flat_map(Columns::as_slice)
            .chain(single.into_iter().flatten())
            .chain(marks.map(|mark| &mark.column))
            .chain([&roles.amount]);
        for column in all {
            match column {
                Column::Number(0) => return Err(MappingError::Zero),
                Column::Name(name) if !self.header => {
                    return Err(MappingError::Unnamed(name.clone()));
                }
                Column::Name(_) | Column::Number(_) => {}
            }
        }
        self.zone()?;
        let known = ["iso", "compact", "unix-s", "unix-ms"];
        let format = self.time.format.as_str();
        if !known.contains(&format) && !format.contains('%') {
            return Err(MappingError::Format(format.to_owned()));
        }
        Ok(())
    }

    pub(super) fn zone(&self) -> Result<TimeZone, MappingError> {
        let zone = &self.time.zone;
        TimeZone::get(zone).map_err(|source| MappingError::Zone { zone: zone.clone(), source })
    }
}

#[cfg(test)]
mod tests;
