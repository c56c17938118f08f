//! A station's devices: each has a thread or task of its own, and tells its lane.
//!
//! What cannot be started is lost, and said to be: a lane without its reader, camera or panel still
//! serves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::wire::v1::ReaderHealth;
use domain::{Clock, LaneId, TagId};
use rfid_driver::supervisor::{Reader, ReaderEvent, ReaderState};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Around, StationError};
use crate::camera::listener::PICTURES_FOLDER;
use crate::camera::{Camera, CameraListener, CameraWatch, CameraWord, ListenerSettings, PlateSeen};
use crate::config::{self, Config, LaneFieldIo, Module};
use crate::display::{Display, DisplayWord};
use crate::field_io::classifier::{
    ClassifierSettings, ClassifierThread, ClassifierWord, Direction,
};
use crate::field_io::relay_card::CardThread;
use crate::field_io::{InputThread, Outputs, modbus};
use crate::journal::JournalReader;
use crate::lane::Certainty;
use crate::pictures::{Outbox, PictureLine, SendPictures};
use crate::read_age::ReadAge;
use crate::runner::{Device, PlateRead, Wake};
use crate::supervise::{LastHeard, hear};

/// Inputs are not read more often than this, in real time, however fast the run is.
const POLL_MIN: Duration = Duration::from_millis(1);
/// However fast a run is, a busy host is no silent device.
const SILENT_REAL_MIN: Duration = Duration::from_secs(5);
/// How often cameras are looked after, in real time.
const CAMERAS_LOOK_EVERY: Duration = Duration::from_millis(500);

/// A lane as its devices know it.
#[derive(Debug, Clone)]
pub(super) struct Ear {
    pub(super) id: LaneId,
    pub(super) heard: Arc<Mutex<LastHeard>>,
    pub(super) wakes: Sender<Wake>,
}

impl Ear {
    fn hears(&self, wake: Wake) {
        hear(&self.heard, &self.wakes, wake);
    }

    fn device(&self, device: Device, works: bool) {
        self.hears(Wake::Device { device, works });
    }

    fn complain(&self, error: &(dyn std::error::Error + 'static), text: &'static str) {
        tracing::error!(lane.id = %self.id, error, text);
    }
}

/// Tells the lanes when their machine's clock is far off, and when it is no more.
pub(super) async fn follow_clock(ears: Vec<Ear>, mut far: watch::Receiver<bool>) {
    while far.changed().await.is_ok() {
        let works = !*far.borrow_and_update();
        ears.iter().for_each(|ear| ear.device(Device::CLOCK, works));
    }
}

/// The modules that lanes share a line to.
#[derive(Debug, Default)]
pub(super) struct Modules(Vec<SharedModule>);

#[derive(Debug)]
struct SharedModule {
    module: Module,
    bus: modbus::Bus,
    lanes: Vec<(u16, Ear)>,
}

impl Modules {
    /// Takes a lane to a module, and gives it its outputs.
    fn join(&mut self, module: Module, index: u16, ear: Ear) -> Outputs {
        let known = self.0.iter().position(|known| known.module.place == module.place);
        let at = known.unwrap_or_else(|| {
            let bus = modbus::Bus::to(module.place.clone());
            self.0.push(SharedModule { module, bus, lanes: Vec::new() });
            self.0.len() - 1
        });
        let shared = &mut self.0[at];
        shared.lanes.push((index, ear));
        Outputs::Modbus(modbus::Outputs::new(&shared.bus.for_outputs(), index))
    }

    /// Starts reading the inputs of all lanes, module by module.
    pub(super) fn start(self, clock: Clock) -> Result<Vec<InputThread>, StationError> {
        let start = |SharedModule { module, bus, lanes }: SharedModule| {
            let indices = lanes.iter().map(|(index, _)| *index).collect();
            let period = clock.to_real(Duration::from_millis(module.poll_ms)).max(POLL_MIN);
            let tell = move |place: usize, word| lanes[place].1.hears(Wake::Field(word));
            InputThread::start(bus, indices, period, clock, tell)
                .map_err(|source| StationError::System { doing: "start an input thread", source })
        };
        self.0.into_iter().map(start).collect()
    }
}

/// What belongs to one lane alone. Dropping it ends its threads.
#[derive(Debug, Default)]
pub(super) struct LaneDevices {
    reader: Option<Reader>,
    card: Option<CardThread>,
    classifier: Option<ClassifierThread>,
}

impl LaneDevices {
    /// Ends the reader; loops and arm are heard until the lane has stopped.
    pub(super) fn stop_reader(&mut self, lane: &LaneId) {
        if let Some(reader) = self.reader.take()
            && catch_unwind(AssertUnwindSafe(|| reader.stop())).is_err()
        {
            tracing::error!(lane.id = %lane, "the reader's thread had panicked");
        }
    }

