//! The collection of messages from real LLRP readers and clients: each is understood, built again
//! byte for byte, and described to its last byte.

#![cfg(feature = "llrp")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::time::Instant;

use rfid_driver::codec::Direction;
use rfid_driver::protocol::llrp::codec::{Frame, Message, MessageKind, tag_reports};
use rfid_driver::protocol::{self, Protocol};

const FRAMES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/rfid/reader-frames.tsv");

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The message after a parse and an emit, and how many tags it reports.
fn again(bytes: &[u8]) -> (Vec<u8>, usize) {
    let frame = Frame::new_checked(bytes).unwrap();
    let message = Message::parse(frame).unwrap();
    let emitted = message.emit(frame.version(), frame.id());
    let Message::Parameters { kind: MessageKind::RO_ACCESS_REPORT, parameters } = message else {
        return (emitted.as_ref().to_vec(), 0);
    };
    // Reports of one tag are built from what they mean, not from their bytes.
    let reports: Vec<_> = tag_reports(parameters).map(Result::unwrap).collect();
    if let [report] = &reports[..] {
        let emitted = report.emit(frame.version(), frame.id());
        return (emitted.as_ref().to_vec(), 1);
    }
    (emitted.as_ref().to_vec(), reports.len())
}

/// How many tags the description of a message holds; its fields cover every byte, in order.
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn described(llrp: &dyn Protocol, bytes: &[u8], direction: Direction) -> usize {
    let description = llrp.describe(bytes, direction, Instant::now()).unwrap();
    let mut at = 0;
    for field in &description.fields {
        assert_eq!(field.bytes.start, at, "{}", field.name);
        at = field.bytes.end;
    }
    assert_eq!(at, bytes.len(), "{description:?}");
    description.tags.len()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn all_llrp_messages_of_the_collection_decode_and_encode() {
    if !Path::new(FRAMES).exists() {
        eprintln!("skipped: the collection of frames is not here");
        return;
    }
    let llrp = protocol::by_name("llrp").unwrap();
    let table = std::fs::read_to_string(FRAMES).unwrap();
    let (mut messages, mut tags) = (0, 0);
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let ["llrp", direction, hex, meaning, _source, check] = columns[..] else { continue };
        let direction = match direction {
            "H>R" => Direction::FromHost,
            "R>H" => Direction::FromReader,
            other => panic!("direction {other} of {meaning}"),
        };
        assert_eq!(check, "ok", "{meaning}");
        let bytes = bytes(hex);
        let (emitted, reported) = again(&bytes);
        assert_eq!(emitted, bytes, "{meaning}");
        assert_eq!(described(llrp, &bytes, direction), reported, "{meaning}");
        messages += 1;
        tags += reported;
    }
    assert!(messages >= 56 && tags >= 38, "the collection has {messages} messages, {tags} tags");
}
