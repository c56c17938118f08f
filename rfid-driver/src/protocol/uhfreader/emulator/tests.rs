//! What a client sees of the reader made of software.

use std::time::Duration;

use proptest::prelude::*;

use super::UhfReaderDevice;
use crate::codec::{Direction, Opaque};
use crate::emulator::{DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp, TransmitKind};
use crate::protocol::uhfreader::codec::{
    ADDRESS_BROADCAST, Command, Dialect, Express, Frame, InventoryRequest, Mask, QFlags, Reply,
    opcode,
};
use crate::{Epc, Tid};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const Q: QFlags = QFlags(4);

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, serial, 0]).unwrap();
    FieldTag::new(epc, -60, 1)
}

/// A line of text per frame that leaves the reader.
fn said(reader: &mut UhfReaderDevice) -> Vec<String> {
    std::iter::from_fn(|| reader.poll_transmit())
        .map(|transmit| {
            let bytes = transmit.frame;
            let frame = Frame::new_checked(bytes.as_ref(), Direction::FromReader).unwrap();
            let serials = |list: crate::protocol::uhfreader::codec::TagList<'_>| {
                assert!(list.tags().next().is_none() || transmit.kind == TransmitKind::Tag);
                list.tags().map(|tag| format!(" {}", tag.epc.0[2])).collect::<String>()
            };
            match Reply::parse(frame).unwrap() {
                Reply::Tags { status, list, .. } => format!("{:02x}:{}", status.0, serials(list)),
                Reply::Pushed(list) => format!("push:{}", serials(list)),
                Reply::Heartbeat { number, tags, .. } => format!("alive {number} {tags}"),
                Reply::Info(info) => format!("info {} bytes", 8 + info.more.0.len()),
                Reply::WorkMode { mode, .. } => format!("mode {mode}"),
                Reply::ScanMode { parameters, .. } => format!("scan mode {}", parameters[0]),
                Reply::Statistics { reads, .. } => format!("counted {reads}"),
                Reply::Pins(pins) => format!("pins {pins:02x}"),
                Reply::Temperature { plus, degrees } => format!("{plus} {degrees}"),
                Reply::ReturnLoss(loss) => format!("loss {loss}"),
                Reply::SerialNumber(_) => "serial number".to_owned(),
                Reply::Done { opcode, data } => format!("{opcode:02x} {:02x?}", data.0),
                Reply::Refused { opcode, status, .. } => format!("{opcode:02x} {:02x}", status.0),
            }
        })
        .collect()
}

fn ask(reader: &mut UhfReaderDevice, command: Command<'_>, now: Duration) -> Vec<String> {
    reader.handle_bytes(command.emit(0).as_ref(), now);
    said(reader)
}

fn pass(reader: &mut UhfReaderDevice, from: Duration, to: Duration) -> Vec<String> {
    let mut lines = said(reader);
    let mut now = from;
    while let Some(due) = reader.next_deadline().filter(|due| *due <= to) {
        now = now.max(due);
        reader.handle_deadline(now);
        lines.extend(said(reader));
    }
    lines
}

fn reader(model: &str) -> UhfReaderDevice {
    with(model, PowerUp::Ready)
}

fn with(model: &str, power_up: PowerUp) -> UhfReaderDevice {
    let settings =
        EmulatorSettings { model: Some(model.to_owned()), power_up, ..EmulatorSettings::default() };
    UhfReaderDevice::try_new(&settings).unwrap()
}

fn inventory() -> Command<'static> {
    Command::Inventory(InventoryRequest::plain(Q, 0))
}

fn other(opcode: u8, data: &[u8]) -> Command<'_> {
    Command::Other { opcode, data: Opaque(data) }
}

