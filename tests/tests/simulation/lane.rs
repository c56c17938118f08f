//! A lane: the real core and safety monitor in a shell that keeps, sends and listens.
//!
//! The shell does what `lane_controller::runner` does, in its order: a passage is on the disk
//! before the action behind it begins, and what waits for the disk is held.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use domain::PassageId;
use domain::account_list::AccountList;
use domain::passage::{ClockQuality, Decision, Passage};
use domain::signature::{Context, Digest256};
use domain::wire::v1::{EventKind, PassageRecord, ReasonRecord, Receipt, Verb, emit};
use lane_controller::entries::EntryBook;
use lane_controller::lane::safety::SafetyMonitor;
use lane_controller::lane::{
    Action, Answer, CentreAnswer, Event, Knowledge, Lane, LanePolicy, PassageDraft,
};
use rand::RngExt as _;

use super::books::Key;
use super::bug::PlantedBug;
use super::disk::{Disk, Image, Row};
use super::facts::Facts;
use super::happening::Happening;
use super::plan::{Fault, MILLI, MINUTE, SECOND};
use super::sending::Uplink;
use super::whole::{Whole, wall};

/// How many posted records are kept all the same.
const KEEP: u64 = 2;

/// A lane's process, and what it leaves behind when it dies.
pub(crate) struct LaneNode {
    pub life: u32,
    pub is_up: bool,
    pub line_is_cut: bool,
    pub disk: Disk,
    /// Journals that were put away whole.
    pub put_away: Vec<Image>,
    /// An older copy that somebody made.
    pub backup: Option<Disk>,
    pub clock_off: i64,
    journals: u32,
    // What dies with the process.
    pub core: Option<Lane>,
    is_restored: bool,
    monitor: SafetyMonitor,
    started_at: u64,
    pub last: u64,
    head: Digest256,
    pub posted_upto: u64,
    pub uplink: Uplink,
    pub list: AccountList,
    pub entries: EntryBook,
    pub entries_read: usize,
    held: VecDeque<Action>,
    close_wanted: bool,
    open_wanted: bool,
    answering: Option<u64>,
    due_at: Option<u64>,
    pub last_receipt: Option<Rc<Vec<u8>>>,
    pub last_manifest: Option<Rc<Vec<u8>>>,
}

impl LaneNode {
    /// A lane with the journal that the office knows.
    pub(crate) fn new(no: usize, facts: &Facts) -> Self {
        Self {
            life: 0,
            is_up: false,
            line_is_cut: false,
            disk: Disk::new(tests::lane::journal_of(&facts.lanes[no].id), Some(1)),
            put_away: Vec::new(),
            backup: None,
            clock_off: 0,
            journals: 1,
            core: None,
            is_restored: false,
            monitor: SafetyMonitor::default(),
            started_at: 0,
            last: 0,
            head: Digest256::default(),
            posted_upto: 0,
            uplink: Uplink::new(0, 0),
            list: AccountList::default(),
            entries: EntryBook::default(),
            entries_read: 0,
            held: VecDeque::new(),
            close_wanted: false,
            open_wanted: false,
            answering: None,
            due_at: None,
            last_receipt: None,
            last_manifest: None,
        }
    }

    /// The epoch it writes.
    pub(crate) fn epoch(&self) -> Option<u32> {
        self.disk.image.epoch
    }
}

