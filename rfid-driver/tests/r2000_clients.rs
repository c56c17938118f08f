//! Hosts that we did not write use the reader made of software as if it were the device: crate
//! `invelion` and `pyImpinj` of the Python index, over a pseudo-terminal, in real time.
//!
//! The second needs a Python with `pyImpinj` 1.2 (and `pyserial`, `libscrc`), named by the environment
//! variable `RFID_CLIENT_PYTHON`; its test says that it is skipped where that is not set.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use invelion::protocol::MemoryBank;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::emulator::{DeviceFault, EmulatorSettings, FieldTag};
use rfid_driver::protocol::r2000::R2000;
use rfid_driver::session::ReaderSettings;
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent};
use rfid_driver::{Epc, Tid};

#[path = "common/python.rs"]
mod python;

fn tag(serial: u8, antenna: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -50, antenna)
}

fn tid() -> Tid {
    Tid::try_from_slice(&[0xE2, 0x80, 0x11, 5, 0, 0, 0, 0, 0, 0, 0, 9]).unwrap()
}

/// A reader with two tags at its first antenna and one at its second.
fn reader(link: &Path, model: &str) -> PtyReader {
    let reader = EmulatorSettings {
        model: Some(model.to_owned()),
        rssi_jitter_db: 0,
        ..EmulatorSettings::default()
    };
    let config = PtyReaderConfig { protocol: &R2000, reader, ..PtyReaderConfig::default() };
    let reader = PtyReader::start(link, config).unwrap();
    reader.set_field(&[FieldTag { tid: Some(tid()), ..tag(1, 1) }, tag(2, 1), tag(3, 2)]);
    reader
}

#[test]
fn the_invelion_crate_uses_the_emulator_as_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("reader");
    let device = reader(&link, "ind905");
    let mut host = invelion::Reader::new(link.to_str().unwrap(), 1, 4).unwrap();

    assert_eq!(host.get_version().unwrap(), (2, 8));
    assert_eq!(host.get_temperature().unwrap(), 36);
    assert_eq!(host.get_output_power().unwrap(), [30; 4]);
    host.set_output_power(&[20, 21, 22, 23]).unwrap();
    assert_eq!(host.get_output_power().unwrap(), [20, 21, 22, 23]);
    assert_eq!(host.get_antenna_connection_detector().unwrap(), 0);
    assert_eq!(host.measure_return_loss(915.0).unwrap(), -18);

    for repeat in [1, 3, 255] {
        let found = host.real_time_inventory(repeat).unwrap();
        assert_eq!(
            (found.antenna, found.total_read),
            (0, u32::try_from(found.items.len()).unwrap())
        );
        if repeat != 255 {
            assert!(found.items.len() >= 2, "{} reads", found.items.len());
            assert!(found.items.iter().any(|item| item.epc == tag(1, 1).epc.as_bytes()));
        }
        for item in found.items {
            assert_eq!((item.antenna, &item.pc[..], item.rssi), (0, &[0x30, 0][..], -50));
            assert!((902.0..=928.0).contains(&item.frequency));
        }
    }

    let read = host.read(MemoryBank::TID, &[0; 4], 0, 6).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!((&read[0].epc[..], &read[0].data[..]), (tag(1, 1).epc.as_bytes(), tid().as_bytes()));

    host.set_work_antenna(1).unwrap();
    assert_eq!(host.get_work_antenna().unwrap(), 1);
    let found = host.real_time_inventory(1).unwrap();
    assert!(found.items.iter().all(|item| item.antenna == 1));
    assert_eq!(found.items[0].epc, tag(3, 2).epc.as_bytes());

    device.break_with(DeviceFault::AntennaLost { port: 2 });
    // The cable comes off at some time between two of the host's questions.
    assert!((0..1000).any(|_| host.measure_return_loss(915.0).unwrap() == -1));
}

#[test]
fn pyimpinj_uses_the_emulator_as_its_reader() {
    let Some(python) = python::python_with("pyImpinj") else { return };
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("reader");
    let _device = reader(&link, "ind903");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/pyimpinj_reads.py");
    let epc = tag(1, 1).epc.to_string();
    let outcome = Command::new(python).arg(script).arg(&link).arg(&epc).output().unwrap();
    let output = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(outcome.status.success(), "{output}{}", String::from_utf8_lossy(&outcome.stderr));
    let said: HashMap<&str, &str> =
        output.lines().filter_map(|line| line.split_once('=')).collect();

    let [one, two, three] = [1, 2, 3].map(|serial| tag(serial, 1).epc.to_string());
    let both = format!("{one},{two}");
    let everywhere = format!("{one}@1,{two}@1,{three}@2");
    let succeeded = "(True, 'SUCCESS')";
    let user_region =
        "[('FreqSpace', 20), ('Quantity', 10), ('Region', 'USER'), ('StartFreq', 920250)]";
    for (what, expected) in [
        ("real_time", &both[..]),
        ("real_time_end", "DONE 2"),
        ("session", &both),
        ("session_end", "DONE 2"),
        ("rssi", "-50"),
        ("fast_switch", &everywhere),
        ("fast_switch_end", "DONE"),
        ("reset_buffer", succeeded),
        ("buffered", "2"),
        ("buffer_count", "2"),
        ("buffer", &both),
        ("buffer_count_after", "0"),
        ("tid", &tid().to_string()),
        ("written", &one),
        ("user", "0000CAFEBABE0000"),
        ("temperature", "36"),
        ("identifier", "EMULATED0001"),
        ("set_power", succeeded),
        ("power", "[20, 21, 22, 23]"),
        ("fast_power", succeeded),
        ("beeper", succeeded),
        ("set_antenna", succeeded),
        ("antenna", "[1]"),
        ("set_antenna_back", succeeded),
        ("set_detector", succeeded),
        ("detector", "[5]"),
        ("return_loss", "18"),
        ("input", "0"),
        ("output", succeeded),
        ("set_region", succeeded),
        ("region", "[('EndFreq', 925.0), ('Region', 'CHN'), ('StartFreq', 920.0)]"),
        ("set_user_region", succeeded),
        ("user_region", user_region),
    ] {
        assert_eq!(said.get(what), Some(&expected), "{what} of\n{output}");
    }
}

#[test]
fn our_own_driver_reads_all_antennas_over_the_same_line() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("reader");
    let device = reader(&link, "ind903");
    let (sender, events) = mpsc::channel();
    let settings = ReaderSettings { antennas: vec![1, 2], ..ReaderSettings::default() };
    let config = ReaderConfig { protocol: &R2000, settings, ..ReaderConfig::new(link) };
    let host = Reader::spawn(config, move |event| {
        // The test may have seen enough.
        sender.send(event).ok();
    })
    .unwrap();
    let mut heard = HashMap::new();
    while heard.len() < 3 || heard.values().any(|reads| *reads < 5) {
        // Longer than anything here takes on a busy machine.
        let event = events.recv_timeout(Duration::from_secs(30)).unwrap();
        if let ReaderEvent::Tag(read) = event {
            *heard.entry((read.epc, read.antenna)).or_insert(0) += 1;
        }
    }
    let mut antennas: Vec<_> = heard.keys().filter_map(|(_, antenna)| *antenna).collect();
    antennas.sort_unstable();
    assert_eq!(antennas, [1, 1, 2]);
    drop(host);
    assert_eq!(device.frames_dropped(), 0);
}
