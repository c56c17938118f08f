//! The account list and the online question over a real broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clearing_house::account::money::{Reservation, refund, reserve, top_up};
use clearing_house::broker::{ensure_streams, jetstream};
use clearing_house::lists::Publisher;
use clearing_house::question;
use domain::account_list::ListStatus;
use domain::signature::{Context, Digest256, Signature};
use domain::wire::v1::{
    AccountAnswer, AccountQuestion, ChangeRecord, DeltaRecord, EntryRecord, Manifest, RulingRecord,
    emit, parse,
};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{AccountId, Amount, Clock, LaneId, TagId, Timestamp};
use futures::StreamExt as _;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::run_folder::RunFolder;
use tests::lane::{Lane, key_of, vehicle};
use tests::office::{Office, POLICY, POOR, centre_key, noon};
use tests::programs::nats_server;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

fn vnd(amount: i64) -> Amount {
    Amount::try_new(amount).unwrap()
}

fn publish(office: &Office, client: &async_nats::Client, woken: &Arc<Notify>) -> JoinHandle<()> {
    let jetstream = jetstream(client.clone());
    let publisher =
        Publisher::new(office.pool.clone(), jetstream, centre_key(), POLICY, Clock::system());
    tokio::spawn(publisher.run(Arc::clone(woken)))
}

/// Lanes that listen, on this many connections each with this many subscriptions.
const CONNECTIONS: usize = 250;
const EACH: usize = 4;

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "figures are for whoever runs them")]
async fn a_thousand_lanes_hear_of_a_changed_account_within_a_second() {
    let office = Office::open().await;
    let run = RunFolder::temporary().unwrap();
    let broker = Broker::start(&run, &nats_server(), &[BrokerUser::Centre]).unwrap();
    let client = broker.connect(&BrokerUser::Centre).await.unwrap();
    ensure_streams(&jetstream(client.clone())).await.unwrap();
    let (heard, mut hearing) = tokio::sync::mpsc::unbounded_channel::<(Instant, usize)>();
    let mut lanes = Vec::new();
    for _ in 0..CONNECTIONS {
        let lane = broker.connect(&BrokerUser::Centre).await.unwrap();
        for _ in 0..EACH {
            let mut deltas = lane.subscribe(subject::LIST_DELTAS.subjects).await.unwrap();
            let heard = heard.clone();
            lanes.push(tokio::spawn(async move {
                while let Some(message) = deltas.next().await {
                    let delta: DeltaRecord = parse("delta", &message.payload).unwrap();
                    heard.send((Clock::system().real(), delta.changes.len())).ok();
                }
            }));
        }
        lane.flush().await.unwrap();
    }
    let woken = Arc::new(Notify::new());
    let publishing = publish(&office, &client, &woken);
    let mut all = async |from: Instant| {
        let mut times = Vec::new();
        while times.len() < CONNECTIONS * EACH {
            let one = tokio::time::timeout(Duration::from_secs(30), hearing.recv()).await;
            let (at, changes) = one.expect("every lane hears it").unwrap();
            assert!(changes > 0);
            times.push(at.saturating_duration_since(from));
        }
        times.sort();
        (times[times.len() / 2], times[times.len() * 99 / 100])
    };
    all(Clock::system().real()).await;
    let mut best = Duration::MAX;
    for (round, drop) in [(1, true), (2, false), (3, true), (4, false), (5, true)] {
        // Fifty accounts at once, and one delta.
        let mut tx = office.pool.begin().await.unwrap();
        sqlx::query("update account set state = $1 where account > 1002")
            .bind(if drop { "blocked" } else { "open" })
            .execute(&mut *tx)
            .await
            .unwrap();
        let ids: Vec<i64> = (1003..=1052).collect();
        clearing_house::lists::note_accounts_in_tx(&mut tx, &ids).await.unwrap();
        tx.commit().await.unwrap();
        let (median, most) = all(Clock::system().real()).await;
        println!("round {round}: 50 accounts on 1,000 subscribers: p50 {median:?}, p99 {most:?}");
        best = best.min(most);
    }
    publishing.abort();
    assert!(best < Duration::from_secs(1), "{best:?}");
    assert_eq!(office.number("select max(version) from list_delta").await, 6, "one delta each");
    office.assert_proven().await;
}

