//! What the emulated line does to what it carries, and that nothing intact is lost on it.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rfid_driver::TagRead;
use rfid_driver::deframe::Deframer;
use rfid_driver::emulator::EmulatorSettings;
use rfid_driver::emulator::pty::{
    Begins, Echo, HostRate, LineHabits, PtyReader, PtyReaderConfig, SentTag,
};
use rfid_driver::emulator::wire::{Fate, WireFaults};
use rfid_driver::port::Port;
use rfid_driver::protocol::mercury::codec::{Command, FromReader};
use rfid_driver::supervisor::{ReaderState, Stopped};

use super::host::{Host, PATIENCE, fast, now, tag};
use super::wait_until;

const READS_WANTED: u64 = 300;

/// What the reader sent intact, as the host should report it but for when.
fn intact(truth: &mpsc::Receiver<SentTag>, like: TagRead) -> Vec<TagRead> {
    truth
        .try_iter()
        .filter(|sent| sent.fate == Fate::Intact)
        .flat_map(|sent| sent.tags)
        .map(|read| TagRead { at: like.at, ..read })
        .collect()
}

/// Reads through such a line, and demands every tag that was sent intact and no other.
fn check(what: &str, wire: WireFaults, line: LineHabits) {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let (truth, sent) = mpsc::channel();
    let config = PtyReaderConfig { wire, line, truth: Some(truth), ..fast() };
    let emulator = PtyReader::start(&port, config).unwrap();
    let host = Host::on(port, 20.0);
    host.wait_for_state(ReaderState::Reading);
    emulator.set_field(&(1..=5).map(tag).collect::<Vec<_>>());
    wait_until("enough reads", || emulator.tag_frames_sent() >= READS_WANTED);
    emulator.set_field(&[]);
    let heard = host.remaining_tags();
    let like = *heard.first().unwrap_or_else(|| panic!("{what}: nothing came"));
    let heard: Vec<TagRead> = heard.iter().map(|read| TagRead { at: like.at, ..*read }).collect();
    let sent = intact(&sent, like);
    assert!(sent.len() > 100, "{what}: only {} intact", sent.len());
    assert!(heard == sent, "{what}: {} heard of {} intact", heard.len(), sent.len());
    assert_eq!(host.reader.stop(), Stopped::Cleanly, "{what}");
}

#[test]
fn every_intact_frame_arrives_over_a_bad_line() {
    let clean = LineHabits::default();
    let faults = [
        ("junk", WireFaults { junk_share: 0.3, ..WireFaults::NONE }),
        ("false headers", WireFaults { false_header_share: 0.3, ..WireFaults::NONE }),
        ("lost bytes", WireFaults { lost_byte_share: 0.005, ..WireFaults::NONE }),
        ("flipped bits", WireFaults { flipped_bit_share: 0.001, ..WireFaults::NONE }),
        ("fragments", WireFaults { fragment_len_max: Some(7), ..WireFaults::NONE }),
    ];
    thread::scope(|scope| {
        for (what, faults) in faults {
            scope.spawn(move || check(what, faults, clean));
        }
    });
}

#[test]
fn every_frame_arrives_over_a_line_with_habits() {
    let plain = LineHabits::default();
    let habits = [
        ("echo", LineHabits { echo: Echo::On, ..plain }),
        ("adapter", LineHabits { usb_latency: Some(Duration::from_millis(16)), ..plain }),
        ("half a frame", LineHabits { begins: Begins::WithinAFrame, ..plain }),
        ("any rate", LineHabits { host_rate: HostRate::Ignored, ..plain }),
    ];
    thread::scope(|scope| {
        for (what, habits) in habits {
            scope.spawn(move || check(what, WireFaults::NONE, habits));
        }
    });
}

/// What a host at `host_baud` gets for asking a reader at `reader_baud` for its version.
fn answer(reader_baud: u32, host_baud: u32, line: LineHabits) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reader");
    let reader = EmulatorSettings { baud: Some(reader_baud), ..EmulatorSettings::default() };
    let config = PtyReaderConfig { reader, line, ..PtyReaderConfig::default() };
    let _emulator = PtyReader::start(&path, config).unwrap();
    let mut port = Port::open(&path, host_baud).unwrap();
    port.write(Command::Version.emit().as_ref()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match port.read(&mut buffer, Duration::from_millis(200)).unwrap() {
            0 => return answer,
            len => answer.extend_from_slice(&buffer[..len]),
        }
    }
}

#[test]
fn a_host_at_another_rate_is_not_understood() {
    let right = answer(9600, 9600, LineHabits::default());
    assert_eq!(right.len(), 27);
    assert_eq!(answer(250_000, 250_000, LineHabits::default()), right);
    for (reader_baud, host_baud) in [(9600, 115_200), (115_200, 9600), (115_200, 57_600)] {
        assert_eq!(answer(reader_baud, host_baud, LineHabits::default()), []);
        let ignored = LineHabits { host_rate: HostRate::Ignored, ..LineHabits::default() };
        assert_eq!(answer(reader_baud, host_baud, ignored), right);
    }
}

#[test]
fn what_a_reader_says_is_garbage_at_another_rate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reader");
    let emulator = PtyReader::start(&path, PtyReaderConfig::default()).unwrap();
    let mut port = Port::open(&path, 115_200).unwrap();
    // It says so at 115200 by itself after a restart.
    port.set_baud(57_600).unwrap();
    emulator.break_with(rfid_driver::emulator::DeviceFault::Reboot);
    let mut buffer = [0; 256];
    let mut deframer = Deframer::<FromReader>::new();
    let mut heard = 0;
    loop {
        match port.read(&mut buffer, Duration::from_millis(300)).unwrap() {
            0 if heard == 0 => {}
            0 => break,
            len => {
                heard += len;
                assert_eq!(deframer.push(&buffer[..len]), []);
                assert_eq!(deframer.next_frame(), None);
            }
        }
    }
}

#[test]
fn bytes_take_their_time_on_the_wire_and_in_the_adapter() {
    let asked_at = now();
    let slow = answer(9600, 9600, LineHabits::default());
    // 5 bytes there and 27 back, ten bits each.
    assert!(asked_at.elapsed() >= Duration::from_micros(33_300));
    let adapter = LineHabits { usb_latency: Some(PATIENCE / 100), ..LineHabits::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reader");
    let config = PtyReaderConfig { line: adapter, ..PtyReaderConfig::default() };
    let _emulator = PtyReader::start(&path, config).unwrap();
    let mut port = Port::open(&path, 115_200).unwrap();
    let asked_at = now();
    port.write(Command::Version.emit().as_ref()).unwrap();
    let mut buffer = [0; 256];
    let len = port.read(&mut buffer, PATIENCE).unwrap();
    assert!(asked_at.elapsed() >= PATIENCE / 100);
    assert_eq!(buffer[..len], slow);
}

#[test]
fn a_host_on_two_wires_hears_itself_first() {
    let echo = LineHabits { echo: Echo::On, ..LineHabits::default() };
    let question = Command::Version.emit();
    let heard = answer(115_200, 115_200, echo);
    assert!(heard.starts_with(question.as_ref()));
    assert_eq!(heard[question.as_ref().len()..], answer(115_200, 115_200, LineHabits::default()));
}
