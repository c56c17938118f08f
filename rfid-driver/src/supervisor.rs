//! One reader, kept going: a thread that opens the port, runs the session, and begins again when
//! the port is lost.
//!
//! The thread does nothing but read, decode and call the sink, so that a tag is on its way the
//! moment its last byte is there. It blocks in the read; while the port is absent it waits between
//! attempts. It never gives up: an absent reader is a state, not an error.
//!
//! A port is lost when it hangs up or fails, and when its name has come to lead to another device
//! although the old one still seems to be there: somebody plugged the reader in again. Either is
//! noticed within a quarter of a second, and so is a port that has come back.
//!
//! Nothing is read while the sink runs. The kernel keeps 4 KiB for us meanwhile, at 115200 baud a
//! third of a second; what comes after that is lost, and shows as a gap. A sink that must wait
//! (for a disk, a network, a lock that others hold for long) should hand over to a queue. A thread
//! that hangs, in the sink or in the system, is noticed from outside: see [`Reader::stall`].

use std::convert::Infallible;
use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::TagRead;
use crate::clock;
use crate::line::Line;
use crate::port::{LowLatency, PortError};
use crate::protocol::{Protocol, Unsupported, mercury};
use crate::session::{ReaderSettings, Session, SessionEvent, Transmit};

mod watchdog;

use watchdog::Pulse;

pub use crate::session::{
    AntennaState, Gap, GapCause, Level, ReaderState, Report, Request, TidReading,
};
pub use watchdog::{Activity, Stall};

/// How long the thread may take to notice that it is told to stop.
const READ_WAIT_MAX: Duration = Duration::from_millis(50);
/// Between two attempts to open a port: a reader is back within a second of being plugged in.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);
/// The same, however fast time runs: a port that hangs up at once must not keep a core busy.
const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(20);
/// Between two looks whether the port's name still leads to the line that we have.
const REPLACED_LOOK_PERIOD: Duration = Duration::from_millis(250);
/// How long [`Reader::stop`] waits. Without a hang the thread takes half a second at most: a read, a
/// write and a line that drains.
const STOP_WAIT_MAX: Duration = Duration::from_secs(3);
/// More than a line at 921600 baud brings in one wait.
const READ_LEN: usize = 4096;
/// How many different troubles of a port are told apart until the reader reads again.
const TROUBLES_MAX: usize = 16;

/// Which reader, and what it shall do.
#[derive(Debug, Clone)]
pub struct ReaderConfig {
    /// What it speaks.
    pub protocol: &'static dyn Protocol,
    /// The serial port, by a name that survives replugging (`/dev/serial/by-id/…`); "host:port"
    /// for a protocol over TCP.
    pub port: PathBuf,
    /// What it shall be set to.
    pub settings: ReaderSettings,
    /// How much faster than life the reader's time runs; 1 for a real reader. Waiting is divided by
    /// it, but not below what a busy host may take.
    pub time_scale: f64,
}

impl ReaderConfig {
    /// A Mercury reader on `port` as it comes out of the box.
    #[must_use]
    pub fn new(port: impl Into<PathBuf>) -> Self {
        Self {
            protocol: &mercury::Mercury,
            port: port.into(),
            settings: ReaderSettings::default(),
            time_scale: 1.0,
        }
    }

    fn check(&self) -> Result<(), ReaderError> {
        if self.settings.antennas.is_empty()
            || self.settings.antennas.len() > 16
            || self.settings.antennas.iter().any(|port| !(1..=16).contains(port))
        {
            return Err(ReaderError::Antennas);
        }
        if !(self.time_scale.is_finite() && self.time_scale > 0.0) {
            return Err(ReaderError::TimeScale { time_scale: self.time_scale });
        }
        Ok(())
    }
}

