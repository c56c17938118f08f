//! One lane's thread: takes what happened, asks the core, carries out what it says.
//!
//! Everything that wakes a lane is one enum. Actions are carried out in the order given, and a
//! passage is on the disk before the action behind it begins, or kept as `record` tells. Latencies
//! are taken in real time, from the instant at which the last fact was here that the decision needed: the last byte of the
//! tag's frame, or the loop's edge where the tag was read before its vehicle came.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use domain::order::SignedOrder;
use domain::passage::{ClockQuality, LaneRole};
use domain::tariff::TariffBook;
use domain::wire::field_io::Output;
use domain::wire::v1::{
    CommandAnswer, CommandReply, EventKind, Heartbeat, LaneEvent, PictureRecord, ReaderHealth,
};
use domain::{Clock, Currency, LaneId, PassageId, Plate, TagId, Timestamp, VehicleGroup};
use tokio::sync::{mpsc, oneshot};

use crate::ask::Question;
use crate::clock_quality::ClockWatch;
use crate::directives::{DirectiveBoard, Directives, amended};
use crate::display::Notice;
use crate::entries::EntryBook;
use crate::field_io::{FieldError, FieldWord, Outputs, Reading};
use crate::journal::{CaseNote, Journal, JournalError, Scribe, ScribeEnded};
use crate::lane::safety::SafetyMonitor;
use crate::lane::{
    Action, Case, CentreAnswer, Certainty, Event, Knowledge, Lane, LanePolicy, SavedLane,
};
use crate::list::ListStore;

mod equipment;
mod heartbeat;
mod orders;
mod pictured;
mod receipts;
mod record;
mod sensed;
mod shown;

use self::equipment::Roll;
pub use self::equipment::{Device, Equipment};
use self::orders::Orders;
use self::record::{Held, LOOK_EVERY};
pub use self::record::{JournalPolicy, WhenFailing};
use self::shown::Dossiers;

/// Why a lane's thread could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The journal cannot be read.
    #[error("read the lane's journal")]
    Journal(#[from] JournalError),
    /// The system gives no thread.
    #[error("start the journal's thread")]
    Thread(#[source] std::io::Error),
}

/// Why a lane's thread has ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum LaneEnded {
    /// The journal can no longer be written.
    #[error("the journal has failed for good")]
    Journal(#[source] ScribeEnded),
    /// The journal is an old copy: its numbers have been used.
    #[error("receipts go up to {posted_upto}, the journal to {last}: an old copy")]
    RolledBack {
        /// The journal's last sequence.
        last: u64,
        /// The receipt's watermark.
        posted_upto: u64,
        /// The lane as it is now, for the journal that follows.
        saved: Box<SavedLane>,
    },
    /// The journal is an old copy: it has used numbers that were used before.
    #[error("another passage than this journal's is posted under {seq}: an old copy, written on")]
    UsedTwice {
        /// The number.
        seq: u64,
        /// The lane as it is now, for the journal that follows.
        saved: Box<SavedLane>,
    },
}

/// What a station's lanes share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The account list.
    pub list: ListStore,
    /// Entries onto the road.
    pub entries: Arc<RwLock<EntryBook>>,
    /// The tariffs of the configuration.
    pub tariffs: Arc<TariffBook>,
    /// What the centre wants to be so.
    pub directives: DirectiveBoard,
    /// What is known of the wall clock.
    pub clock_watch: ClockWatch,
    /// The run's clock.
    pub clock: Clock,
}

/// What a camera read.
#[derive(Debug)]
pub struct PlateRead {
    /// The plate.
    pub plate: Plate,
    /// Whether the camera is as sure as the site asks.
    pub certainty: Certainty,
    /// What it looked like.
    pub pictures: Vec<PictureRecord>,
}

