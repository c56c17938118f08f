//! The collection of frames from manuals and real modules: every good YRM100 and R200 frame is
//! understood, built again byte for byte, and found in a stream; every broken one is refused for
//! what is wrong with it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::time::{Duration, Instant};

use rfid_driver::codec::{Cut, Direction, Framing as _};
use rfid_driver::emulator::EmulatorSettings;
use rfid_driver::protocol::yrm100::Yrm100;
use rfid_driver::protocol::yrm100::codec::{
    Command, Frame, FrameError, FromHost, FromReader, Reply,
};
use rfid_driver::protocol::{Protocol as _, by_name};

const FRAMES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/rfid/reader-frames.tsv");

/// What is wrong with the broken frames.
const BROKEN: [(&str, FrameError); 4] = [
    // A password with a misprint: its sum is that of 0000ffff.
    ("bb006500040000ff70677e", FrameError::Sum { found: 0x67, computed: 0xD8 }),
    // Without its length.
    ("bb000d000d7e", FrameError::Truncated),
    // Marked as a command.
    ("bb00220011c9340030751feb705c5904e3d50d703a76ef7e", FrameError::Kind { code: 0 }),
    ("bb01ff0001100a7e", FrameError::Sum { found: 0x0A, computed: 0x11 }),
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn check_good(bytes: &[u8], direction: Direction, at: Instant, meaning: &str) {
    let frame = Frame::new_checked(bytes, direction).unwrap();
    let (again, cut, other) = match direction {
        Direction::FromHost => {
            let command = Command::parse(frame).unwrap();
            let other = matches!(command, Command::Other { .. });
            (command.emit(frame.marks()), FromHost::cut(bytes), other)
        }
        Direction::FromReader => {
            let reply = Reply::parse(frame).unwrap();
            let other = matches!(reply, Reply::Other { .. });
            (reply.emit(frame.marks()), FromReader::cut(bytes), other)
        }
    };
    assert_eq!(again.as_ref(), bytes, "{meaning}");
    assert_eq!(cut, Cut::Frame { len: bytes.len() }, "{meaning}");
    assert!(!other, "{meaning} is in the manual");
    let description = Yrm100.describe(bytes, direction, at).unwrap();
    let described: Vec<_> =
        description.fields.iter().flat_map(|field| field.bytes.clone()).collect();
    assert_eq!(described, (0..bytes.len()).collect::<Vec<_>>(), "{meaning}");
    let reports_tag = bytes[1] == 2;
    assert_eq!(description.tags.len(), usize::from(reports_tag), "{meaning}");
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[expect(clippy::disallowed_methods, reason = "tags are stamped; nothing here waits")]
fn all_yrm100_frames_of_the_collection_decode_and_encode() {
    if !Path::new(FRAMES).exists() {
        eprintln!("skipped: the collection of frames is not here");
        return;
    }
    let table = std::fs::read_to_string(FRAMES).unwrap();
    let at = Instant::now();
    let (mut good, mut bad) = (0, 0);
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let ["yrm100", direction, hex, meaning, _source, check] = columns[..] else { continue };
        let direction = match direction {
            "H>R" => Direction::FromHost,
            "R>H" => Direction::FromReader,
            other => panic!("direction {other} of {meaning}"),
        };
        match check {
            "ok" => {
                good += 1;
                check_good(&bytes(hex), direction, at, meaning);
            }
            "BAD" => {
                bad += 1;
                let (_, reason) = BROKEN.iter().find(|(broken, _)| *broken == hex).unwrap();
                assert_eq!(Frame::new_checked(&bytes(hex), direction).unwrap_err(), *reason);
                assert!(Yrm100.describe(&bytes(hex), direction, at).is_err());
            }
            other => panic!("check {other} of {meaning}"),
        }
    }
    assert!(good >= 87 && bad >= 4, "the collection has {good} good and {bad} bad frames");
}

#[test]
fn it_is_one_of_the_protocols_and_knows_its_models() {
    let protocol = by_name("yrm100").unwrap();
    assert_eq!(protocol.models(), ["yrm100", "r200"]);
    let playing = |model: &str| {
        let settings =
            EmulatorSettings { model: Some(model.to_owned()), ..EmulatorSettings::default() };
        protocol.emulator(&settings).map(|mut reader| {
            reader.handle_bytes(&bytes("bb00280000287e"), Duration::ZERO);
            reader.handle_bytes(&bytes("aa0028000028dd"), Duration::ZERO);
            reader.poll_transmit().map(|transmit| transmit.frame.as_ref()[0])
        })
    };
    assert_eq!(playing("yrm100").unwrap(), Some(0xBB));
    assert_eq!(playing("r200").unwrap(), Some(0xAA));
    assert_eq!(
        playing("m6e").unwrap_err().to_string(),
        "yrm100 has no model m6e; it can have yrm100, r200"
    );
}
