//! The whole driver against an LLRP reader that we did not write: the emulator of the Python package
//! llrpkit, which knows nothing of this crate.
//!
//! `RFID_CLIENT_PYTHON` names the interpreter of an environment with the packages of
//! `tests/clients/llrp.requirements.txt`; without it these tests say that they are skipped.

#![cfg(feature = "llrp")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rfid_driver::protocol;
use rfid_driver::session::ReaderSettings;
use rfid_driver::supervisor::{
    AntennaState, Gap, GapCause, Reader, ReaderConfig, ReaderEvent, ReaderState, Report, Request,
    TidReading,
};
use rfid_driver::{Epc, TagRead};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/llrp_emulator.py");
/// One of 96 bits, one of 128.
const EPCS: [&str; 2] = ["341600000000000000000001", "34160000000000000000000000000002"];

#[path = "common/python.rs"]
mod python;

fn python() -> Option<OsString> {
    python::python_with("llrpkit")
}

fn epc(hex: &str) -> Epc {
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    Epc::try_from_slice(&bytes).unwrap()
}

/// Somebody else's reader, in a process of its own.
struct Emulator {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl Emulator {
    /// Starts it on `port`; on a free one for 0.
    fn start(python: &OsString, port: u16) -> Self {
        let tags = EPCS.iter().flat_map(|epc| ["--tag", epc]);
        let mut process = Command::new(python)
            .arg(SCRIPT)
            .args(["--port", &port.to_string()])
            .args(tags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut emulator = Self { process, commands, answers, port };
        emulator.port = emulator.answer().parse().unwrap();
        emulator
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn do_and_wait(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        assert_eq!(self.answer(), "done");
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.process.id().try_into().unwrap());
        kill(id, signal).unwrap();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A supervised reader and what it says.
struct Host {
    reader: Reader,
    events: mpsc::Receiver<ReaderEvent>,
}

impl Host {
    fn of(emulator: &Emulator, settings: ReaderSettings) -> Self {
        let (sender, events) = mpsc::channel();
        let config = ReaderConfig {
            protocol: protocol::by_name("llrp").unwrap(),
            settings,
            ..ReaderConfig::new(format!("127.0.0.1:{}", emulator.port))
        };
        let reader = Reader::spawn(config, move |event| {
            // The test may have seen enough.
            sender.send(event).ok();
        })
        .unwrap();
        Self { reader, events }
    }

    fn wait_for<T>(&self, what: &str, wanted: impl Fn(ReaderEvent) -> Option<T>) -> T {
        loop {
            match self.events.recv_timeout(PATIENCE) {
                Ok(event) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }

    fn wait_for_state(&self, state: ReaderState) {
        self.wait_for(&format!("{state:?}"), |event| {
            (event == ReaderEvent::State(state)).then_some(())
        });
    }

    fn wait_for_tag(&self, epc: Epc) -> TagRead {
        self.wait_for("tag", |event| match event {
            ReaderEvent::Tag(read) if read.epc == epc => Some(read),
            _ => None,
        })
    }

    fn wait_for_gap(&self) -> Gap {
        self.wait_for("gap", |event| match event {
            ReaderEvent::Gap(gap) => Some(gap),
            _ => None,
        })
    }

    fn wait_for_report(&self, wanted: &Report) {
        self.wait_for(&format!("{wanted:?}"), |event| {
            (event == ReaderEvent::Report(wanted.clone())).then_some(())
        });
    }
}

fn on_antennas(antennas: &[u8]) -> ReaderSettings {
    ReaderSettings { antennas: antennas.to_vec(), ..ReaderSettings::default() }
}

#[test]
fn its_tags_arrive_with_all_that_it_says_of_them() {
    let Some(python) = python() else { return };
    let emulator = Emulator::start(&python, 0);
    let settings = ReaderSettings { tid: TidReading::On, ..on_antennas(&[1, 2]) };
    let host = Host::of(&emulator, settings);
    let identity = host.wait_for("identity", |event| match event {
        ReaderEvent::Report(Report::Identity { text, baud: None }) => Some(text),
        _ => None,
    });
    assert_eq!(identity, "Impinj model 700, firmware llrpkit-emu 0.1, 4 antenna ports");
    host.wait_for_state(ReaderState::Reading);
    for hex in EPCS {
        let epc = epc(hex);
        let read = host.wait_for_tag(epc);
        assert!(matches!(read.antenna, Some(1 | 2)), "{read:?}");
        assert!(read.rssi.is_some_and(|rssi| matches!(rssi.dbm, Some(-70..=-40))), "{read:?}");
        let frequency_khz = read.frequency_khz.unwrap();
        assert!((902_750..=927_250).contains(&frequency_khz), "{read:?}");
        assert_eq!(frequency_khz % 500, 250);
        assert_eq!(read.read_count, 1);
        // Its tags' TIDs are this and the end of their EPCs.
        let tid = [&[0xE2, 0x80, 0x11, 0x05], &epc.as_bytes()[epc.as_bytes().len() - 8..]].concat();
        assert_eq!(read.tid.unwrap().as_bytes(), tid);
        assert!(read.reader_timestamp_ms.is_some_and(|ms| ms < 60_000), "{read:?}");
    }
    host.reader.stop();
}

#[test]
fn it_serves_the_next_host_at_once_after_we_have_left() {
    let Some(python) = python() else { return };
    let emulator = Emulator::start(&python, 0);
    for _ in 0..3 {
        let host = Host::of(&emulator, on_antennas(&[1]));
        host.wait_for_tag(epc(EPCS[0]));
        host.reader.stop();
    }
}

#[test]
fn a_second_host_is_turned_away_until_the_first_has_left() {
    let Some(python) = python() else { return };
    let emulator = Emulator::start(&python, 0);
    let first = Host::of(&emulator, on_antennas(&[1]));
    first.wait_for_tag(epc(EPCS[0]));
    let second = Host::of(&emulator, on_antennas(&[1]));
    second.wait_for_report(&Report::RadioFault { text: "the reader serves another host" });
    second.wait_for_state(ReaderState::Closed);
    first.wait_for_tag(epc(EPCS[0]));
    first.reader.stop();
    second.wait_for_tag(epc(EPCS[0]));
    second.reader.stop();
}

#[test]
fn it_stays_alive_without_tags() {
    let Some(python) = python() else { return };
    let mut emulator = Emulator::start(&python, 0);
    // On antenna 3 there is no tag, so only keep-alives come.
    let host = Host::of(&emulator, on_antennas(&[3]));
    host.wait_for_state(ReaderState::Reading);
    // Three of them, by which time a reader without would have been given up.
    let quiet = ReaderSettings::default().timing.life_timeout * 2;
    assert!(host.events.recv_timeout(quiet).is_err(), "the reader lives and says nothing");
    emulator.do_and_wait("antenna 3 off");
    host.wait_for_report(&Report::Antenna { port: 3, state: AntennaState::Missing });
    host.wait_for_state(ReaderState::Degraded);
    emulator.do_and_wait("antenna 3 on");
    host.wait_for_report(&Report::Antenna { port: 3, state: AntennaState::Connected });
    assert_eq!(host.wait_for_gap().cause, GapCause::Radio);
    host.wait_for_state(ReaderState::Reading);
    // It does not tell which antennas it has; we say so and go on.
    host.reader.request(Request::Antennas);
    host.wait_for_report(&Report::Refused { request: Request::Antennas });
    host.reader.stop();
}

#[test]
fn it_is_read_again_after_it_has_been_switched_off_and_on() {
    let Some(python) = python() else { return };
    let first = Emulator::start(&python, 0);
    let port = first.port;
    let host = Host::of(&first, on_antennas(&[1]));
    let before = host.wait_for_tag(epc(EPCS[0]));
    drop(first);
    host.wait_for_state(ReaderState::Closed);
    let second = Emulator::start(&python, port);
    let gap = host.wait_for_gap();
    assert_eq!(gap.cause, GapCause::PortLost);
    let after = host.wait_for_tag(epc(EPCS[0]));
    assert!(before.at <= gap.since && gap.since < gap.until && gap.until <= after.at);
    host.reader.stop();
    drop(second);
}

#[test]
fn a_reader_that_falls_silent_is_noticed_and_read_again_when_it_speaks() {
    let Some(python) = python() else { return };
    let emulator = Emulator::start(&python, 0);
    let host = Host::of(&emulator, on_antennas(&[1]));
    host.wait_for_tag(epc(EPCS[0]));
    emulator.signal(Signal::SIGSTOP);
    host.wait_for_state(ReaderState::Degraded);
    emulator.signal(Signal::SIGCONT);
    let gap = host.wait_for_gap();
    assert_eq!(gap.cause, GapCause::Silence);
    assert!(gap.until - gap.since >= ReaderSettings::default().timing.life_timeout);
    host.wait_for_tag(epc(EPCS[0]));
    host.reader.stop();
}
