//! `reconciliation review`: what people ask of the image review that no page has.

use std::process::ExitCode;

use clap::Subcommand;
use domain::{Clock, Plate};
use serde_json::json;
use sqlx::PgPool;

use super::{Failure, say};
use crate::approval::Person;
use crate::config::Config;
use crate::review::erase_plate;

/// What is asked of the review.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Erases a plate from what reviewers read and wrote, as its holder asks; open cases keep theirs.
    Erase {
        /// The plate.
        #[arg(long)]
        plate: Plate,
        /// Who does it.
        #[arg(long, value_name = "PERSON")]
        by: Person,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does what was asked.
///
/// # Errors
/// When the books fail.
pub async fn run(pool: &PgPool, config: &Config, what: &Command) -> Result<ExitCode, Failure> {
    let Command::Erase { plate, by, json } = what;
    let erased = erase_plate(pool, plate, by, Clock::of_run(config.clock).now()).await?;
    let words =
        format!("erased from {erased} looks; where a case is open it stays until that is settled");
    say(&if *json { json!({"erased": erased}).to_string() } else { words })?;
    Ok(ExitCode::SUCCESS)
}
