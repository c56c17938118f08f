//! A frame: the checked view of one, the buffer that builds one, and how they lie in a stream.

use std::fmt;

use super::plausible::{agrees, parameter_lens};
use crate::codec::{Cut, Direction, FrameBuf, Framing};

/// The longest frame in bytes, either way.
pub const LEN_MAX: usize = PARAMETERS_LEN_MAX + OVERHEAD;

/// The manual knows no limit but that of a write to a tag: 64 bytes. A read has none; this is the
/// longest memory that a tag of 2 kbit has, with its identity.
pub(super) const PARAMETERS_LEN_MAX: usize = 350;

const HEADER_LEN: usize = 5;
/// Sum and end.
const TRAILER_LEN: usize = 2;
const OVERHEAD: usize = HEADER_LEN + TRAILER_LEN;

/// The first and the last byte of a firmware's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marks {
    /// BB to 7E: YRM100, JRD-4035.
    Bb7e,
    /// AA to DD: R200.
    AaDd,
}

impl Marks {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Bb7e, Self::AaDd];

    fn by_start(start: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|marks| marks.start() == start)
    }

    /// The first byte.
    #[must_use]
    pub fn start(self) -> u8 {
        match self {
            Self::Bb7e => 0xBB,
            Self::AaDd => 0xAA,
        }
    }

    /// The last byte.
    #[must_use]
    pub fn end(self) -> u8 {
        match self {
            Self::Bb7e => 0x7E,
            Self::AaDd => 0xDD,
        }
    }
}

/// The second byte of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// From the host.
    Command,
    /// What came of a command.
    Answer,
    /// A tag.
    Notice,
}

impl FrameKind {
    fn by_code(code: u8) -> Option<Self> {
        [Self::Command, Self::Answer, Self::Notice].into_iter().find(|kind| kind.code() == code)
    }

    fn code(self) -> u8 {
        match self {
            Self::Command => 0,
            Self::Answer => 1,
            Self::Notice => 2,
        }
    }

    /// Which way it goes.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::Command => Direction::FromHost,
            Self::Answer | Self::Notice => Direction::FromReader,
        }
    }
}

/// Why bytes are not one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first byte is neither BB nor AA.
    #[error("does not start with bb or aa")]
    Start,
    /// The type is not one that goes this way.
    #[error("type {code:02x} does not go this way")]
    Kind {
        /// The type as received.
        code: u8,
    },
    /// The length exceeds what any module sends.
    #[error("claims {len} bytes of parameters")]
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
    /// The last byte is not the one that belongs to the first.
    #[error("ends with {found:02x}, should be {wanted:02x}")]
    End {
        /// The last byte.
        found: u8,
        /// What belongs to the first.
        wanted: u8,
    },
    /// The sum does not match.
    #[error("sum is {found:02x}, should be {computed:02x}")]
    Sum {
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
    marks: Marks,
    kind: FrameKind,
}

impl<'a> Frame<'a> {
    /// Takes `bytes` as exactly one frame.
    ///
    /// # Errors
    /// Says what is wrong with the first thing that is wrong, from left to right, but with the sum
    /// after the end.
    pub fn new_checked(bytes: &'a [u8], direction: Direction) -> Result<Self, FrameError> {
        let header = Header::parse(bytes, direction)?;
        let Some(parameters_len) = header.parameters_len else { return Err(FrameError::Truncated) };
        let claimed = parameters_len + OVERHEAD;
        if bytes.len() < claimed {
            return Err(FrameError::Truncated);
        }
        if bytes.len() > claimed {
            return Err(FrameError::Trailing { len: bytes.len() - claimed });
        }
        let Header { marks, kind, .. } = header;
        let frame = Self { bytes, marks, kind };
        let [found, end] = [bytes[claimed - 2], bytes[claimed - 1]];
        if end != marks.end() {
            return Err(FrameError::End { found: end, wanted: marks.end() });
        }
        let computed = sum(&bytes[1..claimed - TRAILER_LEN]);
        if found != computed {
            return Err(FrameError::Sum { found, computed });
        }
        Ok(frame)
    }

