//! The clearing house: workers that take passages, and one that publishes the list.
//!
//! A worker fetches, drafts, commits, tells and acknowledges, each at its own time, so that it can
//! die between any two. What it does not know after a failure it does again from the beginning,
//! as `clearing_house::intake` does.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use clearing_house::account::AccountState;
use clearing_house::intake::Delivery;
use clearing_house::ledger::LedgerAccountKey;
use clearing_house::lists::status_of;
use domain::account_list::{ListChange, ListEntry, PassOnList};
use domain::signature::{Context, Digest256};
use domain::wire::v1::{DeltaRecord, EntryRecord, ListEntryRecord, Manifest, Receipt, emit};
use domain::{AccountId, BusinessDate, OperatorId, Timestamp};
use rand::RngExt as _;

use super::books::{Books, NotTaken, StoredDelta, Write};
use super::broker::Said;
use super::bug::PlantedBug;
use super::facts::{Facts, POLICY};
use super::happening::{Happening, Heard};
use super::plan::{Fault, MILLI, MINUTE, Plan, SECOND};
use super::posting::{Drafted, draft, draft_awaited};
use super::whole::{Whole, wall};

/// The most changes one delta carries.
const DELTA_LEN_MAX: usize = 8;
/// After so many deltas a new snapshot spares newcomers the way.
const SNAPSHOT_EVERY: u64 = 3;

/// What was done to the books, in the order of the commits, so that it can be done again.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    Posted { batch: Vec<Delivery>, now: Timestamp },
    Awaited { now: Timestamp },
    ToppedUp { account: AccountId, amount: i64, reference: String, now: Timestamp },
    Closed { operator: OperatorId, day: BusinessDate },
    GrantedEpoch { lane: usize, journal: Digest256 },
}

/// How far a worker is with its batch.
#[derive(Debug, Clone)]
enum Stage {
    Idle,
    /// It has a batch, and is to work out what that writes.
    Drafts,
    /// It has worked that out from what it read, when its clock said so.
    Commits(Box<Drafted>, Timestamp),
    /// It is committed; the lanes are to be told.
    Tells(BTreeSet<(usize, u32)>, Vec<EntryRecord>, Vec<AccountId>),
    /// The lanes are told; the broker is to be.
    Acks,
}

#[derive(Debug, Clone)]
struct Worker {
    stage: Stage,
    batch: Vec<(u64, Delivery)>,
    sleeps: bool,
}

impl Worker {
    const fn idle() -> Self {
        Self { stage: Stage::Idle, batch: Vec::new(), sleeps: true }
    }
}

/// The clearing house and its database.
pub(crate) struct Centre {
    pub is_up: bool,
    pub life: u32,
    pub database_is_up: bool,
    pub books: Books,
    pub clock_off: i64,
    pub done: Vec<Done>,
    /// Snapshots that were published, the oldest first.
    pub snapshots: Vec<(Said, Said)>,
    workers: Vec<Worker>,
}

impl Centre {
    /// A clearing house with the office's accounts.
    pub(crate) fn new(facts: &Facts, plan: &Plan) -> Self {
        Self {
            is_up: true,
            life: 0,
            database_is_up: true,
            books: Books::open(facts, plan.vehicles),
            clock_off: 0,
            done: Vec::new(),
            snapshots: Vec::new(),
            workers: vec![Worker::idle(); plan.workers],
        }
    }

    /// Whether it and its database run.
    pub(crate) fn can_write(&self) -> bool {
        self.is_up && self.database_is_up
    }

    /// The epoch a journal may write.
    pub(crate) fn grants_epoch(&mut self, lane: usize, journal: Digest256) -> u32 {
        self.done.push(Done::GrantedEpoch { lane, journal });
        self.books.epoch_of_journal(lane, journal)
    }
}

impl Whole {
    fn centre_time(&self) -> Timestamp {
        wall(self.facts, self.now, self.centre.clock_off)
    }

