//! The account list on the wire: manifest, parts and deltas.

use serde::{Deserialize, Serialize};

use crate::account_list::{ContentHash, ListChange, ListDelta, ListEntry, ListStatus, PassOnList};
use crate::signature::Digest256;
use crate::{StationId, TagId, Timestamp, VehicleGroup};

use super::passage::mirror;

mirror! {
    /// A list status by name.
    StatusRecord of ListStatus { Good, Low, NoMoney, Blocked, Closed, NotConverted }
}

/// A pass on the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassRecord {
    /// The pass.
    pub pass: i64,
    /// The station it is good for.
    pub station: StationId,
    /// The first instant at which it is no longer good.
    pub until: Timestamp,
}

/// One tag of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListEntryRecord {
    /// The tag.
    pub tag: TagId,
    /// What the issuer says of its account.
    pub status: StatusRecord,
    /// The registered group.
    pub group: VehicleGroup,
    /// Exempt by law.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exempt: bool,
    /// A pass, if the vehicle holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<PassRecord>,
}

impl From<ListEntry> for ListEntryRecord {
    fn from(entry: ListEntry) -> Self {
        Self {
            tag: entry.tag,
            status: entry.status.into(),
            group: entry.group,
            exempt: entry.exempt,
            pass: entry.pass.map(|pass| PassRecord {
                pass: pass.pass,
                station: pass.station,
                until: pass.until,
            }),
        }
    }
}

impl From<ListEntryRecord> for ListEntry {
    fn from(record: ListEntryRecord) -> Self {
        Self {
            tag: record.tag,
            status: record.status.into(),
            group: record.group,
            exempt: record.exempt,
            pass: record.pass.map(|pass| PassOnList {
                pass: pass.pass,
                station: pass.station,
                until: pass.until,
            }),
        }
    }
}

/// One change of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeRecord {
    /// New, or known anew.
    Upsert(ListEntryRecord),
    /// No longer on the list.
    Remove(TagId),
}

/// The changes from one version to the next; signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaRecord {
    /// 1.
    pub v: u32,
    /// The version the delta leads to.
    pub version: u64,
    /// The content hash before.
    pub hash_before: Digest256,
    /// The content hash after.
    pub hash: Digest256,
    /// When.
    pub issued_at: Timestamp,
    /// The changes.
    pub changes: Vec<ChangeRecord>,
}

impl From<ListDelta> for DeltaRecord {
    fn from(delta: ListDelta) -> Self {
        let change = |change| match change {
            ListChange::Upsert(entry) => ChangeRecord::Upsert(entry.into()),
            ListChange::Remove(tag) => ChangeRecord::Remove(tag),
        };
        Self {
            v: 1,
            version: delta.version,
            hash_before: Digest256::new(*delta.hash_before.as_bytes()),
            hash: Digest256::new(*delta.hash.as_bytes()),
            issued_at: delta.issued_at,
            changes: delta.changes.into_iter().map(change).collect(),
        }
    }
}

impl From<DeltaRecord> for ListDelta {
    fn from(record: DeltaRecord) -> Self {
        let change = |change| match change {
            ChangeRecord::Upsert(entry) => ListChange::Upsert(entry.into()),
            ChangeRecord::Remove(tag) => ListChange::Remove(tag),
        };
        Self {
            version: record.version,
            hash_before: ContentHash::new(*record.hash_before.as_bytes()),
            hash: ContentHash::new(*record.hash.as_bytes()),
            issued_at: record.issued_at,
            changes: record.changes.into_iter().map(change).collect(),
        }
    }
}

/// What a snapshot consists of; signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub v: u32,
    /// The version of the list.
    pub version: u64,
    /// Its content hash.
    pub hash: Digest256,
    /// How many tags it has.
    pub tags: u64,
    /// The digest of each part, in order. A part is a JSON array of entries.
    pub parts: Vec<Digest256>,
    /// When that version was issued.
    pub issued_at: Timestamp,
}