#[test]
fn commands_are_answered_as_the_newer_reader_answers_them() {
    let mut reader = reader("288");
    for (command, answer) in [
        (Command::ReaderInfo, "info 12 bytes"),
        (Command::WorkMode, "mode 0"),
        (Command::ScanMode, "00 fe"),
        (other(0xAA, &[]), "00 fe"),
        (other(opcode::READER_INFO, &[1]), "21 fd"),
        (Command::SetPower { dbm: &[33] }, "2f []"),
        (Command::SetPower { dbm: &[34] }, "2f ff"),
        (Command::SetPower { dbm: &[10, 11, 12, 13] }, "2f []"),
        (other(opcode::POWER_BY_ANTENNA, &[]), "94 [0a, 0b, 0c, 0d]"),
        (Command::SetFrequency { max: 0xF4, min: 0x00 }, "22 []"),
        (Command::SetFrequency { max: 0x3F, min: 0x80 }, "22 ff"),
        (Command::SetAntennas { antennas: &[0x0F] }, "3f []"),
        (Command::SetAntennas { antennas: &[0x10] }, "3f ff"),
        (Command::SetBaud { code: 3 }, "28 ff"),
        (Command::SetOutputs { pins: 1 }, "46 []"),
        (Command::Pins, "pins 11"),
        (Command::Temperature, "1 35"),
        (Command::ReturnLoss { frequency_khz: 915_000, antenna: 0 }, "loss 18"),
        (Command::HeartbeatTime { time: 0x82 }, "78 [02]"),
        (Command::SerialNumber, "serial number"),
        (other(opcode::BUZZER, &[1, 1, 1]), "33 []"),
        (other(opcode::PROFILE, &[0x83]), "7f [03]"),
        (Command::SetAddress { address: 0xFF }, "24 ff"),
    ] {
        assert_eq!(ask(&mut reader, command, Duration::ZERO), [answer], "{command:?}");
    }
}

#[test]
fn commands_are_answered_as_the_older_reader_answers_them() {
    let mut reader = reader("18");
    for (command, answer) in [
        (Command::ReaderInfo, "info 8 bytes"),
        (Command::ScanMode, "scan mode 0"),
        (Command::WorkMode, "00 fe"),
        (Command::Pins, "00 fe"),
        (Command::SetPower { dbm: &[31] }, "2f ff"),
        (Command::SetScanTime { scan_time: 2 }, "25 ff"),
        (Command::SetScanTime { scan_time: 20 }, "25 []"),
        (other(opcode::INVENTORY_6B, &[]), "51 fb"),
        (Command::SetScanMode { parameters: [4, 0, 0, 0, 0, 0] }, "35 ff"),
    ] {
        assert_eq!(ask(&mut reader, command, Duration::ZERO), [answer], "{command:?}");
    }
}

#[test]
fn an_inventory_reports_each_tag_at_once_and_ends_when_all_have_answered() {
    let mut reader = reader("288");
    reader.set_field(&[tag(7), tag(8)], Duration::ZERO);
    assert_eq!(ask(&mut reader, inventory(), SECOND), ["03: 7", "03: 8"]);
    // One command at a time.
    assert_eq!(ask(&mut reader, Command::ReaderInfo, SECOND), [""; 0]);
    assert_eq!(pass(&mut reader, SECOND, SECOND + 9 * MILLISECOND), [""; 0]);
    assert_eq!(pass(&mut reader, SECOND, SECOND + 10 * MILLISECOND), ["01:"]);
}

#[test]
fn the_older_reader_answers_an_inventory_all_together_or_not_at_all() {
    let mut reader = reader("18");
    assert_eq!(ask(&mut reader, Command::InventoryAll, SECOND), [""; 0]);
    // Twenty tenths are what it comes with.
    assert_eq!(pass(&mut reader, SECOND, SECOND * 29 / 10), [""; 0]);
    assert_eq!(pass(&mut reader, SECOND, 3 * SECOND), ["01 fb"]);
    let many: Vec<_> = (0..100).map(tag).collect();
    reader.set_field(&many, 3 * SECOND);
    ask(&mut reader, Command::InventoryAll, 4 * SECOND);
    let lists = pass(&mut reader, 4 * SECOND, 5 * SECOND);
    assert_eq!(lists.len(), 3);
    assert!(lists[0].starts_with("03: 0 1") && lists[2].starts_with("01:"), "{lists:?}");
    let tags: usize = lists.iter().map(|list| list.matches(' ').count()).sum();
    assert_eq!(tags, 100);
}

