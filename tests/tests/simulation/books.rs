//! The model of the database: tables, unique keys, transactions that happen whole or not at all.
//!
//! A [`Write`] is everything one transaction wants to write, worked out from what it read. It is
//! refused where it read what another has changed since, or where it would break a key. Tables
//! and keys are those of the clearing house's migrations; that the books come out the same with a
//! real database is the test in `real.rs`.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use clearing_house::account::AccountState;
use clearing_house::intake::Refusal;
use clearing_house::ledger::LedgerAccountKey;
use clearing_house::lists::status_of;
use clearing_house::rating::{Charge, EntryFacts};
use domain::account_list::AccountList;
use domain::passage::Passage;
use domain::signature::{Digest256, HalfDigest};
use domain::{AccountId, BusinessDate, OperatorId, TagId, Timestamp};

use super::bug::PlantedBug;
use super::facts::{Facts, POLICY};

/// The identity of a passage, with the lane by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub lane: usize,
    pub epoch: u32,
    pub seq: u64,
}

/// A row of `passage`.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub hash: Digest256,
    pub passage: Option<Passage>,
}

/// A row of `charge`.
#[derive(Debug, Clone)]
pub(crate) struct StoredCharge {
    pub charge: Charge,
    pub day: BusinessDate,
    pub late: bool,
    pub rated_at: Timestamp,
}

/// A row of `transfer`.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub passage: Option<Key>,
    pub debit: LedgerAccountKey,
    pub credit: LedgerAccountKey,
    pub amount: i64,
    pub day: BusinessDate,
}

/// A row of `lane_epoch`; `changes` counts who had the row locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochRow {
    pub journal: Digest256,
    pub posted_upto: u64,
    pub changes: u64,
}

/// A row of `road_entry`.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub vehicle: String,
    pub facts: EntryFacts,
}

/// A row of `list_delta`.
#[derive(Debug, Clone)]
pub(crate) struct StoredDelta {
    pub payload: Vec<u8>,
    pub signature: String,
    pub published: bool,
}

/// Everything one transaction writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Write {
    /// The epochs it has read and locked, and what it found.
    pub epochs: BTreeMap<(usize, u32), u64>,
    /// The days it holds open.
    pub days: BTreeSet<(OperatorId, BusinessDate)>,
    pub passages: Vec<(Key, Stored)>,
    pub charges: Vec<(Key, StoredCharge)>,
    pub transfers: Vec<Transfer>,
    pub entries: Vec<(Key, Entry)>,
    /// Exits with the entries they use.
    pub trips: Vec<(Key, Key)>,
    pub waits: Vec<(Key, Timestamp)>,
    pub quarantine: Vec<(Refusal, Digest256)>,
    /// Balances as they were read; only a planted bug writes them.
    pub balances_read: BTreeMap<LedgerAccountKey, i64>,
}

/// Why a transaction was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// Another was first.
    Serialization,
    /// A key or day stands in the way.
    Refused,
}

/// The books.
#[derive(Debug, Clone, Default)]
pub(crate) struct Books {
    pub passages: BTreeMap<Key, Stored>,
    pub charges: BTreeMap<Key, StoredCharge>,
    pub transfers: Vec<Transfer>,
    paid_for: BTreeSet<Key>,
    references: BTreeSet<String>,
    pub balances: BTreeMap<LedgerAccountKey, i64>,
    pub entries: BTreeMap<Key, Entry>,
    /// Entries with the exits that used them.
    pub trips: BTreeMap<Key, Key>,
    pub awaiting: BTreeMap<Key, Timestamp>,
    pub epochs: BTreeMap<(usize, u32), EpochRow>,
    pub closed_days: BTreeSet<(OperatorId, BusinessDate)>,
    pub quarantine: HashSet<(&'static str, Digest256)>,
    pub outbox: VecDeque<TagId>,
    pub list: AccountList,
    pub deltas: BTreeMap<u64, StoredDelta>,
    pub published_snapshot: u64,
}

impl Books {
    /// The books of an office with these vehicles' accounts, and an epoch for every lane.
    pub(crate) fn open(facts: &Facts, vehicles: usize) -> Self {
        let mut books = Self::default();
        for (no, lane) in facts.lanes.iter().enumerate() {
            let journal = tests::lane::journal_of(&lane.id);
            books.epochs.insert((no, 1), EpochRow { journal, posted_upto: 0, changes: 0 });
        }
        let day = facts.day_of(facts.begins);
        for known in &facts.vehicles {
            let reference = format!("open-{}", known.facts.account);
            books.top_up(facts, known.facts.account, known.opens_with, &reference, day);
        }
        // The list of the few vehicles of a seed is enough for lanes.
        let tags = facts.vehicles.iter().map(|known| known.tag.clone());
        books.outbox = tags.take(vehicles).chain(special_tags(facts)).collect();
        books
    }

