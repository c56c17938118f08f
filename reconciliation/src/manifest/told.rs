//! The SQL of lanes' own manifests: what they told, what the books have under the same numbers, and
//! the verdict, which is written until both agree.

use std::collections::BTreeMap;

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql, to_sql};
use domain::signature::HalfDigest;
use domain::time::SettlementCalendar;
use domain::wire::v1::{DayManifest, LoopHour, ManifestTurn, PassageSums, parse};
use domain::{BusinessDate, LaneId, OperatorId, Timestamp};
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, PgExecutor, PgPool};

use super::lanes::{OfBooks, Verdict, VerdictOf, judge};
use super::standing::{JournalDay, Told};
use crate::settlement::repo::{Operator, number, operators, parsed};
use crate::settlement::{SettlementError, stored_amount};
use crate::verify::Which;

type Result<T> = std::result::Result<T, SettlementError>;

/// Days around its own in which a passage is posted, as a rule: later or earlier ones are looked for
/// where numbers lack.
const DAYS_AROUND: i32 = 1;

/// An operator's settlement days.
pub(crate) async fn calendar_of(
    pool: &PgPool,
    operator: &OperatorId,
) -> Result<SettlementCalendar> {
    let operators = operators(pool).await?;
    let found = operators.iter().find(|one| one.operator == *operator);
    found
        .map(Operator::calendar)
        .transpose()?
        .ok_or_else(|| SettlementError::Stored { what: "operator", text: operator.to_string() })
}