#[test]
fn the_scan_time_is_honoured_and_a_tag_that_comes_late_is_read() {
    let mut reader = reader("288");
    let express = |antenna, scan_time| {
        let express = Some(Express { target: 0, antenna, scan_time });
        Command::Inventory(InventoryRequest { express, ..InventoryRequest::plain(Q, 0) })
    };
    ask(&mut reader, express(0x80, 5), SECOND);
    assert_eq!(pass(&mut reader, SECOND, SECOND * 14 / 10), [""; 0]);
    reader.set_field(&[tag(7)], SECOND * 14 / 10);
    assert_eq!(said(&mut reader), ["03: 7"]);
    assert_eq!(pass(&mut reader, SECOND, 2 * SECOND), ["01:"]);
    // At another port there is nobody, for half a second.
    ask(&mut reader, express(0x81, 5), 3 * SECOND);
    assert_eq!(pass(&mut reader, 3 * SECOND, 3 * SECOND + 499 * MILLISECOND), [""; 0]);
    assert_eq!(pass(&mut reader, 3 * SECOND, 4 * SECOND), ["01:"]);
    assert_eq!(ask(&mut reader, express(0x01, 5), 5 * SECOND), ["01 ff"]);
}

#[test]
fn a_mask_chooses_who_answers() {
    let mut reader = reader("288");
    reader.set_field(&[tag(7), tag(8)], SECOND);
    // The EPC begins after check and protocol control; its third byte is the serial number.
    let mask = |len, data| Mask { memory: 1, address: 32 + 16, len, data: Opaque(data) };
    let asked = |mask| {
        Command::Inventory(InventoryRequest { mask: Some(mask), ..InventoryRequest::plain(Q, 0) })
    };
    assert_eq!(ask(&mut reader, asked(mask(8, &[8])), SECOND), ["03: 8"]);
    pass(&mut reader, SECOND, 2 * SECOND);
    assert_eq!(ask(&mut reader, asked(mask(4, &[0x10])), 3 * SECOND), [""; 0]);
    assert_eq!(pass(&mut reader, 3 * SECOND, 6 * SECOND), ["01:"]);
    assert_eq!(ask(&mut reader, asked(mask(0, &[])), 7 * SECOND), ["03: 7", "03: 8"]);
}

#[test]
fn an_inventory_is_stopped_and_counts_what_it_read() {
    let mut reader = reader("288");
    let q = QFlags(4 | QFlags::STATISTICS);
    let counting = Command::Inventory(InventoryRequest::plain(q, 0));
    ask(&mut reader, counting, SECOND);
    assert_eq!(ask(&mut reader, Command::Stop, SECOND), ["01:", "counted 0"]);
    assert_eq!(ask(&mut reader, Command::Stop, SECOND), ["93 []"]);
    reader.set_field(&[tag(7)], SECOND);
    ask(&mut reader, counting, SECOND);
    assert_eq!(pass(&mut reader, SECOND, 2 * SECOND), ["01:", "counted 1"]);
}

#[test]
fn one_tag_or_none_is_found_soon() {
    for model in ["288", "18"] {
        let mut reader = reader(model);
        assert_eq!(ask(&mut reader, Command::InventorySingle, SECOND), [""; 0]);
        assert_eq!(pass(&mut reader, SECOND, SECOND * 11 / 10), ["0f fb"]);
        reader.set_field(&[tag(7), tag(8)], 2 * SECOND);
        assert_eq!(ask(&mut reader, Command::InventorySingle, 2 * SECOND), ["01: 7"]);
    }
}

#[test]
fn phase_frequency_and_tid_are_there_where_asked_for() {
    let mut reader = reader("288");
    let tid = Tid::try_from_slice(&[9; 12]).unwrap();
    reader.set_field(&[FieldTag { tid: Some(tid), ..tag(7) }], SECOND);
    let q = QFlags(QFlags::FAST_ID | QFlags::PHASE);
    reader.handle_bytes(Command::Inventory(InventoryRequest::plain(q, 0)).emit(0).as_ref(), SECOND);
    let frame = reader.poll_transmit().unwrap().frame;
    let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
    let Ok(Reply::Tags { list, .. }) = Reply::parse(frame) else { panic!("no tags") };
    assert_eq!((list.dialect(), list.antenna_byte()), (Dialect::New288, Some(1)));
    let block = list.tags().next().unwrap();
    assert_eq!((block.epc.0.len(), block.tid.unwrap().0), (4, &[9; 12][..]));
    assert!(block.frequency_khz.is_some_and(|khz| (902_000..928_000).contains(&khz)));
}

