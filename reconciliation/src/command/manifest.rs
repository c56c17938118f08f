//! `reconciliation manifest`: what each lane wrote on a day, and whether the books have it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use domain::{Clock, Timestamp};
use serde_json::json;
use sqlx::PgPool;

use super::{Failure, Which, say};
use crate::config::Config;
use crate::manifest::lanes::VerdictOf;
use crate::manifest::repo::of_day;
use crate::manifest::standing::{JournalDay, Standing, standing};
use crate::manifest::told::{calendar_of, check, journals_of_day};
use crate::manifest::{Manifest, differences};

/// Which day, and against what.
#[derive(Debug, Args)]
pub struct Show {
    /// Which day.
    #[command(flatten)]
    which: Which,
    /// The lanes' own manifests, JSON lines of the same shape: names every difference, and fails.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// How each lane's own manifest stands; fails where one is missing or differs.
    #[arg(long, conflicts_with = "against")]
    told: bool,
    /// As JSON lines.
    #[arg(long)]
    json: bool,
}

/// Prints the books' manifests, or how the lanes' own differ.
///
/// # Errors
/// When the file is none, or the books fail.
pub async fn run(pool: &PgPool, config: &Config, what: &Show) -> Result<ExitCode, Failure> {
    if what.told {
        let now = Clock::of_run(config.clock).now();
        return told(pool, what, now).await;
    }
    let books = of_day(pool, &what.which.window()).await?;
    let Some(file) = &what.against else {
        for one in &books {
            say(&if what.json { serde_json::to_string(one)? } else { line_of(one) })?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let found = differences(&books, &read(file)?);
    for line in &found {
        say(&if what.json { json!({ "differs": line }).to_string() } else { line.clone() })?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How the lanes stand with what they told themselves.
async fn told(pool: &PgPool, what: &Show, now: Timestamp) -> Result<ExitCode, Failure> {
    let window = what.which.window();
    let calendar = calendar_of(pool, &window.operator).await?;
    check(pool, &window.operator, window.day, now).await?;
    let mut is_well = true;
    for journal in journals_of_day(pool, &window.operator, window.day).await? {
        let JournalDay { lane, epoch, .. } = &journal;
        let (state, words) = match (standing(window.day, &calendar, &journal, now), &journal.told) {
            (Standing::Silent, _) => ("silent", Vec::new()),
            (Standing::Awaited { due_at }, _) => ("awaited", vec![format!("due at {due_at}")]),
            (Standing::Missing { due_at }, _) => ("missing", vec![format!("was due at {due_at}")]),
            (Standing::Forgotten { upto_seq }, _) => {
                ("forgotten", vec![format!("its journal has forgotten numbers up to {upto_seq}")])
            }
            (Standing::Told, told) => {
                let told = told.as_ref();
                let state = told.and_then(|told| told.verdict).map_or("unchecked", VerdictOf::name);
                let words = told.map(|told| [told.figures.clone(), told.loops.clone()].concat());
                (state, words.unwrap_or_default())
            }
        };
        is_well &= matches!(state, "agrees" | "silent") && words.is_empty();
        let numbers = journal.told.as_ref().map(|told| (told.first_seq, told.last_seq));
        say(&if what.json {
            let value = json!({
                "lane": lane, "epoch": epoch, "standing": state, "numbers": numbers, "differs": words,
            });
            value.to_string()
        } else {
            let (first, last) = numbers.unwrap_or_default();
            format!(
                "{lane:<32} {epoch:>4} {state:<9} {first:>10} to {last:>10} {}",
                words.join("; ")
            )
        })?;
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(file: &Path) -> Result<Vec<Manifest>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("read {}: {error}", file.display()))?;
    let lines = text.lines().zip(1_u32..).filter(|(line, _)| !line.trim().is_empty());
    lines
        .map(|(line, number)| {
            serde_json::from_str(line)
                .map_err(|error| format!("{}:{number}: {error}", file.display()).into())
        })
        .collect()
}

fn line_of(one: &Manifest) -> String {
    let Manifest { lane, epoch, first_seq, last_seq, passages, .. } = one;
    let amount = one.amount.unwrap_or_default();
    let head = one.head.as_deref().unwrap_or_default();
    format!(
        "{lane:<32} {epoch:>4} {first_seq:>10} to {last_seq:>10} {passages:>10} {amount:>14} {head}"
    )
}
