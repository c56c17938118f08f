//! A person's own password: the page, and the change.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tracing::error;

use crate::audit::Deed;
use crate::http::{App, problem};
use crate::page::{Page, Section, Visit, render};

use super::password::{LEN_MAX, LEN_MIN};

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    page: Page,
    refused: Option<&'static str>,
    len_min: usize,
    len_max: usize,
}

#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    #[serde(default)]
    old: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    again: String,
}

fn shown(app: &App, visit: &Visit, refused: Option<&'static str>) -> Response {
    let page = app.page(visit, Section::Password);
    let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = PasswordPage { page, refused, len_min: LEN_MIN, len_max: LEN_MAX };
    (status, render(&page)).into_response()
}

/// Asks for the old and the new one.
pub(crate) async fn page(State(app): State<App>, Extension(visit): Extension<Visit>) -> Response {
    shown(&app, &visit, None)
}

/// Takes a new one from somebody who knows the old one. Every other session of theirs ends.
pub(crate) async fn change(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<PasswordForm>,
) -> Response {
    let t = visit.t;
    let (Some(person), Some(session)) = (&visit.person, &visit.session) else {
        return Redirect::to("/login").into_response();
    };
    let length = form.new.chars().count();
    if form.new != form.again {
        return shown(&app, &visit, Some(t.passwords_differ()));
    }
    if length < LEN_MIN || form.new.len() > LEN_MAX {
        return shown(&app, &visit, Some(t.password_length()));
    }
    if form.new == form.old {
        return shown(&app, &visit, Some(t.password_is_the_old()));
    }
    let now = app.clock().real();
    if app.door().admit(&person.name, &form.old, visit.from, now).await.is_err() {
        return shown(&app, &visit, Some(t.password_old_wrong()));
    }
    let away = || problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.audit_away());
    if !matches!(app.audit().record(visit.author(), Deed::PasswordChanged).await, Ok(Ok(_))) {
        return away();
    }
    if let Err(failure) = app.door().keep_password(person, form.new).await {
        error!(error = &failure as &dyn std::error::Error, "keep a password");
        return away();
    }
    app.sessions().retain_users(|name| name != person.name);
    match app.sessions().begin(&person.name, session.standing, now) {
        Ok(number) => {
            let cookie = app.cookies().session(&number);
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "begin a session");
            problem(&app, &visit, StatusCode::INTERNAL_SERVER_ERROR, t.problem())
        }
    }
}
