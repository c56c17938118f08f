//! The SQL of the proof of days. A day is always named by itself, so that its partition alone is read.

use domain::BusinessDate;
use sqlx::types::time::Date;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{Counted, Span};
use crate::sql::{day_from_sql, day_to_sql};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A journal, as its lane's receipts have it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Epoch {
    pub(super) journal_no: i32,
    pub(super) who: String,
    pub(super) posted_upto: i64,
    pub(super) last_seq: i64,
    pub(super) has_digest: bool,
}

pub(super) async fn epochs(tx: &mut PgConnection) -> Result<Vec<Epoch>> {
    sqlx::query_as(
        "select journal_no, lane || ':' || epoch as who, posted_upto, last_seq,
                posted_digest is not null as has_digest
         from lane_epoch order by lane, epoch",
    )
    .fetch_all(tx)
    .await
}

/// Every day that has a partition, or rows outside of one.
pub(super) async fn days(tx: &mut PgConnection) -> Result<Vec<BusinessDate>> {
    let days: Vec<Date> = sqlx::query_scalar(
        "select to_date(right(c.relname, 10), 'YYYY_MM_DD') as day
         from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'posting'::regclass and c.relname <> 'posting_other_day'
         union select day from posting_other_day
         union select day from batch_sum
         union select day from direct_transfer
         order by 1",
    )
    .fetch_all(tx)
    .await?;
    Ok(days.into_iter().map(day_from_sql).collect())
}

/// A day is summed in memory, and not sorted on the disk that others wait for.
pub(super) async fn make_room(tx: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql("set local work_mem = '128MB'; set local enable_sort = off")
        .execute(tx)
        .await
        .map(drop)
}

const SPAN: &str = "select p.journal_no, count(*) filter (where p.seq <= e.posted_upto) as upto,
       bool_or(p.seq = e.posted_upto + 1) as has_next, min(p.seq) as first, max(p.seq) as last,
       count(*) as passages";

/// What a day, or what waits, has of each journal.
pub(super) async fn spans(tx: &mut PgConnection, day: Option<BusinessDate>) -> Result<Vec<Span>> {
    type Row = (i32, i64, bool, i32, i32, i64);
    let from = match day {
        Some(_) => "posting p join lane_epoch e using (journal_no) where p.day = $1",
        None => "waiting_exit p join lane_epoch e using (journal_no) where $1::date is null",
    };
    let sql = format!("{SPAN} from {from} group by p.journal_no");
    let rows: Vec<Row> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(day.map(day_to_sql)).fetch_all(tx).await?;
    let span = |(journal_no, upto, has_next, first, last, passages)| Span {
        journal_no,
        upto,
        has_next,
        first,
        last,
        passages,
    };
    Ok(rows.into_iter().map(span).collect())
}

/// Of journals whose watermark lies in a day, or at what waits: whether receipts say what is stored there.
pub(super) async fn same_at_watermark(
    tx: &mut PgConnection,
    day: Option<BusinessDate>,
) -> Result<Vec<(i32, bool)>> {
    let from = match day {
        Some(_) => {
            "posting p on p.journal_no = e.journal_no and p.seq = e.posted_upto where p.day = $1"
        }
        None => {
            "waiting_exit p on p.journal_no = e.journal_no and p.seq = e.posted_upto
             where $1::date is null"
        }
    };
    let sql = format!(
        "select e.journal_no, p.digest is not distinct from e.posted_digest from lane_epoch e join {from}"
    );
    sqlx::query_as(AssertSqlSafe(sql)).bind(day.map(day_to_sql)).fetch_all(tx).await
}

/// Passages that were decided, and those of them without a disposition or a reason.
pub(super) async fn without_reason(
    tx: &mut PgConnection,
    day: BusinessDate,
    operator_no: Option<i32>,
) -> Result<Counted> {
    sqlx::query_as(
        "with grouped as (
             select p.journal_no, p.manner, count(*) as n, min(p.seq) as first from posting p
             where p.day = $1 and ($2::int is null or p.operator_no = $2) group by 1, 2),
         checked as (
             select e.lane || ':' || e.epoch || ':' || g.first as who, g.n,
                    m.disposition is null or m.why is null as broken
             from grouped g left join lane_epoch e using (journal_no) left join manner m using (manner))
         select coalesce(sum(n), 0)::int8, coalesce(sum(n) filter (where broken), 0)::int8,
                min(who) filter (where broken)
         from checked",
    )
    .bind(day_to_sql(day))
    .bind(operator_no)
    .fetch_one(tx)
    .await
}

