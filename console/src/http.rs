//! What every route shares: the parts of a console, the layers before the handlers, and headers.
//!
//! Which routes there are, and who may use them, is [`crate::routes`].

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::{Extension, Router};
use domain::Clock;
use serde_json::json;
use tokio::sync::watch;

use crate::access::{self, DeskKey, Door, Sessions};
use crate::administration::Administration;
use crate::audit::AuditLog;
use crate::books::Books;
use crate::language::Language;
use crate::page::{self, Page, Section, Visit, render};
use crate::review::Reviewing;
use crate::routes;
use crate::station::Desk;

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// The parts of a console.
pub(crate) struct Parts {
    pub clock: Clock,
    /// The machine's clock, which authenticators go by too.
    pub machine: Clock,
    pub desk: Arc<Desk>,
    pub books: Arc<Books>,
    pub door: Arc<Door>,
    pub sessions: Arc<Sessions>,
    /// With what this desk vouches for people.
    pub desk_key: DeskKey,
    pub audit: Arc<AuditLog>,
    pub cookies: Cookies,
    /// How passages are looked at again.
    pub review: Reviewing,
    /// How people are changed here.
    pub administration: Administration,
    /// Whether this console stands at a station, without the books.
    pub at_station: bool,
    /// Becomes true when the console ends, so that live pages end too.
    pub ending: watch::Receiver<bool>,
}

/// How cookies are written: with all that browsers offer where the pages come over TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cookies {
    /// Over TLS.
    Secure,
    /// Over plain HTTP, on the machine's own address alone.
    Loopback,
}

impl Cookies {
    /// The session cookie's name; the prefix makes browsers refuse one that another host set.
    pub(crate) const fn session_name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-etc_session",
            Self::Loopback => "etc_session",
        }
    }

    const fn secure(self) -> &'static str {
        match self {
            Self::Secure => "; Secure",
            Self::Loopback => "",
        }
    }

    /// The cookie of a session; it goes with the browser.
    pub(crate) fn session(self, number: &str) -> String {
        let (name, secure) = (self.session_name(), self.secure());
        format!("{name}={number}; Path=/; HttpOnly; SameSite=Strict{secure}")
    }

    /// The cookie that ends a session.
    pub(crate) fn no_session(self) -> String {
        format!("{}; Max-Age=0", self.session(""))
    }

    /// The cookie of a language.
    pub(crate) fn language(self, name: &str, language: Language) -> String {
        let (code, secure) = (language.code(), self.secure());
        format!("{name}={code}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly{secure}")
    }
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn machine(&self) -> &Clock {
        &self.0.machine
    }

    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.0.desk
    }

    pub(crate) fn books(&self) -> &Books {
        &self.0.books
    }

    pub(crate) fn door(&self) -> &Arc<Door> {
        &self.0.door
    }

    pub(crate) fn sessions(&self) -> &Arc<Sessions> {
        &self.0.sessions
    }

    pub(crate) fn desk_key(&self) -> &DeskKey {
        &self.0.desk_key
    }

    pub(crate) fn audit(&self) -> &Arc<AuditLog> {
        &self.0.audit
    }

    pub(crate) fn review(&self) -> &Reviewing {
        &self.0.review
    }

    pub(crate) fn administration(&self) -> &Administration {
        &self.0.administration
    }

    pub(crate) fn cookies(&self) -> Cookies {
        self.0.cookies
    }

    pub(crate) fn is_at_station(&self) -> bool {
        self.0.at_station
    }

    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.0.ending.clone()
    }
}

/// All routes, each behind the guard.
pub(crate) fn router(app: App) -> Router {
    guarded(routes::router(), app)
}

/// Puts the layers before some routes: headers, then who asks, then whether they may.
fn guarded(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(app.clone(), access::guard))
        .layer(middleware::from_fn_with_state(app.clone(), page::receive))
        .layer(middleware::from_fn_with_state(app.clone(), harden))
        .with_state(app)
}

/// The process lives, or nobody would answer.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether broker and books are there; a station has no books.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let broker = app.desk().is_connected();
    let (whole, told) = if app.is_at_station() {
        (broker, json!({ "broker": broker }))
    } else {
        let books = app.books().answers().await;
        (broker && books, json!({ "broker": broker, "books": books }))
    };
    let status = if whole { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(told)).into_response()
}

/// Sends a person to the first page of their own.
pub(crate) async fn home(State(app): State<App>, Extension(visit): Extension<Visit>) -> Response {
    match visit.pages(app.is_at_station()).first() {
        Some((path, _)) => Redirect::to(path).into_response(),
        None => problem(&app, &visit, StatusCode::FORBIDDEN, visit.t.no_right()),
    }
}

async fn unknown(State(app): State<App>, Extension(visit): Extension<Visit>) -> Response {
    problem(&app, &visit, StatusCode::NOT_FOUND, visit.t.not_found())
}

/// What a page may load and who may embed it: its own style, script and pictures, and nobody.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

async fn harden(State(app): State<App>, request: Request, next: Next) -> Response {
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
    if matches!(app.cookies(), Cookies::Secure) {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
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

/// Answers the page's script with JSON, and a plain form with a page.
pub(crate) fn answer(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
    status: StatusCode,
    text: &str,
) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("application/json")) {
        let done = status.is_success();
        return (status, Json(json!({ "done": done, "text": text }))).into_response();
    }
    problem(app, visit, status, text)
}

#[cfg(test)]
mod tests;
