//! The whole driver against a YRM100 and an R200 on a pseudo-terminal: real threads, a real line,
//! real time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::mpsc;
use std::time::Duration;

use rfid_driver::Epc;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::emulator::{DeviceFault, EmulatorSettings, FieldTag, PowerUp};
use rfid_driver::protocol::by_name;
use rfid_driver::supervisor::{GapCause, Reader, ReaderConfig, ReaderEvent, ReaderState};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -55, 1)
}

fn wait_for(events: &mpsc::Receiver<ReaderEvent>, wanted: impl Fn(&ReaderEvent) -> bool) {
    while !wanted(&events.recv_timeout(PATIENCE).unwrap()) {}
}

/// A module that polls for an earlier host is found, read, and read again after it restarted.
fn read(model: &str) {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let protocol = by_name("yrm100").unwrap();
    let reader = EmulatorSettings {
        model: Some(model.to_owned()),
        power_up: PowerUp::Reading,
        ..EmulatorSettings::default()
    };
    let config = PtyReaderConfig { protocol, reader, ..PtyReaderConfig::default() };
    let module = PtyReader::start(&port, config).unwrap();
    let (sender, events) = mpsc::channel();
    let config = ReaderConfig { protocol, ..ReaderConfig::new(port) };
    let host = Reader::spawn(config, move |event| {
        // The test may have seen enough.
        sender.send(event).ok();
    })
    .unwrap();
    let tag_comes = |serial| {
        wait_for(
            &events,
            |event| matches!(event, ReaderEvent::Tag(read) if read.epc == tag(serial).epc),
        );
    };
    wait_for(&events, |event| *event == ReaderEvent::State(ReaderState::Reading));
    module.set_field(&[tag(1)]);
    tag_comes(1);
    module.break_with(DeviceFault::Reboot);
    module.set_field(&[tag(2)]);
    wait_for(
        &events,
        |event| matches!(event, ReaderEvent::Gap(gap) if gap.cause == GapCause::Silence),
    );
    tag_comes(2);
    host.stop();
}

#[test]
fn a_yrm100_is_found_and_read_and_found_again() {
    read("yrm100");
}

#[test]
fn an_r200_is_found_and_read_and_found_again() {
    read("r200");
}
