//! A frame: the checked view of one, and how they lie in a stream.

use std::fmt;

use super::{Command, Reply, opcode, tag};
use crate::codec::{Cut, Direction, FrameBuf, Framing};

/// The longest frame in bytes, either way: LEN FF.
pub const LEN_MAX: usize = u8::MAX as usize + OUTSIDE_LEN;
/// The address that every reader listens to.
pub const BROADCAST: u8 = 0xFF;

const START: u8 = 0xA0;
/// The start and LEN, which LEN does not count.
const OUTSIDE_LEN: usize = 2;
/// Start, LEN, address, command.
const HEADER_LEN: usize = 4;
/// Address, command and check, which LEN counts beside the payload.
const OVERHEAD: u8 = 3;

/// Why bytes are not one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first byte is not A0.
    #[error("does not start with a0")]
    Start,
    /// LEN is less than the shortest frame has.
    #[error("claims {len} bytes after its length")]
    Length {
        /// LEN as received.
        len: u8,
    },
    /// The bytes end before the frame does.
    #[error("ends before its claimed length")]
    Truncated,
    /// More bytes than the frame claims.
    #[error("{len} bytes follow the frame")]
    Trailing {
        /// How many bytes are left over.
        len: usize,
    },
    /// The check does not match.
    #[error("check is {found:02x}, should be {computed:02x}")]
    Check {
        /// What the frame carries.
        found: u8,
        /// What its bytes give.
        computed: u8,
    },
}

/// A checked view of one frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    direction: Direction,
}

impl<'a> Frame<'a> {
    /// Takes `bytes` as exactly one frame. Whether it makes sense, parsing says.
    ///
    /// # Errors
    /// Says what is wrong with the first thing that is wrong, from left to right.
    pub fn new_checked(bytes: &'a [u8], direction: Direction) -> Result<Self, FrameError> {
        let claimed = claimed_len(bytes)?.ok_or(FrameError::Truncated)?;
        if bytes.len() < claimed {
            return Err(FrameError::Truncated);
        }
        if bytes.len() > claimed {
            return Err(FrameError::Trailing { len: bytes.len() - claimed });
        }
        let (covered, check) = bytes.split_at(claimed - 1);
        let (found, computed) = (check[0], checksum(covered));
        if found != computed {
            return Err(FrameError::Check { found, computed });
        }
        Ok(Self { bytes, direction })
    }

    /// The whole frame.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Which way it goes.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The reader it is for or from.
    #[must_use]
    pub fn address(&self) -> u8 {
        self.bytes[2]
    }

    /// The command.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        self.bytes[3]
    }

    /// What comes between header and check.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..self.bytes.len() - 1]
    }

    /// Whether it means anything: whether parsing would succeed.
    fn makes_sense(self) -> bool {
        match self.direction {
            Direction::FromHost => Command::parse(self).is_ok(),
            Direction::FromReader => Reply::parse(self).is_ok(),
        }
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("direction", &self.direction)
            .field("address", &self.address())
            .field("opcode", &format_args!("{:02x}", self.opcode()))
            .field("payload_len", &self.payload().len())
            .finish()
    }
}

/// The framing of commands, as a reader sees them.
#[derive(Debug)]
pub enum FromHost {}

/// The framing of replies, as a host sees them.
#[derive(Debug)]
pub enum FromReader {}

impl Framing for FromHost {
    const LEN_MAX: usize = LEN_MAX;

    fn cut(bytes: &[u8]) -> Cut {
        cut(bytes, Direction::FromHost)
    }
}

impl Framing for FromReader {
    const LEN_MAX: usize = LEN_MAX;

    fn cut(bytes: &[u8]) -> Cut {
        cut(bytes, Direction::FromReader)
    }
}

fn cut(bytes: &[u8], direction: Direction) -> Cut {
    let claimed = match claimed_len(bytes) {
        Err(_) => return Cut::Noise,
        Ok(None) => return Cut::Incomplete,
        Ok(Some(claimed)) => claimed,
    };
    // A false header is known for one before the bytes that it claims have come.
    if !may_become_one(bytes, claimed, direction) {
        return Cut::Noise;
    }
    let Some(whole) = bytes.get(..claimed) else { return Cut::Incomplete };
    match Frame::new_checked(whole, direction) {
        Ok(frame) if frame.makes_sense() && !swallows_another(bytes, claimed, direction) => {
            Cut::Frame { len: claimed }
        }
        Ok(_) | Err(_) => Cut::Noise,
    }
}

/// Whether an intact frame begins in this one and ends behind it, as far as bytes are there. Both
/// cannot be true. A frame that has lost a byte takes the next one's start for its check, and is
/// right about it once in 256 times; that the other is one by chance is a million times rarer.
fn swallows_another(bytes: &[u8], claimed: usize, direction: Direction) -> bool {
    let begins = |at: &usize| bytes[*at] == START;
    bytes.len() > claimed
        && (1..claimed).filter(begins).any(|at| match cut(&bytes[at..], direction) {
            Cut::Frame { len } => at + len > claimed,
            Cut::Incomplete | Cut::Noise => false,
        })
}

/// Whether what is there of a frame of `claimed` bytes can be the beginning of one that makes sense.
fn may_become_one(bytes: &[u8], claimed: usize, direction: Direction) -> bool {
    let payload_len = claimed - OUTSIDE_LEN - usize::from(OVERHEAD);
    let Some(&opcode) = bytes.get(3) else { return true };
    if !opcode::has_payload_len(opcode, direction, payload_len) {
        return false;
    }
    match (direction, bytes.get(HEADER_LEN..HEADER_LEN + 3)) {
        (Direction::FromReader, Some(&[_, high, low])) if tag::is_report(opcode, payload_len) => {
            tag::report_fits(u16::from_be_bytes([high, low]), payload_len)
        }
        _ => true,
    }
}

/// How long the frame at the beginning of `bytes` says it is; `None` where LEN has not come yet.
fn claimed_len(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    match *bytes {
        [] | [START] => Ok(None),
        [START, len, ..] if len >= OVERHEAD => Ok(Some(usize::from(len) + OUTSIDE_LEN)),
        [START, len, ..] => Err(FrameError::Length { len }),
        _ => Err(FrameError::Start),
    }
}

/// What makes the sum zero.
fn checksum(covered: &[u8]) -> u8 {
    covered.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

/// Puts header and check around a payload.
///
/// # Panics
/// If the payload is longer than LEN can count.
pub(super) fn emit(
    address: u8,
    opcode: u8,
    payload: impl FnOnce(FrameBuf) -> FrameBuf,
) -> FrameBuf {
    let mut frame = payload(FrameBuf::new().put(&[START, 0, address, opcode]));
    let counted = frame.as_ref().len() - OUTSIDE_LEN + 1;
    frame.as_mut()[1] = u8::try_from(counted).expect("a payload has at most 252 bytes");
    let check = checksum(frame.as_ref());
    frame.put(&[check])
}
