//! A worker: reads its partitions, examines what came, and has it posted.
//!
//! Two stages, a batch apart: while one batch is written, the next is gathered and examined. The
//! head of every partition goes first, and what is behind gets a fixed share of each batch: new
//! traffic is never starved by a backlog, nor a backlog by new traffic.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Waker, Poll};
use std::time::Duration;

use async_nats::jetstream::{Context, Message};
use domain::Clock;
use domain::wire::{SIGNATURE_HEADER, subject};
use tokio::sync::{Notify, mpsc};
use tracing::Instrument as _;

use super::IntakeError;
use super::chain::Heads;
use super::cursor::{Came, Cursor, Whereabouts, stream_now};
use super::examine::{Delivery, Examined};
use super::keeper::Keeper;
use super::position::{self, Advance, Partition, Place};
use super::post::{Books, BooksError, Outcome};
use crate::receipts::Receipts;

/// The most passages one transaction takes.
const BATCH_LEN_MAX: usize = 4_000;
/// What of a batch is kept for what is behind, where something is.
const BEHIND_LEN: usize = BATCH_LEN_MAX / 4;
/// How long a batch waits for more, in real time: a commit costs the same for one as for many.
const LINGER: Duration = Duration::from_millis(5);
/// How often a worker looks whether its share of the partitions has changed, in real time.
const BALANCE_EVERY: Duration = Duration::from_secs(1);
/// How long it waits before it tries again what has failed, in real time.
const PAUSE: Duration = Duration::from_millis(200);
/// What a worker works with.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) jetstream: Context,
    pub(super) books: Arc<Books>,
    pub(super) receipts: Arc<Receipts>,
    pub(super) clock: Clock,
    /// A head with more messages before it than this goes to the end of the stream, and leaves
    /// them behind it.
    pub(super) lag_max: u64,
}

/// Deliveries, and what they add to the places of their partitions.
struct Batch {
    deliveries: Vec<Delivery>,
    advances: Vec<Advance>,
    /// Batches that were read before the places were read again are of an earlier one.
    generation: u64,
}

impl Batch {
    fn new(generation: u64) -> Self {
        Self { deliveries: Vec::new(), advances: Vec::new(), generation }
    }

    fn is_empty(&self) -> bool {
        self.advances.is_empty()
    }

    /// Notes that the batch has the cursor's partition up to where the cursor is.
    fn reaches(&mut self, cursor: &Cursor, before: u64) {
        let known = self.advances.iter_mut().find(|advance| {
            advance.partition == cursor.partition() && advance.place == cursor.place()
        });
        match known {
            Some(advance) => advance.stretch.upto = cursor.at(),
            None => self.advances.push(cursor.advance(before)),
        }
    }
}

/// Says to the reading stage that the places must be read again.
#[derive(Default)]
struct Rewind {
    /// The generation whose batches are refused.
    refused: AtomicU64,
    woken: Notify,
}

/// Works for as long as the broker's stream lives.
pub(super) async fn work(tools: Tools, first: Partition) -> Result<Infallible, IntakeError> {
    let (sender, batches) = mpsc::channel(1);
    let rewind = Arc::new(Rewind::default());
    let poster =
        Poster { tools: tools.clone(), rewind: Arc::clone(&rewind), heads: Heads::default() };
    let mut posting = tokio::spawn(poster.post_all(batches));
    let keeper = Keeper::new(tools.books.pool().clone(), first);
    let mut reader = Reader {
        tools,
        keeper,
        cursors: Vec::new(),
        lost: Vec::new(),
        rewind,
        generation: 1,
        next: 0,
    };
    let result = tokio::select! {
        result = reader.read_all(sender) => result,
        ended = &mut posting => Err(IntakeError::Worker(ended.err())),
    };
    posting.abort();
    result
}

struct Reader {
    tools: Tools,
    keeper: Keeper,
    cursors: Vec<Cursor>,
    /// Where cursors are to be made.
    lost: Vec<Lost>,
    rewind: Arc<Rewind>,
    generation: u64,
    /// Which cursor is asked first, so that each is in turn.
    next: usize,
}

/// A cursor that is to be made.
enum Lost {
    /// Where it left off.
    Cursor(Whereabouts),
    /// Where the books say.
    Partition(Partition),
}

