//! A bad line between a reader and its host: what it does to the frames that it carries.
//!
//! It knows nothing of any protocol. A *false header* is the beginning of the frame that went over
//! the line before, cut off. Everything is drawn from a seed, and the line says of each frame
//! whether it arrived as it was sent, so that a test can demand exactly those.

mod uart;

pub use uart::hear;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Bytes of a false header, at most.
const FALSE_HEADER_LEN_MAX: usize = 4;
/// Bytes of junk, at most.
const JUNK_LEN_MAX: usize = 8;

/// How often what goes wrong. Shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WireFaults {
    /// Of frames that come after bytes of junk.
    pub junk_share: f64,
    /// Of frames that come after a false header.
    pub false_header_share: f64,
    /// Of bytes that do not arrive.
    pub lost_byte_share: f64,
    /// Of bits that arrive as their opposite.
    pub flipped_bit_share: f64,
    /// The most bytes that arrive together; `None` for whole frames.
    pub fragment_len_max: Option<usize>,
}

impl WireFaults {
    /// A line without fault.
    pub const NONE: Self = Self {
        junk_share: 0.0,
        false_header_share: 0.0,
        lost_byte_share: 0.0,
        flipped_bit_share: 0.0,
        fragment_len_max: None,
    };
}

fn flipped_bits(rng: &mut ChaCha8Rng, share: f64) -> u8 {
    if share == 0.0 {
        return 0;
    }
    (0..u8::BITS).filter(|_| rng.random_bool(share)).fold(0, |bits, bit| bits | 1 << bit)
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// All its bytes arrive as they were sent, one after the other.
    Intact,
    /// They do not.
    Damaged,
}

/// The line.
#[derive(Debug)]
pub struct Wire {
    faults: WireFaults,
    rng: ChaCha8Rng,
    frame_before: Vec<u8>,
}

impl Wire {
    /// A line with these faults.
    #[must_use]
    pub fn new(faults: WireFaults, seed: u64) -> Self {
        Self { faults, rng: ChaCha8Rng::seed_from_u64(seed), frame_before: Vec::new() }
    }

    /// Makes the line better or worse from now on.
    pub fn set_faults(&mut self, faults: WireFaults) {
        self.faults = faults;
    }

    /// Appends to `arriving` what arrives when `frame` is sent.
    pub fn carry(&mut self, frame: &[u8], arriving: &mut Vec<u8>) -> Fate {
        let Self { faults, rng, frame_before } = self;
        if rng.random_bool(faults.junk_share) {
            let len = rng.random_range(1..=JUNK_LEN_MAX);
            arriving.extend((0..len).map(|_| rng.random::<u8>()));
        }
        if rng.random_bool(faults.false_header_share) && !frame_before.is_empty() {
            let len = rng.random_range(1..=FALSE_HEADER_LEN_MAX).min(frame_before.len() - 1);
            arriving.extend_from_slice(&frame_before[..len]);
        }
        let mut fate = Fate::Intact;
        for &byte in frame {
            if rng.random_bool(faults.lost_byte_share) {
                fate = Fate::Damaged;
                continue;
            }
            let flipped = flipped_bits(rng, faults.flipped_bit_share);
            if flipped != 0 {
                fate = Fate::Damaged;
            }
            arriving.push(byte ^ flipped);
        }
        frame_before.clear();
        frame_before.extend_from_slice(frame);
        fate
    }

    /// How many of `waiting` bytes arrive together next.
    pub fn fragment(&mut self, waiting: usize) -> usize {
        match self.faults.fragment_len_max {
            Some(most) if waiting > 1 => self.rng.random_range(1..=most.clamp(1, waiting)),
            _ => waiting,
        }
    }
}