impl Whole {
    /// The lane's process starts, reads what its disk has, and goes on from there.
    pub(crate) fn lane_starts(&mut self, no: usize) {
        let facts = self.facts;
        let bug = self.bug;
        let node = &mut self.lanes[no];
        if node.is_up {
            return;
        }
        node.life += 1;
        let life = node.life;
        node.disk.crash();
        if bug == Some(PlantedBug::TruncatesAtDamage)
            && let Err(seq) = node.disk.image.check(&facts.lanes[no].id)
        {
            node.disk.image.rows.retain(|known, _| *known < seq);
            node.disk.image.last = seq - 1;
            node.disk.flush();
        }
        let checked = node.disk.image.check(&facts.lanes[no].id);
        let (journal, marked) = node.disk.mark;
        let (last, head) = match checked {
            Ok((last, _)) if journal == node.disk.image.journal && marked > last => {
                self.reached.insert("an old copy is known by its mark");
                self.put_away(no, "an old copy");
                return self.lane_starts(no);
            }
            Ok(checked) => checked,
            Err(seq) => {
                self.reached.insert("a damaged record parks the lane");
                self.tell(|_| format!("lane {no}: record {seq} is damaged, parked"));
                return self.after(3 * MINUTE, Happening::PersonComes { lane: no });
            }
        };
        (node.last, node.head) = (last, head);
        node.is_up = true;
        node.started_at = self.now;
        node.posted_upto = node.disk.image.posted_upto;
        node.uplink = Uplink::new(last, node.posted_upto);
        node.list = node.disk.list.clone();
        node.entries = EntryBook::default();
        node.entries_read = 0;
        node.held.clear();
        (node.close_wanted, node.open_wanted) = (false, false);
        (node.core, node.is_restored) = (None, false);
        (node.answering, node.due_at) = (None, None);
        (node.last_receipt, node.last_manifest) = (None, None);
        node.monitor = SafetyMonitor::default();
        self.tell(|_| format!("lane {no}: starts, {last} in the journal"));
        self.journal_has_all(no);
        self.list_is_the_centres(no);
        if bug == Some(PlantedBug::ClosesOnRestart) && life > 1 {
            self.arm_falls(no);
        }
        self.asks_epoch(no, life);
        self.after(SECOND, Happening::Fetches { lane: no, life });
    }

    /// A journal without an epoch asks for one; with one, the lane begins to serve.
    pub(crate) fn asks_epoch(&mut self, no: usize, life: u32) {
        let node = &self.lanes[no];
        if !node.is_up || node.life != life {
            return;
        }
        if node.epoch().is_none() {
            let answered = self.broker.up && !node.line_is_cut && self.centre.can_write();
            if !answered {
                return self.after(2 * SECOND, Happening::AsksEpoch { lane: no, life });
            }
            let journal = node.disk.image.journal;
            let epoch = if self.bug == Some(PlantedBug::ReusesEpoch) {
                1
            } else {
                self.centre.grants_epoch(no, journal)
            };
            self.reached.insert("a new epoch");
            self.tell(|_| format!("lane {no}: writes epoch {epoch}"));
            self.lanes[no].disk.image.epoch = Some(epoch);
            self.lanes[no].disk.flush();
        }
        let lane = &self.facts.lanes[no];
        self.lanes[no].core = Some(Lane::new(lane.id.clone(), lane.role, LanePolicy::default()));
        self.lane_restores(no);
        self.sends(no, life);
    }

    /// The lane hears of its loops for the first time, or again.
    pub(crate) fn lane_restores(&mut self, no: usize) {
        let now = self.lane_uptime(no);
        let road = &self.road[no];
        if !road.is_heard || self.lanes[no].core.is_none() {
            return;
        }
        let inputs = road.inputs;
        let node = &mut self.lanes[no];
        node.monitor.sees(Some(inputs.safety), true, now);
        let saved = if node.is_restored { None } else { node.disk.image.saved.clone() };
        node.is_restored = true;
        self.lane_event(no, Event::Restored { inputs, saved });
    }

    /// Time since the lane's process started.
    pub(crate) fn lane_uptime(&self, no: usize) -> Duration {
        Duration::from_micros(self.now - self.lanes[no].started_at)
    }

    /// Something happened on the lane's road; it hears of it if it can.
    pub(crate) fn lane_hears(&mut self, no: usize, event: Event) {
        self.tell(|_| format!("lane {no}: < {event:?}"));
        let node = &self.lanes[no];
        if node.core.is_some() && node.is_restored && self.road[no].is_heard {
            self.lane_event(no, event);
        }
    }

