//! Payment: approved windows become orders to the issuers' banks, and are held against what the banks
//! then show.
//!
//! An *order* is one file for one issuer's bank (ISO 20022 pain.001), with one *payment* for each
//! operator it owes: the sum of the pair's positions that are approved and not paid. Nobody types an
//! amount, so nobody approves one again: two people have approved every figure in it. Where a pair's
//! sum is not above zero nothing can be paid; its positions are *carried* into the pair's next payment.
//!
//! What banks' statements show of it is `booking`. Deliberately absent: sending files to banks, and
//! reading their statements (`sides`).

mod booking;
pub mod pain;
pub mod repo;

pub use booking::{Booking, BookingKind, Confirmed, Unassigned, confirm, keep_unknown};
pub(crate) use booking::{assign_in_tx, is_put_right};

use std::collections::{BTreeMap, BTreeSet};

use domain::{Amount, BusinessDate, Currency, IssuerId, MoneyError, OperatorId, Timestamp};
use sqlx::PgPool;

use crate::money::Signed;
use crate::settlement::SettlementError;
use crate::window::repo::{change_in_tx, hold};
use crate::window::{Actor, Event, Window};
use pain::{Order, Party, Payment};

/// Why nothing was ordered, or a booking not taken.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// Where somebody is paid or pays from is not known.
    #[error("{kind} {party} has no bank account: bring one in with `reconciliation contract FILE`")]
    NoBankAccount {
        /// `issuer` or `operator`.
        kind: &'static str,
        /// Who.
        party: String,
    },
    /// An issuer pays operators in different currencies.
    #[error("issuer {issuer} owes {first} and {other}; an order has one currency")]
    Currencies {
        /// Who.
        issuer: IssuerId,
        /// One currency.
        first: Currency,
        /// Another.
        other: Currency,
    },
    /// No payment has this number.
    #[error("no payment {0} was ordered")]
    Unknown(String),
    /// The bank's reference was taken before, for something else.
    #[error("bank reference {0} was taken before, for another payment or amount")]
    Reused(String),
    /// More came back than was paid.
    #[error("payment {end_to_end}: {beyond} more came back than was paid")]
    TooMuch {
        /// The payment.
        end_to_end: String,
        /// By how much.
        beyond: Amount,
    },
    /// A bank that was never told to pay anybody.
    #[error("issuer {0} was never told to pay anybody: whose bank statement is this?")]
    NeverPaid(IssuerId),
    /// No such line of a bank's statement waits.
    #[error("{0} is no line of a bank's statement that waits for its payment")]
    NotWaiting(String),
    /// A sum is past what the books hold.
    #[error("sum the payments")]
    Money(#[from] MoneyError),
    /// The books failed.
    #[error(transparent)]
    Books(#[from] SettlementError),
}

/// A position that is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) window: Window,
    pub(crate) issuer: IssuerId,
    pub(crate) net: Signed,
}

/// What a pair's positions come to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Settled {
    /// They are paid.
    Pay(Amount),
    /// They wait for the next payment.
    Carry,
}

/// An issuer's debt to an operator.
#[derive(Debug)]
struct Pair {
    issuer: IssuerId,
    operator: OperatorId,
    settled: Settled,
    due: Vec<Due>,
}

/// Sums positions by pair, and says what becomes of each pair. Pure.
fn by_pair(due: Vec<Due>) -> Result<Vec<Pair>, MoneyError> {
    let mut pairs: BTreeMap<(IssuerId, OperatorId), Vec<Due>> = BTreeMap::new();
    for one in due {
        let pair = (one.issuer.clone(), one.window.operator.clone());
        pairs.entry(pair).or_default().push(one);
    }
    pairs
        .into_iter()
        .map(|((issuer, operator), due)| {
            let sum = Signed::sum(due.iter().map(|one| one.net))?;
            let settled = sum.above_zero().map_or(Settled::Carry, Settled::Pay);
            Ok(Pair { issuer, operator, settled, due })
        })
        .collect()
}

/// An order that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Its number, which names its file too.
    pub number: i64,
    /// Whose bank it is for.
    pub issuer: IssuerId,
    /// How much.
    pub total: Amount,
    /// How many payments.
    pub payments: usize,
    /// The file.
    pub document: String,
}

