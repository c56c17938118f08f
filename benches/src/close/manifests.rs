//! What each lane tells of the day, as if it had counted by itself.

use domain::signature::Digest256;
use domain::wire::v1::{DayManifest, DecisionRecord, ManifestTurn, PassageSums, emit};
use domain::{Amount, BusinessDate, Clock};
use sqlx::PgPool;

use crate::Failed;
use crate::posting::passages::FARE;

/// Keeps a manifest of the day for every lane that wrote in it.
pub(super) async fn tell(pool: &PgPool, day: BusinessDate, clock: Clock) -> Result<(), Failed> {
    let lanes: Vec<(String, i64, Vec<u8>)> = sqlx::query_as(
        "select e.lane, e.last_seq, uuid_send(p.digest) from lane_epoch e
         join posting p on p.day = $1::date and p.journal_no = e.journal_no and p.seq = e.last_seq",
    )
    .bind(day.to_string())
    .fetch_all(pool)
    .await?;
    for (lane, last_seq, digest) in lanes {
        let passages = u64::try_from(last_seq)?;
        // The books keep the first half of a digest.
        let mut head = [0; 32];
        head[..16].copy_from_slice(digest.get(..16).ok_or("half a digest has 16 bytes")?);
        let sums = PassageSums {
            passages,
            amount: Amount::try_new(last_seq * FARE)?,
            groups: [("1".to_owned(), passages)].into(),
            decisions: [(DecisionRecord::OpenedByTag.name().to_owned(), passages)].into(),
        };
        let manifest = DayManifest {
            day,
            first_seq: 1,
            last_seq: passages,
            head: Digest256::new(head),
            sums,
            loops: None,
        };
        let (v, epoch, at) = (1, 1, clock.now());
        let (lane_id, manifest) = (lane.parse()?, Some(manifest));
        let turn = ManifestTurn { v, lane: lane_id, epoch, at, manifest, forgotten_upto: None };
        sqlx::query(
            "insert into lane_manifest (lane, epoch, day, first_seq, last_seq, received_at, payload, signature)
             values ($1, 1, $2::date, 1, $3, now(), $4, $5)",
        )
        .bind(&lane)
        .bind(day.to_string())
        .bind(last_seq)
        .bind(emit(&turn))
        .bind([7_u8; 64].as_slice())
        .execute(pool)
        .await?;
    }
    Ok(())
}
