//! A station's lanes put together: threads, connections, files. All of it shell.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions, Event, HeaderMap, Request};
use domain::passage::LaneRole;
use domain::signature::{Context as Purpose, Digest256, SecretKey, Signature};
use domain::wire::v1::{EpochGrant, EpochRequest, ReaderHealth, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId, TagId};
use rfid_driver::session::ReaderSettings;
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent, ReaderState};
use tokio::sync::{mpsc, watch};

use crate::config::{self, Config, ConfigError, FieldIo};
use crate::desk;
use crate::downlink::{self, Downlink, LaneLine};
use crate::entries::EntryBook;
use crate::field_io::modbus::{self, Bus};
use crate::field_io::relay_card::CardThread;
use crate::field_io::{InputThread, Outputs};
use crate::journal::{Journal, JournalError};
use crate::lane::LanePolicy;
use crate::list::{ListError, ListStore};
use crate::read_age::ReadAge;
use crate::runner::{LaneParts, LaneThread, Shared, Wake};
use crate::uplink::{self, Marks, Posted};

/// How long to wait for the centre's grant of an epoch before asking again, in real time.
const EPOCH_WITHIN: Duration = Duration::from_secs(2);
/// Inputs are not read more often than this, in real time, however fast the run is.
const POLL_MIN: Duration = Duration::from_millis(1);

/// A tag that was dealt with stays so for at least this long, in real time.
const DUPLICATE_WINDOW_REAL_MIN: Duration = Duration::from_secs(2);

