//! The keys of the HTTP API: listed, made, revoked.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use clearing_house::api::keys::{self, Key, KeyError, NewKey, Token};
use domain::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tracing::error;

use crate::access::{Role, Scope};
use crate::audit::{Act, Deed, NotAllowed};
use crate::books::{BooksError, Purpose, in_time};
use crate::change::{Refused, change};
use crate::finance::{or_notice, respond};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit, render};

use super::SecretPage;
use super::form::{Fields, new_key};
use super::key_proposal::{KeyRule, ProposedKey, WantedKey, takes_two};

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

struct ProposedLine {
    number: u64,
    details: String,
    maker: String,
    at: String,
    may_approve: bool,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    page: Page,
    done: Option<&'static str>,
    proposed: Vec<ProposedLine>,
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
            made: match &key.proposed_by {
                Some(maker) => format!("{maker} + {} · {}", key.made_by, at(key.made_at)),
                None => format!("{} · {}", key.made_by, at(key.made_at)),
            },
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
    let proposed = |one: &ProposedKey| ProposedLine {
        number: one.number,
        details: one.key.told(),
        maker: one.maker.clone(),
        at: t.date_and_time(one.at, &zone),
        may_approve: may_change(&visit) && visit.user() != Some(one.maker.as_str()),
    };
    let template = KeysPage {
        page,
        done: match form.done.as_str() {
            "revoked" => Some(t.done_key_revoked()),
            "proposed" => Some(t.done_key_proposed()),
            "declined" => Some(t.done_key_declined()),
            _ => None,
        },
        proposed: app.audit().proposed_keys().iter().map(proposed).collect(),
        keys: found.iter().rev().map(|key| KeyLine::new(key, now, &zone, t)).collect(),
        may_change: may_change(&visit),
    };
    respond(whole, &template)
}

/// Keys are nobody's of one operator alone: who makes and revokes them is an administrator of all.
fn may_change(visit: &Visit) -> bool {
    visit.roles().contains(&Role::Administrator) && visit.scope() == Scope::Everywhere
}

/// To make a key, or to propose it where it does more than look. None has a person's name: what it
/// does would stand in the books as theirs.
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
    if takes_two(&new.role) {
        let deed = Deed::KeyProposed { key: WantedKey::from(&new) };
        let refused = write_down(&app, &visit, deed).await;
        return refused.unwrap_or_else(|| Redirect::to("/keys?done=proposed").into_response());
    }
    let doing = async {
        let pool = app.books().pool_for(Purpose::Registry)?;
        let made = keys::make(pool, &new, by, app.clock().now()).await;
        made.map_err(|failure| refused(failure, t))
    };
    let subject = format!("{} {}", new.name, new.role);
    match change((&app, &visit), (Act::MakeKey, subject), doing).await {
        Ok((number, token)) => shown_once(&app, &visit, (number, &new.name), &token),
        Err(answer) => answer,
    }
}

/// The one answer that has a token.
fn shown_once(app: &App, visit: &Visit, (number, name): (i64, &str), token: &Token) -> Response {
    render(&SecretPage {
        page: app.page(visit, Section::Keys),
        name: format!("{number} · {name}"),
        told: token.as_str().to_owned(),
        back: "/keys",
    })
}

/// Writes a deed about a proposed key down; the answer of what may not be is a page that says why.
async fn write_down(app: &App, visit: &Visit, deed: Deed) -> Option<Response> {
    let t = visit.t;
    let (status, text) = match app.audit().record(visit.author(), deed).await {
        Ok(Ok(_)) => return None,
        Ok(Err(NotAllowed::Key(KeyRule::Own))) => (StatusCode::CONFLICT, t.refused_own_key()),
        Ok(Err(_)) => (StatusCode::CONFLICT, t.tariff_decided()),
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "write a proposed key down");
            (StatusCode::SERVICE_UNAVAILABLE, t.audit_away())
        }
    };
    Some(problem(app, visit, status, text))
}

/// To make a key that another administrator proposed; its token is in this one answer.
pub(crate) async fn approve_key(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<u64>,
) -> Response {
    let t = visit.t;
    if !may_change(&visit) {
        return problem(&app, &visit, StatusCode::FORBIDDEN, t.refused_scope());
    }
    let proposed = app.audit().proposed_keys().proposed(number).cloned();
    let wanted = proposed.and_then(|one| Some((one.key.new_key()?, one.maker)));
    let (Some((new, maker)), Some(_)) = (wanted, visit.user()) else {
        return problem(&app, &visit, StatusCode::CONFLICT, t.tariff_decided());
    };
    if app.door().person(&new.name).is_some() {
        return problem(&app, &visit, StatusCode::CONFLICT, t.key_of_person());
    }
    // Whoever asked may go away: what was agreed to is made all the same.
    let making = tokio::spawn(make_agreed(app.clone(), visit.clone(), number, (new, maker)));
    match making.await {
        Ok(answer) => answer,
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "make a key that was agreed to");
            problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.change_away())
        }
    }
}

/// Writes down that somebody agreed, and makes the key.
async fn make_agreed(
    app: App,
    visit: Visit,
    number: u64,
    (new, maker): (NewKey, String),
) -> Response {
    let t = visit.t;
    // Before it is written down that somebody agreed.
    let (Ok(pool), Some(by)) = (app.books().pool_for(Purpose::Registry), visit.user()) else {
        return problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.change_away());
    };
    if let Some(refused) = write_down(&app, &visit, Deed::KeyAgreed { proposal: number }).await {
        return refused;
    }
    let doing = async {
        let made = keys::make_by_two(pool, &new, (&maker, by), app.clock().now()).await;
        made.map_err(|failure| refused(failure, t))
    };
    let subject = format!("{} {}", new.name, new.role);
    match change((&app, &visit), (Act::MakeKey, subject), doing).await {
        Ok((key, token)) => shown_once(&app, &visit, (key, &new.name), &token),
        Err(answer) => {
            app.audit().note(visit.author(), Deed::KeyNotMade { proposal: number }).await;
            answer
        }
    }
}

/// To decline a key that another proposed, or take back one's own.
pub(crate) async fn decline_key(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<u64>,
) -> Response {
    if !may_change(&visit) {
        return problem(&app, &visit, StatusCode::FORBIDDEN, visit.t.refused_scope());
    }
    let refused = write_down(&app, &visit, Deed::KeyDeclined { proposal: number }).await;
    refused.unwrap_or_else(|| Redirect::to("/keys?done=declined").into_response())
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
