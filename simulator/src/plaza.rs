//! The plaza: the shell that gives the world its wires.
//!
//! One thread moves the world: at each tick it takes the pulses that came from the field I/O, lets
//! time pass up to the clock, and shows loops, fields and truth. Ticks may be late: the world
//! catches up in small steps, and a vehicle moves only on what the arm does.
//!
//! It does not mind who is at the other end of its wires: lane controllers, the broker and the
//! centre may come and go.

mod fittings;
mod wires;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc as thread_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use broker_link::{Link, LinkError};
use domain::signature::SecretKey;
use domain::tariff::TariffError;
use domain::{Clock, LaneId, StationId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::attendant::Attendant;
use crate::field_io::FieldIoServer;
use crate::network::Network;
use crate::plan::Plan;
use crate::world::World;

pub use crate::world::{Progress, TopUp};

pub use fittings::{CameraDevice, Fittings, LaneDevices, StationDevices};

use fittings::Equipment;
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
    /// The key of the desk that vouches for them.
    pub desk: SecretKey,
    /// The file that the truth is written to.
    pub truth: PathBuf,
    /// What its lanes have.
    pub fittings: Fittings,
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
    /// Another device of a lane could not be switched on.
    #[error("switch on a device of lane {lane}")]
    Device {
        /// Its lane.
        lane: LaneId,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A device's line failed.
    #[error("speak for a lane's device")]
    Line(#[source] io::Error),
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
        let PlazaSetup { network, plan, clock, seed, devices_folder, broker, .. } = setup;
        let (desk, truth, fittings) = (setup.desk, setup.truth, setup.fittings);
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
            equipment.fit_out(station, fittings, &devices_folder, &clock, seed).await?;
        }
        let mut attendants = JoinSet::new();
        for (station, seed) in stations.into_iter().zip(seed..) {
            let attendant = Attendant {
                operator: station.operator,
                station: station.id,
                client: client.clone(),
                desk: desk.clone(),
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
            roadside: equipment.roadside,
            handle: tokio::runtime::Handle::current(),
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

    /// What stands at the lanes, in one line.
    #[must_use]
    pub fn equipment(&self) -> String {
        let lanes = || self.devices.iter().flat_map(|station| &station.lanes);
        let protocols: std::collections::BTreeSet<_> = lanes().map(|lane| lane.protocol).collect();
        let protocols = protocols.into_iter().collect::<Vec<_>>().join(", ");
        let cards = lanes().filter(|lane| lane.relay_card.is_some()).count();
        let panels = lanes().filter(|lane| lane.panel.is_some()).count();
        let cameras = lanes().filter(|lane| lane.camera.is_some()).count();
        let readers = lanes().count();
        format!(
            "{readers} readers ({protocols}), {} lanes by Modbus, {cards} by relay card, \
             {panels} panels, {cameras} cameras",
            readers - cards
        )
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
