//! `reconciliation pay|confirm`: orders for the banks, and what their statements show.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use domain::{BusinessDate, Clock};
use serde_json::json;
use sqlx::PgPool;

use super::confirm::Confirm;
use super::{Failure, say};
use crate::approval::Person;
use crate::config::Config;
use crate::payment::{Ordered, pay};
use crate::window::Actor;

/// What is asked about payments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Orders the payment of every approved day, and files a pain.001 for each issuer's bank.
    Pay {
        /// The last day to pay.
        #[arg(long, value_name = "YYYY-MM-DD")]
        through: BusinessDate,
        /// When the banks are to pay.
        #[arg(long, value_name = "YYYY-MM-DD")]
        execute_on: BusinessDate,
        /// Who orders it.
        #[arg(long, value_name = "PERSON")]
        by: Person,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Takes what banks booked of the payments; opens a case for whatever is wrong with it.
    Confirm(Confirm),
}

/// Does what was asked.
///
/// # Errors
/// When it is refused, or the books fail.
pub async fn run(pool: &PgPool, config: &Config, what: &Command) -> Result<ExitCode, Failure> {
    let now = Clock::of_run(config.clock).now();
    match what {
        Command::Pay { through, execute_on, by, json } => {
            let actor = Actor::Person(by.clone());
            let orders = pay(pool, *through, *execute_on, &actor, now).await?;
            for order in &orders {
                let file = file_order(&config.statements.folder, order)?;
                say(&told(order, &file, *json))?;
            }
            if orders.is_empty() && !json {
                say("nothing to pay")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Confirm(what) => what.run(pool, now).await,
    }
}

fn file_order(folder: &Path, order: &Ordered) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join(format!("payment-{}-ETC{:012}.xml", order.issuer, order.number));
    std::fs::write(&file, &order.document)
        .map_err(|error| format!("write {}: {error}", file.display()))?;
    Ok(file)
}

fn told(order: &Ordered, file: &Path, as_json: bool) -> String {
    let Ordered { issuer, total, payments, .. } = order;
    let words = format!("{issuer} pays {total} in {payments} payments: {}", file.display());
    let object = json!({
        "issuer": issuer.as_str(),
        "total": total.minor_units(),
        "payments": payments,
        "file": file,
    });
    if as_json { object.to_string() } else { words }
}
