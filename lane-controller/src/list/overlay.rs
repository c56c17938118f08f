//! Changes that are in no table yet, in memory.
//!
//! An overlay is never changed under a reader: a delta makes the next one, which shares all shards
//! that the delta does not touch. Shards split the hashes evenly, and each is in order, so that an
//! overlay can be merged with tables as it is.

use std::sync::Arc;

use domain::TagId;
use domain::account_list::ListChange;

use super::row::{Marks, Row, encode_pass, hash_of};
use super::table::{Damage, Known};

/// How many bits of a hash choose the shard.
const SHARD_BITS: u32 = 10;

/// What a change came to.
#[derive(Debug)]
struct Item {
    hash: u64,
    tag: Box<[u8]>,
    marks: Marks,
    pass: Box<[u8]>,
}

impl Item {
    fn row(&self) -> Row<'_> {
        Row { hash: self.hash, tag: &self.tag, marks: self.marks, pass: &self.pass }
    }
}

/// Items in order. The hash stands beside its item, so that a search reads one piece of memory.
type Shard = Vec<(u64, Arc<Item>)>;

/// Changes by tag.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    shards: Vec<Arc<Shard>>,
    len: u64,
    salt: u64,
}

impl Overlay {
    /// No changes yet.
    pub(super) fn new(salt: u64) -> Self {
        Self { shards: vec![Arc::default(); 1 << SHARD_BITS], len: 0, salt }
    }

    /// How many tags have changed.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Takes changes, the later over the earlier.
    pub(super) fn take(&mut self, changes: &[ListChange]) {
        for change in changes {
            let (tag, marks, pass) = match change {
                ListChange::Upsert(entry) => {
                    (&entry.tag, Marks::of(entry), encode_pass(entry.pass.as_ref()))
                }
                ListChange::Remove(tag) => (tag, Marks::REMOVED, Vec::new()),
            };
            let hash = hash_of(tag.as_bytes(), self.salt);
            let item = Item { hash, tag: tag.as_bytes().into(), marks, pass: pass.into() };
            let shard = Arc::make_mut(&mut self.shards[shard_of(hash)]);
            match search(shard, hash, &item.tag) {
                Ok(place) => shard[place].1 = Arc::new(item),
                Err(place) => {
                    shard.insert(place, (hash, Arc::new(item)));
                    self.len += 1;
                }
            }
        }
    }

    /// What the changes say of a tag.
    pub(super) fn find(&self, hash: u64, tag: &TagId) -> Result<Known, Damage> {
        let shard = &self.shards[shard_of(hash)];
        let Ok(place) = search(shard, hash, tag.as_bytes()) else { return Ok(Known::Nothing) };
        let damage = Damage { part: "change", number: 0 };
        Known::of(&shard[place].1.row()).ok_or(damage)
    }

    /// All rows in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.shards.iter().flat_map(|shard| shard.iter().map(|(_, item)| item.row()))
    }
}

/// Where a tag is among the items of a shard, or would be.
fn search(shard: &[(u64, Arc<Item>)], hash: u64, tag: &[u8]) -> Result<usize, usize> {
    shard.binary_search_by(|(other, item)| other.cmp(&hash).then_with(|| (*item.tag).cmp(tag)))
}

fn shard_of(hash: u64) -> usize {
    usize::try_from(hash >> (u64::BITS - SHARD_BITS)).unwrap_or(0)
}
