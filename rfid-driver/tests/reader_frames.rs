//! The collection of frames from real readers and clients: every good Mercury frame is understood,
//! built again byte for byte and described, every broken one is refused with the reason. It is
//! skipped, and says so, where the collection (`shared/data`) is absent.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::time::Instant;

use rfid_driver::codec::{Description, Direction, Undecodable};
use rfid_driver::protocol::Protocol as _;
use rfid_driver::protocol::mercury::Mercury;
use rfid_driver::protocol::mercury::codec::{Command, Frame, FrameError, Reply};

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

/// What a person is shown of it.
fn described(bytes: &[u8], direction: Direction) -> Result<Description, Undecodable> {
    Mercury.describe(bytes, direction, now())
}

#[expect(clippy::disallowed_methods, reason = "a description is stamped with some instant")]
fn now() -> Instant {
    Instant::now()
}

/// The tags of the collection, by the meaning that it gives their frames.
fn epc_of(meaning: &str) -> Option<&'static str> {
    [
        ("streamed tag: meta 0x01FF", "000000000000000000001545"),
        ("EPC E200322FE20DF9311328B7E3 + tag CRC D100", "E200322FE20DF9311328B7E3"),
    ]
    .into_iter()
    .find_map(|(beginning, epc)| meaning.starts_with(beginning).then_some(epc))
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn all_mercury_frames_of_the_collection_decode_and_encode() {
    if !Path::new(FRAMES).exists() {
        eprintln!("skipped: the collection of frames is not here");
        return;
    }
    let table = std::fs::read_to_string(FRAMES).unwrap();
    let (mut good, mut bad, mut tags) = (0, 0, 0);
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
                let description = described(&bytes, direction).unwrap();
                let covered: usize = description.fields.iter().map(|field| field.bytes.len()).sum();
                assert_eq!(covered, bytes.len(), "{meaning}");
                let epcs: Vec<_> =
                    description.tags.iter().map(|read| read.epc.to_string()).collect();
                assert_eq!(epcs, Vec::from_iter(epc_of(meaning)), "{meaning}");
                tags += epcs.len();
            }
            "BAD" => {
                bad += 1;
                assert_eq!(again(&bytes, direction), None, "{meaning}");
                // One is a comment without its check, the other begins in the middle of a frame.
                let wanted =
                    if bytes[0] == 0xFF { FrameError::Truncated } else { FrameError::Start };
                match described(&bytes, direction) {
                    Err(Undecodable::Frame(reason)) => {
                        assert_eq!(reason.downcast_ref(), Some(&wanted), "{meaning}");
                    }
                    other => panic!("{meaning}: {other:?}"),
                }
            }
            other => panic!("check {other} of {meaning}"),
        }
    }
    assert!(
        good >= 51 && bad >= 2 && tags == 2,
        "the collection has {good} good and {bad} bad frames, and {tags} tags"
    );
}
