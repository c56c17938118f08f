//! The clearing house of the bench: knows what it said of every tag, in one bit.

use domain::account_list::{ContentHash, ListChange, ListDelta, ListEntry, ListStatus};
use domain::signature::{Context, Digest256, SecretKey};
use domain::wire::v1::{DeltaRecord, ListEntryRecord, Manifest, emit};
use domain::{TagId, Timestamp, VehicleGroup};
use lane_controller::list::SignedMessage;

use crate::Failed;

/// The most entries one part of a snapshot carries, as the clearing house has it.
const PART_LEN: u64 = 1_500;
/// Steps through the list that meet every tag before any twice; a prime number.
const STRIDE: u64 = 7_919_999;

pub(super) struct Centre {
    /// Whether a tag's balance is low.
    low: Vec<bool>,
    tags: u64,
    version: u64,
    hash: ContentHash,
    at: u64,
}

pub(super) fn key() -> SecretKey {
    SecretKey::from_seed(&[8; 32])
}

pub(super) fn tag(serial: u64) -> Result<TagId, Failed> {
    let mut bytes = [0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..].copy_from_slice(&serial.to_be_bytes());
    Ok(TagId::try_from_slice(&bytes)?)
}

fn entry(serial: u64, low: bool) -> Result<ListEntry, Failed> {
    let status = if low { ListStatus::Low } else { ListStatus::Good };
    let group = VehicleGroup::try_new(1)?;
    Ok(ListEntry { tag: tag(serial)?, status, group, exempt: false, pass: None })
}

fn signed(payload: &[u8]) -> Result<SignedMessage, Failed> {
    let signature = key().sign(Context::List, payload).to_text();
    Ok(SignedMessage::try_new(payload, Some(&signature))?)
}

impl Centre {
    pub(super) fn new(tags: u64) -> Self {
        let low = vec![false; usize::try_from(tags).unwrap_or(usize::MAX)];
        Self { low, tags, version: 1, hash: ContentHash::default(), at: 0 }
    }

    fn part_text(&self, part: u64) -> Result<String, Failed> {
        let last = self.tags.min((part + 1) * PART_LEN);
        let records: Result<Vec<_>, Failed> = (part * PART_LEN..last)
            .map(|serial| Ok(ListEntryRecord::from(entry(serial, false)?)))
            .collect();
        Ok(serde_json::to_string(&records?)?)
    }

    /// The manifest of the list before any change.
    pub(super) fn manifest(&mut self) -> Result<SignedMessage, Failed> {
        for serial in 0..self.tags {
            self.hash = self.hash.plus(entry(serial, false)?.hash());
        }
        let parts: Result<Vec<Digest256>, Failed> = (0..self.tags.div_ceil(PART_LEN))
            .map(|part| Ok(Digest256::of(self.part_text(part)?.as_bytes())))
            .collect();
        signed(&emit(&Manifest {
            v: 1,
            version: self.version,
            hash: Digest256::new(*self.hash.as_bytes()),
            tags: self.tags,
            parts: parts?,
            issued_at: Timestamp::UNIX_EPOCH,
        }))
    }

    /// A part of it; a lane goes by its digest.
    pub(super) fn part(&self, part: usize) -> Result<SignedMessage, Failed> {
        signed(self.part_text(u64::try_from(part)?)?.as_bytes())
    }

    /// Turns some balances; hands back which tags, and whether they are low now.
    pub(super) fn turn(&mut self, count: u64) -> Result<Vec<(u64, bool)>, Failed> {
        let mut turned = Vec::new();
        for _ in 0..count.min(self.tags) {
            self.at = (self.at + STRIDE) % self.tags;
            let low = &mut self.low[usize::try_from(self.at)?];
            *low = !*low;
            turned.push((self.at, *low));
        }
        Ok(turned)
    }

    pub(super) fn delta(&mut self, count: u64) -> Result<SignedMessage, Failed> {
        let hash_before = self.hash;
        let mut changes = Vec::new();
        for (serial, low) in self.turn(count)? {
            let after = entry(serial, low)?;
            self.hash = self.hash.minus(entry(serial, !low)?.hash()).plus(after.hash());
            changes.push(ListChange::Upsert(after));
        }
        self.version += 1;
        let (version, hash) = (self.version, self.hash);
        let issued_at = Timestamp::UNIX_EPOCH;
        let delta = ListDelta { version, hash_before, hash, issued_at, changes };
        signed(&emit(&DeltaRecord::from(delta)))
    }
}
