//! Receipts over a real broker.

use std::sync::Arc;
use std::time::Duration;

use clearing_house::receipts::{Patience, Receipts};
use domain::Clock;
use domain::signature::Digest256;
use domain::wire::subject;
use futures::StreamExt as _;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::run_folder::RunFolder;
use tests::journal::receipt_of;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key, noon};
use tests::programs::nats_server;
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_stops_the_watermark_and_the_receipt_names_it() {
    let office = Office::open().await;
    let run = RunFolder::temporary().unwrap();
    let broker = Broker::start(&run, &nats_server(), &[BrokerUser::Centre]).unwrap();
    let client = broker.connect(&BrokerUser::Centre).await.unwrap();
    let lane = Lane::new("cienco4/ben-thuy/l01");
    let mut receipts = client.subscribe(subject::receipt(&lane.id)).await.unwrap();
    client.flush().await.unwrap();
    let books = office.books().await;
    let publisher = Receipts::new(
        office.pool.clone(),
        client,
        centre_key(),
        Clock::system(),
        Arc::new(Notify::new()),
    )
    .with_patience(Patience { hole: Duration::ZERO, ..Patience::default() });
    let passages: Vec<_> = {
        let mut lane = lane;
        (1..=9).map(|number| lane.pass(&vehicle(number), "2026-03-02T01:00:00Z")).collect()
    };
    for (sequences, upto, missing) in [
        (&[1, 2, 5][..], 2, &[(3, 4)][..]),
        (&[8, 9], 2, &[(3, 4), (6, 7)]),
        (&[4], 2, &[(3, 3), (6, 7)]),
        (&[3], 5, &[(6, 7)]),
        (&[6, 7], 9, &[]),
    ] {
        let batch: Vec<_> = sequences.iter().map(|seq: &usize| passages[seq - 1].clone()).collect();
        let outcome = books.post(&batch, noon()).await.unwrap();
        publisher.publish(&outcome).await;
        publisher.survey().await.unwrap();
        let message = tokio::time::timeout(Duration::from_secs(10), receipts.next());
        let message = message.await.expect("a receipt in time").unwrap();
        let receipt = receipt_of(&message);
        assert_eq!((receipt.posted_upto, receipt.missing.as_slice()), (upto, missing));
        let there = &passages[usize::try_from(upto).unwrap() - 1].payload;
        assert_eq!(receipt.posted_digest, Some(Digest256::of(there).into()), "at {upto}");
        office.assert_proven().await;
    }
}
