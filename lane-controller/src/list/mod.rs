//! The account list on this machine: kept as the centre's own signed messages, so that a lane
//! that starts with every link down has the list it had, and can prove it.
//!
//! `snapshot.ndjson` holds manifest and parts, `deltas.ndjson` what came after; each line is a
//! message with its signature. A snapshot replaces both by one atomic rename. Deliberately absent
//! yet: the memory-mapped form for tens of millions of tags.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};

use domain::account_list::{AccountList, ContentHash, ListDelta, ListEntry};
use domain::signature::{Context, Digest256, PublicKey, Signature};
use domain::wire::v1::{DeltaRecord, ListEntryRecord, Manifest, parse};
use serde::{Deserialize, Serialize};

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
    parse::<DeltaRecord>("delta", message.payload.as_bytes())
        .map(ListDelta::from)
        .map_err(|error| ListError::Damaged(error.to_string()))
}

/// Builds the list that a manifest and its parts are.
///
/// # Errors
/// When the manifest is forged, a part is another than it names, or the content hash differs.
pub fn build(
    manifest: &SignedMessage,
    parts: &[SignedMessage],
    centre: &PublicKey,
) -> Result<AccountList, ListError> {
    let manifest = read_manifest(manifest, centre)?;
    if parts.len() != manifest.parts.len() {
        return Err(ListError::Damaged(format!(
            "{} parts of {} are here",
            parts.len(),
            manifest.parts.len()
        )));
    }
    let mut entries = Vec::new();
    for (part, digest) in parts.iter().zip(&manifest.parts) {
        if Digest256::of(part.payload.as_bytes()) != *digest {
            return Err(ListError::Damaged("a part has another digest".to_owned()));
        }
        let records: Vec<ListEntryRecord> = serde_json::from_str(&part.payload)
            .map_err(|error| ListError::Damaged(error.to_string()))?;
        entries.extend(records.into_iter().map(ListEntry::from));
    }
    let hash = ContentHash::new(*manifest.hash.as_bytes());
    AccountList::from_snapshot(manifest.version, hash, manifest.issued_at, entries)
        .map_err(ListError::Refused)
}

/// Where the list is kept.
#[derive(Debug, Clone)]
pub struct ListStore {
    folder: PathBuf,
    centre: PublicKey,
}

impl ListStore {
    /// Keeps the list in a folder, which is made where it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, centre: PublicKey) -> Result<Self, ListError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| ListError::Keep { path: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), centre })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The list as it was kept; empty where none was, or where what is there proves nothing.
    #[must_use]
    pub fn load(&self) -> AccountList {
        let mut list = match self.load_snapshot() {
            Ok(list) => list,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no kept list is used");
                AccountList::default()
            }
        };
        for message in read_lines(&self.path("deltas.ndjson")).unwrap_or_default() {
            // Deltas from before the snapshot, and a torn last line, are passed over.
            if let Ok(delta) = read_delta(&message, &self.centre) {
                drop(list.apply(&delta));
            }
        }
        list
    }

    fn load_snapshot(&self) -> Result<AccountList, ListError> {
        let path = self.path("snapshot.ndjson");
        if !path.exists() {
            return Ok(AccountList::default());
        }
        let messages =
            read_lines(&path).map_err(|source| ListError::Keep { path: path.clone(), source })?;
        let (manifest, parts) = messages
            .split_first()
            .ok_or_else(|| ListError::Damaged("the kept snapshot is empty".to_owned()))?;
        build(manifest, parts, &self.centre)
    }

    /// Keeps a snapshot in the place of everything before it.
    ///
    /// # Errors
    /// When the disk fails; what was kept before then stays.
    pub fn keep_snapshot(
        &self,
        manifest: &SignedMessage,
        parts: &[SignedMessage],
    ) -> Result<(), ListError> {
        let new = self.path("snapshot.new");
        let keep = |path: &Path| {
            let path = path.to_owned();
            move |source| ListError::Keep { path, source }
        };
        let mut file = std::fs::File::create(&new).map_err(keep(&new))?;
        for message in std::iter::once(manifest).chain(parts) {
            file.write_all(line(message).as_bytes()).map_err(keep(&new))?;
        }
        file.sync_all().map_err(keep(&new))?;
        let place = self.path("snapshot.ndjson");
        std::fs::rename(&new, &place).map_err(keep(&place))?;
        let deltas = self.path("deltas.ndjson");
        std::fs::File::create(&deltas).and_then(|file| file.sync_all()).map_err(keep(&deltas))?;
        std::fs::File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(keep(&self.folder))
    }

    /// Keeps a delta. It is not flushed: one that is lost comes again from the centre.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep_delta(&self, delta: &SignedMessage) -> Result<(), ListError> {
        let path = self.path("deltas.ndjson");
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line(delta).as_bytes()))
            .map_err(|source| ListError::Keep { path, source })
    }
}

/// # Panics
/// Never: a message of text and signature has a JSON form.
fn line(message: &SignedMessage) -> String {
    let mut text = serde_json::to_string(message).expect("a signed message has a JSON form");
    text.push('\n');
    text
}

fn read_lines(path: &Path) -> std::io::Result<Vec<SignedMessage>> {
    let mut messages = Vec::new();
    for line in BufReader::new(std::fs::File::open(path)?).lines() {
        match serde_json::from_str(&line?) {
            Ok(message) => messages.push(message),
            Err(_torn) => break,
        }
    }
    Ok(messages)
}

#[cfg(test)]
mod tests;
