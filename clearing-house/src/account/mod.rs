//! Traffic accounts: opened, paid into, linked to vehicles and tags, locked and closed.
//!
//! An *account* belongs to one *issuer* and has one balance in the ledger. *Vehicles* belong to one
//! account at a time, a *tag* is on one vehicle at a time, and a vehicle has one tag. A *link* says
//! so from an instant on; links are begun and ended, never rewritten, so that [`owners`] can tell
//! who owned a tag when a late passage was made. An *instrument* is what the customer pays with; an
//! account has one at a time. A *hold* sets money aside. A *reference* is the payer's own name for a
//! payment and makes a second try a no-op: the same reference with another content is a conflict.
//!
//! Everything that changes what a lane would decide writes the outbox of the account list in the
//! same transaction ([`crate::lists`]). Deliberately absent: the customer's person, who is known to
//! the issuer alone, and payment itself, which is the issuer's bank's business.

pub mod command;
pub mod import;
pub mod link;
pub mod money;
pub mod owners;
pub mod show;
pub mod state;

use domain::{AccountId, Amount, IssuerId};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use crate::config::ListPolicy;
use crate::ledger::LedgerError;
use crate::lists;

pub use import::{Imported, import};
pub use money::top_up;

/// Why something was not done to an account; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A line of the file is not an account.
    #[error("line {line} is not an account: {why}")]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong, without the line's content.
        why: String,
    },
    /// The file could not be read.
    #[error("read the accounts")]
    Read(#[source] std::io::Error),
    /// No such account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// No such issuer.
    #[error("there is no issuer {0} in the network")]
    NoIssuer(IssuerId),
    /// An account of that number is another issuer's.
    #[error("account {account} belongs to issuer {issuer}")]
    AccountTaken {
        /// The account.
        account: AccountId,
        /// Whose it is.
        issuer: String,
    },
    /// A movement of nothing.
    #[error("a payment needs an amount above zero")]
    NoAmount,
    /// A reference that names nothing.
    #[error("a reference has 1 to 100 characters, none of them a control character")]
    NoReference,
    /// The reference was used before, for something else.
    #[error("reference {reference} was used before for another account or amount")]
    ReferenceTaken {
        /// The payer's reference.
        reference: String,
    },
    /// The account's state does not allow it.
    #[error("account {account} is {state}: {cure}")]
    State {
        /// The account.
        account: AccountId,
        /// Its state.
        state: &'static str,
        /// What would be right.
        cure: &'static str,
    },
    /// The account owes money (Decree 119/2024, art. 14).
    #[error("account {account} owes {owed}: it is neither locked nor closed before that is paid")]
    Debt {
        /// The account.
        account: AccountId,
        /// How much, in minor units.
        owed: u64,
    },
    /// There is money left, free or set aside.
    #[error("account {account} holds {left}: refund it and release what is set aside first")]
    MoneyLeft {
        /// The account.
        account: AccountId,
        /// How much, in minor units.
        left: i64,
    },
    /// The balance does not reach.
    #[error("account {account} has {available} and {wanted} is wanted")]
    NotEnough {
        /// The account.
        account: AccountId,
        /// What it has, in minor units.
        available: i64,
        /// What was wanted, in minor units.
        wanted: i64,
    },
    /// A hold that is not the account's.
    #[error("account {account} has no hold {hold}")]
    NoHold {
        /// The account.
        account: AccountId,
        /// The hold.
        hold: i64,
    },
    /// The vehicle is another account's, which is not closed.
    #[error("the vehicle belongs to account {account}: unlink it there first")]
    VehicleElsewhere {
        /// Whose it is.
        account: AccountId,
    },
    /// The vehicle is not this account's.
    #[error("account {account} has no such vehicle")]
    NoVehicle {
        /// The account.
        account: AccountId,
    },
    /// The tag is on another vehicle.
    #[error("the tag is on another vehicle: unlink it there first")]
    TagElsewhere,
    /// The vehicle has another tag.
    #[error("the vehicle has another tag, and may have one: unlink that first")]
    VehicleHasTag,
    /// The tag is on no vehicle of this account.
    #[error("account {account} has no vehicle with this tag")]
    NoTag {
        /// The account.
        account: AccountId,
    },
    /// The database failed, or a tag or plate belongs to another account.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The ledger refused.
    #[error("post the payment")]
    Ledger(#[source] LedgerError),
}

fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> AccountError {
    move |source| AccountError::Database { doing, source }
}

/// The state of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountState {
    /// In use.
    Open,
    /// Locked.
    Blocked,
    /// Closed.
    Closed,
    /// Still an old toll account (Decree 119/2024, art. 31.4).
    NotConverted,
}

impl AccountState {
    /// The state by its name in the books.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "open" => Some(Self::Open),
            "blocked" => Some(Self::Blocked),
            "closed" => Some(Self::Closed),
            "not-converted" => Some(Self::NotConverted),
            _ => None,
        }
    }

    /// The state's name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Blocked => "blocked",
            Self::Closed => "closed",
            Self::NotConverted => "not-converted",
        }
    }
}

/// What a request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// What was asked for.
    Now,
    /// Nothing: it had been done before, by the same request.
    Before,
}

/// An account as it stands, its row locked until the transaction ends.
#[derive(Debug, Clone)]
struct Standing {
    account: AccountId,
    issuer: IssuerId,
    state: AccountState,
    /// What the customer may spend: the balance less what is set aside, in minor units.
    available: i64,
}

impl Standing {
    /// Refuses what the account's state does not allow.
    fn refuse(&self, cure: &'static str) -> AccountError {
        AccountError::State { account: self.account, state: self.state.name(), cure }
    }
}

/// Locks an account against other changes of the account; passages are posted meanwhile.
async fn lock(tx: &mut PgConnection, account: AccountId) -> Result<Standing, AccountError> {
    let locked = sqlx::query_scalar::<_, i64>(
        "select account from account where account = $1 for no key update",
    )
    .bind(account.as_i64())
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed("lock the account"))?;
    locked.ok_or(AccountError::NoAccount(account))?;
    // A statement of its own: what another held the lock for is to be seen.
    let row = sqlx::query("select issuer, state, balance from balance_v1 where account = $1")
        .bind(account.as_i64())
        .fetch_optional(tx)
        .await
        .map_err(failed("look up the account"))?;
    let standing = row.and_then(|row| {
        Some(Standing {
            account,
            issuer: IssuerId::try_new(row.get(0)).ok()?,
            state: AccountState::from_name(row.get(1))?,
            available: row.get(2),
        })
    });
    standing.ok_or(AccountError::NoAccount(account))
}

/// Posts one movement of a customer's money and tells the list. The caller commits.
async fn post(
    tx: &mut PgConnection,
    movement: &crate::ledger::NewTransfer,
    policy: ListPolicy,
) -> Result<Option<i64>, AccountError> {
    let changes = crate::ledger::post_in_tx(tx, std::slice::from_ref(movement))
        .await
        .map_err(AccountError::Ledger)?;
    lists::note_balances_in_tx(tx, &changes, policy)
        .await
        .map_err(failed("note the account for the list"))?;
    Ok(changes.first().map(|change| change.after))
}

/// An amount that is something.
fn something(amount: Amount) -> Result<Amount, AccountError> {
    if amount.is_zero() { Err(AccountError::NoAmount) } else { Ok(amount) }
}
