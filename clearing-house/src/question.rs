//! The online question: may this tag pass for this amount?
//!
//! A lane that would refuse a vehicle for want of money asks once, because the customer may have
//! paid a moment ago. It is answered from the ledger itself: the balance, from which what is set
//! aside is gone already. Nothing is reserved by asking, and a lane that hears nothing in time
//! decides alone. A question that is forged, foreign or expired gets no answer at all.

use std::time::Duration;

use async_nats::Client;
use domain::signature::{Context, Digest256, SecretKey};
use domain::wire::subject;
use domain::wire::v1::{AccountAnswer, AccountQuestion, RulingRecord, emit};
use domain::{Amount, Clock, LaneId, TagId, Timestamp};
use jiff::SignedDuration;
use sqlx::{PgPool, Row};

use crate::account::AccountState;
use crate::lane_desk::{Asked, Clerk, Desk, DeskError};

/// How long the database may take, in real time: a lane waits 200 ms.
const LOOK_UP_WITHIN: Duration = Duration::from_millis(150);
/// How long a question may be good for, and how far ahead of the centre's a lane's clock may be.
const GOOD_FOR: SignedDuration = SignedDuration::from_secs(10);

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

/// Why a lane's own question gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Untimely {
    Expired,
    TooLong,
}

/// Refuses what is not of this moment.
fn timely(question: &AccountQuestion, now: Timestamp) -> Result<(), Untimely> {
    if question.expires_at <= now {
        return Err(Untimely::Expired);
    }
    if question.expires_at.duration_since(now) > GOOD_FOR + GOOD_FOR
        || question.expires_at.duration_since(question.asked_at) > GOOD_FOR
    {
        return Err(Untimely::TooLong);
    }
    Ok(())
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
) -> Result<(), DeskError> {
    let rulings = Rulings { pool: pool.clone(), clock };
    Desk { client, pool, key, clock }.serve(&rulings).await
}

/// Rules by the ledger.
struct Rulings {
    pool: PgPool,
    clock: Clock,
}

impl Clerk for Rulings {
    type Question = AccountQuestion;
    const WHAT: &'static str = "question";
    const SUBJECTS: &'static str = subject::ALL_QUESTIONS;
    const CONTEXTS: (Context, Context) = (Context::Question, Context::Answer);
    const AT_ONCE: usize = 4;

    fn lane(question: &AccountQuestion) -> &LaneId {
        &question.lane
    }

    async fn answer(&self, asked: Asked<'_, AccountQuestion>) -> Option<Vec<u8>> {
        let question = asked.question;
        if let Err(why) = timely(&question, asked.now) {
            tracing::warn!(?why, "a question about an account was ignored");
            return None;
        }
        let found = tokio::time::timeout(LOOK_UP_WITHIN, self.look_up(&question.tag)).await;
        let ruling = match found {
            Ok(Ok(facts)) => ruling(facts, question.amount),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a question, unanswered");
                RulingRecord::CannotTell
            }
            Err(_late) => RulingRecord::CannotTell,
        };
        Some(emit(&AccountAnswer {
            v: 1,
            lane: question.lane,
            question: Digest256::of(asked.payload),
            ruling,
            answered_at: self.clock.now(),
        }))
    }
}

impl Rulings {
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
