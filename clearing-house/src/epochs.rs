//! Epochs: a lane whose journal is blank asks which epoch it may write.
//!
//! The question is signed with the lane's key and names the new journal, so a question that is
//! asked twice gets one answer, and nobody but the lane can use up its epochs.

use async_nats::{Client, HeaderMap};
use domain::Clock;
use domain::signature::{Context, SecretKey, Signature};
use domain::wire::v1::{EpochGrant, EpochRequest, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use futures::StreamExt;
use sqlx::PgPool;

use crate::registry::{self, Registry, SignedWhen};

/// Answers lanes for as long as the connection lives.
///
/// # Errors
/// When the subscription cannot be made.
pub async fn serve(
    client: Client,
    pool: PgPool,
    key: SecretKey,
    clock: Clock,
) -> Result<(), async_nats::SubscribeError> {
    let mut questions =
        client.queue_subscribe(subject::EPOCH_REQUEST, "clearing-house".to_owned()).await?;
    while let Some(question) = questions.next().await {
        let Some(reply) = question.reply.clone() else { continue };
        match answer(&question, &pool, &key, clock).await {
            Ok((headers, payload)) => {
                if let Err(error) =
                    client.publish_with_headers(reply, headers, payload.into()).await
                {
                    tracing::warn!(%error, "an epoch could not be granted; the lane asks again");
                }
            }
            Err(why) => tracing::error!(why, "a question for an epoch was refused"),
        }
    }
    Ok(())
}

async fn answer(
    question: &async_nats::Message,
    pool: &PgPool,
    key: &SecretKey,
    clock: Clock,
) -> Result<(HeaderMap, Vec<u8>), String> {
    let request: EpochRequest =
        parse("question for an epoch", &question.payload).map_err(|error| error.to_string())?;
    let signature = question
        .headers
        .as_ref()
        .and_then(|headers| headers.get(SIGNATURE_HEADER))
        .and_then(|text| Signature::try_from(text.as_str().to_owned()).ok())
        .ok_or("it carries no signature")?;
    let registry = Registry::load(pool).await.map_err(|error| error.to_string())?;
    let now = clock.now();
    // A question is of now: a key that has ended opens no epoch.
    let when = SignedWhen { written_at: None, came_at: now };
    if !registry.signed_by_lane(&request.lane, when, Context::Epoch, &question.payload, &signature)
    {
        return Err(format!("it is not signed by lane {}", request.lane));
    }
    let epoch = registry::epoch_of_journal(pool, &request.lane, request.journal.as_bytes(), now)
        .await
        .map_err(|error| error.to_string())?;
    let epoch = u32::try_from(epoch.get()).map_err(|error| error.to_string())?;
    tracing::info!(lane.id = %request.lane, epoch, "epoch granted");
    let grant = EpochGrant { v: 1, lane: request.lane, journal: request.journal, epoch };
    let payload = emit(&grant);
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, key.sign(Context::Epoch, &payload).to_text());
    Ok((headers, payload))
}
