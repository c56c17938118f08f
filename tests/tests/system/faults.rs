//! Workers, broker and database killed at random while passages come, and the broker's store wiped
//! once: the books are those of a run in which nothing happened.
//!
//! As many passages as `ETC_FAULT_PASSAGES` says, or some seconds' worth of them; the seed of the
//! faults is `ETC_FAULT_SEED`, or one that is printed:
//!
//! ```sh
//! ETC_FAULT_PASSAGES=200000 cargo test -p tests --test system faults -- --nocapture
//! ```

use std::time::Duration;

use clearing_house::intake::Books;
use clearing_house::verify::verify;
use domain::Clock;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use simulator::demo::broker::BrokerUser;
use tests::centre::Centre;
use tests::journal::{Journal, open_accounts, traffic};
use tests::office::{POLICY, centre_key, found_office, noon, picture, pool};
use tokio::task::{JoinSet, block_in_place};

/// How many passages come where nobody says how many.
const PASSAGES: usize = 30_000;
/// How many vehicles they are of.
const VEHICLES: u32 = 1_000;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(900);

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// The books of a run in which nothing happens: every passage once, lane by lane.
async fn books_without_faults(centre: &Centre, journals: &[Journal]) -> Vec<String> {
    let url = block_in_place(|| centre.database.create("undisturbed").unwrap());
    found_office(&url).await;
    let pool = pool(&url).await;
    open_accounts(&pool, VEHICLES, at_noon()).await;
    let books = Books::open(pool.clone(), POLICY, at_noon()).await.unwrap();
    // Entries before exits: they are the lanes in this order.
    let order = [4, 5, 6, 7, 0, 1, 2, 3];
    for journal in order.map(|at| &journals[at]) {
        for batch in journal.records.chunks(1_000) {
            books.post(batch, noon()).await.unwrap();
        }
    }
    let picture = picture(&pool).await;
    pool.close().await;
    picture
}

fn at_noon() -> Clock {
    Clock::of_run(Some(Clock::anchor(noon(), 1.0)))
}

/// Something that goes wrong, and how often it did.
#[derive(Debug, Default)]
struct Faults {
    clearing_houses: usize,
    brokers: usize,
    databases: usize,
    wiped: usize,
}

impl Faults {
    /// How often something was killed.
    fn struck(&self) -> usize {
        self.clearing_houses + self.brokers + self.databases
    }

