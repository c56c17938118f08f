//! Entries onto entry/exit roads, said again to a broker that lost them.
//!
//! Entries are published when they are posted, and an exit that missed some reads them from the
//! broker. A broker whose disk was replaced has a new, empty stream: it is told by when the stream
//! was made, which the books remember.

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use domain::signature::{Context as Purpose, SecretKey};
use domain::wire::v1::{EntryRecord, emit};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{PassageId, Plate, StationId, TagId, Timestamp, VehicleGroup};
use futures::TryStreamExt as _;
use jiff::SignedDuration;
use sqlx::postgres::PgRow;
use sqlx::types::time::OffsetDateTime;
use sqlx::{PgPool, Row};

use super::ListError;
use crate::sql::{from_sql, to_sql};

/// For how long the broker keeps entries.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Messages under way at a time.
const AT_ONCE: usize = 128;

/// Publishes the entries of the last fortnight if the broker's stream is not the one it was.
pub(super) async fn publish_if_lost(
    pool: &PgPool,
    jetstream: &Context,
    key: &SecretKey,
    now: Timestamp,
) -> Result<(), ListError> {
    let Ok(stream) = jetstream.get_stream(subject::ENTRIES.name).await else { return Ok(()) };
    let made_at = stream.cached_info().created;
    let seen: Option<OffsetDateTime> =
        sqlx::query_scalar("select made_at from broker_stream where stream = $1")
            .bind(subject::ENTRIES.name)
            .fetch_optional(pool)
            .await?;
    if seen.is_some_and(|seen| (seen - made_at).abs() < time::Duration::milliseconds(1)) {
        return Ok(());
    }
    let published = publish(pool, jetstream, key, now).await?;
    sqlx::query(
        "insert into broker_stream (stream, made_at) values ($1, $2) \
         on conflict (stream) do update set made_at = excluded.made_at",
    )
    .bind(subject::ENTRIES.name)
    .bind(made_at)
    .execute(pool)
    .await?;
    if published > 0 {
        tracing::warn!(entries = published, "the broker had lost the entries; published again");
    }
    Ok(())
}

async fn publish(
    pool: &PgPool,
    jetstream: &Context,
    key: &SecretKey,
    now: Timestamp,
) -> Result<u64, ListError> {
    let since = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    let mut rows = sqlx::query(
        "select s.road, p.lane || ':' || p.epoch || ':' || p.seq, p.station, p.at, p.tag, p.plate, \
                p.vehicle_group \
         from passage_v1 p join station s on s.operator = p.operator and s.station = p.station \
         where p.role = 'entry' and p.at >= $1 and s.road is not null \
           and p.decision in ('opened-by-tag', 'charged-by-plate', 'opened-by-attendant') \
         order by p.at",
    )
    .bind(to_sql(since))
    .fetch(pool);
    let (mut published, mut acks) = (0, Vec::new());
    let broker = |error: async_nats::Error| ListError::Publish(error);
    while let Some(row) = rows.try_next().await? {
        let Some((road, record)) = record_from(&row) else { continue };
        let payload = emit(&record);
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, key.sign(Purpose::Entry, &payload).to_text());
        headers.insert("Nats-Msg-Id", format!("entry/{}", record.passage));
        let sent =
            jetstream.publish_with_headers(subject::entry(&road), headers, payload.into()).await;
        acks.push(sent.map_err(|error| broker(error.into()))?);
        published += 1;
        if acks.len() >= AT_ONCE {
            for ack in acks.drain(..) {
                ack.await.map_err(|error| broker(error.into()))?;
            }
        }
    }
    for ack in acks {
        ack.await.map_err(|error| broker(error.into()))?;
    }
    Ok(published)
}

fn record_from(row: &PgRow) -> Option<(String, EntryRecord)> {
    let passage: PassageId = row.get::<&str, _>(1).parse().ok()?;
    let tag = row.get::<Option<&str>, _>(4).and_then(|hex| hex.parse::<TagId>().ok());
    let plate = row.get::<Option<&str>, _>(5).and_then(|text| Plate::try_new(text).ok());
    let group = row.get::<Option<i16>, _>(6).and_then(|number| u8::try_from(number).ok());
    let record = EntryRecord {
        v: 1,
        passage,
        station: StationId::try_new(row.get(2)).ok()?,
        at: from_sql(row.get(3)),
        tag,
        plate,
        group: group.and_then(|number| VehicleGroup::try_new(number).ok()),
    };
    Some((row.get(0), record))
}
