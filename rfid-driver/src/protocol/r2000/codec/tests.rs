//! Frames byte for byte, the meaning of each command's, and properties of all frames.
//!
//! A new frame goes to the list of its direction. What noise is taken for is in `noise`.

use proptest::prelude::*;

use super::{
    AccessedTag, BufferedTag, Command, ErrorCode, FastSwitch, Frame, FrameError, FreqAnt, FromHost,
    FromReader, MeaningError, Memory, Phase, PhasePlace, Region, Reply, RssiConvention, Slot,
    TagReport, channel_khz, channel_of_khz, fast_tid, opcode, with_fast_tid,
};
use crate::codec::{Cut, Direction, Framing, Opaque};

mod noise;

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn check_command(hex: &str, meaning: Command<'_>) {
    let bytes = bytes(hex);
    let frame = Frame::new_checked(&bytes, Direction::FromHost).unwrap();
    assert_eq!(Command::parse(frame), Ok(meaning), "{hex}");
    assert_eq!(meaning.emit(frame.address()).as_ref(), bytes, "{hex}");
    assert_eq!(FromHost::cut(&bytes), Cut::Frame { len: bytes.len() }, "{hex}");
}

fn check_reply(hex: &str, meaning: Reply<'_>) {
    let bytes = bytes(hex);
    let frame = Frame::new_checked(&bytes, Direction::FromReader).unwrap();
    assert_eq!(Reply::parse(frame), Ok(meaning), "{hex}");
    assert_eq!(meaning.emit(frame.address()).as_ref(), bytes, "{hex}");
    assert_eq!(FromReader::cut(&bytes), Cut::Frame { len: bytes.len() }, "{hex}");
}

#[test]
fn commands_of_real_hosts_are_understood_and_built() {
    check_command("a0030172ea", Command::Ask { opcode: opcode::VERSION });
    check_command("a004018901d1", Command::RealTime { repeat: 1 });
    check_command("a0040189ffd3", Command::RealTime { repeat: 255 });
    check_command("a003017be1", Command::Ask { opcode: opcode::TEMPERATURE });
    let epc = Opaque(&[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0x00, 0xAA, 0xBB]);
    check_command(
        "a0110185000c11223344556677889900aabb5b",
        Command::SetMatch { mode: 0, epc: Some(epc) },
    );
    let memory = Memory { bank: 1, address: 2, words: 1 };
    check_command(
        "a00c019400000000010201ccdd12",
        Command::Write {
            block: true,
            password: Opaque(&[0; 4]),
            memory,
            data: Opaque(&[0xCC, 0xDD]),
        },
    );
}

#[test]
fn replies_of_real_readers_are_understood_and_built() {
    check_reply("a004018510c6", Reply::Done { opcode: opcode::SET_MATCH });
    check_reply(
        "a00a018b00001900000001b0",
        Reply::RoundEnd { opcode: opcode::SESSION, antenna: 0, rate_per_s: 25, total: 1 },
    );
    let epc = [0xE2, 0x00, 0x40, 0x74, 0x85, 0x0A, 0x01, 0x03, 0x16, 0x30, 0x70, 0xE1];
    let report = TagReport {
        opcode: opcode::REAL_TIME,
        freq_ant: FreqAnt(0x74),
        pc: 0x3000,
        epc: Opaque(&epc),
        rssi: 0x36,
        phase: None,
    };
    check_reply("a0130189743000e2004074850a0103163070e13629", Reply::Tag(report));
    assert_eq!(report.antenna(), 1);
    assert_eq!(channel_khz(report.freq_ant.channel()), Some(913_000));
    assert_eq!(RssiConvention::Less129.dbm(report.rssi), -75);
}

