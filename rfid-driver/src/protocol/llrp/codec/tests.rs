//! Messages from real readers and clients, byte for byte, and properties of all messages.

use proptest::prelude::*;

use super::layout;
use super::{
    AntennaChange, Capabilities, ConnectionAttempt, Frame, FrameError, InventorySpec, MeaningError,
    Message, MessageKind, Messages, ParameterKind, Parameters, ReadResult, ReaderConfiguration,
    ReaderEvent, SetUp, Status, StatusCode, TagReport, TidSpec, Timestamp, Transmitter, Version,
    events, tag_reports,
};
use crate::codec::{Cut, Direction, FieldsError, Framing, Opaque};

/// A tag of a real Impinj reader: sllurp, `tests/test_all.py`.
const TAG: &str = "043d0000002c4095892f00f000228d3005fb63ac1f3841ec88046781000186ce820004ec2ea8354c09\
                   880001";
/// The same, with an EPC of 144 bits.
const LONG_TAG: &str = "043d000000374095894100f0002d00f1001800901fb41f712ac9c37ab79d618173188324001a81\
                        000186ef820004ec2ea8381f57880001";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn parameters(bytes: &[u8]) -> Parameters<'_> {
    let frame = Frame::new_checked(bytes).unwrap();
    match Message::parse(frame).unwrap() {
        Message::Parameters { parameters, .. } | Message::Answer { parameters, .. } => parameters,
        other => panic!("{other:?}"),
    }
}

fn check_tag(hex: &str, meaning: &TagReport<'_>) {
    let bytes = bytes(hex);
    let reports: Vec<_> = tag_reports(parameters(&bytes)).collect();
    assert_eq!(reports, [Ok(*meaning)]);
    let id = Frame::new_checked(&bytes).unwrap().id();
    assert_eq!(meaning.emit(Version::V1_0_1, id).as_ref(), bytes);
}

fn check_event(hex: &str, meaning: ReaderEvent<'_>) {
    let bytes = bytes(hex);
    assert_eq!(events(parameters(&bytes)).collect::<Vec<_>>(), [Ok(meaning)]);
}

fn check(hex: &str, meaning: Message<'_>) {
    let bytes = bytes(hex);
    let frame = Frame::new_checked(&bytes).unwrap();
    assert_eq!(Message::parse(frame), Ok(meaning));
    assert_eq!(meaning.emit(frame.version(), frame.id()).as_ref(), bytes);
}

#[test]
fn tags_of_real_readers_are_understood_and_built() {
    check_tag(
        TAG,
        &TagReport {
            epc: Opaque(&bytes("3005fb63ac1f3841ec880467")),
            antenna: Some(1),
            peak_rssi_dbm: Some(-50),
            first_seen: Some(Timestamp::Utc(0x0004_EC2E_A835_4C09)),
            seen_count: Some(1),
            ..TagReport::default()
        },
    );
    check_tag(
        LONG_TAG,
        &TagReport {
            epc: Opaque(&bytes("1fb41f712ac9c37ab79d618173188324001a")),
            antenna: Some(1),
            peak_rssi_dbm: Some(-17),
            first_seen: Some(Timestamp::Utc(0x0004_EC2E_A838_1F57)),
            seen_count: Some(1),
            ..TagReport::default()
        },
    );
}

#[test]
fn a_report_may_hold_many_tags_vendors_parts_and_results_of_writing() {
    let tag = |body: &str| {
        let body = bytes(body);
        let len = u16::try_from(body.len() + 4).unwrap();
        [&[0x00, 0xF0][..], &len.to_be_bytes(), &body].concat()
    };
    let read = "015d 000f 00 0007 0003 e280 1105 0009";
    let write = "015e 0009 00 0008 0002";
    let impinj = "03ff 000e 0000651a 00000038 0abc";
    let list = [
        tag(&format!("8d 341600000000000000000001 {read} {impinj}")),
        // What is no tag.
        bytes("00f2 0004"),
        tag(&format!("00f1 0008 0010 beef {write} 870003 8c3000 930001 940002 8b1234 9000000005")),
    ]
    .concat();
    let list = Parameters::new_checked(&list).unwrap();
    layout::check(list).unwrap();
    let reports: Vec<_> = tag_reports(list).map(Result::unwrap).collect();
    let tid = bytes("e28011050009");
    let first = ReadResult { result: 0, op_spec_id: 7, data: Opaque(&tid) };
    assert_eq!((reports.len(), reports[0].read), (2, Some(first)));
    let second = TagReport {
        epc: Opaque(&[0xBE, 0xEF]),
        channel_index: Some(3),
        pc: Some(0x3000),
        xpc: [Some(1), Some(2)],
        crc: Some(0x1234),
        access_spec_id: Some(5),
        ..TagReport::default()
    };
    assert_eq!(reports[1], second);
}

