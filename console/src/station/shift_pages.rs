//! The pages of shifts: one's own, those of others, and the report that is printed and signed.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use domain::{Currency, Timestamp};
use jiff::tz::TimeZone;
use serde::Deserialize;
use tracing::error;

use crate::access::{Role, Scope};
use crate::audit::{Deed, NotAllowed, OpenItem};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit, render};

use super::order::reason_of_name;
use super::shift::{Figure, Shift, ShiftError, Shifts, Standing};
use super::works_here;

/// The longest note, in characters.
const NOTE_LEN_MAX: usize = 500;

#[derive(Deserialize)]
pub(crate) struct ShiftForm {
    #[serde(default)]
    shift: u64,
    #[serde(default)]
    to: String,
    #[serde(default)]
    note: String,
}

/// A shift in a list.
struct ShiftLine {
    number: u64,
    who: String,
    begun: String,
    state: &'static str,
    is_open: bool,
}

/// A shift that somebody is asked to take over.
struct OfferLine {
    number: u64,
    who: String,
    note: String,
    open: Vec<String>,
}

#[derive(Template)]
#[template(path = "shifts.html")]
struct ShiftsPage {
    page: Page,
    may_work: bool,
    own: Option<ShiftLine>,
    offered_to: Option<String>,
    offers: Vec<OfferLine>,
    open: Vec<String>,
    colleagues: Vec<(String, String)>,
    shifts: Vec<ShiftLine>,
}

/// One kind of order in the report.
struct FigureLine {
    what: String,
    count: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "shift.html")]
struct ShiftPage {
    page: Page,
    shift: ShiftLine,
    ended: Option<String>,
    taken_from: Option<u64>,
    handed_to: Option<String>,
    note: String,
    open: Vec<String>,
    figures: Vec<FigureLine>,
    cash: FigureLine,
    cash_without_fare: u64,
    refused: u64,
    /// The head of the audit log, by which its tail can be checked later.
    head: String,
    entries: u64,
}

fn line(shift: &Shift, t: Language, zone: &TimeZone) -> ShiftLine {
    let state = match &shift.standing {
        Standing::Open => t.shift_open(),
        Standing::Offered { .. } => t.shift_offered(),
        Standing::HandedOver { .. } => t.shift_handed_over(),
        Standing::Closed { .. } => t.shift_closed(),
    };
    ShiftLine {
        number: shift.number,
        who: shift.who.clone(),
        begun: t.date_and_time(shift.begun, zone),
        state,
        is_open: shift.is_open(),
    }
}

/// An open item in words.
fn item_text(item: &OpenItem, t: Language) -> String {
    match item {
        OpenItem::Call { lane, exception, .. } => {
            format!("{lane}: {} ({})", t.item_call(), t.exception_kind(*exception))
        }
        OpenItem::Lane { lane } => format!("{lane}: {}", t.item_lane()),
        OpenItem::Order { lane, .. } => format!("{lane}: {}", t.item_order()),
        OpenItem::Unposted { lane, passages } => {
            format!("{lane}: {} {}", t.count(*passages), t.item_unposted())
        }
    }
}

fn texts(items: &[OpenItem], t: Language) -> Vec<String> {
    items.iter().map(|item| item_text(item, t)).collect()
}

/// What a shift that ended now would leave behind: the lanes' state, and orders without an answer.
fn open_items(app: &App, shift: Option<&Shift>, scope: &Scope) -> Vec<OpenItem> {
    let mut items = app.desk().open_items(scope);
    items.extend(shift.into_iter().flat_map(|shift| shift.unanswered.iter().cloned()));
    items
}

/// Those who could take over: they work at a desk that this one's scope meets.
fn colleagues(app: &App, visit: &Visit) -> Vec<(String, String)> {
    let people = app.door().people();
    let at_desk = |role: &Role| matches!(role, Role::StationOperator | Role::Supervisor);
    let meets = |scope: &Scope| match visit.scope() {
        Scope::Station(operator, station) => scope.meets(&operator, &station),
        Scope::Operator(operator) => scope.operator().is_none_or(|own| own == operator.as_str()),
        Scope::Everywhere => true,
    };
    people
        .iter()
        .filter(|person| person.active && person.roles.iter().any(at_desk))
        .filter(|person| Some(person.name.as_str()) != visit.user() && meets(&person.scope))
        .map(|person| (person.name.clone(), person.full_name.clone()))
        .collect()
}

/// One's own shift, those that are offered, and all shifts.
pub(crate) async fn shifts_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    let (t, zone) = (visit.t, app.desk().zone());
    let shifts = app.audit().shifts();
    let user = visit.user().unwrap_or_default();
    let own = shifts.open_of(user);
    let offered_to = own.and_then(|shift| match &shift.standing {
        Standing::Offered { to, .. } => Some(to.clone()),
        Standing::Open | Standing::HandedOver { .. } | Standing::Closed { .. } => None,
    });
    let offers = shifts.offered_to(user).map(|shift| offer(shift, t));
    render(&ShiftsPage {
        page: app.page(&visit, Section::Shift),
        may_work: works_here(&visit),
        own: own.map(|shift| line(shift, t, &zone)),
        offered_to,
        offers: offers.collect(),
        open: texts(&open_items(&app, own, &visit.scope()), t),
        colleagues: colleagues(&app, &visit),
        shifts: visible(&shifts, &visit).map(|shift| line(shift, t, &zone)).collect(),
    })
}

fn offer(shift: &Shift, t: Language) -> OfferLine {
    let (note, open) = match &shift.standing {
        Standing::Offered { note, open, .. } => (note.clone(), texts(open, t)),
        Standing::Open | Standing::HandedOver { .. } | Standing::Closed { .. } => {
            (String::new(), Vec::new())
        }
    };
    OfferLine { number: shift.number, who: shift.who.clone(), note, open }
}

