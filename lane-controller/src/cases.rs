//! Carries a lane's cases from its journal to the broker, each until the broker has it.
//!
//! A case is a lane event: who watches sees it at once, and the stream of events keeps it. Its
//! number is part of the message id, so that a case which is sent twice is kept once.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::{Client, HeaderMap};
use domain::LaneId;
use domain::wire::subject;
use tokio::sync::Notify;

use crate::journal::{CaseRow, JournalReader};
use crate::runner::Wake;

/// Cases that are sent before it is noted that they were.
const WINDOW: usize = 16;
/// How long a case that was noted may take to be sent, in real time, and how long a broker that
/// did not take one is left alone.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Sends for as long as the lane lives; `noted` says that there may be something.
pub async fn run(
    (lane, epoch): (LaneId, u32),
    journal: JournalReader,
    (client, jetstream): (Client, Context),
    noted: Arc<Notify>,
    wakes: Sender<Wake>,
) {
    // The store's connection belongs to one thread at a time.
    let journal = Mutex::new(journal);
    let mut sent = 0;
    loop {
        let read = || {
            let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            journal.cases_to_send(WINDOW)
        };
        let rows = match tokio::task::block_in_place(read) {
            Ok(rows) => rows,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(lane.id = %lane, error, "cases were not sent");
                Vec::new()
            }
        };
        // What was sent may not have been noted yet.
        let rows: Vec<CaseRow> = rows.into_iter().filter(|row| row.number > sent).collect();
        let is_all = rows.len() < WINDOW;
        let before = sent;
        if client.connection_state() == State::Connected {
            for row in rows {
                let number = row.number;
                if !send(&lane, epoch, row, &jetstream).await {
                    break;
                }
                sent = number;
            }
        }
        if sent > before && wakes.send(Wake::CasesSent { upto: sent }).is_err() {
            return;
        }
        if is_all || sent == before {
            // Too early is no loss: it is looked at again.
            drop(tokio::time::timeout(LOOK_EVERY, noted.notified()).await);
        }
    }
}

/// Sends one; tells whether the broker has it.
async fn send(lane: &LaneId, epoch: u32, row: CaseRow, jetstream: &Context) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", format!("{lane}:{epoch}:case-{}", row.number));
    let sent = jetstream.publish_with_headers(subject::event(lane), headers, row.payload.into());
    let taken = match sent.await {
        Ok(ack) => ack.await.map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = &taken {
        tracing::debug!(lane.id = %lane, %error, "the broker did not take a case");
    }
    taken.is_ok()
}
