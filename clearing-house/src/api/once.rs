//! Requests that move money have one effect, however often they are sent.
//!
//! The caller gives each such request an `Idempotency-Key`. Its answer is stored with a digest of
//! the request; the same request gets the stored answer, another one under the same key is refused.
//! Two at the same time both reach the books, whose references let one of them have an effect. An
//! answer that says "try again" is not stored.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::signature::Digest256;
use serde::Serialize;
use sqlx::Row as _;

use super::App;
use super::caller::Caller;
use super::problem::Problem;
use crate::sql::to_sql;

/// The header that names a request.
const KEY: &str = "Idempotency-Key";
const KEY_LEN_MAX: usize = 100;

fn key(headers: &HeaderMap) -> Result<&str, Problem> {
    let key = headers.get(KEY).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if (1..=KEY_LEN_MAX).contains(&key.len()) {
        Ok(key)
    } else {
        Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "no-idempotency-key",
            "what moves money needs the header Idempotency-Key, of 1 to 100 characters",
        ))
    }
}

/// Answers a request as it was answered before, or carries it out and remembers the answer.
pub(super) async fn once<T: Serialize>(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: &[&[u8]],
    carry_out: impl Future<Output = Result<T, Problem>>,
) -> Result<Response, Problem> {
    let key = key(headers)?;
    let digest = Digest256::of(&request.join(&0));
    if let Some(answer) = before(app, caller, key, digest).await? {
        return Ok(answer);
    }
    let (status, body, answer) = match carry_out.await {
        Ok(done) => {
            let body = serde_json::to_string(&done).unwrap_or_default();
            (StatusCode::OK, body, Json(done).into_response())
        }
        Err(problem) if problem.is_passing() => return Err(problem),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::CONFLICT);
            let body = serde_json::to_string(&problem).unwrap_or_default();
            (status, body, problem.into_response())
        }
    };
    sqlx::query(
        "insert into api_answer (caller, key, request, answered_at, status, body) \
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(&caller.name)
    .bind(key)
    .bind(digest.as_bytes().as_slice())
    .bind(to_sql(app.0.clock.now()))
    .bind(i16::try_from(status.as_u16()).unwrap_or(i16::MAX))
    .bind(body)
    .execute(&app.0.pool)
    .await
    .map_err(|error| Problem::books(&error))?;
    Ok(answer)
}

async fn before(
    app: &App,
    caller: &Caller,
    key: &str,
    digest: Digest256,
) -> Result<Option<Response>, Problem> {
    let row =
        sqlx::query("select request, status, body from api_answer where caller = $1 and key = $2")
            .bind(&caller.name)
            .bind(key)
            .fetch_optional(&app.0.pool)
            .await
            .map_err(|error| Problem::books(&error))?;
    let Some(row) = row else { return Ok(None) };
    if row.get::<&[u8], _>(0) != digest.as_bytes() {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-taken",
            "this Idempotency-Key was used before, for another request",
        ));
    }
    let status = u16::try_from(row.get::<i16, _>(1)).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let kind = match status {
        Some(StatusCode::OK) => "application/json",
        Some(_) | None => "application/problem+json",
    };
    let headers = [("content-type", kind), ("idempotent-replayed", "true")];
    Ok(Some((status.unwrap_or(StatusCode::OK), headers, row.get::<String, _>(2)).into_response()))
}
