//! The SQL of verify: everything that is stored about a closed day.

use std::collections::BTreeMap;

use clearing_house::sql::{day_from_sql, day_to_sql};
use domain::{BusinessDate, IssuerId, OperatorId};
use sqlx::types::time::Date;
use sqlx::{PgConnection, PgExecutor};

use super::Which;
use super::day::{ClosedDay, Kept, WindowRows};
use crate::money::Signed;
use crate::settlement::repo::{number, parsed};
use crate::settlement::{SettlementError, Sheet, figures, stored_amount};
use crate::statement::repo::paper;
use crate::statement::{Cash, Position, Totals};
use crate::window::Window;
use crate::window::repo::changes;

type Result<T> = std::result::Result<T, SettlementError>;

pub(super) async fn take_snapshot(tx: &mut PgConnection) -> Result<()> {
    // One worker, so that the other processors are left to whoever posts.
    sqlx::raw_sql(
        "set transaction isolation level repeatable read, read only;
         set local max_parallel_workers_per_gather = 0;
         set local jit = off",
    )
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
         union
         select operator, day from window_change
         order by operator, day",
    )
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the closed days"))?;
    rows.into_iter()
        .map(|(operator, day)| Ok((parsed("operator", &operator)?, day_from_sql(day))))
        .collect()
}

/// Whether a day takes no more postings.
pub(super) async fn is_sealed(
    executor: impl PgExecutor<'_>,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (select from settlement_day where operator = $1 and day = $2 and state = 'closed')",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_one(executor)
    .await
    .map_err(SettlementError::database("ask whether a day is sealed"))
}

pub(super) async fn day(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
    sheet: &Sheet,
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
        window: window(tx, operator, day).await?,
        charges: sheet.counted_from_charges()?,
        ledger: sheet.counted_from_ledger()?,
        recounted: figures(tx, operator, day, sheet).await?,
    })
}

