//! The SQL of contracts.

use std::collections::BTreeMap;

use clearing_house::sql::day_to_sql;
use domain::{IssuerId, Rounding};
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::FeeTerms;
use crate::settlement::repo::parsed;
use crate::settlement::{SettlementError, stored_amount};
use crate::window::Window;

type Result<T> = std::result::Result<T, SettlementError>;

/// The fee terms that hold on a window's day, for every issuer that has a contract with its operator.
pub(crate) async fn fee_terms(
    tx: &mut PgConnection,
    window: &Window,
) -> Result<BTreeMap<IssuerId, FeeTerms>> {
    type Row = (String, Decimal, i64, Decimal, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select distinct on (issuer) issuer, fee_share, fee_per_passage, vat_share, rounding
         from contract where operator = $1 and valid_from <= $2
         order by issuer, valid_from desc",
    )
    .bind(window.operator.as_str())
    .bind(day_to_sql(window.day))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the contracts"))?;
    let terms = |(issuer, fee_share, fee_per_passage, vat_share, rounding): Row| {
        let terms = FeeTerms {
            fee_share: fee_share.normalize(),
            fee_per_passage: stored_amount(fee_per_passage)?,
            vat_share: vat_share.normalize(),
            rounding: rounding_named(&rounding)?,
        };
        Ok((parsed("issuer", &issuer)?, terms))
    };
    rows.into_iter().map(terms).collect()
}

/// A rounding by its name in the books.
pub(crate) fn rounding_named(name: &str) -> Result<Rounding> {
    match name {
        "half-up" => Ok(Rounding::HalfUp),
        "down" => Ok(Rounding::Down),
        other => Err(SettlementError::Stored { what: "rounding", text: other.to_owned() }),
    }
}
