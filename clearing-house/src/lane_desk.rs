//! A desk at which lanes ask and the centre answers, both signed.
//!
//! Whoever sits at it (`Clerk`) gets only what is truly a lane's own: readable, on the subject of
//! the lane that it names, signed by a key that is that lane's now. Anything else gets no answer at
//! all. Several desks of several processes share what is asked.
//!
//! Deliberately absent: asking again, which is the lane's; and whether what is asked is of this
//! moment, which the clerk knows.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message};
use domain::signature::{Context, SecretKey, Signature};
use domain::wire::v1::parse;
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId, Timestamp};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use tokio::sync::RwLock;

use crate::registry::{Registry, RegistryError, SignedWhen};

/// How often lanes and their keys are read again, so that a revoked one is refused.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// Why lanes can no longer be answered; the caller begins again.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The broker refused the subscription.
    #[error("subscribe to {subjects}")]
    Subscribe {
        /// What was to be heard.
        subjects: &'static str,
        /// What the broker said.
        #[source]
        source: async_nats::SubscribeError,
    },
    /// The lanes' keys could not be read.
    #[error("read the lanes' keys")]
    Keys(#[source] RegistryError),
}

/// Something a lane asked, that is truly its own.
pub(crate) struct Asked<'a, T> {
    pub(crate) question: T,
    /// Its exact bytes.
    pub(crate) payload: &'a [u8],
    pub(crate) signature: Signature,
    pub(crate) keys: &'a Registry,
    pub(crate) now: Timestamp,
}

/// Who sits at a desk.
pub(crate) trait Clerk: Sync {
    /// What is asked.
    type Question: DeserializeOwned + Send;
    /// What it is called where it cannot be read.
    const WHAT: &'static str;
    /// Where lanes ask.
    const SUBJECTS: &'static str;
    /// What a question's signature is for, and an answer's.
    const CONTEXTS: (Context, Context);
    /// How many are answered at the same time.
    const AT_ONCE: usize;

    /// The lane that asks.
    fn lane(question: &Self::Question) -> &LaneId;

    /// The answer's exact bytes; none where the question deserves none.
    fn answer(
        &self,
        asked: Asked<'_, Self::Question>,
    ) -> impl Future<Output = Option<Vec<u8>>> + Send;
}

/// Why a question gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ignored {
    Unreadable,
    Foreign,
    Forged,
}

fn admit<'a, C: Clerk>(
    message: &'a Message,
    keys: &'a Registry,
    now: Timestamp,
) -> Result<Asked<'a, C::Question>, Ignored> {
    let payload = &message.payload;
    let question: C::Question = parse(C::WHAT, payload).map_err(|_error| Ignored::Unreadable)?;
    let lane = C::lane(&question);
    if subject::lane_of(&message.subject).as_ref() != Some(lane) {
        return Err(Ignored::Foreign);
    }
    let signature = message
        .headers
        .as_ref()
        .and_then(|headers| headers.get(SIGNATURE_HEADER))
        .and_then(|text| Signature::try_from(text.as_str().to_owned()).ok())
        .ok_or(Ignored::Forged)?;
    let when = SignedWhen { written_at: None, came_at: now };
    if !keys.signed_by_lane(lane, when, C::CONTEXTS.0, payload, &signature) {
        return Err(Ignored::Forged);
    }
    Ok(Asked { question, payload, signature, keys, now })
}

/// A desk, and what it works with.
pub(crate) struct Desk {
    pub(crate) client: Client,
    pub(crate) pool: PgPool,
    pub(crate) key: SecretKey,
    pub(crate) clock: Clock,
}

impl Desk {
    /// Has the clerk answer lanes for as long as the connection lives.
    pub(crate) async fn serve<C: Clerk>(&self, clerk: &C) -> Result<(), DeskError> {
        let keys = Registry::load(&self.pool).await.map_err(DeskError::Keys)?;
        let keys = RwLock::new(Arc::new(keys));
        let questions = self
            .client
            .queue_subscribe(C::SUBJECTS, "clearing-house".to_owned())
            .await
            .map_err(|source| DeskError::Subscribe { subjects: C::SUBJECTS, source })?;
        let mut every = tokio::time::interval(KEYS_EVERY);
        every.tick().await;
        let answered = questions.for_each_concurrent(C::AT_ONCE, async |message| {
            let keys = Arc::clone(&*keys.read().await);
            self.handle(clerk, &message, &keys).await;
        });
        let refreshed = async {
            loop {
                every.tick().await;
                match Registry::load(&self.pool).await {
                    Ok(anew) => *keys.write().await = Arc::new(anew),
                    Err(error) => return DeskError::Keys(error),
                }
            }
        };
        tokio::select! {
            () = answered => Ok(()),
            error = refreshed => Err(error),
        }
    }

    async fn handle<C: Clerk>(&self, clerk: &C, message: &Message, keys: &Registry) {
        let Some(reply) = message.reply.clone() else { return };
        let asked = match admit::<C>(message, keys, self.clock.now()) {
            Ok(asked) => asked,
            Err(why) => {
                tracing::warn!(?why, what = C::WHAT, "what a lane asked was ignored");
                return;
            }
        };
        let Some(payload) = clerk.answer(asked).await else { return };
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, self.key.sign(C::CONTEXTS.1, &payload).to_text());
        if let Err(error) = self.client.publish_with_headers(reply, headers, payload.into()).await {
            tracing::warn!(%error, what = C::WHAT, "an answer was not sent; the lane goes on alone");
        }
    }
}
