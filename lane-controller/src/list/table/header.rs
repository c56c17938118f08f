//! A table's header: 4 KiB with a check sum over all of it.

use domain::Timestamp;
use domain::account_list::ContentHash;
use domain::signature::{PublicKey, Signature};

use super::{BLOCK_LEN, BUCKET_LEN, HEADER_LEN};
use crate::list::guard::Anchor;

const MAGIC: [u8; 8] = *b"ETCLIST\0";
/// Counts up with every change of the layout; a table of another format is made anew.
const FORMAT: u64 = 1;

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::list) enum Kind {
    /// A whole list.
    Base,
    /// Changes upon a base.
    Run {
        /// The version of the base.
        version: u64,
        /// Its content hash.
        hash: ContentHash,
    },
}

/// What a table's first 4 KiB say.
#[derive(Debug, Clone)]
pub(in crate::list) struct Header {
    pub(in crate::list) kind: Kind,
    pub(in crate::list) version: u64,
    pub(in crate::list) hash: ContentHash,
    pub(in crate::list) issued_at: Timestamp,
    /// How many tags the list has, with what is under a run.
    pub(in crate::list) tags: u64,
    pub(in crate::list) anchor: Anchor,
    pub(in crate::list) salt: u64,
    pub(in crate::list) rows: u64,
    /// Those of them that are in buckets.
    pub(in crate::list) common: u64,
    /// Homes of common rows; there may be some more buckets, for rows that found theirs full.
    pub(in crate::list) homes: u64,
    pub(in crate::list) buckets: u64,
    /// Homes of all other rows.
    pub(in crate::list) block_homes: u64,
    pub(in crate::list) blocks: u64,
    pub(in crate::list) warrant_len: u64,
    pub(in crate::list) signature: Signature,
    pub(in crate::list) centre: PublicKey,
}

impl Header {
    /// The header as bytes.
    pub(super) fn write(&self) -> Vec<u8> {
        let (kind, upon_version, upon_hash) = match self.kind {
            Kind::Base => (0, 0, ContentHash::default()),
            Kind::Run { version, hash } => (1, version, hash),
        };
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend_from_slice(&MAGIC);
        for number in [
            FORMAT,
            kind,
            self.version,
            upon_version,
            self.tags,
            self.anchor.tags,
            self.salt,
            self.rows,
            self.common,
            self.homes,
            self.buckets,
            self.block_homes,
            self.blocks,
            self.warrant_len,
        ] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for instant in [self.issued_at, self.anchor.at] {
            bytes.extend_from_slice(&instant.as_nanosecond().to_le_bytes());
        }
        bytes.extend_from_slice(self.hash.as_bytes());
        bytes.extend_from_slice(upon_hash.as_bytes());
        bytes.extend_from_slice(self.centre.as_bytes());
        bytes.extend_from_slice(self.signature.as_bytes());
        bytes.resize(HEADER_LEN - 4, 0);
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a header; nothing where it is not one that this program wrote.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*sum) {
            return None;
        }
        let mut fields = Fields(body);
        if fields.take::<8>()? != MAGIC || fields.number()? != FORMAT {
            return None;
        }
        let kind = fields.number()?;
        let version = fields.number()?;
        let upon_version = fields.number()?;
        let tags = fields.number()?;
        let anchor_tags = fields.number()?;
        let [salt, rows, common, homes, buckets, block_homes, blocks, warrant_len] =
            fields.numbers()?;
        let issued_at = fields.instant()?;
        let anchor = Anchor { tags: anchor_tags, at: fields.instant()? };
        let hash = ContentHash::new(fields.take()?);
        let upon_hash = ContentHash::new(fields.take()?);
        let centre = PublicKey::try_from_slice(&fields.take::<32>()?).ok()?;
        let signature = Signature::try_from_slice(&fields.take::<64>()?).ok()?;
        let kind = match kind {
            0 => Kind::Base,
            1 => Kind::Run { version: upon_version, hash: upon_hash },
            _ => return None,
        };
        Some(Self {
            kind,
            version,
            hash,
            issued_at,
            tags,
            anchor,
            salt,
            rows,
            common,
            homes,
            buckets,
            block_homes,
            blocks,
            warrant_len,
            signature,
            centre,
        })
    }

    /// What all check sums of this table begin with.
    pub(super) fn seed(&self) -> u32 {
        let kind = u8::from(self.kind != Kind::Base);
        let seed = crc32c::crc32c(&self.salt.to_le_bytes());
        let seed = crc32c::crc32c_append(seed, &self.homes.to_le_bytes());
        crc32c::crc32c_append(seed, &[kind])
    }

    pub(super) fn buckets_end(&self) -> u64 {
        HEADER_LEN as u64 + self.buckets * BUCKET_LEN as u64
    }

    pub(super) fn blocks_at(&self) -> u64 {
        self.buckets_end().next_multiple_of(BLOCK_LEN as u64)
    }

    pub(super) fn warrant_at(&self) -> u64 {
        self.blocks_at() + self.blocks * BLOCK_LEN as u64
    }

    /// How long the file must be; nothing where the numbers cannot be true.
    pub(super) fn file_len(&self) -> Option<u64> {
        let most = u64::MAX / 1024;
        let parts = [self.buckets, self.blocks, self.warrant_len];
        parts.iter().all(|part| *part < most).then(|| self.warrant_at() + self.warrant_len)
    }
}

/// What is left of the header's bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn numbers<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Some(numbers)
    }

    fn instant(&mut self) -> Option<Timestamp> {
        Timestamp::from_nanosecond(i128::from_le_bytes(self.take()?)).ok()
    }
}
