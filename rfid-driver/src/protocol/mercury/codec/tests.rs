//! Frames from real modules, byte for byte, and properties of all frames.

use proptest::prelude::*;

use super::{
    Command, EmbeddedData, Frame, FrameError, MeaningError, MetadataFlags, Reply, Status,
    StreamRequest, TagRecord, VersionInfo,
};
use crate::codec::{Direction, FieldsError, Opaque};

/// A tag in a continuous read, captured by the `SparkFun` library (`SparkFun_UHF_RFID_Reader.cpp`,
/// `parseResponse`). Its check distinguishes the vendor's CRC from CCITT: that would be F542.
const SPARKFUN_TAG: &str = "ff2822000010001b01ff0101c4110e16400000012700000500000f0080300000000000\
                            0000000000001545e94a561d";

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
    assert_eq!(Command::parse(frame), Ok(meaning));
    assert_eq!(meaning.emit().as_ref(), bytes);
}

fn check_reply(hex: &str, meaning: Reply<'_>) {
    let bytes = bytes(hex);
    let frame = Frame::new_checked(&bytes, Direction::FromReader).unwrap();
    assert_eq!(Reply::parse(frame), Ok(meaning));
    assert_eq!(meaning.emit().as_ref(), bytes);
}

#[test]
fn commands_of_real_clients_are_understood_and_built() {
    check_command("ff00031d0c", Command::Version);
    check_command("ff00041d0b", Command::BootFirmware);
    check_command("ff04060001c200a460", Command::SetBaud { baud: 115_200 });
    check_command("ff0197024bbf", Command::SetRegion { region: 2 });
    check_command("ff02930005517d", Command::SetProtocol { protocol: 5 });
    check_command("ff029203e842b1", Command::SetReadPower { power_cdbm: 1000 });
    check_command("ff039102010142c5", Command::SetAntennas { pairs: &[1, 1] });
    check_command("ff039a010c00a35d", Command::SetReaderConfig { key: 0x0C, value: 0 });
    check_command("ff026a010e2e40", Command::ReaderConfig { key: 0x0E });
    check_command("ff032f0000025e86", Command::StopStream);
    check_command("ff00701d7f", Command::Other { opcode: 0x70, data: Opaque(&[]) });
}

#[test]
fn both_generations_of_the_vendors_client_start_a_continuous_read() {
    let m6e = StreamRequest::without_pause(MetadataFlags(0x0FFF));
    check_command("ff102f00000122000005072210001b00fa0fffb40b", Command::StartStream(m6e));
    let m7e =
        StreamRequest { multiselect: true, search_flags: 0x041B, off_time_ms: Some(0), ..m6e };
    check_command("ff132f000001220000050a228810041b00fa00000fff290c", Command::StartStream(m7e));
}

#[test]
fn a_captured_tag_is_understood_and_built() {
    let record = TagRecord {
        option: 0x10,
        search_flags: 0x001B,
        read_count: Some(1),
        rssi_dbm: Some(-60),
        antenna: Some(0x11),
        frequency_khz: Some(923_200),
        timestamp_ms: Some(295),
        phase_deg: Some(0),
        protocol: Some(5),
        data: Some(EmbeddedData::Bits { bits: 0, bytes: Opaque(&[]) }),
        gpio: Some(0x0F),
        pc: 0x3000,
        epc: Opaque(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x15, 0x45]),
        tag_crc: 0xE94A,
        ..TagRecord::EMPTY
    };
    check_reply(SPARKFUN_TAG, Reply::Tag(record));
}

#[test]
fn replies_of_real_modules_are_understood_and_built() {
    let version = VersionInfo {
        boot_loader: 0x0710_2300,
        hardware: 0x0100_0003,
        firmware_date: 0x2014_1007,
        firmware: 0x0107_0209,
        protocols: 0x10,
    };
    check_reply("ff1403000007102300010000032014100701070209000000105bd1", Reply::Version(version));
    assert_eq!(version.to_string(), "hardware 01000003, firmware 01070209 of 20141007");
    let micro = VersionInfo { hardware: 0x2000_0001, ..version };
    assert!(micro.to_string().starts_with("M6e Micro, hardware 20000001"));
    check_reply("ff1404000007102300010000032014100701070209000000105251", Reply::Booted(version));
    check_reply("ff010c0000126343", Reply::Program(super::PROGRAM_APPLICATION));
    check_reply("ff00970000779e", Reply::Done { opcode: 0x97, data: Opaque(&[]) });
    check_reply("ff012f00000230e6", Reply::StreamStopped);
    check_reply(
        "ff00210400b483",
        Reply::Refused { opcode: 0x21, status: Status::NO_TAGS, data: Opaque(&[]) },
    );
}

