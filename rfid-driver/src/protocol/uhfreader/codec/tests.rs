//! Frames from real readers and clients, byte for byte, and properties of all frames.

use proptest::prelude::*;

use super::{
    Band, Command, Dialect, Express, Frame, FrameError, FromReader, InventoryRequest, Mask, QFlags,
    Reply, Status, antenna_of_byte, opcode,
};
use crate::codec::{Cut, Direction, Framing, Opaque};
use crate::deframe::Deframer;
use crate::emulator::wire::{Fate, Wire, WireFaults};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn check_command(hex: &str, address: u8, meaning: Command<'_>) {
    let bytes = bytes(hex);
    let frame = Frame::new_checked(&bytes, Direction::FromHost).unwrap();
    assert_eq!((frame.address(), Command::parse(frame)), (address, Ok(meaning)));
    assert_eq!(meaning.emit(address).as_ref(), bytes);
}

/// A reply as text: its tags as "port epc-length tid-length rssi".
fn reply(bytes: &[u8]) -> String {
    let frame = Frame::new_checked(bytes, Direction::FromReader).unwrap();
    let reply = Reply::parse(frame).unwrap();
    assert_eq!(reply.emit(frame.address()).as_ref(), bytes);
    match reply {
        Reply::Tags { status, list, .. } => {
            let port = list.antenna_byte().map(|byte| antenna_of_byte(byte, false));
            let tags: Vec<_> = list
                .tags()
                .map(|tag| {
                    let tid = tag.tid.map_or(0, |tid| tid.0.len());
                    format!("{}+{tid} rssi {:?}", tag.epc.0.len(), tag.rssi_raw)
                })
                .collect();
            format!("{:02x} {:?} port {port:?} {tags:?}", status.0, list.dialect())
        }
        Reply::Pushed(list) => format!("{:?} {}", list.dialect(), list.tags().count()),
        other => format!("{other:?}"),
    }
}

#[test]
fn commands_of_real_clients_are_understood_and_built() {
    check_command("04ff211995", 0xFF, Command::ReaderInfo);
    check_command("05ff28007646", 0xFF, Command::SetBaud { code: 0 });
    check_command("050025145866", 0, Command::SetScanTime { scan_time: 20 });
    check_command("04000fa5a2", 0, Command::InventorySingle);
    check_command(
        "0a0035000204020600cd09",
        0,
        Command::SetScanMode { parameters: [0, 2, 4, 2, 6, 0] },
    );
    let express = Express { target: 0, antenna: 0x80, scan_time: 2 };
    let request =
        InventoryRequest { express: Some(express), ..InventoryRequest::plain(QFlags(4), 0) };
    check_command("09000104000080026a56", 0, Command::Inventory(request));
    assert_eq!(express.port(), Some(1));
}

#[test]
fn the_optional_parts_of_an_inventory_are_told_apart_by_their_lengths() {
    let mask = Mask { memory: 1, address: 32, len: 12, data: Opaque(&[0xAB, 0xC0]) };
    let express = Express { target: 1, antenna: 0x83, scan_time: 20 };
    for mask in [None, Some(mask), Some(Mask { len: 0, data: Opaque(&[]), ..mask })] {
        for tid in [None, Some([0, 6])] {
            for express in [None, Some(express)] {
                let request = InventoryRequest { q: QFlags(4), session: 1, mask, tid, express };
                let frame = Command::Inventory(request).emit(0);
                let frame = Frame::new_checked(frame.as_ref(), Direction::FromHost).unwrap();
                let parsed = Command::parse(frame).unwrap();
                let again = parsed.emit(0);
                assert_eq!(again.as_ref(), frame.as_bytes());
                // An empty mask and a TID request look alike, and mean the same.
                if mask.is_none_or(|mask| mask.len > 0) {
                    assert_eq!(parsed, Command::Inventory(request));
                }
            }
        }
    }
}

