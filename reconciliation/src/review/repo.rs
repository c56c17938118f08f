//! The SQL of image review: what is looked at, and who has it; what they saw is in [`super::looks`].

use std::collections::BTreeMap;

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql, to_sql};
use domain::{BusinessDate, PassageId, Timestamp};
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, PgPool};

use super::ballot::is_drawn as drawn;
use super::cause::{Cause, Manner};
use super::{Claimed, Policy, Within};
use crate::approval::Person;
use crate::settlement::SettlementError;
use crate::settlement::repo::parsed;

type Result<T> = std::result::Result<T, SettlementError>;

/// Closed days that are looked through at most when nobody has before.
const CLOSED_DAYS: i32 = 7;

/// Reviewers take turns: they are people, and each turn is short.
pub(super) async fn take_turns(tx: &mut PgConnection) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('image review', 0))")
        .execute(tx)
        .await
        .map_err(SettlementError::database("take turns in the review"))?;
    Ok(())
}

/// Whoever searches does so alone; nobody waits for them, and they wait for no slow day for ever.
pub(super) async fn take_search(tx: &mut PgConnection) -> Result<bool> {
    let failed = || SettlementError::database("take turns in the search");
    sqlx::query("set local statement_timeout = '30s'").execute(&mut *tx).await.map_err(failed())?;
    sqlx::query_scalar(
        "select pg_try_advisory_xact_lock(hashtextextended('image review search', 0))",
    )
    .fetch_one(tx)
    .await
    .map_err(failed())
}

/// When passages were last looked through.
pub(super) async fn searched_at(tx: &mut PgConnection) -> Result<Option<Timestamp>> {
    let at: Option<OffsetDateTime> =
        sqlx::query_scalar("select max(searched_at) from review_round where not is_final")
            .fetch_one(tx)
            .await
            .map_err(SettlementError::database("read the last search"))?;
    Ok(at.map(from_sql))
}