#[test]
fn a_byte_is_a_result_only_where_it_cannot_be_what_was_asked_for() {
    let understood = |opcode, byte: u8| {
        let frame = Reply::Value { opcode, data: Opaque(&[byte]) }.emit(1);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        match Reply::parse(frame) {
            Ok(Reply::Value { .. } | Reply::ReturnLoss { .. }) => "value",
            Ok(Reply::Done { .. }) => "done",
            Ok(Reply::Refused { .. }) => "refused",
            _ => "noise",
        }
    };
    for (opcode, byte, meaning) in [
        (opcode::POWER, 0x11, "value"),
        (opcode::POWER, 0x41, "refused"),
        (opcode::ANTENNA, 3, "value"),
        (opcode::ANTENNA, 0x22, "refused"),
        (opcode::PROFILE, 0xD1, "value"),
        (opcode::FAST_TID, 0x8D, "value"),
        (opcode::RETURN_LOSS, 14, "value"),
        (opcode::RETURN_LOSS, 0xEE, "refused"),
        (opcode::SET_BEEPER, 0x10, "done"),
        (opcode::REAL_TIME, 0x22, "refused"),
        (opcode::REAL_TIME, 0xFF, "noise"),
        (opcode::VERSION, 0x00, "noise"),
    ] {
        assert_eq!(understood(opcode, byte), meaning, "{opcode:02x} {byte:02x}");
    }
}

#[test]
fn each_code_of_the_list_has_a_name_and_its_own() {
    let names: Vec<_> = (0..=u8::MAX).filter_map(|code| ErrorCode(code).name()).collect();
    let distinct: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!((names.len(), distinct.len()), (42, 42));
    assert_eq!(ErrorCode::ANTENNA_MISSING.to_string(), "22 (antenna missing)");
    assert_eq!(ErrorCode(0x99).to_string(), "99 (not in the list)");
}

#[test]
fn a_fast_switch_takes_turns_on_the_ports_that_the_reader_has() {
    let pairs = [0, 1, 1, 2, 0xFF, 3, 3, 0];
    let switch = FastSwitch { pairs: &pairs, interval_ms: 5, extension: &[], repeat: 9 };
    check_command("a00d018a00010102ff0303000509b1", Command::FastSwitch(switch));
    let turns: Vec<_> = switch.slots(4).collect();
    assert_eq!(turns, [Slot { antenna: 1, rounds: 1 }, Slot { antenna: 2, rounds: 2 }]);
    let pairs: Vec<u8> = (0..8).flat_map(|port| [port, 1]).collect();
    let extension = [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1];
    for (extension, phase) in [(&extension[..], true), (&[][..], false)] {
        let switch = FastSwitch { pairs: &pairs, interval_ms: 0, extension, repeat: 10 };
        let frame = Command::FastSwitch(switch).emit(1);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromHost).unwrap();
        assert_eq!(Command::parse(frame), Ok(Command::FastSwitch(switch)));
        assert_eq!((switch.slots(8).count(), switch.wants_phase()), (8, phase));
    }
}

#[test]
fn an_antenna_that_fails_is_named_and_the_round_goes_on() {
    let failed = Reply::AntennaFailed {
        opcode: opcode::FAST_SWITCH,
        antenna: 2,
        code: ErrorCode::ANTENNA_MISSING,
    };
    check_reply("a005018a0222ac", failed);
    check_reply("a00a018a0000050000006462", Reply::SwitchEnd { total: 5, duration_ms: 100 });
}

#[test]
fn the_highest_bit_of_the_strength_is_an_antenna() {
    let epc = [1, 2, 3, 4];
    let report = |rssi| TagReport {
        opcode: opcode::FAST_SWITCH,
        freq_ant: FreqAnt::new(43, 7),
        pc: 0x1000,
        epc: Opaque(&epc),
        rssi,
        phase: None,
    };
    assert_eq!((report(0x4D).antenna(), report(0xCD).antenna()), (3, 7));
    for convention in [RssiConvention::Less129, RssiConvention::Table] {
        assert_eq!(convention.dbm(0x4D), convention.dbm(0xCD));
    }
    assert_eq!(RssiConvention::Less129.dbm(0x4D), -52);
    assert_eq!(RssiConvention::Table.dbm(0x4D), -53);
    assert_eq!((RssiConvention::Table.dbm(89), RssiConvention::Table.dbm(90)), (-41, -39));
    for dbm in -99..=-31 {
        assert_eq!(RssiConvention::Less129.dbm(RssiConvention::Less129.raw(dbm)), dbm.into());
        assert!(
            (RssiConvention::Table.dbm(RssiConvention::Table.raw(dbm)) - i16::from(dbm)).abs() <= 1
        );
    }
}

