//! Intake: passages from the broker into the books, exactly once.
//!
//! A *delivery* is a message as it came, perhaps for the second time. A batch of deliveries is
//! examined, rated and written in one database transaction; only after its commit are the
//! messages acknowledged and the lanes' receipts published. Whatever fails in between, the broker
//! delivers again, and the passage's unique key makes the second time a no-op.

mod examine;
mod post;
mod repo;
mod vehicles;

/// What the books know of vehicles: for those who rate again.
pub(crate) mod facts {
    pub(crate) use super::vehicles::vehicles;
}

use std::convert::Infallible;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull::{self, Stream};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::{Context, Message};
use domain::Clock;
use domain::wire::{SIGNATURE_HEADER, subject};
use futures::{FutureExt, StreamExt};

pub use examine::{Delivery, Genuine, Refusal, examine};
pub use post::{Books, BooksError, Outcome};

use crate::receipts::Receipts;

/// The most passages one transaction takes.
const BATCH_LEN_MAX: usize = 1_000;

/// How long a delivery may go without our word, in real time. What a worker that died had taken
/// comes again after it, which must be before exits give up their entries; a batch that takes
/// longer comes twice, which is a no-op.
const ACK_WAIT: Duration = Duration::from_secs(5);

/// How often exits that wait for their entry are looked at again, in real time.
const AWAITED_EVERY: Duration = Duration::from_millis(500);

/// How often every lane's receipt is said again, in real time.
const AGAIN_EVERY: Duration = Duration::from_secs(5);

/// Why the intake has to begin anew: the broker or its stream is gone.
#[derive(Debug, thiserror::Error)]
#[error("take passages from the broker")]
pub struct IntakeError(#[source] async_nats::Error);

/// Takes passages for as long as the broker's stream lives.
///
/// # Errors
/// When the stream or consumer is lost; the caller makes the streams again and calls again.
pub async fn run(
    jetstream: &Context,
    books: &Books,
    receipts: &Receipts,
    clock: Clock,
) -> Result<Infallible, IntakeError> {
    let mut messages = subscribe(jetstream).await.map_err(IntakeError)?;
    let mut awaited = tokio::time::interval(AWAITED_EVERY);
    let mut again = tokio::time::interval(AGAIN_EVERY);
    let mut failures = 0_u32;
    loop {
        let first = tokio::select! {
            first = messages.next() => first,
            _ = awaited.tick() => {
                if let Ok(outcome) = insist(|| books.post_awaited(clock.now()).boxed()).await {
                    receipts.publish(&outcome).await;
                }
                continue;
            }
            _ = again.tick() => {
                say_again(books, receipts).await;
                continue;
            }
        };
        match first {
            None => return Err(IntakeError("the subscription ended".into())),
            // A missed heartbeat alone does not end the subscription; several in a row do.
            Some(Err(error)) => {
                failures += 1;
                if failures >= 2 {
                    return Err(IntakeError(error.into()));
                }
                tracing::warn!(%error, "the broker is silent");
            }
            Some(Ok(first)) => {
                failures = 0;
                let batch = collect(first, &mut messages);
                take(&batch, books, receipts, clock).await;
            }
        }
    }
}

/// Tells every lane again how far its passages are, for one that did not hear it, and reads again
/// what may have been imported.
async fn say_again(books: &Books, receipts: &Receipts) {
    if let Err(error) = receipts.publish_all().await {
        tracing::warn!(%error, "receipts wait");
    }
    if let Err(error) = books.refresh().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the registry stays as it is");
    }
}

async fn subscribe(jetstream: &Context) -> Result<Stream, async_nats::Error> {
    let stream = jetstream.get_stream(subject::PASSAGES.name).await?;
    let consumer: PullConsumer = stream
        .get_or_create_consumer(
            "clearing-house",
            pull::Config {
                durable_name: Some("clearing-house".to_owned()),
                ack_policy: AckPolicy::Explicit,
                deliver_policy: DeliverPolicy::All,
                ack_wait: ACK_WAIT,
                max_deliver: -1,
                max_ack_pending: 8 * i64::try_from(BATCH_LEN_MAX).unwrap_or(i64::MAX),
                ..pull::Config::default()
            },
        )
        .await?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(BATCH_LEN_MAX)
        .expires(Duration::from_secs(4))
        .heartbeat(Duration::from_secs(1))
        .messages()
        .await?;
    Ok(messages)
}

/// The first message and those that are here already.
fn collect(first: Message, messages: &mut Stream) -> Vec<Message> {
    let mut batch = vec![first];
    while batch.len() < BATCH_LEN_MAX {
        match messages.next().now_or_never() {
            Some(Some(Ok(message))) => batch.push(message),
            Some(Some(Err(_)) | None) | None => break,
        }
    }
    batch
}

async fn take(batch: &[Message], books: &Books, receipts: &Receipts, clock: Clock) {
    let deliveries: Vec<Delivery> = batch.iter().map(delivery).collect();
    let started = clock.real();
    match insist(|| books.post(&deliveries, clock.now()).boxed()).await {
        Ok(outcome) => told(&outcome, receipts, started, clock).await,
        Err(Refused) => {
            // One of them is poison: alone, the good ones go in and it is put aside.
            for delivery in &deliveries {
                let alone = std::slice::from_ref(delivery);
                let outcome = match insist(|| books.post(alone, clock.now()).boxed()).await {
                    Ok(outcome) => outcome,
                    Err(Refused) => put_aside(books, delivery, clock).await,
                };
                told(&outcome, receipts, started, clock).await;
            }
        }
    }
    for message in batch {
        // A lost acknowledgement is a redelivery, and a redelivery is a no-op.
        if let Err(error) = message.ack().await {
            tracing::debug!(%error, "an acknowledgement was not sent");
        }
    }
}

async fn told(outcome: &Outcome, receipts: &Receipts, started: Instant, clock: Clock) {
    tracing::debug!(
        posted = outcome.fresh,
        duplicates = outcome.duplicates,
        refused = outcome.refused,
        elapsed_us = clock.real().duration_since(started).as_micros(),
        "batch posted"
    );
    receipts.publish(outcome).await;
}

async fn put_aside(books: &Books, delivery: &Delivery, clock: Clock) -> Outcome {
    match insist(|| books.put_aside(delivery, clock.now()).boxed()).await {
        Ok(outcome) => outcome,
        Err(Refused) => {
            tracing::error!("a delivery was refused even by the quarantine; its lane keeps it");
            Outcome::default()
        }
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
        subject: message.subject.to_string(),
        message_id: header("Nats-Msg-Id"),
        signature: header(SIGNATURE_HEADER),
        payload: message.payload.to_vec(),
    }
}

/// The database will not take it, however often it is asked.
#[derive(Debug)]
struct Refused;

/// How often what the database refused is tried before it counts as refused.
const REFUSALS_MAX: u32 = 3;

/// Tries until the database takes it: a batch is never half written, and never given up because
/// the database is away.
async fn insist<'a, F>(mut attempt: F) -> Result<Outcome, Refused>
where
    F: FnMut() -> futures::future::BoxFuture<'a, Result<Outcome, BooksError>>,
{
    let mut pause = Duration::from_millis(20);
    let mut refusals = 0;
    loop {
        match attempt().await {
            Ok(outcome) => return Ok(outcome),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "batch not written");
                refusals += u32::from(error.is_refusal());
                if refusals >= REFUSALS_MAX {
                    return Err(Refused);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}
