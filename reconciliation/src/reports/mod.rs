//! Reports: what people look at day by day, counted from the postings themselves.
//!
//! A report is one flat table with a figure to sum: *revenue* by station, vehicle group, hour and who
//! paid; *exceptions* by kind and attendant; *manual openings* by attendant and reason; *ageing* of the
//! cases that are open. [`form`] puts it as a table for the eye, JSON, CSV, a workbook, or a picture
//! ([`svg`]). Revenue adds up to what the ledger has of the same days: a test holds them together.
//! Deliberately absent: statements, which are signed (`papers`).

pub mod form;
mod repo;
pub mod svg;

use domain::{BusinessDate, OperatorId, Timestamp};
use sqlx::PgPool;

use crate::settlement::SettlementError;

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// Tolls by day, station, vehicle group, hour and who paid.
    Revenue,
    /// What did not simply pass, by station, kind, decision and attendant.
    Exceptions,
    /// What attendants let through, by station, attendant and reason.
    ManualOpenings,
    /// Open cases by kind and age.
    Ageing,
}

/// The days of a report, and whose.
#[derive(Debug, Clone)]
pub struct Span {
    /// The first settlement day.
    pub from: BusinessDate,
    /// The last.
    pub through: BusinessDate,
    /// One operator's alone.
    pub operator: Option<OperatorId>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its title.
    pub title: String,
    /// The columns that say of what.
    pub labels: Vec<&'static str>,
    /// The rows: their labels, how many, and the amount.
    pub rows: Vec<Row>,
    /// By which of the labels the picture is drawn.
    pub drawn_by: usize,
}

/// A row of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Of what.
    pub labels: Vec<String>,
    /// How many.
    pub count: i64,
    /// How much, in the smallest unit.
    pub amount: i64,
}

impl Report {
    /// How many, and how much, in all.
    #[must_use]
    pub fn total(&self) -> (i64, i64) {
        self.rows.iter().fold((0, 0), |(count, amount), row| {
            (count.saturating_add(row.count), amount.saturating_add(row.amount))
        })
    }
}

/// Reads a report.
///
/// # Errors
/// When the database fails.
pub async fn read(
    pool: &PgPool,
    which: Which,
    span: &Span,
    now: Timestamp,
) -> Result<Report, SettlementError> {
    let (what, labels, rows, drawn_by) = match which {
        Which::Revenue => {
            let labels = vec!["operator", "day", "station", "group", "hour", "payer"];
            ("Revenue", labels, repo::revenue(pool, span).await?, 4)
        }
        Which::Exceptions => {
            let labels = vec!["operator", "station", "exception", "decision", "attendant"];
            ("Exceptions", labels, repo::exceptions(pool, span).await?, 2)
        }
        Which::ManualOpenings => {
            let labels = vec!["operator", "station", "attendant", "decision", "reason"];
            ("Manual openings", labels, repo::manual_openings(pool, span).await?, 2)
        }
        Which::Ageing => {
            let labels = vec!["operator", "kind", "age"];
            ("Open cases", labels, repo::ageing(pool, span, now).await?, 2)
        }
    };
    let Span { from, through, operator } = span;
    let of = operator.as_ref().map_or_else(|| "all operators".to_owned(), ToString::to_string);
    let title = match which {
        Which::Ageing => format!("{what}, {of}"),
        Which::Revenue | Which::Exceptions | Which::ManualOpenings => {
            format!("{what}, {of}, {from} to {through}")
        }
    };
    Ok(Report { title, labels, rows, drawn_by })
}
