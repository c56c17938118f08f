//! A lane's thread with a real journal whose disk does not answer. Its module is not there: that
//! the arm was to go up is seen by the complaint that it did not.

use std::path::Path;
use std::sync::mpsc::channel;

use domain::account_list::{AccountList, ListChange, ListEntry, ListStatus};
use domain::signature::{Context, Digest256, SecretKey};
use domain::wire::v1::{Command, DeltaRecord, LaneMode, PictureKind, Pictured, Verb, emit};
use rusqlite::Connection;

use super::*;
use crate::journal::tests::{lane, open};
use crate::lane::Inputs;
use crate::list::SignedMessage;
use crate::list::guard::ListSettings;
use crate::pictures::{Outbox, SendPictures};

const OPENS: &str = "the arm was not raised";
const FAILS: &str = "the journal cannot be written in time";
const BACK: &str = "the journal is written again, everything is on the disk";

fn tag(serial: u8) -> TagId {
    TagId::try_from_slice(&[0x34, 0x16, 0, serial]).unwrap()
}

struct World {
    wakes: std::sync::mpsc::Sender<Wake>,
    words: mpsc::UnboundedReceiver<Word>,
    thread: std::thread::JoinHandle<Result<(), LaneEnded>>,
    rises: u16,
    disk: Option<Connection>,
    folder: tempfile::TempDir,
}

impl World {
    /// A lane whose disk stops answering before the first vehicle comes.
    fn with(journal_policy: JournalPolicy) -> Self {
        Self::again(journal_policy, tempfile::tempdir().unwrap())
    }

    /// The same, where a lane was before.
    fn again(journal_policy: JournalPolicy, folder: tempfile::TempDir) -> Self {
        Self::sending(journal_policy, folder, Outbox::default())
    }

    /// The same, with a box that pictures to be sent are put into.
    fn sending(journal_policy: JournalPolicy, folder: tempfile::TempDir, outbox: Outbox) -> Self {
        let path = folder.path().join("l01.journal");
        let journal = open(&path).unwrap();
        let (wakes, wake_up) = channel();
        let (say, words) = mpsc::unbounded_channel();
        let thread = LaneThread::try_new(LaneParts {
            id: lane(),
            role: LaneRole::Open,
            policy: LanePolicy { same_vehicle: Duration::ZERO, ..LanePolicy::default() },
            journal,
            outputs: Outputs::new("127.0.0.1:1".parse().unwrap(), 0),
            shared: shared(folder.path()),
            words: say,
            keep_records: 10,
            journal_policy,
            equipment: Equipment {
                outbox,
                mode_file: Some(folder.path().join("l01.mode")),
                ..Equipment::default()
            },
        })
        .unwrap();
        let disk = Connection::open(&path).unwrap();
        disk.execute_batch("begin immediate").unwrap();
        let thread = std::thread::spawn(move || thread.run(&wake_up));
        let mut world = Self { wakes, words, thread, rises: 0, disk: Some(disk), folder };
        world.loops(false);
        world
    }

    fn loops(&mut self, presence: bool) {
        let inputs = Inputs {
            presence,
            presence_rises: self.rises,
            presence_falls: self.rises - u16::from(presence),
            ..Inputs::default()
        };
        let reading = Reading { inputs, ..Reading::default() };
        let at = Clock::system().real();
        self.wakes.send(Wake::Field(FieldWord::Reads { reading, at })).unwrap();
    }

    /// A vehicle with a good tag comes onto the loop and goes on to the arm.
    fn comes(&mut self, serial: u8) {
        self.rises += 1;
        self.loops(true);
        let at = Clock::system().real();
        self.wakes.send(Wake::Tag { tag: tag(serial), at, waited: Duration::ZERO }).unwrap();
        self.loops(false);
    }

    /// Everything that was said, up to an alarm and with it.
    fn told_until(&mut self, wanted: &str) -> Vec<String> {
        let mut told = Vec::new();
        while told.last().is_none_or(|last| last != wanted) {
            let word = self.words.blocking_recv().expect("the lane goes on");
            if let Word::Event(event) = word
                && let EventKind::Alarm { text } = event.kind
            {
                told.push(text);
            }
        }
        told
    }

