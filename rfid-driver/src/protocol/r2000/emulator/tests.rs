//! What a client sees of the reader made of software.

use std::time::Duration;

use proptest::prelude::*;

use super::{BOOT_TIME, R2000Reader};
use crate::codec::{Direction, Opaque};
use crate::emulator::{
    DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp, TransmitKind, tag_words,
};
use crate::protocol::r2000::codec::{
    BROADCAST, Command, FastSwitch, Frame, Memory, Region, Reply, opcode,
};
use crate::{Epc, Tid};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const PASSWORD: Opaque<'_> = Opaque(&[1, 2, 3, 4]);
const NO_PASSWORD: Opaque<'_> = Opaque(&[0; 4]);

fn tag(serial: u8, antenna: u8) -> FieldTag {
    FieldTag::new(Epc::try_from_slice(&[0x34, 0x16, serial, 0]).unwrap(), -60, antenna)
}

fn ask_for(opcode: u8) -> Command<'static> {
    Command::Ask { opcode }
}

/// A line of text per frame that leaves the reader.
fn said(reader: &mut R2000Reader) -> Vec<String> {
    std::iter::from_fn(|| reader.poll_transmit())
        .map(|transmit| {
            let frame = Frame::new_checked(transmit.frame.as_ref(), Direction::FromReader).unwrap();
            match Reply::parse(frame).unwrap() {
                Reply::Tag(report) => {
                    assert_eq!(transmit.kind, TransmitKind::Tag);
                    format!("tag {}@{}", report.epc.0[2], report.antenna())
                }
                Reply::RoundEnd { antenna, rate_per_s, total, .. } => {
                    format!("end of {antenna}: {total}, {rate_per_s}/s")
                }
                Reply::SwitchEnd { total, duration_ms } => {
                    format!("end: {total}, {duration_ms} ms")
                }
                Reply::AntennaFailed { antenna, code, .. } => format!("{antenna} fails: {code}"),
                Reply::BufferedEnd { tags, total, .. } => format!("buffered {tags} of {total}"),
                Reply::Buffered(kept) => format!("kept {} {} times", kept.epc.0[2], kept.reads),
                Reply::Accessed(tag) => {
                    format!(
                        "{:02x} on {}: {:02x} {:02x?}",
                        tag.opcode, tag.epc.0[2], tag.result, tag.data.0
                    )
                }
                Reply::Done { opcode } => format!("{opcode:02x} done"),
                Reply::Refused { opcode, code } => format!("{opcode:02x} {:02x}", code.0),
                Reply::Value { opcode, data } => format!("{opcode:02x} {:02x?}", data.0),
                other => format!("{other:?}"),
            }
        })
        .collect()
}

fn ask(reader: &mut R2000Reader, command: Command<'_>, now: Duration) -> Vec<String> {
    reader.handle_bytes(command.emit(1).as_ref(), now);
    said(reader)
}

fn pass(reader: &mut R2000Reader, from: Duration, to: Duration) -> Vec<String> {
    let mut lines = Vec::new();
    let mut now = from;
    while let Some(due) = reader.next_deadline().filter(|due| *due <= to) {
        now = now.max(due);
        reader.handle_deadline(now);
        lines.extend(said(reader));
    }
    lines
}

fn reader() -> R2000Reader {
    R2000Reader::try_new(&EmulatorSettings::default()).unwrap()
}

