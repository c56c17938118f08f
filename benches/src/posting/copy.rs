//! The ceiling: the very rows that the posting wrote, copied into tables without indexes, keys or
//! triggers, by the server's own fastest way, in one transaction.

use domain::Clock;
use futures::TryStreamExt as _;
use sqlx::PgPool;

use crate::Failed;
use crate::report::count;

pub(super) struct Copied {
    pub(super) passages: u64,
    pub(super) passages_a_second: f64,
}

/// Copies so many of the rows that were posted.
pub(super) async fn posting_rows(
    pool: &PgPool,
    clock: Clock,
    rows_max: u32,
) -> Result<Copied, Failed> {
    let mut connection = pool.acquire().await?;
    sqlx::raw_sql("create table if not exists copied (like posting); truncate copied")
        .execute(&mut *connection)
        .await?;
    let out = format!("copy (select * from posting limit {rows_max}) to stdout (format binary)");
    let rows: Vec<_> = connection.copy_out_raw(&out).await?.try_collect().await?;
    let rows = rows.concat();
    sqlx::raw_sql("checkpoint").execute(&mut *connection).await?;
    let started = clock.real();
    sqlx::raw_sql("begin").execute(&mut *connection).await?;
    let mut copy = connection.copy_in_raw("copy copied from stdin (format binary)").await?;
    copy.send(rows).await?;
    let passages = copy.finish().await?;
    sqlx::raw_sql("commit").execute(&mut *connection).await?;
    let elapsed = clock.real().duration_since(started);
    Ok(Copied { passages, passages_a_second: count(passages) / elapsed.as_secs_f64() })
}
