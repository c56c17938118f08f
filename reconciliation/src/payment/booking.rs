//! Bookings: what banks' statements show of payments.
//!
//! A *booking* is a line of a bank's statement about a payment. It is posted through the ledger's door
//! for what was really paid; windows whose payments are booked to the last unit are matched. Less than
//! that leaves the window paid and the rest owed; more than that stays with the operator, who owes it
//! back; a payment that came back whole is over, and what it was for is ordered again. Each of these
//! is a case. A line about a payment that nobody ordered is kept, and is *assigned* to one by a case.

use clearing_house::ledger::{LedgerAccountKey, NewTransfer, TransferKind, post_in_tx};
use domain::{Amount, BusinessDate, IssuerId, Timestamp};
use sqlx::{PgConnection, PgPool};

use super::{PaymentError, repo};
use crate::cases::{self, finding};
use crate::money::Signed;
use crate::settlement::SettlementError;
use crate::window::repo::{change_in_tx, hold};
use crate::window::{Actor, Event, State, Window};

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
    /// So much more was paid than is owed: it is to come back.
    Over {
        /// How much.
        beyond: Amount,
        /// What the payment was for.
        windows: Vec<Window>,
    },
    /// All of it came back: these windows are to be paid again.
    Returned {
        /// Which.
        windows: Vec<Window>,
    },
}

/// Takes a line of a bank's statement: posts what was paid and matches what is whole. What it leaves
/// wrong is a case in the same transaction: a line that was taken before opens none any more.
///
/// # Errors
/// When the payment is unknown, the reference was used for something else, more came back than was
/// paid, or the database fails.
pub async fn confirm(
    pool: &PgPool,
    booking: &Booking,
    now: Timestamp,
) -> Result<Confirmed, PaymentError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to confirm"))?;
    let confirmed = confirm_in_tx(&mut tx, booking, now).await?;
    if let Some(found) = finding::of_payment(booking, &confirmed) {
        cases::open_in_tx(&mut tx, &found, &Actor::Program, now).await?;
    }
    tx.commit().await.map_err(SettlementError::database("commit a booking"))?;
    Ok(confirmed)
}

async fn confirm_in_tx(
    tx: &mut PgConnection,
    booking: &Booking,
    now: Timestamp,
) -> Result<Confirmed, PaymentError> {
    repo::hold_payments(tx).await?;
    let Some(known) = repo::payment(tx, &booking.end_to_end).await? else {
        return Err(PaymentError::Unknown(booking.end_to_end.clone()));
    };
    match repo::booked(tx, &known.issuer, &booking.bank_reference).await? {
        Some(taken) if taken == *booking => return Ok(Confirmed::Before),
        Some(_) => return Err(PaymentError::Reused(booking.bank_reference.clone())),
        None => {}
    }
    let sign = match booking.kind {
        BookingKind::Paid => Signed::from(booking.amount),
        BookingKind::Returned => Signed::ZERO.minus(booking.amount.into())?,
    };
    let paid = known.paid.plus(sign)?;
    if let Some(beyond) = paid.below_zero() {
        let end_to_end = booking.end_to_end.clone();
        return Err(PaymentError::TooMuch { end_to_end, beyond });
    }
    repo::insert_booking(tx, &known.issuer, booking, now).await?;
    post_in_tx(tx, &[transfer(&known, booking, now)]).await.map_err(SettlementError::from)?;
    let windows = repo::windows_of(tx, &booking.end_to_end).await?;
    for (window, _state) in &windows {
        hold(tx, window).await?;
    }
    // A payment that came back whole is owed no more: another stands for it.
    let wanted = if known.came_back { Signed::ZERO } else { known.amount.into() };
    let came_back = booking.kind == BookingKind::Returned && !known.came_back;
    if came_back && paid == Signed::ZERO {
        return give_back(tx, booking, windows, now).await;
    }
    let owed = wanted.minus(paid)?;
    if let Some(owed) = owed.above_zero() {
        if came_back {
            let reason = Some(booking.bank_reference.as_str());
            for (window, _) in windows.iter().filter(|(_, state)| *state == State::Matched) {
                change_in_tx(tx, window, Event::ReturnPart, &Actor::Program, now, reason).await?;
            }
        }
        return Ok(Confirmed::Short { owed, windows: names(windows) });
    }
    let mut matched = Vec::new();
    for (window, _) in windows.iter().filter(|(_, state)| *state == State::Paid) {
        if settle_if_booked(tx, window, now).await? {
            matched.push(window.clone());
        }
    }
    Ok(match owed.below_zero() {
        Some(beyond) => Confirmed::Over { beyond, windows: names(windows) },
        None => Confirmed::Whole { matched },
    })
}