    /// What the centre does again and again begins.
    pub(crate) fn centre_begins(&mut self) {
        self.after(SECOND, Happening::Publishes);
        self.after(30 * SECOND, Happening::Awaits);
        self.after(3 * MINUTE, Happening::SaysAgain);
        for number in 0..self.between(0, 4) {
            let at = self.between(MINUTE, self.plan.span);
            let vehicle = self.dice.random_range(0..self.plan.vehicles);
            self.after(at, Happening::TopsUp { vehicle, number });
        }
        let every = (0..self.plan.span / (10 * SECOND)).map(|n| n * 10 * SECOND);
        for at in every {
            // What a worker that died had taken comes again.
            self.after(at, Happening::Works { worker: 0, life: u32::MAX });
        }
    }

    /// The clearing house dies; the database does not.
    pub(crate) fn centre_dies(&mut self) {
        if !self.centre.is_up {
            return;
        }
        self.tell(|_| "centre: dies".to_owned());
        self.centre.is_up = false;
        self.centre.life += 1;
        let count = self.centre.workers.len();
        self.centre.workers = vec![Worker::idle(); count];
        let pause = self.between(SECOND, 40 * SECOND);
        self.after(pause, Happening::CentreStarts);
    }

    /// And starts again.
    pub(crate) fn centre_starts(&mut self) {
        self.centre.is_up = true;
        self.says_receipts();
        self.wakes_workers();
    }

    /// There may be something to fetch.
    pub(crate) fn wakes_workers(&mut self) {
        let life = self.centre.life;
        for worker in 0..self.centre.workers.len() {
            if self.centre.is_up && std::mem::take(&mut self.centre.workers[worker].sleeps) {
                let takes = self.between(5 * MILLI, 400 * MILLI);
                self.after(takes, Happening::Works { worker, life });
            }
        }
    }

    /// A worker does its next step. The life of nobody is the timer that wakes all.
    pub(crate) fn works(&mut self, worker: usize, life: u32) {
        if life == u32::MAX {
            return self.wakes_workers();
        }
        if !self.centre.is_up || self.centre.life != life {
            return;
        }
        let stage = std::mem::replace(&mut self.centre.workers[worker].stage, Stage::Idle);
        let pause = match stage {
            Stage::Idle => self.worker_fetches(worker),
            Stage::Drafts => self.worker_drafts(worker),
            Stage::Commits(drafted, now) => self.worker_commits(worker, *drafted, now),
            Stage::Tells(touched, entries, changed) => {
                if self.bug == Some(PlantedBug::OutboxAfterCommit) {
                    self.centre.books.note(self.facts, &changed);
                }
                self.tells_lanes(&touched, &entries);
                self.centre.workers[worker].stage = Stage::Acks;
                Some(self.between(MILLI, 30 * MILLI))
            }
            Stage::Acks => {
                self.worker_acks(worker);
                Some(self.between(MILLI, 30 * MILLI))
            }
        };
        if self.plan.has(Fault::CentreDies) && self.fault_of(15) {
            self.reached.insert("the centre died in the middle of a batch");
            return self.centre_dies();
        }
        match pause {
            Some(pause) => self.after(pause, Happening::Works { worker, life }),
            None => self.centre.workers[worker].sleeps = true,
        }
    }

    fn worker_fetches(&mut self, worker: usize) -> Option<u64> {
        if !self.broker.up {
            return None;
        }
        if self.plan.has(Fault::Redelivered) && self.fault_of(200) {
            self.reached.insert("a passage was delivered again");
            let pick = self.dice.random_range(0..20);
            self.broker.deliver_again(pick);
        }
        let most = self.dice.random_range(1..=self.plan.batch);
        let now = self.now;
        let mut batch = self.broker.fetch(most, now);
        if batch.is_empty() {
            return None;
        }
        if self.plan.has(Fault::Redelivered) && self.fault_of(300) {
            batch.reverse();
        }
        if self.bug == Some(PlantedBug::AcksBeforeCommit) {
            for (number, delivery) in &batch {
                self.may_be_forgotten(delivery);
                self.broker.ack(*number);
            }
        }
        self.centre.workers[worker].batch = batch;
        self.centre.workers[worker].stage = Stage::Drafts;
        Some(MILLI)
    }

