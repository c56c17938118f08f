//! The whole driver against a reader on a pseudo-terminal: real threads, a real line, real time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::sync::mpsc;

use rfid_driver::codec::Direction;
use rfid_driver::deframe::Deframer;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::port::{Port, PortError};
use rfid_driver::protocol::mercury::codec::{
    CONFIG_READ_FILTER, Command, Frame, FromReader, MetadataFlags, PROTOCOL_GEN2, Reply,
    StreamRequest,
};
use rfid_driver::session::ReaderSettings;
use rfid_driver::supervisor::{GapCause, Reader, ReaderConfig, ReaderEvent, ReaderState};

mod host;
mod line;
mod stranger;
mod supervision;

use host::{Host, PATIENCE, fast, tag};

#[test]
fn a_tag_in_the_field_arrives_and_the_reader_is_left_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let emulator = PtyReader::start(&port, PtyReaderConfig::default()).unwrap();
    let host = Host::on(port.clone(), 1.0);
    host.wait_for_state(ReaderState::Reading);
    emulator.set_field(&[tag(1)]);
    host.wait_for_tag(tag(1));
    emulator.set_field(&[tag(2)]);
    host.wait_for_tag(tag(2));
    assert!(emulator.tag_frames_sent() >= 1);
    assert_eq!(emulator.frames_dropped(), 0);
    host.reader.stop();
    drop(emulator);
    assert!(!port.exists() && std::fs::read_link(&port).is_err());
}

#[test]
fn a_reader_that_comes_late_and_is_replaced_under_its_name_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let host = Host::on(port.clone(), 20.0);
    let first = PtyReader::start(&port, fast()).unwrap();
    host.wait_for_state(ReaderState::Reading);
    first.set_field(&[tag(1)]);
    host.wait_for_tag(tag(1));
    // The name moves to another line first; then the old line hangs up and leaves the name alone.
    let second = PtyReader::start(&port, fast()).unwrap();
    drop(first);
    second.set_field(&[tag(2)]);
    host.wait_for_state(ReaderState::Closed);
    let gap = host.wait_for("gap", |event| matches!(event, ReaderEvent::Gap(_)));
    assert!(matches!(gap, ReaderEvent::Gap(gap) if gap.cause == GapCause::PortLost));
    host.wait_for_tag(tag(2));
    // Unplugged and plugged in again.
    drop(second);
    host.wait_for_state(ReaderState::Closed);
    let third = PtyReader::start(&port, fast()).unwrap();
    third.set_field(&[tag(3)]);
    host.wait_for_tag(tag(3));
    host.reader.stop();
}

/// Waits for something that only a look can tell.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    const LOOKS: u32 = 3000;
    let (_open, silent) = mpsc::channel::<()>();
    let so = (0..LOOKS).any(|_| {
        silent.recv_timeout(PATIENCE / LOOKS).unwrap_err();
        is_so()
    });
    assert!(so, "never: {what}");
}

/// A host that starts a continuous read, hears the first of it, and dies without a word.
fn start_reading_and_die(port: &Path) {
    let mut port = Port::open(port, 115_200).unwrap();
    for command in [
        Command::SetRegion { region: 1 },
        Command::SetProtocol { protocol: PROTOCOL_GEN2 },
        Command::SetReaderConfig { key: CONFIG_READ_FILTER, value: 0 },
        Command::StartStream(StreamRequest::without_pause(MetadataFlags(0x00FF))),
    ] {
        port.write(command.emit().as_ref()).unwrap();
    }
    let mut deframer = Deframer::<FromReader>::new();
    let mut bytes = [0; 64];
    loop {
        let len = port.read(&mut bytes, PATIENCE).unwrap();
        assert!(len > 0, "the reader says nothing");
        assert_eq!(deframer.push(&bytes[..len]), []);
        while let Some(frame) = deframer.next_frame() {
            let frame = Frame::new_checked(frame, Direction::FromReader).unwrap();
            if matches!(Reply::parse(frame), Ok(Reply::Tag(_))) {
                return;
            }
        }
    }
}

#[test]
fn a_reader_that_a_dead_host_left_reading_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let emulator = PtyReader::start(&port, fast()).unwrap();
    emulator.set_field(&(10..20).map(tag).collect::<Vec<_>>());
    start_reading_and_die(&port);
    // Nobody takes the reports until the line is full to the last byte.
    wait_until("the line is full", || emulator.frames_dropped() > 0);
    emulator.set_field(&[]);
    let next = Host::on(port, 20.0);
    next.wait_for_state(ReaderState::Reading);
    emulator.set_field(&[tag(2)]);
    // Nothing that was queued for the dead host is taken for something that happens now.
    let first = next.wait_for("tag", |event| matches!(event, ReaderEvent::Tag(_)));
    assert!(matches!(first, ReaderEvent::Tag(read) if read.epc == tag(2).epc));
    next.reader.stop();
}

#[test]
fn a_port_in_use_says_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reader");
    let _emulator = PtyReader::start(&path, fast()).unwrap();
    let _first = Port::open(&path, 115_200).unwrap();
    let error = Port::open(&path, 115_200).unwrap_err();
    assert!(matches!(error, PortError::Held { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
}

#[test]
fn an_absent_port_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nothing");
    assert!(matches!(Port::open(&path, 115_200), Err(PortError::Absent { .. })));
}

fn on_antennas(antennas: &[u8]) -> ReaderConfig {
    let settings = ReaderSettings { antennas: antennas.to_vec(), ..ReaderSettings::default() };
    ReaderConfig { settings, ..ReaderConfig::new("x") }
}

#[test]
fn a_configuration_without_sense_is_refused() {
    for config in [
        on_antennas(&[]),
        on_antennas(&[17]),
        ReaderConfig { time_scale: 0.0, ..ReaderConfig::new("x") },
        ReaderConfig { time_scale: f64::NAN, ..ReaderConfig::new("x") },
    ] {
        assert!(Reader::spawn(config.clone(), |_| {}).is_err(), "{config:?}");
    }
}
