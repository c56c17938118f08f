//! The people: listed for whoever may look, changed by administrators.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tracing::error;

use crate::access::{Person, Role};
use crate::audit::{Deed, NotAllowed};
use crate::command::{CommandError, NewPerson, PeopleFiles};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit, render};

use super::SecretPage;
use super::form::{Fields, person_change};
use super::proposal::{PersonChange, PersonError};

/// What was done last, as it stands in the address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DoneForm {
    #[serde(default)]
    done: String,
}

struct PersonLine {
    name: String,
    full_name: String,
    roles: Vec<&'static str>,
    scope: String,
    second_factor: bool,
    active: bool,
}

struct ProposedLine {
    number: u64,
    maker: String,
    at: String,
    what: &'static str,
    details: String,
    may_approve: bool,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    page: Page,
    done: Option<&'static str>,
    version: u64,
    people: Vec<PersonLine>,
    proposed: Vec<ProposedLine>,
    /// Name and text of each role, for whoever may give it.
    roles: Vec<(&'static str, &'static str)>,
    may_change: bool,
}

/// A change in words: what it is, and about whom.
pub(crate) fn told(change: &PersonChange, t: Language) -> (&'static str, String) {
    let with = |name: &str, roles: &std::collections::BTreeSet<Role>, scope: &crate::Scope| {
        let roles: Vec<&str> = roles.iter().map(|role| role.text(t)).collect();
        format!("{name}: {} ({scope})", roles.join(", "))
    };
    match change {
        PersonChange::Add { name, roles, scope, .. } => {
            (t.person_added(), with(name, roles, scope))
        }
        PersonChange::Rights { name, roles, scope } => {
            (t.person_rights(), with(name, roles, scope))
        }
        PersonChange::Password { name } => (t.person_password(), name.clone()),
        PersonChange::SecondFactor { name } => (t.person_factor(), name.clone()),
        PersonChange::End { name } => (t.person_ended(), name.clone()),
        PersonChange::Return { name } => (t.person_returned(), name.clone()),
    }
}

/// Whether this visit may change people here.
fn may_change(app: &App, visit: &Visit) -> bool {
    app.administration().files.is_some() && visit.roles().contains(&Role::Administrator)
}

/// Everybody.
pub(crate) async fn people_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Query(form): Query<DoneForm>,
) -> Response {
    let (t, zone) = (visit.t, app.desk().zone());
    let people = app.door().people();
    let line = |person: &Person| PersonLine {
        name: person.name.clone(),
        full_name: person.full_name.clone(),
        roles: person.roles.iter().map(|role: &Role| role.text(t)).collect(),
        scope: person.scope.to_string(),
        second_factor: person.second_factor.is_some(),
        active: person.active,
    };
    let may_change = may_change(&app, &visit);
    let changes = app.audit().changes();
    let proposed = changes.iter().map(|one| {
        let (what, details) = told(&one.change, t);
        let own = [one.maker.as_str(), one.change.name()];
        let may_approve = may_change && !own.iter().any(|own| visit.user() == Some(own));
        let at = t.date_and_time(one.at, &zone);
        ProposedLine {
            number: one.number,
            maker: one.maker.clone(),
            at,
            what,
            details,
            may_approve,
        }
    });
    render(&PeoplePage {
        done: match form.done.as_str() {
            "changed" => Some(t.done_person_changed()),
            "proposed" => Some(t.done_person_proposed()),
            "declined" => Some(t.done_tariff_declined()),
            _ => None,
        },
        version: people.version(),
        people: people.iter().map(line).collect(),
        proposed: proposed.collect(),
        roles: Role::ALL.map(|role| (role.name(), role.text(t))).into(),
        may_change,
        page: app.page(&visit, Section::People),
    })
}

/// To change somebody: at once, or by proposing it to a second administrator.
pub(crate) async fn change_person(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(fields): Form<Fields>,
) -> Response {
    let t = visit.t;
    if !may_change(&app, &visit) {
        return problem(&app, &visit, StatusCode::CONFLICT, t.people_read_only());
    }
    let Some(change) = person_change(&fields) else {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.wrong_person());
    };
    if !change.takes_two(&app.door().people()) {
        return carry_out(&app, &visit, change, None).await;
    }
    match write_down(&app, &visit, Deed::PersonProposed { change }).await {
        Some(refused) => refused,
        None => Redirect::to("/people?done=proposed").into_response(),
    }
}

