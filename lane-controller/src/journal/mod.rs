//! The journal: every passage of one lane, durable before anybody acts on it.
//!
//! One `SQLite` file a lane, in WAL mode with `synchronous=FULL`: a commit returns when the log is
//! on the disk (why this store: `docs/decisions/0003-lane-journal.md`). A record is the passage's
//! exact wire bytes, its signature and its digest; digests chain the records, sequences have no
//! gaps. The lane's own state goes into the same transaction, so that a
//! restart finds both or neither.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use domain::passage::{LaneRole, Passage};
use domain::signature::{Context, Digest256, SecretKey, Signature};
use domain::wire::v1::{PassageRecord, emit};
use domain::{LaneId, PassageId};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::lane::{PassageDraft, SavedLane};

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store failed.
    #[error("{doing} in journal {path}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the store said.
        #[source]
        source: rusqlite::Error,
    },
    /// The linked store is one with a known way to lose data.
    #[error("SQLite {found} is linked; 3.51.3 or newer is needed (WAL-reset bug)")]
    OldStore {
        /// The version that is linked.
        found: String,
    },
    /// Another process holds the journal.
    #[error("journal {path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is another lane's journal.
    #[error("journal {path} is of lane {of}, not of {lane}")]
    OtherLane {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        of: String,
        /// Whose it should be.
        lane: LaneId,
    },
    /// A record is not what was written.
    #[error("journal {path} is damaged at sequence {seq}: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The record.
        seq: u64,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Oldest `SQLite` without the WAL-reset bug, as `sqlite3_libversion_number` counts.
const SQLITE_MIN: i32 = 3_051_003;

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
    /// Held for as long as the journal is open.
    _lock: std::fs::File,
}

const SCHEMA: &str = "
    create table if not exists meta (key text primary key, value text not null) strict;
    create table if not exists record (
        seq       integer primary key,
        payload   blob not null,
        signature blob not null,
        digest    blob not null
    ) strict;
";

