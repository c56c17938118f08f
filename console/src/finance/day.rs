//! One settlement day: how far it is and who stands behind it, what it comes to for each issuer and
//! whether a bank has paid it, the passages behind its total, and its papers.
//!
//! A *maker* proposes, a *checker* approves, and the library refuses one who would be both.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use domain::wire::v1::Disposition;
use domain::{BusinessDate, OperatorId};
use reconciliation::approval::{approve, propose};
use reconciliation::window::{State as Life, Window};
use serde::Deserialize;

use crate::access::Role;
use crate::audit::Act;
use crate::books::{BooksError, Purpose};
use crate::change::{Refused, change, person};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use super::day_repo::{self, CountRow, PositionRow};
use super::days::{DayLine, ways};
use super::days_repo::{self, DayRow};
use super::{named, or_notice, respond};

/// What has just been done, as it stands in the address after it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DoneForm {
    #[serde(default)]
    pub done: String,
}

struct CountLine {
    station: String,
    disposition: &'static str,
    payer: String,
    passages: String,
    amount: String,
    url: String,
}

struct PositionLine {
    issuer: String,
    passages: String,
    gross: String,
    adjustment: String,
    fee: String,
    vat: String,
    net: String,
    /// Number of the order, and of the payment in it.
    payment: Option<(i64, String)>,
    state: String,
    bookings: String,
}

struct ChangeLine {
    at: String,
    what: &'static str,
    who: String,
    reason: String,
}

#[derive(Template)]
#[template(path = "day.html")]
struct DayPage {
    page: Page,
    path: String,
    done: Option<&'static str>,
    line: DayLine,
    positions: Vec<PositionLine>,
    counts: Vec<CountLine>,
    history: Vec<ChangeLine>,
    /// Forms of papers, where there is a statement.
    papers: Vec<&'static str>,
    may_propose: bool,
    may_approve: bool,
}

/// Reads a day out of an address, if it lies in the person's scope.
pub(super) fn window_of(visit: &Visit, operator: &str, day: &str) -> Option<Window> {
    let operator: OperatorId = operator.parse().ok()?;
    let day: BusinessDate = day.parse().ok()?;
    let scope = visit.scope();
    let may = scope.operator().is_none_or(|own| own == operator.as_str());
    may.then(|| Window::new(operator, day))
}

/// One day.
pub(crate) async fn day_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((operator, day)): Path<(String, String)>,
    Query(form): Query<DoneForm>,
) -> Response {
    let t = visit.t;
    let missing = || problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    let Some(window) = window_of(&visit, &operator, &day) else { return missing() };
    let mut page = app.page(&visit, Section::Finance);
    let shown = match shown(&app, &visit, &window).await {
        Ok(Some(shown)) => Ok(shown),
        Ok(None) => return missing(),
        Err(error) => Err(error),
    };
    let Some(shown) = or_notice(shown, &mut page, t) else {
        return problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away());
    };
    let has = |role| visit.roles().contains(&role);
    let Shown { row, line, positions, counts, history } = shown;
    let awaits = row.life == Life::Closed;
    let template = DayPage {
        page,
        path: visit.path.clone(),
        done: done_text(&form.done, t),
        line,
        positions,
        counts,
        history,
        papers: if row.is_stated { vec!["pdf", "xlsx", "csv", "txt", "json"] } else { Vec::new() },
        may_propose: awaits && row.proposed_by.is_none() && has(Role::FinanceMaker),
        may_approve: awaits && row.proposed_by.is_some() && has(Role::FinanceChecker),
    };
    respond(true, &template)
}

/// What has just been done, in words.
fn done_text(done: &str, t: Language) -> Option<&'static str> {
    match done {
        "proposed" => Some(t.done_proposed()),
        "approved" => Some(t.done_approved()),
        _ => None,
    }
}

struct Shown {
    row: DayRow,
    line: DayLine,
    positions: Vec<PositionLine>,
    counts: Vec<CountLine>,
    history: Vec<ChangeLine>,
}

