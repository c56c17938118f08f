//! The ledger's SQL.

use std::collections::{BTreeMap, BTreeSet};

use domain::AccountId;
use sqlx::{PgConnection, Row};

use super::{BalanceChange, LedgerAccountKey, LedgerError, NewTransfer};
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
        LedgerAccountKey::Held(issuer) => Some(("held", issuer.as_str(), "")),
        LedgerAccountKey::Till(operator) => Some(("till", "", operator.as_str())),
        LedgerAccountKey::CashToll(operator) => Some(("cash-toll", "", operator.as_str())),
    }
}

pub(super) async fn ledger_accounts(
    tx: &mut PgConnection,
    transfers: &[NewTransfer],
) -> Result<BTreeMap<LedgerAccountKey, i64>, LedgerError> {
    let keys: BTreeSet<&LedgerAccountKey> =
        transfers.iter().flat_map(|transfer| [&transfer.debit, &transfer.credit]).collect();
    let mut ids = BTreeMap::new();
    let customers: Vec<i64> = keys
        .iter()
        .filter_map(|key| match key {
            LedgerAccountKey::Customer(account) => Some(account.as_i64()),
            _ => None,
        })
        .collect();
    let rows =
        sqlx::query("select account, ledger_account from ledger_account where account = any($1)")
            .bind(&customers)
            .fetch_all(&mut *tx)
            .await
            .map_err(LedgerError::Database)?;
    for row in rows {
        ids.insert(LedgerAccountKey::Customer(AccountId::new(row.get(0))), row.get(1));
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
        "insert into transfer (kind, debit, credit, amount, operator, day, posted_at, lane, epoch, seq, reference) \
         select * from unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::text[], $6::date[], \
                              $7::timestamptz[], $8::text[], $9::int4[], $10::int8[], $11::text[])",
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
            .map(|transfer| passage(transfer).and_then(|id| i64::try_from(id.seq.get()).ok()))
            .collect::<Vec<_>>(),
    )
    .bind(column(&|transfer| transfer.reference.clone()))
    .execute(tx)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => LedgerError::AlreadyPosted {
            constraint: refused.constraint().unwrap_or("unnamed").to_owned(),
        },
        _ => LedgerError::Database(error),
    })?;
    Ok(())
}

pub(super) async fn add_to_balances(
    tx: &mut PgConnection,
    changes: &BTreeMap<i64, i64>,
) -> Result<Vec<BalanceChange>, LedgerError> {
    let (ids, sums): (Vec<i64>, Vec<i64>) = changes.iter().unzip();
    // Locking in the order of the ids first keeps two writers from waiting for each other.
    sqlx::query("select 1 from ledger_account where ledger_account = any($1) order by ledger_account for no key update")
        .bind(&ids)
        .execute(&mut *tx)
        .await
        .map_err(LedgerError::Database)?;
    let rows = sqlx::query(
        "update ledger_account as l set balance = l.balance + c.change \
         from unnest($1::int8[], $2::int8[]) as c (id, change) where l.ledger_account = c.id \
         returning l.account, l.balance, c.change",
    )
    .bind(&ids)
    .bind(&sums)
    .fetch_all(tx)
    .await
    .map_err(LedgerError::Database)?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let (account, after, change): (Option<i64>, i64, i64) =
                (row.get(0), row.get(1), row.get(2));
            account.map(|account| BalanceChange {
                account: AccountId::new(account),
                before: after - change,
                after,
            })
        })
        .collect())
}
