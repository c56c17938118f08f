//! The people: listed for whoever may look, changed by administrators.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tracing::error;

use crate::access::{Person, Role, Scope};
use crate::audit::{AuditError, AuditLog, Author, Deed, NotAllowed};
use crate::command::{CommandError, Held, NewPerson, PeopleFiles};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit, render};

use super::SecretPage;
use super::form::{Fields, person_change};
use super::proposal::{PersonChange, PersonError, Proposed};

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
    let with = |name: &str, roles: &std::collections::BTreeSet<Role>, scope: &Scope| {
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
        let may_approve = may_change
            && one.change.is_within(&visit.scope(), &people)
            && !own.iter().any(|own| visit.user() == Some(own));
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
    match person_change(&fields) {
        Some(change) => carry_out(&app, &visit, change, None).await,
        None => problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, visit.t.wrong_person()),
    }
}

/// To make a change so that another administrator proposed.
pub(crate) async fn approve_change(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<u64>,
) -> Response {
    match app.audit().changes().proposed(number) {
        Some(proposed) => carry_out(&app, &visit, proposed.change.clone(), Some(number)).await,
        None => problem(&app, &visit, StatusCode::CONFLICT, visit.t.tariff_decided()),
    }
}

/// To decline a change, or take back one's own.
pub(crate) async fn decline_change(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<u64>,
) -> Response {
    let changes = app.audit().changes();
    let own = |proposed: &Proposed| visit.user() == Some(proposed.maker.as_str());
    let outside = |proposed: &&Proposed| {
        !own(proposed) && !proposed.change.is_within(&visit.scope(), &app.door().people())
    };
    if changes.proposed(number).filter(outside).is_some() {
        return refusal(&app, &visit, &NotMade::Scope);
    }
    let deed = Deed::PersonDeclined { proposal: number };
    match app.audit().record(visit.author(), deed).await.map_err(NotMade::Audit) {
        Ok(Ok(_)) => Redirect::to("/people?done=declined").into_response(),
        Ok(Err(rule)) => refusal(&app, &visit, &NotMade::Rule(rule)),
        Err(why) => refusal(&app, &visit, &why),
    }
}

/// What became of a change that was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Made {
    /// It waits for a second administrator.
    Proposed,
    /// It is so; with what somebody has to be told, once.
    Changed(String),
}

/// Why a change was not made; nothing is changed then, and a proposal stands.
#[derive(Debug, thiserror::Error)]
enum NotMade {
    /// It is about somebody, or somewhere, that whoever asks has no business with.
    #[error("it lies outside their scope")]
    Scope,
    #[error("a rule forbids it")]
    Rule(#[source] NotAllowed),
    #[error("it could not be written down")]
    Audit(#[source] AuditError),
    #[error("the people file was not changed")]
    Command(#[source] CommandError),
}

/// Whoever asks for a change, and where they may.
struct Asker {
    author: Author,
    scope: Scope,
}

/// Makes a change so, or proposes it: tried on a copy of the people file, which may refuse it, then
/// written down, then signed into the file, which nobody else changes meanwhile. Blocks.
fn make_so(
    files: &PeopleFiles,
    audit: &AuditLog,
    asker: &Asker,
    change: &PersonChange,
    proposal: Option<u64>,
) -> Result<Made, NotMade> {
    let record = |deed: Deed| match audit.append(&asker.author, deed) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(rule)) => Err(NotMade::Rule(rule)),
        Err(failure) => Err(NotMade::Audit(failure)),
    };
    let mut held = files.hold().map_err(NotMade::Command)?;
    if !change.is_within(&asker.scope, held.people()) {
        return Err(NotMade::Scope);
    }
    if proposal.is_none() && change.takes_two(held.people(), &audit.changes()) {
        record(Deed::PersonProposed { change: change.clone() })?;
        return Ok(Made::Proposed);
    }
    let told = apply(&mut held, change.clone()).map_err(NotMade::Command)?;
    record(Deed::PersonChanged { change: change.clone(), proposal })?;
    if let Err(failure) = held.write() {
        record(Deed::PersonNotChanged { change: change.clone(), proposal })?;
        return Err(NotMade::Command(failure));
    }
    Ok(Made::Changed(told))
}

/// The change by the library of the command line; what somebody has to be told, once.
fn apply(held: &mut Held<'_>, change: PersonChange) -> Result<String, CommandError> {
    let nothing = |()| String::new();
    match change {
        PersonChange::Add { name, full_name, roles, scope, account } => {
            held.add(NewPerson { name, full_name, roles, scope, account }, None)
        }
        PersonChange::Rights { name, roles, scope } => {
            held.set_roles(&name, roles, Some(scope)).map(nothing)
        }
        PersonChange::Password { name } => held.set_password(&name, None),
        PersonChange::SecondFactor { name } => held.set_second_factor(&name),
        PersonChange::End { name } => held.set_active(&name, false).map(nothing),
        PersonChange::Return { name } => held.set_active(&name, true).map(nothing),
    }
}

/// Makes a change so, or proposes it; what was made, this console takes at once. A browser that goes
/// away stops nothing half-way.
async fn carry_out(
    app: &App,
    visit: &Visit,
    change: PersonChange,
    proposal: Option<u64>,
) -> Response {
    let t = visit.t;
    let Some(files) = app.administration().files.clone().filter(|_| may_change(app, visit)) else {
        return problem(app, visit, StatusCode::CONFLICT, t.people_read_only());
    };
    let asker = Asker { author: visit.author(), scope: visit.scope() };
    let name = change.name().to_owned();
    let whole = app.clone();
    let doing = tokio::task::spawn_blocking(move || {
        let _turn = whole.administration().turn.blocking_lock();
        make_so(&files, whole.audit(), &asker, &change, proposal)
    });
    match doing.await {
        Ok(Ok(Made::Proposed)) => Redirect::to("/people?done=proposed").into_response(),
        Ok(Ok(Made::Changed(told))) => {
            app.door().look(app.sessions(), app.audit()).await;
            if told.is_empty() {
                return Redirect::to("/people?done=changed").into_response();
            }
            let page = app.page(visit, Section::People);
            render(&SecretPage { page, name, told, back: "/people" })
        }
        Ok(Err(why)) => refusal(app, visit, &why),
        Err(_) => problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.change_away()),
    }
}

