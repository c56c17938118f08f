//! The SQL of searching: first which passages, by the narrow rows alone; then what is known of them.

use std::fmt;

use domain::{BusinessDate, PassageId, Timestamp};
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use sqlx::types::time::{Date, OffsetDateTime};

use super::{Place, Sought, Whose};
use crate::sql::{day_from_sql, day_to_sql, from_sql, to_sql};

/// A passage that was found, with its charge. Holds plate and tag: whoever shows it masks them.
#[derive(Clone, sqlx::FromRow)]
pub struct Found {
    /// `operator/station/lane`.
    pub lane: String,
    /// Whose road.
    pub operator: String,
    /// The station's name.
    pub station_name: String,
    /// The lane's own name.
    pub lane_name: String,
    /// Its journal's epoch.
    pub epoch: i32,
    /// Its number in it.
    pub seq: i64,
    journal_no: i32,
    /// The operator's time zone.
    pub zone: String,
    /// What amounts are in.
    pub currency: String,
    at: OffsetDateTime,
    /// The tag in hexadecimal.
    pub tag: Option<String>,
    /// The plate.
    pub plate: Option<String>,
    /// The group it went by.
    pub vehicle_group: Option<i16>,
    /// Why it did not simply pass.
    pub exception: Option<String>,
    /// What the lane decided.
    pub decision: Option<String>,
    /// What became of it.
    pub disposition: String,
    /// Why it costs what it costs.
    pub why: Option<String>,
    day: Option<Date>,
    /// Who pays; absent also where whoever asks may not know.
    pub account: Option<i64>,
    /// `account`, `cash` or `nobody`.
    pub payer: Option<String>,
    /// What it cost, in minor units.
    pub amount: Option<i64>,
    /// The tariff's version.
    pub tariff: Option<String>,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("passage", &self.passage()).finish_non_exhaustive()
    }
}

impl Found {
    /// When, by the lane's clock.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        from_sql(self.at)
    }

    /// The settlement day it fell into.
    #[must_use]
    pub fn day(&self) -> Option<BusinessDate> {
        self.day.map(day_from_sql)
    }

    /// Its identity: lane, epoch and sequence.
    #[must_use]
    pub fn passage(&self) -> String {
        format!("{}:{}:{}", self.lane, self.epoch, self.seq)
    }

    /// The place after it.
    #[must_use]
    pub fn place(&self) -> Place {
        let seq = i32::try_from(self.seq).unwrap_or(i32::MAX);
        Place { day: self.day(), at: self.at(), journal: self.journal_no, seq }
    }
}

/// A stretch of time: from an instant, until before another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

/// What is known of some postings `k`, in words; as `passage_v1` has it.
macro_rules! known_of {
    ($k:literal) => {
        concat!(
            "with k as materialized (",
            $k,
            ") select e.lane, l.operator, s.name as station_name, split_part(e.lane, '/', 3) as lane_name,
                      e.epoch, k.seq::bigint as seq, k.journal_no, w.zone, w.currency::text as currency,
                      k.at, encode(nullif(k.tag, ''::bytea), 'hex') as tag, nullif(k.plate, '') as plate,
                      o.vehicle_group, o.exception, o.decision,
                      coalesce(o.disposition, 'pending') as disposition, o.why, k.day, d.account,
                      case when k.day is not null then o.payer end as payer,
                      case when k.day is not null then k.amount end as amount, o.tariff
               from k
               join lane_epoch e on e.journal_no = k.journal_no
               join lane l on l.lane = e.lane
               join operator w on w.operator = l.operator
               join station s on s.operator = l.operator and s.station = l.station
               left join manner o on o.manner = k.manner
               left join ledger_account d on d.ledger_account = k.debit
               order by k.day desc, k.at desc, k.journal_no desc, k.seq desc"
        )
    };
}

