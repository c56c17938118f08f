//! How a station is, for machines: `GET /health` (JSON) and `GET /metrics` (Prometheus text).
//!
//! Each question is put to the lanes themselves; one that does not answer in time is *silent*.
//! `/health` answers 200 when every lane runs as it should and 503 otherwise, with the same body.
//! There is no password: it is for a loopback or management network, and says nothing personal.

use std::fmt::Write as _;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use axum::Json;
use axum::extract::State as Of;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::wire::v1::{ClockRecord, DegradedMode, Heartbeat, ReaderHealth, Vitals};
use domain::{Clock, LaneId, StationId, Timestamp};
use futures::future::join_all;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::list::ListStore;
use crate::runner::Wake;
use crate::supervise::Condition;
use crate::vitals::VitalSigns;

/// How long a lane may take to say how it is, in real time.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A lane that can be asked.
#[derive(Debug, Clone)]
pub struct AskedLane {
    /// The lane.
    pub id: LaneId,
    /// What the station knows of it.
    pub signs: VitalSigns,
    /// Its thread.
    pub wakes: Sender<Wake>,
    /// Its place.
    pub condition: watch::Receiver<Condition>,
}

/// Asks the lanes of a station how they are.
#[derive(Debug, Clone)]
pub struct Health {
    station: StationId,
    lanes: Arc<Vec<AskedLane>>,
    client: Client,
    list: ListStore,
    /// The list's version when it was last looked at, and when that was new, in real uptime.
    list_since: Arc<Mutex<(u64, std::time::Instant)>>,
    clock: Clock,
}

/// How a station is.
#[derive(Debug, Clone, Serialize)]
pub struct StationHealth {
    /// The station.
    pub station: StationId,
    /// The wall clock of this machine.
    pub clock: Timestamp,
    /// When the centre last said that the list is the newest, where there is a list.
    pub list_confirmed_at: Option<Timestamp>,
    /// Whether the broker is connected.
    pub broker: bool,
    /// The version of the account list.
    pub list_version: u64,
    /// For how long that version has been the newest here, in real seconds since the start.
    pub list_unchanged_s: u64,
    /// The lanes.
    pub lanes: Vec<LaneHealth>,
}

/// How a lane is.
#[derive(Debug, Clone, Serialize)]
pub struct LaneHealth {
    /// The lane.
    pub lane: LaneId,
    /// In one word.
    pub state: LaneState,
    /// Why it does not run, where it has failed.
    pub why: Option<String>,
    /// How often it has failed in a row.
    pub failures: u32,
    /// The reader; the rest is absent, too, where the lane does not answer.
    pub reader: Option<ReaderHealth>,
    /// Whether loops and arm answer.
    pub field_io: Option<bool>,
    /// What the lane goes on without.
    pub degraded: Vec<DegradedMode>,
    /// Whether the journal is written as it should be.
    pub journal: Option<bool>,
    /// Passages that are only in memory.
    pub unwritten: Option<u64>,
    /// The last sequence in the journal.
    pub last_seq: Option<u64>,
    /// Passages that the clearing house has not confirmed.
    pub backlog: Option<u64>,
    /// Links, clock and disk.
    pub vitals: Option<Vitals>,
}

/// A lane in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneState {
    /// It is being put together.
    Starting,
    /// It runs.
    Running,
    /// It runs and does not answer.
    Silent,
    /// It has failed, and is tried again.
    Failed,
    /// It was told to stop.
    Stopped,
}

impl Health {
    /// Puts the questions together.
    #[must_use]
    pub fn new(
        station: StationId,
        lanes: Vec<AskedLane>,
        client: Client,
        list: ListStore,
        clock: Clock,
    ) -> Self {
        let version = list.view().version();
        let list_since = Arc::new(Mutex::new((version, clock.real())));
        Self { station, lanes: Arc::new(lanes), client, list, list_since, clock }
    }

