//! What a person sees of a frame. The check of hand-made frames was computed with the vendor's
//! algorithm, not with this crate.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::describe;
use crate::codec::{Description, Direction, Undecodable, Value};
use crate::protocol::mercury::codec::FrameError;
use crate::{TagRead, clock};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn described(hex: &str, direction: Direction) -> Description {
    describe(&bytes(hex), direction, clock::now()).unwrap()
}

/// Start, length and operation.
const HEADER_LEN: usize = 3;

/// The kind, then a line per field between header and check, both of which must be there.
fn shown(description: &Description) -> String {
    let fields = &description.fields;
    let mut end = 0;
    for field in fields {
        assert_eq!(field.bytes.start, end, "{}", field.name);
        end = field.bytes.end;
    }
    assert_eq!(fields.first().map(|field| field.name), Some("start"));
    assert_eq!(fields.last().map(|field| field.name), Some("check"));
    let mut text = format!("{}\n", description.kind);
    for field in &fields[HEADER_LEN..fields.len() - 1] {
        let value = match &field.value {
            Value::Number(number) => number.to_string(),
            Value::Code { code, digits } => format!("{code:0w$x}h", w = usize::from(*digits)),
            Value::Text(text) => text.clone(),
            Value::Bytes(bytes) => format!("{bytes:02x?}").replace(", ", ""),
        };
        writeln!(text, "{} {}", field.name, value).unwrap();
    }
    text
}

fn check(direction: Direction, hex: &str, text: &str) {
    let wanted: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .fold(String::new(), |wanted, line| wanted + line + "\n");
    assert_eq!(shown(&described(hex, direction)), wanted, "{hex}");
}

fn said(hex: &str, text: &str) {
    check(Direction::FromReader, hex, text);
}

fn asked(hex: &str, text: &str) {
    check(Direction::FromHost, hex, text);
}

fn tags(hex: &str) -> Vec<TagRead> {
    described(hex, Direction::FromReader).tags
}

#[test]
fn every_byte_of_a_tag_record_has_a_name() {
    let hex = "ff2822000010001b01ff0101c4110e16400000012700000500000f00803000000000000000000000001545\
               e94a561d";
    said(
        hex,
        "tag record
         status 0000 success
         option 10h
         search_flags 001bh
         metadata_flags 01ffh
         record_kind 01 tag
         read_count 1
         rssi_dbm -60
         antenna 11h
         frequency_khz 923200
         timestamp_ms 295
         phase_deg 0
         protocol 05 gen2
         data_bits 0
         gpio 0fh
         epc_bits 128
         pc 3000h
         epc [000000000000000000001545]
         tag_crc e94ah",
    );
    let read = tags(hex)[0];
    assert_eq!(read.epc.to_string(), "000000000000000000001545");
    assert_eq!((read.antenna, read.frequency_khz, read.pc), (Some(1), Some(923_200), Some(0x3000)));
    assert_eq!(read.rssi.and_then(|rssi| rssi.dbm), Some(-60));
    assert_eq!((read.reader_timestamp_ms, read.phase_deg, read.tid), (Some(295), Some(0), None));
}

#[test]
fn a_tid_is_shown_and_so_is_why_there_is_none() {
    let with_tid = "ff3322000010001f00ff0101c4110e164000000127005a050060e280110520000000000015450080\
                    3000e200322fe20df9311328b7e3d1000972";
    let read = tags(with_tid)[0];
    assert_eq!(read.tid.unwrap().to_string(), "E28011052000000000001545");
    assert_eq!((read.phase_deg, read.read_count), (Some(90), 1));
    let locked = "ff1d22000010001f008201c48000042400803000e200322fe20df9311328b7e3d100573f";
    assert_eq!(tags(locked)[0].tid, None);
    assert!(
        shown(&described(locked, Direction::FromReader))
            .contains("embedded_status 0424 tag memory locked")
    );
}

#[test]
fn control_words_are_kept_apart_from_the_epc() {
    let read = tags("ff1922000010001b000201c400802a0080010002e200322fe20df931d1003e67")[0];
    assert_eq!((read.pc, read.xpc), (Some(0x2A00), [Some(0x8001), Some(2)]));
    assert_eq!(read.epc.to_string(), "E200322FE20DF931");
    let read = tags("ff1322000010001b004001030050e004000012345678d100f620")[0];
    assert_eq!((read.pc, read.epc.to_string()), (None, "E004000012345678".to_owned()));
}