/// Why a reader cannot be supervised at all.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The antennas make no sense.
    #[error("antennas must be 1 to 16 ports with numbers from 1 to 16")]
    Antennas,
    /// The time scale makes no sense.
    #[error("time scale {time_scale} is not a positive number")]
    TimeScale {
        /// As configured.
        time_scale: f64,
    },
    /// The protocol cannot have a setting.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The system gave no thread.
    #[error("start the thread of the reader on {port}")]
    Thread {
        /// The reader's port.
        port: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// What a supervised reader reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderEvent {
    /// A tag was read.
    Tag(TagRead),
    /// The reader came to another state.
    State(ReaderState),
    /// A span in which tags may have been missed is over.
    Gap(Gap),
    /// The reader said something about itself.
    Report(Report),
}

/// A reader under supervision. Dropping it tells its thread to stop, without waiting.
#[derive(Debug)]
pub struct Reader {
    port: PathBuf,
    // Dropped to tell the thread to stop.
    requests: mpsc::Sender<Request>,
    // Its other end is dropped when the thread has finished.
    finished: mpsc::Receiver<Infallible>,
    pulse: Arc<Pulse>,
    thread: JoinHandle<()>,
}

/// How [`Reader::stop`] came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The radio has been told to stop and the thread is gone.
    Cleanly,
    /// The thread hangs and is left to itself: it ends when what it hangs in lets go of it, or with
    /// the process.
    Abandoned,
}

impl Reader {
    /// Starts a thread that keeps the reader going and calls `sink` with everything it reports. The
    /// sink must be quick: nothing is read while it runs. A second thread only watches the first.
    ///
    /// Every change of state is reported. The first state, [`ReaderState::Closed`], is not.
    ///
    /// # Errors
    /// Refuses a configuration that makes no sense. A port that is not there is no error: the
    /// reader begins in [`ReaderState::Closed`].
    pub fn spawn(
        config: ReaderConfig,
        sink: impl FnMut(ReaderEvent) + Send + 'static,
    ) -> Result<Self, ReaderError> {
        config.check()?;
        let timing = config.settings.timing.faster(config.time_scale);
        let settings = ReaderSettings { timing, ..config.settings.clone() };
        let session = config.protocol.session(&settings)?;
        let port = config.port.clone();
        let failed = |source| ReaderError::Thread { port: port.clone(), source };
        let (requests, requested) = mpsc::channel();
        let (finishes, finished) = mpsc::channel::<Infallible>();
        let (watched_finishes, watched_finished) = mpsc::channel::<Infallible>();
        let pulse = Arc::new(Pulse::new());
        let (watched_port, watched) = (port.clone(), Arc::clone(&pulse));
        thread::Builder::new()
            .name("rfid-watchdog".to_owned())
            .spawn(move || watchdog::watch(&watched_port, &watched, &watched_finished))
            .map_err(failed)?;
        let mut supervisor = Supervisor {
            config,
            session,
            sink,
            requested,
            pulse: Arc::clone(&pulse),
            troubles: Vec::new(),
            latency: None,
        };
        let thread = thread::Builder::new()
            .name("rfid-reader".to_owned())
            .spawn(move || {
                supervisor.run();
                drop((finishes, watched_finishes));
            })
            .map_err(failed)?;
        Ok(Self { port, requests, finished, pulse, thread })
    }

    /// Asks the reader for something beside reading; a [`ReaderEvent::Report`] answers it. A reader
    /// that is not there answers when it is.
    pub fn request(&self, request: Request) {
        // Without a thread nobody answers any more.
        self.requests.send(request).ok();
    }

    /// What the thread has been doing for more than a second: a call into the system that hangs, or
    /// a sink that is not quick. It is logged too. While it lasts no tag is reported, and the last
    /// state reported says nothing.
    #[must_use]
    pub fn stall(&self) -> Option<Stall> {
        self.pulse.stall(clock::now())
    }

