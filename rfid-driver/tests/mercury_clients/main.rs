//! Clients that we did not write, or rewrote from their vendor's source, against the emulator on a
//! pseudo-terminal: real bytes, a real serial port, real time.
//!
//! * [`vendor`] sends, in order, what `MercuryAPI` C sends and reads the answers by the rules of its
//!   parser. The real one is not on any package registry: `python-mercuryapi` fetches it from the
//!   vendor when it is built.
//! * [`silion`] is the crate `rfid-silion-compat`, as it comes.

#![expect(
    clippy::unwrap_used,
    clippy::panic_in_result_fn,
    reason = "a test fails by panicking, in its helpers too"
)]

use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::emulator::{EmulatorSettings, FieldTag, PowerUp};
use rfid_driver::{Epc, Tid};

mod silion;
mod vendor;

/// An emulator and where its line is.
struct Rig {
    reader: PtyReader,
    // Removed when dropped.
    folder: tempfile::TempDir,
}

impl Rig {
    fn new(model: &str, power_up: PowerUp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = EmulatorSettings {
            model: Some(model.to_owned()),
            seed: 11,
            power_up,
            ..EmulatorSettings::default()
        };
        let config = PtyReaderConfig { reader: settings, ..PtyReaderConfig::default() };
        let reader = PtyReader::start(&folder.path().join("reader"), config).unwrap();
        Self { reader, folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("reader").to_str().unwrap().to_owned()
    }
}

const TID: [u8; 8] = [0xE2, 0x80, 0x11, 0x05, 0x20, 0x00, 0x00, 0x07];

fn epc(serial: u8) -> [u8; 12] {
    [0x34, 0x16, 0x21, 0x4B, 0x88, 0, 0, 0, 0, 0, 0, serial]
}

fn tag(serial: u8, antenna: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&epc(serial)).unwrap();
    let tid = Some(Tid::try_from_slice(&TID).unwrap());
    FieldTag { tid, ..FieldTag::new(epc, -55, antenna) }
}
