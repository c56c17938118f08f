//! Continuous and timed reads.

use std::time::Duration;

use super::{SECOND, START, ask, hex_ask, pass, ready, said, tag};
use crate::Epc;
use crate::emulator::{Emulator, EmulatorSettings, FieldTag, PowerUp};
use crate::protocol::mercury::codec::Command;
use crate::protocol::mercury::emulator::MercuryReader;

/// Asks for a timed read of 100 ms with flags beyond the usual ones, and what follows them.
fn search(reader: &mut MercuryReader, flags: u8, tail: &[u8], now: Duration) -> Vec<String> {
    let data = [&[0x10, 0x00, 0x13 | flags, 0x00, 0x64, 0x00, 0x07][..], tail].concat();
    hex_ask(reader, 0x22, &data, now)
}

/// Count, strength and antenna of each tag in the buffer.
fn buffered(reader: &mut MercuryReader) -> Vec<[u8; 3]> {
    let frame = Command::Other { opcode: 0x29, data: crate::codec::Opaque(&[0x00, 0x07, 0x00]) };
    reader.handle_bytes(frame.emit().as_ref(), SECOND);
    let frame = reader.poll_transmit().unwrap().frame;
    // Two bytes of length, control and check around an EPC of four.
    let records = &frame.as_ref()[9..frame.as_ref().len() - 2];
    records.chunks(3 + 2 + 8).map(|record| [record[0], record[1], record[2]]).collect()
}

fn on_antenna(serial: u8, rssi_dbm: i8, antenna: u8) -> FieldTag {
    FieldTag { rssi_dbm, antenna, ..tag(serial) }
}

fn without_jitter() -> MercuryReader {
    let settings = EmulatorSettings { rssi_jitter_db: 0, ..EmulatorSettings::default() };
    let mut reader = MercuryReader::new(&settings);
    for command in [
        Command::SetRegion { region: 1 },
        Command::SetProtocol { protocol: 5 },
        Command::SetAntennas { pairs: &[1, 1, 2, 2] },
    ] {
        ask(&mut reader, command, Duration::ZERO);
    }
    reader
}

#[test]
fn a_timed_read_takes_its_time_and_then_counts() {
    let mut reader = ready();
    assert_eq!(search(&mut reader, 0, &[], Duration::ZERO), [""; 0]);
    assert_eq!(pass(&mut reader, Duration::ZERO, SECOND / 10 - SECOND / 1000), [""; 0]);
    assert_eq!(pass(&mut reader, SECOND / 10, SECOND / 10), ["alive"], "status 0400");
    reader.set_field(&[tag(1), tag(2)], SECOND);
    assert_eq!(search(&mut reader, 0, &[], SECOND), [""; 0]);
    let lines = pass(&mut reader, SECOND, 2 * SECOND);
    assert_eq!(lines, ["22 [10, 00, 13, 00, 00, 00, 02]"]);
    // Those of before are not counted again.
    reader.set_field(&[tag(1), tag(2), tag(3)], 3 * SECOND);
    search(&mut reader, 0, &[], 3 * SECOND);
    let lines = pass(&mut reader, 3 * SECOND, 4 * SECOND);
    assert_eq!(lines, ["22 [10, 00, 13, 00, 00, 00, 01]"]);
    assert_eq!(buffered(&mut reader).len(), 3);
    assert_eq!(buffered(&mut reader).len(), 0, "they have been fetched");
    assert_eq!(hex_ask(&mut reader, 0x29, &[], SECOND), ["29 [00, 03, 00, 03]"]);
    assert_eq!(hex_ask(&mut reader, 0x2A, &[], SECOND), ["2a []"]);
    assert_eq!(hex_ask(&mut reader, 0x29, &[], SECOND), ["29 [00, 00, 00, 00]"]);
}

#[test]
fn what_comes_during_a_timed_read_waits_for_its_end() {
    let mut reader = ready();
    search(&mut reader, 0, &[], Duration::ZERO);
    assert_eq!(ask(&mut reader, Command::Version, SECOND / 20), [""; 0]);
    assert_eq!(pass(&mut reader, SECOND / 20, SECOND), ["alive", "version"]);
}

#[test]
fn a_timed_read_ends_early_at_the_number_of_tags_that_was_asked_for() {
    let mut reader = ready();
    reader.set_field(&[tag(1), tag(2)], Duration::ZERO);
    search(&mut reader, 0x40, &[0, 0, 0, 1], Duration::ZERO);
    let lines = pass(&mut reader, Duration::ZERO, SECOND / 100);
    assert_eq!(lines, ["22 [10, 00, 53, 00, 00, 00, 02]"]);
}

