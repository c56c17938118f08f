//! The classifier's line: a thread that opens the port, hears the classifier, and begins again.
//!
//! The classifier says every 5 s that it is there, so that silence is found without a vehicle.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use domain::Clock;
use rfid_driver::deframe::Deframer;
use rfid_driver::port::{Port, PortError};

use super::{ClassifierFraming, CountStep, CountWatch, Message, VehicleMeasured};

/// How long a read waits, and so how long a stop takes, in real time.
const READ_WAIT: Duration = Duration::from_millis(50);
/// How long to wait before a port is opened again, in real time.
const OPEN_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Where a classifier is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassifierSettings {
    /// Its port; best one of `/dev/serial/by-id`.
    pub port: PathBuf,
    /// The port's speed.
    pub baud: u32,
    /// Nothing heard for that real time counts as silence.
    pub silent_after: Duration,
}

/// What is heard of a classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassifierWord {
    /// It speaks, for the first time or again.
    Works,
    /// Its port is not there or failed, or it is silent.
    Lost,
    /// A vehicle went through.
    Measured(VehicleMeasured),
    /// Vehicles went through that were missed on the line.
    Missed {
        /// How many.
        vehicles: u32,
    },
}

/// Hears a classifier until it is dropped.
#[derive(Debug)]
pub struct ClassifierThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ClassifierThread {
    /// Starts hearing. A port that is not there is no error: the classifier is lost until it is.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        settings: ClassifierSettings,
        clock: Clock,
        tell: impl FnMut(ClassifierWord) + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut line = Line { settings, clock, tell, watch: CountWatch::default(), works: None };
        let thread = std::thread::Builder::new()
            .name("classifier".to_owned())
            .spawn(move || line.run(&stopped))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for ClassifierThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has said so already.
            drop(thread.join());
        }
    }
}

/// The thread's side.
struct Line<T> {
    settings: ClassifierSettings,
    clock: Clock,
    tell: T,
    watch: CountWatch,
    works: Option<bool>,
}

impl<T: FnMut(ClassifierWord)> Line<T> {
    fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let ended = Port::open(Path::new(&self.settings.port), self.settings.baud)
                .and_then(|port| self.listen(port, stop));
            let Err(error) = ended else { return };
            if self.works != Some(false) {
                tracing::error!(error = &error as &dyn std::error::Error, "the classifier is lost");
            }
            self.say(false);
            std::thread::park_timeout(OPEN_AGAIN_AFTER);
        }
    }

    fn listen(&mut self, mut port: Port, stop: &AtomicBool) -> Result<(), PortError> {
        let mut deframer = Deframer::<ClassifierFraming>::new();
        let mut heard_at = self.clock.real();
        let mut buffer = [0; 256];
        while !stop.load(Ordering::Relaxed) {
            let len = port.read(&mut buffer, READ_WAIT)?;
            let now = self.clock.real();
            if len == 0 {
                deframer.handle_silence();
                if now.duration_since(heard_at) >= self.settings.silent_after {
                    self.say(false);
                }
            }
            let mut bytes = &buffer[..len];
            while !bytes.is_empty() {
                bytes = deframer.push(bytes);
                while let Some(frame) = deframer.next_frame() {
                    if let Some(message) = Message::parse(frame) {
                        heard_at = now;
                        self.take(message);
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, message: Message) {
        self.say(true);
        let Message::Vehicle(measured) = message else { return };
        match self.watch.handle(measured.count) {
            CountStep::Next | CountStep::Restarted => {}
            CountStep::Repeated => return,
            CountStep::Missed { vehicles } => (self.tell)(ClassifierWord::Missed { vehicles }),
        }
        (self.tell)(ClassifierWord::Measured(measured));
    }

    fn say(&mut self, works: bool) {
        if self.works.replace(works) != Some(works) {
            (self.tell)(if works { ClassifierWord::Works } else { ClassifierWord::Lost });
        }
    }
}
