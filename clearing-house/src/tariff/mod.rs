//! Tariffs at the centre: kept by version, checked before they are taken, shown, and tried out on
//! passages that have been.
//!
//! A version is stored as the document it came as and is never changed. What a crossing costs is
//! not here: `domain::tariff` says it, to the lanes as well.

pub mod lint;
pub mod show;
pub mod simulate;
pub mod traffic;
pub mod command;

use domain::tariff::{Tariff, TariffBook, TariffFile};
use domain::{OperatorId, Plate, StationId, Timestamp};
use serde::Deserialize;
use sqlx::{PgPool, Row as _};

use crate::sql::to_sql;

/// Why tariffs could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A stored version is no tariff.
    #[error("the stored tariff {version} of {operator} is not one: {why}")]
    Stored {
        /// Whose.
        operator: String,
        /// Which.
        version: String,
        /// Why it is not.
        why: String,
    },
    /// The books hold the version, or another from the same instant, with other content.
    #[error(
        "tariff {version} or one from the same instant is in the books with other fares or rules: \
         publish a version with a name and beginning of its own"
    )]
    Taken {
        /// The version that was offered.
        version: String,
    },
}

fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { doing, source }
}

/// Reads every version.
///
/// # Errors
/// When the database fails or holds what is no tariff.
pub async fn load(pool: &PgPool) -> Result<TariffBook, StoreError> {
    let rows = sqlx::query("select operator, version, document::text from tariff")
        .fetch_all(pool)
        .await
        .map_err(failed("read tariffs"))?;
    let mut book = TariffBook::default();
    for row in &rows {
        let stored =
            |why: String| StoreError::Stored { operator: row.get(0), version: row.get(1), why };
        let file: TariffFile =
            serde_json::from_str(row.get(2)).map_err(|error| stored(error.to_string()))?;
        book.insert(Tariff::try_from(file).map_err(|error| stored(error.to_string()))?);
    }
    Ok(book)
}

/// Reads what tariffs are checked against: zones and stations of the network.
///
/// # Errors
/// When the database fails.
pub async fn stations(pool: &PgPool) -> Result<lint::Stations, StoreError> {
    let mut known = lint::Stations::default();
    let rows = sqlx::query("select operator, zone from operator")
        .fetch_all(pool)
        .await
        .map_err(failed("read operators"))?;
    for row in &rows {
        if let Ok(operator) = OperatorId::try_new(row.get(0)) {
            known.zones.insert(operator, row.get(1));
        }
    }
    let rows = sqlx::query("select operator, station, road from station")
        .fetch_all(pool)
        .await
        .map_err(failed("read stations"))?;
    for row in &rows {
        let ids = (OperatorId::try_new(row.get(0)), StationId::try_new(row.get(1)));
        if let (Ok(operator), Ok(station)) = ids {
            known.roads.insert((operator, station), row.get(2));
        }
    }
    Ok(known)
}

/// Imports a version; it is never changed once it is there, and importing it again does nothing.
///
/// # Errors
/// When the database fails, or holds the version with other content.
pub async fn import(pool: &PgPool, tariff: &Tariff) -> Result<(), StoreError> {
    let document =
        serde_json::to_string(&TariffFile::from(tariff)).map_err(|error| StoreError::Stored {
            operator: tariff.operator.to_string(),
            version: tariff.version.clone(),
            why: error.to_string(),
        })?;
    let inserted = sqlx::query(
        "insert into tariff (operator, version, currency, valid_from, valid_until, source, document) \
         values ($1, $2, $3, $4, $5, $6, $7::text::jsonb) on conflict do nothing",
    )
    .bind(tariff.operator.as_str())
    .bind(&tariff.version)
    .bind(tariff.currency.to_string())
    .bind(to_sql(tariff.valid_from))
    .bind(tariff.valid_until.map(to_sql))
    .bind(&tariff.source)
    .bind(document)
    .execute(pool)
    .await
    .map_err(failed("write a tariff: its operator must be in the network"))?;
    if inserted.rows_affected() == 1 || load(pool).await?.versions().any(|known| known == tariff) {
        Ok(())
    } else {
        Err(StoreError::Taken { version: tariff.version.clone() })
    }
}

