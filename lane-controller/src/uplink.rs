//! The uplink: carries a lane's journal to the broker, in order, again and again until the
//! clearing house has posted it.
//!
//! The broker's acknowledgement only paces the sender; what moves the watermark is a receipt. Which
//! record goes when is decided in [`window`]; here is the shell: it reads the journal ahead, on a
//! thread that no barrier waits for, publishes, and tells the window what became of each record.
//!
//! A receipt is believed when what it says is posted under its last number is what the journal has
//! there. Where that is another record, the journal was put back from an old copy and has used
//! numbers a second time: the lane is told, and nothing of it counts as posted.

pub mod window;

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::DirectGetErrorKind;
use async_nats::{Client, HeaderMap};
use domain::signature::HalfDigest;
use domain::wire::{SIGNATURE_HEADER, message_id, passage_of, subject};
use domain::{Clock, LaneId, PassageId, Timestamp};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use serde::Deserialize;
use tokio::sync::watch;

use crate::journal::{JournalReader, Record};
use crate::runner::Wake;
pub use window::Posted;
use window::{Sending, Window};

/// How many records are read from the journal at once.
const READ_AHEAD: usize = 128;
/// How often the connection is looked at, in real time: nobody tells when it comes or goes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a record may be on its way to the broker's acknowledgement, in real time.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);
/// How often the age of the backlog is looked at, in real time.
const AGE_EVERY: Duration = Duration::from_secs(5);

/// What the uplink follows.
#[derive(Debug, Clone)]
pub struct Marks {
    /// The last sequence written.
    pub written: watch::Receiver<u64>,
    /// What the last receipt said.
    pub posted: watch::Receiver<Posted>,
    /// Up to where the journal itself knows that it is posted.
    pub noted: u64,
}

/// How an uplink is, for those who watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UplinkState {
    /// When the oldest passage happened that no receipt covers, where there is one.
    pub oldest_unposted_at: Option<Timestamp>,
}

/// One lane's way to the broker.
#[derive(Debug)]
pub struct Uplink {
    /// The lane.
    pub lane: LaneId,
    /// The epoch of its journal.
    pub epoch: u32,
    /// Its journal.
    pub journal: JournalReader,
    /// The connection.
    pub client: Client,
    /// The same, for what is stored at the broker.
    pub jetstream: Context,
    /// What it follows.
    pub marks: Marks,
    /// The lane's line, for what receipts say.
    pub wakes: Sender<Wake>,
    /// Where it tells how it is.
    pub state: watch::Sender<UplinkState>,
    /// The run's clock.
    pub clock: Clock,
}

/// What became of a record.
enum Outcome {
    Taken(u64),
    Failed(u64),
}

impl Outcome {
    fn tell(self, window: &mut Window, now: Duration) {
        match self {
            Self::Taken(seq) => window.handle_taken(seq, now),
            Self::Failed(seq) => window.handle_failed(seq, now),
        }
    }
}

impl Uplink {
    /// Sends until the lane ends.
    pub async fn run(self) {
        let Self { lane, epoch, journal, client, jetstream, mut marks, wakes, state, clock } = self;
        let started = clock.real();
        let mut window = Window::new(*marks.written.borrow_and_update(), marks.noted);
        let mut pages = Pages { journal: Some(journal), ahead: BTreeMap::new() };
        let mut under_way: FuturesUnordered<BoxFuture<'static, Outcome>> = FuturesUnordered::new();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut aged_at: Option<Instant> = None;
        // A receipt may be here before this first turn; it is held against the journal like others.
        let mut heard = Some(marks.posted.borrow_and_update().clone());
        loop {
            let now = clock.real().duration_since(started);
            window.handle_connection(client.connection_state() == State::Connected, now);
            window.handle_deadline(now);
            if let Some(posted) = heard.take() {
                let wake = match pages.prove(&lane, &posted, window.posted()).await {
                    Proof::Same => {
                        window.handle_posted(&posted, now);
                        Some(Wake::Posted { epoch, upto: posted.upto })
                    }
                    Proof::Other => Some(Wake::PostedOtherwise { epoch, seq: posted.upto }),
                    Proof::Unreadable => {
                        heard = Some(posted);
                        None
                    }
                };
                // The lane may have ended.
                wake.into_iter().for_each(|wake| drop(wakes.send(wake)));
            }
            if window.poll_ask(now)
                && let Some(held) = held(&lane, epoch, &jetstream).await
            {
                window.handle_held(held);
            }
            pages.forget(window.posted());
            for sending in window.poll_send(now) {
                match pages.record(&lane, sending.seq).await {
                    Page::Here(record) => under_way.push(Box::pin(send(
                        jetstream.clone(),
                        PassageId { lane: lane.clone(), epoch, seq: nonzero(sending.seq) },
                        sending,
                        record,
                    ))),
                    Page::Gone => window.handle_gone(sending.seq),
                    Page::Unreadable => window.handle_failed(sending.seq, now),
                }
            }
            if aged_at.is_none_or(|at| clock.real().duration_since(at) >= AGE_EVERY) {
                aged_at = Some(clock.real());
                tell_age(&state, pages.at_of(&lane, window.posted() + 1).await);
            }
            tokio::select! {
                changed = marks.written.changed() => {
                    if changed.is_err() { return }
                    window.handle_written(*marks.written.borrow_and_update());
                }
                changed = marks.posted.changed() => {
                    if changed.is_err() { return }
                    heard = Some(marks.posted.borrow_and_update().clone());
                }
                Some(outcome) = under_way.next() => {
                    let now = clock.real().duration_since(started);
                    outcome.tell(&mut window, now);
                }
                _ = look.tick() => {}
            }
        }
    }
}

