//! `reconciliation contract|deadlines|positions`: the terms, what is due when, who is left with what.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use clearing_house::config::load;
use domain::{BusinessDate, Clock};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Failure, say};
use crate::calendar::repo::items;
use crate::calendar::{Item, Standing};
use crate::config::Config;
use crate::contract::file::{ContractFile, import};
use crate::netting::repo::obligations;
use crate::netting::{Parts, net};

/// What is asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Brings in contracts, bank calendars and bank accounts from a TOML file, whole or not at all.
    Contract {
        /// The file.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints what is due when, and how old what is overdue is; fails when something is overdue.
    Deadlines {
        /// Of which days on.
        #[arg(long, value_name = "YYYY-MM-DD")]
        since: BusinessDate,
        /// Also what was met.
        #[arg(long)]
        all: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints what every issuer owes every operator for closed days, and everybody's net position.
    Positions {
        /// The first day.
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: BusinessDate,
        /// The last day.
        #[arg(long, value_name = "YYYY-MM-DD")]
        through: BusinessDate,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does what was asked.
///
/// # Errors
/// When it is refused, or the books fail.
pub async fn run(pool: &PgPool, config: &Config, what: &Command) -> Result<ExitCode, Failure> {
    match what {
        Command::Contract { file, json } => {
            let contracts: ContractFile = load(file)?;
            import(pool, &contracts).await?;
            let ContractFile { contract, bank_account, bank_calendar } = &contracts;
            let counts = [contract.len(), bank_account.len(), bank_calendar.len()];
            let [terms, accounts, calendars] = counts;
            let object = json!({
                "contracts": terms, "bank_accounts": accounts, "bank_calendars": calendars,
            });
            let words =
                format!("{terms} contracts, {accounts} bank accounts, {calendars} bank calendars");
            say(&if *json { object.to_string() } else { words })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Deadlines { since, all, json } => {
            let now = Clock::of_run(config.clock).now();
            let mut items = items(pool, *since, now).await?;
            if !all {
                items.retain(|item| !matches!(item.standing, Standing::Met | Standing::MetLate));
            }
            let overdue = |item: &Item| matches!(item.standing, Standing::Overdue { .. });
            let failed = items.iter().any(overdue);
            if *json {
                say(&Value::from(items.iter().map(object_of).collect::<Vec<_>>()).to_string())?;
            } else {
                items.iter().try_for_each(|item| say(&line_of(item)))?;
            }
            Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Command::Positions { from, through, json } => {
            positions(pool, *from, *through, *json).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn object_of(item: &Item) -> Value {
    json!({
        "operator": item.operator.as_str(),
        "issuer": item.issuer.as_str(),
        "duty": item.duty.to_string(),
        "due": item.due.to_string(),
        "standing": item.standing.name(),
    })
}

fn line_of(Item { operator, issuer, duty, due, standing }: &Item) -> String {
    let pair = format!("{issuer} to {operator}");
    format!("{due}  {:<28} {pair:<32} {duty}", standing.name())
}

async fn positions(
    pool: &PgPool,
    from: BusinessDate,
    through: BusinessDate,
    as_json: bool,
) -> Result<(), Failure> {
    let obligations = obligations(pool, from, through).await?;
    let positions = net(&obligations)?;
    if as_json {
        let nets: Vec<Value> = positions
            .iter()
            .map(|(who, parts)| json!({"participant": who.to_string(), "parts": parts}))
            .collect();
        say(&json!({"obligations": obligations, "positions": nets}).to_string())?;
        return Ok(());
    }
    let line = |name: &str, Parts { gross, adjustment, fee, vat, net }: &Parts| {
        say(&format!("{name:<48} {gross:>16} {adjustment:>14} {fee:>14} {vat:>12} {net:>16}"))
    };
    say(&format!(
        "{:<48} {:>16} {:>14} {:>14} {:>12} {:>16}",
        "", "gross", "adjustment", "fee", "VAT", "net"
    ))?;
    for one in &obligations {
        line(&format!("{} {} to {}", one.day, one.issuer, one.operator), &one.parts)?;
    }
    for (who, parts) in &positions {
        line(&who.to_string(), parts)?;
    }
    Ok(())
}
