//! The ledger: transfers between accounts, through one door.
//!
//! A *transfer* debits one ledger account and credits another with the same positive amount, so
//! entries sum to zero by construction. Balances are credits less debits. Transfers are never
//! changed; a correction is a reversal and a new transfer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{AccountId, Amount, BusinessDate, IssuerId, OperatorId, PassageId, Timestamp};
use sqlx::{PgConnection, PgPool};

mod correction;
mod proposal;
mod repo;

pub use correction::{Remainder, TransferId, correct_in_tx, tell_list};
pub use proposal::{Proposal, ProposalError, approve, proposals, propose};

/// Why transfers were not posted.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A passage or an outside reference was posted before.
    #[error("posted before: {constraint}")]
    AlreadyPosted {
        /// The constraint that stood in the way.
        constraint: String,
    },
    /// A customer has no ledger account.
    #[error("account {account} has no ledger account")]
    NoAccount {
        /// The account.
        account: AccountId,
    },
    /// There is no such transfer.
    #[error("there is no transfer {}", transfer.as_i64())]
    NoTransfer {
        /// Its number.
        transfer: TransferId,
    },
    /// What undoes a transfer is not undone itself: the original is posted anew.
    #[error("transfer {} is a reversal, which is not corrected itself", transfer.as_i64())]
    IsReversal {
        /// Its number.
        transfer: TransferId,
    },
    /// The settlement day is closed.
    #[error("settlement day {day} is closed: a correction falls into an open one")]
    DayClosed {
        /// The day.
        day: BusinessDate,
    },
    /// An account would be overdrawn further than it may be.
    #[error("an account would be overdrawn")]
    Overdrawn,
    /// A sum of money does not fit.
    #[error("sum the transfers")]
    Money(#[source] domain::MoneyError),
    /// The database failed.
    #[error("write transfers")]
    Database(#[source] sqlx::Error),
}

/// What a transfer is for that no passage makes by itself: tolls are posted with their passages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferKind {
    /// A customer's payment into the account.
    TopUp,
    /// Money given back to a customer.
    Refund,
    /// The issuer's share, kept at settlement, or the tax on it.
    Fee,
    /// What an issuer's bank paid an operator.
    Payment,
    /// The undoing of an earlier transfer.
    Reversal,
    /// What an earlier transfer should have been.
    Repost,
    /// Money moved by hand, for a reason that is written down.
    Adjustment,
    /// Money of a customer set aside.
    Hold,
    /// Money set aside, given free again.
    Release,
}

impl TransferKind {
    /// The kind by its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopUp => "top-up",
            Self::Refund => "refund",
            Self::Fee => "fee",
            Self::Payment => "payment",
            Self::Reversal => "reversal",
            Self::Repost => "repost",
            Self::Adjustment => "adjustment",
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }
}

/// The chart of accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccountKey {
    /// What an issuer owes a customer.
    Customer(AccountId),
    /// What an issuer owes an operator.
    Payable {
        /// Who owes.
        issuer: IssuerId,
        /// Who is owed.
        operator: OperatorId,
    },
    /// An issuer's money at the bank.
    Bank(IssuerId),
    /// What an issuer has earned.
    Fee(IssuerId),
    /// The tax an issuer has taken on what it has earned.
    Vat(IssuerId),
    /// What an issuer has set aside for its customers.
    Held(IssuerId),
    /// Cash in an operator's tills.
    Till(OperatorId),
    /// Tolls an operator has taken in cash.
    CashToll(OperatorId),
    /// Money an issuer holds and cannot say yet whose it is.
    Suspense(IssuerId),
    /// Debts an issuer no longer expects to be paid.
    WriteOff(IssuerId),
}

/// A transfer to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransfer {
    /// What it is for.
    pub kind: TransferKind,
    /// Which account is debited.
    pub debit: LedgerAccountKey,
    /// Which account is credited.
    pub credit: LedgerAccountKey,
    /// How much; never zero.
    pub amount: Amount,
    /// Whose settlement it belongs to.
    pub operator: Option<OperatorId>,
    /// The settlement day.
    pub day: BusinessDate,
    /// When.
    pub posted_at: Timestamp,
    /// The passage it is about.
    pub passage: Option<PassageId>,
    /// The outside reference it must be unique by.
    pub reference: Option<String>,
}

