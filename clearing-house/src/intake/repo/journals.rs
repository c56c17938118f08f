//! The lanes' journals as the books know them: which there are, and how far each has come.

use std::collections::{BTreeMap, HashMap};

use domain::{LaneId, PassageId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::super::examine::Genuine;
use super::super::post::{BooksError, failed};

/// A journal, locked until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) journal_no: i32,
    pub(crate) operator_no: i32,
    /// The watermark: everything up to here is stored.
    pub(crate) posted_upto: i64,
    /// The highest sequence that is stored.
    pub(crate) last_seq: i64,
}

/// Where a passage is stored: journal and sequence.
pub(crate) type Place = (i32, i32);

/// The first half of a content hash, as it is stored.
pub(crate) type HalfDigest = [u8; 16];

/// Journals by lane and epoch.
pub(crate) type Journals = HashMap<LaneId, BTreeMap<u32, Journal>>;

/// Takes the journals of these passages' lanes, in one order, so that two workers store the
/// passages of a lane one after the other: what lies beyond `last_seq` is then new for sure.
pub(crate) async fn lock(
    tx: &mut PgConnection,
    passages: &[&Genuine],
) -> Result<Journals, BooksError> {
    let mut wanted: Vec<&LaneId> = passages.iter().map(|one| &one.id.lane).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let rows = sqlx::query(
        "select e.lane, e.epoch, e.journal_no, o.operator_no, e.posted_upto, e.last_seq \
         from lane_epoch e join lane l using (lane) join operator o using (operator) \
         where e.lane = any($1) order by e.lane, e.epoch for no key update of e",
    )
    .bind(wanted.iter().map(ToString::to_string).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(failed("take the lanes' journals"))?;
    let mut journals = Journals::new();
    for row in &rows {
        let (Ok(lane), Ok(epoch)) =
            (row.get::<&str, _>(0).parse(), u32::try_from(row.get::<i32, _>(1)))
        else {
            continue;
        };
        let of_lane: &mut BTreeMap<u32, Journal> = journals.entry(lane).or_default();
        of_lane.insert(
            epoch,
            Journal {
                journal_no: row.get(2),
                operator_no: row.get(3),
                posted_upto: row.get(4),
                last_seq: row.get(5),
            },
        );
    }
    Ok(journals)
}

/// The journal of a passage.
pub(crate) fn journal_of<'a>(journals: &'a Journals, id: &PassageId) -> Option<&'a Journal> {
    journals.get(&id.lane)?.get(&id.epoch)
}

/// Which of these are stored, and with what content.
pub(crate) async fn stored(
    tx: &mut PgConnection,
    places: &[Place],
) -> Result<HashMap<Place, HalfDigest>, BooksError> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let (journals, seqs): (Vec<i32>, Vec<i32>) = places.iter().copied().unzip();
    let rows = sqlx::query(
        "select p.journal_no, p.seq, uuid_send(p.digest) \
         from unnest($1::int4[], $2::int4[]) as w (journal_no, seq) \
         join posting p using (journal_no, seq) \
         union all \
         select p.journal_no, p.seq, uuid_send(p.digest) \
         from unnest($1::int4[], $2::int4[]) as w (journal_no, seq) \
         join waiting_exit p using (journal_no, seq)",
    )
    .bind(journals)
    .bind(seqs)
    .fetch_all(tx)
    .await
    .map_err(failed("look for known passages"))?;
    let digest =
        |row: &PgRow| Some(((row.get(0), row.get(1)), row.get::<&[u8], _>(2).try_into().ok()?));
    Ok(rows.iter().filter_map(digest).collect())
}

/// What a batch did to one journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) duplicates: i64,
    /// Sequences stored now, and what is stored there.
    pub(crate) stored: BTreeMap<i64, HalfDigest>,
}

