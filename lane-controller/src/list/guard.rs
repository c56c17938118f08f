//! The size guard: a list that shrinks or grows by more than a set share is held until a person
//! confirms it.
//!
//! *Anchor*: how many tags the list had when the share was last counted from. It moves on after a
//! day, so that many small deltas are not a way round the guard, and years of growth are no reason
//! to ask. *Held*: kept aside, and the list in use stays as it is.

use domain::Timestamp;
use domain::account_list::ContentHash;
use domain::signature::Digest256;
use serde::{Deserialize, Serialize};

use super::SignedMessage;

/// How long an anchor holds, by the centre's own clock.
const ANCHOR_HOLDS_S: i64 = 24 * 60 * 60;

/// How a list is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListSettings {
    /// By how much of itself, in percent, the list may shrink or grow within a day.
    pub size_guard_percent: u64,
    /// By how many tags it may do so however small it is.
    pub size_guard_tags: u64,
    /// How many changes are kept in memory before they become a table: the start reads them again.
    pub changes_in_memory_max: u64,
    /// How many changes are in a table of their own before the whole list is written anew; a
    /// sixteenth of the list where that is more.
    pub changes_on_disk_max: u64,
}

impl Default for ListSettings {
    fn default() -> Self {
        Self {
            size_guard_percent: 20,
            size_guard_tags: 1_000,
            changes_in_memory_max: 20_000,
            changes_on_disk_max: 200_000,
        }
    }
}

impl ListSettings {
    /// Whether a list of `tags` is so far from its anchor that a person must look.
    pub(super) fn must_be_confirmed(&self, anchor: Anchor, tags: u64) -> bool {
        let share = u128::from(anchor.tags) * u128::from(self.size_guard_percent) / 100;
        let most = share.max(u128::from(self.size_guard_tags));
        // A list that begins has nothing to be compared with.
        anchor.tags > 0 && u128::from(anchor.tags.abs_diff(tags)) > most
    }
}

/// What the share is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anchor {
    /// How many tags the list had.
    pub tags: u64,
    /// When, by the centre's clock.
    pub at: Timestamp,
}

impl Anchor {
    /// The anchor for something issued at an instant, upon a list of so many tags.
    pub(super) fn moved_on(self, tags: u64, issued_at: Timestamp) -> Self {
        let age_s = issued_at.as_second() - self.at.as_second();
        if self.tags == 0 || age_s >= ANCHOR_HOLDS_S { Self { tags, at: issued_at } } else { self }
    }
}

/// What waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The version it leads to.
    pub version: u64,
    /// Its content hash.
    pub hash: Digest256,
    /// How many tags the share is counted from.
    pub tags_before: u64,
    /// How many tags there would be.
    pub tags_after: u64,
    /// The delta; a snapshot is kept as the table it would become.
    pub delta: Option<SignedMessage>,
}

impl Held {
    pub(super) fn is(&self, version: u64, hash: ContentHash) -> bool {
        self.version == version && self.hash.as_bytes() == hash.as_bytes()
    }
}
