//! `reconciliation verify`: every closed day proved again from the stored rows, or one of them.

use std::process::ExitCode;

use clap::Args;
use domain::{BusinessDate, OperatorId};
use sqlx::PgPool;

use super::progress::{Progress, Unit};
use super::{Failure, say};
use crate::config::Config;
use crate::verify::{Which, verify_of};

/// Which days.
#[derive(Debug, Args)]
pub struct Verify {
    /// This settlement day alone.
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<BusinessDate>,
    /// This operator's alone.
    #[arg(long)]
    operator: Option<OperatorId>,
    /// As one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Proves them; fails when something is broken.
///
/// # Errors
/// When the database or the centre's key cannot be read.
pub async fn run(pool: &PgPool, config: &Config, what: &Verify) -> Result<ExitCode, Failure> {
    let which = Which { day: what.day, operator: what.operator.clone() };
    let progress = Progress::new("proving", 0, Unit::Pieces, what.json);
    let key = config.centre.secret_key()?.public();
    let mut days = 0;
    let mut told = |done, of| {
        days = of;
        progress.tell(done, of);
    };
    let verdict = verify_of(pool, &key, &which, &mut told).await?;
    drop(progress);
    if let (Some(day), 0) = (what.day, days) {
        return Err(format!("{day} is not closed: there is nothing to prove of it").into());
    }
    say(&if what.json { serde_json::to_string(&verdict)? } else { verdict.to_string() })?;
    Ok(if verdict.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
