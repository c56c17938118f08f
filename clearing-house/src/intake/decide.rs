//! Deciding passages: which vehicle, which entry, what it costs.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use domain::passage::{LaneRole, Passage};
use domain::wire::v1::{Disposition, EntryRecord};
use domain::{BusinessDate, OperatorId, PassageId, Timestamp};
use sqlx::PgConnection;

use super::examine::Genuine;
use super::post::{BooksError, failed};
use super::repo::journals::{Journal, Place};
use super::repo::trips::{self, NewEntry, OpenEntry};
use super::repo::vehicles::{Vehicles, vehicles};
use super::write::{Arrival, Decided, Undecided};
use crate::rating::facts::DaysSpent;
use crate::rating::{
    self, Charge, EntryFacts, EntryFinding, Payer, Rating, VehicleFacts, Why, rate,
};
use crate::registry::Registry;

/// How entries and exits find each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct TripPolicy {
    /// How long an exit waits for the record of its entry.
    pub(super) entry_wait: Duration,
    /// How old an entry may be to begin a trip.
    pub(super) entry_age_max: Duration,
}

/// A passage to be decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) genuine: &'a Genuine,
    pub(super) place: Place,
    pub(super) operator_no: i32,
    pub(super) arrival: Arrival<'a>,
    /// Until when it waits for its entry, where it does already.
    pub(super) waits_until: Option<Timestamp>,
}

/// What passages came to.
#[derive(Debug, Default)]
pub(super) struct Decisions<'a> {
    pub(super) decided: Vec<Decided<'a>>,
    pub(super) undecided: Vec<Undecided<'a>>,
    /// Entries for the exits of each road.
    pub(super) entries: Vec<(String, EntryRecord)>,
}

/// A passage that was read, with what the books know about it.
struct Readable<'a, 'v> {
    question: Question<'a>,
    passage: &'a Passage,
    vehicle: Option<&'v VehicleFacts>,
}

impl Readable<'_, '_> {
    /// The vehicle as entries and exits are matched by: its plate, or else its tag.
    fn vehicle_key(&self) -> Option<String> {
        let known = self.vehicle.map(|vehicle| vehicle.plate.as_str().to_owned());
        let typed = || self.passage.plate.as_ref().map(|plate| plate.as_str().to_owned());
        let tag = || self.passage.tag.as_ref().map(|tag| format!("tag:{}", tag.to_hex()));
        known.or_else(typed).or_else(tag)
    }

    fn road_and_vehicle(&self, registry: &Registry) -> Option<(String, String)> {
        let road = registry.road(&self.question.genuine.id.lane)?;
        Some((road.to_owned(), self.vehicle_key()?))
    }

    fn is_exit(&self) -> bool {
        self.passage.role == LaneRole::Exit && self.passage.decision.went_through()
    }
}

/// Decides these passages, and stores the entries among them.
pub(super) async fn decide<'a>(
    tx: &mut PgConnection,
    registry: &Registry,
    questions: &[Question<'a>],
    policy: TripPolicy,
    now: Timestamp,
) -> Result<Decisions<'a>, BooksError> {
    let genuine: Vec<(&Genuine, Timestamp)> =
        questions.iter().map(|question| (question.genuine, now)).collect();
    let mut vehicles = vehicles(tx, &genuine).await?;
    rating::facts::entitle(tx, registry.tariffs(), vehicles.all_mut())
        .await
        .map_err(failed("look up entitlements"))?;
    let mut decisions = Decisions::default();
    decisions.decided.reserve(questions.len());
    let mut readable = Vec::with_capacity(questions.len());
    for &question in questions {
        match &question.genuine.passage {
            None => decisions.decided.push(unreadable(registry, question, now)),
            Some(passage) => {
                let vehicle = vehicles.of(passage);
                readable.push(Readable { question, passage, vehicle });
            }
        }
    }
    decisions.entries = write_entries(tx, registry, &readable).await?;
    let mut entries = open_entries(tx, registry, &readable, policy).await?;
    let of_vehicles = readable.iter().filter_map(|one| Some((one.passage, one.vehicle?)));
    let mut spent = DaysSpent::hold(tx, registry.tariffs(), of_vehicles)
        .await
        .map_err(failed("hold the days of vehicles"))?;
    for one in readable {
        let entry = finding(registry, &one, &mut entries, now);
        let question = one.question;
        let vehicle = one.vehicle;
        let rating = rate(one.passage, vehicle, entry, registry.tariffs(), now);
        match spent.settle(registry.tariffs(), one.passage, vehicle, rating) {
            Rating::Charged(charge) => {
                decisions.decided.push(charged(registry, &vehicles, &one, charge));
            }
            Rating::AwaitsEntry => {
                // One that waits already goes on waiting.
                if let Arrival::Now(payload) = question.arrival {
                    decisions.undecided.push(Undecided {
                        place: question.place,
                        operator_no: question.operator_no,
                        genuine: question.genuine,
                        passage: one.passage,
                        payload,
                        until: now.saturating_add(policy.entry_wait).unwrap_or(now),
                    });
                }
            }
        }
    }
    spent.store(tx).await.map_err(failed("store the days of vehicles"))?;
    let bases = decisions.decided.iter().map(|one| (&one.genuine.id, &one.charge.basis));
    rating::facts::store(tx, bases).await.map_err(failed("store what charges consist of"))?;
    Ok(decisions)
}

