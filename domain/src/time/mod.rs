//! Time: instants in UTC, the settlement day they fall in, and the clock at the edge.
//!
//! *Settlement day* (here [`BusinessDate`]): from cut-off to cut-off in the operator's zone. A day
//! carries the date on which it *ends*, so with a cut-off at midnight it is the calendar day.

pub mod clock;

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use clock::{Clock, ClockConfig};
/// An instant in UTC.
pub use jiff::Timestamp;

/// Why a calendar or a date could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TimeError {
    /// The zone is not in the time-zone database.
    #[error("time zone {name:?} is not in the IANA database")]
    Zone {
        /// The name that was given.
        name: String,
        /// What the database said.
        #[source]
        source: jiff::Error,
    },
    /// The cut-off is not a time of day.
    #[error("cut-off {text:?} is not a time of day such as 00:00 or 17:30")]
    CutOff {
        /// The text that was given.
        text: String,
        /// What the parser said.
        #[source]
        source: jiff::Error,
    },
    /// The text is not a date.
    #[error("{text:?} is not a date such as 2026-11-21")]
    Date {
        /// The text that was given.
        text: String,
        /// What the parser said.
        #[source]
        source: jiff::Error,
    },
}

/// A settlement day, written as an ISO date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BusinessDate(civil::Date);

impl BusinessDate {
    /// Takes a calendar date.
    #[must_use]
    pub const fn new(date: civil::Date) -> Self {
        Self(date)
    }

    /// The date as the calendar has it.
    #[must_use]
    pub const fn date(self) -> civil::Date {
        self.0
    }

    /// The settlement day after this one; the last day there is has no other after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1.day()))
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for BusinessDate {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse()
            .map(Self)
            .map_err(|source| TimeError::Date { text: text.chars().take(32).collect(), source })
    }
}

/// Which settlement day an instant falls in: an operator's zone and cut-off.
#[derive(Debug, Clone)]
pub struct SettlementCalendar {
    zone: TimeZone,
    cut_off: civil::Time,
}

impl SettlementCalendar {
    /// Builds a calendar from names such as `Asia/Ho_Chi_Minh` and `00:00`.
    ///
    /// # Errors
    /// When the zone is unknown or the cut-off is no time of day.
    pub fn try_new(zone: &str, cut_off: &str) -> Result<Self, TimeError> {
        Ok(Self {
            zone: TimeZone::get(zone)
                .map_err(|source| TimeError::Zone { name: zone.to_owned(), source })?,
            cut_off: cut_off
                .parse()
                .map_err(|source| TimeError::CutOff { text: cut_off.to_owned(), source })?,
        })
    }

    /// The settlement day that `at` falls in.
    #[must_use]
    pub fn day_of(&self, at: Timestamp) -> BusinessDate {
        let local = at.to_zoned(self.zone.clone());
        let day = BusinessDate(local.date());
        let starts_at_midnight = self.cut_off == civil::Time::midnight();
        if starts_at_midnight || local.time() < self.cut_off { day } else { day.next() }
    }

    /// When a settlement day ends: the first instant that is not in it.
    ///
    /// # Errors
    /// When the calendar has no such instant.
    pub fn end_of(&self, day: BusinessDate) -> Result<Timestamp, TimeError> {
        let at_midnight = self.cut_off == civil::Time::midnight();
        let date = if at_midnight { day.next().date() } else { day.date() };
        self.instant(date.to_datetime(self.cut_off))
    }

    /// The instant of a local date and time in the operator's zone.
    ///
    /// # Errors
    /// When the calendar has no such instant.
    pub fn instant(&self, local: civil::DateTime) -> Result<Timestamp, TimeError> {
        let zoned = local.to_zoned(self.zone.clone());
        zoned
            .map(|zoned| zoned.timestamp())
            .map_err(|source| TimeError::Date { text: local.to_string(), source })
    }

    /// The local date and time of an instant.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> civil::DateTime {
        at.to_zoned(self.zone.clone()).datetime()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_runs_from_cut_off_to_cut_off_in_the_operators_zone() {
        let check = |cut_off: &str, at: &str, day: &str| {
            let calendar = SettlementCalendar::try_new("Asia/Ho_Chi_Minh", cut_off).unwrap();
            assert_eq!(calendar.day_of(at.parse().unwrap()).to_string(), day, "{cut_off} {at}");
        };
        check("00:00", "2026-11-21T16:59:59Z", "2026-11-21");
        check("00:00", "2026-11-21T17:00:00Z", "2026-11-22");
        check("17:00", "2026-11-21T09:59:59Z", "2026-11-21");
        check("17:00", "2026-11-21T10:00:00Z", "2026-11-22");
    }

    #[test]
    fn a_day_ends_with_the_first_instant_of_the_next() {
        for cut_off in ["00:00", "17:00", "06:30"] {
            let calendar = SettlementCalendar::try_new("Asia/Ho_Chi_Minh", cut_off).unwrap();
            let day: BusinessDate = "2026-11-21".parse().unwrap();
            let end = calendar.end_of(day).unwrap();
            assert_eq!(calendar.day_of(end), day.next(), "{cut_off}");
            assert_eq!(calendar.day_of(end - jiff::SignedDuration::from_secs(1)), day, "{cut_off}");
        }
    }

    #[test]
    fn a_wrong_zone_is_named() {
        let error = SettlementCalendar::try_new("Asia/Saigon-2", "00:00").unwrap_err();
        assert!(error.to_string().contains("Asia/Saigon-2"));
    }
}
