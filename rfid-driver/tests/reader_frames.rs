//! The collection of frames from real readers and clients: every good Mercury frame is understood
//! and built again byte for byte, every broken one is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use rfid_driver::codec::Direction;
use rfid_driver::protocol::mercury::codec::{Command, Frame, Reply};

const FRAMES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/rfid/reader-frames.tsv");

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The frame's bytes after a parse and an emit; `None` where it is no frame.
fn again(bytes: &[u8], direction: Direction) -> Option<Vec<u8>> {
    let frame = Frame::new_checked(bytes, direction).ok()?;
    let emitted = match direction {
        Direction::FromHost => Command::parse(frame).ok()?.emit(),
        Direction::FromReader => Reply::parse(frame).ok()?.emit(),
    };
    Some(emitted.as_ref().to_vec())
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn all_mercury_frames_of_the_collection_decode_and_encode() {
    if !Path::new(FRAMES).exists() {
        eprintln!("skipped: the collection of frames is not here");
        return;
    }
    let table = std::fs::read_to_string(FRAMES).unwrap();
    let (mut good, mut bad) = (0, 0);
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let ["mercury", direction, hex, meaning, _source, check] = columns[..] else { continue };
        let direction = match direction {
            "H>R" => Direction::FromHost,
            "R>H" => Direction::FromReader,
            other => panic!("direction {other} of {meaning}"),
        };
        let bytes = bytes(hex);
        match check {
            "ok" => {
                good += 1;
                assert_eq!(again(&bytes, direction).as_ref(), Some(&bytes), "{meaning}");
            }
            "BAD" => {
                bad += 1;
                assert_eq!(again(&bytes, direction), None, "{meaning}");
            }
            other => panic!("check {other} of {meaning}"),
        }
    }
    assert!(good >= 51 && bad >= 2, "the collection has {good} good and {bad} bad frames");
}
