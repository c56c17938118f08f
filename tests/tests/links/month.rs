//! All links cut for a month, and then whole again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_nats::jetstream;
use domain::Clock;
use domain::signature::Digest256;
use domain::tariff::TariffBook;
use domain::wire::subject;
use lane_controller::directives::DirectiveStore;
use lane_controller::downlink::{Downlink, LaneLine};
use lane_controller::entries::EntryBook;
use lane_controller::journal::{JournalReader, Retention};
use lane_controller::runner::Wake;
use lane_controller::uplink::{Marks, Posted, Uplink, UplinkState};
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::run_folder::RunFolder;
use tests::programs::nats_server;
use tokio::sync::{mpsc, watch};

use crate::clearing::{self, Books};
use crate::cut_off_lane::{CutOffLane, journal, lane_id, midnight};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const DAYS: u32 = 30;
/// Vehicles a day of the whole, with `LANE_MONTH=1`; else of a share.
const A_DAY: u32 = 15_000;
const A_DAY_SHARE: u32 = 100;
/// How often a vehicle comes while the backlog is drained, in real time: fifty times a full lane.
const VEHICLE_EVERY: Duration = Duration::from_millis(50);
const DRAINED_WITHIN: Duration = Duration::from_secs(1_800);

/// The middle and the 99th of a hundred, in microseconds.
fn figures(took: &mut [Duration]) -> (u128, u128) {
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_micros();
    (at(50), at(99))
}

/// The lane goes on deciding, on a thread of its own, until told to stop.
fn go_on(
    mut lane: CutOffLane,
    from: Duration,
    wakes: Receiver<Wake>,
    written: watch::Sender<u64>,
    stop: Arc<AtomicBool>,
    retention: Retention,
) -> std::thread::JoinHandle<CutOffLane> {
    std::thread::spawn(move || {
        let mut at = from;
        lane.took.clear();
        while !stop.load(Ordering::Relaxed) {
            at += Duration::from_secs(6);
            lane.vehicle(at);
            written.send_replace(lane.last_seq());
            if let Ok(Wake::Posted { upto, .. }) = wakes.recv_timeout(VEHICLE_EVERY) {
                let now = midnight().saturating_add(at).unwrap();
                lane.receipt(upto, retention, Some(now));
            }
        }
        lane
    })
}

struct Links {
    _uplink: tokio::task::JoinHandle<()>,
    _downlink: tokio::task::JoinHandle<()>,
    wakes: Receiver<Wake>,
    written: watch::Sender<u64>,
}

