//! How the board looks: texts, marks and places on the picture, in one language. Pure.
//!
//! A *scene* is everything the station's page shows at one moment; *shown* is what one page has on
//! its screen, and tells which pieces of a new scene differ. Every condition has a word and a mark
//! besides its colour.

use std::collections::HashMap;
use std::time::Instant;

use askama::Template;
use domain::wire::v1::{ConvoyRecord, Heartbeat, PictureKind, PictureRecord, ReaderHealth};
use domain::{Amount, Clock, Currency, LaneId};
use jiff::tz::TimeZone;
use serde_json::json;
use tracing::error;

use crate::access::Scope;
use crate::language::Language;

use super::board::{Board, Call, Condition, Freshness, Lane, LastPassage, Tally};
use super::feed::{Happened, What};
use super::order::{GROUP_MAX, MODES, OPEN_REASONS, TURN_AWAY_REASONS, mode_name};

/// At most this many vehicles are drawn; the number beside them is always right.
const VEHICLES_DRAWN_MAX: usize = 4;

/// Where the first vehicle stands on the picture, and how far behind the next one.
const VEHICLE_FIRST_X: usize = 118;
const VEHICLE_STEP_X: usize = 34;

/// Who looks at the board.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer<'a> {
    pub t: Language,
    /// The token of their forms.
    pub csrf: &'a str,
    /// The lanes that are theirs to see.
    pub scope: &'a Scope,
    /// Whether they work at the desk, or look on.
    pub may_answer: bool,
}

/// What the station's page shows at one moment.
pub(super) struct Scene {
    pub t: Language,
    pub stations: Vec<StationGroup>,
    pub calls: Vec<CallItem>,
    pub tally: Tally,
    pub feed: Vec<FeedLine>,
    pub run_time: String,
    pub notices: Vec<&'static str>,
    /// Whether whoever looks gives orders here.
    pub may_answer: bool,
    pub modes: Vec<Choice>,
}

/// Something that happened, as the page tells it.
pub(super) struct FeedLine {
    pub at: String,
    pub lane: String,
    pub text: String,
    /// Whether somebody should look.
    pub is_attention: bool,
}

/// The lanes of one station.
pub(super) struct StationGroup {
    pub name: String,
    pub operator: String,
    pub lanes: Vec<LaneCard>,
}

/// The arm on the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arm {
    Up,
    Down,
    Unknown,
}

/// One lane as the page shows it.
#[derive(Template)]
#[template(path = "lane.html")]
pub(super) struct LaneCard {
    pub t: Language,
    pub id: String,
    pub name: String,
    pub role: Option<&'static str>,
    pub condition: Condition,
    pub heard: Option<String>,
    pub reader: &'static str,
    pub reader_is_well: bool,
    pub field_io: &'static str,
    pub field_io_is_well: bool,
    pub arm: Arm,
    pub queue: Option<usize>,
    pub vehicles: Vec<usize>,
    pub calls: usize,
    pub last: Option<String>,
    pub last_at: Option<String>,
    pub list_version: Option<String>,
    pub posted: Option<(String, String)>,
    pub backlog: u64,
    pub violations: u64,
    pub alarm: Option<String>,
    /// The lane's whole name, in forms.
    pub lane: String,
    pub mode: Option<&'static str>,
    pub convoy: Option<String>,
}

/// A choice of a form: its name and its text.
pub(super) struct Choice {
    pub name: &'static str,
    pub text: &'static str,
}

/// A picture of the vehicle that waits.
pub(super) struct CallPicture {
    pub url: String,
    /// What is on it, for those who do not see it.
    pub text: &'static str,
}

/// One call as the page shows it.
#[derive(Template)]
#[template(path = "call.html")]
pub(super) struct CallItem {
    pub t: Language,
    pub id: String,
    pub csrf: String,
    pub lane: String,
    pub lane_name: String,
    pub station: String,
    pub call: u64,
    pub exception: &'static str,
    pub tag: Option<String>,
    pub fare: Option<String>,
    pub raised_at: String,
    pub age: String,
    pub unconfirmed: bool,
    pub may_answer: bool,
    pub groups: Vec<u8>,
    pub open_reasons: Vec<Choice>,
    pub turn_away_reasons: Vec<Choice>,
    /// For those who answer it.
    pub pictures: Vec<CallPicture>,
}

