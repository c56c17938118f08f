//! The item that one reviewer has: shown, answered, left; and the next one.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use clearing_house::search::{self, Found};
use domain::Timestamp;
use jiff::tz::TimeZone;
use reconciliation::approval;
use reconciliation::review::answer::{Rejected, Unreadable};
use reconciliation::review::{self, Claimed, Policy};
use sqlx::PgPool;
use tracing::error;

use crate::audit::{Act, Deed};
use crate::books::{BooksError, Purpose, in_time};
use crate::change::{Refused, change, person};
use crate::finance::respond;
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use super::form::AnswerForm;
use super::within;

/// How long a reviewer waits for a search of new items.
const SEARCH_AWAITED_MAX: Duration = Duration::from_secs(2);

/// A reason of the catalogue and the key that chooses it.
struct ReasonLine {
    number: i16,
    text: &'static str,
}

/// What the books have of the passage.
struct Record {
    at: String,
    station: String,
    lane: String,
    plate: String,
    tag: String,
    group: String,
    exception: String,
    decision: String,
    why: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "review_item.html")]
struct ItemPage {
    page: Page,
    path: String,
    passage: String,
    until: String,
    causes: Vec<&'static str>,
    /// The addresses of its pictures.
    pictures: Vec<String>,
    record: Record,
    groups: [u8; 5],
    /// The group the books have, which is chosen until another is.
    recorded_group: u8,
    unreadable: Vec<ReasonLine>,
    rejected: Vec<ReasonLine>,
}

impl Record {
    fn new(found: &Found, t: Language) -> Result<Self, BooksError> {
        let shape = |what| BooksError::Shape { what };
        let zone = TimeZone::get(&found.zone).or(Err(shape("zone of an operator")))?;
        let currency = found.currency.parse().or(Err(shape("currency of an operator")))?;
        Ok(Self {
            at: t.date_and_time(found.at(), &zone),
            station: found.station_name.clone(),
            lane: found.lane_name.to_uppercase(),
            plate: found.plate.clone().unwrap_or_default(),
            tag: found.tag.as_deref().unwrap_or_default().to_uppercase(),
            group: found.vehicle_group.map(|group| group.to_string()).unwrap_or_default(),
            exception: t.exception_named(found.exception.as_deref()),
            decision: t.decision_named(found.decision.as_deref()),
            why: found.why.clone().unwrap_or_default(),
            amount: found.amount.map(|units| t.money(units, currency)).unwrap_or_default(),
        })
    }
}

/// Claims the item that waits longest, and goes to it. That its plate and tag are shown is written
/// down before they are.
pub(crate) async fn next_item(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    to_next(&app, &visit).await
}

async fn to_next(app: &App, visit: &Visit) -> Response {
    let t = visit.t;
    let away = || problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.change_away());
    let Some(who) = person(visit) else {
        return problem(app, visit, StatusCode::NOT_FOUND, t.not_found());
    };
    let claimed = match claimed_next(app, visit, &who).await {
        Ok(Some(claimed)) => claimed,
        Ok(None) => return Redirect::to("/review?done=nothing").into_response(),
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "claim an item of the review");
            return away();
        }
    };
    let shown = Deed::Unmasked { passage: claimed.passage, reason: "review".to_owned() };
    if matches!(app.audit().record(visit.author(), shown).await, Ok(Ok(_))) {
        return Redirect::to(&format!("/review/{}", claimed.item)).into_response();
    }
    error!("a review could not be written down");
    if let Ok(pool) = app.books().pool_for(Purpose::Settlement)
        && let Err(failure) = review::leave(pool, claimed.item, &who, app.clock().now()).await
    {
        error!(error = &failure as &dyn std::error::Error, "put an item back");
    }
    problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.audit_away())
}

async fn claimed_next(
    app: &App,
    visit: &Visit,
    who: &approval::Person,
) -> Result<Option<Claimed>, BooksError> {
    let pool = app.books().pool_for(Purpose::Settlement)?;
    let (policy, now, scope) = (app.review().policy, app.clock().now(), visit.scope());
    // A search that takes long goes on behind; whoever wants an item gets one that was found before.
    let searching = tokio::spawn(search_behind(pool.clone(), policy, now));
    tokio::time::timeout(SEARCH_AWAITED_MAX, searching).await.ok();
    in_time(review::claim(pool, who, within(&scope), &policy, now)).await
}

/// Looks for new items. Where that fails somebody has to look, and nobody's claim fails with it.
async fn search_behind(pool: PgPool, policy: Policy, now: Timestamp) {
    if let Err(failure) = review::search_passages(&pool, &policy, now).await {
        error!(error = &failure as &dyn std::error::Error, "look for items of the review");
    }
}

