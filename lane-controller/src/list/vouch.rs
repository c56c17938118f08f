//! How old the list is: not since when it is unchanged, but since when nobody has said that it is
//! still the newest. A centre that changes nothing for a week says so every few seconds; a lane that
//! is cut off hears nothing, and its list grows old.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::Timestamp;
use domain::account_list::ContentHash;
use domain::signature::PublicKey;

use super::files::{read_json, write_json};
use super::{ListError, ListStore, SignedMessage, read_confirmation};

pub(super) const VOUCHED: &str = "vouched.json";
/// The word is not written to the disk more often than this, by the centre's clock.
const WRITE_EVERY_US: i64 = 60_000_000;

/// When the centre last said of a list that it is the newest; shared by all views of the list.
#[derive(Debug, Default)]
pub(super) struct Vouched {
    said_us: AtomicI64,
    written_us: AtomicI64,
}

impl Vouched {
    /// What a folder remembers, where it is the centre's word about the list that is there.
    pub(super) fn of(folder: &Path, centre: &PublicKey, version: u64, hash: ContentHash) -> Self {
        let vouched = Self::default();
        let message: Option<SignedMessage> = read_json(&folder.join(VOUCHED));
        let said = message.and_then(|message| read_confirmation(&message, centre).ok());
        // A version of before that was the newest then: what is here now is newer still.
        let fits = |said_version: u64, same: bool| said_version < version || same;
        if let Some(said) = said
            && fits(
                said.version,
                said.version == version && said.hash.as_bytes() == hash.as_bytes(),
            )
        {
            let us = said.at.as_microsecond();
            vouched.said_us.store(us, Ordering::Relaxed);
            vouched.written_us.store(us, Ordering::Relaxed);
        }
        vouched
    }

    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_microsecond(self.said_us.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

impl ListStore {
    /// Takes the centre's word that a version is still the newest; tells whether it is the version
    /// that is in use. A word about another version, or an older word, changes nothing.
    ///
    /// # Errors
    /// When it is forged or no such word, or the list of that version is another one, or the word
    /// cannot be kept; in the last case alone it counts all the same.
    pub fn vouch(&self, message: &SignedMessage) -> Result<bool, ListError> {
        let said = read_confirmation(message, self.centre())?;
        let view = self.view();
        if said.version != view.version() {
            return Ok(false);
        }
        if said.hash.as_bytes() != view.hash().as_bytes() {
            return Err(ListError::Unproven { version: said.version });
        }
        let vouched = self.vouched();
        let us = said.at.as_microsecond();
        let before = vouched.said_us.fetch_max(us, Ordering::Relaxed);
        let written = vouched.written_us.load(Ordering::Relaxed);
        if us > before && us >= written.saturating_add(WRITE_EVERY_US) {
            vouched.written_us.store(us, Ordering::Relaxed);
            let path = self.folder().join(VOUCHED);
            write_json(&path, message).map_err(|source| ListError::Keep { path, source })?;
        }
        Ok(true)
    }
}
