//! The downlink: account list, entries and receipts from the clearing house.
//!
//! What is said live is heard by plain subscription; what was missed is fetched by direct gets, on
//! every round and at once when a gap shows. Everything is signed by the centre, and what is not
//! changes nothing.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Stream;
use async_nats::{Client, HeaderMap, Message};
use domain::account_list::{self, ContentHash};
use domain::signature::{Context as Purpose, PublicKey, Signature};
use domain::wire::v1::{EntryRecord, EventKind, LaneEvent, Receipt, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId};
use futures::StreamExt;
use tokio::sync::{mpsc, watch};

use crate::directives::{DirectiveError, DirectiveStore, Taken};
use crate::entries::EntryBook;
use crate::list::{ListError, ListStore, SignedMessage, read_manifest};
use crate::runner::Wake;
use crate::uplink::Posted;

/// How often what may have been missed is asked for, in real time.
const ROUND_EVERY: Duration = Duration::from_secs(1);
/// What seldom changes is asked for in one round of so many.
const SELDOM: u64 = 5;
/// The most entries and deltas fetched in one round.
const FETCH_MAX: usize = 5_000;

/// A lane, as the downlink reaches it.
#[derive(Debug)]
pub struct LaneLine {
    /// The lane.
    pub id: LaneId,
    /// Its epoch; 0 before it has one.
    pub epoch: watch::Receiver<u32>,
    /// Its thread.
    pub wakes: Sender<Wake>,
    /// Its uplink.
    pub posted: watch::Sender<Posted>,
    /// Where its events go.
    pub events: mpsc::UnboundedSender<Box<LaneEvent>>,
}

/// The downlink of a station.
#[derive(Debug)]
pub struct Downlink {
    /// The connection.
    pub client: Client,
    /// The same, for what is stored at the broker.
    pub jetstream: Context,
    /// The key everything must be signed by.
    pub centre: PublicKey,
    /// The list.
    pub list: ListStore,
    /// The entries in use.
    pub entries: Arc<RwLock<EntryBook>>,
    /// The road whose entries matter here.
    pub road: Option<String>,
    /// The lanes.
    pub lanes: Vec<LaneLine>,
    /// What the centre wants to be so.
    pub directives: DirectiveStore,
    /// The run's clock.
    pub clock: Clock,
    /// How many rounds there were.
    pub rounds: u64,
    /// Up to which of the stored entries all have been read.
    pub entries_read: u64,
    /// What was last said to be wrong with a directive: the tariffs', or a lane's.
    pub refused: HashMap<Option<LaneId>, String>,
    /// What was last said to be wrong with the list.
    pub complained: Option<String>,
    /// The thread that proves the list and makes tables of it.
    pub tending: Option<tokio::task::JoinHandle<()>>,
}

