//! The chain of a lane: each passage names the digest of the one before it.
//!
//! What does not fit to what is stored is put aside as `broken-chain`, and the first stands: cut
//! out, slipped in or altered after signing, by whoever has the lane's key. A gap breaks nothing;
//! it is checked from both sides when it is filled. Most passages follow the last one of their
//! lane, whose digest a worker remembers; the neighbours of all others are looked up.

use std::collections::{BTreeMap, HashMap};

use domain::signature::Digest256;
use domain::wire::v1::{PassageRecord, parse};
use domain::{LaneId, PassageId};
use sqlx::{PgPool, Row};

use super::examine::{Examined, Genuine, Refusal};
use super::repo::evidence;
use super::repo::journals::HalfDigest;

/// One journal of a lane.
type Journal = (LaneId, u32);

/// The last passage of each lane that is in the books, as far as this worker knows.
#[derive(Debug, Default)]
pub(super) struct Heads(HashMap<Journal, Head>);

/// A passage and its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    seq: u64,
    hash: HalfDigest,
}

/// Where lanes will be once a batch is in the books.
#[derive(Debug, Default)]
pub(super) struct Followed(Vec<(Journal, Head)>);

/// What is stored of a lane around the passages of a batch.
#[derive(Debug, Default)]
struct Neighbours {
    /// The digest of what is stored under a number.
    hashes: HashMap<u64, HalfDigest>,
    /// What it names as the digest of the one before it, where it can be read.
    names: HashMap<u64, HalfDigest>,
}

impl Heads {
    /// Moves what does not fit from the genuine to the refused.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn check(
        &self,
        pool: &PgPool,
        examined: &mut Examined,
    ) -> Result<Followed, sqlx::Error> {
        let journals = by_journal(&examined.genuine);
        let mut strangers: Vec<(Journal, Vec<usize>)> = Vec::new();
        let mut followed = Followed::default();
        for (journal, places) in journals {
            match self.0.get(&journal).and_then(|head| follow(*head, &examined.genuine, &places)) {
                Some(head) => followed.0.push((journal, head)),
                None => strangers.push((journal, places)),
            }
        }
        let mut broken = Vec::new();
        for (journal, places) in strangers {
            let neighbours = neighbours(pool, &journal, &examined.genuine, &places).await?;
            let head = fit(neighbours, &examined.genuine, &places, &mut broken);
            followed.0.extend(head.map(|head| (journal, head)));
        }
        broken.sort_unstable();
        for at in broken.into_iter().rev() {
            let genuine = examined.genuine.swap_remove(at);
            examined.refused.push((genuine.index, Refusal::BrokenChain));
        }
        Ok(followed)
    }

    /// Remembers where the lanes are, once the batch is in the books.
    pub(super) fn follow(&mut self, followed: Followed) {
        self.0.extend(followed.0);
    }
}

/// The places of the passages of each journal, in the order of their sequences.
fn by_journal(genuine: &[Genuine]) -> Vec<(Journal, Vec<usize>)> {
    let mut journals: BTreeMap<(&LaneId, u32), Vec<usize>> = BTreeMap::new();
    for (at, genuine) in genuine.iter().enumerate() {
        journals.entry((&genuine.id.lane, genuine.id.epoch)).or_default().push(at);
    }
    let sorted = |((lane, epoch), mut places): ((&LaneId, u32), Vec<usize>)| {
        places.sort_by_key(|at| genuine[*at].id.seq);
        ((lane.clone(), epoch), places)
    };
    journals.into_iter().map(sorted).collect()
}

/// Where the lane is after these, if each follows the one before it.
fn follow(mut head: Head, genuine: &[Genuine], places: &[usize]) -> Option<Head> {
    for at in places {
        let one = &genuine[*at];
        let named = one.passage.as_ref().map(|passage| half(passage.previous));
        if one.id.seq.get() != head.seq + 1 || named.is_some_and(|named| named != head.hash) {
            return None;
        }
        head = Head { seq: one.id.seq.get(), hash: half(one.content_hash) };
    }
    Some(head)
}

/// Finds those that do not fit between their neighbours; tells the last that is in the books then.
fn fit(
    mut stored: Neighbours,
    genuine: &[Genuine],
    places: &[usize],
    broken: &mut Vec<usize>,
) -> Option<Head> {
    let mut last = None;
    for at in places {
        let one = &genuine[*at];
        let seq = one.id.seq.get();
        // Under this number something is stored: it is the same or a conflict, which posting tells.
        if let Some(hash) = stored.hashes.get(&seq) {
            last = Some(Head { seq, hash: *hash });
            continue;
        }
        let named = one.passage.as_ref().map(|passage| half(passage.previous));
        let before = if seq == 1 {
            Some(HalfDigest::default())
        } else {
            stored.hashes.get(&(seq - 1)).copied()
        };
        let fits_before = named.zip(before).is_none_or(|(named, before)| named == before);
        let fits_after =
            stored.names.get(&(seq + 1)).is_none_or(|named| *named == half(one.content_hash));
        if fits_before && fits_after {
            stored.hashes.insert(seq, half(one.content_hash));
            last = Some(Head { seq, hash: half(one.content_hash) });
        } else {
            broken.push(*at);
        }
    }
    last
}

async fn neighbours(
    pool: &PgPool,
    (lane, epoch): &Journal,
    genuine: &[Genuine],
    places: &[usize],
) -> Result<Neighbours, sqlx::Error> {
    let number = |id: &PassageId| i64::try_from(id.seq.get()).unwrap_or(i64::MAX);
    let mut wanted: Vec<i64> = places
        .iter()
        .map(|at| number(&genuine[*at].id))
        .flat_map(|seq| [seq - 1, seq, seq.saturating_add(1)])
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (lane, epoch) = (lane.to_string(), i32::try_from(*epoch).unwrap_or(i32::MAX));
    let mut conn = pool.acquire().await?;
    let rows = sqlx::query(
        "select p.seq, uuid_send(p.digest) from lane_epoch e \
         join lateral (select seq, digest from posting p \
                       where p.journal_no = e.journal_no and p.seq = any($3) \
                       union all \
                       select seq, digest from waiting_exit p \
                       where p.journal_no = e.journal_no and p.seq = any($3)) p on true \
         where e.lane = $1 and e.epoch = $2",
    )
    .bind(&lane)
    .bind(epoch)
    .bind(wanted.iter().filter_map(|seq| i32::try_from(*seq).ok()).collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;
    let mut found = Neighbours::default();
    for row in &rows {
        let seq: i32 = row.get(0);
        if let Ok(hash) = row.get::<&[u8], _>(1).try_into() {
            found.hashes.insert(u64::try_from(seq).unwrap_or(0), hash);
        }
    }
    // What a stored passage names is in its bytes; it matters only where one comes before it now.
    for at in places {
        let seq = genuine[*at].id.seq.get();
        if found.hashes.contains_key(&seq) || !found.hashes.contains_key(&(seq + 1)) {
            continue;
        }
        let after = number(&genuine[*at].id).saturating_add(1);
        let kept = evidence::find(&mut conn, (&lane, epoch, after)).await?;
        if let Some(record) =
            kept.and_then(|kept| parse::<PassageRecord>("passage", &kept.payload).ok())
        {
            found.names.insert(seq + 1, half(record.previous));
        }
    }
    Ok(found)
}

/// As much of a digest as the books keep beside a passage.
fn half(digest: Digest256) -> HalfDigest {
    let bytes = digest.as_bytes();
    std::array::from_fn(|at| bytes[at])
}
