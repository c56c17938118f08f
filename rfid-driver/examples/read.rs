//! Prints the tags that a reader sees: `cargo run -p rfid-driver --example read -- /dev/ttyUSB0`.
//!
//! Without a port it makes a reader of its own, with one tag in its field. The EPC is shown in
//! clear, because this is your own terminal.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::mpsc;

use rfid_driver::Epc;
use rfid_driver::emulator::FieldTag;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let (port, _emulator) = match std::env::args_os().nth(1) {
        Some(port) => (PathBuf::from(port), None),
        None => {
            let link = std::env::temp_dir().join(format!("reader-{}", std::process::id()));
            let emulator = PtyReader::start(&link, PtyReaderConfig::default())?;
            let epc = Epc::try_from_slice(b"\x34\x16\x21\x4B\x88 example")?;
            emulator.set_field(&[FieldTag::new(epc, -58, 1)]);
            (link, Some(emulator))
        }
    };
    let (sender, events) = mpsc::channel();
    let reader = Reader::spawn(ReaderConfig::new(port), move |event| {
        // Nobody listens any more once the terminal is closed.
        sender.send(event).ok();
    })?;
    let mut out = std::io::stdout().lock();
    for event in events {
        let written = match event {
            ReaderEvent::Tag(read) => writeln!(
                out,
                "{}  antenna {}  {} dBm  {} kHz",
                read.epc,
                read.antenna.unwrap_or(0),
                read.rssi.and_then(|rssi| rssi.dbm).unwrap_or(0),
                read.frequency_khz.unwrap_or(0)
            ),
            ReaderEvent::State(state) => writeln!(out, "reader: {state:?}"),
            ReaderEvent::Report(report) => writeln!(out, "reader says: {report:?}"),
            ReaderEvent::Gap(gap) => {
                writeln!(out, "gap of {:?}: {:?}", gap.until - gap.since, gap.cause)
            }
        };
        if written.is_err() {
            break;
        }
    }
    reader.stop();
    Ok(())
}