    /// Stops the reader's radio and its thread, and waits for the thread; for three seconds at most,
    /// in case it hangs.
    ///
    /// # Panics
    /// If the sink panicked.
    pub fn stop(self) -> Stopped {
        drop(self.requests);
        match self.finished.recv_timeout(STOP_WAIT_MAX) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Disconnected) => {
                if let Err(panic) = self.thread.join() {
                    std::panic::resume_unwind(panic);
                }
                Stopped::Cleanly
            }
            Err(RecvTimeoutError::Timeout) => {
                let stall = self.pulse.stall(clock::now());
                let activity = stall.map_or("busy".to_owned(), |stall| stall.activity.to_string());
                tracing::error!(
                    reader.port = %self.port.display(), reader.activity = activity,
                    "reader thread abandoned: it does not stop"
                );
                Stopped::Abandoned
            }
        }
    }
}

/// Why the thread leaves an open port.
enum Leave {
    Stopped,
    LineDead,
    Lost(PortError),
    Replaced(PortError),
}

struct Supervisor<F> {
    config: ReaderConfig,
    session: Box<dyn Session>,
    sink: F,
    requested: mpsc::Receiver<Request>,
    pulse: Arc<Pulse>,
    // What was said about the port since the reader last read.
    troubles: Vec<String>,
    // What was last said about the port's latency.
    latency: Option<LowLatency>,
}

impl<F: FnMut(ReaderEvent)> Supervisor<F> {
    fn run(&mut self) {
        loop {
            self.beat(Activity::Opening);
            match Line::open(self.config.protocol.transport(), &self.config.port) {
                Err(error) => self.lose_port(&error),
                Ok(mut line) => {
                    self.lower_latency(&line);
                    self.session.handle_open(clock::now());
                    match self.converse(&mut line) {
                        Leave::Stopped => return self.say_goodbye(&mut line),
                        // The port is there, so nothing is closed: it is only opened anew, in case
                        // its name has come to stand for another line. The session knows which rate
                        // to go on with.
                        Leave::LineDead => self.warn_once("no reader answers"),
                        Leave::Lost(error) => self.lose_port(&error),
                        // What its name leads to now is there already.
                        Leave::Replaced(error) => {
                            self.lose_port(&error);
                            continue;
                        }
                    }
                }
            }
            if self.pause() == Pause::Stopped {
                self.session.handle_shutdown(clock::now());
                self.deliver();
                return;
            }
        }
    }

    /// Waits before the port is opened again.
    fn pause(&mut self) -> Pause {
        let pause = REOPEN_PAUSE.div_f64(self.config.time_scale).max(REOPEN_PAUSE_MIN);
        let until = self.beat(Activity::Pausing) + pause;
        loop {
            match self.requested.recv_timeout(until.saturating_duration_since(clock::now())) {
                Err(RecvTimeoutError::Timeout) => return Pause::Over,
                Err(RecvTimeoutError::Disconnected) => return Pause::Stopped,
                Ok(request) => {
                    self.session.handle_request(request, clock::now());
                    self.deliver();
                    self.beat(Activity::Pausing);
                }
            }
        }
    }

    fn lose_port(&mut self, error: &PortError) {
        self.warn_once(&described(error));
        self.session.handle_closed(clock::now());
        self.deliver();
    }

    /// Runs the session on an open line until it must be left.
    fn converse(&mut self, line: &mut Line) -> Leave {
        let mut buffer = [0; READ_LEN];
        let mut looked_at = clock::now();
        loop {
            // All at once: whoever asks much and then stops does not wait for a read between each.
            loop {
                match self.requested.try_recv() {
                    Ok(request) => self.session.handle_request(request, clock::now()),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Leave::Stopped,
                }
            }
            if self.deliver() == LineVerdict::Dead {
                return Leave::LineDead;
            }
            if let Err(error) = self.transmit(line) {
                return Leave::Lost(error);
            }
            let now = self.beat(Activity::Reading);
            if now.saturating_duration_since(looked_at) >= REPLACED_LOOK_PERIOD {
                looked_at = now;
                if line.is_replaced() {
                    let port = self.config.port.clone();
                    return Leave::Replaced(PortError::Replaced { port });
                }
            }
            let due = self.session.next_deadline().map(|due| due.saturating_duration_since(now));
            // A millisecond at least, so that a deadline within the poll's resolution cannot spin.
            let wait = due.unwrap_or(READ_WAIT_MAX).clamp(Duration::from_millis(1), READ_WAIT_MAX);
            match line.read(&mut buffer, wait) {
                Ok(0) => {}
                Ok(len) => {
                    let at = clock::now();
                    self.session.handle_bytes(&buffer[..len], at);
                }
                Err(error) => return Leave::Lost(error),
            }
            self.session.handle_deadline(clock::now());
        }
    }

