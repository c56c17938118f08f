//! Equipment: every lane with its key and credential, the account lists that lanes have been told,
//! and what came from them that could not be taken.
//!
//! Keys and credentials are made where the centre's keys are, by the registrar's commands; how a
//! lane is to work is asked of the clearing house here ([`direct`]). What is in quarantine is shown
//! with everything personal masked.

mod direct;
mod repo;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::Timestamp;
use serde::Deserialize;
use tracing::warn;

use crate::books::BooksError;
use crate::finance::{Sight, or_notice, record, respond};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use direct::{RequestLine, may_direct, mode_now, modes, requests};
pub(crate) use direct::{agree_mode, ask_mode, decline_mode};
use repo::{LaneRow, QuarantineRow};

/// What was done last, as it stands in the address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DoneForm {
    #[serde(default)]
    done: String,
}

struct LaneLine {
    lane: String,
    role: String,
    mode: String,
    key: String,
    key_is_well: bool,
    credential: String,
    credential_is_well: bool,
    epoch: String,
    receipts: String,
    is_behind: bool,
}

struct ListLine {
    version: String,
    issued_at: String,
    published_at: String,
}

struct QuarantineLine {
    number: i64,
    at: String,
    subject: String,
    reason: String,
    bytes: String,
}

#[derive(Template)]
#[template(path = "equipment.html")]
struct EquipmentPage {
    page: Page,
    done: Option<&'static str>,
    lanes: Vec<LaneLine>,
    /// What was asked of the lanes, the newest first.
    requests: Vec<RequestLine>,
    /// Name and text of each mode.
    modes: Vec<(&'static str, &'static str)>,
    may_direct: bool,
    entries: String,
    lists: Vec<ListLine>,
}

#[derive(Template)]
#[template(path = "quarantine.html")]
struct QuarantinePage {
    page: Page,
    lines: Vec<QuarantineLine>,
}

#[derive(Template)]
#[template(path = "quarantined.html")]
struct QuarantinedPage {
    page: Page,
    line: QuarantineLine,
    record: String,
}

fn lane_line(
    row: &LaneRow,
    now: Timestamp,
    (at, mode): (&impl Fn(Timestamp) -> String, String),
    t: Language,
) -> LaneLine {
    let ended = row.key_until().filter(|until| *until <= now);
    let (key, key_is_well) = match (row.key_from(), ended) {
        (None, _) => (t.no_key().to_owned(), false),
        (Some(_), Some(until)) if row.key_revoked => {
            (format!("{} {}", t.revoked(), at(until)), false)
        }
        (Some(_), Some(until)) => (format!("{} {}", t.ended(), at(until)), false),
        (Some(from), None) => (format!("{} {}", t.since(), at(from)), true),
    };
    let (credential, credential_is_well) = match (row.credential_issued(), row.credential_revoked())
    {
        (None, _) => (t.no_credential().to_owned(), true),
        (Some(_), Some(revoked)) => (format!("{} {}", t.revoked(), at(revoked)), false),
        (Some(issued), None) => (format!("{} {}", t.since(), at(issued)), true),
    };
    let role = match row.role.as_str() {
        "open" => t.role(domain::wire::v1::RoleRecord::Open),
        "entry" => t.role(domain::wire::v1::RoleRecord::Entry),
        _ => t.role(domain::wire::v1::RoleRecord::Exit),
    };
    LaneLine {
        lane: row.lane.clone(),
        role: role.to_owned(),
        mode,
        key,
        key_is_well,
        credential,
        credential_is_well,
        epoch: row.epoch.map(|epoch| epoch.to_string()).unwrap_or_default(),
        receipts: format!("{} / {}", row.posted_upto, row.last_seq),
        is_behind: row.posted_upto != row.last_seq,
    }
}

/// Lanes, keys, credentials, how the lanes are to work, and the lists they have been told.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Query(form): Query<DoneForm>,
) -> Response {
    let (t, zone, now) = (visit.t, app.desk().zone(), app.clock().now());
    let mut page = app.page(&visit, Section::Equipment);
    let asking = async {
        let lanes = repo::lanes(app.books(), &visit.scope()).await?;
        let requests = requests(&app, &visit).await?;
        Ok::<_, BooksError>((lanes, requests, repo::lists(app.books()).await?))
    };
    let found = or_notice(asking.await, &mut page, t);
    let whole = found.is_some();
    let (lanes, requests, (entries, lists)) = found.unwrap_or_default();
    let at = |at: Timestamp| t.date_and_time(at, &zone);
    let list = |row: &repo::ListRow| ListLine {
        version: t.count(row.version.unsigned_abs()),
        issued_at: at(row.issued_at()),
        published_at: row.published_at().map_or_else(|| t.not_yet().to_owned(), at),
    };
    let lane = |row: &LaneRow| {
        let word = row.lane.parse().ok().and_then(|lane| app.desk().word_of(&lane));
        lane_line(row, now, (&at, mode_now(word, t)), t)
    };
    let template = EquipmentPage {
        page,
        done: match form.done.as_str() {
            "asked" => Some(t.done_mode_asked()),
            "proposed" => Some(t.done_mode_proposed()),
            "agreed" => Some(t.done_mode_agreed()),
            "declined" => Some(t.done_tariff_declined()),
            _ => None,
        },
        lanes: lanes.iter().map(lane).collect(),
        requests,
        modes: modes(t),
        may_direct: may_direct(&visit),
        entries: t.count(entries.unsigned_abs()),
        lists: lists.iter().map(list).collect(),
    };
    respond(whole, &template)
}

fn quarantine_line(row: &QuarantineRow, app: &App, t: Language) -> QuarantineLine {
    QuarantineLine {
        number: row.quarantine,
        at: t.date_and_time(row.received_at(), &app.desk().zone()),
        subject: row.subject.clone(),
        reason: row.reason.clone(),
        bytes: t.count(row.bytes.unsigned_abs().into()),
    }
}

/// What could not be taken.
pub(crate) async fn quarantine_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    let mut page = app.page(&visit, Section::Quarantine);
    let rows = or_notice(repo::quarantine(app.books(), &visit.scope()).await, &mut page, visit.t);
    let whole = rows.is_some();
    let lines = rows.unwrap_or_default();
    let lines = lines.iter().map(|row| quarantine_line(row, &app, visit.t)).collect();
    respond(whole, &QuarantinePage { page, lines })
}

/// One message that could not be taken, masked.
pub(crate) async fn quarantined_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<String>,
) -> Response {
    let missing = || problem(&app, &visit, StatusCode::NOT_FOUND, visit.t.not_found());
    let Ok(number) = number.parse::<i64>() else { return missing() };
    match repo::quarantined(app.books(), &visit.scope(), number).await {
        Ok(Some((row, payload))) => {
            let page = app.page(&visit, Section::Quarantine);
            let line = quarantine_line(&row, &app, visit.t);
            let record = record(&payload, Sight::Masked);
            respond(true, &QuarantinedPage { page, line, record })
        }
        Ok(None) => missing(),
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "read the quarantine");
            problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, visit.t.books_away())
        }
    }
}
