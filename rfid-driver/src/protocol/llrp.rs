//! LLRP over TCP: the readers of gantries and multi-lane plazas (Impinj, Zebra, Kathrein,
//! `ThingMagic` Mercury6, Neology and others).
//!
//! The host calls the reader, over plain TCP: readers that call the host, TLS (port 5085), vendors'
//! extensions, and writing to tags are deliberately absent.
//!
//! It has no emulator of ours: it is tested against one that somebody else wrote (`llrpkit`), which
//! says more.

use std::time::Instant;

use super::{Protocol, Transport, Unsupported};
use crate::codec::{Description, Direction, Undecodable};
use crate::deframe::{Deframe, Deframer};
use crate::emulator::{Emulator, EmulatorSettings};
use crate::session::{ReaderSettings, Session};

pub mod codec;
mod describe;
pub mod session;
mod tag;

/// The port that readers listen on.
pub const TCP_PORT: u16 = 5084;

/// The protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Llrp;

impl Protocol for Llrp {
    fn name(&self) -> &'static str {
        "llrp"
    }

    fn about(&self) -> &'static str {
        "LLRP 1.0.1 and 1.1 over TCP port 5084: Impinj, Zebra FX, Kathrein, Neology"
    }

    fn models(&self) -> &'static [&'static str] {
        &[]
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn bauds(&self) -> &'static [u32] {
        &[]
    }

    fn deframer(&self, _direction: Direction) -> Box<dyn Deframe> {
        Box::new(Deframer::<codec::Messages>::new())
    }

    fn describe(
        &self,
        frame: &[u8],
        direction: Direction,
        at: Instant,
    ) -> Result<Description, Undecodable> {
        describe::describe(frame, direction, at)
    }

    fn session(&self, settings: &ReaderSettings) -> Result<Box<dyn Session>, Unsupported> {
        Ok(Box::new(session::LlrpSession::new(settings)))
    }

    fn emulator(&self, _settings: &EmulatorSettings) -> Result<Box<dyn Emulator>, Unsupported> {
        Err(Unsupported {
            protocol: "llrp",
            setting: "emulator",
            value: "of this crate".to_owned(),
            possible: "a reader, or the emulator of the Python package llrpkit".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
