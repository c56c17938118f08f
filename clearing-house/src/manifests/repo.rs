//! The SQL of manifests as they come in.

use domain::signature::Signature;
use domain::wire::v1::{DayManifest, ManifestTurn};
use domain::{BusinessDate, LaneId, Timestamp};
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, Row as _};

use super::wanted::{AGAIN_AFTER, AGAIN_FOR, Disputed, JournalManifests, Kept};
use crate::sql::{day_from_sql, day_to_sql, from_sql, to_sql};

fn seq(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

fn stored(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// What there is of a journal, where there is such a journal.
pub(super) async fn journal(
    tx: &mut PgConnection,
    lane: &LaneId,
    epoch: u32,
    now: Timestamp,
) -> Result<Option<JournalManifests>, sqlx::Error> {
    let before = |span| now.checked_sub(span).unwrap_or(Timestamp::MIN);
    let row = sqlx::query(
        "select e.opened_at, l.day, l.last_seq, d.day, d.first_seq, d.last_seq, d.received_at,
                (select min(x.received_at) from lane_manifest x
                 where (x.lane, x.epoch, x.day) = (e.lane, e.epoch, d.day))
         from lane_epoch e
         left join lateral (select day, last_seq
                            from (select m.day, m.last_seq, m.manifest from lane_manifest m
                                  where m.lane = e.lane and m.epoch = e.epoch
                                  union all
                                  select f.day, f.upto_seq, 0 from manifest_forgotten f
                                  where f.lane = e.lane and f.epoch = e.epoch) told
                            order by day desc, manifest desc, last_seq desc limit 1) l on true
         left join lateral (select v.* from lane_manifest_v1 v
                            where v.lane = e.lane and v.epoch = e.epoch and v.day >= l.day - 3
                              and v.verdict_of <> 'agrees' and v.received_at <= $3
                              and not exists (select from manifest_forgotten f
                                              where f.lane = v.lane and f.epoch = v.epoch
                                                and f.upto_seq >= v.first_seq)
                              and (select min(x.received_at) from lane_manifest x
                                   where (x.lane, x.epoch, x.day) = (v.lane, v.epoch, v.day)) > $4
                            order by v.received_at limit 1) d on true
         where e.lane = $1 and e.epoch = $2",
    )
    .bind(lane.to_string())
    .bind(i32::try_from(epoch).unwrap_or(i32::MAX))
    .bind(to_sql(before(AGAIN_AFTER)))
    .bind(to_sql(before(AGAIN_FOR)))
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| {
        let last = row.get::<Option<Date>, _>(1).zip(row.get::<Option<i64>, _>(2));
        let disputed = row.get::<Option<Date>, _>(3).map(|day| Disputed {
            day: day_from_sql(day),
            first_seq: seq(row.get(4)),
            last_seq: seq(row.get(5)),
            received_at: from_sql(row.get(6)),
            since: from_sql(row.get(7)),
        });
        JournalManifests {
            opened_at: from_sql(row.get::<OffsetDateTime, _>(0)),
            last: last.map(|(day, last)| Kept { day: day_from_sql(day), last_seq: seq(last) }),
            disputed,
        }
    }))
}

/// Notes that a lane takes turns.
pub(super) async fn note_turn(
    tx: &mut PgConnection,
    lane: &LaneId,
    epoch: u32,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into manifest_turn (lane, epoch, at) values ($1, $2, $3)
         on conflict (lane) do update set epoch = excluded.epoch, at = excluded.at",
    )
    .bind(lane.to_string())
    .bind(i32::try_from(epoch).unwrap_or(i32::MAX))
    .bind(to_sql(at))
    .execute(tx)
    .await
    .map(drop)
}

/// Keeps a manifest; one that came twice is kept once.
pub(super) async fn keep(
    tx: &mut PgConnection,
    turn: &ManifestTurn,
    manifest: &DayManifest,
    (payload, signature): (&[u8], &Signature),
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into lane_manifest (lane, epoch, day, first_seq, last_seq, received_at, payload, signature)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
    )
    .bind(turn.lane.to_string())
    .bind(i32::try_from(turn.epoch).unwrap_or(i32::MAX))
    .bind(day_to_sql(manifest.day))
    .bind(stored(manifest.first_seq))
    .bind(stored(manifest.last_seq))
    .bind(to_sql(now))
    .bind(payload)
    .bind(signature.as_bytes().as_slice())
    .execute(tx)
    .await
    .map(drop)
}

/// When the passage of that number was, where the lane's receipts cover it.
pub(super) async fn receipted_at(
    tx: &mut PgConnection,
    lane: &LaneId,
    epoch: u32,
    seq: u64,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let at: Option<OffsetDateTime> = sqlx::query_scalar(
        "select p.at from lane_epoch e
         join posting p on p.journal_no = e.journal_no and p.seq = $3
         where e.lane = $1 and e.epoch = $2 and e.posted_upto >= $3",
    )
    .bind(lane.to_string())
    .bind(i32::try_from(epoch).unwrap_or(i32::MAX))
    .bind(stored(seq))
    .fetch_optional(tx)
    .await?;
    Ok(at.map(from_sql))
}

/// Keeps that a journal has forgotten what it wrote up to a number, and up to which day; tells whether that
/// is news.
pub(super) async fn forget(
    tx: &mut PgConnection,
    (lane, epoch): (&LaneId, u32),
    (day, upto): (BusinessDate, u64),
    (payload, signature): (&[u8], &Signature),
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let kept = sqlx::query(
        "insert into manifest_forgotten (lane, epoch, upto_seq, day, received_at, payload, signature)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(lane.to_string())
    .bind(i32::try_from(epoch).unwrap_or(i32::MAX))
    .bind(stored(upto))
    .bind(day_to_sql(day))
    .bind(to_sql(now))
    .bind(payload)
    .bind(signature.as_bytes().as_slice())
    .execute(tx)
    .await?;
    Ok(kept.rows_affected() > 0)
}