#[test]
fn a_damaged_frame_is_refused_with_the_reason() {
    let good = bytes(SPARKFUN_TAG);
    let reason = |bytes: &[u8]| Frame::new_checked(bytes, Direction::FromReader).unwrap_err();
    assert_eq!(reason(&[]), FrameError::Truncated);
    assert_eq!(reason(&good[..46]), FrameError::Truncated);
    assert_eq!(reason(&good[1..]), FrameError::Start);
    assert_eq!(reason(&[0xFF, 0xF9]), FrameError::Length { len: 0xF9 });
    assert_eq!(reason(&[good.clone(), vec![0]].concat()), FrameError::Trailing { len: 1 });
    // What the frame would carry if the vendor's "CCITT" were taken at its word.
    let mut ccitt = good.clone();
    ccitt[45..].copy_from_slice(&[0xF5, 0x42]);
    assert_eq!(reason(&ccitt), FrameError::Check { found: 0xF542, computed: 0x561D });
}

#[test]
fn a_record_that_contradicts_itself_is_refused() {
    let understood = |data: &[u8]| {
        let frame = Reply::Done { opcode: 0x22, data: Opaque(data) }.emit();
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        Reply::parse(frame).map(|_| ())
    };
    let head = [0x10, 0x00, 0x1B];
    let with = |rest: &[u8]| understood(&[&head, rest].concat());
    assert_eq!(with(&[0, 0, 1, 0, 0x20, 0x08, 0, 0xAB, 0xCD]), Ok(()));
    assert_eq!(with(&[0x40, 0, 1]), Err(MeaningError::UnknownMetadata { flags: 0x4000 }));
    assert_eq!(with(&[0, 0, 1, 0, 0x18, 1, 2, 3]), Err(MeaningError::EpcBits { bits: 24 }));
    assert_eq!(with(&[0, 0, 1, 0, 0x21, 1, 2, 3, 4]), Err(MeaningError::EpcBits { bits: 33 }));
    assert_eq!(
        with(&[0, 0, 1, 0, 0x80, 1]),
        Err(MeaningError::Fields(FieldsError::Short { field: "epc" }))
    );
    assert_eq!(with(&[0, 2, 1]), Err(MeaningError::Fields(FieldsError::Short { field: "rssi" })));
    assert_eq!(
        with(&[0, 0, 1, 0, 0x20, 0x08, 0, 0xAB, 0xCD, 9]),
        Err(MeaningError::Fields(FieldsError::Trailing { len: 1 }))
    );
}

#[test]
fn extended_control_words_do_not_become_part_of_the_epc() {
    let record = TagRecord {
        pc: 0x3200,
        xpc: Opaque(&[0x80, 0x01, 0x00, 0x02]),
        epc: Opaque(&[7; 8]),
        ..TagRecord::EMPTY
    };
    let frame = Reply::Tag(record).emit();
    let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
    assert_eq!(Reply::parse(frame), Ok(Reply::Tag(record)));
}

#[test]
fn a_tag_of_another_protocol_has_no_control_word() {
    let record = |protocol, epc, tag_crc| TagRecord {
        option: 0x10,
        search_flags: 0x001B,
        protocol: Some(protocol),
        epc: Opaque(epc),
        tag_crc,
        ..TagRecord::EMPTY
    };
    let iso_18000_6b = [0xE0, 0x04, 0, 0, 0x12, 0x34, 0x56, 0x78];
    check_reply(
        "ff1322000010001b004001030050e004000012345678d100f620",
        Reply::Tag(record(0x03, &iso_18000_6b, 0xD100)),
    );
    let ata = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77];
    check_reply(
        "ff1122000010001b0040011d00400011223344556677fe80",
        Reply::Tag(record(0x1D, &ata, 0)),
    );
}

