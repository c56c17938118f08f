//! What of pure noise is taken for a frame, with the check alone and with the meaning demanded.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::super::{Command, Frame, FromHost, FromReader, Reply};
use crate::codec::{Cut, Direction, Framing};

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
