//! A partner's file posts in one go or not at all: its decisions and all that they move are one transaction of
//! the database.

use std::path::PathBuf;

use reconciliation::partner::books::answer::{AnswerError, answer};
use reconciliation::partner::exchange::import::Imported;

use crate::partner_house::{DAYS, House, at, away, close, of_day};

/// What is there of the answer to a file: decisions, transfers, and transactions that wrote either.
async fn written(home: &House) -> [i64; 3] {
    [
        home.number("select count(*) from partner_decision").await,
        home.number("select count(*) from direct_transfer where kind = 'adjustment'").await,
        home.number(
            "select count(distinct by)::int8 from (
                 select xmin::text as by from partner_decision
                 union all select xmin::text from direct_transfer where kind = 'adjustment') w",
        )
        .await,
    ]
}

async fn answered(home: &House, name: &str) -> Result<i64, AnswerError> {
    let asked = ("4081", name, "ICRX");
    answer(&home.pool, &home.agencies, asked, at("2026-03-03T21:00:00Z")).await
}

/// A file of several transactions, taken and not decided about.
async fn taken() -> (House, PathBuf, String) {
    let (away, home) = (away().await, House::open("4082").await);
    close(&away).await;
    let file = away.written("ICTX", of_day(DAYS[0]), "4082", "2026-03-03T19:00:00Z").await;
    let (imported, _) = home.take(&file, "2026-03-03T20:00:00Z").await;
    assert!(matches!(imported, Imported::Taken { .. }), "{imported:?}");
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    (home, file, name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_posted_to_its_end_posts_nothing() {
    let (home, _file, name) = taken().await;
    let balances = home.office.picture().await;
    // Whatever the last record, or its transfer, meets: what was before it goes with it.
    for (table, what) in
        [("partner_decision", "record_no = 3"), ("direct_transfer", "kind = 'adjustment'")]
    {
        let refuses = format!(
            "create function refuse_the_last() returns trigger language plpgsql as $$ begin
                 if (select count(*) from {table} where {what}) > 0 then raise exception 'the disk is full'; end if;
                 return null; end $$;
             create constraint trigger refuse_the_last after insert on {table} deferrable initially immediate
                 for each row execute function refuse_the_last()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(refuses)).execute(&home.office.pool).await.unwrap();
        let failed = answered(&home, &name).await;
        assert!(failed.is_err(), "{table}: {failed:?}");
        assert_eq!(written(&home).await, [0, 0, 0], "{table}");
        assert_eq!(home.office.picture().await, balances, "{table}");
        let drop_it =
            format!("drop trigger refuse_the_last on {table}; drop function refuse_the_last()");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop_it)).execute(&home.office.pool).await.unwrap();
    }
    answered(&home, &name).await.unwrap();
    assert_eq!(written(&home).await, [3, 3, 1]);
    home.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_answer_one_file_one_posts_it_and_in_one_transaction() {
    let (home, _file, name) = taken().await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (pool, agencies, name) = (home.pool.clone(), home.agencies.clone(), name.clone());
        asking.spawn(async move {
            let asked = ("4081", name.as_str(), "ICRX");
            answer(&pool, &agencies, asked, at("2026-03-03T21:00:00Z")).await.unwrap()
        });
    }
    let files: std::collections::BTreeSet<i64> = asking.join_all().await.into_iter().collect();
    assert_eq!(files.len(), 1);
    assert_eq!(written(&home).await, [3, 3, 1]);
    home.office.assert_proven().await;
}
