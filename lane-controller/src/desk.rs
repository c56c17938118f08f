//! The desk's line to the lanes: commands in, replies, events and heartbeats out.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use domain::LaneId;
use domain::wire::subject;
use domain::wire::v1::{Command, CommandAnswer, CommandReply, emit, parse};
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ask::Asker;
use crate::runner::{Wake, Word};

/// How often a lane says that it lives, in real time.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
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

/// Publishes what a lane says, tells the uplink what was written, and asks what it wants to know.
pub async fn words(
    asker: Asker,
    mut words: mpsc::UnboundedReceiver<Word>,
    written: watch::Sender<u64>,
) {
    let (to, client) = (subject::event(&asker.lane), asker.client.clone());
    while let Some(word) = words.recv().await {
        match word {
            Word::Written { seq } => {
                written.send_replace(seq);
            }
            // Events are for those who watch now; nobody waits for one that comes too late.
            Word::Event(event) if client.connection_state() == State::Connected => {
                if let Err(error) = client.publish(to.clone(), emit(&*event).into()).await {
                    tracing::debug!(%error, "an event was not sent");
                }
            }
            Word::Event(_) => {}
            Word::Ask(question) => drop(tokio::spawn(asker.clone().ask(question))),
        }
    }
}

/// Publishes a lane's heartbeats; ends when the lane's place has ended. A lane that does not run
/// has none.
pub async fn heartbeats(lane: LaneId, client: Client, wakes: Sender<Wake>) {
    let to = subject::heartbeat(&lane);
    let mut beat = tokio::time::interval(HEARTBEAT_EVERY);
    loop {
        beat.tick().await;
        let (reply, health) = oneshot::channel();
        if wakes.send(Wake::Health(reply)).is_err() {
            return;
        }
        let Ok(heartbeat) = health.await else { continue };
        if client.connection_state() == State::Connected
            && let Err(error) = client.publish(to.clone(), emit(&heartbeat).into()).await
        {
            tracing::debug!(%error, "a heartbeat was not sent");
        }
    }
}
