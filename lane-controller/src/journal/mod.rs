//! The journal: every passage of one lane, durable before anybody acts on it.
//!
//! One `SQLite` file a lane, in WAL mode with `synchronous=FULL`: a commit returns when the log is
//! on the disk (why this store: `docs/decisions/0003-lane-journal.md`). A record is the passage's
//! exact wire bytes, its signature, its digest and a check sum; digests chain the records,
//! sequences have no gaps. The lane's own state goes into the same transaction, so that a restart
//! finds both or neither.
//!
//! A [`Journal`] is the file, open for writing by one process; a [`Scribe`] writes it on a thread
//! of its own, so that a disk that stalls stops no barrier for longer than is allowed; a
//! [`JournalReader`] is what the uplink sends from; a [`Survey`] reads a file that may be damaged.
//!
//! Words: the *head* is the last record; an *episode* is a time in which the lane went on deciding
//! although the journal could not be written; a journal is *rolled back* when it is older than
//! what its lane has written.

mod cases;
mod error;
mod mark;
mod reader;
mod retention;
mod row;
mod scribe;
mod store;
mod survey;
mod tally;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use domain::passage::{LaneRole, Passage};
use domain::signature::{Context, Digest256, PublicKey, SecretKey};
use domain::wire::v1::{PassageRecord, emit};
use domain::{LaneId, PassageId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

pub use cases::{CaseNote, CaseRow};
pub use error::JournalError;
pub use reader::{JournalReader, Record};
pub use retention::Retention;
pub use scribe::{Kept, Page, Scribe, ScribeEnded};
pub use survey::{Finding, Found, Survey, Walk};
pub use tally::Counted;

use self::error::store;
use self::mark::Mark;
use self::row::{COLUMNS, Owner, Row};
use self::store::{meta, number, set_meta};
use crate::lane::{PassageDraft, SavedLane};

/// So many signatures of the newest records are checked when a journal is opened.
const SIGNATURES_CHECKED: u64 = 1_000;

/// A time in which the lane went on deciding although the journal could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// The first passage that was acted upon before it was durable.
    pub from_seq: u64,
    /// The last one; none while the episode goes on, or where the process died in it.
    pub upto_seq: Option<u64>,
    /// When it began.
    pub since: Timestamp,
    /// When everything was durable again.
    pub until: Option<Timestamp>,
    /// What the store said, or that it was silent.
    pub cause: String,
}

/// The journal of one lane, open for writing.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    path: PathBuf,
    lane: LaneId,
    key: SecretKey,
    boot: String,
    epoch: u32,
    last: u64,
    head: Digest256,
    /// A record that the store failed to write, and that may be there all the same.
    attempted: Option<(u64, Digest256)>,
    mark: Mark,
    /// Held for as long as the journal is open.
    _lock: std::fs::File,
}

/// What a journal file says of itself before it is opened for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The journal's own identity, made when the file was.
    pub journal: Digest256,
    /// The epoch it writes; none before the centre has granted one.
    pub epoch: Option<u32>,
}

impl Journal {
    /// Looks at a journal, and makes a blank one where there is none.
    ///
    /// # Errors
    /// When the file cannot be used, another process has it, or it is another lane's.
    pub fn identify(path: &Path, lane: &LaneId) -> Result<Identity, JournalError> {
        let _lock = mark::lock(path)?;
        identity(&store::open(path)?, path, lane)
    }

    /// Opens a journal for writing in its epoch, and checks what is in it.
    ///
    /// # Errors
    /// When the file cannot be used, another process has it, a record is damaged, or the file is
    /// an old copy.
    pub fn open(
        path: &Path,
        lane: LaneId,
        key: SecretKey,
        epoch: u32,
        boot: String,
    ) -> Result<Self, JournalError> {
        // From here on this process alone may write; others may still read.
        let lock = mark::lock(path)?;
        let connection = store::open(path)?;
        let identity = identity(&connection, path, &lane)?;
        if identity.epoch.is_none() {
            set_meta(&connection, "epoch", &epoch.to_string())
                .map_err(store(path, "write the epoch"))?;
        }
        let epoch = identity.epoch.unwrap_or(epoch);
        let (mark, seen) = Mark::open(path, identity.journal);
        let mut journal = Self {
            connection,
            path: path.to_owned(),
            lane,
            key,
            boot,
            epoch,
            last: 0,
            head: Digest256::default(),
            attempted: None,
            mark,
            _lock: lock,
        };
        journal.check()?;
        if seen > journal.last {
            return Err(JournalError::RolledBack {
                path: path.to_owned(),
                last: journal.last,
                seen,
            });
        }
        Ok(journal)
    }

