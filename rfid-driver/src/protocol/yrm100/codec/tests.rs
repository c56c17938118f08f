//! Golden bytes, properties, and how often damage passes.

use std::collections::HashSet;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::{
    Access, Command, ErrorCode, Frame, FrameError, FrameKind, FromHost, FromReader, LEN_MAX, Marks,
    MeaningError, Password, PinOperation, Reply, SetOutcome, TagIdentity, TagNotice, opcode,
};
use crate::codec::{Cut, Direction, Framing, Opaque};
use crate::deframe::Deframer;
use crate::emulator::wire::{Fate, Wire, WireFaults};

fn bytes(hex: &str) -> Vec<u8> {
    let hex = hex.replace(' ', "");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn command(hex: &str) -> Command<'static> {
    let bytes = bytes(hex).leak();
    let frame = Frame::new_checked(bytes, Direction::FromHost).unwrap();
    let command = Command::parse(frame).unwrap();
    assert_eq!(command.emit(frame.marks()).as_ref(), bytes);
    command
}

fn reply(hex: &str) -> Reply<'static> {
    let bytes = bytes(hex).leak();
    let frame = Frame::new_checked(bytes, Direction::FromReader).unwrap();
    let reply = Reply::parse(frame).unwrap();
    assert_eq!(reply.emit(frame.marks()).as_ref(), bytes);
    assert_eq!(FromReader::cut(bytes), Cut::Frame { len: bytes.len() }, "{reply:?}");
    reply
}

/// PC and EPC in a report of an EPC of 96 bits.
const IDENTITY: std::ops::Range<usize> = 6..20;

/// The tag of the manuals' examples.
const EPC: [u8; 12] = [0x30, 0x75, 0x1F, 0xEB, 0x70, 0x5C, 0x59, 0x04, 0xE3, 0xD5, 0x0D, 0x70];
const TAG: TagIdentity<'_> = TagIdentity { pc: 0x3400, xpc: Opaque(&[]), epc: Opaque(&EPC) };

#[test]
fn the_manuals_commands_are_understood() {
    let password = Password(0xFFFF);
    assert_eq!(command("bb0003000100047e"), Command::Info { what: 0 });
    assert_eq!(command("bb00270003222710837e"), Command::MultiPoll { rounds: 10_000 });
    assert_eq!(command("bb001100 0200c0d37e"), Command::SetBaud { hundreds: 192 });
    assert_eq!(command("aa00f10000f1dd"), Command::Demodulator);
    assert_eq!(
        command("bb00390009 0000ffff 03 0000 0002 45 7e"),
        Command::ReadMemory(Access { password, bank: 3, address: 0, words: 2 })
    );
    assert_eq!(
        command("bb00820007 0000ffff 020080 09 7e"),
        Command::Lock { password, payload: [0x02, 0x00, 0x80] }
    );
    assert_eq!(command("bb00650004 0000ffff 67 7e"), Command::Kill { password });
    assert_eq!(
        command("bb00d3000b 0000ffff 01 03 0000 01 0700 e8 7e"),
        Command::BlockPermalock {
            password,
            lock: 1,
            bank: 3,
            pointer: 0,
            range: 1,
            mask: Opaque(&[7, 0])
        }
    );
    assert_eq!(
        command("bb00e50008 0000ffff 01 01 4000 2d 7e"),
        Command::MonzaQt { password, write: 1, persistent: 1, control: 0x4000 }
    );
    let Command::SetSelect(select) =
        command("bb000c0013 01 00000020 60 00 30751feb705c5904e3d50d70 ad 7e")
    else {
        panic!("another command")
    };
    assert_eq!((select.pointer_bits, select.mask_bits, select.mask), (32, 96, Opaque(&EPC)));
}

