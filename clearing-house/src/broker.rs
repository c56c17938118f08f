//! The broker: connecting, and the streams the centre keeps there.
//!
//! The broker is transport, never the store of record: every stream may be lost and is made anew.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, RetentionPolicy, StorageType, SubjectTransform,
};
use domain::wire::subject::{self, StreamName};

/// Why the broker could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A stream could not be made or read.
    #[error("prepare the stream {stream}")]
    Stream {
        /// Its name.
        stream: &'static str,
        /// What the broker said.
        #[source]
        source: async_nats::Error,
    },
}

/// A `JetStream` context with the centre's time limits.
#[must_use]
pub fn jetstream(client: Client) -> Context {
    ContextBuilder::new().timeout(Duration::from_secs(5)).max_ack_inflight(256).build(client)
}

/// What the centre found when it looked for its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamsFound {
    /// All were there.
    All,
    /// At least one was missing and has been made: what it held is to be published again.
    SomeMade,
}

/// Pictures that the broker keeps at most: an eighth of what `deploy/nats-server.conf` gives it.
const PICTURES_BYTES_MAX: i64 = 1 << 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn config(stream: StreamName, replicas: usize) -> Config {
    let money = Config {
        name: stream.name.to_owned(),
        subjects: vec![stream.subjects.to_owned()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        max_age: 30 * DAY,
        duplicate_window: Duration::from_secs(20 * 60),
        max_message_size: 64 * 1024,
        allow_direct: true,
        deny_delete: true,
        deny_purge: true,
        num_replicas: replicas,
        ..Config::default()
    };
    let watched = Config { discard: DiscardPolicy::Old, max_age: 14 * DAY, ..money.clone() };
    let last_only = Config {
        max_messages_per_subject: 1,
        discard: DiscardPolicy::Old,
        max_age: Duration::ZERO,
        ..money.clone()
    };
    if stream == subject::PASSAGES {
        let partitions = SubjectTransform {
            source: subject::PARTITION_SOURCE.to_owned(),
            destination: subject::partition_target(),
        };
        Config { subject_transform: Some(partitions), ..money }
    } else if stream == subject::RECEIPTS {
        last_only
    } else if stream == subject::DIRECTIVES {
        Config { max_message_size: 512 * 1024, ..last_only }
    } else if stream == subject::PICTURES {
        // What was never promised: the oldest goes, and nothing waits for it. The broker's own
        // limit of a message holds.
        Config { max_message_size: -1, max_bytes: PICTURES_BYTES_MAX, max_age: 3 * DAY, ..watched }
    } else if stream == subject::LIST_SNAPSHOTS {
        Config { max_message_size: 512 * 1024, deny_delete: false, deny_purge: false, ..last_only }
    } else {
        watched
    }
}

/// Every stream there is.
pub const STREAMS: [StreamName; 6] = [
    subject::PASSAGES,
    subject::RECEIPTS,
    subject::LIST_DELTAS,
    subject::LIST_SNAPSHOTS,
    subject::ENTRIES,
    subject::EVENTS,
];

/// Makes all streams that are missing, each kept by one broker.
///
/// # Errors
/// When the broker refuses, or does not answer in time.
pub async fn ensure_streams(jetstream: &Context) -> Result<StreamsFound, BrokerError> {
    let found = ensure_streams_kept_by(jetstream, 1).await?;
    let pictures = ensure_stream(jetstream, subject::PICTURES, 1).await?;
    Ok(if pictures == StreamsFound::SomeMade { pictures } else { found })
}

/// Makes the streams that are missing, each kept by `replicas` brokers; not the one of pictures, for
/// which no passage waits.
///
/// # Errors
/// When the broker refuses, or does not answer in time.
pub async fn ensure_streams_kept_by(
    jetstream: &Context,
    replicas: usize,
) -> Result<StreamsFound, BrokerError> {
    let mut found = StreamsFound::All;
    for stream in subject::STREAMS {
        if stream != subject::PICTURES
            && ensure_stream(jetstream, stream, replicas).await? == StreamsFound::SomeMade
        {
            found = StreamsFound::SomeMade;
        }
    }
    Ok(found)
}

/// Makes a stream that is missing, kept by `replicas` brokers.
///
/// # Errors
/// When the broker refuses, or does not answer in time.
pub async fn ensure_stream(
    jetstream: &Context,
    stream: StreamName,
    replicas: usize,
) -> Result<StreamsFound, BrokerError> {
    if jetstream.get_stream(stream.name).await.is_ok() {
        return Ok(StreamsFound::All);
    }
    jetstream
        .create_stream(config(stream, replicas))
        .await
        .map_err(|error| BrokerError::Stream { stream: stream.name, source: error.into() })?;
    Ok(StreamsFound::SomeMade)
}
