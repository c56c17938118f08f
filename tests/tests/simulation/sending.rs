//! A lane's two ways to the broker: passages up, lists, receipts and entries down.
//!
//! What is decided is what `lane_controller::uplink` and `lane_controller::downlink` decide: how
//! far records were sent, from where they are sent again, which receipt is news, which list is
//! taken. List messages are read by the lane controller's own code.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use clearing_house::intake::Delivery;
use domain::PassageId;
use domain::account_list::{AccountList, ContentHash, ListChange, ListDelta, ListEntry, ListError};
use domain::signature::{Context, Digest256, Signature};
use domain::wire::subject;
use domain::wire::v1::{DeltaRecord, EntryRecord, ListEntryRecord, Manifest, Receipt, parse};
use lane_controller::lane::Event;
use lane_controller::list::{SignedMessage, read_delta, read_manifest};
use lane_controller::uplink::Posted;

use super::broker::Said;
use super::bug::PlantedBug;
use super::disk::Row;
use super::happening::{Happening, Heard};
use super::plan::{Fault, MILLI, SECOND};
use super::whole::Whole;

/// How many records may be under way at once.
const WINDOW: usize = 4;
/// How long the watermark may stand still before records are sent again; doubled each time.
const AGAIN_MIN: u64 = 10 * SECOND;
/// The longest such wait.
const AGAIN_MAX: u64 = 120 * SECOND;
/// How long to wait after the broker did not take a record.
const PAUSE: u64 = 3 * SECOND;

/// How far a lane's records were sent.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    /// Up to here the broker has said that it has them.
    pub sent: u64,
    /// Up to here they have been sent before: a second time they carry no id.
    once_sent: u64,
    asked_for: Option<u64>,
    again_after: u64,
    under_way: bool,
    timer: u32,
}

impl Sending {
    /// Nothing sent yet past a watermark.
    pub(crate) fn from(posted: u64) -> Self {
        Self {
            sent: posted,
            once_sent: posted,
            asked_for: None,
            again_after: AGAIN_MIN,
            under_way: false,
            timer: 0,
        }
    }
}

/// What some lane has found to be the centre's: by payload and signature.
#[derive(Debug, Default)]
pub(crate) struct Proved {
    deltas: HashMap<Digest256, ListDelta>,
    others: HashSet<Digest256>,
}

impl Whole {
    fn has_line(&self, no: usize) -> bool {
        self.lanes[no].is_up && !self.lanes[no].line_is_cut && self.broker.up
    }

    /// Sends what is next, if there is anything and nothing is under way.
    pub(crate) fn sends(&mut self, no: usize, life: u32) {
        let has_line = self.has_line(no);
        let once = self.bug == Some(PlantedBug::SendsOnce);
        let node = &mut self.lanes[no];
        let Some(epoch) = node.epoch() else { return };
        if node.life != life || !node.is_up || node.sending.under_way {
            return;
        }
        let sending = &mut node.sending;
        sending.sent = sending.sent.max(node.posted.upto);
        if node.posted.missing_from != sending.asked_for {
            sending.asked_for = node.posted.missing_from;
            if let Some(missing) = sending.asked_for.filter(|from| *from <= sending.sent && !once) {
                sending.sent = missing - 1;
            }
        }
        if sending.sent >= node.last {
            return self.waits_for_receipt(no);
        }
        let from = sending.sent + 1;
        let rows: Vec<Rc<Row>> = node
            .disk
            .image
            .rows
            .range(from..)
            .take(WINDOW)
            .map(|(_, row)| Rc::clone(row))
            .collect();
        let readable = rows.iter().all(|row| Digest256::of(&row.payload) == row.digest);
        if !has_line || rows.is_empty() || !readable {
            return self.after(PAUSE, Happening::Sends { lane: no, life });
        }
        sending.under_way = true;
        let once_sent = sending.once_sent;
        let upto = rows.last().map(|row| row.seq);
        let mut all_acked = true;
        for row in rows {
            let mut delivery = self.passage_message(no, epoch, &row);
            if row.seq <= once_sent {
                delivery.message_id = None;
            }
            all_acked &= self.publishes_passage(delivery);
        }
        let upto = upto.filter(|_| all_acked);
        let takes = self.between(10 * MILLI, 80 * MILLI);
        self.after(takes, Happening::Sent { lane: no, life, upto });
    }