/// The manners whose passages are looked at, with why.
pub(super) async fn manners(
    tx: &mut PgConnection,
    causes: fn(&Manner<'_>) -> Vec<Cause>,
) -> Result<BTreeMap<i32, Vec<Cause>>> {
    type Row = (i32, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as("select manner, decision, reason, why from manner")
        .fetch_all(tx)
        .await
        .map_err(SettlementError::database("read the manners of passages"))?;
    let caused = |(number, decision, reason, why): &Row| {
        let manner = Manner {
            decision: decision.as_deref(),
            reason: reason.as_deref(),
            why: why.as_deref(),
        };
        let found = causes(&manner);
        (!found.is_empty()).then_some((*number, found))
    };
    Ok(rows.iter().filter_map(caused).collect())
}

/// Days to look through: those that take postings for anybody, and each once more after the last
/// of them closed: an operator that was cut off has no day until its passages come. Says of each
/// whether it is closed. Of the days that were closed long before there was a review, none.
pub(super) async fn days(
    tx: &mut PgConnection,
    now: Timestamp,
) -> Result<Vec<(BusinessDate, bool)>> {
    let rows: Vec<(Date, bool)> = sqlx::query_as(
        "with first as (
             select coalesce(min(day), $1::timestamptz::date - $2 + 1) as day from review_round)
         select d.day, bool_and(d.state = 'closed') as is_closed
         from settlement_day d left join review_round r using (day)
         group by d.day
         having bool_or(r.is_final is not true or d.state = 'open' or d.closed_at >= r.searched_at)
            and (bool_or(d.state = 'open') or d.day >= (select day from first))
         order by d.day",
    )
    .bind(to_sql(now))
    .bind(CLOSED_DAYS)
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the days to look through"))?;
    Ok(rows.into_iter().map(|(day, is_closed)| (day_from_sql(day), is_closed)).collect())
}

/// Notes that a day was looked through.
pub(super) async fn note_round(
    tx: &mut PgConnection,
    day: BusinessDate,
    is_final: bool,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into review_round (day, searched_at, is_final) values ($1, $2, $3)
         on conflict (day) do update
             set searched_at = excluded.searched_at, is_final = excluded.is_final",
    )
    .bind(day_to_sql(day))
    .bind(to_sql(now))
    .bind(is_final)
    .execute(tx)
    .await
    .map_err(SettlementError::database("note a search"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Candidate {
    lane: String,
    epoch: i32,
    seq: i64,
    manner: i32,
    signed: String,
    attendant: Option<String>,
    second: Option<String>,
}

/// What a search of a day found.
pub(super) struct New {
    pub(super) items: u64,
    /// As much as one search may: there can be more.
    pub(super) is_full: bool,
}

/// Finds the passages of a day that are looked at and are no items yet.
pub(super) async fn find(
    tx: &mut PgConnection,
    day: BusinessDate,
    manners: &BTreeMap<i32, Vec<Cause>>,
    policy: &Policy,
    now: Timestamp,
) -> Result<New> {
    let wanted: Vec<i32> = manners.keys().copied().collect();
    let candidates: Vec<Candidate> = sqlx::query_as(
        "select e.lane, e.epoch, p.seq::bigint as seq, p.manner, p.digest::text as signed, m.attendant,
                m.second
         from posting p
         join lane_epoch e on e.journal_no = p.journal_no
         left join passage_more m on m.journal_no = p.journal_no and m.seq = p.seq
         where p.day = $1 and p.manner = any($2)
           and not exists (select from review_item i
                           where i.lane = e.lane and i.epoch = e.epoch and i.seq = p.seq)
         limit $3",
    )
    .bind(day_to_sql(day))
    .bind(&wanted)
    .bind(i64::from(policy.found_max))
    .fetch_all(&mut *tx)
    .await
    .map_err(SettlementError::database("find passages to look at again"))?;
    let causes = |candidate: &Candidate| {
        let names = manners.get(&candidate.manner).map(Vec::as_slice).unwrap_or_default();
        names.iter().map(|cause| cause.name()).collect::<Vec<_>>().join(" ")
    };
    let column = |of: fn(&Candidate) -> &str| -> Vec<&str> { candidates.iter().map(of).collect() };
    let made = sqlx::query(
        "with made as (
             insert into review_item (lane, epoch, seq, operator, station, day, causes, attendant,
                                      second, is_sampled, found_at)
             select c.lane, c.epoch, c.seq, l.operator, l.station, $1, string_to_array(c.causes, ' '),
                    c.attendant, c.second, c.is_sampled, $2
             from unnest($3::text[], $4::int[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                         $9::bool[])
                      as c (lane, epoch, seq, causes, attendant, second, is_sampled)
             join lane l on l.lane = c.lane
             on conflict on constraint one_item_for_each_passage do nothing
             returning item, operator, station, found_at)
         insert into review_waiting (item, operator, station, since)
         select item, operator, station, found_at from made",
    )
    .bind(day_to_sql(day))
    .bind(to_sql(now))
    .bind(column(|one| &one.lane))
    .bind(candidates.iter().map(|one| one.epoch).collect::<Vec<_>>())
    .bind(candidates.iter().map(|one| one.seq).collect::<Vec<_>>())
    .bind(candidates.iter().map(causes).collect::<Vec<_>>())
    .bind(candidates.iter().map(|one| one.attendant.clone()).collect::<Vec<_>>())
    .bind(candidates.iter().map(|one| one.second.clone()).collect::<Vec<_>>())
    .bind(candidates.iter().map(|one| drawn(&one.signed, policy.second_looks)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(SettlementError::database("add items to the review"))?;
    let is_full = candidates.len() >= usize::try_from(policy.found_max).unwrap_or(usize::MAX);
    Ok(New { items: made.rows_affected(), is_full })
}

/// An item that somebody may have.
#[derive(sqlx::FromRow)]
struct NextRow {
    item: i64,
    lane: String,
    epoch: i32,
    seq: i64,
    day: Date,
    causes: Vec<String>,
    claimed_until: Option<OffsetDateTime>,
}

/// An item that somebody may have, or has.
pub(super) struct Next {
    pub(super) item: i64,
    passage: PassageId,
    day: BusinessDate,
    causes: Vec<String>,
    /// Until when it is theirs already.
    pub(super) claimed_until: Option<Timestamp>,
}

impl Next {
    pub(super) fn into_claimed(self, until: Timestamp) -> Claimed {
        let Self { item, passage, day, causes, claimed_until: _ } = self;
        Claimed { item, passage, day, causes, until }
    }
}

impl TryFrom<NextRow> for Next {
    type Error = SettlementError;
    fn try_from(row: NextRow) -> Result<Self> {
        let NextRow { item, lane, epoch, seq, day, causes, claimed_until } = row;
        let passage = parsed("passage under review", &format!("{lane}:{epoch}:{seq}"))?;
        let (day, claimed_until) = (day_from_sql(day), claimed_until.map(from_sql));
        Ok(Self { item, passage, day, causes, claimed_until })
    }
}

/// The item that a reviewer has, or else the one that waits longest for somebody like them.
pub(super) async fn next(
    tx: &mut PgConnection,
    who: &Person,
    within: Within<'_>,
    now: Timestamp,
) -> Result<Option<Next>> {
    let row: Option<NextRow> = sqlx::query_as(
        "select w.item, i.lane, i.epoch, i.seq, i.day, i.causes,
                case when w.claimed_by = $1 and w.claimed_until > $2 then w.claimed_until end as claimed_until
         from review_waiting w join review_item i using (item)
         where ($3::text is null or w.operator = $3) and ($4::text is null or w.station = $4)
           and (w.claimed_by is null or w.claimed_by = $1 or w.claimed_until <= $2)
           and i.attendant is distinct from $1 and i.second is distinct from $1
           and not exists (select from review_look k where k.item = w.item and k.reviewer = $1)
         order by (w.claimed_by = $1 and w.claimed_until > $2) is true desc, w.since, w.item limit 1",
    )
    .bind(who.as_str())
    .bind(to_sql(now))
    .bind(within.operator)
    .bind(within.station)
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("find the next item"))?;
    row.map(Next::try_from).transpose()
}

/// Gives somebody an item.
pub(super) async fn claim(
    tx: &mut PgConnection,
    item: i64,
    who: &Person,
    now: Timestamp,
    until: Timestamp,
) -> Result<()> {
    sqlx::query(
        "with noted as (
             insert into review_claim (item, place, reviewer, claimed_at, until)
             select $1, coalesce(max(place), 0) + 1, $2, $3, $4 from review_claim where item = $1)
         update review_waiting set claimed_by = $2, claimed_until = $4 where item = $1",
    )
    .bind(item)
    .bind(who.as_str())
    .bind(to_sql(now))
    .bind(to_sql(until))
    .execute(tx)
    .await
    .map_err(SettlementError::database("claim an item"))?;
    Ok(())
}

/// An item that is somebody's now.
pub(super) async fn claimed(
    tx: &mut PgConnection,
    item: i64,
    who: &Person,
    now: Timestamp,
) -> Result<Option<Claimed>> {
    let row: Option<NextRow> = sqlx::query_as(
        "select w.item, i.lane, i.epoch, i.seq, i.day, i.causes, w.claimed_until
         from review_waiting w join review_item i using (item)
         where w.item = $1 and w.claimed_by = $2 and w.claimed_until > $3",
    )
    .bind(item)
    .bind(who.as_str())
    .bind(to_sql(now))
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read a claimed item"))?;
    let Some(next) = row.map(Next::try_from).transpose()? else { return Ok(None) };
    Ok(next.claimed_until.map(|until| next.into_claimed(until)))
}

/// Puts an item back, behind those that wait.
pub(super) async fn release(tx: &mut PgConnection, item: i64, now: Timestamp) -> Result<()> {
    sqlx::query(
        "update review_waiting set claimed_by = null, claimed_until = null, since = $2 where item = $1",
    )
    .bind(item)
    .bind(to_sql(now))
    .execute(tx)
    .await
    .map_err(SettlementError::database("put an item back"))?;
    Ok(())
}

/// Whether an item is looked at twice whatever the first look says.
pub(super) async fn is_drawn(tx: &mut PgConnection, item: i64) -> Result<bool> {
    sqlx::query_scalar("select is_sampled from review_item where item = $1")
        .bind(item)
        .fetch_one(tx)
        .await
        .map_err(SettlementError::database("read an item"))
}

/// Ends an item: it waits no more.
pub(super) async fn end(
    tx: &mut PgConnection,
    item: i64,
    outcome: &str,
    case: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "with gone as (delete from review_waiting where item = $1)
         insert into review_end (item, ended_at, outcome, case_code) values ($1, $2, $3, $4)",
    )
    .bind(item)
    .bind(to_sql(now))
    .bind(outcome)
    .bind(case)
    .execute(tx)
    .await
    .map_err(SettlementError::database("end an item"))?;
    Ok(())
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    /// In all.
    pub items: u64,
    /// Of these, how many somebody has at the moment.
    pub claimed: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
    /// By cause; an item with two is in both.
    pub causes: Vec<(String, u64)>,
}

/// What waits, by cause and in all.
pub(super) async fn waiting(pool: &PgPool, within: Within<'_>, now: Timestamp) -> Result<Waiting> {
    let of_all: (i64, i64, Option<OffsetDateTime>) = sqlx::query_as(
        "select count(*), count(*) filter (where w.claimed_until > $3), min(i.found_at)
         from review_waiting w join review_item i using (item)
         where ($1::text is null or w.operator = $1) and ($2::text is null or w.station = $2)",
    )
    .bind(within.operator)
    .bind(within.station)
    .bind(to_sql(now))
    .fetch_one(pool)
    .await
    .map_err(SettlementError::database("count what waits for review"))?;
    let causes: Vec<(String, i64)> = sqlx::query_as(
        "select c.cause, count(*) from review_waiting w join review_item i using (item)
         cross join lateral unnest(i.causes) as c (cause)
         where ($1::text is null or w.operator = $1) and ($2::text is null or w.station = $2)
         group by c.cause order by count(*) desc, c.cause",
    )
    .bind(within.operator)
    .bind(within.station)
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("count causes of review"))?;
    let (items, claimed, oldest) = of_all;
    Ok(Waiting {
        items: items.unsigned_abs(),
        claimed: claimed.unsigned_abs(),
        oldest: oldest.map(from_sql),
        causes: causes.into_iter().map(|(cause, n)| (cause, n.unsigned_abs())).collect(),
    })
}

/// How many items came to an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The outcome, by its name.
    pub outcome: String,
    /// How many.
    pub items: u64,
}

/// What items came to since an instant.
pub(super) async fn ended(
    pool: &PgPool,
    within: Within<'_>,
    since: Timestamp,
) -> Result<Vec<Ended>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select e.outcome, count(*) from review_end e join review_item i using (item)
         where e.ended_at >= $1
           and ($2::text is null or i.operator = $2) and ($3::text is null or i.station = $3)
         group by e.outcome order by count(*) desc, e.outcome",
    )
    .bind(to_sql(since))
    .bind(within.operator)
    .bind(within.station)
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("count what items came to"))?;
    let of = |(outcome, n): (String, i64)| Ended { outcome, items: n.unsigned_abs() };
    Ok(rows.into_iter().map(of).collect())
}
