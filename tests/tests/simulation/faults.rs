//! What strikes: each kind of fault at its time, for a while, until the faults are over.

use std::rc::Rc;

use clearing_house::intake::Delivery;
use domain::account_list::{ListChange, ListStatus};
use domain::signature::{Context, Digest256, SecretKey};
use domain::wire::subject;
use domain::wire::v1::{DeltaRecord, PassageRecord, Receipt, emit, parse};
use domain::{Amount, PassageId};
use rand::RngExt as _;

use super::books::Key;
use super::broker::Said;
use super::centre::Done;
use super::disk::{Image, Row};
use super::happening::{Happening, Heard};
use super::plan::{Fault, MINUTE, SECOND};
use super::whole::Whole;

/// Ten years of microseconds.
const TEN_YEARS: u64 = 10 * 365 * 24 * 60 * MINUTE;

impl Whole {
    /// Puts every fault of the plan on the agenda.
    pub(crate) fn plan_faults(&mut self) {
        for fault in self.plan.faults.clone() {
            let at = self.between(30 * SECOND, self.plan.span);
            self.after(at, Happening::Strikes { fault });
        }
    }

    fn any_lane(&mut self) -> usize {
        self.dice.random_range(0..self.lanes.len())
    }

    /// A fault strikes, and will again where that is its way.
    pub(crate) fn strikes(&mut self, fault: Fault) {
        if self.faults_are_over {
            return;
        }
        self.tell(|_| format!("FAULT {fault:?}"));
        let no = self.any_lane();
        match fault {
            Fault::LaneDies => self.lane_dies(no),
            Fault::FlushFails => {
                self.lanes[no].disk.fails = true;
                let lasts = self.between(2 * SECOND, 90 * SECOND);
                self.after(lasts, Happening::FlushWorks { lane: no });
                if self.chance(300) {
                    // Somebody turns it off and on again.
                    self.after(lasts / 2, Happening::Strikes { fault: Fault::LaneDies });
                }
            }
            Fault::DiskLost => self.loses_disk(no),
            Fault::ByteFlips => self.flips_byte(no),
            Fault::RolledBack => self.rolls_back(no),
            Fault::FieldSilent => {
                self.field_falls_silent(no);
                let lasts = self.between(2 * SECOND, 150 * SECOND);
                self.after(lasts, Happening::FieldIsBack { lane: no });
            }
            Fault::ClockJumps => self.clock_jumps(no),
            Fault::BrokerDies => {
                let flushed = self.now.saturating_sub(self.between(0, 20 * SECOND));
                self.broker.dies(flushed);
                self.lines_changed();
                let lasts = self.between(2 * SECOND, MINUTE);
                self.after(lasts, Happening::BrokerStarts);
            }
            Fault::BrokerWiped => {
                self.reached.insert("the broker was wiped");
                self.broker.wiped();
                self.lines_changed();
                self.after(20 * SECOND, Happening::BrokerStarts);
            }
            Fault::LineCut => {
                self.lanes[no].line_is_cut = true;
                self.lines_changed();
                let lasts = self.between(30 * SECOND, 12 * MINUTE);
                self.after(lasts, Happening::LineIsBack { lane: no });
            }
            Fault::CentreDies => self.centre_dies(),
            Fault::DatabaseFails => {
                self.centre.database_is_up = false;
                let lasts = self.between(2 * SECOND, 2 * MINUTE);
                self.after(lasts, Happening::DatabaseIsBack);
            }
            Fault::DayCloses => self.closes_day(),
            Fault::Strangers => self.stranger_tries(),
            // These are chances that are drawn where they can strike.
            Fault::LinkLoses | Fault::Redelivered => return,
        }
        let once = matches!(fault, Fault::DiskLost | Fault::ByteFlips | Fault::BrokerWiped);
        if !once {
            let every =
                if fault == Fault::Strangers { self.plan.every / 4 } else { self.plan.every };
            self.after(every, Happening::Strikes { fault });
        }
    }