    fn worker_drafts(&mut self, worker: usize) -> Option<u64> {
        if !self.centre.database_is_up {
            self.centre.workers[worker].stage = Stage::Drafts;
            return Some(2 * SECOND);
        }
        let now = self.centre_time();
        let batch: Vec<Delivery> =
            self.centre.workers[worker].batch.iter().map(|(_, one)| one.clone()).collect();
        let drafted = draft(&self.centre.books, self.facts, &batch, now, self.bug);
        if drafted.refused {
            self.reached.insert("a delivery went to quarantine");
        }
        if drafted.refused && self.bug == Some(PlantedBug::NacksPoison) {
            for (number, _) in std::mem::take(&mut self.centre.workers[worker].batch) {
                self.broker.nack(number);
            }
            return Some(5 * SECOND);
        }
        if self.bug == Some(PlantedBug::ReceiptBeforeCommit) {
            let mut soon = self.centre.books.clone();
            if soon.commit(self.facts, drafted.write.clone(), self.bug).is_ok() {
                std::mem::swap(&mut soon, &mut self.centre.books);
                self.tells_lanes(&drafted.touched, &[]);
                std::mem::swap(&mut soon, &mut self.centre.books);
            }
        }
        self.centre.workers[worker].stage = Stage::Commits(Box::new(drafted), now);
        Some(self.between(5 * MILLI, 150 * MILLI))
    }

    fn worker_commits(&mut self, worker: usize, drafted: Drafted, now: Timestamp) -> Option<u64> {
        let Drafted { write, touched, entries, broken, .. } = drafted;
        // The chain is looked at before the books are asked.
        let asked = self.centre.workers[worker].batch.iter().enumerate();
        let asked = asked.filter(|(index, _)| !broken.contains(index));
        let batch: Vec<Delivery> = asked.map(|(_, (_, one))| one.clone()).collect();
        match self.commits(write, Done::Posted { batch, now }) {
            Some(changed) => {
                self.centre.workers[worker].stage = Stage::Tells(touched, entries, changed);
                Some(self.between(MILLI, 20 * MILLI))
            }
            None => {
                self.centre.workers[worker].stage = Stage::Drafts;
                Some(self.between(50 * MILLI, 3 * SECOND))
            }
        }
    }

    /// Commits, if the database lets it; what is told may be less than what happened.
    fn commits(&mut self, write: Write, done: Done) -> Option<Vec<AccountId>> {
        let fails = self.plan.has(Fault::DatabaseFails);
        if !self.centre.database_is_up || (fails && self.fault_of(80)) {
            self.reached.insert("a commit did not happen");
            return None;
        }
        if self.bug == Some(PlantedBug::HalfTransaction) && !write.charges.is_empty() {
            let rest = Write { passages: Vec::new(), epochs: BTreeMap::new(), ..write.clone() };
            let first = Write {
                passages: write.passages,
                epochs: write.epochs,
                quarantine: write.quarantine,
                ..Write::default()
            };
            self.committed(first, done.clone()).ok()?;
            if fails && self.fault_of(200) {
                return None;
            }
            return self.committed(rest, done).ok();
        }
        let taken = match self.committed(write, done) {
            Ok(changed) => changed,
            Err(NotTaken::Serialization) => {
                self.reached.insert("another worker was first");
                return None;
            }
            Err(NotTaken::Refused) => {
                self.reached.insert("a key stood in the way");
                return None;
            }
        };
        if fails && self.fault_of(120) {
            self.reached.insert("a commit happened and was not told");
            return None;
        }
        Some(taken)
    }

