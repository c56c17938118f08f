//! The keys of the HTTP API: listed, made, revoked.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use clearing_house::api::keys::{self, Key, KeyError};
use domain::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::access::{Role, Scope};
use crate::audit::Act;
use crate::books::{BooksError, Purpose, in_time};
use crate::change::{Refused, change};
use crate::finance::{or_notice, respond};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit, render};

use super::SecretPage;
use super::form::{Fields, new_key};

/// What was done last, as it stands in the address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DoneForm {
    #[serde(default)]
    done: String,
}

struct KeyLine {
    number: i64,
    name: String,
    role: String,
    made: String,
    until: String,
    revoked: String,
    opens: bool,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    page: Page,
    done: Option<&'static str>,
    keys: Vec<KeyLine>,
    may_change: bool,
}

impl KeyLine {
    fn new(key: &Key, now: Timestamp, zone: &TimeZone, t: Language) -> Self {
        let at = |at: Timestamp| t.date_and_time(at, zone);
        Self {
            number: key.key,
            name: key.name.clone(),
            role: key.role.to_string(),
            made: format!("{} · {}", key.made_by, at(key.made_at)),
            until: key.valid_until.map(at).unwrap_or_default(),
            revoked: key
                .revoked
                .as_ref()
                .map(|(by, when)| format!("{by} · {}", at(*when)))
                .unwrap_or_default(),
            opens: key.opens_at(now),
        }
    }
}

impl From<KeyError> for BooksError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Database { source, .. } => Self::Read(source),
            _ => Self::Shape { what: "key of the API" },
        }
    }
}

fn refused(error: KeyError, t: Language) -> Refused {
    match error {
        KeyError::Database { source, .. } => Refused::Books(BooksError::Read(source)),
        other => Refused::said(&format!("{} {other}", t.refused_change()), other.to_string()),
    }
}

/// Every key there has ever been, without its token.
pub(crate) async fn keys_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Query(form): Query<DoneForm>,
) -> Response {
    let (t, now, zone) = (visit.t, app.clock().now(), app.desk().zone());
    let mut page = app.page(&visit, Section::Keys);
    let found = async { in_time(keys::list(app.books().pool()?)).await };
    let found = or_notice(found.await, &mut page, t);
    let whole = found.is_some();
    let found = found.unwrap_or_default();
    let template = KeysPage {
        page,
        done: (form.done == "revoked").then(|| t.done_key_revoked()),
        keys: found.iter().rev().map(|key| KeyLine::new(key, now, &zone, t)).collect(),
        may_change: may_change(&visit),
    };
    respond(whole, &template)
}

/// Keys are nobody's of one operator alone: who makes and revokes them is an administrator of all.
fn may_change(visit: &Visit) -> bool {
    visit.roles().contains(&Role::Administrator) && visit.scope() == Scope::Everywhere
}

/// To make a key: its token is in this one answer. Keys that may move money are made on the command
/// line, and none has a person's name: what it does would stand in the books as theirs.
pub(crate) async fn make_key(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(fields): Form<Fields>,
) -> Response {
    let t = visit.t;
    if !may_change(&visit) {
        return problem(&app, &visit, StatusCode::FORBIDDEN, t.refused_scope());
    }
    let (Some(new), Some(by)) = (new_key(&fields), visit.user()) else {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.wrong_key());
    };
    if app.door().person(&new.name).is_some() {
        return problem(&app, &visit, StatusCode::CONFLICT, t.key_of_person());
    }
    let doing = async {
        let pool = app.books().pool_for(Purpose::Registry)?;
        let made = keys::make(pool, &new, by, app.clock().now()).await;
        made.map_err(|failure| refused(failure, t))
    };
    let subject = format!("{} {}", new.name, new.role);
    match change((&app, &visit), (Act::MakeKey, subject), doing).await {
        Ok((number, token)) => render(&SecretPage {
            page: app.page(&visit, Section::Keys),
            name: format!("{number} · {}", new.name),
            told: token.as_str().to_owned(),
            back: "/keys",
        }),
        Err(answer) => answer,
    }
}

/// To revoke a key.
pub(crate) async fn revoke_key(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(key): Path<i64>,
    Form(fields): Form<Fields>,
) -> Response {
    let t = visit.t;
    if !may_change(&visit) {
        return problem(&app, &visit, StatusCode::FORBIDDEN, t.refused_scope());
    }
    let reason = fields.get("reason").map_or("", |reason| reason.as_str());
    let Some(by) = visit.user() else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    };
    let doing = async {
        let pool = app.books().pool_for(Purpose::Registry)?;
        let revoked = keys::revoke(pool, key, by, reason, app.clock().now()).await;
        revoked.map_err(|failure| refused(failure, t))
    };
    match change((&app, &visit), (Act::RevokeKey, key.to_string()), doing).await {
        Ok(()) => Redirect::to("/keys?done=revoked").into_response(),
        Err(answer) => answer,
    }
}
