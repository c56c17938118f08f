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
//! of it, and one picture is all that is ever before it on the line.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use domain::signature::Digest256;
use domain::wire::subject;
use domain::wire::v1::{PictureNote, PictureRecord, Pictured, emit};
use domain::{Clock, LaneId};
use tokio::sync::Notify;

use crate::camera::store::file_of;

/// Vehicles of a lane whose pictures wait, at most.
const WAITING_MAX: usize = 64;
/// Pictures that are remembered to be at the broker.
const KEPT_MAX: usize = 256;
/// How long the broker may take to acknowledge one, in real time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same, where the last was not acknowledged: a broker that keeps no pictures acknowledges none,
/// and those who listen there have heard it all the same.
const PATIENCE_MIN: Duration = Duration::from_secs(1);
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
    queue: VecDeque<(Pictured, Vec<PictureRecord>)>,
    dropped: u64,
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
        waiting.queue.retain(|(known, _)| *known != of);
        if waiting.queue.len() == WAITING_MAX {
            waiting.queue.pop_front();
            waiting.dropped += 1;
        }
        waiting.queue.push_back((of, pictures));
        drop(waiting);
        self.filled.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest call first, for a person looks at it now; then the oldest of the others.
    pub(crate) fn take(&self) -> Option<(Pictured, Vec<PictureRecord>)> {
        let mut waiting = self.waiting();
        let is_call = |(of, _): &(Pictured, _)| matches!(of, Pictured::Call { .. });
        let call = waiting.queue.iter().rposition(is_call);
        waiting.queue.remove(call.unwrap_or(0))
    }

    /// Puts back what could not be sent, unless something newer was said of that vehicle.
    fn put_back(&self, of: Pictured, pictures: Vec<PictureRecord>) {
        let mut waiting = self.waiting();
        if waiting.queue.len() == WAITING_MAX {
            waiting.dropped += 1;
        } else if !waiting.queue.iter().any(|(known, _)| *known == of) {
            waiting.queue.push_front((of, pictures));
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
    /// It went out, and the broker has not said that it has it.
    Unsure,
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
    /// The same, for what is stored at the broker.
    pub jetstream: Context,
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
        let mut line = Line { of: self, kept: VecDeque::new(), patience: PATIENCE };
        let mut tries = 0;
        loop {
            let Some((of, pictures)) = line.of.outbox.take() else {
                line.of.outbox.filled.notified().await;
                continue;
            };
            line.of.say_dropped();
            if line.of.client.connection_state() == State::Connected {
                if line.send(of, &pictures).await {
                    tries = 0;
                    continue;
                }
                tries += 1;
            }
            if tries == TRIES_MAX {
                let lane = &line.of.lane;
                tracing::warn!(lane.id = %lane, "the broker keeps no pictures of a vehicle; they are left out");
                tries = 0;
                continue;
            }
            line.of.outbox.put_back(of, pictures);
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
    /// Pictures that the broker has, the oldest first.
    kept: VecDeque<Digest256>,
    /// How long the next is waited for.
    patience: Duration,
}

impl Line {
    /// Sends the pictures of a vehicle, and then whose they are; tells whether there is nothing left
    /// to do.
    async fn send(&mut self, of: Pictured, pictures: &[PictureRecord]) -> bool {
        let (mut there, mut all) = (Vec::new(), true);
        for picture in pictures {
            if !self.kept.contains(&picture.digest) {
                match self.send_picture(picture).await {
                    Sent::Kept => self.keep(picture.digest),
                    Sent::Unsure => all = false,
                    Sent::Never => continue,
                }
            }
            there.push(*picture);
        }
        if there.is_empty() {
            return true;
        }
        let (lane, at) = (self.of.lane.clone(), self.of.clock.now());
        let to = subject::picture_note(&lane);
        let note = emit(&PictureNote { v: 1, lane, at, of, pictures: there });
        self.publish(to, None, note.into()).await != Sent::Unsure && all
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

    async fn publish(&mut self, to: String, id: Option<String>, payload: Bytes) -> Sent {
        let mut headers = HeaderMap::new();
        if let Some(id) = id {
            headers.insert("Nats-Msg-Id", id);
        }
        let publish =
            async { self.of.jetstream.publish_with_headers(to, headers, payload).await?.await };
        let sent = match tokio::time::timeout(self.patience, publish).await {
            Ok(Ok(_ack)) => Sent::Kept,
            Ok(Err(error)) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                tracing::warn!(lane.id = %self.of.lane, "a picture is larger than the broker takes, and is left out");
                Sent::Never
            }
            Ok(Err(error)) => {
                tracing::debug!(lane.id = %self.of.lane, %error, "the broker did not take a picture");
                Sent::Unsure
            }
            Err(_elapsed) => Sent::Unsure,
        };
        self.patience = match sent {
            Sent::Kept | Sent::Never => PATIENCE,
            Sent::Unsure => PATIENCE_MIN,
        };
        sent
    }
}

#[cfg(test)]
mod tests {
    use domain::wire::v1::PictureKind;

    use super::*;

    const fn call(call: u64) -> Pictured {
        Pictured::Call { call }
    }

    const fn passage(seq: u64) -> Pictured {
        Pictured::Passage { epoch: 1, seq }
    }

    fn picture(number: u8) -> PictureRecord {
        let digest = Digest256::of(&[number]);
        PictureRecord { digest, kind: PictureKind::Unknown, len: 1 }
    }

    fn order(outbox: &Outbox) -> Vec<Pictured> {
        std::iter::from_fn(|| outbox.take()).map(|(of, _)| of).collect()
    }

    #[test]
    fn who_waits_for_a_person_now_comes_first_and_then_the_oldest() {
        let outbox = Outbox::default();
        for of in [passage(1), passage(2), call(7), passage(3), call(8)] {
            outbox.put(of, vec![picture(1)]);
        }
        assert_eq!(order(&outbox), [call(8), call(7), passage(1), passage(2), passage(3)]);
    }

    #[test]
    fn what_was_said_last_of_a_vehicle_is_what_is_sent() {
        let outbox = Outbox::default();
        outbox.put(passage(1), vec![picture(1)]);
        outbox.put(passage(1), vec![picture(1), picture(2)]);
        let (of, pictures) = outbox.take().unwrap();
        assert_eq!(pictures.len(), 2);
        outbox.put(passage(1), vec![picture(3)]);
        outbox.put_back(of, pictures);
        assert_eq!(outbox.take().unwrap().1, [picture(3)], "what is newer stays");
        assert!(outbox.take().is_none());
    }

    #[test]
    fn the_oldest_goes_where_too_many_wait_and_is_counted() {
        let outbox = Outbox::default();
        let count = u64::try_from(WAITING_MAX).unwrap() + 3;
        for seq in 1..=count {
            outbox.put(passage(seq), vec![picture(1)]);
        }
        outbox.put_back(passage(1), vec![picture(1)]);
        assert_eq!((outbox.take_dropped(), outbox.take_dropped()), (4, 0));
        let left = order(&outbox);
        assert_eq!((left.len(), left[0]), (WAITING_MAX, passage(4)));
    }
}