/// Charges, and those of them that the accounts do not pay for as they say.
pub(super) async fn unpaid(
    tx: &mut PgConnection,
    day: BusinessDate,
    operator_no: Option<i32>,
) -> Result<Counted> {
    // What passages have in common is looked up once.
    sqlx::query_as(
        "with grouped as (
             select p.journal_no, p.operator_no, p.manner, p.credit, p.amount = 0 as is_free,
                    p.debit = 0 as is_nobodys, d.kind, d.issuer, d.operator, count(*) as n, min(p.seq) as first
             from posting p left join ledger_account d on d.ledger_account = p.debit
             where p.day = $1 and ($2::int is null or p.operator_no = $2)
             group by 1, 2, 3, 4, 5, 6, 7, 8, 9),
         checked as (
             select e.lane || ':' || e.epoch || ':' || g.first as who, g.n, (case
                        when l.operator is null or w.operator_no is distinct from g.operator_no then true
                        when g.is_free then m.payer <> 'nobody' or not g.is_nobodys
                        when m.disposition <> 'posted' then true
                        when m.payer = 'account' then g.kind <> 'customer' or c.kind <> 'payable'
                            or g.issuer <> c.issuer or c.operator <> l.operator
                        when m.payer = 'cash' then g.kind <> 'till' or c.kind <> 'cash-toll'
                            or g.operator <> l.operator or c.operator <> l.operator
                        else true end) is not false as broken
             from grouped g
             left join lane_epoch e using (journal_no)
             left join lane l using (lane)
             left join operator w on w.operator = l.operator
             left join manner m using (manner)
             left join ledger_account c on c.ledger_account = g.credit)
         select coalesce(sum(n), 0)::int8, coalesce(sum(n) filter (where broken), 0)::int8,
                min(who) filter (where broken)
         from checked",
    )
    .bind(day_to_sql(day))
    .bind(operator_no)
    .fetch_one(tx)
    .await
}

/// What batches moved on hot accounts on a day, and where their rows say otherwise.
pub(super) async fn moved(
    tx: &mut PgConnection,
    day: BusinessDate,
    operator_no: Option<i32>,
) -> Result<Counted> {
    sqlx::query_as(
        "with moved as (
             select batch, account, operator_no, count(*) as n, sum(amount) as amount from (
                 select p.batch, p.credit as account, p.operator_no, p.amount from posting p
                 where p.day = $1 and p.amount > 0 and ($2::int is null or p.operator_no = $2)
                 union all
                 select p.batch, p.debit, p.operator_no, -p.amount from posting p
                 join ledger_account l on l.ledger_account = p.debit and l.account is null
                 where p.day = $1 and p.amount > 0 and ($2::int is null or p.operator_no = $2)) s
             group by 1, 2, 3),
         stated as (select * from batch_sum where day = $1 and ($2::int is null or operator_no = $2)),
         checked as (
             select 'batch ' || coalesce(m.batch, b.batch) as who,
                    (m.n = b.passages and m.amount = b.amount) is not true as broken
             from moved m full join stated b on b.batch = m.batch and b.ledger_account = m.account
                 and b.operator_no = m.operator_no)
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    )
    .bind(day_to_sql(day))
    .bind(operator_no)
    .fetch_one(tx)
    .await
}

/// What the day's entries come to, account by account: sum and count.
pub(super) async fn entries_by_account(
    tx: &mut PgConnection,
    day: BusinessDate,
) -> Result<Vec<(i64, i64, i64)>> {
    sqlx::query_as(
        "select ledger_account::int8, sum(amount)::int8, count(*) from entry_v1 where day = $1 group by 1",
    )
    .bind(day_to_sql(day))
    .fetch_all(tx)
    .await
}

/// The day's entries, which sum to zero.
pub(super) async fn entries(
    tx: &mut PgConnection,
    day: BusinessDate,
    operator_no: Option<i32>,
) -> Result<Counted> {
    sqlx::query_as(
        "select count(*), (coalesce(sum(amount), 0) <> 0)::int::int8,
                case when coalesce(sum(amount), 0) <> 0 then 'the sum is ' || sum(amount) end
         from entry_v1
         where day = $1 and ($2::int is null
                             or operator = (select operator from operator where operator_no = $2))",
    )
    .bind(day_to_sql(day))
    .bind(operator_no)
    .fetch_one(tx)
    .await
}

pub(super) async fn balances(tx: &mut PgConnection) -> Result<Vec<(i64, i64)>> {
    sqlx::query_as("select ledger_account, balance from ledger_balance_v1 order by 1")
        .fetch_all(tx)
        .await
}

