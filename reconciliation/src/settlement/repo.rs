//! The SQL of settlement. Every count is of one operator's day.

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql, to_sql};
use domain::time::SettlementCalendar;
use domain::{BusinessDate, Currency, OperatorId, Timestamp};
use rust_decimal::Decimal;
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, PgPool};

use super::SettlementError;
use super::completeness::{JournalState, Pending};
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

impl Operator {
    /// Its settlement days.
    pub(crate) fn calendar(&self) -> Result<SettlementCalendar> {
        SettlementCalendar::try_new(&self.zone, &self.cut_off).map_err(|source| {
            SettlementError::Calendar { operator: self.operator.to_string(), source }
        })
    }
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
    /// Those without a statement.
    pub(crate) to_close: Vec<BusinessDate>,
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

/// Whether a day `d` of an operator `o` gets a statement: it has something to state, or is closed.
pub(crate) const IS_STATED: &str = "(d.state = 'closed'
    -- What moved money is found by an index; what did not, by its first row.
    or exists (select from batch_sum b where b.operator_no = o.operator_no and b.day = d.day)
    or exists (select from posting p where p.operator_no = o.operator_no and p.day = d.day)
    or exists (select from direct_transfer t where t.operator = d.operator and t.day = d.day
               and t.kind in ('reversal', 'repost', 'adjustment')))";

pub(crate) async fn days_through(
    pool: &PgPool,
    operator: &OperatorId,
    through: BusinessDate,
) -> Result<Days> {
    let rows: Vec<(Date, bool)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select d.day, exists (select from statement s where s.operator = d.operator and s.day = d.day)
         from settlement_day d
         join operator o using (operator)
         where d.operator = $1 and d.day <= $2
           and {IS_STATED}
         order by d.day"
    )))
    .bind(operator.as_str())
    .bind(day_to_sql(through))
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read the settlement days"))?;
    let mut days = Days::default();
    for (day, stated) in rows {
        if stated {
            days.last_closed = Some(day_from_sql(day));
        } else {
            days.to_close.push(day_from_sql(day));
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

/// Sees to it that the day takes no more postings.
pub(super) async fn seal(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
    closed_at: Timestamp,
    early_reason: Option<&str>,
) -> Result<()> {
    sqlx::query(
        "update settlement_day set state = 'closed', closed_at = $3, early_reason = $4
         where operator = $1 and day = $2",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .bind(to_sql(closed_at))
    .bind(early_reason)
    .execute(tx)
    .await
    .map_err(SettlementError::database("seal a day"))?;
    Ok(())
}

/// When a day was sealed, and why before its end.
pub(super) async fn sealed(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<(Timestamp, Option<String>)> {
    let (closed_at, early_reason): (OffsetDateTime, Option<String>) = sqlx::query_as(
        "select closed_at, early_reason from settlement_day where operator = $1 and day = $2",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("read when a day was sealed"))?;
    Ok((from_sql(closed_at), early_reason))
}

// Completeness: only what is not in order is looked at, so that posting waits for it but a moment ---

pub(super) async fn journals_behind(
    tx: &mut PgConnection,
    operator: &OperatorId,
) -> Result<Vec<JournalState>> {
    let rows: Vec<(String, i32, i64, i64)> = sqlx::query_as(
        "select e.lane, e.epoch, e.posted_upto, e.last_seq
         from lane_epoch e
         join lane l using (lane)
         where l.operator = $1 and e.posted_upto <> e.last_seq
         order by e.lane, e.epoch",
    )
    .bind(operator.as_str())
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("look for lanes whose receipts are behind"))?;
    let journal = |(lane, epoch, posted_upto, last_seq): (String, i32, _, _)| {
        Ok(JournalState {
            lane: parsed("lane", &lane)?,
            epoch: number("epoch", epoch.into())?,
            posted_upto: number("watermark", posted_upto)?,
            last_seq: number("sequence", last_seq)?,
        })
    };
    rows.into_iter().map(journal).collect()
}

pub(super) async fn pending(tx: &mut PgConnection, operator: &OperatorId) -> Result<Vec<Pending>> {
    let rows: Vec<(String, i32, i64, OffsetDateTime)> = sqlx::query_as(
        "select e.lane, e.epoch, w.seq::bigint, w.at
         from waiting_exit w
         join lane_epoch e using (journal_no)
         join lane l using (lane)
         where l.operator = $1
         order by e.lane, e.epoch, w.seq",
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

/// When the last batch was posted that may have fallen into the day, or a correction did.
pub(super) async fn last_posting(
    tx: &mut PgConnection,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Option<Timestamp>> {
    let last: Option<OffsetDateTime> = sqlx::query_scalar(
        "select greatest((select max(posted_at)
                          from (select posted_at from posting_batch order by batch desc limit 1000) b),
                         (select max(posted_at) from direct_transfer where operator = $1 and day = $2))",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("find the day's last posting"))?;
    Ok(last.map(from_sql))
}

// Writing ------------------------------------------------------------------------------------

/// Writes statement, positions and cash.
pub(super) async fn state_in_tx(
    tx: &mut PgConnection,
    statement: &Statement,
    paper: &Paper,
) -> Result<()> {
    let writing = || SettlementError::database("write a closed day");
    let (operator, day) = (statement.operator.as_str(), day_to_sql(statement.day));
    let totals = statement.totals;
    sqlx::query(
        "insert into statement (operator, day, revision, canonical, digest, signature, issued_at,
                                passages, gross, fee, net, cash, adjustment, vat)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(operator)
    .bind(day)
    .bind(i32::try_from(statement.revision).unwrap_or(i32::MAX))
    .bind(&paper.canonical)
    .bind(paper.digest.as_bytes().as_slice())
    .bind(paper.signature.as_bytes().as_slice())
    .bind(to_sql(statement.issued_at))
    .bind(to_stored(totals.passages))
    .bind(totals.gross.minor_units())
    .bind(totals.fee.minor_units())
    .bind(totals.net.minor_units())
    .bind(totals.cash.minor_units())
    .bind(totals.adjustment.minor_units())
    .bind(totals.vat.minor_units())
    .execute(&mut *tx)
    .await
    .map_err(writing())?;
    for position in &statement.issuers {
        sqlx::query(
            "insert into settlement_position (operator, day, issuer, passages, gross, fee, net,
                                              adjustment, vat)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(operator)
        .bind(day)
        .bind(position.issuer.as_str())
        .bind(to_stored(position.passages))
        .bind(position.gross.minor_units())
        .bind(position.fee.minor_units())
        .bind(position.net.minor_units())
        .bind(position.adjustment.minor_units())
        .bind(position.vat.minor_units())
        .execute(&mut *tx)
        .await
        .map_err(writing())?;
    }
    sqlx::query(
        "insert into settlement_cash (operator, day, passages, amount, adjustment)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(operator)
    .bind(day)
    .bind(to_stored(statement.cash.passages))
    .bind(statement.cash.amount.minor_units())
    .bind(totals.cash_adjustment.minor_units())
    .execute(&mut *tx)
    .await
    .map_err(writing())?;
    Ok(())
}

fn to_stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