#[derive(Template)]
#[template(path = "tally.html")]
struct TallyLine<'a> {
    t: Language,
    tally: &'a Tally,
}

#[derive(Template)]
#[template(path = "notices.html")]
struct Notices<'a> {
    notices: &'a [&'static str],
}

#[derive(Template)]
#[template(
    source = "{% for station in scene.stations %}{% for lane in station.lanes %}<option \
              value=\"{{ lane.lane }}\">{{ lane.name }} {{ station.name }}</option>\
              {% endfor %}{% endfor %}",
    ext = "html"
)]
struct LaneOptions<'a> {
    scene: &'a Scene,
}

#[derive(Template)]
#[template(path = "feed.html")]
struct FeedLines<'a> {
    t: Language,
    feed: &'a [FeedLine],
}

/// What is known of a call, which may change while it waits.
#[derive(Template)]
#[template(path = "known.html")]
struct Known<'a> {
    call: &'a CallItem,
}

/// The pictures of a call, which may come while it waits.
#[derive(Template)]
#[template(path = "call_pictures.html")]
struct CallPictures<'a> {
    pictures: &'a [CallPicture],
}

#[derive(Template)]
#[template(path = "lanes.html")]
struct Lanes<'a> {
    scene: &'a Scene,
}

impl Scene {
    pub(super) fn new(board: &Board, viewer: Viewer<'_>, clock: &Clock) -> Self {
        let (t, now) = (viewer.t, clock.real());
        let mut stations: Vec<StationGroup> = Vec::new();
        let mut last_station = None;
        for (id, lane) in board.lanes().filter(|(id, _)| viewer.scope.covers(id)) {
            let station = (id.operator().clone(), id.station().clone());
            if last_station.as_ref() != Some(&station) {
                let place = lane.place.as_ref();
                stations.push(StationGroup {
                    name: place.map_or_else(|| id.station().to_string(), |p| p.station.clone()),
                    operator: place
                        .map_or_else(|| id.operator().to_string(), |p| p.operator.clone()),
                    lanes: Vec::new(),
                });
                last_station = Some(station);
            }
            if let Some(group) = stations.last_mut() {
                group.lanes.push(LaneCard::new(id, lane, t, now));
            }
        }
        let run = clock.now();
        let calls = board.calls().into_iter().filter(|(id, ..)| viewer.scope.covers(id));
        let calls = calls.map(|(id, lane, number, call)| {
            let waited = run.duration_since(call.raised_at).as_secs().max(0).unsigned_abs();
            CallItem::new(id, lane, (number, call), viewer, (waited, now))
        });
        Self {
            t,
            calls: calls.collect(),
            stations,
            tally: board.tally(viewer.scope, now),
            feed: board
                .feed()
                .iter()
                .filter(|happened| viewer.scope.covers(&happened.lane))
                .map(|happened| FeedLine::new(happened, board.lane(&happened.lane), t))
                .collect(),
            run_time: String::new(),
            notices: Vec::new(),
            may_answer: viewer.may_answer,
            modes: MODES
                .map(|mode| Choice { name: mode_name(mode), text: t.lane_mode(mode) })
                .into(),
        }
    }

    pub(super) fn with_notices(mut self, broker: bool, register: bool) -> Self {
        if !broker {
            self.notices.push(self.t.broker_away());
        }
        if !register {
            self.notices.push(self.t.registry_away());
        }
        self
    }

    pub(super) fn with_run_time(mut self, run_time: String) -> Self {
        self.run_time = run_time;
        self
    }

    /// The notices as a piece of the page.
    pub(super) fn notice(&self) -> String {
        piece(&Notices { notices: &self.notices })
    }

    /// The tally as a piece of the page.
    pub(super) fn tally_line(&self) -> String {
        piece(&TallyLine { t: self.t, tally: &self.tally })
    }

    /// What happened lately as a piece of the page.
    pub(super) fn feed_lines(&self) -> String {
        piece(&FeedLines { t: self.t, feed: &self.feed })
    }