/// Orders the payment of every approved window up to a day, and makes them paid; all or nothing.
///
/// # Errors
/// When somebody's bank account is not known, or the database fails.
pub async fn pay(
    pool: &PgPool,
    through: BusinessDate,
    execute_on: BusinessDate,
    actor: &Actor,
    now: Timestamp,
) -> Result<Vec<Ordered>, PaymentError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to pay"))?;
    repo::hold_payments(&mut tx).await?;
    let windows = repo::approved_through(&mut tx, through).await?;
    for window in &windows {
        hold(&mut tx, window).await?;
    }
    let due = repo::due(&mut tx, &windows).await?;
    let mut orders: BTreeMap<IssuerId, Vec<(OperatorId, Amount, Vec<Due>)>> = BTreeMap::new();
    for Pair { issuer, operator, settled, due } in by_pair(due)? {
        match settled {
            Settled::Pay(amount) => orders.entry(issuer).or_default().push((operator, amount, due)),
            Settled::Carry => repo::carry(&mut tx, &due, now).await?,
        }
    }
    let mut made = Vec::new();
    for (issuer, payments) in orders {
        made.push(order(&mut tx, issuer, payments, (execute_on, now)).await?);
    }
    for window in &windows {
        change_in_tx(&mut tx, window, Event::Pay, actor, now, None).await?;
        // A window with nothing to pay has nothing to wait for.
        booking::settle_if_booked(&mut tx, window, now).await?;
    }
    tx.commit().await.map_err(SettlementError::database("commit the orders"))?;
    Ok(made)
}

async fn order(
    tx: &mut sqlx::PgConnection,
    issuer: IssuerId,
    payments: Vec<(OperatorId, Amount, Vec<Due>)>,
    (execute_on, now): (BusinessDate, Timestamp),
) -> Result<Ordered, PaymentError> {
    let number = repo::next_order(tx).await?;
    let debtor = repo::bank_account(tx, "issuer", issuer.as_str(), execute_on).await?;
    let mut currencies = BTreeSet::new();
    let mut written = Vec::new();
    for (index, (operator, amount, due)) in payments.iter().enumerate() {
        currencies.insert(repo::currency(tx, operator).await?);
        let days = due.iter().map(|one| one.window.day);
        let (first, last) = (days.clone().min(), days.max());
        let days = first.zip(last).map_or_else(String::new, |(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first} to {last}"),
        });
        written.push(Payment {
            end_to_end: format!("ETC{number:012}-{:04}", index + 1),
            amount: *amount,
            creditor: repo::bank_account(tx, "operator", operator.as_str(), execute_on).await?,
            remittance: format!("Toll {operator} {days}"),
        });
    }
    let mut currencies = currencies.into_iter();
    let currency = match (currencies.next(), currencies.next()) {
        (Some(first), Some(other)) => {
            return Err(PaymentError::Currencies { issuer, first, other });
        }
        (first, _) => first.unwrap_or(Currency::VND),
    };
    let order = Order {
        id: format!("ETC{number:012}"),
        created_at: now,
        execute_on,
        currency,
        debtor,
        payments: written,
    };
    let ordered = Ordered {
        number,
        issuer,
        total: order.total()?,
        payments: order.payments.len(),
        document: pain::write(&order)?,
    };
    repo::insert_order(tx, &ordered, &order, &payments).await?;
    Ok(ordered)
}

impl Order {
    /// What all of it comes to.
    ///
    /// # Errors
    /// When the sum is past what the books hold.
    pub fn total(&self) -> Result<Amount, MoneyError> {
        Amount::sum(self.payments.iter().map(|payment| payment.amount))
    }
}

impl Party {
    pub(crate) fn new(holder: String, number: String, bic: String) -> Self {
        Self { holder, number, bic }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(issuer: &str, operator: &str, day: &str, net: i64) -> Due {
        let window = Window::new(operator.parse().unwrap(), day.parse().unwrap());
        Due { window, issuer: issuer.parse().unwrap(), net: Signed::new(net) }
    }

    #[test]
    fn a_pair_that_is_owed_nothing_waits_and_the_others_are_paid() {
        let pairs = by_pair(vec![
            due("vetc", "cienco4", "2026-11-20", 100),
            due("vetc", "cienco4", "2026-11-21", -30),
            due("vdtc", "cienco4", "2026-11-21", -5),
            due("vetc", "vec", "2026-11-21", 7),
        ]);
        let told: Vec<String> = pairs
            .unwrap()
            .into_iter()
            .map(|Pair { issuer, operator, settled, due }| {
                format!("{issuer} {operator} {settled:?} {}", due.len())
            })
            .collect();
        assert_eq!(
            told,
            ["vdtc cienco4 Carry 1", "vetc cienco4 Pay(Amount(70)) 2", "vetc vec Pay(Amount(7)) 1"]
        );
    }
}
