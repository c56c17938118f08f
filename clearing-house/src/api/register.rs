//! What is registered: tariffs with their fares, and lanes.

#![expect(unused_qualifications, reason = "what the macro writes for query parameters")]

use axum::extract::State;
use axum::{Extension, Json};
use domain::{OperatorId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::body::{Asked, At, instant};
use super::caller::Caller;
use super::problem::Problem;
use crate::sql::{from_sql, to_sql};

/// A version of an operator's tariff.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TariffLine {
    /// Whose.
    operator: String,
    /// Which version.
    version: String,
    /// In which currency.
    currency: String,
    /// From when on.
    valid_from: String,
    /// Where it was published.
    source: String,
}

/// Which tariffs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TariffQuery {
    /// Those that were in force at this instant alone; all versions where absent.
    #[param(value_type = Option<String>, format = DateTime)]
    in_force_at: Option<Timestamp>,
}

/// Versions of tariffs; an operator sees its own.
#[utoipa::path(get, path = "/api/v1/tariffs", params(TariffQuery), tag = "register",
    responses((status = 200, body = [TariffLine])))]
pub(super) async fn tariffs(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<TariffQuery>,
) -> Result<Json<Vec<TariffLine>>, Problem> {
    let operator = caller.roads()?;
    let at = query.in_force_at.map(|at| instant(Some(at), at)).transpose()?;
    let mut view = app.view(operator).await?;
    let rows = sqlx::query(
        "select operator, version, currency, valid_from, source from tariff t
         where ($1::text is null or operator = $1)
           and ($2::timestamptz is null
                or valid_from = (select max(o.valid_from) from tariff o
                                 where o.operator = t.operator and o.valid_from <= $2))
         order by operator, valid_from",
    )
    .bind(operator.map(OperatorId::as_str))
    .bind(at.map(to_sql))
    .fetch_all(&mut *view)
    .await
    .map_err(|error| Problem::books(&error))?;
    let line = |row: &sqlx::postgres::PgRow| TariffLine {
        operator: row.get(0),
        version: row.get(1),
        currency: row.get(2),
        valid_from: from_sql(row.get(3)).to_string(),
        source: row.get(4),
    };
    Ok(Json(rows.iter().map(line).collect()))
}

/// One fare.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FareLine {
    /// Where the trip began; absent at an open station.
    entry: Option<String>,
    /// Where it is paid for.
    station: String,
    /// The group.
    group: i16,
    /// How much, in minor units.
    amount: i64,
}

/// The fares of one version.
#[utoipa::path(get, path = "/api/v1/tariffs/{operator}/{version}", tag = "register",
    params(("operator" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = [FareLine])))]
pub(super) async fn fares(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At((operator, version)): At<(OperatorId, String)>,
) -> Result<Json<Vec<FareLine>>, Problem> {
    let of = caller.roads()?;
    let own = of.is_none_or(|own| *own == operator);
    let mut view = app.view(of).await?;
    let rows = sqlx::query(
        "select entry, station, vehicle_group, amount from fare_v1 \
         where operator = $1 and version = $2 and $3 order by entry, station, vehicle_group",
    )
    .bind(operator.as_str())
    .bind(version)
    .bind(own)
    .fetch_all(&mut *view)
    .await
    .map_err(|error| Problem::books(&error))?;
    let line = |row: &sqlx::postgres::PgRow| FareLine {
        entry: row.get(0),
        station: row.get(1),
        group: row.get(2),
        amount: row.get(3),
    };
    Ok(Json(rows.iter().map(line).collect()))
}

/// A lane and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LaneLine {
    /// operator/station/lane
    lane: String,
    /// `open`, `entry` or `exit`.
    role: String,
    /// Its journal; absent before the first.
    epoch: Option<i32>,
    /// Up to which sequence everything is posted.
    posted_upto: Option<i64>,
    /// Whether a key signs for it now.
    enrolled: bool,
}

/// All lanes; an operator sees its own.
#[utoipa::path(get, path = "/api/v1/lanes", tag = "register",
    responses((status = 200, body = [LaneLine])))]
pub(super) async fn lanes(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<LaneLine>>, Problem> {
    let operator = caller.roads()?;
    let mut view = app.view(operator).await?;
    let rows = sqlx::query(
        "select l.lane, l.role, e.epoch, e.posted_upto, \
                exists (select from lane_key k where k.lane = l.lane and k.valid_until is null) \
         from lane l left join lateral (select epoch, posted_upto from lane_epoch e \
              where e.lane = l.lane order by epoch desc limit 1) e on true \
         where $1::text is null or l.operator = $1 order by l.lane",
    )
    .bind(operator.map(OperatorId::as_str))
    .fetch_all(&mut *view)
    .await
    .map_err(|error| Problem::books(&error))?;
    let line = |row: &sqlx::postgres::PgRow| LaneLine {
        lane: row.get(0),
        role: row.get(1),
        epoch: row.get(2),
        posted_upto: row.get(3),
        enrolled: row.get(4),
    };
    Ok(Json(rows.iter().map(line).collect()))
}