    /// Asks every lane, all at the same time.
    pub async fn look(&self) -> StationHealth {
        let version = self.list.view().version();
        let now = self.clock.real();
        let since = {
            let mut known = self.list_since.lock().unwrap_or_else(PoisonError::into_inner);
            if known.0 != version {
                *known = (version, now);
            }
            known.1
        };
        StationHealth {
            station: self.station.clone(),
            clock: self.clock.now(),
            broker: self.client.connection_state() == State::Connected,
            list_confirmed_at: (version > 0).then(|| self.list.view().confirmed_at()),
            list_version: version,
            list_unchanged_s: now.saturating_duration_since(since).as_secs(),
            lanes: join_all(self.lanes.iter().map(ask)).await,
        }
    }
}

async fn ask(lane: &AskedLane) -> LaneHealth {
    let condition = lane.condition.borrow().clone();
    let mut heartbeat = None;
    if condition == Condition::Running {
        let (reply, answer) = oneshot::channel();
        if lane.wakes.send(Wake::Health(reply)).is_ok() {
            heartbeat = tokio::time::timeout(ANSWER_WITHIN, answer).await.ok().and_then(Result::ok);
            if let Some(heartbeat) = &mut heartbeat {
                lane.signs.complete(heartbeat);
            }
        }
    }
    LaneHealth::of(lane.id.clone(), condition, heartbeat.as_ref())
}

impl LaneHealth {
    fn of(lane: LaneId, condition: Condition, heartbeat: Option<&Heartbeat>) -> Self {
        let state = match (&condition, heartbeat) {
            (Condition::Running, Some(_)) => LaneState::Running,
            (Condition::Running, None) => LaneState::Silent,
            (Condition::Starting, _) => LaneState::Starting,
            (Condition::Failed { .. }, _) => LaneState::Failed,
            (Condition::Stopped, _) => LaneState::Stopped,
        };
        let (why, failures) = match condition {
            Condition::Failed { why, times } => (Some(why), times),
            Condition::Starting | Condition::Running | Condition::Stopped => (None, 0),
        };
        Self {
            lane,
            state,
            why,
            failures,
            reader: heartbeat.map(|beat| beat.reader),
            field_io: heartbeat.map(|beat| beat.field_io),
            degraded: heartbeat.map(|beat| beat.degraded.clone()).unwrap_or_default(),
            journal: heartbeat.map(|beat| beat.unwritten.is_none()),
            unwritten: heartbeat.and_then(|beat| beat.unwritten),
            last_seq: heartbeat.map(|beat| beat.last_seq),
            backlog: heartbeat.map(|beat| beat.last_seq.saturating_sub(beat.posted_upto)),
            vitals: heartbeat.and_then(|beat| beat.vitals.clone()),
        }
    }

    fn is_well(&self) -> bool {
        self.state == LaneState::Running
            && self.reader == Some(ReaderHealth::Reading)
            && self.field_io == Some(true)
            && self.degraded.is_empty()
            && self.journal == Some(true)
    }
}

