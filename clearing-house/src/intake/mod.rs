//! Intake: passages from the broker into the books, exactly once.
//!
//! A *delivery* is a message as it came, perhaps for the second time. The stream is divided into
//! *partitions* of whole lanes; workers, in one process or in several, share these among them. A
//! worker gathers deliveries of its partitions into a batch, examines it, checks the lanes' chains,
//! and has it rated and written in one database transaction. The same transaction moves the
//! partitions' places in the stream: what is in the books and how far they are can never differ, and
//! there is nothing to acknowledge. Whatever fails in between, reading begins again where the books
//! are, and the passage's unique key makes the second time a no-op.
//!
//! Deliberately absent: a place in the stream kept by the broker. Why:
//! `docs/decisions/0018-intake-by-partition.md`.
//!
//! Modules in the order a delivery meets them.

mod keeper;
mod cursor;
mod worker;
mod examine;
mod vouching;
mod chain;
mod decide;
mod post;
mod position;
mod write;
mod repo;

/// What the books know of vehicles: for those who rate again.
pub(crate) mod facts {
    pub(crate) use super::repo::vehicles::vehicles;
}

/// How rows are stored: for those who check them.
pub(crate) mod stored {
    pub(crate) use super::repo::batches::{Posting, hash};
    pub(crate) use super::repo::copy::Rows;
    pub(crate) use super::repo::journals::HalfDigest;
}

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use domain::Clock;
use domain::wire::subject::PARTITIONS;
use futures::future::select_all;

pub use examine::{Delivery, Examined, Examiner, Genuine, Refusal, examine};
pub use position::{Advance, Partition, Place, Stretch};
pub use post::{Books, BooksError, Outcome, Rated, own_day};

/// The exact bytes of passages.
pub mod evidence {
    pub use super::repo::evidence::{Kept, find, read_block};
}

pub(crate) use position::anything_behind;

use crate::config;
use crate::receipts::Receipts;
use worker::Tools;

/// How often exits that wait for their entry are looked at again, in real time.
const AWAITED_EVERY: Duration = Duration::from_millis(500);

/// How often the registry is read again for what may have been imported, in real time.
const REFRESH_EVERY: Duration = Duration::from_secs(5);

/// Why the intake has to begin anew.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The broker or its stream is gone.
    #[error("take passages from the broker")]
    Broker(#[source] async_nats::Error),
    /// The places in the stream could not be made.
    #[error("prepare the places in the stream")]
    Places(#[source] sqlx::Error),
    /// A part of a worker ended, which it never should.
    #[error("a worker ended")]
    Worker(#[source] Option<tokio::task::JoinError>),
}

/// Takes passages for as long as the broker's stream lives.
///
/// # Errors
/// When the stream is lost; the caller makes the streams again and calls again.
pub async fn run(
    jetstream: &Context,
    books: &Arc<Books>,
    receipts: &Arc<Receipts>,
    clock: Clock,
    config: config::Intake,
) -> Result<Infallible, IntakeError> {
    position::prepare(books.pool(), PARTITIONS).await.map_err(IntakeError::Places)?;
    let workers = config.workers.clamp(1, PARTITIONS);
    let tools = Tools {
        jetstream: jetstream.clone(),
        books: Arc::clone(books),
        receipts: Arc::clone(receipts),
        clock,
        lag_max: config.lag_max,
    };
    let working = (0..workers)
        .map(|worker| Box::pin(worker::work(tools.clone(), worker * (PARTITIONS / workers))));
    tokio::select! {
        (ended, ..) = select_all(working) => ended,
        never = look_after(books, receipts, clock) => match never {},
        never = receipts.run() => match never {},
    }
}

/// What is done from time to time and belongs to no batch.
async fn look_after(books: &Books, receipts: &Receipts, clock: Clock) -> Infallible {
    let mut awaited = tokio::time::interval(AWAITED_EVERY);
    let mut refresh = tokio::time::interval(REFRESH_EVERY);
    loop {
        tokio::select! {
            _ = awaited.tick() => match books.post_awaited(clock.now()).await {
                Ok(outcome) => receipts.publish(&outcome).await,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "exits wait on");
                }
            },
            _ = refresh.tick() => {
                if let Err(error) = books.refresh().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the registry stays as it is");
                }
            }
        }
    }
}
