//! Passages and quarantine, page by page.

#![expect(unused_qualifications, reason = "what the macro writes for query parameters")]

use axum::extract::{Query, State};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{OperatorId, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::caller::Caller;
use super::problem::Problem;
use crate::sql::{from_sql, to_sql};

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
    limit: Option<i64>,
    /// From when; from the beginning where absent. Passages only.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Until before when; until now where absent. Passages only.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

impl Paging {
    pub(super) fn limit(&self) -> i64 {
        self.limit.unwrap_or(PAGE_LEN).clamp(1, PAGE_LEN_MAX)
    }

    pub(super) fn after<T: DeserializeOwned>(&self) -> Result<Option<T>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        place.map(Some).ok_or_else(|| Problem::bad("cursor: it is not the `next` of a page"))
    }
}

/// Where the next page begins, if this one is full.
pub(super) fn next<T: Serialize>(is_full: bool, last: Option<T>) -> Option<String> {
    let place = last.filter(|_| is_full)?;
    serde_json::to_vec(&place).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// A passage and what became of it. Without tag and plate: they are personal data.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PassageLine {
    /// Its identity: lane, epoch and sequence.
    passage: String,
    /// When, by the lane's clock.
    at: String,
    /// What the lane decided.
    decision: Option<String>,
    /// The group it went by.
    group: Option<i16>,
    /// What became of it; `pending` while nothing has.
    disposition: String,
    /// Why it costs what it costs.
    why: Option<String>,
    /// The settlement day.
    day: Option<String>,
    /// `account`, `cash` or `nobody`.
    payer: Option<String>,
    /// What it cost, in minor units.
    amount: Option<i64>,
    /// The tariff's version.
    tariff: Option<String>,
}

/// A page of passages.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PassagePage {
    items: Vec<PassageLine>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Where a page of passages ended.
#[derive(Serialize, Deserialize)]
struct PassagePlace {
    at: Timestamp,
    lane: String,
    epoch: i32,
    seq: i64,
}

/// Passages in the order of time; an operator sees its own.
#[utoipa::path(get, path = "/v1/passages", params(Paging), tag = "passages", security(("bearer" = [])),
    responses((status = 200, body = PassagePage), (status = 400, body = Problem),
              (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn passages(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(paging): Query<Paging>,
) -> Result<Json<PassagePage>, Problem> {
    let operator = caller.may_see_roads()?;
    let after = paging.after::<PassagePlace>()?;
    let from = paging.from.unwrap_or(Timestamp::UNIX_EPOCH);
    let rows = sqlx::query(
        "select lane, epoch, seq, at, decision, vehicle_group, disposition, why, day::text, payer, amount, tariff \
         from passage_v1 where at >= $1 and at < $2 and ($3::text is null or operator = $3) \
           and ($4::text is null or (at, lane, epoch, seq) > ($1, $4, $5, $6)) \
         order by at, lane, epoch, seq limit $7",
    )
    .bind(to_sql(after.as_ref().map_or(from, |place| place.at)))
    .bind(to_sql(paging.until.unwrap_or_else(|| app.0.clock.now())))
    .bind(operator.map(OperatorId::as_str))
    .bind(after.as_ref().map(|place| place.lane.as_str()))
    .bind(after.as_ref().map_or(0, |place| place.epoch))
    .bind(after.as_ref().map_or(0, |place| place.seq))
    .bind(paging.limit())
    .fetch_all(&app.0.pool)
    .await
    .map_err(|error| Problem::books(&error))?;
    let place = rows.last().map(|row| PassagePlace {
        at: from_sql(row.get(3)),
        lane: row.get(0),
        epoch: row.get(1),
        seq: row.get(2),
    });
    let next = next(i64::try_from(rows.len()).ok() == Some(paging.limit()), place);
    let line = |row: &sqlx::postgres::PgRow| PassageLine {
        passage: format!(
            "{}:{}:{}",
            row.get::<&str, _>(0),
            row.get::<i32, _>(1),
            row.get::<i64, _>(2)
        ),
        at: from_sql(row.get(3)).to_string(),
        decision: row.get(4),
        group: row.get(5),
        disposition: row.get(6),
        why: row.get(7),
        day: row.get(8),
        payer: row.get(9),
        amount: row.get(10),
        tariff: row.get(11),
    };
    Ok(Json(PassagePage { items: rows.iter().map(line).collect(), next }))
}

/// A message that could not be taken, without its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Quarantined {
    /// Its number.
    quarantine: i64,
    /// When it came.
    received_at: String,
    /// Where it came from.
    subject: String,
    /// Why it was not taken.
    reason: String,
    /// How long it is.
    payload_len: i32,
}

/// A page of quarantine.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantinePage {
    items: Vec<Quarantined>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// What is in quarantine; an operator sees what came on its own lanes' subjects.
#[utoipa::path(get, path = "/v1/quarantine", params(Paging), tag = "passages", security(("bearer" = [])),
    responses((status = 200, body = QuarantinePage), (status = 400, body = Problem),
              (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn quarantine(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(paging): Query<Paging>,
) -> Result<Json<QuarantinePage>, Problem> {
    let operator = caller.may_see_roads()?;
    let rows = sqlx::query(
        "select quarantine, received_at, subject, reason, length(payload) from quarantine \
         where quarantine > $1 and ($2::text is null or split_part(subject, '.', 4) = $2) \
         order by quarantine limit $3",
    )
    .bind(paging.after::<i64>()?.unwrap_or(0))
    .bind(operator.map(OperatorId::as_str))
    .bind(paging.limit())
    .fetch_all(&app.0.pool)
    .await
    .map_err(|error| Problem::books(&error))?;
    let place: Option<i64> = rows.last().map(|row| row.get(0));
    let next = next(i64::try_from(rows.len()).ok() == Some(paging.limit()), place);
    let line = |row: &sqlx::postgres::PgRow| Quarantined {
        quarantine: row.get(0),
        received_at: from_sql(row.get(1)).to_string(),
        subject: row.get(2),
        reason: row.get(3),
        payload_len: row.get(4),
    };
    Ok(Json(QuarantinePage { items: rows.iter().map(line).collect(), next }))
}
