//! `reconciliation pay|confirm`: orders for the banks, and what their statements show.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use domain::{Amount, BusinessDate, Clock};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgPool;

use super::{Failure, say};
use crate::approval::Person;
use crate::cases::{self, finding};
use crate::config::Config;
use crate::payment::{Booking, BookingKind, Confirmed, Ordered, confirm, pay};
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
    /// Takes what banks booked of the payments: CSV with `end_to_end,kind,amount,booked_on,bank_reference`.
    Confirm {
        /// The file.
        file: PathBuf,
        /// As JSON, an object a line.
        #[arg(long)]
        json: bool,
    },
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
        Command::Confirm { file, json } => take_bookings(pool, file, *json, now).await,
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

/// A row of the file of bookings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    end_to_end: String,
    kind: Kind,
    amount: Amount,
    booked_on: BusinessDate,
    bank_reference: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Paid,
    Returned,
}

/// Reads the whole file before anything is taken; says what became of each line.
async fn take_bookings(
    pool: &PgPool,
    file: &Path,
    as_json: bool,
    now: domain::Timestamp,
) -> Result<ExitCode, Failure> {
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file)?;
    let rows: Vec<Row> = table
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let mut all_well = true;
    for (row, line) in rows.into_iter().zip(2_u64..) {
        let Row { end_to_end, kind, amount, booked_on, bank_reference } = row;
        let kind = match kind {
            Kind::Paid => BookingKind::Paid,
            Kind::Returned => BookingKind::Returned,
        };
        let booking = Booking { end_to_end, kind, amount, booked_on, bank_reference };
        let outcome = match confirm(pool, &booking, now).await {
            Ok(confirmed) => {
                if let Some(found) = finding::of_payment(&booking, &confirmed) {
                    cases::open(pool, &found, &Actor::Program, now).await?;
                }
                all_well &= matches!(confirmed, Confirmed::Before | Confirmed::Whole { .. });
                words_of(&confirmed)
            }
            Err(error) => {
                all_well = false;
                format!("refused: {error}")
            }
        };
        let name = &booking.end_to_end;
        let object = json!({"line": line, "end_to_end": name, "outcome": outcome});
        let words = format!("{}:{line}: {name}: {outcome}", file.display());
        say(&if as_json { object.to_string() } else { words })?;
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn words_of(confirmed: &Confirmed) -> String {
    let named = |windows: &[crate::window::Window]| {
        windows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match confirmed {
        Confirmed::Before => "taken before; nothing changed".to_owned(),
        Confirmed::Whole { matched } => format!("whole; matched now: {}", named(matched)),
        Confirmed::Short { owed, .. } => format!("short; {owed} still owed"),
        Confirmed::Returned { windows } => {
            format!("came back; to be paid again: {}", named(windows))
        }
    }
}
