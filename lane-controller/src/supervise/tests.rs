use std::net::SocketAddr;
use std::path::Path;
use std::sync::RwLock;
use std::sync::mpsc::channel;

use async_nats::ConnectOptions;
use async_nats::jetstream;
use domain::signature::{HalfDigest, SecretKey};
use domain::tariff::TariffBook;
use tokio::net::TcpListener;

use super::*;
use crate::clock_quality::ClockWatch;
use crate::directives::DirectiveBoard;
use crate::entries::EntryBook;
use crate::journal::tests::append;
use crate::list::ListStore;

const LONG: Duration = Duration::from_secs(30);

/// A station without a broker and without a module: what a lane must be able to start alone with.
struct World {
    folder: tempfile::TempDir,
    nobody: SocketAddr,
    client: Client,
}

struct Placed {
    wakes: Sender<Wake>,
    condition: watch::Receiver<Condition>,
    epoch: watch::Receiver<u32>,
    posted: watch::Sender<Posted>,
    thread: std::thread::JoinHandle<()>,
}

impl World {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = listener.local_addr().unwrap();
        drop(listener);
        let client = ConnectOptions::new()
            .retry_on_initial_connect()
            .connect(format!("nats://{nobody}"))
            .await
            .unwrap();
        Self { folder: tempfile::tempdir().unwrap(), nobody, client }
    }

    fn path(&self, lane: &str) -> PathBuf {
        self.folder.path().join(format!("{lane}.journal"))
    }

    fn id(lane: &str) -> LaneId {
        format!("cienco4/ben-thuy/{lane}").parse().unwrap()
    }

    /// A journal that has its epoch.
    fn journal(&self, lane: &str) -> Journal {
        let key = SecretKey::from_seed(&[1; 32]);
        Journal::open(&self.path(lane), Self::id(lane), key, 4, "boot".into()).unwrap()
    }

    /// Waits until a journal is put away; the blank one that follows waits for its own epoch.
    async fn puts_away(&self, lane: &str) {
        let away = self.folder.path().join(format!("{lane}.rolled-back-1.journal"));
        let until = Clock::system().real() + LONG;
        while !(away.exists() && self.path(lane).exists()) {
            assert!(Clock::system().real() < until, "the old copy is not put away");
            tokio::task::yield_now().await;
        }
    }

    fn config(&self, lane: &str) -> Config {
        let folder = self.folder.path();
        let key = SecretKey::from_seed(&[1; 32]);
        std::fs::write(folder.join("key"), key.to_secret_text()).unwrap();
        let (folder, nobody, public) = (folder.display(), self.nobody, key.public());
        let text = format!(
            "[station]\noperator = \"cienco4\"\nstation = \"ben-thuy\"\n\
             [broker]\nurl = \"nats://{nobody}\"\nca_file = \"a\"\n\
             certificate_file = \"c\"\ncertificate_key_file = \"k\"\n\
             credentials_file = \"u\"\n\
             [centre]\npublic_key = \"{public}\"\n\
             [data]\nfolder = \"{folder}\"\ntariffs = []\n\
             [field_io]\naddress = \"{nobody}\"\npoll_ms = 10\n\
             [[lane]]\nid = \"{lane}\"\nrole = \"open\"\n\
             field_io_index = 0\nkey_file = \"{folder}/key\"\n\
             [lane.reader]\nprotocol = \"mercury\"\nport = \"none\"\n",
            public = String::from(public),
        );
        toml::from_str(&text).unwrap()
    }

    fn place(&self, lane: &str) -> Placed {
        let config = self.config(lane);
        let folder = self.folder.path().join(format!("{lane}.list"));
        let list = ListStore::open(&folder, config.centre.public_key, config.list).unwrap();
        let (wakes, wake_up) = channel();
        let (condition, follow) = watch::channel(Condition::Starting);
        let (epoch, follow_epoch) = watch::channel(0);
        let (posted, _) = watch::channel(Posted::default());
        let place = LanePlace {
            lane: config.lanes[0].clone(),
            config: Arc::new(config),
            id: Self::id(lane),
            shared: Shared {
                list,
                entries: Arc::new(RwLock::new(EntryBook::default())),
                tariffs: Arc::new(TariffBook::default()),
                directives: DirectiveBoard::default(),
                clock_watch: ClockWatch::trusted(),
                clock: Clock::system(),
            },
            client: self.client.clone(),
            jetstream: jetstream::new(self.client.clone()),
            handle: Handle::current(),
            epoch,
            posted: posted.clone(),
            uplink: watch::channel(UplinkState::default()).0,
            events: mpsc::unbounded_channel().0,
            condition,
            heard: Arc::new(Mutex::new(LastHeard::default())),
            outputs: Outputs::new(self.nobody, 0),
            equipment: Equipment::default(),
            wakes: wakes.clone(),
        };
        let thread = std::thread::spawn(move || place.run(&wake_up));
        Placed { wakes, condition: follow, epoch: follow_epoch, posted, thread }
    }
}

