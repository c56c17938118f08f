//! What a client sees of the module made of software.

use std::time::Duration;

use proptest::prelude::*;

use super::Yrm100Reader;
use crate::codec::{Direction, Opaque};
use crate::emulator::{DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp};
use crate::protocol::yrm100::codec::{
    Access, Command, Demodulator, Frame, Marks, Password, PinOperation, Reply, Select,
};
use crate::{Epc, Tid};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -60, 1)
}

/// A line of text per frame that leaves the module.
fn said(reader: &mut Yrm100Reader) -> Vec<String> {
    std::iter::from_fn(|| reader.poll_transmit())
        .map(|transmit| {
            let bytes = transmit.frame;
            let frame = Frame::new_checked(bytes.as_ref(), Direction::FromReader).unwrap();
            let last = |epc: &[u8]| *epc.last().unwrap();
            match Reply::parse(frame).unwrap() {
                Reply::Tag { notice, .. } => format!("tag {}", last(notice.identity.epc.0)),
                Reply::Refused { code, tag: None } => format!("refused {:02x}", code.0),
                Reply::Refused { code, tag: Some(tag) } => {
                    format!("tag {} refused {:02x}", last(tag.epc.0), code.0)
                }
                Reply::Info { text, .. } => String::from_utf8_lossy(text.0).into_owned(),
                Reply::Done { command, outcome } => format!("{command:02x} {:02x}", outcome.0),
                Reply::Memory { tag, data } => format!("tag {} {:02x?}", last(tag.epc.0), data.0),
                Reply::Accessed { command, tag, .. } => {
                    format!("{command:02x} tag {}", last(tag.epc.0))
                }
                Reply::Scan { last, levels_dbm, .. } => {
                    assert_eq!(levels_dbm.0.len(), usize::from(last) + 1);
                    format!("{} channels", levels_dbm.0.len())
                }
                Reply::Pin(pin) => format!("pin {} {} {}", pin.operation, pin.pin, pin.value),
                Reply::Power { power_cdbm } => format!("{power_cdbm} cdBm"),
                Reply::Region(region) => format!("region {region}"),
                Reply::Channel(channel) => format!("channel {channel}"),
                Reply::Query { bits } => format!("query {bits:04x}"),
                Reply::Demodulator(set) => {
                    format!("demodulator {:?}", (set.mixer_gain, set.if_gain))
                }
                Reply::Select(select) => format!("mask {:02x?}", select.mask.0),
                Reply::EasAlarm(_) | Reply::Other { .. } => panic!("a module has no such answer"),
            }
        })
        .collect()
}

fn ask(reader: &mut Yrm100Reader, command: &Command<'_>, now: Duration) -> Vec<String> {
    reader.handle_bytes(command.emit(Marks::Bb7e).as_ref(), now);
    said(reader)
}

fn pass(reader: &mut Yrm100Reader, from: Duration, to: Duration) -> Vec<String> {
    let mut lines = Vec::new();
    let mut now = from;
    while let Some(due) = reader.next_deadline().filter(|due| *due <= to) {
        now = now.max(due);
        reader.handle_deadline(now);
        lines.extend(said(reader));
    }
    lines
}

fn ready() -> Yrm100Reader {
    Yrm100Reader::new(&EmulatorSettings::default(), Some(Marks::Bb7e))
}

fn access(bank: u8, address: u16, words: u16) -> Access {
    Access { password: Password(0), bank, address, words }
}

/// Selects the tags whose EPC begins so.
fn select(mask: &[u8]) -> Command<'_> {
    let mask_bits = u8::try_from(mask.len() * 8).unwrap();
    let mask = Opaque(mask);
    Command::SetSelect(Select { parameters: 1, pointer_bits: 0x20, mask_bits, truncate: 0, mask })
}