#[test]
fn the_older_forms_of_a_timed_read_are_counted_in_a_byte() {
    let mut reader = ready();
    reader.set_field(&[tag(1)], Duration::ZERO);
    hex_ask(&mut reader, 0x22, &[0x00, 0x0A], Duration::ZERO);
    assert_eq!(pass(&mut reader, Duration::ZERO, SECOND), ["22 [01]"]);
    hex_ask(&mut reader, 0x22, &[0x00, 0x00, 0x03, 0x00, 0x0A], SECOND);
    assert_eq!(pass(&mut reader, SECOND, 2 * SECOND), ["22 [00, 00, 03, 00]"]);
}

#[test]
fn several_protocols_at_once_are_one_timed_read() {
    let mut reader = ready();
    reader.set_field(&[tag(1)], Duration::ZERO);
    let gen2 = [0x05, 0x07, 0x22, 0x10, 0x00, 0x13, 0x00, 0x64, 0x00, 0x07];
    let data = [&[0x00, 0x64, 0x11, 0x00, 0x07, 0x22, 0x00, 0x00][..], &gen2].concat();
    hex_ask(&mut reader, 0x2F, &data, Duration::ZERO);
    assert_eq!(pass(&mut reader, Duration::ZERO, SECOND), ["2f [11, 22, 00, 00, 00, 00, 00, 01]"]);
}

#[test]
fn the_buffer_tells_antennas_apart_only_if_told_to() {
    let mut reader = without_jitter();
    let field = [on_antenna(1, -60, 1), on_antenna(1, -50, 2)];
    reader.set_field(&field, Duration::ZERO);
    search(&mut reader, 0, &[], Duration::ZERO);
    pass(&mut reader, Duration::ZERO, SECOND);
    // Reads at 0, 50 and 100 ms on each; the strongest speaks for all.
    assert_eq!(buffered(&mut reader), [[6, 0xCE, 0x22]]);
    // 0 is unique, and the first speaks.
    for key in [0x00, 0x06] {
        ask(&mut reader, Command::SetReaderConfig { key, value: 0 }, SECOND);
    }
    hex_ask(&mut reader, 0x2A, &[], SECOND);
    search(&mut reader, 0, &[], SECOND);
    pass(&mut reader, SECOND, 2 * SECOND);
    assert_eq!(buffered(&mut reader), [[3, 0xC4, 0x11], [3, 0xCE, 0x22]]);
}

#[test]
fn a_full_buffer_ends_the_read_with_what_it_holds() {
    let mut reader = ready();
    let tags: Vec<_> = (0..=300u16)
        .map(|serial| {
            let [high, low] = serial.to_be_bytes();
            FieldTag::new(Epc::try_from_slice(&[1, high, 0, low]).unwrap(), -50, 1)
        })
        .collect();
    reader.set_field(&tags, Duration::ZERO);
    search(&mut reader, 0, &[], Duration::ZERO);
    assert_eq!(pass(&mut reader, Duration::ZERO, SECOND / 100), ["22 0601"]);
    assert_eq!(hex_ask(&mut reader, 0x29, &[], SECOND), ["29 [00, 00, 01, 2c]"]);
}

#[test]
fn a_duty_cycle_reads_only_while_the_radio_is_on() {
    let mut reader = ready();
    let gen2 = [0x22, 0x10, 0x04, 0x1B, 0x00, 0x64, 0x01, 0x2C, 0x0F, 0xFF];
    let data = [&[0x00, 0x00, 0x01, 0x22, 0x00, 0x00, 0x05, 0x09][..], &gen2].concat();
    assert_eq!(hex_ask(&mut reader, 0x2F, &data, Duration::ZERO), ["started"]);
    reader.set_field(&[tag(7)], Duration::ZERO);
    let mut lines = said(&mut reader);
    lines.extend(pass(&mut reader, Duration::ZERO, SECOND * 9 / 20));
    assert_eq!(lines, ["tag 7 at 0", "tag 7 at 50", "tag 7 at 400", "tag 7 at 450"]);
}

#[test]
fn a_call_that_comes_late_into_a_pause_waits_for_its_end() {
    let mut reader = ready();
    let gen2 = [0x22, 0x10, 0x04, 0x1B, 0x00, 0x64, 0x01, 0x2C, 0x0F, 0xFF];
    let data = [&[0x00, 0x00, 0x01, 0x22, 0x00, 0x00, 0x05, 0x09][..], &gen2].concat();
    hex_ask(&mut reader, 0x2F, &data, Duration::ZERO);
    reader.set_field(&[tag(7)], SECOND / 10);
    assert_eq!(reader.next_deadline(), Some(SECOND * 2 / 5));
    reader.handle_deadline(SECOND * 3 / 5);
    assert_eq!(reader.next_deadline(), Some(SECOND * 4 / 5));
}