    fn transmit(&mut self, line: &mut Line) -> Result<(), PortError> {
        while let Some(transmit) = self.session.poll_transmit() {
            self.beat(Activity::Writing);
            let done = match transmit {
                Transmit::Frame(frame) => line.write(frame.as_ref()),
                Transmit::Baud(baud) => line.set_baud(baud),
            };
            match done {
                // What is said at the wrong rate is not understood, and the search goes on.
                Err(error @ PortError::Rate { .. }) => self.warn_once(&described(&error)),
                done => done?,
            }
        }
        Ok(())
    }

    fn deliver(&mut self) -> LineVerdict {
        let mut verdict = LineVerdict::Alive;
        while let Some(event) = self.session.poll_event() {
            self.beat(Activity::Delivering);
            match event {
                SessionEvent::Tag(read) => (self.sink)(ReaderEvent::Tag(read)),
                SessionEvent::State(state) => {
                    if state == ReaderState::Reading {
                        self.troubles.clear();
                    }
                    tracing::info!(
                        reader.port = %self.config.port.display(), reader.state = ?state, "reader state"
                    );
                    (self.sink)(ReaderEvent::State(state));
                }
                SessionEvent::Gap(gap) => (self.sink)(ReaderEvent::Gap(gap)),
                SessionEvent::Report(report) => (self.sink)(ReaderEvent::Report(report)),
                SessionEvent::LineDead => verdict = LineVerdict::Dead,
            }
        }
        verdict
    }

    fn say_goodbye(&mut self, line: &mut Line) {
        self.session.handle_shutdown(clock::now());
        if let Err(error) = self.transmit(line) {
            self.warn_once(&described(&error));
        }
        self.deliver();
    }

    /// Tells the watchdog what comes now.
    fn beat(&self, activity: Activity) -> Instant {
        let now = clock::now();
        self.pulse.beat(activity, now);
        now
    }

    /// Asks for low latency, and says how that came out when it came out otherwise than before.
    fn lower_latency(&mut self, line: &Line) {
        let outcome = line.lower_latency();
        if self.latency.as_ref() == Some(&outcome) {
            return;
        }
        let port = self.config.port.display();
        match &outcome {
            LowLatency::Set { file, before } => tracing::info!(
                reader.port = %port, file = %file.display(), before, "low latency set"
            ),
            LowLatency::NotPermitted { file, rule } => tracing::warn!(
                reader.port = %port, file = %file.display(), udev_rule = rule,
                "low latency not permitted: bytes may come late; the udev rule would set it"
            ),
            LowLatency::Already | LowLatency::NotOffered => {
                tracing::debug!(reader.port = %port, outcome = ?outcome, "low latency");
            }
        }
        self.latency = Some(outcome);
    }

    /// Says what is wrong with the port, once and not four times a second.
    fn warn_once(&mut self, trouble: &str) {
        if self.troubles.iter().all(|said| said != trouble) {
            tracing::warn!(reader.port = %self.config.port.display(), error = trouble, "reader port");
            if self.troubles.len() == TROUBLES_MAX {
                self.troubles.remove(0);
            }
            self.troubles.push(trouble.to_owned());
        }
    }
}

/// The error with its causes, on one line.
fn described(error: &PortError) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Whether the session still believes in its line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineVerdict {
    Alive,
    Dead,
}

/// How a pause ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    Over,
    Stopped,
}
