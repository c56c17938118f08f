//! The account holder's page: balance, how to pay in, the trips of a day, and disputing one of them.
//!
//! A holder is a person of the people file with one account and no other role; the page has no account
//! in its address, so there is no other's to ask for. A dispute is a case of settlement, and its code
//! is what the holder asks after. Deliberately absent: opening and locking accounts, which the API of
//! the clearing house does.

mod repo;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use domain::{Amount, BusinessDate, PassageId};
use reconciliation::cases::{self, Finding, Kind};
use reconciliation::window::Actor;
use serde::Deserialize;

use crate::audit::Act;
use crate::books::{BooksError, Purpose};
use crate::change::{Refused, change, person};
use crate::finance::{or_notice, respond};
use crate::http::{App, problem};
use crate::page::{Page, Section, Visit};

/// The longest text of a dispute, in characters.
const TEXT_LEN_MAX: usize = 500;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct DayForm {
    #[serde(default)]
    day: String,
    #[serde(default)]
    done: String,
}

#[derive(Deserialize)]
pub(crate) struct DisputeForm {
    #[serde(default)]
    passage: String,
    #[serde(default)]
    text: String,
}

struct TripLine {
    passage: String,
    at: String,
    station: String,
    group: String,
    amount: String,
    /// Code and state of its dispute.
    dispute: Option<(String, &'static str)>,
}

struct MovementLine {
    at: String,
    kind: String,
    reference: String,
    amount: String,
}

#[derive(Default)]
struct Found {
    balance: String,
    state: String,
    issuer: String,
    trips: Vec<TripLine>,
    movements: Vec<MovementLine>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    account: i64,
    day: String,
    done: Option<&'static str>,
    found: Found,
    text_len_max: usize,
}

/// The day by the desk's clock.
fn today(app: &App) -> BusinessDate {
    BusinessDate::new(app.clock().now().to_zoned(app.desk().zone()).date())
}

/// One's own account.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Query(form): Query<DayForm>,
) -> Response {
    let t = visit.t;
    let Some(account) = visit.person.as_ref().and_then(|person| person.account) else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    };
    let day = if form.day.is_empty() { Ok(today(&app)) } else { form.day.parse() };
    let Ok(day) = day else {
        return problem(&app, &visit, StatusCode::BAD_REQUEST, t.wrong_search());
    };
    let mut page = app.page(&visit, Section::Account);
    let found = or_notice(found(&app, &visit, account, day).await, &mut page, t);
    let whole = found.is_some();
    let template = AccountPage {
        page,
        account,
        day: day.to_string(),
        done: (form.done == "disputed").then(|| t.done_disputed()),
        found: found.unwrap_or_default(),
        text_len_max: TEXT_LEN_MAX,
    };
    respond(whole, &template)
}

async fn found(
    app: &App,
    visit: &Visit,
    account: i64,
    day: BusinessDate,
) -> Result<Found, BooksError> {
    let (t, books, zone) = (visit.t, app.books(), app.desk().zone());
    let Some(known) = repo::account(books, account).await? else { return Ok(Found::default()) };
    let trips = repo::trips(books, account, day, *app.clock()).await?;
    let disputes = repo::disputes(books, &trips).await?;
    let trip = |row: &repo::TripRow| {
        let found = row.found();
        let (currency, zone) = crate::finance::ways(&found.currency, &found.zone)?;
        let passage = row.passage();
        let dispute = disputes.iter().find(|(subject, _, _)| *subject == passage);
        Ok(TripLine {
            at: t.date_and_time(row.at(), &zone),
            station: found.station_name.clone(),
            group: found.vehicle_group.map(|group| group.to_string()).unwrap_or_default(),
            amount: t.money(row.amount(), currency),
            dispute: dispute.map(|(_, code, state)| (code.clone(), t.case_state(state))),
            passage,
        })
    };
    let money = |units| t.money(units, domain::Currency::VND);
    let movements = repo::movements(books, known.ledger_account).await?;
    let movement = |row: &repo::MovementRow| MovementLine {
        at: t.date_and_time(row.at(), &zone),
        kind: t.movement(&row.kind).to_owned(),
        reference: row.reference.clone().unwrap_or_default(),
        amount: money(row.amount),
    };
    Ok(Found {
        balance: money(known.balance),
        state: t.account_state(&known.state).to_owned(),
        issuer: known.issuer_name,
        trips: trips.iter().map(trip).collect::<Result<_, BooksError>>()?,
        movements: movements.iter().map(movement).collect(),
    })
}

/// To dispute a trip of one's own, which opens a case.
pub(crate) async fn dispute(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<DisputeForm>,
) -> Response {
    let t = visit.t;
    let text = form.text.trim();
    let said = !text.is_empty() && text.chars().count() <= TEXT_LEN_MAX;
    let (Ok(passage), true) = (form.passage.parse::<PassageId>(), said) else {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.wrong_dispute());
    };
    let account = visit.person.as_ref().and_then(|person| person.account);
    let trip = match account {
        Some(account) => repo::trip(app.books(), account, &passage).await,
        None => Ok(None),
    };
    let (trip, who) = match (trip, person(&visit)) {
        (Ok(Some(trip)), Some(who)) => (trip, who),
        // Not theirs, or nobody's: the same answer.
        (Ok(_), _) => return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found()),
        (Err(_), _) => {
            return problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away());
        }
    };
    let Some(day) = trip.day() else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    };
    let finding = Finding {
        kind: Kind::Dispute,
        operator: passage.lane.operator().clone(),
        day,
        subject: passage.to_string(),
        ours: Some(trip.told()),
        theirs: Some(text.to_owned()),
        amount: Amount::try_new(trip.amount()).unwrap_or_default(),
    };
    let opening = async {
        let pool = app.books().pool_for(Purpose::Settlement)?;
        let opened = cases::open(pool, &finding, &Actor::Person(who), app.clock().now()).await;
        opened.map_err(|error| Refused::of_case(error, t))
    };
    match change((&app, &visit), (Act::Dispute, passage.to_string()), opening).await {
        Ok(_code) => Redirect::to(&format!("/account?day={day}&done=disputed")).into_response(),
        Err(answer) => answer,
    }
}
