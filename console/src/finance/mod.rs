//! Finance: the settlement days at a glance, what is behind each, and the decisions about them.
//!
//! [`days`] is the overview, [`day`] one of them with proposing and approving, [`papers`] its
//! statement, [`payments`] what banks are told and what they tell. From each total a way leads to
//! the [`search`] for passages, and to one [`passage`] down to the bytes its lane signed. Everybody
//! sees the rows of their scope alone. Deliberately absent: closing (the scheduler's), and what
//! approving and paying are, which is `reconciliation`'s.

mod day;
mod day_repo;
mod days;
pub(crate) mod days_repo;
mod papers;
mod passage;
mod passage_pictures;
mod payments;
mod repo;
mod search;

use std::error::Error;

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use clearing_house::search::{Found, Place};
use domain::wire::v1::{Disposition, ExceptionRecord};
use domain::{PassageId, Plate, TagId};
use jiff::tz::TimeZone;
use serde::de::value::Error as NameError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use tracing::{error, warn};

use crate::audit::{Deed, SearchedBy};
use crate::books::BooksError;
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit, render};

pub(crate) use day::{approve_day, day_page, propose_day};
pub(crate) use days::{days_page, ways};
pub(crate) use papers::statement;
pub(crate) use passage::{Sight, UNMASK_REASONS, passage_page, record, unmask};
pub(crate) use passage_pictures::passage_picture;
pub(crate) use payments::{order_payments, payment_file, payments_page, take_booking};
pub(crate) use repo::{StationRow, stations, transfers};
use search::{Personal, PersonalForm, Search, SearchForm};

/// Every disposition a passage can have in the books, in the order people read them.
pub(crate) const DISPOSITIONS: [Disposition; 8] = [
    Disposition::Posted,
    Disposition::NotPosted,
    Disposition::Invalid,
    Disposition::TooOld,
    Disposition::NotOnFile,
    Disposition::FormatError,
    Disposition::SystemError,
    Disposition::Pending,
];

/// Every exception.
pub(crate) const EXCEPTIONS: [ExceptionRecord; 9] = [
    ExceptionRecord::NoTag,
    ExceptionRecord::UnknownTag,
    ExceptionRecord::NoMoney,
    ExceptionRecord::Blocked,
    ExceptionRecord::Closed,
    ExceptionRecord::NotConverted,
    ExceptionRecord::NoFare,
    ExceptionRecord::LeftUndecided,
    ExceptionRecord::LaneClosed,
];

/// What has a name on the wire, by that name.
pub(crate) fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    T::deserialize(IntoDeserializer::<NameError>::into_deserializer(name)).ok()
}

/// The name on the wire and in the books.
fn name_of(exception: ExceptionRecord) -> String {
    serde_json::to_value(exception)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// What the books said; where they said nothing, the page says so.
pub(crate) fn or_notice<T>(
    answer: Result<T, BooksError>,
    page: &mut Page,
    t: Language,
) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            warn!(error = &error as &dyn Error, "read the books");
            page.notices.push(t.books_away());
            None
        }
    }
}

/// A page that is whole, or one that says what is away.
pub(crate) fn respond(whole: bool, template: &impl Template) -> Response {
    let status = if whole { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, render(template)).into_response()
}

/// A passage as the page shows it: nothing of a plate or tag in clear.
struct PassageLine {
    /// Where everything that is known of it is.
    url: String,
    at: String,
    station: String,
    lane: String,
    number: String,
    tag: String,
    plate: String,
    group: String,
    exception: String,
    decision: String,
    outcome: &'static str,
    is_abnormal: bool,
    why: String,
    amount: String,
    payer: String,
    day: String,
}

impl PassageLine {
    fn new(row: &Found, t: Language) -> Result<Self, BooksError> {
        let shape = |what| BooksError::Shape { what };
        let zone = TimeZone::get(&row.zone).or(Err(shape("zone of an operator")))?;
        let currency = row.currency.parse().or(Err(shape("currency of an operator")))?;
        let disposition: Disposition =
            named(&row.disposition).ok_or(shape("disposition of a passage"))?;
        let normal = [Disposition::Posted, Disposition::NotPosted, Disposition::Pending];
        let exception = row.exception.as_deref();
        let decision = row.decision.as_deref();
        Ok(Self {
            url: url_of(row),
            at: t.date_and_time(row.at(), &zone),
            station: row.station_name.clone(),
            lane: row.lane_name.to_uppercase(),
            number: format!("{}:{}", row.epoch, row.seq),
            tag: row.tag.as_deref().map(masked_tag).unwrap_or_default(),
            plate: row.plate.as_deref().map(masked_plate).unwrap_or_default(),
            group: row.vehicle_group.map(|group| group.to_string()).unwrap_or_default(),
            exception: exception
                .map(|name| named(name).map_or(name, |kind| t.exception_kind(kind)).to_owned())
                .unwrap_or_default(),
            decision: decision
                .map(|name| named(name).map_or(name, |kind| t.lane_decision(kind)).to_owned())
                .unwrap_or_default(),
            outcome: t.outcome(disposition),
            is_abnormal: !normal.contains(&disposition),
            why: row.why.clone().unwrap_or_default(),
            amount: row.amount.map(|units| t.money(units, currency)).unwrap_or_default(),
            payer: row.payer.as_deref().map(|name| t.payer(name).to_owned()).unwrap_or_default(),
            day: row.day().map(|day| day.to_string()).unwrap_or_default(),
        })
    }
}

