//! How are tags read? `cargo run -p rfid-driver --example read -- /dev/ttyUSB0 [PROTOCOL]`
//!
//! Without a port it plays a reader of its own, with one tag in its field. The EPC is shown in
//! clear, because this is your own terminal.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::mpsc;

use rfid_driver::emulator::FieldTag;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent};
use rfid_driver::{Epc, protocol};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (port, _played) = match arguments.next() {
        Some(port) => (PathBuf::from(port), None),
        None => {
            let link = std::env::temp_dir().join(format!("reader-{}", std::process::id()));
            let played = PtyReader::start(&link, PtyReaderConfig::default())?;
            let epc = Epc::try_from_slice(b"\x34\x16\x21\x4B\x88 example")?;
            played.set_field(&[FieldTag::new(epc, -58, 1)]);
            (link, Some(played))
        }
    };
    let mut config = ReaderConfig::new(port);
    if let Some(name) = arguments.next() {
        config.protocol = protocol::by_name(&name).ok_or("no such protocol")?;
    }
    let (sender, events) = mpsc::channel();
    let reader = Reader::spawn(config, move |event| {
        // Nobody listens any more once the terminal is closed.
        sender.send(event).ok();
    })?;
    let mut out = std::io::stdout().lock();
    for event in events {
        let written = match event {
            ReaderEvent::Tag(read) => {
                let dbm = read.rssi.and_then(|rssi| rssi.dbm).unwrap_or(0);
                writeln!(out, "{}  antenna {:?}  {dbm} dBm", read.epc, read.antenna)
            }
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