#[test]
fn commands_are_answered_as_the_manual_answers_them() {
    let mut reader = ready();
    let other = |command| Command::Other { command, parameters: Opaque(&[]) };
    let demodulator = |mixer_gain| Demodulator { mixer_gain, if_gain: 7, threshold: 0x01B0 };
    let pin = |operation, pin, value| Command::Pin(PinOperation { operation, pin, value });
    for (command, answer) in [
        (Command::Info { what: 0 }, "M100 26dBm V1.0"),
        (Command::Info { what: 1 }, "V2.3.5"),
        (Command::Info { what: 2 }, "MagicRf"),
        (Command::Info { what: 3 }, "refused 17"),
        (other(0x5A), "refused 17"),
        (other(0x07), "refused 17"),
        (Command::SetRegion { region: 5 }, "refused 17"),
        (Command::SetRegion { region: 2 }, "07 00"),
        (Command::Region, "region 2"),
        (Command::SetChannel { index: 52 }, "refused 17"),
        (Command::SetChannel { index: 51 }, "ab 00"),
        (Command::Channel, "channel 51"),
        (Command::ScanJammer, "52 channels"),
        (Command::ScanRssi, "52 channels"),
        (Command::SetHopping { on: 0xFF }, "ad 00"),
        (Command::InsertChannels { channels: Opaque(&[1, 2]) }, "a9 00"),
        (Command::SetPower { power_cdbm: 2700 }, "refused 17"),
        (Command::SetPower { power_cdbm: 2000 }, "b6 00"),
        (Command::Power, "2000 cdBm"),
        (Command::SetCarrier { on: 0 }, "b0 00"),
        (Command::Query, "query 1020"),
        (Command::SetQuery { bits: 0x1120 }, "0e 00"),
        (Command::Query, "query 1120"),
        (Command::SetDemodulator(demodulator(7)), "refused 17"),
        (Command::SetDemodulator(demodulator(3)), "f0 00"),
        (Command::Demodulator, "demodulator (3, 7)"),
        (Command::Idle { enter: 1, minutes: 3 }, "04 00"),
        (Command::SetIdleSleep { minutes: 2 }, "1d 02"),
        (pin(1, 1, 0), "pin 1 1 0"),
        (pin(0, 1, 1), "pin 0 1 1"),
        (pin(1, 1, 0), "pin 1 1 1"),
        (pin(2, 1, 0), "pin 2 1 0"),
        (pin(2, 5, 0), "refused 17"),
        // The answer carries the code of "set select parameters".
        (Command::SetSelectMode { mode: 1 }, "0c 00"),
        (Command::SetSelectMode { mode: 3 }, "refused 17"),
        (select(&[0x34]), "0c 00"),
        (Command::Select, "mask [34]"),
        (Command::StopPoll, "28 00"),
        (Command::SinglePoll, "refused 15"),
    ] {
        assert_eq!(ask(&mut reader, &command, Duration::ZERO), [answer], "{command:?}");
    }
}

#[test]
fn a_poll_reports_each_round_and_ends_silently() {
    let mut reader = ready();
    assert_eq!(ask(&mut reader, &Command::MultiPoll { rounds: 3 }, Duration::ZERO), [""; 0]);
    reader.set_field(&[tag(7)], 5 * MILLISECOND);
    let mut lines = said(&mut reader);
    lines.extend(pass(&mut reader, 5 * MILLISECOND, SECOND));
    assert_eq!(lines, ["tag 7", "refused 15", "tag 7"]);
    assert_eq!(reader.next_deadline(), None);
}

#[test]
fn what_is_heard_before_a_poll_has_stopped_comes_before_the_acknowledgement() {
    let mut reader = ready();
    ask(&mut reader, &Command::MultiPoll { rounds: 0xFFFF }, Duration::ZERO);
    assert_eq!(ask(&mut reader, &Command::StopPoll, MILLISECOND), [""; 0]);
    reader.set_field(&[tag(7)], 2 * MILLISECOND);
    assert_eq!(said(&mut reader), ["tag 7"]);
    assert_eq!(pass(&mut reader, 2 * MILLISECOND, SECOND), ["28 00"]);
    assert_eq!(ask(&mut reader, &Command::SinglePoll, SECOND), ["tag 7"]);
}

#[test]
fn a_change_of_rate_has_no_answer() {
    let mut reader = ready();
    assert_eq!(ask(&mut reader, &Command::SetBaud { hundreds: 192 }, Duration::ZERO), [""; 0]);
    assert_eq!(reader.baud(), 19_200);
    reader.handle_bytes(Command::Power.emit(Marks::Bb7e).as_ref(), Duration::ZERO);
    assert_eq!(reader.poll_transmit().map(|transmit| transmit.baud), Some(19_200));
    assert_eq!(ask(&mut reader, &Command::SetBaud { hundreds: 1 }, SECOND), ["refused 17"]);
}

#[test]
fn the_other_firmwares_frames_are_noise() {
    let mut reader = ready();
    reader.handle_bytes(Command::Power.emit(Marks::AaDd).as_ref(), Duration::ZERO);
    assert_eq!(said(&mut reader), [""; 0]);
}