/// To make a change so that another administrator proposed.
pub(crate) async fn approve_change(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<u64>,
) -> Response {
    let t = visit.t;
    if !may_change(&app, &visit) {
        return problem(&app, &visit, StatusCode::CONFLICT, t.people_read_only());
    }
    match app.audit().changes().proposed(number) {
        Some(proposed) => carry_out(&app, &visit, proposed.change.clone(), Some(number)).await,
        None => problem(&app, &visit, StatusCode::CONFLICT, t.tariff_decided()),
    }
}

/// To decline a change, or take back one's own.
pub(crate) async fn decline_change(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<u64>,
) -> Response {
    match write_down(&app, &visit, Deed::PersonDeclined { proposal: number }).await {
        Some(refused) => refused,
        None => Redirect::to("/people?done=declined").into_response(),
    }
}

/// Writes a deed down; the answer of what may not be is a page that says why.
async fn write_down(app: &App, visit: &Visit, deed: Deed) -> Option<Response> {
    let t = visit.t;
    let (status, text) = match app.audit().record(visit.author(), deed).await {
        Ok(Ok(_)) => return None,
        Ok(Err(NotAllowed::Person(PersonError::Own))) => {
            (StatusCode::CONFLICT, t.refused_own_person())
        }
        Ok(Err(_)) => (StatusCode::CONFLICT, t.tariff_decided()),
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "write a change of people down");
            (StatusCode::SERVICE_UNAVAILABLE, t.audit_away())
        }
    };
    Some(problem(app, visit, status, text))
}

/// Makes a change so: written down, signed into the people file, and taken by this console at once.
async fn carry_out(
    app: &App,
    visit: &Visit,
    change: PersonChange,
    proposal: Option<u64>,
) -> Response {
    let t = visit.t;
    let Some(files) = app.administration().files.clone() else {
        return problem(app, visit, StatusCode::CONFLICT, t.people_read_only());
    };
    let turn = app.administration().turn.lock().await;
    let deed = Deed::PersonChanged { change: change.clone(), proposal };
    if let Some(refused) = write_down(app, visit, deed).await {
        return refused;
    }
    let name = change.name().to_owned();
    let done = tokio::task::spawn_blocking(move || apply(&files, change)).await;
    drop(turn);
    match done {
        Ok(Ok(told)) => {
            app.door().look(app.sessions(), app.audit()).await;
            if told.is_empty() {
                return Redirect::to("/people?done=changed").into_response();
            }
            let page = app.page(visit, Section::People);
            render(&SecretPage { page, name, told, back: "/people" })
        }
        Ok(Err(failure)) => {
            let text = match &failure {
                CommandError::People { source, .. } => format!("{} {source}", t.refused_change()),
                other => format!("{} {other}", t.refused_change()),
            };
            error!(error = &failure as &dyn std::error::Error, "change the people");
            problem(app, visit, StatusCode::CONFLICT, &text)
        }
        Err(_) => problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.change_away()),
    }
}

/// The change by the library of the command line; what somebody has to be told, once. Blocks.
fn apply(files: &Arc<PeopleFiles>, change: PersonChange) -> Result<String, CommandError> {
    let nothing = |()| String::new();
    match change {
        PersonChange::Add { name, full_name, roles, scope, account } => {
            files.add(NewPerson { name, full_name, roles, scope, account }, None)
        }
        PersonChange::Rights { name, roles, scope } => {
            files.set_roles(&name, roles, Some(scope)).map(nothing)
        }
        PersonChange::Password { name } => files.set_password(&name, None),
        PersonChange::SecondFactor { name } => files.set_second_factor(&name),
        PersonChange::End { name } => files.set_active(&name, false).map(nothing),
        PersonChange::Return { name } => files.set_active(&name, true).map(nothing),
    }
}