/// Everything that wakes a lane.
#[derive(Debug)]
pub enum Wake {
    /// A tag was read.
    Tag {
        /// Which.
        tag: TagId,
        /// When its frame was complete here.
        at: Instant,
        /// How long it had waited on its way by then, in run time.
        waited: Duration,
    },
    /// The reader's health changed.
    Reader(ReaderHealth),
    /// The loops.
    Field(FieldWord),
    /// A camera has read a plate.
    Plate(PlateRead),
    /// A camera has taken pictures, and read no plate.
    Pictured(Vec<PictureRecord>),
    /// A classifier has measured a vehicle.
    Measured(VehicleGroup),
    /// A classifier saw a vehicle go out backwards.
    Reversed,
    /// A device works, for the first time or again, or is lost.
    Device {
        /// Which.
        device: Device,
        /// Whether it works.
        works: bool,
    },
    /// Another lane of the station let the vehicle of this tag through.
    TakenElsewhere {
        /// The tag.
        tag: TagId,
    },
    /// The centre answered the question about a vehicle, or did not in time.
    CentreAnswered {
        /// The vehicle.
        vehicle: u64,
        /// The answer.
        answer: CentreAnswer,
    },
    /// The broker has the lane's cases up to this number.
    CasesSent {
        /// The number.
        upto: u64,
    },
    /// An order that is proved, as far as this lane's site asks, and where its reply goes.
    Command(Box<SignedOrder>, oneshot::Sender<CommandReply>),
    /// The account list changed.
    ListChanged,
    /// The clearing house has everything up to here.
    Posted {
        /// The epoch it is about.
        epoch: u32,
        /// The watermark.
        upto: u64,
    },
    /// What the clearing house has under this number is not what the journal has.
    PostedOtherwise {
        /// The epoch it is about.
        epoch: u32,
        /// The number.
        seq: u64,
    },
    /// Somebody asks how the lane is.
    Health(oneshot::Sender<Heartbeat>),
    /// The process ends.
    Stop,
    /// A bug.
    #[cfg(test)]
    Panic,
}

/// What a lane tells the outside.
#[derive(Debug, Clone)]
pub enum Word {
    /// An event, for people who watch.
    Event(Box<LaneEvent>),
    /// A passage was written: there is something to send.
    Written {
        /// Its sequence.
        seq: u64,
    },
    /// A question for the centre.
    Ask(Question),
}

/// How many passages' causes are remembered for the latency to the receipt.
const CAUSES_MAX: usize = 10_000;
/// How long to wait before an output that failed is set again, in real time.
const OUTPUT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What a lane is put together from.
#[derive(Debug)]
pub struct LaneParts {
    /// The lane.
    pub id: LaneId,
    /// What it is for.
    pub role: LaneRole,
    /// How it behaves.
    pub policy: LanePolicy,
    /// Its journal.
    pub journal: Journal,
    /// Its arm, light and siren.
    pub outputs: Outputs,
    /// What it shares with the station's other lanes.
    pub shared: Shared,
    /// Where it tells what it does.
    pub words: mpsc::UnboundedSender<Word>,
    /// How many posted records are kept at most.
    pub keep_records: u64,
    /// How far it depends on its disk.
    pub journal_policy: JournalPolicy,
    /// What else it has.
    pub equipment: Equipment,
}

/// A lane with its devices.
#[derive(Debug)]
pub struct LaneThread {
    id: LaneId,
    role: LaneRole,
    lane: Lane,
    /// As the configuration has it.
    policy: LanePolicy,
    /// The version of the directive that the lane works by.
    directive: Option<u64>,
    /// What was commanded before is not for this lane.
    started_at: Timestamp,
    scribe: Scribe,
    journal_policy: JournalPolicy,
    held: Held,
    /// Why the lane is to end; nothing is carried out any more.
    over: Option<LaneEnded>,
    outputs: Outputs,
    shared: Shared,
    words: mpsc::UnboundedSender<Word>,
    saved: Option<SavedLane>,
    field: Option<Reading>,
    field_lost: bool,
    monitor: SafetyMonitor,
    open_wanted: bool,
    close_wanted: bool,
    /// When an output that failed is tried again.
    output_again_at: Option<Duration>,
    reader: ReaderHealth,
    posted_upto: u64,
    keep_records: u64,
    /// When the fact was here that the event in hand is about: a tag's frame, a loop's edge.
    caused_at: Option<Instant>,
    cause_of_seq: BTreeMap<u64, Instant>,
    orders: Orders,
    last_written: Option<PassageId>,
    equipment: Equipment,
    roll: Roll,
    dossiers: Dossiers,
    currency: Currency,
    /// What the panels show.
    shown: Option<Notice>,
}

