//! What a team would pick otherwise.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};

use domain::{Clock, TagId};
use redb::ReadableDatabase as _;
use rusqlite::Connection;

use super::centre::{Centre, tag};
use super::{CHANGES_A_DELTA, Contender};
use crate::Failed;
use crate::redis::{RedisServer, Resp};

type Key = [u8; 12];

fn key_of(tag: &TagId) -> Result<Key, Failed> {
    Ok(tag.as_bytes().try_into()?)
}

/// A hash map that is built at start.
pub(super) struct Map(RwLock<HashMap<Key, u16>>);

impl Map {
    pub(super) fn build(tags: u64) -> Result<Self, Failed> {
        let mut map = HashMap::with_capacity(usize::try_from(tags)?);
        for serial in 0..tags {
            map.insert(key_of(&tag(serial)?)?, 0);
        }
        Ok(Self(RwLock::new(map)))
    }

    /// What the map's own table takes: an entry and a byte of its own for each place.
    pub(super) fn bytes(&self) -> f64 {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // hashbrown fills seven eighths of a power of two.
        let places = (map.capacity() * 8 / 7).next_power_of_two();
        super::number((places * (size_of::<(Key, u16)>() + 1)) as u64)
    }
}

impl Contender for Map {
    fn finds(&self, tag: &TagId) -> Result<bool, Failed> {
        let key = key_of(tag)?;
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(&key))
    }

    fn change(&self, centre: &mut Centre) -> Result<(), Failed> {
        let turned = centre.turn(CHANGES_A_DELTA)?;
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (serial, low) in turned {
            map.insert(key_of(&tag(serial)?)?, u16::from(low));
        }
        Ok(())
    }
}

/// A file of `SQLite`, one connection to read and one to write.
pub(super) struct Sqlite {
    reads: Mutex<Connection>,
    writes: Mutex<Connection>,
}

impl Sqlite {
    pub(super) fn fill(path: &Path, tags: u64) -> Result<(), Failed> {
        let mut database = Connection::open(path)?;
        database.execute_batch(
            "pragma journal_mode = wal; pragma synchronous = normal;
             create table list (tag blob primary key, status integer) without rowid;",
        )?;
        let tx = database.transaction()?;
        {
            let mut insert = tx.prepare("insert into list values (?1, 0)")?;
            for serial in 0..tags {
                insert.execute([tag(serial)?.as_bytes()])?;
            }
        }
        Ok(tx.commit()?)
    }

    pub(super) fn open(path: &Path) -> Result<Self, Failed> {
        Ok(Self {
            reads: Mutex::new(Connection::open(path)?),
            writes: Mutex::new(Connection::open(path)?),
        })
    }
}

impl Contender for Sqlite {
    fn finds(&self, tag: &TagId) -> Result<bool, Failed> {
        let database = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut select = database.prepare_cached("select status from list where tag = ?1")?;
        Ok(select.exists([tag.as_bytes()])?)
    }

    fn change(&self, centre: &mut Centre) -> Result<(), Failed> {
        let mut database = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = database.transaction()?;
        for (serial, low) in centre.turn(CHANGES_A_DELTA)? {
            let mut update = tx.prepare_cached("update list set status = ?2 where tag = ?1")?;
            update.execute((tag(serial)?.as_bytes(), low))?;
        }
        Ok(tx.commit()?)
    }
}

/// A file of redb.
pub(super) struct Redb(redb::Database);

const LIST: redb::TableDefinition<'_, Key, u16> = redb::TableDefinition::new("list");
/// As many are put in at once.
const FILLED_AT_ONCE: u64 = 1_000_000;

impl Redb {
    pub(super) fn fill(path: &Path, tags: u64) -> Result<(), Failed> {
        let database = redb::Database::create(path)?;
        for first in (0..tags).step_by(usize::try_from(FILLED_AT_ONCE)?) {
            let transaction = database.begin_write()?;
            {
                let mut list = transaction.open_table(LIST)?;
                for serial in first..tags.min(first + FILLED_AT_ONCE) {
                    list.insert(key_of(&tag(serial)?)?, 0)?;
                }
            }
            transaction.commit()?;
        }
        Ok(())
    }

    pub(super) fn open(path: &Path) -> Result<Self, Failed> {
        Ok(Self(redb::Database::open(path)?))
    }
}

impl Contender for Redb {
    fn finds(&self, tag: &TagId) -> Result<bool, Failed> {
        // A transaction for each: one that is kept would see nothing that comes after it.
        let list = self.0.begin_read()?.open_table(LIST)?;
        Ok(list.get(key_of(tag)?)?.is_some())
    }

    fn change(&self, centre: &mut Centre) -> Result<(), Failed> {
        let transaction = self.0.begin_write()?;
        {
            let mut list = transaction.open_table(LIST)?;
            for (serial, low) in centre.turn(CHANGES_A_DELTA)? {
                list.insert(key_of(&tag(serial)?)?, u16::from(low))?;
            }
        }
        Ok(transaction.commit()?)
    }
}

/// A Redis beside the lane, over a unix socket.
pub(super) struct Redis {
    reads: Mutex<Resp>,
    writes: Mutex<Resp>,
    _server: RedisServer,
}

/// As many are put in with one write.
const SENT_AT_ONCE: u64 = 500;

impl Redis {
    /// Starts it and puts the list in; none where the machine has none.
    pub(super) fn fill(folder: &Path, clock: Clock, tags: u64) -> Result<Option<Self>, Failed> {
        let Some(server) = RedisServer::start(folder, clock)? else { return Ok(None) };
        let mut line = server.connect()?;
        for first in (0..tags).step_by(usize::try_from(SENT_AT_ONCE)?) {
            let keys: Result<Vec<_>, Failed> = (first..tags.min(first + SENT_AT_ONCE))
                .map(|serial| key_of(&tag(serial)?))
                .collect();
            let values: Vec<(Key, &[u8])> = keys?.into_iter().map(|key| (key, &b"0"[..])).collect();
            line.set_all(&values)?;
        }
        let (reads, writes) = (Mutex::new(line), Mutex::new(server.connect()?));
        Ok(Some(Self { reads, writes, _server: server }))
    }

    /// What it takes of memory, by its own word.
    pub(super) fn bytes(&self) -> Result<f64, Failed> {
        let mut line = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let said = line.ask(&[b"INFO", b"memory"])?.ok_or("Redis says nothing of its memory")?;
        String::from_utf8(said)?
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"))
            .ok_or("Redis does not say what it takes")?
            .parse()
            .map_err(Failed::from)
    }
}

impl Contender for Redis {
    fn finds(&self, tag: &TagId) -> Result<bool, Failed> {
        let mut line = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(line.ask(&[b"GET", tag.as_bytes()])?.is_some())
    }

    fn change(&self, centre: &mut Centre) -> Result<(), Failed> {
        let mut line = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let turned = centre.turn(CHANGES_A_DELTA)?;
        let keys: Result<Vec<_>, Failed> = turned
            .into_iter()
            .map(|(serial, low)| {
                Ok((key_of(&tag(serial)?)?, if low { &b"1"[..] } else { &b"0"[..] }))
            })
            .collect();
        line.set_all(&keys?)
    }
}
