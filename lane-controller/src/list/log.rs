//! The log of deltas: the centre's messages as they came, each with a check sum, one after the
//! other. What was written last may be torn, and is cut off.
//!
//! Deliberately absent: flushing. A delta that is lost comes again from the centre.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use domain::Timestamp;
use domain::signature::Signature;

use super::SignedMessage;
use super::guard::Anchor;

/// Length, check sum, version, tags, anchor's tags and instant, signature.
const HEAD_LEN: usize = 4 + 4 + 8 + 8 + 8 + 16 + 64;
/// The broker takes no longer message.
const PAYLOAD_LEN_MAX: usize = 64 << 20;

/// A delta, and what the list was after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) version: u64,
    pub(super) tags: u64,
    pub(super) anchor: Anchor,
    pub(super) message: SignedMessage,
}

impl Frame {
    fn encode(&self, out: &mut Vec<u8>) {
        let payload = self.message.payload.as_bytes();
        let begin = out.len();
        out.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for number in [self.version, self.tags, self.anchor.tags] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.anchor.at.as_nanosecond().to_le_bytes());
        out.extend_from_slice(self.message.signature.as_bytes());
        out.extend_from_slice(payload);
        let sum = sum_of(&out[begin..]);
        out[begin + 4..begin + 8].copy_from_slice(&sum.to_le_bytes());
    }

    /// The frame at the beginning of `bytes` and how long it is; none where it is not whole.
    fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let head = bytes.get(..HEAD_LEN)?;
        let number = |at: usize| Some(u64::from_le_bytes(head[at..at + 8].try_into().ok()?));
        let len = u32::from_le_bytes(head[..4].try_into().ok()?);
        let len = usize::try_from(len).ok().filter(|len| *len <= PAYLOAD_LEN_MAX)? + HEAD_LEN;
        let frame = bytes.get(..len)?;
        if sum_of(frame) != u32::from_le_bytes(head[4..8].try_into().ok()?) {
            return None;
        }
        let at = i128::from_le_bytes(head[32..48].try_into().ok()?);
        let anchor = Anchor { tags: number(24)?, at: Timestamp::from_nanosecond(at).ok()? };
        let message = SignedMessage {
            payload: String::from_utf8(frame[HEAD_LEN..].to_vec()).ok()?,
            signature: Signature::try_from_slice(&head[48..HEAD_LEN]).ok()?,
        };
        Some((Self { version: number(8)?, tags: number(16)?, anchor, message }, len))
    }
}

/// The check sum of a frame, over all but itself.
fn sum_of(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

/// The log's file.
#[derive(Debug)]
pub(super) struct DeltaLog {
    path: PathBuf,
    file: File,
    len: u64,
    /// A frame could not be written: those after it would not follow it.
    has_gap: bool,
}

impl DeltaLog {
    /// Opens the log, cuts off what is torn, and reads the rest.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Frame>)> {
        let file = File::options().create(true).append(true).read(true).open(path)?;
        let frames = Self::read(path)?;
        let len = frames.iter().map(|frame| frame_len(frame) as u64).sum();
        file.set_len(len)?;
        Ok((Self { path: path.to_owned(), file, len, has_gap: false }, frames))
    }

    /// The whole frames of a log, which may be in use.
    pub(super) fn read(path: &Path) -> io::Result<Vec<Frame>> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let (mut frames, mut at) = (Vec::new(), 0);
        while let Some((frame, len)) = Frame::decode(&bytes[at..]) {
            frames.push(frame);
            at += len;
        }
        Ok(frames)
    }

    /// Adds a frame.
    pub(super) fn append(&mut self, frame: &Frame) -> io::Result<()> {
        if self.has_gap {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(frame_len(frame));
        frame.encode(&mut bytes);
        if let Err(error) = self.file.write_all(&bytes) {
            self.has_gap = true;
            // Half a frame is cut off now or, where even that fails, at the next start.
            drop(self.file.set_len(self.len));
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Forgets the frames of versions that are in a table.
    pub(super) fn keep_after(&mut self, version: u64) -> io::Result<()> {
        let frames = Self::read(&self.path)?;
        self.replace(frames.into_iter().filter(|frame| frame.version > version))
    }

    /// Writes other frames in the place of all.
    pub(super) fn replace(&mut self, frames: impl Iterator<Item = Frame>) -> io::Result<()> {
        let mut bytes = Vec::new();
        frames.for_each(|frame| frame.encode(&mut bytes));
        let new = self.path.with_extension("new");
        std::fs::write(&new, &bytes)?;
        std::fs::rename(&new, &self.path)?;
        self.file = File::options().append(true).read(true).open(&self.path)?;
        self.len = bytes.len() as u64;
        self.has_gap = false;
        Ok(())
    }
}

const fn frame_len(frame: &Frame) -> usize {
    HEAD_LEN + frame.message.payload.len()
}
