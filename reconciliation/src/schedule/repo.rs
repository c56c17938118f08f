//! The SQL of the scheduler.

use clearing_house::sql::{day_from_sql, to_sql};
use domain::{BusinessDate, OperatorId, Timestamp};
use sqlx::types::time::Date;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::settlement::SettlementError;
use crate::settlement::repo::parsed;

type Result<T> = std::result::Result<T, SettlementError>;

/// A job that is ours until the claim is dropped.
pub(super) struct Claim {
    tx: Transaction<'static, Postgres>,
    job: &'static str,
    key: String,
}

/// Takes a job that nobody has done; another who wants it waits, and then finds it done.
pub(super) async fn claim(pool: &PgPool, job: &'static str, key: &str) -> Result<Option<Claim>> {
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin a job"))?;
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('job ' || $1 || ' ' || $2, 0))")
        .bind(job)
        .bind(key)
        .execute(&mut *tx)
        .await
        .map_err(SettlementError::database("take a job"))?;
    let done: bool =
        sqlx::query_scalar("select exists (select from job_run where job = $1 and key = $2)")
            .bind(job)
            .bind(key)
            .fetch_one(&mut *tx)
            .await
            .map_err(SettlementError::database("look whether a job is done"))?;
    Ok((!done).then(|| Claim { tx, job, key: key.to_owned() }))
}

impl Claim {
    /// What is done in it holds only with the note that it is done.
    pub(super) fn tx(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Notes that the job has ended well.
    pub(super) async fn done(mut self, at: Timestamp, outcome: &str) -> Result<()> {
        sqlx::query("insert into job_run (job, key, ended_at, outcome) values ($1, $2, $3, $4)")
            .bind(self.job)
            .bind(&self.key)
            .bind(to_sql(at))
            .bind(outcome)
            .execute(&mut *self.tx)
            .await
            .map_err(SettlementError::database("note a job"))?;
        self.tx.commit().await.map_err(SettlementError::database("commit a job"))
    }
}

/// Operators' months that are over, have closed days, and have none that is not closed; not filed yet.
pub(super) async fn months_over(
    pool: &PgPool,
    now: Timestamp,
) -> Result<Vec<(OperatorId, BusinessDate)>> {
    let rows: Vec<(String, Date)> = sqlx::query_as(
        "with day as (
             select d.operator, date_trunc('month', d.day)::date as first,
                    exists (select from statement s where s.operator = d.operator and s.day = d.day) as stated,
                    exists (select from charge c where c.operator = d.operator and c.day = d.day) as charged
             from settlement_day d),
         month as (
             select operator, first from day
             group by operator, first having bool_or(stated) and bool_and(stated or not charged))
         select m.operator, m.first
         from month m
         join operator o using (operator)
         where ($1 at time zone o.zone)::date >= (m.first + interval '1 month')::date
           and not exists (select from job_run j where j.job = 'month'
                           and j.key = m.operator || '/' || to_char(m.first, 'YYYY-MM'))
         order by 1, 2",
    )
    .bind(to_sql(now))
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("look for months that are over"))?;
    rows.into_iter()
        .map(|(operator, first)| Ok((parsed("operator", &operator)?, day_from_sql(first))))
        .collect()
}