    /// A record as it is sent.
    pub(crate) fn passage_message(&self, no: usize, epoch: u32, row: &Row) -> Delivery {
        let lane = self.facts.lanes[no].id.clone();
        let to = subject::passage(&lane);
        let id = PassageId { lane, epoch, seq: row.seq.try_into().unwrap() };
        Delivery {
            subject: to,
            message_id: Some(id.to_string()),
            signature: Some(row.signature.clone()),
            payload: row.payload.clone(),
        }
    }

    /// Publishes; tells whether the broker's acknowledgement has come back.
    fn publishes_passage(&mut self, delivery: Delivery) -> bool {
        let loses = self.plan.has(Fault::LinkLoses);
        if loses && self.fault_of(150) {
            return false;
        }
        if loses && self.fault_of(300) {
            // Late, and out of order.
            self.reached.insert("a passage came late");
            let late = self.between(SECOND, 90 * SECOND);
            self.after(late, Happening::Reaches { delivery: Box::new(delivery) });
            return self.chance(500);
        }
        self.after(5 * MILLI, Happening::Reaches { delivery: Box::new(delivery) });
        let lost = loses && self.fault_of(150);
        if lost {
            self.reached.insert("an acknowledgement of the broker was lost");
        }
        !lost
    }

    /// A passage reaches the broker.
    pub(crate) fn reaches(&mut self, delivery: Delivery) {
        if self.broker.up {
            let now = self.now;
            self.broker.store(delivery, now);
            self.wakes_workers();
        }
    }

    /// The broker has acknowledged, or has not.
    pub(crate) fn sent(&mut self, no: usize, life: u32, upto: Option<u64>) {
        let node = &mut self.lanes[no];
        if node.life != life || !node.is_up {
            return;
        }
        node.sending.under_way = false;
        let Some(upto) = upto else {
            return self.after(PAUSE, Happening::Sends { lane: no, life });
        };
        node.sending.sent = node.sending.sent.max(upto);
        node.sending.once_sent = node.sending.once_sent.max(upto);
        if self.bug == Some(PlantedBug::PrunesOnPubAck) {
            self.prunes(no, upto);
        }
        self.sends(no, life);
    }

    fn waits_for_receipt(&mut self, no: usize) {
        let node = &mut self.lanes[no];
        if node.sending.sent > node.posted.upto {
            node.sending.timer += 1;
            let (timer, life) = (node.sending.timer, node.life);
            let after = node.sending.again_after;
            self.after(after, Happening::SendsAgain { lane: no, life, timer });
        }
    }

    /// The watermark has stood still for too long.
    pub(crate) fn sends_again(&mut self, no: usize, life: u32, timer: u32) {
        let node = &mut self.lanes[no];
        let stands = node.sending.timer == timer && node.sending.sent > node.posted.upto;
        if node.life != life || !node.is_up || !stands || node.sending.under_way {
            return;
        }
        if self.bug != Some(PlantedBug::SendsOnce) {
            node.sending.sent = node.posted.upto;
            self.reached.insert("records were sent again");
        }
        let node = &mut self.lanes[no];
        node.sending.again_after = (node.sending.again_after * 2).min(AGAIN_MAX);
        self.sends(no, life);
    }

    /// The centre says something to the lanes that listen.
    pub(crate) fn says(&mut self, to: Option<usize>, heard: Heard) {
        let heard = Rc::new(heard);
        let all = 0..self.lanes.len();
        for lane in all.filter(|no| to.is_none_or(|to| to == *no)) {
            let lost = self.plan.has(Fault::LinkLoses) && self.fault_of(200);
            if self.has_line(lane) && !lost {
                let takes = self.between(2 * MILLI, 60 * MILLI);
                self.after(takes, Happening::Hears { lane, heard: Rc::clone(&heard) });
            }
        }
    }

