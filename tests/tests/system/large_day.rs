//! A large day: closing it holds nobody up who posts, and it is proved in seconds.
//!
//! `ETC_CLOSE_PASSAGES` says how many passages the day has, for a quiet machine: only then the time is held
//! against its bound. The figures are printed (`--nocapture`).
//! The rows are made by the database from one that was posted, so they are as narrow and as many as
//! real ones; what cannot be made so (chains of batches, balances) closing does not look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clearing_house::intake::Delivery;
use domain::{BusinessDate, Clock};
use reconciliation::settlement::{Outcome, Today, close_through};
use reconciliation::verify::verify;
use sqlx::PgPool;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key, noon};

/// What `./test` runs.
const PASSAGES: i64 = 50_000;
/// How long posting may be held up by a close.
const HELD_UP_MAX: Duration = Duration::from_millis(200);

/// Makes the day as large as it is to be.
async fn fill(pool: &PgPool, passages: i64) {
    for sql in [
        "insert into posting (amount, at, digest, journal_no, seq, batch, manner, debit, credit, operator_no, day,
                              tag, plate)
         select p.amount, p.at + n * interval '1 ms', gen_random_uuid(), e.journal_no, n::int, p.batch, p.manner,
                p.debit, p.credit, p.operator_no, p.day, p.tag, p.plate
         from (select * from posting where amount > 0 order by journal_no, seq limit 1) p
         cross join (select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l04' and epoch = 1) e
         cross join generate_series(1, $1) n",
        "update lane_epoch set last_seq = $1, posted_upto = $1
         where lane = 'cienco4/ben-thuy/l04' and epoch = 1",
    ] {
        sqlx::query(sql).bind(passages).execute(pool).await.unwrap();
    }
    sqlx::raw_sql("analyze posting").execute(pool).await.unwrap();
}

/// Posts at a steady pace until told to stop, late passages of the day and such of the next; the
/// longest that a batch took.
async fn post_steadily(office: &Office, lane: &str, stop: Arc<AtomicBool>) -> (u32, Duration) {
    let (books, clock) = (office.books().await, Clock::system());
    let mut gate = Lane::new(lane);
    let (mut batches, mut longest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Acquire) {
        let batch: Vec<Delivery> = (0..20_u8)
            .map(|number| {
                let day = if number % 2 == 0 { "2026-03-02T16" } else { "2026-03-02T18" };
                gate.pass(&vehicle(1 + number % 40), &format!("{day}:00:{number:02}Z"))
            })
            .collect();
        let began = clock.uptime();
        books.post(&batch, "2026-03-02T18:30:00Z".parse().unwrap()).await.unwrap();
        longest = longest.max(clock.uptime() - began);
        batches += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (batches, longest)
}

#[expect(clippy::print_stdout, reason = "figures are for whoever runs them")]
#[tokio::test(flavor = "multi_thread")]
async fn closing_a_large_day_holds_up_no_posting_and_is_proved_from_the_rows() {
    let said = std::env::var("ETC_CLOSE_PASSAGES").ok();
    let passages = said.as_ref().map_or(PASSAGES, |text| text.parse().unwrap());
    let office = Arc::new(Office::open().await);
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let first = [gate.pass(&vehicle(5), "2026-03-02T01:00:00Z")];
    office.books().await.post(&first, noon()).await.unwrap();
    fill(&office.pool, passages).await;
    let clock = Clock::system();
    let posting = |lane: &'static str| {
        let (office, stop) = (Arc::clone(&office), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop);
        (stop, tokio::spawn(async move { post_steadily(&office, lane, told).await }))
    };
    // As long without a close as with one, or longer.
    let (stop, undisturbed) = posting("cienco4/ben-thuy/l02");
    tokio::time::sleep(Duration::from_secs(3)).await;
    stop.store(true, Ordering::Release);
    let (batches_before, longest_before) = undisturbed.await.unwrap();
    let (stop, disturbed) = posting("cienco4/ben-thuy/l03");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let day: BusinessDate = "2026-03-02".parse().unwrap();
    let evening = Clock::of_run(Some(Clock::anchor("2026-03-02T19:00:00Z".parse().unwrap(), 1.0)));
    let began = clock.uptime();
    let today = Today { clock: &evening, early_reason: None };
    let closes = close_through(&office.pool, day, today, &centre_key()).await.unwrap();
    let closing = clock.uptime() - began;
    stop.store(true, Ordering::Release);
    let (batches, longest) = disturbed.await.unwrap();
    assert!(matches!(closes[0].outcome, Outcome::Closed { .. }), "{closes:?}");
    let began = clock.uptime();
    let verdict = verify(&office.pool, &centre_key().public()).await.unwrap();
    let proving = clock.uptime() - began;
    assert!(verdict.ok, "{verdict}");
    let held_up = longest.saturating_sub(longest_before);
    println!(
        "{passages} passages: closed in {closing:.1?}, proved in {proving:.1?}; the longest of \
         {batches_before} batches took {longest_before:.1?}, of {batches} beside the close \
         {longest:.1?}: held up for {held_up:.1?}"
    );
    assert!(batches > 0, "nothing was posted beside the close");
    // Among a hundred other tests, what takes long is the machine: a person asks on a quiet one.
    assert!(said.is_none() || held_up < HELD_UP_MAX, "posting was held up for {held_up:?}");
}
