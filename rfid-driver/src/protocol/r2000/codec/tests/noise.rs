//! What of pure noise is taken for a frame, with the check alone and with the meaning demanded.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::super::{Command, Frame, FreqAnt, FromHost, FromReader, Reply, TagReport, opcode};
use crate::codec::{Cut, Direction, FrameBuf, Framing, Opaque};
use crate::deframe::Deframer;
use crate::emulator::wire::{Fate, Wire, WireFaults};

const CANDIDATES: u32 = 1_500_000;

/// How many of a million frames whose start, length and check are right by chance also mean
/// something.
fn that_mean_something(direction: Direction) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut accepted = 0;
    for _ in 0..CANDIDATES {
        let len = rng.random_range(3..=u8::MAX);
        let mut bytes = vec![0xA0, len];
        bytes.extend((1..len).map(|_| rng.random::<u8>()));
        let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        bytes.push(sum.wrapping_neg());
        let frame = Frame::new_checked(&bytes, direction).expect("it was built right");
        let means_something = match direction {
            Direction::FromHost => Command::parse(frame).is_ok(),
            Direction::FromReader => Reply::parse(frame).is_ok(),
        };
        accepted += u32::from(means_something);
    }
    f64::from(accepted) / f64::from(CANDIDATES) * 1e6
}

/// Frames that the check alone would accept in a stream of noise, and those that are accepted.
fn in_a_stream<F: Framing>(noise: &[u8], direction: Direction) -> (usize, usize) {
    let accepted = |at: usize| matches!(F::cut(&noise[at..]), Cut::Frame { .. });
    let sums = |at: usize| {
        let claimed = usize::from(noise[at + 1]) + 2;
        Frame::new_checked(&noise[at..at + claimed], direction).is_ok()
    };
    let starts = || (0..noise.len() - 300).filter(|&at| noise[at] == 0xA0);
    (starts().filter(|&at| sums(at)).count(), starts().filter(|&at| accepted(at)).count())
}

#[test]
#[expect(clippy::print_stderr, reason = "the measured figure is what this test is for")]
fn noise_is_taken_for_a_frame_a_thousand_times_less_often_than_by_its_check() {
    // Of the frames of one kind, the check accepts these per byte of noise: a start, a length, a sum.
    let by_check_per_gigabyte = 1e9 / 256.0 * (253.0 / 256.0) / 256.0;
    for (direction, per_million_most) in
        [(Direction::FromReader, 500.0), (Direction::FromHost, 2500.0)]
    {
        let per_million = that_mean_something(direction);
        eprintln!(
            "{direction:?}: of 10^9 bytes of noise the check alone accepts {by_check_per_gigabyte:.0} \
             frames, with meaning {:.1}",
            by_check_per_gigabyte * per_million / 1e6
        );
        assert!(per_million < per_million_most, "{per_million} of a million mean something");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "the measured figure is what this test is for")]
fn a_stream_of_noise_holds_no_frame_where_its_check_sees_a_hundred() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let noise: Vec<u8> = (0..8_000_000).map(|_| rng.random()).collect();
    let (by_check, accepted) = in_a_stream::<FromReader>(&noise, Direction::FromReader);
    eprintln!("8 MB of noise from a reader: by the check {by_check} frames, accepted {accepted}");
    assert!(by_check > 100 && accepted <= 1, "{by_check} by the check, {accepted} accepted");
    let (by_check, accepted) = in_a_stream::<FromHost>(&noise, Direction::FromHost);
    eprintln!("8 MB of noise from a host: by the check {by_check} frames, accepted {accepted}");
    assert!(by_check > 100 && accepted <= 2, "{by_check} by the check, {accepted} accepted");
}

const FRAMES: u32 = 10_000;

/// The report of another tag each time.
fn report(rng: &mut ChaCha8Rng) -> FrameBuf {
    let epc: [u8; 12] = rng.random();
    Reply::Tag(TagReport {
        opcode: opcode::REAL_TIME,
        freq_ant: FreqAnt(rng.random()),
        pc: 0x3000,
        epc: Opaque(&epc),
        rssi: rng.random_range(31..99),
        phase: None,
    })
    .emit(1)
}

/// Sends reports over a bad line: how many intact ones are not delivered, and how many are
/// delivered that were never sent.
fn lost_and_false(faults: WireFaults) -> (usize, usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut wire = Wire::new(faults, 4);
    let (mut stream, mut sent, mut intact) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..FRAMES {
        let frame = report(&mut rng).as_ref().to_vec();
        if wire.carry(&frame, &mut stream) == Fate::Intact {
            intact.push(frame.clone());
        }
        sent.push(frame);
    }
    let mut deframer = Deframer::<FromReader>::new();
    let mut delivered = std::collections::HashSet::new();
    let mut rest = &stream[..];
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(wire.fragment(rest.len().min(64)));
        assert!(deframer.push(piece).is_empty());
        while let Some(frame) = deframer.next_frame() {
            delivered.insert(frame.to_vec());
        }
        rest = behind;
    }
    deframer.handle_silence();
    while let Some(frame) = deframer.next_frame() {
        delivered.insert(frame.to_vec());
    }
    let lost = intact.iter().filter(|frame| !delivered.contains(*frame)).count();
    let sent: std::collections::HashSet<_> = sent.into_iter().collect();
    (lost, delivered.difference(&sent).count())
}

#[test]
#[expect(clippy::print_stderr, reason = "the measured figure is what this test is for")]
fn a_bad_line_loses_no_intact_report_and_makes_few_up() {
    let none = WireFaults::NONE;
    for (name, faults, lost_most, false_most) in [
        ("junk between frames", WireFaults { junk_share: 0.5, ..none }, 0, 0),
        ("false headers", WireFaults { false_header_share: 0.5, ..none }, 0, 0),
        ("one byte of 500 lost", WireFaults { lost_byte_share: 0.002, ..none }, 0, 4),
        ("one bit of 10,000 flipped", WireFaults { flipped_bit_share: 1e-4, ..none }, 0, 0),
        ("one bit of 1,000 flipped", WireFaults { flipped_bit_share: 1e-3, ..none }, 0, 4),
        ("fragments", WireFaults { fragment_len_max: Some(7), ..none }, 0, 0),
        (
            "everything in fragments",
            WireFaults {
                junk_share: 0.1,
                false_header_share: 0.1,
                lost_byte_share: 0.002,
                flipped_bit_share: 1e-4,
                fragment_len_max: Some(7),
            },
            // A frame whose last byte is lost, right by chance about the next one's first, when that
            // has not come further yet.
            4,
            6,
        ),
    ] {
        let (lost, false_reports) = lost_and_false(faults);
        eprintln!("{FRAMES} reports, {name}: {lost} intact lost, {false_reports} made up");
        assert!(lost <= lost_most && false_reports <= false_most, "{name}");
    }
}