    /// Reads every record again: check sum, digest, chain, sequence, and of the last that are still
    /// to be posted the signature. The clearing house checks every signature, and a lane with a
    /// month's backlog must start soon.
    fn check(&mut self) -> Result<(), JournalError> {
        let path = self.path.as_path();
        let posted_upto = self.posted_upto()?;
        let written = number(&self.connection, path, "last")?.unwrap_or(0);
        let owner = Owner { lane: &self.lane, epoch: self.epoch };
        let key = self.key.public();
        let mut statement = self
            .connection
            .prepare(&format!("select {COLUMNS} from record order by seq"))
            .map_err(store(path, "read the records"))?;
        let mut rows = statement.query([]).map_err(store(path, "read the records"))?;
        let (mut last, mut head) = (None::<u64>, Digest256::default());
        loop {
            let next = last.map_or(posted_upto + 1, |last| last + 1);
            let damaged = |seq, why| JournalError::Damaged { path: path.to_owned(), seq, why };
            let row = match rows.next() {
                Ok(None) => break,
                Ok(Some(row)) => Row::read(row)
                    .map_err(|_other_shape| damaged(next, "it is not as a record is stored"))?,
                Err(error) => {
                    return Err(match store(path, "read a record")(error) {
                        JournalError::Damaged { why, .. } => damaged(next, why),
                        other => other,
                    });
                }
            };
            // What was posted may be forgotten; what comes after may not be missing.
            let is_next = last.map_or(row.seq <= next, |_| row.seq == next);
            if !is_next {
                return Err(damaged(row.seq, "the record before it is missing"));
            }
            let is_recent = row.seq.saturating_add(SIGNATURES_CHECKED) > written;
            let key = Some(&key).filter(|_| row.seq > posted_upto && is_recent);
            let (record, digest) = row.prove(owner, key).map_err(|why| damaged(row.seq, why))?;
            let follows = last.is_some() || row.seq == 1;
            if follows && record.previous != head {
                return Err(damaged(row.seq, "it does not follow the record before it"));
            }
            (last, head) = (Some(row.seq), digest);
        }
        drop(rows);
        drop(statement);
        let last = last.unwrap_or(0);
        if number(&self.connection, path, "last")?.is_some_and(|written| written != last) {
            return Err(JournalError::Damaged {
                path: self.path.clone(),
                seq: last + 1,
                why: "the last records are missing",
            });
        }
        self.last = last;
        self.head = head;
        Ok(())
    }