#[test]
fn a_phase_is_found_on_either_side_of_the_strength() {
    for place in [PhasePlace::AfterRssi, PhasePlace::BeforeRssi] {
        let report = TagReport {
            opcode: opcode::SESSION,
            freq_ant: FreqAnt::new(43, 1),
            pc: 0x0800,
            epc: Opaque(&[1, 2]),
            rssi: 0x4D,
            phase: Some(Phase { raw: 0x0123, place }),
        };
        let frame = Reply::Tag(report).emit(1);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        assert_eq!(Reply::parse(frame), Ok(Reply::Tag(report)));
    }
}

#[test]
fn channels_and_regions_are_those_of_the_vendors_table() {
    for (channel, khz) in [
        (0, Some(865_000)),
        (6, Some(868_000)),
        (7, Some(902_000)),
        (43, Some(920_000)),
        (59, Some(928_000)),
        (60, None),
    ] {
        assert_eq!(channel_khz(channel), khz, "{channel}");
    }
    assert_eq!((channel_of_khz(925_000), channel_of_khz(925_250)), (Some(53), None));
    let user = Region::User { region: 4, step: 50, count: 10, first_khz: 920_250 };
    assert_eq!((user.khz(3), user.number()), (Some(921_750), 4));
    check_reply("a009017904320a0e0abacb", Reply::Region(user));
}

#[test]
fn a_tag_read_with_its_tid_comes_apart_only_where_the_crc_between_is_right() {
    let (epc, tid) = ([0x34; 12], [0xE2, 0x80, 0x11, 0x05, 0, 0, 0, 0, 0, 0, 0, 1]);
    let (pc, packed) = with_fast_tid(0x3000, &epc, &tid).unwrap();
    assert_eq!(pc >> 11, 13);
    assert_eq!(fast_tid(pc, packed.as_ref()), Some((&epc[..], &tid[..])));
    let mut damaged = packed;
    damaged.as_mut()[0] ^= 1;
    assert_eq!(fast_tid(pc, damaged.as_ref()), None);
    assert_eq!(fast_tid(0x3000, &epc), None);
    assert_eq!(with_fast_tid(0x3000, &[1; 50], &tid), None);
}

#[test]
fn a_damaged_frame_is_refused_with_the_reason() {
    let good = bytes("a0130189743000e2004074850a0103163070e13629");
    let reason = |bytes: &[u8]| Frame::new_checked(bytes, Direction::FromReader).unwrap_err();
    assert_eq!(reason(&[]), FrameError::Truncated);
    assert_eq!(reason(&good[..20]), FrameError::Truncated);
    assert_eq!(reason(&good[1..]), FrameError::Start);
    assert_eq!(reason(&[0xA0, 2, 1]), FrameError::Length { len: 2 });
    assert_eq!(reason(&[good.clone(), vec![0]].concat()), FrameError::Trailing { len: 1 });
    let mut flipped = good.clone();
    flipped[10] ^= 4;
    assert!(matches!(reason(&flipped), FrameError::Check { found: 0x29, .. }));
    let wild = bytes("a00401890171");
    assert_eq!(
        Frame::new_checked(&wild, Direction::FromHost),
        Err(FrameError::Check { found: 0x71, computed: 0xD1 })
    );
}

