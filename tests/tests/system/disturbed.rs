//! A database that refuses in the middle of batches: deadlocks, serialization failures, sessions
//! ended by an administrator. The books are those of an undisturbed run.
//!
//! Deadlocks and ended sessions are the server's own doing. Serialization failures are raised by a
//! trigger: at the isolation the books use there are none. Servers that die are in `faults`.

use clearing_house::config;
use domain::Clock;
use sqlx::{Connection as _, PgConnection, PgPool};
use tests::intake::{Intake, at_noon};
use tests::journal::{Journal, open_accounts, traffic};
use tests::lane::{Lane, vehicle};
use tests::office::{Office, noon};
use tokio::task::block_in_place;

const MORNING: &str = "2026-03-02T01:00:00Z";
const PASSAGES: usize = 1_200;
const VEHICLES: u32 = 100;
/// Stretches in which they come, so that there are many batches.
const STRETCHES: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_loses_a_deadlock_is_written_all_the_same_and_once() {
    let intake = Intake::open(&[]).await;
    let office = &intake.office;
    let (one, other) = (vehicle(5), vehicle(10));
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let both = [lane.pass(&one, MORNING), lane.pass(&other, MORNING)];
    intake.publish_all(&both).await;
    let mut customers = Vec::new();
    for account in [one.account, other.account] {
        let number: i64 =
            sqlx::query_scalar("select ledger_account from ledger_account where account = $1")
                .bind(account)
                .fetch_one(&office.pool)
                .await
                .unwrap();
        customers.push(number);
    }
    customers.sort_unstable();

    // It holds the second customer, and asks for the first when the batch has that one and waits for
    // the second. It would wait longer than the batch does, so that the batch finds the circle.
    let mut against = PgConnection::connect(&office.url).await.unwrap();
    sqlx::raw_sql("set deadlock_timeout = '60s'; begin").execute(&mut against).await.unwrap();
    let hold = "select balance from ledger_account where ledger_account = $1 for update";
    sqlx::query(hold).bind(customers[1]).execute(&mut against).await.unwrap();
    let work = intake.work(config::Intake::default()).await;
    let waiting = "select count(*) from pg_stat_activity \
                   where datname = current_database() and wait_event_type = 'Lock'";
    intake.until(waiting, 1).await;
    sqlx::query(hold).bind(customers[0]).execute(&mut against).await.unwrap();
    sqlx::query("commit").execute(&mut against).await.unwrap();

    intake.until("select posted_upto from lane_epoch where lane = 'cienco4/ben-thuy/l01'", 2).await;
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    intake.until(deadlocks, 1).await;
    for customer in [one.account, other.account] {
        assert_eq!(office.balance(customer).await, 5_000_000 - 47_000);
    }
    office.assert_proven().await;
    work.abort();
}

/// The books of a run in which nothing happens.
async fn undisturbed(journals: &[Journal]) -> Vec<String> {
    let office = Office::open().await;
    open_accounts(&office.pool, VEHICLES, at_noon()).await;
    let books = office.books().await;
    // Entries before exits: they are the lanes in this order.
    for journal in [4, 5, 6, 7, 0, 1, 2, 3].map(|at| &journals[at]) {
        for batch in journal.records.chunks(1_000) {
            books.post(batch, noon()).await.unwrap();
        }
    }
    office.picture().await
}

/// Lets every second batch fail as if another transaction had been first.
async fn disturb(pool: &PgPool) {
    for statement in [
        "create sequence disturbance",
        "create function disturb() returns trigger language plpgsql as $$ begin \
             if nextval('disturbance') % 2 = 0 then \
                 raise 'another transaction was first' using errcode = 'serialization_failure'; \
             end if; \
             return new; end $$",
        "create trigger disturbed before insert on posting_batch \
             for each row execute function disturb()",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
}

/// Ends every session that is in a transaction but its own; tells how many there were.
async fn end_sessions(session: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null",
    )
    .fetch_one(session)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_database_refuses_the_books_are_those_of_an_undisturbed_run() {
    let journals = block_in_place(|| traffic(PASSAGES, VEHICLES));
    let expected = undisturbed(&journals).await;
    let intake = Intake::open(&[]).await;
    let office = &intake.office;
    open_accounts(&office.pool, VEHICLES, at_noon()).await;
    disturb(&office.pool).await;
    let mut own = PgConnection::connect(&office.url).await.unwrap();
    let work = intake.work(config::Intake::default()).await;
    let mut ended = 0;
    for stretch in 0..STRETCHES {
        for Journal { records, .. } in &journals {
            let len = records.len().div_ceil(STRETCHES);
            let from = (stretch * len).min(records.len());
            let upto = (from + len).min(records.len());
            intake.publish_all(&records[from..upto]).await;
        }
        ended += end_sessions(&mut own).await;
    }
    let total = i64::try_from(journals.iter().map(|one| one.records.len()).sum::<usize>()).unwrap();
    let posted = "select coalesce(sum(posted_upto), 0)::int8 - \
                      (select count(*) from awaiting_entry) from lane_epoch";
    let clock = Clock::system();
    loop {
        let posted: i64 = sqlx::query_scalar(posted).fetch_one(&mut own).await.unwrap();
        if posted == total {
            break;
        }
        assert!(clock.uptime().as_secs() < 60, "{posted} of {total} are posted");
        tokio::task::yield_now().await;
    }
    work.abort();
    let refused: i64 =
        sqlx::query_scalar("select last_value from disturbance").fetch_one(&mut own).await.unwrap();
    // The last batch was not refused, so of more than two there was one that was.
    assert!(refused > 2 && ended > 0, "too calm: {refused} batches, {ended} sessions ended");
    // Connections of the pool were ended with the others.
    let fresh = tests::office::pool(&office.url).await;
    assert_eq!(tests::office::picture(&fresh).await, expected);
    assert_eq!(office.number("select count(*) from quarantine").await, 0);
    office.assert_proven().await;
}
