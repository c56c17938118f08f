//! A station's lanes put together: threads, connections, files. All of it shell.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions, Event};
use domain::passage::ClockQuality;
use domain::wire::v1::ReaderHealth;
use domain::{Clock, LaneId, TagId};
use rfid_driver::session::ReaderSettings;
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderError, ReaderEvent, ReaderState};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::clock_quality::{ClockKeeper, ClockState, ClockWatch};
use crate::config::{self, Config, ConfigError};
use crate::directives::{DirectiveError, DirectiveStore};
use crate::downlink::{self, Downlink, LaneLine};
use crate::entries::EntryBook;
use crate::events::{self, EventLine, EventStore};
use crate::field_io::InputThread;
use crate::health::{self, AskedLane, Health};
use crate::list::{ListError, ListStore};
use crate::read_age::ReadAge;
use crate::runner::{Shared, Wake};
use crate::supervise::{Condition, LanePlace, LastHeard, hear};
use crate::uplink::{Posted, UplinkState};
use crate::vitals::VitalSigns;
use crate::{desk, notify};

/// Inputs are not read more often than this, in real time, however fast the run is.
const POLL_MIN: Duration = Duration::from_millis(1);

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
    /// The broker's address or password is not usable.
    #[error("connect to the broker")]
    Connect(#[source] async_nats::ConnectError),
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
#[expect(clippy::too_many_lines, reason = "what a station consists of, put together in one place")]
pub async fn run(config: Config) -> Result<(), StationError> {
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
    let mut lines = Vec::new();
    let mut running = Vec::new();
    let mut inputs = Vec::new();
    for lane in &config.lanes {
        let started = start_lane(&config, lane, &shared, &client, &jetstream)?;
        inputs.push((lane.field_io_index, started.heard, started.line.wakes.clone()));
        lines.push(started.line);
        running.push(started.running);
    }
    let inputs = read_inputs(&config, clock, inputs)?;
    let lanes_by_id = downlink::by_id(&lines);
    if let Some(lane) = running.first() {
        let keeper = ClockKeeper {
            lane: lane.id.clone(),
            client: client.clone(),
            centre: config.centre.public_key,
            clock,
            by_machine: config.clock.is_none(),
            bounds: config.clock_bounds,
            watch: shared.clock_watch.clone(),
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
    let watchdog = tokio::spawn(notify::keep_alive(health));
    let ended = until_stopped(downlink, desk::commands(client, lanes_by_id)).await;
    watchdog.abort();
    notify::tell("STOPPING=1");
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

/// Starts the thread that reads the inputs of all lanes.
fn read_inputs(
    config: &Config,
    clock: Clock,
    lanes: Vec<(u16, Arc<Mutex<LastHeard>>, Sender<Wake>)>,
) -> Result<InputThread, StationError> {
    let indices = lanes.iter().map(|(index, ..)| *index).collect();
    let period = clock.to_real(Duration::from_millis(config.field_io.poll_ms)).max(POLL_MIN);
    let tell = move |place: usize, word| {
        let (_, heard, wakes) = &lanes[place];
        hear(heard, wakes, Wake::Field(word));
    };
    InputThread::start(config.field_io.address, indices, period, clock, tell)
        .map_err(|source| StationError::System { doing: "start the input thread", source })
}

async fn until_stopped(
    downlink: Downlink,
    commands: impl Future<Output = Result<(), async_nats::SubscribeError>>,
) -> Result<(), StationError> {
    let system = |doing| move |source| StationError::System { doing, source };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(system("listen for the signal to stop"))?;
    tokio::select! {
        ended = downlink.run() => ended.map_err(Into::into),
        ended = commands => ended.map_err(Into::into),
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn connect(config: &Config) -> Result<Client, StationError> {
    let password = config.broker_password()?;
    ConnectOptions::with_user_and_password(config.broker.user.clone(), password)
        .name(format!("lane-controller {}", config.station.station))
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(5))
        .client_capacity(128)
        .reconnect_delay_callback(|attempt| {
            Duration::from_millis(50)
                .saturating_mul(1 << attempt.min(5))
                .min(Duration::from_secs(1))
        })
        .event_callback(|event| async move {
            match event {
                Event::Connected => tracing::info!("broker connected"),
                Event::Disconnected => tracing::warn!("broker disconnected; the lanes go on"),
                Event::ServerError(error) => tracing::error!(%error, "broker refused something"),
                other => tracing::debug!(%other, "broker"),
            }
        })
        .connect(&config.broker.url)
        .await
        .map_err(StationError::Connect)
}

/// A lane with the devices that are its own.
struct Running {
    id: LaneId,
    reader: Option<Reader>,
    wakes: Sender<Wake>,
    condition: watch::Receiver<Condition>,
    signs: VitalSigns,
    thread: std::thread::JoinHandle<()>,
}

impl Running {
    fn stop(self) {
        if let Some(reader) = self.reader
            && catch_unwind(AssertUnwindSafe(|| reader.stop())).is_err()
        {
            tracing::error!(lane.id = %self.id, "the reader's thread had panicked");
        }
        // A lane that has ended already hears nothing.
        drop(self.wakes.send(Wake::Stop));
        drop(self.thread.join());
    }
}

struct Started {
    line: LaneLine,
    heard: Arc<Mutex<LastHeard>>,
    running: Running,
}

fn start_lane(
    config: &Arc<Config>,
    lane: &config::Lane,
    shared: &Shared,
    client: &Client,
    jetstream: &Context,
) -> Result<Started, StationError> {
    let id = config.lane_id(lane)?;
    let (wakes, wake_up) = channel();
    let (epoch, follow_epoch) = watch::channel(0);
    let (posted, _) = watch::channel(Posted::default());
    let (uplink, follow_uplink) = watch::channel(UplinkState::default());
    let (condition, follow_condition) = watch::channel(Condition::Starting);
    let heard = Arc::new(Mutex::new(LastHeard::default()));
    let (events, happened) = mpsc::unbounded_channel();
    let (tell_waiting, events_waiting) = watch::channel(0);
    let file = config.data.folder.join(format!("{}.events", id.lane()));
    let event_line = EventLine {
        lane: id.clone(),
        client: client.clone(),
        jetstream: jetstream.clone(),
        store: EventStore::open(&file, events::KEPT_MAX),
        events: happened,
        waiting: tell_waiting,
        clock: shared.clock,
    };
    tokio::spawn(event_line.run());
    let signs = VitalSigns {
        lane: id.clone(),
        uplink: follow_uplink,
        events_waiting,
        list: shared.list.clone(),
        directives: shared.directives.clone(),
        clock_watch: shared.clock_watch.clone(),
        clock: shared.clock,
        folder: Arc::new(config.data.folder.clone()),
    };
    let place = LanePlace {
        config: Arc::clone(config),
        lane: lane.clone(),
        id: id.clone(),
        shared: shared.clone(),
        client: client.clone(),
        jetstream: jetstream.clone(),
        handle: Handle::current(),
        epoch,
        posted: posted.clone(),
        uplink,
        events: events.clone(),
        condition,
        heard: Arc::clone(&heard),
    };
    let thread = std::thread::Builder::new()
        .name(format!("lane-{}", id.lane()))
        .spawn(move || place.run(&wake_up))
        .map_err(|source| StationError::System { doing: "start a lane's thread", source })?;
    // A lane without its reader still serves: by plate, and by its attendant.
    let reader = start_reader(lane, shared.clock, Arc::clone(&heard), wakes.clone())
        .inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            tracing::error!(lane.id = %id, error, "the lane has no reader");
        })
        .ok();
    tokio::spawn(desk::heartbeats(client.clone(), wakes.clone(), signs.clone()));
    let line = LaneLine {
        id: id.clone(),
        epoch: follow_epoch,
        wakes: wakes.clone(),
        posted,
        events: events.clone(),
    };
    let running = Running { id, reader, wakes, condition: follow_condition, signs, thread };
    Ok(Started { line, heard, running })
}

fn start_reader(
    lane: &config::Lane,
    clock: Clock,
    heard: Arc<Mutex<LastHeard>>,
    wakes: Sender<Wake>,
) -> Result<Reader, ReaderError> {
    let mut read_age = ReadAge::default();
    let reader = ReaderConfig {
        settings: ReaderSettings { bauds: vec![lane.baud], ..ReaderSettings::default() },
        time_scale: clock.speed(),
        ..ReaderConfig::new(lane.reader.clone())
    };
    Reader::spawn(reader, move |event| {
        let wake = match event {
            ReaderEvent::Tag(read) => {
                let waited = read.reader_timestamp_ms.map_or(Duration::ZERO, |reader_ms| {
                    read_age.of(reader_ms, clock.uptime_at(read.at))
                });
                match TagId::try_from_slice(read.epc.as_bytes()) {
                    Ok(tag) => Wake::Tag { tag, at: read.at, waited },
                    Err(_no_tag) => return,
                }
            }
            ReaderEvent::State(state) => Wake::Reader(health(state)),
            ReaderEvent::Report(_) => return,
            ReaderEvent::Gap(gap) => {
                tracing::warn!(?gap, "the reader was not heard for a while");
                return;
            }
        };
        hear(&heard, &wakes, wake);
    })
}

const fn health(state: ReaderState) -> ReaderHealth {
    match state {
        ReaderState::Closed => ReaderHealth::Away,
        ReaderState::Probing | ReaderState::Configuring => ReaderHealth::Starting,
        ReaderState::Reading => ReaderHealth::Reading,
        ReaderState::Degraded => ReaderHealth::Degraded,
    }
}
