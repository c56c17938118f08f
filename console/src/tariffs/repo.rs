//! What the pages of tariffs ask the books.

use clearing_house::sql::from_sql;
use domain::Timestamp;
use sqlx::types::time::OffsetDateTime;

use crate::access::Scope;
use crate::books::{Books, BooksError, in_time};

/// A version.
#[derive(sqlx::FromRow)]
pub(super) struct VersionRow {
    pub operator: String,
    pub operator_name: String,
    pub currency: String,
    pub zone: String,
    pub version: String,
    valid_from: OffsetDateTime,
    valid_until: Option<OffsetDateTime>,
    pub source: String,
    /// Whether none that has begun is newer.
    pub is_newest_begun: bool,
}

impl VersionRow {
    pub(super) fn valid_from(&self) -> Timestamp {
        from_sql(self.valid_from)
    }

    pub(super) fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until.map(from_sql)
    }
}

/// Every version of a scope's operators, the newest first.
pub(super) async fn versions(
    books: &Books,
    scope: &Scope,
    now: Timestamp,
) -> Result<Vec<VersionRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select t.operator, o.name as operator_name, t.currency::text as currency, o.zone,
                    t.version, t.valid_from, t.valid_until, t.source,
                    t.valid_from = max(t.valid_from) filter (where t.valid_from <= $2)
                        over (partition by t.operator) as is_newest_begun
             from tariff t
             join operator o using (operator)
             where $1::text is null or t.operator = $1
             order by o.name, t.valid_from desc",
        )
        .bind(scope.operator())
        .bind(clearing_house::sql::to_sql(now))
        .fetch_all(books.pool()?),
    )
    .await
}

/// What a stretch of road or a station costs.
#[derive(sqlx::FromRow)]
pub(super) struct FareRow {
    entry: Option<String>,
    station: Option<String>,
    /// By vehicle group, group 1 first.
    pub amounts: Vec<i64>,
}

impl FareRow {
    /// Its station, or its entry and exit.
    pub(super) fn name(&self) -> String {
        let station = self.station.as_deref().unwrap_or("?");
        self.entry
            .as_ref()
            .map_or_else(|| station.to_owned(), |entry| format!("{entry} → {station}"))
    }
}

/// The published fares of a version, and their currency.
pub(super) async fn fares(
    books: &Books,
    operator: &str,
    version: &str,
) -> Result<(String, Vec<FareRow>), BooksError> {
    let pool = books.pool()?;
    let currency: Option<String> = in_time(
        sqlx::query_scalar(
            "select currency::text from tariff where operator = $1 and version = $2",
        )
        .bind(operator)
        .bind(version)
        .fetch_optional(pool),
    )
    .await?;
    let Some(currency) = currency else { return Ok((String::new(), Vec::new())) };
    let rows = in_time(
        sqlx::query_as(
            "select entry, station, array_agg(amount order by vehicle_group) as amounts
             from fare_v1 where operator = $1 and version = $2
             group by entry, station order by station, entry",
        )
        .bind(operator)
        .bind(version)
        .fetch_all(pool),
    )
    .await?;
    Ok((currency, rows))
}
