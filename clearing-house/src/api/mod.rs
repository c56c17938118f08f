//! The public HTTP API, under `/api/v1`: accounts, passages, settlement and what is registered, for
//! programs of partners and of the centre.
//!
//! A *caller* shows the token of a *key*; the key's *role* says what it may do and its *scope* whose
//! data it sees, in this program and, for operators, by the database's row security. Whatever moves
//! money needs an `Idempotency-Key`: the same key and request get the same answer, the same key with
//! another request is refused. Whatever changes something is written down first. Errors are problem
//! documents (RFC 9457). Lists are read page by page with an opaque *cursor*. The description
//! (`OpenAPI`) is made from the routes themselves; one that is in no table of roles is refused.
//! Deliberately absent: pages for people (`console`), and rules: a handler unpacks, calls what does
//! the work, and wraps.

mod caller;
pub mod keys;
mod limit;
mod trail;
mod once;
mod body;
mod problem;
mod paging;
mod unchanged;
mod accounts;
mod disputes;
mod passages;
mod corrections;
mod settlement;
mod register;
mod state;
mod metrics;
mod describe;
pub mod command;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use domain::{Clock, OperatorId};
use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::net::TcpListener;
use tracing::Instrument as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::{Api, Database, ListPolicy, RequestRate};
use crate::sql::connect;
pub use caller::Role;
pub use describe::{openapi, openapi_text};
use limit::Limits;
use metrics::Counters;
use problem::Problem;

/// Why the API could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A database that it reads from does not answer.
    #[error("open the books to read")]
    Books(#[source] sqlx::Error),
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
    /// In the role that keeps accounts and keys.
    pool: PgPool,
    /// In the role that reads everything and writes nothing.
    reading: PgPool,
    /// In the role that sees the rows of one operator.
    operators: PgPool,
    /// Absent in a test without a broker.
    broker: Option<async_nats::Client>,
    policy: ListPolicy,
    limits: Limits,
    clock: Clock,
    counters: Counters,
}

impl App {
    /// Whether the broker is there; in a test without one it is not missed.
    fn has_broker(&self) -> bool {
        let is_there = |broker: &async_nats::Client| {
            broker.connection_state() == async_nats::connection::State::Connected
        };
        self.0.broker.as_ref().is_none_or(is_there)
    }

    /// A view of the books for one operator, bound by row security where the role is; or of all.
    async fn view(
        &self,
        of: Option<&OperatorId>,
    ) -> Result<Transaction<'static, Postgres>, Problem> {
        let pool = if of.is_some() { &self.0.operators } else { &self.0.reading };
        let mut view = pool.begin().await.map_err(|error| Problem::books(&error))?;
        if let Some(operator) = of {
            sqlx::query("select set_config('etc.operator', $1, true)")
                .bind(operator.as_str())
                .execute(&mut *view)
                .await
                .map_err(|error| Problem::books(&error))?;
        }
        Ok(view)
    }
}

/// Serves the API, or waits for ever where none is configured.
///
/// # Errors
/// When a database does not answer or the address is not free.
pub async fn run(
    config: Option<&Api>,
    pool: PgPool,
    broker: async_nats::Client,
    policy: ListPolicy,
    clock: Clock,
) -> Result<(), ApiError> {
    let Some(config) = config else { return std::future::pending().await };
    let own = |database: Option<&Database>| {
        let (database, pool) = (database.cloned(), pool.clone());
        async move {
            match database {
                Some(database) => connect(&database).await.map_err(ApiError::Books),
                None => Ok(pool),
            }
        }
    };
    let parts = Parts {
        reading: own(config.reading_database.as_ref()).await?,
        operators: own(config.operator_database.as_ref()).await?,
        pool: pool.clone(),
        broker: Some(broker),
        policy,
        limits: Limits::new(config.rate),
        clock,
        counters: Counters::default(),
    };
    let address = config.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| ApiError::Listen { address, source })?;
    let address = listener.local_addr().map_err(ApiError::Serve)?;
    tracing::info!(address = %format_args!("http://{address}"), "API listening");
    axum::serve(listener, router(App(Arc::new(parts)))).await.map_err(ApiError::Serve)
}

/// The API over a database alone, for tests of the routes: in the role that keeps accounts, the one
/// that reads everything, and the one that sees an operator's rows.
pub fn without_broker(
    [pool, reading, operators]: [PgPool; 3],
    (policy, rate): (ListPolicy, RequestRate),
    clock: Clock,
) -> Router {
    let (limits, counters) = (Limits::new(rate), Counters::default());
    let broker = None;
    router(App(Arc::new(Parts {
        pool,
        reading,
        operators,
        broker,
        policy,
        limits,
        clock,
        counters,
    })))
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(state::me))
        .routes(routes!(state::health))
        .routes(routes!(state::list))
        .routes(routes!(accounts::open, accounts::accounts))
        .routes(routes!(accounts::show))
        .routes(routes!(accounts::statement))
        .routes(routes!(accounts::top_up))
        .routes(routes!(accounts::refund))
        .routes(routes!(accounts::reserve))
        .routes(routes!(accounts::release))
        .routes(routes!(accounts::change_state))
        .routes(routes!(accounts::link))
        .routes(routes!(accounts::unlink))
        .routes(routes!(disputes::dispute, disputes::disputes))
        .routes(routes!(passages::passages))
        .routes(routes!(passages::passage))
        .routes(routes!(passages::of_account))
        .routes(routes!(passages::quarantine))
        .routes(routes!(corrections::corrections, corrections::propose))
        .routes(routes!(corrections::proposals))
        .routes(routes!(corrections::approve))
        .routes(routes!(settlement::days))
        .routes(routes!(settlement::day))
        .routes(routes!(settlement::statement))
        .routes(routes!(settlement::payments))
        .routes(routes!(settlement::cases))
        .routes(routes!(register::tariffs))
        .routes(routes!(register::fares))
        .routes(routes!(register::lanes))
}

fn router(app: App) -> Router {
    let (routes, _) = documented().split_for_parts();
    routes
        .layer(middleware::from_fn(unchanged::tag))
        .layer(middleware::from_fn_with_state(app.clone(), trail::follow))
        .layer(middleware::from_fn_with_state(app.clone(), caller::admit))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/openapi.json", get(|| async { openapi_text() }))
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", "not with this method")
        })
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "no-such-route", "there is nothing here")
        })
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// Whether broker and books are there; the process itself is, or nobody would answer.
async fn ready(State(app): State<App>) -> Response {
    let books = sqlx::query("select 1").execute(&app.0.pool).await.is_ok();
    let broker = app.has_broker();
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