/// A customer's balance before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceChange {
    /// The account.
    pub account: AccountId,
    /// Its balance before, in minor units.
    pub before: i64,
    /// Its balance after.
    pub after: i64,
}

/// The chart's accounts with their numbers.
pub type ChartOfAccounts = HashMap<LedgerAccountKey, i64>;

/// What a batch moved on a hot account on one settlement day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HotSum {
    pub(crate) operator_no: i32,
    pub(crate) passages: i32,
    pub(crate) amount: i64,
}

/// Posts transfers and their balances within the caller's transaction.
///
/// Returns how customers' balances changed. Accounts of the chart other than customers' are made
/// when first used.
///
/// # Errors
/// When one was posted before, an account is missing or would be overdrawn, or the database fails.
/// The caller's transaction must then be rolled back.
pub async fn post_in_tx(
    tx: &mut PgConnection,
    transfers: &[NewTransfer],
) -> Result<Vec<BalanceChange>, LedgerError> {
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    let keys = transfers.iter().flat_map(|transfer| [&transfer.debit, &transfer.credit]).collect();
    let ids = repo::ledger_accounts(tx, keys).await?;
    repo::insert(tx, transfers, &ids).await?;
    let (customers, hot) = balance_changes(transfers, &ids)?;
    repo::add_changes(tx, &hot).await?;
    add_in_tx(tx, &customers, None).await
}

/// Adds to customers' balances, in the order of the accounts. Returns those that crossed one of
/// the marks, or all.
pub(crate) async fn add_in_tx(
    tx: &mut PgConnection,
    changes: &BTreeMap<i64, i64>,
    marks: Option<&[i64]>,
) -> Result<Vec<BalanceChange>, LedgerError> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    repo::add_to_balances(tx, changes, marks).await
}

/// Notes what a batch moved on hot accounts: nobody waits for their rows.
pub(crate) async fn note_hot_in_tx(
    tx: &mut PgConnection,
    batch: i32,
    sums: &BTreeMap<(i64, BusinessDate), HotSum>,
) -> Result<(), LedgerError> {
    if sums.is_empty() {
        return Ok(());
    }
    repo::note_hot(tx, batch, sums).await
}

/// The numbers of these accounts; those that are not customers' are made where they are missing.
pub(crate) async fn numbers_in_tx(
    tx: &mut PgConnection,
    keys: BTreeSet<&LedgerAccountKey>,
) -> Result<ChartOfAccounts, LedgerError> {
    if keys.is_empty() {
        return Ok(ChartOfAccounts::new());
    }
    Ok(repo::ledger_accounts(tx, keys).await?.into_iter().collect())
}

/// Folds what was added to hot accounts into their balances.
///
/// # Errors
/// When the database fails.
pub async fn fold(pool: &PgPool) -> Result<(), LedgerError> {
    repo::fold(pool).await
}

/// Sums by ledger account.
type Sums = BTreeMap<i64, i64>;

/// Sums the legs per account: customers' and the others'.
fn balance_changes(
    transfers: &[NewTransfer],
    ids: &BTreeMap<LedgerAccountKey, i64>,
) -> Result<(Sums, Sums), LedgerError> {
    let (mut customers, mut hot) = (Sums::new(), Sums::new());
    for transfer in transfers {
        let amount = transfer.amount.minor_units();
        for (key, change) in [(&transfer.debit, -amount), (&transfer.credit, amount)] {
            let sums = match key {
                LedgerAccountKey::Customer(_) => &mut customers,
                LedgerAccountKey::Payable { .. }
                | LedgerAccountKey::Bank(_)
                | LedgerAccountKey::Fee(_)
                | LedgerAccountKey::Vat(_)
                | LedgerAccountKey::Held(_)
                | LedgerAccountKey::Till(_)
                | LedgerAccountKey::CashToll(_)
                | LedgerAccountKey::Suspense(_)
                | LedgerAccountKey::WriteOff(_) => &mut hot,
            };
            let sum = sums.entry(ids[key]).or_default();
            *sum =
                sum.checked_add(change).ok_or(LedgerError::Money(domain::MoneyError::Overflow))?;
        }
    }
    Ok((customers, hot))
}
