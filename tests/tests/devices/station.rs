//! The running station with every device: what becomes of vehicles, and of the station when a
//! device fails and comes back.

use std::time::Duration;

use domain::signature::{Context, Digest256, Signature};
use domain::wire::v1::{
    AccountAnswer, AccountQuestion, CaseKind, DecisionRecord, EventKind, LaneEvent, PassageRecord,
    RulingRecord, emit, parse,
};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, VehicleGroup};
use futures::StreamExt as _;
use lane_controller::journal::JournalReader;
use rfid_driver::emulator::pty::Power;
use simulator::classifier::Classifier;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::run_folder::RunFolder;
use simulator::panel::Panel;
use tests::programs::nats_server;
use tokio::task::block_in_place;

use super::site::{Site, centre, lane, lane_key, tag};

fn passages(journal: &JournalReader) -> Vec<PassageRecord> {
    let records = journal.read(1, 100).expect("the journal can be read");
    let passage = |payload: &[u8]| parse("passage", payload).expect("a passage");
    records.iter().map(|record| passage(&record.payload)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_device_that_fails_is_a_named_mode_until_it_is_back() {
    let mut site = Site::alone("").await;
    site.until_degraded("l01", &[]).await;
    site.until_degraded("l02", &[]).await;

    site.readers[0].unplug();
    site.until_degraded("l01", &["no-reader"]).await;
    site.readers[0].replug(Power::Kept).expect("the reader is plugged in");
    site.until_degraded("l01", &[]).await;

    site.l01.fail_device();
    site.until_degraded("l01", &["no-field-io"]).await;
    site.until_degraded("l02", &[]).await;
    site.l01.mend_device().expect("the module is mended");
    site.until_degraded("l01", &[]).await;

    site.l02.fail_device();
    site.until_degraded("l02", &["no-field-io"]).await;
    site.until_degraded("l01", &[]).await;
    site.l02.mend_device().expect("the card is plugged in");
    site.until_degraded("l02", &[]).await;

    site.classifier = None;
    site.until_degraded("l01", &["no-classifier"]).await;
    let classifier = Classifier::start(&site.path("classifier")).expect("a classifier");
    site.classifier = Some(classifier);
    site.until_degraded("l01", &[]).await;

    site.camera_posts = false;
    site.until_degraded("l01", &["no-camera"]).await;
    site.camera_posts = true;
    site.until_degraded("l01", &[]).await;

    // A panel's loss is found when something is to be shown.
    site.panels.pop();
    site.l01.car_comes();
    site.until_degraded("l01", &["no-display"]).await;
    site.panels.push(Panel::start(&site.path("panel-en")).expect("a panel"));
    site.until_degraded("l01", &[]).await;
    let (_, metrics) = site.get("/metrics").await.expect("the station answers");
    assert!(metrics.contains("etc_lane_degraded{lane=\"cienco4/ben-thuy/l01\"} 0"), "{metrics}");
    site.stop().await;
    block_in_place(|| drop(site));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vehicle_is_seen_charged_shown_its_fare_and_left_alone_by_the_next_lane() {
    let mut site = Site::alone("safe_position = \"open\"\ntag_wait_ms = 1000").await;
    site.until_degraded("l01", &[]).await;
    site.until_degraded("l02", &[]).await;
    for lane in [&mut site.l01, &mut site.l02] {
        lane.car_comes();
    }
    site.until("both cars are on their loops", |site| site.l01.presence() && site.l02.presence())
        .await;
    site.a_moment().await;
    site.see("37A12345").await;
    site.a_moment().await;
    // Two tags come into the field together: one passage, and a case with what the camera saw.
    site.read(0, &[tag(1), tag(2)]);
    site.until("the arm of the first lane is up", |site| site.l01.arm_is_up()).await;
    // The antenna of the next lane reads the tag that was charged across the island.
    let journal = site.journal("l01");
    let charged = passages(&journal)[0].tag.clone().expect("a tag");
    assert!([tag(1), tag(2)].contains(&charged));
    site.read(1, &[charged]);
    let shows =
        |place: usize, text: &'static str| move |site: &Site| site.panels[place].has_shown(text);
    site.until("the fare is shown in Vietnamese", shows(0, "47.000d")).await;
    site.until("the fare is shown in English", shows(1, "47,000 VND")).await;
    site.until("the car has gone", |site| site.l01.is_empty()).await;
    site.read(0, &[]);
    let is_welcome = |site: &Site| site.panels[1].rows().contains(&"Welcome");
    site.until("the next is welcome", is_welcome).await;
    site.a_moment().await;
    site.l01.car_comes();
    site.until("nobody reads a tag", shows(0, "Khong doc duoc the")).await;
    assert!(!site.l02.arm_is_up(), "nobody was let through twice");

    // A classifier measures the second as of another group than the list has.
    let classifier = site.classifier.as_mut().expect("a classifier");
    classifier.vehicle(3, 2, true).expect("the classifier's line holds");
    site.a_moment().await;
    site.read(0, &[tag(4)]);
    site.until("the arm is up for the second", |site| site.l01.arm_is_up()).await;
    site.stop().await;
    site.until("the arms are in the safe position", |site| site.l02.arm_is_up()).await;
    assert_eq!((site.l01.struck(), site.l02.struck()), (0, 0));

    let written = passages(&journal);
    let how = written.iter().map(|passage| passage.decision);
    assert_eq!(how.collect::<Vec<_>>(), [DecisionRecord::OpenedByTag; 2]);
    let cases = journal.cases(0, 10).expect("the cases can be read");
    let told = cases.iter().map(|case| {
        let event: LaneEvent = parse("event", &case.payload).expect("an event");
        match event.kind {
            EventKind::Case { case, passage, pictures, .. } => (case, passage, pictures.len()),
            other => panic!("{other:?}"),
        }
    });
    let group = |number| VehicleGroup::try_new(number).expect("a group");
    let differs = CaseKind::GroupDiffers { listed: group(1), measured: group(3) };
    assert_eq!(told.collect::<Vec<_>>(), [(CaseKind::TwoTags, Some(1), 2), (differs, Some(2), 0)]);
    let next = passages(&site.journal("l02"));
    assert!(next.iter().all(|passage| passage.tag.is_none()), "the tag was charged once");
    block_in_place(|| drop((site, journal)));
}

/// The centre: answers every question with this, and keeps the cases it sees.
async fn answer(client: async_nats::Client, ruling: RulingRecord) {
    let mut questions = client.subscribe(subject::ALL_QUESTIONS).await.expect("a subscription");
    while let Some(message) = questions.next().await {
        let header = |name| message.headers.as_ref().and_then(|all| all.get(name));
        let signature = header(SIGNATURE_HEADER).expect("a question is signed");
        let signature = Signature::try_from(signature.as_str().to_owned()).expect("a signature");
        lane_key()
            .public()
            .verify(Context::Question, &message.payload, &signature)
            .expect("the lane has signed it");
        let question: AccountQuestion = parse("question", &message.payload).expect("a question");
        assert_eq!((question.lane.clone(), question.tag), (lane("l01"), tag(3)));
        assert_eq!(question.amount.minor_units(), 47_000);
        let reply = emit(&AccountAnswer {
            v: 1,
            lane: question.lane,
            question: Digest256::of(&message.payload),
            ruling,
            answered_at: Clock::system().now(),
        });
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, centre().sign(Context::Answer, &reply).to_text());
        let to = message.reply.clone().expect("somebody waits for the answer");
        client.publish_with_headers(to, headers, reply.into()).await.expect("the answer is sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_centre_is_asked_once_about_no_money_and_its_word_opens() {
    let folder = RunFolder::temporary().expect("a folder");
    let user = BrokerUser::Lanes(vec![lane("l01"), lane("l02")]);
    let users = [BrokerUser::Centre, user.clone()];
    let broker = block_in_place(|| Broker::start(&folder, &nats_server(), &users));
    let broker = broker.expect("a broker");
    let client = broker.connect(&BrokerUser::Centre).await.expect("the centre is connected");
    let answering = tokio::spawn(answer(client, RulingRecord::MayPass));
    let mut site = Site::with("", &broker.link(&user)).await;
    site.until_degraded("l01", &[]).await;
    site.l01.car_comes();
    site.until("the car is on its loop", |site| site.l01.presence()).await;
    site.read(0, &[tag(3)]);
    site.until("the arm is up", |site| site.l01.arm_is_up()).await;
    let written = passages(&site.journal("l01"));
    assert_eq!((written.len(), written[0].decision), (1, DecisionRecord::OpenedByTag));
    site.stop().await;
    assert!(!answering.is_finished(), "every question was as it should be");
    answering.abort();
    block_in_place(|| drop((site, broker, folder)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_link_no_money_brings_a_person_at_once() {
    let mut site = Site::alone("tag_wait_ms = 20000").await;
    site.until_degraded("l01", &[]).await;
    site.l01.car_comes();
    site.until("the car is on its loop", |site| site.l01.presence()).await;
    site.read(0, &[tag(3)]);
    let shows = |site: &Site| site.panels[0].has_shown("Tai khoan khong du tien");
    let began = Clock::system();
    site.until("the reason is shown", shows).await;
    assert!(began.uptime() < Duration::from_secs(15), "nobody waited for an answer");
    assert!(!site.l01.arm_is_up());
    site.stop().await;
    block_in_place(|| drop(site));
}