/// The settlement day an instant falls into.
pub(super) fn own_day(registry: &Registry, operator: &OperatorId, at: Timestamp) -> BusinessDate {
    registry.operator(operator).map_or_else(
        || BusinessDate::new(at.to_zoned(jiff::tz::TimeZone::UTC).date()),
        |operator| operator.calendar.day_of(at),
    )
}

fn charged<'a>(
    registry: &Registry,
    vehicles: &Vehicles,
    one: &Readable<'a, '_>,
    charge: Charge,
) -> Decided<'a> {
    let question = one.question;
    let customer = match &charge.payer {
        Payer::Account { account, .. } => vehicles.ledger_account(*account),
        Payer::Cash | Payer::Nobody => None,
    };
    Decided {
        place: question.place,
        operator_no: question.operator_no,
        genuine: question.genuine,
        arrival: question.arrival,
        customer,
        own_day: own_day(registry, question.genuine.id.lane.operator(), one.passage.at),
        charge,
    }
}

/// A passage that its lane signed and nobody here can read.
fn unreadable<'a>(registry: &Registry, question: Question<'a>, now: Timestamp) -> Decided<'a> {
    Decided {
        place: question.place,
        operator_no: question.operator_no,
        genuine: question.genuine,
        arrival: question.arrival,
        charge: Charge::nothing(Disposition::FormatError, Why::Unreadable, None),
        customer: None,
        own_day: own_day(registry, question.genuine.id.lane.operator(), now),
    }
}

async fn write_entries(
    tx: &mut PgConnection,
    registry: &Registry,
    readable: &[Readable<'_, '_>],
) -> Result<Vec<(String, EntryRecord)>, BooksError> {
    let mut rows = Vec::new();
    let mut records = Vec::new();
    for one in readable {
        let id = &one.question.genuine.id;
        let went_in = one.passage.role == LaneRole::Entry && one.passage.decision.went_through();
        let (true, Some(road), Some(vehicle)) =
            (went_in, registry.road(&id.lane), one.vehicle_key())
        else {
            continue;
        };
        let known = one.vehicle;
        let record = EntryRecord {
            v: 1,
            passage: id.clone(),
            station: id.lane.station().clone(),
            at: one.passage.at,
            tag: one.passage.tag.clone(),
            plate: known.map(|vehicle| vehicle.plate.clone()).or_else(|| one.passage.plate.clone()),
            group: known.map(|vehicle| vehicle.group).or(one.passage.group),
        };
        let journal = Journal {
            journal_no: one.question.place.0,
            operator_no: one.question.operator_no,
            posted_upto: 0,
            last_seq: 0,
        };
        rows.push(NewEntry { journal, id, road, vehicle, at: one.passage.at });
        records.push((road.to_owned(), record));
    }
    trips::insert_entries(tx, &rows).await?;
    Ok(records)
}

async fn open_entries(
    tx: &mut PgConnection,
    registry: &Registry,
    readable: &[Readable<'_, '_>],
    policy: TripPolicy,
) -> Result<OpenEntries, BooksError> {
    let exits = || readable.iter().filter(|one| one.is_exit());
    let Some(first) = exits().map(|one| one.passage.at).min() else {
        return Ok(OpenEntries::new(Vec::new(), policy));
    };
    let wanted: HashSet<(String, String)> =
        exits().filter_map(|one| one.road_and_vehicle(registry)).collect();
    let named: Vec<&PassageId> =
        exits().filter_map(|one| Some(&one.passage.entry.as_ref()?.passage)).collect();
    let since = first.saturating_sub(policy.entry_age_max).unwrap_or(Timestamp::MIN);
    Ok(OpenEntries::new(trips::open_entries(tx, &wanted, &named, since).await?, policy))
}

