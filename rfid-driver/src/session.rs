//! The conversation with a reader, without input, output, threads or a clock of its own.
//!
//! One sentence holds for every [`Session`]: its state changes only in a `handle_*` call, which is
//! told the time; afterwards the caller sends what [`Session::poll_transmit`] gives, acts on what
//! [`Session::poll_event`] gives, until both give `None`, and calls back no later than
//! [`Session::next_deadline`].
//!
//! A session outlives its port: it is told when the line opens and closes, so that it can say over
//! which span tags may have been missed.

use std::fmt;
use std::time::Instant;

use crate::TagRead;
use crate::codec::FrameBuf;

mod baud_search;
mod requests;
mod settings;
mod watch;

pub(crate) use baud_search::{BaudSearch, Round};
pub(crate) use requests::Requests;
pub use settings::{ReaderSettings, TidReading, Timing};
pub(crate) use watch::Watch;

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReaderState {
    /// The port is not open: absent, held by somebody else, or lost.
    Closed,
    /// The port is open; nothing on it has answered as a reader yet, at whatever rate was tried.
    Probing,
    /// The reader answers and is being set up.
    Configuring,
    /// The reader reports tags.
    Reading,
    /// The reader is there but cannot be relied upon: silent, refusing, or with a fault of its
    /// radio. The session goes on trying.
    Degraded,
}

/// A span of time in which tags may have been in the field without being reported.
///
/// How many, nobody can know: the line has no flow control and the reader does not number its
/// reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When the reader was last known to report.
    pub since: Instant,
    /// When it was again.
    pub until: Instant,
    /// What came between.
    pub cause: GapCause,
}

/// Why tags may have gone unreported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// Bytes that belonged to no intact frame.
    Noise {
        /// How many.
        bytes: u64,
    },
    /// An intact report of a tag without a usable identity.
    Unusable,
    /// No sign of life.
    Silence,
    /// The reader stopped reading without being told to.
    Stopped,
    /// Reading was interrupted to do what the owner asked for.
    Request,
    /// The reader restarted.
    Reboot,
    /// The port was lost.
    PortLost,
    /// The reader reported that its radio could not work: antenna, temperature, channel.
    Radio,
}

/// What the owner may ask of a reader beside reading. A reader that cannot do it while it reads is
/// interrupted, which is reported as a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// How warm is the reader?
    Temperature,
    /// Which antennas are connected?
    Antennas,
    /// How do the input pins stand?
    Inputs,
    /// Put an output pin to a level.
    SetOutput {
        /// The pin, by the vendor's number.
        pin: u8,
        /// The level.
        level: Level,
    },
    /// What does the reader count about itself?
    Statistics,
}

/// The level of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// No voltage.
    Low,
    /// Voltage.
    High,
}

impl From<bool> for Level {
    fn from(high: bool) -> Self {
        if high { Self::High } else { Self::Low }
    }
}

/// What a reader says about itself, asked or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Who it is: once each time it has been found.
    Identity {
        /// Its model as far as it says, and its firmware, in the vendor's words.
        text: String,
        /// The rate of the line it was found at; `None` where the transport has none.
        baud: Option<u32>,
    },
    /// How warm it is.
    Temperature {
        /// In degrees Celsius.
        celsius: i16,
    },
    /// The state of one antenna port, counted from 1.
    Antenna {
        /// The port.
        port: u8,
        /// What the reader found on it.
        state: AntennaState,
    },
    /// The level of an input pin.
    Input {
        /// The pin, by the vendor's number.
        pin: u8,
        /// Its level.
        level: Level,
    },
    /// An output pin has been set.
    OutputSet {
        /// The pin, by the vendor's number.
        pin: u8,
    },
    /// A figure that the reader keeps.
    Statistic {
        /// What it counts, with its unit last.
        name: &'static str,
        /// The figure.
        value: i64,
    },
    /// The reader would not or cannot do what it was asked for.
    Refused {
        /// What that was.
        request: Request,
    },
    /// The radio works badly: the vendor's words.
    RadioFault {
        /// For people.
        text: &'static str,
    },
}

/// What a reader finds on an antenna port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AntennaState {
    /// An antenna.
    Connected,
    /// None, or a broken cable.
    Missing,
}

/// What a session has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// A tag was read.
    Tag(TagRead),
    /// The reader came to another state.
    State(ReaderState),
    /// A gap has ended.
    Gap(Gap),
    /// The reader said something about itself.
    Report(Report),
    /// Nothing on this line answers, at any rate: close the port and open it anew.
    LineDead,
}

/// What a session wants done to the line, in order.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::large_enum_variant, reason = "a frame is copied to the port, not kept")]
pub enum Transmit {
    /// Send this.
    Frame(FrameBuf),
    /// Wait until what was sent has left, then run the host's end of the line at this rate.
    Baud(u32),
}

/// A conversation in some protocol.
pub trait Session: fmt::Debug + Send {
    /// The port has been opened.
    fn handle_open(&mut self, now: Instant);
    /// The port is gone.
    fn handle_closed(&mut self, now: Instant);
    /// Bytes came; `at` is the instant right after the read that brought them.
    fn handle_bytes(&mut self, bytes: &[u8], at: Instant);
    /// Time has passed. Harmless when nothing is due.
    fn handle_deadline(&mut self, now: Instant);
    /// The owner wants something beside reading; a [`Report`] answers it, now or when the reader
    /// reads again.
    fn handle_request(&mut self, request: Request, now: Instant);
    /// The owner wants to leave: what is still to be sent leaves the reader quiet.
    fn handle_shutdown(&mut self, now: Instant);
    /// When [`Session::handle_deadline`] must be called at the latest.
    fn next_deadline(&self) -> Option<Instant>;
    /// The next thing to do to the line.
    fn poll_transmit(&mut self) -> Option<Transmit>;
    /// The next thing that happened.
    fn poll_event(&mut self) -> Option<SessionEvent>;
    /// How many bytes from the line were part of no intact frame, since the beginning.
    fn dropped_bytes(&self) -> u64;
}
