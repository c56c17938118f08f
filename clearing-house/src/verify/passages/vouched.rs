//! Who stands for a passage whose own signature is not good: the first one after it in its journal
//! that is signed, if each on the way names the one before it.
//!
//! The intake checks the newest signature of a run alone and keeps the others as they came
//! (`docs/decisions/0029-signatures-by-the-chain.md`), so one that was altered under way is stored.
//! That is rare; what follows it is then looked up one by one.

use domain::passage::Passage;
use domain::signature::{Context, Digest256};
use domain::wire::v1::{PassageRecord, parse};
use domain::{PassageId, Timestamp};
use sqlx::PgConnection;

use crate::intake::{Genuine, evidence};
use crate::registry::{LaneKey, Registry, SignedWhen};

/// Whether one after it, signed by a key that was its lane's, names it, directly or through those
/// between them.
pub(super) async fn is_vouched_for(
    tx: &mut PgConnection,
    registry: &Registry,
    one: &Genuine,
    came_at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let Some(passage) = &one.passage else { return Ok(false) };
    // What the key must be good for, beside its own: everything below it.
    let mut below = vec![SignedWhen { written_at: Some(passage.at), came_at }];
    let mut before = (one.id.clone(), one.content_hash);
    let lane = one.id.lane.to_string();
    let Ok(epoch) = i32::try_from(one.id.epoch) else { return Ok(false) };
    loop {
        let (id, digest) = &before;
        let next = PassageId { seq: id.seq.saturating_add(1), ..id.clone() };
        let Ok(seq) = i64::try_from(next.seq.get()) else { return Ok(false) };
        let Some(kept) = evidence::find(tx, (&lane, epoch, seq)).await? else { return Ok(false) };
        let Ok(record) = parse::<PassageRecord>("passage", &kept.payload) else {
            return Ok(false);
        };
        let passage = Passage::from(record);
        if passage.id != next || passage.previous != *digest {
            return Ok(false);
        }
        let when = SignedWhen { written_at: Some(passage.at), came_at };
        let signed = |key: &LaneKey| {
            key.is_good(when)
                && below.iter().all(|when| key.vouches(*when))
                && key.public_key.verify(Context::Passage, &kept.payload, &kept.signature).is_ok()
        };
        if registry.keys(&next.lane).iter().any(signed) {
            return Ok(true);
        }
        below.push(when);
        before = (next, Digest256::of(&kept.payload));
    }
}