#[test]
fn the_tags_of_polls_are_reported_too() {
    let buffer = "ff302900000057000201c811000000640500803000e200322fe20df9311328b7e3d10002ba22000000\
                  c8050040100034160001abcde240";
    let reads = tags(buffer);
    let seen: Vec<_> = reads.iter().map(|read| (read.epc.to_string(), read.read_count)).collect();
    assert_eq!(seen, [("E200322FE20DF9311328B7E3".to_owned(), 1), ("34160001".to_owned(), 2)]);
    let single = tags("ff18210000100056c4110000001205e200322fe20df9311328b7e3d10038bc");
    assert_eq!((single.len(), single[0].antenna, single[0].pc), (1, Some(1), None));
    let bare = tags("ff0e210000e200322fe20df9311328b7e3d100aad0");
    assert_eq!(bare[0].epc.to_string(), "E200322FE20DF9311328B7E3");
    let silion = tags("ff16aa0000000701c401103000e200322fe20df9311328b7e3d10052d6");
    assert_eq!((silion[0].antenna, silion[0].pc), (Some(1), Some(0x3000)));
}

#[test]
fn what_a_reader_says_between_tags_is_taken_apart() {
    said(
        "ff0b2204008810001b001001000000fded84",
        "keep-alive
         status 0400 no tags found
         multiselect 88h
         option 10h
         search_flags 001bh
         metadata_flags 0010h
         record_kind 01 tag
         elapsed_ms 253",
    );
    said(
        "ff0a22000010011b01ff028200012a1150",
        "status record
         status 0000 success
         option 10h
         search_flags 011bh
         metadata_flags 01ffh
         record_kind 02 status
         statistic_flag 8200h
         statistic_len 1
         temperature_celsius 42",
    );
    said(
        "ff0e22000010003b01ff02000e0e16402a01012f4c",
        "status record
         status 0000 success
         option 10h
         search_flags 003bh
         metadata_flags 01ffh
         record_kind 02 status
         status_flags 000eh
         frequency_khz 923200
         temperature_celsius 42
         transmit_port 1
         receive_port 1",
    );
    said(
        "ff0a22000010001b01ff000000000abb8b",
        "end record
         status 0000 success
         option 10h
         search_flags 001bh
         metadata_flags 01ffh
         record_kind 00 end
         tags_found 10",
    );
    said("ff012f00000230e6", "continuous read stopped\nstatus 0000 success\naction 02 stop");
}

#[test]
fn answers_are_shown_with_their_units() {
    said("ff00970000779e", "region set\nstatus 0000 success");
    said("ff00210400b483", "no tags found\nstatus 0400 no tags found");
    said(
        "ff076200000108fc08fc03e87ac9",
        "read power
         status 0000 success
         option 01h
         power_cdbm 2300
         power_max_cdbm 2300
         power_min_cdbm 1000",
    );
    said(
        "ff1403000007102300010000032014100701070209000000105bd1",
        "version
         status 0000 success
         boot_loader 07102300h
         hardware 01000003h
         firmware_date 20141007h
         firmware 01070209h
         protocols 00000010h",
    );
    said(
        "ff056100000501010200b18d",
        "detected antennas
         status 0000 success
         option 05h
         port 1
         detected 01 yes
         port 2
         detected 00 no",
    );
    said(
        "ff0a6600000101000102010003000014ab",
        "pins
         status 0000 success
         option 01h
         pin 1
         direction 00 input
         level 01 high
         pin 2
         direction 01 output
         level 00 low
         pin 3
         direction 00 input
         level 00 low",
    );
    said("ff01720000f648f1", "temperature\nstatus 0000 success\ntemperature_celsius -10");
    said(
        "ff0a037f01000001236d61696e2e63d3b1",
        "refusal
         status 7f01 assertion failed in the module
         line 291
         source_file main.c",
    );
}