/// The item of somebody who has it, in clear.
pub(crate) async fn item_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(item): Path<i64>,
) -> Response {
    let t = visit.t;
    match shown(&app, &visit, item).await {
        Ok(Some((claimed, record, recorded_group))) => {
            let pictures = pictures_of(&app, &claimed).await.unwrap_or_default();
            let page = app.page(&visit, Section::Review);
            let line = |number, text| ReasonLine { number, text };
            let unreadable = Unreadable::ALL.map(Unreadable::number);
            let rejected = Rejected::ALL.iter().map(Rejected::number).chain([Rejected::OTHER]);
            let zone = app.desk().zone();
            let template = ItemPage {
                page,
                path: visit.path.clone(),
                passage: claimed.passage.to_string(),
                until: t.time(claimed.until, &zone),
                causes: claimed.causes.iter().map(|name| t.review_cause(name)).collect(),
                pictures: (1..=pictures).map(|n| format!("{}/picture/{n}", visit.path)).collect(),
                record,
                groups: [1, 2, 3, 4, 5],
                recorded_group,
                unreadable: unreadable.map(|n| line(n, t.review_reason(n))).into(),
                rejected: rejected.map(|n| line(n, t.review_reason(n))).collect(),
            };
            respond(true, &template)
        }
        // Not theirs, or no longer: whoever it is, they begin anew.
        Ok(None) => Redirect::to("/review?done=late").into_response(),
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "show an item of the review");
            problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away())
        }
    }
}

async fn shown(
    app: &App,
    visit: &Visit,
    item: i64,
) -> Result<Option<(Claimed, Record, u8)>, BooksError> {
    let Some(who) = person(visit) else { return Ok(None) };
    let pool = app.books().pool_for(Purpose::Settlement)?;
    let claimed = in_time(review::claimed(pool, item, &who, app.clock().now())).await?;
    let Some(claimed) = claimed else { return Ok(None) };
    let mut connection = in_time(app.books().pool()?.acquire()).await?;
    let found = in_time(search::one_of_day(&mut connection, &claimed.passage, claimed.day)).await?;
    let found = found.ok_or(BooksError::Shape { what: "passage under review" })?;
    let group = found.vehicle_group.and_then(|group| u8::try_from(group).ok()).unwrap_or(0);
    Ok(Some((claimed, Record::new(&found, visit.t)?, group)))
}

/// How many pictures of it the centre has; a folder that cannot be read is told to whoever runs this.
async fn pictures_of(app: &App, claimed: &Claimed) -> Option<usize> {
    let (pictures, passage) = (app.review().pictures.clone(), claimed.passage.clone());
    match tokio::task::spawn_blocking(move || pictures.of(&passage)).await {
        Ok(Ok(files)) => Some(files.len()),
        Ok(Err(failure)) => {
            error!(error = &failure as &dyn std::error::Error, "look for pictures");
            None
        }
        Err(_) => None,
    }
}

/// One of the pictures of the item that somebody has.
pub(crate) async fn picture(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((item, number)): Path<(i64, usize)>,
) -> Response {
    let claimed = async {
        let Some(who) = person(&visit) else { return Ok(None) };
        let pool = app.books().pool_for(Purpose::Settlement)?;
        in_time(review::claimed(pool, item, &who, app.clock().now())).await
    };
    let claimed: Result<Option<Claimed>, BooksError> = claimed.await;
    let Ok(Some(claimed)) = claimed else { return StatusCode::NOT_FOUND.into_response() };
    let pictures = app.review().pictures.clone();
    let read = move || pictures.picture(&claimed.passage, number);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(picture))) => {
            let tag = format!("\"{}\"", picture.digest());
            let kind = [(header::CONTENT_TYPE, picture.media_type.to_owned()), (header::ETAG, tag)];
            (kind, picture.bytes).into_response()
        }
        Ok(Ok(None) | Err(_)) | Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Takes the answer, and goes on with the next item.
pub(crate) async fn answer_item(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(item): Path<i64>,
    Form(form): Form<AnswerForm>,
) -> Response {
    let t = visit.t;
    let Some(answer) = form.answer() else {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.review_wrong_answer());
    };
    let doing = async |who: &approval::Person, app: &App| {
        let pool = app.books().pool_for(Purpose::Settlement)?;
        let answered = review::answer(pool, item, who, &answer, app.clock().now()).await;
        answered.map(drop).map_err(|failure| Refused::of_review(failure, t))
    };
    let Some(who) = person(&visit) else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    };
    match change((&app, &visit), (Act::Review, item.to_string()), doing(&who, &app)).await {
        Ok(()) => to_next(&app, &visit).await,
        Err(answer) => answer,
    }
}

/// Lets somebody else have the item.
pub(crate) async fn leave_item(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(item): Path<i64>,
) -> Response {
    let t = visit.t;
    let Some(who) = person(&visit) else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    };
    let doing = async {
        let pool = app.books().pool_for(Purpose::Settlement)?;
        let left = review::leave(pool, item, &who, app.clock().now()).await;
        left.map_err(|failure| Refused::of_review(failure, t))
    };
    match change((&app, &visit), (Act::LeaveReview, item.to_string()), doing).await {
        Ok(()) => Redirect::to("/review").into_response(),
        Err(answer) => answer,
    }
}