impl Reader {
    async fn read_all(
        &mut self,
        sender: mpsc::Sender<(Batch, Examined)>,
    ) -> Result<Infallible, IntakeError> {
        let rewind = Arc::clone(&self.rewind);
        let mut balance = tokio::time::interval(BALANCE_EVERY);
        loop {
            if rewind.refused.load(Ordering::Acquire) >= self.generation {
                self.generation = rewind.refused.load(Ordering::Acquire) + 1;
                self.cursors.clear();
                self.lost = self.keeper.held().map(Lost::Partition).collect();
            }
            if !self.lost.is_empty() {
                self.make_cursors().await?;
            }
            let mut batch = Batch::new(self.generation);
            tokio::select! {
                _ = balance.tick() => self.balance().await,
                () = rewind.woken.notified() => continue,
                () = self.next_message(&mut batch) => {}
            }
            if batch.is_empty() {
                continue;
            }
            tokio::time::sleep(LINGER).await;
            self.fill(&mut batch);
            let permit = loop {
                tokio::select! {
                    biased;
                    permit = sender.reserve() => break permit,
                    () = self.next_message(&mut batch),
                        if batch.deliveries.len() < BATCH_LEN_MAX && self.lost.is_empty() => {}
                }
            };
            let Ok(permit) = permit else { return Err(IntakeError::Worker(None)) };
            self.fill(&mut batch);
            permit.send(self.examine(batch).await?);
        }
    }

