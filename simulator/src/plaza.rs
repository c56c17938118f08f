//! The plaza: the shell that gives the world its wires.
//!
//! One thread moves the world: at each tick it takes the pulses that came from the field I/O, lets
//! time pass up to the clock, and shows loops, fields and truth. Ticks may be late: the world
//! catches up in small steps, and a vehicle moves only on what the arm does.
//!
//! It does not mind who is at the other end of its wires: lane controllers, the broker and the
//! centre may come and go.

mod wires;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc as thread_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use broker_link::{Link, LinkError};
use domain::passage::LaneRole;
use domain::tariff::TariffError;
use domain::{Clock, LaneId, OperatorId, StationId};
use rfid_driver::emulator::EmulatorSettings;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::attendant::Attendant;
use crate::field_io::{FieldIoServer, StationPoints};
use crate::network::{Network, Station};
use crate::plan::Plan;
use crate::world::World;

pub use crate::world::{Progress, TopUp};

use wires::{TruthFile, Wires};

/// Who was turned away stays away for at least this long on the machine: a top-up must get from
/// the driver to the lanes.
const AWAY_REAL_MIN: Duration = Duration::from_secs(3);
/// Between two reports of a tag that stays in a field, on the machine.
const READ_INTERVAL_REAL: Duration = Duration::from_millis(20);
/// The same in the reader's time, at least.
const READ_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// What a plaza is made of.
#[derive(Debug)]
pub struct PlazaSetup {
    /// Stations, lanes and fares.
    pub network: Network,
    /// Who comes when.
    pub plan: Plan,
    /// The run's clock.
    pub clock: Clock,
    /// Of the attendants' and the readers' chance.
    pub seed: u64,
    /// The folder in which the readers' ports appear.
    pub devices_folder: PathBuf,
    /// Where the attendants work.
    pub broker: Link,
    /// The file that the truth is written to.
    pub truth: PathBuf,
}