#[test]
fn the_manuals_answers_are_understood() {
    let notice = TagNotice { rssi_dbm: -55, identity: TAG, tag_crc: 0x3A76 };
    assert_eq!(
        reply("aa02220011 c9 3400 30751feb705c5904e3d50d70 3a76 ef dd"),
        Reply::Tag { command: opcode::SINGLE_POLL, notice }
    );
    assert_eq!(reply("bb01ff0001 15 16 7e"), Reply::Refused { code: ErrorCode::NO_TAG, tag: None });
    assert_eq!(
        reply("bb01ff0010 a3 0e 3400 30751feb705c5904e3d50d70 02 7e"),
        Reply::Refused { code: ErrorCode(0xA3), tag: Some(TAG) }
    );
    assert_eq!(
        reply("bb01390013 0e 3400 30751feb705c5904e3d50d70 12345678 b0 7e"),
        Reply::Memory { tag: TAG, data: Opaque(&[0x12, 0x34, 0x56, 0x78]) }
    );
    assert_eq!(
        reply("bb0103000b 00 4d3130302056312e3030 22 7e"),
        Reply::Info { what: 0, text: Opaque(b"M100 V1.00") }
    );
    assert_eq!(
        reply("bb0128000100 2a7e"),
        Reply::Done { command: opcode::STOP_POLL, outcome: SetOutcome::DONE }
    );
    // The sum is computed: the manual prints dd.
    let Reply::Scan { first: 0, last: 0x13, levels_dbm, .. } =
        reply("bb01f20016 00 13 f2f1f0efeceae8eaeceef0f1f5f5f5f6f5f5f5f5 ea 7e")
    else {
        panic!("another answer")
    };
    assert_eq!(levels_dbm.0.len(), 20);
    assert_eq!(
        reply("bb011a0003 00 04 01 23 7e"),
        Reply::Pin(PinOperation { operation: 0, pin: 4, value: 1 })
    );
    assert_eq!(
        reply("bb01e40008 690aec7cd215d8f9 80 7e"),
        Reply::EasAlarm([0x69, 0x0A, 0xEC, 0x7C, 0xD2, 0x15, 0xD8, 0xF9])
    );
}

#[test]
fn a_broken_frame_is_refused_with_what_is_wrong() {
    for (hex, direction, error) in [
        ("bc01ff00011516 7e", Direction::FromReader, FrameError::Start),
        ("bb00220000 22 7e", Direction::FromReader, FrameError::Kind { code: 0 }),
        ("bb03220000 25 7e", Direction::FromReader, FrameError::Kind { code: 3 }),
        ("bb01ff0001 15 16 7e", Direction::FromHost, FrameError::Kind { code: 1 }),
        (
            "bb01ff0001 10 0a 7e",
            Direction::FromReader,
            FrameError::Sum { found: 0x0A, computed: 0x11 },
        ),
        (
            "bb01ff0001 15 16 dd",
            Direction::FromReader,
            FrameError::End { found: 0xDD, wanted: 0x7E },
        ),
        ("bb01ff0001 15 16", Direction::FromReader, FrameError::Truncated),
        ("bb01ff", Direction::FromReader, FrameError::Truncated),
        ("", Direction::FromReader, FrameError::Truncated),
        ("bb01ff0001 15 16 7e 00", Direction::FromReader, FrameError::Trailing { len: 1 }),
        ("bb01ff7fff 15 16 7e", Direction::FromReader, FrameError::Length { len: 0x7FFF }),
    ] {
        assert_eq!(Frame::new_checked(&bytes(hex), direction), Err(error), "{hex}");
    }
}

#[test]
fn a_tag_whose_pc_counts_other_words_has_no_meaning() {
    let notice =
        TagNotice { rssi_dbm: -55, identity: TagIdentity { pc: 0x1000, ..TAG }, tag_crc: 0 };
    let frame = Reply::Tag { command: opcode::SINGLE_POLL, notice }.emit(Marks::Bb7e);
    let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
    assert_eq!(Reply::parse(frame), Err(MeaningError::EpcLen { found: 12, counted: 4 }));
    assert_eq!(FromReader::cut(frame.as_bytes()), Cut::Noise);
}

