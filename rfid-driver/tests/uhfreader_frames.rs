//! The collection of frames from real readers and clients: every good `UHFReader` frame is understood
//! and built again byte for byte, and described; every broken one is refused with the reason.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use rfid_driver::codec::Direction;
use rfid_driver::protocol;
use rfid_driver::protocol::uhfreader::codec::{Command, Frame, FrameError, Reply};

const FRAMES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/rfid/reader-frames.tsv");

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The frame's bytes after a parse and an emit.
fn again(bytes: &[u8], direction: Direction) -> Result<Vec<u8>, FrameError> {
    let frame = Frame::new_checked(bytes, direction)?;
    let emitted = match direction {
        Direction::FromHost => Command::parse(frame).unwrap().emit(frame.address()),
        Direction::FromReader => Reply::parse(frame).unwrap().emit(frame.address()),
    };
    Ok(emitted.as_ref().to_vec())
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn all_uhfreader_frames_of_the_collection_decode_and_encode() {
    if !Path::new(FRAMES).exists() {
        eprintln!("skipped: the collection of frames is not here");
        return;
    }
    let table = std::fs::read_to_string(FRAMES).unwrap();
    let protocol = protocol::by_name("uhfreader").unwrap();
    let at = std::time::Instant::now();
    let (mut good, mut reasons) = (0, Vec::new());
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let ["uhfreader", direction, hex, meaning, _source, check] = columns[..] else { continue };
        let direction = match direction {
            "H>R" => Direction::FromHost,
            "R>H" => Direction::FromReader,
            other => panic!("direction {other} of {meaning}"),
        };
        let bytes = bytes(hex);
        match check {
            "ok" => {
                good += 1;
                assert_eq!(again(&bytes, direction).as_ref(), Ok(&bytes), "{meaning}");
                let description = protocol.describe(&bytes, direction, at).unwrap();
                let described: usize =
                    description.fields.iter().map(|field| field.bytes.len()).sum();
                assert_eq!(described, bytes.len(), "{meaning}");
                // A reply to another operation than an inventory lists no tags, whatever it holds.
                let has_tag = meaning.contains("tag")
                    && !meaning.contains("no tag")
                    && !meaning.contains(" 0 tags")
                    && direction == Direction::FromReader
                    || meaning.contains("RSSI");
                assert_eq!(!description.tags.is_empty(), has_tag, "{meaning}");
            }
            "BAD" => {
                reasons.push(again(&bytes, direction).unwrap_err());
                assert!(protocol.describe(&bytes, direction, at).is_err(), "{meaning}");
            }
            other => panic!("check {other} of {meaning}"),
        }
    }
    assert!(good >= 27, "the collection has {good} good frames");
    assert_eq!(
        reasons,
        [
            FrameError::Check { found: 0xA6B1, computed: 0xA5B1 },
            FrameError::Truncated,
            FrameError::Truncated,
        ]
    );
}
