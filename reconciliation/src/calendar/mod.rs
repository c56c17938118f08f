//! The calendar of payment: by when money must be there and books agreed, and how far that is. Pure.
//!
//! *Duty*: something that is owed by an instant. A day's money is *transferred* within so many hours
//! after the day's end; a *month* is agreed by a day of the next; a *year* within so many days after
//! it. *Bank day*: neither weekend nor holiday of the contract's bank calendar. *Standing*: met, ahead,
//! near (an alarm before it passes), or overdue, with an age. The rule of the road in Viet Nam, 24 h,
//! the 5th and 30 days, is what holds where a contract says nothing else.

pub mod repo;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::time::{SettlementCalendar, TimeError};
use domain::{BusinessDate, IssuerId, OperatorId, Timestamp};
use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, ToSpan as _};
use serde::{Deserialize, Serialize};

/// The days on which banks do not move money.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BankCalendar {
    /// The days of the week.
    pub weekend: BTreeSet<i8>,
    /// The holidays, with their names.
    pub holidays: BTreeMap<BusinessDate, String>,
}

impl BankCalendar {
    fn is_bank_day(&self, date: Date) -> bool {
        let weekday: Weekday = date.weekday();
        !self.weekend.contains(&weekday.to_monday_one_offset())
            && !self.holidays.contains_key(&BusinessDate::new(date))
    }

    /// The date itself or the first bank day after it. A calendar without bank days has none: then
    /// the date stands.
    fn bank_day_from(&self, date: Date) -> Date {
        let mut dates = date.series(1.day()).take(366);
        dates.find(|date| self.is_bank_day(*date)).unwrap_or(date)
    }
}

/// What a bank holiday does to a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnHoliday {
    /// The same hour of the next bank day.
    NextBankDay,
    /// Nothing.
    NoMatter,
}

/// A contract's deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// The money of a day is there so many hours after its end.
    pub pay_within_h: u16,
    /// Unless that is a bank holiday.
    pub on_holiday: OnHoliday,
    /// A month is agreed by this day of the next.
    pub month_by_day: i8,
    /// A year is agreed within so many days.
    pub year_within_d: u16,
    /// So many hours before a deadline it is near.
    pub warn_h: u16,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            pay_within_h: 24,
            on_holiday: OnHoliday::NoMatter,
            month_by_day: 5,
            year_within_d: 30,
            warn_h: 6,
        }
    }
}

/// What is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// A day's money.
    Transfer(BusinessDate),
    /// Agreement on the month that begins here.
    Month(BusinessDate),
    /// Agreement on the year that begins here.
    Year(BusinessDate),
}

impl Duty {
    /// Its name in reports: `transfer`, `month` or `year`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfer(_) => "transfer",
            Self::Month(_) => "month",
            Self::Year(_) => "year",
        }
    }

    /// By when it is due: the first instant that is too late.
    ///
    /// # Errors
    /// When the calendar has no such instant.
    pub fn due(
        self,
        deadlines: &Deadlines,
        day_ends: &SettlementCalendar,
        banks: &BankCalendar,
    ) -> Result<Timestamp, TimeError> {
        match self {
            Self::Transfer(day) => {
                let hours = SignedDuration::from_hours(deadlines.pay_within_h.into());
                let due = day_ends.end_of(day)? + hours;
                // It is the last moment in time that must lie on a bank day.
                let last = day_ends.local(due - SignedDuration::from_secs(1)).date();
                let moved = match deadlines.on_holiday {
                    OnHoliday::NextBankDay => banks.bank_day_from(last),
                    OnHoliday::NoMatter => last,
                };
                let time = day_ends.local(due);
                let days = i64::from((moved - last).get_days()).days();
                day_ends.instant(time.saturating_add(days))
            }
            Self::Month(first) => {
                let next = first.date().last_of_month().saturating_add(1.day());
                let last = next.saturating_add((deadlines.month_by_day - 1).days());
                day_ends.end_of(BusinessDate::new(last))
            }
            Self::Year(first) => {
                let last = first.date().last_of_year();
                let days = i64::from(deadlines.year_within_d).days();
                day_ends.end_of(BusinessDate::new(last.saturating_add(days)))
            }
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transfer(day) => write!(f, "transfer {day}"),
            Self::Month(first) => write!(f, "month {}", first.date().strftime("%Y-%m")),
            Self::Year(first) => write!(f, "year {}", first.date().year()),
        }
    }
}

/// How far a duty's deadline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Done in time.
    Met,
    /// Done, too late.
    MetLate,
    /// Not done, and there is time.
    Ahead,
    /// Not done, and the time is short: an alarm.
    Near,
    /// Not done in time, by so many whole hours.
    Overdue {
        /// How many.
        hours: i64,
    },
}

impl Standing {
    /// Where a duty stands.
    #[must_use]
    pub fn of(due: Timestamp, met: Option<Timestamp>, warn_h: u16, now: Timestamp) -> Self {
        let near_from = due - SignedDuration::from_hours(warn_h.into());
        match met {
            Some(met) if met < due => Self::Met,
            Some(_) => Self::MetLate,
            None if now >= due => Self::Overdue { hours: now.duration_since(due).as_hours() },
            None if now >= near_from => Self::Near,
            None => Self::Ahead,
        }
    }

    /// Its name in reports, with the age of what is overdue.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::MetLate => "met late",
            Self::Ahead => "ahead",
            Self::Near => "near",
            Self::Overdue { hours: 0..24 } => "overdue, less than a day",
            Self::Overdue { hours: 24..120 } => "overdue, less than 5 days",
            Self::Overdue { hours: 120..720 } => "overdue, less than 30 days",
            Self::Overdue { .. } => "overdue, 30 days or more",
        }
    }
}

/// A duty of an issuer to an operator, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Who is owed.
    pub operator: OperatorId,
    /// Who owes.
    pub issuer: IssuerId,
    /// What.
    pub duty: Duty,
    /// By when.
    pub due: Timestamp,
    /// Where it stands.
    pub standing: Standing,
}

#[cfg(test)]
mod tests;