async fn manifest(client: &async_nats::Client, after: u64) -> Manifest {
    let context = jetstream(client.clone());
    for _ in 0..300 {
        if let Ok(stream) = context.get_stream(subject::LIST_SNAPSHOTS.name).await
            && let Ok(found) = stream.get_last_raw_message_by_subject(subject::LIST_MANIFEST).await
        {
            let manifest: Manifest = parse("manifest", &found.payload).unwrap();
            if manifest.version >= after {
                return manifest;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no manifest of version {after} or later within 30 s")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lost_its_disk_gets_list_and_entries_again() {
    let office = Office::open().await;
    let books = office.books().await;
    let mut entry = Lane::new("vec/mai-son/e01");
    let passages = [1, 2].map(|number| entry.pass(&vehicle(number), "2026-03-02T01:00:00Z"));
    books.post(&passages, noon()).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(noon(), 1.0)));
    let mut versions = Vec::new();
    for disk in ["the first disk", "another disk"] {
        let run = RunFolder::temporary().unwrap();
        let broker = Broker::start(&run, &nats_server(), &[BrokerUser::Centre]).unwrap();
        let client = broker.connect(&BrokerUser::Centre).await.unwrap();
        let context = jetstream(client.clone());
        ensure_streams(&context).await.unwrap();
        let publisher =
            Publisher::new(office.pool.clone(), context.clone(), centre_key(), POLICY, clock);
        let publishing = tokio::spawn(publisher.run(Arc::new(Notify::new())));
        let found = manifest(&client, 1).await;
        assert_eq!(found.tags, 52, "{disk}");
        versions.push(found.version);
        let mut stream = context.get_stream(subject::ENTRIES.name).await.unwrap();
        for _ in 0..300 {
            if stream.info().await.unwrap().state.messages == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let last = stream.get_raw_message(2).await.unwrap();
        let record: EntryRecord = parse("entry", &last.payload).unwrap();
        assert_eq!(record.station.as_str(), "mai-son", "{disk}");
        assert!([vehicle(1).tag, vehicle(2).tag].contains(record.tag.as_ref().unwrap()));
        publishing.abort();
    }
    assert_eq!(versions[0], versions[1], "the list itself had not changed");
}

/// A lane that asks.
struct Asking<'a> {
    client: &'a async_nats::Client,
    lane: LaneId,
    clock: Clock,
}

impl Asking<'_> {
    fn question(&self, tag: &TagId, amount: i64) -> AccountQuestion {
        let now = self.clock.now();
        AccountQuestion {
            v: 1,
            id: format!("{}:{}", self.lane, now.as_nanosecond()),
            lane: self.lane.clone(),
            tag: tag.clone(),
            amount: vnd(amount),
            asked_at: now,
            expires_at: later(now, 200),
        }
    }

    /// Sends a question to a lane's subject; nothing where nobody answers within that time.
    async fn send(
        &self,
        question: &AccountQuestion,
        subject_of: &LaneId,
        signed_by: &LaneId,
    ) -> Option<RulingRecord> {
        let payload = emit(question);
        let mut headers = async_nats::HeaderMap::new();
        let signature = key_of(signed_by).sign(Context::Question, &payload).to_text();
        headers.insert(SIGNATURE_HEADER, signature);
        let to = subject::question(subject_of);
        let asked = self.client.request_with_headers(to, headers, payload.clone().into());
        let reply = tokio::time::timeout(Duration::from_secs(2), asked).await.ok()?.ok()?;
        let signature = reply.headers.as_ref().unwrap().get(SIGNATURE_HEADER).unwrap().as_str();
        let signature = Signature::try_from(signature.to_owned()).unwrap();
        centre_key().public().verify(Context::Answer, &reply.payload, &signature).unwrap();
        let answer: AccountAnswer = parse("answer", &reply.payload).unwrap();
        assert_eq!(answer.question, Digest256::of(&payload));
        assert_eq!(answer.lane, question.lane);
        Some(answer.ruling)
    }

    async fn ask(&self, tag: &TagId, amount: i64) -> Option<RulingRecord> {
        self.send(&self.question(tag, amount), &self.lane, &self.lane).await
    }
}