#[test]
fn half_a_command_is_forgotten_after_a_while() {
    let mut reader = ready();
    let frame = Command::Power.emit(Marks::Bb7e);
    let (head, tail) = frame.as_ref().split_at(4);
    reader.handle_bytes(head, Duration::ZERO);
    reader.handle_bytes(tail, 50 * MILLISECOND);
    assert_eq!(said(&mut reader), ["2600 cdBm"]);
    reader.handle_bytes(&[0xBB, 0x00, 0x49, 0x01, 0x00], SECOND);
    assert_eq!(ask(&mut reader, &Command::Power, 2 * SECOND), ["2600 cdBm"]);
}

#[test]
fn a_selection_hides_tags_from_access_and_if_told_so_from_polls() {
    let mut reader = ready();
    reader.set_field(&[tag(7), tag(8)], Duration::ZERO);
    let eight = tag(8).epc;
    ask(&mut reader, &select(eight.as_bytes()), Duration::ZERO);
    let read = Command::ReadMemory(access(3, 0, 1));
    assert_eq!(ask(&mut reader, &read, Duration::ZERO), ["tag 8 [00, 00]"]);
    assert_eq!(ask(&mut reader, &Command::SinglePoll, Duration::ZERO), ["tag 7", "tag 8"]);
    ask(&mut reader, &Command::SetSelectMode { mode: 0 }, Duration::ZERO);
    assert_eq!(ask(&mut reader, &Command::SinglePoll, Duration::ZERO), ["tag 8"]);
    ask(&mut reader, &Command::SetSelectMode { mode: 1 }, Duration::ZERO);
    assert_eq!(ask(&mut reader, &read, Duration::ZERO), ["tag 7 [00, 00]"]);
}

#[test]
fn the_memory_of_a_tag_is_read_and_written() {
    let mut reader = ready();
    let tid = Tid::try_from_slice(&[0xE2, 0x80, 0x11, 0x60]).unwrap();
    let now = Duration::ZERO;
    assert_eq!(ask(&mut reader, &Command::ReadMemory(access(2, 0, 2)), now), ["refused 09"]);
    reader.set_field(&[FieldTag { tid: Some(tid), ..tag(7) }], now);
    let locked = Access { password: Password(1), ..access(3, 0, 1) };
    let write = |access, data| Command::WriteMemory { access, data: Opaque(data) };
    for (command, answer) in [
        (Command::ReadMemory(access(2, 0, 2)), "tag 7 [e2, 80, 11, 60]"),
        (Command::ReadMemory(access(2, 0, 9)), "tag 7 refused a3"),
        (Command::ReadMemory(access(1, 1, 2)), "tag 7 [30, 00, 34, 16]"),
        (Command::ReadMemory(locked), "tag 7 refused 16"),
        (write(access(2, 0, 1), &[0, 0]), "tag 7 refused b4"),
        (write(access(3, 40, 1), &[0, 0]), "tag 7 refused b3"),
        (write(access(3, 1, 1), &[1, 2]), "49 tag 7"),
        (Command::ReadMemory(access(3, 0, 2)), "tag 7 [00, 00, 01, 02]"),
        (write(access(0, 2, 2), &[0, 0, 0, 1]), "49 tag 7"),
        (Command::ReadMemory(locked), "tag 7 [00, 00]"),
        (Command::Lock { password: Password(1), payload: [2, 0, 0x80] }, "82 tag 7"),
        (Command::Lock { password: Password(2), payload: [2, 0, 0x80] }, "tag 7 refused 16"),
        (write(access(1, 7, 1), &[0, 9]), "49 tag 7"),
        (Command::SinglePoll, "tag 9"),
        (Command::ReadMemory(access(3, 1, 1)), "tag 9 [01, 02]"),
        (Command::Kill { password: Password(0) }, "tag 9 refused d0"),
        (write(access(0, 0, 2), &[0, 0, 0, 5]), "49 tag 9"),
        (Command::Kill { password: Password(4) }, "refused 12"),
        (Command::NxpEasAlarm, "refused 1d"),
        (Command::Kill { password: Password(5) }, "65 tag 9"),
        (Command::SinglePoll, "refused 15"),
    ] {
        assert_eq!(ask(&mut reader, &command, now), [answer], "{command:?}");
    }
}