#[test]
fn the_read_filter_lets_a_tag_through_again_that_was_away_for_its_time() {
    let mut reader = ready();
    ask(&mut reader, Command::SetReaderConfig { key: 0x0C, value: 1 }, Duration::ZERO);
    ask(&mut reader, START, Duration::ZERO);
    for (at, field, lines) in [
        (0, &[tag(7)][..], &["tag 7 at 0"][..]),
        (100, &[], &[]),
        (300, &[tag(7)], &[]),
        (400, &[], &[]),
        (800, &[tag(7)], &["tag 7 at 800"]),
    ] {
        let now = Duration::from_millis(at);
        pass(&mut reader, Duration::ZERO, now);
        reader.set_field(field, now);
        assert_eq!(said(&mut reader), lines, "{at}");
    }
}

#[test]
fn a_command_that_is_wrapped_is_answered_while_reading() {
    let mut reader = ready();
    ask(&mut reader, START, Duration::ZERO);
    let temperature = [0x00, 0x00, 0x04, 0x00, 0x72];
    let lines = hex_ask(&mut reader, 0x2F, &temperature, SECOND / 10);
    assert_eq!(lines, ["2f [04, 01, 72, 00, 00, 22]"]);
    let unknown = [0x00, 0x00, 0x04, 0x01, 0x5A, 0x00];
    assert_eq!(hex_ask(&mut reader, 0x2F, &unknown, SECOND / 10), ["2f [04, 00, 5a, 01, 01]"]);
    assert_eq!(hex_ask(&mut reader, 0x72, &[], SECOND / 10), [""; 0]);
}

#[test]
fn reports_are_asked_for_in_any_of_their_forms_and_answered_in_one() {
    // The flags as sent, and the data of the report: temperature and antenna.
    for (search_flags, sent, report) in [
        (0x01, &[0x03, 0x00][..], "86, 00, 82, 00, 01, 22, 84, 00, 02, 01, 01"),
        (0x01, &[0x86, 0x00], "86, 00, 82, 00, 01, 22, 84, 00, 02, 01, 01"),
        (0x01, &[0x01], "01, 01, 14, 01, 00, 00, 03, e8, 02"),
        (0x00, &[0x00, 0x0C], "00, 0c, 22, 01, 01"),
    ] {
        let mut reader = ready();
        let low = if search_flags == 0 { 0x3B } else { 0x1B };
        let head = [0x22, 0x10, search_flags, low, 0x00, 0xFA, 0x0F, 0xFF];
        let len = u8::try_from(head.len() - 1 + sent.len()).unwrap();
        let start = [&[0, 0, 1, 0x22, 0, 0, 5, len][..], &head, sent].concat();
        assert_eq!(hex_ask(&mut reader, 0x2F, &start, Duration::ZERO), ["started"]);
        reader.handle_deadline(SECOND);
        let frame = reader.poll_transmit().unwrap().frame;
        let data = format!("{:02x?}", &frame.as_ref()[5..]);
        let head = format!("[00, {search_flags:02x}, {low:02x}, 02, ");
        assert!(data.starts_with(&format!("{head}{report}")), "{sent:02x?}: {data}");
        assert_eq!(said(&mut reader), ["alive"]);
    }
}

#[test]
fn a_reader_left_reading_reports_all_until_it_is_stopped() {
    let settings = EmulatorSettings { power_up: PowerUp::Reading, ..EmulatorSettings::default() };
    let mut reader = MercuryReader::new(&settings);
    reader.set_field(&[tag(7)], Duration::ZERO);
    assert_eq!(said(&mut reader), ["tag 7 at 0"]);
    assert_eq!(ask(&mut reader, Command::Version, SECOND / 100), [""; 0]);
    ask(&mut reader, Command::StopStream, SECOND / 50);
    assert_eq!(pass(&mut reader, SECOND / 50, SECOND), ["stopped"]);
    assert_eq!(ask(&mut reader, Command::Version, SECOND), ["version"]);
}

#[test]
fn without_protocol_or_with_fields_missing_nothing_is_read() {
    let mut reader = MercuryReader::new(&EmulatorSettings::default());
    assert_eq!(search(&mut reader, 0, &[], SECOND), ["22 0405"]);
    ask(&mut reader, Command::SetRegion { region: 1 }, SECOND);
    assert_eq!(search(&mut reader, 0, &[], SECOND), ["22 0401"]);
    assert_eq!(search(&mut reader, 0x04, &[], SECOND), ["22 0100"]);
    assert_eq!(search(&mut reader, 0, &[0x00], SECOND), ["22 0100"]);
    assert_eq!(hex_ask(&mut reader, 0x2F, &[0x00], SECOND), ["2f 0100"]);
    assert_eq!(hex_ask(&mut reader, 0x29, &[0x00], SECOND), ["29 0100"]);
}
