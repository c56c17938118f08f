//! One batch, one transaction.
//!
//! Order inside it: what is known already · who the vehicles are · entries · rating · settlement
//! days that are open now · passages · charges · transfers and balances · outbox · watermarks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::passage::{LaneRole, Passage};
use domain::wire::v1::{Disposition, EntryRecord};
use domain::{BusinessDate, Clock, LaneId, OperatorId, PassageId, Timestamp};
use sqlx::{PgConnection, PgPool};

use super::examine::{Delivery, Genuine, Refusal, examine};
use super::repo::{self, Quarantined, StoredCharge};
use super::vehicles::vehicles;
use crate::config::ListPolicy;
use crate::ledger::{self, LedgerAccountKey, LedgerError, NewTransfer, TransferKind};
use crate::lists;
use crate::rating::{Charge, EntryFacts, EntryFinding, Payer, Rating, VehicleFacts, rate};
use crate::registry::{Registry, RegistryError};

/// How long an exit waits for the record of its entry, in run time.
const ENTRY_WAIT: Duration = Duration::from_secs(15 * 60);
/// And how long at least in real time: a lane or broker that was killed needs some to come back,
/// however fast the run is.
const ENTRY_WAIT_REAL_MIN: Duration = Duration::from_secs(90);

/// Why a batch was not written; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The database failed, or another writer was first.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// Transfers were refused.
    #[error("post the transfers of a batch")]
    Ledger(#[source] LedgerError),
    /// The registry could not be read.
    #[error("read the registry")]
    Registry(#[source] RegistryError),
    /// Another worker stored one of the batch's passages meanwhile: the batch is looked at again.
    #[error("another worker was first")]
    Raced,
}

impl BooksError {
    /// Whether the same batch would fail again and again: the database refuses what is in it
    /// (`SQLSTATE` classes 22, 23 and 54: data, constraints, limits).
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let source = match self {
            Self::Database { source, .. } | Self::Ledger(LedgerError::Database(source)) => source,
            Self::Ledger(_) => return true,
            Self::Registry(_) | Self::Raced => return false,
        };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
    }
}

pub(super) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> BooksError {
    move |source| BooksError::Database { doing, source }
}

/// What a batch came to, once it is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Passages stored for the first time.
    pub fresh: usize,
    /// Deliveries of passages that were stored before.
    pub duplicates: usize,
    /// Deliveries in quarantine.
    pub refused: usize,
    /// Every lane and epoch the batch touched: each is due a receipt.
    pub touched: BTreeSet<(LaneId, u32)>,
    /// Entries for the exits of each road.
    pub entries: Vec<(String, EntryRecord)>,
    /// Whether lanes must be told of changed accounts.
    pub list_changed: bool,
}

/// The books, as the intake writes them.
#[derive(Debug)]
pub struct Books {
    pool: PgPool,
    registry: RwLock<Arc<Registry>>,
    policy: ListPolicy,
    entry_wait: Duration,
}

/// A passage that was read, with what the books know about it.
struct Readable<'a> {
    genuine: &'a Genuine,
    passage: &'a Passage,
    vehicle: Option<VehicleFacts>,
}

impl Readable<'_> {
    /// The vehicle as entries and exits are matched by: its plate, or else its tag.
    fn vehicle_key(&self) -> Option<String> {
        let known = self.vehicle.as_ref().map(|vehicle| vehicle.plate.as_str().to_owned());
        let typed = || self.passage.plate.as_ref().map(|plate| plate.as_str().to_owned());
        let tag = || self.passage.tag.as_ref().map(|tag| format!("tag:{}", tag.to_hex()));
        known.or_else(typed).or_else(tag)
    }
}