fn names(windows: Vec<(Window, State)>) -> Vec<Window> {
    windows.into_iter().map(|(window, _state)| window).collect()
}

/// All of a payment came back: its windows are to be paid again.
async fn give_back(
    tx: &mut PgConnection,
    booking: &Booking,
    windows: Vec<(Window, State)>,
    now: Timestamp,
) -> Result<Confirmed, PaymentError> {
    repo::note_came_back(tx, &booking.end_to_end, now).await?;
    let mut again = Vec::new();
    for (window, state) in windows {
        match state {
            State::Paid | State::Matched => {
                let reason = Some(booking.bank_reference.as_str());
                change_in_tx(tx, &window, Event::Return, &Actor::Program, now, reason).await?;
                again.push(window);
            }
            // Another of its payments came back before this one.
            State::Open | State::Closing | State::Closed | State::Approved => again.push(window),
        }
    }
    Ok(Confirmed::Returned { windows: again })
}

/// Matches a paid window when nothing of it is outstanding; says whether it did.
pub(super) async fn settle_if_booked(
    tx: &mut PgConnection,
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

/// A line about a payment that nobody ordered, as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unassigned {
    /// Whose bank.
    pub issuer: IssuerId,
    /// The line; its number is what the bank named.
    pub booking: Booking,
    /// Payments of this amount that are not booked yet.
    pub candidates: Vec<String>,
    /// Whose settlement it most likely touches, and of which day.
    pub window: Window,
}

/// Keeps a line about a payment that nobody ordered, with its case. Nothing is posted: nobody knows
/// whose it is.
/// None where it was kept before.
///
/// # Errors
/// When the reference was used for another line, the issuer was never told to pay, or the database
/// fails.
pub async fn keep_unknown(
    pool: &PgPool,
    issuer: &IssuerId,
    booking: &Booking,
    now: Timestamp,
) -> Result<Option<Unassigned>, PaymentError> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to keep a line"))?;
    repo::hold_payments(&mut tx).await?;
    let taken = repo::booked(&mut tx, issuer, &booking.bank_reference).await?;
    match repo::unknown(&mut tx, issuer, &booking.bank_reference).await? {
        Some(kept) if kept == *booking => return Ok(None),
        None if taken.is_none() => {}
        Some(_) | None => return Err(PaymentError::Reused(booking.bank_reference.clone())),
    }
    let window = repo::likely_window(&mut tx, issuer, booking.amount).await?;
    let window = window.ok_or_else(|| PaymentError::NeverPaid(issuer.clone()))?;
    let candidates = repo::unbooked(&mut tx, issuer, booking.amount).await?;
    repo::insert_unknown(&mut tx, issuer, booking, now).await?;
    let (issuer, booking) = (issuer.clone(), booking.clone());
    let kept = Unassigned { issuer, booking, candidates, window };
    cases::open_in_tx(&mut tx, &finding::of_unknown(&kept), &Actor::Program, now).await?;
    tx.commit().await.map_err(SettlementError::database("commit a line"))?;
    Ok(Some(kept))
}

/// Takes a line that was kept as one about a payment after all.
///
/// # Errors
/// When no such line was kept, or as for [`confirm`].
pub(crate) async fn assign_in_tx(
    tx: &mut PgConnection,
    issuer: &IssuerId,
    bank_reference: &str,
    end_to_end: &str,
    now: Timestamp,
) -> Result<(Booking, Confirmed), PaymentError> {
    let kept = repo::unknown(tx, issuer, bank_reference).await?;
    let kept = kept.ok_or_else(|| PaymentError::NotWaiting(bank_reference.to_owned()))?;
    let booking = Booking { end_to_end: end_to_end.to_owned(), ..kept };
    let confirmed = confirm_in_tx(tx, &booking, now).await?;
    Ok((booking, confirmed))
}

/// Whether everything that a payment was for is booked to the last unit, by it or by another, and
/// nothing beyond that is held of it.
pub(crate) async fn is_put_right(
    tx: &mut PgConnection,
    end_to_end: &str,
) -> Result<bool, SettlementError> {
    repo::is_put_right(tx, end_to_end).await
}
