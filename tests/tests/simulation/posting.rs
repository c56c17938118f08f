//! What one batch writes: the model of `clearing_house::intake::Books`, which does it in SQL.
//!
//! Examining and rating are the clearing house's own; order and rules around them are told again
//! here, as briefly as possible. That both come to the same books is the test in `real.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clearing_house::account::owners::CLOCK_SLACK;
use clearing_house::intake::{Delivery, Refusal, examine};
use clearing_house::ledger::LedgerAccountKey;
use clearing_house::rating::{
    Charge, EntryFacts, EntryFinding, Payer, Rating, VehicleFacts, Why, rate,
};
use domain::passage::{Decision, LaneRole, Passage};
use domain::signature::{Context, Digest256, Signature};
use domain::wire::v1::{Disposition, EntryRecord, PassageRecord, parse};
use domain::{BusinessDate, OperatorId, PassageId, Timestamp};

use super::books::{Books, Entry, Key, Stored, StoredCharge, Transfer, Write};
use super::bug::PlantedBug;
use super::facts::{Facts, ROAD};

/// How long an exit waits for its entry.
const ENTRY_WAIT: Duration = Duration::from_secs(15 * 60);

/// How old an entry may be to begin a trip.
const ENTRY_AGE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// What a batch comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drafted {
    pub write: Write,
    /// Each is due a receipt.
    pub touched: BTreeSet<(usize, u32)>,
    /// Entries for the exits of the road.
    pub entries: Vec<EntryRecord>,
    /// The places of those that do not fit into their lane's chain.
    pub broken: BTreeSet<usize>,
    /// Whether something could not be taken.
    pub refused: bool,
}

/// Works out what a batch writes.
pub(crate) fn draft(
    books: &Books,
    facts: &Facts,
    batch: &[Delivery],
    now: Timestamp,
    bug: Option<PlantedBug>,
) -> Drafted {
    let mut drafted = Drafted::default();
    let mut fresh: Vec<(Key, Stored)> = Vec::new();
    let looked: Vec<Result<Looked, Refusal>> = batch
        .iter()
        .enumerate()
        .map(|(index, delivery)| look(index, delivery, facts, now, bug))
        .collect();
    if bug != Some(PlantedBug::NotExamined) {
        drafted.broken = broken_chains(books, facts, &looked);
    }
    for (index, (delivery, looked)) in batch.iter().zip(looked).enumerate() {
        let found = looked.and_then(|(id, hash, passage)| {
            if drafted.broken.contains(&index) {
                return Err(Refusal::BrokenChain);
            }
            let lane = facts.lane_no(&id.lane).ok_or(Refusal::UnknownLane)?;
            let key = Key { lane, epoch: id.epoch, seq: id.seq.get() };
            let row = books.epochs.get(&(lane, id.epoch)).ok_or(Refusal::UnknownEpoch)?;
            drafted.touched.insert((lane, id.epoch));
            drafted.write.epochs.insert((lane, id.epoch), row.changes);
            let seen = fresh.iter().find(|(known, _)| *known == key).map(|(_, stored)| stored);
            let before = books.passages.get(&key).or(seen).map(|stored| stored.hash);
            match before {
                Some(_) if bug == Some(PlantedBug::DedupesByWindowOnly) => {
                    fresh.push((key, Stored { hash, passage }));
                }
                None => fresh.push((key, Stored { hash, passage })),
                Some(before) if before == hash => {}
                Some(_) if bug == Some(PlantedBug::NoContentHash) => {}
                Some(_) => return Err(Refusal::Conflict),
            }
            Ok(())
        });
        if let Err(refusal) = found {
            drafted.refused = true;
            drafted.write.quarantine.push((refusal, Digest256::of(&delivery.payload)));
        }
    }
    charge(books, facts, &fresh, now, bug, &mut drafted);
    drafted.write.passages = fresh;
    drafted
}

