//! The desk's line to the lanes: commands in, replies, events and heartbeats out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use domain::order::{self, OrderError, SignedOrder, needs_signature};
use domain::signature::PublicKey;
use domain::wire::v1::{Command, CommandAnswer, CommandReply, LaneEvent, emit, parse};
use domain::wire::{SIGNERS_HEADER, subject};
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

/// Brings orders to the lanes for as long as the process lives, each proved by these desks' keys.
///
/// # Errors
/// When a subscription cannot be made.
pub async fn commands(
    client: Client,
    lanes: HashMap<LaneId, Sender<Wake>>,
    desks: Arc<[PublicKey]>,
) -> Result<(), async_nats::SubscribeError> {
    let mut all = Vec::new();
    for lane in lanes.keys() {
        all.push(client.subscribe(subject::command(lane)).await?);
    }
    let mut all = futures::stream::select_all(all);
    while let Some(message) = all.next().await {
        let Some(reply_to) = message.reply.clone() else { continue };
        let wakes = subject::lane_of(&message.subject)
            .and_then(|lane| Some((lane.clone(), lanes.get(&lane)?.clone())));
        let (client, desks) = (client.clone(), Arc::clone(&desks));
        tokio::spawn(async move {
            let Some((lane, wakes)) = wakes else { return };
            let signers = message.headers.as_ref().and_then(|all| all.get(SIGNERS_HEADER));
            let signers = signers.map(async_nats::HeaderValue::as_str);
            let reply = match read(&message.payload, signers, &lane, &desks) {
                Ok(order) => hand_on(order, &wakes).await,
                Err(refused) => refused,
            };
            let Some(reply) = reply else { return };
            if let Err(error) = client.publish(reply_to, emit(&reply).into()).await {
                tracing::warn!(%error, "a reply was not sent");
            }
        });
    }
    Ok(())
}

/// All that is asked of an order that is not understood.
#[derive(serde::Deserialize)]
struct Named {
    id: String,
}

/// Reads an order for a lane, and proves it as far as the site asks. What is refused has a reply,
/// where it can be told to what.
fn read(
    payload: &[u8],
    header: Option<&str>,
    lane: &LaneId,
    desks: &[PublicKey],
) -> Result<SignedOrder, Option<CommandReply>> {
    let command: Command = parse("command", payload).map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "no command");
        // A desk that is newer than this lane may order what the lane does not know.
        let named: Option<Named> = serde_json::from_slice(payload).ok();
        named.map(|Named { id }| refused(id, "this lane's program does not know such an order"))
    })?;
    let id = command.id.clone();
    if command.lane != *lane {
        return Err(Some(refused(id, "the command is for another lane")));
    }
    let signed = || {
        let signers = order::signers(header)?;
        // What is proved, and kept for a proof, is the command as it is written here.
        if emit(&command) != payload {
            return Err(OrderError::Forged);
        }
        if desks.is_empty() && !needs_signature(&command.verb) {
            // Nobody is known here who could vouch for anybody: no proof is kept that proves nothing,
            // and no second person is believed to have agreed.
            if command.second.is_some() {
                return Err(OrderError::Unsigned);
            }
            return Ok(SignedOrder { command, signers: Vec::new() });
        }
        let order = SignedOrder { command, signers };
        order.prove(desks)?;
        Ok(order)
    };
    signed().map_err(|error: OrderError| {
        tracing::warn!(lane.id = %lane, command.id = id, %error, "an order is refused");
        Some(refused(id, &error.to_string()))
    })
}

fn refused(id: String, why: &str) -> CommandReply {
    CommandReply { v: 1, id, answer: CommandAnswer::Refused { why: why.to_owned() } }
}

