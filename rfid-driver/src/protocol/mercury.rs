//! Mercury: ThingMagic/JADAK modules (M5e, M6e, Micro, Nano, M7e) and what copies them (Silion).

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
pub struct Mercury;

/// The rates that its modules know, in the order in which the vendor's client tries them.
const BAUDS: [u32; 8] = [115_200, 9600, 921_600, 19_200, 38_400, 57_600, 230_400, 460_800];

impl Protocol for Mercury {
    fn name(&self) -> &'static str {
        "mercury"
    }

    fn about(&self) -> &'static str {
        "ThingMagic/JADAK M5e, M6e, Micro, Nano, M7e; Silion SIM7x and EX10"
    }

    fn models(&self) -> &'static [&'static str] {
        &emulator::MODELS
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
        let unsupported = |setting, value, possible| Unsupported {
            protocol: self.name(),
            setting,
            value,
            possible,
        };
        if let Some(model) = &settings.model
            && !self.models().contains(&model.as_str())
        {
            return Err(unsupported("model", model.clone(), self.models().join(", ")));
        }
        if let Some(baud) = settings.baud_wanted.filter(|baud| !BAUDS.contains(baud)) {
            let possible = BAUDS.map(|baud| baud.to_string()).join(", ");
            return Err(unsupported("baud rate", baud.to_string(), possible));
        }
        if let Some(port) = settings.antennas.iter().find(|port| !(1..=16).contains(*port)) {
            return Err(unsupported("antenna", port.to_string(), "1 to 16".to_owned()));
        }
        Ok(Box::new(session::MercurySession::new(settings)))
    }

    fn emulator(&self, settings: &EmulatorSettings) -> Result<Box<dyn Emulator>, Unsupported> {
        if let Some(model) = settings.model.as_deref().filter(|name| !self.models().contains(name))
        {
            return Err(Unsupported {
                protocol: self.name(),
                setting: "model",
                value: model.to_owned(),
                possible: self.models().join(", "),
            });
        }
        Ok(Box::new(emulator::MercuryReader::new(settings)))
    }
}

#[cfg(test)]
mod tests;
