//! Cutting frames out of a stream of bytes that may hold noise.
//!
//! Two rules make it lose nothing that is intact:
//!
//! * what turns out not to be a frame costs **one** byte, whatever length it claimed, so the true
//!   frame that began inside the false one is found;
//! * a false header that waits for bytes which do not come is looked *past* after a silence
//!   ([`Deframer::handle_silence`]), but it is kept as long as nothing intact stands behind it: a
//!   slow frame is not noise.
//!
//! Frames inside a frame are not looked for while bytes flow: a tag's memory is written by
//! strangers and could hold the image of a frame.
//!
//! Memory is bounded by twice the longest frame. Not enough bytes is not an error.

use std::fmt;
use std::marker::PhantomData;

use crate::codec::{Cut, Framing};

/// A [`Deframer`] of some protocol. The methods are those of the deframer.
pub trait Deframe: fmt::Debug + Send {
    /// See [`Deframer::push`].
    fn push<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8];
    /// See [`Deframer::next_frame`].
    fn next_frame(&mut self) -> Option<&[u8]>;
    /// See [`Deframer::handle_silence`].
    fn handle_silence(&mut self);
    /// See [`Deframer::dropped_bytes`].
    fn dropped_bytes(&self) -> u64;
}

impl<F: Framing + fmt::Debug> Deframe for Deframer<F> {
    fn push<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.push(bytes)
    }

    fn next_frame(&mut self) -> Option<&[u8]> {
        self.next_frame()
    }

    fn handle_silence(&mut self) {
        self.handle_silence();
    }

    fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes()
    }
}

/// Cuts the frames of `F` out of what is pushed into it.
#[derive(Debug)]
pub struct Deframer<F> {
    buffer: Vec<u8>,
    // Bytes of the buffer that have been handed out or dropped already.
    start: usize,
    dropped: u64,
    silent: bool,
    framing: PhantomData<fn() -> F>,
}

impl<F: Framing> Default for Deframer<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Framing> Deframer<F> {
    /// An empty deframer.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: Vec::new(), start: 0, dropped: 0, silent: false, framing: PhantomData }
    }

    /// Takes as many of `bytes` as there is room for and returns the rest; there is always room for
    /// something once [`Deframer::next_frame`] has returned `None`.
    pub fn push<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.buffer.drain(..self.start);
        self.start = 0;
        let room = 2 * F::LEN_MAX - self.buffer.len();
        let (taken, rest) = bytes.split_at(room.min(bytes.len()));
        self.buffer.extend_from_slice(taken);
        self.silent &= taken.is_empty();
        rest
    }

    /// The next intact frame; `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Option<&[u8]> {
        while self.start < self.buffer.len() {
            match F::cut(&self.buffer[self.start..]) {
                Cut::Frame { len } => {
                    let frame = self.start..self.start + len;
                    self.start = frame.end;
                    return Some(&self.buffer[frame]);
                }
                Cut::Incomplete => {
                    let unfinished = self.silent.then(|| self.intact_behind())??;
                    self.drop_bytes(unfinished);
                }
                Cut::Noise => self.drop_bytes(1),
            }
        }
        None
    }

    /// Says that the line has been silent for longer than it ever is within a frame. Until more
    /// bytes come, [`Deframer::next_frame`] takes an unfinished frame for noise if an intact one
    /// stands behind it.
    pub fn handle_silence(&mut self) {
        self.silent = true;
    }

    /// How many bytes stand before the first intact frame.
    fn intact_behind(&self) -> Option<usize> {
        let waiting = &self.buffer[self.start..];
        (1..waiting.len()).find(|&at| matches!(F::cut(&waiting[at..]), Cut::Frame { .. }))
    }

    /// Whether bytes wait for more.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// Forgets what waits, because what comes next is another stream.
    pub fn clear(&mut self) {
        self.drop_bytes(self.buffer.len() - self.start);
    }

    /// How many bytes were part of no intact frame, since the beginning.
    #[must_use]
    pub fn dropped_bytes(&self) -> u64 {
        self.dropped
    }

    fn drop_bytes(&mut self, count: usize) {
        self.start += count;
        self.dropped = self.dropped.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests;
