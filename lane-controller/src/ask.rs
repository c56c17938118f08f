//! The online question: a vehicle whose account has no money by the list may have been paid for a
//! moment ago. Asked once, and never waited for longer than the lane allows.
//!
//! Without a link the answer is *unknown* at once. So it is where the centre answers too late, or
//! what came is not the centre's word about this very question.

use std::sync::mpsc::Sender;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use domain::signature::{Context, Digest256, PublicKey, SecretKey, Signature};
use domain::wire::v1::{AccountAnswer, AccountQuestion, RulingRecord, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Amount, Clock, LaneId, TagId};

use crate::lane::CentreAnswer;
use crate::runner::Wake;

/// A question about a vehicle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The vehicle, for the answer.
    pub vehicle: u64,
    /// Its tag.
    pub tag: TagId,
    /// What its passage would cost; without it nothing can be asked.
    pub amount: Option<Amount>,
}

/// Asks for one lane.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The lane.
    pub lane: LaneId,
    /// What it signs with.
    pub key: SecretKey,
    /// What the centre signs with.
    pub centre: PublicKey,
    /// The broker.
    pub client: Client,
    /// The run's clock.
    pub clock: Clock,
    /// How long an answer is waited for, in real time.
    pub within: Duration,
    /// Where answers go.
    pub wakes: Sender<Wake>,
}

impl Asker {
    /// Asks, and tells the lane the answer.
    pub async fn ask(self, question: Question) {
        let vehicle = question.vehicle;
        let answer = self.answer(question).await;
        // A lane that has ended needs no answer.
        drop(self.wakes.send(Wake::CentreAnswered { vehicle, answer }));
    }

    async fn answer(&self, question: Question) -> CentreAnswer {
        let Some(amount) = question.amount else { return CentreAnswer::Unknown };
        if self.client.connection_state() != State::Connected {
            return CentreAnswer::Unknown;
        }
        let asked_at = self.clock.now();
        let waits = self.within.mul_f64(self.clock.speed().max(1.0)).min(GOOD_FOR_MAX);
        let record = AccountQuestion {
            v: 1,
            id: format!("{}:{}:{}", self.lane, asked_at.as_nanosecond(), question.vehicle),
            lane: self.lane.clone(),
            tag: question.tag,
            amount,
            asked_at,
            expires_at: asked_at.saturating_add(waits).unwrap_or(asked_at),
        };
        let payload = emit(&record);
        let asked = Digest256::of(&payload);
        let mut headers = async_nats::HeaderMap::new();
        let signature = self.key.sign(Context::Question, &payload);
        headers.insert(SIGNATURE_HEADER, signature.to_text());
        let to = subject::question(&self.lane);
        let reply = self.client.request_with_headers(to, headers, payload.into());
        match tokio::time::timeout(self.within, reply).await {
            Ok(Ok(message)) => self.read(asked, &message),
            Ok(Err(error)) => {
                tracing::debug!(lane.id = %self.lane, %error, "the centre was not asked");
                CentreAnswer::Unknown
            }
            Err(_late) => CentreAnswer::Unknown,
        }
    }

    fn read(&self, asked: Digest256, message: &async_nats::Message) -> CentreAnswer {
        let signature = message.headers.as_ref().and_then(|all| all.get(SIGNATURE_HEADER));
        let signature =
            signature.and_then(|text| Signature::try_from(text.as_str().to_owned()).ok());
        understand(&self.lane, &self.centre, asked, signature.as_ref(), &message.payload)
            .unwrap_or_else(|why| {
                tracing::warn!(lane.id = %self.lane, why, "an answer of the centre was not taken");
                CentreAnswer::Unknown
            })
    }
}

/// No question is good for longer than that, by the wire contract.
const GOOD_FOR_MAX: Duration = Duration::from_secs(10);

/// What an answer says, if it is the centre's and about this question.
fn understand(
    lane: &LaneId,
    centre: &PublicKey,
    asked: Digest256,
    signature: Option<&Signature>,
    payload: &[u8],
) -> Result<CentreAnswer, &'static str> {
    let signature = signature.ok_or("it is not signed")?;
    centre
        .verify(Context::Answer, payload, signature)
        .map_err(|_forged| "it is not signed by the centre")?;
    let answer: AccountAnswer =
        parse("answer", payload).map_err(|_other| "it is no answer of version 1")?;
    if answer.lane != *lane || answer.question != asked {
        return Err("it answers another question");
    }
    Ok(match answer.ruling {
        RulingRecord::MayPass => CentreAnswer::MayPass,
        // Whatever else stands against it, it may not pass now; the list tells what, in a moment.
        RulingRecord::NoMoney
        | RulingRecord::Blocked
        | RulingRecord::Closed
        | RulingRecord::NotConverted
        | RulingRecord::UnknownTag => CentreAnswer::NoMoney,
        RulingRecord::CannotTell => CentreAnswer::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> LaneId {
        "cienco4/ben-thuy/l01".parse().unwrap()
    }

    fn answered(
        change: impl Fn(&mut AccountAnswer),
        key: u8,
    ) -> Result<CentreAnswer, &'static str> {
        let centre = SecretKey::from_seed(&[1; 32]);
        let asked = Digest256::of(b"question");
        let mut answer = AccountAnswer {
            v: 1,
            lane: lane(),
            question: asked,
            ruling: RulingRecord::MayPass,
            answered_at: "2026-11-22T05:00:00Z".parse().unwrap(),
        };
        change(&mut answer);
        let payload = emit(&answer);
        let signature = SecretKey::from_seed(&[key; 32]).sign(Context::Answer, &payload);
        understand(&lane(), &centre.public(), asked, Some(&signature), &payload)
    }

    #[test]
    fn only_the_centres_word_about_this_very_question_counts() {
        assert_eq!(answered(|_| {}, 1), Ok(CentreAnswer::MayPass));
        assert_eq!(answered(|_| {}, 2), Err("it is not signed by the centre"));
        let other = |answer: &mut AccountAnswer| answer.question = Digest256::of(b"another");
        assert_eq!(answered(other, 1), Err("it answers another question"));
        let elsewhere =
            |answer: &mut AccountAnswer| answer.lane = "cienco4/ben-thuy/l02".parse().unwrap();
        assert_eq!(answered(elsewhere, 1), Err("it answers another question"));
        let centre = SecretKey::from_seed(&[1; 32]).public();
        let asked = Digest256::of(b"question");
        assert_eq!(understand(&lane(), &centre, asked, None, b"{}"), Err("it is not signed"));
    }

    #[test]
    fn every_ruling_but_one_refuses_or_tells_nothing() {
        let says = |ruling| answered(move |answer| answer.ruling = ruling, 1).unwrap();
        for ruling in [
            RulingRecord::NoMoney,
            RulingRecord::Blocked,
            RulingRecord::Closed,
            RulingRecord::NotConverted,
            RulingRecord::UnknownTag,
        ] {
            assert_eq!(says(ruling), CentreAnswer::NoMoney);
        }
        assert_eq!(says(RulingRecord::CannotTell), CentreAnswer::Unknown);
    }
}
