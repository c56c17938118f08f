//! Intake: whatever is delivered, however often and in whichever order, the books are the same.

use clearing_house::intake::{Books, Delivery, Outcome};
use domain::passage::{Attendance, Decision, Payment, Reason};
use domain::{Clock, PassageId, Timestamp};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reconciliation::settlement::{self, Today, close_through};
use tests::lane::{Lane, vehicle};
use tests::office::{EXEMPT, Office, WITH_PASS, centre_key, noon};

const CAR: u8 = 5; // group 1
const LORRY: u8 = 3; // group 4
const FARE_OF_CAR: i64 = 47_000;
const FARE_OF_LORRY: i64 = 140_000;
const MORNING: &str = "2026-03-02T01:00:00Z";

/// A batch that is tried again until it is taken, as the intake does.
async fn insist(books: &Books, batch: &[Delivery], now: Timestamp) -> Outcome {
    for _ in 0..50 {
        match books.post(batch, now).await {
            Ok(outcome) => return outcome,
            Err(_another_was_first) => tokio::task::yield_now().await,
        }
    }
    panic!("the batch was never taken");
}

fn counted(outcome: &Outcome) -> (usize, usize, usize) {
    (outcome.fresh, outcome.duplicates, outcome.refused)
}

async fn quarantined(office: &Office) -> Vec<String> {
    office.texts("select reason from quarantine order by quarantine").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_comes_twice_changes_nothing() {
    let office = Office::open().await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let batch = [
        lane.pass(&vehicle(CAR), MORNING),
        lane.pass(&vehicle(LORRY), MORNING),
        lane.pass(&vehicle(WITH_PASS), MORNING),
        lane.pass(&vehicle(EXEMPT), MORNING),
    ];
    let first = books.post(&batch, noon()).await.unwrap();
    assert_eq!(counted(&first), (4, 0, 0));
    let before = office.picture().await;
    let second = books.post(&batch, noon()).await.unwrap();
    assert_eq!(counted(&second), (0, 4, 0));
    assert_eq!(office.picture().await, before);
    let charged = office.texts("select why || ' ' || amount from charge order by seq").await;
    assert_eq!(charged, ["fare 47000", "fare 140000", "pass 0", "exempt 0"]);
    assert_eq!(office.balance(vehicle(CAR).account).await, 5_000_000 - FARE_OF_CAR);
    assert_eq!(office.balance(vehicle(LORRY).account).await, 5_000_000 - FARE_OF_LORRY);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_in_one_batch_is_once() {
    let office = Office::open().await;
    let books = office.books().await;
    let one = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(CAR), MORNING);
    let outcome = books.post(&[one.clone(), one.clone(), one], noon()).await.unwrap();
    assert_eq!(counted(&outcome), (1, 2, 0));
    assert_eq!(office.balance(vehicle(CAR).account).await, 5_000_000 - FARE_OF_CAR);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_number_with_another_content_is_a_conflict_and_the_first_stands() {
    let office = Office::open().await;
    let books = office.books().await;
    let first = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(CAR), MORNING);
    let other = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(LORRY), MORNING);
    books.post(&[first], noon()).await.unwrap();
    let before = office.picture().await;
    let outcome = books.post(std::slice::from_ref(&other), noon()).await.unwrap();
    assert_eq!(counted(&outcome), (0, 0, 1));
    // It comes again and again, and is kept once, with its bytes.
    books.post(std::slice::from_ref(&other), noon()).await.unwrap();
    assert_eq!(quarantined(&office).await, ["conflict"]);
    let kept: Vec<u8> =
        sqlx::query_scalar("select payload from quarantine").fetch_one(&office.pool).await.unwrap();
    assert_eq!(kept, other.payload);
    assert_eq!(office.picture().await, before);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_lanes_own_goes_to_quarantine_and_the_rest_flows() {
    let office = Office::open().await;
    let books = office.books().await;
    let good = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(CAR), MORNING);
    let forged = Delivery {
        payload: String::from_utf8(good.payload.clone()).unwrap().replace("l01", "l02").into(),
        subject: good.subject.replace("l01", "l02"),
        message_id: good.message_id.clone().map(|id| id.replace("l01", "l02")),
        ..good.clone()
    };
    let foreign = Delivery { subject: good.subject.replace("passage", "event"), ..good.clone() };
    // Lane l03 signs with its own key, and calls itself l04.
    let mut masked = Lane::new("cienco4/ben-thuy/l04");
    masked.key = Lane::new("cienco4/ben-thuy/l03").key;
    let masked = masked.pass(&vehicle(CAR), MORNING);
    // Lane l03 sends a passage of l04 as its own.
    let smuggled = Lane::new("cienco4/ben-thuy/l03")
        .send(1, Lane::new("cienco4/ben-thuy/l04").pass(&vehicle(CAR), MORNING).payload);
    let unknown_epoch = Lane::new("cienco4/ben-thuy/l02").write(MORNING, |passage| {
        passage.id = PassageId { epoch: 9, ..passage.id.clone() };
    });
    let unknown_epoch = Delivery { message_id: None, ..unknown_epoch };
    let unknown_lane = Lane::new("cienco4/ben-thuy/l99").pass(&vehicle(CAR), MORNING);
    let unsigned = Delivery { signature: None, ..good.clone() };
    for (delivery, reason) in [
        (forged, "forged"),
        (foreign, "foreign-subject"),
        (masked, "forged"),
        (smuggled, "foreign-passage"),
        (unknown_epoch, "unknown-epoch"),
        (unknown_lane, "unknown-lane"),
        (unsigned, "unsigned"),
    ] {
        sqlx::query("truncate quarantine").execute(&office.pool).await.unwrap();
        let outcome = books.post(&[delivery, good.clone()], noon()).await.unwrap();
        assert_eq!(outcome.refused, 1, "{reason}");
        assert_eq!(quarantined(&office).await, [reason]);
        // An epoch that its lane never had is not on file; the others are nobody's passages.
        let disposition = if reason == "unknown-epoch" { "not-on-file" } else { "quarantined" };
        let report = clearing_house::report::report(&office.pool).await.unwrap();
        assert_eq!(report.passages.get(disposition), Some(&1), "{reason}");
    }
    assert_eq!(office.number("select count(*) from passage").await, 1);
    assert_eq!(office.balance(vehicle(CAR).account).await, 5_000_000 - FARE_OF_CAR);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lane_signed_and_nobody_can_read_is_a_format_error_and_holds_nobody_up() {
    let office = Office::open().await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let first = lane.pass(&vehicle(CAR), MORNING);
    let unreadable = lane.garble(b"{\"v\":1}");
    let third = lane.pass(&vehicle(LORRY), MORNING);
    let outcome = books.post(&[first, unreadable, third], noon()).await.unwrap();
    assert_eq!(counted(&outcome), (3, 0, 0));
    let dispositions = office.texts("select disposition from charge order by seq").await;
    assert_eq!(dispositions, ["posted", "format-error", "posted"]);
    let watermark =
        office.number("select posted_upto from lane_epoch where lane = 'cienco4/ben-thuy/l01'");
    assert_eq!(watermark.await, 3);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_that_comes_before_its_entry_waits_and_is_then_charged_the_trip() {
    let office = Office::open().await;
    let books = office.books().await;
    let entry = Lane::new("vec/mai-son/e01").pass(&vehicle(CAR), "2026-03-02T01:00:00Z");
    let exit = Lane::new("vec/nghi-son/x01").pass(&vehicle(CAR), "2026-03-02T02:00:00Z");
    books.post(&[exit], noon()).await.unwrap();
    assert_eq!(office.number("select count(*) from awaiting_entry").await, 1);
    assert_eq!(office.number("select count(*) from charge").await, 0);
    office.assert_proven().await;
    books.post(&[entry], noon()).await.unwrap();
    books.post_awaited(noon()).await.unwrap();
    assert_eq!(office.number("select count(*) from awaiting_entry").await, 0);
    let charges = office.texts("select why || ' ' || amount from charge order by amount").await;
    assert_eq!(charges, ["entry 0", "fare 95425"]);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_whose_entry_never_comes_owes_the_dearest_trip_when_its_wait_is_over() {
    let office = Office::open().await;
    let books = office.books().await;
    let exit = Lane::new("vec/ql45/x01").pass(&vehicle(CAR), "2026-03-02T02:00:00Z");
    books.post(&[exit], noon()).await.unwrap();
    books.post_awaited(noon()).await.unwrap();
    assert_eq!(office.number("select count(*) from charge").await, 0, "there is still time");
    books.post_awaited("2026-03-02T06:00:00Z".parse().unwrap()).await.unwrap();
    let charges = office.texts("select why || ' ' || amount from charge").await;
    assert_eq!(charges, ["missing-entry 54909"]);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passage_of_a_closed_day_falls_into_the_next_and_keeps_its_time() {
    let office = Office::open().await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let in_time = lane.pass(&vehicle(CAR), MORNING);
    let late = lane.pass(&vehicle(LORRY), "2026-03-02T01:00:05Z");
    books.post(&[in_time], noon()).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor("2026-03-02T18:00:00Z".parse().unwrap(), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    let closes = close_through(&office.pool, "2026-03-02".parse().unwrap(), today, &centre_key())
        .await
        .unwrap();
    assert!(matches!(closes[0].outcome, settlement::Outcome::Closed { .. }), "{closes:?}");
    books.post(&[late], clock.now()).await.unwrap();
    let days = office
        .texts(
            "select concat_ws(' ', at at time zone 'UTC', day, late) from passage_v1 order by seq",
        )
        .await;
    assert_eq!(days, ["2026-03-02 01:00:00 2026-03-02 f", "2026-03-02 01:00:05 2026-03-03 t"]);
    let transfers =
        office.texts("select day::text from transfer where kind = 'toll' order by transfer").await;
    assert_eq!(transfers, ["2026-03-02", "2026-03-03"]);
    office.assert_proven().await;
    let verdict =
        reconciliation::verify::verify(&office.pool, &centre_key().public()).await.unwrap();
    assert!(verdict.ok, "{verdict}");
}

/// A morning's traffic of an open station and a road: each vehicle makes one trip, some turn back,
/// some pay in cash.
fn traffic() -> Vec<Delivery> {
    let mut gates = ["cienco4/ben-thuy/l01", "cienco4/ben-thuy/l02"].map(Lane::new);
    let mut entries = ["vec/mai-son/e01", "vec/ql45/e01"].map(Lane::new);
    let mut exits = ["vec/nghi-son/x01", "vec/nghi-son/x02"].map(Lane::new);
    let mut written = Vec::new();
    for number in 1..=40_u8 {
        let side = usize::from(number) % 2;
        let at = |hour: u8| format!("2026-03-02T0{hour}:{number:02}:00Z");
        let who = vehicle(number);
        written.push(match number % 10 {
            7 => gates[side].write(&at(1), |passage| {
                passage.decision = Decision::TurnedAway;
                passage.payment = Payment::Nothing;
            }),
            8 => gates[side].write(&at(1), |passage| {
                passage.group = Some(who.group);
                passage.plate = Some("99X12345".parse().unwrap());
                passage.decision = Decision::OpenedByAttendant;
                passage.payment = Payment::Cash;
            }),
            _ => gates[side].pass(&who, &at(1)),
        });
        written.push(entries[side].pass(&who, &at(2)));
        written.push(exits[1 - side].pass(&who, &at(3)));
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn order_batches_and_repetition_leave_no_trace_in_the_books() {
    let in_order = traffic();
    let office = Office::open().await;
    let books = office.books().await;
    books.post(&in_order, noon()).await.unwrap();
    books.post_awaited(noon()).await.unwrap();
    office.assert_proven().await;
    let expected = office.picture().await;
    assert_eq!(office.number("select count(*) from charge").await, 120);
    for seed in 0..5 {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut deliveries = in_order.clone();
        let again: Vec<Delivery> =
            in_order.iter().filter(|_| chance.random_bool(0.2)).cloned().collect();
        deliveries.extend(again);
        deliveries.shuffle(&mut chance);
        let office = Office::open().await;
        let books = office.books().await;
        let mut rest = deliveries.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(chance.random_range(1..=rest.len().min(30)));
            books.post(batch, noon()).await.unwrap();
            if chance.random_bool(0.3) {
                books.post_awaited(noon()).await.unwrap();
            }
            rest = after;
        }
        books.post_awaited(noon()).await.unwrap();
        assert_eq!(office.picture().await, expected, "seed {seed}");
        office.assert_proven().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_with_the_same_batches_make_the_same_books_as_one() {
    let in_order = traffic();
    let alone = Office::open().await;
    let books = alone.books().await;
    books.post(&in_order, noon()).await.unwrap();
    books.post_awaited(noon()).await.unwrap();
    let office = Office::open().await;
    let work = async |batches: Vec<&[Delivery]>| {
        let books = office.books().await;
        let mut fresh = 0;
        for batch in batches {
            fresh += insist(&books, batch, noon()).await.fresh;
        }
        fresh
    };
    let forwards: Vec<&[Delivery]> = in_order.chunks(9).collect();
    let backwards: Vec<&[Delivery]> = in_order.chunks(9).rev().collect();
    let (one, other) = futures::join!(work(forwards), work(backwards));
    assert_eq!(one + other, in_order.len(), "each passage is fresh to one worker");
    office.books().await.post_awaited(noon()).await.unwrap();
    assert_eq!(office.picture().await, alone.picture().await);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_column_cannot_hold_stops_nobody() {
    let office = Office::open().await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let mut stranger = Lane::new("cienco4/ben-thuy/l02").pass(&vehicle(CAR), MORNING);
    stranger.message_id = Some("a\0b".repeat(500));
    stranger.signature = Some("no\0signature".to_owned());
    let odd = lane.write(MORNING, |passage| {
        passage.decision = Decision::OpenedByAttendant;
        passage.payment = Payment::Cash;
        passage.group = Some(vehicle(CAR).group);
        let attendant = "nv\0".repeat(300);
        passage.attendance = Some(Attendance::of(attendant, "c-1".to_owned(), Reason::CashPaid));
    });
    let good = lane.pass(&vehicle(LORRY), MORNING);
    let outcome = books.post(&[stranger, odd, good], noon()).await.unwrap();
    assert_eq!(counted(&outcome), (2, 0, 1));
    assert_eq!(quarantined(&office).await, ["unsigned"]);
    assert_eq!(office.texts("select payer from charge order by seq").await, ["cash", "account"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_closed_for_all_is_counted_again_when_an_operator_that_was_cut_off_comes() {
    let office = Office::open().await;
    let books = office.books().await;
    let count = async |at: &str| {
        clearing_house::search::count_days(&office.pool, 0, at.parse().unwrap()).await.unwrap();
        office.number("select coalesce(sum(passages), 0)::bigint from day_traffic").await
    };
    let close = async |operator: &str, at: &str| {
        let at: Timestamp = at.parse().unwrap();
        sqlx::query(
            "update settlement_day set state = 'closed', closed_at = $2::timestamptz where operator = $1",
        )
        .bind(operator)
        .bind(time::OffsetDateTime::from_unix_timestamp(at.as_second()).unwrap())
        .execute(&office.pool)
        .await
        .unwrap();
    };
    let one = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(CAR), MORNING);
    books.post(&[one], noon()).await.unwrap();
    assert_eq!(count("2026-03-02T06:00:00Z").await, 1);
    close("cienco4", "2026-03-02T18:00:00Z").await;
    assert_eq!(count("2026-03-02T19:00:00Z").await, 1);

    let late = Lane::new("vec/ql45/e01").pass(&vehicle(CAR), MORNING);
    books.post(&[late], noon()).await.unwrap();
    assert_eq!(count("2026-03-02T20:00:00Z").await, 2);
    let later = Lane::new("vec/ql45/e02").pass(&vehicle(LORRY), MORNING);
    books.post(&[later], noon()).await.unwrap();
    close("vec", "2026-03-02T21:00:00Z").await;
    assert_eq!(count("2026-03-02T22:00:00Z").await, 3);
    // Closed for all, and counted since: nobody counts it again.
    office
        .number("with gone as (delete from day_traffic returning 1) select count(*) from gone")
        .await;
    assert_eq!(count("2026-03-02T23:00:00Z").await, 0);
}
