//! Logging in, by password and second factor, and out.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tracing::{error, info, warn};

use crate::audit::{Author, Deed, Refusal};
use crate::http::{App, problem};
use crate::page::{Page, Section, Visit, render};

use super::door::Denied;
use super::{Role, Standing};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    page: Page,
    refused: Option<String>,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    page: Page,
    refused: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    user: String,
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct CodeForm {
    code: String,
}

/// The door.
pub(crate) async fn log_in_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    if visit.is_in() {
        return Redirect::to("/").into_response();
    }
    render(&LoginPage { page: app.page(&visit, Section::Login), refused: None })
}

/// What a person is told who was not let in.
fn refusal_text(visit: &Visit, denied: Denied) -> (StatusCode, String) {
    let t = visit.t;
    match denied {
        Denied::TooFast(wait) => {
            let text = format!("{} {} s.", t.too_fast(), wait.as_secs() + 1);
            (StatusCode::TOO_MANY_REQUESTS, text)
        }
        Denied::Wrong(Refusal::Code) => (StatusCode::UNAUTHORIZED, t.wrong_code().to_owned()),
        Denied::Wrong(Refusal::Place) => (StatusCode::FORBIDDEN, t.wrong_place().to_owned()),
        Denied::Wrong(Refusal::Credentials | Refusal::TooFast) => {
            (StatusCode::UNAUTHORIZED, t.wrong_password().to_owned())
        }
    }
}

/// Takes name and password.
pub(crate) async fn log_in(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<LoginForm>,
) -> Response {
    let now = app.clock().real();
    match app.door().admit(&form.user, &form.password, visit.from, now).await {
        Err(denied) => {
            warn!(why = ?denied, "login refused");
            // Somebody may have typed their password into the name's field: only a name that
            // there is goes into the log.
            let who = app.door().person(&form.user).map(|person| person.name);
            let author = Author { who, from: visit.from };
            app.audit().note(author, Deed::LogInRefused { why: denied.refusal() }).await;
            let (status, text) = refusal_text(&visit, denied);
            let page = LoginPage { page: app.page(&visit, Section::Login), refused: Some(text) };
            (status, render(&page)).into_response()
        }
        Ok(person) => {
            let needs = person.roles.iter().copied().any(Role::needs_second_factor);
            let standing = if needs || person.second_factor.is_some() {
                Standing::AwaitsCode
            } else {
                Standing::Password
            };
            begin(&app, &visit, &person.name, standing).await
        }
    }
}

/// Begins a session in the place of the one before: its number is worth nothing any more.
async fn begin(app: &App, visit: &Visit, name: &str, standing: Standing) -> Response {
    if let Some(number) = &visit.session_number {
        app.sessions().end(number);
    }
    let next = match standing {
        Standing::AwaitsCode => "/login/code",
        Standing::Password | Standing::SecondFactor => {
            let author = Author { who: Some(name.to_owned()), from: visit.from };
            let second_factor = standing == Standing::SecondFactor;
            app.audit().note(author, Deed::LoggedIn { second_factor }).await;
            info!(user = name, second_factor, "logged in");
            "/"
        }
    };
    match app.sessions().begin(name, standing, app.clock().real()) {
        Ok(number) => {
            let cookie = app.cookies().session(&number);
            ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
        }
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "begin a session");
            problem(app, visit, StatusCode::INTERNAL_SERVER_ERROR, visit.t.problem())
        }
    }
}

/// Asks for the code, of somebody whose password was right.
pub(crate) async fn code_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    if !visit.awaits_code() {
        return Redirect::to("/").into_response();
    }
    render(&CodePage { page: app.page(&visit, Section::Login), refused: None })
}

/// Takes the code.
pub(crate) async fn enter_code(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<CodeForm>,
) -> Response {
    let Some(person) = visit.person.as_ref().filter(|_| visit.awaits_code()) else {
        return Redirect::to("/login").into_response();
    };
    let time = (app.clock().real(), app.machine());
    match app.door().admit_code(person, &form.code, time) {
        Ok(()) => begin(&app, &visit, &person.name, Standing::SecondFactor).await,
        Err(denied) => {
            warn!(why = ?denied, "second factor refused");
            let refused = Deed::LogInRefused { why: denied.refusal() };
            app.audit().note(visit.author(), refused).await;
            let (status, text) = refusal_text(&visit, denied);
            let page = CodePage { page: app.page(&visit, Section::Login), refused: Some(text) };
            (status, render(&page)).into_response()
        }
    }
}

/// Ends the session.
pub(crate) async fn log_out(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    if let Some(number) = &visit.session_number {
        app.sessions().end(number);
    }
    app.audit().note(visit.author(), Deed::LoggedOut).await;
    ([(header::SET_COOKIE, app.cookies().no_session())], Redirect::to("/login")).into_response()
}