impl Books {
    /// Opens the books.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub async fn open(
        pool: PgPool,
        policy: ListPolicy,
        clock: Clock,
    ) -> Result<Self, RegistryError> {
        let entry_wait = ENTRY_WAIT.max(ENTRY_WAIT_REAL_MIN.mul_f64(clock.speed()));
        let registry = RwLock::new(Arc::new(Registry::load(&pool).await?));
        Ok(Self { pool, registry, policy, entry_wait })
    }

    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes a batch of deliveries, whole or not at all.
    ///
    /// # Errors
    /// When the database fails or another writer was first; the same batch may be tried again.
    pub async fn post(
        &self,
        deliveries: &[Delivery],
        now: Timestamp,
    ) -> Result<Outcome, BooksError> {
        let (genuine, mut quarantined) = self.examine_all(deliveries, now).await?;
        let mut tx = self.pool.begin().await.map_err(failed("begin a batch"))?;
        let known_epochs = repo::epochs(&mut tx, &genuine).await?;
        let stored = repo::stored_hashes(&mut tx, &genuine).await?;
        let mut outcome = Outcome::default();
        let mut fresh: Vec<&Genuine> = Vec::new();
        let mut seen: HashMap<&PassageId, _> = HashMap::new();
        let mut duplicates: BTreeMap<(LaneId, u32), i64> = BTreeMap::new();
        for passage in &genuine {
            let lane_epoch = (passage.id.lane.clone(), passage.id.epoch);
            if !known_epochs.contains(&lane_epoch) {
                quarantined.push((passage.index, Refusal::UnknownEpoch));
                continue;
            }
            outcome.touched.insert(lane_epoch.clone());
            let before = stored.get(&passage.id).or_else(|| seen.get(&passage.id)).copied();
            match before {
                None => {
                    seen.insert(&passage.id, passage.content_hash);
                    fresh.push(passage);
                }
                Some(hash) if hash == passage.content_hash => {
                    *duplicates.entry(lane_epoch).or_default() += 1;
                    outcome.duplicates += 1;
                }
                Some(_) => quarantined.push((passage.index, Refusal::Conflict)),
            }
        }
        outcome.refused = quarantined.len();
        repo::count_duplicates(&mut tx, &duplicates).await?;
        let rows: Vec<Quarantined<'_>> = quarantined
            .iter()
            .map(|&(index, refusal)| Quarantined { delivery: &deliveries[index], refusal })
            .collect();
        repo::quarantine(&mut tx, &rows, now).await?;
        repo::insert_passages(&mut tx, &fresh, deliveries, now).await?;
        self.charge(&mut tx, &fresh, now, &mut outcome).await?;
        repo::advance_watermarks(&mut tx, &outcome.touched).await?;
        tx.commit().await.map_err(failed("commit a batch"))?;
        outcome.fresh = fresh.len();
        Ok(outcome)
    }

    /// Reads the registry again: tariffs, keys and calendars that were imported meanwhile.
    ///
    /// # Errors
    /// When it cannot be read; the one in use then stays.
    pub async fn refresh(&self) -> Result<(), BooksError> {
        let loaded = Registry::load(&self.pool).await.map_err(BooksError::Registry)?;
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        Ok(())
    }

    /// Puts a delivery aside that the books cannot take whatever is done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_aside(
        &self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Outcome, BooksError> {
        let mut tx = self.pool.begin().await.map_err(failed("begin a batch"))?;
        let rows = [Quarantined { delivery, refusal: Refusal::Unwritable }];
        repo::quarantine(&mut tx, &rows, now).await?;
        tx.commit().await.map_err(failed("commit a batch"))?;
        Ok(Outcome { refused: 1, ..Outcome::default() })
    }

    /// Rates the exits whose entry has come meanwhile, or is no longer waited for.
    ///
    /// # Errors
    /// When the database fails; nothing is then written.
    pub async fn post_awaited(&self, now: Timestamp) -> Result<Outcome, BooksError> {
        let mut tx = self.pool.begin().await.map_err(failed("begin a batch"))?;
        let waiting = repo::awaiting_passages(&mut tx, BATCH_AWAITED_MAX).await?;
        let mut outcome = Outcome::default();
        if waiting.is_empty() {
            return Ok(outcome);
        }
        let passages: Vec<&Genuine> = waiting.iter().collect();
        self.charge(&mut tx, &passages, now, &mut outcome).await?;
        tx.commit().await.map_err(failed("commit a batch"))?;
        Ok(outcome)
    }

    async fn examine_all(
        &self,
        deliveries: &[Delivery],
        now: Timestamp,
    ) -> Result<(Vec<Genuine>, Vec<(usize, Refusal)>), BooksError> {
        let mut registry = self.registry();
        let mut fresh_registry = false;
        loop {
            let mut genuine = Vec::with_capacity(deliveries.len());
            let mut refused = Vec::new();
            for (index, delivery) in deliveries.iter().enumerate() {
                match examine(index, delivery, &registry, now) {
                    Ok(passage) => genuine.push(passage),
                    Err(refusal) => refused.push((index, refusal)),
                }
            }
            let newer_might_help = refused
                .iter()
                .any(|(_, refusal)| matches!(refusal, Refusal::UnknownLane | Refusal::Forged));
            if !newer_might_help || fresh_registry {
                return Ok((genuine, refused));
            }
            let loaded = Registry::load(&self.pool).await.map_err(BooksError::Registry)?;
            registry = Arc::new(loaded);
            *self.registry.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&registry);
            fresh_registry = true;
        }
    }

    /// Rates passages that are in the books and writes what follows.
    async fn charge(
        &self,
        tx: &mut PgConnection,
        passages: &[&Genuine],
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> Result<(), BooksError> {
        let registry = &*self.registry();
        let vehicles = vehicles(tx, passages).await?;
        let readable: Vec<Readable<'_>> = passages
            .iter()
            .filter_map(|genuine| {
                let passage = genuine.passage.as_ref()?;
                Some(Readable { genuine, passage, vehicle: vehicles.of(passage, now) })
            })
            .collect();
        write_entries(registry, tx, &readable, outcome).await?;
        let mut entries = open_entries(registry, tx, &readable).await?;
        let waits = repo::waits(tx, passages).await?;
        let mut charges: Vec<StoredCharge> = Vec::with_capacity(passages.len());
        let mut awaiting: Vec<(&PassageId, Timestamp)> = Vec::new();
        let mut transfers = Vec::new();
        let mut days = OpenDays::default();
        for genuine in passages.iter().filter(|genuine| genuine.passage.is_none()) {
            charges.push(unreadable(registry, tx, &mut days, genuine, now).await?);
        }
        for one in &readable {
            let entry = finding(registry, one, &mut entries, &waits, now);
            match rate(one.passage, one.vehicle.as_ref(), entry, registry.tariffs()) {
                Rating::AwaitsEntry => {
                    if !waits.contains_key(&one.genuine.id) {
                        let until = now.saturating_add(self.entry_wait).unwrap_or(now);
                        awaiting.push((&one.genuine.id, until));
                    }
                }
                Rating::Charged(charge) => {
                    let operator = one.genuine.id.lane.operator();
                    let own_day = own_day(registry, operator, one.passage.at);
                    let day = days.open(tx, operator, own_day).await?;
                    transfers.extend(transfer(&one.genuine.id, &charge, day, now));
                    charges.push(StoredCharge {
                        id: one.genuine.id.clone(),
                        charge,
                        day,
                        late: day != own_day,
                    });
                }
            }
        }
        repo::insert_charges(tx, &charges, now).await?;
        repo::insert_trips(tx, &charges).await?;
        repo::set_waits(tx, &awaiting, &charges).await?;
        let changes = ledger::post_in_tx(tx, &transfers).await.map_err(BooksError::Ledger)?;
        outcome.list_changed |= lists::note_balances_in_tx(tx, &changes, self.policy)
            .await
            .map_err(failed("note changed accounts"))?;
        Ok(())
    }
}

