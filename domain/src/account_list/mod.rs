//! The account list: what a lane knows about tags, by version.
//!
//! *Snapshot*: the whole list at a version. *Delta*: the changes from one version to the next.
//! Both carry the list's *content hash*: the sum, modulo 2²⁵⁶, of the SHA-256 of every entry. It
//! does not depend on the way a list was reached, so a lane that applied ten thousand deltas and
//! one that took the snapshot can be compared, and every delta proves its result before it is
//! applied. It finds drift and damage; against forgery stands the centre's signature.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::{StationId, TagId, Timestamp, VehicleGroup};

/// What the issuer says of a tag's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListStatus {
    /// May pass.
    Good,
    /// May pass; the driver is told that the balance is low.
    Low,
    /// The balance does not allow a passage.
    NoMoney,
    /// Locked by the owner, the issuer or an authority.
    Blocked,
    /// The account is closed or the tag was taken back.
    Closed,
    /// Still an old toll account, not yet a traffic account (Decree 119/2024, art. 31.4).
    NotConverted,
}

impl ListStatus {
    /// Whether a lane lets the vehicle through on this status.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Good | Self::Low)
    }

    /// The status by its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Low => "low",
            Self::NoMoney => "no-money",
            Self::Blocked => "blocked",
            Self::Closed => "closed",
            Self::NotConverted => "not-converted",
        }
    }

    /// The status as a number, for hashes and files. A number never changes its meaning.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Low => 1,
            Self::NoMoney => 2,
            Self::Blocked => 3,
            Self::Closed => 4,
            Self::NotConverted => 5,
        }
    }

    /// The status with this number, where there is one.
    #[must_use]
    pub const fn of_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Good,
            1 => Self::Low,
            2 => Self::NoMoney,
            3 => Self::Blocked,
            4 => Self::Closed,
            5 => Self::NotConverted,
            _ => return None,
        })
    }
}

/// A month or quarter pass as a lane needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PassOnList {
    /// The pass.
    pub pass: i64,
    /// The station it is good for.
    pub station: StationId,
    /// The first instant at which it is no longer good.
    pub until: Timestamp,
}

/// What a lane knows about one tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListEntry {
    /// The tag.
    pub tag: TagId,
    /// What the issuer says of its account.
    pub status: ListStatus,
    /// The registered group of the vehicle that carries it.
    pub group: VehicleGroup,
    /// Whether the vehicle is exempt by law.
    pub exempt: bool,
    /// The pass the vehicle holds, if any.
    pub pass: Option<PassOnList>,
}

impl ListEntry {
    /// What this entry adds to its list's content hash.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let mut sha = Sha256::new();
        sha.update([u8::try_from(self.tag.as_bytes().len()).unwrap_or(u8::MAX)]);
        sha.update(self.tag.as_bytes());
        sha.update([self.status.code(), self.group.number(), u8::from(self.exempt)]);
        if let Some(pass) = &self.pass {
            sha.update(pass.pass.to_be_bytes());
            sha.update(pass.until.as_microsecond().to_be_bytes());
            sha.update(pass.station.as_str());
        }
        ContentHash(sha.finalize().into())
    }
}

/// The sum of the hashes of a list's entries; empty lists have zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Takes 32 bytes, most significant first.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a list that has an entry more.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let mut sum = [0; 32];
        let mut carry = false;
        for index in (0..32).rev() {
            let (partial, first) = self.0[index].overflowing_add(other.0[index]);
            let (total, second) = partial.overflowing_add(u8::from(carry));
            sum[index] = total;
            carry = first || second;
        }
        Self(sum)
    }

    /// The hash of a list that has an entry less.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let mut difference = [0; 32];
        let mut borrow = false;
        for index in (0..32).rev() {
            let (partial, first) = self.0[index].overflowing_sub(other.0[index]);
            let (total, second) = partial.overflowing_sub(u8::from(borrow));
            difference[index] = total;
            borrow = first || second;
        }
        Self(difference)
    }
}

/// One change of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListChange {
    /// The tag is new or what is known of it has changed.
    Upsert(ListEntry),
    /// The tag is no longer on the list.
    Remove(TagId),
}

/// The changes from one version to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListDelta {
    /// The version the delta leads to; it applies to the version before, and to no other.
    pub version: u64,
    /// The content hash of the version before.
    pub hash_before: ContentHash,
    /// The content hash once applied.
    pub hash: ContentHash,
    /// When the centre issued it.
    pub issued_at: Timestamp,
    /// The changes.
    pub changes: Vec<ListChange>,
}

