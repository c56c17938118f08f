//! What an account was: its balance at any past instant, and its statement.

use domain::{AccountId, PassageId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::{LedgerError, TransferId};
use crate::sql::{from_sql, to_sql};

/// A customer's balance as it was at an instant, in minor units: everything posted up to and with
/// it. Computed backwards from the balance of now, so that recent instants cost little.
///
/// # Errors
/// When the account has no ledger account, or the database fails.
pub async fn balance_at(
    tx: &mut PgConnection,
    account: AccountId,
    at: Timestamp,
) -> Result<i64, LedgerError> {
    sqlx::query_scalar(
        "select (l.balance - coalesce(( \
             select sum(case when t.credit = l.ledger_account then t.amount else -t.amount end) \
             from transfer t where l.ledger_account in (t.debit, t.credit) and t.posted_at > $2), 0))::int8 \
         from ledger_balance_v1 l where l.account = $1",
    )
    .bind(account.as_i64())
    .bind(to_sql(at))
    .fetch_optional(tx)
    .await
    .map_err(LedgerError::Database)?
    .ok_or(LedgerError::NoAccount { account })
}

/// A line of an account's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// The transfer.
    pub transfer: TransferId,
    /// What it is for, by its name in the books.
    pub kind: String,
    /// When it was posted.
    pub posted_at: Timestamp,
    /// What it added to the balance, in minor units; below zero what it took.
    pub change: i64,
    /// The balance after it.
    pub balance_after: i64,
    /// The passage it is about.
    pub passage: Option<PassageId>,
    /// The outside reference.
    pub reference: Option<String>,
    /// The transfer it undoes or stands for.
    pub original: Option<TransferId>,
}

/// Where a statement goes on.
pub type Cursor = (Timestamp, TransferId);

/// An account's statement, the newest line first, from before a cursor on: at most `limit` lines.
/// Transfers of one instant are in the order of their numbers.
///
/// # Errors
/// When the account has no ledger account, or the database fails.
pub async fn statement(
    tx: &mut PgConnection,
    account: AccountId,
    before: Option<Cursor>,
    limit: u16,
) -> Result<Vec<StatementLine>, LedgerError> {
    let now = balance_at(tx, account, Timestamp::MAX).await?;
    let rows = sqlx::query(
        "select * from ( \
             select t.transfer, t.kind, t.posted_at, s.change, \
                    $4::int8 - coalesce(sum(s.change) over (order by t.posted_at desc, t.transfer desc \
                        rows between unbounded preceding and 1 preceding), 0)::int8, \
                    t.lane || ':' || t.epoch || ':' || t.seq, t.reference, t.original \
             from ledger_account l join transfer t on l.ledger_account in (t.debit, t.credit) \
             cross join lateral (select case when t.credit = l.ledger_account then t.amount else -t.amount end \
                                     as change) s \
             where l.account = $1) lines \
         where $2::timestamptz is null or (posted_at, transfer) < ($2, $3) \
         order by posted_at desc, transfer desc limit $5",
    )
    .bind(account.as_i64())
    .bind(before.map(|(at, _)| to_sql(at)))
    .bind(before.map(|(_, transfer)| transfer.as_i64()))
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await
    .map_err(LedgerError::Database)?;
    let line = |row: &PgRow| StatementLine {
        transfer: TransferId::new(row.get(0)),
        kind: row.get(1),
        posted_at: from_sql(row.get(2)),
        change: row.get(3),
        balance_after: row.get(4),
        passage: row.get::<Option<&str>, _>(5).and_then(|id| id.parse().ok()),
        reference: row.get(6),
        original: row.get::<Option<i64>, _>(7).map(TransferId::new),
    };
    Ok(rows.iter().map(line).collect())
}