#[test]
fn commands_are_shown_with_what_they_set() {
    asked("ff00031d0c", "get version");
    asked("ff0197024bbf", "set region\nregion 02 europe");
    asked("ff04060001c200a460", "set baud rate\nbaud 115200");
    asked(
        "ff039102010142c5",
        "set antennas
         option 02h
         transmit_port 1
         receive_port 1",
    );
    asked(
        "ff039a010c00a35d",
        "set reader configuration
         option 01h
         key 0c read filter
         value 0",
    );
    asked("ff032f0000025e86", "stop continuous read\ntimeout_ms 0\naction 02 stop");
    asked(
        "ff1c2f00000122000005132210001f00fa00ff01092801f400020000000006780a",
        "start continuous read
         timeout_ms 0
         action 01 start
         suboperation 22 read tags for a time
         protocol_search_flags 0000h
         protocol 05 gen2
         read_len 19
         read_opcode 22 read tags for a time
         option 10h
         search_flags 001fh
         on_time_ms 250
         metadata_flags 00ffh
         embedded_count 1
         embedded_len 9
         embedded_opcode 28 read tag data
         embedded_timeout_ms 500
         embedded_option 00h
         bank 02 tid
         address_words 0
         len_words 6",
    );
    asked(
        "ff0eaa4d6f64756c6574656368aa49f3bb0391",
        "stop continuous read of silion
         marker Moduletech
         subcommand aa49h
         subcommand_sum f3h
         end bbh",
    );
    // The list of the 1.37 client, which the codec passes through.
    asked("ff02918201f33b", "set antennas\noption 82h\nport 1");
}

#[test]
fn what_is_not_a_frame_is_refused_with_the_reason() {
    let refused = |hex: &str| match describe(&bytes(hex), Direction::FromReader, clock::now()) {
        Err(Undecodable::Frame(reason)) => *reason.downcast::<FrameError>().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("ff0b2204008810001b001001000000fd"), FrameError::Truncated);
    assert_eq!(refused("0100031d0c"), FrameError::Start);
    assert!(matches!(refused("ff00970000779f"), FrameError::Check { .. }));
}

#[test]
fn an_intact_frame_that_contradicts_itself_has_no_meaning() {
    // A record that announces an EPC of 24 bits, less than control word and check.
    let frame = crate::protocol::mercury::codec::Reply::Done {
        opcode: 0x22,
        data: crate::codec::Opaque(&[0x10, 0, 0x1B, 0, 0, 1, 0, 0x18, 1, 2, 3]),
    }
    .emit();
    let result = describe(frame.as_ref(), Direction::FromReader, clock::now());
    assert!(matches!(result, Err(Undecodable::Meaning(_))), "{result:?}");
}

proptest! {
    #[test]
    fn any_intact_frame_is_described_to_its_last_byte(
        opcode in prop_oneof![
            Just(0x21u8), Just(0x22), Just(0x29), Just(0x2F), Just(0x61), Just(0x6C), Just(0x91),
            Just(0xAA), any::<u8>()
        ],
        status in prop_oneof![Just(0u16), Just(0x0400), Just(0x7F01), any::<u16>()],
        data in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            (any::<u16>(), 0u8..3, proptest::collection::vec(any::<u8>(), 0..60)).prop_map(
                |(flags, kind, rest)| {
                    let [high, low] = (flags & 0x3FFF).to_be_bytes();
                    [vec![0x10, flags.to_be_bytes()[0] & 1, 0x3B, high, low, kind], rest].concat()
                }
            ),
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
                |(flags, rest)| [vec![0x00, flags, 0x00, 0x01], rest].concat()
            ),
        ],
    ) {
        use crate::codec::Opaque;
        use crate::protocol::mercury::codec::{Command, Reply, Status};
        let data = Opaque(&data);
        let frames = [
            (Command::Other { opcode, data }.emit(), Direction::FromHost),
            (Reply::Refused { opcode, status: Status(status), data }.emit(), Direction::FromReader),
        ];
        for (frame, direction) in frames {
            let frame = frame.as_ref();
            match describe(frame, direction, clock::now()) {
                Ok(description) => {
                    let covered: usize =
                        description.fields.iter().map(|field| field.bytes.len()).sum();
                    prop_assert_eq!(covered, frame.len());
                    prop_assert_eq!(description.fields.last().unwrap().name, "check");
                }
                // Only the record of a tag can contradict itself.
                Err(error) => prop_assert!(opcode == 0x22, "{error:?}"),
            }
        }
    }

    #[test]
    fn byte_soup_never_panics(soup in proptest::collection::vec(any::<u8>(), 0..300)) {
        for direction in [Direction::FromHost, Direction::FromReader] {
            let described = describe(&soup, direction, clock::now());
            prop_assert!(described.is_err() || !soup.is_empty());
        }
    }
}
