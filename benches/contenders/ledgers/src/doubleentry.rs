//! `doubleentry`: a rule core and a Merkle log; `record_batch` takes batches, one writer a ledger.

use std::time::{Duration, Instant};

use doubleentry::currency::EUR;
use doubleentry::store::{Postgres, SqlStore};
use doubleentry::{AccountKind, Amount, Date, Entry, Ledger, LedgerId, date};

use crate::{FARE, Failed, OPERATORS, tell};

/// Each is opened by a call of its own, so fewer than elsewhere.
const CUSTOMERS: usize = 200;
const DAY: Date = date!("2026-03-02");
const SINCE: Date = date!("2026-01-01");

pub async fn measure(url: &str, lasting: Duration) -> Result<(), Failed> {
    let store = SqlStore::postgres(url).await?;
    let ledger = Ledger::new(store, LedgerId::new("example.com/tolls")?).await?;
    ledger.declare_currency(EUR, 2, SINCE).await?;
    ledger.define_months(2026, 1..=12).await?;
    for customer in 0..CUSTOMERS {
        ledger.open(customer_account(customer), AccountKind::Liability, SINCE).await?;
    }
    for operator in 0..OPERATORS {
        ledger.open(operator_account(operator), AccountKind::Liability, SINCE).await?;
    }
    let mut postings = 0;
    for batch_len in [1, 1_000] {
        let first = postings;
        let started = Instant::now();
        while started.elapsed() < lasting {
            record(&ledger, postings, batch_len).await?;
            postings += batch_len;
        }
        tell(&format!("batches of {batch_len}"), postings - first, started.elapsed());
    }
    Ok(())
}

fn customer_account(number: usize) -> String {
    format!("Liabilities:Customers:c{number}")
}

fn operator_account(number: usize) -> String {
    format!("Liabilities:Operators:o{number}")
}

async fn record(
    ledger: &Ledger<SqlStore<Postgres>>,
    from: usize,
    batch_len: usize,
) -> Result<(), Failed> {
    let amount = Amount::from_minor(i128::from(FARE))?;
    let entry = |number: usize| {
        Entry::new(format!("toll-{number}"), DAY)
            .debit(customer_account(number * 7 % CUSTOMERS), amount, EUR)
            .credit(operator_account(number % OPERATORS), amount, EUR)
    };
    ledger.record_batch((from..from + batch_len).map(entry)).await?;
    Ok(())
}
