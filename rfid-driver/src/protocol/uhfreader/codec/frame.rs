//! A frame: the checked view of one, the buffer that builds one, and how they lie in a stream.

use std::fmt;

use super::crc::checksum;
use super::opcode;
use super::reply::Reply;
use super::status::Status;
use crate::codec::{Cut, Direction, FrameBuf, Framing};

/// The longest frame in bytes, either way: LEN is one byte and does not count itself.
pub const LEN_MAX: usize = 256;
/// The address that every reader answers to; it answers with its own.
pub const ADDRESS_BROADCAST: u8 = 0xFF;

const CRC_LEN: usize = 2;
const DATA_AND_STATUS_LEN_MAX: usize = 251;

const fn header_len(direction: Direction) -> usize {
    match direction {
        Direction::FromHost => 3,
        Direction::FromReader => 4,
    }
}

/// The least that LEN can say.
fn len_min(direction: Direction) -> u8 {
    match direction {
        Direction::FromHost => 4,
        Direction::FromReader => 5,
    }
}

/// Why bytes are not one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// LEN is less than the shortest frame has.
    #[error("claims only {len} bytes")]
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
        let &[len, ..] = bytes else { return Err(FrameError::Truncated) };
        if len < len_min(direction) {
            return Err(FrameError::Length { len });
        }
        let claimed = usize::from(len) + 1;
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

    /// The whole frame, from LEN to the last byte of the check.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Which way it goes.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Which reader it goes to, or comes from.
    #[must_use]
    pub fn address(&self) -> u8 {
        self.bytes[1]
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
            Direction::FromReader => Some(Status(self.bytes[3])),
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

/// The framing of commands, as a reader sees them. A reader must answer what it does not know, so
/// every header is plausible.
#[derive(Debug)]
pub enum FromHost {}

/// The framing of replies, as a host sees them.
///
/// Nothing marks the beginning of a frame, and a false LEN could keep true frames waiting for up to
/// 255 bytes. Also, every byte of junk is a chance in 65,536 that the check of what follows is right by
/// accident, and takes a true frame with it. So a header must make sense: an operation and a status
/// that some manual has, with a length that they can have; and a list of tags must add up. What no
/// manual has is noise in a stream; [`Frame::new_checked`] takes it.
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
        if is_plausible(bytes) { cut(bytes, Direction::FromReader) } else { Cut::Noise }
    }
}

fn cut(bytes: &[u8], direction: Direction) -> Cut {
    let len = match *bytes {
        [len, ..] if len < len_min(direction) => return Cut::Noise,
        [len, ..] => usize::from(len) + 1,
        [] => return Cut::Incomplete,
    };
    let Some(bytes) = bytes.get(..len) else { return Cut::Incomplete };
    let Ok(frame) = Frame::new_checked(bytes, direction) else { return Cut::Noise };
    match direction {
        Direction::FromReader if Reply::parse(frame).is_err() => Cut::Noise,
        Direction::FromReader | Direction::FromHost => Cut::Frame { len },
    }
}

/// Whether a reader can say that, as far as it has come.
fn is_plausible(bytes: &[u8]) -> bool {
    let Some(data_len) = bytes.first().map(|len| len.checked_sub(len_min(Direction::FromReader)))
    else {
        return true;
    };
    match (data_len, bytes.get(2), bytes.get(3)) {
        (None, _, _) => false,
        (Some(_), None, _) => true,
        (Some(data_len), Some(&opcode::NOT_UNDERSTOOD), None) => data_len == 0,
        (Some(_), Some(&opcode), None) => opcode::name(opcode).is_some(),
        (Some(data_len), Some(&opcode), Some(&status)) => {
            data_len_max(opcode, Status(status)).is_some_and(|max| data_len <= max)
        }
    }
}

/// How many bytes of data a reply can have under its status; `None` where no manual has it.
fn data_len_max(opcode: u8, status: Status) -> Option<u8> {
    /// So little to wait for that it need not make sense: firmware adds to what the manuals say.
    const SHORT: u8 = 16;
    const HEARTBEAT_DATA_LEN_MAX: u8 = 24;
    status.name()?;
    if opcode == opcode::NOT_UNDERSTOOD {
        return (status == Status::ILLEGAL_COMMAND).then_some(0);
    }
    let max = opcode::reply_data_len_max(opcode)?;
    Some(match (opcode, status) {
        (opcode::PUSH, Status::HEARTBEAT) => HEARTBEAT_DATA_LEN_MAX,
        (_, Status::SUCCESS) => max.max(SHORT),
        (opcode, status) if may_list(opcode, status) => max,
        _ => SHORT,
    })
}

/// Whether a reply to the operation can have this status of an inventory.
fn may_list(opcode: u8, status: Status) -> bool {
    let of_6b =
        (Status::INVENTORY_DONE_6B.0..=Status::INVENTORY_MEMORY_FULL_6B.0).contains(&status.0);
    (opcode::lists_tags(opcode) && status.lists_tags())
        || (matches!(opcode, opcode::INVENTORY_6B | opcode::INVENTORY_SIGNAL_6B) && of_6b)
}

/// The check that a whole frame carries, and the one that its bytes give.
fn checks(frame: &[u8]) -> (u16, u16) {
    let (covered, check) = frame.split_at(frame.len() - CRC_LEN);
    (u16::from_le_bytes([check[0], check[1]]), checksum(covered))
}

/// A frame under construction: LEN follows the data, [`Builder::finish`] appends the check.
pub(super) struct Builder(FrameBuf);

impl Builder {
    pub(super) fn command(address: u8, opcode: u8) -> Self {
        Self(FrameBuf::new().put(&[len_min(Direction::FromHost), address, opcode]))
    }

    pub(super) fn reply(address: u8, opcode: u8, status: Status) -> Self {
        let len = len_min(Direction::FromReader);
        Self(FrameBuf::new().put(&[len, address, opcode, status.0]))
    }

    /// Appends data.
    ///
    /// # Panics
    /// If status and data would be longer than LEN can count.
    pub(super) fn put(self, data: &[u8]) -> Self {
        let mut frame = self.0.put(data);
        let counted =
            u8::try_from(usize::from(frame.as_ref()[0]) + data.len()).unwrap_or_else(|_| {
                panic!("a frame holds at most {DATA_AND_STATUS_LEN_MAX} bytes of status and data")
            });
        frame.as_mut()[0] = counted;
        Self(frame)
    }

    /// Appends the check.
    pub(super) fn finish(self) -> FrameBuf {
        let check = checksum(self.0.as_ref());
        self.0.put(&check.to_le_bytes())
    }
}
