//! How many cases were opened on each of the last thirty days, as a picture and a table. Pure.

use domain::{BusinessDate, Timestamp};
use jiff::ToSpan as _;

use crate::chart::Columns;
use crate::language::Language;

/// How many days it goes back.
pub(super) const DAYS: i64 = 30;

/// The trend, where any case was opened.
pub(super) struct Trend {
    pub chart: Columns,
    pub lines: Vec<(String, String)>,
    pub total: String,
}

impl Trend {
    /// Draws the days up to now; nothing where there was no case.
    pub(super) fn new(opened: &[(BusinessDate, u64)], now: Timestamp, t: Language) -> Option<Self> {
        let total: u64 = opened.iter().map(|(_, cases)| cases).sum();
        if total == 0 {
            return None;
        }
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let days = (0..DAYS).rev().map(|back| today.saturating_sub(back.days()));
        let cases = |day| {
            let of_day = opened.iter().find(|(known, _)| known.date() == day);
            of_day.map_or(0, |(_, cases)| *cases)
        };
        let columns: Vec<(String, u64)> =
            days.map(|day| (day.day().to_string(), cases(day))).collect();
        let lines = opened.iter().map(|(day, cases)| (day.to_string(), t.count(*cases)));
        Some(Self {
            chart: Columns::new(&columns, 5),
            lines: lines.collect(),
            total: t.count(total),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_last_thirty_days_has_its_column() {
        let now: Timestamp = "2026-03-02T05:00:00Z".parse().unwrap();
        let opened = [("2026-02-28".parse().unwrap(), 4), ("2026-03-02".parse().unwrap(), 2)];
        let trend = Trend::new(&opened, now, Language::English).unwrap();
        assert_eq!((trend.chart.columns.len(), trend.total.as_str()), (30, "6"));
        let heights: Vec<u64> = trend.chart.columns.iter().map(|column| column.height).collect();
        assert_eq!(heights[27], 2 * heights[29]);
        assert!(heights[..27].iter().all(|height| *height == 0) && heights[28] == 0);
        assert_eq!(trend.lines[1], ("2026-03-02".to_owned(), "2".to_owned()));
        assert!(Trend::new(&[], now, Language::English).is_none());
    }
}
