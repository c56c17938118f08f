//! Logging in and out, and the guard before every page.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tracing::{error, info, warn};

use crate::http::{App, problem};
use crate::page::{Page, Section, Visit, render};

use super::SESSION_COOKIE;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    page: Page,
    refused: bool,
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    user: String,
    password: String,
}

/// Lets a request through that a logged-in person made; the others go to the door.
pub(crate) async fn require_session(
    Extension(visit): Extension<Visit>,
    request: Request,
    next: Next,
) -> Response {
    if visit.session.is_some() {
        return next.run(request).await;
    }
    let wants_page = request.method() == Method::GET && !visit.path.ends_with("/live");
    if wants_page {
        Redirect::to("/login").into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

pub(crate) async fn log_in_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    if visit.session.is_some() {
        return Redirect::to("/").into_response();
    }
    render(&LoginPage { page: app.page(&visit, Section::Login), refused: false })
}

pub(crate) async fn log_in(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<LoginForm>,
) -> Response {
    if !app.credentials().admit(&form.user, &form.password) {
        warn!("login refused");
        let page = LoginPage { page: app.page(&visit, Section::Login), refused: true };
        return (StatusCode::UNAUTHORIZED, render(&page)).into_response();
    }
    match app.sessions().begin(&form.user, app.clock().real()) {
        Ok(number) => {
            info!(user = form.user, "logged in");
            let cookie = format!("{SESSION_COOKIE}={number}; Path=/; HttpOnly; SameSite=Strict");
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "begin a session");
            problem(&app, &visit, StatusCode::INTERNAL_SERVER_ERROR, visit.t.problem())
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct LogoutForm {
    csrf: String,
}

pub(crate) async fn log_out(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<LogoutForm>,
) -> Response {
    if !visit.owns(&form.csrf) {
        return problem(&app, &visit, StatusCode::FORBIDDEN, visit.t.wrong_form());
    }
    if let Some(number) = &visit.session_number {
        app.sessions().end(number);
    }
    let cookie = format!("{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}
