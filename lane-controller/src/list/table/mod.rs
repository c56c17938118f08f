//! A table: rows in a file that is mapped and usable at once.
//!
//! ```text
//! header, 4 KiB   what the table is, and its own check sum
//! buckets, 64 B   4 slots of 15 bytes (12 of tag, 2 of marks, 1 spare), CRC32C
//! blocks, 512 B   CRC32C, length, whether more follows; encoded rows
//! warrant         the centre's message that proves version and content hash
//! ```
//!
//! A *bucket* holds common rows: tags of 96 bits without a pass, whole and not as a digest, so an
//! answer is exact. A *block* holds all others. Both are filled in the order of hashes: a row is in
//! its *home* or, where rows before it have filled that, in the next place that has room. So a
//! lookup reads its home, seldom its neighbour, and a table is read and written from one end to the
//! other when two are merged.
//!
//! Every bucket and block is checked each time it is read: its check sum begins with the table's
//! identity and its own number, so that a block in the wrong place is as wrong as a changed one.
//! That costs a few nanoseconds and spares the start; nothing that is damaged ever answers.
//!
//! A *base* table is a whole list. A *run* is what has changed upon one, with rows for removed tags.
//! Deliberately absent: changing a table. A table is written once, under another name.

mod header;
mod lookup;
mod scan;
mod write;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use domain::signature::PublicKey;
use mapped_file::MappedFile;

use super::{ListError, SignedMessage};
pub(super) use header::{Header, Kind};
pub(super) use lookup::Known;
pub(super) use scan::Scan;
pub(super) use write::{TableWriter, Title};

pub(super) const HEADER_LEN: usize = 4096;
pub(super) const BUCKET_LEN: usize = 64;
pub(super) const SLOT_LEN: usize = 15;
pub(super) const SLOTS: usize = 4;
pub(super) const BLOCK_LEN: usize = 512;
pub(super) const BLOCK_HEAD_LEN: usize = 8;

/// A part of a table that is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{part} {number} of the list's file is damaged")]
pub struct Damage {
    /// What kind of part.
    pub part: &'static str,
    /// Which of them.
    pub number: u64,
}

/// An open table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) header: Header,
    path: PathBuf,
    map: MappedFile,
    file: File,
    seed: u32,
}

impl Table {
    /// Opens a table and checks its header and its warrant, which is all that a start waits for.
    ///
    /// # Errors
    /// When there is none, or it is not what this program or the centre made.
    pub(super) fn open(path: &Path, centre: &PublicKey) -> Result<Self, ListError> {
        let keep = |source| ListError::Keep { path: path.to_owned(), source };
        let map = MappedFile::open(path).map_err(keep)?;
        let file = File::open(path).map_err(keep)?;
        let damaged = |number| ListError::Broken(Damage { part: "header", number });
        let bytes = map.bytes(0, HEADER_LEN).ok_or(damaged(0))?;
        let header = Header::read(bytes).ok_or(damaged(1))?;
        let len = u64::try_from(map.len()).unwrap_or(u64::MAX);
        if header.file_len() != Some(len) {
            return Err(damaged(2));
        }
        let seed = header.seed();
        let table = Self { header, path: path.to_owned(), map, file, seed };
        table.warrant()?.prove(centre, table.header.version, table.header.hash)?;
        Ok(table)
    }

    /// The centre's message that proves the table's version and content hash.
    pub(super) fn warrant(&self) -> Result<SignedMessage, ListError> {
        let damaged = || ListError::Broken(Damage { part: "warrant", number: 0 });
        let place = usize::try_from(self.header.warrant_at()).ok().ok_or_else(damaged)?;
        let len = usize::try_from(self.header.warrant_len).ok().ok_or_else(damaged)?;
        let payload = self.map.bytes(place, len).ok_or_else(damaged)?;
        let payload = String::from_utf8(payload.to_vec()).map_err(|_bytes| damaged())?;
        Ok(SignedMessage { payload, signature: self.header.signature })
    }

    /// Brings the table into memory.
    pub(super) fn bring_in(&self) {
        if let Err(error) = self.map.bring_in() {
            tracing::debug!(%error, "the list comes into memory as it is asked");
        }
    }

    /// Reads the bytes that no bucket and no block has, and tells whether they are as written. What
    /// is read here comes from the file and not from the map, so that a failing disk is an error.
    pub(super) fn gap_is_clean(&self) -> io::Result<bool> {
        let from = self.header.buckets_end();
        let len = usize::try_from(self.header.blocks_at() - from).unwrap_or(0);
        let mut gap = vec![0; len];
        self.file.read_exact_at(&mut gap, from)?;
        Ok(gap.iter().all(|byte| *byte == 0))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }
}

/// The check sum of a bucket or block.
fn sum_of(seed: u32, number: u64, bytes: &[u8]) -> u32 {
    let low = u32::try_from(number & 0xFFFF_FFFF).unwrap_or(0);
    crc32c::crc32c_append(seed ^ low, bytes)
}
