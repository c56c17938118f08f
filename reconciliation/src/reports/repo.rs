//! The SQL of reports. Postings are always asked for by day: one partition each.

use clearing_house::sql::{day_to_sql, from_sql};
use domain::Timestamp;
use sqlx::PgPool;
use sqlx::types::time::OffsetDateTime;

use super::{Row, Span};
use crate::cases::age;
use crate::settlement::SettlementError;

type Result<T> = std::result::Result<T, SettlementError>;

async fn counted(
    pool: &PgPool,
    sql: &'static str,
    span: &Span,
    doing: &'static str,
) -> Result<Vec<Row>> {
    let rows: Vec<(Vec<String>, i64, i64)> = sqlx::query_as(sql)
        .bind(day_to_sql(span.from))
        .bind(day_to_sql(span.through))
        .bind(span.operator.as_ref().map(domain::OperatorId::as_str))
        .fetch_all(pool)
        .await
        .map_err(SettlementError::database(doing))?;
    Ok(rows.into_iter().map(|(labels, count, amount)| Row { labels, count, amount }).collect())
}

/// Tolls that were charged.
pub(super) async fn revenue(pool: &PgPool, span: &Span) -> Result<Vec<Row>> {
    let sql = "select array[o.operator, p.day::text, split_part(e.lane, '/', 2),
                            coalesce(m.vehicle_group::text, '-'),
                            to_char(p.at at time zone o.zone, 'HH24'), m.payer] as labels,
                      count(*), sum(p.amount)::bigint
               from posting p
               join operator o using (operator_no)
               join lane_epoch e using (journal_no)
               join manner m using (manner)
               where p.day between $1 and $2 and ($3::text is null or o.operator = $3)
                 and m.disposition = 'posted' and p.amount > 0
               group by 1 order by 1";
    counted(pool, sql, span, "count the revenue").await
}

/// Passages that did not simply pass.
pub(super) async fn exceptions(pool: &PgPool, span: &Span) -> Result<Vec<Row>> {
    let sql = "select array[o.operator, split_part(e.lane, '/', 2), m.exception, m.decision,
                            coalesce(x.attendant, '-')] as labels,
                      count(*), sum(p.amount)::bigint
               from posting p
               join operator o using (operator_no)
               join lane_epoch e using (journal_no)
               join manner m using (manner)
               left join passage_more x on x.journal_no = p.journal_no and x.seq = p.seq
               where p.day between $1 and $2 and ($3::text is null or o.operator = $3)
                 and m.exception is not null
               group by 1 order by 1";
    counted(pool, sql, span, "count the exceptions").await
}

/// Passages that an attendant let through.
pub(super) async fn manual_openings(pool: &PgPool, span: &Span) -> Result<Vec<Row>> {
    let sql = "select array[o.operator, split_part(e.lane, '/', 2), coalesce(x.attendant, '-'),
                            m.decision, coalesce(m.reason, '-')] as labels,
                      count(*), sum(p.amount)::bigint
               from posting p
               join operator o using (operator_no)
               join lane_epoch e using (journal_no)
               join manner m using (manner)
               left join passage_more x on x.journal_no = p.journal_no and x.seq = p.seq
               where p.day between $1 and $2 and ($3::text is null or o.operator = $3)
                 and m.decision in ('opened-by-attendant', 'charged-by-plate')
               group by 1 order by 1";
    counted(pool, sql, span, "count what attendants opened").await
}

/// Cases that are open now, of whatever day.
pub(super) async fn ageing(pool: &PgPool, span: &Span, now: Timestamp) -> Result<Vec<Row>> {
    let open: Vec<(String, String, OffsetDateTime, i64)> = sqlx::query_as(
        "select operator, kind, opened_at, amount from settlement_case_v1
         where state <> 'settled' and ($1::text is null or operator = $1)
         order by operator, kind, opened_at desc",
    )
    .bind(span.operator.as_ref().map(domain::OperatorId::as_str))
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read the open cases"))?;
    let mut rows: Vec<Row> = Vec::new();
    for (operator, kind, opened_at, amount) in open {
        let labels = vec![operator, kind, age(from_sql(opened_at), now).to_owned()];
        match rows.last_mut().filter(|row| row.labels == labels) {
            Some(row) => {
                row.count += 1;
                row.amount = row.amount.saturating_add(amount);
            }
            None => rows.push(Row { labels, count: 1, amount }),
        }
    }
    Ok(rows)
}
