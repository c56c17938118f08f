//! How far each partition of the stream is in the books, and who may move it.
//!
//! *Partition*: a share of the lanes; a worker that has taken one is alone with it. *Tenure*: the
//! time in which it has it, by number. *Head*: everything up to here is in the books, but for what
//! is *behind*: stretches that were passed over, so that new traffic need not wait until they are
//! done. A batch's *advance* is written in the batch's own transaction, and only if the tenure is
//! still the same and the books are where the batch begins. So a batch that is lost on the way, in
//! a worker, in the broker or after a commit that nobody heard of, is never skipped and never
//! needs an acknowledgement.

use sqlx::{PgConnection, PgPool, Row};

use super::post::{BooksError, failed};

/// A partition of the stream of passages.
pub type Partition = u16;

/// A stretch of the stream, without its first number and with its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The number before the stretch.
    pub after: u64,
    /// The last of the stretch.
    pub upto: u64,
}

/// What a batch adds to a partition's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Which partition.
    pub partition: Partition,
    /// By whom: what another has taken since is not moved.
    pub tenure: i64,
    /// In which stream the stretch is.
    pub stream: String,
    /// Whether the stretch is at the head or behind it.
    pub place: Place,
    /// What the batch brings into the books.
    pub stretch: Stretch,
}

/// Where in a partition a stretch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// New traffic.
    Head,
    /// What was passed over.
    Behind,
}

/// A partition as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tenure {
    pub(super) partition: Partition,
    pub(super) number: i64,
    pub(super) stream: String,
    pub(super) head: u64,
    /// The first stretch behind, if there is any.
    pub(super) behind: Option<Stretch>,
}

fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Moves the partitions' places, all of them or none.
pub(super) async fn advance(tx: &mut PgConnection, advances: &[Advance]) -> Result<(), BooksError> {
    if advances.is_empty() {
        return Ok(());
    }
    let numbers = |number: fn(&Advance) -> i64| advances.iter().map(number).collect::<Vec<i64>>();
    let moved = sqlx::query(
        "update intake_partition p \
         set head = coalesce(a.head_upto, p.head), \
             behind = case when a.after is null then p.behind \
                      else p.behind - int8multirange(int8range(a.after, a.upto, '(]')) end \
         from (select partition, tenure, stream, \
                      max(after) filter (where place = 'head') as head_after, \
                      max(upto) filter (where place = 'head') as head_upto, \
                      max(after) filter (where place = 'behind') as after, \
                      max(upto) filter (where place = 'behind') as upto \
               from unnest($1::int8[], $2::int8[], $3::text[], $4::text[], $5::int8[], $6::int8[]) \
                   as u (partition, tenure, stream, place, after, upto) \
               group by partition, tenure, stream) a \
         where p.partition = a.partition and p.tenure = a.tenure and p.stream = a.stream \
           and (a.head_after is null or a.head_after = p.head) \
           and (a.after is null or p.behind @> int8range(a.after, a.upto, '(]'))",
    )
    .bind(numbers(|advance| i64::from(advance.partition)))
    .bind(numbers(|advance| advance.tenure))
    .bind(advances.iter().map(|advance| advance.stream.clone()).collect::<Vec<_>>())
    .bind(
        advances
            .iter()
            .map(|advance| match advance.place {
                Place::Head => "head",
                Place::Behind => "behind",
            })
            .collect::<Vec<_>>(),
    )
    .bind(numbers(|advance| to_sql(advance.stretch.after)))
    .bind(numbers(|advance| to_sql(advance.stretch.upto)))
    .execute(tx)
    .await
    .map_err(failed("move the place in the stream"))?;
    let mut partitions: Vec<Partition> = advances.iter().map(|advance| advance.partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    let expected = u64::try_from(partitions.len()).unwrap_or(u64::MAX);
    if moved.rows_affected() == expected { Ok(()) } else { Err(BooksError::Misplaced) }
}

/// Makes sure every partition has its row.
pub(super) async fn prepare(pool: &PgPool, partitions: Partition) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into intake_partition (partition) select generate_series(0, $1 - 1) \
         on conflict do nothing",
    )
    .bind(i32::from(partitions))
    .execute(pool)
    .await?;
    Ok(())
}

/// Begins a tenure: from now on nobody of an earlier one writes.
pub(super) async fn begin_tenure(
    conn: &mut PgConnection,
    partition: Partition,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "update intake_partition set tenure = tenure + 1 where partition = $1 returning tenure",
    )
    .bind(i32::from(partition))
    .fetch_one(conn)
    .await
}

/// How the broker's stream is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamNow {
    /// Which stream it is: one that was made anew counts anew.
    pub(super) stream: String,
    /// Its last number.
    pub(super) last: u64,
}

/// Reads a partition's place, having brought it into line with the stream as it is now: another
/// stream is read from its beginning, one that has lost its end from where it ends, and a head
/// that is further back than `patience` goes to the end and leaves the rest behind it.
///
/// Hands back nothing where the tenure has ended.
pub(super) async fn locate(
    pool: &PgPool,
    (partition, tenure): (Partition, i64),
    now: &StreamNow,
    patience: u64,
) -> Result<Option<Tenure>, sqlx::Error> {
    let row = sqlx::query(
        "update intake_partition p set stream = $3, \
             head = case when p.stream <> $3 then (case when $4 > $5 then $4 else 0 end) \
                         when p.head > $4 or $4 - p.head > $5 then $4 else p.head end, \
             behind = case when p.stream <> $3 then \
                              (case when $4 > $5 then int8multirange(int8range(0, $4, '(]')) else '{}' end) \
                           when $4 - p.head > $5 then \
                              p.behind + int8multirange(int8range(p.head, $4, '(]')) \
                           else p.behind * int8multirange(int8range(0, $4, '(]')) end \
         where p.partition = $1 and p.tenure = $2 \
         returning head, (select lower(r) - 1 from unnest(behind) r order by r limit 1), \
                   (select upper(r) - 1 from unnest(behind) r order by r limit 1)",
    )
    .bind(i32::from(partition))
    .bind(tenure)
    .bind(&now.stream)
    .bind(to_sql(now.last))
    .bind(to_sql(patience))
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Tenure {
        partition,
        number: tenure,
        stream: now.stream.clone(),
        head: from_sql(row.get(0)),
        behind: row
            .get::<Option<i64>, _>(1)
            .zip(row.get::<Option<i64>, _>(2))
            .map(|(after, upto)| Stretch { after: from_sql(after), upto: from_sql(upto) }),
    }))
}

/// Whether anything is behind in any partition: then nothing is missing yet, it may still come.
pub(crate) async fn anything_behind<'c>(
    database: impl sqlx::PgExecutor<'c>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from intake_partition where not isempty(behind))")
        .fetch_one(database)
        .await
}
