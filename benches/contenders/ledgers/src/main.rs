//! Posts tolls through other people's ledgers, by their public calls and as their own documentation
//! has it: one account of a customer, one of an operator, one amount, in batches where they take them.
//!
//! `ledger-contenders cala|doubleentry SECONDS` prints, for each way that was tried, a line of the
//! way's name, postings per second and postings, with tabs between. `DATABASE_URL` says where; the
//! database must be empty.
//!
//! What is made easy for them: a thousand customers where ours has a hundred thousand, nothing that a
//! toll needs beside the amount, and no signed bytes.

mod cala;
mod doubleentry;

use std::process::ExitCode;
use std::time::Duration;

pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What every passage costs.
pub const FARE: i64 = 47_000;
/// Operators, whose accounts are hot.
pub const OPERATORS: usize = 12;
/// Customers.
pub const CUSTOMERS: usize = 1_000;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ledger-contenders: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ledger, seconds] = arguments.as_slice() else {
        return Err("usage: ledger-contenders cala|doubleentry SECONDS".into());
    };
    let url = &std::env::var("DATABASE_URL")?;
    let lasting = Duration::from_secs(seconds.parse()?);
    match ledger.as_str() {
        "cala" => cala::measure(url, lasting).await,
        "doubleentry" => doubleentry::measure(url, lasting).await,
        other => Err(format!("{other} is neither cala nor doubleentry").into()),
    }
}

pub fn tell(way: &str, postings: usize, elapsed: Duration) {
    println!("{way}\t{}\t{postings}", postings as f64 / elapsed.as_secs_f64());
}
