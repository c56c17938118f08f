//! The report of the books: passages by disposition, exceptions, lanes, tolls, the ledger.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{PgPool, Row};

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

/// A lane and epoch: every sequence number is in exactly one of the last three.
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
    /// Sequences that wait, or are missing.
    pub pending: i64,
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
    let extra = sqlx::query(
        "select (select coalesce(sum(duplicates), 0)::int8 from lane_epoch), \
                (select count(*) from quarantine where reason = 'conflict'), \
                (select count(*) from quarantine where reason <> 'conflict')",
    )
    .fetch_one(&mut *tx)
    .await?;
    for (index, name) in ["duplicate", "conflict", "quarantined"].into_iter().enumerate() {
        let count: i64 = extra.get(index);
        if count > 0 {
            passages.insert(name.to_owned(), count);
        }
    }
    let exceptions = counts(
        sqlx::query(
            "select exception, count(*) from passage where exception is not null group by 1",
        )
        .fetch_all(&mut *tx)
        .await?,
    );
    let lanes = sqlx::query(
        "select l.operator, l.station, split_part(l.lane, '/', 3), e.epoch, coalesce(max(p.seq), 0), \
                count(c.seq) filter (where c.disposition = 'posted'), \
                count(c.seq) filter (where c.disposition <> 'posted'), \
                coalesce(max(p.seq), 0) - count(c.seq) \
         from lane_epoch e join lane l using (lane) left join passage p using (lane, epoch) \
         left join charge c using (lane, epoch, seq) group by 1, 2, 3, 4 order by 1, 2, 3, 4",
    )
    .fetch_all(&mut *tx)
    .await?
    .iter()
    .map(|row| LaneRow {
        operator: row.get(0),
        station: row.get(1),
        lane: row.get(2),
        epoch: row.get(3),
        last_seq: row.get(4),
        posted: row.get(5),
        rejected: row.get(6),
        pending: row.get(7),
    })
    .collect();
    let tolls = tolls(&mut tx).await?;
    let ledger = ledger(&mut tx).await?;
    Ok(Report { passages, exceptions, lanes, tolls, ledger })
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
         from ledger_account l left join computed c using (ledger_account)",
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
