//! A frame: the checked view of one, the buffer that builds one, and how they lie in a stream.

use std::fmt;

use super::opcode;
use super::reply::Reply;
use crate::codec::{Cut, Direction, FrameBuf, Framing};

/// The longest frame in bytes, either way: the manual lets the length go to 1024.
pub const LEN_MAX: usize = BEFORE_COUNTED + 1024;

/// Head and length, which the length does not count.
const BEFORE_COUNTED: usize = 4;
const CHECK_LEN: usize = 1;

const fn head(direction: Direction) -> [u8; 2] {
    match direction {
        Direction::FromHost => [0x53, 0x57],
        Direction::FromReader => [0x43, 0x54],
    }
}

/// Head, length, address, command, and a reader's status.
const fn header_len(direction: Direction) -> usize {
    match direction {
        Direction::FromHost => 6,
        Direction::FromReader => 7,
    }
}

/// Why bytes are not one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first bytes are not those of this direction.
    #[error("does not start with the head of this direction")]
    Head,
    /// The length is less than every frame has, or more than any.
    #[error("claims a length of {len}")]
    Length {
        /// The length as received.
        len: u16,
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
    /// Takes `bytes` as exactly one frame.
    ///
    /// # Errors
    /// Says what is wrong with the first thing that is wrong, from left to right.
    pub fn new_checked(bytes: &'a [u8], direction: Direction) -> Result<Self, FrameError> {
        let claimed = claimed_len(bytes, direction)?.ok_or(FrameError::Truncated)?;
        if bytes.len() < claimed {
            return Err(FrameError::Truncated);
        }
        if bytes.len() > claimed {
            return Err(FrameError::Trailing { len: bytes.len() - claimed });
        }
        let (found, computed) = (bytes[claimed - 1], check(&bytes[..claimed - CHECK_LEN]));
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

    /// The reader's address; FF for all of them.
    #[must_use]
    pub fn address(&self) -> u8 {
        self.bytes[4]
    }

    /// The command that it is or answers.
    #[must_use]
    pub fn command(&self) -> u8 {
        self.bytes[5]
    }

    /// How it went, 1 for well; a command has none.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        match self.direction {
            Direction::FromHost => None,
            Direction::FromReader => Some(self.bytes[6]),
        }
    }

    /// What comes between header and check.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        &self.bytes[header_len(self.direction)..self.bytes.len() - CHECK_LEN]
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("direction", &self.direction)
            .field("command", &format_args!("{:02x}", self.command()))
            .field("status", &self.status())
            .field("data_len", &self.data().len())
            .finish()
    }
}

/// The framing of commands.
#[derive(Debug)]
pub enum FromHost {}

/// The framing of answers and reports.
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
    if bytes.get(5).is_some_and(|command| opcode::name(*command).is_none()) {
        return Cut::Noise;
    }
    let len = match claimed_len(bytes, direction) {
        Err(_) => return Cut::Noise,
        Ok(None) => return Cut::Incomplete,
        Ok(Some(len)) => len,
    };
    let Some(bytes) = bytes.get(..len) else { return Cut::Incomplete };
    let believable = |frame: Frame<'_>| match direction {
        Direction::FromHost => true,
        Direction::FromReader => Reply::parse(frame).is_ok(),
    };
    match Frame::new_checked(bytes, direction) {
        Ok(frame) if believable(frame) => Cut::Frame { len },
        Ok(_) | Err(_) => Cut::Noise,
    }
}

/// How long the frame at the beginning of `bytes` says it is; `None` where the length has not come
/// yet.
fn claimed_len(bytes: &[u8], direction: Direction) -> Result<Option<usize>, FrameError> {
    let head = head(direction);
    let known = bytes.len().min(head.len());
    if bytes[..known] != head[..known] {
        return Err(FrameError::Head);
    }
    let [_, _, high, low, ..] = *bytes else { return Ok(None) };
    let len = u16::from_be_bytes([high, low]);
    let claimed = BEFORE_COUNTED + usize::from(len);
    if !(header_len(direction) + CHECK_LEN..=LEN_MAX).contains(&claimed) {
        return Err(FrameError::Length { len });
    }
    Ok(Some(claimed))
}

fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |check, byte| check.wrapping_sub(*byte))
}

/// A frame under construction: [`Builder::finish`] fills in the length and appends the check.
pub(super) struct Builder(FrameBuf);

impl Builder {
    pub(super) fn command(address: u8, command: u8) -> Self {
        let [first, second] = head(Direction::FromHost);
        Self(FrameBuf::new().put(&[first, second, 0, 0, address, command]))
    }

    pub(super) fn reply(address: u8, command: u8, status: u8) -> Self {
        let [first, second] = head(Direction::FromReader);
        Self(FrameBuf::new().put(&[first, second, 0, 0, address, command, status]))
    }

    /// Appends data.
    ///
    /// # Panics
    /// If the frame would exceed what can be built.
    pub(super) fn put(self, data: &[u8]) -> Self {
        Self(self.0.put(data))
    }

    pub(super) fn finish(mut self) -> FrameBuf {
        let counted = self.0.as_ref().len() - BEFORE_COUNTED + CHECK_LEN;
        let len = u16::try_from(counted).expect("a frame that can be built is short");
        self.0.as_mut()[2..BEFORE_COUNTED].copy_from_slice(&len.to_be_bytes());
        let check = check(self.0.as_ref());
        self.0.put(&[check])
    }
}
