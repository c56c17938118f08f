//! Frames that modules send beside those of a continuous read. Those of an M5e were captured; the
//! check of the others was computed with the vendor's algorithm, not with this crate.

use proptest::prelude::*;

use super::{Answer, EmbeddedOutcome, Found, FoundTags, PowerLimits};
use crate::codec::{Direction, Opaque};
use crate::protocol::mercury::codec::tests::bytes;
use crate::protocol::mercury::codec::{
    Frame, MetadataFlags, Moduletech, Reply, SilionForm, SilionTag, SingleForm, SingleTag,
    Statistic, Statistics, TagBuffer, TagRecord, opcode,
};

/// An EPC that an M5e read.
const EPC: [u8; 12] = [0xE2, 0x00, 0x32, 0x2F, 0xE2, 0x0D, 0xF9, 0x31, 0x13, 0x28, 0xB7, 0xE3];

fn check(hex: &str, meaning: Answer<'_>) {
    let bytes = bytes(hex);
    let frame = Frame::new_checked(&bytes, Direction::FromReader).unwrap();
    let Ok(Reply::Done { opcode, data }) = Reply::parse(frame) else {
        panic!("{hex} is a reply of its own")
    };
    assert_eq!(Answer::parse(opcode, data.0), Some(meaning));
    assert_eq!(meaning.emit().as_ref(), bytes);
}

#[test]
fn settings_are_answered() {
    let power = Answer::Power {
        opcode: opcode::READ_POWER,
        power_cdbm: 2300,
        limits: Some(PowerLimits { max_cdbm: 2300, min_cdbm: 1000 }),
    };
    check("ff076200000108fc08fc03e87ac9", power);
    check("ff0263000000052146", Answer::Protocol { protocol: 5 });
    check("ff036a0000010c003244", Answer::ReaderConfig { key: 0x0C, value: Opaque(&[0]) });
    check("ff04710000010208ff9bc4", Answer::AvailableRegions { regions: &[1, 2, 8, 0xFF] });
    let protocols = Answer::AvailableProtocols { protocols: Opaque(&[0, 5, 0, 3]) };
    check("ff04700000000500037abf", protocols);
    let channels = Opaque(&[0, 0x0D, 0xFA, 0xF8, 0, 0x0D, 0xFC, 0xEC]);
    check("ff08650000000dfaf8000dfcecf075", Answer::HopTable { channels });
    check("ff0565000001000001904b6c", Answer::HopTime { hop_time_ms: 400 });
}

#[test]
fn the_module_tells_about_itself() {
    check("ff01720000f648f1", Answer::Temperature { celsius: -10 });
    let pairs = Opaque(&[1, 1, 2, 0]);
    check("ff056100000501010200b18d", Answer::AntennasDetected { pairs });
    let triples = Opaque(&[1, 0, 1, 2, 1, 0, 3, 0, 0]);
    check("ff0a6600000101000102010003000014ab", Answer::Pins { triples });
    let ack = Moduletech { subcommand: 0xAA48, data: Opaque(&[]) };
    check("ff0eaa00004d6f64756c6574656368aa48f2bbb6ed", Answer::Moduletech(ack));
    check("ff07aa00005854534a800001aef4", Answer::SilionHeartbeat { data: Opaque(&[0x80, 0, 1]) });
}

#[test]
fn statistics_are_read_entry_by_entry() {
    let data = bytes(
        "029f41 010a 0100000064 0200000005 4003 0101b0 810003 0e1640 820001 2a 840002 0101 \
         880001 05 900004 0101 0200",
    );
    let statistics = Statistics { data: Opaque(&data) };
    check(
        "ff2e6c0000029f41010a0100000064020000000540030101b08100030e16408200012a840002010188000105\
         90000401010200b561",
        Answer::Statistics(statistics),
    );
    let figures: Vec<_> = statistics.iter().collect();
    assert_eq!(
        figures,
        [
            Statistic::RadioOnTime { port: 1, on_time_ms: 100 },
            Statistic::RadioOnTime { port: 2, on_time_ms: 5 },
            Statistic::NoiseFloor { transmit: 1, receive: 1, noise_dbm: -80 },
            Statistic::Frequency { frequency_khz: 923_200 },
            Statistic::Temperature { celsius: 42 },
            Statistic::Antenna { transmit: 1, receive: 1 },
            Statistic::Protocol { protocol: 5 },
            Statistic::Connected { port: 1, connected: 1 },
            Statistic::Connected { port: 2, connected: 0 },
        ]
    );
}