impl LaneThread {
    /// Puts a lane together.
    ///
    /// # Errors
    /// When the journal cannot be read, or the system gives no thread.
    pub fn try_new(parts: LaneParts) -> Result<Self, LaneError> {
        let LaneParts { id, role, policy, journal, outputs, shared, words, .. } = parts;
        let (keep_records, journal_policy) = (parts.keep_records, parts.journal_policy);
        let equipment = parts.equipment;
        let roll = Roll::new(&equipment.expected, equipment.patient_until);
        let currency = shared.tariffs.versions().last().map(|tariff| tariff.currency);
        let mut lane = Lane::new(id.clone(), role, policy);
        let orders = Orders::kept(equipment.mode_file.as_deref());
        lane.keep_mode(orders.mode());
        let saved = journal.saved_lane()?;
        let posted_upto = journal.posted_upto()?;
        let JournalPolicy { wait_max, memory_max, .. } = journal_policy;
        let scribe = Scribe::start(journal, shared.clock, wait_max, memory_max)
            .map_err(LaneError::Thread)?;
        Ok(Self {
            id,
            role,
            lane,
            policy,
            directive: None,
            started_at: shared.clock.now(),
            scribe,
            journal_policy,
            held: Held::default(),
            over: None,
            outputs,
            shared,
            words,
            saved,
            field: None,
            field_lost: false,
            monitor: SafetyMonitor::default(),
            open_wanted: false,
            close_wanted: false,
            output_again_at: None,
            reader: ReaderHealth::Away,
            posted_upto,
            keep_records,
            caused_at: None,
            cause_of_seq: BTreeMap::new(),
            orders,
            last_written: None,
            equipment,
            roll,
            dossiers: Dossiers::default(),
            currency: currency.unwrap_or(Currency::VND),
            shown: None,
        })
    }