/// Why a plaza could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum PlazaError {
    /// The folder for the readers' ports could not be made.
    #[error("make the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A reader could not be switched on.
    #[error("switch on the reader of lane {lane}")]
    Reader {
        /// Its lane.
        lane: LaneId,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A station's field I/O could not be served.
    #[error("serve the field I/O of station {station}")]
    FieldIo {
        /// The station.
        station: StationId,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The broker's address or user cannot be one. A broker that is away is no error.
    #[error("connect to the broker")]
    Broker(#[source] LinkError),
    /// The truth could not be written.
    #[error("write the truth to {path}")]
    Truth {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The thread that moves the world could not be started.
    #[error("start the world")]
    Thread(#[source] io::Error),
    /// A crossing has no fare.
    #[error("tell the fare of a crossing")]
    Fare(#[source] TariffError),
    /// The world was stopped, or broke down, before everybody was through.
    #[error("the world stopped before every journey was over")]
    Stopped,
}

/// Where a lane's devices are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneDevices {
    /// The lane.
    pub lane: LaneId,
    /// What it is for.
    pub role: LaneRole,
    /// The reader's serial port.
    pub reader: PathBuf,
    /// Its block in the field I/O.
    pub field_io_index: u16,
}

/// Where a station's devices are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationDevices {
    /// Who runs it.
    pub operator: OperatorId,
    /// The station.
    pub station: StationId,
    /// The road, where the station is on an entry/exit road.
    pub road: Option<String>,
    /// Its Modbus TCP server.
    pub field_io: SocketAddr,
    /// Its lanes.
    pub lanes: Vec<LaneDevices>,
}

/// A running plaza. Dropping it switches everything off.
#[derive(Debug)]
pub struct Plaza {
    devices: Vec<StationDevices>,
    world: Arc<Mutex<World>>,
    progress: watch::Receiver<Progress>,
    top_ups: Option<mpsc::UnboundedReceiver<TopUp>>,
    /// What the thread that moves the world ended with, once it has.
    outcome: Mutex<Option<PlazaError>>,
    thread: Mutex<Option<JoinHandle<Result<(), PlazaError>>>>,
    stop: Option<thread_channel::Sender<()>>,
    _field_io: Vec<FieldIoServer>,
    _attendants: JoinSet<()>,
}

impl Plaza {
    /// Switches readers and field I/O on and lets the attendants in; no vehicle comes before
    /// [`Plaza::begin`].
    ///
    /// # Errors
    /// When a device cannot be made or the truth cannot be written. The broker may be away.
    pub async fn start(setup: PlazaSetup) -> Result<Self, PlazaError> {
        let PlazaSetup { network, plan, clock, seed, devices_folder, broker, truth } = setup;
        std::fs::create_dir_all(&devices_folder)
            .map_err(|source| PlazaError::Folder { path: devices_folder.clone(), source })?;
        let truth = TruthFile::create(truth)?;
        let client = broker.connect("simulator").await.map_err(PlazaError::Broker)?;
        let stations = network.stations().to_vec();
        let zero_at = clock.now().saturating_sub(clock.uptime()).unwrap_or_default();
        let away_min = AWAY_REAL_MIN.mul_f64(clock.speed());
        let world = Arc::new(Mutex::new(World::new(network, plan, zero_at, away_min)));

        let mut equipment = Equipment::default();
        for (station, seed) in stations.iter().zip(seed..) {
            equipment.fit_out(station, &devices_folder, &clock, seed).await?;
        }
        let mut attendants = JoinSet::new();
        for (station, seed) in stations.into_iter().zip(seed..) {
            let attendant = Attendant {
                operator: station.operator,
                station: station.id,
                client: client.clone(),
                world: Arc::clone(&world),
                clock,
                seed,
            };
            attendants.spawn(attendant.run());
        }

        let (top_up_sender, top_ups) = mpsc::unbounded_channel();
        let (progress_sender, progress) = watch::channel(lock(&world).progress());
        let (stop, stopped) = thread_channel::channel();
        let wires = Wires {
            world: Arc::clone(&world),
            clock,
            readers: equipment.readers,
            points: equipment.points,
            truth,
            top_ups: top_up_sender,
            progress: progress_sender,
        };
        let thread = std::thread::Builder::new()
            .name("world".to_owned())
            .spawn(move || wires.run(&stopped))
            .map_err(PlazaError::Thread)?;
        Ok(Self {
            devices: equipment.devices,
            world,
            progress,
            top_ups: Some(top_ups),
            outcome: Mutex::new(None),
            thread: Mutex::new(Some(thread)),
            stop: Some(stop),
            _field_io: equipment.field_io,
            _attendants: attendants,
        })
    }

    /// Where the devices are, station by station.
    #[must_use]
    pub fn devices(&self) -> &[StationDevices] {
        &self.devices
    }

    /// Lets vehicles come from now on: the lanes are ready.
    pub fn begin(&self) {
        lock(&self.world).begin();
    }

    /// How far the run is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        lock(&self.world).progress()
    }

    /// The top-ups that drivers ask for, to be carried out by whoever takes them; once.
    pub fn top_ups(&mut self) -> Option<mpsc::UnboundedReceiver<TopUp>> {
        self.top_ups.take()
    }

    /// Waits until every journey is over and its truth is written.
    ///
    /// # Errors
    /// When the truth could not be written, or the world stopped earlier.
    pub async fn finished(&self) -> Result<(), PlazaError> {
        let mut progress = self.progress.clone();
        let done = progress.wait_for(Progress::is_done).await;
        if done.is_ok() {
            return Ok(());
        }
        self.join();
        Err(lock(&self.outcome).take().unwrap_or(PlazaError::Stopped))
    }

    /// Waits for the thread that moves the world, which is ending.
    fn join(&self) {
        if let Some(thread) = lock(&self.thread).take() {
            let outcome = thread.join().unwrap_or(Err(PlazaError::Stopped));
            *lock(&self.outcome) = outcome.err();
        }
    }
}

impl Drop for Plaza {
    fn drop(&mut self) {
        self.stop = None;
        self.join();
    }
}

/// What stands at the stations; readers and points are in the order of the network's lanes.
#[derive(Default)]
struct Equipment {
    devices: Vec<StationDevices>,
    field_io: Vec<FieldIoServer>,
    readers: Vec<PtyReader>,
    points: Vec<(Arc<StationPoints>, usize)>,
}

impl Equipment {
    /// Fits a station out with field I/O and readers.
    async fn fit_out(
        &mut self,
        station: &Station,
        devices_folder: &Path,
        clock: &Clock,
        seed: u64,
    ) -> Result<(), PlazaError> {
        let points = Arc::new(StationPoints::new(station.lanes.len()));
        let server = FieldIoServer::start(Arc::clone(&points))
            .await
            .map_err(|source| PlazaError::FieldIo { station: station.id.clone(), source })?;
        let lanes = ports_of(station, devices_folder);
        for lane in &lanes {
            self.readers.push(switch_on(lane, clock, seed)?);
            self.points.push((Arc::clone(&points), usize::from(lane.field_io_index)));
        }
        self.devices.push(StationDevices {
            operator: station.operator.clone(),
            station: station.id.clone(),
            road: station.road.clone(),
            field_io: server.address(),
            lanes,
        });
        self.field_io.push(server);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ports_of(station: &Station, devices_folder: &Path) -> Vec<LaneDevices> {
    station
        .lanes
        .iter()
        .map(|lane| LaneDevices {
            lane: lane.id.clone(),
            role: lane.role,
            reader: devices_folder.join(format!("{}-{}.reader", station.id, lane.id.lane())),
            field_io_index: lane.field_io_index,
        })
        .collect()
}

fn switch_on(port: &LaneDevices, clock: &Clock, seed: u64) -> Result<PtyReader, PlazaError> {
    let config = PtyReaderConfig {
        time_scale: clock.speed(),
        reader: EmulatorSettings {
            seed: seed.wrapping_add(u64::from(port.field_io_index) << 32),
            read_interval: READ_INTERVAL_REAL.mul_f64(clock.speed()).max(READ_INTERVAL_MIN),
            ..EmulatorSettings::default()
        },
        ..PtyReaderConfig::default()
    };
    PtyReader::start(&port.reader, config)
        .map_err(|source| PlazaError::Reader { lane: port.lane.clone(), source })
}

#[cfg(test)]
mod tests;
