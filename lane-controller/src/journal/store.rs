//! The file: how it is opened, its tables, and the few values beside the records.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::store;
use super::row::crc32c;
use super::{Episode, JournalError};

/// Oldest `SQLite` without the WAL-reset bug, as `sqlite3_libversion_number` counts.
const SQLITE_MIN: i32 = 3_051_003;
/// How long the store itself waits for another connection's lock.
const BUSY_FOR: Duration = Duration::from_millis(500);

const SCHEMA: &str = "
    create table if not exists meta (
        key    text primary key,
        value  text not null,
        crc32c integer
    ) strict;
    create table if not exists record (
        seq       integer primary key,
        payload   blob not null,
        signature blob not null,
        digest    blob not null,
        crc32c    integer
    ) strict;
    create table if not exists episode (
        from_seq integer primary key,
        upto_seq integer,
        since    text not null,
        until    text,
        cause    text not null
    ) strict;
    create table if not exists case_note (
        number  integer primary key,
        payload blob not null,
        crc32c  integer not null
    ) strict;
    create table if not exists tally (
        from_seq integer primary key,
        quarter  integer not null,
        last_seq integer not null,
        counts   text not null
    ) strict;
    create table if not exists receipt (
        upto integer primary key,
        at_s integer not null
    ) strict;
    create table if not exists reserve (filler blob not null) strict;
";

/// Refuses a store that is known to lose data.
pub(super) fn check_version(number: i32, text: &str) -> Result<(), JournalError> {
    if number < SQLITE_MIN {
        return Err(JournalError::OldStore { found: text.to_owned() });
    }
    Ok(())
}

/// Opens a file as a journal is to be opened for writing: durable at each commit.
pub(super) fn open(path: &Path) -> Result<Connection, JournalError> {
    check_version(rusqlite::version_number(), rusqlite::version())?;
    let connection = Connection::open(path).map_err(store(path, "open the file"))?;
    connection.busy_timeout(BUSY_FOR).map_err(store(path, "set time limits"))?;
    // The backstop of the checkpoints that are made between passages: see `Journal::checkpoint`.
    connection
        .execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; \
             pragma wal_autocheckpoint = 4000;",
        )
        .map_err(store(path, "prepare the file"))?;
    connection.execute_batch(SCHEMA).map_err(store(path, "make the tables"))?;
    for table in ["meta", "record"] {
        if !has_check_sums(&connection, table).map_err(store(path, "read the tables"))? {
            connection
                .execute_batch(&format!("alter table {table} add column crc32c integer"))
                .map_err(store(path, "add check sums to the tables"))?;
        }
    }
    Ok(connection)
}

fn has_check_sums(connection: &Connection, table: &str) -> Result<bool, rusqlite::Error> {
    connection.prepare("select 1 from pragma_table_info(?1) where name = 'crc32c'")?.exists([table])
}

fn sum(key: &str, value: &str) -> u32 {
    crc32c(&[key.as_bytes(), value.as_bytes()])
}

/// A value beside the records, checked.
pub(super) fn meta(
    connection: &Connection,
    path: &Path,
    key: &'static str,
) -> Result<Option<String>, JournalError> {
    let found = connection
        .query_row("select value, crc32c from meta where key = ?1", [key], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<u32>>(1)?))
        })
        .optional()
        .map_err(store(path, key))?;
    match found {
        None => Ok(None),
        Some((value, crc)) if crc.is_none_or(|crc| crc == sum(key, &value)) => Ok(Some(value)),
        Some(_) => Err(JournalError::Damaged {
            path: path.to_owned(),
            seq: 0,
            why: "a value beside the records has another check sum",
        }),
    }
}

/// A number beside the records.
pub(super) fn number(
    connection: &Connection,
    path: &Path,
    key: &'static str,
) -> Result<Option<u64>, JournalError> {
    let damaged = |_no_number| JournalError::Damaged {
        path: path.to_owned(),
        seq: 0,
        why: "a number beside the records is none",
    };
    meta(connection, path, key)?.map(|text| text.parse().map_err(damaged)).transpose()
}

pub(super) fn set_meta(
    connection: &Connection,
    key: &str,
    value: &str,
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(
            "insert into meta (key, value, crc32c) values (?1, ?2, ?3) on conflict (key) \
             do update set value = excluded.value, crc32c = excluded.crc32c",
        )?
        .execute(params![key, value, sum(key, value)])
        .map(|_changed| ())
}

/// Notes an episode of decisions that went on without the journal, or how it ended.
pub(super) fn set_episode(
    connection: &Connection,
    episode: &Episode,
) -> Result<(), rusqlite::Error> {
    connection
        .execute(
            "insert into episode (from_seq, upto_seq, since, until, cause) \
             values (?1, ?2, ?3, ?4, ?5) on conflict (from_seq) \
             do update set upto_seq = excluded.upto_seq, until = excluded.until",
            params![
                episode.from_seq,
                episode.upto_seq,
                episode.since.to_string(),
                episode.until.map(|until| until.to_string()),
                episode.cause
            ],
        )
        .map(|_changed| ())
}

/// The episodes, oldest first.
pub(super) fn episodes(connection: &Connection) -> Result<Vec<Episode>, rusqlite::Error> {
    let is_there: bool = connection
        .prepare("select 1 from sqlite_schema where type = 'table' and name = 'episode'")?
        .exists([])?;
    if !is_there {
        return Ok(Vec::new());
    }
    let mut statement = connection
        .prepare("select from_seq, upto_seq, since, until, cause from episode order by from_seq")?;
    let rows = statement.query_map([], |row| {
        let since: String = row.get(2)?;
        let until: Option<String> = row.get(3)?;
        Ok(Episode {
            from_seq: row.get(0)?,
            upto_seq: row.get(1)?,
            since: since.parse().unwrap_or_default(),
            until: until.and_then(|until| until.parse().ok()),
            cause: row.get(4)?,
        })
    })?;
    rows.collect()
}