#[test]
fn events_of_real_readers_are_understood() {
    let success = ReaderEvent::ConnectionAttempt(ConnectionAttempt::Success);
    check_event("043f000000200ab288c900f600160080000c0004f8535baadaff010000060000", success);
    let data = |event: &str| {
        let event = bytes(event);
        let data_len = u16::try_from(event.len() + 16).unwrap();
        let head = [&[0x04, 0x3F][..], &u32::from(data_len + 10).to_be_bytes(), &[0; 4]].concat();
        let time = bytes("0081 000c 0000000000000001");
        let whole = [&head[..], &[0, 0xF6], &data_len.to_be_bytes(), &time, &event].concat();
        whole.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    for (status, attempt) in [
        (1, ConnectionAttempt::ReaderInitiatedExists),
        (2, ConnectionAttempt::ClientInitiatedExists),
        (3, ConnectionAttempt::Failed),
        (4, ConnectionAttempt::AnotherAttempted),
        (9, ConnectionAttempt::Unknown(9)),
    ] {
        let event = data(&format!("0100 0006 {status:04x}"));
        check_event(&event, ReaderEvent::ConnectionAttempt(attempt));
    }
    let gone = ReaderEvent::Antenna { port: 4, change: AntennaChange::Disconnected };
    check_event(&data("00ff 0007 00 0004"), gone);
    check_event(&data("00fa 0005 5a"), ReaderEvent::ReportBufferLevel { percent: 90 });
    check_event(&data("00fb 0004"), ReaderEvent::ReportBufferOverflow);
    check_event(&data("0101 0004"), ReaderEvent::ConnectionClose);
    check_event(&data("00fe 000b 00 00000001 0001"), ReaderEvent::AiSpecEnded);
    check_event(&data("00f7 0008 0001 0002"), ReaderEvent::Other(ParameterKind::HOPPING_EVENT));
    let exception = ReaderEvent::Exception { message: Opaque(b"hot"), antenna: Some(2) };
    check_event(&data("00fc 000c 0003 686f74 810002"), exception);
}

#[test]
fn commands_of_real_clients_are_understood_and_built() {
    let none = Parameters::NONE;
    check(
        "04010000000b0000000100",
        Message::GetReaderCapabilities { requested: 0, parameters: none },
    );
    check(
        "0402000000110000000200000000000000",
        Message::GetReaderConfig {
            antenna: 0,
            requested: 0,
            input: 0,
            output: 0,
            parameters: none,
        },
    );
    check("040e0000000a00000003", Message::Bare { kind: MessageKind::CLOSE_CONNECTION });
    check(
        "04150000000e0000000300000001",
        Message::Spec { kind: MessageKind::DELETE_ROSPEC, id: 1 },
    );
    check("04400000000a00000008", Message::Bare { kind: MessageKind::ENABLE_EVENTS_AND_REPORTS });
    check("082f0000000b0000000102", Message::SetProtocolVersion { number: 2 });
    check(
        "08380000001400000001 01 02 011f 0008 0000 0000",
        Message::SupportedVersion { current: 1, supported: 2, status: Status::SUCCESS },
    );
    let body = Opaque(&[0, 0, 0x65, 0x1A, 0x15, 0, 0, 0, 0]);
    check(
        "07ff00000013000000020000651a1500000000",
        Message::Other { kind: MessageKind::CUSTOM_MESSAGE, body },
    );
}

#[test]
fn a_refusal_says_why_in_a_code_in_words_and_by_place() {
    let status = Status {
        code: StatusCode::M_FIELD_ERROR,
        description: Opaque(b"LLRP [409] : //AccessSpecID : invalid"),
        about: Parameters::new_checked(&[0x01, 0x20, 0, 8, 0, 1, 0x01, 0x2C]).unwrap(),
    };
    // Captured from a real reader: mchesser/llrp-rs, `llrp/src/tests.rs`.
    check(
        "04330000003f00000009011f0035006500254c4c5250205b3430395d203a202f2f4163636573735370656349\
         44203a20696e76616c6964012000080001012c",
        Message::Answer {
            kind: MessageKind::DELETE_ACCESSSPEC_RESPONSE,
            status,
            parameters: Parameters::NONE,
        },
    );
    assert_eq!(status.code.to_string(), "101 M_FieldError");
    assert_eq!(StatusCode(999).to_string(), "999 not in the standard");
    assert_eq!(StatusCode::M_UNSUPPORTED_VERSION.meaning(), Some("version not supported"));
}

/// llrpkit 0.3.0 takes these bytes apart as meant and builds the same from it.
#[test]
fn our_requests_are_what_another_implementation_makes_of_them() {
    let set_up = SetUp::LifeAndEvents { period_ms: 1000 };
    assert_eq!(
        set_up.emit(Version::V1_0_1, 4).as_ref(),
        bytes(
            "0403 0000005c 00000004 00 00f4 0043 \
             00f5 0007 0000 00 00f5 0007 0001 00 00f5 0007 0002 80 00f5 0007 0003 80 \
             00f5 0007 0004 80 00f5 0007 0005 00 00f5 0007 0006 00 00f5 0007 0007 00 \
             00f5 0007 0008 80 00dc 0009 01 000003e8 00e2 0005 00"
        )
    );
    let set_up = SetUp::Life { period_ms: 1000 };
    assert_eq!(
        set_up.emit(Version::V1_0_1, 4).as_ref(),
        bytes("0403 00000014 00000004 00 00dc 0009 01 000003e8")
    );
    let transmitter = Some(Transmitter { hop_table: 1, channel: 0, power: 81 });
    let inventory = InventorySpec { id: 1, antennas: &[1, 2], transmitter };
    assert_eq!(
        inventory.emit(Version::V1_0_1, 4).as_ref(),
        bytes(
            "0414 00000072 00000004 00b1 0068 00000001 00 00 \
             00b2 0012 00b3 0005 00 00b6 0009 00 00000000 \
             00b7 003a 0002 0001 0002 00b8 0009 00 00000000 \
             00ba 0027 0001 01 00de 0020 0000 00e0 000a 0001 0000 0051 \
             014a 0010 00 0150 000b 00 0004 00000000 \
             00ed 0012 01 0001 00ee 000b 1e80 015c 0005 40"
        )
    );
    let tid = TidSpec { id: 1, inventory: 1, op_spec_id: 1, words: 6 };
    assert_eq!(
        tid.emit(Version::V1_1, 4).as_ref(),
        bytes(
            "0828 00000048 00000004 00cf 003e 00000001 0000 01 00 00000001 00d0 0007 00 0000 \
             00d1 0022 0152 000f 0153 000b 60 0020 0000 0000 \
             0155 000f 0001 00000000 80 0000 0006 00ef 0005 00"
        )
    );
}

#[test]
fn all_sixteen_antennas_fit_into_one_inventory() {
    let antennas: Vec<u8> = (1..=16).collect();
    let transmitter = Some(Transmitter { hop_table: 1, channel: 0, power: 1 });
    let spec = InventorySpec { id: 1, antennas: &antennas, transmitter };
    let emitted = spec.emit(Version::V1_0_1, 1);
    assert!(Message::parse(Frame::new_checked(emitted.as_ref()).unwrap()).is_ok());
}

#[test]
fn who_a_reader_is_and_what_it_can_do_is_understood() {
    let answer = bytes(
        "0089 0015 0004 4000 000065a2 000002bc 0003 352e31 \
         008f 0042 0348 0001 0090 003a 0091 0008 0001 03e8 0091 0008 0002 ff9c \
         0092 0026 80 0093 0010 01 00 0002 000dc65a 000dc84e 0093 000c 02 00 0001 000e0aca \
         0094 0005 00",
    );
    // The last table is cut off: its own length is right, but its count is not there.
    let list = Parameters::new_checked(&answer).unwrap();
    assert!(layout::check(list).is_err());
    let capabilities = Capabilities::parse(list).unwrap().unwrap();
    let text = "manufacturer 26018 model 700, firmware 5.1, 4 antenna ports";
    assert_eq!(capabilities.to_string(), text);
    assert_eq!(capabilities.powers().collect::<Vec<_>>(), [(1, 1000), (2, -100)]);
    let tables: Vec<_> = capabilities
        .channels()
        .map(|table| (table.hop_table, table.frequencies_khz().collect::<Vec<_>>()))
        .collect();
    assert_eq!(tables, [(Some(1), vec![902_746, 903_246]), (Some(2), vec![920_266])]);
    assert_eq!(Capabilities::parse(Parameters::NONE), Ok(None));
    let configuration = bytes(
        "00dd 0009 80 0001 0000 00dd 0009 00 0002 0000 \
         00de 0010 0002 00e0 000a 0001 0003 0009 00e2 0005 80",
    );
    let configuration = ReaderConfiguration(Parameters::new_checked(&configuration).unwrap());
    assert_eq!(configuration.antennas().collect::<Vec<_>>(), [(1, true), (2, false)]);
    let transmitter = Transmitter { hop_table: 1, channel: 3, power: 9 };
    assert_eq!(configuration.transmitter(2), Some(transmitter));
    assert_eq!(configuration.transmitter(1), None);
    assert!(configuration.holds_reports());
}

#[test]
fn what_is_no_message_is_refused_for_the_right_reason() {
    let error = |hex: &str| Frame::new_checked(&bytes(hex)).unwrap_err();
    assert_eq!(error("243e0000000a00000001"), FrameError::Reserved { first: 0x24 });
    assert_eq!(error("003e0000000a00000001"), FrameError::Version { number: 0 });
    assert_eq!(error("0c3e0000000a00000001"), FrameError::Version { number: 3 });
    assert_eq!(error("04000000000a00000001"), FrameError::Kind { kind: 0 });
    assert_eq!(error("06000000000a00000001"), FrameError::Kind { kind: 512 });
    assert_eq!(error("043e0000000900000001"), FrameError::Length { len: 9 });
    assert_eq!(error("043e7fffffff00000001"), FrameError::Length { len: 0x7FFF_FFFF });
    assert_eq!(error("043e0000000a000000"), FrameError::Truncated);
    assert_eq!(error("043e0000000b00000001"), FrameError::Truncated);
    assert_eq!(error("043e0000000a0000000100"), FrameError::Trailing { len: 1 });
}

#[test]
fn what_has_no_meaning_is_refused_for_the_right_reason() {
    let error = |hex: &str| Message::parse(Frame::new_checked(&bytes(hex)).unwrap()).unwrap_err();
    let short = |kind, len, room| MeaningError::ParameterLength { kind, len, room };
    assert_eq!(error("043d0000000e0000000100f00005"), short(240, 5, 4));
    assert_eq!(error("043d0000000e0000000100f00003"), short(240, 3, 4));
    assert_eq!(error("043d0000000c0000000100f0"), short(240, 0, 2));
    assert_eq!(error("043d0000000f0000000100f0000581"), short(1, 3, 1));
    assert_eq!(error("043d0000000f0000000100f00005ff"), MeaningError::UnknownTv { kind: 127 });
    assert_eq!(error("043d0000000e0000000144f00004"), MeaningError::Reserved { header: 0x44F0 });
    assert_eq!(error("041e0000000a00000001"), MeaningError::NoStatus);
    let trailing = MeaningError::Fields(FieldsError::Trailing { len: 1 });
    assert_eq!(error("043e0000000b0000000100"), trailing);
    let bits = MeaningError::Fields(FieldsError::Short { field: "epc" });
    assert_eq!(error("043d000000150000000100f0000b00f100070010aa"), bits);
}

#[test]
fn parameters_that_hide_in_each_other_without_end_are_refused() {
    let nested = (0..20).fold(Vec::new(), |inner: Vec<u8>, _| {
        let len = u16::try_from(inner.len() + 8).unwrap().to_be_bytes();
        [&[0x01, 0x21][..], &len, &[0, 1, 0, 100], &inner].concat()
    });
    let list = Parameters::new_checked(&nested).unwrap();
    assert_eq!(layout::check(list), Err(MeaningError::TooDeep { depth_max: 12 }));
}

#[test]
fn a_type_says_which_way_its_message_goes() {
    for (kind, direction) in [
        (MessageKind::RO_ACCESS_REPORT, Some(Direction::FromReader)),
        (MessageKind::KEEPALIVE_ACK, Some(Direction::FromHost)),
        (MessageKind::CUSTOM_MESSAGE, None),
        (MessageKind(99), None),
    ] {
        assert_eq!(kind.direction(), direction, "{kind}");
    }
}

#[test]
fn debug_withholds_who_a_tag_is() {
    let bytes = bytes(TAG);
    let frame = Frame::new_checked(&bytes).unwrap();
    let message = Message::parse(frame).unwrap();
    let report = tag_reports(parameters(&bytes)).next().unwrap().unwrap();
    let shown = format!("{frame:?} {message:?} {report:?}").to_lowercase();
    assert!(!shown.contains("3005") && !shown.contains("[48, 5"), "{shown}");
}

/// A list of anything that looks like parameters of the standard.
fn any_parameters() -> impl Strategy<Value = Vec<u8>> {
    let parameter = (0_u16..400, proptest::collection::vec(any::<u8>(), 0..40));
    proptest::collection::vec(parameter, 0..6).prop_map(|list| {
        let mut bytes = Vec::new();
        for (kind, body) in list {
            if kind < 128 {
                bytes.push(0x80 | u8::try_from(kind).unwrap());
            } else {
                bytes.extend(kind.to_be_bytes());
                bytes.extend(u16::try_from(4 + body.len()).unwrap().to_be_bytes());
            }
            bytes.extend(body);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_are_cut_alike_whether_looked_at_or_taken(
        bytes in proptest::collection::vec(any::<u8>(), 1..60),
    ) {
        match Messages::cut(&bytes) {
            Cut::Frame { len } => prop_assert!(Frame::new_checked(&bytes[..len]).is_ok()),
            Cut::Incomplete => {
                prop_assert_eq!(Frame::new_checked(&bytes), Err(FrameError::Truncated));
            }
            Cut::Noise => prop_assert!(Frame::new_checked(&bytes).is_err()),
        }
    }

    #[test]
    fn any_message_that_has_a_meaning_is_built_again_and_looked_into_without_panic(
        kind in 1_u16..110,
        head in proptest::collection::vec(any::<u8>(), 0..10),
        list in any_parameters(),
        id in any::<u32>(),
    ) {
        let body = [head, list].concat();
        let len = u32::try_from(10 + body.len()).unwrap().to_be_bytes();
        let bytes =
            [&(0x0400 | kind).to_be_bytes()[..], &len, &id.to_be_bytes(), &body].concat();
        let frame = Frame::new_checked(&bytes).unwrap();
        if let Ok(message) = Message::parse(frame) {
            // A status that vendors have lengthened is carried, but not to the letter.
            let status = matches!(message, Message::Answer { .. } | Message::SupportedVersion { .. });
            let again = message.emit(frame.version(), frame.id());
            prop_assert!(status || again.as_ref() == bytes);
        }
    }

    #[test]
    fn any_parameters_are_looked_into_without_panic(list in any_parameters()) {
        let Ok(list) = Parameters::new_checked(&list) else { return Ok(()) };
        let _checked = layout::check(list).is_ok();
        let all = tag_reports(list).count() + events(list).count();
        prop_assert!(all <= list.as_bytes().len());
        if let Ok(Some(capabilities)) = Capabilities::parse(list) {
            let channels = capabilities.channels().map(|table| table.frequencies_khz().count());
            prop_assert!(4 * channels.sum::<usize>() <= list.as_bytes().len());
            prop_assert!(capabilities.powers().count() <= list.as_bytes().len());
        }
        let configuration = ReaderConfiguration(list);
        prop_assert!(configuration.antennas().count() <= list.as_bytes().len());
        let _transmitter = configuration.transmitter(1);
    }

    #[test]
    fn any_tag_report_is_built_and_understood(
        epc in proptest::collection::vec(any::<u8>(), 0..63),
        antenna in any::<Option<u16>>(),
        peak_rssi_dbm in any::<Option<i8>>(),
        first in any::<Option<u64>>(),
        last in any::<Option<u64>>(),
        words in any::<[Option<u16>; 5]>(),
        access_spec_id in any::<Option<u32>>(),
        data in proptest::collection::vec(any::<[u8; 2]>(), 0..17),
    ) {
        let data = data.concat();
        let [channel_index, seen_count, pc, xpc, crc] = words;
        let report = TagReport {
            epc: Opaque(&epc),
            antenna,
            peak_rssi_dbm,
            channel_index,
            first_seen: first.map(Timestamp::Utc),
            last_seen: last.map(Timestamp::Uptime),
            seen_count,
            pc,
            xpc: [xpc, pc],
            crc,
            access_spec_id,
            read: Some(ReadResult { result: 0, op_spec_id: 1, data: Opaque(&data) }),
        };
        let emitted = report.emit(Version::V1_1, 7);
        let reports: Vec<_> = tag_reports(parameters(emitted.as_ref())).collect();
        prop_assert_eq!(reports, [Ok(report)]);
    }
}
