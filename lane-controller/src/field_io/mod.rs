//! Field I/O: what the loops say, and what the arm, light and siren are told.
//!
//! Two families of devices stand behind the same few words. A [`modbus`] module serves a whole
//! station, over TCP or on a serial bus, and counts the loops' edges itself, so that nothing is
//! lost between two readings. A [`relay_card`] serves one lane on a serial port and tells each
//! change once; its edges are counted here, and its periodic state mends what was missed.
//!
//! Deliberately absent: what any of it means for a vehicle (that is [`crate::lane`]), and any
//! timing of pulses: the devices time them, so that a dead host cannot leave an arm driven.
//!
//! Words: a *reading* is everything a device says of one lane's inputs at one instant; a device is
//! *silent* when nobody knows what its inputs are. There is no reading with an unknown input in
//! it: as long as one is unknown, the device counts as silent.

pub mod modbus;
pub mod relay_card;
pub mod classifier;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use domain::wire::field_io::Output;
use rfid_driver::port::PortError;

use crate::lane::Inputs;

pub use modbus::InputThread;

/// What a device says of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// The loops.
    pub inputs: Inputs,
    /// Times the safety loop became occupied, modulo 2¹⁶.
    pub safety_rises: u16,
    /// Whether the arm is fully up.
    pub arm_up: bool,
}

/// What a device's thread tells a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldWord {
    /// The loops or the arm have changed, or the device answers again.
    Reads {
        /// What it says.
        reading: Reading,
        /// When its word was here.
        at: Instant,
    },
    /// The device is silent.
    Silent,
}

/// Why a device could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// The line failed.
    #[error("reach the I/O module at {module}")]
    Line {
        /// The module.
        module: modbus::Place,
        /// What the line said.
        #[source]
        source: tokio_modbus::Error,
    },
    /// No connection.
    #[error("connect to the I/O module at {module}")]
    Connect {
        /// The module.
        module: modbus::Place,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The module sent fewer values than it was asked for.
    #[error("the I/O module at {module} sent fewer values than asked for")]
    Short {
        /// The module.
        module: modbus::Place,
    },
    /// The module refused.
    #[error("the I/O module at {module} refused: {code}")]
    Refused {
        /// The module.
        module: modbus::Place,
        /// Its exception code.
        code: tokio_modbus::ExceptionCode,
    },
    /// The card's port is not open.
    #[error("the relay card on {port} is not there")]
    CardAbsent {
        /// Its port.
        port: PathBuf,
    },
    /// The card's port failed.
    #[error("tell the relay card")]
    Card(#[source] PortError),
}

/// The outputs of one lane, whatever drives them.
#[derive(Debug)]
pub enum Outputs {
    /// Coils of a Modbus module.
    Modbus(modbus::Outputs),
    /// Relays of a card.
    RelayCard(relay_card::Outputs),
}

impl Outputs {
    /// The outputs of the lane with this block of a Modbus TCP module, on a connection of its own.
    #[must_use]
    pub fn new(module: SocketAddr, index: u16) -> Self {
        Self::Modbus(modbus::Outputs::new(&modbus::Bus::tcp(module), index))
    }

    /// The same outputs once more: over TCP on a line of their own, on a serial line on that.
    #[must_use]
    pub fn another(&self) -> Self {
        match self {
            Self::Modbus(outputs) => Self::Modbus(outputs.another()),
            Self::RelayCard(outputs) => Self::RelayCard(outputs.clone()),
        }
    }

    /// Connects before the first vehicle comes, where the device is there. Blocks: to be called
    /// on the lane's own thread, as everything here.
    pub fn connect(&mut self) {
        match self {
            Self::Modbus(outputs) => outputs.connect(),
            // The card's own thread opens its port.
            Self::RelayCard(_) => {}
        }
    }

    /// Sets an output.
    ///
    /// # Errors
    /// When the device cannot be reached.
    pub fn set(&mut self, output: Output, on: bool) -> Result<(), FieldError> {
        match self {
            Self::Modbus(outputs) => outputs.set(output, on),
            Self::RelayCard(outputs) => outputs.set(output, on),
        }
    }

    /// Raises the arm and shows green, in one telegram.
    ///
    /// # Errors
    /// When the device cannot be reached.
    pub fn open(&mut self) -> Result<(), FieldError> {
        match self {
            Self::Modbus(outputs) => outputs.open(),
            Self::RelayCard(outputs) => outputs.open(),
        }
    }
}
