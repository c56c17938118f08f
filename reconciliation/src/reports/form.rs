//! A report as a table for the eye, as JSON, CSV or a workbook. Pure.

use rust_xlsxwriter::{Format, Workbook, XlsxError};
use serde_json::{Map, Value, json};

use super::Report;

/// A table with its columns under each other, and the total last.
#[must_use]
pub fn table(report: &Report) -> String {
    let heads = report.labels.iter().map(|label| (*label).to_owned());
    let heads: Vec<String> = heads.chain(["count".to_owned(), "amount".to_owned()]).collect();
    let mut lines = vec![heads];
    for row in &report.rows {
        let figures = [row.count.to_string(), row.amount.to_string()];
        lines.push(row.labels.iter().cloned().chain(figures).collect());
    }
    let (count, amount) = report.total();
    let mut total = vec![String::new(); report.labels.len()];
    if let Some(first) = total.first_mut() {
        "total".clone_into(first);
    }
    total.extend([count.to_string(), amount.to_string()]);
    lines.push(total);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..report.labels.len() + 2).filter_map(width).collect();
    let mut text = format!("{}\n", report.title);
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            if column < report.labels.len() {
                text.push_str(&format!("{cell:<width$}  "));
            } else {
                text.push_str(&format!("{cell:>width$}  "));
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// One object, with the rows as objects.
#[must_use]
pub fn object(report: &Report) -> Value {
    let row = |row: &super::Row| {
        let labels = report.labels.iter().zip(&row.labels);
        let mut object: Map<String, Value> =
            labels.map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        object.insert("count".to_owned(), json!(row.count));
        object.insert("amount".to_owned(), json!(row.amount));
        Value::Object(object)
    };
    let (count, amount) = report.total();
    let rows: Vec<Value> = report.rows.iter().map(row).collect();
    json!({"title": report.title, "rows": rows, "count": count, "amount": amount})
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t']) && text != "-" {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Comma-separated, with a head and without a total.
///
/// # Errors
/// When the writer fails.
pub fn csv(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(report.labels.iter().copied().chain(["count", "amount"]))?;
    for row in &report.rows {
        let figures = [row.count.to_string(), row.amount.to_string()];
        table.write_record(row.labels.iter().map(|label| harmless(label)).chain(figures))?;
    }
    table.into_inner().map_err(|error| error.into_error().into())
}

/// A workbook of one sheet, numbers as numbers.
///
/// # Errors
/// When the writer refuses, as it does a report of more rows than a sheet holds.
pub fn xlsx(report: &Report) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let (bold, number) = (Format::new().set_bold(), Format::new().set_num_format("#,##0"));
    let sheet = book.add_worksheet();
    sheet.write_with_format(0, 0, &report.title, &bold)?;
    let heads = report.labels.iter().copied().chain(["count", "amount"]);
    for (head, column) in heads.zip(0_u16..) {
        sheet.write_with_format(1, column, head, &bold)?;
        sheet.set_column_width(column, 18)?;
    }
    sheet.set_freeze_panes(2, 0)?;
    let (count, amount) = report.total();
    let total = super::Row { labels: std::iter::once("total".to_owned()).collect(), count, amount };
    for (line, row) in report.rows.iter().chain([&total]).zip(2_u32..) {
        for (label, column) in line.labels.iter().zip(0_u16..) {
            sheet.write(row, column, label)?;
        }
        let first = u16::try_from(report.labels.len()).unwrap_or(u16::MAX - 1);
        sheet.write_with_format(row, first, line.count, &number)?;
        sheet.write_with_format(row, first + 1, line.amount, &number)?;
    }
    book.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use super::super::{Report, Row, svg};
    use super::*;

    fn report() -> Report {
        let row = |hour: &str, payer: &str, count, amount| Row {
            labels: ["08".to_owned(), hour.to_owned(), payer.to_owned()].to_vec(),
            count,
            amount,
        };
        Report {
            title: "Revenue, cienco4".to_owned(),
            labels: vec!["day", "hour", "payer"],
            rows: vec![
                row("07", "account", 3, 141_000),
                row("07", "cash", 1, 47_000),
                row("09", "=cmd()", 1, 64_000),
            ],
            drawn_by: 1,
        }
    }

    #[test]
    fn every_form_has_the_same_sums() {
        let report = report();
        assert_eq!(report.total(), (5, 252_000));
        assert!(
            table(&report).ends_with("total                     5  252000\n"),
            "{}",
            table(&report)
        );
        assert_eq!(object(&report)["amount"], 252_000);
        let text = String::from_utf8(csv(&report).unwrap()).unwrap();
        let sum: i64 = text
            .lines()
            .skip(1)
            .map(|line| line.rsplit(',').next().unwrap().parse::<i64>().unwrap())
            .sum();
        assert_eq!(sum, 252_000);
        assert!(text.contains("'=cmd()"), "{text}");
        assert!(xlsx(&report).unwrap().starts_with(b"PK"));
    }

    #[test]
    fn a_picture_has_a_bar_for_each_and_is_the_same_each_time() {
        let drawn = svg::bars(&report());
        assert_eq!(drawn.matches("<rect").count(), 3, "two bars and the ground: {drawn}");
        assert!(drawn.contains(">188,000<") && drawn.contains(">64,000<"), "{drawn}");
        assert_eq!(drawn, svg::bars(&report()));
    }
}
