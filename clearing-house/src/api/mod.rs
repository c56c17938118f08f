//! The HTTP API: accounts, passages, quarantine, tariffs and lanes, for programs.
//!
//! A *caller* proves itself with a bearer token; its *role* says what it may do and its *scope*
//! whose data it sees. Whatever moves money needs an `Idempotency-Key`: the same key and request
//! get the same answer, the same key with another request is refused. Errors are problem documents
//! (RFC 9457). Lists are read page by page with an opaque *cursor*. The description (`OpenAPI`) is
//! made from the routes themselves. Deliberately absent: pages for people (`console`), and rules:
//! a handler unpacks, calls what does the work, and wraps.

mod accounts;
mod body;
mod caller;
pub mod command;
mod corrections;
mod metrics;
mod once;
mod passages;
mod problem;
mod register;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use domain::Clock;
use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tracing::Instrument as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::{Api, ConfigError, ListPolicy};
use caller::Tokens;
use metrics::Counters;

/// Why the API could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The tokens could not be read.
    #[error("read the tokens")]
    Tokens(#[source] ConfigError),
    /// The address is not free.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Serving failed.
    #[error("serve the API")]
    Serve(#[source] std::io::Error),
}

/// What every handler shares.
#[derive(Clone)]
struct App(Arc<Parts>);

struct Parts {
    pool: PgPool,
    /// Absent in a test without a broker.
    broker: Option<async_nats::Client>,
    tokens: Tokens,
    policy: ListPolicy,
    clock: Clock,
    counters: Counters,
}

/// Serves the API, or waits for ever where none is configured.
///
/// # Errors
/// When the tokens cannot be read or the address is not free.
pub async fn run(
    config: Option<&Api>,
    pool: PgPool,
    broker: async_nats::Client,
    policy: ListPolicy,
    clock: Clock,
) -> Result<(), ApiError> {
    let Some(config) = config else { return std::future::pending().await };
    let tokens = Tokens::load(&config.tokens_file).map_err(ApiError::Tokens)?;
    let counters = Counters::default();
    let app = App(Arc::new(Parts { pool, broker: Some(broker), tokens, policy, clock, counters }));
    let address = config.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| ApiError::Listen { address, source })?;
    let address = listener.local_addr().map_err(ApiError::Serve)?;
    tracing::info!(address = %format_args!("http://{address}"), "API listening");
    axum::serve(listener, router(app)).await.map_err(ApiError::Serve)
}

/// The API over a database alone, for tests of the routes.
///
/// # Errors
/// When the tokens are not as they should be.
pub fn without_broker(
    pool: PgPool,
    tokens_file: &std::path::Path,
    policy: ListPolicy,
    clock: Clock,
) -> Result<Router, ApiError> {
    let tokens = Tokens::load(tokens_file).map_err(ApiError::Tokens)?;
    let counters = Counters::default();
    Ok(router(App(Arc::new(Parts { pool, broker: None, tokens, policy, clock, counters }))))
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(accounts::open))
        .routes(routes!(accounts::show))
        .routes(routes!(accounts::statement))
        .routes(routes!(accounts::top_up))
        .routes(routes!(accounts::refund))
        .routes(routes!(accounts::reserve))
        .routes(routes!(accounts::release))
        .routes(routes!(accounts::change_state))
        .routes(routes!(accounts::link))
        .routes(routes!(accounts::unlink))
        .routes(routes!(passages::passages))
        .routes(routes!(corrections::corrections, corrections::propose))
        .routes(routes!(corrections::proposals))
        .routes(routes!(corrections::approve))
        .routes(routes!(passages::quarantine))
        .routes(routes!(register::tariffs))
        .routes(routes!(register::fares))
        .routes(routes!(register::lanes))
}

/// The API's description.
#[must_use]
pub fn openapi() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let about = InfoBuilder::new()
        .title("clearing-house")
        .version("1")
        .description(Some(
            "Amounts are whole minor units. Instants are RFC 3339. Errors are problem documents.",
        ))
        .build();
    let components =
        ComponentsBuilder::new().security_scheme("bearer", SecurityScheme::Http(bearer)).build();
    let base = OpenApiBuilder::new().info(about).components(Some(components)).build();
    let (_, routes) = documented().split_for_parts();
    let mut described = base;
    described.merge(routes);
    described
}

/// The API's description as it is kept in `docs/openapi.json`.
///
/// # Panics
/// Never: a description has a JSON form.
#[must_use]
pub fn openapi_text() -> String {
    let mut text = serde_json::to_string_pretty(&openapi()).expect("a description has a JSON form");
    text.push('\n');
    text
}

fn router(app: App) -> Router {
    let (routes, _) = documented().split_for_parts();
    routes
        .layer(middleware::from_fn_with_state(app.clone(), caller::admit))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(|| async { openapi_text() }))
        .fallback(|| async {
            problem::Problem::new(StatusCode::NOT_FOUND, "no-such-route", "there is nothing here")
        })
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// Whether broker and books are there; the process itself is, or nobody would answer.
async fn ready(State(app): State<App>) -> Response {
    let books = sqlx::query("select 1").execute(&app.0.pool).await.is_ok();
    let broker =
        app.0.broker.as_ref().is_none_or(|broker| {
            broker.connection_state() == async_nats::connection::State::Connected
        });
    let status = if broker && books { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "broker": broker, "books": books }))).into_response()
}

/// A span for each request, by its route and never its address, and a count of its answer.
async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", method = %request.method(), route);
    let response = next.run(request).instrument(span).await;
    app.0.counters.count(response.status());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_that_is_kept_is_the_one_the_routes_make() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        assert!(
            std::fs::read_to_string(file).unwrap() == openapi_text(),
            "docs/openapi.json is not what the routes make: clearing-house api describe"
        );
    }

    #[test]
    fn whatever_moves_money_asks_for_an_idempotency_key() {
        let described = serde_json::to_value(openapi()).unwrap();
        for path in ["top-ups", "refunds", "holds"] {
            let post = &described["paths"][format!("/v1/accounts/{{account}}/{path}")]["post"];
            let asks = post["parameters"].as_array().unwrap().iter().any(|parameter| {
                parameter["name"] == "Idempotency-Key" && parameter["required"] == true
            });
            assert!(asks, "{path}");
        }
        for path in ["/v1/corrections", "/v1/corrections/{proposal}/approval"] {
            let parameters = &described["paths"][path]["post"]["parameters"];
            let is_key = |parameter: &serde_json::Value| parameter["name"] == "Idempotency-Key";
            assert!(parameters.as_array().unwrap().iter().any(is_key), "{path}");
        }
    }

    #[test]
    fn every_route_answers_with_a_problem_where_the_caller_may_not() {
        let described = serde_json::to_value(openapi()).unwrap();
        for (path, methods) in described["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                for status in ["401", "403"] {
                    assert!(operation["responses"][status].is_object(), "{method} {path} {status}");
                }
            }
        }
    }
}
