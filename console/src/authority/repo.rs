//! What the authority's view asks the books: counts and sums, no tag, no plate, no account.

use clearing_house::sql::{day_from_sql, day_to_sql};
use domain::BusinessDate;
use sqlx::types::time::Date;

use crate::access::Scope;
use crate::books::{Books, BooksError, in_time};

/// One local hour of one station.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct HourRow {
    pub operator: String,
    pub operator_name: String,
    pub currency: String,
    pub station: String,
    pub station_name: String,
    pub hour: i32,
    pub vehicles: i64,
    pub revenue: i64,
}

/// The settlement days in the books, newest first.
pub(super) async fn days(books: &Books) -> Result<Vec<BusinessDate>, BooksError> {
    let days: Vec<Date> = in_time(
        sqlx::query_scalar("select distinct day from settlement_day order by day desc limit 62")
            .fetch_all(books.pool()?),
    )
    .await?;
    Ok(days.into_iter().map(day_from_sql).collect())
}

/// Vehicles that went through and tolls posted on one day, by station and local hour.
pub(super) async fn hours(
    books: &Books,
    day: BusinessDate,
    scope: &Scope,
) -> Result<Vec<HourRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select p.operator, o.name as operator_name, o.currency::text as currency, p.station,
                    s.name as station_name,
                    extract(hour from p.at at time zone o.zone)::int as hour,
                    count(*) as vehicles,
                    coalesce(sum(p.amount) filter (where p.disposition = 'posted'), 0)::bigint
                        as revenue
             from passage_v1 p
             join operator o using (operator)
             join station s using (operator, station)
             where p.day = $1 and p.at is not null
               and p.decision in ('opened-by-tag', 'charged-by-plate', 'opened-by-attendant')
               and ($2::text is null or p.operator = $2)
               and ($3::text is null or p.station = $3)
             group by p.operator, o.name, o.currency, p.station, s.name, hour
             order by o.name, p.operator, s.name, p.station, hour",
        )
        .bind(day_to_sql(day))
        .bind(scope.operator())
        .bind(scope.station())
        .fetch_all(books.pool()?),
    )
    .await
}
