//! One tag's row, from one or two places of the mapped file.

use domain::TagId;
use domain::account_list::ListEntry;

use super::{
    BLOCK_HEAD_LEN, BLOCK_LEN, BUCKET_LEN, Damage, HEADER_LEN, SLOT_LEN, SLOTS, Table, sum_of,
};
use crate::list::row::{COMMON_LEN, Marks, Row, hash_of, home_of};

/// What a table knows of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::list) enum Known {
    /// Nothing: ask the table under it.
    Nothing,
    /// It was removed.
    Removed,
    /// This.
    Entry(ListEntry),
}

impl Known {
    pub(in crate::list) fn of(row: &Row<'_>) -> Option<Self> {
        row.meaning().map(|entry| entry.map_or(Self::Removed, Self::Entry))
    }
}

impl Table {
    /// What the table knows of the tag with this hash.
    pub(in crate::list) fn find(&self, hash: u64, tag: &TagId) -> Result<Known, Damage> {
        let tag = tag.as_bytes();
        if let Ok(common) = <&[u8; COMMON_LEN]>::try_from(tag)
            && let Some(known) = self.find_common(hash, common)?
        {
            return Ok(known);
        }
        self.find_odd(hash, tag)
    }

    fn find_common(&self, hash: u64, tag: &[u8; COMMON_LEN]) -> Result<Option<Known>, Damage> {
        for number in home_of(hash, self.header.homes)..self.header.buckets {
            let damage = Damage { part: "bucket", number };
            let bucket = self.bucket(number)?;
            for slot in bucket[..SLOTS * SLOT_LEN].chunks_exact(SLOT_LEN) {
                let marks = Marks(u16::from_le_bytes([slot[12], slot[13]]));
                if marks.0 == 0 {
                    return Ok(None);
                }
                if slot[..COMMON_LEN] == tag[..] {
                    let row = Row { hash, tag, marks, pass: &[] };
                    return Known::of(&row).ok_or(damage).map(Some);
                }
            }
            // The bucket is full. Rows are in order: past our place there is nothing of ours.
            let last = (SLOTS - 1) * SLOT_LEN;
            if hash_of(&bucket[last..last + COMMON_LEN], self.header.salt) > hash {
                return Ok(None);
            }
        }
        Ok(None)
    }

    fn find_odd(&self, hash: u64, tag: &[u8]) -> Result<Known, Damage> {
        for number in home_of(hash, self.header.block_homes)..self.header.blocks {
            let damage = Damage { part: "block", number };
            let block = self.block(number)?;
            let mut rest = Block(block).rows();
            while !rest.is_empty() {
                let row = Row::decode(rest, self.header.salt).ok_or(damage)?;
                if row.tag == tag {
                    return Known::of(&row).ok_or(damage);
                }
                rest = &rest[row.encoded_len()..];
            }
            if !Block(block).has_more() {
                break;
            }
        }
        Ok(Known::Nothing)
    }

    fn bucket(&self, number: u64) -> Result<&[u8], Damage> {
        let place = usize::try_from(number).ok().map(|number| HEADER_LEN + number * BUCKET_LEN);
        place
            .and_then(|place| self.map.bytes(place, BUCKET_LEN))
            .filter(|bucket| bucket_is_whole(self.seed, number, bucket))
            .ok_or(Damage { part: "bucket", number })
    }

    fn block(&self, number: u64) -> Result<&[u8], Damage> {
        let place = usize::try_from(self.header.blocks_at() + number * BLOCK_LEN as u64).ok();
        place
            .and_then(|place| self.map.bytes(place, BLOCK_LEN))
            .filter(|block| block_is_whole(self.seed, number, block))
            .ok_or(Damage { part: "block", number })
    }
}

/// Whether a bucket is as it was written, in the place where it was.
pub(super) fn bucket_is_whole(seed: u32, number: u64, bucket: &[u8]) -> bool {
    bucket
        .split_last_chunk::<4>()
        .is_some_and(|(body, sum)| sum_of(seed, number, body) == u32::from_le_bytes(*sum))
}

/// Whether a block is as it was written, in the place where it was.
pub(super) fn block_is_whole(seed: u32, number: u64, block: &[u8]) -> bool {
    block.split_first_chunk::<4>().is_some_and(|(sum, body)| {
        sum_of(!seed, number, body) == u32::from_le_bytes(*sum)
            && Block(block).len() <= BLOCK_LEN - BLOCK_HEAD_LEN
    })
}

/// A view of a block's fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a>(pub(super) &'a [u8]);

impl<'a> Block<'a> {
    pub(super) fn len(self) -> usize {
        usize::from(u16::from_le_bytes([self.0[4], self.0[5]]))
    }

    pub(super) fn rows(self) -> &'a [u8] {
        &self.0[BLOCK_HEAD_LEN..BLOCK_HEAD_LEN + self.len()]
    }

    /// Whether the next block may hold rows whose home is this one, or one before it.
    pub(super) fn has_more(self) -> bool {
        self.0[6] != 0
    }
}
