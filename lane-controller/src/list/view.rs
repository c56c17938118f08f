//! A view: the list at one version, whole, for as long as somebody looks at it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::account_list::{ContentHash, ListChange, ListEntry};
use domain::{TagId, Timestamp};

use super::guard::Anchor;
use super::merge::Merge;
use super::overlay::Overlay;
use super::row::hash_of;
use super::table::{Known, Table};
use super::vouch::Vouched;
use super::{AccountLookup, ListError, SignedMessage};

/// What a list is at one version.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) hash: ContentHash,
    pub(super) issued_at: Timestamp,
    pub(super) tags: u64,
    pub(super) anchor: Anchor,
    /// The centre's message that says so; none for the empty list.
    pub(super) warrant: Option<Arc<SignedMessage>>,
}

/// The list at one version.
#[derive(Debug, Clone)]
pub struct ListView {
    pub(super) state: State,
    pub(super) salt: u64,
    pub(super) base: Option<Arc<Table>>,
    pub(super) run: Option<Arc<Table>>,
    /// Changes that are becoming a table, and what the list was with them.
    pub(super) frozen: Option<Arc<(Overlay, State)>>,
    pub(super) overlay: Overlay,
    /// Set by whoever meets damage; the store acts on it.
    pub(super) met_damage: Arc<AtomicBool>,
    /// When the centre last said that this is the newest.
    pub(super) vouched: Arc<Vouched>,
}

impl ListView {
    /// The empty list.
    pub(super) fn empty(met_damage: Arc<AtomicBool>) -> Self {
        Self {
            state: State::default(),
            salt: 0,
            base: None,
            run: None,
            frozen: None,
            overlay: Overlay::new(0),
            met_damage,
            vouched: Arc::default(),
        }
    }

    /// The version; 0 before the first snapshot or delta.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.state.version
    }

    /// The content hash.
    #[must_use]
    pub const fn hash(&self) -> ContentHash {
        self.state.hash
    }

    /// When the centre issued this version.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.state.issued_at
    }

    /// When the centre last said that this version is the newest: when it issued it, or later.
    #[must_use]
    pub fn confirmed_at(&self) -> Timestamp {
        self.state.issued_at.max(self.vouched.at())
    }

    /// How many tags are on the list.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.state.tags
    }

    /// Whether no tag is on the list.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.state.tags == 0
    }

    /// What is known about a tag.
    ///
    /// # Errors
    /// When the part of the file that would know is damaged; never a wrong answer.
    pub fn lookup(&self, tag: &TagId) -> Result<Option<ListEntry>, ListError> {
        let found = self.known(tag);
        if found.is_err() {
            self.met_damage.store(true, Ordering::Relaxed);
        }
        found
    }

    fn known(&self, tag: &TagId) -> Result<Option<ListEntry>, ListError> {
        let hash = hash_of(tag.as_bytes(), self.salt);
        let frozen = self.frozen.as_deref().map(|(overlay, _)| overlay);
        for overlay in [Some(&self.overlay), frozen].into_iter().flatten() {
            match overlay.find(hash, tag).map_err(ListError::Broken)? {
                Known::Nothing => {}
                Known::Removed => return Ok(None),
                Known::Entry(entry) => return Ok(Some(entry)),
            }
        }
        for table in [&self.run, &self.base].into_iter().flatten() {
            match table.find(hash, tag).map_err(ListError::Broken)? {
                Known::Nothing => {}
                Known::Removed => return Ok(None),
                Known::Entry(entry) => return Ok(Some(entry)),
            }
        }
        Ok(None)
    }

    /// Content hash and number of tags after some changes.
    pub(super) fn after(&self, changes: &[ListChange]) -> Result<(ContentHash, u64), ListError> {
        let mut touched: HashMap<&TagId, Option<&ListEntry>> = HashMap::new();
        for change in changes {
            match change {
                ListChange::Upsert(entry) => touched.insert(&entry.tag, Some(entry)),
                ListChange::Remove(tag) => touched.insert(tag, None),
            };
        }
        let (mut hash, mut tags) = (self.state.hash, self.state.tags);
        for (tag, after) in touched {
            if let Some(before) = self.lookup(tag)? {
                hash = hash.minus(before.hash());
                tags = tags.saturating_sub(1);
            }
            if let Some(after) = after {
                hash = hash.plus(after.hash());
                tags += 1;
            }
        }
        Ok((hash, tags))
    }

    /// Reads all of the list and proves that it is what the centre signed.
    pub(super) fn prove(&self) -> Result<(), ListError> {
        let (mut hash, mut tags) = (ContentHash::default(), 0_u64);
        for table in [&self.base, &self.run].into_iter().flatten() {
            let keep = |source| ListError::Keep { path: table.path().to_owned(), source };
            if !table.gap_is_clean().map_err(keep)? {
                return Err(ListError::Unproven { version: table.header.version });
            }
        }
        if let Some(base) = &self.base {
            base.prove(&mut hash, &mut tags)?;
        }
        let frozen = self.frozen.as_deref().map(|(overlay, _)| overlay);
        let changes = Merge::default().over_changes(Some(&self.overlay)).over_changes(frozen);
        changes.over_table(self.run.as_deref())?.each(|row| {
            let unproven = || ListError::Unproven { version: self.state.version };
            let tag = TagId::try_from_slice(row.tag).map_err(|_no_tag| unproven())?;
            let under = self.base.as_ref().map(|base| base.find(row.hash, &tag));
            if let Some(Known::Entry(entry)) = under.transpose().map_err(ListError::Broken)? {
                hash = hash.minus(entry.hash());
                tags = tags.saturating_sub(1);
            }
            if let Some(entry) = row.meaning().ok_or_else(unproven)? {
                hash = hash.plus(entry.hash());
                tags += 1;
            }
            Ok(())
        })?;
        let same = hash == self.state.hash && tags == self.state.tags;
        if same { Ok(()) } else { Err(ListError::Unproven { version: self.state.version }) }
    }
}

impl Table {
    /// Reads a whole list, and proves what its header says of it.
    fn prove(&self, hash: &mut ContentHash, tags: &mut u64) -> Result<(), ListError> {
        let unproven = || ListError::Unproven { version: self.header.version };
        Merge::default().over_table(Some(self))?.each(|row| {
            let entry = row.meaning().flatten().ok_or_else(unproven)?;
            *hash = hash.plus(entry.hash());
            *tags += 1;
            Ok(())
        })?;
        let same = *hash == self.header.hash && *tags == self.header.tags;
        if same { Ok(()) } else { Err(unproven()) }
    }
}

impl AccountLookup for ListView {
    /// A tag in a damaged part is as good as unknown: a person is called, and nobody is charged
    /// or let through by what may be wrong.
    fn find(&self, tag: &TagId) -> Option<ListEntry> {
        self.lookup(tag).unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a tag cannot be looked up");
            None
        })
    }

    fn version(&self) -> u64 {
        self.state.version
    }

    fn confirmed_at(&self) -> Timestamp {
        Self::confirmed_at(self)
    }
}
