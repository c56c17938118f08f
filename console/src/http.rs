//! The routes, and what holds for all of them: who may, from where, and with which headers.
//!
//! Everything is refused unless a route of the guarded set answers a logged-in person; the four
//! open routes are the door, the assets and the two health checks.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use domain::Clock;
use serde_json::json;
use tokio::sync::watch;

use crate::access::{self, Credentials, Sessions};
use crate::assets;
use crate::authority;
use crate::books::Books;
use crate::finance;
use crate::page::{self, Page, Section, Visit, render};
use crate::station::{self, Desk};

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// The parts of a console.
pub(crate) struct Parts {
    pub clock: Clock,
    pub desk: Arc<Desk>,
    pub books: Arc<Books>,
    pub credentials: Credentials,
    pub sessions: Sessions,
    /// Becomes true when the console ends, so that live pages end too.
    pub ending: watch::Receiver<bool>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.0.desk
    }

    pub(crate) fn books(&self) -> &Books {
        &self.0.books
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.0.ending.clone()
    }
}

/// All routes.
pub(crate) fn router(app: App) -> Router {
    let guarded = Router::new()
        .route("/", get(station::page))
        .route("/station/live", get(station::live))
        .route("/station/answer", post(station::answer))
        .route("/finance", get(finance::days_page))
        .route("/finance/statement/{operator}/{day}", get(finance::statement))
        .route("/passages", get(finance::passages_page))
        .route("/authority", get(authority::page))
        .route("/logout", post(access::log_out))
        .route_layer(middleware::from_fn(access::require_session));
    Router::new()
        .merge(guarded)
        .route("/login", get(access::log_in_page).post(access::log_in))
        .route("/assets/{name}", get(assets::asset))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(unknown)
        .layer(middleware::from_fn(refuse_foreign_forms))
        .layer(middleware::from_fn_with_state(app.clone(), page::receive))
        .layer(middleware::from_fn(harden))
        .with_state(app)
}

/// Whether broker and books are there; the process itself is, or nobody would answer.
async fn ready(State(app): State<App>) -> Response {
    let (broker, books) = (app.desk().is_connected(), app.books().answers().await);
    let status = if broker && books { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "broker": broker, "books": books }))).into_response()
}

async fn unknown(State(app): State<App>, Extension(visit): Extension<Visit>) -> Response {
    problem(&app, &visit, StatusCode::NOT_FOUND, visit.t.not_found())
}

/// Whatever changes something must come from one of our own pages.
async fn refuse_foreign_forms(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || access::is_same_site(request.headers()) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

/// What a page may load and who may embed it: its own style, script and pictures, and nobody.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    page: Page,
    text: String,
}

/// A page that says what did not work.
pub(crate) fn problem(app: &App, visit: &Visit, status: StatusCode, text: &str) -> Response {
    let page = app.page(visit, Section::Problem);
    (status, render(&ProblemPage { page, text: text.to_owned() })).into_response()
}

#[cfg(test)]
mod tests;
