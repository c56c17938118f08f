//! What the authority's view asks the books: counts and sums, no tag, no plate, no account.

use clearing_house::sql::{day_from_sql, day_to_sql};
use domain::BusinessDate;
use sqlx::types::time::Date;

use crate::access::Scope;
use crate::books::{Books, BooksError, in_time};

/// One local hour of one vehicle group at one station.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct HourRow {
    pub operator: String,
    pub operator_name: String,
    pub currency: String,
    pub station: String,
    pub station_name: String,
    pub hour: i32,
    pub vehicle_group: Option<i16>,
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

/// Vehicles that went through and tolls posted on one day, by station, local hour and group.
///
/// It is counted in quarters of an hour, because zones lie so far apart.
pub(super) async fn hours(
    books: &Books,
    day: BusinessDate,
    scope: &Scope,
) -> Result<Vec<HourRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select l.operator, o.name as operator_name, o.currency::text as currency, l.station,
                    s.name as station_name,
                    extract(hour from p.quarter at time zone o.zone)::int as hour, m.vehicle_group,
                    sum(p.vehicles)::bigint as vehicles,
                    coalesce(sum(p.amount) filter (where m.disposition = 'posted'), 0)::bigint
                        as revenue
             from (select journal_no, manner, quarter, passages as vehicles, amount
                   from traffic_of_day($1)) p
             join manner m using (manner)
             join lane_epoch e using (journal_no)
             join lane l using (lane)
             join operator o using (operator)
             join station s using (operator, station)
             where m.decision in ('opened-by-tag', 'charged-by-plate', 'opened-by-attendant')
               and ($2::text is null or l.operator = $2)
               and ($3::text is null or l.station = $3)
             group by l.operator, o.name, o.currency, l.station, s.name, hour, m.vehicle_group
             order by o.name, l.operator, s.name, l.station, hour, m.vehicle_group",
        )
        .bind(day_to_sql(day))
        .bind(scope.operator())
        .bind(scope.station())
        .fetch_all(books.pool()?),
    )
    .await
}
