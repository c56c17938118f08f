//! Readers made of software: the other end of the line, for tests, simulators and demonstrations.
//!
//! An emulator speaks its protocol with the same codec as the driver and behaves as the real module
//! does, its unpleasant habits included. It has no input, output or clock of its own: times are
//! [`Duration`]s since it was switched on, on its own clock. [`pty`] puts one on a pseudo-terminal,
//! where any client can open it as a serial port; [`memory`] joins one with a session in virtual
//! time; [`wire`] makes the line between them a bad one.
//!
//! It does not move vehicles: somebody else says which tags are in the field; [`passing`] knows what
//! that is when a vehicle drives through.

use std::fmt;
use std::time::Duration;

use crate::codec::FrameBuf;
use crate::{Epc, Tid};

pub mod memory;
pub mod passing;
pub mod pty;
mod radio;
pub mod wire;

pub(crate) use radio::{Heard, Radio, tag_words};

/// A tag in a reader's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldTag {
    /// Its identity.
    pub epc: Epc,
    /// The chip's own identity, for hosts that ask for it.
    pub tid: Option<Tid>,
    /// How strong its answer is, before the jitter that the emulator adds.
    pub rssi_dbm: i8,
    /// The antenna port that hears it, counted from 1.
    pub antenna: u8,
}

impl FieldTag {
    /// A tag without a TID.
    #[must_use]
    pub fn new(epc: Epc, rssi_dbm: i8, antenna: u8) -> Self {
        Self { epc, tid: None, rssi_dbm, antenna }
    }
}

/// How a reader made of software behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct EmulatorSettings {
    /// Which variant, by one of the names in [`crate::protocol::Protocol::models`]; `None` for the
    /// first.
    pub model: Option<String>,
    /// Of all its chance: jitter, channels, phases.
    pub seed: u64,
    /// Between two reads of the same tag, in the reader's time.
    pub read_interval: Duration,
    /// How far a reported signal strength may be from the true one.
    pub rssi_jitter_db: u8,
    /// What it does when it is switched on.
    pub power_up: PowerUp,
    /// The rate of the line at first; `None` for the protocol's first.
    pub baud: Option<u32>,
}

impl Default for EmulatorSettings {
    fn default() -> Self {
        Self {
            model: None,
            seed: 0,
            read_interval: Duration::from_millis(50),
            rssi_jitter_db: 2,
            power_up: PowerUp::Ready,
            baud: None,
        }
    }
}

/// What a reader does when it is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerUp {
    /// It waits for commands.
    Ready,
    /// It stays in its boot loader until told to boot; where it has none, it waits for commands.
    BootLoader,
    /// It goes on with what an earlier host told it: it reports tags unasked.
    Reading,
}

/// What goes wrong in a reader, or right again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceFault {
    /// It restarts by itself and forgets what it was told.
    Reboot,
    /// The antenna's cable comes off.
    AntennaLost {
        /// The port, counted from 1.
        port: u8,
    },
    /// It is put back.
    AntennaBack {
        /// The port, counted from 1.
        port: u8,
    },
    /// It becomes so warm; above its limit it no longer reads.
    Temperature {
        /// In degrees Celsius.
        celsius: i8,
    },
    /// Power comes back from the antenna: water in the cable.
    ReturnLossHigh,
    /// It does not any more.
    ReturnLossGood,
    /// It says nothing at all.
    Mute,
    /// It goes on as if it had been listening all the while.
    Unmute,
    /// It gives no signs of life, but reports tags.
    HeartbeatLost,
    /// It gives them again.
    HeartbeatBack,
    /// It gives its signs of life but reports no tags.
    TagsLost,
    /// It reports them again.
    TagsBack,
}

/// What a frame of the reader is, for whoever counts or drops them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransmitKind {
    /// The answer to a command.
    Answer,
    /// The report of at least one tag.
    Tag,
    /// The sign of life of a continuous read.
    KeepAlive,
}

/// A frame that the reader sends.
#[derive(Debug, Clone, Copy)]
pub struct Transmit {
    /// The bytes.
    pub frame: FrameBuf,
    /// What they are.
    pub kind: TransmitKind,
    /// The rate at which they leave.
    pub baud: u32,
}

/// A reader made of software.
pub trait Emulator: fmt::Debug + Send {
    /// Takes what the host sends.
    fn handle_bytes(&mut self, bytes: &[u8], now: Duration);
    /// Does what is due.
    fn handle_deadline(&mut self, now: Duration);
    /// When [`Emulator::handle_deadline`] must be called at the latest.
    fn next_deadline(&self) -> Option<Duration>;
    /// Says who is in the field from now on. A tag that has just come is read at once, if the
    /// reader reads.
    fn set_field(&mut self, tags: &[FieldTag], now: Duration);
    /// Breaks it, or mends it. A fault that this kind of reader cannot have changes nothing.
    fn handle_fault(&mut self, fault: DeviceFault, now: Duration);
    /// The next frame that leaves the reader.
    fn poll_transmit(&mut self) -> Option<Transmit>;
    /// The rate of its end of the line.
    fn baud(&self) -> u32;
}
