//! Who takes which partition: workers share them evenly, in one process or in several.
//!
//! A worker keeps one connection to the database for this alone. On it a session lock says that
//! the worker lives, and one more lock for each partition that it is alone with it; both go with
//! the session, so what a killed worker had is free at once, and what a stopped one had after
//! [`SILENT_MAX_S`]. A worker that comes back late may still believe that it has its partitions:
//! the books refuse what it then writes, because the tenure is another (`position`).

use std::collections::BTreeMap;

use domain::wire::subject::PARTITIONS;
use sqlx::{Connection, PgConnection, PgPool};

use super::position::{self, Partition};

/// The first numbers of this system's session locks: for workers, and for partitions.
const WORKERS: i32 = 0x4554_0001;
const PARTITION: i32 = 0x4554_0002;
/// After so many silent seconds the database ends the session of a worker.
const SILENT_MAX_S: u32 = 15;

/// What a worker has gained and lost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Partitions it has taken, with the number of the tenure.
    pub(super) taken: Vec<(Partition, i64)>,
    /// Partitions it has let go.
    pub(super) released: Vec<Partition>,
}

/// The partitions of one worker.
pub(super) struct Keeper {
    pool: PgPool,
    session: Option<PgConnection>,
    held: BTreeMap<Partition, i64>,
    /// Where this worker begins to look for a free one, so that not all begin at the same.
    first: Partition,
}

impl Keeper {
    pub(super) fn new(pool: PgPool, first: Partition) -> Self {
        Self { pool, session: None, held: BTreeMap::new(), first: first % PARTITIONS }
    }

    pub(super) fn tenure(&self, partition: Partition) -> Option<i64> {
        self.held.get(&partition).copied()
    }

    pub(super) fn held(&self) -> impl Iterator<Item = Partition> {
        self.held.keys().copied()
    }

    /// Takes what is this worker's share and free, and lets go what is more.
    ///
    /// # Errors
    /// When the database does not answer: then the worker has nothing any more.
    pub(super) async fn balance(&mut self) -> Result<Changes, sqlx::Error> {
        let balanced = self.try_balance().await;
        if balanced.is_err() {
            self.session = None;
            self.held.clear();
        }
        balanced
    }

    async fn try_balance(&mut self) -> Result<Changes, sqlx::Error> {
        if self.session.is_none() {
            self.held.clear();
            self.session = Some(register(&self.pool).await?);
        }
        let Some(session) = self.session.as_mut() else { return Ok(Changes::default()) };
        let share = share(workers(session).await?);
        let mut changes = Changes::default();
        while self.held.len() > share {
            let Some((partition, _)) = self.held.pop_last() else { break };
            sqlx::query("select pg_advisory_unlock($1, $2)")
                .bind(PARTITION)
                .bind(i32::from(partition))
                .execute(&mut *session)
                .await?;
            changes.released.push(partition);
        }
        for step in 0..PARTITIONS {
            let partition = (self.first + step) % PARTITIONS;
            if self.held.len() >= share {
                break;
            }
            if self.held.contains_key(&partition) || !lock(session, partition).await? {
                continue;
            }
            let tenure = position::begin_tenure(session, partition).await?;
            self.held.insert(partition, tenure);
            changes.taken.push((partition, tenure));
        }
        Ok(changes)
    }
}

/// The most partitions one of so many workers takes.
fn share(workers: usize) -> usize {
    usize::from(PARTITIONS).div_ceil(workers.max(1))
}

async fn register(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
    let mut session = PgConnection::connect_with(&pool.connect_options()).await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("set idle_session_timeout = '{SILENT_MAX_S}s'")))
        .execute(&mut session)
        .await?;
    sqlx::query("select pg_advisory_lock_shared($1, 0)")
        .bind(WORKERS)
        .execute(&mut session)
        .await?;
    Ok(session)
}

async fn workers(session: &mut PgConnection) -> Result<usize, sqlx::Error> {
    // The lock's first number stands in the column classid, as an oid.
    let workers: i64 = sqlx::query_scalar(
        "select count(*) from pg_locks l join pg_database d on d.oid = l.database \
         where l.locktype = 'advisory' and d.datname = current_database() \
           and l.classid::int8 = $1 and l.objsubid = 2 and l.granted",
    )
    .bind(i64::from(WORKERS))
    .fetch_one(session)
    .await?;
    Ok(usize::try_from(workers).unwrap_or(1))
}

async fn lock(session: &mut PgConnection, partition: Partition) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select pg_try_advisory_lock($1, $2)")
        .bind(PARTITION)
        .bind(i32::from(partition))
        .fetch_one(session)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_every_partition_whatever_the_number_of_workers() {
        for workers in 0..40 {
            assert!(share(workers) * workers.max(1) >= usize::from(PARTITIONS), "{workers}");
        }
        assert_eq!([share(1), share(2), share(3), share(40)], [16, 8, 6, 1]);
    }
}