fn tell_age(state: &watch::Sender<UplinkState>, oldest_unposted_at: Option<Timestamp>) {
    state.send_if_modified(|state| {
        let news = UplinkState { oldest_unposted_at };
        std::mem::replace(state, news) != news
    });
}

fn nonzero(seq: u64) -> std::num::NonZeroU64 {
    std::num::NonZeroU64::MIN.saturating_add(seq.saturating_sub(1))
}

/// Sends one record, and waits for the broker's word.
async fn send(jetstream: Context, id: PassageId, sending: Sending, record: Record) -> Outcome {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", message_id(&id, sending.round));
    headers.insert(SIGNATURE_HEADER, record.signature.to_text());
    let to = subject::passage(&id.lane);
    let publish = async {
        let ack = jetstream.publish_with_headers(to, headers, record.payload.into()).await?;
        ack.await
    };
    match tokio::time::timeout(ACKNOWLEDGED_WITHIN, publish).await {
        Ok(Ok(_ack)) => Outcome::Taken(sending.seq),
        // Not acknowledged may still be stored; the same id makes the second time harmless.
        Ok(Err(error)) => {
            tracing::debug!(passage.id = %id, %error, "the broker did not take a passage");
            Outcome::Failed(sending.seq)
        }
        Err(_elapsed) => {
            tracing::debug!(passage.id = %id, "the broker did not answer about a passage");
            Outcome::Failed(sending.seq)
        }
    }
}

/// What the broker holds last of this epoch, or that it holds nothing; nothing at all where it
/// cannot be asked.
async fn held(lane: &LaneId, epoch: u32, jetstream: &Context) -> Option<Option<u64>> {
    let stream = jetstream.get_stream_no_info(subject::PASSAGES.name).await.ok()?;
    match stream.direct_get_last_for_subject(subject::kept_passages(lane)).await {
        Ok(message) => {
            let id = message.headers.get("Nats-Msg-Id").map(async_nats::HeaderValue::as_str);
            let id = id.and_then(passage_of).filter(|id| id.epoch == epoch);
            Some(id.map(|id| id.seq.get()))
        }
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Some(None),
        Err(error) => {
            tracing::debug!(lane.id = %lane, %error, "the broker does not say what it holds");
            None
        }
    }
}

/// A record that was asked for.
enum Page {
    Here(Record),
    Gone,
    Unreadable,
}

/// What a receipt is to this journal.
enum Proof {
    /// It is about this journal's records.
    Same,
    /// It is about another record under the same number.
    Other,
    /// The journal cannot be read now.
    Unreadable,
}

/// The journal, read ahead.
struct Pages {
    /// Away while it reads.
    journal: Option<JournalReader>,
    ahead: BTreeMap<u64, Record>,
}

impl Pages {
    async fn record(&mut self, lane: &LaneId, seq: u64) -> Page {
        if let Some(record) = self.ahead.get(&seq) {
            return Page::Here(record.clone());
        }
        let Some(read) = self.read(move |journal| journal.read(seq, READ_AHEAD)).await else {
            return Page::Unreadable;
        };
        match read {
            Ok(records) => {
                self.ahead = records.into_iter().map(|record| (record.seq, record)).collect();
                self.ahead.get(&seq).cloned().map_or(Page::Gone, Page::Here)
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(lane.id = %lane, error, "passages are not read for sending");
                Page::Unreadable
            }
        }
    }

    /// Holds a receipt against the journal. What is not past the watermark was held against it
    /// before, and may be forgotten; what is past the journal's end is the lane's to judge.
    async fn prove(&mut self, lane: &LaneId, receipt: &Posted, believed: u64) -> Proof {
        let Some(digest) = receipt.digest.filter(|_| receipt.upto > believed) else {
            return Proof::Same;
        };
        let seq = receipt.upto;
        match self.read(move |journal| journal.digest(seq)).await {
            Some(Ok(Some(own))) if HalfDigest::from(own) != digest => Proof::Other,
            Some(Ok(Some(_) | None)) => Proof::Same,
            Some(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(lane.id = %lane, error, "a receipt is not held against the journal");
                Proof::Unreadable
            }
            None => Proof::Unreadable,
        }
    }

    /// Reads on a thread of its own: a disk that stalls stalls that one and no other.
    async fn read<T: Send + 'static>(
        &mut self,
        reading: impl FnOnce(&JournalReader) -> T + Send + 'static,
    ) -> Option<T> {
        let journal = self.journal.take()?;
        let reading = tokio::task::spawn_blocking(move || {
            let read = reading(&journal);
            (journal, read)
        });
        let (journal, read) = reading.await.ok()?;
        self.journal = Some(journal);
        Some(read)
    }

    fn forget(&mut self, posted: u64) {
        if self.ahead.first_key_value().is_some_and(|(seq, _)| *seq <= posted) {
            self.ahead = self.ahead.split_off(&(posted + 1));
        }
    }

    /// When a passage happened, where there is such a passage.
    async fn at_of(&mut self, lane: &LaneId, seq: u64) -> Option<Timestamp> {
        #[derive(Deserialize)]
        struct Happened {
            at: Timestamp,
        }
        match self.record(lane, seq).await {
            Page::Here(record) => {
                serde_json::from_slice::<Happened>(&record.payload).ok().map(|passage| passage.at)
            }
            Page::Gone | Page::Unreadable => None,
        }
    }
}