#[test]
fn commands_are_answered_as_the_reader_answers_them() {
    let mut reader = reader();
    let one_power = [20];
    let too_much = [34];
    for (command, answer) in [
        (ask_for(opcode::VERSION), "Version { major: 2, minor: 8, rest: [] }"),
        (ask_for(opcode::TEMPERATURE), "Temperature { sign: 1, degrees: 36 }"),
        (ask_for(opcode::READ_GPIO), "Inputs { levels: [0, 0] }"),
        (Command::SetOutput { pin: 3, level: 1 }, "61 done"),
        (Command::SetOutput { pin: 1, level: 1 }, "61 41"),
        (Command::SetAntenna { antenna: 3 }, "74 done"),
        (Command::SetAntenna { antenna: 4 }, "74 47"),
        (ask_for(opcode::ANTENNA), "75 [03]"),
        (ask_for(opcode::POWER), "77 [1e]"),
        (Command::SetPower { power_dbm: &one_power }, "76 done"),
        (Command::SetPower { power_dbm: &too_much }, "76 48"),
        (Command::SetTemporaryPower { power_dbm: 19 }, "66 48"),
        (Command::SetTemporaryPower { power_dbm: 25 }, "66 done"),
        (ask_for(opcode::POWER), "77 [19]"),
        (Command::SetRegion(Region::Fixed { region: 3, first: 0, last: 6 }), "78 4f"),
        (Command::SetRegion(Region::whole(2).unwrap()), "78 done"),
        (ask_for(opcode::REGION), "Region(Fixed { region: 2, first: 0, last: 6 })"),
        (Command::SetBeeper { mode: 3 }, "7a 4b"),
        (Command::SetBeeper { mode: 1 }, "7a done"),
        (Command::SetDetector { threshold_db: 6 }, "62 done"),
        (ask_for(opcode::DETECTOR), "63 [06]"),
        (Command::ReturnLoss { channel: 60 }, "7e 4f"),
        (Command::ReturnLoss { channel: 3 }, "ReturnLoss { loss_db: 18 }"),
        (Command::SetProfile { profile: 0xD3 }, "69 done"),
        (Command::SetProfile { profile: 0xD4 }, "69 41"),
        (ask_for(opcode::PROFILE), "6a [d3]"),
        (Command::SetFastTid { save: true, status: 0x8D }, "8d done"),
        (ask_for(opcode::FAST_TID), "8e [8d]"),
        (Command::SetFastTid { save: false, status: 1 }, "8c 41"),
        (Command::SetAddress { address: 0xFF }, "73 46"),
        (Command::SetBaud { code: 9 }, "71 4a"),
        (ask_for(opcode::BUFFER), "90 38"),
        (ask_for(opcode::MATCH), "86 [01]"),
        (Command::SetMatch { mode: 0, epc: None }, "85 4d"),
        (Command::SetMatch { mode: 0, epc: Some(Opaque(&[1, 2])) }, "85 done"),
        (ask_for(opcode::MATCH), "86 [00, 02, 01, 02]"),
        (Command::Read { memory: MEMORY, password: NO_PASSWORD }, "81 36"),
        (ask_for(opcode::INVENTORY_6B), "b0 11"),
    ] {
        assert_eq!(ask(&mut reader, command, Duration::ZERO), [answer], "{command:?}");
    }
}

const MEMORY: Memory = Memory { bank: 3, address: 1, words: 1 };

#[test]
fn a_reader_listens_to_its_address_and_to_everyones() {
    let mut reader = reader();
    let frames = [(1, 1), (BROADCAST, 1), (7, 0)];
    for (address, answers) in frames {
        reader.handle_bytes(ask_for(opcode::VERSION).emit(address).as_ref(), Duration::ZERO);
        assert_eq!(said(&mut reader).len(), answers, "{address}");
    }
    assert_eq!(ask(&mut reader, Command::SetAddress { address: 7 }, Duration::ZERO), ["73 done"]);
    assert_eq!(ask(&mut reader, ask_for(opcode::VERSION), Duration::ZERO), [""; 0]);
    reader.handle_bytes(ask_for(opcode::VERSION).emit(7).as_ref(), Duration::ZERO);
    assert_eq!(reader.poll_transmit().unwrap().frame.as_ref()[2], 7);
}

#[test]
fn a_round_reports_tags_and_ends_with_its_count_and_what_came_meanwhile_waits() {
    let mut reader = reader();
    reader.set_field(&[tag(1, 1), tag(2, 2)], Duration::ZERO);
    assert_eq!(ask(&mut reader, Command::RealTime { repeat: 2 }, SECOND), ["tag 1@1"]);
    assert_eq!(ask(&mut reader, ask_for(opcode::ANTENNA), SECOND), [""; 0]);
    let rest = pass(&mut reader, SECOND, 2 * SECOND);
    assert_eq!(rest, ["tag 1@1", "end of 0: 2, 20/s", "75 [00]"]);
}

