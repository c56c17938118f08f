//! `reconciliation statement|verify-statement|agree`: papers of a day, a month or a year.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use domain::signature::PublicKey;
use domain::{BusinessDate, Clock, OperatorId};
use serde_json::json;
use sqlx::PgPool;

use super::{Failure, say, write_or_say};
use crate::approval::{Person, agree, propose_period};
use crate::config::Config;
use crate::papers::period::{Period, PeriodPaper, PeriodStatement};
use crate::papers::{AnyPaper, Opened, open_pages};
use crate::statement::Statement;
use crate::statement::filed::{self, Form};
use crate::statement::repo::{paper, papers_between};
use crate::window::Window;

/// What is asked about papers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints or writes the statement of a closed day, or of a month or year of them.
    Statement(Show),
    /// Checks a filed paper, a statement or minutes, JSON or PDF: signature, figures, every page.
    VerifyStatement {
        /// The file.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Proposes a month's or year's figures as agreed, or approves what another proposed.
    Agree {
        /// The operator.
        #[arg(long)]
        operator: OperatorId,
        /// The month or year.
        #[arg(long, value_name = "YYYY[-MM]")]
        period: Period,
        /// Who does it.
        #[arg(long, value_name = "PERSON")]
        by: Person,
        /// As the second person: approves what another proposed.
        #[arg(long)]
        approve: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Which paper, in which form, to where.
#[derive(Debug, Args)]
pub struct Show {
    /// The operator.
    #[arg(long)]
    operator: OperatorId,
    /// The settlement day.
    #[arg(long, value_name = "YYYY-MM-DD", required_unless_present = "period")]
    day: Option<BusinessDate>,
    /// The month or year, instead of a day.
    #[arg(long, value_name = "YYYY[-MM]", conflicts_with = "day")]
    period: Option<Period>,
    /// In which form.
    #[arg(long, value_enum, default_value_t = FormName::Text)]
    format: FormName,
    /// Into which file; printed where absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The form of a paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormName {
    /// Lines for people.
    Text,
    /// One table.
    Csv,
    /// The canonical text with digest and signature.
    Json,
    /// Pages.
    Pdf,
    /// A workbook.
    Xlsx,
}

impl FormName {
    /// Whether it can be printed.
    #[must_use]
    pub const fn is_text(self) -> bool {
        match self {
            Self::Text | Self::Csv | Self::Json => true,
            Self::Pdf | Self::Xlsx => false,
        }
    }
}

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Text => Self::Text,
            FormName::Csv => Self::Csv,
            FormName::Json => Self::Json,
            FormName::Pdf => Self::Pdf,
            FormName::Xlsx => Self::Xlsx,
        }
    }
}

/// Does what was asked.
///
/// # Errors
/// When there is no such paper, it is not to be believed, or the books fail.
pub async fn run(pool: &PgPool, config: &Config, what: &Command) -> Result<ExitCode, Failure> {
    match what {
        Command::Statement(show) => {
            let bytes = match show.period {
                Some(period) => {
                    let paper = of_period(pool, config, &show.operator, period).await?;
                    period_form(&paper, show.format)?
                }
                None => of_day(pool, show).await?,
            };
            write_or_say(&bytes, show.format.is_text(), show.out.as_deref())?;
        }
        Command::VerifyStatement { file, json } => {
            let key = config.centre.secret_key()?.public();
            let believed = believe(file, &key)?;
            let (words, object) = (
                format!("{} holds: {}", file.display(), believed.words),
                json!({"file": file, "ok": true, "statement": believed.words, "net": believed.net}),
            );
            say(&if *json { object.to_string() } else { words })?;
        }
        Command::Agree { operator, period, by, approve, json } => {
            let paper = of_period(pool, config, operator, *period).await?;
            let statement = paper.open(&config.centre.secret_key()?.public())?;
            let day = statement.last_day().unwrap_or_else(|| period.last());
            let window = Window::new(operator.clone(), day);
            let now = Clock::of_run(config.clock).now();
            let (words, maker, checker) = if *approve {
                let approval = agree(pool, &window, *period, paper.canonical(), by, now).await?;
                let words = format!("{operator} {period} agreed by {} and {by}", approval.maker);
                (words, approval.maker, Some(by.as_str()))
            } else {
                propose_period(pool, &window, *period, paper.canonical(), by, now).await?;
                let words =
                    format!("{operator} {period} proposed by {by}; another person approves");
                (words, by.clone(), None)
            };
            let object = json!({
                "operator": operator.as_str(), "period": period.to_string(),
                "proposed_by": maker.as_str(), "approved_by": checker,
            });
            say(&if *json { object.to_string() } else { words })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn of_day(pool: &PgPool, show: &Show) -> Result<Vec<u8>, Failure> {
    let Show { operator, day, .. } = show;
    let Some(day) = day else { return Err("name a day or a period".into()) };
    let Some(paper) = paper(pool, operator, *day).await? else {
        return Err(format!("{operator} has no statement for {day}").into());
    };
    Ok(filed::form_of(&paper, show.format.into())?)
}

/// The paper of a period: made of its signed days, and signed.
async fn of_period(
    pool: &PgPool,
    config: &Config,
    operator: &OperatorId,
    period: Period,
) -> Result<PeriodPaper, Failure> {
    let key = config.centre.secret_key()?;
    let mut days = Vec::new();
    for paper in papers_between(pool, operator, period.first(), period.last()).await? {
        days.push((paper.digest, paper.open(&key.public())?));
    }
    let statement = PeriodStatement::try_new(period, &days)?;
    Ok(PeriodPaper::try_sign(&statement, &key)?)
}

fn period_form(paper: &PeriodPaper, form: FormName) -> Result<Vec<u8>, Failure> {
    Ok(match form {
        FormName::Json => paper.to_json().into_bytes(),
        FormName::Text | FormName::Csv => paper.csv()?.into_bytes(),
        FormName::Pdf => paper.pdf()?,
        FormName::Xlsx => paper.xlsx()?,
    })
}

/// What a file turned out to be.
struct Believed {
    words: String,
    net: i64,
}

impl From<Opened> for Believed {
    fn from(opened: Opened) -> Self {
        let (what, net, currency) = match opened {
            Opened::Day(Statement { operator, day, totals, currency, .. }) => {
                (format!("the statement of {operator} for {day}"), totals.net, currency)
            }
            Opened::Period(period) => {
                let what = format!("the statement of {}", period.name());
                (what, period.totals().net, period.currency())
            }
            Opened::Minutes(minutes) => {
                let what = format!("the minutes of {}", minutes.name());
                (what, minutes.owed.net, minutes.currency)
            }
        };
        Self { words: format!("{what}, net {net} {currency}"), net: net.minor_units() }
    }
}

fn believe(file: &Path, key: &PublicKey) -> Result<Believed, Failure> {
    let bytes = std::fs::read(file).map_err(|error| format!("read {}: {error}", file.display()))?;
    let doubted = |error: &dyn std::error::Error| {
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        Failure::from(format!("{}: {error}{cause}", file.display()))
    };
    if bytes.starts_with(b"%PDF") {
        return Ok(open_pages(&bytes, key).map_err(|error| doubted(&error))?.into());
    }
    let text = String::from_utf8(bytes).map_err(|error| doubted(&error))?;
    let paper = AnyPaper::try_from_json(&text).map_err(|error| doubted(&error))?;
    let opened = paper.open(key).map_err(|error| doubted(&error))?;
    if let Opened::Minutes(minutes) = &opened {
        minutes.check().map_err(|error| doubted(&error))?;
    }
    Ok(opened.into())
}
