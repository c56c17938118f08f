//! What several tests need: every serial protocol with an emulator, and frames that it really sends.

#![allow(dead_code, unreachable_pub, reason = "each test is a crate and uses its part")]

use std::time::{Duration, Instant};

use rfid_driver::Epc;
use rfid_driver::codec::FrameBuf;
use rfid_driver::emulator::memory::MemoryLine;
use rfid_driver::emulator::wire::WireFaults;
use rfid_driver::emulator::{EmulatorSettings, FieldTag, TransmitKind};
use rfid_driver::protocol::{self, Protocol};
use rfid_driver::session::{ReaderSettings, ReaderState, SessionEvent};

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
        .filter(|kind| kind.protocol.emulator(&kind.settings(0)).is_ok())
        .collect();
    assert!(!kinds.is_empty(), "no protocol has an emulator");
    kinds
}

impl Kind {
    pub fn name(&self) -> String {
        format!("{} {}", self.protocol.name(), self.model)
    }

    pub fn settings(&self, seed: u64) -> EmulatorSettings {
        EmulatorSettings {
            model: Some(self.model.to_owned()),
            seed,
            read_interval: Duration::from_millis(5),
            ..EmulatorSettings::default()
        }
    }

    /// A line on which the reader reads.
    pub fn reading(&self, reader: &EmulatorSettings, faults: WireFaults) -> MemoryLine {
        let mut line =
            MemoryLine::new(self.protocol, &ReaderSettings::default(), reader, WireFaults::NONE)
                .expect("the default settings are supported");
        line.open();
        let patience = Duration::from_secs(20);
        while line.now() < patience {
            line.pass(Duration::from_millis(5));
            while let Some(event) = line.poll_event() {
                if event == SessionEvent::State(ReaderState::Reading) {
                    line.set_faults(faults);
                    while line.poll_sent().is_some() {}
                    return line;
                }
            }
        }
        panic!("{}: does not read within {patience:?}", self.name());
    }

    /// At least `count` frames that report tags, each tag another.
    pub fn tag_frames(&self, count: usize) -> Vec<FrameBuf> {
        const TAGS_AT_A_TIME: usize = 8;
        let mut line = self.reading(&self.settings(1), WireFaults::NONE);
        let mut frames = Vec::new();
        let mut serial = 0;
        while frames.len() < count {
            let field: Vec<_> = (0..TAGS_AT_A_TIME).map(|at| tag(serial + at)).collect();
            serial += TAGS_AT_A_TIME;
            line.set_field(&field);
            line.pass(Duration::from_millis(40));
            while line.poll_event().is_some() {}
            let before = frames.len();
            while let Some(sent) = line.poll_sent() {
                if sent.kind == TransmitKind::Tag {
                    frames.push(sent.frame);
                }
            }
            assert!(serial < 40 * count + 1000, "{}: hardly reads, {before} frames", self.name());
        }
        frames.truncate(count);
        frames
    }
}

/// A tag whose EPC begins with what is worst for each protocol: its own start bytes.
pub fn tag(serial: usize) -> FieldTag {
    let starts = [0xFF, 0xA0, 0xBB, 0xAA, 0x11, 0x34];
    let mut epc = [0; 12];
    epc[..2].copy_from_slice(&[starts[serial % starts.len()], 0x16]);
    epc[4..].copy_from_slice(&u64::try_from(serial).expect("fits").to_be_bytes());
    FieldTag::new(Epc::try_from_slice(&epc).expect("96 bits"), -55, 1)
}

/// An instant to stamp reads with; none is compared.
#[expect(clippy::disallowed_methods, reason = "a stamp that nothing is compared with")]
pub fn instant() -> Instant {
    Instant::now()
}