#[test]
fn a_fast_switch_goes_from_antenna_to_antenna_and_names_the_missing() {
    let mut reader = reader();
    ask(&mut reader, Command::SetDetector { threshold_db: 3 }, Duration::ZERO);
    reader.set_field(&[tag(1, 1), tag(2, 2), tag(3, 3)], Duration::ZERO);
    reader.handle_fault(DeviceFault::AntennaLost { port: 3 }, Duration::ZERO);
    let pairs = [1, 1, 2, 1, 0, 1, 0xFF, 0];
    let switch = FastSwitch { pairs: &pairs, interval_ms: 5, extension: &[], repeat: 1 };
    let mut lines = ask(&mut reader, Command::FastSwitch(switch), SECOND);
    lines.extend(pass(&mut reader, SECOND, 2 * SECOND));
    assert_eq!(
        lines,
        ["tag 2@2", "2 fails: 22 (antenna missing)", "tag 1@1", "tag 1@1", "end: 3, 80 ms"]
    );
}

#[test]
fn the_buffer_keeps_each_tag_once_until_it_is_reset() {
    let mut reader = reader();
    reader.set_field(&[tag(1, 1), tag(2, 1)], Duration::ZERO);
    ask(&mut reader, Command::Inventory { repeat: 2 }, SECOND);
    assert_eq!(pass(&mut reader, SECOND, 2 * SECOND), ["buffered 2 of 4"]);
    let now = 2 * SECOND;
    let kept = ["kept 1 2 times", "kept 2 2 times"];
    assert_eq!(ask(&mut reader, ask_for(opcode::BUFFER), now), kept);
    assert_eq!(ask(&mut reader, ask_for(opcode::TAKE_BUFFER), now), kept);
    assert_eq!(ask(&mut reader, ask_for(opcode::TAKE_BUFFER), now), ["91 38"]);
    assert_eq!(ask(&mut reader, ask_for(opcode::RESET_BUFFER), now), ["93 done"]);
}

#[test]
fn what_is_written_can_be_read_and_locked_memory_needs_the_password() {
    let mut reader = reader();
    let now = Duration::ZERO;
    let tid = Tid::try_from_slice(&[0xE2, 0x80, 0x11, 5]).unwrap();
    reader.set_field(&[FieldTag { tid: Some(tid), ..tag(1, 1) }], now);
    let passwords = [9, 9, 9, 9, 1, 2, 3, 4];
    let write = |memory, data, password| Command::Write { block: false, password, memory, data };
    let read = |bank, address, words| Command::Read {
        memory: Memory { bank, address, words },
        password: NO_PASSWORD,
    };
    let reserved = Memory { bank: 0, address: 0, words: 4 };
    let epc_word = Memory { bank: 1, address: 3, words: 1 };
    for (command, answer) in [
        (write(MEMORY, Opaque(&[0xCA, 0xFE]), NO_PASSWORD), "82 on 1: 10 []"),
        (read(3, 0, 2), "81 on 1: 04 [00, 00, ca, fe]"),
        (read(2, 0, 2), "81 on 1: 04 [e2, 80, 11, 05]"),
        (read(2, 0, 3), "81 32"),
        (read(9, 0, 3), "81 43"),
        (write(Memory { bank: 2, ..MEMORY }, Opaque(&[0, 0]), NO_PASSWORD), "82 on 1: 33 []"),
        (Command::Kill { password: NO_PASSWORD }, "84 on 1: 35 []"),
        (write(reserved, Opaque(&passwords), NO_PASSWORD), "82 on 1: 10 []"),
        (Command::Lock { password: PASSWORD, bank: 1, action: 1 }, "83 on 1: 10 []"),
        (write(MEMORY, Opaque(&[1, 1]), NO_PASSWORD), "82 on 1: 33 []"),
        (write(MEMORY, Opaque(&[1, 1]), PASSWORD), "82 on 1: 10 []"),
        (Command::Kill { password: PASSWORD }, "84 on 1: 35 []"),
        (write(epc_word, Opaque(&[7, 0]), NO_PASSWORD), "82 on 1: 10 []"),
        (read(3, 0, 2), "81 on 7: 04 [00, 00, 01, 01]"),
        (Command::Kill { password: Opaque(&[9; 4]) }, "84 on 7: 10 []"),
        (read(3, 0, 2), "81 36"),
    ] {
        assert_eq!(ask(&mut reader, command, now), [answer], "{command:?}");
    }
    assert_eq!(tag_words(&tag(1, 1).epc).0, 0x1000);
}

