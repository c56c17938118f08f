//! How lanes are to work, asked of the clearing house, which signs and sends it; and whether each
//! lane works so, by its own word.
//!
//! What stops a lane from serving, or has it serve again, takes a second person. Deliberately absent: orders of a station's
//! desk, which the lane takes from there at once (`crate::station`).

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use clearing_house::directives::DirectiveError;
use clearing_house::directives::request::{self, Request, RequestError, Standing};
use serde::Deserialize;
use tracing::warn;

use crate::audit::Act;
use crate::books::{Books, BooksError, Purpose, in_time};
use crate::change::{Refused, change};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::Visit;
use crate::routes::{Verb, rule_of};
use crate::station::{MODES, Word, mode_name};

/// How many requests the page has.
const REQUESTS_MAX: i64 = 30;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ModeForm {
    #[serde(default)]
    lane: String,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    reason: String,
}

/// A request as the page tells it.
pub(super) struct RequestLine {
    pub number: i64,
    pub lane: String,
    pub mode: &'static str,
    pub reason: String,
    pub asked: String,
    pub agreed_by: String,
    pub standing: String,
    pub is_done: bool,
    pub waits: bool,
    pub may_agree: bool,
    pub may_decline: bool,
}

/// Whether this visit may ask for a lane's mode.
pub(super) fn may_direct(visit: &Visit) -> bool {
    rule_of(Verb::Post, "/equipment/mode", false)
        .is_some_and(|rule| rule.who.admits(&visit.roles()))
}

/// The modes, by name and in words.
pub(super) fn modes(t: Language) -> Vec<(&'static str, &'static str)> {
    MODES.into_iter().map(|mode| (mode_name(mode), t.lane_mode(mode))).collect()
}

/// The last requests of a scope.
pub(super) async fn requests(app: &App, visit: &Visit) -> Result<Vec<RequestLine>, BooksError> {
    let (pool, scope) = (app.books().pool()?, visit.scope());
    let within = (scope.operator(), scope.station());
    let found = in_time(request::newest(pool, within, REQUESTS_MAX, app.clock().now())).await?;
    Ok(found.iter().map(|one| request_line(one, app, visit)).collect())
}

fn request_line(one: &Request, app: &App, visit: &Visit) -> RequestLine {
    let (t, zone) = (visit.t, app.desk().zone());
    let (standing, is_done) = match &one.standing {
        Standing::AwaitsSecond => (t.direct_awaits_second().to_owned(), false),
        Standing::AwaitsCentre => (t.direct_awaits_centre().to_owned(), false),
        Standing::Declined { by } => (format!("{} {by}", t.tariff_declined_by()), true),
        Standing::Lapsed => (t.direct_lapsed().to_owned(), true),
        Standing::Directed { version } => {
            let (text, is_done) = followed(app.desk().word_of(&one.lane), *version, t);
            (format!("{} {version}: {text}", t.version()), is_done)
        }
    };
    let waits = one.standing == Standing::AwaitsSecond;
    let is_own = visit.user() == Some(one.asked_by.as_str());
    let may = waits && may_direct(visit);
    RequestLine {
        number: one.request,
        lane: one.lane.to_string(),
        mode: t.lane_mode(one.mode),
        reason: one.reason.clone(),
        asked: format!("{} · {}", one.asked_by, t.date_and_time(one.asked_at, &zone)),
        agreed_by: one.agreed_by.clone().unwrap_or_default(),
        standing,
        is_done,
        waits,
        may_agree: may && !is_own,
        may_decline: may,
    }
}

/// What the lane itself says of a directive: whether it works by it.
fn followed(word: Option<Word>, version: u64, t: Language) -> (&'static str, bool) {
    match word.map(|word| word.directive.unwrap_or(0)) {
        None => (t.direct_silent(), false),
        Some(in_force) if in_force < version => (t.direct_not_yet(), false),
        Some(in_force) if in_force == version => (t.direct_followed(), true),
        Some(_) => (t.direct_overtaken(), true),
    }
}

/// How a lane works now, by its own word.
pub(super) fn mode_now(word: Option<Word>, t: Language) -> String {
    let mode = word.and_then(|word| word.mode);
    mode.map_or_else(|| t.direct_silent().to_owned(), |mode| t.lane_mode(mode).to_owned())
}

