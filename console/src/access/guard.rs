//! The guard before every route: deny by default.
//!
//! A route is answered only if the table of routes has it, the session's roles are among those it
//! names, what changes something came from one of our own pages, and a form carries the session's
//! token. No handler asks any of this again, so none can forget to.

use axum::Extension;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tracing::error;

use crate::audit::Deed;
use crate::http::{App, answer};
use crate::page::Visit;
use crate::routes::{Verb, Who, rule_of};

use super::{Standing, is_same_site};

/// The longest form.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Lets a request through to its handler, or says why not.
pub(crate) async fn guard(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    request: Request,
    next: Next,
) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        // No route at all; the answer is "not found", to whoever asks.
        return next.run(request).await;
    };
    let Some(verb) = Verb::of(request.method()) else {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    };
    let Some(rule) = rule_of(verb, path.as_str(), app.is_at_station()) else {
        if rule_of(verb.other(), path.as_str(), app.is_at_station()).is_some() {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        if !app.is_at_station() {
            error!(path = path.as_str(), "a route without a rule was asked for");
        }
        return answer(&app, &visit, request.headers(), StatusCode::FORBIDDEN, visit.t.no_right());
    };
    let headers = request.headers();
    if verb == Verb::Post && !is_same_site(headers) {
        return answer(&app, &visit, headers, StatusCode::FORBIDDEN, visit.t.wrong_form());
    }
    if rule.who == Who::Everybody {
        return next.run(request).await;
    }
    if !visit.is_in() {
        return to_the_door(&app, &visit, &request);
    }
    if !rule.who.admits(&visit.roles()) {
        let (method, path) = (request.method().to_string(), path.as_str().to_owned());
        app.audit().note(visit.author(), Deed::RouteRefused { method, path }).await;
        return answer(&app, &visit, headers, StatusCode::FORBIDDEN, visit.t.no_right());
    }
    match verb {
        Verb::Get => next.run(request).await,
        Verb::Post => with_own_form(&app, &visit, request, next).await,
    }
}

/// Whoever looks is sent to where one logs in; a form that came too late is told so.
fn to_the_door(app: &App, visit: &Visit, request: &Request) -> Response {
    let wants_page = request.method() == Method::GET && !visit.path.ends_with("/live");
    let awaits_code =
        visit.session.as_ref().is_some_and(|session| session.standing == Standing::AwaitsCode);
    match (wants_page, awaits_code) {
        (true, true) => Redirect::to("/login/code").into_response(),
        (true, false) => Redirect::to("/login").into_response(),
        (false, _) => {
            let (status, text) = (StatusCode::UNAUTHORIZED, visit.t.wrong_form());
            answer(app, visit, request.headers(), status, text)
        }
    }
}

/// Lets a form through that carries the session's token.
async fn with_own_form(app: &App, visit: &Visit, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(form) = to_bytes(body, FORM_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if !token(&form).is_some_and(|token| visit.owns(token)) {
        return answer(app, visit, &parts.headers, StatusCode::FORBIDDEN, visit.t.wrong_form());
    }
    next.run(Request::from_parts(parts, Body::from(form))).await
}

/// The token of a form; it is hexadecimal, so that nothing in it is escaped.
fn token(form: &Bytes) -> Option<&str> {
    let text = std::str::from_utf8(form).ok()?;
    text.split('&').find_map(|pair| pair.strip_prefix("csrf="))
}
