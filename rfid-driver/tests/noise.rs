//! The noise bar: 10,000 frames of each kind of reader over each kind of bad line. Every frame that
//! arrives intact is delivered, and nothing else is taken for a tag.
//!
//! The frames come from the emulators, back to back, which is the hardest case: no silence ever shows
//! that a false header was one. A new kind of bad line goes into [`LINES`].
//!
//! Two things no deframer can tell. Where the last byte of a frame is lost and was the same as the
//! first of the next one, the bytes are those of a whole frame and one without its first byte: the
//! frames count as delivered and damaged that way round. And two flipped bits that leave an 8-bit
//! sum as it was make another frame: how often is measured, and bounded for the protocol that has
//! nothing better ([`false_tags_max`]).

#![expect(clippy::print_stdout, reason = "what was measured is part of the result")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rfid_driver::codec::{Direction, FrameBuf};
use rfid_driver::deframe::Deframe;
use rfid_driver::emulator::TransmitKind;
use rfid_driver::emulator::memory::{MemoryLine, numbered_tag};
use rfid_driver::emulator::wire::{Fate, Wire, WireFaults};
use rfid_driver::session::SessionEvent;
use rfid_driver::{Epc, TagRead};

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
            let false_tags_max = false_tags_max(kind);
            assert!(outcome.false_tags <= false_tags_max, "{}, {what}: false tags", kind.name());
            assert!(outcome.intact > FRAMES / 10, "{what}: hardly a frame arrived intact");
        }
    }
}

/// The false tags among 10,000 reports that are put up with. R2000 has only a sum of eight bits and
/// sends no check of the tag's own.
fn false_tags_max(kind: Kind) -> usize {
    match kind.protocol.name() {
        "r2000" => FRAMES / 1000,
        _ => 0,
    }
}

/// A frame that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent<'f> {
    frame: &'f [u8],
    fate: Fate,
}

/// Sends all frames over one bad line and compares what comes out with what arrived intact.
fn carry(kind: Kind, frames: &[FrameBuf], faults: WireFaults, seed: u64) -> Outcome {
    let mut wire = Wire::new(faults, seed);
    let mut line = Vec::new();
    let mut sent = Vec::new();
    for frame in frames {
        let frame = frame.as_ref();
        sent.push(Sent { frame, fate: wire.carry(frame, &mut line) });
    }
    let mut deframer = kind.protocol.deframer(Direction::FromReader);
    let intact = sent.iter().filter(|sent| sent.fate == Fate::Intact).count();
    let mut outcome = Outcome { intact, ..Outcome::default() };
    let mut expected = Expected { sent: &sent, first_may_be_missing: false };
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
    outcome.missed += expected.missed(expected.sent.len());
    outcome
}

/// What has not come out yet.
struct Expected<'s> {
    sent: &'s [Sent<'s>],
    /// The frame before it was delivered with this one's first byte for its own last.
    first_may_be_missing: bool,
}

impl Expected<'_> {
    /// How many intact frames are among the next `count`.
    fn missed(&self, count: usize) -> usize {
        let from = usize::from(self.first_may_be_missing).min(count);
        self.sent[from..count].iter().filter(|sent| sent.fate == Fate::Intact).count()
    }
}

fn compare(
    kind: Kind,
    deframer: &mut dyn Deframe,
    expected: &mut Expected<'_>,
    outcome: &mut Outcome,
    at: Instant,
) {
    while let Some(frame) = deframer.next_frame() {
        // The same report may have been sent several times: it stands for the one that leaves the
        // fewest behind, rather for an intact one.
        let same =
            expected.sent.iter().take(100).enumerate().filter(|(_, sent)| sent.frame == frame);
        let fewest_missed = |&(index, sent): &(usize, &Sent<'_>)| {
            (expected.missed(index), sent.fate == Fate::Damaged)
        };
        let Some((at_index, _)) = same.min_by_key(fewest_missed) else {
            // Not all that comes out is one of ours; what matters is whether it says "tag".
            outcome.false_tags += tags(kind, frame, at).len();
            continue;
        };
        outcome.missed += expected.missed(at_index);
        outcome.delivered += 1;
        let (delivered, behind) = (expected.sent[at_index], &expected.sent[at_index + 1..]);
        expected.first_may_be_missing = delivered.fate == Fate::Damaged
            && behind.first().is_some_and(|next| next.frame.first() == frame.last());
        expected.sent = behind;
    }
}

fn tags(kind: Kind, frame: &[u8], at: Instant) -> Vec<TagRead> {
    match kind.protocol.describe(frame, Direction::FromReader, at) {
        Ok(description) => description.tags,
        Err(_without_meaning) => Vec::new(),
    }
}

/// How often a tag was sent and reported.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    sent: u32,
    arrived_intact: u32,
    reported: u32,
}

/// The whole conversation on a bad line: what arrives intact while the session reads is reported.
/// (A damaged report may be reported too: two flipped bits can leave an 8-bit sum and the EPC as
/// they were.)
#[test]
fn a_session_on_a_bad_line_reports_every_tag_that_arrives_intact() {
    let faults = WireFaults {
        junk_share: 0.05,
        false_header_share: 0.05,
        lost_byte_share: 2e-4,
        flipped_bit_share: 2e-5,
        fragment_len_max: Some(7),
    };
    for kind in common::kinds() {
        let mut line = kind.reading(9);
        line.set_faults(faults);
        let mut counts: BTreeMap<Epc, Count> = BTreeMap::new();
        for serial in 0..600 {
            line.set_field(&[numbered_tag(2 * serial), numbered_tag(2 * serial + 1)]);
            line.pass(Duration::from_millis(100));
            take(kind, &mut line, &mut counts);
        }
        // What is still on the line arrives.
        line.set_field(&[]);
        line.pass(Duration::from_secs(1));
        take(kind, &mut line, &mut counts);
        let reported: u32 = counts.values().map(|count| count.reported).sum();
        println!("{:<16} {reported} tags reported", kind.name());
        assert!(reported > 1000, "{}: hardly reads", kind.name());
        for count in counts.values() {
            let range = count.arrived_intact..=count.sent;
            assert!(range.contains(&count.reported), "{}: {count:?}", kind.name());
        }
    }
}

fn take(kind: Kind, line: &mut MemoryLine, counts: &mut BTreeMap<Epc, Count>) {
    while let Some(sent) = line.poll_sent() {
        if sent.kind == TransmitKind::Tag {
            for tag in tags(kind, sent.frame.as_ref(), common::instant()) {
                let count = counts.entry(tag.epc).or_default();
                count.sent += 1;
                count.arrived_intact += u32::from(sent.fate == Fate::Intact);
            }
        }
    }
    while let Some(event) = line.poll_event() {
        if let SessionEvent::Tag(read) = event {
            counts.entry(read.epc).or_default().reported += 1;
        }
    }
}