/// Opens a file as a journal is to be opened: durable, and by one process at a time.
fn open_store(path: &Path) -> Result<Connection, JournalError> {
    let store = |doing| move |source| JournalError::Store { doing, path: path.to_owned(), source };
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(JournalError::OldStore { found: rusqlite::version().to_owned() });
    }
    let connection = Connection::open(path).map_err(store("open the file"))?;
    connection.busy_timeout(std::time::Duration::from_secs(2)).map_err(store("set time limits"))?;
    let in_use = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            JournalError::InUse { path: path.to_owned() }
        }
        _ => store("prepare the file")(error),
    };
    connection
        .execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; \
             pragma wal_autocheckpoint = 4000;",
        )
        .map_err(in_use)?;
    connection.execute_batch(SCHEMA).map_err(in_use)?;
    Ok(connection)
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
    /// When the file cannot be used, or is another lane's.
    pub fn identify(path: &Path, lane: &LaneId) -> Result<Identity, JournalError> {
        let connection = open_store(path)?;
        let store =
            |doing| move |source| JournalError::Store { doing, path: path.to_owned(), source };
        if let Some(of) = meta(&connection, "lane").map_err(store("read the lane"))?
            && of != lane.to_string()
        {
            return Err(JournalError::OtherLane { path: path.to_owned(), of, lane: lane.clone() });
        }
        // The identity must be new for a new file, whatever was on the disk before.
        connection
            .execute_batch(
                "begin immediate; \
                 insert or ignore into meta values ('journal', lower(hex(randomblob(32)))); commit;",
            )
            .map_err(store("name the journal"))?;
        set_meta(&connection, "lane", &lane.to_string()).map_err(store("write the lane"))?;
        let journal = meta(&connection, "journal")
            .map_err(store("read the journal's name"))?
            .and_then(|text| Digest256::try_from(text).ok())
            .ok_or(JournalError::Damaged {
                path: path.to_owned(),
                seq: 0,
                why: "it has no name",
            })?;
        let epoch = meta(&connection, "epoch")
            .map_err(store("read the epoch"))?
            .and_then(|text| text.parse().ok());
        Ok(Identity { journal, epoch })
    }

    /// Opens a journal for writing in its epoch, and checks what is in it.
    ///
    /// # Errors
    /// When the file cannot be used, another process has it, or a record is damaged.
    pub fn open(
        path: &Path,
        lane: LaneId,
        key: SecretKey,
        epoch: u32,
        boot: String,
    ) -> Result<Self, JournalError> {
        let connection = open_store(path)?;
        let store =
            |doing| move |source| JournalError::Store { doing, path: path.to_owned(), source };
        // From here on this process alone may write; others may still read.
        let lock = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"))
            .map_err(|error| {
                store("make the lock")(rusqlite::Error::ToSqlConversionFailure(error.into()))
            })?;
        lock.try_lock().map_err(|_held| JournalError::InUse { path: path.to_owned() })?;
        if meta(&connection, "epoch").map_err(store("read the epoch"))?.is_none() {
            set_meta(&connection, "epoch", &epoch.to_string()).map_err(store("write the epoch"))?;
        }
        let mut journal = Self {
            connection,
            path: path.to_owned(),
            lane,
            key,
            boot,
            epoch,
            last: 0,
            head: Digest256::default(),
            _lock: lock,
        };
        journal.check()?;
        Ok(journal)
    }

    /// Reads every record again: sequence, digest, chain, and of those that are still to be posted
    /// the signature. The clearing house has checked the others, and a lane must start at once.
    fn check(&mut self) -> Result<(), JournalError> {
        let posted_upto = self.posted_upto()?;
        let path = self.path.clone();
        let store = |doing| {
            let path = path.clone();
            move |source| JournalError::Store { doing, path, source }
        };
        let mut statement = self
            .connection
            .prepare("select seq, payload, signature, digest from record order by seq")
            .map_err(store("read the records"))?;
        let mut rows = statement.query([]).map_err(store("read the records"))?;
        let (mut last, mut head) = (None::<u64>, Digest256::default());
        while let Some(row) = rows.next().map_err(store("read a record"))? {
            let seq: u64 = row.get(0).map_err(store("read a sequence"))?;
            let damaged = |why| JournalError::Damaged { path: path.clone(), seq, why };
            let (payload, signature, digest): (Vec<u8>, Vec<u8>, Vec<u8>) = (
                row.get(1).map_err(store("read a passage"))?,
                row.get(2).map_err(store("read a signature"))?,
                row.get(3).map_err(store("read a digest"))?,
            );
            if last.is_some_and(|last| last + 1 != seq) {
                return Err(damaged("the record before it is missing"));
            }
            let computed = Digest256::of(&payload);
            if computed.as_bytes().as_slice() != digest {
                return Err(damaged("its bytes have another digest"));
            }
            let is_signed = || {
                Signature::try_from_slice(&signature).is_ok_and(|signature| {
                    self.key.public().verify(Context::Passage, &payload, &signature).is_ok()
                })
            };
            if seq > posted_upto && !is_signed() {
                return Err(damaged("its signature is not this lane's"));
            }
            let record: PassageRecord = domain::wire::v1::parse("passage", &payload)
                .map_err(|_unreadable| damaged("it cannot be read"))?;
            if last.is_some() && record.previous != head {
                return Err(damaged("it does not follow the record before it"));
            }
            (last, head) = (Some(seq), computed);
        }
        drop(rows);
        drop(statement);
        self.last = last.unwrap_or(0);
        self.head = head;
        Ok(())
    }

    /// The sequence the next passage will have.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.last + 1
    }

    /// The last sequence written; 0 before the first.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last
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
    /// When the store fails; nothing is then written, and the passage has not happened.
    pub fn append(
        &mut self,
        role: LaneRole,
        draft: PassageDraft,
        saved: &SavedLane,
        posted_upto: u64,
    ) -> Result<PassageId, JournalError> {
        let seq = NonZeroU64::MIN.saturating_add(self.last);
        let id = PassageId { lane: self.lane.clone(), epoch: self.epoch, seq };
        let passage = self.passage(id.clone(), role, draft);
        let payload = emit(&PassageRecord::from(passage));
        let signature = self.key.sign(Context::Passage, &payload);
        let digest = Digest256::of(&payload);
        let written =
            write(&mut self.connection, seq, &payload, &signature, &digest, saved, posted_upto);
        written.map_err(|source| JournalError::Store {
            doing: "write a passage",
            path: self.path.clone(),
            source,
        })?;
        self.last = seq.get();
        self.head = digest;
        Ok(id)
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
        let text = meta(&self.connection, "lane-state").map_err(|source| JournalError::Store {
            doing: "read the lane's state",
            path: self.path.clone(),
            source,
        })?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The watermark as it was known when the last passage was written.
    ///
    /// # Errors
    /// When the store fails.
    pub fn posted_upto(&self) -> Result<u64, JournalError> {
        let text = meta(&self.connection, "posted-upto").map_err(|source| JournalError::Store {
            doing: "read the watermark",
            path: self.path.clone(),
            source,
        })?;
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Forgets records that are posted and not among the last `keep`; never any other, and never
    /// the last, which the next one is chained to.
    ///
    /// # Errors
    /// When the store fails.
    pub fn prune(&mut self, posted_upto: u64, keep: u64) -> Result<usize, JournalError> {
        let upto = posted_upto.min(self.last.saturating_sub(keep.max(1)));
        self.connection.execute("delete from record where seq <= ?1", params![upto]).map_err(
            |source| JournalError::Store {
                doing: "forget records",
                path: self.path.clone(),
                source,
            },
        )
    }

    /// A second way in, for reading alone.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    pub fn reader(&self) -> Result<JournalReader, JournalError> {
        JournalReader::open(&self.path)
    }
}

