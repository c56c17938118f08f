//! One lane's place in the station: its thread, and what becomes of it when the lane ends.
//!
//! Each lane has a thread of its own that opens its journal, runs the lane, and stays when the
//! lane ends: whatever ends one lane (a journal that is blank, damaged, locked or cannot be
//! written, a key that is not there, a panic) keeps no other from starting and takes no other
//! down. A lane that has failed is *parked*: its barrier is brought into the site's safe position,
//! commands are refused with the reason, and it is tried again, less and less often.
//!
//! A journal that turns out to be an old copy is put away whole, and a blank one begins.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::jetstream::Context;
use domain::passage::LaneRole;
use domain::wire::field_io::Output;
use domain::wire::v1::{CommandAnswer, CommandReply, EventKind, LaneEvent, ReaderHealth};
use domain::{Clock, LaneId};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::ask::Asker;
use crate::config::{self, Config, ConfigError};
use crate::display::Notice;
use crate::field_io::{FieldWord, Outputs};
use crate::journal::{self, Journal, JournalError};
use crate::lane::safety::SafetyMonitor;
use crate::lane::{LanePolicy, Layout, SavedLane};
use crate::manifest::Teller;
use crate::runner::{Device, Equipment, LaneEnded, LaneError, LaneParts, LaneThread, Shared, Wake};
use crate::uplink::{Marks, Posted, Uplink, UplinkState};
use crate::{cases, desk, epoch};

/// How soon a lane that failed is tried again, in real time; doubled each time it fails.
const AGAIN_AFTER_MIN: Duration = Duration::from_secs(1);
/// The longest such wait.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(60);
/// A lane that ran for so long begins with the shortest wait again.
const RAN_WELL: Duration = Duration::from_secs(300);
/// How often a parked lane looks at what it waits for, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a barrier may take into its safe position when the process ends, in real time.
const PARK_WITHIN: Duration = Duration::from_millis(2_500);
/// A tag that was dealt with stays so for at least this long, in real time.
const DUPLICATE_WINDOW_REAL_MIN: Duration = Duration::from_secs(2);
/// Room that is made for the journal when a lane starts: more than a shift of passages.
const JOURNAL_RESERVE_LEN: u64 = 8 << 20;

/// Where the barrier of a lane that does not run is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SafePosition {
    /// Where it is.
    AsItIs,
    /// Up.
    Open,
    /// Down, as soon as the safety loop allows it.
    Closed,
}

/// How a lane's place is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It is being put together; a blank journal waits here for its epoch.
    Starting,
    /// It runs.
    Running,
    /// It has failed, and is tried again.
    Failed {
        /// Why.
        why: String,
        /// How often in a row.
        times: u32,
    },
    /// It was told to stop.
    Stopped,
}