    /// Starts what hears the lane's vehicles.
    pub(super) fn start(&mut self, lane: &config::Lane, clock: Clock, ear: &Ear) {
        self.reader = start_reader(&lane.reader, clock, ear);
        self.classifier = lane.classifier.as_ref().and_then(|classifier| {
            start_classifier(classifier.clone(), clock, ear.clone())
                .inspect_err(|error| ear.complain(error, "the lane has no classifier"))
                .ok()
        });
    }

    /// A lane's arm, light and siren; a card is heard from now on.
    pub(super) fn outputs(
        &mut self,
        config: &Config,
        lane: &config::Lane,
        clock: Clock,
        modules: &mut Modules,
        ear: Ear,
    ) -> Result<Outputs, StationError> {
        match config.field_io_of(lane)? {
            LaneFieldIo::Modbus { module, index } => Ok(modules.join(module, index, ear)),
            LaneFieldIo::RelayCard(card) => {
                let journal = config.data.folder.join(format!("{}.journal", lane.id));
                // A card counts nothing: its counts go on where the journal's memory ended.
                let reader = JournalReader::open(&journal).ok();
                let saved = reader.and_then(|journal| journal.saved_lane().ok().flatten());
                let settings = card.settings(|run| clock.to_real(run));
                let tell = move |word| ear.hears(Wake::Field(word));
                let (card, outputs) =
                    CardThread::start(settings, saved.as_ref(), clock, tell).map_err(|source| {
                        StationError::System { doing: "start a relay card's thread", source }
                    })?;
                self.card = Some(card);
                Ok(Outputs::RelayCard(outputs))
            }
        }
    }
}

/// The devices that a lane is to have besides reader, loops and arm.
pub(super) fn expected(lane: &config::Lane) -> Vec<Device> {
    let displays = (0..lane.displays.len()).map(Device::display);
    let cameras = (0..lane.cameras.len()).map(Device::camera);
    let classifier = lane.classifier.as_ref().map(|_| Device::CLASSIFIER);
    displays.chain(cameras).chain(classifier).collect()
}

/// Starts a lane's panels.
pub(super) fn start_displays(lane: &config::Lane, ear: &Ear) -> Vec<Display> {
    let start = |(place, display): (usize, &config::Display)| {
        let told = ear.clone();
        let tell = move |word| told.device(Device::display(place), word == DisplayWord::Works);
        Display::start(display.settings(), tell)
            .inspect_err(|error| ear.complain(error, "the lane has no fare display"))
            .ok()
    };
    lane.displays.iter().enumerate().filter_map(start).collect()
}

fn start_classifier(
    classifier: config::Classifier,
    clock: Clock,
    ear: Ear,
) -> std::io::Result<ClassifierThread> {
    let silent_after = clock.to_real(Duration::from_secs(classifier.silent_after_s));
    let settings = ClassifierSettings {
        port: classifier.port.clone(),
        baud: classifier.baud,
        silent_after: silent_after.max(SILENT_REAL_MIN),
    };
    ClassifierThread::start(settings, clock, move |word| match word {
        ClassifierWord::Works => ear.device(Device::CLASSIFIER, true),
        ClassifierWord::Lost => ear.device(Device::CLASSIFIER, false),
        ClassifierWord::Missed { vehicles } => {
            tracing::warn!(lane.id = %ear.id, vehicles, "the classifier was not heard of vehicles");
        }
        ClassifierWord::Measured(measured) => match measured.direction {
            Direction::Forward => {
                if let Some(group) = classifier.group(measured.class) {
                    ear.hears(Wake::Measured(group));
                }
            }
            Direction::Reverse => ear.hears(Wake::Reversed),
        },
    })
}

fn start_reader(reader: &config::Reader, clock: Clock, ear: &Ear) -> Option<Reader> {
    let driver = match reader.driver(clock.speed()) {
        Ok(driver) => driver,
        Err(why) => {
            tracing::error!(lane.id = %ear.id, why, "the lane has no reader");
            return None;
        }
    };
    let mut read_age = ReadAge::default();
    let told = ear.clone();
    let sink = move |event| {
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
        told.hears(wake);
    };
    Reader::spawn(driver, sink)
        .inspect_err(|error| ear.complain(error, "the lane has no reader"))
        .ok()
}

const fn health(state: ReaderState) -> ReaderHealth {
    match state {
        ReaderState::Closed => ReaderHealth::Away,
        ReaderState::Probing | ReaderState::Configuring => ReaderHealth::Starting,
        ReaderState::Reading => ReaderHealth::Reading,
        ReaderState::Degraded => ReaderHealth::Degraded,
    }
}

/// The station's cameras: their listener, and the watch over them. Dropping it ends both.
#[derive(Debug)]
pub(super) struct Cameras {
    _listener: CameraListener,
    watching: JoinHandle<()>,
}

impl Drop for Cameras {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Which lane a camera belongs to, and its place there.
type Belongs = (String, usize, Ear);

/// Where what cameras send is kept.
fn cameras_folder(config: &Config) -> PathBuf {
    config.data.folder.join("cameras")
}

/// Starts what carries a lane's pictures to the broker, where any are to be sent; hands back what it
/// empties.
pub(super) fn start_pictures(around: &Around<'_>, lane: &LaneId) -> Outbox {
    let config = around.config;
    let wanted = config.cameras.as_ref().map_or(SendPictures::None, |set| set.send_pictures);
    let outbox = Outbox::new(wanted);
    if wanted != SendPictures::None {
        let line = PictureLine {
            lane: lane.clone(),
            client: around.client.clone(),
            outbox: outbox.clone(),
            folder: cameras_folder(config).join(PICTURES_FOLDER),
            clock: around.shared.clock,
        };
        tokio::spawn(line.run());
    }
    outbox
}

/// Listens for the cameras of all lanes. A station whose cameras cannot be listened for goes on
/// without them.
pub(super) async fn start_cameras(config: &Config, clock: Clock, ears: &[Ear]) -> Option<Cameras> {
    let settings = config.cameras.as_ref()?;
    let (mut cameras, mut belongs, mut watch) = (Vec::new(), Vec::new(), CameraWatch::default());
    for (lane, ear) in config.lanes.iter().zip(ears) {
        for (place, camera) in lane.cameras.iter().enumerate() {
            let secret = match camera.secret() {
                Ok(secret) => secret,
                Err(why) => {
                    tracing::error!(lane.id = %ear.id, why, "the lane lacks a camera");
                    continue;
                }
            };
            let silent_after = Some(Duration::from_secs(camera.silent_after_s))
                .filter(|after| !after.is_zero())
                .map(|after| clock.to_real(after).max(SILENT_REAL_MIN));
            watch.add(&camera.name, silent_after, clock.real());
            belongs.push((camera.name.clone(), place, ear.clone()));
            let (name, format) = (camera.name.clone(), camera.format);
            let (lane, confidence_max) = (ear.id.clone(), camera.confidence_max);
            cameras.push(Camera { name, lane, format, secret, confidence_max });
        }
    }
    let listener = ListenerSettings {
        listen: settings.listen,
        folder: cameras_folder(config),
        pictures_bytes_max: settings.pictures_mb_max << 20,
        quarantine_bytes_max: settings.quarantine_mb_max << 20,
        post_bytes_max: settings.post_mb_max << 20,
    };
    let watch = Arc::new(Mutex::new(watch));
    let belongs: Arc<[Belongs]> = belongs.into();
    let percent_min = config.policy.plate_confidence_min;
    let (watched, owners) = (Arc::clone(&watch), Arc::clone(&belongs));
    let tell = move |word: CameraWord| {
        let name = word.camera().to_owned();
        let Some((_, place, ear)) = owners.iter().find(|(known, ..)| *known == name) else {
            return;
        };
        let is_news =
            watched.lock().unwrap_or_else(PoisonError::into_inner).hears(&name, clock.real());
        if is_news {
            ear.device(Device::camera(*place), true);
        }
        match word {
            CameraWord::Seen(seen) => ear.hears(Wake::Plate(read(seen, percent_min))),
            CameraWord::Pictured { pictures, .. } => ear.hears(Wake::Pictured(pictures)),
            CameraWord::Alive { .. } | CameraWord::Quarantined { .. } => {}
        }
    };
    match CameraListener::start(listener, cameras, clock, tell).await {
        Ok(listener) => {
            let watching = tokio::spawn(look_after(watch, belongs, clock));
            Some(Cameras { _listener: listener, watching })
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cameras are not listened for");
            None
        }
    }
}

fn read(seen: PlateSeen, percent_min: u8) -> PlateRead {
    let is_sure = seen.confidence.percent() >= percent_min;
    PlateRead {
        plate: seen.plate,
        certainty: if is_sure { Certainty::Confident } else { Certainty::Doubtful },
        pictures: seen.pictures,
    }
}

async fn look_after(watch: Arc<Mutex<CameraWatch>>, belongs: Arc<[Belongs]>, clock: Clock) {
    let mut look = tokio::time::interval(CAMERAS_LOOK_EVERY);
    loop {
        look.tick().await;
        let news = watch.lock().unwrap_or_else(PoisonError::into_inner).look(clock.real());
        for (name, works) in news {
            if let Some((_, place, ear)) = belongs.iter().find(|(known, ..)| *known == name) {
                ear.device(Device::camera(*place), works);
            }
        }
    }
}