#[test]
fn a_reader_that_pushes_hears_only_what_ends_it_and_gives_a_heartbeat_in_an_empty_field() {
    let mut reader = with("288", PowerUp::Reading);
    assert_eq!(ask(&mut reader, inventory(), SECOND), [""; 0]);
    assert_eq!(ask(&mut reader, Command::Temperature, SECOND), [""; 0]);
    assert_eq!(ask(&mut reader, Command::ReaderInfo, SECOND), ["info 12 bytes"]);
    assert_eq!(pass(&mut reader, SECOND, 60 * SECOND), ["alive 1 0", "alive 2 0"]);
    reader.set_field(&[tag(7)], 60 * SECOND);
    assert_eq!(said(&mut reader), ["push: 7"]);
    reader.set_field(&[], 60 * SECOND);
    assert_eq!(pass(&mut reader, 60 * SECOND, 90 * SECOND), ["alive 3 1"]);
    reader.handle_fault(DeviceFault::HeartbeatLost, 90 * SECOND);
    assert_eq!(pass(&mut reader, 90 * SECOND, 120 * SECOND), [""; 0]);
    assert_eq!(ask(&mut reader, Command::WorkMode, 120 * SECOND), ["mode 1"]);
    assert_eq!(ask(&mut reader, Command::SetWorkMode { mode: 0 }, 120 * SECOND), ["76 []"]);
    assert_eq!(reader.next_deadline(), None);
}

#[test]
fn the_older_reader_pushes_bare_epcs_and_still_hears_what_is_no_tag_command() {
    let mut reader = with("18", PowerUp::Reading);
    reader.set_field(&[tag(7)], SECOND);
    assert_eq!(said(&mut reader), ["push: 7"]);
    assert_eq!(ask(&mut reader, Command::InventoryAll, SECOND), [""; 0]);
    assert_eq!(ask(&mut reader, Command::SetScanTime { scan_time: 5 }, SECOND), ["25 []"]);
    let answer = Command::SetScanMode { parameters: [0, 2, 4, 2, 6, 0] };
    assert_eq!(ask(&mut reader, answer, SECOND), ["35 []"]);
    assert_eq!(reader.next_deadline(), None);
}

#[test]
fn a_filter_time_keeps_a_tag_quiet_and_a_trigger_mode_waits_for_its_input() {
    let mut reader = reader("288");
    let parameters = Opaque(&[0, 0, 1, 4, 0]);
    ask(&mut reader, Command::SetRealTime { parameters }, SECOND);
    ask(&mut reader, Command::SetWorkMode { mode: 1 }, SECOND);
    reader.set_field(&[tag(7)], SECOND);
    let pushed = pass(&mut reader, SECOND, 3 * SECOND);
    assert_eq!(pushed, ["push: 7", "push: 7", "push: 7"]);
    ask(&mut reader, Command::SetWorkMode { mode: 2 }, 3 * SECOND);
    assert_eq!(pass(&mut reader, 3 * SECOND, 5 * SECOND), [""; 0]);
}

#[test]
fn rate_and_address_change_after_the_answer_and_outlive_a_restart() {
    let mut reader = reader("288");
    let to_all = |command: Command<'_>| command.emit(ADDRESS_BROADCAST);
    reader.handle_bytes(to_all(Command::SetBaud { code: 6 }).as_ref(), SECOND);
    assert_eq!(reader.poll_transmit().map(|transmit| transmit.baud), Some(57_600));
    assert_eq!(ask(&mut reader, Command::SetAddress { address: 9 }, SECOND), ["24 []"]);
    ask(&mut reader, Command::SetOutputs { pins: 0 }, SECOND);
    reader.handle_fault(DeviceFault::Reboot, SECOND);
    reader.handle_bytes(to_all(Command::ReaderInfo).as_ref(), SECOND);
    assert_eq!(pass(&mut reader, SECOND, 2 * SECOND), [""; 0]);
    assert_eq!(ask(&mut reader, Command::ReaderInfo, 2 * SECOND), [""; 0]);
    reader.handle_bytes(Command::ReaderInfo.emit(9).as_ref(), 2 * SECOND);
    let answer = reader.poll_transmit().unwrap();
    assert_eq!((answer.baud, answer.frame.as_ref()[1]), (115_200, 9));
}