#[test]
fn extended_words_are_told_from_the_epc_whether_the_pc_counts_them_or_not() {
    let epc = Opaque(&EPC[..4]);
    for (pc, xpc, words) in [
        (0x1200, &[0x00, 0x01][..], [Some(1), None]),
        (0x1A00, &[0x00, 0x01][..], [Some(1), None]),
        (0x2200, &[0x80, 0x01, 0x00, 0x02][..], [Some(0x8001), Some(2)]),
        (0x1000, &[][..], [None, None]),
    ] {
        let identity = TagIdentity { pc, xpc: Opaque(xpc), epc };
        let notice = TagNotice { rssi_dbm: -40, identity, tag_crc: 0 };
        let notice = TagNotice { tag_crc: notice.computed_crc(), ..notice };
        let frame = Reply::Tag { command: opcode::SINGLE_POLL, notice }.emit(Marks::AaDd);
        let Reply::Tag { notice: read, .. } = reply(&hex(frame.as_ref())) else { panic!("no tag") };
        assert_eq!((read, read.identity.xpc_words()), (notice, words));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_error_of_the_manual_has_a_name_and_a_tags_own_error_says_both() {
    for code in
        [0x09, 0x10, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1A, 0x1B, 0x1D, 0x20, 0x2A, 0x2B, 0x2E]
    {
        assert!(ErrorCode(code).name().is_some(), "{code:02x}");
    }
    assert_eq!(ErrorCode(0xB4).to_string(), "b4 (tag refused to be written: memory locked)");
    assert_eq!(ErrorCode(0x15).to_string(), "15 (no tag, or an answer with a bad check)");
    assert_eq!(ErrorCode(0x42).to_string(), "42 (not in the manual)");
}

#[test]
fn passwords_and_epcs_are_not_shown_by_debug() {
    let shown = format!("{:?}", (command("bb00650004 deadbeef a1 7e"), TAG));
    assert!(!shown.to_lowercase().contains("dead") && !shown.contains("117"), "{shown}");
}

fn tag_frame(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut epc = EPC;
    rng.fill(&mut epc[..]);
    let identity = TagIdentity { pc: 0x3000, xpc: Opaque(&[]), epc: Opaque(&epc) };
    let notice = TagNotice { rssi_dbm: rng.random_range(-75..-40), identity, tag_crc: 0 };
    let notice = TagNotice { tag_crc: notice.computed_crc(), ..notice };
    Reply::Tag { command: opcode::SINGLE_POLL, notice }.emit(Marks::Bb7e).as_ref().to_vec()
}

/// What becomes of a million damaged reports of tags.
#[derive(Debug, Default)]
struct Passing {
    /// Pass the sum of eight bits.
    sums: u32,
    /// Are taken for frames in a stream.
    frames: u32,
    /// Are taken for another tag.
    false_tags: u32,
}

fn passing(mut damage: impl FnMut(&mut ChaCha8Rng, &mut [u8])) -> Passing {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut passing = Passing::default();
    let mut broken = Vec::new();
    for _ in 0..1_000_000 {
        let sent = tag_frame(&mut rng);
        broken.clone_from(&sent);
        damage(&mut rng, &mut broken);
        if broken == sent {
            continue;
        }
        passing.sums += u32::from(Frame::new_checked(&broken, Direction::FromReader).is_ok());
        if matches!(FromReader::cut(&broken), Cut::Frame { .. }) {
            passing.frames += 1;
            passing.false_tags += u32::from(broken[IDENTITY] != sent[IDENTITY]);
        }
    }
    passing
}

#[test]
#[expect(clippy::print_stdout, reason = "the measured figure")]
fn a_damaged_report_passes_the_sum_but_not_the_tags_own_check() {
    let random_body = passing(|rng, frame| {
        let end = frame.len() - 1;
        rng.fill(&mut frame[5..end]);
    });
    let few_bits = passing(|rng, frame| {
        for _ in 0..rng.random_range(2..=8) {
            let at = rng.random_range(5..frame.len() - 1);
            frame[at] ^= 1 << rng.random_range(0..8);
        }
    });
    println!("of 1000000 reports, random from RSSI to sum: {random_body:?}");
    println!("of 1000000 reports with 2 to 8 flipped bits: {few_bits:?}");
    // By the sum alone one in 256 would pass.
    assert!((3_000..5_000).contains(&random_body.sums), "{random_body:?}");
    assert!(few_bits.sums > 10_000, "{few_bits:?}");
    // The tag's check does not cover the signal strength: flips there and in the sum can make up
    // for each other, but they make no other tag.
    assert!(random_body.frames <= 2 && few_bits.frames <= 200, "{random_body:?} {few_bits:?}");
    assert!(random_body.false_tags + few_bits.false_tags <= 2, "{random_body:?} {few_bits:?}");
}

#[test]
#[expect(clippy::print_stdout, reason = "the measured figure")]
fn random_bytes_hold_no_frame() {
    const LEN: usize = 10_000_000;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut deframer = Deframer::<FromReader>::new();
    let mut frames = 0;
    let mut chunk = [0; 500];
    for _ in 0..LEN / chunk.len() {
        rng.fill(&mut chunk[..]);
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            rest = deframer.push(rest);
            while deframer.next_frame().is_some() {
                frames += 1;
            }
        }
    }
    println!("{frames} frames in {LEN} random bytes");
    assert_eq!(frames, 0);
}

#[test]
fn frames_are_found_behind_false_headers_and_junk() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut deframer = Deframer::<FromReader>::new();
    let mut found = 0;
    for _ in 0..2_000 {
        let frame = tag_frame(&mut rng);
        let header = rng.random_range(1..frame.len());
        let stream = [&frame[..header], &frame[..], &bytes("bb01ff0001")[..], &frame[..]].concat();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            rest = deframer.push(rest);
            while let Some(cut) = deframer.next_frame() {
                assert_eq!(cut, frame);
                found += 1;
            }
        }
        deframer.handle_silence();
        while let Some(cut) = deframer.next_frame() {
            assert_eq!(cut, frame);
            found += 1;
        }
    }
    assert_eq!(found, 4_000);
}