    /// Orders something of the lane; its answer.
    fn orders(&self, id: &str, verb: Verb) -> CommandAnswer {
        let now = Clock::system().now();
        let command = Command {
            v: 1,
            id: id.to_owned(),
            lane: lane(),
            call: 0,
            attendant: "binh".to_owned(),
            second: None,
            issued_at: now,
            expires_at: now.saturating_add(Duration::from_secs(10)).unwrap(),
            verb,
        };
        let (reply, answer) = oneshot::channel();
        let order = Box::new(SignedOrder { command, signers: Vec::new() });
        self.wakes.send(Wake::Command(order, reply)).unwrap();
        answer.blocking_recv().unwrap().answer
    }

    fn heartbeat(&self) -> Heartbeat {
        let (reply, heartbeat) = oneshot::channel();
        self.wakes.send(Wake::Health(reply)).unwrap();
        heartbeat.blocking_recv().unwrap()
    }

    fn stop(self) -> u64 {
        self.end().0
    }

    /// Ends the lane: its last sequence, and what it leaves.
    fn end(mut self) -> (u64, tempfile::TempDir) {
        self.disk = None;
        self.wakes.send(Wake::Stop).unwrap();
        self.thread.join().unwrap().unwrap();
        // The scribe's thread lets go of the file when it has written everything.
        let path = self.folder.path().join("l01.journal");
        loop {
            match open(&path) {
                Ok(journal) => return (journal.last_seq(), self.folder),
                Err(JournalError::InUse { .. }) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn shared(folder: &Path) -> Shared {
    let centre = SecretKey::from_seed(&[9; 32]);
    let entry = |serial| ListEntry {
        tag: tag(serial),
        status: ListStatus::Good,
        group: VehicleGroup::try_new(1).unwrap(),
        exempt: true,
        pass: None,
    };
    let changes = (1..=3).map(entry).map(ListChange::Upsert).collect();
    let clock = Clock::system();
    let payload = emit(&DeltaRecord::from(AccountList::default().plan(changes, clock.now())));
    let signature = centre.sign(Context::List, &payload).to_text();
    let list = ListStore::open(&folder.join("list"), centre.public(), ListSettings::default());
    let list = list.unwrap();
    if list.view().version() == 0 {
        list.apply(&SignedMessage::try_new(&payload, Some(&signature)).unwrap()).unwrap();
    }
    Shared {
        list,
        entries: Arc::new(RwLock::new(EntryBook::default())),
        tariffs: Arc::new(TariffBook::default()),
        clock,
        directives: DirectiveBoard::default(),
        clock_watch: ClockWatch::trusted(),
    }
}

fn policy(when_failing: WhenFailing, memory_max: usize) -> JournalPolicy {
    JournalPolicy {
        wait_max: Duration::from_millis(50),
        memory_max,
        when_failing,
        ..JournalPolicy::default()
    }
}

#[test]
fn where_a_site_would_rather_hold_nothing_opens_before_the_disk_has_it() {
    let mut world = World::with(policy(WhenFailing::Hold, 5));
    world.comes(1);
    assert!(!world.told_until(FAILS).contains(&OPENS.to_owned()));
    assert_eq!(world.heartbeat().unwritten, Some(1), "the lane goes on listening");
    world.disk = None;
    let told = world.told_until(OPENS);
    assert!(told.contains(&BACK.to_owned()), "{told:?}");
    assert_eq!(world.stop(), 1);
}

#[test]
fn where_a_site_goes_on_a_full_memory_holds_and_room_lets_the_next_go() {
    let mut world = World::with(policy(WhenFailing::GoOn, 1));
    world.comes(1);
    assert!(!world.told_until(OPENS).contains(&BACK.to_owned()), "it goes before the disk has it");
    world.comes(2);
    world.told_until("nothing more can be kept, the lane holds");
    assert_eq!(world.heartbeat().unwritten, Some(1), "memory is bounded");
    world.disk = None;
    world.told_until(BACK);
    assert_eq!(world.stop(), 2, "the passage that was held is written, too");
}

fn mode_of(world: &World) -> LaneMode {
    world.heartbeat().vitals.unwrap().mode.unwrap()
}

#[test]
fn the_mode_that_the_desk_ordered_survives_a_restart_and_an_order_is_carried_out_once() {
    let world = World::with(policy(WhenFailing::GoOn, 5));
    assert_eq!(mode_of(&world), LaneMode::Automatic);
    let closed = || Verb::SetMode { mode: LaneMode::Closed };
    assert_eq!(world.orders("c-1", closed()), CommandAnswer::Obeyed);
    assert_eq!(mode_of(&world), LaneMode::Closed);
    let open = || Verb::SetMode { mode: LaneMode::Automatic };
    assert_eq!(world.orders("c-2", open()), CommandAnswer::Obeyed);
    // Whoever sends the first one once more gets its answer, and nothing is done.
    assert_eq!(world.orders("c-1", closed()), CommandAnswer::Obeyed);
    assert_eq!(mode_of(&world), LaneMode::Automatic);
    assert_eq!(world.orders("c-3", closed()), CommandAnswer::Obeyed);
    let (_, folder) = world.end();
    let world = World::again(policy(WhenFailing::GoOn, 5), folder);
    assert_eq!(mode_of(&world), LaneMode::Closed);
    assert_eq!(world.orders("c-4", open()), CommandAnswer::Obeyed);
    let (_, folder) = world.end();
    std::fs::write(folder.path().join("l01.mode"), "torn").unwrap();
    let world = World::again(policy(WhenFailing::GoOn, 5), folder);
    assert_eq!(mode_of(&world), LaneMode::Automatic);
    world.stop();
}

#[test]
fn nothing_is_read_again_by_a_reader_that_is_away() {
    let world = World::with(policy(WhenFailing::GoOn, 5));
    let why = "the reader does not read".to_owned();
    assert_eq!(world.orders("c-1", Verb::RetryRead), CommandAnswer::Refused { why });
    world.stop();
}

fn picture(number: u8) -> PictureRecord {
    PictureRecord { digest: Digest256::of(&[number]), kind: PictureKind::Unknown, len: 1 }
}

/// What a lane has put into its box after a vehicle with a good tag came, and after one whose tag
/// nobody knows, of which a camera took another picture when a person was called already.
fn pictures_put(send: SendPictures) -> [Vec<(Pictured, Vec<PictureRecord>)>; 2] {
    let outbox = Outbox::new(send);
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::sending(policy(WhenFailing::GoOn, 5), folder, outbox.clone());
    world.disk = None;
    [1, 9].map(|serial| {
        world.rises += 1;
        world.loops(true);
        world.wakes.send(Wake::Pictured(vec![picture(serial)])).unwrap();
        let at = Clock::system().real();
        world.wakes.send(Wake::Tag { tag: tag(serial), at, waited: Duration::ZERO }).unwrap();
        world.wakes.send(Wake::Pictured(vec![picture(serial + 1)])).unwrap();
        world.loops(false);
        // Everything before this has been done when it is answered.
        world.heartbeat();
        let taken = std::iter::from_fn(|| outbox.take());
        taken.map(|entry| (entry.of, entry.pictures)).collect()
    })
}

#[test]
fn pictures_are_sent_of_who_is_called_for_of_all_or_of_nobody_as_the_site_has_it() {
    let called = (Pictured::Call { call: 1 }, vec![picture(9), picture(10)]);
    let passed = (Pictured::Passage { epoch: 1, seq: 1 }, vec![picture(1), picture(2)]);
    assert_eq!(pictures_put(SendPictures::Exceptions), [vec![], vec![called.clone()]]);
    assert_eq!(pictures_put(SendPictures::All), [vec![passed], vec![called]]);
    assert_eq!(pictures_put(SendPictures::None), [vec![], vec![]]);
}
