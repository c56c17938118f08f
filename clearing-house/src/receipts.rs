//! Receipts: the centre's signed word to a lane that its passages are safe.
//!
//! A receipt is cumulative and says what the books say now, so losing one, or sending it twice,
//! does no harm. That is also why several batches share one: a lane is told at most once in
//! `TOLD_EVERY`. Besides, a receipt asks for what the centre lacks (`gaps`). Entries for exits
//! travel the same way after the commit.

mod gaps;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, HeaderMap};
use domain::signature::{Context as Purpose, HalfDigest, SecretKey};
use domain::wire::v1::{Heartbeat, Receipt, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId};
use futures::StreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use tokio::sync::Notify;

pub use gaps::{Gaps, Patience, Range, Seen};

use crate::intake::{Outcome, anything_behind};

/// The most missing stretches a receipt names; the next one names the next.
const MISSING_MAX: usize = 32;
/// How often receipts of what batches have touched are sent, in real time.
const TOLD_EVERY: Duration = Duration::from_millis(50);
/// How often every lane's receipt is said again, and what lacks is looked for, in real time.
const SURVEY_EVERY: Duration = Duration::from_secs(5);

/// Publishes receipts and entries.
#[derive(Debug)]
pub struct Receipts {
    pool: PgPool,
    client: Client,
    key: SecretKey,
    clock: Clock,
    lists: Arc<Notify>,
    /// Whom to tell at the next opportunity.
    touched: Mutex<BTreeSet<(LaneId, u32)>>,
    gaps: Mutex<Gaps>,
}

/// How far journals have come.
type Watermarks = BTreeMap<(LaneId, u32), Watermark>;

/// Up to where a journal is stored without a gap, and what is stored there.
#[derive(Debug, Clone, Copy)]
struct Watermark {
    posted_upto: u64,
    digest: Option<HalfDigest>,
}

impl Receipts {
    /// Publishes through `client`; `lists` is woken when accounts have changed.
    #[must_use]
    pub fn new(
        pool: PgPool,
        client: Client,
        key: SecretKey,
        clock: Clock,
        lists: Arc<Notify>,
    ) -> Self {
        let (touched, gaps) = (Mutex::default(), Mutex::default());
        Self { pool, client, key, clock, lists, touched, gaps }
    }

