//! What must hold: some of it at once, all of it when everything has come to rest.
//!
//! The oracle trusts no sum, no watermark and no balance. It has the truth, which is kept apart
//! from whatever can fail, and the books' rows. Numbers I… are those of `docs/invariants.md`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use clearing_house::intake::Delivery;
use clearing_house::ledger::LedgerAccountKey;
use clearing_house::rating::{EntryFinding, Payer, Rating, rate};
use domain::AccountId;
use domain::passage::{Decision, LaneRole};
use domain::signature::Digest256;
use domain::wire::v1::Disposition;

use super::books::{Books, Key};
use super::bug::PlantedBug;
use super::centre::Done;
use super::facts::Facts;
use super::plan::Fault;
use super::posting::vehicle_of;
use super::whole::Whole;

impl Whole {
    /// I2: what a journal has said to be durable is in it, unless it is posted and forgotten, or
    /// the disk is another.
    pub(crate) fn journal_has_all(&mut self, no: usize) {
        let image = &self.lanes[no].disk.image;
        let Some(epoch) = image.epoch else { return };
        let key = |seq| Key { lane: no, epoch, seq };
        let known = self.truth.written.range(key(0)..=key(u64::MAX));
        let put_away = |seq: u64| {
            let mut away = self.lanes[no].put_away.iter();
            away.any(|image| image.epoch == Some(epoch) && image.rows.contains_key(&seq))
        };
        let lost = |(key, digests): &(&Key, &HashSet<Digest256>)| {
            digests.iter().all(|digest| self.truth.lost_with_disk.contains(&(**key, *digest)))
        };
        let missing = known.filter(|known| !lost(known)).map(|(key, _)| *key).find(|key| {
            !image.rows.contains_key(&key.seq)
                && key.seq > image.posted_upto
                && !self.plan.has(Fault::RolledBack)
                && !put_away(key.seq)
        });
        // What is found and was not acknowledged counts from here on.
        let found: Vec<_> = image.rows.values().map(|row| (key(row.seq), row.digest)).collect();
        for (key, digest) in found {
            self.truth.written.entry(key).or_default().insert(digest);
        }
        if let Some(key) = missing {
            self.fails(|| format!("I2: lane {no} has lost {}:{}", key.epoch, key.seq));
        }
    }

    /// I17: the list of a lane is one that the centre has made.
    pub(crate) fn list_is_the_centres(&mut self, no: usize) {
        let list = &self.lanes[no].list;
        let (version, hash) = (list.version(), list.hash());
        let made = if version == 0 { None } else { self.truth.lists.get(&version) };
        if version > 0 && made != Some(&hash) {
            self.fails(|| format!("I17: lane {no} has a list {version} that was never made"));
        }
    }

    /// What the broker is told to forget is posted or in quarantine.
    pub(crate) fn may_be_forgotten(&mut self, delivery: &Delivery) {
        let books = &self.centre.books;
        let digest = Digest256::of(&delivery.payload);
        let is_safe = books.passages.values().any(|stored| stored.hash == digest)
            || books.quarantine.iter().any(|(_, known)| *known == digest)
            || self.bug == Some(PlantedBug::NoContentHash);
        if !is_safe {
            self.fails(|| "I6: a message was acknowledged that is not in the books".to_owned());
        }
    }

