//! The uplink: carries a lane's journal to the broker, in order, again and again until the
//! clearing house has posted it.
//!
//! The broker's acknowledgement only paces the sender. What moves the watermark is a receipt; if
//! it stands still although everything was sent, the records from it on are sent once more: that
//! is also the way back after a broker lost its disk.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::{Client, HeaderMap};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{LaneId, PassageId};
use futures::future::join_all;
use tokio::sync::watch;

use crate::journal::{JournalReader, Record};

/// How many records may be under way at once.
const WINDOW: usize = 16;
/// How long the watermark may stand still before records are sent again, in real time; doubled
/// each time it did not help.
const RESEND_AFTER_MIN: Duration = Duration::from_secs(3);
/// The longest such wait.
const RESEND_AFTER_MAX: Duration = Duration::from_secs(60);
/// How long to wait after the broker did not take a record, in real time.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(200);

/// What the uplink follows.
#[derive(Debug, Clone)]
pub struct Marks {
    /// The last sequence written.
    pub written: watch::Receiver<u64>,
    /// The watermark of the last receipt, and the first sequence it asks for again, if any.
    pub posted: watch::Receiver<Posted>,
}

/// What a receipt said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Posted {
    /// Everything up to here is posted.
    pub upto: u64,
    /// From here on something is missing at the centre.
    pub missing_from: Option<u64>,
}

/// Sends for as long as the process lives.
pub async fn run(
    lane: LaneId,
    epoch: u32,
    journal: JournalReader,
    client: Client,
    jetstream: Context,
    mut marks: Marks,
) {
    // The store's connection belongs to one thread at a time.
    let journal = Mutex::new(journal);
    let mut sent = marks.posted.borrow().upto;
    // Up to here records have been sent before: a second time they carry no id that the broker
    // could take for a reason to keep them to itself.
    let mut once_sent = sent;
    let mut asked_for = None;
    let mut resend_after = RESEND_AFTER_MIN;
    loop {
        let posted = *marks.posted.borrow_and_update();
        let written = *marks.written.borrow_and_update();
        sent = sent.max(posted.upto);
        // A gap is filled once for each time it is new; after that only in its own time.
        if posted.missing_from != asked_for {
            asked_for = posted.missing_from;
            if let Some(missing) = asked_for.filter(|missing| *missing <= sent) {
                sent = missing - 1;
            }
        }
        if sent < written && client.connection_state() == State::Connected {
            match send_some(&lane, epoch, &journal, &jetstream, (sent, once_sent)).await {
                Ok(upto) => {
                    sent = upto;
                    once_sent = once_sent.max(upto);
                }
                Err(()) => tokio::time::sleep(PAUSE_AFTER_FAILURE).await,
            }
            continue;
        }
        tokio::select! {
            changed = marks.written.changed() => if changed.is_err() { return },
            changed = marks.posted.changed() => {
                if changed.is_err() { return }
                resend_after = RESEND_AFTER_MIN;
            }
            () = tokio::time::sleep(resend_after) => {
                if sent > posted.upto {
                    sent = posted.upto;
                    resend_after = (resend_after * 2).min(RESEND_AFTER_MAX);
                }
            }
        }
    }
}

/// Sends the next records, and tells up to where the broker has them.
async fn send_some(
    lane: &LaneId,
    epoch: u32,
    journal: &Mutex<JournalReader>,
    jetstream: &Context,
    (sent, once_sent): (u64, u64),
) -> Result<u64, ()> {
    let read = || journal.lock().unwrap_or_else(PoisonError::into_inner).read(sent + 1, WINDOW);
    let records = match tokio::task::block_in_place(read) {
        Ok(records) => records,
        Err(error) => {
            tracing::error!(lane.id = %lane, error = &error as &dyn std::error::Error, "not sent");
            return Err(());
        }
    };
    let Some(last) = records.last().map(|record| record.seq) else { return Err(()) };
    let mut acks = Vec::with_capacity(records.len());
    for record in records {
        let to = subject::passage(lane);
        let headers = headers(lane, epoch, &record, record.seq > once_sent);
        match jetstream.publish_with_headers(to, headers, record.payload.into()).await {
            Ok(ack) => acks.push(ack.into_future()),
            Err(error) => {
                tracing::debug!(lane.id = %lane, %error, "the broker did not take a passage");
                return Err(());
            }
        }
    }
    for ack in join_all(acks).await {
        if let Err(error) = ack {
            // Not acknowledged may still be stored; the same id makes the second time harmless.
            tracing::debug!(lane.id = %lane, %error, "a passage was not acknowledged");
            return Err(());
        }
    }
    Ok(last)
}

fn headers(lane: &LaneId, epoch: u32, record: &Record, first_time: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let (true, Some(seq)) = (first_time, std::num::NonZeroU64::new(record.seq)) {
        let id = PassageId { lane: lane.clone(), epoch, seq };
        headers.insert("Nats-Msg-Id", id.to_string());
    }
    headers.insert(SIGNATURE_HEADER, record.signature.to_text());
    headers
}