/// Counts duplicates and moves watermarks over everything that is there without a gap. Only where
/// something was stored ahead of a gap is anything looked up.
pub(crate) async fn advance(
    tx: &mut PgConnection,
    progress: &BTreeMap<i32, (Journal, Progress)>,
) -> Result<(), BooksError> {
    let mut holes: Vec<i32> = Vec::new();
    let (mut journals, mut uptos, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut digests, mut duplicates) = (Vec::new(), Vec::new());
    for (journal_no, (journal, done)) in progress {
        let (posted_upto, last_seq) = moved(journal, &done.stored);
        if journal.last_seq > journal.posted_upto && !done.stored.is_empty() {
            holes.push(*journal_no);
        }
        journals.push(*journal_no);
        uptos.push(posted_upto);
        lasts.push(last_seq);
        // Absent where the watermark stays.
        digests.push(done.stored.get(&posted_upto).map(|digest| digest.to_vec()));
        duplicates.push(done.duplicates);
    }
    sqlx::query(
        "update lane_epoch e set posted_upto = n.upto, last_seq = n.last, \
                duplicates = e.duplicates + n.more, \
                posted_digest = coalesce(encode(n.digest, 'hex')::uuid, e.posted_digest) \
         from unnest($1::int4[], $2::int8[], $3::int8[], $4::bytea[], $5::int8[]) \
              as n (journal_no, upto, last, digest, more) \
         where e.journal_no = n.journal_no",
    )
    .bind(journals)
    .bind(uptos)
    .bind(lasts)
    .bind(digests)
    .bind(duplicates)
    .execute(&mut *tx)
    .await
    .map_err(failed("advance watermarks"))?;
    close_holes(tx, &holes).await
}

/// Watermark and last sequence when these were stored, as far as that can be told from them.
fn moved(journal: &Journal, stored: &BTreeMap<i64, HalfDigest>) -> (i64, i64) {
    let mut upto = journal.posted_upto;
    while stored.contains_key(&(upto + 1)) {
        upto += 1;
    }
    let last = stored.last_key_value().map_or(0, |(seq, _)| *seq);
    (upto, last.max(journal.last_seq))
}

async fn close_holes(tx: &mut PgConnection, journals: &[i32]) -> Result<(), BooksError> {
    if journals.is_empty() {
        return Ok(());
    }
    // Rows past the watermark, numbered from it: those whose number fits belong to the first
    // stretch without a gap.
    sqlx::query(
        "update lane_epoch e set posted_upto = n.seq, posted_digest = n.digest from ( \
             select distinct on (journal_no) journal_no, seq, digest from ( \
                 select p.journal_no, p.seq, p.digest, e.posted_upto \
                        + row_number() over (partition by p.journal_no order by p.seq) as expected \
                 from lane_epoch e cross join lateral ( \
                     select journal_no, seq, digest from posting p \
                     where p.journal_no = e.journal_no and p.seq > e.posted_upto \
                     union all \
                     select journal_no, seq, digest from waiting_exit p \
                     where p.journal_no = e.journal_no and p.seq > e.posted_upto) p \
                 where e.journal_no = any($1) \
             ) numbered where seq = expected order by journal_no, seq desc) n \
         where e.journal_no = n.journal_no",
    )
    .bind(journals)
    .execute(tx)
    .await
    .map_err(failed("advance watermarks over closed gaps"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(posted_upto: i64, last_seq: i64, stored: &[i64]) -> (i64, i64) {
        let journal = Journal { journal_no: 1, operator_no: 1, posted_upto, last_seq };
        moved(&journal, &stored.iter().map(|seq| (*seq, HalfDigest::default())).collect())
    }

    #[test]
    fn a_watermark_moves_over_what_has_no_gap() {
        assert_eq!(after(0, 0, &[1, 2, 3]), (3, 3));
        assert_eq!(after(3, 3, &[4, 5, 7]), (5, 7));
        assert_eq!(after(3, 3, &[5]), (3, 5));
        assert_eq!(after(3, 9, &[4]), (4, 9));
        assert_eq!(after(3, 3, &[]), (3, 3));
    }
}