/// The journals of the lanes that are looked at; nothing where all are.
pub(super) async fn journals(
    books: &mut PgConnection,
    sought: &Sought,
) -> Result<Option<Vec<i32>>, sqlx::Error> {
    if sought.operator.is_none() && sought.station.is_none() && sought.lane.is_none() {
        return Ok(None);
    }
    sqlx::query_scalar(
        "select coalesce(array_agg(e.journal_no), '{}') from lane l join lane_epoch e using (lane)
         where ($1::text is null or l.operator = $1) and ($2::text is null or l.station = $2)
           and ($3::text is null or split_part(l.lane, '/', 3) = $3)",
    )
    .bind(&sought.operator)
    .bind(&sought.station)
    .bind(&sought.lane)
    .fetch_one(books)
    .await
    .map(Some)
}

/// The settlement days between two, the newest first, each with when it ends.
pub(super) async fn days(
    books: &mut PgConnection,
    sought: &Sought,
    (first, last): (Option<BusinessDate>, Option<BusinessDate>),
) -> Result<Vec<(BusinessDate, Timestamp)>, sqlx::Error> {
    let rows: Vec<(Date, OffsetDateTime)> = sqlx::query_as(
        "select d.day, max((d.day + 1 + o.cut_off::time) at time zone o.zone)
         from settlement_day d join operator o using (operator)
         where ($1::text is null or d.operator = $1)
           and ($2::date is null or d.day >= $2) and ($3::date is null or d.day <= $3)
         group by d.day order by d.day desc",
    )
    .bind(&sought.operator)
    .bind(first.map(day_to_sql))
    .bind(last.map(day_to_sql))
    .fetch_all(books)
    .await?;
    Ok(rows.into_iter().map(|(day, ends_at)| (day_from_sql(day), from_sql(ends_at))).collect())
}

/// Gives one closed day its indexes; there is one each day.
pub(super) async fn file_days(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("select file_posting_days(1)").execute(pool).await.map(drop)
}

/// Days that are open for anybody, or were closed since they were counted. An operator that was cut
/// off has no day at all until its passages come, when the others' may long be closed.
pub(super) async fn days_to_count(pool: &PgPool) -> Result<Vec<Date>, sqlx::Error> {
    sqlx::query_scalar(
        "select d.day from settlement_day d left join day_counted c using (day)
         where c.is_final is not true or d.state = 'open' or d.closed_at > c.counted_at
         group by d.day order by d.day desc",
    )
    .fetch_all(pool)
    .await
}

pub(super) async fn count(
    pool: &PgPool,
    day: Date,
    large_from_bytes: i64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let asked = sqlx::query("select count_day($1, $2, $3)").bind(day);
    asked.bind(large_from_bytes).bind(to_sql(now)).execute(pool).await.map(drop)
}

/// One passage, posted or waiting.
pub(super) async fn one(
    books: &mut PgConnection,
    passage: &PassageId,
) -> Result<Option<Found>, sqlx::Error> {
    sqlx::query_as(known_of!(
        "with own as (select journal_no from lane_epoch where lane = $1 and epoch = $2)
         select journal_no, seq, at, tag, plate, manner, amount, day, debit from posting
         where journal_no = (select journal_no from own) and seq = $3
         union all
         select journal_no, seq, at, tag, plate, manner, 0, null, 0 from waiting_exit
         where journal_no = (select journal_no from own) and seq = $3"
    ))
    .bind(passage.lane.to_string())
    .bind(i32::try_from(passage.epoch).unwrap_or(i32::MAX))
    .bind(i32::try_from(passage.seq.get()).unwrap_or(i32::MAX))
    .fetch_optional(books)
    .await
}

/// One passage of a day, by its identity.
pub(super) async fn one_of_day(
    books: &mut PgConnection,
    passage: &PassageId,
    day: BusinessDate,
) -> Result<Option<Found>, sqlx::Error> {
    sqlx::query_as(known_of!(
        "select p.* from posting p
         where p.day = $4 and p.seq = $3
           and p.journal_no = (select journal_no from lane_epoch where lane = $1 and epoch = $2)"
    ))
    .bind(passage.lane.to_string())
    .bind(i32::try_from(passage.epoch).unwrap_or(i32::MAX))
    .bind(i32::try_from(passage.seq.get()).unwrap_or(i32::MAX))
    .bind(day_to_sql(day))
    .fetch_optional(books)
    .await
}

