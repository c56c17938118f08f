//! Holes in lanes' journals: found exactly before a day is held, and under its lock without a look at the days
//! that cannot matter.

use domain::{BusinessDate, Clock};
use reconciliation::settlement::{HOLES_SINCE, Outcome, Refusal, Today, close_through};
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key};

fn day(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

async fn close(office: &Office, through: &str) -> Vec<Outcome> {
    let clock = Clock::of_run(Some(Clock::anchor("2026-03-20T05:00:00Z".parse().unwrap(), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    let closes = close_through(&office.pool, day(through), today, &centre_key()).await.unwrap();
    closes.into_iter().map(|close| close.outcome).collect()
}

fn missing(outcome: &Outcome) -> Vec<(u64, u64)> {
    let Outcome::Refused(refusals) = outcome else { return Vec::new() };
    let numbers = refusals.iter().filter_map(|refusal| match refusal {
        Refusal::Missing { first_seq, last_seq, .. } => Some((*first_seq, *last_seq)),
        _ => None,
    });
    numbers.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_is_found_on_whatever_days_its_ends_are() {
    let office = Office::open().await;
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let mut pass = |number: u8, at: &str| gate.pass(&vehicle(number), at);
    // 3 and 4 lack: the one before them is of the first day, the one after them of a day much later.
    let all = [
        pass(1, "2026-03-01T01:00:00Z"),
        pass(3, "2026-03-01T02:00:00Z"),
        pass(5, "2026-03-01T03:00:00Z"),
        pass(7, "2026-03-02T03:00:00Z"),
        pass(9, "2026-03-09T03:00:00Z"),
        pass(11, "2026-03-09T04:00:00Z"),
    ];
    let came: Vec<_> = [0, 1, 4, 5].map(|place: usize| all[place].clone()).into();
    office.books().await.post(&came, "2026-03-10T00:00:00Z".parse().unwrap()).await.unwrap();
    let closes = close(&office, "2026-03-09").await;
    assert_eq!(missing(&closes[0]), [(3, 4)], "{closes:?}");
    // One of them comes: what is left is named, and nothing else.
    office.books().await.post(&all[3..4], "2026-03-10T01:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(missing(&close(&office, "2026-03-09").await[0]), [(3, 3)]);
    office.books().await.post(&all[2..3], "2026-03-10T02:00:00Z".parse().unwrap()).await.unwrap();
    let closes = close(&office, "2026-03-09").await;
    assert!(closes.iter().all(|outcome| matches!(outcome, Outcome::Closed { .. })), "{closes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_lock_no_day_is_read_that_cannot_matter() {
    let office = Office::open().await;
    let made = "select make_posting_days('2025-06-01', '2026-03-10')::bigint";
    assert!(office.number(made).await > 200);
    let plan: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("explain {HOLES_SINCE}")))
            .bind(vec!["cienco4/ben-thuy/l01"])
            .bind(vec![1])
            .bind(vec![9_i64])
            .bind(vec![2_i64])
            .bind(clearing_house::sql::day_to_sql(day("2026-03-02")))
            .bind(clearing_house::sql::day_to_sql(day("2026-03-03")))
            .fetch_all(&office.pool)
            .await
            .unwrap();
    let read: std::collections::BTreeSet<&str> = plan
        .iter()
        .filter_map(|line| line.split(" on posting_").nth(1))
        .filter_map(|rest| rest.split_whitespace().next())
        .filter(|name| name.len() == "2026_03_02".len() || *name == "other_day")
        .collect();
    // And the net, in which days without a partition are.
    assert_eq!(read, ["2026_03_02", "2026_03_03", "other_day"].into(), "{plan:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_since_is_searched_to_its_last_number_and_what_is_in_doubt_is_missed() {
    let office = Office::open().await;
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let mut pass = |number: u8, at: &str| gate.pass(&vehicle(number), at);
    let all = [
        pass(1, "2026-03-01T01:00:00Z"),
        pass(3, "2026-03-01T02:00:00Z"),
        pass(5, "2026-03-01T03:00:00Z"),
        pass(7, "2026-03-02T03:00:00Z"),
        pass(9, "2026-03-09T03:00:00Z"),
        pass(11, "2026-03-09T04:00:00Z"),
    ];
    let came: Vec<_> = [0, 1, 3, 4, 5].map(|place: usize| all[place].clone()).into();
    office.books().await.post(&came, "2026-03-10T00:00:00Z".parse().unwrap()).await.unwrap();
    for (looked_upto, through, found) in [
        (0, "2026-03-09", vec![(3, 3)]),
        (2, "2026-03-09", vec![(3, 3)]),
        (4, "2026-03-09", vec![]),
        // The days that are not read: their numbers are missed, all but the last, which is known to be there.
        (2, "2026-03-02", vec![(3, 3), (5, 5)]),
        (4, "2026-03-02", vec![(5, 5)]),
    ] {
        let rows: Vec<(String, i32, i64, i64, Option<sqlx::types::time::OffsetDateTime>)> =
            sqlx::query_as(HOLES_SINCE)
                .bind(vec!["cienco4/ben-thuy/l01"])
                .bind(vec![1])
                .bind(vec![6_i64])
                .bind(vec![i64::from(looked_upto)])
                .bind(clearing_house::sql::day_to_sql(day("2026-03-01")))
                .bind(clearing_house::sql::day_to_sql(day(through)))
                .fetch_all(&office.pool)
                .await
                .unwrap();
        let numbers: Vec<(i64, i64)> = rows.into_iter().map(|row| (row.2, row.3)).collect();
        assert_eq!(numbers, found, "{looked_upto} {through}");
    }
}
