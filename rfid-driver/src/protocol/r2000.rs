//! R2000 "A0": Invelion IND903 and YR903, `RodinBell`, YR8900 and other fixed readers around Impinj's
//! R2000 chip.
//!
//! A model says how many ports a reader has and how its RSSI is read: see [`Model`].

use std::fmt;
use std::time::Instant;

use super::{Protocol, Unsupported};
use crate::codec::{Description, Direction, Undecodable};
use crate::deframe::{Deframe, Deframer};
use crate::emulator::{Emulator, EmulatorSettings};
use crate::session::{ReaderSettings, Session};

pub mod codec;
mod describe;
pub mod emulator;
pub mod session;

use codec::RssiConvention;

/// The protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct R2000;

const NAME: &str = "r2000";
/// What a reader can be set to, the factory's first; the others occur in readers with a bridge to
/// a network or to USB.
const BAUDS: [u32; 5] = [115_200, 38_400, 57_600, 19_200, 9600];
const MODELS: [&str; 3] = ["ind903", "ind905", "yr8900"];

/// The rate that a code of the command "set baud rate" stands for.
fn baud_of_code(code: u8) -> Option<u32> {
    match code {
        3 => Some(38_400),
        4 => Some(115_200),
        _ => None,
    }
}

/// The code for a rate; `None` where a reader cannot be set to it.
fn code_of_baud(baud: u32) -> Option<u8> {
    [3, 4].into_iter().find(|&code| baud_of_code(code) == Some(baud))
}

/// What differs between readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// How many antenna ports.
    pub ports: u8,
    /// How the byte of a signal strength is read.
    pub rssi: RssiConvention,
}

impl Model {
    /// By one of the names of [`Protocol::models`], the first where there is none: "ind903" has
    /// four ports and the convention of `pyImpinj`, "ind905" the table of the manual as crate
    /// `invelion` has it, "yr8900" eight ports.
    ///
    /// # Errors
    /// Says which there are.
    pub fn try_new(name: Option<&str>) -> Result<Self, Unsupported> {
        match name.unwrap_or(MODELS[0]) {
            "ind903" => Ok(Self { ports: 4, rssi: RssiConvention::Less129 }),
            "ind905" => Ok(Self { ports: 4, rssi: RssiConvention::Table }),
            "yr8900" => Ok(Self { ports: 8, rssi: RssiConvention::Less129 }),
            other => Err(unsupported("model", other, MODELS.join(", "))),
        }
    }
}

fn unsupported(
    setting: &'static str,
    value: impl fmt::Display,
    possible: impl Into<String>,
) -> Unsupported {
    Unsupported { protocol: NAME, setting, value: value.to_string(), possible: possible.into() }
}

impl Protocol for R2000 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "Invelion IND90x and YR90x, RodinBell M, D and S, YR8900 (\"A0\" readers with Impinj R2000)"
    }

    fn models(&self) -> &'static [&'static str] {
        &MODELS
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

    fn session(&self, settings: &ReaderSettings) -> Result<Box<dyn Session>, Unsupported> {
        Ok(Box::new(session::R2000Session::try_new(settings)?))
    }

    fn emulator(&self, settings: &EmulatorSettings) -> Result<Box<dyn Emulator>, Unsupported> {
        Ok(Box::new(emulator::R2000Reader::try_new(settings)?))
    }
}