/// What a slice of a day has, the newest first.
pub(super) async fn slice(
    books: &mut PgConnection,
    (sought, journals): (&Sought, &Option<Vec<i32>>),
    day: BusinessDate,
    slice: Slice,
    after: Option<&Place>,
    len: usize,
) -> Result<Vec<Found>, sqlx::Error> {
    sqlx::query_as(known_of!(
        "select p.* from posting p join manner m on m.manner = p.manner
         where p.day = $1 and p.at >= $2 and p.at < $3
           and ($4::int[] is null or p.journal_no = any($4))
           and ($5::text is null or m.disposition = $5)
           and ($6::bool is null or (m.exception is not null) = $6)
           and ($7::text is null or m.exception = $7)
           and ($8::bigint is null or p.amount = $8)
           and ($9::timestamptz is null or (p.at, p.journal_no, p.seq) < ($9, $10, $11))
         order by p.at desc, p.journal_no desc, p.seq desc limit $12"
    ))
    .bind(day_to_sql(day))
    .bind(to_sql(slice.from.unwrap_or(Timestamp::UNIX_EPOCH)))
    .bind(to_sql(slice.until.unwrap_or(Timestamp::MAX)))
    .bind(journals)
    .bind(&sought.disposition)
    .bind(sought.has_exception)
    .bind(&sought.exception)
    .bind(sought.amount)
    .bind(after.map(|after| to_sql(after.at.max(Timestamp::UNIX_EPOCH))))
    .bind(after.map(|after| after.journal))
    .bind(after.map(|after| after.seq))
    .bind(limit(len))
    .fetch_all(books)
    .await
}

