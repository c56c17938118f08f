//! Pictures on their way to the broker, behind everything else that a lane sends.
//!
//! The lane's thread puts into the [`Outbox`] which pictures belong to whom and goes on; that is all
//! it has to do with them. The [`PictureLine`] reads each picture from where the camera's listener
//! keeps it, publishes the bytes under their digest, once, and then the note that says whose they
//! are: who reads the note finds the pictures there. One is under way at a time.
//!
//! Nothing here is promised. The outbox is bounded, and the oldest goes, counted; a picture that
//! is no longer kept, or larger than the broker takes, is left out and that is said; where the
//! broker keeps no pictures, those who listen there have heard them. A passage never waits for any
//! of it, and one picture is all that is ever before it on the line: until the broker has said that
//! it has a picture, or has answered a question that was asked behind it, no other goes out. No
//! picture goes out twice that went through, and none any more that was given up.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, PublishError, PublishErrorKind};
use async_nats::{Client, HeaderMap, Request, RequestErrorKind};
use bytes::Bytes;
use domain::signature::Digest256;
use domain::wire::subject;
use domain::wire::v1::{PictureNote, PictureRecord, Pictured, emit};
use domain::{Clock, LaneId};
use tokio::sync::Notify;

use crate::camera::store::file_of;

/// Vehicles of a lane whose pictures wait, at most.
const WAITING_MAX: usize = 64;
/// Pictures that are remembered to be at the broker, or to have been given up.
const KEPT_MAX: usize = 256;
/// After what time without its acknowledgement it is asked whether a picture is through, in real
/// time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same, where the last was not acknowledged: a broker that keeps no pictures acknowledges none,
/// and those who listen there have heard it all the same.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
/// How long an acknowledgement is listened for: longer than any picture is under way.
const ACK_WAIT: Duration = Duration::from_secs(600);
/// How soon a broker that did not acknowledge is tried again, in real time.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How often the pictures of one vehicle are tried at a broker that is there.
const TRIES_MAX: u32 = 3;
/// What the head of a message may take of the broker's limit.
const HEAD_LEN_MAX: u64 = 4 * 1024;

/// Whose pictures a lane sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendPictures {
    /// Of those whom somebody has to look at: called for, let through by a person, sent back, gone
    /// undecided, or with a case.
    #[default]
    Exceptions,
    /// Of every vehicle.
    All,
    /// Of nobody: they stay where the camera's listener keeps them.
    None,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Entry>,
    dropped: u64,
}

/// A vehicle's pictures, waiting.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Whose they are.
    pub of: Pictured,
    /// Which.
    pub pictures: Vec<PictureRecord>,
    /// How often a broker that was there did not take them.
    tries: u32,
}

/// Which pictures belong to whom, on their way to the broker. Copies are of the same box.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    send: SendPictures,
    waiting: Arc<Mutex<Waiting>>,
    filled: Arc<Notify>,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new(send: SendPictures) -> Self {
        Self { send, ..Self::default() }
    }

    /// Whose pictures are wanted.
    #[must_use]
    pub const fn wanted(&self) -> SendPictures {
        self.send
    }

    /// Has pictures of a vehicle sent, some time. What waits about the same vehicle is replaced;
    /// where too much waits the oldest goes.
    pub fn put(&self, of: Pictured, pictures: Vec<PictureRecord>) {
        let mut waiting = self.waiting();
        let known = waiting.queue.iter().position(|entry| entry.of == of);
        let tries = known.and_then(|place| waiting.queue.remove(place)).map_or(0, |old| old.tries);
        if waiting.queue.len() == WAITING_MAX {
            waiting.queue.pop_front();
            waiting.dropped += 1;
        }
        waiting.queue.push_back(Entry { of, pictures, tries });
        drop(waiting);
        self.filled.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest call first, for a person looks at it now; then the oldest of the others.
    pub(crate) fn take(&self) -> Option<Entry> {
        let mut waiting = self.waiting();
        let is_call = |entry: &Entry| matches!(entry.of, Pictured::Call { .. });
        let call = waiting.queue.iter().rposition(is_call);
        waiting.queue.remove(call.unwrap_or(0))
    }

    /// Puts back what could not be sent; where something newer was said of that vehicle, only how
    /// often it was tried.
    fn put_back(&self, entry: Entry) {
        let mut waiting = self.waiting();
        if let Some(newer) = waiting.queue.iter_mut().find(|known| known.of == entry.of) {
            newer.tries = newer.tries.max(entry.tries);
        } else if waiting.queue.len() == WAITING_MAX {
            waiting.dropped += 1;
        } else {
            waiting.queue.push_front(entry);
        }
    }

    fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.waiting().dropped)
    }
}

