//! What comes over the broker: refused where it is not the lane's own, shared between workers, and
//! never held up by what is behind.

use std::time::Duration;

use clearing_house::config;
use clearing_house::intake::Delivery;
use domain::signature::SecretKey;
use domain::{PassageId, Timestamp};
use futures::StreamExt as _;
use simulator::demo::broker::BrokerUser;
use tests::intake::Intake;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, noon};

const MORNING: &str = "2026-03-02T01:00:00Z";
const CAR: u8 = 1;
const OTHER_CAR: u8 = 6;

fn two_workers() -> config::Intake {
    config::Intake::default()
}

async fn reasons(office: &Office) -> Vec<String> {
    office.texts("select reason from quarantine order by quarantine").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_lane_is_refused_by_the_broker_and_again_by_the_books() {
    let station = BrokerUser::Lanes(vec!["vec/mai-son/e01".parse().unwrap()]);
    let intake = Intake::open(std::slice::from_ref(&station)).await;
    let _work = intake.work(two_workers()).await;
    // The lanes of Mai Sơn say that they are one of Bến Thủy: the broker does not let them.
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let good = lane.pass(&vehicle(CAR), MORNING);
    let stranger = intake.broker.connect(&station).await.unwrap();
    let mut heard = intake.client.subscribe("etc.v1.passage.>").await.unwrap();
    intake.client.flush().await.unwrap();
    stranger.publish(good.subject.clone(), good.payload.clone().into()).await.unwrap();
    stranger.flush().await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(300), heard.next()).await;
    assert!(nothing.is_err(), "the broker let it pass");
    // Whoever has the broker can say what he likes, and has no lane's key.
    let mut masked = Lane::new("cienco4/ben-thuy/l02");
    masked.key = SecretKey::from_seed(&[9; 32]);
    intake.publish(&masked.pass(&vehicle(CAR), MORNING)).await;
    intake.publish(&good).await;
    intake.until("select count(*) from passage", 1).await;
    intake.until("select count(*) from quarantine", 1).await;
    assert_eq!(reasons(&intake.office).await, ["forged"]);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_message_has_no_second_effect() {
    let intake = Intake::open(&[]).await;
    let _work = intake.work(two_workers()).await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let first = lane.pass(&vehicle(CAR), MORNING);
    intake.publish(&first).await;
    intake.until("select count(*) from charge", 1).await;
    let before = intake.office.picture().await;
    // Without its id, so that the broker cannot know it again.
    let replayed = Delivery { message_id: None, ..first };
    for _ in 0..20 {
        intake.publish(&replayed).await;
    }
    intake.until("select duplicates from lane_epoch where lane = 'cienco4/ben-thuy/l01'", 20).await;
    assert_eq!(intake.office.picture().await, before);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_amount_is_refused_on_the_way_and_from_the_lane_itself() {
    let intake = Intake::open(&[]).await;
    let _work = intake.work(two_workers()).await;
    let fare = |amount: i64| Some(domain::Amount::try_new(amount).unwrap());
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let written = lane.write(MORNING, |passage| {
        passage.tag = Some(vehicle(CAR).tag);
        passage.group = Some(vehicle(CAR).group);
        passage.fare = fare(47_000);
    });
    let altered = String::from_utf8(written.payload.clone()).unwrap().replace("47000", "10000");
    assert_ne!(altered.as_bytes(), written.payload);
    let on_the_way = Delivery { message_id: None, payload: altered.into(), ..written.clone() };
    let by_the_lane = Lane::new("cienco4/ben-thuy/l01").write(MORNING, |passage| {
        passage.tag = Some(vehicle(CAR).tag);
        passage.group = Some(vehicle(CAR).group);
        passage.fare = fare(10_000);
    });
    intake.publish(&on_the_way).await;
    intake.publish(&written).await;
    intake.until("select count(*) from charge", 1).await;
    intake.publish(&Delivery { message_id: None, ..by_the_lane }).await;
    intake.until("select count(*) from quarantine", 2).await;
    assert_eq!(reasons(&intake.office).await, ["forged", "conflict"]);
    let fares = intake.office.texts("select fare::text from passage").await;
    assert_eq!(fares, ["47000"], "the first stands");
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_subject_is_refused_and_holds_nobody_up() {
    let intake = Intake::open(&[]).await;
    let _work = intake.work(two_workers()).await;
    let good = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(CAR), MORNING);
    for subject in [
        "etc.v1.passage.odd",
        "etc.v1.passage.cienco4.ben-thuy.l01.more",
        "etc.v1.passage.cienco4.ben-thuy.L01",
        // Another lane's.
        "etc.v1.passage.cienco4.ben-thuy.l02",
    ] {
        intake
            .publish(&Delivery { subject: subject.to_owned(), message_id: None, ..good.clone() })
            .await;
    }
    intake.publish(&good).await;
    intake.until("select count(*) from passage", 1).await;
    intake.until("select count(*) from quarantine", 4).await;
    let mut reasons = reasons(&intake.office).await;
    reasons.sort();
    assert_eq!(reasons, ["foreign-subject", "foreign-subject", "foreign-subject", "forged"]);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_with_a_key_before_it_ended_is_still_its_lanes() {
    let intake = Intake::open(&[]).await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let unsent = lane.pass(&vehicle(CAR), "2026-03-02T01:00:00Z");
    // Somebody goes on with the old key after the lane was enrolled anew.
    let stolen = lane.clone().pass(&vehicle(OTHER_CAR), "2026-03-02T03:30:00Z");
    let stolen = Delivery { message_id: None, ..stolen };
    lane.key = SecretKey::from_seed(&[77; 32]);
    let enrolled: Timestamp = "2026-03-02T03:00:00Z".parse().unwrap();
    clearing_house::registry::enrol_lane(
        &intake.office.pool,
        &lane.id,
        lane.key.public(),
        enrolled,
    )
    .await
    .unwrap();
    let with_new_key = lane.pass(&vehicle(CAR), "2026-03-02T03:45:00Z");
    let _work = intake.work(two_workers()).await;
    for delivery in [&stolen, &with_new_key, &unsent] {
        intake.publish(delivery).await;
    }
    intake.until("select posted_upto from lane_epoch where lane = 'cienco4/ben-thuy/l01'", 2).await;
    intake.until("select count(*) from quarantine", 1).await;
    assert_eq!(reasons(&intake.office).await, ["key-ended"]);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_altered_under_way_is_made_good_by_the_next_passage_and_proven_by_it() {
    let intake = Intake::open(&[]).await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let mut batch: Vec<Delivery> = (1..=4).map(|car| lane.pass(&vehicle(car), MORNING)).collect();
    let another = batch[0].signature.clone();
    for altered in &mut batch[1..3] {
        altered.signature.clone_from(&another);
    }
    let books = intake.office.books().await;
    let together = books.post(&batch, noon()).await.unwrap();
    assert_eq!((together.fresh, together.refused), (4, 0));
    intake.office.assert_proven().await;
    // Nothing stands for the last one; its lane sends it again.
    let last = lane.pass(&vehicle(5), MORNING);
    let altered = Delivery { signature: another, ..last.clone() };
    assert_eq!(books.post(&[altered], noon()).await.unwrap().refused, 1);
    assert_eq!(books.post(&[last], noon()).await.unwrap().fresh, 1);
    assert_eq!(reasons(&intake.office).await, ["forged"]);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_chain_is_put_aside_from_either_side_and_the_rest_flows() {
    let intake = Intake::open(&[]).await;
    let _work = intake.work(two_workers()).await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let passages: Vec<Delivery> = (1..=6).map(|car| lane.pass(&vehicle(car), MORNING)).collect();
    // The same numbers, written as if another history had gone before.
    let mut forked = Lane::new("cienco4/ben-thuy/l01");
    let fork: Vec<Delivery> = (11..=16)
        .map(|car| Delivery { message_id: None, ..forked.pass(&vehicle(car), MORNING) })
        .collect();
    let counted = "select count(*) from passage where lane = 'cienco4/ben-thuy/l01'";
    for at in [0, 1] {
        intake.publish(&passages[at]).await;
    }
    intake.until(counted, 2).await;
    // It does not name what went before it.
    intake.publish(&fork[2]).await;
    intake.until("select count(*) from quarantine", 1).await;
    // Past a gap nobody can tell; what fills the gap must then fit to both sides.
    intake.publish(&passages[4]).await;
    intake.until(counted, 3).await;
    intake.publish(&fork[3]).await;
    intake.until("select count(*) from quarantine", 2).await;
    for at in [2, 3, 5] {
        intake.publish(&passages[at]).await;
    }
    intake.until("select posted_upto from lane_epoch where lane = 'cienco4/ben-thuy/l01'", 6).await;
    assert_eq!(reasons(&intake.office).await, ["broken-chain", "broken-chain"]);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_tomorrow_waits_in_quarantine_and_its_lane_keeps_it() {
    let intake = Intake::open(&[]).await;
    let _work = intake.work(two_workers()).await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let first = lane.pass(&vehicle(CAR), MORNING);
    let tomorrows = lane.garble(br#"{"v":2,"what":"nobody knows yet"}"#);
    let third = lane.pass(&vehicle(OTHER_CAR), MORNING);
    for delivery in [&first, &tomorrows, &third] {
        intake.publish(delivery).await;
    }
    intake.until("select count(*) from charge", 2).await;
    intake.until("select count(*) from quarantine", 1).await;
    assert_eq!(reasons(&intake.office).await, ["unknown-version"]);
    let report = clearing_house::report::report(&intake.office.pool).await.unwrap();
    let dispositions: Vec<(&str, i64)> =
        report.passages.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(dispositions, [("posted", 2), ("system-error", 1)]);
    let watermark = "select posted_upto from lane_epoch where lane = 'cienco4/ben-thuy/l01'";
    assert_eq!(intake.office.number(watermark).await, 1);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_partitions_and_one_that_is_gone_leaves_its_share() {
    let intake = Intake::open(&[]).await;
    let alone = config::Intake { workers: 1, ..config::Intake::default() };
    let held = "select count(distinct pid) * 100 + count(*) from pg_locks \
         where locktype = 'advisory' and classid::int8 = 1163132930 and granted \
           and database = (select oid from pg_database where datname = current_database())";
    let first = intake.work(alone).await;
    intake.until(held, 116).await;
    let second = intake.work(alone).await;
    intake.until(held, 216).await;
    let most = "select max(n) from (select count(*) as n from pg_locks \
         where locktype = 'advisory' and classid::int8 = 1163132930 and granted group by pid) s";
    intake.until(most, 8).await;
    let mut lanes =
        ["l01", "l02", "l03", "l04"].map(|l| Lane::new(&format!("cienco4/ben-thuy/{l}")));
    let mut published = 0;
    for round in 0..30_u8 {
        for lane in &mut lanes {
            intake.publish(&lane.pass(&vehicle(round % 40 + 1), MORNING)).await;
            published += 1;
        }
        if round == 10 {
            first.abort();
        }
    }
    intake.until("select count(*) from charge", published).await;
    intake.until(held, 116).await;
    assert!(intake.office.number("select max(tenure) from intake_partition").await >= 2);
    drop(second);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_traffic_does_not_wait_for_a_backlog_and_the_backlog_is_drained() {
    let intake = Intake::open(&[]).await;
    let mut behind = Lane::new("cienco4/ben-thuy/l01");
    let backlog: Vec<Delivery> = (0..20_000)
        .map(|n: u16| behind.pass(&vehicle(u8::try_from(n % 40).unwrap() + 1), MORNING))
        .collect();
    intake.publish_all(&backlog).await;
    let backlog = 20_000;
    // The exit's entry is in the backlog, at its very end.
    let entry = Lane::new("vec/mai-son/e01").pass(&vehicle(CAR), "2026-03-02T01:00:00Z");
    let exit = Lane::new("vec/nghi-son/x01").pass(&vehicle(CAR), "2026-03-02T02:00:00Z");
    intake.publish(&entry).await;
    let _work =
        intake.work(config::Intake { workers: 1, lag_max: 100, ..config::Intake::default() }).await;
    let some_behind = "select least(1, count(*)) from intake_partition where not isempty(behind)";
    intake.until(some_behind, 1).await;
    let mut fresh = Lane::new("cienco4/ben-thuy/l02");
    intake.publish(&fresh.pass(&vehicle(OTHER_CAR), MORNING)).await;
    intake.publish(&exit).await;
    intake.until("select count(*) from passage where lane = 'cienco4/ben-thuy/l02'", 1).await;
    let of_backlog = "select count(*) from passage where lane = 'cienco4/ben-thuy/l01'";
    let drained = intake.office.number(of_backlog).await;
    assert!(drained < backlog, "it waited for all of it");
    intake.until(of_backlog, backlog).await;
    intake.until(some_behind, 0).await;
    intake.until("select count(*) from awaiting_entry", 0).await;
    let whys =
        intake.office.texts("select why from charge where lane like 'vec/%' order by 1").await;
    assert_eq!(whys, ["entry", "fare"]);
    intake.office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_or_undecodable_delivery_is_kept_with_its_bytes_and_the_rest_flows() {
    let office = Office::open().await;
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let first = lane.pass(&vehicle(CAR), MORNING);
    let oversize = Lane::new("cienco4/ben-thuy/l02").send(1, vec![b'x'; 70_000]);
    let undecodable = Delivery {
        subject: "etc.v1.passage.cienco4.ben-thuy.l03".to_owned(),
        message_id: Some("\u{fffd}".to_owned()),
        signature: Some("=".repeat(88)),
        payload: vec![0xff, 0xfe, 0x00, 0x80],
    };
    let id = PassageId { epoch: 3, ..lane.passage_id(2) };
    let nameless = Delivery { message_id: Some(id.to_string()), ..lane.garble(b"\xff\xff") };
    let third = lane.pass(&vehicle(OTHER_CAR), MORNING);
    let outcome =
        books.post(&[first, oversize, undecodable, nameless, third], noon()).await.unwrap();
    assert_eq!((outcome.fresh, outcome.refused), (2, 3));
    let mut reasons = reasons(&office).await;
    reasons.sort();
    assert_eq!(reasons, ["oversize", "unknown-epoch", "unsigned"]);
    assert_eq!(office.number("select max(length(payload))::int8 from quarantine").await, 70_000);
}