/// Why a lane does not run.
#[derive(Debug, thiserror::Error)]
pub enum LaneTrouble {
    /// Its configuration is not usable.
    #[error("use the lane's configuration")]
    Config(#[from] ConfigError),
    /// Its journal is not usable.
    #[error("use the lane's journal")]
    Journal(#[from] JournalError),
    /// It could not be put together.
    #[error("put the lane together")]
    Build(#[from] LaneError),
    /// It has ended by itself.
    #[error("the lane has ended")]
    Ended(#[from] LaneEnded),
    /// A bug.
    #[error("the lane has panicked")]
    Panicked,
}

/// What was heard last from outside; a lane that starts anew is told it again.
#[derive(Debug, Default)]
pub struct LastHeard {
    /// Of the loops.
    pub field: Option<FieldWord>,
    /// Of the reader.
    pub reader: Option<ReaderHealth>,
    /// Of the other devices: whether they work.
    pub devices: BTreeMap<Device, bool>,
}

/// Everything of a lane that outlives the lane.
#[derive(Debug)]
pub struct LanePlace {
    /// The station's configuration.
    pub config: Arc<Config>,
    /// The lane's part of it.
    pub lane: config::Lane,
    /// The lane.
    pub id: LaneId,
    /// What it shares with the others.
    pub shared: Shared,
    /// The broker.
    pub client: Client,
    /// The same, for passages.
    pub jetstream: Context,
    /// Where its connections run.
    pub handle: Handle,
    /// Its epoch, for those who bring receipts; 0 before it has one.
    pub epoch: watch::Sender<u32>,
    /// What receipts said.
    pub posted: watch::Sender<Posted>,
    /// How its uplink is.
    pub uplink: watch::Sender<UplinkState>,
    /// Where its events go.
    pub events: mpsc::UnboundedSender<Box<LaneEvent>>,
    /// How it is.
    pub condition: watch::Sender<Condition>,
    /// What was heard last.
    pub heard: Arc<Mutex<LastHeard>>,
    /// Its arm, light and siren.
    pub outputs: Outputs,
    /// What else it has.
    pub equipment: Equipment,
    /// Its own line, for answers.
    pub wakes: Sender<Wake>,
}

/// Sends something a lane may have to be told again; the order in which it is noted is the order
/// in which it is sent.
pub fn hear(heard: &Mutex<LastHeard>, wakes: &Sender<Wake>, wake: Wake) {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    match &wake {
        Wake::Field(word) => heard.field = Some(*word),
        Wake::Reader(health) => heard.reader = Some(*health),
        Wake::Device { device, works } => drop(heard.devices.insert(*device, *works)),
        Wake::Tag { .. }
        | Wake::Plate(_)
        | Wake::Pictured(_)
        | Wake::Measured(_)
        | Wake::Reversed
        | Wake::TakenElsewhere { .. }
        | Wake::CentreAnswered { .. }
        | Wake::CasesSent { .. }
        | Wake::Command(..)
        | Wake::ListChanged
        | Wake::Posted { .. }
        | Wake::PostedOtherwise { .. }
        | Wake::Health(_)
        | Wake::Stop => {}
        #[cfg(test)]
        Wake::Panic => {}
    }
    // A place that has ended hears nothing any more.
    drop(wakes.send(wake));
}

/// A task that ends with its owner.
struct Task {
    handle: Handle,
    task: Option<JoinHandle<()>>,
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Its connection to the journal must be closed before the file may be put away.
            drop(self.handle.block_on(task));
        }
    }
}

impl LanePlace {
    /// Runs the lane, and again whenever it failed, until told to stop. For a thread of its own.
    pub fn run(self, wakes: &Receiver<Wake>) {
        let clock = self.shared.clock;
        let mut again_after = AGAIN_AFTER_MIN;
        let mut times = 0;
        let mut inherited = None;
        loop {
            self.condition.send_replace(Condition::Starting);
            let began = clock.real();
            let lane = AssertUnwindSafe(|| self.serve(wakes, inherited.take()));
            let trouble = match catch_unwind(lane).unwrap_or(Err(LaneTrouble::Panicked)) {
                Ok(()) => break,
                Err(trouble) => trouble,
            };
            if clock.real().duration_since(began) > RAN_WELL {
                (again_after, times) = (AGAIN_AFTER_MIN, 0);
            }
            times += 1;
            self.report(&trouble, times);
            let mut wait = again_after;
            if let Some(saved) = rolled_back(&trouble)
                && self.put_away()
            {
                (inherited, wait) = (saved, Duration::ZERO);
            }
            let until = clock.real() + wait;
            if self.wait(wakes, &trouble, || clock.real() >= until) == Told::ToStop {
                break;
            }
            again_after = (again_after * 2).min(AGAIN_AFTER_MAX);
        }
        let until = clock.real() + PARK_WITHIN;
        let mut parked = self.parked();
        while parked.wanted.is_some() && clock.real() < until {
            parked.step(clock);
            std::thread::park_timeout(LOOK_EVERY);
        }
        self.condition.send_replace(Condition::Stopped);
    }

    /// Puts the lane together and runs it until it is told to stop.
    fn serve(
        &self,
        wakes: &Receiver<Wake>,
        inherited: Option<SavedLane>,
    ) -> Result<(), LaneTrouble> {
        let Some(mut journal) = self.open_journal(wakes)? else { return Ok(()) };
        if let Some(saved) = inherited {
            journal.inherit(&saved)?;
        }
        if let Err(error) = journal.reserve(JOURNAL_RESERVE_LEN) {
            // It may be written all the same, as far as there is room.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(lane.id = %self.id, error, "no room was made for the journal");
        }
        let epoch = journal.epoch();
        let upto = journal.posted_upto()?;
        self.epoch.send_replace(epoch);
        self.posted.send_replace(Posted { upto, ..Posted::default() });
        let (written, follow_written) = watch::channel(journal.last_seq());
        let (say, words) = mpsc::unbounded_channel();
        let (reader, case_reader) = (journal.reader()?, journal.reader()?);
        let telling = self.teller(epoch)?.run(journal.reader()?);
        let marks = Marks { written: follow_written, posted: self.posted.subscribe(), noted: upto };
        let mut thread = LaneThread::try_new(LaneParts {
            id: self.id.clone(),
            role: LaneRole::from(self.lane.role),
            policy: policy(&self.config, self.shared.clock),
            journal,
            outputs: self.outputs.another(),
            shared: self.shared.clone(),
            words: say,
            keep_records: self.config.policy.keep_records,
            journal_policy: self.config.policy.journal(),
            equipment: self.equipment.clone(),
        })?;
        {
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            // What is in the queue is older than what was heard last, and than this lane's own
            // uplink, which begins after it.
            while let Ok(wake) = wakes.try_recv() {
                if refuse(wake, "the lane has just started") == Told::ToStop {
                    return Ok(());
                }
            }
            let reader = heard.reader.map(Wake::Reader);
            let devices = heard.devices.iter();
            let devices =
                devices.map(|(device, works)| Wake::Device { device: *device, works: *works });
            reader
                .into_iter()
                .chain(heard.field.map(Wake::Field))
                .chain(devices)
                .for_each(|wake| thread.wake(wake));
        }
        let uplink = Uplink {
            lane: self.id.clone(),
            epoch,
            journal: reader,
            client: self.client.clone(),
            jetstream: self.jetstream.clone(),
            marks,
            wakes: self.wakes.clone(),
            state: self.uplink.clone(),
            clock: self.shared.clock,
        };
        let _uplink = self.task(uplink.run());
        let sending = cases::run(
            (self.id.clone(), epoch),
            case_reader,
            (self.client.clone(), self.jetstream.clone()),
            Arc::clone(&self.equipment.case_noted),
            self.wakes.clone(),
        );
        let _cases = self.task(sending);
        let _manifests = self.task(telling);
        self.handle.spawn(desk::words(self.asker()?, words, written, self.events.clone()));
        self.condition.send_replace(Condition::Running);
        Ok(thread.run(wakes)?)
    }

    fn task(&self, work: impl Future<Output = ()> + Send + 'static) -> Task {
        Task { handle: self.handle.clone(), task: Some(self.handle.spawn(work)) }
    }

    fn teller(&self, epoch: u32) -> Result<Teller, LaneTrouble> {
        let layout = policy(&self.config, self.shared.clock).layout;
        Ok(Teller {
            lane: self.id.clone(),
            epoch,
            key: self.lane.key()?,
            centre: self.config.centre.public_key,
            client: self.client.clone(),
            clock: self.shared.clock,
            loops_count: layout == Layout::Barrier,
        })
    }

    fn asker(&self) -> Result<Asker, LaneTrouble> {
        Ok(Asker {
            lane: self.id.clone(),
            key: self.lane.key()?,
            centre: self.config.centre.public_key,
            client: self.client.clone(),
            clock: self.shared.clock,
            within: Duration::from_millis(self.config.policy.question_ms),
            wakes: self.wakes.clone(),
        })
    }

    /// Opens the lane's journal; a blank one needs the centre once, for its epoch. Nothing where
    /// the lane is told to stop meanwhile.
    fn open_journal(&self, wakes: &Receiver<Wake>) -> Result<Option<Journal>, LaneTrouble> {
        let key = self.lane.key()?;
        let path = self.journal_path();
        let identity = Journal::identify(&path, &self.id)?;
        let epoch = if let Some(epoch) = identity.epoch {
            epoch
        } else {
            let (tell, mut granted) = oneshot::channel();
            let (id, centre) = (self.id.clone(), self.config.centre.public_key);
            let asking =
                epoch::granted(id, key.clone(), identity.journal, centre, self.client.clone());
            let asking = self.handle.spawn(async move {
                // A place that has stopped meanwhile needs no epoch.
                let _unheard = tell.send(asking.await);
            });
            let _asking = Task { handle: self.handle.clone(), task: Some(asking) };
            let mut epoch = None;
            let answered = || {
                epoch = granted.try_recv().ok();
                epoch.is_some()
            };
            let told = self.wait_for(wakes, "its journal is blank and has no epoch yet", answered);
            match (told, epoch) {
                (Told::Nothing, Some(epoch)) => epoch,
                (Told::ToStop, _) | (Told::Nothing, None) => return Ok(None),
            }
        };
        let boot = format!("{}-{}", self.shared.clock.now().as_millisecond(), std::process::id());
        Ok(Some(Journal::open(&path, self.id.clone(), key, epoch, boot)?))
    }

    fn journal_path(&self) -> PathBuf {
        self.config.data.folder.join(format!("{}.journal", self.id.lane()))
    }

    /// Puts an old copy away; tells whether that was done.
    fn put_away(&self) -> bool {
        match journal::retire(&self.journal_path(), "rolled-back") {
            Ok(away) => {
                let name = away.file_name().unwrap_or_default().to_string_lossy().into_owned();
                tracing::error!(lane.id = %self.id, name, "an old copy of the journal is put away");
                true
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(lane.id = %self.id, error, "an old copy was not put away");
                false
            }
        }
    }

    fn report(&self, trouble: &LaneTrouble, times: u32) {
        let error = trouble as &dyn std::error::Error;
        tracing::error!(lane.id = %self.id, error, times, "the lane has failed, the others go on");
        self.condition.send_replace(Condition::Failed { why: in_full(trouble), times });
        let kind = EventKind::Alarm { text: format!("the lane has stopped: {}", in_full(trouble)) };
        let at = self.shared.clock.now();
        let event = LaneEvent { v: 1, lane: self.id.clone(), at, kind };
        // Nobody carries events any more when the process ends.
        drop(self.events.send(Box::new(event)));
    }

    fn wait(
        &self,
        wakes: &Receiver<Wake>,
        trouble: &LaneTrouble,
        is_over: impl FnMut() -> bool,
    ) -> Told {
        self.wait_for(wakes, &format!("the lane has stopped: {}", in_full(trouble)), is_over)
    }

    /// Keeps the lane parked until something is over.
    fn wait_for(
        &self,
        wakes: &Receiver<Wake>,
        why: &str,
        mut is_over: impl FnMut() -> bool,
    ) -> Told {
        let mut parked = self.parked();
        while !is_over() {
            match wakes.recv_timeout(LOOK_EVERY) {
                Ok(Wake::Field(word)) => parked.sees(word, self.shared.clock),
                Ok(wake) => {
                    if refuse(wake, why) == Told::ToStop {
                        return Told::ToStop;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Told::ToStop,
            }
            parked.step(self.shared.clock);
        }
        Told::Nothing
    }

    fn parked(&self) -> Parked {
        self.equipment.displays.iter().for_each(|display| display.show(Notice::LaneClosed));
        let wanted =
            Some(self.config.policy.safe_position()).filter(|at| *at != SafePosition::AsItIs);
        let mut parked = Parked {
            outputs: self.outputs.another(),
            monitor: SafetyMonitor::default(),
            wanted,
            again_at: self.shared.clock.real(),
        };
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(word) = heard.field {
            parked.sees(word, self.shared.clock);
        }
        parked
    }
}

/// What a waiting place was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    ToStop,
}

/// Answers for a lane that does not run.
fn refuse(wake: Wake, why: &str) -> Told {
    match wake {
        Wake::Stop => return Told::ToStop,
        Wake::Command(order, reply) => {
            let answer = CommandAnswer::Refused { why: why.to_owned() };
            // Whoever asked may have gone.
            drop(reply.send(CommandReply { v: 1, id: order.command.id, answer }));
        }
        // A lane that does not run has no heart that beats: who asks hears nothing.
        Wake::Health(_)
        | Wake::Tag { .. }
        | Wake::Plate(_)
        | Wake::Pictured(_)
        | Wake::Measured(_)
        | Wake::Reversed
        | Wake::Device { .. }
        | Wake::TakenElsewhere { .. }
        | Wake::CentreAnswered { .. }
        | Wake::CasesSent { .. }
        | Wake::Reader(_)
        | Wake::Field(_)
        | Wake::ListChanged
        | Wake::Posted { .. }
        | Wake::PostedOtherwise { .. } => {}
        #[cfg(test)]
        Wake::Panic => {}
    }
    Told::Nothing
}

/// The state of a lane whose journal was an old copy; nothing where that is not what ended it.
fn rolled_back(trouble: &LaneTrouble) -> Option<Option<SavedLane>> {
    match trouble {
        // What an old copy remembers of the lane is old, too.
        LaneTrouble::Journal(JournalError::RolledBack { .. }) => Some(None),
        LaneTrouble::Ended(
            LaneEnded::RolledBack { saved, .. } | LaneEnded::UsedTwice { saved, .. },
        ) => Some(Some((**saved).clone())),
        LaneTrouble::Config(_)
        | LaneTrouble::Journal(_)
        | LaneTrouble::Build(_)
        | LaneTrouble::Ended(LaneEnded::Journal(_))
        | LaneTrouble::Panicked => None,
    }
}

fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The barrier of a lane that does not run.
struct Parked {
    outputs: Outputs,
    monitor: SafetyMonitor,
    wanted: Option<SafePosition>,
    again_at: Instant,
}

impl Parked {
    fn sees(&mut self, word: FieldWord, clock: Clock) {
        let occupied = match word {
            FieldWord::Reads { reading, .. } => Some(reading.inputs.safety),
            FieldWord::Silent => None,
        };
        self.monitor.sees(occupied, true, clock.uptime());
    }

    /// Brings the barrier into its position, as far as that can be done now.
    fn step(&mut self, clock: Clock) {
        if clock.real() < self.again_at {
            return;
        }
        let done = match self.wanted {
            None | Some(SafePosition::AsItIs) => Ok(true),
            Some(SafePosition::Open) => self.outputs.open().map(|()| true),
            Some(SafePosition::Closed) if self.monitor.may_close(clock.uptime()) => self
                .outputs
                .set(Output::Green, false)
                .and_then(|()| self.outputs.set(Output::Close, true))
                .map(|()| true),
            Some(SafePosition::Closed) => Ok(false),
        };
        match done {
            Ok(true) => self.wanted = None,
            Ok(false) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "a barrier is not in its safe position yet");
                self.again_at = clock.real() + AGAIN_AFTER_MIN;
            }
        }
    }
}

/// The configured policy; in a run that is faster than life, what only guards against a busy
/// machine does not shrink with the run.
fn policy(config: &Config, clock: Clock) -> LanePolicy {
    let policy = LanePolicy::from(config.policy);
    let least = DUPLICATE_WINDOW_REAL_MIN.mul_f64(clock.speed());
    let duplicate_window = policy.duplicate_window.max(least);
    // The centre answers in real time.
    let question = policy.question.mul_f64(clock.speed());
    if clock.speed() > 1.0 {
        // The loops are not read often enough then to tell a loop that chatters from two vehicles.
        let (same_vehicle, shortest_vehicle) = (Duration::ZERO, Duration::ZERO);
        return LanePolicy { duplicate_window, same_vehicle, shortest_vehicle, question, ..policy };
    }
    LanePolicy { duplicate_window, question, ..policy }
}

#[cfg(test)]
mod tests;
