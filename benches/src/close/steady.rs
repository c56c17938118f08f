//! Two writers who post small batches at a steady pace for as long as they are let.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clearing_house::intake::Books;
use domain::{BusinessDate, Clock};
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::Failed;
use crate::latency::Latency;
use crate::posting::alone::{self, Load, Worker};
use crate::posting::world::LIST_POLICY;

/// How many write at once.
pub(super) const WRITERS: usize = 2;
/// Passages in a batch, each of another lane.
const BATCH_LEN: usize = 50;
/// Lanes of each writer: at its pace each has a passage a second, as a busy lane does.
pub(super) const LANES_EACH: usize = 2_500;
/// How often each writer has one.
const EVERY: Duration = Duration::from_millis(20);
/// Accounts that they charge.
const ACCOUNTS: u32 = 100_000;

/// The writers, at work.
pub(super) struct Steady {
    spans: Arc<Mutex<Latency>>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Result<u64, Failed>>>,
}

impl Steady {
    /// Begins to post, by lanes behind the first so many.
    pub(super) async fn begin(
        pool: &PgPool,
        day: BusinessDate,
        lanes_before: usize,
        clock: Clock,
    ) -> Result<Self, Failed> {
        let spans = Arc::new(Mutex::new(Latency::try_new()?));
        let stop = Arc::new(AtomicBool::new(false));
        let first_account = alone::first_account(pool).await?;
        let load = Load {
            accounts: ACCOUNTS,
            workers: WRITERS,
            batch_len: BATCH_LEN,
            passages: 0,
            payload_len: 0,
            day,
        };
        let mut writers = Vec::new();
        for number in 0..WRITERS {
            let first = lanes_before + number * LANES_EACH + 1;
            let lanes = first..=first + LANES_EACH - 1;
            let worker = Worker::of_lanes(lanes, (number, load), first_account, 0)?;
            let books = Books::open(pool.clone(), LIST_POLICY, clock).await?;
            let (spans, stop) = (Arc::clone(&spans), Arc::clone(&stop));
            writers.push(tokio::spawn(async move {
                write(worker, &books, day, (&spans, &stop), clock).await
            }));
        }
        Ok(Self { spans, stop, writers })
    }

    /// What was measured since the last time.
    pub(super) fn take(&self) -> Result<Latency, Failed> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::replace(&mut *spans, Latency::try_new()?))
    }

    /// Lets them end; says how many passages they posted.
    pub(super) async fn end(self) -> Result<u64, Failed> {
        self.stop.store(true, Ordering::Release);
        let mut posted = 0;
        for writer in self.writers {
            posted += writer.await??;
        }
        Ok(posted)
    }
}

async fn write(
    mut worker: Worker,
    books: &Books,
    day: BusinessDate,
    (spans, stop): (&Mutex<Latency>, &AtomicBool),
    clock: Clock,
) -> Result<u64, Failed> {
    // A batch that is held up makes the next ones late as well, and they count from when they were due.
    let mut due = clock.real();
    let mut posted = 0;
    let days = [day, day.next()];
    for own_day in days.into_iter().cycle() {
        if stop.load(Ordering::Acquire) {
            break;
        }
        due += EVERY;
        tokio::time::sleep_until(due.into()).await;
        let now = clock.now();
        worker.fill(now, own_day)?;
        loop {
            match books.post_rated(&worker.batch, now).await {
                Ok(outcome) if outcome.fresh == BATCH_LEN => break,
                Ok(outcome) => return Err(format!("{} passages were taken", outcome.fresh).into()),
                Err(error) if error.is_refusal() => return Err(error.into()),
                // A race: the same batch again, as the intake does.
                Err(_again) => {}
            }
        }
        let span = clock.real().duration_since(due);
        spans.lock().unwrap_or_else(PoisonError::into_inner).record(span);
        posted += u64::try_from(BATCH_LEN)?;
    }
    Ok(posted)
}