#[test]
fn a_frame_that_contradicts_itself_is_refused() {
    let understood = |opcode, payload: &[u8]| {
        let frame = Reply::Value { opcode, data: Opaque(payload) }.emit(1);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        Reply::parse(frame).map(drop)
    };
    assert_eq!(understood(0x55, &[0x10]), Err(MeaningError::UnknownCommand { opcode: 0x55 }));
    assert_eq!(
        understood(opcode::REAL_TIME, &[0; 5]),
        Err(MeaningError::PayloadLength { opcode: opcode::REAL_TIME, len: 5 })
    );
    assert_eq!(
        understood(opcode::REAL_TIME, &[0, 0x30, 0, 1, 2, 0x40]),
        Err(MeaningError::EpcLength { claimed: 12, found: 2 })
    );
    assert_eq!(
        understood(opcode::SET_BEEPER, &[0x99]),
        Err(MeaningError::UnknownResult { opcode: opcode::SET_BEEPER, code: 0x99 })
    );
    assert_eq!(
        understood(opcode::REAL_TIME, &[0, 0, 1, 1, 0, 0, 0]),
        Err(MeaningError::Value { field: "total", value: 0x0100_0000 })
    );
    let command = Reply::Done { opcode: opcode::VERSION }.emit(1);
    let command = Frame::new_checked(command.as_ref(), Direction::FromHost).unwrap();
    assert_eq!(
        Command::parse(command),
        Err(MeaningError::PayloadLength { opcode: opcode::VERSION, len: 1 })
    );
    assert_eq!(Reply::parse(command), Err(MeaningError::Direction(Direction::FromHost)));
}

#[test]
fn the_answer_to_a_read_says_what_of_it_is_memory() {
    // Captured by crate `invelion` (its test `test_read`); the check is computed.
    let hex = "a021018100011830003039606 2c3950d400011b897cd0be2806890200050 01080b018d";
    let bytes = bytes(hex);
    let frame = Frame::new_checked(&bytes, Direction::FromReader).unwrap();
    let Ok(Reply::Accessed(tag)) = Reply::parse(frame) else { panic!("not a read") };
    assert_eq!((tag.tags, tag.pc, tag.epc.0.len(), tag.data.0.len()), (1, 0x3000, 12, 8));
    assert_eq!(tag.antenna(), 4);
    assert_eq!(Reply::Accessed(tag).emit(1).as_ref(), bytes);
}

#[test]
fn no_debug_output_shows_an_epc_or_a_password() {
    let frame = bytes("a0130189743000e2004074850a0103163070e13629");
    let frame = Frame::new_checked(&frame, Direction::FromReader).unwrap();
    let shown = [
        format!("{frame:?}"),
        format!("{:?}", Reply::parse(frame)),
        format!("{:?}", Command::Kill { password: Opaque(&[0x16, 0x30, 0x70, 0xE1]) }),
    ];
    for shown in shown {
        assert!(!shown.contains("163070") && !shown.contains("112, 225"), "{shown}");
    }
}

fn opaque(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), len)
}

fn a_known_opcode() -> impl Strategy<Value = u8> {
    let known: Vec<u8> = (0..=u8::MAX).filter(|&code| opcode::name(code).is_some()).collect();
    proptest::sample::select(known)
}

/// A PC that fits so many bytes of EPC.
fn pc_for(epc: &[u8]) -> u16 {
    u16::try_from(epc.len() / 2).unwrap() << 11
}