    /// The same, with another patience before something is asked for again.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { gaps: Mutex::new(Gaps::new(patience)), ..self }
    }

    /// Publishes what a committed batch owes the lanes; receipts follow with the next
    /// [`Self::tell`]. Failures are told and left: the next receipt says it all again.
    pub async fn publish(&self, outcome: &Outcome) {
        if outcome.list_changed {
            self.lists.notify_one();
        }
        for (road, entry) in &outcome.entries {
            let id = format!("entry/{}", entry.passage);
            self.send(subject::entry(road), emit(entry), Purpose::Entry, Some(id)).await;
        }
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.extend(outcome.touched.iter().cloned());
    }

    /// Tells lanes for as long as it is let, and listens to their heartbeats.
    pub async fn run(&self) -> Infallible {
        let mut tell = tokio::time::interval(TOLD_EVERY);
        let mut survey = tokio::time::interval(SURVEY_EVERY);
        let heard = async {
            loop {
                self.listen().await;
                tokio::time::sleep(SURVEY_EVERY).await;
            }
        };
        tokio::pin!(heard);
        loop {
            let told = tokio::select! {
                () = &mut heard => Ok(()),
                _ = tell.tick() => self.tell().await,
                _ = survey.tick() => self.survey().await,
            };
            if let Err(error) = told {
                tracing::warn!(%error, "receipts wait");
            }
        }
    }

    /// Sends the receipts of whatever batches have touched.
    ///
    /// # Errors
    /// When the database cannot be read; they are then sent later.
    pub async fn tell(&self) -> Result<(), sqlx::Error> {
        let touched =
            std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        if touched.is_empty() {
            return Ok(());
        }
        match self.watermarks(&touched).await {
            Ok(watermarks) => {
                self.send_receipts(&watermarks).await;
                Ok(())
            }
            Err(error) => {
                self.touched.lock().unwrap_or_else(PoisonError::into_inner).extend(touched);
                Err(error)
            }
        }
    }

    /// Looks for what lacks, and sends every lane the receipt of its newest journal: for one that
    /// did not hear it, and for a broker that lost them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn survey(&self) -> Result<(), sqlx::Error> {
        let backlog = anything_behind(&self.pool).await?;
        let (watermarks, seen) = self.look_for_gaps().await?;
        let now = self.clock.real();
        let silent = {
            let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
            for (lane, seen) in seen {
                gaps.handle_books(&lane, seen, now);
            }
            if backlog {
                gaps.handle_backlog(now);
            }
            gaps.handle_deadline(now)
        };
        for lane in silent {
            tracing::warn!(lane.id = %lane, "no heartbeat: the lane or its line is down");
        }
        self.send_receipts(&watermarks).await;
        Ok(())
    }

    async fn listen(&self) {
        let mut heartbeats = match self.client.subscribe(subject::ALL_HEARTBEATS).await {
            Ok(heartbeats) => heartbeats,
            Err(error) => {
                tracing::warn!(%error, "no heartbeats are heard");
                return;
            }
        };
        while let Some(message) = heartbeats.next().await {
            let Ok(heartbeat) = parse::<Heartbeat>("heartbeat", &message.payload) else { continue };
            if subject::heartbeat(&heartbeat.lane) != message.subject.as_str() {
                continue;
            }
            let written = (heartbeat.epoch, heartbeat.last_seq);
            let now = self.clock.real();
            let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
            if gaps.handle_heartbeat(&heartbeat.lane, written, now) {
                tracing::info!(lane.id = %heartbeat.lane, "the lane is heard again");
            }
        }
    }

    async fn watermarks(
        &self,
        journals: &BTreeSet<(LaneId, u32)>,
    ) -> Result<Watermarks, sqlx::Error> {
        let (lanes, epochs): (Vec<String>, Vec<i32>) = journals
            .iter()
            .map(|(lane, epoch)| (lane.to_string(), i32::try_from(*epoch).unwrap_or(i32::MAX)))
            .unzip();
        let rows = sqlx::query(
            "select e.lane, e.epoch, e.posted_upto, uuid_send(e.posted_digest) from lane_epoch e \
             join unnest($1::text[], $2::int4[]) as w (lane, epoch) using (lane, epoch)",
        )
        .bind(lanes)
        .bind(epochs)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().filter_map(|row| Some((journal(row)?, watermark(row)))).collect())
    }

    /// The newest journal of every lane: its watermark, its last number and its holes.
    async fn look_for_gaps(&self) -> Result<(Watermarks, BTreeMap<LaneId, Seen>), sqlx::Error> {
        let rows = sqlx::query(
            "select distinct on (lane) lane, epoch, posted_upto, uuid_send(posted_digest), \
                    last_seq, journal_no \
             from lane_epoch order by lane, epoch desc",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut watermarks = Watermarks::new();
        let mut seen = BTreeMap::new();
        let mut with_gaps: Vec<i32> = Vec::new();
        for row in &rows {
            let Some((lane, epoch)) = journal(row) else { continue };
            let known = watermark(row);
            let highest = unsigned(row.get(4)).max(known.posted_upto);
            if highest > known.posted_upto {
                with_gaps.push(row.get(5));
            }
            watermarks.insert((lane.clone(), epoch), known);
            seen.insert(lane, Seen { epoch, highest, holes: Vec::new() });
        }
        let rows = sqlx::query(
            "select lane, epoch, before + 1, seq - 1 from ( \
                 select e.lane, e.epoch, p.seq, \
                        lag(p.seq, 1, e.posted_upto) over (partition by e.journal_no order by p.seq) as before \
                 from lane_epoch e cross join lateral ( \
                     select seq::bigint as seq from posting p \
                     where p.journal_no = e.journal_no and p.seq > e.posted_upto \
                     union all \
                     select seq::bigint from waiting_exit p \
                     where p.journal_no = e.journal_no and p.seq > e.posted_upto) p \
                 where e.journal_no = any($1)) s \
             where seq > before + 1 order by lane, before",
        )
        .bind(with_gaps)
        .fetch_all(&self.pool)
        .await?;
        for row in &rows {
            if let Some(seen) = journal(row).and_then(|(lane, _)| seen.get_mut(&lane)) {
                seen.holes.push((unsigned(row.get(2)), unsigned(row.get(3))));
            }
        }
        Ok((watermarks, seen))
    }

    async fn send_receipts(&self, watermarks: &Watermarks) {
        for ((lane, epoch), Watermark { posted_upto, digest }) in watermarks {
            let mut missing = {
                let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
                gaps.missing(lane, *epoch, self.clock.real())
            };
            // What the gaps were computed from may be older than the watermark.
            missing.retain(|(_, last)| last > posted_upto);
            missing.truncate(MISSING_MAX);
            let receipt = Receipt {
                v: 1,
                lane: lane.clone(),
                epoch: *epoch,
                posted_upto: *posted_upto,
                posted_digest: *digest,
                missing,
                issued_at: self.clock.now(),
            };
            self.send(subject::receipt(lane), emit(&receipt), Purpose::Receipt, None).await;
        }
    }

    async fn send(&self, to: String, payload: Vec<u8>, purpose: Purpose, id: Option<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, self.key.sign(purpose, &payload).to_text());
        if let Some(id) = id {
            headers.insert("Nats-Msg-Id", id);
        }
        let sent = self.client.publish_with_headers(to, headers, payload.into()).await;
        if let Err(error) = sent {
            tracing::warn!(%error, "a message for the lanes was not sent");
        }
    }
}

/// A lane and its epoch, at a row's first places.
fn journal(row: &PgRow) -> Option<(LaneId, u32)> {
    let lane = row.get::<&str, _>(0).parse().ok()?;
    Some((lane, u32::try_from(row.get::<i32, _>(1)).ok()?))
}

/// A watermark and what is stored there, at a row's third and fourth places.
fn watermark(row: &PgRow) -> Watermark {
    let posted_upto = unsigned(row.get(2));
    let stored = row.get::<Option<&[u8]>, _>(3).and_then(|half| half.try_into().ok());
    // Before the first passage nothing is stored.
    let digest = stored.map(HalfDigest::new).filter(|_| posted_upto > 0);
    Watermark { posted_upto, digest }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
