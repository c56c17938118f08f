//! Golden bytes and properties.

use proptest::prelude::*;

use super::{Command, Frame, FrameError, FromReader, MeaningError, Reply};
use crate::codec::{Cut, Direction, FieldsError, Framing, Opaque};
use crate::deframe::Deframer;

fn bytes(hex: &str) -> Vec<u8> {
    let hex = hex.replace(' ', "");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn command(hex: &str) -> Command<'static> {
    let bytes = bytes(hex).leak();
    let frame = Frame::new_checked(bytes, Direction::FromHost).unwrap();
    let command = Command::parse(frame).unwrap();
    assert_eq!(command.emit(frame.address()).as_ref(), bytes);
    command
}

fn reply(hex: &str) -> Reply<'static> {
    let bytes = bytes(hex).leak();
    let frame = Frame::new_checked(bytes, Direction::FromReader).unwrap();
    let reply = Reply::parse(frame).unwrap();
    assert_eq!(reply.emit(frame.address()).as_ref(), bytes);
    assert_eq!(FromReader::cut(bytes), Cut::Frame { len: bytes.len() });
    reply
}

const TWO_TAGS: &str = "43 54 00 2C 00 45 01 C4 DD 93 8E 17 01 23 02 0F 01 02 E2 00 20 75 60 10 01 \
     82 04 80 E0 64 33 0F 01 03 E3 00 20 75 60 10 01 82 04 80 E0 64 34 07";

#[test]
fn the_manuals_frames_are_understood() {
    assert_eq!(command("53570003ff4113"), Command::StartRead);
    assert_eq!(command("53570005ff24051a0f"), Command::SetParameter { address: 5, value: 26 });
    let data = Opaque(&[1, 2, 6, 0, 0, 0, 0]);
    assert_eq!(command("5357000aff020102060000000042"), Command::Other { command: 2, data });
    assert_eq!(reply("43540006002301051e1c"), Reply::Parameter { address: 5, value: 30 });
    assert_eq!(reply("4354000600e101fff290"), Reply::Antennas { connected: 0xFFF2 });
    assert_eq!(
        reply("4354000400010064"),
        Reply::Failed { command: 1, status: 0, data: Opaque(&[]) }
    );
    assert_eq!(reply("4354000400220142"), Reply::Done { command: 0x22, data: Opaque(&[]) });
    let Reply::ActiveData { tags, .. } = reply(TWO_TAGS) else { panic!("another answer") };
    let heard: Vec<_> = tags.iter().map(|tag| (tag.antenna, tag.epc.0[0], tag.rssi)).collect();
    assert_eq!(heard, [(2, 0xE2, 0x33), (3, 0xE3, 0x34)]);
}

#[test]
fn a_broken_frame_is_refused_with_what_is_wrong() {
    for (hex, error) in [
        ("53570003ff4113", FrameError::Head),
        ("43", FrameError::Truncated),
        ("4354000300220143", FrameError::Length { len: 3 }),
        ("4354040100220143", FrameError::Length { len: 0x401 }),
        // The manual's own example, whose length counts a byte that is not there.
        ("4354000501e00182", FrameError::Truncated),
        ("435400040022014200", FrameError::Trailing { len: 1 }),
        ("43540004002201ff", FrameError::Check { found: 0xFF, computed: 0x42 }),
    ] {
        assert_eq!(Frame::new_checked(&bytes(hex), Direction::FromReader), Err(error), "{hex}");
    }
}

#[test]
fn a_report_whose_records_do_not_fill_it_has_no_meaning() {
    // Three tags announced, two sent; the check is right.
    let mut short = bytes(TWO_TAGS);
    short[14] = 3;
    let last = short.len() - 1;
    short[last] = short[last].wrapping_sub(1);
    let frame = Frame::new_checked(&short, Direction::FromReader).unwrap();
    let error = MeaningError::Fields(FieldsError::Short { field: "record length" });
    assert_eq!(Reply::parse(frame), Err(error));
    assert_eq!(FromReader::cut(&short), Cut::Noise);
}

#[test]
fn a_frame_is_found_behind_junk_and_false_headers() {
    let mut deframer = Deframer::<FromReader>::new();
    let frame = bytes("4354000400220142");
    for junk in ["", "00112233", "43", "4354", "435400", "4354000400"] {
        let stream = [&bytes(junk)[..], &frame, &frame].concat();
        assert!(deframer.push(&stream).is_empty());
        for _ in 0..2 {
            assert_eq!(deframer.next_frame(), Some(&frame[..]), "behind {junk:?}");
        }
        assert_eq!(deframer.next_frame(), None);
    }
}

proptest! {
    #[test]
    fn byte_soup_never_panics(soup in proptest::collection::vec(any::<u8>(), 1..1100), headed: bool) {
        let soup = if headed { [&[0x43, 0x54, 0, 60, 0, 0x45, 1][..], &soup].concat() } else { soup };
        for direction in [Direction::FromHost, Direction::FromReader] {
            if let Ok(frame) = Frame::new_checked(&soup, direction) {
                prop_assert_eq!(frame.as_bytes(), &soup[..]);
            }
        }
        FromReader::cut(&soup);
    }

    #[test]
    fn any_data_of_any_command_emit_the_same_bytes(
        address: u8, opcode: u8, status in 0_u8..3, data in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let data = Opaque(&data);
        let sent = Command::Other { command: opcode, data }.emit(address);
        let frame = Frame::new_checked(sent.as_ref(), Direction::FromHost).unwrap();
        let again = Command::parse(frame).unwrap().emit(address);
        prop_assert_eq!(again.as_ref(), sent.as_ref());
        let sent = Reply::Failed { command: opcode, status, data }.emit(address);
        let frame = Frame::new_checked(sent.as_ref(), Direction::FromReader).unwrap();
        if let Ok(reply) = Reply::parse(frame) {
            let again = reply.emit(address);
            prop_assert_eq!(again.as_ref(), sent.as_ref());
        }
    }
}