    fn committed(&mut self, write: Write, done: Done) -> Result<Vec<AccountId>, NotTaken> {
        let charged: Vec<_> =
            write.charges.iter().map(|(key, stored)| (*key, stored.day)).collect();
        let changed = self.centre.books.commit(self.facts, write, self.bug)?;
        self.centre.done.push(done);
        for (key, day) in charged {
            let operator = self.facts.lanes[key.lane].id.operator().clone();
            if self.centre.books.closed_days.contains(&(operator, day)) {
                self.fails(|| format!("I11: {key:?} was posted into {day}, which is closed"));
            }
        }
        Ok(changed)
    }

    fn worker_acks(&mut self, worker: usize) {
        let batch = std::mem::take(&mut self.centre.workers[worker].batch);
        let loses = self.plan.has(Fault::LinkLoses) || self.plan.has(Fault::Redelivered);
        for (number, delivery) in batch {
            self.may_be_forgotten(&delivery);
            if loses && self.fault_of(100) {
                self.reached.insert("an acknowledgement of the centre was lost");
                continue;
            }
            self.broker.ack(number);
        }
    }

    /// Looks again at the exits that wait for their entry.
    pub(crate) fn awaits(&mut self) {
        self.after(30 * SECOND, Happening::Awaits);
        if !self.centre.can_write() || self.centre.books.awaiting.is_empty() {
            return;
        }
        let now = self.centre_time();
        let drafted = draft_awaited(&self.centre.books, self.facts, now, self.bug);
        if drafted.write.charges.is_empty() {
            return;
        }
        self.reached.insert("an exit had waited for its entry");
        if let Some(changed) = self.commits(drafted.write, Done::Awaited { now })
            && self.bug == Some(PlantedBug::OutboxAfterCommit)
            && !self.fault_of(500)
        {
            self.centre.books.note(self.facts, &changed);
        }
    }

    fn tells_lanes(&mut self, touched: &BTreeSet<(usize, u32)>, entries: &[EntryRecord]) {
        if !self.broker.up {
            return;
        }
        for entry in entries {
            let said = self.signed(Context::Entry, emit(entry));
            self.broker.entries.push(said.clone());
            self.says(None, Heard::Entry(said));
        }
        for epoch in touched {
            self.says_receipt(*epoch);
        }
    }

    fn says_receipt(&mut self, (lane, epoch): (usize, u32)) {
        let receipt = Receipt {
            v: 1,
            lane: self.facts.lanes[lane].id.clone(),
            epoch,
            posted_upto: self.centre.books.posted_upto((lane, epoch)),
            posted_digest: self.centre.books.posted_digest((lane, epoch)),
            missing: self.centre.books.missing((lane, epoch)).into_iter().collect(),
            issued_at: self.centre_time(),
        };
        let said = self.signed(Context::Receipt, emit(&receipt));
        self.broker.receipts.insert(lane, said.clone());
        self.says(Some(lane), Heard::Receipt(said));
    }

    fn says_receipts(&mut self) {
        if !self.broker.up || !self.centre.can_write() {
            return;
        }
        let latest: BTreeMap<usize, u32> = self.centre.books.epochs.keys().copied().collect();
        for epoch in latest {
            self.says_receipt(epoch);
        }
    }

    /// Says every lane's receipt again, for one that did not hear it.
    pub(crate) fn says_again(&mut self) {
        self.after(4 * MINUTE, Happening::SaysAgain);
        if self.centre.is_up {
            self.says_receipts();
        }
    }

    /// Signs something as the centre does.
    pub(crate) fn signed(&self, purpose: Context, payload: Vec<u8>) -> Said {
        let signature = self.facts.centre.sign(purpose, &payload).to_text();
        Said { payload: Rc::new(payload), signature }
    }

    /// A customer pays into an account; sometimes twice by the same reference.
    pub(crate) fn tops_up(&mut self, vehicle: usize, number: u64) {
        if !self.centre.can_write() {
            return self.after(10 * SECOND, Happening::TopsUp { vehicle, number });
        }
        let account = self.facts.vehicles[vehicle].facts.account;
        let now = self.centre_time();
        let (amount, reference) = (100_000, format!("ref-{number}"));
        let day = self.facts.day_of(now);
        for _ in 0..2 {
            self.centre.books.top_up(self.facts, account, amount, &reference, day);
        }
        self.centre.done.push(Done::ToppedUp { account, amount, reference, now });
    }