impl Placed {
    async fn until(&mut self, wanted: impl Fn(&Condition) -> bool) -> Condition {
        let reached = self.condition.wait_for(|condition| wanted(condition));
        tokio::time::timeout(LONG, reached).await.expect("it comes to that").unwrap().clone()
    }

    async fn stop(mut self) {
        self.wakes.send(Wake::Stop).unwrap();
        self.until(|condition| *condition == Condition::Stopped).await;
        self.thread.join().unwrap();
    }
}

fn has_failed(condition: &Condition) -> bool {
    matches!(condition, Condition::Failed { .. })
}

fn damage(path: &Path) {
    std::fs::write(path, b"this is no journal, and never was one".repeat(200)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lane_with_a_damaged_journal_keeps_no_other_from_running() {
    let world = World::new().await;
    drop(world.journal("l01"));
    damage(&world.path("l02"));
    let (mut good, mut bad) = (world.place("l01"), world.place("l02"));
    good.until(|condition| *condition == Condition::Running).await;
    let Condition::Failed { why, .. } = bad.until(has_failed).await else { unreachable!() };
    assert!(why.contains("damaged"), "{why}");
    assert_eq!(*good.epoch.borrow(), 4);
    // A person moves the file away and a whole one is there: the lane comes by itself.
    std::fs::remove_file(world.path("l02")).unwrap();
    drop(world.journal("l02"));
    bad.until(|condition| *condition == Condition::Running).await;
    good.stop().await;
    bad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_whose_journal_somebody_holds_waits_for_it_and_says_who() {
    let world = World::new().await;
    let key = SecretKey::from_seed(&[1; 32]);
    let held = Journal::open(&world.path("l01"), World::id("l01"), key, 4, "boot".into()).unwrap();
    let mut lane = world.place("l01");
    let Condition::Failed { why, .. } = lane.until(has_failed).await else { unreachable!() };
    assert!(why.contains(&format!("process {}", std::process::id())), "{why}");
    drop(held);
    lane.until(|condition| *condition == Condition::Running).await;
    lane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_panics_comes_back_and_its_neighbour_notices_nothing() {
    let world = World::new().await;
    drop(world.journal("l01"));
    drop(world.journal("l02"));
    let (mut bad, mut good) = (world.place("l01"), world.place("l02"));
    good.until(|condition| *condition == Condition::Running).await;
    bad.until(|condition| *condition == Condition::Running).await;
    good.condition.mark_unchanged();
    bad.wakes.send(Wake::Panic).unwrap();
    let Condition::Failed { why, .. } = bad.until(has_failed).await else { unreachable!() };
    assert!(why.contains("panicked"), "{why}");
    bad.until(|condition| *condition == Condition::Running).await;
    assert!(!good.condition.has_changed().unwrap(), "the neighbour ran all the time");
    let (reply, heartbeat) = oneshot::channel();
    good.wakes.send(Wake::Health(reply)).unwrap();
    assert_eq!(heartbeat.await.unwrap().lane, World::id("l02"));
    good.stop().await;
    bad.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_journal_that_waits_for_its_epoch_can_be_told_to_stop() {
    let world = World::new().await;
    let lane = world.place("l01");
    lane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_past_the_journals_end_puts_the_old_copy_away() {
    let world = World::new().await;
    drop(world.journal("l01"));
    let mut lane = world.place("l01");
    lane.until(|condition| *condition == Condition::Running).await;
    // Of another epoch it means nothing.
    lane.wakes.send(Wake::Posted { epoch: 3, upto: 9 }).unwrap();
    let (reply, heartbeat) = oneshot::channel();
    lane.wakes.send(Wake::Health(reply)).unwrap();
    assert_eq!(heartbeat.await.unwrap().epoch, 4);
    lane.wakes.send(Wake::Posted { epoch: 4, upto: 9 }).unwrap();
    world.puts_away("l01").await;
    lane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_about_another_record_puts_the_old_copy_that_was_written_on_away() {
    let world = World::new().await;
    let mut journal = world.journal("l01");
    for minute in 1..=3 {
        append(&mut journal, minute);
    }
    let own = |seq| Some(HalfDigest::from(journal.reader().unwrap().digest(seq).unwrap().unwrap()));
    let (second, third) = (own(2), own(3));
    drop(journal);
    let mut lane = world.place("l01");
    lane.until(|condition| *condition == Condition::Running).await;
    // What the journal has itself is believed, and so is one that says nothing of it.
    lane.posted.send_replace(Posted { upto: 1, ..Posted::default() });
    lane.posted.send_replace(Posted { upto: 2, digest: second, missing: Vec::new() });
    let until = Clock::system().real() + LONG;
    loop {
        let (reply, heartbeat) = oneshot::channel();
        lane.wakes.send(Wake::Health(reply)).unwrap();
        if heartbeat.await.unwrap().posted_upto == 2 {
            break;
        }
        assert!(Clock::system().real() < until, "a receipt that fits is not believed");
    }
    assert_ne!(second, third);
    lane.posted.send_replace(Posted { upto: 3, digest: second, missing: Vec::new() });
    world.puts_away("l01").await;
    lane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_was_there_before_the_uplinks_first_turn_is_held_against_the_journal_too() {
    let world = World::new().await;
    let mut journal = world.journal("l01");
    for minute in 1..=3 {
        append(&mut journal, minute);
    }
    let reader = journal.reader().unwrap();
    let [second, third] = [2, 3].map(|seq| HalfDigest::from(reader.digest(seq).unwrap().unwrap()));
    for (digest, wanted) in [
        (second, Wake::Posted { epoch: 4, upto: 2 }),
        (third, Wake::PostedOtherwise { epoch: 4, seq: 2 }),
    ] {
        let (_written, written) = watch::channel(3);
        let (_posted, posted) =
            watch::channel(Posted { upto: 2, digest: Some(digest), missing: Vec::new() });
        let (wakes, told) = channel();
        let uplink = Uplink {
            lane: World::id("l01"),
            epoch: 4,
            journal: journal.reader().unwrap(),
            client: world.client.clone(),
            jetstream: jetstream::new(world.client.clone()),
            marks: Marks { written, posted, noted: 0 },
            wakes,
            state: watch::channel(UplinkState::default()).0,
            clock: Clock::system(),
        };
        let running = tokio::spawn(uplink.run());
        let first = tokio::task::spawn_blocking(move || told.recv_timeout(LONG));
        assert_eq!(format!("{:?}", first.await.unwrap().unwrap()), format!("{wanted:?}"));
        running.abort();
    }
}

#[test]
fn a_lane_that_does_not_run_refuses_commands_and_hears_when_to_stop() {
    assert_eq!(refuse(Wake::ListChanged, "why"), Told::Nothing);
    assert_eq!(refuse(Wake::Stop, "why"), Told::ToStop);
}

#[test]
fn a_barrier_is_only_parked_down_when_the_safety_loop_has_been_clear() {
    let clock = Clock::system();
    let mut parked = Parked {
        outputs: Outputs::new("127.0.0.1:1".parse().unwrap(), 0),
        monitor: SafetyMonitor::default(),
        wanted: Some(SafePosition::Closed),
        again_at: clock.real(),
    };
    // Nothing is known of the loop: not even a try is made, which would fail and wait.
    let before = parked.again_at;
    parked.step(clock);
    parked.sees(FieldWord::Silent, clock);
    parked.step(clock);
    assert_eq!((parked.wanted, parked.again_at), (Some(SafePosition::Closed), before));
    parked.wanted = Some(SafePosition::Open);
    parked.step(clock);
    assert!(parked.again_at > before, "opening needs no loop, and was tried");
}
