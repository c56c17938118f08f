//! Lanes that write much and fast: their passages are made beforehand, kept in memory, and sent
//! again until the centre's receipt, as a lane controller sends its journal.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::{Client, HeaderMap};
use clearing_house::account;
use clearing_house::intake::Delivery;
use domain::signature::{Context, Signature};
use domain::wire::v1::{Receipt, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId, VehicleGroup};
use futures::StreamExt as _;
use futures::future::join_all;
use sqlx::PgPool;

use crate::lane::{Lane, Vehicle};
use crate::office::centre_key;

/// How many records are under way at once.
const WINDOW: usize = 64;
/// How long the watermark may stand still before all is sent again, in real time.
const RESEND_AFTER: Duration = Duration::from_secs(3);

/// A lane and all it has written: record 1 first.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The lane.
    pub lane: LaneId,
    /// Its records.
    pub records: Vec<Delivery>,
}

/// The vehicle of account 10000 + `number`.
fn vehicle(number: u32) -> Vehicle {
    Vehicle {
        account: 10_000 + i64::from(number),
        plate: format!("38C{number:06}").parse().expect("a plate"),
        tag: format!("3500{number:020}").parse().expect("a tag"),
        group: VehicleGroup::try_new(u8::try_from(number % 5 + 1).unwrap_or(1)).expect("a group"),
    }
}

/// Opens an account for each of so many vehicles.
pub async fn open_accounts(pool: &PgPool, vehicles: u32, clock: Clock) {
    let line = |number: u32| {
        let vehicle = vehicle(number);
        serde_json::json!({
            "account": vehicle.account,
            "issuer": if number.is_multiple_of(2) { "vdtc" } else { "vetc" },
            "state": "open",
            "top_up": {"reference": format!("open-{}", vehicle.account), "amount": 100_000_000},
            "vehicles": [{"plate": vehicle.plate, "group": vehicle.group, "tag": vehicle.tag}],
        })
        .to_string()
    };
    let lines = (0..vehicles).map(line).collect::<Vec<_>>().join("\n");
    account::import(pool, lines.as_bytes(), clock).await.expect("accounts");
}

/// A day's traffic of about so many passages: every vehicle makes one trip on the road, and then
/// passes the gates of Bến Thủy in turn.
#[must_use]
pub fn traffic(passages: usize, vehicles: u32) -> Vec<Journal> {
    let mut gates =
        ["l01", "l02", "l03", "l04"].map(|l| Lane::new(&format!("cienco4/ben-thuy/{l}")));
    let mut entries = ["vec/mai-son/e01", "vec/ql45/e01"].map(Lane::new);
    let mut exits = ["vec/nghi-son/x01", "vec/nghi-son/x02"].map(Lane::new);
    let mut written: Vec<Vec<Delivery>> = vec![Vec::new(); 8];
    let at = |hour: u32, number: u32| {
        let (minute, second) = (number / 60 % 60, number % 60);
        format!("2026-03-02T{hour:02}:{minute:02}:{second:02}.{:03}Z", number / 3_600 % 1_000)
    };
    let mut count = 0;
    for number in 0..vehicles {
        let side = if number.is_multiple_of(2) { 0 } else { 1 };
        written[4 + side].push(entries[side].pass(&vehicle(number), &at(1, number)));
        written[6 + side].push(exits[side].pass(&vehicle(number), &at(2, number)));
        count += 2;
    }
    for number in 0.. {
        if count >= passages {
            break;
        }
        let gate = usize::try_from(number % 4).unwrap_or(0);
        written[gate].push(gates[gate].pass(&vehicle(number % vehicles), &at(3, number)));
        count += 1;
    }
    let lanes = gates.into_iter().chain(entries).chain(exits);
    lanes.zip(written).map(|(lane, records)| Journal { lane: lane.id, records }).collect()
}

impl Journal {
    /// Sends all there is, again and again, until the centre's receipt covers it. Whatever fails on
    /// the way is tried again.
    pub async fn send_until_posted(self, client: Client) {
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(Duration::from_secs(2))
            .build(client.clone());
        let mut receipts = client.subscribe(subject::receipt(&self.lane)).await.expect("receipts");
        let last = self.records.len();
        let (mut sent, mut once_sent, mut posted, mut asked) = (0, 0, 0, None);
        while posted < last {
            if sent < last {
                let window = sent..last.min(sent + WINDOW);
                if self.send(&jetstream, window.clone(), once_sent).await {
                    sent = window.end;
                    once_sent = once_sent.max(sent);
                } else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            let patience = if sent < last { Duration::ZERO } else { RESEND_AFTER };
            match tokio::time::timeout(patience, receipts.next()).await {
                Ok(Some(message)) => {
                    let receipt = receipt_of(&message);
                    posted = posted.max(usize::try_from(receipt.posted_upto).unwrap_or(0));
                    let missing = receipt.missing.first().map(|(first, _)| *first);
                    if let Some(first) = missing.filter(|_| missing != asked) {
                        sent = sent.min(usize::try_from(first).unwrap_or(1) - 1);
                    }
                    asked = missing;
                }
                Ok(None) => return,
                Err(_nothing_came) if sent == last => sent = posted,
                Err(_nothing_came) => {}
            }
        }
    }

    async fn send(
        &self,
        jetstream: &jetstream::Context,
        window: std::ops::Range<usize>,
        once_sent: usize,
    ) -> bool {
        let mut acks = Vec::new();
        for at in window {
            let record = &self.records[at];
            let mut headers = HeaderMap::new();
            if let (true, Some(id)) = (at >= once_sent, &record.message_id) {
                headers.insert("Nats-Msg-Id", id.as_str());
            }
            if let Some(signature) = &record.signature {
                headers.insert(SIGNATURE_HEADER, signature.as_str());
            }
            let payload = record.payload.clone().into();
            let sent =
                jetstream.publish_with_headers(record.subject.clone(), headers, payload).await;
            match sent {
                Ok(ack) => acks.push(ack.into_future()),
                Err(_not_taken) => return false,
            }
        }
        join_all(acks).await.iter().all(Result::is_ok)
    }
}

/// Reads a receipt.
#[must_use]
pub fn receipt_of(message: &async_nats::Message) -> Receipt {
    let headers = message.headers.as_ref().expect("headers");
    let signature = headers.get(SIGNATURE_HEADER).expect("a signature").as_str();
    let signature = Signature::try_from(signature.to_owned()).expect("a signature");
    let key = centre_key().public();
    key.verify(Context::Receipt, &message.payload, &signature).expect("the centre's own");
    parse("receipt", &message.payload).expect("a receipt")
}
