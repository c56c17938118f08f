//! `UHFReader18` and `UHFReader288`: the readers of Chafon (CF-RU, CF-MU), Wyuan, FRD950 and others.

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

/// The protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UhfReader;

const NAME: &str = "uhfreader";

/// The rates that its readers know, the likeliest first: 57600 comes out of the box.
const BAUDS: [u32; 5] = [57_600, 9600, 115_200, 38_400, 19_200];

/// The newer dialect.
const MODEL_288: &str = "288";
/// The older dialect.
const MODEL_18: &str = "18";
const MODELS: [&str; 2] = [MODEL_288, MODEL_18];

impl Protocol for UhfReader {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "UHFReader18, UHFReader288: Chafon CF-RU and CF-MU, Wyuan, FRD950"
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
        Ok(Box::new(session::UhfReaderSession::try_new(settings)?))
    }

    fn emulator(&self, settings: &EmulatorSettings) -> Result<Box<dyn Emulator>, Unsupported> {
        Ok(Box::new(emulator::UhfReaderDevice::try_new(settings)?))
    }
}

/// The dialect that a setting names; `None` where it names none.
fn dialect(model: Option<&str>) -> Result<Option<codec::Dialect>, Unsupported> {
    match model {
        None => Ok(None),
        Some(MODEL_288) => Ok(Some(codec::Dialect::New288)),
        Some(MODEL_18) => Ok(Some(codec::Dialect::Old18)),
        Some(other) => Err(unsupported("model", other.to_owned(), MODELS.join(" or "))),
    }
}

fn unsupported(setting: &'static str, value: String, possible: String) -> Unsupported {
    Unsupported { protocol: NAME, setting, value, possible }
}

/// The rates, for people.
fn bauds_text() -> String {
    BAUDS.map(|baud| baud.to_string()).join(", ")
}