/// Works out what becomes of the exits that wait for their entry.
pub(crate) fn draft_awaited(
    books: &Books,
    facts: &Facts,
    now: Timestamp,
    bug: Option<PlantedBug>,
) -> Drafted {
    let mut drafted = Drafted::default();
    let mut waiting: Vec<(Timestamp, Key)> =
        books.awaiting.iter().map(|(key, until)| (*until, *key)).collect();
    waiting.sort();
    let stored = |(_, key): (Timestamp, Key)| Some((key, books.passages.get(&key)?.clone()));
    let passages: Vec<(Key, Stored)> = waiting.into_iter().filter_map(stored).collect();
    charge(books, facts, &passages, now, bug, &mut drafted);
    drafted
}

/// The places of those that do not fit between their neighbours, as `clearing_house::intake` finds
/// them before anything is written.
fn broken_chains(
    books: &Books,
    facts: &Facts,
    looked: &[Result<Looked, Refusal>],
) -> BTreeSet<usize> {
    let genuine = looked.iter().enumerate().filter_map(|(index, looked)| {
        let (id, hash, passage) = looked.as_ref().ok()?;
        let key = Key { lane: facts.lane_no(&id.lane)?, epoch: id.epoch, seq: id.seq.get() };
        Some((key, index, *hash, passage.as_ref().map(|passage| passage.previous)))
    });
    let mut genuine: Vec<_> = genuine.collect();
    genuine.sort_by_key(|(key, index, ..)| (*key, *index));
    let mut batch: BTreeMap<Key, Digest256> = BTreeMap::new();
    let mut broken = BTreeSet::new();
    for (key, index, hash, named) in genuine {
        if batch.contains_key(&key) || books.passages.contains_key(&key) {
            continue;
        }
        let before = Key { seq: key.seq - 1, ..key };
        let stored = books.passages.get(&before).map(|stored| stored.hash);
        let first = (key.seq == 1).then(Digest256::default);
        let before = first.or_else(|| stored.or_else(|| batch.get(&before).copied()));
        let after = books.passages.get(&Key { seq: key.seq + 1, ..key });
        let names = after.and_then(|stored| Some(stored.passage.as_ref()?.previous));
        let fits_before = named.zip(before).is_none_or(|(named, before)| named == before);
        if fits_before && names.is_none_or(|names| names == hash) {
            batch.insert(key, hash);
        } else {
            broken.insert(index);
        }
    }
    broken
}

type Looked = (PassageId, Digest256, Option<Passage>);

fn look(
    index: usize,
    delivery: &Delivery,
    facts: &Facts,
    now: Timestamp,
    bug: Option<PlantedBug>,
) -> Result<Looked, Refusal> {
    let unbound = bug == Some(PlantedBug::LaneNotBound);
    if unbound || bug == Some(PlantedBug::NotExamined) {
        let record: PassageRecord =
            parse("passage", &delivery.payload).map_err(|_unreadable| Refusal::ForeignPassage)?;
        let text = delivery.signature.clone().ok_or(Refusal::Unsigned)?;
        let signature = Signature::try_from(text).map_err(|_none| Refusal::Unsigned)?;
        let by_any = facts.lanes.iter().any(|lane| {
            lane.key.public().verify(Context::Passage, &delivery.payload, &signature).is_ok()
        });
        if unbound && !by_any {
            return Err(Refusal::Forged);
        }
        let hash = Digest256::of(&delivery.payload);
        return Ok((record.id.clone(), hash, Some(Passage::from(record))));
    }
    let genuine = examine(index, delivery, &facts.registry, now)?;
    Ok((genuine.id, genuine.content_hash, genuine.passage.map(|passage| *passage)))
}

