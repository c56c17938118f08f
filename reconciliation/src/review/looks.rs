//! The SQL of looks: what reviewers saw, kept, read and erased.

use clearing_house::sql::{from_sql, to_sql};
use domain::{PassageId, Plate, Timestamp, VehicleGroup};
use sqlx::types::time::OffsetDateTime;
use sqlx::{PgConnection, PgPool};

use super::answer::{Answer, Reading};
use super::{Look, Seen, Within};
use crate::approval::Person;
use crate::settlement::SettlementError;
use crate::settlement::repo::parsed;

type Result<T> = std::result::Result<T, SettlementError>;

/// Keeps what somebody saw.
pub(super) async fn add_look(
    tx: &mut PgConnection,
    item: i64,
    who: &Person,
    answer: &Answer,
    now: Timestamp,
) -> Result<()> {
    let reading = answer.reading();
    sqlx::query(
        "insert into review_look (item, place, reviewer, claimed_at, looked_at, answer, plate,
                                  vehicle_group, reason, note)
         select $1, (select count(*) from review_look where item = $1) + 1, $2,
                coalesce((select claimed_at from review_claim where item = $1 order by place desc limit 1), $3),
                $3, $4, $5, $6, $7, $8",
    )
    .bind(item)
    .bind(who.as_str())
    .bind(to_sql(now))
    .bind(answer.name())
    .bind(reading.map(|reading| reading.plate.as_str()))
    .bind(reading.map(|reading| i16::from(reading.group.number())))
    .bind(answer.reason())
    .bind(answer.note())
    .execute(tx)
    .await
    .map_err(SettlementError::database("keep a look"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LookRow {
    item: i64,
    is_sampled: bool,
    reviewer: String,
    claimed_at: OffsetDateTime,
    looked_at: OffsetDateTime,
    answer: String,
    plate: Option<String>,
    vehicle_group: Option<i16>,
    reason: Option<i16>,
    note: Option<String>,
}

impl TryFrom<LookRow> for Look {
    type Error = SettlementError;
    fn try_from(row: LookRow) -> Result<Self> {
        let stored = || SettlementError::Stored { what: "look", text: row.answer.clone() };
        let answer = match (row.answer.as_str(), &row.plate, row.vehicle_group, row.reason) {
            ("read", Some(plate), Some(group), None) => {
                let group = u8::try_from(group).ok().and_then(|n| VehicleGroup::try_new(n).ok());
                Answer::Read(Reading {
                    plate: Plate::try_new(plate).or(Err(stored()))?,
                    group: group.ok_or_else(stored)?,
                })
            }
            (_, None, None, Some(reason)) => {
                let note = row.note.as_deref().unwrap_or_default();
                Answer::of_reason(reason, note).ok_or_else(stored)?
            }
            _ => return Err(stored()),
        };
        let looked_at = from_sql(row.looked_at);
        Ok(Self {
            reviewer: parsed("person", &row.reviewer)?,
            answer,
            looked_at,
            took: looked_at.duration_since(from_sql(row.claimed_at)),
        })
    }
}

/// What people saw of an item, in order.
pub(super) async fn looks(tx: &mut PgConnection, item: i64) -> Result<Vec<Look>> {
    let rows: Vec<LookRow> = sqlx::query_as(
        "select k.item, i.is_sampled, k.reviewer, k.claimed_at, k.looked_at, k.answer, k.plate,
                k.vehicle_group, k.reason, k.note
         from review_look k join review_item i using (item) where k.item = $1 order by k.place",
    )
    .bind(item)
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the looks at an item"))?;
    rows.into_iter().map(Look::try_from).collect()
}

/// The passage of a case that a review opened, and what people saw of it.
pub(super) async fn seen_of_case(
    pool: &PgPool,
    code: &str,
) -> Result<Option<(PassageId, Vec<Seen>)>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        passage: String,
        erased_at: Option<OffsetDateTime>,
        #[sqlx(flatten)]
        look: LookRow,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select i.lane || ':' || i.epoch || ':' || i.seq as passage, k.erased_at, k.item,
                i.is_sampled, k.reviewer, k.claimed_at, k.looked_at, k.answer, k.plate,
                k.vehicle_group, k.reason, k.note
         from review_end e join review_item i using (item) join review_look k using (item)
         where e.case_code = $1 order by k.place",
    )
    .bind(code)
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read the looks behind a case"))?;
    let Some(first) = rows.first() else { return Ok(None) };
    let passage = parsed("passage under review", &first.passage)?;
    let seen = |row: Row| {
        let (reviewer, looked_at) = (parsed("person", &row.look.reviewer)?, row.look.looked_at);
        let answer = match row.erased_at {
            Some(_) => None,
            None => Some(Look::try_from(row.look)?.answer),
        };
        Ok(Seen { reviewer, answer, looked_at: from_sql(looked_at) })
    };
    Ok(Some((passage, rows.into_iter().map(seen).collect::<Result<_>>()?)))
}

/// The items with a look since an instant, each with whether it was drawn and all its looks.
pub(super) async fn looks_since(
    pool: &PgPool,
    within: Within<'_>,
    since: Timestamp,
) -> Result<Vec<(bool, Vec<Look>)>> {
    let rows: Vec<LookRow> = sqlx::query_as(
        "select k.item, i.is_sampled, k.reviewer, k.claimed_at, k.looked_at, k.answer, k.plate,
                k.vehicle_group, k.reason, k.note
         from review_look k join review_item i using (item)
         where k.item in (select item from review_look where looked_at >= $1)
           and k.erased_at is null
           and ($2::text is null or i.operator = $2) and ($3::text is null or i.station = $3)
         order by k.item, k.place",
    )
    .bind(to_sql(since))
    .bind(within.operator)
    .bind(within.station)
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read what reviewers did"))?;
    let mut items: Vec<(bool, Vec<Look>)> = Vec::new();
    let mut last = None;
    for row in rows {
        let (item, is_drawn) = (row.item, row.is_sampled);
        let look = Look::try_from(row)?;
        match items.last_mut() {
            Some((_, looks)) if last == Some(item) => looks.push(look),
            Some(_) | None => items.push((is_drawn, vec![look])),
        }
        last = Some(item);
    }
    Ok(items)
}

/// Erases what was read and written of items that ended before an instant, all of it or one plate.
/// Whoever waits for it waits no longer than its minute.
pub(super) async fn erase(
    tx: &mut PgConnection,
    ended_before: Timestamp,
    plate: Option<&Plate>,
    now: Timestamp,
) -> Result<u64> {
    let failed = || SettlementError::database("erase what was read");
    sqlx::query("set local statement_timeout = '60s'").execute(&mut *tx).await.map_err(failed())?;
    let erased: i64 = sqlx::query_scalar("select erase_reviewed_plates($1, $2, $3)")
        .bind(to_sql(ended_before))
        .bind(plate.map(Plate::as_str))
        .bind(to_sql(now))
        .fetch_one(tx)
        .await
        .map_err(failed())?;
    Ok(erased.unsigned_abs())
}

/// Writes down who had something erased, and from how many looks.
pub(super) async fn note_erased(
    tx: &mut PgConnection,
    looks: u64,
    by: &Person,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into job_run (job, key, ended_at, outcome)
         values ('erase-plate', gen_random_uuid()::text, $1, $2)",
    )
    .bind(to_sql(now))
    .bind(format!("{looks} looks, by {by}"))
    .execute(tx)
    .await
    .map_err(SettlementError::database("write down what was erased"))?;
    Ok(())
}