/// A journal's passages that two days have both.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct InBoth {
    pub(super) journal_no: i32,
    pub(super) passages: i64,
    /// Those up to the watermark.
    pub(super) upto: i64,
    pub(super) who: String,
}

/// The passages that two days have both, or a day and what waits, within these numbers of journals.
pub(super) async fn in_both(
    tx: &mut PgConnection,
    one: Option<BusinessDate>,
    other: Option<BusinessDate>,
    places: &[(i32, i32, i32)],
) -> Result<Vec<InBoth>> {
    let from = |day: Option<BusinessDate>, alias: &str, argument: &str| match day {
        Some(_) => format!("(select journal_no, seq from posting where day = {argument}) {alias}"),
        None => format!(
            "(select journal_no, seq from waiting_exit where {argument}::date is null) {alias}"
        ),
    };
    let sql = format!(
        "select e.journal_no, count(*) as passages, count(*) filter (where a.seq <= e.posted_upto) as upto,
                min(e.lane || ':' || e.epoch || ':' || a.seq) as who
         from unnest($3::int[], $4::int[], $5::int[]) as r (journal_no, first, last)
         join {} on a.journal_no = r.journal_no and a.seq between r.first and r.last
         join {} on b.journal_no = a.journal_no and b.seq = a.seq
         join lane_epoch e on e.journal_no = a.journal_no
         group by e.journal_no",
        from(one, "a", "$1"),
        from(other, "b", "$2")
    );
    let journals: Vec<i32> = places.iter().map(|place| place.0).collect();
    let firsts: Vec<i32> = places.iter().map(|place| place.1).collect();
    let lasts: Vec<i32> = places.iter().map(|place| place.2).collect();
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(one.map(day_to_sql))
        .bind(other.map(day_to_sql))
        .bind(journals)
        .bind(firsts)
        .bind(lasts)
        .fetch_all(tx)
        .await
}

/// A lane's numbers of a day, and how many of them are nowhere.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Gap {
    pub(super) who: String,
    pub(super) first: i32,
    pub(super) last: i32,
    pub(super) missing: i64,
}

/// What a day has of each journal, up to its watermark. Other days are looked at only for the numbers that
/// the day lacks.
pub(super) async fn gaps(
    tx: &mut PgConnection,
    day: BusinessDate,
    operator_no: Option<i32>,
) -> Result<Vec<Gap>> {
    sqlx::query_as(
        "with own as materialized (
             select p.journal_no, min(p.seq) as first, max(p.seq) as last, count(*) as n
             from posting p join lane_epoch e using (journal_no)
             where p.day = $1 and ($2::int is null or p.operator_no = $2) and p.seq <= e.posted_upto
             group by 1)
         select e.lane || ':' || e.epoch as who, o.first, o.last,
                o.last - o.first + 1 - o.n
                - case when o.last - o.first + 1 = o.n then 0 else (
                      select count(distinct s.seq)
                      from (select x.seq from posting x
                            where x.journal_no = o.journal_no and x.seq between o.first and o.last
                              and x.day <> $1
                            union all
                            select y.seq from waiting_exit y
                            where y.journal_no = o.journal_no and y.seq between o.first and o.last) s)
                  end as missing
         from own o join lane_epoch e using (journal_no)
         order by e.lane, e.epoch",
    )
    .bind(day_to_sql(day))
    .bind(operator_no)
    .fetch_all(tx)
    .await
}

/// Passages of a day that another day has as well, or that wait for their entry all the same.
pub(super) async fn elsewhere_too(
    tx: &mut PgConnection,
    day: BusinessDate,
    operator_no: Option<i32>,
) -> Result<Counted> {
    // Other days are asked for a journal's numbers by their indexes; a day has few of another's.
    sqlx::query_as(
        "with own as materialized (
             select p.journal_no, min(p.seq) as first, max(p.seq) as last from posting p
             where p.day = $1 and ($2::int is null or p.operator_no = $2) group by 1),
         others as materialized (
             select x.journal_no, x.seq from own o join posting x
                 on x.journal_no = o.journal_no and x.seq between o.first and o.last and x.day <> $1
             union all
             select y.journal_no, y.seq from own o join waiting_exit y
                 on y.journal_no = o.journal_no and y.seq between o.first and o.last),
         both_have as (
             select p.journal_no, p.seq from others x
             join posting p on p.journal_no = x.journal_no and p.seq = x.seq and p.day = $1)
         select 0::int8, count(*), min(e.lane || ':' || e.epoch || ':' || b.seq)
         from both_have b left join lane_epoch e using (journal_no)",
    )
    .bind(day_to_sql(day))
    .bind(operator_no)
    .fetch_one(tx)
    .await
}
