//! Books, broker and workers between them, in the test's own process.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, HeaderMap};
use clearing_house::broker::{ensure_streams, jetstream};
use clearing_house::config;
use clearing_house::intake::{self, Delivery};
use clearing_house::receipts::Receipts;
use domain::Clock;
use domain::wire::SIGNATURE_HEADER;
use futures::future::join_all;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::run_folder::RunFolder;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::office::{Office, centre_key, noon};
use crate::programs::nats_server;

/// How long the books may take to come to something.
const PATIENCE: Duration = Duration::from_secs(60);

/// An office behind a broker.
#[derive(Debug)]
pub struct Intake {
    /// The books.
    pub office: Office,
    /// The broker.
    pub broker: Broker,
    /// The centre's line to it.
    pub client: Client,
    _run: RunFolder,
}

/// A run clock that shows noon of the office's day.
#[must_use]
pub fn at_noon() -> Clock {
    Clock::of_run(Some(Clock::anchor(noon(), 1.0)))
}

impl Intake {
    /// Opens an office and a broker with its streams; nobody works yet.
    pub async fn open(lanes: &[BrokerUser]) -> Self {
        let office = Office::open().await;
        let run = RunFolder::temporary().expect("a folder for the broker");
        let users: Vec<BrokerUser> = [BrokerUser::Centre].iter().chain(lanes).cloned().collect();
        let broker = Broker::start(&run, &nats_server(), &users).expect("a broker");
        let client = broker.connect(&BrokerUser::Centre).await.expect("the broker answers");
        ensure_streams(&jetstream(client.clone())).await.expect("streams");
        Self { office, broker, client, _run: run }
    }

    /// Lets so many workers work, until the handle is aborted.
    pub async fn work(&self, config: config::Intake) -> JoinHandle<()> {
        let client = self.broker.connect(&BrokerUser::Centre).await.expect("the broker answers");
        let books = Arc::new(self.office.books().await);
        let receipts = Arc::new(Receipts::new(
            self.office.pool.clone(),
            client.clone(),
            centre_key(),
            at_noon(),
            Arc::new(Notify::new()),
        ));
        tokio::spawn(async move {
            let context = jetstream(client);
            let Err(error) = intake::run(&context, &books, &receipts, at_noon(), config).await;
            panic!("the intake ended: {error:?}");
        })
    }

    /// Publishes deliveries, in order, and waits until the stream has them.
    pub async fn publish_all(&self, deliveries: &[Delivery]) {
        for window in deliveries.chunks(200) {
            join_all(window.iter().map(|delivery| self.publish(delivery))).await;
        }
    }

    /// Publishes a delivery and waits until the stream has it.
    pub async fn publish(&self, delivery: &Delivery) {
        let mut headers = HeaderMap::new();
        if let Some(id) = &delivery.message_id {
            headers.insert("Nats-Msg-Id", id.as_str());
        }
        if let Some(signature) = &delivery.signature {
            headers.insert(SIGNATURE_HEADER, signature.as_str());
        }
        let payload = delivery.payload.clone().into();
        jetstream(self.client.clone())
            .publish_with_headers(delivery.subject.clone(), headers, payload)
            .await
            .expect("the broker answers")
            .await
            .expect("the stream takes it");
    }

    /// Waits until a question to the books has this answer.
    pub async fn until(&self, sql: &'static str, expected: i64) {
        let clock = Clock::system();
        loop {
            let found = self.office.number(sql).await;
            if found == expected {
                return;
            }
            assert!(clock.uptime() < PATIENCE, "{sql} is {found} and not {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
