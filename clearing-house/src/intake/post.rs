//! One batch, one transaction.
//!
//! Order inside it: the lanes' journals, taken in one order · what is known already · who the
//! vehicles are · entries · rating · everything that follows, written at once (`write`) · outbox ·
//! watermarks.
//!
//! *Optimistic*: what lies beyond the last sequence of its lane's journal is new and is copied
//! straight into the day's partition; nothing is looked up for it. Should its unique index object
//! all the same, the transaction is rolled back and the batch is done again with every passage
//! looked up: the same content is a duplicate, another a conflict.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::wire::v1::EntryRecord;
use domain::{BusinessDate, Clock, LaneId, Timestamp};
use sqlx::{PgConnection, PgPool};

use super::decide::{self, Question, TripPolicy, decide};
use super::examine::{Delivery, Examined, Examiner, Genuine, Refusal, examine};
use super::position::{self, Advance};
use super::repo::journals::{self, HalfDigest, Journal, Place, Progress};
use super::repo::quarantine::{self, Quarantined};
use super::repo::{days, place_of, trips};
use super::write::{Arrival, Decided, Numbers, Undecided, Written, write};
use crate::config::{self, ListPolicy};
use crate::ledger::{self, LedgerError};
use crate::lists;
use crate::rating::Charge;
use crate::registry::{Registry, RegistryError};

/// How long an exit waits for the record of its entry, in run time.
const ENTRY_WAIT: Duration = Duration::from_secs(15 * 60);
/// And how long at least in real time: a lane or broker that was killed needs some to come back,
/// however fast the run is.
const ENTRY_WAIT_REAL_MIN: Duration = Duration::from_secs(90);
/// How many waiting exits are looked at in one transaction.
const BATCH_AWAITED_MAX: i64 = 500;
/// For how many days ahead there are partitions.
const DAYS_AHEAD: usize = 7;

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
    /// The batch's place in the stream is not where the books are: another worker has taken the
    /// partition, or the batch is in the books already.
    #[error("the books are at another place of the stream")]
    Misplaced,
    /// Another worker was first with something the batch needs: it is looked at again.
    #[error("another worker was first")]
    Raced,
    /// A passage that is new by its lane's watermark is in the books.
    #[error("a passage beyond its lane's last sequence is in the books")]
    Known,
}

impl BooksError {
    /// Whether the same batch would fail again and again: the database refuses what is in it
    /// (`SQLSTATE` classes 22, 23 and 54: data, constraints, limits).
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let source = match self {
            Self::Database { source, .. } | Self::Ledger(LedgerError::Database(source)) => source,
            Self::Ledger(_) => return true,
            Self::Registry(_) | Self::Misplaced | Self::Raced | Self::Known => return false,
        };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
    }
}

pub(super) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> BooksError {
    move |source| BooksError::Database { doing, source }
}

/// Like [`failed`], for the rows of passages: their index is what makes them unique.
pub(super) fn passages_failed(source: sqlx::Error) -> BooksError {
    match source.as_database_error() {
        Some(refused)
            if refused.is_unique_violation()
                && refused.constraint().is_some_and(|name| name.ends_with("_once")) =>
        {
            BooksError::Known
        }
        _ => BooksError::Database { doing: "store passages", source },
    }
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

/// The books, as the intake writes them. Several workers may write through one, or each through its
/// own: a batch is a transaction on a connection of the pool.
#[derive(Debug)]
pub struct Books {
    pool: PgPool,
    registry: RwLock<Arc<Registry>>,
    numbers: RwLock<Arc<Numbers>>,
    examiner: Examiner,
    policy: ListPolicy,
    trips: TripPolicy,
    clock: Clock,
}

/// A passage that was examined and rated elsewhere, ready to be posted.
#[derive(Debug, Clone)]
pub struct Rated {
    /// The passage.
    pub genuine: Genuine,
    /// What it costs.
    pub charge: Charge,
    /// The ledger account of the customer who pays.
    pub customer: Option<i64>,
    /// The settlement day it falls into by its own time.
    pub own_day: BusinessDate,
    /// The exact bytes, where they are to be kept as proof.
    pub payload: Vec<u8>,
}

/// What a batch is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// What lies beyond the last sequence of its journal is new.
    LastSeq,
    /// Every passage is looked up.
    Nothing,
}

/// A journal and a sequence of it, as a lane signed them.
type SignedPlace = (i32, i64);

/// A batch after what is known was taken out of it.
struct Sorted<'a> {
    fresh: Vec<(&'a Genuine, Journal)>,
    progress: BTreeMap<i32, (Journal, Progress)>,
    touched: BTreeSet<(LaneId, u32)>,
    duplicates: usize,
    /// With the journal and sequence it stands for, where the lane signed it.
    refused: Vec<(usize, Refusal, Option<SignedPlace>)>,
}

