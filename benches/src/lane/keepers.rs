//! What a lane may do between the decision and the open command instead of our journal.
//!
//! All of them but the central database keep the record that ours keeps: the passage's bytes,
//! signed and chained.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use domain::TagId;
use domain::passage::LaneRole;
use lane_controller::journal::Journal;
use lane_controller::lane::{PassageDraft, SavedLane};
use rusqlite::params;
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

use super::Scene;
use super::signer::Signer;
use crate::Failed;
use crate::redis::{RedisServer, Resp};

/// A passage before the arm is raised.
pub(crate) struct Passage<'a> {
    pub(crate) draft: PassageDraft,
    pub(crate) saved: SavedLane,
    pub(crate) signer: &'a mut Signer,
}

/// A way to keep passages.
pub(crate) trait Keeper: Send {
    /// Comes back when the arm may be raised.
    fn keep(&mut self, passage: Passage<'_>) -> Result<(), Failed>;
}

/// Keeps nothing.
pub(super) struct Nothing;

impl Keeper for Nothing {
    fn keep(&mut self, passage: Passage<'_>) -> Result<(), Failed> {
        passage.signer.sign(passage.draft);
        Ok(())
    }
}

/// Appends to a file and flushes it.
pub(crate) struct AppendedFile(File);

impl AppendedFile {
    pub(crate) fn create(store: &Path) -> Result<Self, Failed> {
        Ok(Self(File::create(store.with_extension("append"))?))
    }
}

impl Keeper for AppendedFile {
    fn keep(&mut self, passage: Passage<'_>) -> Result<(), Failed> {
        let signed = passage.signer.sign(passage.draft);
        let mut record = signed.payload;
        record.extend(signed.signature.as_bytes());
        record.extend(signed.digest.as_bytes());
        serde_json::to_writer(&mut record, &passage.saved)?;
        self.0.write_all(&record)?;
        Ok(self.0.sync_data()?)
    }
}

/// Our journal's tables and statements with `synchronous=NORMAL`: a commit returns before it is
/// on the disk.
pub(crate) struct SqliteNormal(rusqlite::Connection);

impl SqliteNormal {
    pub(crate) fn create(store: &Path) -> Result<Self, Failed> {
        let connection = rusqlite::Connection::open(store.with_extension("normal"))?;
        connection.execute_batch(
            "pragma journal_mode = wal; pragma synchronous = normal; \
             create table meta (key text primary key, value text not null) strict; \
             create table record (seq integer primary key, payload blob not null, \
                 signature blob not null, digest blob not null) strict;",
        )?;
        Ok(Self(connection))
    }
}

impl Keeper for SqliteNormal {
    fn keep(&mut self, passage: Passage<'_>) -> Result<(), Failed> {
        let signed = passage.signer.sign(passage.draft);
        let saved = serde_json::to_string(&passage.saved)?;
        let transaction =
            self.0.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.prepare_cached("insert into record values (?1, ?2, ?3, ?4)")?.execute(
            params![
                signed.seq,
                signed.payload,
                signed.signature.as_bytes(),
                signed.digest.as_bytes()
            ],
        )?;
        for (key, value) in [("lane-state", saved.as_str()), ("posted-upto", "0")] {
            transaction
                .prepare_cached(
                    "insert into meta values (?1, ?2) \
                     on conflict (key) do update set value = excluded.value",
                )?
                .execute(params![key, value])?;
        }
        Ok(transaction.commit()?)
    }
}

/// The same records in redb, which flushes at each commit.
pub(crate) struct Redb(redb::Database);

/// Sequence to payload, signature and digest in one.
const RECORDS: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("record");
const META: redb::TableDefinition<'_, &str, &str> = redb::TableDefinition::new("meta");

impl Redb {
    pub(crate) fn create(store: &Path) -> Result<Self, Failed> {
        Ok(Self(redb::Database::create(store.with_extension("redb"))?))
    }
}

impl Keeper for Redb {
    fn keep(&mut self, passage: Passage<'_>) -> Result<(), Failed> {
        let signed = passage.signer.sign(passage.draft);
        let saved = serde_json::to_string(&passage.saved)?;
        let mut record = signed.payload;
        record.extend(signed.signature.as_bytes());
        record.extend(signed.digest.as_bytes());
        let transaction = self.0.begin_write()?;
        transaction.open_table(RECORDS)?.insert(signed.seq, record.as_slice())?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert("lane-state", saved.as_str())?;
            meta.insert("posted-upto", "0")?;
        }
        Ok(transaction.commit()?)
    }
}