#[test]
fn the_records_between_tags_are_told_apart() {
    let note = |hex: &str| {
        let bytes = bytes(hex);
        let frame = Frame::new_checked(&bytes, Direction::FromReader).unwrap();
        let reply = Reply::parse(frame).unwrap();
        assert!(matches!(reply, Reply::StreamNote { .. }), "{reply:?}");
        assert_eq!(reply.emit().as_ref(), bytes);
        reply.is_end_of_stream()
    };
    assert!(note("ff0a22000010001b01ff000000000abb8b"));
    assert!(!note("ff0a22000010011b01ff028200012a1150"));
}

#[test]
fn no_debug_output_shows_an_epc() {
    let good = bytes(SPARKFUN_TAG);
    let frame = Frame::new_checked(&good, Direction::FromReader).unwrap();
    let reply = Reply::parse(frame).unwrap();
    for shown in [format!("{frame:?}"), format!("{reply:?}"), format!("{:?}", reply.emit())] {
        assert!(!shown.contains("1545") && !shown.contains("21, 69"), "{shown}");
    }
}

#[test]
fn a_status_says_what_it_means() {
    assert_eq!(Status::RADIO_OFF.to_string(), "0405 (radio is off; no region set)");
    assert_eq!(Status(0x0999).to_string(), "0999 (not in the list)");
    assert!(Status::TEMPERATURE.is_radio_fault() && !Status::NO_TAGS.is_radio_fault());
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
    }

    #[test]
    fn any_data_of_any_reply_parses_without_panic_and_emits_the_same_bytes(
        opcode in prop_oneof![Just(0x22), Just(0x2F), Just(0x03), Just(0x04), Just(0x0C), any::<u8>()],
        status in prop_oneof![Just(0u16), Just(0x0400), any::<u16>()],
        data in prop_oneof![
            opaque(0..100),
            // The beginning of a record, so that the rest of it is reached.
            (any::<u16>(), opaque(0..80)).prop_map(|(flags, rest)| {
                let [high, low] = (flags & 0x3FFF).to_be_bytes();
                [vec![0x10, 0x00, 0x1B, high, low, 0x01], rest].concat()
            }),
        ],
    ) {
        let frame = Reply::Refused { opcode, status: Status(status), data: Opaque(&data) }.emit();
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        if let Ok(reply) = Reply::parse(frame) {
            let again = reply.emit();
            prop_assert_eq!(again.as_ref(), frame.as_bytes());
        }
    }

    #[test]
    fn any_data_of_any_command_emits_the_same_bytes(
        opcode in prop_oneof![Just(0x2F), Just(0x91), Just(0x9A), Just(0x06), any::<u8>()],
        data in opaque(0..30),
    ) {
        let frame = Command::Other { opcode, data: Opaque(&data) }.emit();
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromHost).unwrap();
        let again = Command::parse(frame).unwrap().emit();
        prop_assert_eq!(again.as_ref(), frame.as_bytes());
    }

    #[test]
    fn a_record_with_any_metadata_is_read_back_as_it_was_built(
        multiselect: bool,
        read_count: Option<u8>,
        rssi_dbm: Option<i8>,
        antenna: Option<u8>,
        frequency_khz in proptest::option::of(0u32..1 << 24),
        timestamp_ms: Option<u32>,
        phase_deg: Option<u16>,
        data in proptest::option::of(opaque(0..20)),
        brand: Option<u16>,
        epc in opaque(0..62),
    ) {
        let data = data.as_ref().map(|data| EmbeddedData::Bits {
            bits: u16::try_from(data.len() * 8).unwrap(),
            bytes: Opaque(data),
        });
        let record = TagRecord {
            multiselect,
            option: 0x10,
            read_count,
            rssi_dbm,
            antenna,
            frequency_khz,
            timestamp_ms,
            phase_deg,
            data,
            brand,
            tag_type: Some(Opaque(&[0x81, 0x02])),
            pc: 0x3000,
            epc: Opaque(&epc),
            tag_crc: 0x1234,
            ..TagRecord::EMPTY
        };
        let frame = Reply::Tag(record).emit();
        let frame = Frame::new_checked(frame.as_ref(), Direction::FromReader).unwrap();
        prop_assert_eq!(Reply::parse(frame), Ok(Reply::Tag(record)));
    }
}
