//! Payment: approved windows become orders to the issuers' banks, and are held against what the banks
//! then show.
//!
//! An *order* is one file for one issuer's bank (ISO 20022 pain.001), with one *payment* for each
//! operator it owes: the sum of the pair's positions that are approved and not paid. Nobody types an
//! amount, so nobody approves one again: two people have approved every figure in it. Where a pair's
//! sum is not above zero nothing can be paid; its positions are *carried* into the pair's next payment.
//!
//! A *booking* is a line of a bank's statement. It is posted through the ledger's door for what was
//! really paid; windows whose payments are booked to the last unit are matched. Less than that leaves
//! the window paid and the rest owed, which is a case. Deliberately absent: sending files to banks,
//! and reading their statements (`sides`).

pub mod pain;
pub mod repo;

use std::collections::{BTreeMap, BTreeSet};

use clearing_house::ledger::{LedgerAccountKey, NewTransfer, TransferKind, post_in_tx};
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
    /// More would be returned than was paid, or paid than was ordered.
    #[error("payment {end_to_end} is {ordered}; the bank shows {booked} more than that")]
    TooMuch {
        /// The payment.
        end_to_end: String,
        /// What was ordered.
        ordered: Amount,
        /// By how much it is exceeded.
        booked: Amount,
    },
    /// A bank gives back a payment whole, or it is another payment.
    #[error(
        "{returned} came back of payment {end_to_end}, of which {paid} was paid: all of it comes back, or none"
    )]
    PartReturned {
        /// The payment.
        end_to_end: String,
        /// What came back.
        returned: Amount,
        /// What was paid of it.
        paid: Signed,
    },
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
        settle_if_booked(&mut tx, window, now).await?;
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

/// A line of a bank's statement about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// The payment's number, as the order gave it.
    pub end_to_end: String,
    /// Whether money went or came back.
    pub kind: BookingKind,
    /// How much.
    pub amount: Amount,
    /// On which day.
    pub booked_on: BusinessDate,
    /// The bank's own reference, which it uses once.
    pub bank_reference: String,
}

/// Whether money went or came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookingKind {
    /// It reached the operator.
    Paid,
    /// It came back.
    Returned,
}

impl BookingKind {
    /// Its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Returned => "returned",
        }
    }
}

/// What a booking came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// It was taken before, and nothing was changed.
    Before,
    /// The payment is booked to the last unit; these windows are matched now.
    Whole {
        /// Which.
        matched: Vec<Window>,
    },
    /// So much of the payment is still owed.
    Short {
        /// How much.
        owed: Amount,
        /// For which windows.
        windows: Vec<Window>,
    },
    /// It came back: these windows are to be paid again.
    Returned {
        /// Which.
        windows: Vec<Window>,
    },
}

/// Takes a line of a bank's statement: posts what was paid and matches what is whole.
///
/// # Errors
/// When the payment is unknown, the reference was used for something else, the bank shows more than
/// was ordered, or the database fails.
pub async fn confirm(
    pool: &PgPool,
    booking: &Booking,
    now: Timestamp,
) -> Result<Confirmed, PaymentError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to confirm"))?;
    repo::hold_payments(&mut tx).await?;
    let Some(known) = repo::payment(&mut tx, &booking.end_to_end).await? else {
        return Err(PaymentError::Unknown(booking.end_to_end.clone()));
    };
    match repo::booked(&mut tx, &known.issuer, &booking.bank_reference).await? {
        Some(taken) if taken == *booking => return Ok(Confirmed::Before),
        Some(_) => return Err(PaymentError::Reused(booking.bank_reference.clone())),
        None => {}
    }
    let sign = match booking.kind {
        BookingKind::Paid => Signed::from(booking.amount),
        BookingKind::Returned => Signed::ZERO.minus(booking.amount.into())?,
    };
    let paid = known.paid.plus(sign)?;
    let beyond = paid.minus(known.amount.into())?.above_zero().or(paid.below_zero());
    if let Some(booked) = beyond {
        let (end_to_end, ordered) = (booking.end_to_end.clone(), known.amount);
        return Err(PaymentError::TooMuch { end_to_end, ordered, booked });
    }
    if booking.kind == BookingKind::Returned && paid != Signed::ZERO {
        let (end_to_end, returned) = (booking.end_to_end.clone(), booking.amount);
        return Err(PaymentError::PartReturned { end_to_end, returned, paid: known.paid });
    }
    repo::insert_booking(&mut tx, &known.issuer, booking, now).await?;
    post_in_tx(&mut tx, &[transfer(&known, booking, now)]).await.map_err(SettlementError::from)?;
    let windows = repo::windows_of(&mut tx, &booking.end_to_end).await?;
    for window in &windows {
        hold(&mut tx, window).await?;
    }
    let confirmed = match (booking.kind, Signed::from(known.amount).minus(paid)?.above_zero()) {
        (BookingKind::Returned, _) => {
            for window in &windows {
                let reason = Some(booking.bank_reference.as_str());
                change_in_tx(&mut tx, window, Event::Return, &Actor::Program, now, reason).await?;
            }
            Confirmed::Returned { windows }
        }
        (BookingKind::Paid, Some(owed)) => Confirmed::Short { owed, windows },
        (BookingKind::Paid, None) => {
            let mut matched = Vec::new();
            for window in windows {
                if settle_if_booked(&mut tx, &window, now).await? {
                    matched.push(window);
                }
            }
            Confirmed::Whole { matched }
        }
    };
    tx.commit().await.map_err(SettlementError::database("commit a booking"))?;
    Ok(confirmed)
}

/// Matches a paid window when nothing of it is outstanding; says whether it did.
async fn settle_if_booked(
    tx: &mut sqlx::PgConnection,
    window: &Window,
    now: Timestamp,
) -> Result<bool, PaymentError> {
    if repo::is_outstanding(tx, window).await? {
        return Ok(false);
    }
    change_in_tx(tx, window, Event::Match, &Actor::Program, now, None).await?;
    Ok(true)
}

/// Money that went to the operator is owed no more; money that came back is owed again.
fn transfer(known: &repo::Known, booking: &Booking, now: Timestamp) -> NewTransfer {
    let (issuer, operator) = (known.issuer.clone(), known.operator.clone());
    let bank = LedgerAccountKey::Bank(issuer.clone());
    let owed = LedgerAccountKey::Payable { issuer, operator: operator.clone() };
    let (debit, credit) = match booking.kind {
        BookingKind::Paid => (owed, bank),
        BookingKind::Returned => (bank, owed),
    };
    NewTransfer {
        kind: TransferKind::Payment,
        debit,
        credit,
        amount: booking.amount,
        operator: Some(operator),
        day: booking.booked_on,
        posted_at: now,
        passage: None,
        reference: Some(format!("{}/{}", known.issuer, booking.bank_reference)),
    }
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
