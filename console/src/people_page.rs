//! Who may use the console: names, roles, scopes. Nothing is changed here: the people file is
//! changed where its key is (`console people`).

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use crate::access::Role;
use crate::http::App;
use crate::page::{Page, Section, Visit, render};

/// One person as the page shows them.
struct PersonLine {
    name: String,
    full_name: String,
    roles: Vec<&'static str>,
    scope: String,
    second_factor: bool,
    active: bool,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    page: Page,
    version: u64,
    people: Vec<PersonLine>,
}

/// Everybody.
pub(crate) async fn page(State(app): State<App>, Extension(visit): Extension<Visit>) -> Response {
    let t = visit.t;
    let people = app.door().people();
    let lines = people.iter().map(|person| PersonLine {
        name: person.name.clone(),
        full_name: person.full_name.clone(),
        roles: person.roles.iter().map(|role: &Role| role.text(t)).collect(),
        scope: person.scope.to_string(),
        second_factor: person.second_factor.is_some(),
        active: person.active,
    });
    render(&PeoplePage {
        page: app.page(&visit, Section::People),
        version: people.version(),
        people: lines.collect(),
    })
}
