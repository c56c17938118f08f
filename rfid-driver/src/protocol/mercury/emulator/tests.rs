//! What a client sees of the reader made of software.

use std::time::Duration;

use proptest::prelude::*;

use super::{MercuryReader, TRANSMITS_MAX};
use crate::codec::{Direction, Opaque};
use crate::emulator::{
    DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp, TransmitKind, tag_words,
};
use crate::protocol::mercury::codec::{
    CONFIG_READ_FILTER, Command, Frame, MetadataFlags, Reply, StreamRequest,
};
use crate::{Epc, Tid};

mod access;
mod faults;
mod golden;
mod reads;

const SECOND: Duration = Duration::from_secs(1);
const START: Command<'_> = Command::StartStream(StreamRequest {
    multiselect: false,
    protocol: 5,
    option: 0x10,
    search_flags: 0x001B,
    on_time_ms: 250,
    off_time_ms: None,
    metadata: MetadataFlags(0x0FFF),
    report_flags: None,
    tags_wanted: None,
    embedded: None,
});

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, serial, 0]).unwrap();
    FieldTag::new(epc, -60, 1)
}

/// A line of text per frame that leaves the reader.
fn said(reader: &mut MercuryReader) -> Vec<String> {
    std::iter::from_fn(|| reader.poll_transmit())
        .map(|transmit| {
            let bytes = transmit.frame;
            let frame = Frame::new_checked(bytes.as_ref(), Direction::FromReader).unwrap();
            match Reply::parse(frame).unwrap() {
                Reply::Tag(record) => {
                    assert_eq!(transmit.kind, TransmitKind::Tag);
                    format!("tag {} at {}", record.epc.0[2], record.timestamp_ms.unwrap())
                }
                Reply::KeepAlive { .. } => "alive".to_owned(),
                Reply::StreamStarted => "started".to_owned(),
                Reply::StreamStopped => "stopped".to_owned(),
                Reply::Booted(_) => "booted".to_owned(),
                Reply::Program(program) => format!("program {program:02x}"),
                Reply::Version(_) => "version".to_owned(),
                Reply::StreamNote { .. } => "note".to_owned(),
                Reply::Done { opcode, data } => format!("{opcode:02x} {:02x?}", data.0),
                Reply::Refused { opcode, status, .. } => format!("{opcode:02x} {:04x}", status.0),
            }
        })
        .collect()
}

fn ask(reader: &mut MercuryReader, command: Command<'_>, now: Duration) -> Vec<String> {
    reader.handle_bytes(command.emit().as_ref(), now);
    said(reader)
}

fn pass(reader: &mut MercuryReader, from: Duration, to: Duration) -> Vec<String> {
    let mut lines = Vec::new();
    let mut now = from;
    while let Some(due) = reader.next_deadline().filter(|due| *due <= to) {
        now = now.max(due);
        reader.handle_deadline(now);
        lines.extend(said(reader));
    }
    lines
}

/// A reader in which everything is set but what the test is about.
fn ready() -> MercuryReader {
    ready_with(0)
}

fn ready_with(seed: u64) -> MercuryReader {
    let settings = EmulatorSettings { seed, ..EmulatorSettings::default() };
    let mut reader = MercuryReader::new(&settings);
    for command in [
        Command::SetRegion { region: 1 },
        Command::SetProtocol { protocol: 5 },
        Command::SetReaderConfig { key: CONFIG_READ_FILTER, value: 0 },
    ] {
        reader.handle_bytes(command.emit().as_ref(), Duration::ZERO);
    }
    said(&mut reader);
    reader
}

#[test]
fn commands_are_answered_as_the_module_answers_them() {
    let mut reader = MercuryReader::new(&EmulatorSettings::default());
    let now = Duration::ZERO;
    let other = |opcode| Command::Other { opcode, data: Opaque(&[]) };
    for (command, answer) in [
        (Command::Version, "version"),
        (Command::CurrentProgram, "program 12"),
        (Command::BootFirmware, "04 0101"),
        (other(0x5A), "5a 0101"),
        (other(0x97), "97 0100"),
        (START, "2f 0405"),
        (other(0x67), "67 [00]"),
        (Command::SetRegion { region: 0 }, "97 010b"),
        (Command::SetRegion { region: 8 }, "97 []"),
        (other(0x67), "67 [08]"),
        (START, "2f 0402"),
        (Command::SetProtocol { protocol: 9 }, "93 0402"),
        (Command::SetProtocol { protocol: 5 }, "93 []"),
        (other(0x63), "63 [00, 05]"),
        (Command::SetReadPower { power_cdbm: 100 }, "92 0106"),
        (Command::SetReadPower { power_cdbm: 4000 }, "92 0103"),
        (Command::SetReadPower { power_cdbm: 3000 }, "92 []"),
        (Command::SetAntennas { pairs: &[17, 17] }, "91 0105"),
        (Command::SetAntennas { pairs: &[1, 1, 2, 2] }, "91 []"),
        (Command::ReaderConfig { key: 0x0C }, "6a [01, 0c, 01]"),
        (Command::SetReaderConfig { key: 0x0C, value: 0 }, "9a []"),
        (Command::ReaderConfig { key: 0x0C }, "6a [01, 0c, 00]"),
        (Command::SetBaud { baud: 12 }, "06 010a"),
        (START, "started"),
    ] {
        assert_eq!(ask(&mut reader, command, now), [answer], "{command:?}");
    }
}

