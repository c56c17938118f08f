//! Looks on: what the lanes tell about themselves, for the live view and the latencies.
//!
//! It only listens. What counts in the end comes from the books, never from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::wire::subject;
use domain::wire::v1::{self, EventKind, Heartbeat, LaneEvent, ReaderHealth};
use domain::{Clock, LaneId};
use futures::{Stream, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::latency::Latency;

/// What has been seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The last heartbeat of each lane since [`Watch::forget_heartbeats`], and how many there were.
    heartbeats: BTreeMap<LaneId, (Heartbeat, u64)>,
    calls_open: BTreeSet<(LaneId, u64)>,
    /// Calls that were raised.
    pub calls_raised: u64,
    /// Calls that were settled.
    pub calls_ended: u64,
    /// Fares that lanes showed to vehicles that went through.
    pub fares_shown: i64,
    /// From a tag's last byte to the decision.
    pub read_to_decision: Latency,
    /// From a tag's last byte to the end of the open command.
    pub read_to_open: Latency,
    /// From a tag's last byte to the receipt.
    pub read_to_posted: Latency,
}

impl Seen {
    /// Calls that wait for a person now.
    #[must_use]
    pub fn calls_waiting(&self) -> usize {
        self.calls_open.len()
    }

    /// Passages written down by all lanes, and those that are posted, in the current epochs.
    #[must_use]
    pub fn recorded_and_posted(&self) -> (u64, u64) {
        self.heartbeats.values().fold((0, 0), |(recorded, posted), (beat, _)| {
            (recorded + beat.last_seq, posted + beat.posted_upto)
        })
    }

    /// What a lane lacks before vehicles may come; nothing when it is ready.
    #[must_use]
    pub fn lacks_to_begin(&self, lane: &LaneId) -> Option<&'static str> {
        let Some((beat, _)) = self.heartbeats.get(lane) else { return Some("no heartbeat yet") };
        if beat.reader != ReaderHealth::Reading {
            Some("its reader does not read yet")
        } else if !beat.field_io {
            Some("loops and arm do not answer yet")
        } else if beat.list_version < 1 {
            Some("it has no account list yet")
        } else {
            None
        }
    }

    /// What a lane lacks before the books may be closed; nothing when all it wrote is posted.
    #[must_use]
    pub fn lacks_to_close(&self, lane: &LaneId) -> Option<String> {
        match self.heartbeats.get(lane) {
            // The first one may have been on its way when the last vehicle left.
            None | Some((_, 0..=1)) => Some("no fresh heartbeat".to_owned()),
            Some((beat, _)) if beat.posted_upto < beat.last_seq => {
                Some(format!("posted up to {} of {}", beat.posted_upto, beat.last_seq))
            }
            Some(_) => None,
        }
    }

    fn heartbeat(&mut self, beat: Heartbeat) {
        let count = self.heartbeats.get(&beat.lane).map_or(0, |(_, count)| *count);
        self.heartbeats.insert(beat.lane.clone(), (beat, count + 1));
    }

    fn event(&mut self, event: LaneEvent) {
        match event.kind {
            // A call is told again and again while it waits.
            EventKind::CallRaised { call, .. } => {
                if self.calls_open.insert((event.lane, call)) {
                    self.calls_raised += 1;
                }
            }
            EventKind::CallEnded { call } => {
                self.calls_open.remove(&(event.lane, call));
                self.calls_ended += 1;
            }
            EventKind::PassageRecorded { decision, fare, read_to_decision_us, .. } => {
                let decision = domain::passage::Decision::from(decision);
                if decision.went_through() {
                    self.fares_shown += fare.map_or(0, domain::Amount::minor_units);
                }
                if let Some(us) = read_to_decision_us {
                    self.read_to_decision.record_us(us);
                }
            }
            EventKind::Opened { read_to_open_us: Some(us) } => self.read_to_open.record_us(us),
            EventKind::Posted { read_to_posted_us, .. } => {
                for us in read_to_posted_us {
                    self.read_to_posted.record_us(us);
                }
            }
            EventKind::VehicleArrived { .. }
            | EventKind::Opened { read_to_open_us: None }
            | EventKind::VehicleLeft { .. }
            | EventKind::Violation
            | EventKind::Reader { .. }
            | EventKind::Case { .. }
            | EventKind::DirectiveApplied { .. }
            | EventKind::ModeOrdered { .. }
            | EventKind::ConvoyBegan { .. }
            | EventKind::ConvoyEnded { .. }
            | EventKind::EventsDropped { .. }
            | EventKind::Alarm { .. } => {}
        }
    }
}

#[derive(Debug)]
struct Shared {
    seen: Mutex<Seen>,
    changed: watch::Sender<()>,
}

/// A watch over all lanes; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the broker does not take the subscriptions.
    pub async fn start(
        client: async_nats::Client,
    ) -> Result<Self, async_nats::client::SubscribeError> {
        let events = client.subscribe(subject::ALL_EVENTS).await?;
        let heartbeats = client.subscribe(subject::ALL_HEARTBEATS).await?;
        let shared = Arc::new(Shared { seen: Mutex::default(), changed: watch::Sender::new(()) });
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                // The connection is part of the watch: it ends with it.
                let _connection = client;
                listen(&shared, events, heartbeats).await;
            }
        });
        Ok(Self { shared, task })
    }

    /// What has been seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.lock().clone()
    }

    /// Looks at what has been seen so far.
    pub fn look<T>(&self, view: impl FnOnce(&Seen) -> T) -> T {
        view(&self.shared.lock())
    }

    /// From now on only heartbeats that are still to come count.
    pub fn forget_heartbeats(&self) {
        self.shared.lock().heartbeats.clear();
    }

    /// Waits until `good`; false when nothing that `good` depends on came for `patience`.
    ///
    /// `measure` is how far it is: as long as it changes, patience begins anew.
    pub async fn wait_until(
        &self,
        patience: Duration,
        measure: impl Fn(&Seen) -> u64,
        good: impl Fn(&Seen) -> bool,
    ) -> bool {
        let mut changes = self.shared.changed.subscribe();
        let mut since = Clock::system();
        let mut last = self.look(&measure);
        while !self.look(&good) {
            let now = self.look(&measure);
            if now != last {
                (last, since) = (now, Clock::system());
            }
            let left = patience.saturating_sub(since.uptime());
            if left.is_zero() || tokio::time::timeout(left, changes.changed()).await.is_err() {
                return self.look(&good);
            }
        }
        true
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Counters stay true whatever panicked elsewhere.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn listen(
    shared: &Shared,
    events: impl Stream<Item = async_nats::Message>,
    heartbeats: impl Stream<Item = async_nats::Message>,
) {
    let mut messages = std::pin::pin!(futures::stream::select(events, heartbeats));
    while let Some(message) = messages.next().await {
        let is_event = message.subject.starts_with("etc.v1.event.");
        let taken = if is_event {
            v1::parse("lane event", &message.payload).map(|event| shared.lock().event(event))
        } else {
            v1::parse("heartbeat", &message.payload).map(|beat| shared.lock().heartbeat(beat))
        };
        if let Err(error) = taken {
            tracing::warn!(subject = %message.subject, %error, "a message was not understood");
        }
        shared.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests;