fn later(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_nanosecond(at.as_nanosecond() + i128::from(ms) * 1_000_000).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "figures are for whoever runs them")]
async fn a_lane_is_answered_from_the_balance_less_what_is_set_aside() {
    let office = Office::open().await;
    let run = RunFolder::temporary().unwrap();
    let broker = Broker::start(&run, &nats_server(), &[BrokerUser::Centre]).unwrap();
    let client = broker.connect(&BrokerUser::Centre).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(noon(), 1.0)));
    let serving =
        tokio::spawn(question::serve(client.clone(), office.pool.clone(), centre_key(), clock));
    let lane: LaneId = "cienco4/ben-thuy/l01".parse().unwrap();
    let asking = Asking { client: &client, lane: lane.clone(), clock };
    let poor = vehicle(POOR);
    let number = AccountId::new(poor.account);
    // Until the desk has subscribed nobody answers.
    let mut first = None;
    for _ in 0..100 {
        first = asking.ask(&poor.tag, 47_000).await;
        if first.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(first, Some(RulingRecord::NoMoney));
    top_up(&office.pool, number, vnd(10_000), "now", POLICY, noon()).await.unwrap();
    assert_eq!(asking.ask(&poor.tag, 47_000).await, Some(RulingRecord::MayPass));
    let wanted = Reservation { amount: vnd(4_000), reference: "h", reason: "a dispute" };
    reserve(&office.pool, number, wanted, POLICY, noon()).await.unwrap();
    assert_eq!(asking.ask(&poor.tag, 47_000).await, Some(RulingRecord::NoMoney));
    assert_eq!(asking.ask(&poor.tag, 46_000).await, Some(RulingRecord::MayPass));
    let stranger: TagId = "3416FFFFFFFFFFFFFFFFFFFF".parse().unwrap();
    assert_eq!(asking.ask(&stranger, 1).await, Some(RulingRecord::UnknownTag));

    let other: LaneId = "cienco4/ben-thuy/l02".parse().unwrap();
    let question = asking.question(&poor.tag, 1);
    assert_eq!(asking.send(&question, &lane, &other).await, None, "forged");
    assert_eq!(asking.send(&question, &other, &lane).await, None, "another lane's subject");
    let mut expired = asking.question(&poor.tag, 1);
    expired.expires_at = later(expired.asked_at, -1);
    assert_eq!(asking.send(&expired, &lane, &lane).await, None, "expired");
    let mut eternal = asking.question(&poor.tag, 1);
    eternal.expires_at = later(eternal.asked_at, 3_600_000);
    assert_eq!(asking.send(&eternal, &lane, &lane).await, None, "good for too long");

    let mut times = Vec::new();
    for _ in 0..200 {
        let from = Clock::system().real();
        assert_eq!(asking.ask(&poor.tag, 1).await, Some(RulingRecord::MayPass));
        times.push(from.elapsed());
    }
    times.sort();
    println!("200 questions: p50 {:?}, p99 {:?}", times[100], times[198]);
    assert!(times[100] < Duration::from_millis(200), "{:?}", times[100]);
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_are_told_only_of_what_they_would_decide_by() {
    let office = Office::open().await;
    let run = RunFolder::temporary().unwrap();
    let broker = Broker::start(&run, &nats_server(), &[BrokerUser::Centre]).unwrap();
    let client = broker.connect(&BrokerUser::Centre).await.unwrap();
    ensure_streams(&jetstream(client.clone())).await.unwrap();
    let mut deltas = client.subscribe(subject::LIST_DELTAS.subjects).await.unwrap();
    client.flush().await.unwrap();
    let publishing = publish(&office, &client, &Arc::new(Notify::new()));
    let mut hear = async || {
        let message = tokio::time::timeout(Duration::from_secs(20), deltas.next()).await;
        parse::<DeltaRecord>("delta", &message.expect("a delta").unwrap().payload).unwrap()
    };
    assert_eq!(hear().await.changes.len(), 52);
    for (reference, amount) in [("a", 1_000_000), ("b", 1_000_000), ("c", 2_900_000)] {
        refund(&office.pool, AccountId::new(1001), vnd(amount), reference, POLICY, noon())
            .await
            .unwrap();
    }
    let delta = hear().await;
    let [ChangeRecord::Upsert(entry)] = delta.changes.as_slice() else { panic!("one change") };
    assert_eq!(entry.tag, vehicle(1).tag);
    assert_eq!(ListStatus::from(entry.status), ListStatus::Low);
    assert_eq!(office.number("select count(*) from list_delta").await, 2);
    publishing.abort();
    office.assert_proven().await;
}