/// Sends 10,000 reports over a bad line. Returns how many arrived intact, how many of those were
/// found, and how many tags were found that nobody sent.
fn over(faults: WireFaults) -> (usize, usize, usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut wire = Wire::new(faults, 5);
    let mut deframer = Deframer::<FromReader>::new();
    let (mut intact, mut sent, mut found) = (Vec::new(), HashSet::new(), HashSet::new());
    let mut arriving = Vec::new();
    for at in 1..=10_000 {
        let frame = tag_frame(&mut rng);
        if wire.carry(&frame, &mut arriving) == Fate::Intact {
            intact.push(frame.clone());
        }
        sent.insert(frame[IDENTITY].to_vec());
        let mut rest = &arriving[..];
        while !rest.is_empty() {
            let (fragment, after) = rest.split_at(wire.fragment(rest.len()));
            let mut fragment = fragment;
            while !fragment.is_empty() {
                fragment = deframer.push(fragment);
                while let Some(cut) = deframer.next_frame() {
                    found.insert(cut.to_vec());
                }
            }
            rest = after;
        }
        arriving.clear();
        // Reports come in bursts; now and then the line is silent.
        if at % 50 == 0 {
            deframer.handle_silence();
            while let Some(cut) = deframer.next_frame() {
                found.insert(cut.to_vec());
            }
        }
    }
    let false_tags = found
        .iter()
        .filter(|cut| cut.get(IDENTITY).is_none_or(|identity| !sent.contains(identity)))
        .count();
    let delivered = intact.iter().filter(|frame| found.contains(*frame)).count();
    (intact.len(), delivered, false_tags)
}