/// The lane's real uplink and downlink, with the rights of a lane.
async fn connect(broker: &Broker, user: &BrokerUser, lane: &CutOffLane, folder: &Path) -> Links {
    let client = broker.connect(user).await.unwrap();
    let jetstream = jetstream::new(client.clone());
    let (wakes, wake_up) = channel();
    let (written, follow_written) = watch::channel(lane.last_seq());
    let (posted, follow_posted) = watch::channel(Posted::default());
    let (clock, operator) = (Clock::system(), lane_id().operator().clone());
    let uplink = Uplink {
        lane: lane_id(),
        epoch: 1,
        journal: JournalReader::open(&folder.join("l01.journal")).unwrap(),
        client: client.clone(),
        jetstream: jetstream.clone(),
        marks: Marks { written: follow_written, posted: follow_posted, noted: 0 },
        wakes: wakes.clone(),
        state: watch::channel(UplinkState::default()).0,
        clock,
    };
    let centre = crate::cut_off_lane::centre().public();
    let base = Arc::new(TariffBook::default());
    let folder = folder.join("directives");
    let directives =
        DirectiveStore::open(&folder, centre, operator, vec![lane_id()], base).unwrap();
    let line = LaneLine {
        id: lane_id(),
        epoch: watch::channel(1).1,
        wakes,
        posted,
        events: mpsc::unbounded_channel().0,
    };
    let downlink = Downlink {
        client,
        jetstream,
        centre,
        list: lane.list.clone(),
        entries: Arc::new(RwLock::new(EntryBook::default())),
        road: None,
        lanes: vec![line],
        directives,
        clock,
        rounds: 0,
        entries_read: 0,
        refused: HashMap::new(),
        complained: None,
        tending: None,
    };
    Links {
        _uplink: tokio::spawn(uplink.run()),
        _downlink: tokio::spawn(async move { downlink.run().await.unwrap() }),
        wakes: wake_up,
        written,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story from the first day to the last record")]
async fn all_links_are_cut_for_a_month_and_every_good_tag_passes_and_nothing_is_lost() {
    let whole = std::env::var_os("LANE_MONTH").is_some();
    let a_day = if whole { A_DAY } else { A_DAY_SHARE };
    let vehicles = u64::from(a_day * DAYS);
    let clock = Clock::system();
    let run = RunFolder::temporary().unwrap();
    let folder = run.join("data");
    std::fs::create_dir_all(&folder).unwrap();

    // The month.
    let began = clock.real();
    let mut lane = CutOffLane::new(&folder);
    let mut at = Duration::ZERO;
    for _vehicle in 0..vehicles {
        at += DAY / a_day;
        lane.vehicle(at);
    }
    assert_eq!((lane.last_seq(), lane.early), (vehicles, 0));
    let month_took = clock.real().duration_since(began);
    let (p50, p99) = figures(&mut lane.took);
    lane.stop();
    let bytes = std::fs::metadata(folder.join("l01.journal")).unwrap().len();

    // The process starts anew, with a month's backlog in the journal.
    let began = clock.real();
    drop(journal(&folder));
    let start_took = clock.real().duration_since(began);
    println!(
        "month: {vehicles} vehicles in {month_took:.1?}, tag to durable p50 {p50} us, p99 {p99} us; \
         {} bytes a passage; journal checked at start in {start_took:.1?}",
        bytes / vehicles
    );

    // The links come back.
    let user = BrokerUser::Lanes(vec![lane_id()]);
    let broker = Broker::start(&run, &nats_server(), &[BrokerUser::Centre, user.clone()]).unwrap();
    let centre = broker.connect(&BrokerUser::Centre).await.unwrap();
    let streams = jetstream::new(centre.clone());
    clearing_house::broker::ensure_streams(&streams).await.unwrap();
    let books = Arc::new(Mutex::new(Books::default()));
    let (tell, mut watermark) = watch::channel(0);
    let standing_in = tokio::spawn(clearing::run(centre, Arc::clone(&books), tell));

    let lane = CutOffLane::again(&folder, vehicles);
    let links = connect(&broker, &user, &lane, &folder).await;
    let stop = Arc::new(AtomicBool::new(false));
    let retention = Retention { keep_for: 30 * DAY, records_max: vehicles / 4 };
    let began = clock.real();
    // The uplink works for as long as somebody may write.
    let _written = links.written.clone();
    let thread = go_on(lane, at, links.wakes, links.written, Arc::clone(&stop), retention);
    let reached = |share: u64| move |posted: &u64| *posted >= vehicles * share / 3;
    tokio::time::timeout(DRAINED_WITHIN, watermark.wait_for(reached(1))).await.unwrap().unwrap();
    broker.kill9();
    broker.restart().unwrap();
    tokio::time::timeout(DRAINED_WITHIN, watermark.wait_for(reached(2))).await.unwrap().unwrap();
    // The broker loses what it holds, and its consumers.
    streams.delete_stream(subject::PASSAGES.name).await.unwrap();
    tokio::time::timeout(DRAINED_WITHIN, watermark.wait_for(reached(3))).await.unwrap().unwrap();
    let drain_took = clock.real().duration_since(began);
    stop.store(true, Ordering::Relaxed);
    let mut lane = thread.join().unwrap();
    let last = lane.last_seq();
    tokio::time::timeout(DRAINED_WITHIN, watermark.wait_for(|posted| *posted >= last))
        .await
        .expect("what came meanwhile is posted too")
        .unwrap();
    standing_in.abort();

    // Nothing is lost, nothing is there twice, and the chain is whole.
    {
        let books = books.lock().unwrap();
        assert!(books.posted.keys().copied().eq(1..=last));
        let mut before = Digest256::default();
        for (digest, previous) in books.posted.values() {
            assert_eq!(*previous, before);
            before = *digest;
        }
        let during = u32::try_from(last - vehicles).unwrap();
        let per_second = f64::from(u32::try_from(last).unwrap()) / drain_took.as_secs_f64();
        let (p50, p99) = figures(&mut lane.took);
        println!(
            "drain: {last} passages in {drain_took:.1?}, {per_second:.0} a second ({:.0} times a \
             lane's busiest hour), {} deliveries, {} out of order; {during} vehicles meanwhile, tag \
             to durable p50 {p50} us, p99 {p99} us",
            per_second / 0.25,
            books.deliveries,
            books.out_of_order,
        );
        assert!(per_second > 2.5, "ten times what arrives in the busiest hour");
        assert_eq!(lane.early, 0, "no decision waited for the drain");
    }

    // What is posted leaves the journal: by number at once, by age a month after its receipt.
    let end = midnight().saturating_add(at + 2 * DAY).unwrap();
    lane.receipt(last, retention, Some(end));
    lane.stop();
    assert!(journal_len(&folder, last) < last, "some went while the lane decided");
    let mut again = journal(&folder);
    for (now, left) in [(end, retention.records_max), (end + 32 * DAY, 1)] {
        let upto = again.forgettable(retention, Some(now)).unwrap();
        while again.forget_some(upto).unwrap() > 0 {}
        assert_eq!(journal_len(&folder, last), left);
    }
}

fn journal_len(folder: &Path, last: u64) -> u64 {
    let reader = JournalReader::open(&folder.join("l01.journal")).unwrap();
    let first = reader.read(1, 1).unwrap().first().map_or(last + 1, |record| record.seq);
    last + 1 - first
}
