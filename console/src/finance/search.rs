//! What a person searches passages by: a form in the address, read strictly. Pure.
//!
//! The place where a page begins is part of it, so that a page deep in the list costs no more than the
//! first.

use std::fmt::Write as _;

use clearing_house::search::Place;
use domain::wire::v1::{Disposition, ExceptionRecord};
use domain::{BusinessDate, OperatorId, Plate, StationId, TagId, Timestamp};
use serde::Deserialize;

use super::named;

/// The search as it stands in the address; an empty field asks for nothing.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SearchForm {
    /// `operator/station`.
    #[serde(default)]
    pub station: String,
    /// The settlement day.
    #[serde(default)]
    pub day: String,
    /// A disposition by name.
    #[serde(default)]
    pub disposition: String,
    /// An exception by name, `any` or `none`.
    #[serde(default)]
    pub exception: String,
    /// The account that paid.
    #[serde(default)]
    pub account: String,
    /// What was paid, in whole units as people write them.
    #[serde(default)]
    pub amount: String,
    /// The number of one passage.
    #[serde(default)]
    pub passage: String,
    /// Where the page begins.
    #[serde(default)]
    pub after: String,
}

/// What personal thing is looked for; it comes in a form, never in an address, and is masked in
/// whatever is shown.
#[derive(Default, Deserialize)]
pub(crate) struct PersonalForm {
    /// `plate` or `tag`.
    #[serde(default)]
    pub by: String,
    #[serde(default)]
    pub what: String,
    #[serde(default)]
    pub day: String,
}

/// Something personal that passages are looked for by.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Personal {
    Plate(Plate),
    Tag(TagId),
}

impl PersonalForm {
    /// What is looked for, and on which day if on one alone.
    pub(super) fn search(&self) -> Option<(Personal, Option<BusinessDate>)> {
        let what = self.what.trim();
        let personal = match self.by.as_str() {
            "plate" => {
                let plain = |c: &char| c.is_ascii_alphanumeric();
                let plate: String = what.chars().filter(plain).collect();
                Personal::Plate(Plate::try_new(&plate.to_uppercase()).ok()?)
            }
            "tag" => Personal::Tag(what.parse().ok()?),
            _ => return None,
        };
        Some((personal, field(&self.day, |text| text.parse().ok())?))
    }
}

/// Which exceptions are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExceptionFilter {
    Whatever,
    None,
    Some,
    Kind(ExceptionRecord),
}

/// A search that is understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search {
    pub station: Option<(OperatorId, StationId)>,
    pub day: Option<BusinessDate>,
    pub disposition: Option<Disposition>,
    pub exception: ExceptionFilter,
    pub account: Option<i64>,
    pub amount: Option<i64>,
    pub after: Option<Place>,
}

/// Reads a field that may be empty: nothing is asked for, or it must be readable.
fn field<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

impl SearchForm {
    /// Reads the form; nothing when a field is not what it should be.
    pub(super) fn search(&self) -> Option<Search> {
        let exception = match self.exception.as_str() {
            "" => ExceptionFilter::Whatever,
            "none" => ExceptionFilter::None,
            "any" => ExceptionFilter::Some,
            name => ExceptionFilter::Kind(named(name)?),
        };
        let account = field(&self.account, |text| text.trim().parse().ok())?;
        let amount = field(&self.amount, |text| {
            let grouping = |c: &char| !matches!(c, '.' | ',' | ' ' | '\u{a0}');
            text.chars().filter(grouping).collect::<String>().parse().ok()
        })?;
        let day: Option<BusinessDate> = field(&self.day, |text| text.parse().ok())?;
        // What names a passage leads to it; what is here names none.
        if !self.passage.trim().is_empty() {
            return None;
        }
        Some(Search {
            account,
            amount,
            station: field(&self.station, |text| {
                let (operator, station) = text.split_once('/')?;
                Some((operator.parse().ok()?, station.parse().ok()?))
            })?,
            day,
            disposition: field(&self.disposition, named)?,
            exception,
            after: field(&self.after, place_of)?,
        })
    }

    /// The address of the page after a cursor, with the same search.
    ///
    /// Every part is made of characters that an address takes as they are; of what people write
    /// between thousands, only the digits go on.
    pub(super) fn page_url(&self, after: &Place) -> String {
        let mut url = String::from("/passages?");
        for (name, value) in [
            ("station", &self.station),
            ("day", &self.day),
            ("disposition", &self.disposition),
            ("exception", &self.exception),
            ("account", &self.account),
            ("amount", &self.amount),
        ] {
            if !value.is_empty() {
                // Writing to a string cannot fail.
                let plain = value.replace([' ', '\u{a0}'], "");
                write!(url, "{name}={plain}&").ok();
            }
        }
        write!(url, "after={}", place_text(after)).ok();
        url
    }
}

/// `day_microseconds_journal_sequence`; what has no day yet begins with `_`.
fn place_text(place: &Place) -> String {
    let day = place.day.map(|day| day.to_string()).unwrap_or_default();
    format!("{day}_{}_{}_{}", place.at.as_microsecond(), place.journal, place.seq)
}

fn place_of(text: &str) -> Option<Place> {
    let mut parts = text.split('_');
    let day = parts.next()?;
    let place = Place {
        day: if day.is_empty() { None } else { Some(day.parse().ok()?) },
        at: Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?,
        journal: parts.next()?.parse().ok()?,
        seq: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(place)
}
