//! The station: a live picture of every lane, and the desk for vehicles that need a person.
//!
//! The pure parts are [`board`] (what is known), [`order`] (what a person asks for) and [`view`]
//! (how it looks); [`desk`] joins them to the broker, [`give`] gives orders in a person's name. Live pages are told of changes by
//! server-sent events: each carries the pieces of HTML that differ from what that page has.
//! [`pictures`] are of the vehicle that waits. [`shift`] is who answers for the desk. Deliberately absent: decisions (the lane's); what is kept
//! is in the audit log.

mod board;
mod feed;
mod desk;
mod give;
mod order;
mod pictures;
pub(crate) mod shift;
mod shift_pages;
mod view;

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::access::Role;
use crate::http::App;
use crate::page::{Page, Section, Visit, render};

pub(crate) use desk::{Desk, Word};
pub(crate) use give::{answer, order};
pub(crate) use order::{MODES, mode_name};
pub(crate) use pictures::picture;
pub(crate) use shift_pages::{
    close_shift, offer_shift, shift_report, shifts_page, start_shift, take_shift,
};
use view::{Scene, Shown, Viewer};

/// The shortest time between two updates of one page.
const UPDATE_EVERY_MIN: Duration = Duration::from_millis(100);

/// The longest: ages and staleness change without any event.
const UPDATE_EVERY_MAX: Duration = Duration::from_secs(1);

#[derive(Template)]
#[template(path = "station.html")]
struct StationPage {
    page: Page,
    scene: Scene,
    notice: String,
}

/// The station's page.
pub(crate) async fn page(State(app): State<App>, Extension(visit): Extension<Visit>) -> Response {
    let page = app.page(&visit, Section::Station);
    let scene = scene(&app, &visit);
    let notice = scene.notice();
    render(&StationPage { page, scene, notice })
}

fn scene(app: &App, visit: &Visit) -> Scene {
    let csrf = visit.session.as_ref().map_or("", |session| session.csrf.as_str());
    let scope = visit.scope();
    app.desk().scene(Viewer { t: visit.t, csrf, scope: &scope, may_answer: works_here(visit) })
}

/// Whether somebody works at the desk, or looks on.
fn works_here(visit: &Visit) -> bool {
    visit.roles().iter().any(|role| matches!(role, Role::StationOperator | Role::Supervisor))
}

/// The station's page, kept up to date.
pub(crate) async fn live(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> impl IntoResponse {
    let mut ending = app.ending();
    let ended = async move {
        // A sender that is gone means the same.
        ending.wait_for(|ending| *ending).await.ok();
    };
    let updates = updates(app, visit).take_until(Box::pin(ended));
    let headers = [(header::CACHE_CONTROL, "no-store"), (NO_BUFFERING, "no")];
    (headers, Sse::new(updates).keep_alive(KeepAlive::default()))
}

/// Tells a proxy to pass every event on at once.
const NO_BUFFERING: header::HeaderName = header::HeaderName::from_static("x-accel-buffering");

fn updates(app: App, visit: Visit) -> impl Stream<Item = Result<Event, Infallible>> {
    let changes = app.desk().changes();
    let mut pace = interval(UPDATE_EVERY_MIN);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold((Shown::default(), changes, pace), move |(mut shown, mut changes, mut pace)| {
        let (app, visit) = (app.clone(), visit.clone());
        async move {
            loop {
                pace.tick().await;
                changes.mark_unchanged();
                // Somebody who is logged out, or taken out, sees nothing more.
                if !still_in(&app, &visit) {
                    return None;
                }
                if let Some(update) = shown.update(&scene(&app, &visit)) {
                    return Some((Ok(Event::default().data(update)), (shown, changes, pace)));
                }
                if matches!(timeout(UPDATE_EVERY_MAX, changes.changed()).await, Ok(Err(_))) {
                    return None;
                }
            }
        }
    })
}

fn still_in(app: &App, visit: &Visit) -> bool {
    let number = visit.session_number.as_deref().unwrap_or_default();
    app.sessions().lives(number, app.clock().real())
        && visit
            .user()
            .is_some_and(|user| app.door().person(user).as_ref() == visit.person.as_ref())
}
