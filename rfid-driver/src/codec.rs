//! What all protocols share about frames: bytes on a line to what they mean, and back.
//!
//! Nothing here, and nothing in a protocol's own `codec`, reads a port, knows the time, or
//! allocates per frame. A *view* (a protocol's `Frame`) has been checked and borrows the bytes; a
//! *meaning* (its `Command`, `Reply`) is parsed from a view and can be emitted again, byte for byte.
//! A [`Description`] is for people and does allocate.

use std::fmt;

mod description;
mod fields;

pub use description::{Description, DescriptionBuilder, Field, Undecodable, Value};
pub use fields::{Fields, FieldsError};

/// Which way a frame goes. In most protocols the bytes do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// A command.
    FromHost,
    /// A reply, or something that the reader says unasked.
    FromReader,
}

/// How a protocol's frames lie in a stream of bytes, for one direction of the line.
pub trait Framing {
    /// The longest frame, in bytes.
    const LEN_MAX: usize;

    /// Says what stands at the beginning of `bytes`, which is not empty.
    fn cut(bytes: &[u8]) -> Cut;
}

/// What stands at the beginning of a piece of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// An intact frame of `len` bytes.
    Frame {
        /// Its length in bytes, trailer included.
        len: usize,
    },
    /// Perhaps the beginning of a frame; there are not enough bytes yet to know.
    Incomplete,
    /// Not the beginning of an intact frame, whatever follows.
    Noise,
}

/// A frame under construction, or one that waits to be sent: owned, without allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FrameBuf {
    bytes: [u8; Self::LEN_MAX],
    len: usize,
}

impl FrameBuf {
    /// More than the longest frame that any protocol here sends in one piece.
    pub const LEN_MAX: usize = 520;

    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; Self::LEN_MAX], len: 0 }
    }

    /// Appends bytes.
    ///
    /// # Panics
    /// If the frame would grow beyond [`FrameBuf::LEN_MAX`].
    #[must_use]
    pub fn put(mut self, bytes: &[u8]) -> Self {
        let end = self.len + bytes.len();
        assert!(end <= Self::LEN_MAX, "a frame has at most {} bytes", Self::LEN_MAX);
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
        self
    }
}

impl Default for FrameBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl AsRef<[u8]> for FrameBuf {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl AsMut<[u8]> for FrameBuf {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl fmt::Debug for FrameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameBuf({} bytes, withheld)", self.len)
    }
}

/// Bytes that are carried without being understood. `Debug` shows only how many: they may hold an
/// EPC or a tag's password.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Opaque<'a>(pub &'a [u8]);

impl fmt::Debug for Opaque<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, withheld", self.0.len())
    }
}
