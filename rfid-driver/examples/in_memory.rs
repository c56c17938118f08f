//! How is a program tested without a reader, a port or a clock?
//! `cargo run -p rfid-driver --example in_memory`
//!
//! A session and an emulator are joined by hand. Neither has threads or time of its own, so a minute
//! of reading takes no time and is the same in every run.

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use rfid_driver::Epc;
use rfid_driver::emulator::{EmulatorSettings, FieldTag};
use rfid_driver::protocol::{Protocol as _, mercury::Mercury};
use rfid_driver::session::{ReaderSettings, SessionEvent, Transmit};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let mut reader =
        Mercury.emulator(&EmulatorSettings { seed: 7, ..EmulatorSettings::default() })?;
    let mut host = Mercury.session(&ReaderSettings::default())?;
    let tag = FieldTag::new(Epc::try_from_slice(b"\x34\x16\x21\x4B\x88 example")?, -55, 1);
    #[expect(clippy::disallowed_methods, reason = "where time begins; it runs by itself below")]
    let start = Instant::now();
    let mut time = Duration::ZERO;
    let (mut reads, mut states) = (0_u64, Vec::new());
    reader.set_field(&[tag], time);
    host.handle_open(start);
    while time < Duration::from_secs(60) {
        // What was said goes over at once, and what is answered to it: a line without length.
        let mut said = true;
        while std::mem::take(&mut said) {
            while let Some(transmit) = host.poll_transmit() {
                if let Transmit::Frame(frame) = transmit {
                    reader.handle_bytes(frame.as_ref(), time);
                }
            }
            while let Some(transmit) = reader.poll_transmit() {
                host.handle_bytes(transmit.frame.as_ref(), start + time);
                said = true;
            }
        }
        while let Some(event) = host.poll_event() {
            match event {
                SessionEvent::Tag(_) => reads += 1,
                SessionEvent::State(state) => states.push(state),
                other => writeln!(out, "{time:?}: {other:?}")?,
            }
        }
        // Then time jumps to whoever has something to do first.
        let hosts = host.next_deadline().map(|due| due - start);
        time = reader.next_deadline().into_iter().chain(hosts).min().unwrap_or(time).max(time);
        time += Duration::from_micros(1);
        reader.handle_deadline(time);
        host.handle_deadline(start + time);
    }
    writeln!(out, "{reads} reads in a minute of the reader's time; states: {states:?}")?;
    Ok(())
}
