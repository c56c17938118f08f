//! The journal, open for reading: what the uplink sends from.

use std::path::{Path, PathBuf};

use domain::signature::{Digest256, Signature};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::JournalError;
use super::error::store;
use super::store::meta;
use crate::lane::SavedLane;

/// A record as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its sequence.
    pub seq: u64,
    /// The passage's exact bytes.
    pub payload: Vec<u8>,
    /// Their signature.
    pub signature: Signature,
}

/// The journal, open for reading.
#[derive(Debug)]
pub struct JournalReader {
    connection: Connection,
    path: PathBuf,
}

impl JournalReader {
    /// Opens a journal for reading.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(store(path, "open for reading"))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the lane was like when the last passage was written.
    ///
    /// # Errors
    /// When the store fails.
    pub fn saved_lane(&self) -> Result<Option<SavedLane>, JournalError> {
        let text = meta(&self.connection, &self.path, "lane-state")?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The digest of a record, where there is such a record.
    ///
    /// # Errors
    /// When the store fails or what it has is no digest.
    pub fn digest(&self, seq: u64) -> Result<Option<Digest256>, JournalError> {
        let failed = || store(&self.path, "read a record's digest");
        let stored: Option<Vec<u8>> = self
            .connection
            .prepare_cached("select digest from record where seq = ?1")
            .map_err(failed())?
            .query_row([seq], |row| row.get(0))
            .optional()
            .map_err(failed())?;
        let read =
            |digest: Vec<u8>| {
                digest.try_into().map(Digest256::new).map_err(|_other_length| {
                    JournalError::Damaged { path: self.path.clone(), seq, why: "it has no digest" }
                })
            };
        stored.map(read).transpose()
    }

    /// The last number that was forgotten; 0 where nothing was. The last record is always kept.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forgotten_upto(&self) -> Result<u64, JournalError> {
        let first: Option<u64> = self
            .connection
            .query_row("select min(seq) from record", [], |row| row.get(0))
            .map_err(store(&self.path, "find the first record"))?;
        Ok(first.map_or(0, |first| first.saturating_sub(1)))
    }

    /// Records from `first` on, at most `limit`, in order.
    ///
    /// # Errors
    /// When the store fails or a record has no signature.
    pub fn read(&self, first: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let failed = || store(&self.path, "read records");
        let mut statement = self
            .connection
            .prepare_cached(
                "select seq, payload, signature from record where seq >= ?1 order by seq limit ?2",
            )
            .map_err(failed())?;
        let rows = statement
            .query_map(params![first, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .map_err(failed())?;
        rows.map(|row| {
            let (seq, payload, signature) = row.map_err(failed())?;
            let signature = Signature::try_from_slice(&signature).map_err(|_no_signature| {
                JournalError::Damaged { path: self.path.clone(), seq, why: "it has no signature" }
            })?;
            Ok(Record { seq, payload, signature })
        })
        .collect()
    }
}
