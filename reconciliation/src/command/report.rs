//! `reconciliation report`: what was taken, what was strange, who opened by hand, what is open.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use domain::{BusinessDate, Clock, OperatorId};
use sqlx::PgPool;

use super::{Failure, say};
use crate::config::Config;
use crate::report::report;
use crate::reports::{Span, Which, form, read, svg};

/// Which report, of which days, in which form.
#[derive(Debug, Args)]
pub struct Report {
    /// Which; without it every day and what it came to, as JSON.
    which: Option<Which>,
    /// The first settlement day.
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<BusinessDate>,
    /// The last; the first where absent.
    #[arg(long, value_name = "YYYY-MM-DD")]
    through: Option<BusinessDate>,
    /// One operator's alone.
    #[arg(long)]
    operator: Option<OperatorId>,
    /// In which form.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
    /// Where it is put, instead of being printed; a workbook needs it.
    #[arg(long, value_name = "FILE", required_if_eq("format", "xlsx"))]
    out: Option<PathBuf>,
}

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    Json,
    Csv,
    Xlsx,
    Svg,
}

/// Prints or writes the report.
///
/// # Errors
/// When the books fail, or the file cannot be written.
pub async fn run(pool: &PgPool, config: &Config, what: &Report) -> Result<ExitCode, Failure> {
    let Some(which) = what.which else {
        if !what.json {
            return Err("which report: revenue, exceptions, manual-openings or ageing?".into());
        }
        say(&serde_json::to_string(&report(pool, &config.statements.folder).await?)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let now = Clock::of_run(config.clock).now();
    let today = BusinessDate::new(now.to_zoned(jiff::tz::TimeZone::UTC).date());
    let from = what.from.unwrap_or(today);
    let through = what.through.unwrap_or(from);
    let span = Span { from, through, operator: what.operator.clone() };
    let found = read(pool, which, &span, now).await?;
    let form = if what.json { Form::Json } else { what.format };
    let bytes = match form {
        Form::Table => form::table(&found).into_bytes(),
        Form::Json => form::object(&found).to_string().into_bytes(),
        Form::Csv => form::csv(&found)?,
        Form::Xlsx => form::xlsx(&found)?,
        Form::Svg => svg::bars(&found).into_bytes(),
    };
    match &what.out {
        Some(file) => std::fs::write(file, bytes)
            .map_err(|error| format!("write {}: {error}", file.display()))?,
        None => say(String::from_utf8_lossy(&bytes).trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}