#[test]
fn tags_are_listed_in_the_dialect_that_adds_up() {
    let epc = [0xE2, 0x84, 0x36, 0x11, 0, 0, 0x10, 0, 0x09, 0x49, 0x44, 0xAA];
    for (hex, text) in [
        ("13000103010c0000000000000000000003133f39", "03 Old18 port None [\"12+0 rssi None\"]"),
        (
            "1500010304010c49440000000000000a0003346425c0",
            "03 New288 port Some(3) [\"12+0 rssi Some(100)\"]",
        ),
        ("0700010101001e4b", "01 New288 port Some(1) []"),
        ("0d000103010104003230386da3d2", "03 New288 port Some(1) [\"4+0 rssi Some(109)\"]"),
        ("1100ee00e284361100001000094944aa9acc", "Old18 1"),
    ] {
        assert_eq!(reply(&bytes(hex)), text, "{hex}");
    }
    let fast_id =
        [&[0x01, 0x01, 0xD8][..], &epc, &[7; 12], &[70], &[0, 1, 0, 2], &[0x0D, 0xF6, 0x38]];
    let frame = Reply::Done {
        opcode: opcode::PUSH,
        data: Opaque(&[&[1, 0x98][..], &epc, &[7; 12], &[70]].concat()),
    }
    .emit(0);
    assert_eq!(reply(frame.as_ref()), "New288 1");
    let data = fast_id.concat();
    let frame = Reply::Refused {
        opcode: opcode::INVENTORY,
        status: Status::INVENTORY_MORE,
        data: Opaque(&data),
    }
    .emit(0);
    assert_eq!(reply(frame.as_ref()), "03 New288 port Some(1) [\"12+12 rssi Some(70)\"]");
    let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
    let Ok(Reply::Tags { list, .. }) = Reply::parse(frame) else { panic!("no tags") };
    let tag = list.tags().next().unwrap();
    assert_eq!((tag.frequency_khz, tag.phase_raw), (Some(915_000), Some(0x0001_0002)));
    assert_eq!(list.dialect(), Dialect::New288);
}

#[test]
fn a_list_that_does_not_add_up_is_noise_whatever_its_check_says() {
    for data in
        [&[1, 1, 12, 0, 0][..], &[1, 2, 2, 9, 9, 70], &[1, 1, 3, 9, 9, 9, 70], &[2, 2, 9, 9]]
    {
        let frame = Reply::Refused {
            opcode: opcode::INVENTORY,
            status: Status::INVENTORY_DONE,
            data: Opaque(data),
        }
        .emit(0);
        assert_eq!(FromReader::cut(frame.as_ref()), Cut::Noise, "{data:?}");
    }
}

#[test]
fn a_damaged_frame_is_refused_with_the_reason() {
    let good = bytes("1500010301010c0000000000000000000003136bb1a5");
    let reason = |bytes: &[u8]| Frame::new_checked(bytes, Direction::FromReader).unwrap_err();
    assert_eq!(reason(&[]), FrameError::Truncated);
    assert_eq!(reason(&good[..21]), FrameError::Truncated);
    assert_eq!(reason(&[4, 0, 0x21, 0, 0]), FrameError::Length { len: 4 });
    assert_eq!(reason(&[good.clone(), vec![0]].concat()), FrameError::Trailing { len: 1 });
    let mut bad = good.clone();
    bad[21] = 0xA6;
    assert_eq!(reason(&bad), FrameError::Check { found: 0xA6B1, computed: 0xA5B1 });
}

#[test]
fn a_false_header_is_seen_through_within_four_bytes() {
    // The heartbeat of a HW-VX bridge, a length too short, a status that the operation cannot have,
    // a length that it cannot have, an operation that nobody knows.
    for junk in [
        &[0x56, 0, 0, 0, 0, 0][..],
        &[4],
        &[0x16, 0, 0x02, 0x03],
        &[0xFF, 0, 0x92, 0x00],
        &[0xFF, 0, 0xAB],
    ] {
        assert_eq!(FromReader::cut(junk), Cut::Noise, "{junk:02x?}");
    }
    for header in [&[0x15, 0, 0x01, 0x03][..], &[0x06, 0, 0x40, 0x00], &[0x05, 0, 0x21, 0xFE]] {
        assert_eq!(FromReader::cut(header), Cut::Incomplete, "{header:02x?}");
    }
}

#[test]
fn what_no_manual_has_is_noise_in_a_stream_but_can_be_looked_at() {
    for reply in [
        Reply::Done { opcode: 0xAB, data: Opaque(&[1, 2, 3]) },
        Reply::Refused { opcode: 0x21, status: Status(0x77), data: Opaque(&[]) },
    ] {
        let frame = reply.emit(0);
        assert_eq!(FromReader::cut(frame.as_ref()), Cut::Noise);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        assert_eq!(Reply::parse(frame), Ok(reply));
    }
}

