//! The noise bar: 10,000 frames of each kind of reader over each kind of bad line. Every frame that
//! arrives intact is delivered, and nothing else is taken for a tag.
//!
//! The frames come from the emulators, back to back, which is the hardest case: no silence ever shows
//! that a false header was one. A new kind of bad line goes into [`LINES`].

#![expect(clippy::print_stdout, reason = "what was measured is part of the result")]

use std::time::Instant;

use rfid_driver::TagRead;
use rfid_driver::codec::{Direction, FrameBuf};
use rfid_driver::deframe::Deframe;
use rfid_driver::emulator::wire::{Fate, Wire, WireFaults};

mod common;

use common::Kind;

const FRAMES: usize = 10_000;

const LINES: [(&str, WireFaults); 8] = [
    ("a good line", WireFaults::NONE),
    ("junk between frames", WireFaults { junk_share: 0.5, ..WireFaults::NONE }),
    ("false headers before frames", WireFaults { false_header_share: 0.5, ..WireFaults::NONE }),
    ("bytes lost", WireFaults { lost_byte_share: 1e-3, ..WireFaults::NONE }),
    ("bits flipped at 1e-4", WireFaults { flipped_bit_share: 1e-4, ..WireFaults::NONE }),
    ("bits flipped at 1e-3", WireFaults { flipped_bit_share: 1e-3, ..WireFaults::NONE }),
    ("fragments of 1 to 7 bytes", WireFaults { fragment_len_max: Some(7), ..WireFaults::NONE }),
    (
        "all of it",
        WireFaults {
            junk_share: 0.1,
            false_header_share: 0.1,
            lost_byte_share: 2e-4,
            flipped_bit_share: 2e-5,
            fragment_len_max: Some(7),
        },
    ),
];

/// What came out of the line.
#[derive(Debug, Default)]
struct Outcome {
    intact: usize,
    delivered: usize,
    missed: usize,
    false_tags: usize,
}

#[test]
fn no_intact_frame_is_lost_and_no_noise_becomes_a_tag() {
    for kind in common::kinds() {
        let frames = kind.tag_frames(FRAMES);
        for (seed, (what, faults)) in (1..).zip(LINES) {
            let outcome = carry(kind, &frames, faults, seed);
            println!("{:<14} {what:<28} {outcome:?}", kind.name());
            assert_eq!(outcome.missed, 0, "{}, {what}: intact frames were lost", kind.name());
            assert_eq!(outcome.false_tags, 0, "{}, {what}: noise became a tag", kind.name());
            assert_eq!(outcome.delivered, outcome.intact);
            assert!(outcome.intact > FRAMES / 10, "{what}: hardly a frame arrived intact");
        }
    }
}

/// Sends all frames over one bad line and compares what comes out with what arrived intact.
fn carry(kind: Kind, frames: &[FrameBuf], faults: WireFaults, seed: u64) -> Outcome {
    let mut wire = Wire::new(faults, seed);
    let mut line = Vec::new();
    let mut intact = Vec::new();
    for frame in frames {
        if wire.carry(frame.as_ref(), &mut line) == Fate::Intact {
            intact.push(frame.as_ref());
        }
    }
    let mut deframer = kind.protocol.deframer(Direction::FromReader);
    let mut outcome = Outcome { intact: intact.len(), ..Outcome::default() };
    let mut expected = intact.into_iter().peekable();
    let at = common::instant();
    let mut rest = &line[..];
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(wire.fragment(rest.len()));
        rest = behind;
        let mut piece = piece;
        while !piece.is_empty() {
            piece = deframer.push(piece);
            compare(kind, deframer.as_mut(), &mut expected, &mut outcome, at);
        }
    }
    deframer.handle_silence();
    compare(kind, deframer.as_mut(), &mut expected, &mut outcome, at);
    outcome.missed += expected.count();
    outcome
}

fn compare<'f>(
    kind: Kind,
    deframer: &mut dyn Deframe,
    expected: &mut std::iter::Peekable<impl Iterator<Item = &'f [u8]> + Clone>,
    outcome: &mut Outcome,
    at: Instant,
) {
    while let Some(frame) = deframer.next_frame() {
        // A frame that is not the next one expected may stand for a later one: those between were
        // missed. Otherwise it came out of noise.
        match expected.clone().take(100).position(|intact| intact == frame) {
            Some(skipped) => {
                outcome.delivered += 1;
                outcome.missed += skipped;
                expected.nth(skipped);
            }
            None => outcome.false_tags += tags(kind, frame, at).len(),
        }
    }
}

fn tags(kind: Kind, frame: &[u8], at: Instant) -> Vec<TagRead> {
    match kind.protocol.describe(frame, Direction::FromReader, at) {
        Ok(description) => description.tags,
        Err(_without_meaning) => Vec::new(),
    }
}
