//! A column chart, as numbers on a canvas; templates draw it as SVG, with a table of the same
//! figures beside it. Pure.

/// The canvas, in its own units.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 180;
const LEFT: u64 = 52;
const TOP: u64 = 12;
const BASE: u64 = 152;

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub x: u64,
    pub y: u64,
    pub width: u64,
    pub height: u64,
    /// What stands under it, under every so many, and where.
    pub label: Option<String>,
    pub label_x: u64,
}

/// A line across, and the number it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub y: u64,
    pub text: String,
}

/// A chart of labelled columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub width: u64,
    pub height: u64,
    pub left: u64,
    pub base: u64,
    pub columns: Vec<Column>,
    pub lines: Vec<Line>,
}

impl Columns {
    /// Draws columns from zero to a round number above the highest, with a label under every so many.
    pub(crate) fn new(values: &[(String, u64)], label_every: usize) -> Self {
        let top = round_above(values.iter().map(|(_, value)| *value).max().unwrap_or(0));
        let height = |value: u64| {
            let drawn = u128::from(BASE - TOP) * u128::from(value) / u128::from(top);
            u64::try_from(drawn).unwrap_or(BASE - TOP)
        };
        let count = u64::try_from(values.len().max(1)).unwrap_or(1);
        let step = (WIDTH - LEFT) / count;
        let width = (step * 5 / 7).clamp(1, 64);
        let columns = (0_u64..).zip(values).enumerate().map(|(index, (place, (label, value)))| {
            let x = LEFT + place * step;
            // What is there is seen, however little of it.
            let height = if *value > 0 { height(*value).max(1) } else { 0 };
            let label = index.is_multiple_of(label_every.max(1)).then(|| label.clone());
            Column { x, y: BASE - height, width, height, label, label_x: x + width / 2 }
        });
        let marks = if top.is_multiple_of(2) { vec![0, top / 2, top] } else { vec![0, top] };
        let lines =
            marks.into_iter().map(|value| Line { y: BASE - height(value), text: short(value) });
        Self {
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            base: BASE,
            columns: columns.collect(),
            lines: lines.collect(),
        }
    }
}

/// A number that fits beside the axis: thousands as k, millions as M, thousands of these as G.
fn short(value: u64) -> String {
    for (unit, letter) in [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
        if value >= unit {
            let tenths = value % unit / (unit / 10);
            let whole = value / unit;
            return if tenths == 0 {
                format!("{whole}{letter}")
            } else {
                format!("{whole}.{tenths}{letter}")
            };
        }
    }
    value.to_string()
}

/// The next 1, 2 or 5 with zeros; at least 1.
fn round_above(highest: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for step in [1, 2, 5] {
            let round = power.saturating_mul(step);
            if round >= highest {
                return round;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::{Columns, HEIGHT, WIDTH, short};

    fn chart(values: &[u64], label_every: usize) -> Columns {
        let named = values.iter().enumerate().map(|(index, value)| (index.to_string(), *value));
        Columns::new(&named.collect::<Vec<_>>(), label_every)
    }

    #[test]
    fn columns_stay_on_the_canvas_and_are_as_high_as_their_share() {
        let mut by_hour = [0; 24];
        by_hour[0] = 1_000;
        by_hour[12] = 500;
        by_hour[23] = 1;
        let chart = chart(&by_hour, 3);
        assert_eq!(chart.columns.len(), 24);
        for column in &chart.columns {
            assert!(column.x + column.width <= WIDTH && column.y + column.height <= HEIGHT);
        }
        assert_eq!(chart.columns[12].height * 2, chart.columns[0].height);
        assert_eq!(chart.columns[23].height, 1, "little is not nothing");
        assert_eq!(chart.columns[5].height, 0);
        let labels: Vec<&str> =
            chart.columns.iter().filter_map(|one| one.label.as_deref()).collect();
        assert_eq!(labels, ["0", "3", "6", "9", "12", "15", "18", "21"]);
        let lines: Vec<&str> = chart.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(lines, ["0", "500", "1k"]);
    }

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (highest, top) in [(0, "1"), (1, "1"), (3, "5"), (6, "10"), (11, "20"), (201, "500")] {
            assert_eq!(chart(&[0, highest], 1).lines.last().unwrap().text, top, "{highest}");
        }
    }

    #[test]
    fn a_chart_of_nothing_is_an_axis() {
        assert!(Columns::new(&[], 1).columns.is_empty());
    }

    #[test]
    fn large_numbers_fit_beside_the_axis() {
        for (value, text) in
            [(999, "999"), (2_500, "2.5k"), (5_000_000, "5M"), (1_000_000_000, "1G")]
        {
            assert_eq!(short(value), text);
        }
    }
}
