//! What a request says, read; and refused as a problem that does not quote it.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::{Amount, BusinessDate, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;

/// The longest body.
pub(super) const BODY_LEN_MAX: usize = 64 * 1024;

/// The parts of an address that its route names.
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(read) = Path::<T>::from_request_parts(parts, state).await.map_err(|_refused| {
            Problem::bad("a part of the address is not as the description says")
        })?;
        Ok(Self(read))
    }
}

/// What stands behind the question mark.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(read) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|refused| Problem::bad(refused.body_text()))?;
        Ok(Self(read))
    }
}

/// Reads a body; the caller is told where it is wrong, not what stood there.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let wrong = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        Problem::bad(format!("the body is not as described: line {line}, column {column}"))
    };
    let value: Value = serde_json::from_slice(body).map_err(wrong)?;
    if has_nul(&value) {
        return Err(Problem::bad("the body has a character that no text has: U+0000"));
    }
    serde_json::from_slice(body).map_err(wrong)
}

/// Whether a text in it has the one character that the books cannot keep.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
    }
}

/// An amount in minor units.
pub(super) fn amount(minor_units: i64) -> Result<Amount, Problem> {
    Amount::try_new(minor_units).map_err(|error| Problem::bad(format!("amount: {error}")))
}

/// A text that somebody wrote, of 1 to so many characters.
pub(super) fn text<'a>(name: &str, text: &'a str, len_max: usize) -> Result<&'a str, Problem> {
    if text.trim().is_empty() || text.chars().count() > len_max {
        let detail = format!("{name}: it has 1 to {len_max} characters");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, &format!("no-{name}"), detail));
    }
    Ok(text)
}

/// An instant that the books can hold; where absent, another.
pub(super) fn instant(
    asked: Option<Timestamp>,
    otherwise: Timestamp,
) -> Result<Timestamp, Problem> {
    match asked {
        Some(at) if at < Timestamp::UNIX_EPOCH => {
            Err(Problem::bad("an instant before 1970 is not in the books"))
        }
        Some(at) => Ok(at),
        None => Ok(otherwise),
    }
}

/// A day that the books can hold.
pub(super) fn day(asked: BusinessDate) -> Result<BusinessDate, Problem> {
    if asked.date().year() < 1970 {
        return Err(Problem::bad("a day before 1970 is not in the books"));
    }
    Ok(asked)
}

/// A day that the books can hold, where one is asked for.
pub(super) fn some_day(asked: Option<BusinessDate>) -> Result<Option<BusinessDate>, Problem> {
    asked.map(day).transpose()
}
