//! Settlement: an operator's day is closed once, and what it came to is fixed.
//!
//! To close a day takes two transactions. The first *seals* it: it takes the day (postings that fall
//! into it wait a moment and then find it closed), sees that it is *complete* and ends it; nothing is
//! counted meanwhile, so posting waits for milliseconds however large the day is. The second *states*
//! it, when it changes no more: counts the money twice by ways that share nothing, takes the fee,
//! writes positions, cash and the signed statement. A close may be killed anywhere and be run again,
//! and any number of closes at once end in one settlement.
//!
//! *Complete*: no lane's journal has a hole that may belong to the day, but those two people have
//! accepted, each lane's own manifest agrees or is overdue, and no passage of the day is undecided. *Refusal*: what stands in the way, by name.
//! *Adjustment*: a correction of an earlier toll that landed in the day. Deliberately absent: what
//! becomes of a closed day (`window`), who stands behind it (`approval`), payment (`payment`).

mod close;
mod completeness;
mod figures;
mod holes;
pub(crate) mod proof;
pub(crate) mod repo;
mod sheet;

pub(crate) use figures::figures;
pub(crate) use sheet::Sheet;

pub use close::{DayClose, Outcome, Today, close_through, close_through_by};
pub use holes::HOLES_SINCE;
pub use proof::Difference;

use std::fmt;

use domain::{Amount, BusinessDate, IssuerId, LaneId, MoneyError, Timestamp};

/// What stands in the way of closing a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The day runs on, and nobody said why it should be closed early.
    NotOver {
        /// The operator's day at this moment.
        today: BusinessDate,
    },
    /// An earlier day of the operator could not be closed.
    EarlierDay {
        /// Which.
        day: BusinessDate,
    },
    /// Numbers of a lane never came.
    Missing {
        /// The lane.
        lane: LaneId,
        /// The journal's epoch.
        epoch: u32,
        /// The first number that is missing.
        first_seq: u64,
        /// The last of them.
        last_seq: u64,
    },
    /// A lane's receipts do not stand at the last number that is stored.
    ReceiptsBehind {
        /// The lane.
        lane: LaneId,
        /// The journal's epoch.
        epoch: u32,
        /// Where the receipts stand.
        posted_upto: u64,
        /// The last number stored.
        last_seq: u64,
    },
    /// Passages of the day are stored but not decided.
    Undecided {
        /// The lane.
        lane: LaneId,
        /// The journal's epoch.
        epoch: u32,
        /// The first of them.
        first_seq: u64,
        /// The last of them.
        last_seq: u64,
        /// How many.
        passages: u64,
    },
    /// A lane has not told yet what it wrote on the day.
    ManifestAwaited {
        /// The lane.
        lane: LaneId,
        /// The journal's epoch.
        epoch: u32,
        /// When the day no longer waits for it.
        due_at: Timestamp,
    },
    /// A lane tells other figures than the books have, under the same numbers.
    ManifestDiffers {
        /// The lane.
        lane: LaneId,
        /// The journal's epoch.
        epoch: u32,
        /// The first number of its manifest.
        first_seq: u64,
        /// The last.
        last_seq: u64,
        /// The figures that differ, in words; none before it was held against the books.
        figures: Vec<String>,
    },
    /// Charges and ledger do not agree to the last unit.
    NotProven(Difference),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOver { today } => {
                write!(f, "the operator's day is {today} and not over; --early REASON closes it")
            }
            Self::EarlierDay { day } => write!(f, "day {day} before it could not be closed"),
            Self::Missing { lane, epoch, first_seq, last_seq } => {
                write!(
                    f,
                    "lane {lane} epoch {epoch}: passages {first_seq} to {last_seq} never came"
                )
            }
            Self::ReceiptsBehind { lane, epoch, posted_upto, last_seq } => write!(
                f,
                "lane {lane} epoch {epoch}: receipts stand at {posted_upto}, {last_seq} is stored"
            ),
            Self::Undecided { lane, epoch, first_seq, last_seq, passages } => write!(
                f,
                "lane {lane} epoch {epoch}: {passages} undecided among passages {first_seq} to {last_seq}"
            ),
            Self::ManifestAwaited { lane, epoch, due_at } => write!(
                f,
                "lane {lane} epoch {epoch}: its manifest is missing, and is due at {due_at}"
            ),
            Self::ManifestDiffers { lane, epoch, first_seq, last_seq, figures } => {
                write!(
                    f,
                    "lane {lane} epoch {epoch}: its manifest of passages {first_seq} to {last_seq} "
                )?;
                match figures.as_slice() {
                    [] => write!(f, "has not been held against the books yet"),
                    some => write!(f, "differs: {}", some.join("; ")),
                }
            }
            Self::NotProven(difference) => write!(f, "{difference}"),
        }
    }
}

/// Tolls as one of the two ways of counting found them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many cost something.
    pub tolls: u64,
    /// Their sum, in minor units; a way of counting may come out below zero.
    pub minor_units: i64,
}

/// Whose tolls were counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Charged to accounts of an issuer.
    Issuer(IssuerId),
    /// Taken in cash.
    Cash,
}

/// Why closing failed.
#[derive(Debug, thiserror::Error)]
pub enum SettlementError {
    /// The database failed.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A stored row is not what the schema promises.
    #[error("{what} {text:?} in the books is not one")]
    Stored {
        /// What it should be.
        what: &'static str,
        /// What it is.
        text: String,
    },
    /// An operator's zone or cut-off is not one.
    #[error("the calendar of operator {operator}")]
    Calendar {
        /// The operator.
        operator: String,
        /// What is wrong.
        #[source]
        source: domain::time::TimeError,
    },
    /// An event that cannot happen to a window now.
    #[error("window {window}")]
    Misplaced {
        /// The window.
        window: crate::window::Window,
        /// What cannot happen.
        #[source]
        source: crate::window::Misplaced,
    },
    /// A sum is past what the books hold.
    #[error("sum the day")]
    Money(#[from] MoneyError),
    /// The ledger refused the fee.
    #[error("post the fee")]
    Ledger(#[from] clearing_house::ledger::LedgerError),
    /// The statement could not be written.
    #[error("write the statement")]
    Statement(#[from] serde_json::Error),
}

impl SettlementError {
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

/// What a stored whole number is as an amount.
pub(crate) fn stored_amount(units: i64) -> Result<Amount, SettlementError> {
    Ok(Amount::try_new(units)?)
}

#[cfg(test)]
mod tests;