    /// Nothing goes wrong from here on, and what is broken is mended.
    pub(crate) fn faults_over(&mut self) {
        self.tell(|_| "the faults are over".to_owned());
        self.faults_are_over = true;
        self.centre.database_is_up = true;
        if !self.broker.up {
            self.broker_starts();
        }
        for no in 0..self.lanes.len() {
            self.lanes[no].disk.fails = false;
            self.lanes[no].line_is_cut = false;
            if !self.road[no].is_heard {
                self.field_is_back(no);
            }
            self.after(MINUTE, Happening::PersonExports { lane: no, times: 1 });
        }
        self.lines_changed();
    }

    /// The broker is there again.
    pub(crate) fn broker_starts(&mut self) {
        self.broker.up = true;
        self.lines_changed();
        self.wakes_workers();
    }

    /// A lane's line is there again.
    pub(crate) fn line_is_back(&mut self, no: usize) {
        self.lanes[no].line_is_cut = false;
        self.lines_changed();
    }

    fn loses_disk(&mut self, no: usize) {
        self.reached.insert("a disk was lost");
        self.lane_dies(no);
        let name = format!("blank disk of lane {no} at {}", self.now);
        let lost = self.lanes[no].disk.begin_anew(Digest256::of(name.as_bytes()));
        self.lanes[no].disk.list = domain::account_list::AccountList::default();
        self.lanes[no].backup = None;
        self.only_on(no, &lost);
    }

    /// Notes which records nobody but this journal has: without it they may be gone for good.
    fn only_on(&mut self, no: usize, journal: &Image) {
        let Some(epoch) = journal.epoch else { return };
        let broker_forgets = self.plan.has(Fault::BrokerDies) || self.plan.has(Fault::BrokerWiped);
        let rows: Vec<_> = journal.rows.values().cloned().collect();
        for row in rows {
            let key = Key { lane: no, epoch, seq: row.seq };
            let safe = self.is_accounted_for(no, epoch, row.seq, row.digest);
            if !safe && (broker_forgets || !self.broker.has(&row.payload)) {
                self.truth.lost_with_disk.insert((key, row.digest));
            }
        }
    }

    fn flips_byte(&mut self, no: usize) {
        let count = self.lanes[no].disk.durable.rows.len();
        if count == 0 {
            return;
        }
        self.lane_dies(no);
        let pick = self.dice.random_range(0..count);
        let before = self.lanes[no].disk.durable.clone();
        let Some(row) = self.lanes[no].disk.durable.rows.values_mut().nth(pick) else { return };
        let mut damaged = (**row).clone();
        let at = damaged.payload.len() / 2;
        damaged.payload[at] ^= 1;
        let seq = damaged.seq;
        *row = damaged.into();
        let mut only = Image::blank(before.journal);
        only.epoch = before.epoch;
        only.rows = before.rows.into_iter().filter(|(known, _)| *known == seq).collect();
        self.only_on(no, &only);
    }

    fn rolls_back(&mut self, no: usize) {
        let with_copy = self.lanes.iter().position(|node| node.backup.is_some());
        let Some(no) = with_copy else {
            self.lanes[no].backup = Some(self.lanes[no].disk.clone());
            return;
        };
        let Some(mut copy) = self.lanes[no].backup.take() else { return };
        if copy.image.journal != self.lanes[no].disk.image.journal {
            return;
        }
        self.reached.insert("an old copy was put back");
        self.lane_dies(no);
        let newer = self.lanes[no].disk.durable.clone();
        if self.chance(500) {
            copy.mark = self.lanes[no].disk.mark;
        }
        let upto = copy.durable.last;
        self.lanes[no].disk = copy;
        let mut gone = newer;
        gone.rows.retain(|seq, _| *seq > upto);
        self.only_on(no, &gone);
    }