#[test]
fn a_timed_read_says_how_many_tags_it_found() {
    let found = Found {
        multiselect: false,
        option: 0x10,
        search_flags: 0x0013,
        tags: FoundTags::Many(2),
        embedded: None,
    };
    check("ff07220000100013000000028f01", Answer::Found(found));
    let few = Found { option: 0, tags: FoundTags::Few(2), ..found };
    check("ff042200000000130268aa", Answer::Found(few));
    let outcome = EmbeddedOutcome { opcode: 0x28, succeeded: 1, failed: 1 };
    let tid = Found { multiselect: true, search_flags: 0x0017, embedded: Some(outcome), ..found };
    check("ff0e22000088100017000000020128000100014f49", Answer::Found(tid));
}

#[test]
fn the_tag_buffer_holds_several_tags() {
    let records = bytes(
        "01 c8 11 00000064 05 0080 3000 e200322fe20df9311328b7e3 d100 \
         02 ba 22 000000c8 05 0040 1000 34160001 abcd",
    );
    let buffer = TagBuffer {
        metadata: MetadataFlags(0x0057),
        option: 0,
        count: 2,
        records: Opaque(&records),
    };
    check(
        "ff302900000057000201c811000000640500803000e200322fe20df9311328b7e3d10002ba22000000c80500\
         40100034160001abcde240",
        Answer::TagBuffer(buffer),
    );
    let tags: Vec<_> = buffer.iter().map(Result::unwrap).collect();
    assert_eq!((tags[0].epc, tags[0].rssi_dbm), (Opaque(&EPC[..]), Some(-56)));
    assert_eq!((tags[1].epc.0, tags[1].timestamp_ms), (&[0x34, 0x16, 0, 1][..], Some(200)));
    assert_eq!(tags.len(), 2);
}

#[test]
fn a_single_tag_comes_with_or_without_metadata() {
    let record =
        TagRecord { search_flags: 0, epc: Opaque(&EPC), tag_crc: 0xD100, ..TagRecord::EMPTY };
    let bare = SingleTag { form: SingleForm::Bare, record };
    check("ff0e210000e200322fe20df9311328b7e3d100aad0", Answer::Single(bare));
    let record = TagRecord {
        option: 0x10,
        rssi_dbm: Some(-60),
        antenna: Some(0x11),
        timestamp_ms: Some(18),
        protocol: Some(5),
        ..record
    };
    let full = SingleTag { form: SingleForm::Metadata, record };
    check("ff18210000100056c4110000001205e200322fe20df9311328b7e3d10038bc", Answer::Single(full));
}

#[test]
fn no_toll_tag_is_mistaken_for_metadata() {
    // The EPCs of FASTag and VETC begin with 34 16, which as an option would announce metadata.
    for epc in ["34161fa820328a1520405440", "3416214b8817620004936445"] {
        let data = [bytes(epc), vec![0xAB, 0xCD]].concat();
        let Some(Answer::Single(tag)) = Answer::parse(opcode::READ_SINGLE, &data) else {
            panic!("{epc} is not read")
        };
        assert_eq!((tag.form, tag.record.epc.0), (SingleForm::Bare, &data[..12]));
    }
}

#[test]
fn silions_continuous_read_counts_the_epc_in_bytes() {
    let record = TagRecord {
        read_count: Some(1),
        rssi_dbm: Some(-60),
        antenna: Some(1),
        pc: 0x3000,
        epc: Opaque(&EPC),
        tag_crc: 0xD100,
        ..TagRecord::EMPTY
    };
    let tag = SilionTag { form: SilionForm::Bytes, record };
    check("ff16aa0000000701c401103000e200322fe20df9311328b7e3d10052d6", Answer::SilionTag(tag));
}

proptest! {
    #[test]
    fn whatever_is_understood_is_built_again_byte_for_byte(
        opcode in prop_oneof![
            Just(0x21u8), Just(0x22), Just(0x29), Just(0x61), Just(0x6C), Just(0xAA), any::<u8>()
        ],
        data in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
                |(flags, rest)| [vec![0x10, 0x00, flags], rest].concat()
            ),
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
                |(flags, rest)| [vec![0x00, flags, 0x00, 0x01], rest].concat()
            ),
        ],
    ) {
        if let Some(answer) = Answer::parse(opcode, &data) {
            let frame = answer.emit();
            let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
            prop_assert_eq!((frame.opcode(), frame.data()), (opcode, &data[..]));
        }
    }
}