/// Hands an order to its lane, and waits for what the lane answers.
async fn hand_on(order: SignedOrder, wakes: &Sender<Wake>) -> Option<CommandReply> {
    let id = order.command.id.clone();
    let (reply, answer) = oneshot::channel();
    if wakes.send(Wake::Command(Box::new(order), reply)).is_err() {
        return Some(refused(id, "the lane has ended"));
    }
    match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(Ok(reply)) => Some(reply),
        Ok(Err(_)) | Err(_) => Some(refused(id, "the lane did not answer")),
    }
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
    if Duration::try_from(command.issued_at.duration_since(now)).is_ok_and(|ahead| ahead > life_max)
    {
        return Err("the command is of the future: look at the clocks of desk and lane");
    }
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
    use domain::order::Identity;
    use domain::signature::SecretKey;
    use domain::wire::v1::{DeskRole, ReasonRecord, Verb};

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
            second: None,
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

    fn desk() -> SecretKey {
        SecretKey::from_seed(&[3; 32])
    }

    fn identity(person: &str) -> Identity {
        let roles = vec![DeskRole::StationOperator];
        let who = (person.to_owned(), roles, "cienco4/ben-thuy".to_owned());
        Identity::try_issue(&desk(), who, (at(0), at(3_600))).unwrap()
    }

    /// What a lane that knows these desks answers to an order; nothing where it takes it.
    fn told(command: &Command, header: Option<&str>, desks: &[PublicKey]) -> Option<String> {
        let lane = "cienco4/ben-thuy/l01".parse().unwrap();
        let reply = read(&emit(command), header, &lane, desks).err()??;
        assert_eq!(reply.id, command.id);
        let CommandAnswer::Refused { why } = reply.answer else { panic!("it is refused") };
        Some(why)
    }

    #[test]
    fn a_lane_that_knows_a_desk_takes_what_its_people_signed_and_nothing_else() {
        let desks = [desk().public()];
        let order = command(10, 20);
        let signed = order::header(&[identity("nv-07").sign(&order)]);
        assert_eq!(told(&order, Some(&signed), &desks), None);
        let unsigned = Some("the order is not signed by the person who gives it".to_owned());
        assert_eq!(told(&order, None, &desks), unsigned);
        let other = Command { call: 2, ..order.clone() };
        let forged = Some("a signature of the order is forged".to_owned());
        assert_eq!(told(&other, Some(&signed), &desks), forged);
        let neighbour = Command { lane: "cienco4/ben-thuy/l02".parse().unwrap(), ..order.clone() };
        assert!(told(&neighbour, Some(&signed), &desks).unwrap().contains("another lane"));
        let kims = order::header(&[identity("kim").sign(&order)]);
        assert!(told(&order, Some(&kims), &desks).unwrap().contains("somebody else signed it"));
        assert!(told(&order, Some("[]"), &desks).unwrap().contains("not signed"));
        assert!(told(&order, Some("{"), &desks).unwrap().contains("cannot be read"));
    }

    #[test]
    fn a_lane_that_knows_no_desk_takes_the_old_orders_alone_and_keeps_no_proof_of_them() {
        let lane = "cienco4/ben-thuy/l01".parse().unwrap();
        let order = command(10, 20);
        let signed = order::header(&[identity("nv-07").sign(&order)]);
        let taken = read(&emit(&order), Some(&signed), &lane, &[]).unwrap();
        assert_eq!(taken, SignedOrder { command: order.clone(), signers: Vec::new() });
        let retry = Command { verb: Verb::RetryRead, ..order };
        let signed = order::header(&[identity("nv-07").sign(&retry)]);
        assert!(told(&retry, None, &[]).unwrap().contains("not signed"));
        assert!(told(&retry, Some(&signed), &[]).unwrap().contains("no desk of this station"));
    }

    #[test]
    fn what_a_lane_does_not_know_it_refuses_by_name_and_what_has_none_in_silence() {
        let lane = "cienco4/ben-thuy/l01".parse().unwrap();
        let whole = String::from_utf8(emit(&command(10, 20))).unwrap();
        let new = whole.replace("turn-away", "fly-away");
        let Err(Some(reply)) = read(new.as_bytes(), None, &lane, &[]) else { panic!("refused") };
        let why = "this lane's program does not know such an order".to_owned();
        let answer = CommandAnswer::Refused { why };
        assert_eq!(reply, CommandReply { v: 1, id: "c-1".to_owned(), answer });
        assert_eq!(read(b"37A12345", None, &lane, &[]), Err(None));
    }

    #[test]
    fn an_order_of_the_future_is_no_order_yet() {
        assert_eq!(admit(&command(10, 20), at(5), at(0), 1.0), Ok(()));
        assert!(admit(&command(20, 30), at(5), at(0), 1.0).unwrap_err().contains("the future"));
    }

    #[test]
    fn a_fast_run_leaves_people_two_real_seconds() {
        assert_eq!(admit(&command(10, 110), at(100), at(0), 50.0), Ok(()));
        assert!(admit(&command(10, 111), at(100), at(0), 50.0).is_err());
    }
}
