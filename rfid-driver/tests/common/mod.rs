//! What several tests need: every serial protocol with an emulator, and frames that it really sends.

#![allow(dead_code, unreachable_pub, reason = "each test is a crate and uses its part")]

use std::time::Instant;

use rfid_driver::codec::FrameBuf;
use rfid_driver::emulator::EmulatorSettings;
use rfid_driver::emulator::memory::{self, MemoryLine};
use rfid_driver::protocol::{self, Protocol};

/// One kind of reader.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub protocol: &'static dyn Protocol,
    pub model: &'static str,
}

/// Every kind of reader that has an emulator.
pub fn kinds() -> Vec<Kind> {
    let kinds: Vec<_> = protocol::ALL
        .iter()
        .flat_map(|&protocol| protocol.models().iter().map(move |&model| Kind { protocol, model }))
        .filter(|kind| kind.protocol.emulator(&EmulatorSettings::default()).is_ok())
        .collect();
    assert!(!kinds.is_empty(), "no protocol has an emulator");
    kinds
}

impl Kind {
    pub fn name(&self) -> String {
        format!("{} {}", self.protocol.name(), self.model)
    }

    /// A line on which the reader reads.
    pub fn reading(&self, seed: u64) -> MemoryLine {
        memory::reading(self.protocol, self.model, seed)
            .expect("the model is one of its own")
            .unwrap_or_else(|| panic!("{} does not come to read", self.name()))
    }

    /// Frames that report tags, each tag another.
    pub fn tag_frames(&self, count: usize) -> Vec<FrameBuf> {
        memory::tag_frames(&mut self.reading(1), count)
    }
}

/// An instant to stamp reads with; none is compared.
#[expect(clippy::disallowed_methods, reason = "a stamp that nothing is compared with")]
pub fn instant() -> Instant {
    Instant::now()
}