/// What became of a picture, or of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// The broker has it.
    Kept,
    /// It went through, and the broker keeps none: those who listen there have heard it.
    Heard,
    /// Nobody has it: there is no stream, nobody listens, or the connection was lost.
    Lost,
    /// It will never be sent.
    Never,
}

/// Carries one lane's pictures to the broker.
#[derive(Debug)]
pub struct PictureLine {
    /// The lane.
    pub lane: LaneId,
    /// The connection.
    pub client: Client,
    /// What is to be sent.
    pub outbox: Outbox,
    /// Where the camera's listener keeps pictures.
    pub folder: PathBuf,
    /// The run's clock.
    pub clock: Clock,
}

impl PictureLine {
    /// Carries for as long as the station runs.
    pub async fn run(self) {
        self.run_with(PATIENCE, PATIENCE_MIN).await;
    }

    async fn run_with(self, patience_max: Duration, patience_min: Duration) {
        let jetstream = ContextBuilder::new().timeout(ACK_WAIT).build(self.client.clone());
        let kept = VecDeque::new();
        let (of, patience) = (self, patience_max);
        let mut line = Line { of, jetstream, kept, patience, patience_max, patience_min };
        loop {
            let Some(mut entry) = line.of.outbox.take() else {
                line.of.outbox.filled.notified().await;
                continue;
            };
            line.of.say_dropped();
            if line.of.client.connection_state() == State::Connected {
                entry.tries += 1;
                let is_last = entry.tries >= TRIES_MAX;
                if line.send(&entry, is_last).await {
                    continue;
                }
                if is_last {
                    let lane = &line.of.lane;
                    tracing::warn!(lane.id = %lane, "the broker takes no pictures of a vehicle; they are left out");
                    continue;
                }
            }
            line.of.outbox.put_back(entry);
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    fn say_dropped(&self) {
        let count = self.outbox.take_dropped();
        if count > 0 {
            let lane = &self.lane;
            tracing::warn!(lane.id = %lane, count, "pictures of vehicles are left out: too many waited");
        }
    }
}

/// The line at work.
#[derive(Debug)]
struct Line {
    of: PictureLine,
    /// The connection, for what is stored at the broker.
    jetstream: Context,
    /// Pictures that the broker has, or that were given up, the oldest first.
    kept: VecDeque<Digest256>,
    /// How long the next is waited for.
    patience: Duration,
    patience_max: Duration,
    patience_min: Duration,
}

impl Line {
    /// Sends the pictures of a vehicle, and then whose they are; tells whether there is nothing left
    /// to do. At the last try a picture that is lost is given up, with those behind it.
    async fn send(&mut self, entry: &Entry, is_last: bool) -> bool {
        let (mut there, mut lost, mut heard) = (Vec::new(), false, false);
        for picture in &entry.pictures {
            if !self.kept.contains(&picture.digest) {
                let sent = if lost { Sent::Lost } else { self.send_picture(picture).await };
                match sent {
                    Sent::Kept => {}
                    Sent::Heard => heard = true,
                    Sent::Lost if is_last => lost = true,
                    Sent::Lost => return false,
                    Sent::Never => continue,
                }
                self.keep(picture.digest);
            }
            there.push(*picture);
        }
        if there.is_empty() {
            return true;
        }
        let (lane, at, of) = (self.of.lane.clone(), self.of.clock.now(), entry.of);
        let to = subject::picture_note(&lane);
        let note = emit(&PictureNote { v: 1, lane, at, of, pictures: there });
        // A broker that keeps no pictures keeps no notes either.
        let noted = self.publish(to, None, note.into()).await != Sent::Lost || heard;
        noted && !lost
    }

    fn keep(&mut self, digest: Digest256) {
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(digest);
    }

    async fn send_picture(&mut self, picture: &PictureRecord) -> Sent {
        let PictureRecord { digest, len, .. } = *picture;
        let lane = self.of.lane.clone();
        let limit = u64::try_from(self.of.client.server_info().max_payload).unwrap_or(u64::MAX);
        if len > limit.saturating_sub(HEAD_LEN_MAX) {
            tracing::warn!(lane.id = %lane, picture = %digest, len, limit, "a picture is larger than the broker takes, and is left out");
            return Sent::Never;
        }
        let bytes = match tokio::fs::read(file_of(&self.of.folder, &digest)).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(lane.id = %lane, picture = %digest, %error, "a picture is not kept any more");
                return Sent::Never;
            }
        };
        if Digest256::of(&bytes) != digest {
            tracing::error!(lane.id = %lane, picture = %digest, "a picture is damaged on the disk, and is left out");
            return Sent::Never;
        }
        let id = format!("picture/{lane}/{digest}");
        self.publish(subject::picture(&lane, &digest), Some(id), bytes.into()).await
    }

