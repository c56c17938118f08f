//! A blank journal asks the centre, once, for the epoch it may write.

use std::time::Duration;

use async_nats::{Client, HeaderMap, Request};
use domain::LaneId;
use domain::signature::{Context as Purpose, Digest256, PublicKey, SecretKey, Signature};
use domain::wire::v1::{EpochGrant, EpochRequest, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};

/// How long to wait before asking again, in real time.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long to wait for the centre's grant of an epoch, in real time.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks until the centre has granted an epoch for this journal.
pub async fn granted(
    lane: LaneId,
    key: SecretKey,
    journal: Digest256,
    centre: PublicKey,
    client: Client,
) -> u32 {
    let payload = emit(&EpochRequest { v: 1, lane: lane.clone(), journal });
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, key.sign(Purpose::Epoch, &payload).to_text());
    loop {
        let request = Request::new()
            .headers(headers.clone())
            .payload(payload.clone().into())
            .timeout(Some(ANSWER_WITHIN));
        match client.send_request(subject::EPOCH_REQUEST, request).await {
            Ok(answer) => {
                let signed = answer
                    .headers
                    .as_ref()
                    .and_then(|headers| headers.get(SIGNATURE_HEADER))
                    .and_then(|text| Signature::try_from(text.as_str().to_owned()).ok())
                    .is_some_and(|signature| {
                        centre.verify(Purpose::Epoch, &answer.payload, &signature).is_ok()
                    });
                let grant: Option<EpochGrant> = parse("grant of an epoch", &answer.payload).ok();
                match grant.filter(|grant| signed && grant.lane == lane && grant.journal == journal)
                {
                    Some(grant) => return grant.epoch,
                    None => tracing::error!(lane.id = %lane, "an answer is no grant of the centre"),
                }
            }
            Err(error) => {
                tracing::warn!(lane.id = %lane, %error, "a blank journal waits for its epoch");
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}