    fn clock_jumps(&mut self, no: usize) {
        self.reached.insert("a clock jumped");
        let far = self.chance(150);
        let by = if far { TEN_YEARS } else { self.between(SECOND, 90 * MINUTE) };
        let by = i64::try_from(by).unwrap();
        let by = if self.chance(500) { by } else { -by };
        if !far && self.chance(200) {
            self.centre.clock_off = by / 4;
        } else {
            self.lanes[no].clock_off = by;
        }
    }

    fn closes_day(&mut self) {
        let lane = &self.facts.lanes[self.dice.random_range(0..self.facts.lanes.len())];
        let operator = lane.id.operator().clone();
        let day = self.facts.day_of(self.true_time());
        if self.centre.database_is_up
            && self.centre.books.closed_days.insert((operator.clone(), day))
        {
            self.reached.insert("a day was closed");
            self.centre.done.push(Done::Closed { operator, day });
        }
    }

    /// A person brings in what stands in journals that were put away.
    pub(crate) fn person_exports(&mut self, no: usize, times: u32) {
        let records: Vec<_> = self.to_be_brought_in(no).collect();
        let brought = records.len();
        for (epoch, row) in records {
            let delivery = self.passage_message(no, epoch, &row);
            self.reaches(Delivery { message_id: None, ..delivery });
        }
        if brought > 0 && times < 20 {
            self.reached.insert("records of a journal put away were brought in");
            self.after(2 * MINUTE, Happening::PersonExports { lane: no, times: times + 1 });
        }
    }

    /// What stands whole in journals that were put away, and is not accounted for.
    pub(crate) fn to_be_brought_in(&self, no: usize) -> impl Iterator<Item = (u32, Rc<Row>)> {
        let away = self.lanes[no].put_away.iter();
        let records = away.flat_map(|image| {
            image
                .epoch
                .into_iter()
                .flat_map(|epoch| image.rows.values().map(move |row| (epoch, row)))
        });
        let missing = records.filter(move |(epoch, row)| {
            let is_whole = Digest256::of(&row.payload) == row.digest;
            is_whole && !self.is_accounted_for(no, *epoch, row.seq, row.digest)
        });
        missing.map(|(epoch, row)| (epoch, Rc::clone(row)))
    }

    /// Whether a record is posted, or is known to contradict one that is.
    pub(crate) fn is_accounted_for(
        &self,
        lane: usize,
        epoch: u32,
        seq: u64,
        digest: Digest256,
    ) -> bool {
        let books = &self.centre.books;
        let posted = books.passages.get(&Key { lane, epoch, seq });
        posted.is_some_and(|stored| stored.hash == digest)
            || books.quarantine.contains(&("conflict", digest))
            || books.quarantine.contains(&("broken-chain", digest))
    }

    fn stranger_tries(&mut self) {
        let no = self.any_lane();
        match self.dice.random_range(0..9) {
            0 => {
                let key = self.facts.stranger.clone();
                self.false_passage(no, no, &key);
            }
            1 => self.alters_message(),
            2 => {
                // An enrolled lane speaks for another.
                let other = (no + 1) % self.lanes.len();
                let key = self.facts.lanes[other].key.clone();
                let on = if self.chance(500) { no } else { other };
                self.false_passage(no, on, &key);
            }
            3 => self.sends_garbage(no),
            4 => self.contradicts(no),
            5 => {
                let count = self.broker.len().max(1);
                let pick = self.dice.random_range(0..count);
                if let Some(known) = self.broker.any(pick).cloned() {
                    self.reaches(Delivery { message_id: None, ..known });
                }
            }
            6 => {
                if let Some((manifest, part)) = self.centre.snapshots.first().cloned() {
                    self.says(None, Heard::Snapshot(manifest, part));
                }
            }
            7 => self.false_delta(no),
            _ => self.false_receipt(no),
        }
    }

    /// A record of the lane that never was, made from one that is.
    fn made_up(&mut self, no: usize, seq: u64) -> Option<(PassageId, Vec<u8>)> {
        let row = self.lanes[no].disk.image.rows.values().next()?;
        let mut record: PassageRecord = parse("passage", &row.payload).ok()?;
        record.id.seq = seq.try_into().ok()?;
        record.id.epoch = self.lanes[no].epoch()?;
        record.fare = Amount::try_new(i64::try_from(self.now % 1_000).ok()?).ok();
        record.boot = "another".to_owned();
        Some((record.id.clone(), emit(&record)))
    }

