//! YRM100 and R200: small modules around the M100/QM100 chip (JRD-4035, R200).
//!
//! The two names are two firmwares that differ in the first and last byte of a frame, nothing else.
//! A module has one antenna port and neither a thermometer nor a clock. A TID costs a command for
//! each tag, with polling stopped, so it is not asked for, whatever the settings say.

use std::time::Instant;

use super::{Protocol, Unsupported};
use crate::codec::{Description, Direction, Undecodable};
use crate::deframe::{Deframe, Deframer};
use crate::emulator::{Emulator, EmulatorSettings};
use crate::session::{ReaderSettings, Session};
use codec::Marks;

pub mod codec;
mod describe;
pub mod emulator;
pub mod session;

/// The protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yrm100;

const NAME: &str = "yrm100";
const MODELS: [&str; 2] = ["yrm100", "r200"];
/// The manual shows 115200 as what a module comes with, and sets 19200.
const BAUDS: [u32; 5] = [115_200, 9600, 19_200, 38_400, 57_600];

impl Protocol for Yrm100 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "YRM100x, JRD-4035, M5Stack UHF, R200 (M100/QM100 chip)"
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
        let marks = marks(settings.model.as_deref())?;
        if settings.antennas != [1] {
            return Err(Unsupported {
                protocol: NAME,
                setting: "antennas",
                value: format!("{:?}", settings.antennas),
                possible: "only port 1".to_owned(),
            });
        }
        Ok(Box::new(session::Yrm100Session::new(settings, marks)))
    }

    fn emulator(&self, settings: &EmulatorSettings) -> Result<Box<dyn Emulator>, Unsupported> {
        let marks = marks(settings.model.as_deref())?;
        Ok(Box::new(emulator::Yrm100Reader::new(settings, marks)))
    }
}

/// The marks of a model's frames; `None` where it has still to be found out by a session, and either
/// will do for an emulator.
fn marks(model: Option<&str>) -> Result<Option<Marks>, Unsupported> {
    match model {
        None => Ok(None),
        Some("yrm100") => Ok(Some(Marks::Bb7e)),
        Some("r200") => Ok(Some(Marks::AaDd)),
        Some(other) => Err(Unsupported {
            protocol: NAME,
            setting: "model",
            value: other.to_owned(),
            possible: MODELS.join(", "),
        }),
    }
}
