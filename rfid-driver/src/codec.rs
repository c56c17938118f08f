//! The protocols, one folder each: bytes of a frame to what it means, and back.
//!
//! Nothing here reads a port, knows the time, or allocates per frame. A *view* (`Frame`) has been
//! checked and borrows the bytes; a *meaning* (`Command`, `Reply`) is parsed from a view and can be
//! emitted again, byte for byte.

use std::fmt;

pub mod mercury;

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

/// Bytes that are carried without being understood. `Debug` shows only how many: they may hold an
/// EPC or a tag's password.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Opaque<'a>(pub &'a [u8]);

impl fmt::Debug for Opaque<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, withheld", self.0.len())
    }
}
