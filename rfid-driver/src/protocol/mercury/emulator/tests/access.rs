//! Operations on one tag, its memory, and which tag is meant.

use std::time::Duration;

use super::{SECOND, hex_ask, pass, ready, said, tag};
use crate::Tid;
use crate::emulator::{Emulator, FieldTag};
use crate::protocol::mercury::emulator::MercuryReader;

const TID: [u8; 4] = [0xE2, 0x00, 0x34, 0x12];

fn with_tid(serial: u8) -> FieldTag {
    FieldTag { tid: Some(Tid::try_from_slice(&TID).unwrap()), ..tag(serial) }
}

/// A reader with tag 1 in its field; 34 16 01 00 is its EPC.
fn with_tag() -> MercuryReader {
    let mut reader = ready();
    reader.set_field(&[with_tid(1)], Duration::ZERO);
    reader
}

/// Asks, with a timeout of 100 ms before the data.
fn access(reader: &mut MercuryReader, opcode: u8, data: &[u8]) -> String {
    let data = [&[0x00, 0x64][..], data].concat();
    let mut lines = hex_ask(reader, opcode, &data, SECOND);
    lines.extend(pass(reader, SECOND, 2 * SECOND));
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn an_operation_waits_for_its_tag_as_long_as_it_may() {
    let mut reader = ready();
    assert_eq!(hex_ask(&mut reader, 0x21, &[0x00, 0x64, 0x00], Duration::ZERO), [""; 0]);
    reader.set_field(&[tag(1)], SECOND / 20);
    let lines = said(&mut reader);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("21 [00, 34, 16, 01, 00, "), "{lines:?}");
    reader.set_field(&[], SECOND);
    assert_eq!(access(&mut reader, 0x21, &[0x00]), "21 0400");
}

#[test]
fn each_bank_is_read_by_words_and_no_words_are_all() {
    let mut reader = with_tag();
    for (fields, answer) in [
        ([0x00, 2, 0, 0, 0, 0, 2], "28 [00, e2, 00, 34, 12]"),
        ([0x00, 2, 0, 0, 0, 1, 1], "28 [00, 34, 12]"),
        ([0x00, 2, 0, 0, 0, 0, 0], "28 [00, e2, 00, 34, 12]"),
        ([0x00, 2, 0, 0, 0, 0, 3], "28 0423"),
        ([0x00, 2, 0xFF, 0xFF, 0xFF, 0xFF, 1], "28 0423"),
        ([0x00, 1, 0, 0, 0, 1, 3], "28 [00, 10, 00, 34, 16, 01, 00]"),
        ([0x00, 0, 0, 0, 0, 0, 4], "28 [00, 00, 00, 00, 00, 00, 00, 00, 00]"),
        ([0x00, 3, 0, 0, 0, 31, 1], "28 [00, 00, 00]"),
        ([0x00, 0x40, 0, 0, 0, 0, 1], "28 0105"),
        // EPC bank and TID, a word of each.
        ([0x00, 0x18, 0, 0, 0, 1, 1], "28 [00, 10, 01, 10, 00, 20, 01, 34, 12]"),
    ] {
        assert_eq!(access(&mut reader, 0x28, &fields), answer, "{fields:02x?}");
    }
    // The form without an option, and with metadata: the protocol, and no data among them.
    assert_eq!(access(&mut reader, 0x28, &[2, 0, 0, 0, 0, 1]), "28 [e2, 00]");
    assert_eq!(
        access(&mut reader, 0x28, &[0x10, 0x00, 0xC0, 2, 0, 0, 0, 0, 1]),
        "28 [10, 00, c0, 05, 00, 00, e2, 00]"
    );
    reader.set_field(&[tag(1)], SECOND);
    assert_eq!(access(&mut reader, 0x28, &[0x00, 2, 0, 0, 0, 0, 2]), "28 0404");
}

