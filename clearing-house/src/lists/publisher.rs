//! The one publisher of the list.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use domain::account_list::{AccountList, ListChange, ListEntry};
use domain::signature::{Context as Purpose, Digest256, SecretKey};
use domain::wire::v1::{DeltaRecord, ListEntryRecord, Manifest, emit};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, TagId};
use sqlx::{PgConnection, PgPool};
use tokio::sync::Notify;

use super::repo;
use crate::config::ListPolicy;

/// The most changes one delta carries: it must fit a message.
const DELTA_LEN_MAX: i64 = 250;
/// The most entries one part of a snapshot carries.
const PART_LEN_MAX: usize = 1_500;
/// After so many deltas a new snapshot spares newcomers the way.
const SNAPSHOT_EVERY: u64 = 500;
/// How often the outbox is looked at when nobody says that it has something, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Every so many rounds the publisher looks whether the broker still has the snapshot.
const LOOK_FOR_SNAPSHOT_EVERY: u32 = 50;
/// One publisher at a time, whichever process it runs in.
const PUBLISHER_LOCK: i64 = 0x6c69_7374;

/// Why the list could not be advanced or published; the next round tries again.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The database failed.
    #[error("read or write the list")]
    Database(#[from] sqlx::Error),
    /// What is stored as the list is not one.
    #[error("the stored list is damaged: {0}")]
    Damaged(String),
    /// The broker did not take a message.
    #[error("publish the list")]
    Publish(#[source] async_nats::Error),
}

/// Turns the outbox into deltas and snapshots.
#[derive(Debug)]
pub struct Publisher {
    pool: PgPool,
    jetstream: Context,
    key: SecretKey,
    policy: ListPolicy,
    clock: Clock,
    list: AccountList,
    snapshot: u64,
    rounds: u32,
}

impl Publisher {
    /// Makes a publisher; the list is read when it first runs.
    #[must_use]
    pub fn new(
        pool: PgPool,
        jetstream: Context,
        key: SecretKey,
        policy: ListPolicy,
        clock: Clock,
    ) -> Self {
        Self {
            pool,
            jetstream,
            key,
            policy,
            clock,
            list: AccountList::default(),
            snapshot: 0,
            rounds: 0,
        }
    }

    /// Publishes for as long as the process lives; `woken` spares the wait for the next look.
    pub async fn run(mut self, woken: Arc<Notify>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = woken.notified() => {}
            }
            if let Err(error) = self.round().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the list waits");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }

    async fn round(&mut self) -> Result<(), ListError> {
        while self.advance().await? {}
        for (version, payload, signature) in repo::unpublished(&self.pool).await? {
            let id = format!("list/{version}");
            let to = subject::list_delta(u64::try_from(version).unwrap_or(0));
            self.send(to, payload, signature, Some(id)).await?;
            repo::mark_published(&self.pool, version, self.clock.now()).await?;
        }
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds.is_multiple_of(LOOK_FOR_SNAPSHOT_EVERY) && !self.snapshot_is_there().await {
            self.snapshot = 0;
        }
        let version = self.list.version();
        let due = self.snapshot == 0 || version >= self.snapshot + SNAPSHOT_EVERY;
        if version > 0 && due {
            self.publish_snapshot().await?;
        }
        Ok(())
    }

    /// Makes one delta from the outbox; tells whether there may be more.
    async fn advance(&mut self) -> Result<bool, ListError> {
        let mut tx = self.pool.begin().await?;
        let locked: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)")
            .bind(PUBLISHER_LOCK)
            .fetch_one(&mut *tx)
            .await?;
        if !locked {
            return Ok(false);
        }
        self.catch_up(&mut tx).await?;
        let noted = repo::changes(&mut tx, DELTA_LEN_MAX).await?;
        if noted.is_empty() {
            return Ok(false);
        }
        let (numbers, mut tags): (Vec<i64>, Vec<Vec<u8>>) = noted.into_iter().unzip();
        tags.sort();
        tags.dedup();
        let changes = self.changes(&mut tx, &tags).await?;
        repo::take_changes(&mut tx, &numbers).await?;
        if changes.is_empty() {
            tx.commit().await?;
            return Ok(true);
        }
        let now = self.clock.now();
        let delta = self.list.plan(changes.clone(), now);
        let payload = emit(&DeltaRecord::from(delta.clone()));
        let signature = self.key.sign(Purpose::List, &payload).to_text();
        let version = i64::try_from(delta.version).unwrap_or(i64::MAX);
        let (mut upserts, mut removed) = (BTreeMap::new(), Vec::new());
        for change in changes {
            match change {
                ListChange::Upsert(entry) => {
                    let tag = entry.tag.as_bytes().to_vec();
                    upserts.insert(tag, json(&ListEntryRecord::from(entry)));
                }
                ListChange::Remove(tag) => removed.push(tag.as_bytes().to_vec()),
            }
        }
        let (tags, entries): (Vec<_>, Vec<_>) = upserts.into_iter().unzip();
        repo::write_entries(&mut tx, &tags, &entries, version).await?;
        repo::remove_entries(&mut tx, &removed).await?;
        repo::insert_delta(&mut tx, version, &payload, &signature, now).await?;
        tx.commit().await?;
        self.list.apply(&delta).map_err(|error| ListError::Damaged(error.to_string()))?;
        Ok(true)
    }

    /// What has really changed of these tags, for a lane.
    async fn changes(
        &self,
        tx: &mut PgConnection,
        tags: &[Vec<u8>],
    ) -> Result<Vec<ListChange>, ListError> {
        let now: HashMap<Vec<u8>, ListEntry> = repo::entries_now(tx, tags, self.policy)
            .await?
            .into_iter()
            .map(|entry| (entry.tag.as_bytes().to_vec(), entry))
            .collect();
        let mut changes = Vec::new();
        for bytes in tags {
            let Ok(tag) = TagId::try_from_slice(bytes) else { continue };
            match (self.list.find(&tag), now.get(bytes)) {
                (before, Some(entry)) if before != Some(entry) => {
                    changes.push(ListChange::Upsert(entry.clone()));
                }
                (Some(_), None) => changes.push(ListChange::Remove(tag)),
                _ => {}
            }
        }
        Ok(changes)
    }

    /// Reads the list where another process, or an earlier life of this one, has advanced it.
    async fn catch_up(&mut self, tx: &mut PgConnection) -> Result<(), ListError> {
        let Some((version, issued_at)) = repo::last_version(tx).await? else { return Ok(()) };
        let version = u64::try_from(version).unwrap_or(0);
        if version == self.list.version() {
            return Ok(());
        }
        let mut entries = Vec::new();
        for text in repo::all_entries(tx).await? {
            let record: ListEntryRecord = serde_json::from_str(&text)
                .map_err(|error| ListError::Damaged(error.to_string()))?;
            entries.push(ListEntry::from(record));
        }
        let all = entries.iter().cloned().map(ListChange::Upsert).collect();
        let hash = AccountList::default().plan(all, issued_at).hash;
        self.list = AccountList::from_snapshot(version, hash, issued_at, entries)
            .map_err(|error| ListError::Damaged(error.to_string()))?;
        Ok(())
    }

    async fn snapshot_is_there(&self) -> bool {
        let Ok(stream) = self.jetstream.get_stream(subject::LIST_SNAPSHOTS.name).await else {
            return false;
        };
        stream.get_last_raw_message_by_subject(subject::LIST_MANIFEST).await.is_ok()
    }

    /// The snapshot before the last is kept for lanes that are reading it; older ones go.
    async fn purge_before_last(&self, last: u64) {
        if let Ok(stream) = self.jetstream.get_stream(subject::LIST_SNAPSHOTS.name).await {
            let old = last.saturating_sub(SNAPSHOT_EVERY);
            let purged = stream.purge().filter(format!("etc.v1.list.snapshot.{old}.*")).await;
            if let Err(error) = purged {
                tracing::warn!(%error, "an old snapshot was not purged");
            }
        }
    }

    async fn publish_snapshot(&mut self) -> Result<(), ListError> {
        let version = self.list.version();
        let mut entries: Vec<ListEntryRecord> =
            self.list.entries().cloned().map(ListEntryRecord::from).collect();
        entries.sort_by(|a, b| a.tag.cmp(&b.tag));
        let parts: Vec<Vec<u8>> =
            entries.chunks(PART_LEN_MAX).map(|part| json(&part).into_bytes()).collect();
        for (index, part) in parts.iter().enumerate() {
            let signature = self.key.sign(Purpose::List, part).to_text();
            self.send(subject::list_part(version, index), part.clone(), signature, None).await?;
        }
        let manifest = emit(&Manifest {
            v: 1,
            version,
            hash: Digest256::new(*self.list.hash().as_bytes()),
            tags: u64::try_from(self.list.len()).unwrap_or(u64::MAX),
            parts: parts.iter().map(|part| Digest256::of(part)).collect(),
            issued_at: self.list.issued_at(),
        });
        let signature = self.key.sign(Purpose::List, &manifest).to_text();
        self.send(subject::LIST_MANIFEST.to_owned(), manifest, signature, None).await?;
        self.purge_before_last(self.snapshot).await;
        self.snapshot = version;
        tracing::info!(version, tags = self.list.len(), "list snapshot published");
        Ok(())
    }

    async fn send(
        &self,
        to: String,
        payload: Vec<u8>,
        signature: String,
        id: Option<String>,
    ) -> Result<(), ListError> {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, signature);
        if let Some(id) = id {
            headers.insert("Nats-Msg-Id", id);
        }
        let ack = self
            .jetstream
            .publish_with_headers(to, headers, payload.into())
            .await
            .map_err(|error| ListError::Publish(error.into()))?;
        ack.await.map_err(|error| ListError::Publish(error.into()))?;
        Ok(())
    }
}

/// # Panics
/// Never: records of the contract have a JSON form.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records of the contract have a JSON form")
}