    /// Whether nothing is under way any more.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.why_no_rest().is_empty()
    }

    /// What is still under way.
    pub(crate) fn why_no_rest(&self) -> String {
        let mut why = Vec::new();
        let books = &self.centre.books;
        if self.crossings_to_come > 0 || self.road.iter().any(|road| !road.is_empty()) {
            why.push("vehicles are on the road".to_owned());
        }
        for (no, node) in self.lanes.iter().enumerate() {
            let Some(epoch) = node.epoch().filter(|_| node.is_up) else {
                why.push(format!("lane {no} is down"));
                continue;
            };
            let truly = books.posted_upto((no, epoch));
            if node.posted_upto != node.last || truly != node.last {
                why.push(format!(
                    "lane {no} knows of {} of {} posted, {truly} are",
                    node.posted_upto, node.last
                ));
            }
            if node.list.version() != books.list.version() {
                why.push(format!("lane {no} has list {}", node.list.version()));
            }
        }
        for no in 0..self.lanes.len() {
            if self.to_be_brought_in(no).next().is_some() {
                why.push(format!("a journal of lane {no} that was put away is to be brought in"));
            }
        }
        for (awaited, what) in [(books.awaiting.len(), "exits"), (books.outbox.len(), "changes")] {
            if awaited > 0 {
                why.push(format!("{awaited} {what} wait"));
            }
        }
        why.join(", ")
    }

    /// Everything, once it has come to rest.
    pub(crate) fn judge_the_end(&mut self) {
        let found = self
            .records_are_posted()
            .or_else(|| self.books_hold())
            .or_else(|| self.lists_agree().or_else(|| self.vehicles_are_passages()));
        if let Some(found) = found {
            self.fails(|| found);
        }
    }

    /// I6, I7, I8, I21: what was written is posted, and nothing else is.
    fn records_are_posted(&mut self) -> Option<String> {
        let books = &self.centre.books;
        for (key, digests) in &self.truth.written {
            for digest in digests {
                let accounted = self.is_accounted_for(key.lane, key.epoch, key.seq, *digest);
                if accounted || self.truth.lost_with_disk.contains(&(*key, *digest)) {
                    continue;
                }
                return Some(format!("I6: {key:?} was written and is not posted"));
            }
        }
        for (key, stored) in &books.passages {
            let known = self.truth.written.get(key);
            if !known.is_some_and(|digests| digests.contains(&stored.hash)) {
                return Some(format!("I21: {key:?} is posted and no lane has written it"));
            }
        }
        let silent = self
            .truth
            .conflicts_sent
            .iter()
            .any(|digest| !books.quarantine.contains(&("conflict", *digest)));
        silent.then(|| "I8: another content under a posted key was not noted".to_owned())
    }

    fn books_hold(&self) -> Option<String> {
        let books = &self.centre.books;
        dispositions(books)
            .or_else(|| transfers(books))
            .or_else(|| balances(books, self.facts, &self.centre.done))
            .or_else(|| watermarks(books))
            .or_else(|| fares(books, self.facts))
    }

    /// I17: every lane has what the centre has, and that is what the accounts say.
    fn lists_agree(&self) -> Option<String> {
        use clearing_house::account::AccountState;
        use clearing_house::lists::status_of;
        let books = &self.centre.books;
        for (no, node) in self.lanes.iter().enumerate() {
            if node.list.hash() != books.list.hash() {
                return Some(format!("I17: lane {no} has another list than the centre"));
            }
        }
        let stale = books.list.entries().any(|entry| {
            let known = self.facts.of_tag(&entry.tag).expect("listed tags are known");
            let balance = books.balance(&LedgerAccountKey::Customer(known.facts.account));
            let status = status_of(AccountState::Open, balance, super::facts::POLICY);
            status != entry.status
        });
        stale.then(|| "I17: lanes were not told of a balance that has changed".to_owned())
    }

    /// I18: as many passages as vehicles, where no journal was lost or put back.
    fn vehicles_are_passages(&self) -> Option<String> {
        let blind = [Fault::DiskLost, Fault::ByteFlips, Fault::RolledBack];
        if blind.iter().any(|fault| self.plan.has(*fault)) {
            return None;
        }
        for (no, road) in self.road.iter().enumerate() {
            let stored = self.centre.books.passages.iter().filter(|(key, _)| key.lane == no);
            let went = stored
                .filter_map(|(_, stored)| stored.passage.as_ref())
                .filter(|passage| passage.decision != Decision::TurnedAway)
                .count();
            if went != road.crossed {
                return Some(format!("I18: lane {no} let {} go and wrote {went}", road.crossed));
            }
        }
        None
    }
}

/// Every passage has one charge.
fn dispositions(books: &Books) -> Option<String> {
    let uncharged = books.passages.keys().find(|key| !books.charges.contains_key(key));
    if let Some(key) = uncharged {
        return Some(format!("I6: {key:?} is stored and has no disposition"));
    }
    let alone = books.charges.keys().find(|key| !books.passages.contains_key(key));
    alone.map(|key| format!("I6: {key:?} is charged and not stored"))
}

