//! Clients that other people wrote, using the module made of software as if it were the device:
//! `uhf-rfid` (YRM100), `r200_uhf` (R200), and `rfid-r200` from `PyPI` (R200).
//!
//! The client from `PyPI` runs where the environment variable `RFID_CLIENT_PYTHON` names a Python that
//! has it; elsewhere its test says that it is skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use r200_uhf::connector::sync::SyncIO as _;
use r200_uhf::connector::{Connector, WorkingArea};
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::emulator::{EmulatorSettings, FieldTag};
use rfid_driver::protocol::by_name;
use rfid_driver::{Epc, Tid};
use serialport::{ClearBuffer, SerialPort};
use uhf_rfid::{MemoryBank, QueryParams, Region, RfidTransport, SelectMode, UhfRfid};

#[path = "common/python.rs"]
mod python;

const FIRST: &str = "341600000000000000000001";
const SECOND: &str = "341600000000000000000002";
const TID: [u8; 12] = [0xE2, 0x80, 0x11, 0x60, 0, 0, 0, 0, 0, 0, 0, 1];

fn tag(epc: &str) -> FieldTag {
    let tid = Some(Tid::try_from_slice(&TID).unwrap());
    FieldTag { tid, ..FieldTag::new(Epc::try_from_slice(&bytes(epc)).unwrap(), -55, 1) }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A module with two tags in its field, in real time.
fn module(port: &Path, model: &str) -> PtyReader {
    let reader = EmulatorSettings {
        model: Some(model.to_owned()),
        seed: 7,
        rssi_jitter_db: 0,
        ..EmulatorSettings::default()
    };
    let protocol = by_name("yrm100").unwrap();
    let config = PtyReaderConfig { protocol, reader, ..PtyReaderConfig::default() };
    let module = PtyReader::start(port, config).unwrap();
    module.set_field(&[tag(FIRST), tag(SECOND)]);
    module
}

fn open(port: &Path) -> Box<dyn SerialPort> {
    serialport::new(port.to_string_lossy(), 115_200)
        .timeout(Duration::from_millis(500))
        .open()
        .unwrap()
}

/// What `uhf-rfid` wants of a line; its own needs a library of the system.
struct Line(Box<dyn SerialPort>);

impl RfidTransport for Line {
    type Error = io::Error;

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }

    fn read(&mut self, buf: &mut [u8], timeout_ms: u32) -> io::Result<usize> {
        self.0.set_timeout(Duration::from_millis(timeout_ms.into()))?;
        self.0.read(buf)
    }

    fn clear_input(&mut self) -> io::Result<()> {
        Ok(self.0.clear(ClearBuffer::Input)?)
    }
}

#[test]
fn the_crate_uhf_rfid_sets_up_and_reads_a_yrm100() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let module = module(&port, "yrm100");
    let mut client = UhfRfid::new(Line(open(&port)));
    assert_eq!(client.get_firmware_version().unwrap(), "V2.3.5");
    client.set_region(Region::Us).unwrap();
    assert_eq!(client.get_region().unwrap(), Region::Us);
    client.set_channel(7).unwrap();
    assert_eq!(client.get_channel().unwrap(), 7);
    client.set_tx_power(20).unwrap();
    assert_eq!(client.get_tx_power().unwrap(), 20);
    client.set_select_mode(SelectMode::Disabled).unwrap();
    client.set_auto_freq_hop(true).unwrap();
    client.set_continuous_carrier(false).unwrap();
    let query = QueryParams { q: 5, ..client.get_query_param().unwrap() };
    client.set_query_param(&query).unwrap();
    assert_eq!(client.get_query_param().unwrap().q, 5);
    // It sends addresses of one byte, where the manual has two: no module takes that.
    client.write_tag_data(&[0; 4], MemoryBank::User, 0, &[1, 2]).unwrap_err();
    let first = client.single_poll().unwrap().unwrap();
    assert_eq!((first.epc.to_lowercase(), first.rssi.cast_signed()), (FIRST.to_owned(), -55));
    let read = client.poll_for_duration(Duration::from_secs(1)).unwrap();
    for epc in [FIRST, SECOND] {
        let reads = read.iter().filter(|read| read.epc.to_lowercase() == epc).count();
        assert!(reads >= 10, "{reads} reads");
    }
    module.set_field(&[]);
    // The module may have taken the question before it took notice of the field.
    assert!((0..3).any(|_| client.single_poll().unwrap().is_none()));
}

#[test]
fn the_crate_r200_uhf_sets_up_and_reads_an_r200_and_the_memory_of_its_tags() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let module = module(&port, "r200");
    let mut client = Connector::new(open(&port));
    client.setup_reader().unwrap();
    let info = client.get_module_info().unwrap();
    assert!(info.contains("M100") && info.contains("V2.3.5"), "{info}");
    client.set_working_area(WorkingArea::US).unwrap();
    assert_eq!(client.get_working_area().unwrap(), WorkingArea::US);
    assert!((client.get_working_channel().unwrap() - 902.25).abs() < 0.01);
    client.set_transmission_power(20.0).unwrap();
    assert!((client.get_transmit_power().unwrap() - 20.0).abs() < 0.01);
    let tags = client.single_polling_instruction().unwrap();
    let epcs: Vec<_> = tags.iter().map(|tag| tag.epc.to_lowercase()).collect();
    assert_eq!(epcs, [FIRST, SECOND]);
    let mut polled = client.multi_polling_instruction().unwrap();
    polled.retain(|tag| tag.epc.to_lowercase() == SECOND);
    assert!(polled.len() >= 20, "{} reads", polled.len());
    client.stop_multiple_polling_instructions().unwrap();
    client.select_tag(&bytes(SECOND)).unwrap();
    assert_eq!(client.read_epc().unwrap(), bytes(SECOND));
    assert_eq!(client.read_mem(&[0; 4], 2, 0, 6).unwrap(), TID);
    client.write_mem(&[0; 4], 3, 4, &[0xCA, 0xFE]).unwrap();
    assert_eq!(client.read_mem(&[0; 4], 3, 4, 1).unwrap(), [0xCA, 0xFE]);
    client.lock_tag(&[0; 4], &[2, 0, 0x80]).unwrap();
    client.kill_tag(&[0, 0, 0, 1]).unwrap_err();
    let written = "341600000000000000000003";
    client.write_epc_reliable(&bytes(SECOND), &bytes(written), 1).unwrap();
    client.clear_select().unwrap();
    let tags = client.single_polling_instruction().unwrap();
    let epcs: Vec<_> = tags.iter().map(|tag| tag.epc.to_lowercase()).collect();
    assert_eq!(epcs, [FIRST, written]);
    module.set_field(&[]);
    // The module may have taken the question before it took notice of the field.
    assert!((0..3).any(|_| client.single_polling_instruction().unwrap().is_empty()));
}

#[test]
fn the_client_rfid_r200_from_pypi_sets_up_and_reads_an_r200() {
    let Some(python) = python::python_with("src.rfid_r200") else { return };
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let _module = module(&port, "r200");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/yrm100_rfid_r200.py");
    let said = Command::new(python).arg(script).arg(&port).output().unwrap();
    let complaint = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{complaint}");
    let lines = String::from_utf8(said.stdout).unwrap();
    let expected = format!(
        "hardware M100 26dBm V1.0\nset_power True\npower 20.0\nset_demodulator True\n\
         demodulator [2, 7, 100]\ntag {FIRST} 3000 -55\ntag {SECOND} 3000 -55\n"
    );
    assert_eq!(lines, expected);
}
