//! The ledger's SQL.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AccountId, BusinessDate};
use sqlx::{PgConnection, PgPool, Row};

use super::{BalanceChange, HotSum, LedgerAccountKey, LedgerError, NewTransfer};
use crate::sql::{day_to_sql, to_sql};

/// Kind, issuer and operator of an account of the chart that is nobody's but the system's.
fn system(key: &LedgerAccountKey) -> Option<(&'static str, &str, &str)> {
    match key {
        LedgerAccountKey::Customer(_) => None,
        LedgerAccountKey::Payable { issuer, operator } => {
            Some(("payable", issuer.as_str(), operator.as_str()))
        }
        LedgerAccountKey::Bank(issuer) => Some(("bank", issuer.as_str(), "")),
        LedgerAccountKey::Fee(issuer) => Some(("fee", issuer.as_str(), "")),
        LedgerAccountKey::Vat(issuer) => Some(("vat", issuer.as_str(), "")),
        LedgerAccountKey::Held(issuer) => Some(("held", issuer.as_str(), "")),
        LedgerAccountKey::Till(operator) => Some(("till", "", operator.as_str())),
        LedgerAccountKey::CashToll(operator) => Some(("cash-toll", "", operator.as_str())),
        LedgerAccountKey::Suspense(issuer) => Some(("suspense", issuer.as_str(), "")),
        LedgerAccountKey::WriteOff(issuer) => Some(("write-off", issuer.as_str(), "")),
    }
}

pub(super) async fn ledger_accounts(
    tx: &mut PgConnection,
    keys: BTreeSet<&LedgerAccountKey>,
) -> Result<BTreeMap<LedgerAccountKey, i64>, LedgerError> {
    let mut ids = BTreeMap::new();
    let customers: Vec<i64> = keys
        .iter()
        .filter_map(|key| match key {
            LedgerAccountKey::Customer(account) => Some(account.as_i64()),
            _ => None,
        })
        .collect();
    if !customers.is_empty() {
        let rows = sqlx::query(
            "select account, ledger_account from ledger_account where account = any($1)",
        )
        .bind(&customers)
        .fetch_all(&mut *tx)
        .await
        .map_err(LedgerError::Database)?;
        for row in rows {
            ids.insert(LedgerAccountKey::Customer(AccountId::new(row.get(0))), row.get(1));
        }
    }
    for key in keys {
        if ids.contains_key(key) {
            continue;
        }
        match (key, system(key)) {
            (_, Some((kind, issuer, operator))) => {
                ids.insert(key.clone(), system_account(tx, kind, issuer, operator).await?);
            }
            (LedgerAccountKey::Customer(account), None) => {
                return Err(LedgerError::NoAccount { account: *account });
            }
            _ => unreachable!("every account but a customer's is a system account"),
        }
    }
    Ok(ids)
}

async fn system_account(
    tx: &mut PgConnection,
    kind: &str,
    issuer: &str,
    operator: &str,
) -> Result<i64, LedgerError> {
    let find = "select ledger_account from ledger_account where account is null and kind = $1 \
                and coalesce(issuer, '') = $2 and coalesce(operator, '') = $3";
    for _attempt in 0..2 {
        let found = sqlx::query_scalar(find)
            .bind(kind)
            .bind(issuer)
            .bind(operator)
            .fetch_optional(&mut *tx)
            .await
            .map_err(LedgerError::Database)?;
        if let Some(id) = found {
            return Ok(id);
        }
        sqlx::query(
            "insert into ledger_account (kind, issuer, operator) \
             values ($1, nullif($2, ''), nullif($3, '')) on conflict do nothing",
        )
        .bind(kind)
        .bind(issuer)
        .bind(operator)
        .execute(&mut *tx)
        .await
        .map_err(LedgerError::Database)?;
    }
    Err(LedgerError::Database(sqlx::Error::RowNotFound))
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    transfers: &[NewTransfer],
    ids: &BTreeMap<LedgerAccountKey, i64>,
) -> Result<(), LedgerError> {
    let column = |f: &dyn Fn(&NewTransfer) -> Option<String>| -> Vec<Option<String>> {
        transfers.iter().map(f).collect()
    };
    let ids_of = |f: &dyn Fn(&NewTransfer) -> &LedgerAccountKey| -> Vec<i64> {
        transfers.iter().map(|transfer| ids[f(transfer)]).collect()
    };
    let passage = |transfer: &NewTransfer| transfer.passage.as_ref().cloned();
    sqlx::query(
        "insert into direct_transfer (kind, debit, credit, amount, operator, day, posted_at, journal_no, seq, \
             reference) \
         select u.kind, u.debit, u.credit, u.amount, u.operator, u.day, u.posted_at, e.journal_no, u.seq, \
             u.reference \
         from unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::text[], $6::date[], \
                     $7::timestamptz[], $8::text[], $9::int4[], $10::int4[], $11::text[]) \
             as u (kind, debit, credit, amount, operator, day, posted_at, lane, epoch, seq, reference) \
         left join lane_epoch e using (lane, epoch)",
    )
    .bind(transfers.iter().map(|transfer| transfer.kind.name()).collect::<Vec<_>>())
    .bind(ids_of(&|transfer| &transfer.debit))
    .bind(ids_of(&|transfer| &transfer.credit))
    .bind(transfers.iter().map(|transfer| transfer.amount.minor_units()).collect::<Vec<_>>())
    .bind(column(&|transfer| transfer.operator.as_ref().map(ToString::to_string)))
    .bind(transfers.iter().map(|transfer| day_to_sql(transfer.day)).collect::<Vec<_>>())
    .bind(transfers.iter().map(|transfer| to_sql(transfer.posted_at)).collect::<Vec<_>>())
    .bind(column(&|transfer| passage(transfer).map(|id| id.lane.to_string())))
    .bind(
        transfers
            .iter()
            .map(|transfer| passage(transfer).and_then(|id| i32::try_from(id.epoch).ok()))
            .collect::<Vec<_>>(),
    )
    .bind(
        transfers
            .iter()
            .map(|transfer| passage(transfer).and_then(|id| i32::try_from(id.seq.get()).ok()))
            .collect::<Vec<_>>(),
    )
    .bind(column(&|transfer| transfer.reference.clone()))
    .execute(tx)
    .await
    .map_err(transfer_error)?;
    Ok(())
}

