//! The SQL of net positions: stated days only.

use clearing_house::sql::{day_from_sql, day_to_sql};
use domain::BusinessDate;
use sqlx::PgExecutor;
use sqlx::types::time::Date;

use super::{Obligation, Parts};
use crate::money::Signed;
use crate::settlement::SettlementError;
use crate::settlement::repo::parsed;

/// What was stated of every pair from a day to a day, both included.
///
/// # Errors
/// When the database fails.
pub async fn obligations(
    executor: impl PgExecutor<'_>,
    first: BusinessDate,
    last: BusinessDate,
) -> Result<Vec<Obligation>, SettlementError> {
    type Row = (String, String, Date, i64, i64, i64, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "select operator, issuer, day, gross, adjustment, fee, vat, net from settlement_position
         where day between $1 and $2 order by day, operator collate \"C\", issuer collate \"C\"",
    )
    .bind(day_to_sql(first))
    .bind(day_to_sql(last))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the positions"))?;
    let obligation = |(operator, issuer, day, gross, adjustment, fee, vat, net): Row| {
        let [gross, adjustment, fee, vat, net] =
            [gross, adjustment, fee, vat, net].map(Signed::new);
        Ok(Obligation {
            operator: parsed("operator", &operator)?,
            issuer: parsed("issuer", &issuer)?,
            day: day_from_sql(day),
            parts: Parts { gross, adjustment, fee, vat, net },
        })
    };
    rows.into_iter().map(obligation).collect()
}
