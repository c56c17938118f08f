//! Frames that hosts send beside those of a continuous read. Those of the vendor's clients were
//! captured; the check of the others was computed with the vendor's algorithm, not with this crate.

use proptest::prelude::*;

use super::{AntennaQuery, Moduletech, Operation, PowerQuery, StatisticsRequest};
use crate::codec::{Direction, Opaque};
use crate::protocol::mercury::codec::tests::bytes;
use crate::protocol::mercury::codec::{
    Command, EmbeddedRead, Frame, MetadataFlags, StreamRequest, opcode,
};

fn check(hex: &str, meaning: Operation<'_>) {
    let bytes = bytes(hex);
    let frame = Frame::new_checked(&bytes, Direction::FromHost).unwrap();
    let Ok(Command::Other { opcode, data }) = Command::parse(frame) else {
        panic!("{hex} is a command of its own")
    };
    assert_eq!(Operation::parse(opcode, data.0), Some(meaning));
    assert_eq!(meaning.emit().as_ref(), bytes);
}

const TIMED: StreamRequest = StreamRequest {
    multiselect: false,
    protocol: 5,
    option: 0x10,
    search_flags: 0x0013,
    on_time_ms: 400,
    off_time_ms: None,
    metadata: MetadataFlags(0x0FFF),
    report_flags: None,
    tags_wanted: None,
    embedded: None,
};

#[test]
fn settings_are_asked_for_and_set() {
    check("ff00631d6c", Operation::Protocol);
    check("ff016201bebc", Operation::ReadPower(PowerQuery::WithLimits));
    check("ff016200bebd", Operation::ReadPower(PowerQuery::Current));
    check("ff016401b8bc", Operation::WritePower(PowerQuery::WithLimits));
    check("ff02940bb82a27", Operation::SetWritePower { power_cdbm: 3000 });
    check("ff00651d6a", Operation::HopTable);
    check("ff016501b9bc", Operation::HopTime);
    check("ff01980344be", Operation::SetPowerMode { mode: 3 });
    check("ff00701d7f", Operation::AvailableProtocols);
    check("ff00711d7e", Operation::AvailableRegions);
    check("ff026b05003a6f", Operation::ProtocolParameter { protocol: 5, key: 0 });
    let q_of_four =
        Operation::SetProtocolParameter { protocol: 5, key: 0x12, value: Opaque(&[1, 4]) };
    check("ff049b0512010480ab", q_of_four);
}

#[test]
fn the_module_is_asked_about_itself() {
    check("ff016105bdb8", Operation::Antennas(AntennaQuery::Detect));
    check("ff016101bdbc", Operation::Antennas(AntennaQuery::Ports));
    check("ff016601babc", Operation::Pins);
    check("ff0296020103dc", Operation::SetOutput { pin: 2, level: 1 });
    check("ff00721d7d", Operation::Temperature);
    check("ff036c029f41b918", Operation::Statistics(StatisticsRequest::ALL_BY_PORT));
    let reset = StatisticsRequest { option: 1, flags: 0x0FC1 };
    check("ff036c019f41897b", Operation::Statistics(reset));
    check("ff02100000f093", Operation::HardwareVersion { option: 0, flags: 0 });
    check("ff02100040f0d3", Operation::HardwareVersion { option: 0, flags: 0x40 });
    check("ff00091d06", Operation::BootLoader);
}

#[test]
fn tags_are_asked_for_in_a_poll() {
    check("ff072210001301900fff1e60", Operation::ReadMultiple(TIMED));
    let m7e = StreamRequest {
        multiselect: true,
        on_time_ms: 500,
        metadata: MetadataFlags(0x2FFF),
        ..TIMED
    };
    check("ff08228810001301f42fff85a8", Operation::ReadMultiple(m7e));
    let tid = EmbeddedRead { timeout_ms: 2000, bank: 2, address_words: 0, len_words: 2 };
    let m7e_tid = StreamRequest { search_flags: 0x0017, embedded: Some(tid), ..m7e };
    check("ff14228810001701f42fff01092807d000020000000002267b", Operation::ReadMultiple(m7e_tid));
    let until_ten = StreamRequest {
        search_flags: 0x0053,
        on_time_ms: 500,
        metadata: MetadataFlags(0x00FF),
        tags_wanted: Some(10),
        ..TIMED
    };
    check("ff0b2210005301f400ff0000000a488d", Operation::ReadMultiple(until_ten));
    check("ff00291d26", Operation::TagBufferCount);
    let fetch = Operation::TagBuffer { metadata: MetadataFlags(0x0FFF), option: 0 };
    check("ff03290fff00facd", fetch);
    check("ff002a1d25", Operation::ClearTagBuffer);
    let single = Operation::ReadSingle { timeout_ms: 5000, metadata: Some(MetadataFlags(0x0056)) };
    check("ff052113881000560906", single);
    check("ff032103e800a5e8", Operation::ReadSingle { timeout_ms: 1000, metadata: None });
}

#[test]
fn a_continuous_read_may_read_memory_and_report_statistics() {
    let commands = [
        (
            "ff1c2f00000122000005132210001f00fa00ff01092801f400020000000006780a",
            StreamRequest::without_pause(MetadataFlags(0x007F)).with_embedded(EmbeddedRead::TID),
        ),
        (
            "ff122f00000122000005092210011b00fa01ff01008739",
            StreamRequest {
                search_flags: 0x011B,
                report_flags: Some(0x0100),
                ..StreamRequest::without_pause(MetadataFlags(0x01FF))
            },
        ),
    ];
    for (hex, request) in commands {
        let bytes = bytes(hex);
        let frame = Frame::new_checked(&bytes, Direction::FromHost).unwrap();
        assert_eq!(Command::parse(frame), Ok(Command::StartStream(request)));
        assert_eq!(Command::StartStream(request).emit().as_ref(), bytes);
    }
}

#[test]
fn an_extension_of_silion_must_have_its_sum_right() {
    let stop = Moduletech { subcommand: 0xAA49, data: Opaque(&[]) };
    check("ff0eaa4d6f64756c6574656368aa49f3bb0391", Operation::Moduletech(stop));
    assert_eq!(Moduletech::parse(b"Moduletech\xAA\x49\xF4\xBB"), None);
    assert_eq!(Moduletech::parse(b"Moduletech\xBB"), None);
}

#[test]
fn what_selects_tags_or_gives_a_password_passes_through() {
    for data in [
        &[0x11, 0, 0x13, 1, 0x90, 0x0F, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x10, 0x34, 0x16][..],
        &[0x10, 0, 0x17, 1, 0x90, 0, 0xFF, 1, 9, 0x28, 0, 0, 5, 2, 0, 0, 0, 0, 2],
        &[0x10, 0, 0x13, 1, 0x90, 0x0F, 0xFF, 0],
    ] {
        assert_eq!(Operation::parse(opcode::READ_MULTIPLE, data), None, "{data:02x?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_understood_is_built_again_byte_for_byte(
        opcode in prop_oneof![Just(0x21u8), Just(0x22), Just(0x6C), Just(0xAA), any::<u8>()],
        data in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..24)).prop_map(
                |(flags, rest)| {
                    let [high, low] = (flags & 0x057F).to_be_bytes();
                    [vec![0x10, high, low], rest].concat()
                }
            ),
        ],
    ) {
        if let Some(operation) = Operation::parse(opcode, &data) {
            let frame = operation.emit();
            let frame = Frame::new_checked(frame.as_ref(), Direction::FromHost).unwrap();
            prop_assert_eq!((frame.opcode(), frame.data()), (opcode, &data[..]));
        }
    }
}
