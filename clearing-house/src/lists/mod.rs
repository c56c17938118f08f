//! The account list: what lanes are told about tags, as deltas and snapshots.
//!
//! Whatever changes something a lane would decide by writes the tag into the outbox
//! `list_change`, in the transaction of the change. One publisher turns the outbox into deltas:
//! numbered, chained by content hash, signed, stored, then published. A snapshot is published
//! when there is none at the broker, and after many deltas.

mod entries;
mod publisher;
mod repo;

/// What lanes should know, read from the books: for those who check it.
pub(crate) mod facts {
    pub(crate) use super::repo::all_now;
}

use domain::account_list::ListStatus;
use sqlx::PgConnection;

pub use publisher::{ListError, Publisher};

use crate::account::AccountState;
use crate::config::ListPolicy;
use crate::ledger::BalanceChange;

/// What lanes are told of an account in a state and with a balance.
#[must_use]
pub fn status_of(state: AccountState, balance: i64, policy: ListPolicy) -> ListStatus {
    match state {
        AccountState::Blocked => ListStatus::Blocked,
        AccountState::Closed => ListStatus::Closed,
        AccountState::NotConverted => ListStatus::NotConverted,
        AccountState::Open if balance < policy.no_money_below => ListStatus::NoMoney,
        AccountState::Open if balance < policy.low_below => ListStatus::Low,
        AccountState::Open => ListStatus::Good,
    }
}

/// Notes the tags of accounts whose balance crossed a threshold; tells whether any did.
///
/// # Errors
/// When the database fails.
pub async fn note_balances_in_tx(
    tx: &mut PgConnection,
    changes: &[BalanceChange],
    policy: ListPolicy,
) -> Result<bool, sqlx::Error> {
    if changes.is_empty() {
        return Ok(false);
    }
    let own = repo::own_thresholds(tx, changes).await?;
    let crossed: Vec<i64> = changes
        .iter()
        .filter(|change| {
            let own = own.get(&change.account.as_i64()).copied();
            let policy = policy.with_low_below(own);
            let status = |balance| status_of(AccountState::Open, balance, policy);
            status(change.before) != status(change.after)
        })
        .map(|change| change.account.as_i64())
        .collect();
    if crossed.is_empty() {
        return Ok(false);
    }
    repo::note_accounts(tx, &crossed).await?;
    Ok(true)
}

/// Notes all tags of accounts that were opened or changed otherwise.
///
/// # Errors
/// When the database fails.
pub async fn note_accounts_in_tx(
    tx: &mut PgConnection,
    accounts: &[i64],
) -> Result<(), sqlx::Error> {
    repo::note_accounts(tx, accounts).await
}

/// Notes tags, in bytes, that came off their vehicle or onto one.
///
/// # Errors
/// When the database fails.
pub async fn note_tags_in_tx(tx: &mut PgConnection, tags: &[Vec<u8>]) -> Result<(), sqlx::Error> {
    repo::note_tags(tx, tags).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_told_of_money_by_two_thresholds() {
        let policy = ListPolicy { no_money_below: 50_000, low_below: 300_000 };
        for (balance, status) in [
            (-1, ListStatus::NoMoney),
            (49_999, ListStatus::NoMoney),
            (50_000, ListStatus::Low),
            (299_999, ListStatus::Low),
            (300_000, ListStatus::Good),
        ] {
            assert_eq!(status_of(AccountState::Open, balance, policy), status, "{balance}");
        }
        assert_eq!(status_of(AccountState::Blocked, 1_000_000, policy), ListStatus::Blocked);
    }
}
