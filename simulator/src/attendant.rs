//! The scripted attendant of a station: answers its lanes' calls through the command path that a
//! person uses.
//!
//! A call is answered after some seconds of thought, if the same vehicle still stands at the head
//! of the lane, and never two at once for one lane. A call that is missed, refused or lost is no
//! harm: the lane repeats it while the vehicle waits. A reply that is lost is asked for again with
//! the same command, which has one effect however often it comes.

pub(crate) mod answer;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::client::{Request, RequestErrorKind};
use domain::order::{self, Identity};
use domain::signature::SecretKey;
use domain::wire::v1::{
    self, Command, CommandAnswer, CommandReply, DeskRole, EventKind, LaneEvent,
};
use domain::wire::{SIGNERS_HEADER, subject};
use domain::{Clock, LaneId, OperatorId, StationId, Timestamp};
use futures::StreamExt as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;

use crate::road::CrossingKey;
use crate::world::{Head, LaneIndex, Verdict, World};

/// How long an attendant looks before answering, in seconds of run time.
const THINKS_S: std::ops::Range<f64> = 3.0..7.0;
/// How long a command is good for: ten seconds of run time,
const VALID_RUN: Duration = Duration::from_secs(10);
/// but at least this long on the machine, so that a busy one does not let it expire.
const VALID_REAL_MIN: Duration = Duration::from_secs(2);
/// How long an attendant's badge is good: longer than any vehicle waits.
const BADGE_VALID: Duration = Duration::from_hours(24);
/// How long to wait before a command is sent again whose reply did not come.
const NOBODY_PAUSE: Duration = Duration::from_millis(100);
/// How often an attendant looks whether a vehicle has come to a stand,
const LOOKS_AGAIN: Duration = Duration::from_millis(500);
/// but not more often than this on the machine.
const LOOKS_AGAIN_REAL_MIN: Duration = Duration::from_millis(2);
/// A vehicle is turned away only once the lane has seen it leave the presence loop forwards; this
/// is longer than a lane takes to look at its loops.
const SETTLES_REAL: Duration = Duration::from_millis(100);
/// How long to wait before subscribing again when the broker would not have it.
const SUBSCRIBE_PAUSE: Duration = Duration::from_millis(200);

/// An attendant at work.
#[derive(Debug, Clone)]
pub(crate) struct Attendant {
    pub(crate) operator: OperatorId,
    pub(crate) station: StationId,
    pub(crate) client: async_nats::Client,
    /// The key of the desk that vouches for the attendant.
    pub(crate) desk: SecretKey,
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
}

