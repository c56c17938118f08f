//! `reconciliation minutes`: what two parties found, for both to sign.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::{Args, Subcommand};
use domain::{Clock, IssuerId, OperatorId};
use serde_json::json;
use sqlx::PgPool;

use super::side_files::{FormName, mapping, rules_of, table};
use super::statement::FormName as PaperForm;
use super::{Failure, say, write_or_say};
use crate::config::Config;
use crate::matching::Plan;
use crate::minutes::make::{Asked, Theirs, of_bank, of_issuer_day, of_issuer_period, source_of};
use crate::minutes::repo::minutes;
use crate::minutes::{Minutes, MinutesPaper, Party, Signers, Span};
use crate::sides::again::once_each;

/// What is asked about minutes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes minutes: of a day from the issuer's files, of a month or year from its days, of a bank from
    /// its statements. What differs becomes a case.
    Make(Box<Make>),
    /// Prints or writes minutes that were made.
    Show(Show),
}

/// Between whom, and of when.
#[derive(Debug, Args)]
pub struct Between {
    /// The operator.
    #[arg(long)]
    operator: OperatorId,
    /// The issuer, as the other party.
    #[arg(long, required_unless_present = "bank_of")]
    issuer: Option<IssuerId>,
    /// The bank of this issuer, as the other party.
    #[arg(long, value_name = "ISSUER", conflicts_with = "issuer")]
    bank_of: Option<IssuerId>,
    /// A settlement day, a month or a year.
    #[arg(long, value_name = "YYYY[-MM[-DD]]")]
    of: Span,
}

impl Between {
    fn party(&self) -> Result<Party, Failure> {
        match (&self.issuer, &self.bank_of) {
            (Some(issuer), _) => Ok(Party::Issuer(issuer.clone())),
            (None, Some(issuer)) => Ok(Party::BankOf(issuer.clone())),
            (None, None) => Err("--issuer or --bank-of says with whom".into()),
        }
    }
}

/// What minutes are made of.
#[derive(Debug, Args)]
pub struct Make {
    #[command(flatten)]
    between: Between,
    /// The issuer's files of the day.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with = "bank_of")]
    theirs: Vec<PathBuf>,
    /// The form of these files.
    #[arg(long, value_enum, default_value_t = FormName::Table)]
    theirs_form: FormName,
    /// The mapping of these tables; the normal form where not given.
    #[arg(long, value_name = "MAPPING.toml")]
    theirs_as: Option<PathBuf>,
    /// The rules, in their order; identity, then tag, then plate where not given.
    #[arg(long, value_name = "RULES.toml")]
    rules: Option<PathBuf>,
    /// The files have what passed on the day, also what was settled with a later one.
    #[arg(long)]
    by_time: bool,
    /// Who signs for the operator: name and office.
    #[arg(long, value_name = "NAME", default_value = "")]
    for_operator: String,
    /// Who signs for the other party: name and office.
    #[arg(long, value_name = "NAME", default_value = "")]
    for_other: String,
    /// What they come to as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Which minutes, in which form, to where.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    between: Between,
    /// In which form.
    #[arg(long, value_enum, default_value_t = PaperForm::Csv)]
    format: PaperForm,
    /// Into which file; printed where absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Does what was asked.
///
/// # Errors
/// When there can be no such minutes, a file is refused, or the books fail.
pub async fn run(pool: &PgPool, config: &Config, what: &Command) -> Result<ExitCode, Failure> {
    match what {
        Command::Make(what) => {
            let paper = made(pool, config, what).await?;
            say(&told(&paper.read()?, what.json))?;
        }
        Command::Show(what) => {
            let (with, span) = (what.between.party()?, what.between.of);
            let Some(paper) = minutes(pool, &what.between.operator, &with, span).await? else {
                let operator = &what.between.operator;
                return Err(format!(
                    "there are no minutes of {operator} and {with} for {span}; `minutes make` makes them"
                )
                .into());
            };
            let bytes = match what.format {
                PaperForm::Json => paper.to_json().into_bytes(),
                PaperForm::Text | PaperForm::Csv => paper.csv()?.into_bytes(),
                PaperForm::Pdf => paper.pdf()?,
                PaperForm::Xlsx => paper.xlsx()?,
            };
            write_or_say(&bytes, what.format.is_text(), what.out.as_deref())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn made(pool: &PgPool, config: &Config, what: &Make) -> Result<MinutesPaper, Failure> {
    let key = config.centre.secret_key()?;
    let now = Clock::of_run(config.clock).now();
    let Between { operator, of: span, .. } = &what.between;
    let signers = Signers { operator: what.for_operator.clone(), other: what.for_other.clone() };
    let with = what.between.party()?;
    let asked = Asked { operator: operator.clone(), with, span: *span, signers };
    match (&asked.with, span) {
        (Party::BankOf(_), _) => Ok(of_bank(pool, &key, &asked, now).await?),
        (Party::Issuer(_), Span::Day(day)) => {
            if what.theirs.is_empty() {
                return Err("minutes of a day need the issuer's files: --theirs FILE".into());
            }
            let theirs = theirs(what)?;
            Ok(of_issuer_day(pool, &key, (&asked, *day), &theirs, now).await?)
        }
        (Party::Issuer(_), Span::Period(_)) => {
            if !what.theirs.is_empty() {
                return Err("minutes of a month or year are put together from those of its days: \
                            --theirs belongs to a day"
                    .into());
            }
            Ok(of_issuer_period(pool, &key, &asked, now).await?)
        }
    }
}

fn theirs(what: &Make) -> Result<Theirs, Failure> {
    let folder = std::env::temp_dir();
    let (files, again) = once_each(&what.theirs)?;
    for again in again {
        let (file, of) = (again.file.display(), again.of.display());
        tracing::warn!("{file} is {of} again, and is taken once");
    }
    let mapping = mapping(what.theirs_form, what.theirs_as.as_deref())?;
    Ok(Theirs {
        table: table(&files, what.theirs_form, &mapping, &folder)?,
        sources: files.iter().map(|file| source_of(file)).collect::<Result<_, _>>()?,
        rules: rules_of(what.rules.as_deref())?,
        plan: Plan {
            workers: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: None,
            folder,
        },
        by_time: what.by_time,
    })
}

fn told(minutes: &Minutes, as_json: bool) -> String {
    let Minutes { revision, ours, theirs, owed, carried, currency, .. } = minutes;
    let name = minutes.name();
    if as_json {
        return json!({
            "minutes": name, "revision": revision, "ours": ours, "theirs": theirs,
            "net": owed.net, "open_cases": carried.cases.records,
            "open_amount": carried.cases.amount, "classes": minutes.classes,
        })
        .to_string();
    }
    format!(
        "{name}, revision {revision}: ours {} records, theirs {}; net {} {currency}; {} cases open over {}",
        ours.rows, theirs.rows, owed.net, carried.cases.records, carried.cases.amount
    )
}
