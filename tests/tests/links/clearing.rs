//! A stand-in for the clearing house: takes passages from the stream, proves them, posts each once,
//! and says so by receipts. It keeps what it took in memory and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, HeaderMap};
use domain::Timestamp;
use domain::signature::{Context as Purpose, Digest256, Signature};
use domain::wire::v1::{PassageRecord, Receipt, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use futures::StreamExt as _;
use tokio::sync::watch;

use crate::cut_off_lane::{centre, lane_id, lane_key};

/// What the stand-in has.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// By sequence: the digest of the passage, and of the one before it.
    pub(crate) posted: BTreeMap<u64, (Digest256, Digest256)>,
    /// Deliveries, the repeated ones included.
    pub(crate) deliveries: u64,
    /// Deliveries whose sequence was not the one after the delivery before.
    pub(crate) out_of_order: u64,
    last: u64,
    watermark: u64,
}

impl Books {
    fn take(&mut self, payload: &[u8]) {
        let record: PassageRecord = parse("passage", payload).expect("a passage");
        let (seq, digest) = (record.id.seq.get(), Digest256::of(payload));
        self.deliveries += 1;
        self.out_of_order += u64::from(seq != self.last + 1);
        self.last = seq;
        let before = self.posted.insert(seq, (digest, record.previous));
        assert!(before.is_none_or(|(before, _)| before == digest), "{seq} came with two contents");
        while self.posted.contains_key(&(self.watermark + 1)) {
            self.watermark += 1;
        }
    }

    fn receipt(&self) -> Receipt {
        let mut missing = Vec::new();
        let mut next = self.watermark + 1;
        for seq in self.posted.range(next..).map(|(seq, _)| *seq) {
            if seq > next {
                missing.push((next, seq - 1));
            }
            next = seq + 1;
            if missing.len() == 16 {
                break;
            }
        }
        Receipt {
            v: 1,
            lane: lane_id(),
            epoch: 1,
            posted_upto: self.watermark,
            posted_digest: self.posted.get(&self.watermark).map(|(digest, _)| (*digest).into()),
            missing,
            issued_at: Timestamp::UNIX_EPOCH,
        }
    }
}

async fn consumer(jetstream: &Context) -> Option<PullConsumer> {
    clearing_house::broker::ensure_streams(jetstream).await.ok()?;
    let stream = jetstream.get_stream(subject::PASSAGES.name).await.ok()?;
    let config = pull::Config {
        durable_name: Some("stand-in".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(5),
        max_ack_pending: 4_096,
        ..pull::Config::default()
    };
    stream.get_or_create_consumer("stand-in", config).await.ok()
}

/// Works until it is dropped; tells its watermark.
pub(crate) async fn run(
    client: Client,
    books: Arc<std::sync::Mutex<Books>>,
    tell: watch::Sender<u64>,
) {
    let jetstream = jetstream::new(client.clone());
    loop {
        if let Some(consumer) = consumer(&jetstream).await {
            work(&client, &consumer, &books, &tell).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Takes batches until one fails.
async fn work(
    client: &Client,
    consumer: &PullConsumer,
    books: &std::sync::Mutex<Books>,
    tell: &watch::Sender<u64>,
) {
    loop {
        let batch = consumer.batch().max_messages(500).expires(Duration::from_secs(1)).messages();
        let Ok(mut batch) = batch.await else { return };
        let mut to_acknowledge = Vec::new();
        while let Some(message) = batch.next().await {
            let Ok(message) = message else { return };
            let signature = message.headers.as_ref().and_then(|all| all.get(SIGNATURE_HEADER));
            let signature = Signature::try_from(signature.unwrap().as_str().to_owned()).unwrap();
            let proved = lane_key().public().verify(Purpose::Passage, &message.payload, &signature);
            proved.expect("the lane signed it");
            books.lock().unwrap().take(&message.payload);
            to_acknowledge.push(message);
        }
        for message in to_acknowledge {
            if message.ack().await.is_err() {
                return;
            }
        }
        let (receipt, watermark) = {
            let books = books.lock().unwrap();
            (emit(&books.receipt()), books.watermark)
        };
        tell.send_replace(watermark);
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, centre().sign(Purpose::Receipt, &receipt).to_text());
        let to = subject::receipt(&lane_id());
        if client.publish_with_headers(to, headers, receipt.into()).await.is_err() {
            return;
        }
    }
}
