//! What a request says, read; and refused without quoting it.

use domain::Amount;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Reads a body; the caller is told where it is wrong, not what stood there.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::bad(format!("the body is not as described: line {line}, column {column}"))
    })
}

/// An amount in minor units.
pub(super) fn amount(minor_units: i64) -> Result<Amount, Problem> {
    Amount::try_new(minor_units).map_err(|error| Problem::bad(format!("amount: {error}")))
}
