//! Pages of lists: an opaque *cursor* says where the next one begins, and costs the same at any depth.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::problem::Problem;

const PAGE_LEN_MAX: i64 = 500;
const PAGE_LEN: i64 = 100;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 100 where absent, and never more than 500.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

impl Paging {
    pub(super) fn limit(&self) -> Result<i64, Problem> {
        limit(self.limit)
    }

    pub(super) fn after<T: DeserializeOwned>(&self) -> Result<Option<T>, Problem> {
        after(self.cursor.as_deref())
    }
}

/// How many lines a page has.
pub(super) fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    match asked.unwrap_or(PAGE_LEN) {
        1.. => Ok(asked.unwrap_or(PAGE_LEN).min(PAGE_LEN_MAX)),
        _ => Err(Problem::bad("limit: a page has at least 1 line")),
    }
}

/// The place where a page begins.
pub(super) fn after<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.map(Some).ok_or_else(|| Problem::bad("cursor: it is not the `next` of a page"))
}

/// The place as a cursor.
pub(super) fn cursor<T: Serialize>(place: &T) -> Option<String> {
    serde_json::to_vec(place).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// Where the next page begins, if this one is full.
pub(super) fn next<T: Serialize>(len: usize, limit: i64, last: Option<T>) -> Option<String> {
    let is_full = i64::try_from(len).ok() == Some(limit);
    last.filter(|_| is_full).and_then(|last| cursor(&last))
}