    /// A lane hears what was said.
    pub(crate) fn hears(&mut self, no: usize, heard: &Heard) {
        if !self.lanes[no].is_up {
            return;
        }
        match heard {
            Heard::Receipt(said) => self.hears_receipt(no, said),
            Heard::Delta(said) => self.hears_delta(no, said),
            Heard::Snapshot(manifest, part) => self.hears_snapshot(no, manifest, part),
            Heard::Entry(said) => self.hears_entry(no, said),
        }
    }

    /// A lane fetches what it may have missed.
    pub(crate) fn fetches(&mut self, no: usize, life: u32) {
        if self.lanes[no].life != life || !self.lanes[no].is_up {
            return;
        }
        self.after(20 * SECOND, Happening::Fetches { lane: no, life });
        if !self.has_line(no) {
            return;
        }
        self.fetches_list(no);
        if let Some(receipt) = self.broker.receipts.get(&no).cloned() {
            self.hears_receipt(no, &receipt);
        }
        while let Some(entry) = self.broker.entries.get(self.lanes[no].entries_read).cloned() {
            self.lanes[no].entries_read += 1;
            self.hears_entry(no, &entry);
        }
    }

    fn fetches_list(&mut self, no: usize) {
        if self.lanes[no].list.version() > 0 {
            self.fetches_deltas(no);
        }
        if let Some((manifest, part)) = self.broker.snapshot.clone() {
            self.hears_snapshot(no, &manifest, &part);
        }
        self.fetches_deltas(no);
    }

    fn fetches_deltas(&mut self, no: usize) {
        loop {
            let before = self.lanes[no].list.version();
            let Some(delta) = self.broker.deltas.get(&(before + 1)).cloned() else { return };
            let taken = self.takes_delta(no, &delta);
            if taken.is_err() || !self.lanes[no].is_up || self.lanes[no].list.version() == before {
                return;
            }
        }
    }

    fn hears_delta(&mut self, no: usize, said: &Said) {
        if let Err(ListError::Gap { .. }) = self.takes_delta(no, said) {
            self.reached.insert("a delta was missed");
            if self.has_line(no) {
                self.fetches_list(no);
            }
        }
    }

    fn takes_delta(&mut self, no: usize, said: &Said) -> Result<(), ListError> {
        let unchecked = self.bug == Some(PlantedBug::ListUnchecked);
        let delta = if unchecked {
            parse::<DeltaRecord>("delta", &said.payload).ok().map(ListDelta::from)
        } else {
            self.reads_delta(said)
        };
        let Some(delta) = delta else {
            self.reached.insert("a false delta was refused");
            return Ok(());
        };
        let before = self.lanes[no].list.clone();
        let mut list = before.clone();
        list.apply(&delta)?;
        if self.plan.has(Fault::LaneDies) && self.fault_of(20) {
            self.reached.insert("killed while a delta was written");
            let torn = self.bug == Some(PlantedBug::TearsList);
            self.lanes[no].disk.list = if torn {
                torn_list(&before, &delta)
            } else if self.chance(500) {
                list
            } else {
                before
            };
            self.lane_dies(no);
            return Ok(());
        }
        self.has_list(no, list);
        Ok(())
    }

    fn has_list(&mut self, no: usize, list: AccountList) {
        let before = self.lanes[no].list.version();
        if list.version() < before {
            self.fails(|| format!("I17: lane {no} goes back from list {before}"));
        }
        self.lanes[no].disk.list = list.clone();
        self.lanes[no].list = list;
        self.list_is_the_centres(no);
        if self.lanes[no].core.is_some() {
            self.lane_event(no, Event::ListChanged);
        }
    }

    fn hears_snapshot(&mut self, no: usize, manifest: &Said, part: &Said) {
        if self.lanes[no].last_manifest.as_ref() == Some(&manifest.payload) {
            return;
        }
        let centre = self.facts.centre.public();
        let Some(content) = signed(manifest).and_then(|said| read_manifest(&said, &centre).ok())
        else {
            self.reached.insert("a false snapshot was refused");
            return;
        };
        self.lanes[no].last_manifest = Some(Rc::clone(&manifest.payload));
        let older = content.version <= self.lanes[no].list.version();
        if older && self.bug != Some(PlantedBug::TakesOlderList) {
            return;
        }
        let Some(list) = list_of(&content, part) else { return };
        self.reached.insert("a snapshot was taken");
        self.has_list(no, list);
    }