    /// Runs the lane until it is told to stop.
    ///
    /// # Errors
    /// When it cannot go on with this journal.
    pub fn run(mut self, wakes: &Receiver<Wake>) -> Result<(), LaneEnded> {
        self.outputs.connect();
        self.show();
        while self.over.is_none() {
            let wake = match self.next_deadline() {
                None => wakes.recv().map_err(|_closed| RecvTimeoutError::Disconnected),
                Some(at) => {
                    let wait = at.saturating_duration_since(self.shared.clock.real());
                    wakes.recv_timeout(wait)
                }
            };
            match wake {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(wake) => self.wake(wake),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // What has arrived is older than what is due: a late tag is not beaten by its deadline.
            while let Ok(wake) = wakes.try_recv() {
                if matches!(wake, Wake::Stop) {
                    return self.finish();
                }
                self.wake(wake);
            }
            self.do_what_is_due();
        }
        self.finish()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let core = self.lane.next_deadline();
        let closing = self.close_wanted.then(|| self.monitor.may_close_at()).flatten();
        let closing = closing.map(|at| at.max(self.output_again_at.unwrap_or_default()));
        let opening = self.output_again_at.filter(|_| self.open_wanted);
        let due = core.into_iter().chain(closing).chain(opening).min();
        let due = due.map(|at| self.shared.clock.real_at(at));
        let look = self.journal_is_behind().then(|| self.shared.clock.real() + LOOK_EVERY);
        due.into_iter().chain(look).chain(self.roll.due_at()).min()
    }

    fn do_what_is_due(&mut self) {
        self.look_at_journal();
        if self.roll.due_at().is_some_and(|at| at <= self.shared.clock.real()) {
            self.tell_devices();
        }
        let now = self.shared.clock.uptime();
        if self.lane.next_deadline().is_some_and(|at| at <= now) {
            self.ask(|lane, known| lane.handle_deadline(now, known));
        }
        if self.output_again_at.is_some_and(|at| at > now) {
            return;
        }
        if self.open_wanted && self.over.is_none() {
            self.open();
        }
        if self.close_wanted && self.monitor.may_close(now) {
            let done = self.set(Output::Green, false) && self.set(Output::Close, true);
            self.close_wanted = !done;
        }
    }

    pub(crate) fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Tag { tag, at, waited } => {
                self.caused_at = Some(at);
                let read_at = self.shared.clock.uptime_at(at).saturating_sub(waited);
                self.event(Event::TagSeen { tag, at: read_at });
                self.caused_at = None;
            }
            Wake::Reader(health) => {
                if health != self.reader {
                    self.reader = health;
                    self.tell(EventKind::Reader { health });
                }
                match health {
                    ReaderHealth::Reading => self.device_is(Device::READER, true),
                    ReaderHealth::Away | ReaderHealth::Degraded => {
                        self.device_is(Device::READER, false);
                    }
                    // It is not back before it reads.
                    ReaderHealth::Starting => {}
                }
            }
            Wake::Field(FieldWord::Reads { reading, at }) => {
                self.caused_at = Some(at);
                self.field_reads(reading);
                self.caused_at = None;
            }
            Wake::Field(FieldWord::Silent) => self.field_is_silent(),
            Wake::Plate(read) => self.plate_read(read),
            Wake::Pictured(pictures) => self.pictured(pictures),
            Wake::Measured(group) => self.group_measured(group),
            Wake::Reversed => self.event(Event::Reversed),
            Wake::Device { device, works } => self.device_is(device, works),
            Wake::TakenElsewhere { tag } => self.event(Event::TakenElsewhere { tag }),
            Wake::CentreAnswered { vehicle, answer } => {
                self.event(Event::CentreAnswered { vehicle, answer });
            }
            Wake::CasesSent { upto } => {
                if let Err(ended) = self.scribe.cases_sent(upto) {
                    self.over = Some(LaneEnded::Journal(ended));
                }
            }
            Wake::Command(order, reply) => self.command(*order, reply),
            Wake::ListChanged => self.event(Event::ListChanged),
            Wake::Posted { epoch, upto } => {
                if epoch == self.scribe.epoch() {
                    self.posted(upto);
                }
            }
            Wake::PostedOtherwise { epoch, seq } => {
                if epoch == self.scribe.epoch() {
                    self.posted_otherwise(seq);
                }
            }
            Wake::Health(reply) => {
                // Whoever asked may have gone.
                drop(reply.send(self.heartbeat()));
            }
            Wake::Stop => {}
            #[cfg(test)]
            Wake::Panic => panic!("a bug"),
        }
    }

    /// Takes an event that happened when its cause was here, however late this thread is.
    fn edge(&mut self, event: Event) {
        let at = self.caused_at.map(|at| self.shared.clock.uptime_at(at));
        let at = at.unwrap_or_else(|| self.shared.clock.uptime());
        self.ask(|lane, known| lane.handle(event, at, known));
    }

    fn event(&mut self, event: Event) {
        let now = self.shared.clock.uptime();
        self.ask(|lane, known| lane.handle(event, now, known));
    }

    /// Asks the core with what the lane knows now, and carries out the answer.
    fn ask(&mut self, question: impl FnOnce(&mut Lane, &Knowledge<'_>) -> Vec<Action>) {
        let directives = self.shared.directives.view();
        self.follow(&directives);
        let actions = {
            let list = self.shared.list.view();
            let entries = self.shared.entries.read().unwrap_or_else(PoisonError::into_inner);
            let known = Knowledge {
                list: &*list,
                tariffs: directives.tariffs().unwrap_or(&self.shared.tariffs),
                entries: &entries,
                at: self.shared.clock.now(),
                clock: self.clock_quality(),
            };
            question(&mut self.lane, &known)
        };
        let decided_after =
            self.caused_at.map(|at| micros(self.shared.clock.real().duration_since(at)));
        for action in actions {
            self.carry_out(action, decided_after);
        }
        self.show();
    }

    fn carry_out(&mut self, action: Action, decided_after: Option<u64>) {
        if self.over.is_some() {
            return;
        }
        let Some(action) = self.hold_back(action) else { return };
        match action {
            Action::Record { vehicle, draft } => self.record(vehicle, draft, decided_after),
            Action::Open => {
                self.close_wanted = false;
                self.open();
            }
            Action::Close => {
                self.open_wanted = false;
                self.close_wanted = true;
            }
            Action::Red => drop(self.set(Output::Green, false)),
            Action::Siren => drop(self.set(Output::Siren, true)),
            Action::Tell(kind) => {
                let called = pictured::called(&kind);
                self.tell(kind);
                self.send_pictures_of_call(called);
            }
            Action::AskCentre { vehicle, tag, fare: amount } => {
                // Nobody listens any more when the process ends.
                drop(self.words.send(Word::Ask(Question { vehicle, tag, amount })));
            }
            Action::Case { vehicle, case } => self.keep_case(vehicle, case),
            Action::NoVehicle { vehicle } => {
                tracing::info!(lane.id = %self.id, vehicle, "too short for a vehicle");
            }
            Action::Confirm { seq } => {
                let of = |seq| PassageId { lane: self.id.clone(), epoch: self.scribe.epoch(), seq };
                let passage = seq.and_then(NonZeroU64::new).map(of);
                if let Some(passage) = passage.or_else(|| self.last_written.clone()) {
                    self.answer(CommandAnswer::Done { passage });
                }
            }
            Action::Obeyed => self.answer(CommandAnswer::Obeyed),
            Action::Refuse { why } => self.answer(CommandAnswer::Refused { why: why.to_owned() }),
        }
    }

    /// Keeps a case with what is known of its vehicle.
    fn keep_case(&mut self, vehicle: u64, case: Case) {
        tracing::warn!(lane.id = %self.id, case = ?case, "a case");
        let shown::Dossier { passage, pictures, .. } = self.dossiers.of(vehicle);
        let at = self.shared.clock.now();
        let pictures = pictures.iter().map(|picture| picture.digest).collect();
        let note = CaseNote { at, case: case.into(), passage, pictures };
        if let Err(ended) = self.scribe.keep_case(note) {
            self.over = Some(LaneEnded::Journal(ended));
        }
        self.equipment.case_noted.notify_one();
        self.looked_at_afterwards(vehicle);
    }

    /// Brings the panels up to what concerns the first vehicle.
    fn show(&mut self) {
        let notice = self.dossiers.shown(self.lane.first(), self.currency);
        if self.shown.as_ref() != Some(&notice) {
            self.equipment.displays.iter().for_each(|display| display.show(notice.clone()));
            self.shown = Some(notice);
        }
    }

    /// The wall clock, where it is to be trusted.
    fn trusted_now(&self) -> Option<Timestamp> {
        (self.clock_quality() == ClockQuality::Synchronised).then(|| self.shared.clock.now())
    }

    fn clock_quality(&self) -> ClockQuality {
        self.shared.clock_watch.state().quality
    }

    /// Works by the directive that is in force now.
    fn follow(&mut self, directives: &Directives) {
        let in_force = directives.in_force(&self.id, self.shared.clock.now());
        let Some(directive) = in_force.filter(|one| Some(one.version) != self.directive) else {
            return;
        };
        self.directive = Some(directive.version);
        self.directive_replaces_mode(directive.version);
        self.lane.follow(amended(self.policy, directive));
        let (version, mode) = (directive.version, directive.mode);
        tracing::info!(lane.id = %self.id, version, ?mode, "a directive is in force");
        self.tell(EventKind::DirectiveApplied { version, mode });
    }

    /// Raises the arm, and keeps trying where the module does not answer.
    fn open(&mut self) {
        match self.outputs.open() {
            Ok(()) => {
                self.open_wanted = false;
                self.output_again_at = None;
                let after = self.caused_at.map(|at| self.shared.clock.real().duration_since(at));
                self.tell(EventKind::Opened { read_to_open_us: after.map(micros) });
            }
            Err(error) => {
                self.open_wanted = true;
                self.output_failed(&error, "the arm was not raised");
            }
        }
    }

    /// Sets an output; tells whether that worked.
    fn set(&mut self, output: Output, on: bool) -> bool {
        match self.outputs.set(output, on) {
            Ok(()) => {
                self.output_again_at = None;
                true
            }
            Err(error) => {
                self.output_failed(&error, "an output was not set");
                false
            }
        }
    }

    fn output_failed(&mut self, error: &FieldError, text: &'static str) {
        let again = OUTPUT_AGAIN_AFTER.mul_f64(self.shared.clock.speed());
        self.output_again_at = Some(self.shared.clock.uptime() + again);
        self.alarm(error, text);
    }

    fn alarm(&self, error: &(dyn std::error::Error + 'static), text: &'static str) {
        tracing::error!(lane.id = %self.id, error, text);
        self.tell(EventKind::Alarm { text: text.to_owned() });
    }

    fn alarm_text(&self, text: &'static str) {
        tracing::error!(lane.id = %self.id, text);
        self.tell(EventKind::Alarm { text: text.to_owned() });
    }

    fn tell(&self, kind: EventKind) {
        let event = LaneEvent { v: 1, lane: self.id.clone(), at: self.shared.clock.now(), kind };
        drop(self.words.send(Word::Event(Box::new(event))));
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
