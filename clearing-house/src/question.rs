//! The online question: may this tag pass for this amount?
//!
//! A lane that would refuse a vehicle for want of money asks once, because the customer may have
//! paid a moment ago. It is answered from the ledger itself: the balance, from which what is set
//! aside is gone already. Nothing is reserved by asking, and a lane that hears nothing in time
//! decides alone. A question that is forged, foreign or expired gets no answer at all.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message};
use domain::signature::{Context, Digest256, SecretKey, Signature};
use domain::wire::v1::{AccountAnswer, AccountQuestion, RulingRecord, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Amount, Clock, TagId, Timestamp};
use futures::StreamExt as _;
use jiff::SignedDuration;
use sqlx::{PgPool, Row};
use tokio::sync::RwLock;

use crate::account::AccountState;
use crate::registry::{Registry, RegistryError, SignedWhen};

/// Questions answered at the same time.
const AT_ONCE: usize = 4;
/// How long the database may take, in real time: a lane waits 200 ms.
const LOOK_UP_WITHIN: Duration = Duration::from_millis(150);
/// How long a question may be good for, and how far ahead of the centre's a lane's clock may be.
const GOOD_FOR: SignedDuration = SignedDuration::from_secs(10);
/// How often lanes and their keys are read again, so that a revoked one is refused.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// Why questions can no longer be answered; the caller begins again.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The broker refused the subscription.
    #[error("subscribe to questions")]
    Subscribe(#[source] async_nats::SubscribeError),
    /// The lanes' keys could not be read.
    #[error("read the lanes' keys")]
    Keys(#[source] RegistryError),
}

/// What the books know of a tag, for a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    state: AccountState,
    available: i64,
    exempt: bool,
}

/// What is said of a tag with these facts, or without any.
fn ruling(facts: Option<Facts>, amount: Amount) -> RulingRecord {
    let Some(facts) = facts else { return RulingRecord::UnknownTag };
    match facts.state {
        AccountState::Blocked => RulingRecord::Blocked,
        AccountState::Closed => RulingRecord::Closed,
        AccountState::NotConverted => RulingRecord::NotConverted,
        AccountState::Open if facts.exempt || facts.available >= amount.minor_units() => {
            RulingRecord::MayPass
        }
        AccountState::Open => RulingRecord::NoMoney,
    }
}

/// Why a question gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ignored {
    Unreadable,
    Foreign,
    Forged,
    Expired,
    TooLong,
}

/// Reads a question, and refuses what is not a lane's own and of this moment.
fn admit(message: &Message, keys: &Registry, now: Timestamp) -> Result<AccountQuestion, Ignored> {
    let question: AccountQuestion =
        parse("question", &message.payload).map_err(|_error| Ignored::Unreadable)?;
    if subject::lane_of(&message.subject).as_ref() != Some(&question.lane) {
        return Err(Ignored::Foreign);
    }
    let signature = message
        .headers
        .as_ref()
        .and_then(|headers| headers.get(SIGNATURE_HEADER))
        .and_then(|text| Signature::try_from(text.as_str().to_owned()).ok())
        .ok_or(Ignored::Forged)?;
    let payload = &message.payload;
    let when = SignedWhen { written_at: None, came_at: now };
    if !keys.signed_by_lane(&question.lane, when, Context::Question, payload, &signature) {
        return Err(Ignored::Forged);
    }
    if question.expires_at <= now {
        return Err(Ignored::Expired);
    }
    if question.expires_at.duration_since(now) > GOOD_FOR + GOOD_FOR
        || question.expires_at.duration_since(question.asked_at) > GOOD_FOR
    {
        return Err(Ignored::TooLong);
    }
    Ok(question)
}

/// Answers lanes.
#[derive(Debug)]
struct Desk {
    client: Client,
    pool: PgPool,
    key: SecretKey,
    clock: Clock,
    keys: RwLock<Arc<Registry>>,
}

