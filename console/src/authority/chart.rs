//! A column chart of one day, as numbers on a canvas. Pure.

/// The canvas, in its own units.
pub(super) const WIDTH: u64 = 720;
/// The canvas's height.
pub(super) const HEIGHT: u64 = 180;
const LEFT: u64 = 44;
const TOP: u64 = 12;
const BASE: u64 = 152;
const STEP: u64 = 28;
const COLUMN: u64 = 20;

/// One hour's column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub hour: usize,
    pub x: u64,
    pub y: u64,
    pub width: u64,
    pub height: u64,
    /// Where its label stands, under every third column.
    pub label_x: Option<u64>,
}

/// A line across, and the number it stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub y: u64,
    pub value: u64,
}

/// The chart of a day's 24 hours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chart {
    pub columns: Vec<Column>,
    pub lines: Vec<Line>,
}

impl Chart {
    /// Draws the hours from zero to a round number above the highest.
    pub(super) fn new(by_hour: &[u64; 24]) -> Self {
        let top = round_above(by_hour.iter().copied().max().unwrap_or(0));
        let height = |value: u64| {
            let drawn = u128::from(BASE - TOP) * u128::from(value) / u128::from(top);
            u64::try_from(drawn).unwrap_or(BASE - TOP)
        };
        let columns = (0_u64..).zip(by_hour).enumerate().map(|(hour, (place, value))| {
            let x = LEFT + place * STEP;
            // What is there is seen, however little of it.
            let height = if *value > 0 { height(*value).max(1) } else { 0 };
            Column {
                hour,
                x,
                y: BASE - height,
                width: COLUMN,
                height,
                label_x: hour.is_multiple_of(3).then_some(x + COLUMN / 2),
            }
        });
        let values = if top.is_multiple_of(2) { vec![0, top / 2, top] } else { vec![0, top] };
        let lines = values.into_iter().map(|value| Line { y: BASE - height(value), value });
        Self { columns: columns.collect(), lines: lines.collect() }
    }
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
