//! The ceiling: the very rows that the posting wrote, copied into tables without indexes, keys or
//! triggers, by the server's own fastest way, in one transaction.

use domain::Clock;
use futures::TryStreamExt as _;
use sqlx::PgPool;

use crate::Failed;
use crate::report::count;

/// Tables that have a row for each passage, with the statements for each.
const TABLES: [[&str; 3]; 3] = [
    [
        "create table copied_passage (like passage)",
        "copy passage to stdout (format binary)",
        "copy copied_passage from stdin (format binary)",
    ],
    [
        "create table copied_charge (like charge)",
        "copy charge to stdout (format binary)",
        "copy copied_charge from stdin (format binary)",
    ],
    [
        "create table copied_transfer (like transfer)",
        "copy (select * from transfer where kind = 'toll') to stdout (format binary)",
        "copy copied_transfer from stdin (format binary)",
    ],
];

pub(super) struct Copied {
    pub(super) passages: u64,
    pub(super) passages_a_second: f64,
}

pub(super) async fn the_same_rows(pool: &PgPool, clock: Clock) -> Result<Copied, Failed> {
    let mut connection = pool.acquire().await?;
    let mut rows = Vec::new();
    for [create, out, _] in TABLES {
        sqlx::raw_sql(create).execute(&mut *connection).await?;
        let table: Vec<_> = connection.copy_out_raw(out).await?.try_collect().await?;
        rows.push(table.concat());
    }
    sqlx::raw_sql("checkpoint").execute(&mut *connection).await?;
    let started = clock.real();
    sqlx::raw_sql("begin").execute(&mut *connection).await?;
    let mut passages = 0;
    for ([_, _, into], table) in TABLES.into_iter().zip(rows) {
        let mut copy = connection.copy_in_raw(into).await?;
        copy.send(table).await?;
        passages = copy.finish().await?;
    }
    sqlx::raw_sql("commit").execute(&mut *connection).await?;
    let elapsed = clock.real().duration_since(started);
    Ok(Copied { passages, passages_a_second: count(passages) / elapsed.as_secs_f64() })
}