    /// The publisher's round: deltas out of the outbox, then what is not published yet.
    pub(crate) fn publishes(&mut self) {
        self.after(5 * SECOND, Happening::Publishes);
        if !self.centre.can_write() {
            return;
        }
        while !self.centre.books.outbox.is_empty() {
            self.makes_delta();
        }
        if self.plan.has(Fault::CentreDies) && self.fault_of(20) {
            self.reached.insert("the centre died before it published a delta");
            return self.centre_dies();
        }
        if !self.broker.up {
            return;
        }
        let waiting: Vec<u64> = self
            .centre
            .books
            .deltas
            .iter()
            .filter(|(_, delta)| !delta.published)
            .map(|(version, _)| *version)
            .collect();
        for version in waiting {
            let delta = self.centre.books.deltas.get_mut(&version).expect("it was there");
            let said = Said {
                payload: Rc::new(delta.payload.clone()),
                signature: delta.signature.clone(),
            };
            delta.published = true;
            self.broker.deltas.insert(version, said.clone());
            self.says(None, Heard::Delta(said));
        }
        let (version, last) =
            (self.centre.books.list.version(), self.centre.books.published_snapshot);
        let is_due =
            version > 0 && (self.broker.snapshot.is_none() || version >= last + SNAPSHOT_EVERY);
        if is_due {
            self.publishes_snapshot();
        }
    }

    fn makes_delta(&mut self) {
        let facts = self.facts;
        let now = self.centre_time();
        let books = &mut self.centre.books;
        let most = books.outbox.len().min(DELTA_LEN_MAX);
        let tags: BTreeSet<_> = books.outbox.drain(..most).collect();
        let mut changes = Vec::new();
        for tag in tags {
            let known = facts.of_tag(&tag).expect("noted tags are known");
            let balance = books.balance(&LedgerAccountKey::Customer(known.facts.account));
            let entry = ListEntry {
                status: status_of(AccountState::Open, balance, POLICY),
                group: known.facts.group,
                exempt: known.facts.exempt,
                pass: known.facts.passes.first().map(|pass| PassOnList {
                    pass: 1,
                    station: pass.station.clone(),
                    until: pass.valid_until,
                }),
                tag,
            };
            if books.list.find(&entry.tag) != Some(&entry) {
                changes.push(ListChange::Upsert(entry));
            }
        }
        if changes.is_empty() {
            return;
        }
        let delta = books.list.plan(changes, now);
        books.list.apply(&delta).expect("what was planned can be applied");
        self.truth.lists.insert(delta.version, delta.hash);
        let version = delta.version;
        let payload = emit(&DeltaRecord::from(delta));
        let signature = facts.centre.sign(Context::List, &payload).to_text();
        books.deltas.insert(version, StoredDelta { payload, signature, published: false });
        self.tell(|_| format!("centre: list {version}"));
    }

    fn publishes_snapshot(&mut self) {
        let list = &self.centre.books.list;
        let mut entries: Vec<ListEntryRecord> =
            list.entries().cloned().map(ListEntryRecord::from).collect();
        entries.sort_by(|a, b| a.tag.cmp(&b.tag));
        let part = serde_json::to_vec(&entries).expect("entries have a JSON form");
        let manifest = emit(&Manifest {
            v: 1,
            version: list.version(),
            hash: Digest256::new(*list.hash().as_bytes()),
            tags: u64::try_from(list.len()).unwrap(),
            parts: vec![Digest256::of(&part)],
            issued_at: list.issued_at(),
        });
        self.centre.books.published_snapshot = self.centre.books.list.version();
        let manifest = self.signed(Context::List, manifest);
        let part = self.signed(Context::List, part);
        self.centre.snapshots.push((manifest.clone(), part.clone()));
        self.broker.snapshot = Some((manifest, part));
    }
}