async fn postings(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<(bool, u64, u64)> {
    let (closed, postings, after): (bool, i64, i64) = sqlx::query_as(
        // Sealed is not closed yet: a day that is being counted has no statement.
        "select d.state = 'closed'
                and coalesce((select c.state <> 'closing' from window_change c
                              where c.operator = d.operator and c.day = d.day
                              order by c.place desc limit 1), true),
                coalesce(sum(made.n) filter (where made.at is not null), 0)::bigint,
                coalesce(sum(made.n) filter (where made.at > d.closed_at), 0)::bigint
         from settlement_day d
         left join lateral (
             -- A charge and, where it costs something, the toll: counted by batch, dated by batch.
             select b.posted_at as at, p.n
             from (select batch, count(*) + count(*) filter (where amount > 0) as n
                   from posting
                   where day = $2 and operator_no = (select operator_no from operator where operator = $1)
                   group by batch) p
             left join posting_batch b using (batch)
             union all
             select t.posted_at, 1 from direct_transfer t
             where t.operator = d.operator and t.day = d.day and t.kind in ('reversal', 'repost', 'adjustment')
         ) made on true
         where d.operator = $1 and d.day = $2
         group by d.operator, d.day",
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
    type Row = (i64, i64, i64, i64, i64, i64, i64, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(
        "select s.passages, s.gross, s.fee, s.net, s.cash, s.adjustment, s.vat, c.adjustment
         from statement s left join settlement_cash c using (operator, day)
         where operator = $1 and day = $2 order by revision desc",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read a statement's totals"))?;
    let totals = match rows.first() {
        Some((passages, gross, fee, net, cash, adjustment, vat, of_cash)) => Totals {
            passages: number("count", *passages)?,
            gross: stored_amount(*gross)?,
            adjustment: Signed::new(*adjustment),
            fee: Signed::new(*fee),
            vat: Signed::new(*vat),
            net: Signed::new(*net),
            cash: stored_amount(*cash)?,
            cash_adjustment: Signed::new(of_cash.unwrap_or_default()),
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
    let rows: Vec<(String, i64, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "select issuer, passages, gross, fee, net, adjustment, vat from settlement_position
         where operator = $1 and day = $2 order by issuer collate \"C\"",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the positions"))?;
    let position =
        |(issuer, passages, gross, fee, net, adjustment, vat): (String, _, _, _, _, _, _)| {
            Ok(Position {
                issuer: parsed("issuer", &issuer)?,
                terms: None,
                passages: number("count", passages)?,
                gross: stored_amount(gross)?,
                adjustment: Signed::new(adjustment),
                fee: Signed::new(fee),
                vat: Signed::new(vat),
                net: Signed::new(net),
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

/// What the window became, and who approved what of it.
async fn window(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<WindowRows> {
    let window = Window::new(operator.clone(), day);
    let states = changes(&mut *tx, &window).await?.iter().map(|change| change.state).collect();
    let row: Option<(String, String, bool)> = sqlx::query_as(
        "select p.proposed_by, a.approved_by,
                p.digest in (select digest from statement s where s.operator = p.operator and s.day = p.day)
         from proposal p join approval a using (proposal)
         where p.kind = 'settlement' and p.operator = $1 and p.day = $2
         order by p.proposal limit 1",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read who approved a day"))?;
    let approved = row.map(|(maker, checker, same)| {
        Ok::<_, SettlementError>((parsed("person", &maker)?, parsed("person", &checker)?, same))
    });
    Ok(WindowRows { states, approved: approved.transpose()? })
}

/// Fees of the day and the tax on them, by the issuer whose debt to the operator they were taken
/// from, or given back to.
async fn fees(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<BTreeMap<(IssuerId, Kept), (u64, i64)>> {
    let rows: Vec<(String, bool, i64, i64)> = sqlx::query_as(
        "select owed.issuer, kept.kind = 'vat', count(*),
                sum(case when t.debit = owed.ledger_account then t.amount else -t.amount end)::bigint
         from direct_transfer t
         join ledger_account owed on owed.ledger_account in (t.debit, t.credit) and owed.kind = 'payable'
         join ledger_account kept on kept.ledger_account in (t.debit, t.credit) and kept.kind in ('fee', 'vat')
                                 and kept.issuer = owed.issuer
         where t.kind = 'fee' and owed.operator = $1 and t.day = $2
         group by owed.issuer, kept.kind = 'vat'",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the fees"))?;
    rows.into_iter()
        .map(|(issuer, is_vat, times, sum)| {
            let kept = if is_vat { Kept::Vat } else { Kept::Fee };
            Ok(((parsed("issuer", &issuer)?, kept), (number("count", times)?, sum)))
        })
        .collect()
}

/// How many fees the ledger has, and those that belong to no position.
pub(super) async fn fees_without_position(
    tx: &mut PgConnection,
    Which { day, operator }: &Which,
) -> Result<(u64, Vec<String>)> {
    let (day, operator) = (day.map(day_to_sql), operator.as_ref().map(OperatorId::as_str));
    let fees: i64 = sqlx::query_scalar(
        "select count(*) from direct_transfer
         where kind = 'fee' and ($1::date is null or day = $1) and ($2::text is null or operator = $2)",
    )
    .bind(day)
    .bind(operator)
    .fetch_one(&mut *tx)
    .await
    .map_err(SettlementError::database("count the fees"))?;
    let strays: Vec<String> = sqlx::query_scalar(
        "select coalesce(t.reference, 'transfer ' || t.transfer)
         from direct_transfer t
         left join ledger_account d on d.ledger_account in (t.debit, t.credit) and d.kind = 'payable'
         left join settlement_position p
                on p.operator = d.operator and p.issuer = d.issuer and p.day = t.day
         where t.kind = 'fee' and p.operator is null
           and ($1::date is null or t.day = $1) and ($2::text is null or t.operator = $2)
         order by t.transfer",
    )
    .bind(day)
    .bind(operator)
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("look for fees without a position"))?;
    Ok((number("count", fees)?, strays))
}
