//! A lane's two ways to the broker: passages up, lists, receipts and entries down.
//!
//! Which record goes when is decided by the uplink's own window; list messages are read by the lane
//! controller's own code. The rest is what `lane_controller::downlink` decides: which receipt is
//! news, which list is taken.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use clearing_house::intake::Delivery;
use domain::PassageId;
use domain::account_list::{AccountList, ContentHash, ListChange, ListDelta, ListEntry, ListError};
use domain::signature::{Context, Digest256, HalfDigest, Signature};
use domain::wire::v1::{DeltaRecord, EntryRecord, ListEntryRecord, Manifest, Receipt, parse};
use domain::wire::{message_id, passage_of, subject};
use lane_controller::lane::Event;
use lane_controller::list::{SignedMessage, read_delta, read_manifest};
use lane_controller::uplink::Posted;
use lane_controller::uplink::window::{Sending, Window};

use super::broker::Said;
use super::bug::PlantedBug;
use super::disk::Row;
use super::happening::{Happening, Heard};
use super::plan::{Fault, MILLI, SECOND};
use super::whole::Whole;

/// How long a record may be on its way to the broker's acknowledgement.
const ACKNOWLEDGED_WITHIN: u64 = 5 * SECOND;

/// How far a lane's records were sent: the uplink's own window, and when it is looked at next.
#[derive(Debug)]
pub(crate) struct Uplink {
    window: Window,
    due_at: Option<u64>,
}

impl Uplink {
    /// Nothing sent yet of a journal that is posted up to a watermark.
    pub(crate) fn new(written: u64, posted: u64) -> Self {
        Self { window: Window::new(written, posted), due_at: None }
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

    /// Tells the lanes that run whether they have a line.
    pub(crate) fn lines_changed(&mut self) {
        for no in 0..self.lanes.len() {
            self.sends(no, self.lanes[no].life);
        }
    }

    /// Sends what is next, as `lane_controller::uplink` does.
    pub(crate) fn sends(&mut self, no: usize, life: u32) {
        let has_line = self.has_line(no);
        let now = self.lane_uptime(no);
        let node = &mut self.lanes[no];
        let Some(epoch) = node.epoch() else { return };
        if node.life != life || !node.is_up {
            return;
        }
        let window = &mut node.uplink.window;
        window.handle_written(node.last);
        window.handle_connection(has_line, now);
        window.handle_deadline(now);
        let asks = window.poll_ask(now);
        let sendings = window.poll_send(now);
        if asks {
            let takes = self.between(10 * MILLI, 80 * MILLI);
            self.after(takes, Happening::IsTold { lane: no, life });
        }
        for sending in sendings {
            self.sends_one(no, epoch, sending, now);
        }
        self.sends_later(no, now);
    }

    fn sends_one(&mut self, no: usize, epoch: u32, sending: Sending, now: Duration) {
        let node = &mut self.lanes[no];
        let life = node.life;
        let Some(row) = node.disk.image.rows.get(&sending.seq).cloned() else {
            return node.uplink.window.handle_gone(sending.seq);
        };
        if Digest256::of(&row.payload) != row.digest {
            return node.uplink.window.handle_failed(sending.seq, now);
        }
        let mut delivery = self.passage_message(no, epoch, &row);
        let taken = if sending.round > 0 {
            self.reached.insert("records were sent again");
            let id = delivery.message_id.as_deref().and_then(passage_of);
            delivery.message_id = id.map(|id| message_id(&id, sending.round));
            self.bug == Some(PlantedBug::SendsOnce) || self.publishes_passage(delivery)
        } else {
            self.publishes_passage(delivery)
        };
        let takes = if taken { self.between(10 * MILLI, 80 * MILLI) } else { ACKNOWLEDGED_WITHIN };
        self.after(takes, Happening::Sent { lane: no, life, seq: sending.seq, taken });
    }

    /// When to look at the window again, whatever happens until then.
    fn sends_later(&mut self, no: usize, now: Duration) {
        let node = &mut self.lanes[no];
        let Some(due) = node.uplink.window.next_deadline() else { return };
        let wait = u64::try_from(due.saturating_sub(now).as_micros()).unwrap().max(MILLI);
        let at = self.now + wait;
        let uplink = &mut node.uplink;
        if uplink.due_at.is_none_or(|known| at < known || known <= self.now) {
            uplink.due_at = Some(at);
            let life = node.life;
            self.after(wait, Happening::Sends { lane: no, life });
        }
    }

    /// The broker tells a lane what it holds last of its journal.
    pub(crate) fn is_told(&mut self, no: usize, life: u32) {
        if self.lanes[no].life != life || !self.has_line(no) {
            return;
        }
        let Some(epoch) = self.lanes[no].epoch() else { return };
        let held = self.broker.last_id(&subject::passage(&self.facts.lanes[no].id));
        let held = held.and_then(passage_of).filter(|id| id.epoch == epoch);
        self.lanes[no].uplink.window.handle_held(held.map(|id| id.seq.get()));
        self.sends(no, life);
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

    /// The broker has acknowledged a record, or has not.
    pub(crate) fn sent(&mut self, no: usize, life: u32, seq: u64, taken: bool) {
        let now = self.lane_uptime(no);
        let node = &mut self.lanes[no];
        if node.life != life || !node.is_up {
            return;
        }
        if taken {
            node.uplink.window.handle_taken(seq, now);
        } else {
            node.uplink.window.handle_failed(seq, now);
        }
        if taken && self.bug == Some(PlantedBug::PrunesOnPubAck) {
            self.prunes(no, seq);
        }
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
        let (upto, digest) = (receipt.posted_upto, receipt.posted_digest);
        let own = node.disk.image.rows.get(&upto).map(|row| HalfDigest::from(row.digest));
        let is_other = upto > node.posted_upto && own.is_some_and(|own| Some(own) != digest);
        if is_other && self.bug != Some(PlantedBug::DigestUnchecked) {
            self.reached.insert("an old copy that was written on is known by a digest");
            return self.put_old_copy_away(no, "other passages are posted under its numbers");
        }
        let posted = Posted { upto, digest, missing: receipt.missing.clone() };
        if !posted.missing.is_empty() {
            self.reached.insert("a receipt names what is missing");
        }
        let now = self.lane_uptime(no);
        let node = &mut self.lanes[no];
        node.uplink.window.handle_posted(&posted, now);
        let life = node.life;
        self.lane_is_posted(no, &receipt);
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
