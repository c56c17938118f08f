//! The books with a large day in them, posted by the code that posts, among a hundred other days.

use domain::{BusinessDate, Clock};
use sqlx::PgPool;

use super::Size;
use super::steady::{self, WRITERS};
use crate::Failed;
use crate::posting::alone::{self, Load};
use crate::report::Report;

/// Who posts at once while the day is filled.
const FILLERS: usize = 2;
const BATCH_LEN: usize = 5_000;

/// Makes the books and fills the day; says how many of the lanes are taken.
pub(super) async fn fill(
    report: &mut Report,
    pool: &PgPool,
    size: Size,
    day: BusinessDate,
    server: i32,
    clock: Clock,
) -> Result<usize, Failed> {
    let lanes = FILLERS * alone::LANES_EACH;
    alone::make(pool, size.accounts, lanes + WRITERS * steady::LANES_EACH).await?;
    reconciliation::schema::migrate(pool).await?;
    // Days before and ahead, as a service that has run for a season has them.
    sqlx::query("select make_posting_days($1::date - 60, $1::date + 40)")
        .bind(day.to_string())
        .execute(pool)
        .await?;
    let load = Load {
        accounts: size.accounts,
        workers: FILLERS,
        batch_len: BATCH_LEN,
        passages: size.passages,
        payload_len: 0,
        day,
    };
    let posted = alone::post(pool, load, 0, server, clock).await?;
    posted.tell(report, "filling the day");
    // As autovacuum does by itself before long.
    sqlx::raw_sql("analyze").execute(pool).await?;
    sqlx::raw_sql("checkpoint").execute(pool).await?;
    Ok(lanes)
}
