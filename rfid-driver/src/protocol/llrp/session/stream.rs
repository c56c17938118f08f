//! Messages out of a stream that is never searched.
//!
//! TCP delivers every byte or none, so bytes that are no message mean that one end has lost count.
//! What follows could be anything, the memory of a tag included, which strangers write: nothing
//! behind the first nonsense is looked at.

use crate::codec::{Cut, Framing as _};
use crate::protocol::llrp::codec::{Frame, Messages};

/// What has been received and not taken yet.
#[derive(Debug, Default)]
pub(super) struct Stream {
    buffer: Vec<u8>,
    // Bytes of the buffer that have been taken.
    start: usize,
    dropped: u64,
}

/// The stream holds something that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonsense;

impl Stream {
    /// Takes bytes. Memory is bounded by the longest message and the longest piece that is pushed,
    /// as long as all messages are taken before the next push.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message; `None` when more bytes are needed.
    pub(super) fn next_message(&mut self) -> Result<Option<Frame<'_>>, Nonsense> {
        let waiting = &self.buffer[self.start..];
        if waiting.is_empty() {
            return Ok(None);
        }
        match Messages::cut(waiting) {
            Cut::Frame { len } => {
                self.start += len;
                Frame::new_checked(&waiting[..len]).map(Some).map_err(|_cut_wrong| Nonsense)
            }
            Cut::Incomplete => Ok(None),
            Cut::Noise => Err(Nonsense),
        }
    }

    /// Forgets what waits, because what comes next is another stream.
    pub(super) fn clear(&mut self) {
        let waiting = self.buffer.len() - self.start;
        self.dropped = self.dropped.saturating_add(u64::try_from(waiting).unwrap_or(u64::MAX));
        self.buffer.clear();
        self.start = 0;
    }

    /// How many bytes were part of no message, since the beginning.
    pub(super) fn dropped_bytes(&self) -> u64 {
        self.dropped
    }
}
