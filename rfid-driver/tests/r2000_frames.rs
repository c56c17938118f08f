//! The collection of frames from real readers and clients: every good R2000 frame is understood,
//! described and built again byte for byte, every broken one is refused for its check.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::time::Instant;

use rfid_driver::codec::{Direction, Undecodable, Value};
use rfid_driver::protocol::r2000::codec::{Command, Frame, FrameError, Reply};
use rfid_driver::protocol::{self};

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

fn some_instant() -> Instant {
    // Any will do; `describe` only copies it.
    #[expect(clippy::disallowed_methods, reason = "a test stamps nothing that is compared")]
    Instant::now()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn all_r2000_frames_of_the_collection_decode_and_encode() {
    if !Path::new(FRAMES).exists() {
        eprintln!("skipped: the collection of frames is not here");
        return;
    }
    let r2000 = protocol::by_name("r2000").unwrap();
    let table = std::fs::read_to_string(FRAMES).unwrap();
    let (mut good, mut bad, mut tags) = (0, 0, 0);
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let ["r2000", direction, hex, meaning, _source, check] = columns[..] else { continue };
        let direction = match direction {
            "H>R" => Direction::FromHost,
            "R>H" => Direction::FromReader,
            other => panic!("direction {other} of {meaning}"),
        };
        let bytes = bytes(hex);
        let described = r2000.describe(&bytes, direction, some_instant());
        match check {
            "ok" => {
                good += 1;
                assert_eq!(again(&bytes, direction).as_ref(), Ok(&bytes), "{meaning}");
                let described = described.unwrap();
                let covered: usize = described.fields.iter().map(|field| field.bytes.len()).sum();
                assert_eq!(covered, bytes.len(), "{meaning}: every byte is described once");
                tags += described.tags.len();
                assert!(
                    !described.fields.iter().any(|field| matches!(
                        (field.name, &field.value),
                        ("data", Value::Bytes(_))
                    )) || direction == Direction::FromHost,
                    "{meaning}: a reply without a name for its parts"
                );
            }
            "BAD" => {
                bad += 1;
                assert!(
                    matches!(again(&bytes, direction), Err(FrameError::Check { .. })),
                    "{meaning}"
                );
                assert!(matches!(described, Err(Undecodable::Frame(_))), "{meaning}");
            }
            other => panic!("check {other} of {meaning}"),
        }
    }
    assert!(
        good >= 15 && bad >= 3 && tags >= 5,
        "the collection has {good} good and {bad} bad frames with {tags} tags"
    );
}
