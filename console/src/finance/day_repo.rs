//! What the page of one settlement day asks the books.

use clearing_house::sql::{day_to_sql, from_sql};
use domain::{BusinessDate, OperatorId, Timestamp};
use sqlx::types::time::{Date, OffsetDateTime};

use crate::books::{Books, BooksError, in_time};

/// Passages of one station and disposition, and what they paid.
#[derive(sqlx::FromRow)]
pub(super) struct CountRow {
    pub operator: String,
    pub station: String,
    pub station_name: String,
    pub disposition: String,
    pub payer: String,
    pub passages: i64,
    pub amount: i64,
}

/// What is behind a day's total: as it was counted, or one look at the day's own partition.
pub(super) async fn counts(
    books: &Books,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<CountRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select l.operator, l.station, s.name as station_name,
                    coalesce(m.disposition, 'pending') as disposition, m.payer,
                    sum(p.passages)::bigint as passages, sum(p.amount)::bigint as amount
             from (select journal_no, manner, sum(passages) as passages, sum(amount) as amount
                   from traffic_of_day($2)
                   where operator_no = (select operator_no from operator where operator = $1)
                   group by journal_no, manner) p
             join lane_epoch e using (journal_no)
             join lane l using (lane)
             join station s using (operator, station)
             join manner m using (manner)
             group by l.operator, l.station, s.name, m.disposition, m.payer
             order by s.name, passages desc",
        )
        .bind(operator.as_str())
        .bind(day_to_sql(day))
        .fetch_all(books.pool()?),
    )
    .await
}

/// What an issuer owes for the day, and the payment that is to bring it.
#[derive(sqlx::FromRow)]
pub(crate) struct PositionRow {
    pub issuer_name: String,
    pub passages: i64,
    pub gross: i64,
    pub adjustment: i64,
    pub fee: i64,
    pub vat: i64,
    pub net: i64,
    pub carried: bool,
    pub payment_order: Option<i64>,
    pub end_to_end: Option<String>,
    pub ordered: Option<i64>,
    pub paid: Option<i64>,
    pub returned: Option<i64>,
    /// The bank's own references.
    pub bookings: Vec<String>,
    last_booked_on: Option<Date>,
}

impl PositionRow {
    /// The day of the bank's last booking.
    pub(crate) fn last_booked_on(&self) -> Option<BusinessDate> {
        self.last_booked_on.map(clearing_house::sql::day_from_sql)
    }
}

/// The positions of a day, or of one issuer, with their payments.
pub(crate) async fn positions(
    books: &Books,
    operator: &OperatorId,
    day: BusinessDate,
    issuer: Option<&str>,
) -> Result<Vec<PositionRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select i.name as issuer_name, s.passages, s.gross, s.adjustment, s.fee, s.vat,
                    s.net, c.issuer is not null as carried, p.payment_order, p.end_to_end,
                    p.amount as ordered, p.paid, p.returned,
                    coalesce(b.bookings, '{}') as bookings, b.last_booked_on
             from settlement_position s
             join issuer i using (issuer)
             left join payment_carry c using (operator, day, issuer)
             left join payment_part t using (operator, day, issuer)
             left join payment_v1 p using (end_to_end)
             left join lateral (
                 select array_agg(bank_reference order by payment_booking) as bookings,
                        max(booked_on) as last_booked_on
                 from payment_booking k where k.end_to_end = p.end_to_end) b on true
             where s.operator = $1 and s.day = $2 and ($3::text is null or s.issuer = $3)
             order by i.name, p.payment_order",
        )
        .bind(operator.as_str())
        .bind(day_to_sql(day))
        .bind(issuer)
        .fetch_all(books.pool()?),
    )
    .await
}

/// A change of the day, for its history.
pub(super) struct ChangeRow {
    pub at: Timestamp,
    pub state: String,
    pub who: String,
    pub reason: Option<String>,
}

/// Everything that became of the day: its changes and the word of its maker, in order.
pub(super) async fn history(
    books: &Books,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<ChangeRow>, BooksError> {
    let rows: Vec<(OffsetDateTime, String, String, Option<String>)> = in_time(
        sqlx::query_as(
            "select at, state, actor, reason from (
                 select changed_at as at, place, state, actor, reason from window_change
                 where operator = $1 and day = $2
                 union all
                 select proposed_at, 2, 'proposed', proposed_by, null from proposal
                 where kind = 'settlement' and operator = $1 and day = $2) h
             order by at, place",
        )
        .bind(operator.as_str())
        .bind(day_to_sql(day))
        .fetch_all(books.pool()?),
    )
    .await?;
    let change = |(at, state, who, reason)| ChangeRow { at: from_sql(at), state, who, reason };
    Ok(rows.into_iter().map(change).collect())
}