/// Why a station did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StationError {
    /// The configuration is not usable.
    #[error("use the configuration")]
    Config(#[from] ConfigError),
    /// A journal is not usable.
    #[error("use a lane's journal")]
    Journal(#[from] JournalError),
    /// The kept list is not usable.
    #[error("use the kept account list")]
    List(#[from] ListError),
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
    /// A reader's thread could not be started.
    #[error("start a reader")]
    Reader(#[source] rfid_driver::supervisor::ReaderError),
    /// A lane's thread has ended on its own.
    #[error("lane {0} has stopped by itself")]
    LaneStopped(LaneId),
}

/// Runs the station until it is told to stop.
///
/// # Errors
/// When it cannot start, or a lane stops by itself.
pub async fn run(config: Config) -> Result<(), StationError> {
    let clock = Clock::of_run(config.clock);
    let folder = config.data.folder.clone();
    std::fs::create_dir_all(&folder)
        .map_err(|source| StationError::System { doing: "make the data folder", source })?;
    let store = ListStore::open(&folder.join("list"), config.centre.public_key)?;
    let shared = Shared {
        list: Arc::new(RwLock::new(store.load())),
        entries: Arc::new(RwLock::new(EntryBook::default())),
        tariffs: Arc::new(config.tariffs()?),
        clock,
    };
    let client = connect(&config).await?;
    let jetstream = ContextBuilder::new().timeout(Duration::from_secs(5)).build(client.clone());
    let mut lines = Vec::new();
    let mut running = Vec::new();
    let module = module(&config);
    for lane in &config.lanes {
        let started =
            start_lane(&config, lane, module.as_ref(), &shared, &client, &jetstream).await?;
        lines.push(started.line);
        running.push(started.running);
    }
    let inputs = start_inputs(&config, module, &lines, clock)?;
    let lanes_by_id = downlink::by_id(&lines);
    let downlink = Downlink {
        client: client.clone(),
        jetstream,
        centre: config.centre.public_key,
        store,
        list: Arc::clone(&shared.list),
        entries: Arc::clone(&shared.entries),
        road: config.station.road.clone(),
        lanes: lines,
        entries_read: 0,
    };
    tracing::info!(station.id = %config.station.station, lanes = running.len(), "station runs");
    let ended = until_stopped(downlink, desk::commands(client, lanes_by_id), &running).await;
    drop(inputs);
    for lane in running {
        lane.stop();
    }
    tracing::info!(station.id = %config.station.station, "station stopped");
    ended
}

/// The way to the station's I/O module; nothing where every lane has a relay card.
fn module(config: &Config) -> Option<Bus> {
    match &config.field_io {
        FieldIo::Modbus { module, .. } => Some(Bus::to(module.clone())),
        FieldIo::RelayCard { .. } => None,
    }
}

/// Reads the inputs of all lanes, where one module has them.
fn start_inputs(
    config: &Config,
    module: Option<Bus>,
    lines: &[LaneLine],
    clock: Clock,
) -> Result<Option<InputThread>, StationError> {
    let (Some(bus), FieldIo::Modbus { poll_ms, .. }) = (module, &config.field_io) else {
        return Ok(None);
    };
    let indices = config.lanes.iter().filter_map(|lane| lane.field_io_index).collect();
    let wakes: Vec<Sender<Wake>> = lines.iter().map(|line| line.wakes.clone()).collect();
    let period = clock.to_real(Duration::from_millis(*poll_ms)).max(POLL_MIN);
    InputThread::start(bus, indices, period, clock, move |place, word| {
        // A lane that has stopped needs no inputs.
        drop(wakes[place].send(Wake::Field(word)));
    })
    .map(Some)
    .map_err(|source| StationError::System { doing: "start the input thread", source })
}

/// What drives a lane's arm, and the thread that hears its card where it has one.
fn lane_outputs(
    config: &Config,
    lane: &config::Lane,
    module: Option<&Bus>,
    journal: &Journal,
    clock: Clock,
    wakes: Sender<Wake>,
) -> Result<(Outputs, Option<CardThread>), StationError> {
    if let Some(bus) = module {
        // A configuration without it was refused when it was read.
        let index = lane.field_io_index.unwrap_or_default();
        return Ok((Outputs::Modbus(modbus::Outputs::new(&bus.for_outputs(), index)), None));
    }
    let port = lane.relay_card.clone().unwrap_or_default();
    let Some(settings) = config.field_io.card(port, |run| clock.to_real(run)) else {
        unreachable!("a station has a module or cards")
    };
    let saved = journal.saved_lane()?;
    let started = CardThread::start(settings, saved.as_ref(), clock, move |word| {
        // A lane that has stopped needs no inputs.
        drop(wakes.send(Wake::Field(word)));
    });
    let (card, outputs) = started
        .map_err(|source| StationError::System { doing: "start a relay card's thread", source })?;
    Ok((Outputs::RelayCard(outputs), Some(card)))
}

async fn until_stopped(
    downlink: Downlink,
    commands: impl Future<Output = Result<(), async_nats::SubscribeError>>,
    running: &[Running],
) -> Result<(), StationError> {
    let system = |doing| move |source| StationError::System { doing, source };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(system("listen for the signal to stop"))?;
    let mut watch = tokio::time::interval(Duration::from_secs(1));
    let stopped = async {
        loop {
            watch.tick().await;
            if let Some(lane) = running.iter().find(|lane| lane.thread.is_finished()) {
                return lane.id.clone();
            }
        }
    };
    tokio::select! {
        ended = downlink.run() => ended.map_err(Into::into),
        ended = commands => ended.map_err(Into::into),
        lane = stopped => Err(StationError::LaneStopped(lane)),
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

/// A lane that runs.
struct Running {
    id: LaneId,
    reader: Reader,
    /// Hears the lane's relay card until the lane is stopped.
    card: Option<CardThread>,
    wakes: Sender<Wake>,
    thread: std::thread::JoinHandle<()>,
}

impl Running {
    fn stop(self) {
        self.reader.stop();
        drop(self.card);
        // A lane that has ended already hears nothing.
        drop(self.wakes.send(Wake::Stop));
        drop(self.thread.join());
    }
}

struct Started {
    line: LaneLine,
    running: Running,
}

async fn start_lane(
    config: &Config,
    lane: &config::Lane,
    module: Option<&Bus>,
    shared: &Shared,
    client: &Client,
    jetstream: &Context,
) -> Result<Started, StationError> {
    let id = config.lane_id(lane)?;
    let key = lane.key()?;
    let journal = open_journal(config, &id, key, client, shared.clock).await?;
    let epoch = journal.epoch();
    let uplink_journal = journal.reader()?;
    let (written, follow_written) = watch::channel(journal.last_seq());
    let (posted, follow_posted) =
        watch::channel(Posted { upto: journal.posted_upto()?, missing_from: None });
    let (say, words) = mpsc::unbounded_channel();
    let (wakes, wake_up) = channel();
    let role = LaneRole::from(lane.role);
    let (outputs, card) =
        lane_outputs(config, lane, module, &journal, shared.clock, wakes.clone())?;
    let thread = LaneThread::try_new(LaneParts {
        id: id.clone(),
        role,
        policy: policy(config, shared.clock),
        journal,
        outputs,
        shared: shared.clone(),
        words: say,
        keep_records: config.policy.keep_records,
    })?;
    let thread = std::thread::Builder::new()
        .name(format!("lane-{}", id.lane()))
        .spawn(move || thread.run(&wake_up))
        .map_err(|source| StationError::System { doing: "start a lane's thread", source })?;
    let reader = start_reader(lane, shared.clock, wakes.clone())?;
    let marks = Marks { written: follow_written, posted: follow_posted };
    tokio::spawn(uplink::run(
        id.clone(),
        epoch,
        uplink_journal,
        client.clone(),
        jetstream.clone(),
        marks,
    ));
    tokio::spawn(desk::words(id.clone(), client.clone(), words, written));
    tokio::spawn(desk::heartbeats(id.clone(), client.clone(), wakes.clone()));
    Ok(Started {
        line: LaneLine { id: id.clone(), epoch, wakes: wakes.clone(), posted },
        running: Running { id, reader, card, wakes, thread },
    })
}

/// The configured policy; in a run that is faster than life, what only guards against a busy
/// machine does not shrink with the run.
fn policy(config: &Config, clock: Clock) -> LanePolicy {
    let policy = LanePolicy::from(config.policy);
    let least = DUPLICATE_WINDOW_REAL_MIN.mul_f64(clock.speed());
    LanePolicy { duplicate_window: policy.duplicate_window.max(least), ..policy }
}

fn start_reader(
    lane: &config::Lane,
    clock: Clock,
    wakes: Sender<Wake>,
) -> Result<Reader, StationError> {
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
        // A lane that has stopped needs no reader.
        drop(wakes.send(wake));
    })
    .map_err(StationError::Reader)
}

const fn health(state: ReaderState) -> ReaderHealth {
    match state {
        ReaderState::Closed => ReaderHealth::Away,
        ReaderState::Probing | ReaderState::Configuring => ReaderHealth::Starting,
        ReaderState::Reading => ReaderHealth::Reading,
        ReaderState::Degraded => ReaderHealth::Degraded,
    }
}

/// Opens the lane's journal; a blank one needs the centre once, for its epoch.
async fn open_journal(
    config: &Config,
    id: &LaneId,
    key: SecretKey,
    client: &Client,
    clock: Clock,
) -> Result<Journal, StationError> {
    let path = config.data.folder.join(format!("{}.journal", id.lane()));
    let identity = Journal::identify(&path, id)?;
    let epoch = match identity.epoch {
        Some(epoch) => epoch,
        None => granted_epoch(config, id, &key, identity.journal, client).await,
    };
    Ok(Journal::open(Path::new(&path), id.clone(), key, epoch, boot(clock))?)
}

/// A name for this start of the controller.
fn boot(clock: Clock) -> String {
    format!("{}-{}", clock.now().as_millisecond(), std::process::id())
}

async fn granted_epoch(
    config: &Config,
    id: &LaneId,
    key: &SecretKey,
    journal: Digest256,
    client: &Client,
) -> u32 {
    let payload = emit(&EpochRequest { v: 1, lane: id.clone(), journal });
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, key.sign(Purpose::Epoch, &payload).to_text());
    loop {
        let request = Request::new()
            .headers(headers.clone())
            .payload(payload.clone().into())
            .timeout(Some(EPOCH_WITHIN));
        match client.send_request(subject::EPOCH_REQUEST, request).await {
            Ok(answer) => {
                let signed = answer
                    .headers
                    .as_ref()
                    .and_then(|headers| headers.get(SIGNATURE_HEADER))
                    .and_then(|text| Signature::try_from(text.as_str().to_owned()).ok())
                    .is_some_and(|signature| {
                        let centre = config.centre.public_key;
                        centre.verify(Purpose::Epoch, &answer.payload, &signature).is_ok()
                    });
                let grant: Option<EpochGrant> = parse("grant of an epoch", &answer.payload).ok();
                match grant.filter(|grant| signed && grant.lane == *id && grant.journal == journal)
                {
                    Some(grant) => return grant.epoch,
                    None => tracing::error!(lane.id = %id, "an answer is no grant of the centre"),
                }
            }
            Err(error) => {
                tracing::warn!(lane.id = %id, %error, "a blank journal waits for its epoch");
            }
        }
        tokio::time::sleep(EPOCH_WITHIN / 10).await;
    }
}
