//! Bytes that real modules have sent, and that this one must send: don't change the tests.

use std::time::Duration;

use super::{SECOND, hex_ask, pass, ready};
use crate::emulator::{Emulator, EmulatorSettings, FieldTag};
use crate::protocol::mercury::codec::Command;
use crate::protocol::mercury::emulator::MercuryReader;
use crate::{Epc, codec::Opaque};

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The frames that leave the reader when it is sent this one and then left alone for a while.
fn sent(reader: &mut MercuryReader, frame: &str, at: Duration, until: Duration) -> Vec<String> {
    reader.handle_bytes(&bytes(frame), at);
    let mut now = at;
    while let Some(due) = reader.next_deadline().filter(|due| *due <= until) {
        now = now.max(due);
        reader.handle_deadline(now);
    }
    std::iter::from_fn(|| reader.poll_transmit())
        .map(|sent| sent.frame.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
        .collect()
}

#[test]
fn what_an_m5e_answered_in_a_published_session() {
    // The README of m5e_rfid; the run phase is Silion's example, the end of reading the vendor's.
    let mut reader = MercuryReader::new(&EmulatorSettings::default());
    for (command, answer) in [
        ("ff0197024bbf", "ff00970000779e"),
        ("ff00631d6c", "ff0263000000002143"),
        ("ff02930005517d", "ff00930000371a"),
        ("ff00631d6c", "ff0263000000052146"),
        ("ff000c1d03", "ff010c0000126343"),
        ("ff032f0000025e86", "ff012f00000230e6"),
    ] {
        assert_eq!(sent(&mut reader, command, SECOND, SECOND), [answer], "{command}");
    }
    // No tag, then one.
    let find = Command::Other { opcode: 0x21, data: Opaque(&[0x03, 0xE8]) }.emit();
    let find: String = find.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent(&mut reader, &find, SECOND, 3 * SECOND), ["ff00210400b483"]);
    let epc = Epc::try_from_slice(&bytes("e200322fe20df9311328b7e3")).unwrap();
    reader.set_field(&[FieldTag::new(epc, -60, 1)], 4 * SECOND);
    assert_eq!(
        sent(&mut reader, &find, 5 * SECOND, 5 * SECOND),
        ["ff0e210000e200322fe20df9311328b7e3d100aad0"]
    );
}

#[test]
fn a_record_lies_as_in_the_capture_of_the_sparkfun_library() {
    const CAPTURED: &str = "ff2822000010001b01ff0101c4110e16400000012700000500000f0080300000000000\
                            0000000000001545e94a561d";
    let mut reader = ready();
    let epc = Epc::try_from_slice(&bytes("000000000000000000001545")).unwrap();
    let read = [0x05, 0x07, 0x22, 0x10, 0x00, 0x1B, 0x03, 0xE8, 0x01, 0xFF];
    let start = [&[0x00, 0x00, 0x01, 0x22, 0x00, 0x00][..], &read].concat();
    assert_eq!(hex_ask(&mut reader, 0x2F, &start, SECOND), ["started"]);
    reader.set_field(&[FieldTag::new(epc, -60, 1)], SECOND + SECOND * 295 / 1000);
    let frame = reader.poll_transmit().unwrap().frame;
    let (ours, theirs) = (frame.as_ref(), bytes(CAPTURED));
    assert_eq!(ours.len(), theirs.len());
    // Up to the read count; the antenna; the time; protocol and data; the tag with its own check.
    // Between them are what chance decides, and the pins, which were high there.
    for part in [0..12, 13..14, 17..21, 23..26, 27..45] {
        assert_eq!(ours[part.clone()], theirs[part]);
    }
}

#[test]
fn newer_firmware_says_how_long_it_has_been_reading() {
    // `serial_reader.c` 1.37, the comment in `TMR_SR_hasMoreTags`, with the check it leaves out.
    let mut reader = ready();
    let start = "ff132f000001220000050a228810041b00fa00000fff290c";
    let frames = sent(&mut reader, start, SECOND, 2 * SECOND);
    assert!(frames[1].starts_with("ff0b2204008810041b001001000003e8"));
    assert_eq!(pass(&mut reader, 2 * SECOND, 5 * SECOND / 2), [""; 0]);
}
