//! The ledger's door, and what the posting falls back on when its assumptions do not hold.

use clearing_house::account::show;
use clearing_house::ledger::{LedgerError, Remainder, TransferId, correct_in_tx};
use domain::{AccountId, Amount, BusinessDate, Timestamp};
use tests::lane::{Lane, vehicle};
use tests::office::{Office, noon};

const CAR: u8 = 5;
const FARE_OF_CAR: i64 = 47_000;
const MORNING: &str = "2026-03-02T01:00:00Z";

fn account() -> AccountId {
    AccountId::new(vehicle(CAR).account)
}

fn today() -> BusinessDate {
    "2026-03-02".parse().unwrap()
}

/// An office where the car has paid its fare once.
async fn office_with_a_toll() -> (Office, TransferId) {
    let office = Office::open().await;
    let books = office.books().await;
    let passage = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(CAR), MORNING);
    books.post(&[passage], noon()).await.unwrap();
    let toll = office.number("select transfer from transfer_v1 where kind = 'toll'").await;
    (office, TransferId::new(toll))
}

async fn correct(
    office: &Office,
    transfer: TransferId,
    remainder: Remainder,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let mut tx = office.pool.begin().await.unwrap();
    correct_in_tx(&mut tx, transfer, remainder, today(), at).await?;
    tx.commit().await.unwrap();
    Ok(())
}

fn after_noon() -> Timestamp {
    "2026-03-02T06:00:00Z".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_toll_is_undone_once_and_what_it_should_have_been_is_posted() {
    let (office, toll) = office_with_a_toll().await;
    let right = Remainder::Amount(Amount::try_new(40_000).unwrap());
    let noted = "select count(*) from list_change";
    let before = office.number(noted).await;
    correct(&office, toll, right, after_noon()).await.unwrap();
    assert_eq!(office.number(noted).await, before + 1, "the lanes' list looks at the tag again");
    assert_eq!(office.balance(vehicle(CAR).account).await, 5_000_000 - 40_000);
    let again = correct(&office, toll, Remainder::Nothing, after_noon()).await;
    assert!(matches!(again, Err(LedgerError::AlreadyPosted { .. })), "{again:?}");
    let reversal = office.number("select transfer from transfer where kind = 'reversal'").await;
    let undoing =
        correct(&office, TransferId::new(reversal), Remainder::Nothing, after_noon()).await;
    assert!(matches!(undoing, Err(LedgerError::IsReversal { .. })), "{undoing:?}");
    let nothing = correct(&office, TransferId::new(77), Remainder::Nothing, after_noon()).await;
    assert!(nothing.is_err());
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_tells_the_balance_after_each_line_and_at_each_instant() {
    let (office, toll) = office_with_a_toll().await;
    correct(&office, toll, Remainder::Nothing, after_noon()).await.unwrap();
    let long_ago: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let told = async |from, until| {
        let statement = show::statement(&office.pool, account(), from, until).await.unwrap();
        let lines = statement.lines.iter();
        let lines: Vec<(String, i64, i64)> =
            lines.map(|line| (line.kind.clone(), line.amount, line.balance)).collect();
        (statement.opening, lines, statement.closing)
    };
    let after_toll = 5_000_000 - FARE_OF_CAR;
    let top_up = ("top-up".to_owned(), 5_000_000, 5_000_000);
    let toll = ("toll".to_owned(), -FARE_OF_CAR, after_toll);
    let reversal = ("reversal".to_owned(), FARE_OF_CAR, 5_000_000);
    let lines = vec![top_up.clone(), toll.clone(), reversal.clone()];
    assert_eq!(told(long_ago, Timestamp::MAX).await, (0, lines, 5_000_000));
    // What it was at an instant is what it was before whatever was posted from then on.
    assert_eq!(told(long_ago, noon()).await, (0, vec![top_up], 5_000_000));
    assert_eq!(told(noon(), after_noon()).await, (5_000_000, vec![toll], after_toll));
    assert_eq!(told(after_noon(), Timestamp::MAX).await, (after_toll, vec![reversal], 5_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_that_forgot_what_is_stored_makes_nothing_post_twice() {
    let office = Office::open().await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let first = lane.pass(&vehicle(CAR), MORNING);
    let second = lane.pass(&vehicle(6), MORNING);
    let other = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(7), MORNING);
    books.post(std::slice::from_ref(&first), noon()).await.unwrap();
    sqlx::query("update lane_epoch set posted_upto = 0, last_seq = 0")
        .execute(&office.pool)
        .await
        .unwrap();
    let outcome = books.post(&[first, second, other], noon()).await.unwrap();
    assert_eq!((outcome.fresh, outcome.duplicates, outcome.refused), (1, 1, 1));
    assert_eq!(office.texts("select reason from quarantine").await, ["conflict"]);
    assert_eq!(office.balance(vehicle(CAR).account).await, 5_000_000 - FARE_OF_CAR);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_cannot_be_changed_in_any_partition() {
    let (office, _) = office_with_a_toll().await;
    for sql in [
        "update posting set amount = 1",
        "delete from posting",
        "update posting_2026_03_02 set amount = 1",
        "delete from posting_other_day",
        "truncate posting_2026_03_02",
        "update posting_batch set amount = 1",
        "delete from evidence",
        "delete from direct_transfer",
    ] {
        let refused = sqlx::query(sql).execute(&office.pool).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
}
