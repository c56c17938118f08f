//! A station's lanes put together: threads, connections, files. All of it shell.

mod devices;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use broker_link::LinkError;
use domain::passage::ClockQuality;
use domain::{Clock, LaneId};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::clock_quality::{ClockKeeper, ClockState, ClockWatch};
use crate::config::{self, Config, ConfigError, DEVICES_WITHIN};
use crate::directives::{DirectiveError, DirectiveStore};
use crate::downlink::{self, Downlink, LaneLine};
use crate::entries::EntryBook;
use crate::events::{self, EventLine, EventStore};
use crate::health::{self, AskedLane, Health};
use crate::list::{ListError, ListStore};
use crate::runner::{Equipment, Shared, Wake};
use crate::supervise::{Condition, LanePlace, LastHeard};
use crate::uplink::{Posted, UplinkState};
use crate::vitals::VitalSigns;
use crate::{desk, notify};

use self::devices::{Ear, LaneDevices, Modules};

/// Why a station did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StationError {
    /// The configuration is not usable.
    #[error("use the configuration")]
    Config(#[from] ConfigError),
    /// The kept list is not usable.
    #[error("use the kept account list")]
    List(#[from] ListError),
    /// No directives can be kept.
    #[error("keep the centre's directives")]
    Directives(#[from] DirectiveError),
    /// The broker's address, or what is shown to it, is not usable.
    #[error("connect to the broker")]
    Connect(#[source] LinkError),
    /// A subscription was refused.
    #[error("subscribe at the broker")]
    Subscribe(#[from] async_nats::SubscribeError),
    /// A thread, folder or signal handler could not be had.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Runs the station until it is told to stop. A lane that fails stops neither the station nor
/// another lane.
///
/// # Errors
/// When what all lanes need cannot be had.
pub async fn run(config: Config) -> Result<(), StationError> {
    let system = |doing| move |source| StationError::System { doing, source };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(system("listen for the signal to stop"))?;
    run_until(config, async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    })
    .await
}

/// Runs the station until something has come to pass.
///
/// # Errors
/// When what all lanes need cannot be had.
#[expect(clippy::too_many_lines, reason = "what a station consists of, put together in one place")]
pub async fn run_until(config: Config, stop: impl Future<Output = ()>) -> Result<(), StationError> {
    let config = Arc::new(config);
    let clock = Clock::of_run(config.clock);
    let folder = config.data.folder.clone();
    std::fs::create_dir_all(&folder)
        .map_err(|source| StationError::System { doing: "make the data folder", source })?;
    let list = ListStore::open(&folder.join("list"), config.centre.public_key, config.list)?;
    let tariffs = Arc::new(config.tariffs()?);
    let lanes = config.lanes.iter().map(|lane| config.lane_id(lane)).collect::<Result<_, _>>()?;
    let directives = DirectiveStore::open(
        &folder.join("directives"),
        config.centre.public_key,
        config.station.operator.clone(),
        lanes,
        Arc::clone(&tariffs),
    )?;
    let unasked = ClockState { quality: ClockQuality::Unsynchronised, offset: None, kernel: None };
    let shared = Shared {
        list,
        entries: Arc::new(RwLock::new(EntryBook::default())),
        tariffs,
        directives: directives.board(),
        clock_watch: ClockWatch::of(unasked),
        clock,
    };
    let client = connect(&config).await?;
    let jetstream = ContextBuilder::new().timeout(Duration::from_secs(5)).build(client.clone());
    let around =
        Around { config: &config, shared: &shared, client: &client, jetstream: &jetstream };
    let Lanes { lines, running, modules, ears } = start_lanes(&around)?;
    let inputs = modules.start(clock)?;
    let cameras = devices::start_cameras(&config, clock, &ears).await;
    let lanes_by_id = downlink::by_id(&lines);
    if let Some(lane) = running.first() {
        let (far, follow_far) = watch::channel(false);
        tokio::spawn(devices::follow_clock(ears, follow_far));
        let keeper = ClockKeeper {
            lane: lane.id.clone(),
            client: client.clone(),
            centre: config.centre.public_key,
            clock,
            by_machine: config.clock.is_none(),
            bounds: config.clock_bounds,
            watch: shared.clock_watch.clone(),
            far,
        };
        tokio::spawn(keeper.run());
    }
    let asked = running.iter().map(|lane| AskedLane {
        id: lane.id.clone(),
        signs: lane.signs.clone(),
        wakes: lane.wakes.clone(),
        condition: lane.condition.clone(),
    });
    let health = Health::new(
        config.station.station.clone(),
        asked.collect(),
        client.clone(),
        shared.list.clone(),
        clock,
    );
    if let Some(config) = config.health {
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| StationError::System { doing: "listen for questions", source })?;
        tokio::spawn(health::serve(listener, health.clone()));
    }
    let downlink = Downlink {
        client: client.clone(),
        jetstream,
        centre: config.centre.public_key,
        list: shared.list.clone(),
        entries: Arc::clone(&shared.entries),
        road: config.station.road.clone(),
        lanes: lines,
        directives,
        clock,
        rounds: 0,
        entries_read: 0,
        refused: std::collections::HashMap::new(),
        complained: None,
        tending: None,
    };
    tracing::info!(station.id = %config.station.station, lanes = running.len(), "station runs");
    let desks: Arc<[_]> = config.desk.keys.clone().into();
    if desks.is_empty() {
        tracing::warn!("[desk] names no keys: orders are taken that nobody has signed");
    }
    let watchdog = tokio::spawn(notify::keep_alive(health));
    let ended = tokio::select! {
        ended = downlink.run() => ended.map_err(Into::into),
        ended = desk::commands(client, lanes_by_id, desks) => ended.map_err(Into::into),
        () = stop => Ok(()),
    };
    watchdog.abort();
    notify::tell("STOPPING=1");
    drop(cameras);
    // Lanes stop side by side, and hear the loops until they have: see the safe position.
    let stopping: Vec<_> =
        running.into_iter().map(|lane| tokio::task::spawn_blocking(move || lane.stop())).collect();
    for lane in stopping {
        drop(lane.await);
    }
    drop(inputs);
    tracing::info!(station.id = %config.station.station, "station stopped");
    ended
}

async fn connect(config: &Config) -> Result<Client, StationError> {
    let name = format!("lane-controller {}", config.station.station);
    config.broker.connect(&name).await.map_err(StationError::Connect)
}

/// A lane with the devices that are its own.
struct Running {
    id: LaneId,
    devices: LaneDevices,
    wakes: Sender<Wake>,
    condition: watch::Receiver<Condition>,
    signs: VitalSigns,
    thread: std::thread::JoinHandle<()>,
}

impl Running {
    fn stop(mut self) {
        self.devices.stop_reader(&self.id);
        // A lane that has ended already hears nothing.
        drop(self.wakes.send(Wake::Stop));
        drop(self.thread.join());
    }
}

/// What all lanes start with.
struct Around<'a> {
    config: &'a Arc<Config>,
    shared: &'a Shared,
    client: &'a Client,
    jetstream: &'a Context,
}

/// The lanes, started, before anything is heard of their loops.
struct Lanes {
    lines: Vec<LaneLine>,
    running: Vec<Running>,
    modules: Modules,
    ears: Vec<Ear>,
}

fn start_lanes(around: &Around<'_>) -> Result<Lanes, StationError> {
    let mut ends: Vec<(Ear, Receiver<Wake>)> = Vec::new();
    for lane in &around.config.lanes {
        let (wakes, wake_up) = channel();
        let heard = Arc::new(Mutex::new(LastHeard::default()));
        ends.push((Ear { id: around.config.lane_id(lane)?, heard, wakes }, wake_up));
    }
    let neighbours = ends.iter().map(|(ear, _)| (ear.id.clone(), ear.wakes.clone()));
    let neighbours = Arc::new(neighbours.collect::<Vec<_>>());
    let mut lanes = Lanes {
        lines: Vec::new(),
        running: Vec::new(),
        modules: Modules::default(),
        ears: ends.iter().map(|(ear, _)| ear.clone()).collect(),
    };
    for (lane, (ear, wake_up)) in around.config.lanes.iter().zip(ends) {
        let neighbours = Arc::clone(&neighbours);
        let (line, running) =
            start_lane(around, lane, (ear, wake_up), neighbours, &mut lanes.modules)?;
        lanes.lines.push(line);
        lanes.running.push(running);
    }
    Ok(lanes)
}

fn start_lane(
    around: &Around<'_>,
    lane: &config::Lane,
    (ear, wake_up): (Ear, Receiver<Wake>),
    neighbours: Arc<Vec<(LaneId, Sender<Wake>)>>,
    modules: &mut Modules,
) -> Result<(LaneLine, Running), StationError> {
    let clock = around.shared.clock;
    let (id, wakes) = (ear.id.clone(), ear.wakes.clone());
    let (epoch, follow_epoch) = watch::channel(0);
    let (posted, _) = watch::channel(Posted::default());
    let (uplink, follow_uplink) = watch::channel(UplinkState::default());
    let (condition, follow_condition) = watch::channel(Condition::Starting);
    let (events, happened) = mpsc::unbounded_channel();
    let (tell_waiting, events_waiting) = watch::channel(0);
    let file = around.config.data.folder.join(format!("{}.events", id.lane()));
    let event_line = EventLine {
        lane: id.clone(),
        client: around.client.clone(),
        jetstream: around.jetstream.clone(),
        store: EventStore::open(&file, events::KEPT_MAX),
        events: happened,
        waiting: tell_waiting,
        clock: around.shared.clock,
    };
    tokio::spawn(event_line.run());
    let signs = VitalSigns {
        lane: id.clone(),
        uplink: follow_uplink,
        events_waiting,
        list: around.shared.list.clone(),
        directives: around.shared.directives.clone(),
        clock_watch: around.shared.clock_watch.clone(),
        clock: around.shared.clock,
        folder: Arc::new(around.config.data.folder.clone()),
    };
    let mut devices = LaneDevices::default();
    let outputs = devices.outputs(around.config, lane, clock, modules, ear.clone())?;
    let place = LanePlace {
        config: Arc::clone(around.config),
        lane: lane.clone(),
        id: id.clone(),
        shared: around.shared.clone(),
        client: around.client.clone(),
        jetstream: around.jetstream.clone(),
        handle: Handle::current(),
        epoch,
        posted: posted.clone(),
        uplink,
        events: events.clone(),
        condition,
        heard: Arc::clone(&ear.heard),
        outputs,
        equipment: Equipment {
            expected: devices::expected(lane),
            displays: Arc::new(devices::start_displays(lane, &ear)),
            neighbours,
            outbox: devices::start_pictures(around, &id),
            mode_file: Some(around.config.data.folder.join(format!("{}.mode", id.lane()))),
            patient_until: Some(clock.real() + DEVICES_WITHIN),
            ..Equipment::default()
        },
        wakes: wakes.clone(),
    };
    let thread = std::thread::Builder::new()
        .name(format!("lane-{}", id.lane()))
        .spawn(move || place.run(&wake_up))
        .map_err(|source| StationError::System { doing: "start a lane's thread", source })?;
    devices.start(lane, clock, &ear);
    tokio::spawn(desk::heartbeats(around.client.clone(), wakes.clone(), signs.clone()));
    let line =
        LaneLine { id: id.clone(), epoch: follow_epoch, wakes: wakes.clone(), posted, events };
    Ok((line, Running { id, devices, wakes, condition: follow_condition, signs, thread }))
}