/// Answers lanes for as long as the connection lives.
///
/// # Errors
/// When the subscription cannot be made or the lanes' keys cannot be read.
pub async fn serve(
    client: Client,
    pool: PgPool,
    key: SecretKey,
    clock: Clock,
) -> Result<(), QuestionError> {
    let keys = Registry::load(&pool).await.map_err(QuestionError::Keys)?;
    let desk = Desk { client, pool, key, clock, keys: RwLock::new(Arc::new(keys)) };
    let questions = desk
        .client
        .queue_subscribe(subject::ALL_QUESTIONS, "clearing-house".to_owned())
        .await
        .map_err(QuestionError::Subscribe)?;
    let mut every = tokio::time::interval(KEYS_EVERY);
    every.tick().await;
    let answered = questions.for_each_concurrent(AT_ONCE, |message| desk.handle(message));
    let refreshed = async {
        loop {
            every.tick().await;
            match Registry::load(&desk.pool).await {
                Ok(keys) => *desk.keys.write().await = Arc::new(keys),
                Err(error) => return QuestionError::Keys(error),
            }
        }
    };
    tokio::select! {
        () = answered => Ok(()),
        error = refreshed => Err(error),
    }
}

impl Desk {
    async fn handle(&self, message: Message) {
        let Some(reply) = message.reply.clone() else { return };
        let keys = Arc::clone(&*self.keys.read().await);
        let question = match admit(&message, &keys, self.clock.now()) {
            Ok(question) => question,
            Err(why) => {
                tracing::warn!(?why, "a question about an account was ignored");
                return;
            }
        };
        let found = tokio::time::timeout(LOOK_UP_WITHIN, self.look_up(&question.tag)).await;
        let ruling = match found {
            Ok(Ok(facts)) => ruling(facts, question.amount),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a question, unanswered");
                RulingRecord::CannotTell
            }
            Err(_late) => RulingRecord::CannotTell,
        };
        let payload = emit(&AccountAnswer {
            v: 1,
            lane: question.lane,
            question: Digest256::of(&message.payload),
            ruling,
            answered_at: self.clock.now(),
        });
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, self.key.sign(Context::Answer, &payload).to_text());
        if let Err(error) = self.client.publish_with_headers(reply, headers, payload.into()).await {
            tracing::warn!(%error, "an answer was not sent; the lane decides alone");
        }
    }

    async fn look_up(&self, tag: &TagId) -> Result<Option<Facts>, sqlx::Error> {
        let row = sqlx::query(
            "select b.state, b.balance, v.exempt \
             from tag t join vehicle v using (plate) join balance_v1 b using (account) where t.tag = $1",
        )
        .bind(tag.as_bytes())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.and_then(|row| {
            let state = AccountState::from_name(row.get(0))?;
            Some(Facts { state, available: row.get(1), exempt: row.get(2) })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(state: AccountState, available: i64, exempt: bool, amount: i64, said: RulingRecord) {
        let facts = Facts { state, available, exempt };
        assert_eq!(ruling(Some(facts), Amount::try_new(amount).unwrap()), said, "{facts:?}");
    }

    #[test]
    fn an_open_account_passes_to_the_last_dong() {
        check(AccountState::Open, 47_000, false, 47_000, RulingRecord::MayPass);
        check(AccountState::Open, 46_999, false, 47_000, RulingRecord::NoMoney);
        check(AccountState::Open, 0, false, 0, RulingRecord::MayPass);
        check(AccountState::Open, -1, false, 0, RulingRecord::NoMoney);
        check(AccountState::Open, -1, true, 47_000, RulingRecord::MayPass);
    }

    #[test]
    fn money_does_not_open_for_an_account_that_is_not_in_use() {
        check(AccountState::Blocked, 1_000_000, true, 0, RulingRecord::Blocked);
        check(AccountState::Closed, 1_000_000, false, 0, RulingRecord::Closed);
        check(AccountState::NotConverted, 1_000_000, false, 0, RulingRecord::NotConverted);
        assert_eq!(ruling(None, Amount::ZERO), RulingRecord::UnknownTag);
    }
}
