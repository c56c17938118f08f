//! Clients of `UHFReader18` and `UHFReader288` that others wrote, and our own, against the readers
//! made of software on a pseudo-terminal.
//!
//! The Python clients run where the environment variable `RFID_CLIENT_PYTHON` names an interpreter
//! that has them (wabson.chafon-rfid, pyserial, omnitag, uhfreader18); elsewhere those tests say that
//! they were skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::emulator::{EmulatorSettings, FieldTag, PowerUp};
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent, ReaderState};
use rfid_driver::{Epc, Tid, protocol};
use tempfile::TempDir;

#[path = "common/python.rs"]
mod python;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -55, 1)
}

/// A reader on a pseudo-terminal.
struct Line {
    _folder: TempDir,
    port: PathBuf,
    reader: PtyReader,
}

impl Line {
    fn of_model(model: &str) -> Self {
        Self::with(model, PowerUp::Ready)
    }

    fn with(model: &str, power_up: PowerUp) -> Self {
        Self::at_scale(model, power_up, 1.0)
    }

    fn at_scale(model: &str, power_up: PowerUp, time_scale: f64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = folder.path().join("reader");
        let settings = EmulatorSettings {
            model: Some(model.to_owned()),
            power_up,
            ..EmulatorSettings::default()
        };
        let config = PtyReaderConfig {
            protocol: protocol::by_name("uhfreader").unwrap(),
            reader: settings,
            time_scale,
            ..PtyReaderConfig::default()
        };
        let reader = PtyReader::start(&port, config).unwrap();
        Self { _folder: folder, port, reader }
    }

    /// What a Python client made of the reader; `None` where there is none.
    fn told_by(&self, client: &str, model: &str) -> Option<Vec<String>> {
        let module = match client {
            "chafon" => "chafon_rfid",
            "wyuan" => "omnitag",
            other => other,
        };
        let python = python::python_with(module)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/chafon.py");
        let run = Command::new(python)
            .arg(script)
            .arg(client)
            .arg(&self.port)
            .arg(model)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let complained = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{client}: {said}\n{complained}");
        Some(said.lines().map(str::to_owned).collect())
    }
}

#[test]
fn the_crate_ru5102_reads_lists_and_writes_tags() {
    let line = Line::of_model("18");
    line.reader.set_field(&[tag(1), tag(2)]);
    let mut reader = ru5102::Reader::new(line.port.to_str().unwrap()).unwrap();
    let info = format!("{:?}", reader.reader_information().unwrap());
    assert!(info.contains("reader_type: 9") && info.contains("power: 30"), "{info}");
    let mut epcs = reader.inventory().unwrap();
    epcs.sort();
    assert_eq!(epcs, [tag(1).epc.as_bytes(), tag(2).epc.as_bytes()]);
    let epc = tag(2).epc.as_bytes().to_vec();
    let read = |location, start_address, count| ru5102::ReadCommand {
        epc: epc.clone(),
        location,
        start_address,
        count,
        password: None,
        mask_address: None,
        mask_length: None,
    };
    let words = reader.read_data(read(ru5102::MemoryLocation::EPC, 2, 6)).unwrap();
    assert_eq!(words, epc);
    let write = ru5102::WriteCommand {
        epc: epc.clone(),
        location: ru5102::MemoryLocation::User,
        start_address: 3,
        data: vec![0xAB, 0xCD],
        password: None,
        mask_address: None,
        mask_length: None,
    };
    reader.write_data(write).unwrap();
    let words = reader.read_data(read(ru5102::MemoryLocation::User, 2, 2)).unwrap();
    assert_eq!(words, [0, 0, 0xAB, 0xCD]);
}

fn tags(said: &[String]) -> Vec<&str> {
    said.iter().filter_map(|line| line.strip_prefix("tag ")).collect()
}

#[test]
fn the_python_client_chafon_rfid_reads_the_newer_reader() {
    let line = Line::of_model("288");
    line.reader.set_field(&[tag(1), tag(2)]);
    let Some(said) = line.told_by("chafon", "288") else { return };
    assert_eq!(
        said[..5],
        ["type UHFReader288MP", "band US 902.75 927.25", "status 0", "status 0", "power 27"]
    );
    let (one, two) = (format!("{} 1", hex(1)), format!("{} 1", hex(2)));
    assert_eq!(tags(&said), [&one, &two, &one, &two, &one, &two]);
    assert_eq!(said.iter().filter(|line| *line == "end 1").count(), 3);
}

#[test]
fn the_python_client_chafon_rfid_reads_the_older_reader() {
    let line = Line::of_model("18");
    line.reader.set_field(&[tag(1), tag(2)]);
    let Some(said) = line.told_by("chafon", "18") else { return };
    assert_eq!(said[0], "type UHFReader18");
    assert_eq!(tags(&said).len(), 6);
    assert_eq!(said.iter().filter(|line| *line == "end 1").count(), 3);
}

#[test]
fn the_python_client_omnitag_reads_tids_of_the_newer_reader() {
    let line = Line::of_model("288");
    let tid = Tid::try_from_slice(&[0xE2, 0x80, 0x11, 0x05, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    line.reader.set_field(&[FieldTag { tid: Some(tid), ..tag(1) }]);
    let Some(said) = line.told_by("wyuan", "288") else { return };
    let expected = format!("{} 1 e28011050102030405060708", hex(1));
    assert_eq!(tags(&said), [&expected[..]; 6]);
}

#[test]
fn the_python_client_omnitag_takes_what_the_newer_reader_pushes() {
    let line = Line::with("288", PowerUp::Reading);
    line.reader.set_field(&[tag(1)]);
    let Some(said) = line.told_by("wyuan", "288") else { return };
    assert_eq!(tags(&said), [&format!("{} 1 -", hex(1))[..]; 6]);
}

#[test]
fn the_python_client_uhfreader18_sets_the_older_reader_up() {
    let line = Line::of_model("18");
    let Some(said) = line.told_by("uhfreader18", "18") else { return };
    assert_eq!(
        said,
        ["type UHFREADER18 US address 0", "power 20 5", "mode ANSWER INVENTORY_MULTIPLE"]
    );
}

fn hex(serial: u8) -> String {
    format!("{}", tag(serial).epc).to_lowercase()
}

#[test]
fn our_own_client_reads_both_models_however_they_were_left() {
    for (model, power_up, time_scale) in [
        ("288", PowerUp::Ready, 1.0),
        ("288", PowerUp::Reading, 1.0),
        ("18", PowerUp::Ready, 20.0),
        ("18", PowerUp::Reading, 1.0),
    ] {
        let line = Line::at_scale(model, power_up, time_scale);
        let (sender, events) = mpsc::channel();
        let config = ReaderConfig {
            protocol: protocol::by_name("uhfreader").unwrap(),
            time_scale,
            ..ReaderConfig::new(&line.port)
        };
        let reader = Reader::spawn(config, move |event| {
            // The test may have seen enough.
            sender.send(event).ok();
        })
        .unwrap();
        let wait_for = |wanted: &dyn Fn(&ReaderEvent) -> bool| loop {
            let event = events.recv_timeout(PATIENCE).unwrap();
            if wanted(&event) {
                return;
            }
        };
        wait_for(&|event| *event == ReaderEvent::State(ReaderState::Reading));
        line.reader.set_field(&[tag(1)]);
        wait_for(&|event| matches!(event, ReaderEvent::Tag(read) if read.epc == tag(1).epc));
        reader.stop();
    }
}
