//! Reading one stretch of one partition from the broker, in order and without a gap.
//!
//! The broker keeps no place: a cursor is told where to begin, counts what it is handed, and is
//! made anew where the count has a gap. Nothing is acknowledged.

use std::task::{Context as Waker, Poll};
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{self, Stream};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::{Context, Message};
use domain::wire::subject;
use futures::StreamExt as _;

use super::position::{Advance, Partition, Place, StreamNow, Stretch};

/// How many messages are asked for at once: what a cursor may have in memory.
const AHEAD_LEN: usize = 512;
/// How long a consumer that nobody asks is kept by the broker.
const KEPT: Duration = Duration::from_secs(60);

/// What the broker's stream of passages is now.
pub(super) async fn stream_now(jetstream: &Context) -> Result<StreamNow, async_nats::Error> {
    let stream = jetstream.get_stream(subject::PASSAGES.name).await?;
    let info = stream.cached_info();
    Ok(StreamNow {
        stream: info.created.unix_timestamp_nanos().to_string(),
        last: info.state.last_sequence,
    })
}

/// What a cursor has come upon.
pub(super) enum Came {
    /// The next message.
    Message(Box<Message>),
    /// The end of the stretch it was to read.
    End,
    /// It cannot go on; another must be made in its place.
    Lost,
}

/// Where a cursor reads.
#[derive(Debug, Clone)]
pub(super) struct Whereabouts {
    pub(super) partition: Partition,
    pub(super) tenure: i64,
    pub(super) stream: String,
    pub(super) place: Place,
    /// The stretch's beginning, and its end where it has one.
    pub(super) after: u64,
    pub(super) upto: Option<u64>,
}

/// Reads one stretch of one partition.
pub(super) struct Cursor {
    whereabouts: Whereabouts,
    messages: Stream,
    /// How many messages this consumer has handed over.
    delivered: u64,
    /// Where the last of them stands in the stream.
    at: u64,
    /// Whether the consumer said that nothing is left.
    exhausted: bool,
    silences: u32,
    pending: u64,
}

impl Cursor {
    pub(super) async fn open(
        jetstream: &Context,
        whereabouts: Whereabouts,
    ) -> Result<Self, async_nats::Error> {
        let Whereabouts { partition, tenure, place, after, .. } = whereabouts;
        let stream = jetstream.get_stream_no_info(subject::PASSAGES.name).await?;
        let place = match place {
            Place::Head => "head",
            Place::Behind => "behind",
        };
        let mut filters = vec![subject::partition(partition)];
        if partition == 0 {
            // What does not look like a lane's has no partition of its own.
            filters.push(subject::PASSAGES.subjects.to_owned());
        }
        // Named after its tenure, so that a worker of an earlier one disturbs nobody.
        let name = format!("intake-{partition}-{tenure}-{place}");
        if let Err(error) = stream.delete_consumer(&name).await {
            tracing::trace!(%error, name, "there was no such consumer");
        }
        let config = pull::Config {
            durable_name: Some(name),
            ack_policy: AckPolicy::None,
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            filter_subjects: filters,
            inactive_threshold: KEPT,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer: PullConsumer = stream.create_consumer(config).await?;
        let exhausted = consumer.cached_info().num_pending == 0;
        let messages = consumer
            .stream()
            .max_messages_per_batch(AHEAD_LEN)
            .expires(Duration::from_secs(4))
            .heartbeat(Duration::from_secs(1))
            .messages()
            .await?;
        let at = after;
        Ok(Self { whereabouts, messages, delivered: 0, at, exhausted, silences: 0, pending: 0 })
    }

    pub(super) fn partition(&self) -> Partition {
        self.whereabouts.partition
    }

    pub(super) fn place(&self) -> Place {
        self.whereabouts.place
    }

    /// How many messages wait behind the last one.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    /// Where a cursor that takes this one's place goes on.
    pub(super) fn rest(&self) -> Whereabouts {
        Whereabouts { after: self.at, ..self.whereabouts.clone() }
    }

    /// What has been read since `after`.
    pub(super) fn advance(&self, after: u64) -> Advance {
        let whereabouts = &self.whereabouts;
        Advance {
            partition: whereabouts.partition,
            tenure: whereabouts.tenure,
            stream: whereabouts.stream.clone(),
            place: whereabouts.place,
            stretch: Stretch { after, upto: self.at },
        }
    }

    /// The last number that was read.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn poll(&mut self, waker: &mut Waker<'_>) -> Poll<Came> {
        if let Some(upto) = self.whereabouts.upto
            && (self.exhausted || self.at >= upto)
        {
            self.at = upto;
            return Poll::Ready(Came::End);
        }
        loop {
            let next = match self.messages.poll_next_unpin(waker) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(next) => next,
            };
            match next {
                None => return Poll::Ready(Came::Lost),
                Some(Ok(message)) => return Poll::Ready(self.take(message)),
                // A missed heartbeat alone does not end a subscription; several in a row do.
                Some(Err(error)) => {
                    self.silences += 1;
                    if self.silences >= 2 {
                        tracing::debug!(%error, "the broker is silent");
                        return Poll::Ready(Came::Lost);
                    }
                }
            }
        }
    }

    fn take(&mut self, message: Message) -> Came {
        let Ok(info) = message.info() else { return Came::Lost };
        if info.consumer_sequence != self.delivered + 1 || info.stream_sequence <= self.at {
            return Came::Lost;
        }
        self.silences = 0;
        self.delivered += 1;
        self.pending = info.pending;
        self.exhausted = info.pending == 0;
        if let Some(upto) = self.whereabouts.upto
            && info.stream_sequence > upto
        {
            self.at = upto;
            return Came::End;
        }
        self.at = info.stream_sequence;
        Came::Message(Box::new(message))
    }
}