#[test]
fn bands_are_those_of_the_manuals() {
    // 31 80 for the US, 4E 00 for Europe, F4 00 for toll in Mexico: frames of real clients.
    let whole = |number| Band::by_number(number).map(Band::whole);
    assert_eq!(whole(2), Some([0x31, 0x80]));
    assert_eq!(whole(4), Some([0x4E, 0x00]));
    assert_eq!(whole(12), Some([0xF4, 0x00]));
    assert_eq!(whole(5), None);
    assert_eq!(Band::by_number(2).unwrap().frequency_khz(49), 927_250);
}

#[test]
fn the_antenna_byte_is_a_bit_or_an_index() {
    let bits: Vec<_> = [1, 2, 4, 8, 0x80, 5].map(|byte| antenna_of_byte(byte, false)).to_vec();
    assert_eq!(bits, [1, 2, 3, 4, 8, 3]);
    assert_eq!((antenna_of_byte(0, false), antenna_of_byte(15, true)), (1, 16));
}

#[test]
fn no_debug_output_shows_an_epc() {
    let good = bytes("1100ee00e284361100001000094944aa9acc");
    let frame = Frame::new_checked(&good, Direction::FromReader).unwrap();
    let reply = Reply::parse(frame).unwrap();
    for shown in [format!("{frame:?}"), format!("{reply:?}"), format!("{:?}", reply.emit(0))] {
        assert!(!shown.contains("e284") && !shown.contains("226, 132"), "{shown}");
    }
}

/// What a reader with much to do says: lists, ends of rounds, pushes of both dialects, answers.
fn busy_reader(number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    let epc = [0x34, 0x16, 0x21, 0x4B, 0x88, a, b, c, d, a ^ c, b ^ d, 0x5A];
    let listed = |opcode, status, data: &[u8]| {
        Reply::Refused { opcode, status, data: Opaque(data) }.emit(0).as_ref().to_vec()
    };
    match number % 5 {
        0 => {
            let data = [&[1, 1, 12][..], &epc, &[70]].concat();
            listed(opcode::INVENTORY, Status::INVENTORY_MORE, &data)
        }
        1 => listed(opcode::INVENTORY, Status::INVENTORY_DONE, &[1, 0]),
        2 => {
            let data = [&[2, 12][..], &epc, &[12], &epc].concat();
            listed(opcode::INVENTORY, Status::INVENTORY_DONE, &data)
        }
        3 => listed(opcode::PUSH, Status::SUCCESS, &[&[1, 12][..], &epc, &[70]].concat()),
        _ => Reply::Pins(d).emit(0).as_ref().to_vec(),
    }
}

/// The EPCs that a reply reports.
fn epcs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let frame = Frame::new_checked(bytes, Direction::FromReader).unwrap();
    match Reply::parse(frame).unwrap() {
        Reply::Tags { list, .. } | Reply::Pushed(list) => {
            list.tags().map(|tag| tag.epc.0.to_vec()).collect()
        }
        _ => Vec::new(),
    }
}

/// Sends 10,000 frames over a bad line: what arrives intact must come out, and no tag that was not
/// there. Says how many were intact.
fn check_noise(faults: WireFaults) -> usize {
    const FRAMES: u32 = 10_000;
    // One damaged frame in 65,536 passes the check, and may take the first byte of the next with it;
    // that is no fault of the framing, and does not happen with this seed.
    let mut wire = Wire::new(faults, 7);
    let mut deframer = Deframer::<FromReader>::new();
    let (mut intact, mut delivered) = (Vec::new(), Vec::new());
    let mut sent = std::collections::HashSet::new();
    let mut waiting = Vec::new();
    let take = |deframer: &mut Deframer<FromReader>, delivered: &mut Vec<Vec<u8>>| {
        while let Some(frame) = deframer.next_frame() {
            delivered.push(frame.to_vec());
        }
    };
    for number in 0..FRAMES {
        let frame = busy_reader(number);
        if wire.carry(&frame, &mut waiting) == Fate::Intact {
            intact.push(frame.clone());
        }
        sent.insert(frame);
        while !waiting.is_empty() {
            let len = wire.fragment(waiting.len());
            let fragment: Vec<u8> = waiting.drain(..len).collect();
            assert!(deframer.push(&fragment).is_empty());
            take(&mut deframer, &mut delivered);
        }
    }
    deframer.handle_silence();
    take(&mut deframer, &mut delivered);
    // Sixteen bits of check let a wrong signal strength through once in a while, but no wrong tag.
    let sent: std::collections::HashSet<_> = sent.iter().flat_map(|frame| epcs(frame)).collect();
    let false_tags =
        delivered.iter().flat_map(|frame| epcs(frame)).filter(|epc| !sent.contains(epc)).count();
    assert_eq!(false_tags, 0, "{faults:?}");
    let mut delivered = delivered.iter();
    let lost =
        intact.iter().filter(|frame| !delivered.by_ref().any(|other| other == *frame)).count();
    assert_eq!(lost, 0, "{faults:?}: {} intact", intact.len());
    intact.len()
}