/// Why a transfer could not be written.
pub(super) fn transfer_error(error: sqlx::Error) -> LedgerError {
    match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => LedgerError::AlreadyPosted {
            constraint: refused.constraint().unwrap_or("unnamed").to_owned(),
        },
        _ => LedgerError::Database(error),
    }
}

/// Why balances could not be changed.
fn balance_error(error: sqlx::Error) -> LedgerError {
    let overdrawn = error
        .as_database_error()
        .is_some_and(|refused| refused.constraint() == Some("not_overdrawn"));
    if overdrawn { LedgerError::Overdrawn } else { LedgerError::Database(error) }
}

pub(super) async fn add_to_balances(
    tx: &mut PgConnection,
    changes: &BTreeMap<i64, i64>,
    marks: Option<&[i64]>,
) -> Result<Vec<BalanceChange>, LedgerError> {
    let (ids, sums): (Vec<i64>, Vec<i64>) = changes.iter().unzip();
    let marks = marks.map(|marks| {
        let mut marks = marks.to_vec();
        marks.sort_unstable();
        marks
    });
    let rows = sqlx::query("select account, before, after from add_to_balances($1, $2, $3)")
        .bind(&ids)
        .bind(&sums)
        .bind(marks)
        .fetch_all(tx)
        .await
        .map_err(balance_error)?;
    let change = |row: &sqlx::postgres::PgRow| BalanceChange {
        account: AccountId::new(row.get(0)),
        before: row.get(1),
        after: row.get(2),
    };
    Ok(rows.iter().map(change).collect())
}

/// Adds to hot accounts what is folded into their balances later.
pub(super) async fn add_changes(
    tx: &mut PgConnection,
    changes: &BTreeMap<i64, i64>,
) -> Result<(), LedgerError> {
    let (ids, sums): (Vec<i64>, Vec<i64>) = changes.iter().unzip();
    sqlx::query("insert into balance_change select * from unnest($1::int8[], $2::int8[])")
        .bind(ids)
        .bind(sums)
        .execute(tx)
        .await
        .map_err(LedgerError::Database)?;
    Ok(())
}

pub(super) async fn note_hot(
    tx: &mut PgConnection,
    batch: i32,
    sums: &BTreeMap<(i64, BusinessDate), HotSum>,
) -> Result<(), LedgerError> {
    sqlx::query(
        "with sums as (insert into batch_sum (batch, ledger_account, day, operator_no, passages, amount) \
             select $1, * from unnest($2::int8[], $3::date[], $4::int4[], $5::int4[], $6::int8[]) \
             returning ledger_account, amount) \
         insert into balance_change select ledger_account, sum(amount)::int8 from sums group by 1",
    )
    .bind(batch)
    .bind(sums.keys().map(|(account, _)| *account).collect::<Vec<_>>())
    .bind(sums.keys().map(|(_, day)| day_to_sql(*day)).collect::<Vec<_>>())
    .bind(sums.values().map(|sum| sum.operator_no).collect::<Vec<_>>())
    .bind(sums.values().map(|sum| sum.passages).collect::<Vec<_>>())
    .bind(sums.values().map(|sum| sum.amount).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(LedgerError::Database)?;
    Ok(())
}

pub(super) async fn fold(pool: &PgPool) -> Result<(), LedgerError> {
    // One at a time; whoever comes second has nothing to do.
    sqlx::query(
        "select fold_balances() where pg_try_advisory_xact_lock(hashtext('fold_balances'))",
    )
    .execute(pool)
    .await
    .map_err(balance_error)?;
    Ok(())
}