#[test]
fn a_bad_line_loses_no_intact_report_and_makes_no_false_tag() {
    let none = WireFaults::NONE;
    for faults in [
        WireFaults { junk_share: 1.0, ..none },
        WireFaults { false_header_share: 1.0, ..none },
        WireFaults { lost_byte_share: 0.005, ..none },
        WireFaults { flipped_bit_share: 1e-4, ..none },
        WireFaults { flipped_bit_share: 1e-3, ..none },
        WireFaults { fragment_len_max: Some(7), ..none },
        WireFaults {
            junk_share: 0.3,
            false_header_share: 0.3,
            lost_byte_share: 0.005,
            flipped_bit_share: 1e-3,
            fragment_len_max: Some(7),
        },
    ] {
        let (intact, delivered, false_tags) = over(faults);
        assert_eq!((delivered, false_tags), (intact, 0), "{faults:?}");
        assert!(intact > 5_000, "{intact} arrived intact: {faults:?}");
    }
}

fn soup(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), len)
}

fn marks() -> impl Strategy<Value = Marks> {
    prop_oneof![Just(Marks::Bb7e), Just(Marks::AaDd)]
}

proptest! {
    #[test]
    fn byte_soup_never_panics(soup in soup(0..LEN_MAX + 20), start in 0xAA_u8..=0xBB, kind in 0_u8..3) {
        for soup in [soup.clone(), [&[start, kind][..], &soup].concat()] {
            for direction in [Direction::FromHost, Direction::FromReader] {
                if let Ok(frame) = Frame::new_checked(&soup, direction) {
                    prop_assert_eq!(frame.as_bytes(), &soup[..]);
                }
            }
            if !soup.is_empty() {
                FromHost::cut(&soup);
                FromReader::cut(&soup);
            }
        }
    }

    #[test]
    fn any_parameters_of_any_command_emit_the_same_bytes(
        marks in marks(), opcode: u8, parameters in soup(0..80),
    ) {
        let other = Command::Other { command: opcode, parameters: Opaque(&parameters) };
        let frame = other.emit(marks);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromHost).unwrap();
        let again = Command::parse(frame).unwrap();
        prop_assert_eq!(again.opcode(), opcode);
        let again = again.emit(marks);
        prop_assert_eq!(again.as_ref(), frame.as_bytes());
    }

    #[test]
    fn any_parameters_of_any_answer_emit_the_same_bytes(
        marks in marks(), opcode: u8, notice: bool, parameters in soup(0..80),
    ) {
        let kind = if notice { FrameKind::Notice } else { FrameKind::Answer };
        let other = Reply::Other { kind, command: opcode, parameters: Opaque(&parameters) };
        let frame = other.emit(marks);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        if let Ok(reply) = Reply::parse(frame) {
            let again = reply.emit(marks);
            prop_assert_eq!(again.as_ref(), frame.as_bytes());
        }
    }

    #[test]
    fn a_report_of_any_tag_is_found_in_a_stream_and_read_back(
        marks in marks(), rssi_dbm: i8, words in 0_u16..=31, low in 0_u16..0x200, epc in soup(62..63),
    ) {
        let epc = Opaque(&epc[..2 * usize::from(words)]);
        let identity = TagIdentity { pc: words << 11 | low, xpc: Opaque(&[]), epc };
        let notice = TagNotice { rssi_dbm, identity, tag_crc: 0 };
        let notice = TagNotice { tag_crc: notice.computed_crc(), ..notice };
        let reply = Reply::Tag { command: opcode::SINGLE_POLL, notice };
        let frame = reply.emit(marks);
        let len = frame.as_ref().len();
        prop_assert_eq!(FromReader::cut(frame.as_ref()), Cut::Frame { len });
        for end in 1..len {
            prop_assert_eq!(FromReader::cut(&frame.as_ref()[..end]), Cut::Incomplete);
        }
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        prop_assert_eq!(Reply::parse(frame), Ok(reply));
    }
}