fn limit(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// What is found of a vehicle or an account in some days.
pub(super) async fn of(
    books: &mut PgConnection,
    (sought, journals): (&Sought, &Option<Vec<i32>>),
    whose: &Whose,
    days: &[(BusinessDate, Timestamp)],
    after: Option<&Place>,
    len: usize,
) -> Result<Vec<Found>, sqlx::Error> {
    let known = known(books, whose).await?;
    let days: Vec<Date> = days.iter().map(|(day, _)| day_to_sql(*day)).collect();
    // What the page does not show of the day where it begins is found again before it.
    let most = i32::try_from(len).unwrap_or(i32::MAX);
    sqlx::query_as(known_of!(
        "select p.* from postings_of($1, $2, $3, $4, $13) p
         left join manner m on m.manner = p.manner
         where ($5::int[] is null or p.journal_no = any($5))
           and ($6::text is null or m.disposition = $6)
           and ($7::bool is null or (m.exception is not null) = $7)
           and ($8::text is null or m.exception = $8)
           and ($9::bigint is null or p.amount = $9)
           and ($10::date is null or (p.day, p.at, p.journal_no, p.seq) < ($10, $11, $12, $14))
         order by p.day desc, p.at desc, p.journal_no desc, p.seq desc limit $4"
    ))
    .bind(days)
    .bind(known.tags)
    .bind(known.plates)
    .bind(most)
    .bind(journals)
    .bind(&sought.disposition)
    .bind(sought.has_exception)
    .bind(&sought.exception)
    .bind(sought.amount)
    .bind(after.and_then(|after| after.day).map(day_to_sql))
    .bind(after.map(|after| to_sql(after.at.max(Timestamp::UNIX_EPOCH))))
    .bind(after.map(|after| after.journal))
    .bind(known.pays)
    .bind(after.map(|after| after.seq))
    .fetch_all(books)
    .await
}

/// By what a vehicle or an account is found.
#[derive(sqlx::FromRow)]
struct Known {
    tags: Vec<Vec<u8>>,
    plates: Vec<String>,
    /// The ledger account that paid, where that is asked for.
    pays: Option<i64>,
}

async fn known(books: &mut PgConnection, whose: &Whose) -> Result<Known, sqlx::Error> {
    match whose {
        Whose::Tag(tag) => {
            Ok(Known { tags: vec![tag.as_bytes().to_vec()], plates: Vec::new(), pays: None })
        }
        Whose::Plate(plate) => {
            let tags: Vec<Vec<u8>> =
                sqlx::query_scalar("select distinct tag from tag_link where plate = $1")
                    .bind(plate.as_str())
                    .fetch_all(books)
                    .await?;
            Ok(Known { tags, plates: vec![plate.as_str().to_owned()], pays: None })
        }
        Whose::Account(account) => {
            sqlx::query_as(
                "with own as (select distinct plate from vehicle_link where account = $1)
                 select coalesce((select array_agg(distinct t.tag) from tag_link t join own using (plate)),
                                 '{}') as tags,
                        coalesce((select array_agg(plate) from own), '{}') as plates,
                        coalesce((select ledger_account from ledger_account where account = $1), 0) as pays",
            )
            .bind(account)
            .fetch_one(books)
            .await
        }
    }
}

/// Exits that wait for their entry, the newest first.
pub(super) async fn waiting(
    books: &mut PgConnection,
    (sought, journals): (&Sought, &Option<Vec<i32>>),
    after: Option<&Place>,
    len: usize,
) -> Result<Vec<Found>, sqlx::Error> {
    let pays = matches!(sought.whose, Some(Whose::Account(_))) || sought.amount.is_some();
    if pays {
        // Nobody has paid for it yet.
        return Ok(Vec::new());
    }
    let known = match &sought.whose {
        Some(whose) => Some(known(books, whose).await?),
        None => None,
    };
    let (tags, plates) = known.map_or((None, None), |known| (Some(known.tags), Some(known.plates)));
    sqlx::query_as(known_of!(
        "select p.journal_no, p.seq, p.at, p.tag, p.plate, p.manner, 0::bigint as amount, null::date as day,
                0 as debit
         from waiting_exit p join manner m on m.manner = p.manner
         where ($1::int[] is null or p.journal_no = any($1))
           and ($2::bool is null or (m.exception is not null) = $2)
           and ($3::text is null or m.exception = $3)
           and ($4::bytea[] is null or p.tag = any($4) or p.plate = any($5))
           and ($6::timestamptz is null or (p.at, p.journal_no, p.seq) < ($6, $7, $8))
         order by p.at desc, p.journal_no desc, p.seq desc limit $9"
    ))
    .bind(journals)
    .bind(sought.has_exception)
    .bind(&sought.exception)
    .bind(tags)
    .bind(plates)
    .bind(after.map(|after| to_sql(after.at.max(Timestamp::UNIX_EPOCH))))
    .bind(after.map(|after| after.journal))
    .bind(after.map(|after| after.seq))
    .bind(limit(len))
    .fetch_all(books)
    .await
}

/// A toll that an account paid.
#[derive(sqlx::FromRow)]
pub(crate) struct Toll {
    pub(crate) transfer: i64,
    pub(crate) posted_at: OffsetDateTime,
    pub(crate) amount: i64,
    pub(crate) passage: String,
}

/// The tolls of an account that were posted from an instant on.
pub(super) async fn tolls(
    books: &mut PgConnection,
    account: i64,
    from: Timestamp,
) -> Result<Vec<Toll>, sqlx::Error> {
    let known = known(books, &Whose::Account(account)).await?;
    // A day takes postings until it is closed, however late that is.
    sqlx::query_as(
        "select (p.journal_no::bigint << 32) + p.seq as transfer, b.posted_at, p.amount,
                e.lane || ':' || e.epoch || ':' || p.seq as passage
         from postings_of((select coalesce(array_agg(distinct day), '{}') from settlement_day
                           where closed_at is null or closed_at >= $1), $2, $3, 2147483647, $4) p
         join posting_batch b on b.batch = p.batch
         join lane_epoch e on e.journal_no = p.journal_no
         where b.posted_at >= $1 and p.amount > 0",
    )
    .bind(to_sql(from))
    .bind(known.tags)
    .bind(known.plates)
    .bind(known.pays)
    .fetch_all(books)
    .await
}