proptest! {
    #[test]
    fn byte_soup_never_panics(soup in opaque(0..300)) {
        for direction in [Direction::FromHost, Direction::FromReader] {
            if let Ok(frame) = Frame::new_checked(&soup, direction) {
                prop_assert_eq!(frame.as_bytes(), &soup[..]);
            }
        }
        prop_assume!(!soup.is_empty());
        let _ = (FromHost::cut(&soup), FromReader::cut(&soup));
    }

    #[test]
    fn any_payload_of_any_reply_parses_without_panic_and_emits_the_same_bytes(
        opcode in prop_oneof![a_known_opcode(), Just(opcode::REAL_TIME), any::<u8>()],
        payload in opaque(0..140),
    ) {
        let frame = Reply::Value { opcode, data: Opaque(&payload) }.emit(1);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        let cut = FromReader::cut(frame.as_bytes());
        match Reply::parse(frame) {
            Ok(reply) => {
                let again = reply.emit(1);
                prop_assert_eq!(again.as_ref(), frame.as_bytes());
                prop_assert_eq!(cut, Cut::Frame { len: again.as_ref().len() });
            }
            Err(_) => prop_assert_eq!(cut, Cut::Noise),
        }
    }

    #[test]
    fn any_payload_of_any_command_parses_without_panic_and_emits_the_same_bytes(
        opcode in a_known_opcode(),
        payload in prop_oneof![opaque(0..12), opaque(0..140)],
    ) {
        let frame = Command::Other { opcode, data: Opaque(&payload) }.emit(1);
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromHost).unwrap();
        let cut = FromHost::cut(frame.as_bytes());
        match Command::parse(frame) {
            Ok(command) => {
                let again = command.emit(1);
                prop_assert_eq!(again.as_ref(), frame.as_bytes());
                prop_assert_eq!(cut, Cut::Frame { len: again.as_ref().len() });
            }
            Err(_) => prop_assert_eq!(cut, Cut::Noise),
        }
    }

    #[test]
    fn tags_are_read_back_as_they_were_said_however_they_are_said(
        words in proptest::collection::vec(any::<[u8; 2]>(), 0..=31),
        data in opaque(0..60),
        rssi in 31u8..128,
        high: bool,
        phase in proptest::option::of(0u16..4096),
        before: bool,
        rest: [u8; 3],
    ) {
        let epc = words.concat();
        let pc = pc_for(&epc);
        let place = if before { PhasePlace::BeforeRssi } else { PhasePlace::AfterRssi };
        let rssi = rssi | u8::from(high) << 7;
        let [freq_ant, result, operations] = rest;
        let freq_ant = FreqAnt(freq_ant);
        let epc = Opaque(&epc);
        let read = data.len() / 2 * 2;
        for reply in [
            Reply::Tag(TagReport {
                opcode: opcode::FAST_SWITCH,
                freq_ant,
                pc,
                epc,
                rssi,
                phase: phase.map(|raw| Phase { raw, place }),
            }),
            Reply::Buffered(BufferedTag {
                opcode: opcode::BUFFER,
                tags: 1,
                pc,
                epc,
                tag_crc: 0x1234,
                rssi,
                freq_ant,
                reads: operations,
            }),
            Reply::Accessed(AccessedTag {
                opcode: opcode::LOCK,
                tags: 7,
                pc,
                epc,
                tag_crc: 0x1234,
                data: Opaque(&[]),
                result,
                freq_ant,
                operations,
            }),
            Reply::Accessed(AccessedTag {
                opcode: opcode::READ,
                tags: 7,
                pc,
                epc,
                tag_crc: 0x1234,
                data: Opaque(&data[..read]),
                result: u8::try_from(read).unwrap(),
                freq_ant,
                operations,
            }),
        ] {
            let frame = reply.emit(1);
            prop_assert_eq!(
                FromReader::cut(frame.as_ref()),
                Cut::Frame { len: frame.as_ref().len() }
            );
            let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
            prop_assert_eq!(Reply::parse(frame), Ok(reply));
        }
    }

    #[test]
    fn no_beginning_of_a_frame_is_taken_for_noise(
        words in proptest::collection::vec(any::<[u8; 2]>(), 0..=31),
        cut_at: prop::sample::Index,
    ) {
        let epc = words.concat();
        let report = TagReport {
            opcode: opcode::REAL_TIME,
            freq_ant: FreqAnt(0x40),
            pc: pc_for(&epc),
            epc: Opaque(&epc),
            rssi: 0x40,
            phase: None,
        };
        let frame = Reply::Tag(report).emit(1);
        let at = cut_at.index(frame.as_ref().len() - 1) + 1;
        let whole = Cut::Frame { len: frame.as_ref().len() };
        let expected = if at == frame.as_ref().len() { whole } else { Cut::Incomplete };
        prop_assert_eq!(FromReader::cut(&frame.as_ref()[..at]), expected);
    }
}
