//! The statement of a closed day, in every form: to read, to file, to print, for a spreadsheet.

use std::error::Error;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use reconciliation::statement::Paper;
use reconciliation::statement::filed::{Form, form_of};
use tracing::{error, warn};

use crate::http::{App, problem};
use crate::page::Visit;

use super::day::window_of;
use super::repo;

/// The form of a name in an address, and what browsers call it.
fn form_named(name: &str) -> Option<(Form, &'static str)> {
    match name {
        "txt" => Some((Form::Text, "text/plain; charset=utf-8")),
        "csv" => Some((Form::Csv, "text/csv; charset=utf-8")),
        "json" => Some((Form::Json, "application/json")),
        "pdf" => Some((Form::Pdf, "application/pdf")),
        "xlsx" => {
            Some((Form::Xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))
        }
        _ => None,
    }
}

/// The statement of a closed day in a form.
pub(crate) async fn statement(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((operator, day, name)): Path<(String, String, String)>,
) -> Response {
    let missing = || problem(&app, &visit, StatusCode::NOT_FOUND, visit.t.not_found());
    let (Some(window), Some((form, kind))) =
        (window_of(&visit, &operator, &day), form_named(&name))
    else {
        return missing();
    };
    match repo::statement(app.books(), &window.operator, window.day).await {
        Ok(Some(paper)) => {
            in_form(&app, &visit, paper, (form, kind), &format!("{operator}-{day}.{name}")).await
        }
        Ok(None) => missing(),
        Err(error) => {
            warn!(error = &error as &dyn Error, "read a statement");
            problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, visit.t.books_away())
        }
    }
}

async fn in_form(
    app: &App,
    visit: &Visit,
    paper: Paper,
    (form, kind): (Form, &'static str),
    file_name: &str,
) -> Response {
    // A page is set in tens of milliseconds: not on a thread that serves others.
    let made = tokio::task::spawn_blocking(move || form_of(&paper, form)).await;
    match made {
        Ok(Ok(bytes)) => {
            let disposition = format!("attachment; filename=\"{file_name}\"");
            ([(header::CONTENT_TYPE, kind)], [(header::CONTENT_DISPOSITION, disposition)], bytes)
                .into_response()
        }
        Ok(Err(failure)) => {
            error!(error = &failure as &dyn Error, "write a statement in a form");
            problem(app, visit, StatusCode::INTERNAL_SERVER_ERROR, visit.t.problem())
        }
        Err(_) => problem(app, visit, StatusCode::INTERNAL_SERVER_ERROR, visit.t.problem()),
    }
}