/// What is known of the entry of a passage. The lane's own word goes first: it saw the entry that
/// the driver was shown the fare of. Only where that never comes, or there is none, is it the
/// vehicle's newest.
fn finding(
    registry: &Registry,
    one: &Readable<'_, '_>,
    entries: &mut OpenEntries,
    now: Timestamp,
) -> EntryFinding {
    if !one.is_exit() {
        return EntryFinding::NotNeeded;
    }
    let exit_at = one.passage.at;
    let over = one.question.waits_until.is_some_and(|until| until <= now);
    let found = match &one.passage.entry {
        Some(entry) => entries.take_named(&entry.passage, exit_at),
        None => None,
    };
    let may_be_another = one.passage.entry.is_none() || over;
    let found = found.or_else(|| {
        let key = one.road_and_vehicle(registry).filter(|_| may_be_another)?;
        entries.take_newest(&key, exit_at)
    });
    match found {
        Some(entry) => EntryFinding::Found(entry),
        None if over => EntryFinding::Missing,
        None => EntryFinding::Awaited,
    }
}

/// Entries that no exit has used yet, the newest last.
struct OpenEntries {
    entries: Vec<EntryFacts>,
    used: HashSet<PassageId>,
    of_vehicle: HashMap<(String, String), Vec<usize>>,
    by_id: HashMap<PassageId, usize>,
    policy: TripPolicy,
}

impl OpenEntries {
    fn new(found: Vec<OpenEntry>, policy: TripPolicy) -> Self {
        let mut of_vehicle: HashMap<(String, String), Vec<usize>> = HashMap::new();
        let mut by_id = HashMap::new();
        let mut entries = Vec::with_capacity(found.len());
        for (index, entry) in found.into_iter().enumerate() {
            by_id.insert(entry.facts.passage.clone(), index);
            of_vehicle.entry((entry.road, entry.vehicle)).or_default().push(index);
            entries.push(entry.facts);
        }
        Self { entries, used: HashSet::new(), of_vehicle, by_id, policy }
    }

    /// The entry that a lane named.
    fn take_named(&mut self, id: &PassageId, exit_at: Timestamp) -> Option<EntryFacts> {
        let index = *self.by_id.get(id)?;
        self.take_first(&[index], exit_at)
    }

    /// The vehicle's newest entry before the exit.
    fn take_newest(&mut self, key: &(String, String), exit_at: Timestamp) -> Option<EntryFacts> {
        let newest_first: Vec<usize> = self.of_vehicle.get(key)?.iter().rev().copied().collect();
        self.take_first(&newest_first, exit_at)
    }

    /// The first of these that fits; each is used once.
    fn take_first(&mut self, candidates: &[usize], exit_at: Timestamp) -> Option<EntryFacts> {
        let fits = |entry: &EntryFacts| {
            let age = exit_at.duration_since(entry.at);
            !self.used.contains(&entry.passage)
                && !age.is_negative()
                && age.unsigned_abs() <= self.policy.entry_age_max
        };
        let found = candidates.iter().map(|index| &self.entries[*index]).find(|one| fits(one))?;
        let found = found.clone();
        self.used.insert(found.passage.clone());
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAR: &str = "37A12345";

    fn at(hour: u8) -> Timestamp {
        format!("2026-03-02T{hour:02}:00:00Z").parse().unwrap()
    }

    fn entries() -> OpenEntries {
        let entry = |seq: u8, hour| OpenEntry {
            road: "north".to_owned(),
            vehicle: CAR.to_owned(),
            facts: EntryFacts {
                passage: format!("vec/mai-son/e01:1:{seq}").parse().unwrap(),
                station: "mai-son".parse().unwrap(),
                at: at(hour),
            },
        };
        let hours = Duration::from_secs(6 * 3_600);
        let policy = TripPolicy { entry_wait: hours, entry_age_max: hours };
        OpenEntries::new(vec![entry(1, 1), entry(2, 4), entry(3, 9)], policy)
    }

    fn newest(entries: &mut OpenEntries, exit_at: Timestamp) -> Option<u64> {
        let key = ("north".to_owned(), CAR.to_owned());
        entries.take_newest(&key, exit_at).map(|entry| entry.passage.seq.get())
    }

    #[test]
    fn an_exit_without_a_word_of_its_entry_takes_the_newest_before_it() {
        let mut entries = entries();
        assert_eq!(newest(&mut entries, at(6)), Some(2));
        assert_eq!(newest(&mut entries, at(6)), Some(1), "each is used once");
        assert_eq!(newest(&mut entries, at(6)), None);
    }

    #[test]
    fn an_entry_goes_stale() {
        assert_eq!(newest(&mut entries(), at(8)), Some(2));
        let mut entries = entries();
        assert_eq!(newest(&mut entries, at(8)), Some(2));
        assert_eq!(newest(&mut entries, at(8)), None, "the first is seven hours old");
    }

    #[test]
    fn the_entry_that_the_lane_named_goes_before_a_newer_one() {
        let mut entries = entries();
        let named = "vec/mai-son/e01:1:1".parse().unwrap();
        assert!(entries.take_named(&named, at(6)).is_some());
        assert!(entries.take_named(&named, at(6)).is_none());
    }
}
