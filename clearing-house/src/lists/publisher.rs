//! The one publisher of the list.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishAckFuture;
use domain::account_list::{ContentHash, ListChange, ListDelta, ListEntry};
use domain::signature::{Context as Purpose, Digest256, SecretKey};
use domain::wire::v1::{DeltaRecord, ListEntryRecord, Manifest, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, TagId, Timestamp};
use futures::StreamExt as _;
use sqlx::{PgConnection, PgPool};
use tokio::sync::Notify;

use super::{entries, repo};
use crate::config::ListPolicy;

/// The most changes one delta carries: it must fit a message.
const DELTA_LEN_MAX: usize = 250;
/// The most changes one look at the outbox takes.
const TAKEN_MAX: i64 = 2_500;
/// The most entries one part of a snapshot carries.
const PART_LEN_MAX: i64 = 1_500;
/// After so many deltas a new snapshot spares newcomers the way.
const SNAPSHOT_EVERY: u64 = 500;
/// How often the outbox is looked at when nobody says that it has something, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Every so many rounds the publisher looks whether the broker still has what it was given.
const LOOK_AT_BROKER_EVERY: u32 = 50;
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

/// The list as far as it was issued: the last version, and what proves it.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    version: u64,
    hash: ContentHash,
    issued_at: Timestamp,
}

/// Turns the outbox into deltas and snapshots. The list itself stays in the database: a country's
/// tags need no memory here.
#[derive(Debug)]
pub struct Publisher {
    pool: PgPool,
    jetstream: Context,
    key: SecretKey,
    policy: ListPolicy,
    clock: Clock,
    head: Head,
    snapshot: u64,
    rounds: u32,
}

impl Publisher {
    /// Publishes through `jetstream` what the books of `pool` say.
    #[must_use]
    pub fn new(
        pool: PgPool,
        jetstream: Context,
        key: SecretKey,
        policy: ListPolicy,
        clock: Clock,
    ) -> Self {
        let head = Head::default();
        Self { pool, jetstream, key, policy, clock, head, snapshot: 0, rounds: 0 }
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
        while self.publish_deltas().await? {}
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds.is_multiple_of(LOOK_AT_BROKER_EVERY) {
            if !self.snapshot_is_there().await {
                self.snapshot = 0;
            }
            entries::publish_if_lost(&self.pool, &self.jetstream, &self.key, self.clock.now())
                .await?;
        }
        let version = self.head.version;
        let due = self.snapshot == 0 || version >= self.snapshot + SNAPSHOT_EVERY;
        if version > 0 && due {
            self.publish_snapshot().await?;
        }
        Ok(())
    }

