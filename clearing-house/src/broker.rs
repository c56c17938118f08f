//! The broker: connecting, and the streams the centre keeps there.
//!
//! The broker is transport, never the store of record: every stream may be lost and is made anew.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::{Client, ConnectOptions, Event};
use domain::wire::subject::{self, StreamName};

use crate::config::{Broker, ConfigError};

/// Why the broker could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The password file could not be read.
    #[error("read the broker's password")]
    Password(#[source] ConfigError),
    /// The connection was refused for good.
    #[error("connect to the broker at {url}")]
    Connect {
        /// Where it should be.
        url: String,
        /// What the client said.
        #[source]
        source: async_nats::ConnectError,
    },
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

/// Connects, and keeps trying for as long as it takes.
///
/// # Errors
/// When the password cannot be read or the address is not one.
pub async fn connect(broker: &Broker, name: &str) -> Result<Client, BrokerError> {
    let password = broker.password().map_err(BrokerError::Password)?;
    ConnectOptions::with_user_and_password(broker.user.clone(), password)
        .name(name)
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(5))
        .connection_timeout(Duration::from_secs(5))
        .client_capacity(256)
        .reconnect_delay_callback(|attempt| {
            Duration::from_millis(50)
                .saturating_mul(1 << attempt.min(5))
                .min(Duration::from_secs(1))
        })
        .event_callback(|event| async move {
            match event {
                Event::Connected => tracing::info!("broker connected"),
                Event::Disconnected => tracing::warn!("broker disconnected"),
                Event::ServerError(error) => tracing::error!(%error, "broker refused something"),
                Event::SlowConsumer(_) => tracing::warn!("a subscription is slow"),
                other => tracing::debug!(%other, "broker"),
            }
        })
        .connect(&broker.url)
        .await
        .map_err(|source| BrokerError::Connect { url: broker.url.clone(), source })
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

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn config(stream: StreamName) -> Config {
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
        money
    } else if stream == subject::RECEIPTS {
        last_only
    } else if stream == subject::DIRECTIVES {
        Config { max_message_size: 512 * 1024, ..last_only }
    } else if stream == subject::LIST_SNAPSHOTS {
        Config { max_message_size: 512 * 1024, deny_delete: false, deny_purge: false, ..last_only }
    } else {
        watched
    }
}

/// Makes the streams that are missing.
///
/// # Errors
/// When the broker refuses, or does not answer in time.
pub async fn ensure_streams(jetstream: &Context) -> Result<StreamsFound, BrokerError> {
    let mut found = StreamsFound::All;
    for stream in subject::STREAMS {
        if jetstream.get_stream(stream.name).await.is_ok() {
            continue;
        }
        jetstream
            .create_stream(config(stream))
            .await
            .map_err(|error| BrokerError::Stream { stream: stream.name, source: error.into() })?;
        found = StreamsFound::SomeMade;
    }
    Ok(found)
}