    fn false_passage(&mut self, no: usize, on: usize, key: &SecretKey) {
        let seq = self.lanes[no].last + 1;
        let Some((id, payload)) = self.made_up(no, seq) else { return };
        self.reached.insert("a false passage was sent");
        let signature = Some(key.sign(Context::Passage, &payload).to_text());
        let to = subject::passage(&self.facts.lanes[on].id);
        let message_id = self.chance(500).then(|| format!("stranger {id}"));
        self.reaches(Delivery { subject: to, message_id, signature, payload });
    }

    fn alters_message(&mut self) {
        let count = self.broker.len().max(1);
        let pick = self.dice.random_range(0..count);
        let Some(mut known) = self.broker.any(pick).cloned() else { return };
        let Ok(mut record) = parse::<PassageRecord>("passage", &known.payload) else { return };
        record.fare = Some(Amount::ZERO);
        record.id.seq = record.id.seq.saturating_add(3);
        known.payload = emit(&record);
        known.message_id = None;
        self.reaches(known);
    }

    fn sends_garbage(&mut self, no: usize) {
        let payload = vec![0xff, 0, b'{', u8::try_from(self.now % 251).unwrap()];
        let to = subject::passage(&self.facts.lanes[no].id);
        let subject = if self.chance(500) { to } else { "etc.v1.passage.nowhere".to_owned() };
        let signature = self.chance(500).then(|| "none".to_owned());
        self.reaches(Delivery { subject, message_id: None, signature, payload });
    }

    /// Another content under a key that is posted, with the lane's own key.
    fn contradicts(&mut self, no: usize) {
        let Some(epoch) = self.lanes[no].epoch() else { return };
        let posted = self.centre.books.posted_upto((no, epoch));
        if posted == 0 {
            return;
        }
        let seq = self.between(1, posted);
        let Some((id, payload)) = self.made_up(no, seq) else { return };
        self.reached.insert("a posted passage was contradicted");
        let forgets = self.plan.has(Fault::BrokerDies) || self.plan.has(Fault::BrokerWiped);
        if !forgets && self.broker.up {
            self.truth.conflicts_sent.insert(Digest256::of(&payload));
        }
        let signature = Some(self.facts.lanes[no].key.sign(Context::Passage, &payload).to_text());
        let to = subject::passage(&id.lane);
        self.reaches(Delivery { subject: to, message_id: None, signature, payload });
    }

    fn false_delta(&mut self, no: usize) {
        let list = &self.lanes[no].list;
        let Some(mut entry) = list.entries().min_by(|a, b| a.tag.cmp(&b.tag)).cloned() else {
            return;
        };
        entry.status =
            if entry.status == ListStatus::Good { ListStatus::Blocked } else { ListStatus::Good };
        let delta = list.plan(vec![ListChange::Upsert(entry)], self.true_time());
        let payload = emit(&DeltaRecord::from(delta));
        let signature = self.facts.stranger.sign(Context::List, &payload).to_text();
        self.says(Some(no), Heard::Delta(Said { payload: payload.into(), signature }));
    }

    fn false_receipt(&mut self, no: usize) {
        let Some(epoch) = self.lanes[no].epoch() else { return };
        let receipt = Receipt {
            v: 1,
            lane: self.facts.lanes[no].id.clone(),
            epoch,
            posted_upto: self.lanes[no].last + 1,
            posted_digest: None,
            missing: Vec::new(),
            issued_at: self.true_time(),
        };
        let payload = emit(&receipt);
        let signature = self.facts.stranger.sign(Context::Receipt, &payload).to_text();
        self.says(Some(no), Heard::Receipt(Said { payload: payload.into(), signature }));
    }
}
