//! The SQL of statements.

use clearing_house::sql::{day_from_sql, day_to_sql};
use domain::signature::{Digest256, Signature};
use domain::{BusinessDate, OperatorId};
use sqlx::PgExecutor;
use sqlx::types::time::Date;

use super::Paper;
use crate::settlement::SettlementError;
use crate::settlement::repo::{IS_STATED, parsed};

type Row = (String, Date, String, Vec<u8>, Vec<u8>);

/// The paper of one day, if it is closed.
///
/// # Errors
/// When the database fails.
pub async fn paper(
    executor: impl PgExecutor<'_>,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Option<Paper>, SettlementError> {
    let row: Option<Row> = sqlx::query_as(
        "select operator, day, canonical, digest, signature from statement
         where operator = $1 and day = $2 order by revision desc limit 1",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_optional(executor)
    .await
    .map_err(SettlementError::database("read a statement"))?;
    row.map(|row| from_row(row).map(|(_, _, paper)| paper)).transpose()
}

/// Every paper up to a day, by operator and day.
///
/// # Errors
/// When the database fails.
pub async fn papers_through(
    executor: impl PgExecutor<'_>,
    through: BusinessDate,
) -> Result<Vec<(OperatorId, BusinessDate, Paper)>, SettlementError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select operator, day, canonical, digest, signature from statement
         where day <= $1 order by operator, day, revision",
    )
    .bind(day_to_sql(through))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the statements"))?;
    rows.into_iter().map(from_row).collect()
}

/// How many days up to a day have no statement yet, of those that get one.
///
/// # Errors
/// When the database fails.
pub async fn unstated_through(
    executor: impl PgExecutor<'_>,
    through: BusinessDate,
) -> Result<u64, SettlementError> {
    let days: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "select count(*) from settlement_day d join operator o using (operator) where d.day <= $1
           and not exists (select from statement s where s.operator = d.operator and s.day = d.day)
           and {IS_STATED}"
    )))
    .bind(day_to_sql(through))
    .fetch_one(executor)
    .await
    .map_err(SettlementError::database("count the days without a statement"))?;
    Ok(u64::try_from(days).unwrap_or(0))
}

/// The papers of one operator from a day to a day, both included, in order.
///
/// # Errors
/// When the database fails.
pub async fn papers_between(
    executor: impl PgExecutor<'_>,
    operator: &OperatorId,
    first: BusinessDate,
    last: BusinessDate,
) -> Result<Vec<Paper>, SettlementError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select operator, day, canonical, digest, signature from statement
         where operator = $1 and day between $2 and $3 and revision = 1 order by day",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(first))
    .bind(day_to_sql(last))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the statements"))?;
    rows.into_iter().map(|row| from_row(row).map(|(_, _, paper)| paper)).collect()
}

fn from_row(row: Row) -> Result<(OperatorId, BusinessDate, Paper), SettlementError> {
    let (operator, day, canonical, digest, signature) = row;
    let digest: [u8; 32] = digest.try_into().map_err(|other: Vec<u8>| SettlementError::Stored {
        what: "digest",
        text: format!("{} bytes", other.len()),
    })?;
    let signature = Signature::try_from_slice(&signature)
        .map_err(|error| SettlementError::Stored { what: "signature", text: error.to_string() })?;
    let paper = Paper { canonical, digest: Digest256::new(digest), signature };
    Ok((parsed("operator", &operator)?, day_from_sql(day), paper))
}
