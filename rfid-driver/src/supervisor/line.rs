//! What a session's bytes go over.
//!
//! Each kind has the contract of [`Port`]: `read` waits up to a timeout and says 0 when nothing
//! came; a line that is over is an error, once and for all.

use std::path::Path;
use std::time::Duration;

use crate::port::{LowLatency, Port, PortError};
use crate::protocol::Transport;

/// One every host has. The session sets the rate before it says anything.
const BAUD_AT_FIRST: u32 = 9600;

/// An open line.
#[derive(Debug)]
pub(super) enum Line {
    Serial(Port),
}

impl Line {
    /// Opens the line to a reader that is reached in this way.
    pub(super) fn open(transport: Transport, address: &Path) -> Result<Self, PortError> {
        match transport {
            Transport::Serial => Port::open(address, BAUD_AT_FIRST).map(Self::Serial),
            Transport::Tcp => Err(PortError::Open {
                port: address.to_path_buf(),
                source: serialport::Error::new(
                    serialport::ErrorKind::InvalidInput,
                    "there are no lines over TCP",
                ),
            }),
        }
    }

    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        timeout: Duration,
    ) -> Result<usize, PortError> {
        match self {
            Self::Serial(port) => port.read(buffer, timeout),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        match self {
            Self::Serial(port) => port.write(bytes),
        }
    }

    /// Nothing where the line has no rate.
    pub(super) fn set_baud(&mut self, baud: u32) -> Result<(), PortError> {
        match self {
            Self::Serial(port) => port.set_baud(baud),
        }
    }

    pub(super) fn lower_latency(&self) -> LowLatency {
        match self {
            Self::Serial(port) => port.lower_latency(),
        }
    }

    /// Whether the address has come to mean another line than this.
    pub(super) fn is_replaced(&self) -> bool {
        match self {
            Self::Serial(port) => port.is_replaced(),
        }
    }
}