#[test]
fn the_boot_loader_knows_little_until_it_has_booted() {
    let config = EmulatorSettings { power_up: PowerUp::BootLoader, ..Default::default() };
    let mut reader = MercuryReader::new(&config);
    assert_eq!(ask(&mut reader, Command::CurrentProgram, Duration::ZERO), ["program 11"]);
    assert_eq!(ask(&mut reader, Command::SetRegion { region: 1 }, Duration::ZERO), ["97 0101"]);
    assert_eq!(ask(&mut reader, Command::BootFirmware, Duration::ZERO), [""; 0]);
    assert_eq!(pass(&mut reader, Duration::ZERO, SECOND), ["booted"]);
    assert_eq!(ask(&mut reader, Command::SetRegion { region: 1 }, SECOND), ["97 []"]);
}

#[test]
fn a_continuous_read_hears_only_stop_and_empties_its_queue_before_it_acknowledges() {
    let mut reader = ready();
    ask(&mut reader, START, Duration::ZERO);
    reader.set_field(&[tag(7)], SECOND / 100);
    assert_eq!(said(&mut reader), ["tag 7 at 10"]);
    assert_eq!(ask(&mut reader, Command::Version, SECOND / 50), [""; 0]);
    assert_eq!(ask(&mut reader, Command::StopStream, SECOND / 50), ["tag 7 at 20"]);
    assert_eq!(pass(&mut reader, SECOND / 50, SECOND), ["stopped"]);
    assert_eq!(ask(&mut reader, Command::Version, SECOND), ["version"]);
}

#[test]
fn timestamps_begin_anew_with_each_start() {
    let mut reader = ready();
    reader.set_field(&[tag(7)], Duration::ZERO);
    ask(&mut reader, START, Duration::ZERO);
    assert_eq!(
        pass(&mut reader, Duration::ZERO, SECOND / 10),
        ["tag 7 at 0", "tag 7 at 50", "tag 7 at 100"]
    );
    ask(&mut reader, Command::StopStream, SECOND / 10);
    pass(&mut reader, SECOND / 10, SECOND);
    ask(&mut reader, START, SECOND);
    assert_eq!(pass(&mut reader, SECOND, SECOND + SECOND / 100), ["tag 7 at 0"]);
}

#[test]
fn the_read_filter_lets_each_tag_through_once_and_is_on_after_power_up() {
    let mut reader = ready();
    let on = Command::SetReaderConfig { key: CONFIG_READ_FILTER, value: 1 };
    ask(&mut reader, on, Duration::ZERO);
    ask(&mut reader, START, Duration::ZERO);
    reader.set_field(&[tag(7)], Duration::ZERO);
    let mut lines = said(&mut reader);
    lines.extend(pass(&mut reader, Duration::ZERO, SECOND * 5 / 2));
    assert_eq!(lines, ["tag 7 at 0", "alive", "alive"]);
}

#[test]
fn a_late_call_does_not_make_the_reader_read_faster() {
    let mut reader = ready();
    ask(&mut reader, START, Duration::ZERO);
    reader.set_field(&[tag(7)], Duration::ZERO);
    said(&mut reader);
    reader.handle_deadline(10 * SECOND);
    assert_eq!(said(&mut reader), ["tag 7 at 10000", "alive"]);
    assert_eq!(reader.next_deadline(), Some(10 * SECOND + SECOND / 20));
}