    /// Kills something, and starts it again.
    fn strike(&mut self, centre: &Centre, chance: &mut ChaCha8Rng) {
        let moment = Duration::from_millis(chance.random_range(0..800));
        match chance.random_range(0..10) {
            0..5 => {
                let which = chance.random_range(0..centre.clearing_houses.len());
                centre.clearing_houses[which].kill9();
                std::thread::park_timeout(moment);
                centre.clearing_houses[which].resume();
                self.clearing_houses += 1;
            }
            5..8 => {
                centre.broker.kill9();
                std::thread::park_timeout(moment);
                centre.broker.restart().unwrap();
                self.brokers += 1;
            }
            _ => {
                centre.database.kill9();
                std::thread::park_timeout(moment);
                // What is left of the old one may hold its memory for a moment.
                let mut tries = 0;
                while let Err(error) = centre.database.restart() {
                    tries += 1;
                    assert!(tries < 20, "the database stays away: {error}");
                    std::thread::park_timeout(Duration::from_millis(500));
                }
                self.databases += 1;
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "a failure is looked into by its seed")]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_the_books_are_those_of_an_undisturbed_run() {
    let passages = from_environment("ETC_FAULT_PASSAGES").unwrap_or(PASSAGES);
    let seed = from_environment("ETC_FAULT_SEED").unwrap_or_else(rand::random);
    println!("{passages} passages, ETC_FAULT_SEED={seed}");
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let journals = block_in_place(|| traffic(passages, VEHICLES));
    let mut centre = block_in_place(Centre::start);
    centre.found().await;
    let expected = books_without_faults(&centre, &journals).await;
    let books = pool(&centre.url).await;
    open_accounts(&books, VEHICLES, at_noon()).await;
    block_in_place(|| centre.open(2));

    let mut lanes = JoinSet::new();
    for journal in journals {
        let client = centre.broker.connect(&BrokerUser::Centre).await.unwrap();
        lanes.spawn(journal.send_until_posted(client));
    }
    let clock = Clock::system();
    let mut faults = Faults::default();
    let mut done = 0;
    while done < 8 {
        let calm = Duration::from_millis(chance.random_range(200..1_500));
        match tokio::time::timeout(calm, lanes.join_next()).await {
            Ok(Some(ended)) => {
                ended.unwrap();
                done += 1;
            }
            Ok(None) => break,
            Err(_nobody_is_done) => block_in_place(|| {
                if faults.wiped == 0 && faults.struck() >= 2 {
                    centre.wipe_broker();
                    faults.wiped += 1;
                } else {
                    faults.strike(&centre, &mut chance);
                }
            }),
        }
        assert!(clock.uptime() < PATIENCE, "not all is posted: {faults:?}\n{}", centre.logs());
    }
    println!("{faults:?} in {} s", clock.uptime().as_secs());
    assert!(faults.wiped == 1 || passages < PASSAGES, "too short to be a test: {faults:?}");

    // A waiting exit finds its entry at the next look.
    let books = pool(&centre.url).await;
    let counted = async |sql: &'static str| -> i64 {
        sqlx::query_scalar(sql).fetch_one(&books).await.unwrap()
    };
    while counted("select count(*) from awaiting_entry").await > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(clock.uptime() < PATIENCE, "exits wait for ever\n{}", centre.logs());
    }
    assert_eq!(picture(&books).await, expected);
    assert_eq!(counted("select count(*) from quarantine").await, 0);
    let proof = verify(&books, centre_key().public(), POLICY, &mut |_, _| ()).await.unwrap();
    assert!(proof.ok, "{:#?}", proof.invariants);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standby_that_takes_over_has_every_passage_and_the_lanes_send_none_in_vain() {
    let journals = block_in_place(|| traffic(4_000, VEHICLES));
    let mut centre = block_in_place(Centre::start);
    centre.found().await;
    let expected = books_without_faults(&centre, &journals).await;
    let books = pool(&centre.url).await;
    open_accounts(&books, VEHICLES, at_noon()).await;
    let standby = block_in_place(|| centre.stand_by());
    for statement in ["alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"]
    {
        sqlx::query(statement).execute(&books).await.unwrap();
    }
    let follows = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    let clock = Clock::system();
    while sqlx::query_scalar::<_, i64>(follows).fetch_one(&books).await.unwrap() == 0 {
        assert!(clock.uptime() < PATIENCE, "the standby does not follow");
        tokio::task::yield_now().await;
    }
    block_in_place(|| centre.open(2));
    let mut lanes = JoinSet::new();
    for journal in journals {
        let client = centre.broker.connect(&BrokerUser::Centre).await.unwrap();
        lanes.spawn(journal.send_until_posted(client));
    }
    // In the middle: some of it is posted, and receipts were given for it.
    let some = "select coalesce(sum(posted_upto), 0)::int8 from lane_epoch";
    while sqlx::query_scalar::<_, i64>(some).fetch_one(&books).await.unwrap() < 500 {
        assert!(clock.uptime() < PATIENCE, "nothing is posted\n{}", centre.logs());
        tokio::task::yield_now().await;
    }
    books.close().await;
    block_in_place(|| centre.database.fail_over(standby).unwrap());
    while let Some(ended) = lanes.join_next().await {
        ended.unwrap();
    }
    let books = pool(&centre.url).await;
    let waiting = "select count(*) from awaiting_entry";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&books).await.unwrap() > 0 {
        assert!(clock.uptime() < PATIENCE, "exits wait for ever\n{}", centre.logs());
        tokio::task::yield_now().await;
    }
    let other_life: i32 = sqlx::query_scalar("select timeline_id from pg_control_checkpoint()")
        .fetch_one(&books)
        .await
        .unwrap();
    assert_eq!(other_life, 2, "it is the standby that answers");
    assert_eq!(picture(&books).await, expected);
    let proof = verify(&books, centre_key().public(), POLICY, &mut |_, _| ()).await.unwrap();
    assert!(proof.ok, "{:#?}", proof.invariants);
}
