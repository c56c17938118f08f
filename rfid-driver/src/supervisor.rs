//! One reader, kept going: a thread that opens the port, runs the session, and begins again when
//! the port is lost.
//!
//! The thread does nothing but read, decode and call the sink, so that a tag is on its way the
//! moment its last byte is there. It blocks in the read; while the port is absent it waits between
//! attempts. It never gives up: an absent reader is a state, not an error.

use std::error::Error as _;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::TagRead;
use crate::clock;
use crate::port::{Port, PortError};
use crate::protocol::{Protocol, Transport, Unsupported, mercury};
use crate::session::{ReaderSettings, Session, SessionEvent, Transmit};
use crate::tcp_line::TcpLine;

pub use crate::session::{
    AntennaState, Gap, GapCause, Level, ReaderState, Report, Request, TidReading,
};

/// How long the thread may take to notice that it is told to stop.
const READ_WAIT_MAX: Duration = Duration::from_millis(50);
/// Between two attempts to open a port: a reader is back within a second of being plugged in.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);
/// The same, however fast time runs: a port that hangs up at once must not keep a core busy.
const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(20);
/// For a reader on the network to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// More than a line at 921600 baud brings in one wait.
const READ_LEN: usize = 4096;

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
    // Dropped to tell the thread to stop.
    requests: mpsc::Sender<Request>,
    thread: JoinHandle<()>,
}

impl Reader {
    /// Starts a thread that keeps the reader going and calls `sink` with everything it reports. The
    /// sink must be quick: nothing is read while it runs.
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
        let (requests, requested) = mpsc::channel();
        let port = config.port.clone();
        let mut supervisor = Supervisor { config, session, sink, requested, trouble: None };
        let thread = thread::Builder::new()
            .name("rfid-reader".to_owned())
            .spawn(move || supervisor.run())
            .map_err(|source| ReaderError::Thread { port, source })?;
        Ok(Self { requests, thread })
    }

    /// Asks the reader for something beside reading; a [`ReaderEvent::Report`] answers it. A reader
    /// that is not there answers when it is.
    pub fn request(&self, request: Request) {
        // Without a thread nobody answers any more.
        self.requests.send(request).ok();
    }

    /// Stops the reader's radio and its thread, and waits for the thread.
    ///
    /// # Panics
    /// If the sink panicked.
    pub fn stop(self) {
        drop(self.requests);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// What a reader is reached over, open.
enum Line {
    Serial(Port),
    Tcp(TcpLine),
}

impl Line {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PortError> {
        match self {
            Self::Serial(port) => port.read(buffer, timeout),
            Self::Tcp(line) => line.read(buffer, timeout),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        match self {
            Self::Serial(port) => port.write(bytes),
            Self::Tcp(line) => line.write(bytes),
        }
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), PortError> {
        match self {
            Self::Serial(port) => port.set_baud(baud),
            // It has no rate.
            Self::Tcp(_) => Ok(()),
        }
    }
}

/// Why the thread leaves an open port.
enum Leave {
    Stopped,
    LineDead,
    Lost(PortError),
}

struct Supervisor<F> {
    config: ReaderConfig,
    session: Box<dyn Session>,
    sink: F,
    requested: mpsc::Receiver<Request>,
    // What was last said about the port since the reader last read.
    trouble: Option<String>,
}

impl<F: FnMut(ReaderEvent)> Supervisor<F> {
    fn run(&mut self) {
        loop {
            match self.open() {
                Err(error) => self.lose_port(&error),
                Ok(mut port) => {
                    self.session.handle_open(clock::now());
                    match self.converse(&mut port) {
                        Leave::Stopped => return self.say_goodbye(&mut port),
                        // The port is there, so nothing is closed: it is only opened anew, in case
                        // its name has come to stand for another line.
                        Leave::LineDead => self.warn_once("no reader answers"),
                        Leave::Lost(error) => self.lose_port(&error),
                    }
                }
            }
            let pause = REOPEN_PAUSE.div_f64(self.config.time_scale).max(REOPEN_PAUSE_MIN);
            match self.requested.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(request) => self.session.handle_request(request, clock::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn open(&self) -> Result<Line, PortError> {
        match self.config.protocol.transport() {
            Transport::Serial => Port::open(&self.config.port, self.first_baud()).map(Line::Serial),
            Transport::Tcp => {
                let address = self.config.port.to_string_lossy();
                TcpLine::connect(&address, CONNECT_TIMEOUT).map(Line::Tcp)
            }
        }
    }

    /// The rate to open the port at; the session sets it before it says anything.
    fn first_baud(&self) -> u32 {
        let protocol = self.config.protocol.bauds();
        self.config.settings.bauds.iter().chain(protocol).copied().next().unwrap_or(9600)
    }

    fn lose_port(&mut self, error: &PortError) {
        self.warn_once(&described(error));
        self.session.handle_closed(clock::now());
        self.deliver();
    }

    /// Runs the session on an open port until it must be left.
    fn converse(&mut self, port: &mut Line) -> Leave {
        let mut buffer = [0; READ_LEN];
        loop {
            match self.requested.try_recv() {
                Ok(request) => self.session.handle_request(request, clock::now()),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Leave::Stopped,
            }
            if self.deliver() == LineVerdict::Dead {
                return Leave::LineDead;
            }
            if let Err(error) = self.transmit(port) {
                return Leave::Lost(error);
            }
            let now = clock::now();
            let due = self.session.next_deadline().map(|due| due.saturating_duration_since(now));
            // A millisecond at least, so that a deadline within the poll's resolution cannot spin.
            let wait = due.unwrap_or(READ_WAIT_MAX).clamp(Duration::from_millis(1), READ_WAIT_MAX);
            match port.read(&mut buffer, wait) {
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

    fn transmit(&mut self, port: &mut Line) -> Result<(), PortError> {
        while let Some(transmit) = self.session.poll_transmit() {
            match transmit {
                Transmit::Frame(frame) => port.write(frame.as_ref())?,
                Transmit::Baud(baud) => port.set_baud(baud)?,
            }
        }
        Ok(())
    }

    fn deliver(&mut self) -> LineVerdict {
        let mut verdict = LineVerdict::Alive;
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Tag(read) => (self.sink)(ReaderEvent::Tag(read)),
                SessionEvent::State(state) => {
                    if state == ReaderState::Reading {
                        self.trouble = None;
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

    fn say_goodbye(&mut self, port: &mut Line) {
        self.session.handle_shutdown(clock::now());
        if let Err(error) = self.transmit(port) {
            self.warn_once(&described(&error));
        }
        self.deliver();
    }

    /// Says what is wrong with the port, once and not four times a second.
    fn warn_once(&mut self, trouble: &str) {
        if self.trouble.as_deref() != Some(trouble) {
            tracing::warn!(reader.port = %self.config.port.display(), error = trouble, "reader port");
            self.trouble = Some(trouble.to_owned());
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