/// The vehicle a passage is of: the one its tag is on, or the one whose plate was typed.
/// Every link began when the office was founded: a clock that is further behind finds nobody.
pub(crate) fn vehicle_of<'a>(
    facts: &'a Facts,
    passage: &Passage,
    known_at: Timestamp,
) -> Option<&'a VehicleFacts> {
    let asked = passage.at.min(known_at);
    let soon_after = facts.founded.duration_since(asked) <= CLOCK_SLACK;
    if asked < facts.founded && !(soon_after && facts.founded <= known_at) {
        return None;
    }
    let by_tag = || passage.tag.as_ref().and_then(|tag| facts.of_tag(tag));
    let by_plate = || passage.plate.as_ref().and_then(|plate| facts.of_plate(plate));
    let known = match passage.decision {
        Decision::ChargedByPlate | Decision::OpenedByAttendant => by_plate().or_else(by_tag),
        Decision::OpenedByTag | Decision::TurnedAway | Decision::LeftUndecided => {
            by_tag().or_else(by_plate)
        }
    };
    known.map(|known| &known.facts)
}

fn vehicle_key(facts: &Facts, passage: &Passage, now: Timestamp) -> Option<String> {
    let known = vehicle_of(facts, passage, now).map(|vehicle| vehicle.plate.as_str().to_owned());
    let typed = || passage.plate.as_ref().map(|plate| plate.as_str().to_owned());
    let tag = || passage.tag.as_ref().map(|tag| format!("tag:{}", tag.to_hex()));
    known.or_else(typed).or_else(tag)
}

fn charge(
    books: &Books,
    facts: &Facts,
    passages: &[(Key, Stored)],
    now: Timestamp,
    bug: Option<PlantedBug>,
    drafted: &mut Drafted,
) {
    write_entries(facts, passages, now, drafted);
    let mut open = open_entries(books, drafted, bug);
    for (key, stored) in passages {
        let operator = facts.lanes[key.lane].id.operator();
        let Some(passage) = &stored.passage else {
            let day = open_day(books, operator, facts.day_of(now), bug);
            let charge = Charge::nothing(Disposition::FormatError, Why::Unreadable, None);
            drafted
                .write
                .charges
                .push((*key, StoredCharge { charge, day, late: false, rated_at: now }));
            continue;
        };
        let finding = finding(books, facts, (*key, passage), &mut open, now, bug);
        let vehicle = vehicle_of(facts, passage, now);
        let charge = match rate(passage, vehicle, finding, &facts.tariffs, now) {
            Rating::Charged(charge) => charge,
            Rating::AwaitsEntry => {
                if !books.awaiting.contains_key(key) {
                    let until = now.saturating_add(ENTRY_WAIT).unwrap_or(now);
                    drafted.write.waits.push((*key, until));
                }
                continue;
            }
        };
        let own_day = facts.day_of(passage.at);
        let day = open_day(books, operator, own_day, bug);
        if bug != Some(PlantedBug::PostsIntoClosedDay) {
            drafted.write.days.insert((operator.clone(), day));
        }
        if let Some(entry) = &charge.entry {
            let lane = facts.lane_no(&entry.passage.lane).expect("entries are of known lanes");
            let (epoch, seq) = (entry.passage.epoch, entry.passage.seq.get());
            drafted.write.trips.push((*key, Key { lane, epoch, seq }));
        }
        drafted.write.transfers.extend(transfer(*key, operator, &charge, day));
        drafted
            .write
            .charges
            .push((*key, StoredCharge { charge, day, late: day != own_day, rated_at: now }));
    }
    for transfer in &drafted.write.transfers {
        for key in [&transfer.debit, &transfer.credit] {
            drafted.write.balances_read.insert(key.clone(), books.balance(key));
        }
    }
}

fn write_entries(facts: &Facts, passages: &[(Key, Stored)], now: Timestamp, drafted: &mut Drafted) {
    for (key, stored) in passages {
        let Some(passage) = &stored.passage else { continue };
        if passage.role != LaneRole::Entry || !passage.decision.went_through() {
            continue;
        }
        let Some(vehicle) = vehicle_key(facts, passage, now) else { continue };
        let known = vehicle_of(facts, passage, now);
        let station = passage.id.lane.station().clone();
        drafted.entries.push(EntryRecord {
            v: 1,
            passage: passage.id.clone(),
            station: station.clone(),
            at: passage.at,
            tag: passage.tag.clone(),
            plate: known.map(|known| known.plate.clone()).or_else(|| passage.plate.clone()),
            group: known.map(|known| known.group).or(passage.group),
        });
        let entry = EntryFacts { passage: passage.id.clone(), station, at: passage.at };
        drafted.write.entries.push((*key, Entry { vehicle, facts: entry }));
    }
}