fn own_day(registry: &Registry, operator: &OperatorId, at: Timestamp) -> BusinessDate {
    registry.operator(operator).map_or_else(
        || BusinessDate::new(at.to_zoned(jiff::tz::TimeZone::UTC).date()),
        |operator| operator.calendar.day_of(at),
    )
}

async fn unreadable(
    registry: &Registry,
    tx: &mut PgConnection,
    days: &mut OpenDays,
    genuine: &Genuine,
    now: Timestamp,
) -> Result<StoredCharge, BooksError> {
    let operator = genuine.id.lane.operator();
    let own_day = own_day(registry, operator, now);
    let day = days.open(tx, operator, own_day).await?;
    Ok(StoredCharge::format_error(genuine.id.clone(), day))
}

async fn write_entries(
    registry: &Registry,
    tx: &mut PgConnection,
    readable: &[Readable<'_>],
    outcome: &mut Outcome,
) -> Result<(), BooksError> {
    let mut rows = Vec::new();
    for one in readable {
        let went_in = one.passage.role == LaneRole::Entry && one.passage.decision.went_through();
        let (true, Some(road), Some(vehicle)) =
            (went_in, registry.road(&one.genuine.id.lane), one.vehicle_key())
        else {
            continue;
        };
        let known_plate = one.vehicle.as_ref().map(|vehicle| vehicle.plate.clone());
        let record = EntryRecord {
            v: 1,
            passage: one.genuine.id.clone(),
            station: one.genuine.id.lane.station().clone(),
            at: one.passage.at,
            tag: one.passage.tag.clone(),
            plate: known_plate.or_else(|| one.passage.plate.clone()),
            group: one.vehicle.as_ref().map(|vehicle| vehicle.group).or(one.passage.group),
        };
        rows.push((road, vehicle, &one.genuine.id, one.passage.at));
        outcome.entries.push((road.to_owned(), record));
    }
    repo::insert_entries(tx, &rows).await
}

async fn open_entries(
    registry: &Registry,
    tx: &mut PgConnection,
    readable: &[Readable<'_>],
) -> Result<OpenEntries, BooksError> {
    let wanted: HashSet<(String, String)> = readable
        .iter()
        .filter(|one| one.passage.role == LaneRole::Exit)
        .filter_map(|one| {
            let road = registry.road(&one.genuine.id.lane)?;
            Some((road.to_owned(), one.vehicle_key()?))
        })
        .collect();
    Ok(OpenEntries(repo::open_entries(tx, &wanted).await?))
}

fn finding(
    registry: &Registry,
    one: &Readable<'_>,
    entries: &mut OpenEntries,
    waits: &HashMap<PassageId, Timestamp>,
    now: Timestamp,
) -> EntryFinding {
    if one.passage.role != LaneRole::Exit || !one.passage.decision.went_through() {
        return EntryFinding::NotNeeded;
    }
    let key = registry
        .road(&one.genuine.id.lane)
        .and_then(|road| Some((road.to_owned(), one.vehicle_key()?)));
    if let Some(entry) = key.and_then(|key| entries.take(&key, one.passage.at)) {
        return EntryFinding::Found(entry);
    }
    match waits.get(&one.genuine.id) {
        Some(until) if *until <= now => EntryFinding::Missing,
        Some(_) | None => EntryFinding::Awaited,
    }
}

/// How many waiting exits are looked at in one transaction.
const BATCH_AWAITED_MAX: i64 = 500;

/// Entries that no exit has used yet, the newest last.
struct OpenEntries(HashMap<(String, String), Vec<EntryFacts>>);

impl OpenEntries {
    /// The newest entry before the exit; each is used once.
    fn take(&mut self, key: &(String, String), exit_at: Timestamp) -> Option<EntryFacts> {
        let entries = self.0.get_mut(key)?;
        let newest = entries.iter().rposition(|entry| entry.at <= exit_at)?;
        Some(entries.remove(newest))
    }
}

/// The settlement days this transaction holds open.
#[derive(Default)]
struct OpenDays(HashMap<(OperatorId, BusinessDate), BusinessDate>);

impl OpenDays {
    /// The passage's own day where it is open, else the first open day after it.
    async fn open(
        &mut self,
        tx: &mut PgConnection,
        operator: &OperatorId,
        own_day: BusinessDate,
    ) -> Result<BusinessDate, BooksError> {
        if let Some(day) = self.0.get(&(operator.clone(), own_day)) {
            return Ok(*day);
        }
        let mut day = own_day;
        while !repo::hold_day_open(tx, operator, day).await? {
            day = day.next();
        }
        self.0.insert((operator.clone(), own_day), day);
        Ok(day)
    }
}

fn transfer(
    id: &PassageId,
    charge: &Charge,
    day: BusinessDate,
    now: Timestamp,
) -> Option<NewTransfer> {
    let operator = id.lane.operator().clone();
    let (kind, debit, credit) = match &charge.payer {
        Payer::Nobody => return None,
        Payer::Account { account, issuer } => (
            TransferKind::Toll,
            LedgerAccountKey::Customer(*account),
            LedgerAccountKey::Payable { issuer: issuer.clone(), operator: operator.clone() },
        ),
        Payer::Cash => (
            TransferKind::CashToll,
            LedgerAccountKey::Till(operator.clone()),
            LedgerAccountKey::CashToll(operator.clone()),
        ),
    };
    debug_assert!(charge.disposition == Disposition::Posted, "only what is posted is paid for");
    Some(NewTransfer {
        kind,
        debit,
        credit,
        amount: charge.amount,
        operator: Some(operator),
        day,
        posted_at: now,
        passage: Some(id.clone()),
        reference: None,
    })
}
