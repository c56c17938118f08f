//! A survey: reads a journal that may be damaged, beside the lane that writes it or as a copy.
//!
//! Read only. Every sequence is asked for by itself, so that what cannot be read takes nothing
//! with it: records before and after stay readable. Where the pages that lead to the records are
//! gone too, only the store's own recovery helps.

use std::path::Path;

use domain::LaneId;
use domain::signature::{Digest256, PublicKey};
use domain::wire::v1::PassageRecord;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::error::store;
use super::row::{COLUMNS, Owner, Row};
use super::store::{episodes, meta, number};
use super::{Episode, JournalError};

/// So many sequences in a row that cannot be read are the end of the journal, where the file does
/// not say where its end is.
const UNREADABLE_MAX: u64 = 4_096;

/// A journal that is looked at.
#[derive(Debug)]
pub struct Survey {
    connection: Connection,
    path: std::path::PathBuf,
    /// Whose journal it is.
    pub lane: LaneId,
    /// Its epoch.
    pub epoch: u32,
    /// The watermark it knows.
    pub posted_upto: u64,
    /// The episodes in which the lane went on without it.
    pub episodes: Vec<Episode>,
    first: u64,
    last: Option<u64>,
}

/// One sequence of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The sequence.
    pub seq: u64,
    /// What stands there.
    pub finding: Finding,
}

/// What stands at a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The record that was written.
    Whole {
        /// What it says.
        record: Box<PassageRecord>,
        /// The exact bytes.
        payload: Vec<u8>,
        /// Their signature.
        signature: Vec<u8>,
        /// Their digest.
        digest: Digest256,
        /// Whether the lane acted on it before it was durable.
        before_durable: bool,
    },
    /// Something, and not what was written.
    Broken {
        /// What is wrong.
        why: &'static str,
        /// The bytes, where there are any.
        payload: Vec<u8>,
        /// The signature, where there is one.
        signature: Vec<u8>,
    },
    /// Nothing.
    Missing,
}

impl Survey {
    /// Opens a journal to look at it.
    ///
    /// # Errors
    /// When there is no such file, or it does not even say whose it is.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        super::store::check_version(rusqlite::version_number(), rusqlite::version())?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(store(path, "open the file"))?;
        let damaged = |why| JournalError::Damaged { path: path.to_owned(), seq: 0, why };
        let lane = meta(&connection, path, "lane")?
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| damaged("it does not say whose it is"))?;
        let epoch = number(&connection, path, "epoch")?
            .and_then(|epoch| u32::try_from(epoch).ok())
            .unwrap_or(0);
        let posted_upto = number(&connection, path, "posted-upto")?.unwrap_or(0);
        let edge = |which| {
            let sql = format!("select {which}(seq) from record");
            connection.query_row(&sql, [], |row| row.get::<_, Option<u64>>(0)).ok().flatten()
        };
        // What is posted may be forgotten; nothing else may be missing in front.
        let first = edge("min").map_or(1, |first| first.min(posted_upto + 1));
        let last = number(&connection, path, "last")?.max(edge("max"));
        let episodes = episodes(&connection).map_err(store(path, "read the episodes"))?;
        let path = path.to_owned();
        Ok(Self { connection, path, lane, epoch, posted_upto, episodes, first, last })
    }

    /// Every sequence there is or should be, in order, proved where it can be; signatures where
    /// there is a key.
    #[must_use]
    pub fn walk(&self, from: u64, key: Option<PublicKey>) -> Walk<'_> {
        Walk { survey: self, next: from.max(self.first), key, head: None, unreadable: 0 }
    }

    /// The path it was opened at.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn row(&self, seq: u64) -> Result<Option<Row>, rusqlite::Error> {
        self.connection
            .prepare_cached(&format!("select {COLUMNS} from record where seq = ?1"))
            .or_else(|_without_sums| {
                self.connection.prepare_cached(
                    "select seq, payload, signature, digest, null from record where seq = ?1",
                )
            })?
            .query_row([seq], Row::read)
            .optional()
    }

    fn was_acted_on_before(&self, seq: u64) -> bool {
        self.episodes.iter().any(|episode| {
            episode.from_seq <= seq && episode.upto_seq.is_none_or(|upto| seq <= upto)
        })
    }
}

/// The records of a survey, one after the other.
#[derive(Debug)]
pub struct Walk<'a> {
    survey: &'a Survey,
    next: u64,
    key: Option<PublicKey>,
    head: Option<Digest256>,
    unreadable: u64,
}

impl Walk<'_> {
    fn finding(&mut self, seq: u64) -> Finding {
        let row = match self.survey.row(seq) {
            Ok(Some(row)) => row,
            Ok(None) => return Finding::Missing,
            Err(_unreadable) => {
                let why = "the store cannot read it";
                return Finding::Broken { why, payload: Vec::new(), signature: Vec::new() };
            }
        };
        let owner = Owner { lane: &self.survey.lane, epoch: self.survey.epoch };
        let proved = row.prove(owner, self.key.as_ref());
        let first = (seq == 1).then(Digest256::default);
        let head = self.head.or(first);
        match proved {
            Ok((record, _)) if head.is_some_and(|head| record.previous != head) => {
                let why = "it does not follow the record before it";
                Finding::Broken { why, payload: row.payload, signature: row.signature }
            }
            Ok((record, digest)) => Finding::Whole {
                record: Box::new(record),
                payload: row.payload,
                signature: row.signature,
                digest,
                before_durable: self.survey.was_acted_on_before(seq),
            },
            Err(why) => Finding::Broken { why, payload: row.payload, signature: row.signature },
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let seq = self.next;
        match self.survey.last {
            Some(last) if seq > last => return None,
            None if self.unreadable >= UNREADABLE_MAX => return None,
            Some(_) | None => {}
        }
        let finding = self.finding(seq);
        if self.survey.last.is_none() && finding == Finding::Missing {
            return None;
        }
        match &finding {
            Finding::Whole { digest, .. } => {
                self.head = Some(*digest);
                self.unreadable = 0;
            }
            // The record behind a broken one is judged by itself.
            Finding::Broken { .. } | Finding::Missing => {
                self.head = None;
                self.unreadable += 1;
            }
        }
        self.next += 1;
        Some(Found { seq, finding })
    }
}