/// The entries that no exit has used, by vehicle, the newest last.
type OpenEntries = BTreeMap<String, Vec<EntryFacts>>;

fn open_entries(books: &Books, drafted: &Drafted, bug: Option<PlantedBug>) -> OpenEntries {
    let mut open = OpenEntries::new();
    let reused = bug == Some(PlantedBug::EntryUsedTwice);
    let unused = |(key, _): &(&Key, &Entry)| reused || !books.trips.contains_key(key);
    let fresh = drafted.write.entries.iter().map(|(_, entry)| entry);
    for entry in books.entries.iter().filter(unused).map(|(_, entry)| entry).chain(fresh) {
        open.entry(entry.vehicle.clone()).or_default().push(entry.facts.clone());
    }
    for entries in open.values_mut() {
        entries.sort_by_key(|entry| (entry.at, entry.passage.epoch, entry.passage.seq));
    }
    open
}

fn finding(
    books: &Books,
    facts: &Facts,
    (key, passage): (Key, &Passage),
    open: &mut OpenEntries,
    now: Timestamp,
    bug: Option<PlantedBug>,
) -> EntryFinding {
    if passage.role != LaneRole::Exit || !passage.decision.went_through() {
        return EntryFinding::NotNeeded;
    }
    debug_assert!(facts.registry.road(&passage.id.lane) == Some(ROAD));
    let over = books.awaiting.get(&key).is_some_and(|until| *until <= now);
    let fits = |entry: &EntryFacts| {
        let age = passage.at.duration_since(entry.at);
        !age.is_negative() && age.unsigned_abs() <= ENTRY_AGE_MAX
    };
    // The lane's own word goes first.
    let named = passage.entry.as_ref().and_then(|entry| {
        let all = open.iter().flat_map(|(vehicle, entries)| {
            entries.iter().enumerate().map(move |(at, one)| (vehicle.clone(), at, one))
        });
        let mut found = all.filter(|(_, _, one)| one.passage == entry.passage && fits(one));
        found.next().map(|(vehicle, at, _)| (vehicle, at))
    });
    let found = named.or_else(|| {
        let vehicle = vehicle_key(facts, passage, now)?;
        let newest = open.get(&vehicle)?.iter().rposition(fits)?;
        (passage.entry.is_none() || over).then_some((vehicle, newest))
    });
    if let Some((vehicle, at)) = found {
        let entries = open.get_mut(&vehicle).expect("it was found there");
        if bug == Some(PlantedBug::EntryUsedTwice) {
            return EntryFinding::Found(entries[at].clone());
        }
        return EntryFinding::Found(entries.remove(at));
    }
    if over { EntryFinding::Missing } else { EntryFinding::Awaited }
}

fn open_day(
    books: &Books,
    operator: &OperatorId,
    own_day: BusinessDate,
    bug: Option<PlantedBug>,
) -> BusinessDate {
    let mut day = own_day;
    while bug != Some(PlantedBug::PostsIntoClosedDay)
        && books.closed_days.contains(&(operator.clone(), day))
    {
        day = day.next();
    }
    day
}

fn transfer(
    key: Key,
    operator: &OperatorId,
    charge: &Charge,
    day: BusinessDate,
) -> Option<Transfer> {
    let operator = operator.clone();
    let (debit, credit) = match &charge.payer {
        Payer::Nobody => return None,
        Payer::Account { account, issuer } => (
            LedgerAccountKey::Customer(*account),
            LedgerAccountKey::Payable { issuer: issuer.clone(), operator },
        ),
        Payer::Cash => {
            (LedgerAccountKey::Till(operator.clone()), LedgerAccountKey::CashToll(operator))
        }
    };
    let amount = charge.amount.minor_units();
    Some(Transfer { passage: Some(key), debit, credit, amount, day })
}
