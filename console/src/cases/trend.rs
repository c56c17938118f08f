//! How many cases were opened on each of the last thirty days, and about how much money, as pictures
//! and a table. Pure.
//!
//! Sums of two currencies are never one: each has a picture of its own.

use std::collections::{BTreeMap, BTreeSet};

use domain::{BusinessDate, Currency, Timestamp};
use jiff::ToSpan as _;

use crate::chart::Columns;
use crate::language::Language;

/// How many days it goes back.
pub(super) const DAYS: i64 = 30;

/// The cases that were opened on a day about money of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    pub day: BusinessDate,
    pub currency: Currency,
    pub cases: u64,
    /// What they are about, in minor units.
    pub units: u64,
}

/// A day of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TrendLine {
    pub day: String,
    pub cases: String,
    /// One for each currency.
    pub amounts: Vec<String>,
}

/// The trend, where any case was opened.
pub(super) struct Trend {
    /// By number.
    pub chart: Columns,
    /// By amount: the currency's picture, and what it is called.
    pub amounts: Vec<(Columns, String)>,
    pub lines: Vec<TrendLine>,
    pub total: TrendLine,
}

impl Trend {
    /// Draws the days up to now; nothing where there was no case.
    pub(super) fn new(opened: &[Opened], now: Timestamp, t: Language) -> Option<Self> {
        if opened.iter().all(|one| one.cases == 0) {
            return None;
        }
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let days: Vec<_> = (0..DAYS).rev().map(|back| today.saturating_sub(back.days())).collect();
        let columns = |of: &dyn Fn(&Opened) -> u64| {
            let of_day = |day: &jiff::civil::Date| {
                let of_day = opened.iter().filter(|one| one.day.date() == *day).map(of).sum();
                (day.day().to_string(), of_day)
            };
            Columns::new(&days.iter().map(of_day).collect::<Vec<_>>(), 5)
        };
        let currencies: BTreeSet<Currency> = opened.iter().map(|one| one.currency).collect();
        let drawn = |currency: &Currency| {
            let whole = 10_u64.pow(currency.exponent());
            let of = |one: &Opened| if one.currency == *currency { one.units / whole } else { 0 };
            (columns(&of), currency.to_string())
        };
        let line = |day: String, rows: &[&Opened]| TrendLine {
            day,
            cases: t.count(rows.iter().map(|one| one.cases).sum()),
            amounts: currencies.iter().map(|currency| summed(rows, *currency, t)).collect(),
        };
        let mut by_day: BTreeMap<BusinessDate, Vec<&Opened>> = BTreeMap::new();
        for one in opened {
            by_day.entry(one.day).or_default().push(one);
        }
        Some(Self {
            chart: columns(&|one| one.cases),
            amounts: currencies.iter().map(drawn).collect(),
            lines: by_day.iter().map(|(day, rows)| line(day.to_string(), rows)).collect(),
            total: line(String::new(), &opened.iter().collect::<Vec<_>>()),
        })
    }
}

/// What the cases of one currency are about.
fn summed(rows: &[&Opened], currency: Currency, t: Language) -> String {
    let own = rows.iter().filter(|one| one.currency == currency);
    let units: u64 = own.map(|one| one.units).sum();
    t.money(i64::try_from(units).unwrap_or(i64::MAX), currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(day: &str, currency: &str, cases: u64, units: u64) -> Opened {
        let (day, currency) = (day.parse().unwrap(), currency.parse().unwrap());
        Opened { day, currency, cases, units }
    }

    fn heights(chart: &Columns) -> Vec<u64> {
        chart.columns.iter().map(|column| column.height).collect()
    }

    #[test]
    fn each_of_the_last_thirty_days_has_its_column_by_number_and_by_amount() {
        let now: Timestamp = "2026-03-02T05:00:00Z".parse().unwrap();
        let all = [opened("2026-02-28", "VND", 4, 50_000), opened("2026-03-02", "VND", 2, 200_000)];
        let trend = Trend::new(&all, now, Language::English).unwrap();
        let cases = heights(&trend.chart);
        assert_eq!((cases.len(), cases[27]), (30, 2 * cases[29]));
        assert!(cases[..27].iter().all(|height| *height == 0) && cases[28] == 0);
        let [(amounts, name)] = &trend.amounts[..] else { panic!("one currency") };
        let amounts = heights(amounts);
        assert_eq!((amounts[29], name.as_str()), (4 * amounts[27], "VND"));
        let last = trend.lines.last().unwrap();
        assert_eq!((last.day.as_str(), last.cases.as_str()), ("2026-03-02", "2"));
        assert_eq!(last.amounts, ["200,000\u{a0}₫"]);
        assert_eq!(
            (trend.total.cases.as_str(), &*trend.total.amounts),
            ("6", &["250,000\u{a0}₫".to_owned()][..])
        );
        assert!(Trend::new(&[], now, Language::English).is_none());
    }

    #[test]
    fn money_of_two_currencies_is_never_one_sum() {
        let now: Timestamp = "2026-03-02T05:00:00Z".parse().unwrap();
        let all = [opened("2026-03-02", "VND", 1, 50_000), opened("2026-03-02", "USD", 1, 250)];
        let trend = Trend::new(&all, now, Language::English).unwrap();
        let [line] = &trend.lines[..] else { panic!("one day") };
        assert_eq!((line.cases.as_str(), line.amounts.len()), ("2", 2));
        assert_eq!(line.amounts, ["2.50\u{a0}USD", "50,000\u{a0}₫"]);
        assert_eq!(trend.amounts.len(), 2);
    }
}