/// Where everything that is known of a passage is.
fn url_of(row: &Found) -> String {
    format!("/passages/{}/{}/{}", row.lane, row.epoch, row.seq)
}

fn masked_tag(hex: &str) -> String {
    hex.parse::<TagId>().map_or_else(|_| "…".to_owned(), |tag| tag.masked())
}

fn masked_plate(text: &str) -> String {
    Plate::try_new(text).map_or_else(|_| "…".to_owned(), |plate| plate.masked())
}

#[derive(Template)]
#[template(path = "passages.html")]
struct PassagesPage {
    page: Page,
    form: SearchForm,
    stations: Vec<StationRow>,
    dispositions: Vec<(&'static str, &'static str)>,
    exceptions: Vec<(String, &'static str)>,
    passages: Vec<PassageLine>,
    older: Option<String>,
}

/// The search for passages. The number of one leads straight to it.
pub(crate) async fn passages_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<SearchForm>, QueryRejection>,
) -> Response {
    let form = query.map(|Query(form)| form).ok();
    if let Some(id) = form.as_ref().and_then(|form| form.passage.trim().parse::<PassageId>().ok()) {
        let url = format!("/passages/{}/{}/{}", id.lane, id.epoch, id.seq);
        return Redirect::to(&url).into_response();
    }
    let Some((form, search)) = form.and_then(|form| form.search().map(|search| (form, search)))
    else {
        return problem(&app, &visit, StatusCode::BAD_REQUEST, visit.t.wrong_search());
    };
    listed(&app, &visit, form, (&search, None)).await
}

/// The search by plate or tag, on one day or all, which is written down; what is found is masked all the same.
pub(crate) async fn find_passages(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(asked): Form<PersonalForm>,
) -> Response {
    let t = visit.t;
    let Some((personal, day)) = asked.search() else {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.wrong_personal_search());
    };
    let by = match personal {
        Personal::Plate(_) => SearchedBy::Plate,
        Personal::Tag(_) => SearchedBy::Tag,
    };
    if !matches!(app.audit().record(visit.author(), Deed::Searched { by, day }).await, Ok(Ok(_))) {
        error!("a search by something personal could not be written down");
        return problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.audit_away());
    }
    let day = day.map(|day| day.to_string()).unwrap_or_default();
    let form = SearchForm { day, ..SearchForm::default() };
    let Some(search) = form.search() else {
        return problem(&app, &visit, StatusCode::BAD_REQUEST, t.wrong_search());
    };
    listed(&app, &visit, form, (&search, Some(&personal))).await
}

async fn listed(
    app: &App,
    visit: &Visit,
    form: SearchForm,
    search: (&Search, Option<&Personal>),
) -> Response {
    let t = visit.t;
    let mut page = app.page(visit, Section::Passages);
    let found = or_notice(found(app, search, visit).await, &mut page, t);
    let whole = found.is_some();
    let (stations, passages, older) = found.unwrap_or_default();
    let template = PassagesPage {
        page,
        // A search by something personal has no address, and so no next page.
        older: older.filter(|_| search.1.is_none()).map(|cursor| form.page_url(&cursor)),
        form,
        stations,
        dispositions: DISPOSITIONS.map(|d| (d.name(), t.outcome(d))).to_vec(),
        exceptions: EXCEPTIONS.map(|kind| (name_of(kind), t.exception_kind(kind))).to_vec(),
        passages,
    };
    respond(whole, &template)
}

type Shown = (Vec<StationRow>, Vec<PassageLine>, Option<Place>);

async fn found(
    app: &App,
    (search, personal): (&Search, Option<&Personal>),
    visit: &Visit,
) -> Result<Shown, BooksError> {
    let (t, scope) = (visit.t, visit.scope());
    let stations = stations(app.books(), &scope).await?;
    let books = (app.books(), *app.clock());
    let found = repo::passages(books, search, personal, &scope).await?;
    let lines =
        found.passages.iter().map(|row| PassageLine::new(row, t)).collect::<Result<Vec<_>, _>>()?;
    Ok((stations, lines, found.next))
}

#[cfg(test)]
mod tests;