    /// The lanes to choose from, as a piece of the page.
    pub(super) fn lane_options(&self) -> String {
        piece(&LaneOptions { scene: self })
    }

    /// All lanes as a piece of the page.
    pub(super) fn lanes(&self) -> String {
        piece(&Lanes { scene: self })
    }

    /// Which lanes there are and how they are headed: while this stays, cards change one by one.
    fn layout(&self) -> String {
        let groups = self.stations.iter().map(|station| {
            let lanes: Vec<&str> = station.lanes.iter().map(|lane| lane.id.as_str()).collect();
            format!("{}|{}|{}", station.operator, station.name, lanes.join(","))
        });
        groups.collect::<Vec<_>>().join("\n")
    }
}

fn piece(template: &impl Template) -> String {
    template.render().unwrap_or_else(|failure| {
        error!(error = &failure as &dyn std::error::Error, "render a piece of a page");
        String::new()
    })
}

/// A sum of money, or the bare number where the operator's currency is not known.
fn money(t: Language, amount: Amount, currency: Option<Currency>) -> String {
    currency.map_or_else(
        || t.count(amount.minor_units().unsigned_abs()),
        |currency| t.money(amount.minor_units(), currency),
    )
}

impl LaneCard {
    fn new(id: &LaneId, lane: &Lane, t: Language, now: Instant) -> Self {
        let place = lane.place.as_ref();
        let zone = place.map_or(TimeZone::UTC, |place| place.zone.clone());
        let heartbeat = lane.heartbeat.as_ref().filter(|_| lane.heard.is_some());
        let vitals = heartbeat.and_then(|heartbeat| heartbeat.vitals.as_ref());
        let arm = match heartbeat.and_then(|h| h.arm_up) {
            _ if lane.freshness(now) != Freshness::Fresh => Arm::Unknown,
            None => Arm::Unknown,
            Some(true) => Arm::Up,
            Some(false) => Arm::Down,
        };
        let queue = heartbeat.map(|h| h.queue);
        let drawn = queue.unwrap_or(0).min(VEHICLES_DRAWN_MAX);
        let vehicles = (0..drawn).map(|behind| VEHICLE_FIRST_X - behind * VEHICLE_STEP_X);
        Self {
            t,
            id: dom_id("lane", id),
            name: id.lane().to_uppercase(),
            role: place.and_then(|place| place.role).map(|role| t.role(role)),
            condition: lane.condition(now),
            heard: heartbeat.map(|h| t.time(h.at, &zone)),
            reader: heartbeat.map_or(t.unknown(), |h| t.reader_health(h.reader)),
            reader_is_well: heartbeat.is_some_and(|h| h.reader == ReaderHealth::Reading),
            field_io: heartbeat.map_or(t.unknown(), |h| io_text(t, h)),
            field_io_is_well: heartbeat.is_some_and(|h| h.field_io),
            arm,
            queue,
            vehicles: vehicles.collect(),
            calls: lane.calls.len().max(heartbeat.map_or(0, |h| h.calls)),
            last: lane.last.map(|last| last_text(t, last, place.map(|place| place.currency))),
            last_at: lane.last.map(|last| t.time(last.at, &zone)),
            list_version: heartbeat.map(|h| t.count(h.list_version)),
            posted: heartbeat.map(|h| (t.count(h.posted_upto), t.count(h.last_seq))),
            backlog: heartbeat.map_or(0, |h| h.last_seq.saturating_sub(h.posted_upto)),
            violations: lane.violations,
            alarm: lane.alarm.as_ref().map(|(at, text)| format!("{} {text}", t.time(*at, &zone))),
            lane: id.to_string(),
            mode: vitals.and_then(|vitals| vitals.mode).map(|mode| t.lane_mode(mode)),
            convoy: vitals.and_then(|vitals| vitals.convoy.as_ref()).map(|convoy| {
                let ConvoyRecord { name, by, second, vehicles, vehicles_max } = convoy;
                format!("{name} · {vehicles} {} {vehicles_max} · {by}, {second}", t.convoy_of())
            }),
        }
    }