impl Books {
    /// Opens the books, and makes partitions for the days to come.
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
        let entry_age_max = config::Intake::default().entry_age_max();
        let trips = TripPolicy { entry_wait, entry_age_max };
        let books = Self {
            pool,
            registry,
            numbers: RwLock::default(),
            examiner: Examiner::default(),
            policy,
            trips,
            clock,
        };
        // Without them the net takes what comes, so that failing is not fatal.
        if let Err(error) = books.tend().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "days to come wait");
        }
        Ok(books)
    }

    /// The same books, with entries that go stale after `entry_age_max`.
    #[must_use]
    pub fn with_entry_age_max(mut self, entry_age_max: Duration) -> Self {
        self.trips.entry_age_max = entry_age_max;
        self
    }

    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn numbers(&self) -> Arc<Numbers> {
        Arc::clone(&self.numbers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps numbers that are committed.
    fn learn(&self, learnt: Numbers) {
        if learnt.manners.is_empty() && learnt.chart.is_empty() {
            return;
        }
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        let mut both = Numbers::clone(&numbers);
        both.manners.extend(learnt.manners);
        both.chart.extend(learnt.chart);
        *numbers = Arc::new(both);
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
        let examined = self.examine(deliveries, now).await?;
        self.post_examined(deliveries, &examined, &[], now).await
    }

    /// Writes a batch that was examined before, whole or not at all, and with it how far the books
    /// then are in the stream. The indexes of `examined` are of `deliveries`.
    ///
    /// # Errors
    /// When the database fails, another writer was first, or the books are at another place.
    pub async fn post_examined(
        &self,
        deliveries: &[Delivery],
        examined: &Examined,
        advances: &[Advance],
        now: Timestamp,
    ) -> Result<Outcome, BooksError> {
        match self.try_examined(deliveries, examined, advances, Trust::LastSeq, now).await {
            Err(BooksError::Known) => {
                tracing::warn!("the books hold more than a lane's watermark says");
                self.try_examined(deliveries, examined, advances, Trust::Nothing, now).await
            }
            outcome => outcome,
        }
    }

    async fn try_examined(
        &self,
        deliveries: &[Delivery],
        examined: &Examined,
        advances: &[Advance],
        trust: Trust,
        now: Timestamp,
    ) -> Result<Outcome, BooksError> {
        let Examined { genuine, refused } = examined;
        let mut tx = self.pool.begin().await.map_err(failed("begin a batch"))?;
        position::advance(&mut tx, advances).await?;
        let genuine: Vec<&Genuine> = genuine.iter().collect();
        let sorted = sort(&mut tx, &genuine, trust).await?;
        let questions: Vec<Question<'_>> = sorted
            .fresh
            .iter()
            .map(|&(genuine, journal)| Question {
                genuine,
                place: place_of(journal.journal_no, &genuine.id),
                operator_no: journal.operator_no,
                arrival: Arrival::Now(&deliveries[genuine.index].payload),
                waits_until: None,
            })
            .collect();
        let mut decisions = decide(&mut tx, &self.registry(), &questions, self.trips, now).await?;
        let refused: Vec<Quarantined<'_>> = refused
            .iter()
            .map(|&(index, refusal)| (index, refusal, None))
            .chain(sorted.refused.iter().copied())
            .map(|(index, refusal, place)| Quarantined {
                delivery: &deliveries[index],
                refusal,
                place,
            })
            .collect();
        quarantine::write(&mut tx, &refused, now).await?;
        let mut outcome = Outcome {
            fresh: sorted.fresh.len(),
            duplicates: sorted.duplicates,
            refused: refused.len(),
            touched: sorted.touched,
            entries: std::mem::take(&mut decisions.entries),
            list_changed: false,
        };
        let learnt =
            self.write(&mut tx, decisions.decided, &decisions.undecided, now, &mut outcome).await?;
        // Last: how far a journal reaches is seen from the rows, these among them.
        journals::advance(&mut tx, &sorted.progress).await?;
        tx.commit().await.map_err(failed("commit a batch"))?;
        self.learn(learnt);
        Ok(outcome)
    }

    /// Writes a batch of passages that were examined and rated, whole or not at all.
    ///
    /// # Errors
    /// When the database fails or another writer was first; the same batch may be tried again.
    pub async fn post_rated(&self, batch: &[Rated], now: Timestamp) -> Result<Outcome, BooksError> {
        match self.try_rated(batch, Trust::LastSeq, now).await {
            Err(BooksError::Known) => self.try_rated(batch, Trust::Nothing, now).await,
            outcome => outcome,
        }
    }

    async fn try_rated(
        &self,
        batch: &[Rated],
        trust: Trust,
        now: Timestamp,
    ) -> Result<Outcome, BooksError> {
        let mut tx = self.pool.begin().await.map_err(failed("begin a batch"))?;
        let genuine: Vec<&Genuine> = batch.iter().map(|one| &one.genuine).collect();
        let sorted = sort(&mut tx, &genuine, trust).await?;
        let decided = sorted
            .fresh
            .iter()
            .map(|&(genuine, journal)| {
                let rated = &batch[genuine.index];
                Decided {
                    place: place_of(journal.journal_no, &genuine.id),
                    operator_no: journal.operator_no,
                    genuine,
                    arrival: Arrival::Now(&rated.payload),
                    charge: rated.charge.clone(),
                    customer: rated.customer,
                    own_day: rated.own_day,
                }
            })
            .collect();
        let mut outcome = Outcome {
            fresh: sorted.fresh.len(),
            duplicates: sorted.duplicates,
            refused: sorted.refused.len(),
            touched: sorted.touched,
            ..Outcome::default()
        };
        let learnt = self.write(&mut tx, decided, &[], now, &mut outcome).await?;
        journals::advance(&mut tx, &sorted.progress).await?;
        tx.commit().await.map_err(failed("commit a batch"))?;
        self.learn(learnt);
        Ok(outcome)
    }

    /// Writes what was decided, if anything was, and notes what lanes must be told.
    async fn write(
        &self,
        tx: &mut PgConnection,
        decided: Vec<Decided<'_>>,
        undecided: &[Undecided<'_>],
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> Result<Numbers, BooksError> {
        if decided.is_empty() && undecided.is_empty() {
            return Ok(Numbers::default());
        }
        let marks = [self.policy.no_money_below, self.policy.low_below];
        let Written { changes, learnt } =
            write(tx, decided, undecided, &self.numbers(), &marks, now).await?;
        outcome.list_changed |= lists::note_balances_in_tx(tx, &changes, self.policy)
            .await
            .map_err(failed("note changed accounts"))?;
        Ok(learnt)
    }

    /// Reads the registry again: tariffs, keys and calendars that were imported meanwhile. And
    /// tends the books.
    ///
    /// # Errors
    /// When it cannot be read; the one in use then stays.
    pub async fn refresh(&self) -> Result<(), BooksError> {
        let loaded = Registry::load(&self.pool).await.map_err(BooksError::Registry)?;
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        self.tend().await
    }

    /// Makes partitions for the days to come, and folds what batches added to hot accounts into
    /// their balances. Doing it twice, or not at all for a day, does no harm.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tend(&self) -> Result<(), BooksError> {
        ledger::fold(&self.pool).await.map_err(BooksError::Ledger)?;
        let today = BusinessDate::new(self.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date());
        let last = std::iter::successors(Some(today), |day| Some(day.next())).nth(DAYS_AHEAD);
        let mut tx = self.pool.begin().await.map_err(failed("begin tending the books"))?;
        days::make_partitions(&mut tx, today, last.unwrap_or(today)).await?;
        tx.commit().await.map_err(failed("make partitions for the days to come"))
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
        let genuine = examine(0, delivery, &self.registry(), now).ok();
        let journals = journals::lock(&mut tx, &genuine.iter().collect::<Vec<_>>()).await?;
        let place = genuine.as_ref().and_then(|one| {
            let journal = journals::journal_of(&journals, &one.id)?;
            Some((journal.journal_no, i64::try_from(one.id.seq.get()).ok()?))
        });
        let rows = [Quarantined { delivery, refusal: Refusal::Unwritable, place }];
        quarantine::write(&mut tx, &rows, now).await?;
        tx.commit().await.map_err(failed("commit a batch"))?;
        Ok(Outcome { refused: 1, ..Outcome::default() })
    }

    /// Rates the exits whose entry has come meanwhile, or is no longer waited for.
    ///
    /// # Errors
    /// When the database fails; nothing is then written.
    pub async fn post_awaited(&self, now: Timestamp) -> Result<Outcome, BooksError> {
        let mut tx = self.pool.begin().await.map_err(failed("begin a batch"))?;
        let waiting = trips::waiting(&mut tx, BATCH_AWAITED_MAX).await?;
        let mut outcome = Outcome::default();
        if waiting.is_empty() {
            return Ok(outcome);
        }
        // While part of the stream is still to be read, the entry may be in it.
        let anything_behind =
            position::anything_behind(&mut *tx).await.map_err(failed("look behind"))?;
        let questions: Vec<Question<'_>> = waiting
            .iter()
            .map(|one| Question {
                genuine: &one.genuine,
                place: one.place,
                operator_no: one.operator_no,
                arrival: Arrival::Before,
                waits_until: Some(if anything_behind { Timestamp::MAX } else { one.until }),
            })
            .collect();
        let decisions = decide(&mut tx, &self.registry(), &questions, self.trips, now).await?;
        let ended: Vec<Place> = decisions.decided.iter().map(|one| one.place).collect();
        trips::end_waits(&mut tx, &ended).await?;
        let learnt = self.write(&mut tx, decisions.decided, &[], now, &mut outcome).await?;
        tx.commit().await.map_err(failed("commit a batch"))?;
        self.learn(learnt);
        Ok(outcome)
    }

    /// Examines a batch, if need be by a registry read anew: a lane may have been enrolled a
    /// moment ago.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub async fn examine(
        &self,
        deliveries: &[Delivery],
        now: Timestamp,
    ) -> Result<Examined, BooksError> {
        let examined = self.examine_as_known(deliveries, now);
        if !examined.may_be_too_early() {
            return Ok(examined);
        }
        self.refresh().await?;
        Ok(self.examine_as_known(deliveries, now))
    }

    /// Examines a batch by the registry as it is in memory.
    #[must_use]
    pub fn examine_as_known(&self, deliveries: &[Delivery], now: Timestamp) -> Examined {
        self.examiner.examine(deliveries, &self.registry(), now)
    }

    /// The database.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// Takes the journals, and out of the batch what is known already, or cannot be taken.
async fn sort<'a>(
    tx: &mut PgConnection,
    genuine: &[&'a Genuine],
    trust: Trust,
) -> Result<Sorted<'a>, BooksError> {
    let journals = journals::lock(tx, genuine).await?;
    let mut sorted = Sorted {
        fresh: Vec::with_capacity(genuine.len()),
        progress: BTreeMap::new(),
        touched: BTreeSet::new(),
        duplicates: 0,
        refused: Vec::new(),
    };
    let mut takeable: Vec<(&'a Genuine, Journal, i64)> = Vec::with_capacity(genuine.len());
    for &passage in genuine {
        let Some(journal) = journals::journal_of(&journals, &passage.id) else {
            sorted.refused.push((passage.index, Refusal::UnknownEpoch, None));
            continue;
        };
        match i32::try_from(passage.id.seq.get()) {
            Ok(seq) => takeable.push((passage, *journal, i64::from(seq))),
            Err(_too_high) => sorted.refused.push((passage.index, Refusal::Unwritable, None)),
        }
    }
    let looked_up: Vec<Place> = takeable
        .iter()
        .filter(|(_, journal, seq)| trust == Trust::Nothing || *seq <= journal.last_seq)
        .map(|(passage, journal, _)| place_of(journal.journal_no, &passage.id))
        .collect();
    let mut known: HashMap<Place, HalfDigest> = journals::stored(tx, &looked_up).await?;
    for (passage, journal, seq) in takeable {
        let progress = &mut sorted
            .progress
            .entry(journal.journal_no)
            .or_insert_with(|| (journal, Progress::default()))
            .1;
        let place = place_of(journal.journal_no, &passage.id);
        let mut digest = HalfDigest::default();
        digest.copy_from_slice(&passage.content_hash.as_bytes()[..16]);
        let before = known.insert(place, digest);
        if let Some(before) = before
            && seq > journal.last_seq
        {
            // The watermark has forgotten it, and learns it anew.
            progress.stored.insert(seq, before);
        }
        match before {
            None => {
                progress.stored.insert(seq, digest);
                sorted.fresh.push((passage, journal));
            }
            Some(before) if before == digest => {
                progress.duplicates += 1;
                sorted.duplicates += 1;
            }
            Some(before) => {
                known.insert(place, before);
                let at = Some((journal.journal_no, seq));
                sorted.refused.push((passage.index, Refusal::Conflict, at));
            }
        }
    }
    // A lane's receipt is due for each; lanes are few, passages many.
    let mut lanes: Vec<(&LaneId, u32)> = genuine
        .iter()
        .filter(|one| journals::journal_of(&journals, &one.id).is_some())
        .map(|one| (&one.id.lane, one.id.epoch))
        .collect();
    lanes.sort_unstable();
    lanes.dedup();
    sorted.touched = lanes.into_iter().map(|(lane, epoch)| (lane.clone(), epoch)).collect();
    Ok(sorted)
}

/// The settlement day an instant falls into, for who rates elsewhere.
#[must_use]
pub fn own_day(registry: &Registry, operator: &domain::OperatorId, at: Timestamp) -> BusinessDate {
    decide::own_day(registry, operator, at)
}