fn write(
    connection: &mut Connection,
    seq: NonZeroU64,
    payload: &[u8],
    signature: &Signature,
    digest: &Digest256,
    saved: &SavedLane,
    posted_upto: u64,
) -> Result<(), rusqlite::Error> {
    let state = serde_json::to_string(saved)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached(
            "insert into record (seq, payload, signature, digest) values (?1, ?2, ?3, ?4)",
        )?
        .execute(params![seq.get(), payload, signature.as_bytes(), digest.as_bytes()])?;
    for (key, value) in [("lane-state", state), ("posted-upto", posted_upto.to_string())] {
        transaction
            .prepare_cached("insert into meta values (?1, ?2) on conflict (key) do update set value = excluded.value")?
            .execute(params![key, value])?;
    }
    transaction.commit()
}

fn meta(connection: &Connection, key: &str) -> Result<Option<String>, rusqlite::Error> {
    connection
        .query_row("select value from meta where key = ?1", [key], |row| row.get(0))
        .optional()
}

fn set_meta(connection: &Connection, key: &str, value: &str) -> Result<(), rusqlite::Error> {
    connection
        .execute(
            "insert into meta values (?1, ?2) on conflict (key) do update set value = excluded.value",
            [key, value],
        )
        .map(|_changed| ())
}

/// The journal, open for reading: what the uplink sends from.
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
        let connection = Connection::open_with_flags(path, flags).map_err(|source| {
            JournalError::Store { doing: "open for reading", path: path.to_owned(), source }
        })?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Records from `first` on, at most `limit`, in order.
    ///
    /// # Errors
    /// When the store fails or a record has no signature.
    pub fn read(&self, first: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let store =
            |source| JournalError::Store { doing: "read records", path: self.path.clone(), source };
        let mut statement = self
            .connection
            .prepare_cached(
                "select seq, payload, signature from record where seq >= ?1 order by seq limit ?2",
            )
            .map_err(store)?;
        let rows = statement
            .query_map(params![first, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .map_err(store)?;
        rows.map(|row| {
            let (seq, payload, signature) = row.map_err(store)?;
            let signature = Signature::try_from_slice(&signature).map_err(|_no_signature| {
                JournalError::Damaged { path: self.path.clone(), seq, why: "it has no signature" }
            })?;
            Ok(Record { seq, payload, signature })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