#[test]
fn a_change_of_rate_is_answered_at_the_old_rate() {
    let mut reader = ready();
    let mut rates = Vec::new();
    for command in [Command::SetBaud { baud: 921_600 }, Command::Version] {
        reader.handle_bytes(command.emit().as_ref(), Duration::ZERO);
        rates.extend(std::iter::from_fn(|| reader.poll_transmit()).map(|transmit| transmit.baud));
    }
    assert_eq!(rates, [115_200, 921_600]);
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let bytes = |seed| {
        let mut reader = ready_with(seed);
        ask(&mut reader, START, Duration::ZERO);
        reader.set_field(&[tag(7), tag(8)], Duration::ZERO);
        reader.handle_deadline(SECOND);
        std::iter::from_fn(|| reader.poll_transmit())
            .flat_map(|transmit| transmit.frame.as_ref().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn a_tag_keeps_the_check_that_a_real_tag_keeps() {
    // EPC E200322FE20DF9311328B7E3 with check D100 was read from a real tag by an M5e; it is the
    // check over PC 3000 and EPC.
    let epc = [0xE2, 0x00, 0x32, 0x2F, 0xE2, 0x0D, 0xF9, 0x31, 0x13, 0x28, 0xB7, 0xE3];
    assert_eq!(tag_words(&Epc::try_from_slice(&epc).unwrap()), (0x3000, 0xD100));
}

#[test]
fn a_reading_reader_restarts_with_nothing_left() {
    let mut reader = ready();
    ask(&mut reader, START, Duration::ZERO);
    reader.handle_fault(DeviceFault::Reboot, SECOND);
    assert_eq!(ask(&mut reader, Command::Version, SECOND), [""; 0]);
    assert_eq!(pass(&mut reader, SECOND, 3 * SECOND), ["booted"]);
    assert_eq!(ask(&mut reader, START, 3 * SECOND), ["2f 0405"]);
}

#[test]
fn a_stale_half_frame_does_not_swallow_the_command_behind_it() {
    let mut reader = ready();
    reader.handle_bytes(&[0xFF, 0x10, 0x2F, 0x00], Duration::ZERO);
    assert_eq!(ask(&mut reader, Command::Version, SECOND), ["version"]);
}

#[test]
fn wake_up_bytes_and_an_unknown_model_change_nothing() {
    let settings =
        EmulatorSettings { model: Some("none".to_owned()), ..EmulatorSettings::default() };
    let mut reader = MercuryReader::new(&settings);
    reader.handle_bytes(&[0xFF; 200], Duration::ZERO);
    assert_eq!(ask(&mut reader, Command::Version, Duration::ZERO), ["version"]);
}

#[test]
fn a_reader_that_nobody_listens_to_keeps_only_so_much() {
    let mut reader = ready();
    ask(&mut reader, START, Duration::ZERO);
    reader.set_field(&[tag(7)], Duration::ZERO);
    for tick in 0..10_000 {
        reader.handle_deadline(SECOND / 20 * tick);
    }
    let lines = said(&mut reader);
    assert_eq!(lines.len(), TRANSMITS_MAX);
    // The oldest have made room.
    assert!(lines.last().is_some_and(|line| line == "alive" || line.starts_with("tag 7 at 499")));
}

#[test]
fn what_was_saved_outlives_a_restart() {
    let mut reader = ready();
    assert_eq!(hex_ask(&mut reader, 0x9D, &[2, 1, 1], SECOND), ["9d 0105"]);
    assert_eq!(hex_ask(&mut reader, 0x9D, &[1, 1, 1], SECOND), ["9d []"]);
    reader.handle_fault(DeviceFault::Reboot, SECOND);
    assert_eq!(pass(&mut reader, SECOND, 2 * SECOND), ["booted"]);
    assert_eq!(hex_ask(&mut reader, 0x67, &[], SECOND), ["67 [01]"]);
    assert_eq!(hex_ask(&mut reader, 0x9D, &[4, 1, 1], SECOND), ["9d []"]);
    assert_eq!(hex_ask(&mut reader, 0x67, &[], SECOND), ["67 [00]"]);
}

fn hex_ask(reader: &mut MercuryReader, opcode: u8, data: &[u8], now: Duration) -> Vec<String> {
    ask(reader, Command::Other { opcode, data: Opaque(data) }, now)
}

proptest! {
    #[test]
    fn byte_soup_never_panics(soup in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut reader = ready();
        reader.handle_bytes(&soup, Duration::ZERO);
        reader.handle_bytes(Command::Version.emit().as_ref(), SECOND);
        reader.handle_deadline(2 * SECOND);
    }

    /// Whatever the fields hold, each command is answered, or goes on and is answered later.
    #[test]
    fn no_command_breaks_it(
        model in proptest::sample::select(&super::MODELS[..]),
        commands in proptest::collection::vec(
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 1..20,
        ),
    ) {
        let settings =
            EmulatorSettings { model: Some(model.to_owned()), ..EmulatorSettings::default() };
        let mut reader = MercuryReader::new(&settings);
        let tid = Some(Tid::try_from_slice(&[0xE2; 8]).unwrap());
        reader.set_field(&[FieldTag { tid, ..tag(1) }], Duration::ZERO);
        for command in [Command::SetRegion { region: 1 }, Command::SetProtocol { protocol: 5 }] {
            reader.handle_bytes(command.emit().as_ref(), Duration::ZERO);
        }
        let mut now = Duration::ZERO;
        for (opcode, data) in &commands {
            now += SECOND;
            let command = Command::Other { opcode: *opcode, data: Opaque(data) };
            reader.handle_bytes(command.emit().as_ref(), now);
            reader.handle_deadline(now + SECOND / 2);
            prop_assert!(reader.next_deadline().is_none_or(|due| due > now + SECOND / 2));
        }
        reader.handle_deadline(now + 70 * SECOND);
        prop_assert!(std::iter::from_fn(|| reader.poll_transmit()).count() > 0);
    }
}
