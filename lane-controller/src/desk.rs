//! The desk's line to the lanes: commands in, replies, events and heartbeats out.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use domain::wire::subject;
use domain::wire::v1::{Command, CommandAnswer, CommandReply, LaneEvent, emit, parse};
use domain::{LaneId, Timestamp};
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ask::Asker;
use crate::runner::{Wake, Word};
use crate::vitals::VitalSigns;

/// How often a lane says that it lives, in real time.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// The longest that a command may be good for, in run time.
const LIFE_MAX: Duration = Duration::from_secs(10);
/// The same in real time, where that is longer.
const LIFE_REAL_MIN: Duration = Duration::from_secs(2);
/// What is lost where run time and real time are reckoned into each other.
const ROUNDING: Duration = Duration::from_millis(1);
/// How long a lane may take to answer, in real time.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Brings commands to the lanes for as long as the process lives.
///
/// # Errors
/// When a subscription cannot be made.
pub async fn commands(
    client: Client,
    lanes: HashMap<LaneId, Sender<Wake>>,
) -> Result<(), async_nats::SubscribeError> {
    let mut all = Vec::new();
    for lane in lanes.keys() {
        all.push(client.subscribe(subject::command(lane)).await?);
    }
    let mut all = futures::stream::select_all(all);
    while let Some(message) = all.next().await {
        let Some(reply_to) = message.reply.clone() else { continue };
        let command: Command = match parse("command", &message.payload) {
            Ok(command) => command,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no command");
                continue;
            }
        };
        let wakes = subject::lane_of(&message.subject)
            .filter(|lane| *lane == command.lane)
            .and_then(|lane| lanes.get(&lane).cloned());
        let client = client.clone();
        tokio::spawn(async move {
            let id = command.id.clone();
            let (reply, answer) = oneshot::channel();
            let refused = |why: &str| CommandReply {
                v: 1,
                id: id.clone(),
                answer: CommandAnswer::Refused { why: why.to_owned() },
            };
            let sent =
                wakes.map(|wakes| wakes.send(Wake::Command(Box::new(command), reply)).is_ok());
            let reply = if sent == Some(true) {
                match tokio::time::timeout(ANSWER_WITHIN, answer).await {
                    Ok(Ok(reply)) => reply,
                    Ok(Err(_)) | Err(_) => refused("the lane did not answer"),
                }
            } else {
                refused("the command is for another lane")
            };
            if let Err(error) = client.publish(reply_to, emit(&reply).into()).await {
                tracing::warn!(%error, "a reply was not sent");
            }
        });
    }
    Ok(())
}

/// Whether a command is to be carried out at all. One that may live for long could open a barrier
/// hours later; one of before the lane's start may have been carried out already, by the lane that
/// was there then.
///
/// # Errors
/// Why not.
pub fn admit(
    command: &Command,
    now: Timestamp,
    started_at: Timestamp,
    speed: f64,
) -> Result<(), &'static str> {
    // In a run that is faster than life people are not.
    let life_max = LIFE_MAX.max(LIFE_REAL_MIN.mul_f64(speed.max(1.0))) + ROUNDING;
    let life = command.expires_at.duration_since(command.issued_at);
    if Duration::try_from(life).is_ok_and(|life| life > life_max) {
        return Err("a command may be good for ten seconds at most");
    }
    if command.expires_at < now {
        return Err("the command has expired");
    }
    if command.issued_at < started_at {
        return Err("the command is older than the lane's start");
    }
    if command.attendant.trim().is_empty() {
        return Err("the command does not say who gave it");
    }
    Ok(())
}

/// Hands on what a lane says, tells the uplink what was written, and asks what it wants to know.
pub async fn words(
    asker: Asker,
    mut words: mpsc::UnboundedReceiver<Word>,
    written: watch::Sender<u64>,
    events: mpsc::UnboundedSender<Box<LaneEvent>>,
) {
    while let Some(word) = words.recv().await {
        match word {
            Word::Written { seq } => {
                written.send_replace(seq);
            }
            // Nobody carries events any more when the process ends.
            Word::Event(event) => drop(events.send(event)),
            Word::Ask(question) => drop(tokio::spawn(asker.clone().ask(question))),
        }
    }
}

/// Publishes a lane's heartbeats; ends when the lane's place has ended. A lane that does not run
/// has none.
pub async fn heartbeats(client: Client, wakes: Sender<Wake>, signs: VitalSigns) {
    let to = subject::heartbeat(&signs.lane);
    let mut beat = tokio::time::interval(HEARTBEAT_EVERY);
    loop {
        beat.tick().await;
        let (reply, health) = oneshot::channel();
        if wakes.send(Wake::Health(reply)).is_err() {
            return;
        }
        let Ok(mut heartbeat) = health.await else { continue };
        signs.complete(&mut heartbeat);
        if client.connection_state() == State::Connected
            && let Err(error) = client.publish(to.clone(), emit(&heartbeat).into()).await
        {
            tracing::debug!(%error, "a heartbeat was not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::wire::v1::{ReasonRecord, Verb};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn command(issued: i64, expires: i64) -> Command {
        Command {
            v: 1,
            id: "c-1".to_owned(),
            lane: "cienco4/ben-thuy/l01".parse().unwrap(),
            call: 1,
            attendant: "nv-07".to_owned(),
            issued_at: at(issued),
            expires_at: at(expires),
            verb: Verb::TurnAway { reason: ReasonRecord::DriversWish },
        }
    }

    #[test]
    fn only_a_fresh_command_of_a_person_with_a_name_is_carried_out() {
        let said = |command: &Command, now| admit(command, at(now), at(0), 1.0).err();
        assert_eq!(said(&command(10, 20), 20), None);
        assert_eq!(said(&command(10, 20), 21), Some("the command has expired"));
        let long = Some("a command may be good for ten seconds at most");
        assert_eq!(said(&command(10, 21), 11), long);
        let old = Some("the command is older than the lane's start");
        assert_eq!(said(&command(-1, 9), 5), old);
        let nobody = Command { attendant: " ".to_owned(), ..command(10, 20) };
        assert_eq!(said(&nobody, 11), Some("the command does not say who gave it"));
    }

    #[test]
    fn a_fast_run_leaves_people_two_real_seconds() {
        assert_eq!(admit(&command(10, 110), at(100), at(0), 50.0), Ok(()));
        assert!(admit(&command(10, 111), at(100), at(0), 50.0).is_err());
    }
}
