//! SW-net: the protocol of Chafon CF-RU5100, CF-RU5300 and CF-RU5500 readers that begins with "SW"
//! and "CT". Its frames are decoded; nothing here converses with such a reader or plays one.

use std::time::Instant;

use super::{Protocol, Unsupported};
use crate::codec::{Description, Direction, Undecodable};
use crate::deframe::{Deframe, Deframer};
use crate::emulator::{Emulator, EmulatorSettings};
use crate::session::{ReaderSettings, Session};

pub mod codec;
mod describe;

/// The protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swnet;

/// The rates in the order of the manual's codes, but its default first.
const BAUDS: [u32; 5] = [115_200, 9600, 19_200, 38_400, 57_600];

impl Protocol for Swnet {
    fn name(&self) -> &'static str {
        "swnet"
    }

    fn about(&self) -> &'static str {
        "Chafon CF-RU5100, CF-RU5300, CF-RU5500 (decoding only)"
    }

    fn models(&self) -> &'static [&'static str] {
        &["ru5300"]
    }

    fn bauds(&self) -> &'static [u32] {
        &BAUDS
    }

    fn deframer(&self, direction: Direction) -> Box<dyn Deframe> {
        match direction {
            Direction::FromHost => Box::new(Deframer::<codec::FromHost>::new()),
            Direction::FromReader => Box::new(Deframer::<codec::FromReader>::new()),
        }
    }

    fn describe(
        &self,
        frame: &[u8],
        direction: Direction,
        at: Instant,
    ) -> Result<Description, Undecodable> {
        describe::describe(frame, direction, at)
    }

    fn session(&self, _settings: &ReaderSettings) -> Result<Box<dyn Session>, Unsupported> {
        Err(decoding_only("session"))
    }

    fn emulator(&self, _settings: &EmulatorSettings) -> Result<Box<dyn Emulator>, Unsupported> {
        Err(decoding_only("emulator"))
    }
}

fn decoding_only(setting: &'static str) -> Unsupported {
    Unsupported {
        protocol: "swnet",
        setting,
        value: "at all".to_owned(),
        possible: "its frames decoded".to_owned(),
    }
}