#[test]
fn a_bad_line_loses_no_intact_frame_and_makes_no_tag() {
    let none = WireFaults::NONE;
    for (faults, intact_min) in [
        (WireFaults { junk_share: 1.0, ..none }, 10_000),
        (WireFaults { false_header_share: 1.0, ..none }, 10_000),
        (WireFaults { lost_byte_share: 1e-3, ..none }, 9_500),
        (WireFaults { flipped_bit_share: 1e-4, ..none }, 9_500),
        (WireFaults { flipped_bit_share: 1e-3, ..none }, 8_000),
        (WireFaults { fragment_len_max: Some(7), ..none }, 10_000),
        (
            WireFaults {
                junk_share: 0.3,
                false_header_share: 0.3,
                lost_byte_share: 1e-3,
                flipped_bit_share: 1e-3,
                fragment_len_max: Some(7),
            },
            7_000,
        ),
    ] {
        let intact = check_noise(faults);
        assert!(intact >= intact_min, "{faults:?}: {intact} intact");
    }
}

fn opaque(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), len)
}

proptest! {
    #[test]
    fn byte_soup_never_panics(soup in opaque(0..300)) {
        for direction in [Direction::FromHost, Direction::FromReader] {
            if let Ok(frame) = Frame::new_checked(&soup, direction) {
                prop_assert_eq!(frame.as_bytes(), &soup[..]);
            }
        }
        let _cut = FromReader::cut(&soup);
    }

    #[test]
    fn any_data_of_any_reply_parse_without_panic_and_emit_the_same_bytes(
        address: u8,
        opcode in prop_oneof![Just(0x01u8), Just(0xEE), Just(0x21), Just(0x77), Just(0x92), any::<u8>()],
        status in prop_oneof![Just(0u8), Just(3), Just(0x26), Just(0x28), any::<u8>()],
        data in prop_oneof![
            opaque(0..60),
            (any::<u8>(), opaque(0..60)).prop_map(|(antenna, mut epc)| {
                let len = u8::try_from(epc.len()).unwrap();
                epc.splice(0..0, [antenna, 1, len]);
                epc.push(7);
                epc
            }),
        ],
    ) {
        let frame = Reply::Refused { opcode, status: Status(status), data: Opaque(&data) }.emit(address);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        if let Ok(reply) = Reply::parse(frame) {
            let again = reply.emit(address);
            prop_assert_eq!(again.as_ref(), frame.as_bytes());
        }
    }

    #[test]
    fn any_data_of_any_command_emit_the_same_bytes(
        address: u8,
        opcode in prop_oneof![Just(0x01u8), Just(0x75), Just(0x2F), any::<u8>()],
        data in opaque(0..40),
    ) {
        let frame = Command::Other { opcode, data: Opaque(&data) }.emit(address);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromHost).unwrap();
        let again = Command::parse(frame).unwrap().emit(address);
        prop_assert_eq!(again.as_ref(), frame.as_bytes());
    }

    #[test]
    fn every_intact_frame_comes_through_junk_and_fragments(
        junk in proptest::collection::vec(opaque(0..12), 1..12),
        fragment in 1usize..8,
    ) {
        let good = bytes("1500010301010c3039606303c74380001a055940f93e");
        let stream: Vec<u8> =
            junk.iter().flat_map(|junk| [&junk[..], &good].concat()).collect();
        let mut deframer = Deframer::<FromReader>::new();
        let mut frames = 0;
        for piece in stream.chunks(fragment) {
            prop_assert!(deframer.push(piece).is_empty());
            while let Some(frame) = deframer.next_frame() {
                frames += usize::from(frame == good);
            }
        }
        deframer.handle_silence();
        while let Some(frame) = deframer.next_frame() {
            frames += usize::from(frame == good);
        }
        prop_assert_eq!(frames, junk.len());
    }
}