impl Attendant {
    /// Answers calls until the task is stopped.
    pub(crate) async fn run(self) {
        loop {
            match self.client.subscribe(self.events_subject()).await {
                Ok(events) => self.serve(events).await,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(station.id = %self.station, error, "subscribe to calls");
                }
            }
            tokio::time::sleep(SUBSCRIBE_PAUSE).await;
        }
    }

    fn events_subject(&self) -> String {
        format!("etc.v1.event.{}.{}.*", self.operator, self.station)
    }

    /// Serves a subscription until it ends.
    async fn serve(&self, mut events: async_nats::Subscriber) {
        let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
        let mut at_work: HashSet<LaneId> = HashSet::new();
        let mut answers: JoinSet<LaneId> = JoinSet::new();
        loop {
            tokio::select! {
                message = events.next() => {
                    let Some(message) = message else { return };
                    let Some((index, event)) = self.event_of(&message) else { continue };
                    let EventKind::CallRaised { call, .. } = event.kind else { continue };
                    let thinks = Duration::from_secs_f64(chance.random_range(THINKS_S));
                    if at_work.insert(event.lane.clone()) {
                        let attendant = self.clone();
                        answers.spawn(async move {
                            attendant.answer_call(index, &event.lane, call, thinks).await;
                            event.lane
                        });
                    }
                }
                Some(answered) = answers.join_next(), if !answers.is_empty() => {
                    if let Ok(lane) = answered {
                        at_work.remove(&lane);
                    }
                }
            }
        }
    }

    fn event_of(&self, message: &async_nats::Message) -> Option<(LaneIndex, LaneEvent)> {
        match v1::parse::<LaneEvent>("lane event", &message.payload) {
            Ok(event) => self.world().lane_index(&event.lane).map(|index| (index, event)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(station.id = %self.station, error, "skipped an event");
                None
            }
        }
    }

    async fn answer_call(&self, index: LaneIndex, lane: &LaneId, call: u64, thinks: Duration) {
        let Some(seen) = self.world().head(index).map(|head| head.crossing) else { return };
        tokio::time::sleep(self.clock.to_real(thinks)).await;
        let Some(head) = self.standing(index, seen).await else { return };
        let (verb, verdict) = answer::answer(head.role, &head.vehicle);
        if verdict == Verdict::TurnedAway {
            tokio::time::sleep(SETTLES_REAL).await;
        }
        let now = self.clock.now();
        let Some(identity) = self.identity(now) else { return };
        let command = Command {
            v: 1,
            id: format!("{}-{call}-{:x}", lane.lane(), now.as_microsecond()),
            lane: lane.clone(),
            call,
            attendant: identity.badge().person.clone(),
            second: None,
            issued_at: now,
            expires_at: now,
            verb,
        };
        self.world().handle_answer_sent(seen, verdict);
        let send = |command, timeout| self.send(command, &identity, timeout);
        let still_there = || self.world().head(index).is_some_and(|head| head.crossing == seen);
        match carry_out(command, verdict, &self.clock, send, still_there).await {
            Outcome::Done => self.world().handle_answer_done(seen, verdict),
            Outcome::NotDone => self.world().handle_answer_refused(seen),
            // The truth goes by what the vehicle does, and the lane calls again if it waits.
            Outcome::Unknown => {}
        }
    }

    /// Waits until the vehicle that was seen stands at the line; none if it is no longer there.
    async fn standing(&self, lane: LaneIndex, seen: CrossingKey) -> Option<Head> {
        loop {
            let head = self.world().head(lane).filter(|head| head.crossing == seen)?;
            if head.stands {
                return Some(head);
            }
            tokio::time::sleep(self.clock.to_real(LOOKS_AGAIN).max(LOOKS_AGAIN_REAL_MIN)).await;
        }
    }

    /// What the attendant signs with from now on, as somebody who has logged in would.
    fn identity(&self, now: Timestamp) -> Option<Identity> {
        let scope = format!("{}/{}", self.operator, self.station);
        let who = (format!("simulated-{}", self.station), vec![DeskRole::StationOperator], scope);
        let until = now.saturating_add(BADGE_VALID).unwrap_or(now);
        Identity::try_issue(&self.desk, who, (now, until))
            .inspect_err(|error| tracing::error!(%error, "an attendant without a key"))
            .ok()
    }

    async fn send(&self, command: Command, identity: &Identity, timeout: Duration) -> Sent {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNERS_HEADER, order::header(&[identity.sign(&command)]).as_str());
        let request = Request::new()
            .payload(v1::emit(&command).into())
            .headers(headers)
            .timeout(Some(timeout));
        let subject = subject::command(&command.lane);
        match self.client.send_request(subject, request).await {
            Ok(message) => match v1::parse::<CommandReply>("command reply", &message.payload) {
                Ok(reply) if reply.id == command.id => Sent::Answered(reply.answer),
                Ok(_) | Err(_) => Sent::Lost,
            },
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => Sent::Nobody,
                RequestErrorKind::TimedOut
                | RequestErrorKind::InvalidSubject
                | RequestErrorKind::MaxPayloadExceeded
                | RequestErrorKind::Other => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(lane.id = %command.lane, error, "no reply to a command");
                    Sent::Lost
                }
            },
        }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of sending a command once.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sent {
    Answered(CommandAnswer),
    /// No lane controller was there to hear it.
    Nobody,
    /// It may have been carried out or not.
    Lost,
}

/// What came of a command in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    NotDone,
    Unknown,
}

/// Sends a command until its reply is known, or its vehicle is no longer there.
async fn carry_out<F: Future<Output = Sent>>(
    mut command: Command,
    verdict: Verdict,
    clock: &Clock,
    mut send: impl FnMut(Command, Duration) -> F,
    still_there: impl Fn() -> bool,
) -> Outcome {
    let valid_real = clock.to_real(VALID_RUN).max(VALID_REAL_MIN);
    let valid_run = valid_real.mul_f64(clock.speed());
    let mut reply_lost = false;
    loop {
        command.issued_at = clock.now();
        command.expires_at =
            command.issued_at.saturating_add(valid_run).unwrap_or(command.issued_at);
        match send(command.clone(), valid_real).await {
            Sent::Answered(CommandAnswer::Done { .. } | CommandAnswer::Obeyed) => {
                return Outcome::Done;
            }
            Sent::Answered(CommandAnswer::Refused { why }) => {
                tracing::debug!(lane.id = %command.lane, why, "a command was refused");
                return match (reply_lost, verdict) {
                    (false, _) => Outcome::NotDone,
                    // The call is over, and a reply about it was lost: the lane has sent the
                    // vehicle back. It may wait for that, and would not call again.
                    (true, Verdict::TurnedAway) => Outcome::Done,
                    (true, Verdict::LetThrough | Verdict::Priority) => Outcome::Unknown,
                };
            }
            Sent::Nobody if !reply_lost => return Outcome::NotDone,
            Sent::Nobody => tokio::time::sleep(NOBODY_PAUSE).await,
            Sent::Lost => {
                reply_lost = true;
                tokio::time::sleep(NOBODY_PAUSE).await;
            }
        }
        if !still_there() {
            return Outcome::Unknown;
        }
    }
}

#[cfg(test)]
mod tests;
