//! `reconciliation window|propose|approve|accept-hole`: a day's life, and the two people behind it.

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use domain::{Clock, LaneId};
use serde_json::json;
use sqlx::PgPool;

use super::{Failure, Which, say};
use crate::approval::{self, Approval, HoleDecision, HoleInLane, Person};
use crate::config::Config;
use crate::window::repo::changes;

/// What is asked about windows.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints what a settlement day became, change by change.
    Window {
        /// Which day.
        #[command(flatten)]
        which: Which,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Proposes a closed day's settlement; another person approves it.
    Propose(SignedBy),
    /// Approves a closed day's settlement, which another person proposed.
    Approve(SignedBy),
    /// Proposes or approves to close a day over numbers of a lane that never came, or figures that differ.
    AcceptHole(AcceptHole),
}

/// Which window, and who.
#[derive(Debug, Args)]
pub struct SignedBy {
    /// Which day.
    #[command(flatten)]
    which: Which,
    /// Who does it.
    #[arg(long, value_name = "PERSON")]
    by: Person,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// A hole, why it is given up, and who says so.
#[derive(Debug, Args)]
pub struct AcceptHole {
    /// Which day, and who.
    #[command(flatten)]
    signed: SignedBy,
    /// The lane.
    #[arg(long)]
    lane: LaneId,
    /// The journal's epoch.
    #[arg(long)]
    epoch: u32,
    /// The first number that is missing.
    #[arg(long, value_name = "NUMBER")]
    first: u64,
    /// The last number that is missing.
    #[arg(long, value_name = "NUMBER")]
    last: u64,
    /// A figure in which the lane's manifest of these numbers differs, as `close` names it; once for
    /// each. Without any, the numbers themselves are given up.
    #[arg(long = "figure", value_name = "WORDS")]
    figures: Vec<String>,
    /// Why what is missing is given up; the second person repeats it word for word.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    /// As the second person: approves what another proposed.
    #[arg(long)]
    approve: bool,
}

/// Does what was asked.
///
/// # Errors
/// When it is refused, or the books fail.
pub async fn run(pool: &PgPool, config: &Config, what: &Command) -> Result<ExitCode, Failure> {
    let now = Clock::of_run(config.clock).now();
    match what {
        Command::Window { which, json } => show(pool, which, *json).await?,
        Command::Propose(SignedBy { which, by, json }) => {
            approval::propose(pool, &which.window(), by, now).await?;
            proposed(which, by, *json)?;
        }
        Command::Approve(SignedBy { which, by, json }) => {
            let approval = approval::approve(pool, &which.window(), by, now).await?;
            approved(which, &approval, *json)?;
        }
        Command::AcceptHole(hole) => {
            let SignedBy { which, by, json } = &hole.signed;
            let decision = hole.decision();
            if hole.approve {
                let window = which.window();
                let approval = approval::approve_hole(pool, &window, &decision, by, now).await?;
                approved(which, &approval, *json)?;
            } else {
                approval::propose_hole(pool, &which.window(), &decision, by, now).await?;
                proposed(which, by, *json)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl AcceptHole {
    fn decision(&self) -> HoleDecision {
        let Self { lane, epoch, first, last, figures, reason, .. } = self;
        let (lane, figures, reason) = (lane.clone(), figures.clone(), reason.clone());
        let hole = HoleInLane { lane, epoch: *epoch, first_seq: *first, last_seq: *last };
        HoleDecision { hole, figures, reason }
    }
}

async fn show(pool: &PgPool, which: &Which, as_json: bool) -> Result<(), Failure> {
    let changes = changes(pool, &which.window()).await?;
    if as_json {
        let object = |change: &crate::window::Change| {
            json!({
                "place": change.place,
                "state": change.state.name(),
                "changed_at": change.changed_at.to_string(),
                "actor": change.actor,
                "reason": change.reason,
            })
        };
        let changes: Vec<_> = changes.iter().map(object).collect();
        let (operator, day) = (which.operator.as_str(), which.day.to_string());
        say(&json!({"operator": operator, "day": day, "changes": changes}).to_string())?;
        return Ok(());
    }
    if changes.is_empty() {
        say("open")?;
    }
    for change in changes {
        let reason = change.reason.map_or_else(String::new, |reason| format!("  {reason}"));
        say(&format!(
            "{:<10} {}  {}{reason}",
            change.state.name(),
            change.changed_at,
            change.actor
        ))?;
    }
    Ok(())
}

fn proposed(which: &Which, by: &Person, as_json: bool) -> Result<(), Failure> {
    let window = which.window();
    let words = format!("{window} proposed by {by}; another person approves");
    let (operator, day) = (which.operator.as_str(), which.day.to_string());
    let object = json!({"operator": operator, "day": day, "proposed_by": by.as_str()});
    Ok(say(&if as_json { object.to_string() } else { words })?)
}

fn approved(which: &Which, approval: &Approval, as_json: bool) -> Result<(), Failure> {
    let (window, Approval { maker, checker, .. }) = (which.window(), approval);
    let words = format!("{window} approved by {checker}, proposed by {maker}");
    let (operator, day) = (which.operator.as_str(), which.day.to_string());
    let object = json!({"operator": operator, "day": day, "approval": approval});
    Ok(say(&if as_json { object.to_string() } else { words })?)
}
