//! The conversation with a reader, without input, output, threads or a clock of its own.
//!
//! One sentence holds for every [`Session`]: its state changes only in a `handle_*` call, which is
//! told the time; afterwards the caller sends what [`Session::poll_transmit`] gives, acts on what
//! [`Session::poll_event`] gives, until both give `None`, and calls back no later than
//! [`Session::next_deadline`].
//!
//! A session outlives its port: it is told when the line opens and closes, so that it can say over
//! which span tags may have been missed.

use std::time::Instant;

use crate::TagRead;

pub mod mercury;

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReaderState {
    /// The port is not open: absent, held by somebody else, or lost.
    Closed,
    /// The port is open; nothing on it has answered as a reader yet.
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
    /// The reader restarted.
    Reboot,
    /// The port was lost.
    PortLost,
    /// The reader reported that its radio could not work: antenna, temperature, channel.
    Radio,
}

/// What a session has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEvent {
    /// A tag was read.
    Tag(TagRead),
    /// The reader came to another state.
    State(ReaderState),
    /// A gap has ended.
    Gap(Gap),
    /// Nothing on this line answers: close the port and open it anew.
    LineDead,
}

/// A conversation in some protocol.
pub trait Session {
    /// A frame to be sent.
    type Transmit: AsRef<[u8]>;

    /// The port has been opened.
    fn handle_open(&mut self, now: Instant);
    /// The port is gone.
    fn handle_closed(&mut self, now: Instant);
    /// Bytes came; `at` is the instant right after the read that brought them.
    fn handle_bytes(&mut self, bytes: &[u8], at: Instant);
    /// Time has passed. Harmless when nothing is due.
    fn handle_deadline(&mut self, now: Instant);
    /// The owner wants to leave: what is still to be sent leaves the reader quiet.
    fn handle_shutdown(&mut self, now: Instant);
    /// When [`Session::handle_deadline`] must be called at the latest.
    fn next_deadline(&self) -> Option<Instant>;
    /// The next frame to send.
    fn poll_transmit(&mut self) -> Option<Self::Transmit>;
    /// The next thing that happened.
    fn poll_event(&mut self) -> Option<SessionEvent>;
}