/// The page that says why a change was not made.
fn refusal(app: &App, visit: &Visit, why: &NotMade) -> Response {
    let t = visit.t;
    let conflict = |text: &str| problem(app, visit, StatusCode::CONFLICT, text);
    match why {
        NotMade::Scope => problem(app, visit, StatusCode::FORBIDDEN, t.refused_scope()),
        NotMade::Rule(NotAllowed::Person(PersonError::Own)) => conflict(t.refused_own_person()),
        NotMade::Rule(_) => conflict(t.tariff_decided()),
        NotMade::Audit(failure) => {
            error!(error = failure as &dyn std::error::Error, "write a change of people down");
            problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.audit_away())
        }
        NotMade::Command(failure) => {
            error!(error = failure as &dyn std::error::Error, "change the people");
            conflict(&match failure {
                CommandError::People { source, .. } => format!("{} {source}", t.refused_change()),
                other => format!("{} {other}", t.refused_change()),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::make_key;

    struct Office {
        folder: tempfile::TempDir,
        files: PeopleFiles,
        audit: AuditLog,
    }

    impl Office {
        /// With Lan, who has no second factor, at an operator.
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let people = folder.path().join("people");
            std::fs::create_dir(&people).unwrap();
            let files =
                PeopleFiles { file: people.join("people"), key: folder.path().join("people.key") };
            make_key(&files).unwrap();
            let lan = NewPerson {
                name: "lan".to_owned(),
                full_name: "Lan".to_owned(),
                roles: [Role::Reviewer].into(),
                scope: "cienco4".parse().unwrap(),
                account: None,
            };
            files.add(lan, None).unwrap();
            let log = folder.path().join("log");
            let audit = AuditLog::open(&log, domain::Clock::system()).unwrap();
            Self { folder, files, audit }
        }

        fn ask(
            &self,
            (who, scope): (&str, &str),
            change: &PersonChange,
            proposal: Option<u64>,
        ) -> Result<Made, NotMade> {
            let author = Author { who: Some(who.to_owned()), from: None };
            let asker = Asker { author, scope: scope.parse().unwrap() };
            make_so(&self.files, &self.audit, &asker, change, proposal)
        }

        fn waiting(&self) -> Vec<u64> {
            self.audit.changes().iter().map(|proposed| proposed.number).collect()
        }
    }

    fn rights(role: Role) -> PersonChange {
        let scope = "cienco4".parse().unwrap();
        PersonChange::Rights { name: "lan".to_owned(), roles: [role].into(), scope }
    }

    #[test]
    fn an_administrator_of_another_operator_neither_proposes_nor_agrees() {
        let office = Office::new();
        let money = rights(Role::FinanceMaker);
        for change in [&rights(Role::Auditor), &money] {
            assert!(matches!(office.ask(("kim", "vec"), change, None), Err(NotMade::Scope)));
        }
        assert_eq!(office.ask(("dung", "cienco4"), &money, None).unwrap(), Made::Proposed);
        let number = office.waiting()[0];
        let agreed = office.ask(("kim", "vec"), &money, Some(number));
        assert!(matches!(agreed, Err(NotMade::Scope)), "{agreed:?}");
        assert_eq!(office.waiting(), [number]);
    }

    #[test]
    fn what_the_people_file_refuses_or_the_disk_does_leaves_its_proposal() {
        let office = Office::new();
        let money = rights(Role::FinanceMaker);
        assert_eq!(office.ask(("dung", "*"), &money, None).unwrap(), Made::Proposed);
        let number = office.waiting()[0];
        // She has no second factor.
        let refused = office.ask(("minh", "*"), &money, Some(number));
        assert!(matches!(refused, Err(NotMade::Command(_))), "{refused:?}");
        assert_eq!(office.waiting(), [number]);
        let log = || std::fs::read_to_string(office.folder.path().join("log")).unwrap();
        assert!(!log().contains("person-changed"), "nothing is written down as done");

        let factor = PersonChange::SecondFactor { name: "lan".to_owned() };
        assert_eq!(office.ask(("dung", "*"), &factor, None).unwrap(), Made::Proposed);
        let second = office.waiting()[1];
        let told = office.ask(("minh", "*"), &factor, Some(second)).unwrap();
        assert!(matches!(&told, Made::Changed(told) if told.contains("otpauth")));
        // A folder of that name cannot be written over.
        let beside = office.files.file.with_extension("new");
        std::fs::create_dir(&beside).unwrap();
        let failed = office.ask(("minh", "*"), &money, Some(number));
        assert!(matches!(failed, Err(NotMade::Command(_))), "{failed:?}");
        assert_eq!(office.waiting(), [number], "it can be agreed to again");
        assert!(log().contains("person-not-changed"));
        std::fs::remove_dir(&beside).unwrap();
        let made = office.ask(("minh", "*"), &money, Some(number)).unwrap();
        assert_eq!(made, Made::Changed(String::new()));
        assert!(office.waiting().is_empty());
    }
}
