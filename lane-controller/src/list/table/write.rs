//! Writes a table from rows in order, from one end to the other.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use domain::Timestamp;
use domain::account_list::ContentHash;
use domain::signature::PublicKey;

use super::{BLOCK_HEAD_LEN, BLOCK_LEN, BUCKET_LEN, HEADER_LEN, Header, Kind, SLOT_LEN, SLOTS};
use super::{lookup::Block, sum_of};
use crate::list::SignedMessage;
use crate::list::guard::Anchor;
use crate::list::row::{ROW_LEN_MAX, Row, home_of};

/// How full buckets are made, in percent: 64 / (4 × 0.85) = 18.8 bytes a tag, and the next bucket
/// is asked for about half of the tags, the fifth for one in a thousand.
const BUCKETS_FULL_PERCENT: u64 = 85;
/// How full blocks are made.
const BLOCKS_FULL_PERCENT: u64 = 70;
const BUFFER_LEN: usize = 1 << 20;

/// What a table is to be, once its rows are written.
#[derive(Debug, Clone, Copy)]
pub(in crate::list) struct Title {
    pub(in crate::list) kind: Kind,
    pub(in crate::list) version: u64,
    pub(in crate::list) hash: ContentHash,
    pub(in crate::list) issued_at: Timestamp,
    pub(in crate::list) tags: u64,
    pub(in crate::list) anchor: Anchor,
    pub(in crate::list) salt: u64,
}

/// A table that is being written.
#[derive(Debug)]
pub(in crate::list) struct TableWriter {
    header: Header,
    seed: u32,
    out: BufWriter<File>,
    odd: BufWriter<File>,
    odd_path: PathBuf,
    odd_len: u64,
    bucket: [u8; BUCKET_LEN],
    slots: usize,
    warrant: String,
}

impl TableWriter {
    /// Begins a table of about `common` common rows.
    pub(in crate::list) fn create(
        path: &Path,
        title: Title,
        common: u64,
        warrant: SignedMessage,
        centre: PublicKey,
    ) -> io::Result<Self> {
        let Title { kind, version, hash, issued_at, tags, anchor, salt } = title;
        let header = Header {
            kind,
            version,
            hash,
            issued_at,
            tags,
            anchor,
            salt,
            rows: 0,
            common: 0,
            homes: (common * 100).div_ceil(SLOTS as u64 * BUCKETS_FULL_PERCENT),
            buckets: 0,
            block_homes: 0,
            blocks: 0,
            warrant_len: warrant.payload.len() as u64,
            signature: warrant.signature,
            centre,
        };
        let odd_path = path.with_extension("odd");
        let mut out = BufWriter::with_capacity(BUFFER_LEN, File::create(path)?);
        out.write_all(&[0; HEADER_LEN])?;
        let odd = BufWriter::with_capacity(BUFFER_LEN, File::create(&odd_path)?);
        let (seed, odd_len, slots) = (header.seed(), 0, 0);
        let (bucket, warrant) = ([0; BUCKET_LEN], warrant.payload);
        Ok(Self { header, seed, out, odd, odd_path, odd_len, bucket, slots, warrant })
    }

    /// Adds a row, which comes after all that were added before.
    pub(in crate::list) fn push(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.header.rows += 1;
        if !row.is_common() {
            let mut bytes = Vec::with_capacity(ROW_LEN_MAX);
            row.encode(&mut bytes);
            self.odd_len += bytes.len() as u64;
            return self.odd.write_all(&bytes);
        }
        self.header.common += 1;
        let home = home_of(row.hash, self.header.homes);
        while self.header.buckets < home || self.slots == SLOTS {
            self.end_bucket()?;
        }
        let slot = &mut self.bucket[self.slots * SLOT_LEN..(self.slots + 1) * SLOT_LEN];
        slot[..row.tag.len()].copy_from_slice(row.tag);
        slot[row.tag.len()..SLOT_LEN - 1].copy_from_slice(&row.marks.0.to_le_bytes());
        self.slots += 1;
        Ok(())
    }

    fn end_bucket(&mut self) -> io::Result<()> {
        let body = BUCKET_LEN - 4;
        let sum = sum_of(self.seed, self.header.buckets, &self.bucket[..body]);
        self.bucket[body..].copy_from_slice(&sum.to_le_bytes());
        self.out.write_all(&self.bucket)?;
        self.header.buckets += 1;
        (self.bucket, self.slots) = ([0; BUCKET_LEN], 0);
        Ok(())
    }

    /// Ends the table and brings all of it onto the disk; it still needs its name.
    pub(in crate::list) fn finish(mut self) -> io::Result<Header> {
        while self.header.buckets < self.header.homes || self.slots > 0 {
            self.end_bucket()?;
        }
        let gap = self.header.blocks_at() - self.header.buckets_end();
        io::copy(&mut io::repeat(0).take(gap), &mut self.out)?;
        self.write_blocks()?;
        self.out.write_all(self.warrant.as_bytes())?;
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.write_all_at(&self.header.write(), 0)?;
        file.sync_all()?;
        drop(self.odd);
        std::fs::remove_file(&self.odd_path)?;
        Ok(self.header)
    }

    fn write_blocks(&mut self) -> io::Result<()> {
        self.odd.flush()?;
        let room = (BLOCK_LEN - BLOCK_HEAD_LEN) as u64;
        self.header.block_homes = (self.odd_len * 100).div_ceil(room * BLOCKS_FULL_PERCENT);
        let mut rows = BufReader::with_capacity(BUFFER_LEN, File::open(&self.odd_path)?);
        let (mut bytes, mut block) = (vec![0; 2], Vec::with_capacity(BLOCK_LEN));
        let mut left = self.odd_len;
        while left > 0 {
            // The first two bytes tell how long tag and pass are; marks are two more.
            bytes.resize(2, 0);
            rows.read_exact(&mut bytes)?;
            let len = 4 + usize::from(bytes[0]) + usize::from(bytes[1]);
            bytes.resize(len, 0);
            rows.read_exact(&mut bytes[2..])?;
            left -= len as u64;
            let no_row = || io::Error::new(io::ErrorKind::InvalidData, "a row changed on its way");
            let row = Row::decode(&bytes, self.header.salt).ok_or_else(no_row)?;
            let home = home_of(row.hash, self.header.block_homes);
            while self.header.blocks < home {
                self.end_block(&mut block, false)?;
            }
            if block.len() + len > BLOCK_LEN - BLOCK_HEAD_LEN {
                self.end_block(&mut block, true)?;
            }
            block.extend_from_slice(&bytes);
        }
        while self.header.blocks < self.header.block_homes || !block.is_empty() {
            self.end_block(&mut block, false)?;
        }
        Ok(())
    }

    fn end_block(&mut self, rows: &mut Vec<u8>, has_more: bool) -> io::Result<()> {
        let mut block = [0; BLOCK_LEN];
        let len = u16::try_from(rows.len()).unwrap_or(u16::MAX);
        block[4..6].copy_from_slice(&len.to_le_bytes());
        block[6] = u8::from(has_more);
        block[BLOCK_HEAD_LEN..BLOCK_HEAD_LEN + rows.len()].copy_from_slice(rows);
        let sum = sum_of(!self.seed, self.header.blocks, &block[4..]);
        block[..4].copy_from_slice(&sum.to_le_bytes());
        debug_assert_eq!(Block(&block).rows(), rows.as_slice());
        self.out.write_all(&block)?;
        self.header.blocks += 1;
        rows.clear();
        Ok(())
    }
}
