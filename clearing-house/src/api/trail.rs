//! The trail: every request that may change something is written down before it is carried out.
//!
//! Beside it the books keep the caller's name with what was changed. A request that cannot be
//! written down is not carried out. Deliberately absent: what the request said, which may be
//! personal; its digest proves what it was to whoever still has it.

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::signature::Digest256;

use super::App;
use super::body::BODY_LEN_MAX;
use super::caller::Caller;
use super::problem::Problem;
use crate::sql::to_sql;

/// Writes down what is asked for, lets it be done, and writes down how it was answered.
pub(super) async fn follow(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LEN_MAX).await else {
        let detail = format!("a body has at most {BODY_LEN_MAX} bytes");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", detail).into_response();
    };
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let change = sqlx::query_scalar::<_, i64>(
        "insert into api_change (at, api_key, caller, method, path, request)
         values ($1, $2, $3, $4, $5, $6) returning api_change",
    )
    .bind(to_sql(app.0.clock.now()))
    .bind(caller.key)
    .bind(&caller.name)
    .bind(method)
    .bind(path)
    .bind(Digest256::of(&body).as_bytes().as_slice())
    .fetch_one(&app.0.pool)
    .await;
    let change = match change {
        Ok(change) => change,
        Err(error) => return Problem::books(&error).into_response(),
    };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let status = i16::try_from(response.status().as_u16()).unwrap_or(i16::MAX);
    let answered =
        sqlx::query("insert into api_change_answer (api_change, status) values ($1, $2)")
            .bind(change)
            .bind(status)
            .execute(&app.0.pool)
            .await;
    if let Err(error) = answered {
        // It is done, and its asking is written down: the caller gets its answer.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            change,
            "an answer is not in the trail"
        );
    }
    response
}
