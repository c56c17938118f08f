//! The report of settlement, for programs: every operator's days with charges.

use std::path::Path;

use clearing_house::sql::day_from_sql;
use serde::Serialize;
use sqlx::PgPool;
use sqlx::types::time::Date;

use crate::settlement::SettlementError;
use crate::settlement::repo::parsed;
use crate::statement::filed::{Form, path_of};

/// What there is to say of settlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The days, by operator and day.
    pub settlement: Vec<DayLine>,
}

/// One operator's day; of an open one, what it would come to by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayLine {
    /// The operator.
    pub operator: String,
    /// The settlement day.
    pub day: String,
    /// `open` or `closed`.
    pub state: String,
    /// Tolls charged to accounts.
    pub gross_vnd: i64,
    /// Tolls in cash.
    pub cash_vnd: i64,
    /// What the issuers keep.
    pub fee_vnd: i64,
    /// What the issuers pay.
    pub net_vnd: i64,
    /// Passages that were paid for.
    pub passages: i64,
    /// Where the signed statement is filed.
    pub statement: Option<String>,
}

type Row = (String, Date, String, i64, i64, i64, i64, i64);

/// Reads the report; `folder` is where statements are filed.
///
/// # Errors
/// When the database fails.
pub async fn report(pool: &PgPool, folder: &Path) -> Result<Report, SettlementError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select operator, day, state, gross, cash, fee, net, passages
         from settlement_v1 s
         where exists (select from charge c where c.operator = s.operator and c.day = s.day)
         order by operator collate \"C\", day",
    )
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read the settlement days"))?;
    let line = |(operator, day, state, gross, cash, fee, net, passages): Row| {
        let day = day_from_sql(day);
        let path = path_of(folder, &parsed("operator", &operator)?, day, Form::Json);
        Ok(DayLine {
            operator,
            day: day.to_string(),
            state,
            gross_vnd: gross,
            cash_vnd: cash,
            fee_vnd: fee,
            net_vnd: net,
            passages,
            statement: path.is_file().then(|| path.display().to_string()),
        })
    };
    let settlement = rows.into_iter().map(line).collect::<Result<_, SettlementError>>()?;
    Ok(Report { settlement })
}
