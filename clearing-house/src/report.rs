//! The report of the books: passages by disposition, exceptions, lanes, tolls, the ledger.

use std::collections::BTreeMap;

use domain::wire::v1::Disposition;
use serde::Serialize;
use sqlx::{PgPool, Row};

use crate::intake::Refusal;

/// The report; its JSON form is what other programs read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Passages by disposition, with the duplicates and conflicts that came besides.
    pub passages: BTreeMap<String, i64>,
    /// Passages that needed a person, by why.
    pub exceptions: BTreeMap<String, i64>,
    /// Every lane's numbers.
    pub lanes: Vec<LaneRow>,
    /// What each operator is owed or has taken.
    pub tolls: Vec<TollRow>,
    /// The ledger's proof.
    pub ledger: LedgerRow,
}

/// A lane and epoch: every sequence number up to the last is posted, rejected, or pending, and a
/// pending one is in exactly one of the last three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneRow {
    /// The operator.
    pub operator: String,
    /// The station.
    pub station: String,
    /// The lane.
    pub lane: String,
    /// The epoch.
    pub epoch: i32,
    /// The last sequence that is known.
    pub last_seq: i64,
    /// Sequences charged or found to cost nothing.
    pub posted: i64,
    /// Sequences with any other disposition.
    pub rejected: i64,
    /// Sequences that are not decided: those that wait for their entry, are in quarantine, or
    /// have not come.
    pub pending: i64,
    /// Of these, those that wait for their entry.
    pub waiting: i64,
    /// Of these, those that are in quarantine because the books cannot hold them.
    pub quarantined: i64,
    /// Of these, those that have not come.
    pub missing: i64,
}

/// Tolls of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TollRow {
    /// The operator.
    pub operator: String,
    /// Tolls in all, from accounts and in cash, in minor units.
    pub amount_vnd: i64,
    /// Of these, in cash.
    pub cash_vnd: i64,
    /// Passages that cost something.
    pub passages: i64,
}

/// The ledger's proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerRow {
    /// Entries, two for each transfer.
    pub entries: i64,
    /// Their sum: 0.
    pub sum: i64,
    /// Accounts whose balance was computed again.
    pub accounts_checked: i64,
    /// Accounts whose balance is another than its entries': 0.
    pub mismatches: i64,
}

/// Makes the report from one state of the books.
///
/// # Errors
/// When the database fails.
pub async fn report(pool: &PgPool) -> Result<Report, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *tx)
        .await?;
    let counts = |rows: Vec<sqlx::postgres::PgRow>| -> BTreeMap<String, i64> {
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let mut passages = counts(
        sqlx::query("select disposition, count(*) from passage_v1 group by 1")
            .fetch_all(&mut *tx)
            .await?,
    );
    let duplicates: i64 =
        sqlx::query_scalar("select coalesce(sum(duplicates), 0)::int8 from lane_epoch")
            .fetch_one(&mut *tx)
            .await?;
    if duplicates > 0 {
        passages.insert(Disposition::Duplicate.name().to_owned(), duplicates);
    }
    for (name, count) in in_quarantine(&mut tx).await? {
        *passages.entry(name.to_owned()).or_default() += count;
    }
    let exceptions = counts(
        sqlx::query(
            "select m.exception, sum(n)::int8 from ( \
                 select manner, count(*) as n from posting group by 1 \
                 union all select manner, count(*) from waiting_exit group by 1) p \
             join manner m using (manner) where m.exception is not null group by 1",
        )
        .fetch_all(&mut *tx)
        .await?,
    );
    let lanes = lanes(&mut tx).await?;
    let tolls = tolls(&mut tx).await?;
    let ledger = ledger(&mut tx).await?;
    Ok(Report { passages, exceptions, lanes, tolls, ledger })
}

