//! Corrections: what was posted stays, and is undone by a transfer that carries it.
//!
//! A *reversal* moves the amount of its original the other way; a *repost* is what the original
//! should have been. Each original has one of either at most: a unique index sees to it. Both fall
//! into a settlement day that is open, whatever the original's was.

use domain::{Amount, BusinessDate, Timestamp};
use sqlx::{PgConnection, Row as _};

use super::{BalanceChange, LedgerError, Sums, add_in_tx, repo};
use crate::sql::{day_to_sql, to_sql};

/// A transfer of the books, by its number in `transfer_v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(i64);

impl TransferId {
    /// Wraps a number of `transfer_v1`.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0
    }
}

/// What a correction leaves of its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remainder {
    /// Nothing: it should not have been.
    Nothing,
    /// It should have been this amount, between the same accounts; never zero.
    Amount(Amount),
}

/// Undoes a transfer, and posts what it should have been, within the caller's transaction.
///
/// Returns how customers' balances changed; the lanes' list looks at them again.
///
/// # Errors
/// When there is no such transfer, it is itself a reversal, it was undone before, the day is closed,
/// or the database fails. The caller's transaction must then be rolled back.
pub async fn correct_in_tx(
    tx: &mut PgConnection,
    original: TransferId,
    remainder: Remainder,
    day: BusinessDate,
    now: Timestamp,
) -> Result<Vec<BalanceChange>, LedgerError> {
    let known = find(tx, original).await?;
    hold_day_open(tx, known.operator.as_deref(), day).await?;
    let whole = (known.credit, known.debit, known.amount, "reversal");
    let rest = match remainder {
        Remainder::Nothing | Remainder::Amount(Amount::ZERO) => None,
        Remainder::Amount(amount) => {
            Some((known.debit, known.credit, amount.minor_units(), "repost"))
        }
    };
    let (mut customers, mut hot) = (Sums::new(), Sums::new());
    for (debit, credit, amount, kind) in [Some(whole), rest].into_iter().flatten() {
        sqlx::query(
            "insert into direct_transfer (kind, debit, credit, amount, operator, day, posted_at, journal_no, seq, \
                 original) \
             select $1, $2, $3, $4, $5, $6, $7, e.journal_no, $10, $11 from (select) one \
             left join lane_epoch e on e.lane = $8 and e.epoch = $9",
        )
        .bind(kind)
        .bind(debit)
        .bind(credit)
        .bind(amount)
        .bind(&known.operator)
        .bind(day_to_sql(day))
        .bind(to_sql(now))
        .bind(&known.lane)
        .bind(known.epoch)
        .bind(known.seq.and_then(|seq| i32::try_from(seq).ok()))
        .bind(original.as_i64())
        .execute(&mut *tx)
        .await
        .map_err(repo::transfer_error)?;
        for (account, change) in [(debit, -amount), (credit, amount)] {
            let is_customers = known.customers.contains(&account);
            let sums = if is_customers { &mut customers } else { &mut hot };
            *sums.entry(account).or_default() += change;
        }
    }
    repo::add_changes(tx, &hot).await?;
    let changes = add_in_tx(tx, &customers, None).await?;
    tell_list(tx, &changes).await?;
    Ok(changes)
}

/// Lets the lanes' list look at the accounts again: whether a lane would now decide otherwise is
/// the publisher's to say.
///
/// # Errors
/// When the database fails.
pub async fn tell_list(
    tx: &mut PgConnection,
    changes: &[BalanceChange],
) -> Result<(), LedgerError> {
    let accounts: Vec<i64> = changes.iter().map(|change| change.account.as_i64()).collect();
    sqlx::query("select note_accounts_on_list($1)")
        .bind(accounts)
        .execute(tx)
        .await
        .map_err(LedgerError::Database)?;
    Ok(())
}

/// A transfer that is to be corrected.
pub(super) struct Known {
    debit: i64,
    credit: i64,
    amount: i64,
    pub(super) operator: Option<String>,
    lane: Option<String>,
    epoch: Option<i32>,
    seq: Option<i64>,
    /// Those of its accounts that are customers'.
    customers: Vec<i64>,
}

pub(super) async fn find(
    tx: &mut PgConnection,
    original: TransferId,
) -> Result<Known, LedgerError> {
    let row = sqlx::query(
        "select t.debit, t.credit, t.amount, t.operator, t.lane, t.epoch, t.seq, t.kind, \
                array(select ledger_account from ledger_account \
                      where account is not null and ledger_account in (t.debit, t.credit)) \
         from (select p.debit::int8, p.credit::int8, p.amount, w.operator, e.lane, e.epoch, p.seq::int8, \
                      'toll' as kind \
               from posting p join lane_epoch e using (journal_no) join operator w using (operator_no) \
               where p.journal_no = ($1::int8 >> 32)::int4 and p.seq = ($1::int8 & 2147483647)::int4 \
                 and p.amount > 0 \
               union all \
               select t.debit, t.credit, t.amount, t.operator, e.lane, e.epoch, t.seq::int8, t.kind \
               from direct_transfer t left join lane_epoch e using (journal_no) where t.transfer = $1) t",
    )
    .bind(original.as_i64())
    .fetch_optional(tx)
    .await
    .map_err(LedgerError::Database)?
    .ok_or(LedgerError::NoTransfer { transfer: original })?;
    if row.get::<&str, _>(7) == "reversal" {
        return Err(LedgerError::IsReversal { transfer: original });
    }
    Ok(Known {
        debit: row.get(0),
        credit: row.get(1),
        amount: row.get(2),
        operator: row.get(3),
        lane: row.get(4),
        epoch: row.get(5),
        seq: row.get(6),
        customers: row.get(8),
    })
}

/// Closed is closed: a correction of an operator's toll falls into a day of it that is open.
async fn hold_day_open(
    tx: &mut PgConnection,
    operator: Option<&str>,
    day: BusinessDate,
) -> Result<(), LedgerError> {
    let Some(operator) = operator else { return Ok(()) };
    sqlx::query(
        "insert into settlement_day (operator, day) values ($1, $2) on conflict do nothing",
    )
    .bind(operator)
    .bind(day_to_sql(day))
    .execute(&mut *tx)
    .await
    .map_err(LedgerError::Database)?;
    let open: bool = sqlx::query_scalar(
        "select state = 'open' from settlement_day where operator = $1 and day = $2 for share",
    )
    .bind(operator)
    .bind(day_to_sql(day))
    .fetch_one(tx)
    .await
    .map_err(LedgerError::Database)?;
    if open { Ok(()) } else { Err(LedgerError::DayClosed { day }) }
}