    /// Makes deltas from the outbox; tells whether there may be more.
    async fn advance(&mut self) -> Result<bool, ListError> {
        let mut tx = self.pool.begin().await?;
        let locked: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)")
            .bind(PUBLISHER_LOCK)
            .fetch_one(&mut *tx)
            .await?;
        if !locked {
            return Ok(false);
        }
        self.head = head(&mut tx, self.head).await?;
        let noted = repo::changes(&mut tx, TAKEN_MAX).await?;
        if noted.is_empty() {
            return Ok(false);
        }
        let (numbers, mut tags): (Vec<i64>, Vec<Vec<u8>>) = noted.into_iter().unzip();
        tags.sort();
        tags.dedup();
        let changes = self.changes(&mut tx, &tags).await?;
        let mut head = self.head;
        for changes in changes.chunks(DELTA_LEN_MAX) {
            head = self.issue(&mut tx, head, changes).await?;
        }
        repo::take_changes(&mut tx, &numbers).await?;
        tx.commit().await?;
        self.head = head;
        Ok(true)
    }

    /// Stores one delta, signed, and what it makes of the list.
    async fn issue(
        &self,
        tx: &mut PgConnection,
        before: Head,
        changes: &[Change],
    ) -> Result<Head, ListError> {
        let mut hash = before.hash;
        let (mut upserts, mut removed) = (Vec::new(), Vec::new());
        for change in changes {
            hash = change.before.as_ref().map_or(hash, |entry| hash.minus(entry.hash()));
            match &change.now {
                Some(entry) => {
                    hash = hash.plus(entry.hash());
                    upserts.push(entry.clone());
                }
                None => removed.push(change.tag.as_bytes().to_vec()),
            }
        }
        let wire = |change: &Change| match &change.now {
            Some(entry) => ListChange::Upsert(entry.clone()),
            None => ListChange::Remove(change.tag.clone()),
        };
        let delta = ListDelta {
            version: before.version + 1,
            hash_before: before.hash,
            hash,
            issued_at: self.clock.now(),
            changes: changes.iter().map(wire).collect(),
        };
        let head = Head { version: delta.version, hash, issued_at: delta.issued_at };
        let payload = emit(&DeltaRecord::from(delta));
        let signature = self.key.sign(Purpose::List, &payload).to_text();
        let version = i64::try_from(head.version).unwrap_or(i64::MAX);
        let (tags, entries): (Vec<_>, Vec<_>) = upserts
            .into_iter()
            .map(|entry| (entry.tag.as_bytes().to_vec(), json(&ListEntryRecord::from(entry))))
            .unzip();
        repo::write_entries(tx, &tags, &entries, version).await?;
        repo::remove_entries(tx, &removed).await?;
        repo::insert_delta(tx, version, &payload, &signature, head.issued_at).await?;
        Ok(head)
    }

    /// What has really changed of these tags, for a lane.
    async fn changes(
        &self,
        tx: &mut PgConnection,
        tags: &[Vec<u8>],
    ) -> Result<Vec<Change>, ListError> {
        let by_tag = |entry: ListEntry| (entry.tag.as_bytes().to_vec(), entry);
        let mut now: HashMap<Vec<u8>, ListEntry> =
            repo::entries_now(tx, tags, self.policy).await?.into_iter().map(by_tag).collect();
        let mut told: HashMap<Vec<u8>, ListEntry> = HashMap::new();
        for (bytes, text) in repo::entries_told(tx, tags).await? {
            told.insert(bytes, entry_from(&text)?);
        }
        let mut changes = Vec::new();
        for bytes in tags {
            let Ok(tag) = TagId::try_from_slice(bytes) else { continue };
            let (before, now) = (told.remove(bytes), now.remove(bytes));
            if before != now {
                changes.push(Change { tag, before, now });
            }
        }
        Ok(changes)
    }

    /// Publishes what is stored and not published yet, many at once; tells whether there was any.
    async fn publish_deltas(&self) -> Result<bool, ListError> {
        let unpublished = repo::unpublished(&self.pool).await?;
        let mut acks = Vec::with_capacity(unpublished.len());
        for (version, payload, signature) in unpublished {
            let to = subject::list_delta(u64::try_from(version).unwrap_or(0));
            let id = Some(format!("list/{version}"));
            acks.push((version, self.begin_send(to, payload, signature, id).await?));
        }
        let mut published = Vec::with_capacity(acks.len());
        let mut failed = None;
        for (version, ack) in acks {
            match ack.await {
                Ok(_) if failed.is_none() => published.push(version),
                Ok(_) => {}
                Err(error) => failed = Some(ListError::Publish(error.into())),
            }
        }
        repo::mark_published(&self.pool, &published, self.clock.now()).await?;
        failed.map_or(Ok(!published.is_empty()), Err)
    }

    async fn snapshot_is_there(&self) -> bool {
        let Ok(stream) = self.jetstream.get_stream(subject::LIST_SNAPSHOTS.name).await else {
            return false;
        };
        stream.get_last_raw_message_by_subject(subject::LIST_MANIFEST).await.is_ok()
    }

    /// The newest snapshot and the one before it, which lanes may be reading, are kept.
    async fn purge_but(&self, newest: u64) -> Result<(), ListError> {
        let broker = |error: async_nats::Error| ListError::Publish(error);
        let stream = self.jetstream.get_stream(subject::LIST_SNAPSHOTS.name).await;
        let stream = stream.map_err(|error| broker(error.into()))?;
        let parts = stream.info_with_subjects("etc.v1.list.snapshot.*.0").await;
        let mut parts = parts.map_err(|error| broker(error.into()))?;
        let mut versions = Vec::new();
        while let Some(part) = parts.next().await {
            let (subject, _) = part.map_err(|error| broker(error.into()))?;
            versions.extend(subject.split('.').nth(4).and_then(|text| text.parse::<u64>().ok()));
        }
        let before = versions.iter().copied().filter(|version| *version < newest).max();
        for old in versions {
            if old < newest && Some(old) != before {
                let parts = format!("etc.v1.list.snapshot.{old}.*");
                stream.purge().filter(parts).await.map_err(|error| broker(error.into()))?;
            }
        }
        Ok(())
    }

    /// Publishes the whole list as it is at one version, part by part, and the manifest last.
    async fn publish_snapshot(&mut self) -> Result<(), ListError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await?;
        let head = head(&mut tx, Head::default()).await?;
        let (mut digests, mut tags, mut after) = (Vec::new(), 0, Vec::new());
        loop {
            let rows = repo::part(&mut tx, &after, PART_LEN_MAX).await?;
            let Some((last, _)) = rows.last() else { break };
            after.clone_from(last);
            tags += u64::try_from(rows.len()).unwrap_or(u64::MAX);
            let entries: Vec<&str> = rows.iter().map(|(_, entry)| entry.as_str()).collect();
            let part = format!("[{}]", entries.join(",")).into_bytes();
            let signature = self.key.sign(Purpose::List, &part).to_text();
            let to = subject::list_part(head.version, digests.len());
            digests.push(Digest256::of(&part));
            self.send(to, part, signature, None).await?;
        }
        let manifest = emit(&Manifest {
            v: 1,
            version: head.version,
            hash: Digest256::new(*head.hash.as_bytes()),
            tags,
            parts: digests,
            issued_at: head.issued_at,
        });
        let signature = self.key.sign(Purpose::List, &manifest).to_text();
        self.send(subject::LIST_MANIFEST.to_owned(), manifest, signature, None).await?;
        self.snapshot = head.version;
        tracing::info!(version = head.version, tags, "list snapshot published");
        if let Err(error) = self.purge_but(head.version).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an old snapshot stays");
        }
        Ok(())
    }

    async fn send(
        &self,
        to: String,
        payload: Vec<u8>,
        signature: String,
        id: Option<String>,
    ) -> Result<(), ListError> {
        let ack = self.begin_send(to, payload, signature, id).await?;
        ack.await.map_err(|error| ListError::Publish(error.into()))?;
        Ok(())
    }

    async fn begin_send(
        &self,
        to: String,
        payload: Vec<u8>,
        signature: String,
        id: Option<String>,
    ) -> Result<PublishAckFuture, ListError> {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, signature);
        if let Some(id) = id {
            headers.insert("Nats-Msg-Id", id);
        }
        self.jetstream
            .publish_with_headers(to, headers, payload.into())
            .await
            .map_err(|error| ListError::Publish(error.into()))
    }
}

/// What is new of one tag.
struct Change {
    tag: TagId,
    before: Option<ListEntry>,
    now: Option<ListEntry>,
}

/// The list's head as it is stored; `known` spares reading what has not moved.
async fn head(tx: &mut PgConnection, known: Head) -> Result<Head, ListError> {
    let Some((version, payload)) = repo::last_delta(tx).await? else {
        return Ok(Head::default());
    };
    if u64::try_from(version).ok() == Some(known.version) {
        return Ok(known);
    }
    let delta: DeltaRecord =
        parse("delta", &payload).map_err(|error| ListError::Damaged(error.to_string()))?;
    let delta = ListDelta::from(delta);
    Ok(Head { version: delta.version, hash: delta.hash, issued_at: delta.issued_at })
}

fn entry_from(text: &str) -> Result<ListEntry, ListError> {
    // What the parser says is not passed on: it quotes.
    serde_json::from_str::<ListEntryRecord>(text)
        .map(ListEntry::from)
        .map_err(|error| ListError::Damaged(format!("an entry, column {}", error.column())))
}

/// # Panics
/// Never: records of the contract have a JSON form.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records of the contract have a JSON form")
}