    /// The last sequence written; 0 before the first.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last
    }

    /// The sequence the next passage will have.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.last + 1
    }

    /// The epoch.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Writes a passage, together with the lane's state; when it returns, both are on the disk.
    ///
    /// `posted_upto` rides along, as far as it is known: it costs nothing here.
    ///
    /// # Errors
    /// When the store fails. Whether the passage was written is then open until
    /// [`Self::reopen`] has looked.
    pub fn append(
        &mut self,
        role: LaneRole,
        draft: PassageDraft,
        saved: &SavedLane,
        posted_upto: u64,
    ) -> Result<PassageId, JournalError> {
        let seq = NonZeroU64::MIN.saturating_add(self.last);
        let id = PassageId { lane: self.lane.clone(), epoch: self.epoch, seq };
        let at = draft.at;
        let payload = emit(&PassageRecord::from(self.passage(id.clone(), role, draft)));
        let signature = self.key.sign(Context::Passage, &payload);
        let digest = Digest256::of(&payload);
        let row = Row {
            seq: seq.get(),
            payload,
            signature: signature.as_bytes().to_vec(),
            digest: digest.as_bytes().to_vec(),
            crc32c: None,
        };
        self.attempted = Some((row.seq, digest));
        write(&mut self.connection, &row, at, saved, posted_upto)
            .map_err(store(&self.path, "write a passage"))?;
        self.mark.note(row.seq);
        self.last = row.seq;
        self.head = digest;
        self.attempted = None;
        Ok(id)
    }

    /// Opens the file anew after the store has failed, and believes only what is in it: tells
    /// whether the passage that could not be written is there all the same.
    ///
    /// A flush that failed may have lost what it was to write, and a later one that does well
    /// proves nothing about it; so nothing of the failed connection is used again.
    ///
    /// # Errors
    /// When the file cannot be opened, or what was written before is no longer in it.
    pub fn reopen(&mut self) -> Result<bool, JournalError> {
        self.connection = store::open(&self.path)?;
        let tail = self
            .connection
            .query_row("select seq, digest from record order by seq desc limit 1", [], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()
            .map_err(store(&self.path, "read the head"))?;
        let (seq, digest) = tail.unwrap_or_default();
        if seq == self.last && (seq == 0 || digest == self.head.as_bytes()) {
            return Ok(false);
        }
        match self.attempted.take() {
            Some((tried, head)) if tried == seq && digest == head.as_bytes() => {
                self.mark.note(seq);
                (self.last, self.head) = (seq, head);
                Ok(true)
            }
            Some(_) | None => Err(JournalError::Damaged {
                path: self.path.clone(),
                seq: self.last,
                why: "it was written and is no longer there",
            }),
        }
    }

    fn passage(&self, id: PassageId, role: LaneRole, draft: PassageDraft) -> Passage {
        Passage {
            id,
            role,
            at: draft.at,
            clock: draft.clock,
            uptime_ns: u64::try_from(draft.uptime.as_nanos()).unwrap_or(u64::MAX),
            boot: self.boot.clone(),
            tag: draft.tag,
            plate: draft.plate,
            group: draft.group,
            list_version: draft.list_version,
            status_seen: draft.status_seen,
            tariff: draft.tariff,
            entry: draft.entry,
            exception: draft.exception,
            decision: draft.decision,
            attendance: draft.attendance,
            fare: draft.fare,
            payment: draft.payment,
            previous: self.head,
        }
    }

    /// What the lane was like when the last passage was written.
    ///
    /// # Errors
    /// When the store fails.
    pub fn saved_lane(&self) -> Result<Option<SavedLane>, JournalError> {
        let text = meta(&self.connection, &self.path, "lane-state")?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Gives a blank journal the lane's state of the journal before it, so that who stands between
    /// the loops is not charged again.
    ///
    /// # Errors
    /// When the store fails.
    pub fn inherit(&mut self, saved: &SavedLane) -> Result<(), JournalError> {
        set_meta(&self.connection, "lane-state", &state_text(saved))
            .and_then(|()| tally::note(&self.connection, 0, Timestamp::MIN, &saved.counts))
            .map_err(store(&self.path, "take over a state"))
    }

    /// The watermark as it was known when the last passage was written.
    ///
    /// # Errors
    /// When the store fails.
    pub fn posted_upto(&self) -> Result<u64, JournalError> {
        Ok(number(&self.connection, &self.path, "posted-upto")?.unwrap_or(0))
    }

    /// Notes an episode, or how it ended.
    ///
    /// # Errors
    /// When the store fails.
    pub fn note_episode(&mut self, episode: &Episode) -> Result<(), JournalError> {
        store::set_episode(&self.connection, episode).map_err(store(&self.path, "note an episode"))
    }

    /// Grows log and file beforehand, so that no passage waits for the file system to find room,
    /// and that a disk that fills up later leaves the lane this much.
    ///
    /// # Errors
    /// When there is no such room.
    pub fn reserve(&mut self, bytes: u64) -> Result<(), JournalError> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        if std::fs::metadata(&log).is_ok_and(|log| log.len() >= bytes) {
            return Ok(());
        }
        let grow = |connection: &Connection| {
            connection.execute("insert into reserve values (zeroblob(?1))", params![bytes])?;
            connection.execute("delete from reserve", [])?;
            // The next record goes to the beginning of the log, which keeps its length.
            connection.query_row("pragma wal_checkpoint(restart)", [], |_row| Ok(()))
        };
        grow(&self.connection).map_err(store(&self.path, "reserve room"))
    }

    /// Moves what the log holds into the file, as far as no reader stands in the way. Meant for
    /// the time between two passages.
    ///
    /// # Errors
    /// When the store fails.
    pub fn checkpoint(&mut self) -> Result<(), JournalError> {
        self.connection
            .query_row("pragma wal_checkpoint(passive)", [], |_row| Ok(()))
            .map_err(store(&self.path, "move the log into the file"))
    }

    /// A second way in, for reading alone.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    pub fn reader(&self) -> Result<JournalReader, JournalError> {
        JournalReader::open(&self.path)
    }

    /// The key that its records are signed with.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    /// The most pages the file may have: what a full disk is to the store.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: Option<u32>) {
        let now: u32 =
            self.connection.query_row("pragma page_count", [], |row| row.get(0)).unwrap();
        let limit = pages.map_or(1 << 30, |more| now + more);
        self.connection
            .query_row(&format!("pragma max_page_count = {limit}"), [], |_row| Ok(()))
            .unwrap();
    }
}

