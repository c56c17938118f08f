//! Finance: the settlement days at a glance, and the passages behind them.
//!
//! Read only. The pure parts are [`search`] (what a person asks for) and the figures of a day;
//! [`repo`] asks the books; [`passage`] is one passage down to the bytes its lane signed. Everybody
//! sees the rows of their scope alone. Deliberately absent: closing, approving and paying, which
//! `reconciliation` does.

mod passage;
mod repo;
mod search;

use std::error::Error;

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::wire::v1::{Disposition, ExceptionRecord};
use domain::{BusinessDate, OperatorId, Plate, TagId};
use jiff::tz::TimeZone;
use serde::de::value::Error as NameError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use tracing::warn;

use crate::books::BooksError;
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit, render};

pub(crate) use passage::{passage_page, unmask};
use repo::{DayRow, PassageRow};
pub(crate) use repo::{StationRow, stations};
use search::{Search, SearchForm};

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
pub(crate) const EXCEPTIONS: [ExceptionRecord; 8] = [
    ExceptionRecord::NoTag,
    ExceptionRecord::UnknownTag,
    ExceptionRecord::NoMoney,
    ExceptionRecord::Blocked,
    ExceptionRecord::Closed,
    ExceptionRecord::NotConverted,
    ExceptionRecord::NoFare,
    ExceptionRecord::LeftUndecided,
];

/// What has a name on the wire, by that name.
fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    T::deserialize(IntoDeserializer::<NameError>::into_deserializer(name)).ok()
}

/// The name on the wire and in the books.
fn name_of(exception: ExceptionRecord) -> String {
    serde_json::to_value(exception)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// An operator's settlement day as the page shows it.
struct DayLine {
    operator: String,
    operator_id: String,
    day: String,
    closed: bool,
    closed_at: Option<String>,
    early_reason: Option<String>,
    /// Name, count, and where the passages behind it are.
    counts: Vec<(&'static str, String, String)>,
    tolls: String,
    cash: String,
    fee: String,
    net: String,
    estimated: bool,
    has_statement: bool,
}

impl DayLine {
    fn new(row: DayRow, t: Language) -> Result<Self, BooksError> {
        let shape = |what| BooksError::Shape { what };
        let currency = row.currency.parse().or(Err(shape("currency of an operator")))?;
        let zone = TimeZone::get(&row.zone).or(Err(shape("zone of an operator")))?;
        let money = |units| t.money(units, currency);
        let counts = row
            .counts
            .iter()
            .filter_map(|(name, count)| {
                let disposition: Disposition = named(name)?;
                let url = format!("/passages?day={}&disposition={name}", row.day);
                Some((t.outcome(disposition), t.count(count.unsigned_abs()), url))
            })
            .collect();
        Ok(Self {
            operator: row.operator_name,
            operator_id: row.operator,
            day: row.day.to_string(),
            closed: row.state == "closed",
            closed_at: row.closed_at.map(|at| t.date_and_time(at, &zone)),
            early_reason: row.early_reason,
            counts,
            tolls: money(row.tolls),
            cash: money(row.cash),
            fee: money(row.fee),
            net: money(row.tolls - row.fee),
            estimated: !row.has_statement,
            has_statement: row.has_statement,
        })
    }
}

#[derive(Template)]
#[template(path = "finance.html")]
struct DaysPage {
    page: Page,
    days: Vec<DayLine>,
}

/// The settlement days.
pub(crate) async fn days_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    let mut page = app.page(&visit, Section::Finance);
    let days = repo::days(app.books(), &visit.scope()).await.and_then(|rows| {
        rows.into_iter().map(|row| DayLine::new(row, visit.t)).collect::<Result<Vec<_>, _>>()
    });
    let days = or_notice(days, &mut page, visit.t);
    respond(days.is_some(), &DaysPage { page, days: days.unwrap_or_default() })
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

/// The statement of a closed day, as a clerk files it.
pub(crate) async fn statement(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((operator, day)): Path<(String, String)>,
) -> Response {
    let missing = || problem(&app, &visit, StatusCode::NOT_FOUND, visit.t.not_found());
    let (Ok(operator), Ok(day)) = (operator.parse::<OperatorId>(), day.parse::<BusinessDate>())
    else {
        return missing();
    };
    if visit.scope().operator().is_some_and(|own| own != operator.as_str()) {
        return missing();
    }
    let text = repo::statement(app.books(), &operator, day).await.and_then(|paper| {
        let shape = BooksError::Shape { what: "text of a statement" };
        paper.map(|paper| paper.to_text()).transpose().or(Err(shape))
    });
    match text {
        Ok(Some(text)) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        Ok(None) => missing(),
        Err(error) => {
            warn!(error = &error as &dyn Error, "read a statement");
            problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, visit.t.books_away())
        }
    }
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
    fn new(row: &PassageRow, t: Language) -> Result<Self, BooksError> {
        let shape = |what| BooksError::Shape { what };
        let zone = TimeZone::get(&row.zone).or(Err(shape("zone of an operator")))?;
        let currency = row.currency.parse().or(Err(shape("currency of an operator")))?;
        let disposition: Disposition =
            named(&row.disposition).ok_or(shape("disposition of a passage"))?;
        let normal = [Disposition::Posted, Disposition::NotPosted, Disposition::Pending];
        let exception = row.exception.as_deref();
        let decision = row.decision.as_deref();
        Ok(Self {
            url: row.url(),
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

/// The search for passages.
pub(crate) async fn passages_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<SearchForm>, QueryRejection>,
) -> Response {
    let t = visit.t;
    let form = query.map(|Query(form)| form).ok();
    let Some((form, search)) = form.and_then(|form| form.search().map(|search| (form, search)))
    else {
        return problem(&app, &visit, StatusCode::BAD_REQUEST, t.wrong_search());
    };
    let mut page = app.page(&visit, Section::Passages);
    let found = found(&app, &search, &visit).await;
    let found = or_notice(found, &mut page, t);
    let whole = found.is_some();
    let (stations, passages, older) = found.unwrap_or_default();
    let template = PassagesPage {
        page,
        older: older.map(|cursor| form.page_url(&cursor)),
        form,
        stations,
        dispositions: DISPOSITIONS.map(|d| (d.name(), t.outcome(d))).to_vec(),
        exceptions: EXCEPTIONS.map(|kind| (name_of(kind), t.exception_kind(kind))).to_vec(),
        passages,
    };
    respond(whole, &template)
}

type Found = (Vec<StationRow>, Vec<PassageLine>, Option<search::Cursor>);

async fn found(app: &App, search: &Search, visit: &Visit) -> Result<Found, BooksError> {
    let (t, scope) = (visit.t, visit.scope());
    let stations = stations(app.books(), &scope).await?;
    let (rows, more) = repo::passages(app.books(), search, &scope).await?;
    let older = rows.last().filter(|_| more).map(PassageRow::cursor).transpose()?;
    let lines = rows.iter().map(|row| PassageLine::new(row, t)).collect::<Result<Vec<_>, _>>()?;
    Ok((stations, lines, older))
}

#[cfg(test)]
mod tests;
