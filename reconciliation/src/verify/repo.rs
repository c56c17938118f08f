//! The SQL of verify: everything that is stored about a closed day.

use std::collections::BTreeMap;

use clearing_house::sql::{day_from_sql, day_to_sql};
use domain::{BusinessDate, IssuerId, OperatorId};
use sqlx::PgConnection;
use sqlx::types::time::Date;

use super::day::ClosedDay;
use crate::settlement::repo::{counted_from_charges, counted_from_ledger, number, parsed};
use crate::settlement::{SettlementError, figures, stored_amount};
use crate::statement::repo::paper;
use crate::statement::{Cash, Position, Totals};

type Result<T> = std::result::Result<T, SettlementError>;

pub(super) async fn take_snapshot(tx: &mut PgConnection) -> Result<()> {
    sqlx::query("set transaction isolation level repeatable read read only")
        .execute(tx)
        .await
        .map_err(SettlementError::database("take a snapshot"))?;
    Ok(())
}

/// Every day that is closed or has a statement.
pub(super) async fn days(tx: &mut PgConnection) -> Result<Vec<(OperatorId, BusinessDate)>> {
    let rows: Vec<(String, Date)> = sqlx::query_as(
        "select operator, day from settlement_day where state = 'closed'
         union
         select operator, day from statement
         order by operator, day",
    )
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the closed days"))?;
    rows.into_iter()
        .map(|(operator, day)| Ok((parsed("operator", &operator)?, day_from_sql(day))))
        .collect()
}

pub(super) async fn day(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<ClosedDay> {
    let (closed, postings, postings_after) = postings(tx, operator, day).await?;
    let (statements, totals) = totals(tx, operator, day).await?;
    Ok(ClosedDay {
        operator: operator.clone(),
        day,
        closed,
        postings,
        postings_after,
        statements,
        paper: paper(&mut *tx, operator, day).await?,
        totals,
        positions: positions(tx, operator, day).await?,
        cash: cash(tx, operator, day).await?,
        fees: fees(tx, operator, day).await?,
        charges: counted_from_charges(tx, operator, day).await?,
        ledger: counted_from_ledger(tx, operator, day).await?,
        recounted: figures(tx, operator, day).await?,
    })
}

async fn postings(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<(bool, u64, u64)> {
    let (closed, postings, after): (bool, i64, i64) = sqlx::query_as(
        "select d.state = 'closed', count(made.at), count(made.at) filter (where made.at > d.closed_at)
         from settlement_day d
         left join lateral (
             select c.rated_at as at from charge c
             where c.operator = d.operator and c.day = d.day
             union all
             select t.posted_at from transfer t
             where t.operator = d.operator and t.day = d.day and t.kind in ('toll', 'cash-toll')
         ) made on true
         where d.operator = $1 and d.day = $2
         group by d.state",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("look for postings after the close"))?;
    Ok((closed, number("count", postings)?, number("count", after)?))
}

async fn totals(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<(u64, Totals)> {
    let rows: Vec<(i64, i64, i64, i64, i64)> = sqlx::query_as(
        "select passages, gross, fee, net, cash from statement
         where operator = $1 and day = $2 order by revision desc",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read a statement's totals"))?;
    let totals = match rows.first() {
        Some((passages, gross, fee, net, cash)) => Totals {
            passages: number("count", *passages)?,
            gross: stored_amount(*gross)?,
            fee: stored_amount(*fee)?,
            net: stored_amount(*net)?,
            cash: stored_amount(*cash)?,
        },
        None => Totals::default(),
    };
    Ok((u64::try_from(rows.len()).unwrap_or(u64::MAX), totals))
}

async fn positions(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<Position>> {
    let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "select issuer, passages, gross, fee, net from settlement_position
         where operator = $1 and day = $2 order by issuer collate \"C\"",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the positions"))?;
    let position = |(issuer, passages, gross, fee, net): (String, _, _, _, _)| {
        Ok(Position {
            issuer: parsed("issuer", &issuer)?,
            passages: number("count", passages)?,
            gross: stored_amount(gross)?,
            fee: stored_amount(fee)?,
            net: stored_amount(net)?,
        })
    };
    rows.into_iter().map(position).collect()
}

async fn cash(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Option<Cash>> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        "select passages, amount from settlement_cash where operator = $1 and day = $2",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read the cash of a day"))?;
    row.map(|(passages, units)| {
        Ok(Cash { passages: number("count", passages)?, amount: stored_amount(units)? })
    })
    .transpose()
}

/// Fees of the day, by the issuer whose debt to the operator they were taken from.
async fn fees(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<BTreeMap<IssuerId, (u64, i64)>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select owed.issuer, count(*), sum(t.amount)::bigint
         from transfer t
         join ledger_account owed on owed.ledger_account = t.debit and owed.kind = 'payable'
         join ledger_account kept on kept.ledger_account = t.credit and kept.kind = 'fee'
                                 and kept.issuer = owed.issuer
         where t.kind = 'fee' and owed.operator = $1 and t.day = $2
         group by owed.issuer",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the fees"))?;
    rows.into_iter()
        .map(|(issuer, times, sum)| {
            Ok((parsed("issuer", &issuer)?, (number("count", times)?, sum)))
        })
        .collect()
}

/// How many fees the ledger has, and those that belong to no position.
pub(super) async fn fees_without_position(tx: &mut PgConnection) -> Result<(u64, Vec<String>)> {
    let fees: i64 = sqlx::query_scalar("select count(*) from transfer where kind = 'fee'")
        .fetch_one(&mut *tx)
        .await
        .map_err(SettlementError::database("count the fees"))?;
    let strays: Vec<String> = sqlx::query_scalar(
        "select coalesce(t.reference, 'transfer ' || t.transfer)
         from transfer t
         join ledger_account d on d.ledger_account = t.debit
         left join settlement_position p
                on d.kind = 'payable' and p.operator = d.operator and p.issuer = d.issuer
               and p.day = t.day
         where t.kind = 'fee' and p.operator is null
         order by t.transfer",
    )
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("look for fees without a position"))?;
    Ok((number("count", fees)?, strays))
}
