//! The protocols, one folder each, and the list of them.
//!
//! A folder holds everything about its protocol: `codec` (frames and their meaning), `session` (the
//! conversation that makes a reader read) and `emulator` (a reader made of software). A new protocol
//! is a folder and its line in [`ALL`]; nothing else changes.

use std::fmt;
use std::time::Instant;

use crate::codec::{Description, Direction, Undecodable};
use crate::deframe::Deframe;
use crate::emulator::{Emulator, EmulatorSettings};
use crate::session::{ReaderSettings, Session};

#[cfg(feature = "llrp")]
pub mod llrp;
pub mod mercury;
pub mod r2000;
pub mod swnet;
pub mod uhfreader;
pub mod yrm100;

/// Every protocol that this crate speaks, in the order in which an unknown line is probed.
pub const ALL: &[&dyn Protocol] = &[
    &mercury::Mercury,
    &uhfreader::UhfReader,
    &r2000::R2000,
    &yrm100::Yrm100,
    &swnet::Swnet,
    #[cfg(feature = "llrp")]
    &llrp::Llrp,
];

/// The protocol of this name; `None` for an unknown one.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Protocol> {
    ALL.iter().copied().find(|protocol| protocol.name() == name)
}

/// What a reader is reached over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A serial port.
    Serial,
    /// A TCP connection to "host:port".
    Tcp,
}

/// One protocol, to whoever chooses among them.
pub trait Protocol: fmt::Debug + Sync {
    /// Its name in commands and configuration: lower case, one word.
    fn name(&self) -> &'static str;

    /// Which readers speak it, in one line.
    fn about(&self) -> &'static str;

    /// The variants that its emulator can play and that a setting may name; the first is the
    /// default.
    fn models(&self) -> &'static [&'static str];

    /// What a reader is reached over.
    fn transport(&self) -> Transport {
        Transport::Serial
    }

    /// The rates at which a reader may be found, the likeliest first.
    fn bauds(&self) -> &'static [u32];

    /// Cuts frames of one direction out of a stream.
    fn deframer(&self, direction: Direction) -> Box<dyn Deframe>;

    /// Takes exactly one frame apart. Reports of tags in it are stamped with `at`.
    ///
    /// # Errors
    /// Says why the bytes are not one intact frame, or make no sense.
    fn describe(
        &self,
        frame: &[u8],
        direction: Direction,
        at: Instant,
    ) -> Result<Description, Undecodable>;

    /// A conversation that has not begun.
    ///
    /// # Errors
    /// Says which setting no reader of this protocol can have.
    fn session(&self, settings: &ReaderSettings) -> Result<Box<dyn Session>, Unsupported>;

    /// A reader made of software that has just been switched on.
    ///
    /// # Errors
    /// Says which setting it cannot play, or that there is no emulator.
    fn emulator(&self, settings: &EmulatorSettings) -> Result<Box<dyn Emulator>, Unsupported>;
}

/// A setting that a protocol cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{protocol} has no {setting} {value}; it can have {possible}")]
pub struct Unsupported {
    /// The protocol.
    pub protocol: &'static str,
    /// Which setting.
    pub setting: &'static str,
    /// What was asked for.
    pub value: String,
    /// What would be right.
    pub possible: String,
}
