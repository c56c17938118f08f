//! One message: the checked view of it, and how messages lie in a stream.

use std::fmt;

use super::kind::MessageKind;
use crate::codec::{Cut, Framing};

/// The longest message in bytes. The header could claim 4 GiB. A parameter has at most 64 KiB, and
/// the largest message of a reader, its capabilities, has four of them; a reader that has held
/// reports back sends them in messages of its own choice, for which this is room enough for
/// thousands of tags. Whatever claims more is nonsense, and must not make us wait for it.
pub const LEN_MAX: usize = 256 * 1024;

pub(super) const HEADER_LEN: usize = 10;

/// The version of the protocol that a message is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// 1.0.1, what every connection begins with.
    V1_0_1,
    /// 1.1, which a host asks for.
    V1_1,
}

impl Version {
    fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::V1_0_1),
            2 => Some(Self::V1_1),
            _ => None,
        }
    }

    /// Its number on the line.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::V1_0_1 => 1,
            Self::V1_1 => 2,
        }
    }
}

/// Why bytes are not one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first three bits are not zero.
    #[error("reserved bits are set in {first:02x}")]
    Reserved {
        /// The first byte.
        first: u8,
    },
    /// A version that is neither 1.0.1 nor 1.1.
    #[error("version number {number}")]
    Version {
        /// As received.
        number: u8,
    },
    /// A type that no version of the standard uses.
    #[error("message type {kind}")]
    Kind {
        /// As received.
        kind: u16,
    },
    /// Shorter than a header or longer than any reader's message.
    #[error("claims {len} bytes")]
    Length {
        /// As received.
        len: u32,
    },
    /// The bytes end before the message does.
    #[error("ends before its claimed length")]
    Truncated,
    /// More bytes than the message claims.
    #[error("{len} bytes follow the message")]
    Trailing {
        /// How many bytes are left over.
        len: usize,
    },
}

/// A checked view of one message: its header makes sense and all its bytes are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    header: Header,
}

impl<'a> Frame<'a> {
    /// Takes `bytes` as exactly one message.
    ///
    /// # Errors
    /// Says what is wrong with the first thing that is wrong, from left to right.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let header = Header::parse(bytes)?.ok_or(FrameError::Truncated)?;
        match bytes.len().checked_sub(header.len) {
            None => Err(FrameError::Truncated),
            Some(0) => Ok(Self { bytes, header }),
            Some(len) => Err(FrameError::Trailing { len }),
        }
    }

    /// The whole message.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The version it is written in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.header.version
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.header.kind
    }

    /// Its id; an answer has the id of what it answers.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.header.id
    }

    /// What follows the header.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("version", &self.version())
            .field("kind", &self.kind())
            .field("id", &self.id())
            .field("body_len", &self.body().len())
            .finish()
    }
}

/// The first ten bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    version: Version,
    kind: MessageKind,
    len: usize,
    id: u32,
}

impl Header {
    /// Takes the header off the front; `None` where its bytes are right so far but not all there.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        if first >> 5 != 0 {
            return Err(FrameError::Reserved { first });
        }
        let number = first >> 2;
        let version = Version::from_number(number).ok_or(FrameError::Version { number })?;
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let kind = u16::from_be_bytes([first & 3, second]);
        if !MessageKind(kind).is_plausible() {
            return Err(FrameError::Kind { kind });
        }
        let Some((&len, rest)) = bytes[2..].split_first_chunk::<4>() else { return Ok(None) };
        let claimed = u32::from_be_bytes(len);
        let len = usize::try_from(claimed).unwrap_or(usize::MAX);
        if !(HEADER_LEN..=LEN_MAX).contains(&len) {
            return Err(FrameError::Length { len: claimed });
        }
        let Some(&id) = rest.first_chunk::<4>() else { return Ok(None) };
        let id = u32::from_be_bytes(id);
        Ok(Some(Self { version, kind: MessageKind(kind), len, id }))
    }
}

/// The framing of messages. It is the same for both directions, because the type says the
/// direction.
///
/// TCP loses nothing, so noise here means that one end has lost count: whoever talks to a reader
/// must not go on with the connection. Only who looks into a capture may want the messages behind
/// the noise.
#[derive(Debug)]
pub enum Messages {}

impl Framing for Messages {
    const LEN_MAX: usize = LEN_MAX;

    fn cut(bytes: &[u8]) -> Cut {
        match Header::parse(bytes) {
            Err(_) => Cut::Noise,
            Ok(Some(Header { len, .. })) if len <= bytes.len() => Cut::Frame { len },
            Ok(_) => Cut::Incomplete,
        }
    }
}