    /// The balance of a ledger account.
    pub(crate) fn balance(&self, key: &LedgerAccountKey) -> i64 {
        self.balances.get(key).copied().unwrap_or(0)
    }

    /// A payment into an account; a second time by the same reference is none.
    pub(crate) fn top_up(
        &mut self,
        facts: &Facts,
        account: AccountId,
        amount: i64,
        reference: &str,
        day: BusinessDate,
    ) {
        if !self.references.insert(reference.to_owned()) {
            return;
        }
        let known = facts.vehicles.iter().find(|known| known.facts.account == account);
        let issuer = known.expect("accounts are known").facts.issuer.clone();
        let transfer = Transfer {
            passage: None,
            debit: LedgerAccountKey::Bank(issuer),
            credit: LedgerAccountKey::Customer(account),
            amount,
            day,
        };
        let changed = self.move_money(&[transfer]);
        self.note(facts, &changed);
    }

    /// Takes a transaction, whole or not at all; tells whose list entries may have changed.
    pub(crate) fn commit(
        &mut self,
        facts: &Facts,
        write: Write,
        bug: Option<PlantedBug>,
    ) -> Result<Vec<AccountId>, NotTaken> {
        self.allows(&write, bug)?;
        for epoch in write.epochs.keys() {
            self.epochs.get_mut(epoch).expect("a locked row is there").changes += 1;
        }
        for (refusal, digest) in write.quarantine {
            self.quarantine.insert((refusal.name(), digest));
        }
        self.passages.extend(write.passages);
        self.entries.extend(write.entries);
        self.awaiting.extend(write.waits);
        for (key, _) in &write.charges {
            self.awaiting.remove(key);
        }
        self.charges.extend(write.charges);
        self.trips.extend(write.trips.iter().map(|(exit, entry)| (*entry, *exit)));
        let changed = if bug == Some(PlantedBug::LosesUpdates) {
            self.balances.extend(write.balances_read);
            let untouched = self.balances.clone();
            let changed = self.move_money(&write.transfers);
            for (key, balance) in
                untouched.into_iter().filter(|(key, _)| !touches(&write.transfers, key))
            {
                self.balances.insert(key, balance);
            }
            changed
        } else {
            self.move_money(&write.transfers)
        };
        for epoch in write.epochs.keys() {
            self.advance(*epoch, bug);
        }
        if bug != Some(PlantedBug::OutboxAfterCommit) {
            self.note(facts, &changed);
        }
        Ok(changed)
    }

    fn allows(&self, write: &Write, bug: Option<PlantedBug>) -> Result<(), NotTaken> {
        let moved_on = |(epoch, read): (&(usize, u32), &u64)| {
            self.epochs.get(epoch).is_none_or(|row| row.changes != *read)
        };
        // Rows are locked: a second writer waits, and then finds them changed.
        if bug != Some(PlantedBug::LosesUpdates) && write.epochs.iter().any(moved_on) {
            return Err(NotTaken::Serialization);
        }
        if write.days.iter().any(|day| self.closed_days.contains(day)) {
            return Err(NotTaken::Serialization);
        }
        let keyless = bug == Some(PlantedBug::DedupesByWindowOnly);
        let known = |(key, _): &(Key, Stored)| self.passages.contains_key(key);
        let charged = |(key, _): &(Key, StoredCharge)| self.charges.contains_key(key);
        let paid = |one: &Transfer| one.passage.is_some_and(|key| self.paid_for.contains(&key));
        let used = |(_, entry): &(Key, Key)| self.trips.contains_key(entry);
        let taken = write.passages.iter().any(known)
            || write.charges.iter().any(charged)
            || write.transfers.iter().any(paid);
        let used = write.trips.iter().any(used) && bug != Some(PlantedBug::EntryUsedTwice);
        if (taken && !keyless) || used { Err(NotTaken::Refused) } else { Ok(()) }
    }