#[test]
fn a_lost_antenna_is_told_where_it_is_checked_for() {
    let mut reader = reader("288");
    reader.set_field(&[tag(7)], SECOND);
    reader.handle_fault(DeviceFault::AntennaLost { port: 1 }, SECOND);
    assert_eq!(ask(&mut reader, inventory(), SECOND), [""; 0]);
    assert_eq!(pass(&mut reader, SECOND, 4 * SECOND), ["01:"]);
    ask(&mut reader, Command::SetAntennaCheck { on: 1 }, 4 * SECOND);
    assert_eq!(ask(&mut reader, inventory(), 4 * SECOND), ["01 f8"]);
    let loss = Command::ReturnLoss { frequency_khz: 915_000, antenna: 0 };
    assert_eq!(ask(&mut reader, loss, 4 * SECOND), ["loss 1"]);
    reader.handle_fault(DeviceFault::AntennaBack { port: 1 }, 5 * SECOND);
    assert_eq!(ask(&mut reader, inventory(), 5 * SECOND), ["03: 7"]);
}

#[test]
fn the_memory_of_a_tag_is_read_and_written() {
    let mut reader = reader("288");
    let now = SECOND;
    let read = |bank, first, words| [0, bank, first, words, 0, 0, 0, 0];
    assert_eq!(ask(&mut reader, other(opcode::READ_DATA, &read(1, 0, 1)), now), ["02 fb"]);
    reader.set_field(&[tag(7)], now);
    assert_eq!(
        ask(&mut reader, other(opcode::READ_DATA, &read(1, 2, 2)), now),
        ["02 [34, 16, 07, 00]"]
    );
    assert_eq!(ask(&mut reader, other(opcode::READ_DATA, &read(1, 9, 9)), now), ["02 fc"]);
    assert_eq!(ask(&mut reader, other(opcode::READ_DATA, &read(4, 0, 1)), now), ["02 ff"]);
    assert_eq!(ask(&mut reader, other(opcode::READ_DATA, &[0, 1]), now), ["02 fd"]);
    let user = [1, 2, 0x34, 0x16, 7, 0, 3, 1, 0xAB, 0xCD, 0, 0, 0, 0];
    assert_eq!(ask(&mut reader, other(opcode::WRITE_DATA, &user), now), ["03 []"]);
    assert_eq!(
        ask(&mut reader, other(opcode::READ_DATA, &read(3, 0, 2)), now),
        ["02 [00, 00, ab, cd]"]
    );
    let epc = [2, 0, 0, 0, 0, 0x34, 0x16, 9, 9];
    assert_eq!(ask(&mut reader, other(opcode::WRITE_EPC, &epc), now), ["04 []"]);
    assert_eq!(ask(&mut reader, inventory(), 2 * SECOND), ["03: 9"]);
}

#[test]
fn bytes_that_stop_in_the_middle_are_no_command_after_a_pause() {
    let mut reader = reader("288");
    reader.handle_bytes(&[0xFF], SECOND);
    reader.handle_bytes(Command::ReaderInfo.emit(0).as_ref(), SECOND);
    assert_eq!(pass(&mut reader, SECOND, SECOND + 15 * MILLISECOND), ["info 12 bytes"]);
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let bytes = |seed| {
        let settings =
            EmulatorSettings { seed, power_up: PowerUp::Reading, ..EmulatorSettings::default() };
        let mut reader = UhfReaderDevice::try_new(&settings).unwrap();
        reader.set_field(&[tag(7), tag(8)], Duration::ZERO);
        (1..20).for_each(|at| reader.handle_deadline(SECOND * at));
        std::iter::from_fn(|| reader.poll_transmit())
            .flat_map(|transmit| transmit.frame.as_ref().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn a_model_or_rate_that_there_is_not_is_refused() {
    let refused = |settings: &EmulatorSettings| UhfReaderDevice::try_new(settings).is_err();
    assert!(refused(&EmulatorSettings { model: Some("m6e".into()), ..Default::default() }));
    assert!(refused(&EmulatorSettings { baud: Some(230_400), ..Default::default() }));
}

proptest! {
    #[test]
    fn byte_soup_never_panics(
        model in prop_oneof![Just("288"), Just("18")],
        soup in proptest::collection::vec(any::<u8>(), 0..600),
        opcode: u8,
        data in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut reader = reader(model);
        reader.set_field(&[tag(7)], Duration::ZERO);
        reader.handle_bytes(&soup, Duration::ZERO);
        reader.handle_bytes(other(opcode, &data).emit(0).as_ref(), SECOND);
        reader.handle_deadline(2 * SECOND);
        reader.handle_bytes(inventory().emit(0).as_ref(), 3 * SECOND);
        reader.handle_deadline(60 * SECOND);
    }
}