    /// The condition's name in the style sheet.
    fn class(&self) -> &'static str {
        match self.condition {
            Condition::Normal => "normal",
            Condition::Attention => "attention",
            Condition::Unknown => "unknown",
            Condition::Stale => "stale",
        }
    }

    /// The condition's mark, which says the same without colour.
    fn mark(&self) -> &'static str {
        match self.condition {
            Condition::Normal => "●",
            Condition::Attention => "▲",
            Condition::Unknown => "?",
            Condition::Stale => "◷",
        }
    }

    /// The condition in words.
    fn condition_text(&self) -> &'static str {
        match self.condition {
            Condition::Normal => self.t.state_normal(),
            Condition::Attention => self.t.state_attention(),
            Condition::Unknown => self.t.state_unknown(),
            Condition::Stale => self.t.state_stale(),
        }
    }

    /// The arm in words.
    fn arm_text(&self) -> &'static str {
        match self.arm {
            Arm::Up => self.t.arm_up(),
            Arm::Down => self.t.arm_down(),
            Arm::Unknown => self.t.unknown(),
        }
    }
}

fn io_text(t: Language, heartbeat: &Heartbeat) -> &'static str {
    if heartbeat.field_io { t.answering() } else { t.not_answering() }
}

impl FeedLine {
    fn new(happened: &Happened, lane: Option<&Lane>, t: Language) -> Self {
        let place = lane.and_then(|lane| lane.place.as_ref());
        let zone = place.map_or(TimeZone::UTC, |place| place.zone.clone());
        let at = happened.at;
        let (text, is_attention) = match &happened.what {
            What::Called(exception) => {
                (format!("{}: {}", t.feed_called(), t.exception_kind(*exception)), true)
            }
            What::Passed { decision, group, fare } => {
                let last = LastPassage { at, decision: *decision, group: *group, fare: *fare };
                (last_text(t, last, place.map(|place| place.currency)), false)
            }
            What::Violation => (t.feed_violation().to_owned(), true),
            What::Reader(health) => {
                let text = format!("{}: {}", t.reader(), t.reader_health(*health));
                (text, *health != ReaderHealth::Reading)
            }
            What::Mode(mode) => (format!("{}: {}", t.mode(), t.lane_mode(*mode)), false),
            What::ConvoyBegan(name) => (format!("{}: {name}", t.begin_convoy()), false),
            What::ConvoyEnded => (t.end_convoy().to_owned(), false),
            What::Alarm(text) => (text.clone(), true),
        };
        let lane = happened.lane.lane().to_uppercase();
        Self { at: t.time(at, &zone), lane, text, is_attention }
    }
}

fn last_text(t: Language, last: LastPassage, currency: Option<Currency>) -> String {
    let mut text = t.lane_decision(last.decision).to_owned();
    if let Some(group) = last.group {
        text.push_str(&format!(" · {} {group}", t.group()));
    }
    if let Some(fare) = last.fare {
        text.push_str(&format!(" · {}", money(t, fare, currency)));
    }
    text
}

fn dom_id(kind: &str, lane: &LaneId) -> String {
    format!("{kind}-{}.{}.{}", lane.operator(), lane.station(), lane.lane())
}

impl CallItem {
    fn new(
        id: &LaneId,
        lane: &Lane,
        (number, call): (u64, &Call),
        viewer: Viewer<'_>,
        (waited_s, now): (u64, Instant),
    ) -> Self {
        let t = viewer.t;
        let place = lane.place.as_ref();
        let zone = place.map_or(TimeZone::UTC, |place| place.zone.clone());
        Self {
            t,
            id: format!("{}-{number}-{}", dom_id("call", id), call.raised_at.as_millisecond()),
            csrf: viewer.csrf.to_owned(),
            lane: id.to_string(),
            lane_name: id.lane().to_uppercase(),
            station: place.map_or_else(|| id.station().to_string(), |p| p.station.clone()),
            call: number,
            exception: t.exception_kind(call.exception),
            tag: call.tag.as_ref().map(domain::TagId::masked),
            fare: call.fare.map(|fare| money(t, fare, place.map(|place| place.currency))),
            raised_at: t.time(call.raised_at, &zone),
            age: format!("{}:{:02}", waited_s / 60, waited_s % 60),
            unconfirmed: lane.freshness(now) != Freshness::Fresh,
            may_answer: viewer.may_answer,
            groups: (1..=GROUP_MAX).collect(),
            open_reasons: choices(t, &OPEN_REASONS),
            turn_away_reasons: choices(t, &TURN_AWAY_REASONS),
            pictures: lane
                .pictures_of(number)
                .iter()
                .filter(|_| viewer.may_answer)
                .map(|picture| CallPicture::new(id, number, picture, t))
                .collect(),
        }
    }
}

