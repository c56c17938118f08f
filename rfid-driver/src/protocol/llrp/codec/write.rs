//! Building messages: lengths are filled in once what they count is there.

use super::frame::{HEADER_LEN, Version};
use super::kind::MessageKind;
use super::parameter::{ParameterKind, TLV_HEADER_LEN};
use crate::codec::FrameBuf;

/// A message under construction.
///
/// All its methods panic if the message would grow beyond [`FrameBuf::LEN_MAX`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer(FrameBuf);

impl Writer {
    pub(super) fn message(kind: MessageKind, version: Version, id: u32) -> Self {
        let first = u16::from(version.number()) << 10 | kind.0;
        Self(FrameBuf::new()).u16(first).u32(0).u32(id)
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        Self(self.0.put(bytes))
    }

    pub(super) fn u8(self, number: u8) -> Self {
        self.bytes(&[number])
    }

    pub(super) fn u16(self, number: u16) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// A count of bytes and the bytes.
    pub(super) fn counted(self, bytes: &[u8]) -> Self {
        self.u16(fits(bytes.len())).bytes(bytes)
    }

    /// A parameter with a length.
    pub(super) fn tlv(self, kind: ParameterKind, fill: impl FnOnce(Self) -> Self) -> Self {
        let at = self.0.as_ref().len();
        let Self(mut frame) = fill(self.u16(kind.0).u16(0));
        let len: u16 = fits(frame.as_ref().len() - at);
        frame.as_mut()[at + 2..at + TLV_HEADER_LEN].copy_from_slice(&len.to_be_bytes());
        Self(frame)
    }

    /// The header of a parameter whose type implies its length.
    pub(super) fn tv(self, kind: ParameterKind) -> Self {
        self.u8(0x80 | u8::try_from(kind.0).expect("such types have seven bits"))
    }

    /// The message, complete.
    pub(super) fn finish(self) -> FrameBuf {
        let mut frame = self.0;
        let len: u32 = fits(frame.as_ref().len());
        frame.as_mut()[2..HEADER_LEN - 4].copy_from_slice(&len.to_be_bytes());
        frame
    }
}

fn fits<N: TryFrom<usize>>(len: usize) -> N {
    N::try_from(len).ok().expect("a FrameBuf is shorter than any length can count")
}