    fn hears_receipt(&mut self, no: usize, said: &Said) {
        if self.lanes[no].last_receipt.as_ref() == Some(&said.payload) {
            return;
        }
        let unchecked = self.bug == Some(PlantedBug::ReceiptUnchecked);
        if !unchecked && !self.is_the_centres(Context::Receipt, said) {
            self.reached.insert("a false receipt was refused");
            return;
        }
        let Ok(receipt) = parse::<Receipt>("receipt", &said.payload) else { return };
        let node = &mut self.lanes[no];
        if node.epoch() != Some(receipt.epoch) || receipt.lane != self.facts.lanes[no].id {
            return;
        }
        node.last_receipt = Some(Rc::clone(&said.payload));
        let posted = Posted {
            upto: receipt.posted_upto,
            missing_from: receipt.missing.first().map(|(from, _)| *from),
        };
        if posted.missing_from.is_some() {
            self.reached.insert("a receipt names what is missing");
        }
        let node = &mut self.lanes[no];
        if posted.upto >= node.posted.upto && posted != node.posted {
            node.posted = posted;
            node.sending.again_after = AGAIN_MIN;
        }
        let life = node.life;
        self.lane_is_posted(no, receipt.epoch, receipt.posted_upto);
        self.sends(no, life);
    }

    fn hears_entry(&mut self, no: usize, said: &Said) {
        if self.is_the_centres(Context::Entry, said)
            && let Ok(record) = parse::<EntryRecord>("entry", &said.payload)
        {
            self.lanes[no].entries.note(record);
        }
    }

    /// Reads a delta as a lane does. What one lane has proved of the very same bytes is not proved
    /// again for the next: signatures are most of what a seed costs.
    fn reads_delta(&mut self, said: &Said) -> Option<ListDelta> {
        let digest = said.digest();
        if let Some(known) = self.proved.deltas.get(&digest) {
            return Some(known.clone());
        }
        let delta =
            signed(said).and_then(|said| read_delta(&said, &self.facts.centre.public()).ok())?;
        self.proved.deltas.insert(digest, delta.clone());
        Some(delta)
    }

    fn is_the_centres(&mut self, purpose: Context, said: &Said) -> bool {
        let digest = said.digest();
        if self.proved.others.contains(&digest) {
            return true;
        }
        let centre = self.facts.centre.public();
        let proved = Signature::try_from(said.signature.clone())
            .is_ok_and(|signature| centre.verify(purpose, &said.payload, &signature).is_ok());
        if proved {
            self.proved.others.insert(digest);
        }
        proved
    }
}

fn signed(said: &Said) -> Option<SignedMessage> {
    SignedMessage::try_new(&said.payload, Some(&said.signature)).ok()
}

/// The list of a snapshot, if the part is the manifest's and the whole what the centre signed.
fn list_of(manifest: &Manifest, part: &Said) -> Option<AccountList> {
    if manifest.parts != [Digest256::of(&part.payload)] {
        return None;
    }
    let entries: Vec<ListEntryRecord> = serde_json::from_slice(&part.payload).ok()?;
    let entries: Vec<ListEntry> = entries.into_iter().map(ListEntry::from).collect();
    let hash = ContentHash::new(*manifest.hash.as_bytes());
    AccountList::from_snapshot(manifest.version, hash, manifest.issued_at, entries).ok()
}

/// Half of a delta under its version: what a planted bug leaves on the disk.
fn torn_list(before: &AccountList, delta: &ListDelta) -> AccountList {
    let mut half = before.clone();
    let changes: Vec<ListChange> = delta.changes[..delta.changes.len() / 2].to_vec();
    let planned = half.plan(changes, delta.issued_at);
    half.apply(&planned).expect("half a delta can be applied");
    half
}