/// Every charge that costs something is paid for once, by that amount, on its day.
fn transfers(books: &Books) -> Option<String> {
    let mut paid: BTreeMap<Key, Vec<_>> = BTreeMap::new();
    for transfer in &books.transfers {
        if let Some(key) = transfer.passage {
            paid.entry(key).or_default().push(transfer);
        }
    }
    for (key, stored) in &books.charges {
        let amount = stored.charge.amount.minor_units();
        let of_it = paid.remove(key).unwrap_or_default();
        let same = of_it.iter().all(|one| one.amount == amount && one.day == stored.day);
        if of_it.len() != usize::from(amount > 0) || !same {
            return Some(format!("I7: {key:?} is paid for {} times", of_it.len()));
        }
    }
    paid.keys().next().map(|key| format!("I7: {key:?} is paid for and not charged"))
}

/// Entries sum to zero, a balance is their sum, and both are what top-ups and charges come to.
fn balances(books: &Books, facts: &Facts, done: &[Done]) -> Option<String> {
    let mut sums: BTreeMap<&LedgerAccountKey, i64> = BTreeMap::new();
    for transfer in &books.transfers {
        *sums.entry(&transfer.debit).or_default() -= transfer.amount;
        *sums.entry(&transfer.credit).or_default() += transfer.amount;
    }
    if sums.values().sum::<i64>() != 0 || books.balances.values().sum::<i64>() != 0 {
        return Some("I9: entries do not sum to zero".to_owned());
    }
    let wrong = books.balances.iter().find(|(key, balance)| sums.get(key) != Some(balance));
    if let Some((key, balance)) = wrong {
        return Some(format!("I9: {key:?} has {balance}, its entries come to {:?}", sums.get(key)));
    }
    let mut expected: BTreeMap<AccountId, i64> =
        facts.vehicles.iter().map(|known| (known.facts.account, known.opens_with)).collect();
    let mut references = BTreeSet::new();
    for one in done {
        if let Done::ToppedUp { account, amount, reference, .. } = one
            && references.insert(reference)
        {
            *expected.entry(*account).or_default() += amount;
        }
    }
    for stored in books.charges.values() {
        if let Payer::Account { account, .. } = &stored.charge.payer {
            *expected.entry(*account).or_default() -= stored.charge.amount.minor_units();
        }
    }
    let differs = |(account, sum): &(&AccountId, &i64)| {
        books.balance(&LedgerAccountKey::Customer(**account)) != **sum
    };
    let wrong = expected.iter().find(differs);
    wrong.map(|(account, _)| format!("I9: account {account} is not what its passages come to"))
}

/// A watermark covers what is stored without a gap.
fn watermarks(books: &Books) -> Option<String> {
    books.epochs.iter().find_map(|(epoch, row)| {
        let upto = books.truly_posted(*epoch);
        (upto != row.posted_upto)
            .then(|| format!("I6: {epoch:?} is posted up to {} and not {upto}", row.posted_upto))
    })
}

/// Rating again gives the same, each entry is used once, and days are as they should be.
fn fares(books: &Books, facts: &Facts) -> Option<String> {
    let mut used = BTreeSet::new();
    for (key, stored) in &books.charges {
        let Some(passage) = books.passages.get(key).and_then(|stored| stored.passage.as_ref())
        else {
            continue;
        };
        let charge = &stored.charge;
        let entry = charge.entry.clone();
        if let Some(entry) = &entry {
            if !used.insert(entry.passage.clone()) {
                return Some(format!("I7: two exits use the entry {}", entry.passage));
            }
            if entry.at > passage.at {
                return Some(format!("{key:?} ends before it began"));
            }
        }
        let goes_out = passage.role == LaneRole::Exit && passage.decision.went_through();
        let finding = match entry {
            Some(entry) => EntryFinding::Found(entry),
            None if goes_out => EntryFinding::Missing,
            None => EntryFinding::NotNeeded,
        };
        let again = rate(
            passage,
            vehicle_of(facts, passage, stored.rated_at),
            finding,
            &facts.tariffs,
            stored.rated_at,
        );
        if again != Rating::Charged(charge.clone()) {
            return Some(format!("I14: {key:?} is rated otherwise the second time"));
        }
        if charge.disposition != Disposition::Posted && !charge.amount.is_zero() {
            return Some(format!("{key:?} is not posted and costs something"));
        }
        if stored.late != (stored.day != facts.day_of(passage.at)) {
            return Some(format!("I11: {key:?} is late, or not, and the books say otherwise"));
        }
    }
    None
}