impl StationHealth {
    /// Whether every lane runs as it should.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.lanes.iter().all(LaneHealth::is_well)
    }

    /// Whether the process does what it can: some lane answers, or none is said to run.
    #[must_use]
    pub fn lives(&self) -> bool {
        let is = |state| move |lane: &LaneHealth| lane.state == state;
        self.lanes.iter().any(is(LaneState::Running))
            || !self.lanes.iter().any(is(LaneState::Silent))
    }

    /// In one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let runs = self.lanes.iter().filter(|lane| lane.state == LaneState::Running).count();
        format!("{runs} of {} lanes run", self.lanes.len())
    }

    /// As Prometheus reads it.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a list of gauges")]
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, values: Vec<(String, u64)>| {
            // Writing to a string does not fail.
            let _ok = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (labels, value) in values {
                let _ok = writeln!(text, "{name}{labels} {value}");
            }
        };
        let alone = |value: u64| vec![(String::new(), value)];
        let lanes = |value: &dyn Fn(&LaneHealth) -> Option<u64>| {
            let of =
                |lane: &LaneHealth| Some((format!("{{lane=\"{}\"}}", lane.lane), value(lane)?));
            self.lanes.iter().filter_map(of).collect()
        };
        gauge("etc_broker_connected", "1 while connected.", alone(self.broker.into()));
        gauge("etc_list_version", "Version of the account list.", alone(self.list_version));
        gauge(
            "etc_list_unchanged_seconds",
            "For how long that version has been the newest here.",
            alone(self.list_unchanged_s),
        );
        let seconds_since =
            |at: Timestamp| u64::try_from(self.clock.duration_since(at).as_secs()).unwrap_or(0);
        gauge(
            "etc_list_age_seconds",
            "Since the centre last said that the list is the newest.",
            self.list_confirmed_at.map(seconds_since).map_or(Vec::new(), alone),
        );
        gauge(
            "etc_lane_running",
            "1 while the lane runs and answers.",
            lanes(&|lane| Some((lane.state == LaneState::Running).into())),
        );
        gauge(
            "etc_lane_failures",
            "Failures in a row of a lane that does not run.",
            lanes(&|lane| Some(lane.failures.into())),
        );
        gauge(
            "etc_lane_reader_reading",
            "1 while the reader reads.",
            lanes(&|lane| lane.reader.map(|reader| (reader == ReaderHealth::Reading).into())),
        );
        gauge(
            "etc_lane_field_io",
            "1 while loops and arm answer.",
            lanes(&|lane| lane.field_io.map(u64::from)),
        );
        gauge(
            "etc_lane_degraded",
            "How many kinds of device the lane goes on without.",
            lanes(&|lane| lane.reader.map(|_| lane.degraded.len().try_into().unwrap_or(u64::MAX))),
        );
        gauge(
            "etc_lane_journal",
            "1 while the journal is written as it should be.",
            lanes(&|lane| lane.journal.map(u64::from)),
        );
        gauge(
            "etc_lane_unwritten",
            "Passages that are only in memory.",
            lanes(&|lane| lane.journal.map(|_| lane.unwritten.unwrap_or(0))),
        );
        gauge("etc_lane_last_seq", "Last sequence in the journal.", lanes(&|lane| lane.last_seq));
        gauge(
            "etc_lane_backlog",
            "Passages that the clearing house has not confirmed.",
            lanes(&|lane| lane.backlog),
        );
        let vital = |value: &dyn Fn(&Vitals) -> Option<u64>| {
            lanes(&|lane| lane.vitals.as_ref().and_then(value))
        };
        gauge(
            "etc_lane_backlog_age_seconds",
            "Age of the oldest passage that no receipt covers.",
            vital(&|vitals| vitals.oldest_unposted_at.map(seconds_since)),
        );
        gauge(
            "etc_lane_clock_trusted",
            "1 while the wall clock is to be trusted.",
            vital(&|vitals| vitals.clock.map(|clock| (clock == ClockRecord::Synchronised).into())),
        );
        gauge(
            "etc_lane_clock_offset_microseconds",
            "Distance from the centre's clock, without its direction.",
            vital(&|vitals| vitals.clock_offset_us.map(i64::unsigned_abs)),
        );
        gauge(
            "etc_lane_directive_version",
            "Version of the directive in force.",
            vital(&|vitals| vitals.directive_version),
        );
        gauge(
            "etc_lane_events_waiting",
            "Events that wait for the broker.",
            vital(&|vitals| vitals.events_waiting),
        );
        gauge(
            "etc_lane_disk_free_bytes",
            "Free on the disk of the journal.",
            vital(&|vitals| vitals.disk_free_bytes),
        );
        text
    }
}

/// Answers questions for as long as the process lives.
pub async fn serve(listener: TcpListener, health: Health) {
    if let Err(error) = axum::serve(listener, routes(health)).await {
        tracing::error!(%error, "questions are no longer answered");
    }
}

fn routes(health: Health) -> axum::Router {
    axum::Router::new()
        .route("/health", get(health_page))
        .route("/metrics", get(metrics_page))
        .with_state(health)
}

async fn health_page(Of(health): Of<Health>) -> Response {
    let seen = health.look().await;
    let status = if seen.is_well() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(seen)).into_response()
}

async fn metrics_page(Of(health): Of<Health>) -> Response {
    let text = health.look().await.metrics();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

#[cfg(test)]
mod tests;
