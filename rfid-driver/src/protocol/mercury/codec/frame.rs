//! A frame: the checked view of one, the buffer that builds one, and how they lie in a stream.

use std::fmt;

use super::crc::checksum;
use super::status::Status;
use crate::codec::{Cut, Direction, FrameBuf, Framing};

/// The longest frame in bytes, either way: LEN F8 with a status.
pub const LEN_MAX: usize = DATA_LEN_MAX + overhead(Direction::FromReader);

const START: u8 = 0xFF;
const DATA_LEN_MAX: usize = 0xF8;
const CRC_LEN: usize = 2;

const fn header_len(direction: Direction) -> usize {
    match direction {
        Direction::FromHost => 3,
        Direction::FromReader => 5,
    }
}

const fn overhead(direction: Direction) -> usize {
    header_len(direction) + CRC_LEN
}

/// Why bytes are not one Mercury frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first byte is not FF.
    #[error("does not start with ff")]
    Start,
    /// LEN exceeds what any module sends.
    #[error("claims {len} bytes of data")]
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
    #[error("check is {found:04x}, should be {computed:04x}")]
    Check {
        /// What the frame carries.
        found: u16,
        /// What its bytes give.
        computed: u16,
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
        let (found, computed) = checks(bytes);
        if found != computed {
            return Err(FrameError::Check { found, computed });
        }
        Ok(Self { bytes, direction })
    }

    /// The whole frame, from FF to the last byte of the check.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Which way it goes.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The operation.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        self.bytes[2]
    }

    /// How it went; a command has none.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self.direction {
            Direction::FromHost => None,
            Direction::FromReader => {
                Some(Status(u16::from_be_bytes([self.bytes[3], self.bytes[4]])))
            }
        }
    }

    /// What comes between header and check.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        &self.bytes[header_len(self.direction)..self.bytes.len() - CRC_LEN]
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("direction", &self.direction)
            .field("opcode", &format_args!("{:02x}", self.opcode()))
            .field("status", &self.status())
            .field("data_len", &self.data().len())
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
    match claimed_len(bytes, direction) {
        Err(_) => Cut::Noise,
        Ok(None) => Cut::Incomplete,
        Ok(Some(len)) if bytes.len() < len => Cut::Incomplete,
        Ok(Some(len)) => {
            let (found, computed) = checks(&bytes[..len]);
            if found == computed { Cut::Frame { len } } else { Cut::Noise }
        }
    }
}

/// How long the frame at the beginning of `bytes` says it is; `None` where LEN has not come yet.
fn claimed_len(bytes: &[u8], direction: Direction) -> Result<Option<usize>, FrameError> {
    match *bytes {
        [] | [START] => Ok(None),
        [START, len, ..] if usize::from(len) <= DATA_LEN_MAX => {
            Ok(Some(usize::from(len) + overhead(direction)))
        }
        [START, len, ..] => Err(FrameError::Length { len }),
        _ => Err(FrameError::Start),
    }
}

/// The check that a whole frame carries, and the one that its bytes give.
fn checks(frame: &[u8]) -> (u16, u16) {
    let (covered, check) = frame.split_at(frame.len() - CRC_LEN);
    (u16::from_be_bytes([check[0], check[1]]), checksum(&covered[1..]))
}

/// A frame under construction: LEN follows the data, [`Builder::finish`] appends the check.
pub(super) struct Builder(FrameBuf);

impl Builder {
    pub(super) fn command(opcode: u8) -> Self {
        Self(FrameBuf::new().put(&[START, 0, opcode]))
    }

    pub(super) fn reply(opcode: u8, status: Status) -> Self {
        let [high, low] = status.0.to_be_bytes();
        Self(FrameBuf::new().put(&[START, 0, opcode, high, low]))
    }

    /// Appends data.
    ///
    /// # Panics
    /// If the frame would hold more than F8 bytes of data.
    pub(super) fn put(self, data: &[u8]) -> Self {
        let mut frame = self.0.put(data);
        let counted = usize::from(frame.as_ref()[1]) + data.len();
        assert!(counted <= DATA_LEN_MAX, "a frame holds at most {DATA_LEN_MAX} bytes of data");
        frame.as_mut()[1] = u8::try_from(counted).expect("checked just above");
        Self(frame)
    }

    /// Appends a field that is there.
    ///
    /// # Panics
    /// If the frame would hold more than F8 bytes of data.
    pub(super) fn put_some<const N: usize>(self, field: Option<[u8; N]>) -> Self {
        match field {
            Some(bytes) => self.put(&bytes),
            None => self,
        }
    }

    /// Appends the check.
    pub(super) fn finish(self) -> FrameBuf {
        let check = checksum(&self.0.as_ref()[1..]);
        self.0.put(&check.to_be_bytes())
    }
}
