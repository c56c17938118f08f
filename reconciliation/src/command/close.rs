//! `reconciliation close`.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use domain::{BusinessDate, Clock};
use serde_json::json;
use sqlx::PgPool;

use super::progress::{Progress, Unit};
use super::{Failure, say};
use crate::approval::Person;
use crate::cases;
use crate::config::Config;
use crate::settlement::{DayClose, Outcome, Today, close_through_by};
use crate::statement::filed;
use crate::statement::repo::{papers_through, unstated_through};

/// How often it is looked how far a close is.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Which days, and on whose word.
#[derive(Debug, Args)]
pub struct Close {
    /// The last day to close.
    #[arg(long, value_name = "YYYY-MM-DD")]
    through: BusinessDate,
    /// Why days are closed that are not over.
    #[arg(long, value_name = "REASON", value_parser = NonEmptyStringValueParser::new())]
    early: Option<String>,
    /// Who closes, and thereby proposes the settlements; another approves them.
    #[arg(long, value_name = "PERSON")]
    by: Option<Person>,
    /// One JSON object a day instead of a line.
    #[arg(long)]
    json: bool,
}

/// Closes, and files the statements.
///
/// # Errors
/// When the books fail, or a statement cannot be filed.
pub async fn run(pool: &PgPool, config: &Config, what: &Close) -> Result<ExitCode, Failure> {
    let clock = Clock::of_run(config.clock);
    let today = Today { clock: &clock, early_reason: what.early.as_deref() };
    let key = config.centre.secret_key()?;
    let closing = close_through_by(pool, what.through, today, &key, what.by.as_ref());
    let closes = watched(pool, what, closing).await;
    // Also when a later day failed: what is closed is filed.
    for (operator, day, paper) in papers_through(pool, what.through).await? {
        filed::file(&config.statements.folder, &operator, day, &paper)?;
    }
    let closes = closes?;
    if closes.is_empty() && !what.json {
        say(&format!("no day up to {} has charges", what.through))?;
    }
    let mut refused = false;
    for (code, found) in cases::open_of_closes(pool, &closes, clock.now()).await? {
        tracing::warn!(
            case = code,
            kind = found.kind.name(),
            "a day does not close, or lacks something"
        );
    }
    for close in &closes {
        refused |= matches!(close.outcome, Outcome::Refused(_));
        say(&if what.json { object_of(close).to_string() } else { line_of(close) })?;
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Awaits a close, and shows whoever watches how many days have got their statements.
async fn watched<T>(pool: &PgPool, what: &Close, closing: impl Future<Output = T>) -> T {
    // Nothing that only shows how far it is stops a close.
    let days = unstated_through(pool, what.through).await.unwrap_or(0);
    let progress = Progress::new("closing", days, Unit::Pieces, what.json);
    let mut closing = std::pin::pin!(closing);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            closes = &mut closing => return closes,
            _ = looks.tick(), if progress.is_watched() => {
                if let Ok(left) = unstated_through(pool, what.through).await {
                    progress.tell(days.saturating_sub(left), days);
                }
            }
        }
    }
}

fn object_of(DayClose { operator, day, outcome }: &DayClose) -> serde_json::Value {
    let (outcome, totals, reasons) = match outcome {
        Outcome::Closed { totals, .. } => ("closed", Some(totals), Vec::new()),
        Outcome::ClosedBefore => ("closed-before", None, Vec::new()),
        Outcome::Refused(refusals) => {
            ("refused", None, refusals.iter().map(ToString::to_string).collect())
        }
    };
    let (operator, day) = (operator.as_str(), day.to_string());
    json!({"operator": operator, "day": day, "outcome": outcome, "totals": totals, "reasons": reasons})
}

fn line_of(DayClose { operator, day, outcome }: &DayClose) -> String {
    match outcome {
        Outcome::Closed { totals, currency } => format!(
            "{operator} {day} closed: {} passages, gross {}, adjustments {}, fee {}, VAT {}, net {}, \
             cash {} {currency}",
            totals.passages,
            totals.gross,
            totals.adjustment,
            totals.fee,
            totals.vat,
            totals.net,
            totals.cash
        ),
        Outcome::ClosedBefore => format!("{operator} {day} was closed before; nothing changed"),
        Outcome::Refused(refusals) => {
            let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            format!("{operator} {day} is not closed: {}", reasons.join("; "))
        }
    }
}