/// What is in quarantine: passages by what has become of them, and under `quarantined` what is
/// nobody's passage, or one that the books hold after all.
async fn in_quarantine(
    tx: &mut sqlx::PgConnection,
) -> Result<Vec<(&'static str, i64)>, sqlx::Error> {
    let rows = sqlx::query(
        "select q.reason, q.reason = 'conflict' or q.journal_no is null or ( \
                not exists (select from posting p where p.journal_no = q.journal_no and p.seq = q.seq) \
                and not exists (select from waiting_exit w where w.journal_no = q.journal_no and w.seq = q.seq)), \
                count(*) from quarantine q group by 1, 2",
    )
    .fetch_all(tx)
    .await?;
    let counted = rows.iter().map(|row| {
        let stands: bool = row.get(1);
        let disposition = Refusal::by_name(row.get(0)).and_then(Refusal::disposition);
        let name = disposition.filter(|_| stands).map_or("quarantined", Disposition::name);
        (name, row.get(2))
    });
    Ok(counted.collect())
}

/// Every lane's numbers. A journal's last number is the highest that is stored, or that its lane
/// signed and the books could not take.
async fn lanes(tx: &mut sqlx::PgConnection) -> Result<Vec<LaneRow>, sqlx::Error> {
    let rows = sqlx::query(
        "with decided as ( \
             select p.journal_no, sum(n) filter (where m.disposition = 'posted') as posted, \
                    sum(n) filter (where m.disposition is distinct from 'posted') as rejected \
             from (select journal_no, manner, count(*) as n from posting group by 1, 2) p \
             left join manner m using (manner) group by 1), \
         waiting as (select journal_no, count(*) as n from waiting_exit group by 1), \
         refused as ( \
             select q.journal_no, count(distinct q.seq) as n, max(q.seq) as last from quarantine q \
             where q.reason <> 'conflict' and q.journal_no is not null \
               and not exists (select from posting p where p.journal_no = q.journal_no and p.seq = q.seq) \
               and not exists (select from waiting_exit w where w.journal_no = q.journal_no and w.seq = q.seq) \
             group by 1) \
         select l.operator, l.station, split_part(l.lane, '/', 3), e.epoch, \
                greatest(e.last_seq, r.last), coalesce(d.posted, 0)::int8, coalesce(d.rejected, 0)::int8, \
                coalesce(w.n, 0), coalesce(r.n, 0) \
         from lane_epoch e join lane l using (lane) left join decided d using (journal_no) \
         left join waiting w using (journal_no) left join refused r using (journal_no) order by 1, 2, 3, 4",
    )
    .fetch_all(tx)
    .await?;
    let lane = |row: &sqlx::postgres::PgRow| {
        let (last_seq, posted, rejected): (i64, i64, i64) = (row.get(4), row.get(5), row.get(6));
        let (waiting, quarantined): (i64, i64) = (row.get(7), row.get(8));
        let pending = last_seq - posted - rejected;
        LaneRow {
            operator: row.get(0),
            station: row.get(1),
            lane: row.get(2),
            epoch: row.get(3),
            last_seq,
            posted,
            rejected,
            pending,
            waiting,
            quarantined,
            missing: pending - waiting - quarantined,
        }
    };
    Ok(rows.iter().map(lane).collect())
}

async fn tolls(tx: &mut sqlx::PgConnection) -> Result<Vec<TollRow>, sqlx::Error> {
    let rows = sqlx::query(
        "select operator, sum(amount)::int8, coalesce(sum(amount) filter (where payer = 'cash'), 0)::int8, \
                count(*) filter (where amount > 0) from charge group by 1 order by 1",
    )
    .fetch_all(tx)
    .await?;
    let tolls = rows.iter().map(|row| TollRow {
        operator: row.get(0),
        amount_vnd: row.get(1),
        cash_vnd: row.get(2),
        passages: row.get(3),
    });
    Ok(tolls.collect())
}

async fn ledger(tx: &mut sqlx::PgConnection) -> Result<LedgerRow, sqlx::Error> {
    let row = sqlx::query(
        "with computed as (select ledger_account, sum(amount)::int8 as sum, count(*) as n from entry_v1 group by 1) \
         select coalesce(sum(c.n), 0)::int8, coalesce(sum(c.sum), 0)::int8, count(*), \
                count(*) filter (where l.balance <> coalesce(c.sum, 0)) \
         from ledger_balance_v1 l left join computed c using (ledger_account)",
    )
    .fetch_one(tx)
    .await?;
    Ok(LedgerRow {
        entries: row.get(0),
        sum: row.get(1),
        accounts_checked: row.get(2),
        mismatches: row.get(3),
    })
}