/// Puts a journal that must not be written any more out of the way, with its log; nothing of it is
/// lost. Returns where it is now.
///
/// # Errors
/// When it cannot be renamed.
pub fn retire(path: &Path, why: &str) -> Result<PathBuf, JournalError> {
    let beside =
        |source| JournalError::Beside { doing: "put away the file", path: path.into(), source };
    let _lock = mark::lock(path)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let with = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let free = (1_u32..).map(|n| path.with_file_name(format!("{stem}.{why}-{n}.journal")));
    let Some(away) = free.into_iter().find(|away| !away.exists()) else {
        unreachable!("some number is free")
    };
    // The log first: alone it means nothing, and a file without its log would be an old copy.
    for suffix in ["-wal", ""] {
        match std::fs::rename(with(path, suffix), with(&away, suffix)) {
            Err(error) if suffix == "-wal" && error.kind() == std::io::ErrorKind::NotFound => {}
            done => done.map_err(beside)?,
        }
    }
    drop(std::fs::remove_file(with(path, "-shm")));
    drop(std::fs::remove_file(path.with_extension("mark")));
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(beside)?;
    }
    Ok(away)
}

fn identity(connection: &Connection, path: &Path, lane: &LaneId) -> Result<Identity, JournalError> {
    match meta(connection, path, "lane")? {
        Some(of) if of != lane.to_string() => {
            return Err(JournalError::OtherLane {
                path: path.to_owned(),
                of,
                lane: Box::new(lane.clone()),
            });
        }
        Some(_) => {}
        None => set_meta(connection, "lane", &lane.to_string())
            .map_err(store(path, "write the lane"))?,
    }
    if meta(connection, path, "journal")?.is_none() {
        // The name must be new for a new file, whatever was on the disk before.
        let name: String = connection
            .query_row("select lower(hex(randomblob(32)))", [], |row| row.get(0))
            .map_err(store(path, "name the journal"))?;
        set_meta(connection, "journal", &name).map_err(store(path, "name the journal"))?;
    }
    let journal = meta(connection, path, "journal")?
        .and_then(|text| Digest256::try_from(text).ok())
        .ok_or(JournalError::Damaged { path: path.to_owned(), seq: 0, why: "it has no name" })?;
    let epoch = number(connection, path, "epoch")?.and_then(|epoch| u32::try_from(epoch).ok());
    Ok(Identity { journal, epoch })
}

fn state_text(saved: &SavedLane) -> String {
    serde_json::to_string(saved).expect("a lane's state has a JSON form")
}

fn write(
    connection: &mut Connection,
    row: &Row,
    at: Timestamp,
    saved: &SavedLane,
    posted_upto: u64,
) -> Result<(), rusqlite::Error> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached(
            "insert into record (seq, payload, signature, digest, crc32c) \
             values (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![row.seq, row.payload, row.signature, row.digest, row.sum()])?;
    set_meta(&transaction, "lane-state", &state_text(saved))?;
    tally::note(&transaction, row.seq, at, &saved.counts)?;
    set_meta(&transaction, "posted-upto", &posted_upto.to_string())?;
    set_meta(&transaction, "last", &row.seq.to_string())?;
    transaction.commit()
}

#[cfg(test)]
mod kill;
#[cfg(test)]
pub(crate) mod tests;