/// A vehicle's right to a discount, as a line of a file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntitlementLine {
    plate: Plate,
    operator: OperatorId,
    discount: String,
    from: Timestamp,
    until: Timestamp,
    reference: String,
}

/// Why a line of entitlements was refused; nothing of its file is then in the books.
#[derive(Debug, thiserror::Error)]
pub enum EntitlementError {
    /// A line is not an entitlement.
    #[error(
        "line {line} is not an entitlement: {why}; plate, operator, discount, from, until and \
         reference are needed, such as {{\"plate\":…,\"operator\":\"cienco4\",\"discount\":\
         \"resident\",\"from\":\"2026-03-01T17:00:00Z\",\"until\":\"2027-03-01T17:00:00Z\",\
         \"reference\":\"UBND 12/2026\"}}"
    )]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong, without the line's content.
        why: String,
    },
    /// It would change what has been charged.
    #[error(
        "line {line}: an entitlement begins a day after it was granted at the earliest, so that \
         nothing that has been charged would cost another amount: from {earliest} on"
    )]
    TooEarly {
        /// Which line, counted from 1.
        line: usize,
        /// From when on.
        earliest: Timestamp,
    },
    /// No tariff has such a discount.
    #[error("line {line}: {operator} has no tariff with a discount {discount:?} for the entitled")]
    NoDiscount {
        /// Which line, counted from 1.
        line: usize,
        /// Whose.
        operator: OperatorId,
        /// Its name.
        discount: String,
    },
    /// The tariffs could not be read, or the entitlements not written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Grants the entitlements of a file, one JSON object a line; those that are there already stay as
/// they are. All of them, or none.
///
/// # Errors
/// When a line is none, begins too early or names no discount, or the database fails.
pub async fn entitle(pool: &PgPool, text: &str, now: Timestamp) -> Result<u64, EntitlementError> {
    let tariffs = load(pool).await?;
    let earliest = now.saturating_add(jiff::SignedDuration::from_hours(24)).unwrap_or(now);
    let mut granted = 0;
    let mut tx = pool.begin().await.map_err(failed("begin the grants"))?;
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let right: EntitlementLine = serde_json::from_str(line).map_err(|error| {
            // What the parser says is not passed on: it quotes, and plates are personal.
            let why = format!("{:?} error in column {}", error.classify(), error.column());
            EntitlementError::Line { line: number, why }
        })?;
        if right.until <= right.from {
            let why = "`until` must be after `from`".to_owned();
            return Err(EntitlementError::Line { line: number, why });
        }
        if right.from < earliest {
            return Err(EntitlementError::TooEarly { line: number, earliest });
        }
        let has_discount = |tariff: &Tariff| {
            tariff.operator == right.operator
                && tariff.discounts.iter().any(|discount| discount.name == right.discount)
        };
        if !tariffs.versions().any(has_discount) {
            return Err(EntitlementError::NoDiscount {
                line: number,
                operator: right.operator,
                discount: right.discount,
            });
        }
        let inserted = sqlx::query(
            "insert into entitlement (plate, operator, discount, valid_from, valid_until, \
                 reference, granted_at) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        )
        .bind(right.plate.as_str())
        .bind(right.operator.as_str())
        .bind(&right.discount)
        .bind(to_sql(right.from))
        .bind(to_sql(right.until))
        .bind(&right.reference)
        .bind(to_sql(now))
        .execute(&mut *tx)
        .await
        .map_err(failed("grant an entitlement"))?;
        granted += inserted.rows_affected();
    }
    tx.commit().await.map_err(failed("commit the grants"))?;
    Ok(granted)
}
