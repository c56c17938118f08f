//! All rows of a table in order, each part checked, read from the file and not from the map: an
//! error of the disk is an error here and nothing worse.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::lookup::{Block, block_is_whole, bucket_is_whole};
use super::{BLOCK_LEN, BUCKET_LEN, Damage, HEADER_LEN, SLOT_LEN, SLOTS, Table};
use crate::list::ListError;
use crate::list::row::{COMMON_LEN, Marks, Row, hash_of};

/// How much is read at once; whole buckets, whole blocks.
const CHUNK_LEN: usize = 1 << 19;

/// A walk over a table's rows.
#[derive(Debug)]
pub(in crate::list) struct Scan<'t> {
    common: Common<'t>,
    odd: Odd<'t>,
}

impl<'t> Scan<'t> {
    /// Stands at the first row.
    pub(in crate::list) fn begin(table: &'t Table) -> Result<Self, ListError> {
        let common = Parts::new(table, HEADER_LEN as u64, BUCKET_LEN, table.header.buckets);
        let odd = Parts::new(table, table.header.blocks_at(), BLOCK_LEN, table.header.blocks);
        let mut scan = Self {
            common: Common { parts: common, slot: SLOTS, hash: None },
            odd: Odd { parts: odd, place: 0, end: 0, row: None },
        };
        scan.common.advance()?;
        scan.odd.advance()?;
        Ok(scan)
    }

    /// The row the walk stands at; none at the end.
    pub(in crate::list) fn row(&self) -> Option<Row<'_>> {
        match (self.common.row(), self.odd.row()) {
            (Some(common), Some(odd)) => {
                Some(if common.place() < odd.place() { common } else { odd })
            }
            (common, odd) => common.or(odd),
        }
    }

    /// Goes on to the next row.
    pub(in crate::list) fn advance(&mut self) -> Result<(), ListError> {
        match (self.common.row(), self.odd.row()) {
            (Some(common), Some(odd)) if common.place() < odd.place() => self.common.advance(),
            (Some(_), None) => self.common.advance(),
            (_, Some(_)) => self.odd.advance(),
            (None, None) => Ok(()),
        }
    }
}

/// Buckets or blocks, some at a time.
#[derive(Debug)]
struct Parts<'t> {
    table: &'t Table,
    file: &'t File,
    from: u64,
    part_len: usize,
    count: u64,
    /// The next part.
    next: u64,
    chunk: Vec<u8>,
    /// Where in the chunk the current part begins.
    place: usize,
}

impl<'t> Parts<'t> {
    fn new(table: &'t Table, from: u64, part_len: usize, count: u64) -> Self {
        let file = table.file();
        Self { table, file, from, part_len, count, next: 0, chunk: Vec::new(), place: 0 }
    }

    fn current(&self) -> &[u8] {
        &self.chunk[self.place..self.place + self.part_len]
    }

    /// Goes on to the next part; false at the end.
    fn advance(&mut self) -> Result<bool, ListError> {
        if self.next == self.count {
            return Ok(false);
        }
        self.place += self.part_len;
        if self.place >= self.chunk.len() {
            let left = usize::try_from(self.count - self.next).unwrap_or(usize::MAX);
            let len = left.min(CHUNK_LEN / self.part_len) * self.part_len;
            self.chunk.resize(len, 0);
            let at = self.from + self.next * self.part_len as u64;
            self.file
                .read_exact_at(&mut self.chunk, at)
                .map_err(|source| ListError::Keep { path: self.table.path().to_owned(), source })?;
            self.place = 0;
        }
        let number = self.next;
        self.next += 1;
        let (part, whole) = if self.part_len == BUCKET_LEN {
            ("bucket", bucket_is_whole(self.table.seed, number, self.current()))
        } else {
            ("block", block_is_whole(self.table.seed, number, self.current()))
        };
        if whole { Ok(true) } else { Err(ListError::Broken(Damage { part, number })) }
    }
}

#[derive(Debug)]
struct Common<'t> {
    parts: Parts<'t>,
    slot: usize,
    hash: Option<u64>,
}

impl Common<'_> {
    fn row(&self) -> Option<Row<'_>> {
        let hash = self.hash?;
        let slot = &self.parts.current()[self.slot * SLOT_LEN..(self.slot + 1) * SLOT_LEN];
        let marks = Marks(u16::from_le_bytes([slot[COMMON_LEN], slot[COMMON_LEN + 1]]));
        Some(Row { hash, tag: &slot[..COMMON_LEN], marks, pass: &[] })
    }

    fn advance(&mut self) -> Result<(), ListError> {
        self.hash = None;
        loop {
            self.slot += 1;
            if self.slot >= SLOTS {
                if !self.parts.advance()? {
                    return Ok(());
                }
                self.slot = 0;
            }
            let slot = &self.parts.current()[self.slot * SLOT_LEN..(self.slot + 1) * SLOT_LEN];
            if slot[COMMON_LEN] != 0 || slot[COMMON_LEN + 1] != 0 {
                self.hash = Some(hash_of(&slot[..COMMON_LEN], self.parts.table.header.salt));
                return Ok(());
            }
            self.slot = SLOTS;
        }
    }
}

#[derive(Debug)]
struct Odd<'t> {
    parts: Parts<'t>,
    /// Where in the block's rows the current one begins, and where it ends.
    place: usize,
    end: usize,
    row: Option<()>,
}

impl Odd<'_> {
    fn row(&self) -> Option<Row<'_>> {
        self.row?;
        let rows = Block(self.parts.current()).rows();
        Row::decode(&rows[self.place..], self.parts.table.header.salt)
    }

    fn advance(&mut self) -> Result<(), ListError> {
        self.row = None;
        while self.parts.next == 0 || self.end >= Block(self.parts.current()).len() {
            if !self.parts.advance()? {
                return Ok(());
            }
            self.end = 0;
        }
        self.place = self.end;
        let rows = Block(self.parts.current()).rows();
        let damage = Damage { part: "block", number: self.parts.next - 1 };
        let row = Row::decode(&rows[self.place..], self.parts.table.header.salt)
            .ok_or(ListError::Broken(damage))?;
        self.end = self.place + row.encoded_len();
        self.row = Some(());
        Ok(())
    }
}
