//! The SQL of the search for holes in lanes' journals: exact and over all days before a day is held, and
//! under the lock only in what came since.
//!
//! What is stored stays, so a hole that was found is there still or has been filled; and one that was not
//! there can only lie behind the last number that was stored then. What came since was posted into a day that
//! is open: from the one that is closing on, to the one after today. Under the lock those days are read and
//! no other, however many the books have. Where a passage went elsewhere all the same, its number is missed here, the day is
//! not closed, and the next look finds it: what is in doubt is never taken for whole.

use std::collections::HashMap;

use clearing_house::sql::{day_to_sql, from_sql};
use domain::{BusinessDate, LaneId, OperatorId};
use sqlx::types::time::OffsetDateTime;
use sqlx::{PgConnection, PgPool};

use super::SettlementError;
use super::completeness::{Hole, JournalState};
use super::repo::{number, parsed};

type Result<T> = std::result::Result<T, SettlementError>;
type Row = (String, i32, i64, i64, Option<OffsetDateTime>);

/// What was found before the day was held.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The last number of each journal, then.
    last_seqs: HashMap<(LaneId, u32), u64>,
    holes: Vec<Hole>,
}

/// Looks for every hole of an operator's journals, on all days.
pub(super) async fn look(pool: &PgPool, operator: &OperatorId) -> Result<Looked> {
    // First: what is stored between the two statements is looked at twice and not never.
    let lasts: Vec<(String, i32, i64)> = sqlx::query_as(
        "select e.lane, e.epoch, e.last_seq from lane_epoch e join lane l using (lane) where l.operator = $1",
    )
    .bind(operator.as_str())
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read how far the lanes' journals are stored"))?;
    let last = |(lane, epoch, last): (String, i32, i64)| {
        let journal = (parsed("lane", &lane)?, number("epoch", epoch.into())?);
        Ok((journal, number("sequence", last)?))
    };
    // Below its watermark a journal has none.
    let rows: Vec<Row> = sqlx::query_as(
        "select e.lane, e.epoch, n.before + 1, n.seq - 1, n.before_at
         from lane_epoch e
         join lane l using (lane)
         cross join lateral (
             select p.seq::bigint as seq, lag(p.at) over w as before_at,
                    coalesce(lag(p.seq) over w, case p.seq when e.posted_upto then p.seq - 1 else 0 end)::bigint
                        as before
             from (select seq, at from posting where journal_no = e.journal_no and seq >= e.posted_upto
                   union all
                   select seq, at from waiting_exit where journal_no = e.journal_no and seq >= e.posted_upto) p
             window w as (order by p.seq)
         ) n
         where l.operator = $1 and e.posted_upto <> e.last_seq and n.seq > n.before + 1
         order by e.lane, e.epoch, n.seq",
    )
    .bind(operator.as_str())
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("look for holes in the lanes' journals"))?;
    Ok(Looked {
        last_seqs: lasts.into_iter().map(last).collect::<Result<_>>()?,
        holes: rows.into_iter().map(hole).collect::<Result<_>>()?,
    })
}

/// The holes behind `$4`, the last number that was looked at, of each journal, in the days `$5` to `$6`.
/// Public so that a test can ask the database which days it would read.
pub const HOLES_SINCE: &str = "select e.lane, e.epoch, n.before + 1, n.seq - 1, n.before_at
    from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) as r (lane, epoch, last_seq, looked_upto)
    join lane_epoch e on e.lane = r.lane and e.epoch = r.epoch
    cross join lateral (
        select p.seq, lag(p.at) over w as before_at, coalesce(lag(p.seq) over w, r.looked_upto) as before
        from (select seq::bigint as seq, at from posting
              where journal_no = e.journal_no and seq >= r.looked_upto and day between $5 and $6
              union all
              select seq, at from waiting_exit where journal_no = e.journal_no and seq >= r.looked_upto
              union all
              -- That it is stored is known, wherever.
              select r.last_seq, null) p
        window w as (order by p.seq, p.at nulls last)
    ) n
    where n.seq > n.before + 1
    order by e.lane, e.epoch, n.seq";

/// The holes of journals that are behind now, while their operator's day is held.
pub(super) async fn now(
    tx: &mut PgConnection,
    looked: Looked,
    (day, today): (BusinessDate, BusinessDate),
    behind: &[JournalState],
) -> Result<Vec<Hole>> {
    let looked_upto = |journal: &JournalState| {
        looked.last_seqs.get(&(journal.lane.clone(), journal.epoch)).copied().unwrap_or(0)
    };
    let grown: Vec<_> =
        behind.iter().filter(|journal| journal.last_seq > looked_upto(journal)).collect();
    let mut holes: Vec<Hole> =
        looked.holes.iter().filter_map(|hole| left_of(hole, behind)).collect();
    if grown.is_empty() {
        return Ok(holes);
    }
    let signed = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
    let lanes: Vec<String> = grown.iter().map(|journal| journal.lane.to_string()).collect();
    let epochs: Vec<i32> =
        grown.iter().map(|journal| i32::try_from(journal.epoch).unwrap_or(i32::MAX)).collect();
    let lasts: Vec<i64> = grown.iter().map(|journal| signed(journal.last_seq)).collect();
    let uptos: Vec<i64> = grown.iter().map(|journal| signed(looked_upto(journal))).collect();
    let rows: Vec<Row> = sqlx::query_as(HOLES_SINCE)
        .bind(lanes)
        .bind(epochs)
        .bind(lasts)
        .bind(uptos)
        .bind(day_to_sql(day))
        // The clocks of lanes differ a little.
        .bind(day_to_sql(today.max(day).next()))
        .fetch_all(tx)
        .await
        .map_err(SettlementError::database("look for holes in what came since"))?;
    for row in rows {
        holes.push(hole(row)?);
    }
    holes.sort_by(|a, b| (&a.lane, a.epoch, a.first_seq).cmp(&(&b.lane, b.epoch, b.first_seq)));
    holes.dedup();
    Ok(holes)
}

/// What of a hole lies above its journal's watermark still: its beginning may have been filled since.
fn left_of(hole: &Hole, behind: &[JournalState]) -> Option<Hole> {
    let journal =
        behind.iter().find(|journal| journal.lane == hole.lane && journal.epoch == hole.epoch)?;
    let first_seq = hole.first_seq.max(journal.posted_upto + 1);
    (first_seq <= hole.last_seq).then(|| Hole { first_seq, ..hole.clone() })
}

fn hole((lane, epoch, first, last, after): Row) -> Result<Hole> {
    Ok(Hole {
        lane: parsed("lane", &lane)?,
        epoch: number("epoch", epoch.into())?,
        first_seq: number("sequence", first)?,
        last_seq: number("sequence", last)?,
        after: after.map(from_sql),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_left_as_far_as_it_is_not_filled() {
        let lane: LaneId = "cienco4/ben-thuy/l01".parse().unwrap();
        let hole = |first_seq, last_seq| Hole {
            lane: lane.clone(),
            epoch: 1,
            first_seq,
            last_seq,
            after: None,
        };
        let left = |posted_upto| {
            let journal = JournalState { lane: lane.clone(), epoch: 1, posted_upto, last_seq: 200 };
            left_of(&hole(100, 150), &[journal])
        };
        assert_eq!(left(99), Some(hole(100, 150)));
        assert_eq!(left(120), Some(hole(121, 150)));
        assert_eq!(left(149), Some(hole(150, 150)));
        assert_eq!(left(150), None);
        // Its journal has nothing missing any more.
        assert_eq!(left_of(&hole(100, 150), &[]), None);
    }
}