    /// Publishes, and comes back when the broker has it or has had it: never while it is under way.
    async fn publish(&mut self, to: String, id: Option<String>, payload: Bytes) -> Sent {
        let mut headers = HeaderMap::new();
        if let Some(id) = id {
            headers.insert("Nats-Msg-Id", id);
        }
        let connects = self.connects();
        let publish = self.jetstream.publish_with_headers(to, headers, payload);
        let mut ack = match publish.await {
            Ok(ack) => ack.into_future(),
            Err(error) => return self.not_taken(&error),
        };
        let mut acked = tokio::time::timeout(self.patience, &mut ack).await;
        if acked.is_err() {
            tokio::select! {
                late = &mut ack => acked = Ok(late),
                () = self.is_through() => {
                    acked = tokio::time::timeout(self.patience, &mut ack).await;
                }
            }
        }
        match acked {
            Ok(Ok(_ack)) => {
                self.patience = self.patience_max;
                Sent::Kept
            }
            Ok(Err(error)) => self.not_taken(&error),
            Err(_elapsed) => {
                self.patience = self.patience_min;
                if self.connects() == connects { Sent::Heard } else { Sent::Lost }
            }
        }
    }

    fn not_taken(&self, error: &PublishError) -> Sent {
        if error.kind() == PublishErrorKind::MaxPayloadExceeded {
            tracing::warn!(lane.id = %self.of.lane, "a picture is larger than the broker takes, and is left out");
            return Sent::Never;
        }
        tracing::debug!(lane.id = %self.of.lane, %error, "the broker did not take a picture");
        Sent::Lost
    }

    /// Waits until the broker has read all that was written before. It reads in order, and answers
    /// this question at once, though the answer may be that it has nothing.
    async fn is_through(&self) {
        let receipt = subject::receipt(&self.of.lane);
        let question = format!("$JS.API.DIRECT.GET.{}.{receipt}", subject::RECEIPTS.name);
        loop {
            let request = Request::new().timeout(Some(self.patience_max));
            match self.of.client.send_request(question.clone(), request).await {
                Ok(_answer) => return,
                Err(error) if error.kind() == RequestErrorKind::NoResponders => return,
                Err(error) if error.kind() == RequestErrorKind::TimedOut => {}
                Err(_other) => tokio::time::sleep(self.patience_max).await,
            }
        }
    }

    fn connects(&self) -> u64 {
        self.of.client.statistics().connects.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