fn refused(error: RequestError, t: Language) -> Refused {
    let why = error.to_string();
    match error {
        RequestError::Database(source)
        | RequestError::Directive(DirectiveError::Database(source)) => {
            Refused::Books(BooksError::Read(source))
        }
        RequestError::SamePerson { .. } => Refused::said(t.refused_own(), why),
        RequestError::Decided(_) | RequestError::Unknown(_) => {
            Refused::said(t.tariff_decided(), why)
        }
        RequestError::Asked { asked_by, .. } => {
            Refused::said(&format!("{} {asked_by}.", t.refused_proposed_by()), why)
        }
        RequestError::Planned { .. } => Refused::said(t.direct_planned(), why),
        RequestError::NoReason | RequestError::NoLane(_) | RequestError::Directive(_) => {
            Refused::said(&format!("{} {why}", t.refused_change()), why.clone())
        }
    }
}

/// To ask for a lane's mode: the clearing house directs it, or somebody else has to agree first.
pub(crate) async fn ask_mode(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<ModeForm>,
) -> Response {
    let t = visit.t;
    let mode = MODES.into_iter().find(|mode| mode_name(*mode) == form.mode);
    let (Ok(lane), Some(mode), Some(by)) = (form.lane.parse(), mode, visit.user()) else {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.form_mode());
    };
    if !visit.scope().covers(&lane) {
        return problem(&app, &visit, StatusCode::FORBIDDEN, t.refused_scope());
    }
    let doing = async {
        let pool = app.books().pool_for(Purpose::Registry)?;
        let asking = request::ask(pool, (&lane, mode), &form.reason, by, app.clock().now());
        let number = asking.await.map_err(|error| refused(error, t))?;
        let asked = request::one(pool, number, app.clock().now()).await;
        asked.map_err(|source| Refused::Books(BooksError::Read(source)))
    };
    let subject = format!("{lane} {}", mode_name(mode));
    match change((&app, &visit), (Act::AskMode, subject), doing).await {
        Ok(asked) => {
            let waits = asked.is_some_and(|one| one.standing == Standing::AwaitsSecond);
            let done = if waits { "proposed" } else { "asked" };
            Redirect::to(&format!("/equipment?done={done}")).into_response()
        }
        Err(answer) => answer,
    }
}

/// To agree to what another asked for.
pub(crate) async fn agree_mode(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<i64>,
) -> Response {
    decide(&app, &visit, number, true).await
}

/// To decline what another asked for, or take back one's own.
pub(crate) async fn decline_mode(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<i64>,
) -> Response {
    decide(&app, &visit, number, false).await
}

async fn decide(app: &App, visit: &Visit, number: i64, agrees: bool) -> Response {
    let t = visit.t;
    let found = match request_of(app.books(), number, app.clock().now()).await {
        Ok(found) => found,
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "read a request");
            return problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away());
        }
    };
    let (Some(found), Some(by)) = (found, visit.user()) else {
        return problem(app, visit, StatusCode::NOT_FOUND, t.not_found());
    };
    if !visit.scope().covers(&found.lane) {
        return problem(app, visit, StatusCode::FORBIDDEN, t.refused_scope());
    }
    let doing = async {
        let pool = app.books().pool_for(Purpose::Registry)?;
        let deciding = request::decide(pool, number, agrees, by, app.clock().now());
        deciding.await.map_err(|error| refused(error, t))
    };
    let (act, done) =
        if agrees { (Act::AgreeMode, "agreed") } else { (Act::DeclineMode, "declined") };
    let subject = format!("{number}: {} {}", found.lane, mode_name(found.mode));
    match change((app, visit), (act, subject), doing).await {
        Ok(()) => Redirect::to(&format!("/equipment?done={done}")).into_response(),
        Err(answer) => answer,
    }
}

async fn request_of(
    books: &Books,
    number: i64,
    now: domain::Timestamp,
) -> Result<Option<Request>, BooksError> {
    in_time(request::one(books.pool()?, number, now)).await
}

#[cfg(test)]
mod tests {
    use domain::wire::v1::LaneMode;

    use super::*;

    #[test]
    fn a_lane_works_by_a_directive_when_it_says_so_itself() {
        let t = Language::English;
        let word = |directive| Some(Word { mode: Some(LaneMode::Closed), directive });
        for (word, text, is_done) in [
            (None, t.direct_silent(), false),
            (word(None), t.direct_not_yet(), false),
            (word(Some(6)), t.direct_not_yet(), false),
            (word(Some(7)), t.direct_followed(), true),
            (word(Some(8)), t.direct_overtaken(), true),
        ] {
            assert_eq!(followed(word, 7, t), (text, is_done), "{word:?}");
        }
    }
}