    /// The monitor takes the safety loop as it is now.
    pub(crate) fn monitor_sees(&mut self, no: usize, moved: bool) {
        let now = self.lane_uptime(no);
        let road = &self.road[no];
        if road.is_heard && self.lanes[no].is_restored {
            self.lanes[no].monitor.sees(Some(road.inputs.safety), moved, now);
        }
    }

    /// The loops fall silent.
    pub(crate) fn field_falls_silent(&mut self, no: usize) {
        let now = self.lane_uptime(no);
        self.road[no].is_heard = false;
        if self.lanes[no].core.is_some() && self.lanes[no].is_restored {
            let seen = (self.bug == Some(PlantedBug::SilentLoopIsFree)).then_some(false);
            self.lanes[no].monitor.sees(seen, true, now);
            self.lane_event(no, Event::FieldLost);
        }
    }

    /// Asks the core, and carries out the answer.
    pub(crate) fn lane_event(&mut self, no: usize, event: Event) {
        self.ask(no, |lane, now, known| lane.handle(event, now, known));
    }

    fn ask(
        &mut self,
        no: usize,
        question: impl FnOnce(&mut Lane, Duration, &Knowledge<'_>) -> Vec<Action>,
    ) {
        let uptime = self.lane_uptime(no);
        let node = &mut self.lanes[no];
        let known = Knowledge {
            list: &node.list,
            tariffs: &self.facts.tariffs,
            entries: &node.entries,
            at: wall(self.facts, self.now, node.clock_off),
            clock: ClockQuality::Synchronised,
        };
        let Some(core) = &mut node.core else { return };
        let actions = question(core, uptime, &known);
        let life = node.life;
        for action in actions {
            // The process may die in the middle of it.
            if !self.lanes[no].is_up || self.lanes[no].life != life {
                return;
            }
            self.carry_out(no, action);
        }
        self.lane_is_due(no);
    }

    fn carry_out(&mut self, no: usize, action: Action) {
        self.tell(|_| format!("lane {no}: > {}", name_of(&action)));
        let node = &mut self.lanes[no];
        if !node.held.is_empty() {
            match action {
                Action::Record { .. } | Action::Open | Action::Confirm { .. } => {
                    return node.held.push_back(action);
                }
                Action::Close => node.held.retain(|held| !matches!(held, Action::Open)),
                _ => {}
            }
        }
        match action {
            Action::Record { vehicle, draft } => self.record(no, vehicle, *draft),
            Action::Open => {
                node.close_wanted = false;
                self.opens(no);
            }
            Action::Close => {
                node.open_wanted = false;
                node.close_wanted = true;
                self.closes(no);
            }
            Action::Red => self.road[no].is_green &= !self.road[no].is_heard,
            Action::AskCentre { vehicle, .. } => {
                let answer = CentreAnswer::Unknown;
                self.lane_event(no, Event::CentreAnswered { vehicle, answer });
            }
            Action::Tell(EventKind::CallRaised { call, .. }) => self.calls(no, call),
            Action::Tell(_)
            | Action::Siren
            | Action::Case { .. }
            | Action::NoVehicle { .. }
            | Action::Confirm { .. }
            | Action::Obeyed
            | Action::Refuse { .. } => {}
        }
    }

    fn opens(&mut self, no: usize) {
        let node = &mut self.lanes[no];
        node.open_wanted = !self.road[no].is_heard;
        if node.open_wanted {
            return;
        }
        if node.disk.durable.last < node.last {
            self.fails(|| format!("I1: lane {no} opens before its passage is durable"));
        }
        self.arm_rises(no);
    }

    fn closes(&mut self, no: usize) {
        let now = self.lane_uptime(no);
        let node = &mut self.lanes[no];
        let silent = self.bug == Some(PlantedBug::SilentLoopIsFree);
        let is_heard = self.road[no].is_heard || silent;
        if node.close_wanted && node.monitor.may_close(now) && is_heard {
            node.close_wanted = false;
            self.arm_falls(no);
        }
    }

    /// Writes a passage: with it on the disk, and not before, the next action begins.
    fn record(&mut self, no: usize, vehicle: u64, draft: PassageDraft) {
        let turned_away = draft.decision == Decision::TurnedAway;
        if self.bug == Some(PlantedBug::OpensBeforeDurable) && draft.decision.went_through() {
            self.lanes[no].last += 1;
            self.opens(no);
            self.lanes[no].last -= 1;
        }
        if self.lanes[no].disk.fails {
            return self.cannot_record(no, vehicle, draft);
        }
        let key = self.write_row(no, vehicle, draft);
        let dies = self.plan.has(Fault::LaneDies);
        if dies && self.fault_of(25) {
            // In the middle of the flush: either is possible.
            self.reached.insert("killed while a passage was written");
            if self.chance(500) {
                self.flushes(no);
                self.is_sent_back(no, turned_away);
            }
            return self.lane_dies(no);
        }
        self.flushes(no);
        self.is_sent_back(no, turned_away);
        self.acknowledged(no, key);
        if dies && self.fault_of(25) {
            self.reached.insert("killed behind a durable passage");
            return self.lane_dies(no);
        }
        let life = self.lanes[no].life;
        self.sends(no, life);
    }

    /// A driver who was turned away backs out, whatever the lane does then.
    fn is_sent_back(&mut self, no: usize, turned_away: bool) {
        if let Some(crossing) = self.road[no].on_presence.filter(|_| turned_away) {
            let crossing = crossing.number;
            self.after(3 * SECOND, Happening::BacksOut { lane: no, crossing });
        }
    }

    fn flushes(&mut self, no: usize) {
        if self.bug != Some(PlantedBug::SkipsFlush) || self.chance(300) {
            self.lanes[no].disk.flush();
        }
    }

    fn acknowledged(&mut self, no: usize, key: Key) {
        let digest = self.lanes[no].disk.image.rows[&key.seq].digest;
        self.truth.written.entry(key).or_default().insert(digest);
        self.tell(|_| format!("lane {no}: wrote {}:{}", key.epoch, key.seq));
    }

    /// The store does not take it. It may be there all the same, as the next look will tell.
    fn cannot_record(&mut self, no: usize, vehicle: u64, draft: PassageDraft) {
        self.reached.insert("a flush failed");
        if self.bug == Some(PlantedBug::TrustsFlushAfterFailure) {
            let key = self.write_row(no, vehicle, draft);
            self.acknowledged(no, key);
            return;
        }
        let draft = Box::new(draft);
        self.lanes[no].held.push_front(Action::Record { vehicle, draft });
    }

    fn write_row(&mut self, no: usize, vehicle: u64, draft: PassageDraft) -> Key {
        let lane = &self.facts.lanes[no];
        let node = &mut self.lanes[no];
        let epoch = node.epoch().expect("a lane that serves has an epoch");
        let seq = if self.bug == Some(PlantedBug::SequenceFromClock) {
            (u64::try_from(draft.at.as_second()).unwrap_or(0) % 1_000_000).max(node.last + 1)
        } else {
            node.last + 1
        };
        let id = PassageId { lane: lane.id.clone(), epoch, seq: seq.try_into().unwrap() };
        let passage = Passage {
            id,
            role: lane.role,
            at: draft.at,
            clock: draft.clock,
            uptime_ns: u64::try_from(draft.uptime.as_nanos()).unwrap(),
            boot: format!("boot-{}", node.life),
            tag: draft.tag,
            plate: draft.plate,
            group: draft.group,
            list_version: draft.list_version,
            status_seen: draft.status_seen,
            tariff: draft.tariff,
            entry: draft.entry,
            exception: draft.exception,
            decision: draft.decision,
            attendance: draft.attendance,
            fare: draft.fare,
            payment: draft.payment,
            previous: node.head,
        };
        let payload = emit(&PassageRecord::from(passage));
        let signature = lane.key.sign(Context::Passage, &payload).to_text();
        let digest = Digest256::of(&payload);
        if let Some(core) = &mut node.core {
            core.recorded(vehicle, seq);
            node.disk.image.saved = Some(core.saved());
        }
        node.disk.image.rows.insert(seq, Rc::new(Row { seq, payload, signature, digest }));
        node.disk.image.posted_upto = node.posted_upto;
        (node.disk.image.last, node.last, node.head) = (seq, seq, digest);
        Key { lane: no, epoch, seq }
    }

    /// When the lane wants to be looked at again.
    fn lane_is_due(&mut self, no: usize) {
        let node = &self.lanes[no];
        let Some(core) = &node.core else { return };
        let closing = node.close_wanted.then(|| node.monitor.may_close_at()).flatten();
        let due = core.next_deadline().into_iter().chain(closing).min();
        let due = due.map(|at| node.started_at + u64::try_from(at.as_micros()).unwrap());
        let retry = (!node.held.is_empty() || node.open_wanted).then_some(self.now + 500 * MILLI);
        let Some(at) = due.into_iter().chain(retry).min().map(|at| at.max(self.now + MILLI)) else {
            return;
        };
        if node.due_at.is_none_or(|known| at < known || known <= self.now) {
            let life = node.life;
            self.lanes[no].due_at = Some(at);
            self.after(at - self.now, Happening::LaneDue { lane: no, life });
        }
    }

    /// Does what is due.
    pub(crate) fn lane_due(&mut self, no: usize, life: u32) {
        let node = &mut self.lanes[no];
        if !node.is_up || node.life != life || node.core.is_none() {
            return;
        }
        if node.due_at.is_some_and(|at| at <= self.now) {
            node.due_at = None;
        }
        if !node.held.is_empty() && !node.disk.fails {
            for action in std::mem::take(&mut node.held) {
                if self.lanes[no].is_up && self.lanes[no].life == life {
                    self.carry_out(no, action);
                }
            }
        }
        if !self.lanes[no].is_up || self.lanes[no].life != life {
            return;
        }
        if self.lanes[no].open_wanted {
            self.opens(no);
        }
        self.closes(no);
        let uptime = self.lane_uptime(no);
        let is_due = |core: &Lane| core.next_deadline().is_some_and(|at| at <= uptime);
        if self.lanes[no].core.as_ref().is_some_and(is_due) {
            self.ask(no, Lane::handle_deadline);
        }
        self.lane_is_due(no);
    }

    fn calls(&mut self, no: usize, call: u64) {
        if self.lanes[no].answering != Some(call) {
            self.lanes[no].answering = Some(call);
            let (life, after) = (self.lanes[no].life, self.between(SECOND, 15 * SECOND));
            self.after(after, Happening::Answered { lane: no, life, call });
        }
    }

    /// The attendant answers a call, of the vehicle that stands there.
    pub(crate) fn attendant_answers(&mut self, no: usize, life: u32, call: u64) {
        if self.lanes[no].life != life || !self.lanes[no].is_up {
            return;
        }
        self.lanes[no].answering = None;
        let Some(here) = self.road[no].on_presence else { return };
        let facts = &self.facts.vehicles[here.vehicle].facts;
        let (plate, group) = (facts.plate.clone(), facts.group);
        let verb = match self.dice.random_range(0..10) {
            0..6 => Verb::ChargeByPlate { plate, group },
            6 | 7 => Verb::Open { reason: ReasonRecord::CashPaid, plate, group },
            8 => Verb::Open { reason: ReasonRecord::PriorityVehicle, plate, group },
            _ => Verb::TurnAway { reason: ReasonRecord::DriversWish },
        };
        let command = format!("c{no}-{life}-{call}-{}", self.now);
        let attendant = "nv01".to_owned();
        self.lane_event(no, Event::Answered(Answer::of(command, call, attendant, verb)));
    }

    /// The lane's process dies.
    pub(crate) fn lane_dies(&mut self, no: usize) {
        let node = &mut self.lanes[no];
        if !node.is_up {
            return;
        }
        node.is_up = false;
        node.core = None;
        node.disk.crash();
        self.tell(|_| format!("lane {no}: dies"));
        let pause = self.between(SECOND, 20 * SECOND);
        self.after(pause, Happening::LaneStarts { lane: no });
    }

    /// Puts a journal away whole, and begins a blank one.
    pub(crate) fn put_away(&mut self, no: usize, why: &str) {
        let node = &mut self.lanes[no];
        node.journals += 1;
        let name = format!("journal {} of lane {no}", node.journals);
        let away = node.disk.begin_anew(Digest256::of(name.as_bytes()));
        node.put_away.push(away);
        node.is_up = false;
        node.core = None;
        self.tell(|_| format!("lane {no}: journal put away: {why}"));
        self.after(MINUTE, Happening::PersonExports { lane: no, times: 1 });
    }

    /// Puts the journal of a lane that runs away, and goes on with a blank one.
    pub(crate) fn put_old_copy_away(&mut self, no: usize, why: &str) {
        let saved = self.lanes[no].core.as_ref().map(Lane::saved);
        self.put_away(no, why);
        self.lanes[no].disk.image.saved = saved;
        self.lanes[no].disk.flush();
        self.lane_starts(no);
    }

    /// A person has come to a lane that is parked, and puts its journal away.
    pub(crate) fn person_comes(&mut self, no: usize) {
        if self.lanes[no].is_up {
            return;
        }
        if self.lanes[no].disk.image.check(&self.facts.lanes[no].id).is_err() {
            self.put_away(no, "damaged");
        }
        self.lane_starts(no);
    }

    /// The centre has everything up to here, says a receipt that was believed.
    pub(crate) fn lane_is_posted(&mut self, no: usize, receipt: &Receipt) {
        let (epoch, upto) = (receipt.epoch, receipt.posted_upto);
        let truly = self.centre.books.truly_posted((no, epoch));
        if upto > truly {
            self.fails(|| format!("I6: lane {no} believes that {upto} are posted; {truly} are"));
        }
        let node = &mut self.lanes[no];
        if upto <= node.posted_upto {
            return;
        }
        if upto > node.last {
            self.reached.insert("an old copy is known by a receipt");
            return self.put_old_copy_away(no, "receipts are ahead of it");
        }
        node.posted_upto = upto;
        self.prunes(no, upto);
    }

    /// Forgets records up to a watermark, but for the last few.
    pub(crate) fn prunes(&mut self, no: usize, upto: u64) {
        let node = &mut self.lanes[no];
        let keep = if self.bug == Some(PlantedBug::PrunesOnPubAck) { 1 } else { KEEP };
        let upto = upto.min(node.last.saturating_sub(keep));
        let Some(epoch) = node.epoch() else { return };
        let gone: Vec<u64> = node.disk.image.rows.range(..=upto).map(|(seq, _)| *seq).collect();
        node.disk.image.posted_upto = node.posted_upto.max(upto);
        for seq in &gone {
            node.disk.image.rows.remove(seq);
        }
        if !gone.is_empty() && !node.disk.fails {
            node.disk.flush();
            self.reached.insert("a journal was pruned");
        }
        for seq in gone {
            let key = Key { lane: no, epoch, seq };
            if !self.centre.books.passages.contains_key(&key) {
                self.fails(|| format!("I5: lane {no} forgets {epoch}:{seq}, which is not posted"));
            }
        }
    }
}

/// An action without what it is about: a trace is read by people.
fn name_of(action: &Action) -> String {
    let text = format!("{action:?}");
    text.split(['{', '(']).next().unwrap_or_default().trim().to_owned()
        + match action {
            Action::Tell(EventKind::CallRaised { .. }) => " a call",
            Action::Refuse { why } => why,
            _ => "",
        }
}