    async fn examine(&self, batch: Batch) -> Result<(Batch, Examined), IntakeError> {
        let books = Arc::clone(&self.tools.books);
        let now = self.tools.clock.now();
        // On a thread of its own: checking signatures is nothing a reader of sockets should do.
        let (batch, examined) = tokio::task::spawn_blocking(move || {
            let examined = books.examine_as_known(&batch.deliveries, now);
            (batch, examined)
        })
        .await
        .map_err(|died| IntakeError::Worker(Some(died)))?;
        if !examined.may_be_too_early() {
            return Ok((batch, examined));
        }
        match self.tools.books.examine(&batch.deliveries, now).await {
            Ok(again) => Ok((batch, again)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "examined by the registry as it was");
                Ok((batch, examined))
            }
        }
    }

    /// Waits for one message, and puts it into the batch.
    async fn next_message(&mut self, batch: &mut Batch) {
        poll_fn(|waker| match self.poll_one(batch, waker, None) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Puts into the batch what is there already: new traffic first, and with it a share of what
    /// is behind.
    fn fill(&mut self, batch: &mut Batch) {
        let mut waker = Waker::from_waker(std::task::Waker::noop());
        let some_behind = self.cursors.iter().any(|cursor| cursor.place() == Place::Behind);
        let for_head = if some_behind { BATCH_LEN_MAX - BEHIND_LEN } else { BATCH_LEN_MAX };
        for (place, len) in [(Place::Head, for_head), (Place::Behind, BATCH_LEN_MAX)] {
            while batch.deliveries.len() < len && self.poll_one(batch, &mut waker, Some(place)) {}
        }
    }

    /// Takes one message of one cursor; tells whether anything came.
    fn poll_one(&mut self, batch: &mut Batch, waker: &mut Waker<'_>, only: Option<Place>) -> bool {
        let cursors = self.cursors.len();
        for step in 0..cursors {
            let index = (self.next + step) % cursors;
            let cursor = &mut self.cursors[index];
            if only.is_some_and(|place| place != cursor.place()) {
                continue;
            }
            let before = cursor.at();
            let Poll::Ready(came) = cursor.poll(waker) else { continue };
            match came {
                Came::Message(message) => {
                    batch.reaches(cursor, before);
                    batch.deliveries.push(delivery(&message));
                    // Some of one partition in a row: a lane's passages are then together.
                    if batch.deliveries.len().is_multiple_of(64) {
                        self.next = index + 1;
                    } else {
                        self.next = index;
                    }
                }
                Came::End => {
                    batch.reaches(cursor, before);
                    let ended = self.cursors.swap_remove(index);
                    self.lost.push(Lost::Partition(ended.partition()));
                }
                Came::Lost => {
                    let lost = self.cursors.swap_remove(index);
                    self.lost.push(Lost::Cursor(lost.rest()));
                }
            }
            return true;
        }
        false
    }

    /// Takes and lets go partitions; what is lost with the database's session is read again.
    async fn balance(&mut self) {
        match self.keeper.balance().await {
            Ok(changes) => {
                self.cursors.retain(|cursor| !changes.released.contains(&cursor.partition()));
                if !changes.taken.is_empty() || !changes.released.is_empty() {
                    tracing::info!(
                        taken = changes.taken.len(),
                        released = changes.released.len(),
                        held = self.keeper.held().count(),
                        "partitions"
                    );
                }
                self.lost.extend(changes.taken.iter().map(|(taken, _)| Lost::Partition(*taken)));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no partitions");
                self.cursors.clear();
                self.lost.clear();
            }
        }
        // A head that cannot keep up goes to the end; its batches on the way come to nothing.
        let of_one_partition = self.tools.lag_max / 4;
        let lagging =
            |cursor: &Cursor| cursor.place() == Place::Head && cursor.pending() > of_one_partition;
        if self.cursors.iter().any(lagging) {
            self.rewind.refused.store(self.generation, Ordering::Release);
        }
    }

    async fn make_cursors(&mut self) -> Result<(), IntakeError> {
        for lost in std::mem::take(&mut self.lost) {
            let partition = match &lost {
                Lost::Cursor(whereabouts) => whereabouts.partition,
                Lost::Partition(partition) => *partition,
            };
            let Some(tenure) = self.keeper.tenure(partition) else { continue };
            match self.make(partition, tenure, &lost).await {
                Ok(cursors) => {
                    let there = |cursor: &Cursor| {
                        cursors.iter().any(|new| {
                            new.partition() == cursor.partition() && new.place() == cursor.place()
                        })
                    };
                    self.cursors.retain(|cursor| !there(cursor));
                    self.cursors.extend(cursors);
                }
                Err(MakeError::Broker(error)) => return Err(IntakeError::Broker(error)),
                Err(MakeError::Database(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "no place yet");
                    self.lost.push(lost);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Ok(())
    }

    async fn make(
        &self,
        partition: Partition,
        tenure: i64,
        lost: &Lost,
    ) -> Result<Vec<Cursor>, MakeError> {
        let now = stream_now(&self.tools.jetstream).await.map_err(MakeError::Broker)?;
        let open = async |whereabouts| {
            Cursor::open(&self.tools.jetstream, whereabouts).await.map_err(MakeError::Broker)
        };
        if let Lost::Cursor(whereabouts) = lost
            && whereabouts.stream == now.stream
            && whereabouts.after <= now.last
        {
            return Ok(vec![open(whereabouts.clone()).await?]);
        }
        let located = position::locate(
            self.tools.books.pool(),
            (partition, tenure),
            &now,
            self.tools.lag_max,
        )
        .await
        .map_err(MakeError::Database)?;
        let Some(located) = located else { return Ok(Vec::new()) };
        let at = |place, after, upto| Whereabouts {
            partition,
            tenure,
            stream: located.stream.clone(),
            place,
            after,
            upto,
        };
        let mut cursors = Vec::new();
        let head_is_read = self
            .cursors
            .iter()
            .any(|cursor| cursor.partition() == partition && cursor.place() == Place::Head);
        if !head_is_read {
            cursors.push(open(at(Place::Head, located.head, None)).await?);
        }
        if let Some(behind) = located.behind {
            cursors.push(open(at(Place::Behind, behind.after, Some(behind.upto))).await?);
        }
        Ok(cursors)
    }
}

enum MakeError {
    Broker(async_nats::Error),
    Database(sqlx::Error),
}

struct Poster {
    tools: Tools,
    rewind: Arc<Rewind>,
    heads: Heads,
}

impl Poster {
    async fn post_all(mut self, mut batches: mpsc::Receiver<(Batch, Examined)>) {
        while let Some((batch, examined)) = batches.recv().await {
            if batch.generation > self.rewind.refused.load(Ordering::Acquire) {
                let span = tracing::info_span!(
                    "batch",
                    messages = batch.deliveries.len(),
                    posted = tracing::field::Empty,
                    duplicates = tracing::field::Empty,
                    refused = tracing::field::Empty,
                    elapsed_us = tracing::field::Empty,
                );
                self.take(&batch, examined).instrument(span).await;
            }
        }
    }

    async fn take(&mut self, batch: &Batch, mut examined: Examined) {
        let started = self.tools.clock.real();
        let mut pause = Pause::default();
        let followed = loop {
            match self.heads.check(self.tools.books.pool(), &mut examined).await {
                Ok(followed) => break followed,
                Err(error) => {
                    tracing::warn!(%error, "the chain could not be looked up");
                    pause.wait().await;
                }
            }
        };
        let deliveries = &batch.deliveries;
        match self.insist(deliveries, &examined, &batch.advances).await {
            Ok(outcome) => {
                let elapsed = self.tools.clock.real().duration_since(started);
                let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
                let span = tracing::Span::current();
                span.record("posted", outcome.fresh).record("duplicates", outcome.duplicates);
                span.record("refused", outcome.refused).record("elapsed_us", elapsed_us);
                tracing::debug!("batch posted");
                self.heads.follow(followed);
                self.tools.receipts.publish(&outcome).await;
            }
            Err(GaveUp::Misplaced) => self.refuse(batch),
            Err(GaveUp::Refused) => self.one_by_one(batch, &examined).await,
        }
    }

    fn refuse(&mut self, batch: &Batch) {
        tracing::info!("the books are at another place of the stream: read again from there");
        self.heads = Heads::default();
        self.rewind.refused.store(batch.generation, Ordering::Release);
        self.rewind.woken.notify_one();
    }

    /// One of them is poison: alone, the good ones go in and it is put aside.
    async fn one_by_one(&mut self, batch: &Batch, examined: &Examined) {
        for index in 0..batch.deliveries.len() {
            let alone = examined.only(index);
            let deliveries = &batch.deliveries[index..=index];
            let outcome = match self.insist(deliveries, &alone, &[]).await {
                Ok(outcome) => outcome,
                Err(GaveUp::Refused | GaveUp::Misplaced) => {
                    self.put_aside(&batch.deliveries[index]).await
                }
            };
            self.tools.receipts.publish(&outcome).await;
        }
        self.heads = Heads::default();
        match self.insist(&[], &Examined::default(), &batch.advances).await {
            Ok(_nothing) => {}
            Err(GaveUp::Refused | GaveUp::Misplaced) => self.refuse(batch),
        }
    }

    async fn put_aside(&self, delivery: &Delivery) -> Outcome {
        let mut pause = Pause::default();
        let mut refusals = 0;
        loop {
            match self.tools.books.put_aside(delivery, self.tools.clock.now()).await {
                Ok(outcome) => return outcome,
                Err(error) => {
                    refusals += u32::from(error.is_refusal());
                    if refusals >= REFUSALS_MAX {
                        tracing::error!(
                            "a delivery was refused even by the quarantine; its lane keeps it"
                        );
                        return Outcome::default();
                    }
                    pause.wait().await;
                }
            }
        }
    }

    /// Tries until the database takes it: a batch is never half written, and never given up
    /// because the database is away.
    async fn insist(
        &self,
        deliveries: &[Delivery],
        examined: &Examined,
        advances: &[Advance],
    ) -> Result<Outcome, GaveUp> {
        let Tools { books, clock, .. } = &self.tools;
        let mut pause = Pause::default();
        let mut refusals = 0;
        loop {
            match books.post_examined(deliveries, examined, advances, clock.now()).await {
                Ok(outcome) => return Ok(outcome),
                Err(BooksError::Misplaced) => return Err(GaveUp::Misplaced),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "batch not written");
                    refusals += u32::from(error.is_refusal());
                    if refusals >= REFUSALS_MAX {
                        return Err(GaveUp::Refused);
                    }
                    pause.wait().await;
                }
            }
        }
    }
}

/// Why a batch was not written, however often it was tried.
enum GaveUp {
    /// The database will not take it.
    Refused,
    /// It is not the books' next, or no longer this worker's.
    Misplaced,
}

/// How often what the database refused is tried before it counts as refused.
const REFUSALS_MAX: u32 = 3;

/// A pause that doubles.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(20))
    }
}

impl Pause {
    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(2));
    }
}

fn delivery(message: &Message) -> Delivery {
    let header = |name: &str| {
        message
            .headers
            .as_ref()
            .and_then(|headers| headers.get(name))
            .map(|value| value.as_str().to_owned())
    };
    Delivery {
        subject: subject::published_on(&message.subject),
        message_id: header("Nats-Msg-Id"),
        signature: header(SIGNATURE_HEADER),
        payload: message.payload.to_vec(),
    }
}