    /// Books transfers and their balances; tells whose balance crossed a threshold.
    fn move_money(&mut self, transfers: &[Transfer]) -> Vec<AccountId> {
        let status = |balance| status_of(AccountState::Open, balance, POLICY);
        let mut before: BTreeMap<AccountId, i64> = BTreeMap::new();
        for transfer in transfers {
            self.paid_for.extend(transfer.passage);
            for (key, change) in
                [(&transfer.debit, -transfer.amount), (&transfer.credit, transfer.amount)]
            {
                let balance = self.balances.entry(key.clone()).or_default();
                if let LedgerAccountKey::Customer(account) = key {
                    before.entry(*account).or_insert(*balance);
                }
                *balance += change;
            }
        }
        self.transfers.extend_from_slice(transfers);
        let crossed = |(account, before): &(AccountId, i64)| {
            status(*before) != status(self.balance(&LedgerAccountKey::Customer(*account)))
        };
        before.into_iter().filter(crossed).map(|(account, _)| account).collect()
    }

    /// Notes the tags of accounts in the outbox.
    pub(crate) fn note(&mut self, facts: &Facts, accounts: &[AccountId]) {
        let known = facts.vehicles.iter();
        let tags = known.filter(|known| accounts.contains(&known.facts.account));
        self.outbox.extend(tags.map(|known| known.tag.clone()));
    }

    /// Moves a watermark over everything that is there without a gap.
    fn advance(&mut self, epoch: (usize, u32), bug: Option<PlantedBug>) {
        let row = self.epochs.get_mut(&epoch).expect("a locked row is there");
        let at = |seq| Key { lane: epoch.0, epoch: epoch.1, seq };
        if bug == Some(PlantedBug::WatermarkIgnoresGaps) {
            let last = self.passages.range(at(0)..=at(u64::MAX)).next_back();
            row.posted_upto = last.map_or(0, |(key, _)| key.seq);
            return;
        }
        while self.passages.contains_key(&at(row.posted_upto + 1)) {
            row.posted_upto += 1;
        }
    }

    /// The watermark of an epoch.
    pub(crate) fn posted_upto(&self, epoch: (usize, u32)) -> u64 {
        self.epochs.get(&epoch).map_or(0, |row| row.posted_upto)
    }

    /// What is stored at the watermark of an epoch.
    pub(crate) fn posted_digest(&self, (lane, epoch): (usize, u32)) -> Option<HalfDigest> {
        let key = Key { lane, epoch, seq: self.posted_upto((lane, epoch)) };
        self.passages.get(&key).map(|stored| stored.hash.into())
    }

    /// Up to where passages are stored without a gap, counted.
    pub(crate) fn truly_posted(&self, (lane, epoch): (usize, u32)) -> u64 {
        let is_stored = |seq: &u64| self.passages.contains_key(&Key { lane, epoch, seq: *seq });
        (1..).take_while(is_stored).last().unwrap_or(0)
    }

    /// The first stretch that is missing past the watermark.
    pub(crate) fn missing(&self, (lane, epoch): (usize, u32)) -> Option<(u64, u64)> {
        let upto = self.posted_upto((lane, epoch));
        let key = |seq| Key { lane, epoch, seq };
        let next = self.passages.range(key(upto + 1)..=key(u64::MAX)).next()?;
        (next.0.seq > upto + 1).then_some((upto + 1, next.0.seq - 1))
    }

    /// The epoch that a journal may write: the one it has, or the next.
    pub(crate) fn epoch_of_journal(&mut self, lane: usize, journal: Digest256) -> u32 {
        let own = self.epochs.range((lane, 0)..=(lane, u32::MAX));
        let mut last = 0;
        for ((_, epoch), row) in own {
            last = *epoch;
            if row.journal == journal {
                return last;
            }
        }
        self.epochs.insert((lane, last + 1), EpochRow { journal, posted_upto: 0, changes: 0 });
        last + 1
    }
}

/// The vehicles that pay nothing, or cannot pay.
fn special_tags(facts: &Facts) -> impl Iterator<Item = TagId> + '_ {
    facts.vehicles[49..].iter().map(|known| known.tag.clone())
}

fn touches(transfers: &[Transfer], key: &LedgerAccountKey) -> bool {
    transfers.iter().any(|transfer| transfer.debit == *key || transfer.credit == *key)
}