#[test]
fn a_filter_chooses_the_tag() {
    let mut reader = ready();
    reader.set_field(&[tag(1), with_tid(2)], Duration::ZERO);
    for (filter, serial) in [
        // The whole EPC, with a password before it and without.
        (&[0x01, 0, 0, 0, 0, 32, 0x34, 0x16, 2, 0][..], Some(2)),
        (&[0x01, 32, 0x34, 0x16, 2, 0], Some(2)),
        (&[0x01, 0, 0, 0, 0, 32, 0x34, 0x16, 3, 0], None),
        // Inverted; a long mask; the third byte of the EPC in its bank; the TID.
        (&[0x09, 0, 0, 0, 0, 32, 0x34, 0x16, 1, 0], Some(2)),
        (&[0x21, 0, 0, 0, 0, 0, 32, 0x34, 0x16, 2, 0], Some(2)),
        (&[0x04, 0, 0, 0, 0, 0, 0, 0, 48, 8, 2], Some(2)),
        (&[0x02, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0xE2, 0x00], Some(2)),
        // By the length of the EPC.
        (&[0x06, 0, 32], Some(1)),
        (&[0x06, 0, 96], None),
        // Several: begins with 34, and then those that are tag 2 are left out.
        (
            &[0x88, 0x04, 0, 0, 0, 0, 0, 0, 0, 32, 8, 0x34, 4, 0, 0x04, 0, 0, 0, 48, 8, 2, 4, 5, 0],
            Some(1),
        ),
    ] {
        let line = access(&mut reader, 0x21, filter);
        match serial {
            None => assert_eq!(line, "21 0400", "{filter:02x?}"),
            Some(serial) => assert!(
                line.contains(&format!("34, 16, {serial:02x}, 00")),
                "{filter:02x?}: {line}"
            ),
        }
    }
}

#[test]
fn what_is_written_is_read_and_reported() {
    let mut reader = with_tag();
    // Two words of user memory from word 3 on.
    assert_eq!(access(&mut reader, 0x24, &[0x00, 0, 0, 0, 3, 3, 1, 2, 3, 4]), "24 [00]");
    assert_eq!(
        access(&mut reader, 0x28, &[0x00, 3, 0, 0, 0, 2, 4]),
        "28 [00, 00, 00, 01, 02, 03, 04, 00, 00]"
    );
    assert_eq!(access(&mut reader, 0x24, &[0x00, 0, 0, 0, 32, 3, 1, 2]), "24 0423");
    assert_eq!(access(&mut reader, 0x24, &[0x00, 0, 0, 0, 0, 3, 1]), "24 0411");
    assert_eq!(access(&mut reader, 0x24, &[0x00, 0, 0, 0, 0, 2, 1, 2]), "24 0424");
    // A longer EPC, then a word of it in its bank.
    assert_eq!(access(&mut reader, 0x23, &[0x00, 0x00, 9, 9, 9, 9, 9, 9]), "23 [00]");
    assert_eq!(access(&mut reader, 0x24, &[0x00, 0, 0, 0, 2, 1, 7, 7]), "24 [00]");
    assert_eq!(
        access(&mut reader, 0x28, &[0x00, 1, 0, 0, 0, 1, 4]),
        "28 [00, 18, 00, 07, 07, 09, 09, 09, 09]"
    );
    assert_eq!(access(&mut reader, 0x23, &[0x00, 0x00]), "23 0410");
}

#[test]
fn a_locked_bank_wants_the_password_and_a_killed_tag_is_gone() {
    let mut reader = with_tag();
    // Kill password 11111111, access password 22222222; then user memory wants the latter.
    let passwords = [0x00, 0, 0, 0, 0, 0, 0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x22, 0x22];
    assert_eq!(access(&mut reader, 0x24, &passwords), "24 [00]");
    assert_eq!(access(&mut reader, 0x25, &[0x00, 1, 2, 3, 4, 0, 3, 0, 2]), "25 0425");
    assert_eq!(access(&mut reader, 0x25, &[0x00, 0x22, 0x22, 0x22, 0x22, 0, 3, 0, 2]), "25 [00]");
    assert_eq!(access(&mut reader, 0x24, &[0x00, 0, 0, 0, 0, 3, 1, 2]), "24 0424");
    let with_password = [0x05, 0, 0, 0, 0, 3, 0x22, 0x22, 0x22, 0x22, 1, 2];
    assert_eq!(access(&mut reader, 0x24, &with_password), "24 [05]");
    assert_eq!(access(&mut reader, 0x26, &[0x00, 1, 2, 3, 4, 0]), "26 040e");
    assert_eq!(access(&mut reader, 0x26, &[0x00, 0x11, 0x11, 0x11, 0x11, 0]), "26 [00]");
    assert_eq!(access(&mut reader, 0x21, &[0x00]), "21 0400");
}
