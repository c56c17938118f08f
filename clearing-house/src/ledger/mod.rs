//! The ledger: transfers between accounts, through one door.
//!
//! A *transfer* debits one ledger account and credits another with the same positive amount, so
//! entries sum to zero by construction. Balances are credits less debits. Transfers are never
//! changed; a correction is a reversal and a new transfer.

use std::collections::BTreeMap;

use domain::{AccountId, Amount, BusinessDate, IssuerId, OperatorId, PassageId, Timestamp};
use sqlx::PgConnection;

mod repo;

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
    /// A sum of money does not fit.
    #[error("sum the transfers")]
    Money(#[source] domain::MoneyError),
    /// The database failed.
    #[error("write transfers")]
    Database(#[source] sqlx::Error),
}

/// What a transfer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferKind {
    /// A toll charged to a traffic account.
    Toll,
    /// A toll the operator took in cash.
    CashToll,
    /// A customer's payment into the account.
    TopUp,
    /// The issuer's share, kept at settlement.
    Fee,
    /// The undoing of an earlier transfer.
    Reversal,
    /// Money of a customer set aside.
    Hold,
    /// Money set aside, given free again.
    Release,
    /// Money paid back to a customer.
    Refund,
}

impl TransferKind {
    /// The kind by its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Toll => "toll",
            Self::CashToll => "cash-toll",
            Self::TopUp => "top-up",
            Self::Fee => "fee",
            Self::Reversal => "reversal",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Refund => "refund",
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
    /// What an issuer has set aside for its customers.
    Held(IssuerId),
    /// Cash in an operator's tills.
    Till(OperatorId),
    /// Tolls an operator has taken in cash.
    CashToll(OperatorId),
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
    /// The passage it pays for.
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

/// Posts transfers and their balances within the caller's transaction.
///
/// Returns how customers' balances changed. Accounts of the chart other than customers' are made
/// when first used.
///
/// # Errors
/// When one was posted before, an account is missing, or the database fails. The caller's
/// transaction must then be rolled back.
pub async fn post_in_tx(
    tx: &mut PgConnection,
    transfers: &[NewTransfer],
) -> Result<Vec<BalanceChange>, LedgerError> {
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    let ids = repo::ledger_accounts(tx, transfers).await?;
    repo::insert(tx, transfers, &ids).await?;
    repo::add_to_balances(tx, &balance_changes(transfers, &ids)?).await
}

/// Sums the legs per account, in the order of the accounts, so that writers lock in one order.
fn balance_changes(
    transfers: &[NewTransfer],
    ids: &BTreeMap<LedgerAccountKey, i64>,
) -> Result<BTreeMap<i64, i64>, LedgerError> {
    let mut changes: BTreeMap<i64, i64> = BTreeMap::new();
    for transfer in transfers {
        let amount = transfer.amount.minor_units();
        for (key, change) in [(&transfer.debit, -amount), (&transfer.credit, amount)] {
            let sum = changes.entry(ids[key]).or_default();
            *sum =
                sum.checked_add(change).ok_or(LedgerError::Money(domain::MoneyError::Overflow))?;
        }
    }
    Ok(changes)
}
