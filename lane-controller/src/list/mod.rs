//! The account list on this machine: a file that is mapped and usable at once, so that a lane that
//! starts with every link down has the list it had, and can prove it.
//!
//! A lookup asks, from the newest to the oldest: the *overlay* (changes in memory), the *run* (a
//! table of changes, `changes.list`) and the *base* (a table of the whole list, `accounts.list`).
//! A delta goes to the log (`deltas.log`) and makes a new *view*; whoever has the view of before
//! keeps it for as long as it likes, so nobody waits for anybody. When the overlay is large it
//! becomes a run, and the run, when that is large, a new base; both while deltas and lookups go on.
//! Tables get their names by rename, so what is there after a crash is the one or the other.
//!
//! What is believed, and when: a message, when the centre has signed it and its version and content
//! hash follow from what is here; a table, when its header is whole and the centre's message in it
//! names its version and content hash; each part of it, whenever it is read, by its check sum; all
//! of it, by [`ListStore::prove`], which a station does in the background after it started.
//!
//! Deliberately absent: decisions, and the broker. Format and figures:
//! `docs/decisions/0013-account-list-file.md`.

pub mod command;
mod files;
pub mod guard;
mod log;
mod merge;
mod overlay;
mod row;
mod snapshot;
mod store;
mod table;
mod view;
mod vouch;

use std::path::PathBuf;

use domain::account_list::{AccountList, ContentHash, ListDelta, ListEntry};
use domain::signature::{Context, Digest256, PublicKey, Signature};
use domain::wire::v1::{DeltaRecord, ListConfirmation, Manifest, parse};
use domain::{TagId, Timestamp};
use serde::{Deserialize, Serialize};

pub use snapshot::SnapshotBuilder;
pub use store::{Kept, ListStore, Proof};
pub use table::Damage;
pub use view::ListView;

/// What a lane asks its list.
pub trait AccountLookup: std::fmt::Debug {
    /// What is known about a tag; nothing is known about most tags of the world.
    fn find(&self, tag: &TagId) -> Option<ListEntry>;

    /// The version of the list; 0 before there is one.
    fn version(&self) -> u64;

    /// When the centre last said that this version is the newest: when it issued it, or later.
    fn confirmed_at(&self) -> Timestamp;
}

impl AccountLookup for AccountList {
    fn find(&self, tag: &TagId) -> Option<ListEntry> {
        Self::find(self, tag).cloned()
    }

    fn version(&self) -> u64 {
        Self::version(self)
    }

    fn confirmed_at(&self) -> Timestamp {
        Self::issued_at(self)
    }
}

/// Why a list message was refused, or the list could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The message is not signed by the centre.
    #[error("a list message is not signed by the clearing house")]
    Forged,
    /// The message is not one, or a part is not the manifest's.
    #[error("a list message is damaged: {0}")]
    Damaged(String),
    /// The list refused it.
    #[error("the list does not take it")]
    Refused(#[source] domain::account_list::ListError),
    /// The list would shrink or grow too much for nobody to look.
    #[error(
        "list version {version} has {tags_after} tags after {tags_before}: \
         it waits for `lane-controller list confirm`"
    )]
    Held {
        /// The version that was offered.
        version: u64,
        /// How many tags the share is counted from.
        tags_before: u64,
        /// How many there would be.
        tags_after: u64,
    },
    /// A part of the kept list is not what was written.
    #[error("the kept list is damaged")]
    Broken(#[source] Damage),
    /// The kept list as a whole is not what the centre signed.
    #[error("the kept list of version {version} is not what the clearing house signed")]
    Unproven {
        /// The version it says it has.
        version: u64,
    },
    /// The disk failed.
    #[error("keep the list in {path}")]
    Keep {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A message as the centre sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedMessage {
    /// Its exact text.
    pub payload: String,
    /// Its signature.
    pub signature: Signature,
}

impl SignedMessage {
    /// Takes a message off the wire.
    ///
    /// # Errors
    /// When it carries no signature, or is not text.
    pub fn try_new(payload: &[u8], signature: Option<&str>) -> Result<Self, ListError> {
        let signature = signature
            .and_then(|text| Signature::try_from(text.to_owned()).ok())
            .ok_or(ListError::Forged)?;
        let payload = String::from_utf8(payload.to_vec())
            .map_err(|error| ListError::Damaged(error.to_string()))?;
        Ok(Self { payload, signature })
    }

    fn verify(&self, centre: &PublicKey) -> Result<(), ListError> {
        centre
            .verify(Context::List, self.payload.as_bytes(), &self.signature)
            .map_err(|_forged| ListError::Forged)
    }

    /// Proves by this message, manifest or delta, that a list has this version and content hash.
    fn prove(&self, centre: &PublicKey, version: u64, hash: ContentHash) -> Result<(), ListError> {
        /// What manifest and delta have in common.
        #[derive(Deserialize)]
        struct Said {
            version: u64,
            hash: Digest256,
        }
        self.verify(centre)?;
        let said: Said = serde_json::from_str(&self.payload)
            .map_err(|error| ListError::Damaged(error.to_string()))?;
        let same = said.version == version && said.hash.as_bytes() == hash.as_bytes();
        if same { Ok(()) } else { Err(ListError::Unproven { version }) }
    }
}

/// Reads the centre's signed word that a version is still the newest.
///
/// # Errors
/// When it is forged or no such word.
pub fn read_confirmation(
    message: &SignedMessage,
    centre: &PublicKey,
) -> Result<ListConfirmation, ListError> {
    centre
        .verify(Context::ListConfirmation, message.payload.as_bytes(), &message.signature)
        .map_err(|_forged| ListError::Forged)?;
    parse("confirmation of the list", message.payload.as_bytes())
        .map_err(|error| ListError::Damaged(error.to_string()))
}

/// Reads a signed manifest.
///
/// # Errors
/// When it is forged or no manifest.
pub fn read_manifest(message: &SignedMessage, centre: &PublicKey) -> Result<Manifest, ListError> {
    message.verify(centre)?;
    parse("manifest", message.payload.as_bytes())
        .map_err(|error| ListError::Damaged(error.to_string()))
}

/// Reads a signed delta.
///
/// # Errors
/// When it is forged or no delta.
pub fn read_delta(message: &SignedMessage, centre: &PublicKey) -> Result<ListDelta, ListError> {
    message.verify(centre)?;
    parse_delta(message)
}

fn parse_delta(message: &SignedMessage) -> Result<ListDelta, ListError> {
    parse::<DeltaRecord>("delta", message.payload.as_bytes())
        .map(ListDelta::from)
        .map_err(|error| ListError::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests;