#[test]
fn a_reset_is_answered_by_silence_and_forgets_what_is_not_saved() {
    let mut reader = reader();
    let now = Duration::ZERO;
    ask(&mut reader, Command::SetAntenna { antenna: 2 }, now);
    ask(&mut reader, Command::SetDetector { threshold_db: 6 }, now);
    assert_eq!(ask(&mut reader, ask_for(opcode::RESET), now), [""; 0]);
    assert_eq!(ask(&mut reader, ask_for(opcode::VERSION), BOOT_TIME - MILLISECOND), [""; 0]);
    reader.handle_deadline(BOOT_TIME);
    assert_eq!(ask(&mut reader, ask_for(opcode::ANTENNA), BOOT_TIME), ["75 [00]"]);
    assert_eq!(ask(&mut reader, ask_for(opcode::DETECTOR), BOOT_TIME), ["63 [06]"]);
}

#[test]
fn a_change_of_the_rate_is_answered_at_the_old_one() {
    let mut reader = reader();
    reader.handle_bytes(Command::SetBaud { code: 3 }.emit(1).as_ref(), Duration::ZERO);
    let answer = reader.poll_transmit().unwrap();
    assert_eq!((answer.baud, reader.baud()), (115_200, 38_400));
}

#[test]
fn a_reader_may_be_busy_with_an_earlier_hosts_round() {
    let settings = EmulatorSettings { power_up: PowerUp::Reading, ..Default::default() };
    let mut reader = R2000Reader::try_new(&settings).unwrap();
    reader.set_field(&[tag(1, 1)], Duration::ZERO);
    assert_eq!(said(&mut reader), ["tag 1@1"]);
    assert_eq!(ask(&mut reader, ask_for(opcode::ANTENNA), SECOND), [""; 0]);
    let lines = pass(&mut reader, SECOND, 10 * SECOND);
    assert!(lines.len() > 30 && lines.last().is_some_and(|line| line == "75 [00]"), "{lines:?}");
}

#[test]
fn only_models_that_exist_can_be_played() {
    let settings = EmulatorSettings { model: Some("m6e".to_owned()), ..Default::default() };
    let error = R2000Reader::try_new(&settings).unwrap_err();
    assert_eq!(error.to_string(), "r2000 has no model m6e; it can have ind903, ind905, yr8900");
}

#[test]
fn the_same_seed_says_the_same() {
    let said_with = |seed| {
        let settings = EmulatorSettings { seed, ..Default::default() };
        let mut reader = R2000Reader::try_new(&settings).unwrap();
        reader.set_field(&[tag(1, 1), tag(2, 1)], Duration::ZERO);
        reader.handle_bytes(Command::RealTime { repeat: 10 }.emit(1).as_ref(), SECOND);
        while let Some(due) = reader.next_deadline() {
            reader.handle_deadline(due);
        }
        std::iter::from_fn(|| reader.poll_transmit())
            .map(|transmit| transmit.frame.as_ref().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(said_with(3), said_with(3));
    assert_ne!(said_with(3), said_with(4));
}

proptest! {
    #[test]
    fn byte_soup_never_panics_and_the_reader_still_answers(
        soup in proptest::collection::vec(any::<u8>(), 0..600),
        opcode in any::<u8>(),
        payload in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut reader = reader();
        reader.set_field(&[tag(1, 1)], Duration::ZERO);
        reader.handle_bytes(&soup, Duration::ZERO);
        let command = Command::Other { opcode, data: Opaque(&payload) };
        reader.handle_bytes(command.emit(1).as_ref(), Duration::ZERO);
        let mut turns = 0;
        while let Some(due) = reader.next_deadline().filter(|_| turns < 5000) {
            turns += 1;
            reader.handle_deadline(due);
            while reader.poll_transmit().is_some() {}
        }
    }
}
