//! One case: both sides' records beside each other, its history, and what can be done about it.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use domain::{Currency, PassageId};
use reconciliation::approval::Person;
use reconciliation::cases::{self, CaseError, Outcome};

use crate::access::Role;
use crate::audit::Act;
use crate::books::{BooksError, Purpose, in_time};
use crate::change::{Refused, change, person};
use crate::finance::{Sight, days_repo::has_settlement, or_notice, respond};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use super::form::CaseForm;
use super::looks::{Looks, looks};
use super::repo::{self, CaseRow};
use super::{CaseLine, ways};

struct EventLine {
    at: String,
    who: String,
    state: &'static str,
    note: String,
}

#[derive(Template)]
#[template(path = "case.html")]
struct CasePage {
    page: Page,
    path: String,
    line: CaseLine,
    operator_id: String,
    ours: String,
    theirs: String,
    /// Where the passage is that it is about.
    passage: Option<String>,
    outcome: Option<String>,
    history: Vec<EventLine>,
    /// What reviewers saw, where a review opened the case.
    looks: Option<Looks>,
    tolls: Vec<(i64, String)>,
    days: Vec<String>,
    may_take: bool,
    may_propose: bool,
    may_settle: bool,
}

/// How a case ends, in words.
fn outcome_text(outcome: &str, currency: Currency, t: Language) -> String {
    match serde_json::from_str(outcome) {
        Ok(Outcome::Stands) => t.outcome_stands().to_owned(),
        Ok(Outcome::TheirsCorrected) => t.outcome_theirs().to_owned(),
        Ok(Outcome::Corrected { transfer, right, day }) => {
            let right = t.money(right.map_or(0, domain::Amount::minor_units), currency);
            format!("{}: {transfer} → {right} ({day})", t.outcome_corrected())
        }
        Ok(Outcome::Booked) => t.outcome_booked().to_owned(),
        Ok(Outcome::Assigned { end_to_end }) => format!("{} {end_to_end}", t.outcome_assigned()),
        Ok(Outcome::Charged { account, amount, day }) => {
            let amount = t.money(amount.minor_units(), currency);
            format!("{} {account}: {amount} ({day})", t.outcome_charged())
        }
        Err(_) => outcome.to_owned(),
    }
}

struct Shown {
    row: CaseRow,
    line: CaseLine,
    passage: Option<PassageId>,
    outcome: Option<String>,
    history: Vec<EventLine>,
    looks: Option<Looks>,
    tolls: Vec<(i64, String)>,
    days: Vec<String>,
}

async fn shown(
    app: &App,
    visit: &Visit,
    code: &str,
    sight: Sight,
) -> Result<Option<Shown>, BooksError> {
    let (t, books) = (visit.t, app.books());
    if !has_settlement(books).await? {
        return Ok(None);
    }
    let Some(row) = repo::case(books, &visit.scope(), code).await? else { return Ok(None) };
    let (currency, zone) = ways(&row)?;
    let passage: Option<PassageId> = row.subject.parse().ok();
    let tolls = match &passage {
        Some(passage) => repo::tolls(books, passage).await?,
        None => Vec::new(),
    };
    let history = in_time(cases::repo::history(books.pool()?, code)).await?;
    let event = |(at, who, state, note): (domain::Timestamp, String, String, String)| EventLine {
        at: t.date_and_time(at, &zone),
        who: if who == "program" { t.the_program().to_owned() } else { who },
        state: t.case_state(&state),
        note,
    };
    Ok(Some(Shown {
        line: CaseLine::new(&row, app.clock().now(), t)?,
        outcome: row.outcome.as_deref().map(|outcome| outcome_text(outcome, currency, t)),
        history: history.into_iter().map(event).collect(),
        looks: looks(app, visit, (code, &zone), sight).await?,
        tolls: tolls.into_iter().map(|(id, units)| (id, t.money(units, currency))).collect(),
        days: repo::open_days(books, &row.operator)
            .await?
            .iter()
            .map(ToString::to_string)
            .collect(),
        passage,
        row,
    }))
}

/// One case.
pub(crate) async fn case_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(code): Path<String>,
) -> Response {
    show(&app, &visit, &code, Sight::Masked).await
}

/// The page of a case, with what reviewers read masked or in clear.
pub(super) async fn show(app: &App, visit: &Visit, code: &str, sight: Sight) -> Response {
    let t = visit.t;
    let mut page = app.page(visit, Section::Cases);
    let shown = match shown(app, visit, code, sight).await {
        Ok(Some(shown)) => Ok(shown),
        Ok(None) => return problem(app, visit, StatusCode::NOT_FOUND, t.not_found()),
        Err(error) => Err(error),
    };
    let Some(shown) = or_notice(shown, &mut page, t) else {
        return problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away());
    };
    let Shown { row, line, passage, outcome, history, looks, tolls, days } = shown;
    let has = |role| visit.roles().contains(&role);
    let is_settled = row.state == "settled";
    let url = |id: &PassageId| format!("/passages/{}/{}/{}", id.lane, id.epoch, id.seq);
    let template = CasePage {
        page,
        path: format!("/cases/{code}"),
        operator_id: row.operator.clone(),
        ours: row.ours.clone().unwrap_or_default(),
        theirs: row.theirs.clone().unwrap_or_default(),
        passage: passage.as_ref().map(url),
        line,
        outcome,
        history,
        looks,
        tolls,
        days,
        may_take: !is_settled && (has(Role::FinanceMaker) || has(Role::FinanceChecker)),
        may_propose: !is_settled && has(Role::FinanceMaker),
        may_settle: row.state == "proposed" && has(Role::FinanceChecker),
    };
    respond(true, &template)
}