impl CallItem {
    /// What is known of it, as a piece of the page.
    fn known(&self) -> String {
        piece(&Known { call: self })
    }

    /// Its pictures, as a piece of the page.
    fn pictures(&self) -> String {
        piece(&CallPictures { pictures: &self.pictures })
    }
}

impl CallPicture {
    fn new(lane: &LaneId, call: u64, picture: &PictureRecord, t: Language) -> Self {
        let text = match picture.kind {
            PictureKind::Plate => t.picture_of_plate(),
            PictureKind::Overview => t.picture_of_vehicle(),
            PictureKind::Unknown => t.picture_of_either(),
        };
        Self { url: format!("/station/picture/{lane}/{call}/{}", picture.digest), text }
    }
}

fn choices(t: Language, reasons: &[super::order::ReasonChoice]) -> Vec<Choice> {
    let choice = |reason: &super::order::ReasonChoice| Choice {
        name: reason.name,
        text: t.reason(&reason.reason),
    };
    reasons.iter().map(choice).collect()
}

/// What one page has on its screen.
#[derive(Default)]
pub(super) struct Shown {
    layout: String,
    pieces: HashMap<String, String>,
    calls: Vec<String>,
}

impl Shown {
    /// What the page must change to show the scene, as JSON; nothing when it shows it already.
    pub(super) fn update(&mut self, scene: &Scene) -> Option<String> {
        let mut set = serde_json::Map::new();
        let layout = scene.layout();
        let whole = layout != self.layout;
        if whole {
            set.insert("lanes".to_owned(), json!(scene.lanes()));
            self.layout = layout;
        }
        let mut changed = |id: &str, html: String, send: bool| {
            if self.pieces.get(id) != Some(&html) {
                if send {
                    set.insert(id.to_owned(), json!(html));
                }
                self.pieces.insert(id.to_owned(), html);
            }
        };
        for lane in scene.stations.iter().flat_map(|station| &station.lanes) {
            changed(&lane.id, piece(lane), !whole);
        }
        changed("tally", scene.tally_line(), true);
        changed("notices", scene.notice(), true);
        changed("feed", scene.feed_lines(), true);
        changed("run-time", scene.run_time.clone(), true);
        for id in ["order-lanes", "convoy-lanes"] {
            changed(id, scene.lane_options(), true);
        }
        for call in &scene.calls {
            changed(&format!("age-{}", call.id), call.age.clone(), true);
            changed(&format!("known-{}", call.id), call.known(), true);
            changed(&format!("pictures-{}", call.id), call.pictures(), true);
        }
        let ids: Vec<String> = scene.calls.iter().map(|call| call.id.clone()).collect();
        let calls = (ids != self.calls).then(|| {
            let item = |call: &CallItem| {
                let known = self.calls.contains(&call.id);
                json!({ "id": call.id, "html": if known { None } else { Some(piece(call)) } })
            };
            scene.calls.iter().map(item).collect::<Vec<_>>()
        });
        if calls.is_some() {
            self.pieces.retain(|id, _| {
                let of_call = ["age-", "known-", "pictures-"];
                let of_call = of_call.iter().find_map(|kind| id.strip_prefix(kind));
                of_call.is_none_or(|id| ids.iter().any(|call| call == id))
            });
            self.calls = ids;
        }
        if set.is_empty() && calls.is_none() {
            return None;
        }
        Some(json!({ "set": set, "calls": calls }).to_string())
    }
}

#[cfg(test)]
mod tests;
