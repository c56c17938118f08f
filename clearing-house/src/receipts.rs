//! Receipts: the centre's signed word to a lane that its passages are safe.
//!
//! A receipt is cumulative and says what the books say now, so losing one, or sending it twice,
//! does no harm. Entries for exits travel the same way after the commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_nats::{Client, HeaderMap};
use domain::signature::{Context as Purpose, SecretKey};
use domain::wire::v1::{Receipt, emit};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId};
use sqlx::{PgPool, Row};
use tokio::sync::Notify;

use crate::intake::Outcome;

/// The most missing stretches a receipt names; the next one names the next.
const MISSING_MAX: i64 = 32;

/// Publishes receipts and entries.
#[derive(Debug, Clone)]
pub struct Receipts {
    pool: PgPool,
    client: Client,
    key: SecretKey,
    clock: Clock,
    lists: Arc<Notify>,
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
        Self { pool, client, key, clock, lists }
    }

    /// Publishes what a committed batch owes the lanes. Failures are told and left: the next
    /// receipt says it all again.
    pub async fn publish(&self, outcome: &Outcome) {
        if outcome.list_changed {
            self.lists.notify_one();
        }
        for (road, entry) in &outcome.entries {
            let id = format!("entry/{}", entry.passage);
            self.send(subject::entry(road), emit(entry), Purpose::Entry, Some(id)).await;
        }
        self.receipts(&outcome.touched).await;
    }

    /// Publishes the receipt of every epoch that any lane ever had: for a broker that lost them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn publish_all(&self) -> Result<(), sqlx::Error> {
        let rows = sqlx::query("select lane, max(epoch) from lane_epoch group by lane")
            .fetch_all(&self.pool)
            .await?;
        let latest = rows
            .iter()
            .filter_map(|row| {
                let lane: LaneId = row.get::<&str, _>(0).parse().ok()?;
                Some((lane, u32::try_from(row.get::<i32, _>(1)).ok()?))
            })
            .collect();
        self.receipts(&latest).await;
        Ok(())
    }

    async fn receipts(&self, touched: &BTreeSet<(LaneId, u32)>) {
        for (lane, epoch) in touched {
            match self.receipt(lane, *epoch).await {
                Ok(Some(receipt)) => {
                    self.send(subject::receipt(lane), emit(&receipt), Purpose::Receipt, None).await;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(lane.id = %lane, %error, "a receipt could not be made");
                }
            }
        }
    }

    async fn receipt(&self, lane: &LaneId, epoch: u32) -> Result<Option<Receipt>, sqlx::Error> {
        let epoch_sql = i32::try_from(epoch).unwrap_or(i32::MAX);
        let watermark: Option<i64> =
            sqlx::query_scalar("select posted_upto from lane_epoch where lane = $1 and epoch = $2")
                .bind(lane.to_string())
                .bind(epoch_sql)
                .fetch_optional(&self.pool)
                .await?;
        let Some(posted_upto) = watermark else { return Ok(None) };
        let gaps = sqlx::query(
            "select before + 1, seq - 1 from ( \
                 select p.seq::int8, lag(p.seq::int8, 1, $3) over (order by p.seq) as before \
                 from lane_epoch e cross join lateral ( \
                     select seq from posting \
                     where journal_no = e.journal_no and seq > $3::int8::int4 \
                     union all \
                     select seq from waiting_exit \
                     where journal_no = e.journal_no and seq > $3::int8::int4) p \
                 where e.lane = $1 and e.epoch = $2 and e.last_seq > e.posted_upto) s \
             where seq > before + 1 order by 1 limit $4",
        )
        .bind(lane.to_string())
        .bind(epoch_sql)
        .bind(posted_upto)
        .bind(MISSING_MAX)
        .fetch_all(&self.pool)
        .await?;
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Some(Receipt {
            v: 1,
            lane: lane.clone(),
            epoch,
            posted_upto: unsigned(posted_upto),
            missing: gaps.iter().map(|row| (unsigned(row.get(0)), unsigned(row.get(1)))).collect(),
            issued_at: self.clock.now(),
        }))
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