impl Downlink {
    /// Listens and fetches for as long as the process lives.
    ///
    /// # Errors
    /// When a subscription cannot be made.
    pub async fn run(mut self) -> Result<(), async_nats::SubscribeError> {
        let mut deltas = self.client.subscribe(subject::LIST_DELTAS.subjects).await?;
        let mut receipts = Vec::new();
        for lane in &self.lanes {
            receipts.push(self.client.subscribe(subject::receipt(&lane.id)).await?);
        }
        let mut receipts = futures::stream::select_all(receipts);
        let entries = self.road.clone().unwrap_or_else(|| "none".to_owned());
        let mut entries = self.client.subscribe(subject::entry(&entries)).await?;
        let mut round = tokio::time::interval(ROUND_EVERY);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(message) = deltas.next() => self.delta(&message).await,
                Some(message) = receipts.next() => {
                    self.receipt(&message.payload, signature(message.headers.as_ref()));
                }
                Some(message) = entries.next() => {
                    self.entry(&message.payload, signature(message.headers.as_ref()));
                }
                _ = round.tick() => self.round().await,
            }
        }
    }

    async fn delta(&mut self, message: &Message) {
        let signed = SignedMessage::try_new(&message.payload, signature(message.headers.as_ref()));
        match signed.and_then(|signed| self.list.apply(&signed)) {
            Ok(()) => self.tell_lanes(),
            Err(ListError::Refused(account_list::ListError::Gap { .. })) => self.fetch_list().await,
            Err(ListError::Refused(account_list::ListError::Old { .. })) => {}
            Err(error) => self.complain(&error),
        }
    }

    fn tell_lanes(&self) {
        for lane in &self.lanes {
            // A lane that has stopped needs no list.
            drop(lane.wakes.send(Wake::ListChanged));
        }
    }

    /// Says once what is wrong with the list, and not with every delta that cannot be taken.
    fn complain(&mut self, error: &ListError) {
        let said = error.to_string();
        if self.complained.as_ref() != Some(&said) {
            tracing::error!(error = error as &dyn std::error::Error, "the list stays as it is");
            self.complained = Some(said);
        }
    }

    async fn round(&mut self) {
        self.tend_list();
        if self.client.connection_state() != State::Connected {
            return;
        }
        self.fetch_list().await;
        self.fetch_receipts().await;
        self.fetch_entries().await;
        if self.rounds.is_multiple_of(SELDOM) {
            self.fetch_confirmation().await;
            self.fetch_directives().await;
        }
        self.rounds += 1;
    }

    fn version(&self) -> u64 {
        self.list.view().version()
    }

    /// Proves the list once after the start, makes tables of its changes, and takes what a person
    /// has confirmed. What takes long has a thread that nobody waits for.
    fn tend_list(&mut self) {
        match self.list.take_confirmed() {
            Ok(true) => self.tell_lanes(),
            Ok(false) => {}
            Err(error) => self.complain(&error),
        }
        if self.tending.as_ref().is_some_and(|tending| !tending.is_finished()) {
            return;
        }
        let list = self.list.clone();
        let first = self.tending.is_none();
        self.tending = Some(tokio::task::spawn_blocking(move || {
            if first {
                match list.prove() {
                    Ok(proof) => tracing::info!(
                        version = proof.version,
                        tags = proof.tags,
                        "the kept list is what the clearing house signed"
                    ),
                    Err(error) => tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the kept list needs a new snapshot"
                    ),
                }
            }
            if let Err(error) = list.compact_if_due() {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the list's changes stay in memory");
            }
        }));
    }

    /// Fetches the deltas that are missing, or the snapshot where they no longer lead on.
    async fn fetch_list(&mut self) {
        let before = self.version();
        if before > 0 {
            self.fetch_deltas().await;
        }
        match self.fetch_snapshot().await {
            Ok(true) => self.fetch_deltas().await,
            Ok(false) => {}
            Err(error) => self.complain(&error),
        }
        if self.version() == 0 {
            self.fetch_deltas().await;
        }
        if self.version() != before {
            self.tell_lanes();
        }
    }

    async fn fetch_deltas(&mut self) {
        let Ok(stream) = self.jetstream.get_stream_no_info(subject::LIST_DELTAS.name).await else {
            return;
        };
        for _ in 0..FETCH_MAX {
            let next = self.version() + 1;
            let Ok(message) = stream.direct_get_last_for_subject(subject::list_delta(next)).await
            else {
                return;
            };
            match signed(&message).and_then(|signed| self.list.apply(&signed)) {
                Ok(()) => {}
                Err(error) => {
                    self.complain(&error);
                    return;
                }
            }
        }
    }

    /// Takes the snapshot where it is ahead of the list; tells whether it was.
    async fn fetch_snapshot(&mut self) -> Result<bool, ListError> {
        let Ok(stream) = self.jetstream.get_stream_no_info(subject::LIST_SNAPSHOTS.name).await
        else {
            return Ok(false);
        };
        let Ok(manifest) = stream.direct_get_last_for_subject(subject::LIST_MANIFEST).await else {
            return Ok(false);
        };
        let manifest = signed(&manifest)?;
        let content = read_manifest(&manifest, &self.centre)?;
        let hash = ContentHash::new(*content.hash.as_bytes());
        match self.list.would_take(content.version, hash) {
            Err(ListError::Refused(account_list::ListError::Old { .. })) => return Ok(false),
            answer => answer?,
        }
        let mut snapshot = self.list.begin_snapshot(&manifest)?;
        for part in 0..snapshot.parts() {
            let place = subject::list_part(content.version, part);
            let Ok(message) = stream.direct_get_last_for_subject(place).await else {
                return Ok(false);
            };
            snapshot.add_part(&signed(&message)?)?;
        }
        let list = self.list.clone();
        match tokio::task::spawn_blocking(move || list.install(snapshot)).await {
            Ok(installed) => installed?,
            Err(panic) => return Err(ListError::Damaged(panic.to_string())),
        }
        let view = self.list.view();
        tracing::info!(version = view.version(), tags = view.len(), "list snapshot taken");
        self.complained = None;
        Ok(true)
    }

    fn receipt(&self, payload: &[u8], signature: Option<&str>) {
        if !self.is_signed(Purpose::Receipt, payload, signature) {
            tracing::error!("a receipt is not signed by the clearing house");
            return;
        }
        let Ok(receipt) = parse::<Receipt>("receipt", payload) else {
            tracing::error!("a receipt cannot be read");
            return;
        };
        let is_meant =
            |lane: &&LaneLine| lane.id == receipt.lane && *lane.epoch.borrow() == receipt.epoch;
        let known = self.lanes.iter().find(is_meant);
        if let Some(lane) = known {
            let (upto, digest) = (receipt.posted_upto, receipt.posted_digest);
            let posted = Posted { upto, digest, missing: receipt.missing };
            lane.posted.send_if_modified(|before| {
                // The same gap told once more is news: it is still there.
                let gap = !posted.missing.is_empty();
                let news = posted.upto >= before.upto && (gap || posted != *before);
                if news {
                    *before = posted;
                }
                news
            });
        }
    }

    /// Hears whether the list is still the newest. A word about a newer one needs nothing more: the
    /// deltas that lead there are fetched in every round.
    async fn fetch_confirmation(&mut self) {
        let Ok(stream) = self.jetstream.get_stream_no_info(subject::LIST_SNAPSHOTS.name).await
        else {
            return;
        };
        let Ok(message) = stream.direct_get_last_for_subject(subject::LIST_CONFIRMED).await else {
            return;
        };
        if let Err(error) = signed(&message).and_then(|signed| self.list.vouch(&signed)) {
            self.complain(&error);
        }
    }

    /// Takes what the centre wants to be so, where that is new.
    async fn fetch_directives(&mut self) {
        let Ok(stream) = self.jetstream.get_stream_no_info(subject::DIRECTIVES.name).await else {
            return;
        };
        let tariffs = subject::tariff_directive(self.directives.operator());
        if let Some(message) = last(&stream, tariffs).await {
            let taken = self.directives.take_tariffs(&message);
            self.say_taken("tariffs", None, taken);
        }
        for lane in self.directives.lanes().to_vec() {
            if let Some(message) = last(&stream, subject::lane_directive(&lane)).await {
                let taken = self.directives.take_lane(&message, self.clock.now());
                self.say_taken("a lane's directive", Some(&lane), taken);
            }
        }
    }

    /// Says what came of a directive, an error once.
    fn say_taken(
        &mut self,
        what: &str,
        lane: Option<&LaneId>,
        taken: Result<Taken, DirectiveError>,
    ) {
        match taken {
            Ok(Taken::Known) => {}
            Ok(Taken::New) => {
                self.refused.remove(&lane.cloned());
                tracing::info!(lane.id = lane.map(tracing::field::display), what, "taken");
                self.tell_lanes();
            }
            Err(error) => {
                let said = error.to_string();
                if self.refused.get(&lane.cloned()) == Some(&said) {
                    return;
                }
                tracing::error!(error = &error as &dyn std::error::Error, what, "refused");
                let text =
                    format!("{what} of the centre is refused, what was in use stays: {said}");
                for line in &self.lanes {
                    if lane.is_none_or(|lane| *lane == line.id) {
                        let kind = EventKind::Alarm { text: text.clone() };
                        let at = self.clock.now();
                        let event = LaneEvent { v: 1, lane: line.id.clone(), at, kind };
                        drop(line.events.send(Box::new(event)));
                    }
                }
                self.refused.insert(lane.cloned(), said);
            }
        }
    }

    async fn fetch_receipts(&self) {
        let Ok(stream) = self.jetstream.get_stream_no_info(subject::RECEIPTS.name).await else {
            return;
        };
        for lane in &self.lanes {
            if let Ok(message) =
                stream.direct_get_last_for_subject(subject::receipt(&lane.id)).await
            {
                self.receipt(&message.payload, signature(Some(&message.headers)));
            }
        }
    }

    fn entry(&self, payload: &[u8], signature: Option<&str>) {
        if !self.is_signed(Purpose::Entry, payload, signature) {
            tracing::error!("an entry is not signed by the clearing house");
            return;
        }
        match parse::<EntryRecord>("entry", payload) {
            Ok(record) => {
                self.entries.write().unwrap_or_else(PoisonError::into_inner).note(record);
            }
            Err(error) => tracing::error!(%error, "an entry cannot be read"),
        }
    }

    async fn fetch_entries(&mut self) {
        let Some(road) = self.road.clone() else { return };
        let Ok(stream) = self.jetstream.get_stream_no_info(subject::ENTRIES.name).await else {
            return;
        };
        for _ in 0..FETCH_MAX {
            let Some(message) = next_entry(&stream, &road, self.entries_read).await else { return };
            self.entries_read = message.sequence;
            self.entry(&message.payload, signature(Some(&message.headers)));
        }
    }

    fn is_signed(&self, purpose: Purpose, payload: &[u8], signature: Option<&str>) -> bool {
        signature
            .and_then(|text| Signature::try_from(text.to_owned()).ok())
            .is_some_and(|signature| self.centre.verify(purpose, payload, &signature).is_ok())
    }
}

async fn next_entry(stream: &Stream<()>, road: &str, read: u64) -> Option<StreamMessage> {
    stream.direct_get_next_for_subject(subject::entry(road), Some(read + 1)).await.ok()
}

fn signature(headers: Option<&HeaderMap>) -> Option<&str> {
    headers?.get(SIGNATURE_HEADER).map(async_nats::HeaderValue::as_str)
}

/// The last message of a subject, where there is one that is signed at all.
async fn last(stream: &Stream<()>, subject: String) -> Option<SignedMessage> {
    let message = stream.direct_get_last_for_subject(subject).await.ok()?;
    signed(&message).inspect_err(|error| tracing::error!(%error, "a directive")).ok()
}

fn signed(message: &StreamMessage) -> Result<SignedMessage, ListError> {
    SignedMessage::try_new(&message.payload, signature(Some(&message.headers)))
}

/// The lanes by their id, for those who bring a lane something.
#[must_use]
pub fn by_id(lanes: &[LaneLine]) -> HashMap<LaneId, Sender<Wake>> {
    lanes.iter().map(|lane| (lane.id.clone(), lane.wakes.clone())).collect()
}
