//! `reconciliation manifest`: what each lane wrote on a day, and whether the books have it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sqlx::PgPool;

use super::{Failure, Which, say};
use crate::manifest::repo::of_day;
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
    /// As JSON lines.
    #[arg(long)]
    json: bool,
}

/// Prints the books' manifests, or how the lanes' own differ.
///
/// # Errors
/// When the file is none, or the books fail.
pub async fn run(pool: &PgPool, what: &Show) -> Result<ExitCode, Failure> {
    let books = of_day(pool, &what.which.window()).await?;
    let Some(file) = &what.against else {
        for one in &books {
            say(&if what.json { serde_json::to_string(one)? } else { line_of(one) })?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let found = differences(&books, &read(file)?);
    for line in &found {
        say(line)?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