/// Asks a central database for the account, and has it keep the passage.
pub(super) struct Central {
    runtime: Runtime,
    connection: PgConnection,
}

/// Puts the list into the central database.
pub(super) fn fill_central(url: &str, scene: &Scene) -> Result<(), Failed> {
    let runtime = small_runtime()?;
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(
            "create table account (tag bytea primary key, status text not null, \
                 vehicle_group int not null); \
             create table passage (id bigint generated always as identity primary key, \
                 payload bytea not null, signature bytea not null);",
        )
        .execute(&mut connection)
        .await?;
        let tags: Vec<Vec<u8>> = scene.tags.iter().map(|tag| tag.as_bytes().to_vec()).collect();
        sqlx::query(
            "insert into account select tag, 'good', 1 from unnest($1::bytea[]) as u (tag)",
        )
        .bind(tags)
        .execute(&mut connection)
        .await?;
        sqlx::raw_sql("vacuum analyze account").execute(&mut connection).await?;
        Ok::<(), sqlx::Error>(())
    })?;
    Ok(())
}

impl Central {
    pub(super) fn connect(url: &str) -> Result<Self, Failed> {
        let runtime = small_runtime()?;
        let connection = runtime.block_on(PgConnection::connect(url))?;
        Ok(Self { runtime, connection })
    }
}

impl Keeper for Central {
    fn keep(&mut self, passage: Passage<'_>) -> Result<(), Failed> {
        let tag = passage.draft.tag.clone().ok_or("a passage without a tag")?;
        let signed = passage.signer.sign(passage.draft);
        let connection = &mut self.connection;
        self.runtime.block_on(async {
            let status: String = sqlx::query_scalar("select status from account where tag = $1")
                .bind(tag.as_bytes())
                .fetch_one(&mut *connection)
                .await?;
            if status != "good" {
                return Err("the account is not good".into());
            }
            sqlx::query("insert into passage (payload, signature) values ($1, $2)")
                .bind(&signed.payload)
                .bind(signed.signature.as_bytes().as_slice())
                .execute(connection)
                .await?;
            Ok(())
        })
    }
}

fn small_runtime() -> Result<Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// What Redis has for a tag whose account is good.
pub(super) const GOOD: &[u8] = b"good:1";

/// Looks the tag up in Redis, and keeps the passage in our journal.
pub(super) struct Redis {
    line: Resp,
    journal: Journal,
}

impl Redis {
    pub(super) fn connect(
        server: &RedisServer,
        store: &Path,
        scene: &Scene,
    ) -> Result<Self, Failed> {
        let path = store.with_extension("redis");
        let (lane, key) = (scene.lane.clone(), scene.key.clone());
        Journal::identify(&path, &lane)?;
        let journal = Journal::open(&path, lane, key, 1, "bench".to_owned())?;
        Ok(Self { line: server.connect()?, journal })
    }
}

impl Keeper for Redis {
    fn keep(&mut self, passage: Passage<'_>) -> Result<(), Failed> {
        let tag: &TagId = passage.draft.tag.as_ref().ok_or("a passage without a tag")?;
        if self.line.ask(&[b"GET", tag.as_bytes()])?.as_deref() != Some(GOOD) {
            return Err("the account is not good".into());
        }
        self.journal.append(LaneRole::Open, passage.draft, &passage.saved, 0)?;
        Ok(())
    }
}