    /// The whole frame, both marks included.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Which firmware's it is.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// The command that it is or answers.
    #[must_use]
    pub fn command(&self) -> u8 {
        self.bytes[2]
    }

    /// What comes between length and sum.
    #[must_use]
    pub fn parameters(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..self.bytes.len() - TRAILER_LEN]
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("marks", &self.marks)
            .field("kind", &self.kind)
            .field("command", &format_args!("{:02x}", self.command()))
            .field("parameters_len", &self.parameters().len())
            .finish()
    }
}

/// The framing of commands, as a module sees them: any command, because a module answers those it
/// does not know.
#[derive(Debug)]
pub enum FromHost {}

/// The framing of answers and notices, as a host sees them.
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
    let Ok(header) = Header::parse(bytes, direction) else { return Cut::Noise };
    if let [_, _, command, ..] = *bytes {
        let Some(lens) = parameter_lens(header.kind, command) else { return Cut::Noise };
        if header.parameters_len.is_some_and(|len| !lens.contains(&len)) {
            return Cut::Noise;
        }
    }
    let Some(parameters_len) = header.parameters_len else { return Cut::Incomplete };
    let len = parameters_len + OVERHEAD;
    let Some(bytes) = bytes.get(..len) else { return Cut::Incomplete };
    match Frame::new_checked(bytes, direction) {
        Ok(frame) if agrees(frame) => Cut::Frame { len },
        Ok(_) | Err(_) => Cut::Noise,
    }
}

/// What the beginning of a frame says, as far as it has come.
struct Header {
    marks: Marks,
    // A command's until the second byte has come.
    kind: FrameKind,
    parameters_len: Option<usize>,
}

impl Header {
    fn parse(bytes: &[u8], direction: Direction) -> Result<Self, FrameError> {
        let Some(&start) = bytes.first() else { return Err(FrameError::Truncated) };
        let marks = Marks::by_start(start).ok_or(FrameError::Start)?;
        let kind = match bytes.get(1) {
            None => FrameKind::Command,
            Some(&code) => FrameKind::by_code(code)
                .filter(|kind| kind.direction() == direction)
                .ok_or(FrameError::Kind { code })?,
        };
        let parameters_len = match *bytes {
            [_, _, _, high, low, ..] => {
                let len = u16::from_be_bytes([high, low]);
                if usize::from(len) > PARAMETERS_LEN_MAX {
                    return Err(FrameError::Length { len });
                }
                Some(usize::from(len))
            }
            _ => None,
        };
        Ok(Self { marks, kind, parameters_len })
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// A frame under construction: the length follows the parameters, [`Builder::finish`] appends sum
/// and end.
pub(super) struct Builder {
    marks: Marks,
    frame: FrameBuf,
    parameters_len: usize,
}

impl Builder {
    pub(super) fn new(marks: Marks, kind: FrameKind, command: u8) -> Self {
        let frame = FrameBuf::new().put(&[marks.start(), kind.code(), command, 0, 0]);
        Self { marks, frame, parameters_len: 0 }
    }

    /// Appends parameters.
    ///
    /// # Panics
    /// If the frame would hold more than [`PARAMETERS_LEN_MAX`] bytes of them.
    pub(super) fn put(self, parameters: &[u8]) -> Self {
        let parameters_len = self.parameters_len + parameters.len();
        assert!(
            parameters_len <= PARAMETERS_LEN_MAX,
            "a frame holds at most {PARAMETERS_LEN_MAX} bytes of parameters"
        );
        Self { frame: self.frame.put(parameters), parameters_len, ..self }
    }

    /// Fills in the length, appends sum and end.
    pub(super) fn finish(mut self) -> FrameBuf {
        let len = u16::try_from(self.parameters_len).expect("checked by put");
        self.frame.as_mut()[3..HEADER_LEN].copy_from_slice(&len.to_be_bytes());
        let sum = sum(&self.frame.as_ref()[1..]);
        self.frame.put(&[sum, self.marks.end()])
    }
}
