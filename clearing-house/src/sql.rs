//! The database connection, and instants and days in the types the database driver knows.

use domain::{BusinessDate, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::time::{Date, OffsetDateTime, UtcOffset};
use sqlx::{ConnectOptions, PgPool};

use crate::config::Database;

/// Opens a pool. Statements slower than a second are logged, without their arguments.
///
/// # Errors
/// When the address is not one, or the database does not answer.
pub async fn connect(database: &Database) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = database.url.parse()?;
    let options = options
        .application_name("etc")
        .log_statements(log::LevelFilter::Off)
        .log_slow_statements(log::LevelFilter::Warn, std::time::Duration::from_secs(1));
    // A plan made while a table was empty must not be kept for when it is full: batches are few
    // and large, and planning one costs nothing beside writing it.
    let mut options = options.options([("plan_cache_mode", "force_custom_plan")]);
    if let Some(operator) = &database.operator {
        // Row security goes by it, for the role that it binds.
        options = options.options([("etc.operator", operator.as_str())]);
    }
    PgPoolOptions::new().max_connections(8).connect_with(options).await
}

/// An instant as the database driver takes it; below a microsecond is cut off.
///
/// # Panics
/// Never: every instant the domain can hold is one the database type can hold.
#[must_use]
pub fn to_sql(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_microsecond()) * 1_000)
        .expect("the domain's instants lie within the database type's years")
}

/// An instant as the database driver gave it; one outside the domain's years is its nearest end.
#[must_use]
pub fn from_sql(at: OffsetDateTime) -> Timestamp {
    Timestamp::from_nanosecond(at.to_offset(UtcOffset::UTC).unix_timestamp_nanos())
        .unwrap_or(if at.year() < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// A settlement day as the database driver takes it.
///
/// # Panics
/// Never: both calendars have the same days.
#[must_use]
pub fn day_to_sql(day: BusinessDate) -> Date {
    let ordinal = u16::try_from(day.date().day_of_year()).unwrap_or(1);
    Date::from_ordinal_date(i32::from(day.date().year()), ordinal)
        .expect("both calendars have the same days")
}

/// A settlement day as the database driver gave it.
///
/// # Panics
/// Never for a day that [`day_to_sql`] wrote.
#[must_use]
pub fn day_from_sql(date: Date) -> BusinessDate {
    date.to_string().parse().expect("a date's ISO form is a settlement day")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_days_come_back_as_they_went() {
        for text in ["2026-03-02T00:30:00.123456Z", "1999-12-31T23:59:59Z"] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(from_sql(to_sql(at)), at);
        }
        for text in ["2024-02-29", "2026-12-31", "2016-10-18"] {
            let day: BusinessDate = text.parse().unwrap();
            assert_eq!(day_from_sql(day_to_sql(day)), day);
        }
    }
}
