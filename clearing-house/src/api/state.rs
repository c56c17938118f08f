//! Who one is here, how the centre is, and how far the account list has come.

use axum::extract::State;
use axum::{Extension, Json};
use domain::{IssuerId, OperatorId};
use serde::Serialize;
use sqlx::Row as _;
use utoipa::ToSchema;

use super::App;
use super::caller::Caller;
use super::problem::Problem;
use crate::sql::from_sql;

/// Whose key it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The name under which everything it does is written down.
    name: String,
    /// The key's number, for who wants it revoked.
    key: i64,
    /// `issuer`, `operator`, `auditor` or `centre`.
    role: String,
    /// The issuer whose accounts alone it sees.
    issuer: Option<String>,
    /// The operator whose roads alone it sees.
    operator: Option<String>,
}

/// Who the caller is, and what its key is for.
#[utoipa::path(get, path = "/api/v1/me", tag = "state", responses((status = 200, body = Me)))]
pub(super) async fn me(Extension(caller): Extension<Caller>) -> Json<Me> {
    Json(Me {
        key: caller.key,
        role: caller.role.name().to_owned(),
        issuer: caller.role.issuer().map(IssuerId::to_string),
        operator: caller.role.operator().map(OperatorId::to_string),
        name: caller.name,
    })
}

/// How the centre is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// Whether the broker that passages come by is there.
    broker: bool,
    /// Whether the books answer; where they do not, nothing here does.
    books: bool,
    /// The centre's time.
    now: String,
}

/// How the centre is, for partners; for those who run it there are `/readyz` and `/metrics`.
#[utoipa::path(get, path = "/api/v1/health", tag = "state", responses((status = 200, body = Health)))]
pub(super) async fn health(State(app): State<App>) -> Json<Health> {
    // The door has just asked the books whose key it is.
    Json(Health { broker: app.has_broker(), books: true, now: app.0.clock.now().to_string() })
}

/// How far the account list has come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ListState {
    /// Its version; 0 before the first.
    version: i64,
    /// When that was issued.
    issued_at: Option<String>,
    /// Up to which version the broker has it.
    published: i64,
    /// Changes that are in no version yet.
    waiting: i64,
}

/// How far the account list has come that lanes go by.
#[utoipa::path(get, path = "/api/v1/list", tag = "state", responses((status = 200, body = ListState)))]
pub(super) async fn list(State(app): State<App>) -> Result<Json<ListState>, Problem> {
    let row = sqlx::query(
        "select d.version, d.issued_at,
                coalesce((select max(version) from list_delta where published_at is not null), 0),
                (select count(*) from list_change)
         from (select 1) one left join lateral
              (select version, issued_at from list_delta order by version desc limit 1) d on true",
    )
    .fetch_one(&app.0.pool)
    .await
    .map_err(|error| Problem::books(&error))?;
    Ok(Json(ListState {
        version: row.get::<Option<i64>, _>(0).unwrap_or(0),
        issued_at: row.get::<Option<_>, _>(1).map(|at| from_sql(at).to_string()),
        published: row.get(2),
        waiting: row.get(3),
    }))
}