/// Operators see their own shifts; those who stand over them, or audit, see all.
fn visible<'a>(shifts: &'a Shifts, visit: &'a Visit) -> impl Iterator<Item = &'a Shift> {
    let sees_all =
        visit.roles().iter().any(|role| matches!(role, Role::Supervisor | Role::Auditor));
    shifts.newest_first().filter(move |shift| sees_all || Some(shift.who.as_str()) == visit.user())
}

/// The report of a shift, to print and sign.
pub(crate) async fn shift_report(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<String>,
) -> Response {
    let t = visit.t;
    let shifts = app.audit().shifts();
    let number = number.parse().ok();
    let Some(shift) = visible(&shifts, &visit).find(|shift| Some(shift.number) == number) else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    };
    let (zone, currency) = (app.desk().zone(), app.desk().currency());
    let at = |at: &Timestamp| t.date_and_time(*at, &zone);
    let (ended, handed_to, note, open) = match &shift.standing {
        Standing::Open => {
            (None, None, String::new(), open_items(&app, Some(shift), &visit.scope()))
        }
        Standing::Offered { to, note, open } => {
            (None, Some(to.clone()), note.clone(), open.clone())
        }
        Standing::HandedOver { to, at: when, note, open } => {
            (Some(at(when)), Some(to.clone()), note.clone(), open.clone())
        }
        Standing::Closed { at: when, note, open } => {
            (Some(at(when)), None, note.clone(), open.clone())
        }
    };
    let figures = shift.done.iter().map(|((verb, reason), figure)| {
        let mut what = t.verb(verb).to_owned();
        if let Some(reason) = reason_of_name(reason) {
            what.push_str(&format!(": {}", t.reason(&reason)));
        }
        figure_line(what, *figure, t, currency)
    });
    let cash = shift.cash();
    let chain = app.audit().recent().1;
    render(&ShiftPage {
        page: app.page(&visit, Section::Shift),
        ended,
        taken_from: shift.taken_from,
        handed_to,
        note,
        open: texts(&open, t),
        figures: figures.collect(),
        cash: figure_line(t.shift_cash().to_owned(), cash, t, currency),
        cash_without_fare: cash.without_fare,
        refused: shift.refused,
        head: chain.head.to_string(),
        entries: chain.entries,
        shift: line(shift, t, &zone),
    })
}

fn figure_line(
    what: String,
    figure: Figure,
    t: Language,
    currency: Option<Currency>,
) -> FigureLine {
    let amount = currency.map_or_else(
        || t.count(figure.amount.unsigned_abs()),
        |currency| t.money(figure.amount, currency),
    );
    FigureLine { what, count: t.count(figure.count), amount }
}

pub(crate) async fn start_shift(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    write_down(&app, &visit, Deed::ShiftStarted, "/station").await
}

pub(crate) async fn offer_shift(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<ShiftForm>,
) -> Response {
    if !colleagues(&app, &visit).iter().any(|(name, _)| *name == form.to) {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, visit.t.shift_to_nobody());
    }
    let Some(note) = note(&form) else { return too_long(&app, &visit) };
    let open = own_open_items(&app, &visit);
    let deed = Deed::ShiftOffered { shift: form.shift, to: form.to, note, open };
    write_down(&app, &visit, deed, "/shift").await
}

pub(crate) async fn take_shift(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<ShiftForm>,
) -> Response {
    write_down(&app, &visit, Deed::ShiftTaken { shift: form.shift }, "/station").await
}

pub(crate) async fn close_shift(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<ShiftForm>,
) -> Response {
    let Some(note) = note(&form) else { return too_long(&app, &visit) };
    let open = own_open_items(&app, &visit);
    let report = format!("/shift/{}", form.shift);
    let deed = Deed::ShiftClosed { shift: form.shift, note, open };
    write_down(&app, &visit, deed, &report).await
}

fn own_open_items(app: &App, visit: &Visit) -> Vec<OpenItem> {
    let shifts = app.audit().shifts();
    open_items(app, shifts.open_of(visit.user().unwrap_or_default()), &visit.scope())
}

fn note(form: &ShiftForm) -> Option<String> {
    let note = form.note.trim();
    (note.chars().count() <= NOTE_LEN_MAX).then(|| note.to_owned())
}

fn too_long(app: &App, visit: &Visit) -> Response {
    problem(app, visit, StatusCode::UNPROCESSABLE_ENTITY, visit.t.shift_note_long())
}

/// Writes a deed about shifts down; without that it has not happened.
async fn write_down(app: &App, visit: &Visit, deed: Deed, then: &str) -> Response {
    let t = visit.t;
    match app.audit().record(visit.author(), deed).await {
        Ok(Ok(_)) => Redirect::to(then).into_response(),
        Ok(Err(refused)) => {
            let text = match refused {
                NotAllowed::Shift(ShiftError::Begun) => t.shift_begun(),
                NotAllowed::Shift(ShiftError::NotTheirs) => t.shift_not_theirs(),
                NotAllowed::Shift(ShiftError::NotOffered) => t.shift_not_offered(),
                NotAllowed::Shift(ShiftError::Oneself) => t.shift_to_nobody(),
                NotAllowed::Shift(ShiftError::Note) => t.shift_needs_note(),
                // No deed of a shift is one of a tariff, of a person, or of a key.
                NotAllowed::Tariff(_) | NotAllowed::Person(_) | NotAllowed::Key(_) => t.problem(),
            };
            problem(app, visit, StatusCode::CONFLICT, text)
        }
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "write a shift down");
            problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.audit_away())
        }
    }
}