/// To see to a case from now on.
pub(crate) async fn take_case(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(code): Path<String>,
) -> Response {
    let text = visit.t.case_taken().to_owned();
    acted(&app, &visit, &code, Asked::Take { text }).await
}

/// To note something.
pub(crate) async fn note_case(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(code): Path<String>,
    Form(form): Form<CaseForm>,
) -> Response {
    let Some(text) = form.note().map(str::to_owned) else { return lacks_note(&app, &visit) };
    acted(&app, &visit, &code, Asked::Note { text }).await
}

/// To propose how it ends.
pub(crate) async fn propose_case(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(code): Path<String>,
    Form(form): Form<CaseForm>,
) -> Response {
    let Some(text) = form.note().map(str::to_owned) else { return lacks_note(&app, &visit) };
    let Some(outcome) = form.outcome() else {
        let text = visit.t.wrong_outcome();
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, text);
    };
    acted(&app, &visit, &code, Asked::Propose { text, outcome }).await
}

/// To settle it, as another proposed.
pub(crate) async fn settle_case(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(code): Path<String>,
    Form(form): Form<CaseForm>,
) -> Response {
    let Some(text) = form.note().map(str::to_owned) else { return lacks_note(&app, &visit) };
    acted(&app, &visit, &code, Asked::Settle { text }).await
}

fn lacks_note(app: &App, visit: &Visit) -> Response {
    problem(app, visit, StatusCode::UNPROCESSABLE_ENTITY, visit.t.case_needs_note())
}

/// What is asked about a case, with what is noted about it.
enum Asked {
    Take { text: String },
    Note { text: String },
    Propose { text: String, outcome: Outcome },
    Settle { text: String },
}

impl Asked {
    const fn act(&self) -> Act {
        match self {
            Self::Take { .. } => Act::TakeCase,
            Self::Note { .. } => Act::NoteCase,
            Self::Propose { .. } => Act::ProposeCase,
            Self::Settle { .. } => Act::SettleCase,
        }
    }
}

/// The most cases that are taken at once: as many as the list has.
const TAKEN_MAX: usize = 200;

/// To see to the chosen cases from now on: nothing else is done to many at once.
pub(crate) async fn take_cases(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Response {
    let chosen: Vec<&str> =
        fields.keys().filter_map(|name| name.strip_prefix("case-")).take(TAKEN_MAX).collect();
    if chosen.is_empty() {
        let text = visit.t.no_case_chosen();
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, text);
    }
    for code in chosen {
        let text = visit.t.case_taken().to_owned();
        if let Err(answer) = act(&app, &visit, code, Asked::Take { text }).await {
            return answer;
        }
    }
    Redirect::to("/cases?owner=mine").into_response()
}

async fn acted(app: &App, visit: &Visit, code: &str, asked: Asked) -> Response {
    match act(app, visit, code, asked).await {
        Ok(()) => Redirect::to(&format!("/cases/{code}")).into_response(),
        Err(answer) => answer,
    }
}

async fn act(app: &App, visit: &Visit, code: &str, asked: Asked) -> Result<(), Response> {
    let t = visit.t;
    let missing = || problem(app, visit, StatusCode::NOT_FOUND, t.not_found());
    let known = match has_settlement(app.books()).await {
        Ok(true) => repo::case(app.books(), &visit.scope(), code).await,
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    };
    let who = match (known, person(visit)) {
        (Ok(Some(_)), Some(who)) => who,
        (Ok(_), _) => return Err(missing()),
        (Err(_), _) => {
            let text = t.books_away();
            return Err(problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, text));
        }
    };
    let doing = async {
        do_asked(app, (code, &who), &asked).await?.map_err(|error| Refused::of_case(error, t))
    };
    change((app, visit), (asked.act(), code.to_owned()), doing).await
}

async fn do_asked(
    app: &App,
    (code, who): (&str, &Person),
    asked: &Asked,
) -> Result<Result<(), CaseError>, BooksError> {
    let pool = app.books().pool_for(Purpose::Settlement)?;
    let now = app.clock().now();
    Ok(match asked {
        Asked::Take { text } => cases::note(pool, code, who, Some(who), text, now).await,
        Asked::Note { text } => cases::note(pool, code, who, None, text, now).await,
        Asked::Propose { text, outcome } => {
            cases::propose(pool, code, who, outcome, text, now).await
        }
        Asked::Settle { text } => cases::settle(pool, code, who, text, now).await.map(|_| ()),
    })
}
