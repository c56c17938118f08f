//! Vehicles through one contender's lane: loop, tag, arm, gone; and how long the arm took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use domain::wire::v1::EventKind;
use domain::{Clock, TagId};
use lane_controller::field_io::{InputThread, Outputs};
use lane_controller::runner::{Wake, Word};
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent, ReaderState};
use tokio::sync::mpsc;

use super::deltas::Deltas;
use super::io_module::IoModule;
use super::{Scene, VEHICLE_EVERY, WARM_UP};
use crate::Failed;
use crate::antenna::Antenna;
use crate::latency::Latency;

/// How often the loops are read. Oftener than a real station does, so that the vehicle is known
/// when its tag is read and the tag alone is measured.
const POLL_EVERY: Duration = Duration::from_millis(2);
/// From the loop to the tag.
const TAG_AFTER: Duration = Duration::from_millis(8);
/// Nothing here takes that long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at something that only a look can tell.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What a contender runs with.
pub(super) struct Seat {
    pub(super) wakes: Receiver<Wake>,
    pub(super) words: mpsc::UnboundedSender<Word>,
    pub(super) outputs: Outputs,
}

/// A contender that runs in its thread.
pub(super) type Sitting = JoinHandle<Result<(), Failed>>;

/// Starts a contender's thread.
pub(super) fn sitting(
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Result<Sitting, Failed> {
    Ok(std::thread::Builder::new().name("lane".to_owned()).spawn(run)?)
}

/// What was measured of a contender.
pub(super) struct Timings {
    /// Measured outside: from just before the frame is written until the module has the command.
    pub(super) frame_to_open: Latency,
    /// As the lane says, from the read of the frame's last byte.
    pub(super) read_to_decision: Latency,
    /// Likewise, until the module has answered the command.
    pub(super) read_to_open: Latency,
}

impl Timings {
    pub(super) fn try_new() -> Result<Self, Failed> {
        Ok(Self {
            frame_to_open: Latency::try_new()?,
            read_to_decision: Latency::try_new()?,
            read_to_open: Latency::try_new()?,
        })
    }
}

/// Starts a contender's lane, drives vehicles through it, and stops it.
pub(super) fn drive(
    scene: &Scene,
    deltas: &Deltas,
    vehicles: usize,
    timings: &mut Timings,
    sit: impl FnOnce(Seat) -> Result<Sitting, Failed>,
) -> Result<(), Failed> {
    let clock = scene.clock;
    let module = IoModule::start(clock)?;
    let mut antenna = Antenna::switch_on(clock)?;
    let (wakes, wake_up) = channel();
    let (say, words) = mpsc::unbounded_channel();
    let outputs = Outputs::new(module.address(), 0);
    let lane = sit(Seat { wakes: wake_up, words: say, outputs })?;
    let field_wakes = wakes.clone();
    let inputs =
        InputThread::start(module.address(), vec![0], POLL_EVERY, clock, move |_lane, word| {
            field_wakes.send(Wake::Field(word)).ok();
        })?;
    let reads = Arc::new(AtomicBool::new(false));
    let reader = start_reader(&antenna, wakes.clone(), Arc::clone(&reads))?;
    deltas.tell(Some(wakes.clone()));

    let mut listener = Listener { words, arrived: 0, timings, skip: WARM_UP };
    antenna.wait(clock, "the reader reads", || reads.load(Ordering::Acquire))?;
    antenna.wait(clock, "the loops are read", || module.readings() > 2)?;
    let mut next = clock.real() + VEHICLE_EVERY;
    for (number, tag) in scene.tags.iter().cycle().take(WARM_UP + vehicles).enumerate() {
        antenna.serve_until(next)?;
        module.vehicle_arrives();
        antenna.serve_until(next + TAG_AFTER)?;
        antenna.wait(clock, "the lane has the vehicle", || listener.has_arrived(number + 1))?;
        let took = pass(&mut antenna, &module, tag)?;
        if number >= WARM_UP {
            listener.timings.frame_to_open.record(took);
        }
        module.vehicle_leaves();
        // A vehicle comes when the one before has gone, however long that took.
        next = (next + VEHICLE_EVERY).max(clock.real());
    }
    deltas.tell(None);
    drop(inputs);
    reader.stop();
    wakes.send(Wake::Stop)?;
    lane.join().map_err(|_panic| "the lane panicked")??;
    listener.hear();
    Ok(())
}

/// The measured moment of one vehicle.
fn pass(antenna: &mut Antenna, module: &IoModule, tag: &TagId) -> Result<Duration, Failed> {
    let sent_at = antenna.show(tag)?;
    let opened_at = module
        .opened()
        .recv_timeout(PATIENCE)
        .map_err(|_never| "the arm was not raised for a good tag")?;
    Ok(opened_at.saturating_duration_since(sent_at))
}

fn start_reader(
    antenna: &Antenna,
    wakes: std::sync::mpsc::Sender<Wake>,
    reads: Arc<AtomicBool>,
) -> Result<Reader, Failed> {
    let reader = Reader::spawn(ReaderConfig::new(antenna.port()), move |event| match event {
        ReaderEvent::Tag(read) => {
            if let Ok(tag) = TagId::try_from_slice(read.epc.as_bytes()) {
                wakes.send(Wake::Tag { tag, at: read.at, waited: Duration::ZERO }).ok();
            }
        }
        ReaderEvent::State(state) => reads.store(state == ReaderState::Reading, Ordering::Release),
        ReaderEvent::Gap(_) | ReaderEvent::Report(_) => {}
    })?;
    Ok(reader)
}

impl Antenna {
    /// Is a reader until something is so.
    fn wait(
        &mut self,
        clock: Clock,
        what: &str,
        mut is_so: impl FnMut() -> bool,
    ) -> Result<(), Failed> {
        let end = clock.real() + PATIENCE;
        while !is_so() {
            let now = clock.real();
            if now >= end {
                return Err(format!("it did not come so far that {what}").into());
            }
            self.serve_until(now + LOOK_EVERY)?;
        }
        Ok(())
    }
}

/// Hears what the lane says.
struct Listener<'a> {
    words: mpsc::UnboundedReceiver<Word>,
    arrived: usize,
    timings: &'a mut Timings,
    /// Vehicles that are not measured any more.
    skip: usize,
}

impl Listener<'_> {
    fn has_arrived(&mut self, vehicles: usize) -> bool {
        self.hear();
        self.arrived >= vehicles
    }

    fn hear(&mut self) {
        while let Ok(word) = self.words.try_recv() {
            let Word::Event(event) = word else { continue };
            match event.kind {
                EventKind::VehicleArrived { .. } => self.arrived += 1,
                EventKind::PassageRecorded { read_to_decision_us: Some(micros), .. }
                    if self.arrived > self.skip =>
                {
                    self.timings.read_to_decision.record(Duration::from_micros(micros));
                }
                EventKind::Opened { read_to_open_us: Some(micros) } if self.arrived > self.skip => {
                    self.timings.read_to_open.record(Duration::from_micros(micros));
                }
                _ => {}
            }
        }
    }
}

/// Waits without doing anything.
pub(crate) fn wait_until(clock: Clock, end: Instant) {
    loop {
        let left = end.saturating_duration_since(clock.real());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}