#[test]
fn asleep_it_loses_the_command_that_wakes_it() {
    let mut reader = ready();
    assert_eq!(ask(&mut reader, &Command::Sleep, Duration::ZERO), ["17 00"]);
    assert_eq!(ask(&mut reader, &Command::Power, SECOND), [""; 0]);
    assert_eq!(ask(&mut reader, &Command::Power, SECOND), ["2600 cdBm"]);
}

#[test]
fn it_restarts_without_a_word_and_polls_no_more() {
    let settings = EmulatorSettings { power_up: PowerUp::Reading, ..EmulatorSettings::default() };
    let mut reader = Yrm100Reader::new(&settings, Some(Marks::Bb7e));
    reader.set_field(&[tag(7)], Duration::ZERO);
    assert_eq!(said(&mut reader), ["tag 7"]);
    reader.handle_fault(DeviceFault::Reboot, SECOND);
    assert_eq!(ask(&mut reader, &Command::Power, SECOND), [""; 0]);
    assert_eq!(pass(&mut reader, SECOND, 2 * SECOND), [""; 0]);
    assert_eq!(ask(&mut reader, &Command::Power, 2 * SECOND), ["2600 cdBm"]);
}

#[test]
fn faults_take_away_what_they_say() {
    let second = |fault| {
        let settings =
            EmulatorSettings { power_up: PowerUp::Reading, ..EmulatorSettings::default() };
        let mut reader = Yrm100Reader::new(&settings, Some(Marks::Bb7e));
        reader.handle_fault(fault, Duration::ZERO);
        reader.set_field(&[tag(7)], Duration::ZERO);
        let mut lines = said(&mut reader);
        lines.extend(pass(&mut reader, Duration::ZERO, SECOND));
        let tags = lines.iter().filter(|line| *line == "tag 7").count();
        (tags, lines.len() - tags)
    };
    assert_eq!(second(DeviceFault::ReturnLossHigh), (21, 29));
    assert_eq!(second(DeviceFault::HeartbeatLost), (21, 0));
    assert_eq!(second(DeviceFault::TagsLost), (0, 50));
    assert_eq!(second(DeviceFault::AntennaLost { port: 1 }), (0, 50));
    assert_eq!(second(DeviceFault::Mute), (0, 0));
}

#[test]
fn a_late_call_does_not_make_the_module_read_faster() {
    let mut reader = ready();
    ask(&mut reader, &Command::MultiPoll { rounds: 0xFFFF }, Duration::ZERO);
    reader.set_field(&[tag(7)], Duration::ZERO);
    said(&mut reader);
    reader.handle_deadline(10 * SECOND);
    assert_eq!(said(&mut reader), ["tag 7"]);
    assert_eq!(reader.next_deadline(), Some(10 * SECOND + 20 * MILLISECOND));
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let bytes = |seed| {
        let settings =
            EmulatorSettings { seed, power_up: PowerUp::Reading, ..EmulatorSettings::default() };
        let mut reader = Yrm100Reader::new(&settings, Some(Marks::AaDd));
        reader.set_field(&[tag(7), tag(8)], Duration::ZERO);
        for millis in 0..1000 {
            reader.handle_deadline(millis * MILLISECOND);
        }
        std::iter::from_fn(|| reader.poll_transmit())
            .flat_map(|transmit| transmit.frame.as_ref().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

proptest! {
    #[test]
    fn byte_soup_never_panics(
        soup in proptest::collection::vec(any::<u8>(), 0..600),
        commands in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..20),
    ) {
        let mut reader = ready();
        reader.set_field(&[tag(7)], Duration::ZERO);
        reader.handle_bytes(&soup, Duration::ZERO);
        for (command, parameters) in &commands {
            let command = Command::Other { command: *command, parameters: Opaque(parameters) };
            reader.handle_bytes(command.emit(Marks::Bb7e).as_ref(), SECOND);
            reader.handle_deadline(SECOND);
        }
        reader.handle_deadline(2 * SECOND);
    }
}

#[test]
fn without_a_model_each_command_is_answered_in_its_own_marks() {
    let mut reader = Yrm100Reader::new(&EmulatorSettings::default(), None);
    for marks in [Marks::AaDd, Marks::Bb7e, Marks::AaDd] {
        reader.handle_bytes(Command::Region.emit(marks).as_ref(), SECOND);
        let answer = reader.poll_transmit().unwrap().frame;
        let frame = Frame::new_checked(answer.as_ref(), Direction::FromReader).unwrap();
        assert_eq!(frame.marks(), marks);
        assert!(reader.poll_transmit().is_none());
    }
}
