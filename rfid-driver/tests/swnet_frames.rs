//! The collection of frames: every SW-net frame is understood, built again byte for byte, and found
//! in a stream; and nothing pretends to be such a reader.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::time::Instant;

use rfid_driver::codec::{Cut, Direction, Framing as _};
use rfid_driver::emulator::EmulatorSettings;
use rfid_driver::protocol::by_name;
use rfid_driver::protocol::swnet::codec::{Command, Frame, FromHost, FromReader, Reply};
use rfid_driver::session::ReaderSettings;

const FRAMES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/rfid/reader-frames.tsv");

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[expect(clippy::disallowed_methods, reason = "tags are stamped; nothing here waits")]
fn all_swnet_frames_of_the_collection_decode_and_encode() {
    if !Path::new(FRAMES).exists() {
        eprintln!("skipped: the collection of frames is not here");
        return;
    }
    let table = std::fs::read_to_string(FRAMES).unwrap();
    let protocol = by_name("swnet").unwrap();
    let at = Instant::now();
    let (mut good, mut tags) = (0, 0);
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let ["swnet", direction, hex, meaning, _source, "ok"] = columns[..] else {
            assert!(columns.first() != Some(&"swnet"), "none of them is broken");
            continue;
        };
        let bytes = bytes(hex);
        let direction =
            if direction == "H>R" { Direction::FromHost } else { Direction::FromReader };
        let frame = Frame::new_checked(&bytes, direction).unwrap();
        let (again, cut) = match direction {
            Direction::FromHost => {
                let command = Command::parse(frame).unwrap();
                assert!(!matches!(command, Command::Other { .. }), "{meaning}");
                (command.emit(frame.address()), FromHost::cut(&bytes))
            }
            Direction::FromReader => {
                let reply = Reply::parse(frame).unwrap();
                assert!(!matches!(reply, Reply::Done { .. }), "{meaning}");
                (reply.emit(frame.address()), FromReader::cut(&bytes))
            }
        };
        assert_eq!(
            (again.as_ref(), cut),
            (&bytes[..], Cut::Frame { len: bytes.len() }),
            "{meaning}"
        );
        let description = protocol.describe(&bytes, direction, at).unwrap();
        let described: Vec<_> =
            description.fields.iter().flat_map(|field| field.bytes.clone()).collect();
        assert_eq!(described, (0..bytes.len()).collect::<Vec<_>>(), "{meaning}");
        good += 1;
        tags += description.tags.len();
    }
    assert_eq!((good, tags), (13, 5));
}

#[test]
fn it_only_decodes() {
    let protocol = by_name("swnet").unwrap();
    assert_eq!(
        protocol.session(&ReaderSettings::default()).unwrap_err().to_string(),
        "swnet has no session at all; it can have its frames decoded"
    );
    assert!(protocol.emulator(&EmulatorSettings::default()).is_err());
}
