//! A report as a picture: a bar for each value of one label, by amount, or by count where none has an
//! amount. Pure; the same report makes the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Report;

const BAR_HEIGHT: usize = 22;
const LEFT: usize = 180;
const WIDTH: usize = 560;
const TOP: usize = 48;

/// Draws the bars.
#[must_use]
pub fn bars(report: &Report) -> String {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for row in &report.rows {
        let name = row.labels.get(report.drawn_by).map_or("", String::as_str);
        let sum = sums.entry(name).or_default();
        *sum = (sum.0.saturating_add(row.count), sum.1.saturating_add(row.amount));
    }
    let by_amount = sums.values().any(|(_, amount)| *amount > 0);
    let figure =
        |sum: &(i64, i64)| u64::try_from(if by_amount { sum.1 } else { sum.0 }).unwrap_or(0);
    let most = sums.values().map(figure).max().unwrap_or(0).max(1);
    let height = TOP + sums.len() * BAR_HEIGHT + 16;
    let full = LEFT + WIDTH + 140;
    let what = if by_amount { "amount" } else { "count" };
    let by = report.labels.get(report.drawn_by).copied().unwrap_or_default();
    let mut drawn = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{full}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{full}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"15\">{}: {what} by {by}</text>\n",
        escaped(&report.title)
    );
    for (place, (name, sum)) in sums.iter().enumerate() {
        let y = TOP + place * BAR_HEIGHT;
        let value = figure(sum);
        let length = u128::from(value) * (WIDTH as u128) / u128::from(most);
        let end = (LEFT as u128) + length + 6;
        let (name, text_y, bar) = (escaped(name), y + 15, BAR_HEIGHT - 6);
        // Writing to a string cannot fail.
        let _infallible = writeln!(
            drawn,
            "<text x=\"{}\" y=\"{text_y}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{length}\" height=\"{bar}\" fill=\"#2b6cb0\"/>\
             <text x=\"{end}\" y=\"{text_y}\">{}</text>",
            LEFT - 8,
            grouped(value)
        );
    }
    drawn.push_str("</svg>\n");
    drawn
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
