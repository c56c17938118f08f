//! The SQL of settlement. Every count is of one operator's day.

use std::collections::BTreeMap;

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql, to_sql};
use domain::{BusinessDate, Currency, OperatorId, Timestamp};
use rust_decimal::Decimal;
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, PgPool};

use super::completeness::{Hole, JournalState, Pending};
use super::{Counted, SettlementError, Source};
use crate::statement::{Paper, Statement};

type Result<T> = std::result::Result<T, SettlementError>;

/// An operator's terms.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) operator: OperatorId,
    pub(crate) name: String,
    pub(crate) currency: Currency,
    pub(crate) zone: String,
    pub(crate) cut_off: String,
    pub(crate) fee_share: Decimal,
}

/// Whether a day still takes postings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayState {
    Open,
    Closed,
}

/// The days of one operator up to a date.
#[derive(Debug, Default)]
pub(crate) struct Days {
    pub(crate) open: Vec<BusinessDate>,
    pub(crate) last_closed: Option<BusinessDate>,
}

pub(crate) fn parsed<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T> {
    text.trim().parse().map_err(|_not_one| SettlementError::Stored { what, text: text.to_owned() })
}

pub(crate) fn number<N: TryFrom<i64>>(what: &'static str, stored: i64) -> Result<N> {
    N::try_from(stored)
        .map_err(|_outside| SettlementError::Stored { what, text: stored.to_string() })
}

pub(crate) async fn operators(pool: &PgPool) -> Result<Vec<Operator>> {
    let rows: Vec<(String, String, String, String, String, Decimal)> = sqlx::query_as(
        "select operator, name, currency::text, zone, cut_off, fee_share
         from operator order by operator",
    )
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read the operators"))?;
    let operator = |(operator, name, currency, zone, cut_off, fee_share): (
        String,
        _,
        String,
        _,
        _,
        Decimal,
    )| {
        Ok(Operator {
            operator: parsed("operator", &operator)?,
            name,
            currency: parsed("currency", &currency)?,
            zone,
            cut_off,
            fee_share: fee_share.normalize(),
        })
    };
    rows.into_iter().map(operator).collect()
}

pub(crate) async fn days_through(
    pool: &PgPool,
    operator: &OperatorId,
    through: BusinessDate,
) -> Result<Days> {
    let rows: Vec<(Date, String)> = sqlx::query_as(
        "select d.day, d.state from settlement_day d
         where d.operator = $1 and d.day <= $2
           and exists (select from charge c where c.operator = d.operator and c.day = d.day)
         order by d.day",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(through))
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read the settlement days"))?;
    let mut days = Days::default();
    for (day, state) in rows {
        if state == "closed" {
            days.last_closed = Some(day_from_sql(day));
        } else {
            days.open.push(day_from_sql(day));
        }
    }
    Ok(days)
}

/// Waits for the postings in flight and keeps new ones out until the transaction ends.
pub(super) async fn take_day(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<DayState> {
    let state: String = sqlx::query_scalar(
        "select state from settlement_day where operator = $1 and day = $2 for update",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("take the settlement day"))?;
    Ok(if state == "open" { DayState::Open } else { DayState::Closed })
}

// Completeness -------------------------------------------------------------------------------

pub(super) async fn journals(
    tx: &mut PgConnection,
    operator: &OperatorId,
) -> Result<Vec<JournalState>> {
    let rows: Vec<(String, i32, i64, i64, i64)> = sqlx::query_as(
        "select e.lane, e.epoch, e.posted_upto, count(p.seq), coalesce(max(p.seq), 0)
         from lane_epoch e
         join lane l using (lane)
         left join passage p using (lane, epoch)
         where l.operator = $1
         group by e.lane, e.epoch
         order by e.lane, e.epoch",
    )
    .bind(operator.as_str())
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("count the lanes' journals"))?;
    let journal = |(lane, epoch, posted_upto, stored, last_seq): (String, i32, _, _, _)| {
        Ok(JournalState {
            lane: parsed("lane", &lane)?,
            epoch: number("epoch", epoch.into())?,
            posted_upto: number("watermark", posted_upto)?,
            stored: number("count", stored)?,
            last_seq: number("sequence", last_seq)?,
        })
    };
    rows.into_iter().map(journal).collect()
}

pub(super) async fn holes(tx: &mut PgConnection, operator: &OperatorId) -> Result<Vec<Hole>> {
    let rows: Vec<(String, i32, i64, i64, Option<OffsetDateTime>)> = sqlx::query_as(
        "select lane, epoch, before + 1, seq - 1, before_at
         from (select p.lane, p.epoch, p.seq,
                      coalesce(lag(p.seq) over journal, 0) as before,
                      lag(coalesce(p.at, p.received_at)) over journal as before_at
               from passage p
               join lane l using (lane)
               where l.operator = $1
               window journal as (partition by p.lane, p.epoch order by p.seq)) numbered
         where seq > before + 1
         order by lane, epoch, seq",
    )
    .bind(operator.as_str())
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("look for holes in the lanes' journals"))?;
    let hole = |(lane, epoch, first, last, after): (String, i32, _, _, Option<_>)| {
        Ok(Hole {
            lane: parsed("lane", &lane)?,
            epoch: number("epoch", epoch.into())?,
            first_seq: number("sequence", first)?,
            last_seq: number("sequence", last)?,
            after: after.map(from_sql),
        })
    };
    rows.into_iter().map(hole).collect()
}