async fn shown(app: &App, visit: &Visit, window: &Window) -> Result<Option<Shown>, BooksError> {
    let (t, books) = (visit.t, app.books());
    let Window { operator, day } = window;
    let rows = days_repo::days(books, &visit.scope(), Some(*day)).await?;
    let Some(row) = rows.into_iter().find(|row| row.operator == operator.as_str()) else {
        return Ok(None);
    };
    let (currency, zone) = ways(&row.currency, &row.zone)?;
    let line = DayLine::new(&row, t)?;
    let has_settlement = days_repo::has_settlement(books).await?;
    let (positions, history) = if has_settlement {
        (
            day_repo::positions(books, operator, *day, None).await?,
            day_repo::history(books, operator, *day).await?,
        )
    } else {
        (Vec::new(), Vec::new())
    };
    let counts = day_repo::counts(books, operator, *day).await?;
    let money = |units| t.money(units, currency);
    let history = history.into_iter().map(|change| ChangeLine {
        at: t.date_and_time(change.at, &zone),
        what: t.window_state(&change.state),
        who: if change.who == "program" { t.the_program().to_owned() } else { change.who },
        reason: change.reason.unwrap_or_default(),
    });
    let history = history.collect();
    Ok(Some(Shown {
        line,
        positions: positions.iter().map(|row| position(row, t, &money)).collect(),
        counts: counts.iter().map(|row| count(row, *day, t, &money)).collect(),
        history,
        row,
    }))
}

/// How far a payment is.
pub(super) fn payment_state(row: &PositionRow, t: Language) -> &'static str {
    match (row.ordered, row.paid, row.returned) {
        (None, _, _) if row.carried => t.payment_carried(),
        (None, _, _) => t.payment_not_ordered(),
        (Some(_), _, Some(returned)) if returned > 0 => t.payment_returned(),
        (Some(ordered), Some(paid), _) if paid >= ordered => t.payment_booked(),
        (Some(_), Some(paid), _) if paid > 0 => t.payment_short(),
        (Some(_), _, _) => t.payment_ordered(),
    }
}

fn position(row: &PositionRow, t: Language, money: &impl Fn(i64) -> String) -> PositionLine {
    let on = row.last_booked_on().map(|on| format!(" ({on})")).unwrap_or_default();
    PositionLine {
        issuer: row.issuer_name.clone(),
        passages: t.count(row.passages.unsigned_abs()),
        gross: money(row.gross),
        adjustment: money(row.adjustment),
        fee: money(row.fee),
        vat: money(row.vat),
        net: money(row.net),
        payment: row.payment_order.zip(row.end_to_end.clone()),
        state: payment_state(row, t).to_owned(),
        bookings: format!("{}{on}", row.bookings.join(", ")),
    }
}

fn count(
    row: &CountRow,
    day: BusinessDate,
    t: Language,
    money: &impl Fn(i64) -> String,
) -> CountLine {
    let disposition: Option<Disposition> = named(&row.disposition);
    CountLine {
        station: row.station_name.clone(),
        disposition: disposition.map_or("?", |disposition| t.outcome(disposition)),
        payer: t.payer(&row.payer).to_owned(),
        passages: t.count(row.passages.unsigned_abs()),
        amount: money(row.amount),
        url: format!(
            "/passages?day={day}&station={}/{}&disposition={}",
            row.operator, row.station, row.disposition
        ),
    }
}

/// The maker's word.
pub(crate) async fn propose_day(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((operator, day)): Path<(String, String)>,
) -> Response {
    decide(&app, &visit, (&operator, &day), Act::Propose).await
}

/// The checker's.
pub(crate) async fn approve_day(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((operator, day)): Path<(String, String)>,
) -> Response {
    decide(&app, &visit, (&operator, &day), Act::Approve).await
}

async fn decide(app: &App, visit: &Visit, (operator, day): (&str, &str), act: Act) -> Response {
    let t = visit.t;
    let (Some(window), Some(who)) = (window_of(visit, operator, day), person(visit)) else {
        return problem(app, visit, StatusCode::NOT_FOUND, t.not_found());
    };
    let deciding = async {
        let pool = app.books().pool_for(Purpose::Settlement)?;
        let now = app.clock().now();
        let refused = |error| Refused::of_approval(error, t);
        if act == Act::Propose {
            propose(pool, &window, &who, now).await.map_err(refused)?;
            return Ok("proposed");
        }
        approve(pool, &window, &who, now).await.map_err(refused)?;
        Ok("approved")
    };
    match change((app, visit), (act, window.to_string()), deciding).await {
        Ok(done) => {
            Redirect::to(&format!("/finance/day/{operator}/{day}?done={done}")).into_response()
        }
        Err(answer) => answer,
    }
}
