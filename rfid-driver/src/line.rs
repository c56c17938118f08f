//! What a session's bytes go over.
//!
//! Each kind has the contract of [`Port`]: `read` waits up to a timeout and says 0 when nothing
//! came; a line that is over is an error, once and for all.

use std::path::Path;
use std::time::Duration;

use crate::port::{LowLatency, Port, PortError};
use crate::protocol::Transport;
use crate::tcp_line::TcpLine;

/// One every host has. The session sets the rate before it says anything.
const BAUD_AT_FIRST: u32 = 9600;
/// For a reader on the network to take a connection: less than what a watchdog takes for a hang.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);

/// An open line.
#[derive(Debug)]
pub enum Line {
    /// A serial port.
    Serial(Port),
    /// A connection over TCP.
    Tcp(TcpLine),
}

impl Line {
    /// Opens the line to a reader that is reached in this way.
    ///
    /// # Errors
    /// Says whether it is absent, in use (and by whom), or otherwise not to be opened.
    pub fn open(transport: Transport, address: &Path) -> Result<Self, PortError> {
        match transport {
            Transport::Serial => Port::open(address, BAUD_AT_FIRST).map(Self::Serial),
            Transport::Tcp => {
                TcpLine::connect(&address.to_string_lossy(), CONNECT_TIMEOUT).map(Self::Tcp)
            }
        }
    }

    /// Waits up to `timeout` for bytes; 0 means that none came.
    ///
    /// # Errors
    /// Says that the line is over.
    pub fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PortError> {
        match self {
            Self::Serial(port) => port.read(buffer, timeout),
            Self::Tcp(line) => line.read(buffer, timeout),
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Says that the line is over.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        match self {
            Self::Serial(port) => port.write(bytes),
            Self::Tcp(line) => line.write(bytes),
        }
    }

    /// Waits until what was written has left, then runs the line at `baud`; nothing where it has no
    /// rate.
    ///
    /// # Errors
    /// Says that the line is over or does not know the rate.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), PortError> {
        match self {
            Self::Serial(port) => port.set_baud(baud),
            Self::Tcp(_) => Ok(()),
        }
    }

    /// Makes the line hand over bytes as soon as they come, as far as it can; see
    /// [`Port::lower_latency`].
    #[must_use]
    pub fn lower_latency(&self) -> LowLatency {
        match self {
            Self::Serial(port) => port.lower_latency(),
            Self::Tcp(_) => LowLatency::NotOffered,
        }
    }

    /// Whether the address has come to mean another line than this.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        match self {
            Self::Serial(port) => port.is_replaced(),
            Self::Tcp(_) => false,
        }
    }
}