pub(super) async fn pending(tx: &mut PgConnection, operator: &OperatorId) -> Result<Vec<Pending>> {
    let rows: Vec<(String, i32, i64, OffsetDateTime)> = sqlx::query_as(
        "select p.lane, p.epoch, p.seq, coalesce(p.at, p.received_at)
         from passage p
         join lane l using (lane)
         where l.operator = $1
           and not exists (select from charge c
                           where c.lane = p.lane and c.epoch = p.epoch and c.seq = p.seq)
         order by p.lane, p.epoch, p.seq",
    )
    .bind(operator.as_str())
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("look for undecided passages"))?;
    let passage = |(lane, epoch, seq, at): (String, i32, _, _)| {
        Ok(Pending {
            lane: parsed("lane", &lane)?,
            epoch: number("epoch", epoch.into())?,
            seq: number("sequence", seq)?,
            at: from_sql(at),
        })
    };
    rows.into_iter().map(passage).collect()
}

// The two ways of counting -------------------------------------------------------------------

fn by_source(rows: Vec<(Option<String>, i64, i64)>) -> Result<BTreeMap<Source, Counted>> {
    rows.into_iter()
        .map(|(issuer, tolls, minor_units)| {
            let source = match issuer {
                Some(issuer) => Source::Issuer(parsed("issuer", &issuer)?),
                None => Source::Cash,
            };
            Ok((source, Counted { tolls: number("count", tolls)?, minor_units }))
        })
        .collect()
}

/// From the charges, over the accounts they were charged to.
pub(crate) async fn counted_from_charges(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<BTreeMap<Source, Counted>> {
    let rows = sqlx::query_as(
        "select a.issuer, count(*), sum(c.amount)::bigint
         from charge c
         left join account a using (account)
         where c.operator = $1 and c.day = $2 and c.disposition = 'posted' and c.amount > 0
         group by a.issuer",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("sum the charges"))?;
    by_source(rows)
}

/// From the ledger, over the accounts that stand for what is owed to the operator or lies in its
/// till; everything but the fee counts, so that a reversal cannot hide.
pub(crate) async fn counted_from_ledger(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<BTreeMap<Source, Counted>> {
    let rows = sqlx::query_as(
        "select k.issuer, count(*),
                sum(case when t.credit = k.ledger_account then t.amount else -t.amount end)::bigint
         from transfer t
         join ledger_account k on k.ledger_account in (t.debit, t.credit)
         where t.day = $2 and t.kind <> 'fee'
           and k.kind in ('payable', 'cash-toll') and k.operator = $1
         group by k.issuer",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("sum the ledger"))?;
    by_source(rows)
}

/// When the last charge or transfer of the day was made.
pub(super) async fn last_posting(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Option<Timestamp>> {
    let last: Option<OffsetDateTime> = sqlx::query_scalar(
        "select greatest((select max(rated_at) from charge where operator = $1 and day = $2),
                         (select max(posted_at) from transfer where operator = $1 and day = $2))",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("find the day's last posting"))?;
    Ok(last.map(from_sql))
}

// Writing ------------------------------------------------------------------------------------

/// Writes statement, positions and cash, and closes the day.
pub(super) async fn close_in_tx(
    tx: &mut PgConnection,
    statement: &Statement,
    paper: &Paper,
) -> Result<()> {
    let writing = || SettlementError::database("write a closed day");
    let (operator, day) = (statement.operator.as_str(), day_to_sql(statement.day));
    let issued_at = to_sql(statement.issued_at);
    let totals = statement.totals;
    sqlx::query(
        "insert into statement (operator, day, revision, canonical, digest, signature, issued_at,
                                passages, gross, fee, net, cash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(operator)
    .bind(day)
    .bind(i32::try_from(statement.revision).unwrap_or(i32::MAX))
    .bind(&paper.canonical)
    .bind(paper.digest.as_bytes().as_slice())
    .bind(paper.signature.as_bytes().as_slice())
    .bind(issued_at)
    .bind(to_stored(totals.passages))
    .bind(totals.gross.minor_units())
    .bind(totals.fee.minor_units())
    .bind(totals.net.minor_units())
    .bind(totals.cash.minor_units())
    .execute(&mut *tx)
    .await
    .map_err(writing())?;
    for position in &statement.issuers {
        sqlx::query(
            "insert into settlement_position (operator, day, issuer, passages, gross, fee, net)
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(operator)
        .bind(day)
        .bind(position.issuer.as_str())
        .bind(to_stored(position.passages))
        .bind(position.gross.minor_units())
        .bind(position.fee.minor_units())
        .bind(position.net.minor_units())
        .execute(&mut *tx)
        .await
        .map_err(writing())?;
    }
    sqlx::query(
        "insert into settlement_cash (operator, day, passages, amount) values ($1, $2, $3, $4)",
    )
    .bind(operator)
    .bind(day)
    .bind(to_stored(statement.cash.passages))
    .bind(statement.cash.amount.minor_units())
    .execute(&mut *tx)
    .await
    .map_err(writing())?;
    sqlx::query(
        "update settlement_day set state = 'closed', closed_at = $3, early_reason = $4
         where operator = $1 and day = $2",
    )
    .bind(operator)
    .bind(day)
    .bind(issued_at)
    .bind(statement.early_reason.as_deref())
    .execute(&mut *tx)
    .await
    .map_err(writing())?;
    Ok(())
}

fn to_stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