/// Why a snapshot or delta was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The delta is for a later version than the next: some are missing.
    #[error("list version {have} cannot take delta {delta}: those between are missing")]
    Gap {
        /// The version the list has.
        have: u64,
        /// The version of the delta.
        delta: u64,
    },
    /// The snapshot or delta is not newer than what the list has.
    #[error("list version {have} is not older than the {offered} that was offered")]
    Old {
        /// The version the list has.
        have: u64,
        /// The version that was offered.
        offered: u64,
    },
    /// The content would not be what the centre said it is.
    #[error("list version {version} would not have the content hash that the centre gave")]
    Hash {
        /// The version that was offered.
        version: u64,
    },
    /// A snapshot has a tag twice.
    #[error("snapshot {version} has a tag twice")]
    Twice {
        /// The version that was offered.
        version: u64,
    },
}

/// A list in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountList {
    version: u64,
    hash: ContentHash,
    issued_at: Timestamp,
    entries: HashMap<TagId, ListEntry>,
}

impl AccountList {
    /// Builds a list from a snapshot's entries and proves that it is what the centre said.
    ///
    /// # Errors
    /// When a tag occurs twice or the content hash differs.
    pub fn from_snapshot(
        version: u64,
        hash: ContentHash,
        issued_at: Timestamp,
        entries: Vec<ListEntry>,
    ) -> Result<Self, ListError> {
        let mut list = Self {
            version,
            issued_at,
            entries: HashMap::with_capacity(entries.len()),
            ..Self::default()
        };
        for entry in entries {
            list.hash = list.hash.plus(entry.hash());
            if list.entries.insert(entry.tag.clone(), entry).is_some() {
                return Err(ListError::Twice { version });
            }
        }
        if list.hash == hash { Ok(list) } else { Err(ListError::Hash { version }) }
    }

    /// Plans the delta that makes the next version from changes, as the centre does.
    #[must_use]
    pub fn plan(&self, changes: Vec<ListChange>, issued_at: Timestamp) -> ListDelta {
        ListDelta {
            version: self.version + 1,
            hash_before: self.hash,
            hash: self.hash_after(&changes),
            issued_at,
            changes,
        }
    }

    /// Applies a delta whole, or not at all.
    ///
    /// # Errors
    /// When it is not the next one, or its result would not be what the centre said.
    pub fn apply(&mut self, delta: &ListDelta) -> Result<(), ListError> {
        if delta.version <= self.version {
            return Err(ListError::Old { have: self.version, offered: delta.version });
        }
        if delta.version != self.version + 1 {
            return Err(ListError::Gap { have: self.version, delta: delta.version });
        }
        if delta.hash_before != self.hash || self.hash_after(&delta.changes) != delta.hash {
            return Err(ListError::Hash { version: delta.version });
        }
        self.hash = delta.hash;
        self.version = delta.version;
        self.issued_at = delta.issued_at;
        self.take(delta.changes.clone());
        Ok(())
    }

    fn hash_after(&self, changes: &[ListChange]) -> ContentHash {
        let mut hash = self.hash;
        let mut touched: HashMap<&TagId, Option<&ListEntry>> = HashMap::new();
        for change in changes {
            let (tag, next) = match change {
                ListChange::Upsert(entry) => (&entry.tag, Some(entry)),
                ListChange::Remove(tag) => (tag, None),
            };
            let before = touched.insert(tag, next).unwrap_or_else(|| self.entries.get(tag));
            hash = before.map_or(hash, |entry| hash.minus(entry.hash()));
            hash = next.map_or(hash, |entry| hash.plus(entry.hash()));
        }
        hash
    }

    fn take(&mut self, changes: Vec<ListChange>) {
        for change in changes {
            match change {
                ListChange::Upsert(entry) => {
                    self.entries.insert(entry.tag.clone(), entry);
                }
                ListChange::Remove(tag) => {
                    self.entries.remove(&tag);
                }
            }
        }
    }

    /// What is known about a tag; nothing is known about most tags of the world.
    #[must_use]
    pub fn find(&self, tag: &TagId) -> Option<&ListEntry> {
        self.entries.get(tag)
    }

    /// The version; 0 before the first snapshot.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The content hash.
    #[must_use]
    pub const fn hash(&self) -> ContentHash {
        self.hash
    }

    /// When the centre issued this version.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// How many tags are on the list.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no tag is on the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &ListEntry> {
        self.entries.values()
    }
}

#[cfg(test)]
mod tests;
