//! What a team would pick otherwise.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};

use domain::TagId;
use rusqlite::Connection;

use super::centre::{Centre, tag};
use super::{CHANGES_A_DELTA, Contender};
use crate::Failed;

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