/// Every journal of an operator, as it stands on a day.
pub(crate) async fn journals_of_day(
    executor: impl PgExecutor<'_>,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Vec<JournalDay>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        lane: String,
        epoch: i32,
        opened_at: OffsetDateTime,
        replaced_at: Option<OffsetDateTime>,
        takes_turns: bool,
        stored_upto: i64,
        told_before: i64,
        forgotten_upto: Option<i64>,
        manifest: Option<i64>,
        first_seq: Option<i64>,
        last_seq: Option<i64>,
        verdict_of: Option<String>,
        figures: Option<Vec<String>>,
        loops: Option<Vec<String>>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select e.lane, e.epoch, e.opened_at,
                lead(e.opened_at) over (partition by e.lane order by e.epoch) as replaced_at,
                exists (select from manifest_turn t where t.lane = e.lane) as takes_turns,
                e.last_seq as stored_upto,
                coalesce((select max(b.last_seq) from lane_manifest b
                          where b.lane = e.lane and b.epoch = e.epoch and b.day < $2), 0) as told_before,
                (select min(f.upto_seq) from manifest_forgotten f
                 where f.lane = e.lane and f.epoch = e.epoch and f.day >= $2) as forgotten_upto,
                m.manifest, m.first_seq, m.last_seq, v.verdict_of, v.figures, v.loops
         from lane_epoch e
         join lane l using (lane)
         left join lateral (select * from lane_manifest x
                            where x.lane = e.lane and x.epoch = e.epoch and x.day = $2
                            order by x.manifest desc limit 1) m on true
         left join lateral (select * from manifest_verdict y where y.manifest = m.manifest
                            order by y.verdict desc limit 1) v on true
         where l.operator = $1
         order by e.lane collate \"C\", e.epoch",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the lanes' manifests of a day"))?;
    let journal = |row: Row| {
        let told = match (row.manifest, row.first_seq, row.last_seq) {
            (Some(manifest), Some(first), Some(last)) => Some(Told {
                manifest,
                first_seq: number("sequence", first)?,
                last_seq: number("sequence", last)?,
                verdict: row.verdict_of.as_deref().and_then(VerdictOf::from_name),
                figures: row.figures.unwrap_or_default(),
                loops: row.loops.unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(JournalDay {
            lane: parsed("lane", &row.lane)?,
            epoch: number("epoch", row.epoch.into())?,
            opened_at: from_sql(row.opened_at),
            replaced_at: row.replaced_at.map(from_sql),
            takes_turns: row.takes_turns,
            stored_upto: number("sequence", row.stored_upto)?,
            told_before: number("sequence", row.told_before)?,
            forgotten_upto: row.forgotten_upto.map(|upto| number("sequence", upto)).transpose()?,
            told,
        })
    };
    rows.into_iter().map(journal).collect()
}

/// Holds every manifest of an operator that is not agreed yet against the books, and writes the
/// verdict down where it is another than before. Says how many it looked at.
///
/// # Errors
/// When the database fails.
pub async fn check(
    pool: &PgPool,
    operator: &OperatorId,
    through: BusinessDate,
    now: Timestamp,
) -> Result<u64> {
    let open: Vec<(i64, String, i32, Date, Vec<u8>)> = sqlx::query_as(
        "select v.manifest, v.lane, v.epoch, v.day, m.payload
         from lane_manifest_v1 v
         join lane_manifest m using (manifest)
         join lane l on l.lane = v.lane
         where l.operator = $1 and v.day <= $2 and v.verdict_of is distinct from 'agrees'
           and (v.verdict_of is null
                or v.day > (select coalesce(max(d.day), '-infinity') from settlement_day d
                            where d.operator = $1 and d.state = 'closed'))
         order by v.manifest",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(through))
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("look for manifests to check"))?;
    let mut looked = 0;
    for (manifest, lane, epoch, day, payload) in open {
        let told = of_payload(&payload)?;
        let mut tx = pool.begin().await.map_err(SettlementError::database("begin to check"))?;
        let books = of_books(&mut tx, (&lane, epoch), day_from_sql(day), &told).await?;
        write(&mut tx, manifest, &judge(&told, &books), now).await?;
        tx.commit().await.map_err(SettlementError::database("commit a verdict"))?;
        looked += 1;
    }
    Ok(looked)
}

fn of_payload(payload: &[u8]) -> Result<DayManifest> {
    let turn = parse::<ManifestTurn>("manifest", payload).ok().and_then(|turn| turn.manifest);
    turn.ok_or_else(|| SettlementError::Stored { what: "manifest", text: "unreadable".to_owned() })
}

/// What the books have under a manifest's numbers.
async fn of_books(
    tx: &mut PgConnection,
    journal: (&str, i32),
    day: BusinessDate,
    told: &DayManifest,
) -> Result<OfBooks> {
    let near = of_days(tx, journal, told, Some(day)).await?;
    if near.sums.passages >= told.sums.passages {
        return Ok(near);
    }
    of_days(tx, journal, told, None).await
}

/// The same, of passages posted about a day, or on any.
async fn of_days(
    tx: &mut PgConnection,
    (lane, epoch): (&str, i32),
    told: &DayManifest,
    near: Option<BusinessDate>,
) -> Result<OfBooks> {
    type Row = (Option<i16>, Option<String>, i64, i64);
    let stored = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
    let (first, last) = (stored(told.first_seq), stored(told.last_seq));
    let journal_no: Option<i32> =
        sqlx::query_scalar("select journal_no from lane_epoch where lane = $1 and epoch = $2")
            .bind(lane)
            .bind(epoch)
            .fetch_optional(&mut *tx)
            .await
            .map_err(SettlementError::database("find a journal"))?;
    let days = match near {
        Some(_) => "and p.day between $4 - $5 and $4 + $5",
        None => "and ($4::date is null or $5 is not null)",
    };
    let near = near.map(day_to_sql);
    let sql = format!(
        "select o.vehicle_group, o.decision, count(*),
                coalesce(sum(case when o.payment in ('account', 'cash')
                                   and o.decision in ('opened-by-tag', 'charged-by-plate', 'opened-by-attendant')
                                  then case o.fare_shown when 'same' then p.amount when 'other' then m.fare end
                             end), 0)::bigint
         from posting p
         join manner o using (manner)
         left join passage_more m on m.journal_no = p.journal_no and m.seq = p.seq
         where p.journal_no = $1 and p.seq between $2 and $3 {days}
         group by o.vehicle_group, o.decision"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(journal_no)
        .bind(first)
        .bind(last)
        .bind(near)
        .bind(DAYS_AROUND)
        .fetch_all(&mut *tx)
        .await
        .map_err(SettlementError::database("count what a lane told of"))?;
    let mut sums = PassageSums::default();
    let mut amount = 0_i64;
    for (group, decision, passages, fares) in rows {
        let passages: u64 = number("count", passages)?;
        sums.passages += passages;
        amount = amount.saturating_add(fares);
        let group = group.map_or_else(|| "-".to_owned(), |group| group.to_string());
        *sums.groups.entry(group).or_default() += passages;
        *sums.decisions.entry(decision.unwrap_or_else(|| "-".to_owned())).or_default() += passages;
    }
    sums.amount = stored_amount(amount)?;
    let sql = format!(
        "select uuid_send(p.digest) from posting p where p.journal_no = $1 and p.seq = $3 and $2 is not null {days}"
    );
    let head: Option<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(journal_no)
        .bind(first)
        .bind(last)
        .bind(near)
        .bind(DAYS_AROUND)
        .fetch_optional(&mut *tx)
        .await
        .map_err(SettlementError::database("find the last record a lane told of"))?;
    let head = head.and_then(|head| head.try_into().ok()).map(HalfDigest::new);
    let hours = told.loops.as_ref().map_or(&[][..], |loops| &loops.hours);
    let gone = gone(tx, journal_no, told.first_seq, hours, near).await?;
    Ok(OfBooks { sums, head, gone })
}

/// Passages of vehicles that were not sent away, of each hour's numbers.
async fn gone(
    tx: &mut PgConnection,
    journal_no: Option<i32>,
    first_seq: u64,
    hours: &[LoopHour],
    near: Option<Date>,
) -> Result<Vec<u64>> {
    if hours.is_empty() {
        return Ok(Vec::new());
    }
    let upto: Vec<i64> =
        hours.iter().map(|hour| i64::try_from(hour.last_seq).unwrap_or(i64::MAX)).collect();
    let first = i64::try_from(first_seq).unwrap_or(i64::MAX);
    let days = match near {
        Some(_) => "and p.day between $6 - $7 and $6 + $7",
        None => "and ($6::date is null or $7 is not null)",
    };
    let sql = format!(
        "select least(width_bucket(p.seq::bigint - 1, $3), $4), count(*)
         from posting p
         join manner o using (manner)
         where p.journal_no = $1 and p.seq between $2 and $5 and o.decision <> 'turned-away' {days}
         group by 1"
    );
    let rows: Vec<(i32, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(journal_no)
        .bind(first)
        .bind(&upto)
        .bind(i32::try_from(upto.len()).unwrap_or(i32::MAX) - 1)
        .bind(upto.last())
        .bind(near)
        .bind(DAYS_AROUND)
        .fetch_all(tx)
        .await
        .map_err(SettlementError::database("count an hour's passages"))?;
    let counts: BTreeMap<i32, i64> = rows.into_iter().collect();
    let of_hour = |hour: i32| number("count", counts.get(&hour).copied().unwrap_or_default());
    (0_i32..).take(hours.len()).map(of_hour).collect()
}

async fn write(
    tx: &mut PgConnection,
    manifest: i64,
    verdict: &Verdict,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into manifest_verdict (manifest, checked_at, verdict_of, figures, loops)
         select $1, $2, $3, $4, $5
         where ($3, $4, $5) is distinct from
               (select (verdict_of, figures, loops) from manifest_verdict where manifest = $1
                order by verdict desc limit 1)",
    )
    .bind(manifest)
    .bind(to_sql(now))
    .bind(verdict.of.name())
    .bind(&verdict.figures)
    .bind(&verdict.loops)
    .execute(tx)
    .await
    .map(drop)
    .map_err(SettlementError::database("write a verdict"))
}

/// A manifest that both agreed on, and what the books have of it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) lane: LaneId,
    pub(crate) day: BusinessDate,
    /// What differs now.
    pub(crate) figures: Vec<String>,
}

/// Every manifest that both agreed on, of some days, held against the books again.
pub(crate) async fn agreed(
    tx: &mut PgConnection,
    Which { day, operator }: &Which,
) -> Result<Vec<Agreed>> {
    let rows: Vec<(String, i32, Date, Vec<u8>)> = sqlx::query_as(
        "select v.lane, v.epoch, v.day, m.payload
         from lane_manifest_v1 v join lane_manifest m using (manifest) join lane l on l.lane = v.lane
         where v.verdict_of = 'agrees' and ($1::date is null or v.day = $1)
           and ($2::text is null or l.operator = $2)
         order by v.manifest",
    )
    .bind(day.map(day_to_sql))
    .bind(operator.as_ref().map(OperatorId::as_str))
    .fetch_all(&mut *tx)
    .await
    .map_err(SettlementError::database("read the manifests that were agreed on"))?;
    let mut agreed = Vec::with_capacity(rows.len());
    for (lane, epoch, day, payload) in rows {
        let (told, day) = (of_payload(&payload)?, day_from_sql(day));
        let books = of_books(tx, (&lane, epoch), day, &told).await?;
        let figures = judge(&told, &books).figures;
        agreed.push(Agreed { lane: parsed("lane", &lane)?, day, figures });
    }
    Ok(agreed)
}
