//! Settlement days, and the partitions that hold them.

use std::collections::{BTreeSet, HashMap};

use domain::{BusinessDate, OperatorId};
use sqlx::{PgConnection, Row as _};

use super::super::post::{BooksError, failed};
use crate::sql::{day_from_sql, day_to_sql};

/// For each operator and day of its own, the day that a passage is posted into: its own where that
/// is open, else the first open day after it.
pub(crate) type OpenDays = HashMap<(OperatorId, BusinessDate), BusinessDate>;

/// Finds the days to post into, and keeps them open until the transaction ends.
pub(crate) async fn hold_open(
    tx: &mut PgConnection,
    own_days: BTreeSet<(OperatorId, BusinessDate)>,
) -> Result<OpenDays, BooksError> {
    let mut open = OpenDays::new();
    let mut asked: Vec<((OperatorId, BusinessDate), BusinessDate)> =
        own_days.into_iter().map(|own| (own.clone(), own.1)).collect();
    while !asked.is_empty() {
        let wanted: BTreeSet<(&OperatorId, BusinessDate)> =
            asked.iter().map(|((operator, _), day)| (operator, *day)).collect();
        let states = hold(tx, &wanted).await?;
        let mut closed = Vec::new();
        for (own, day) in asked {
            if states.get(&(own.0.to_string(), day)).is_some_and(|is_open| *is_open) {
                open.insert(own, day);
            } else {
                closed.push((own, day.next()));
            }
        }
        asked = closed;
    }
    Ok(open)
}

/// Makes sure that the days are there; tells which are open, and keeps all as they are.
async fn hold(
    tx: &mut PgConnection,
    wanted: &BTreeSet<(&OperatorId, BusinessDate)>,
) -> Result<HashMap<(String, BusinessDate), bool>, BooksError> {
    let (operators, days): (Vec<&str>, Vec<_>) =
        wanted.iter().map(|(operator, day)| (operator.as_str(), day_to_sql(*day))).unzip();
    for _attempt in 0..2 {
        let rows = sqlx::query(
            "select d.operator, d.day, d.state = 'open' from settlement_day d \
             where (d.operator, d.day) in (select * from unnest($1::text[], $2::date[])) \
             order by d.operator, d.day for share",
        )
        .bind(&operators)
        .bind(&days)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("hold the settlement days"))?;
        if rows.len() == wanted.len() {
            let state =
                |row: &sqlx::postgres::PgRow| ((row.get(0), day_from_sql(row.get(1))), row.get(2));
            return Ok(rows.iter().map(state).collect());
        }
        sqlx::query(
            "insert into settlement_day (operator, day) \
             select * from unnest($1::text[], $2::date[]) on conflict do nothing",
        )
        .bind(&operators)
        .bind(&days)
        .execute(&mut *tx)
        .await
        .map_err(failed("open settlement days"))?;
    }
    // Another transaction makes the very days, and has not committed: next time they are there.
    Err(BooksError::Raced)
}

/// Makes the partitions of these days that are not there yet; says how many.
pub(crate) async fn make_partitions(
    tx: &mut PgConnection,
    first: BusinessDate,
    last: BusinessDate,
) -> Result<i32, BooksError> {
    // Whoever reads all days for long must not make the posting wait behind us: there is a week.
    sqlx::query("set local lock_timeout = '200ms'")
        .execute(&mut *tx)
        .await
        .map_err(failed("make partitions for the days to come"))?;
    sqlx::query_scalar("select make_posting_days($1, $2)")
        .bind(day_to_sql(first))
        .bind(day_to_sql(last))
        .fetch_one(tx)
        .await
        .map_err(failed("make partitions for the days to come"))
}
