//! Verify: proves from the stored rows alone that every closed day still holds. The checks are pure.
//!
//! *Invariant*: what must hold, by its number in the design where it has one; it is *checked* so
//! many times and *broken* so many of them. Nothing is trusted that can be counted again: figures
//! come from charges and passages, fees from the ledger, and the signature from the centre's key.

mod day;
mod repo;

use std::fmt;

use domain::signature::PublicKey;
use domain::{BusinessDate, OperatorId};
use serde::Serialize;
use sqlx::{PgPool, Postgres, Transaction};

use crate::manifest::told::agreed;
use crate::settlement::{SettlementError, Sheet};

/// How one invariant fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invariant {
    /// Its name.
    pub id: &'static str,
    /// What must hold.
    pub what: &'static str,
    /// How often it was looked at.
    pub checked: u64,
    /// How often it did not hold.
    pub broken: u64,
    /// The first place where it did not.
    pub first: Option<String>,
}

impl Invariant {
    const fn new(id: &'static str, what: &'static str) -> Self {
        Self { id, what, checked: 0, broken: 0, first: None }
    }

    /// Counts `checked` looks, of which `broken` failed at a place.
    fn count(&mut self, checked: u64, broken: u64, place: impl FnOnce() -> String) {
        self.checked += checked;
        self.broken += broken;
        if broken > 0 && self.first.is_none() {
            self.first = Some(place());
        }
    }

    /// Counts one look, which failed where there is something to say.
    fn look(&mut self, failure: Option<String>) {
        let broken = u64::from(failure.is_some());
        self.count(1, broken, || failure.unwrap_or_default());
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether nothing is broken.
    pub ok: bool,
    /// The invariants, in order.
    pub invariants: Vec<Invariant>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14} {:>10} {:>8}  what must hold", "invariant", "checked", "broken")?;
        for Invariant { id, what, checked, broken, first } in &self.invariants {
            writeln!(f, "{id:<14} {checked:>10} {broken:>8}  {what}")?;
            if let Some(first) = first {
                writeln!(f, "{:<14} {:>10} {:>8}  ! {first}", "", "", "")?;
            }
        }
        write!(f, "{}", if self.ok { "all of it holds" } else { "BROKEN" })
    }
}

/// Whose days are checked.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// This one alone.
    pub day: Option<BusinessDate>,
    /// This operator's alone.
    pub operator: Option<OperatorId>,
}

/// Checks every closed day and every statement.
///
/// # Errors
/// When the database fails or holds what it cannot hold; a broken invariant is no error.
pub async fn verify(pool: &PgPool, key: &PublicKey) -> Result<Verdict, SettlementError> {
    verify_of(pool, key, &Which::default(), &mut |_, _| ()).await
}

/// The same of some days; `told` hears how many are done, of how many.
///
/// Each day is read by itself, by one worker of the database, its passages in several statements: a closed
/// day changes no more, and whoever posts meanwhile is not held up.
///
/// # Errors
/// As [`verify`].
pub async fn verify_of(
    pool: &PgPool,
    key: &PublicKey,
    which: &Which,
    told: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Verdict, SettlementError> {
    let mut ledger = day::Invariants::new();
    let mut tx = one_state(pool).await?;
    let days: Vec<_> = repo::days(&mut tx).await?.into_iter().filter(|one| which.is(one)).collect();
    drop(tx);
    for (done, (operator, day)) in (1..).zip(&days) {
        let (sheet, mut tx) = loop {
            let was_sealed = repo::is_sealed(pool, operator, *day).await?;
            let sheet = Sheet::read(pool, operator, *day).await?;
            let mut tx = one_state(pool).await?;
            // One that was sealed while it was counted is counted again.
            if was_sealed || !repo::is_sealed(&mut *tx, operator, *day).await? {
                break (sheet, tx);
            }
        };
        let closed = repo::day(&mut tx, operator, *day, &sheet).await?;
        ledger.check(&closed, key);
        told(done, u64::try_from(days.len()).unwrap_or(u64::MAX));
    }
    let mut tx = one_state(pool).await?;
    let (fees, strays) = repo::fees_without_position(&mut tx, which).await?;
    ledger.check_stray_fees(fees, &strays);
    ledger.check_manifests(&agreed(&mut tx, which).await?);
    Ok(ledger.verdict())
}

impl Which {
    fn is(&self, (operator, day): &(OperatorId, BusinessDate)) -> bool {
        self.day.is_none_or(|wanted| wanted == *day)
            && self.operator.as_ref().is_none_or(|wanted| wanted == operator)
    }
}

/// A transaction that sees one state and takes one processor.
async fn one_state(pool: &PgPool) -> Result<Transaction<'_, Postgres>, SettlementError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to verify"))?;
    repo::take_snapshot(&mut tx).await?;
    Ok(tx)
}
