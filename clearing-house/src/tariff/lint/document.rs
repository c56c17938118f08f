//! A tariff file with the places of what it says.

use std::ops::Range;
use std::path::Path;

use domain::tariff::{Tariff, TariffFile, TariffFileError};
use serde::Deserialize;
use toml::{Spanned, Value};

use super::{Finding, Level};

/// Why a file could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be read.
    #[error("read {file}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or has keys and values that no tariff file has.
    #[error("{file}:{line}: {message}")]
    Parse {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, and what was expected.
        message: String,
    },
    /// It contradicts itself.
    #[error("{file}:{line}: {source}")]
    Tariff {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        source: Box<TariffFileError>,
    },
}

/// A tariff file, read.
#[derive(Debug)]
pub struct Document {
    name: String,
    text: String,
    places: Places,
    /// What it says.
    pub file: TariffFile,
    /// What it comes to.
    pub tariff: Tariff,
}

/// Where in the text things stand.
#[derive(Debug, Default, Deserialize)]
struct Places {
    #[serde(default)]
    fare: Vec<Spanned<RowPlaces>>,
    #[serde(default)]
    rate: Vec<Spanned<RowPlaces>>,
    #[serde(default)]
    road: Vec<Spanned<RoadPlaces>>,
    #[serde(default)]
    discount: Vec<Spanned<Value>>,
    rules: Option<Spanned<Value>>,
    cap: Option<Spanned<Value>>,
    version: Option<Spanned<Value>>,
    zone: Option<Spanned<Value>>,
    valid_from: Option<Spanned<Value>>,
    valid_until: Option<Spanned<Value>>,
}

#[derive(Debug, Deserialize)]
struct RowPlaces {
    amounts: Option<Spanned<Value>>,
    month: Option<Spanned<Value>>,
    quarter: Option<Spanned<Value>>,
    per_km: Option<Spanned<Value>>,
}

#[derive(Debug, Deserialize)]
struct RoadPlaces {
    #[serde(default)]
    section: Vec<Spanned<Value>>,
}

/// A thing in a tariff file; rows are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Version,
    Zone,
    ValidFrom,
    ValidUntil,
    Rules,
    Cap,
    Fare(usize),
    Amounts(usize),
    Month(usize),
    Quarter(usize),
    Rate(usize),
    Road(usize),
    Section(usize, usize),
    Discount(usize),
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is no tariff.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ReadError::Read { file: file.clone(), source })?;
        Self::parse(file, text)
    }

    /// Reads the text of a file of that name.
    ///
    /// # Errors
    /// When it is no tariff.
    pub fn parse(name: String, text: String) -> Result<Self, ReadError> {
        let refused = |error: toml::de::Error| ReadError::Parse {
            file: name.clone(),
            line: error.span().map_or(1, |span| line_of(&text, span.start)),
            message: error.message().to_owned(),
        };
        let file: TariffFile = toml::from_str(&text).map_err(refused)?;
        let places: Places = toml::from_str(&text).map_err(refused)?;
        let tariff = Tariff::try_from(file.clone()).map_err(|source| ReadError::Tariff {
            file: name.clone(),
            line: line_of(&text, span_of_error(&places, &source).start),
            source: Box::new(source),
        })?;
        Ok(Self { name, text, places, file, tariff })
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn error(&self, check: &'static str, place: Place, message: String) -> Finding {
        self.finding(Level::Error, check, place, message)
    }

    pub(super) fn warning(&self, check: &'static str, place: Place, message: String) -> Finding {
        self.finding(Level::Warning, check, place, message)
    }

    fn finding(&self, level: Level, check: &'static str, place: Place, message: String) -> Finding {
        let line = self.places.span(place).map_or(1, |span| line_of(&self.text, span.start));
        Finding { level, file: self.name.clone(), line, check, message }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn of<T>(spanned: Option<&Spanned<T>>) -> Option<Range<usize>> {
    spanned.map(Spanned::span)
}

impl Places {
    fn span(&self, place: Place) -> Option<Range<usize>> {
        let row = |index: usize| self.fare.get(index);
        match place {
            Place::Version => of(self.version.as_ref()),
            Place::Zone => of(self.zone.as_ref()).or_else(|| self.span(Place::Version)),
            Place::ValidFrom => of(self.valid_from.as_ref()),
            Place::ValidUntil => of(self.valid_until.as_ref()),
            Place::Rules => of(self.rules.as_ref()),
            Place::Cap => of(self.cap.as_ref()),
            Place::Fare(index) => of(row(index)),
            Place::Amounts(index) => of(row(index)?.get_ref().amounts.as_ref()),
            Place::Month(index) => of(row(index)?.get_ref().month.as_ref()),
            Place::Quarter(index) => of(row(index)?.get_ref().quarter.as_ref()),
            Place::Rate(index) => of(self.rate.get(index)?.get_ref().per_km.as_ref()),
            Place::Road(index) => of(self.road.get(index)),
            Place::Section(road, index) => of(self.road.get(road)?.get_ref().section.get(index)),
            Place::Discount(index) => of(self.discount.get(index)),
        }
    }
}

/// Where a file contradicts itself.
fn span_of_error(places: &Places, error: &TariffFileError) -> Range<usize> {
    let place = match error {
        TariffFileError::Segment { index } | TariffFileError::Pass { index } => {
            Place::Fare(index.saturating_sub(1))
        }
        TariffFileError::Amounts { index } => Place::Amounts(index.saturating_sub(1)),
        TariffFileError::Zone { .. } | TariffFileError::NoZone { .. } => Place::Zone,
        TariffFileError::Begin { .. } => Place::ValidFrom,
        TariffFileError::Ends => Place::ValidUntil,
        TariffFileError::Rate { .. } | TariffFileError::Road { .. } => Place::Road(0),
        TariffFileError::MissingEntry => Place::Rules,
        TariffFileError::Name { .. } | TariffFileError::Tariff(_) => Place::Version,
    };
    places.span(place).unwrap_or_default()
}
