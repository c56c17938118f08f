//! The audit log for people: the last entries, and the whole chain checked when asked.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use tracing::error;

use crate::administration::told as administration_told;
use crate::audit::{Deed, Entry, Outcome, SearchedBy};
use crate::http::App;
use crate::language::Language;
use crate::page::{Page, Section, Visit, render};

/// How many entries the page has.
const SHOWN_MAX: usize = 200;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct AuditForm {
    #[serde(default)]
    check: String,
}

struct EntryLine {
    seq: u64,
    at: String,
    who: String,
    from: String,
    what: &'static str,
    details: String,
}

/// What a check came to.
enum Checked {
    Not,
    Holds,
    Breaks { line: u64, why: &'static str },
    Unread,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    page: Page,
    entries: u64,
    head: String,
    checked: Checked,
    lines: Vec<EntryLine>,
}

/// The audit log.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Query(form): Query<AuditForm>,
) -> Response {
    let checked = if form.check.is_empty() { Checked::Not } else { check(&app).await };
    let (entries, chain) = app.audit().recent();
    let zone = app.desk().zone();
    let line = |entry: &Entry| {
        let (what, details) = told(&entry.deed, visit.t);
        EntryLine {
            seq: entry.seq,
            at: visit.t.date_and_time(entry.at, &zone),
            who: entry.who.clone().unwrap_or_default(),
            from: entry.from.map(|from| from.to_string()).unwrap_or_default(),
            what,
            details,
        }
    };
    render(&AuditPage {
        page: app.page(&visit, Section::Audit),
        entries: chain.entries,
        head: chain.head.to_string(),
        checked,
        lines: entries.iter().take(SHOWN_MAX).map(line).collect(),
    })
}

async fn check(app: &App) -> Checked {
    let log = Arc::clone(app.audit());
    match tokio::task::spawn_blocking(move || log.check()).await {
        Ok(Ok(Ok(_))) => Checked::Holds,
        Ok(Ok(Err(broken))) => Checked::Breaks { line: broken.line, why: broken.why },
        Ok(Err(failure)) => {
            error!(error = &failure as &dyn std::error::Error, "check the audit log");
            Checked::Unread
        }
        Err(_) => Checked::Unread,
    }
}

/// A deed in words, and what it is about.
fn told(deed: &Deed, t: Language) -> (&'static str, String) {
    match deed {
        Deed::Started => (t.deed_started(), String::new()),
        Deed::PutAside { file, line } => (t.deed_put_aside(), format!("{file}:{line}")),
        Deed::PeopleRead { version } => (t.deed_people_read(), version.to_string()),
        Deed::LoggedIn { second_factor } => (
            t.deed_logged_in(),
            if *second_factor { t.second_factor().to_owned() } else { String::new() },
        ),
        Deed::LogInRefused { .. } => (t.deed_log_in_refused(), String::new()),
        Deed::LoggedOut => (t.deed_logged_out(), String::new()),
        Deed::RouteRefused { method, path } => (t.deed_route_refused(), format!("{method} {path}")),
        Deed::OrderAsked { lane, verb, reason, .. } => {
            let reason = reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            (t.deed_order_asked(), format!("{lane} {verb}{reason}"))
        }
        Deed::OrderAgreed { command } => (t.deed_order_agreed(), command.clone()),
        Deed::OrderAnswered { outcome, .. } => match outcome {
            Outcome::Done { passage, .. } => (t.deed_order_done(), passage.to_string()),
            Outcome::Obeyed => (t.deed_order_done(), String::new()),
            Outcome::Refused { why } => (t.deed_order_refused(), why.clone()),
            Outcome::Unanswered { why } => (t.deed_order_unanswered(), why.clone()),
        },
        Deed::Unmasked { passage, reason } => (t.deed_unmasked(), format!("{passage}: {reason}")),
        Deed::BooksAsked { act, subject } => (act.text(t), subject.clone()),
        Deed::BooksRefused { act, subject, why } => {
            (t.deed_books_refused(), format!("{}: {subject}: {why}", act.text(t)))
        }
        Deed::Searched { by, day } => {
            let by = match by {
                SearchedBy::Plate => t.plate(),
                SearchedBy::Tag => t.tag(),
            };
            let day = day.map(|day| format!(" · {day}")).unwrap_or_default();
            (t.deed_searched(), format!("{by}{day}"))
        }
        Deed::PersonProposed { change } => {
            let (what, details) = administration_told(change, t);
            (t.deed_person_proposed(), format!("{what}: {details}"))
        }
        Deed::PersonChanged { change, .. } => administration_told(change, t),
        Deed::PersonNotChanged { change, .. } => {
            let (what, details) = administration_told(change, t);
            (t.person_failed(), format!("{what}: {details}"))
        }
        Deed::PersonDeclined { proposal } => (t.deed_person_declined(), proposal.to_string()),
        Deed::KeyProposed { key } => (t.deed_key_proposed(), key.told()),
        Deed::KeyAgreed { proposal } => (t.deed_key_agreed(), proposal.to_string()),
        Deed::KeyNotMade { proposal } => (t.deed_key_not_made(), proposal.to_string()),
        Deed::KeyDeclined { proposal } => (t.deed_key_declined(), proposal.to_string()),
        Deed::PasswordChanged => (t.deed_password_changed(), String::new()),
        Deed::TariffProposed { operator, version, .. } => {
            (t.deed_tariff_proposed(), format!("{operator} {version}"))
        }
        Deed::TariffApproved { proposal } => (t.deed_tariff_approved(), proposal.to_string()),
        Deed::TariffDeclined { proposal } => (t.deed_tariff_declined(), proposal.to_string()),
        Deed::ShiftStarted => (t.deed_shift_started(), String::new()),
        Deed::ShiftOffered { shift, to, .. } => (t.deed_shift_offered(), format!("{shift} → {to}")),
        Deed::ShiftTaken { shift } => (t.deed_shift_taken(), shift.to_string()),
        Deed::ShiftClosed { shift, .. } => (t.deed_shift_closed(), shift.to_string()),
    }
}
