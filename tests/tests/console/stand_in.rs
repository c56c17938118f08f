//! A lane that speaks the wire: it lives, calls for a person, and does what it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::Client;
use domain::order::{self, SignedOrder};
use domain::signature::Digest256;
use domain::wire::v1::{
    Command, CommandAnswer, CommandReply, DecisionRecord, EventKind, ExceptionRecord, Heartbeat,
    LaneDirective, LaneEvent, LaneMode, PictureKind, PictureNote, PictureRecord, Pictured,
    ReaderHealth, Verb, Vitals, emit, parse,
};
use domain::wire::{SIGNERS_HEADER, subject};
use domain::{Amount, Clock, LaneId};
use futures::StreamExt;
use simulator::demo::broker::{Broker, BrokerUser};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What a lane's vehicles owe here.
pub(crate) const FARE: i64 = 47_000;

const HEARTBEAT_EVERY: Duration = Duration::from_millis(300);
const CALL_AGAIN_EVERY: Duration = Duration::from_secs(1);

/// A call that waits.
type Waiting = Option<(u64, ExceptionRecord)>;

/// How a lane works, and by which directive.
type Works = (LaneMode, Option<u64>);

/// A lane; it ends with this.
#[derive(Debug)]
pub(crate) struct StandIn {
    lane: LaneId,
    client: Client,
    waiting: Arc<Mutex<Waiting>>,
    works: Arc<Mutex<Works>>,
    commands: mpsc::UnboundedReceiver<SignedOrder>,
    _tasks: JoinSet<()>,
}

fn event(lane: &LaneId, kind: EventKind) -> LaneEvent {
    LaneEvent { v: 1, lane: lane.clone(), at: Clock::system().now(), kind }
}

impl StandIn {
    /// Starts a lane.
    pub(crate) async fn start(broker: &Broker, lane: &str) -> Self {
        let lane: LaneId = lane.parse().unwrap();
        let client = broker.connect(&BrokerUser::Centre).await.unwrap();
        let waiting: Arc<Mutex<Waiting>> = Arc::default();
        let (told, commands) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let works: Arc<Mutex<Works>> = Arc::default();
        tasks.spawn(live(client.clone(), lane.clone(), Arc::clone(&waiting), Arc::clone(&works)));
        tasks.spawn(call_again(client.clone(), lane.clone(), Arc::clone(&waiting)));
        let orders = client.subscribe(subject::command(&lane)).await.unwrap();
        client.flush().await.unwrap();
        tasks.spawn(obey(client.clone(), orders, lane.clone(), Arc::clone(&waiting), told));
        Self { lane, client, waiting, works, commands, _tasks: tasks }
    }

    /// A vehicle waits for a person.
    pub(crate) async fn call(&self, number: u64, exception: ExceptionRecord) {
        *self.waiting.lock().unwrap() = Some((number, exception));
        tell(&self.client, &self.lane, raised(number, exception)).await;
    }

    /// A camera of the lane took these pictures of the vehicle that waits.
    pub(crate) async fn show(&self, call: u64, pictures: &[(PictureKind, Vec<u8>)]) {
        let named: Vec<_> =
            pictures.iter().map(|(kind, bytes)| (*kind, Digest256::of(bytes), bytes)).collect();
        self.show_as(call, &named).await;
    }

    /// The same, under whatever digests.
    pub(crate) async fn show_as(&self, call: u64, named: &[(PictureKind, Digest256, &Vec<u8>)]) {
        let mut records = Vec::new();
        for (kind, digest, bytes) in named {
            let to = subject::picture(&self.lane, digest);
            self.client.publish(to, (*bytes).clone().into()).await.unwrap();
            let len = u64::try_from(bytes.len()).unwrap();
            records.push(PictureRecord { digest: *digest, kind: *kind, len });
        }
        let (lane, at) = (self.lane.clone(), Clock::system().now());
        let of = Pictured::Call { call };
        let note = emit(&PictureNote { v: 1, lane, at, of, pictures: records });
        self.client.publish(subject::picture_note(&self.lane), note.into()).await.unwrap();
        self.client.flush().await.unwrap();
    }

    /// The next command that came.
    pub(crate) async fn next_command(&mut self) -> Command {
        self.next_order().await.command
    }

    /// The same, with who signed it.
    pub(crate) async fn next_order(&mut self) -> SignedOrder {
        let next = tokio::time::timeout(Duration::from_secs(15), self.commands.recv()).await;
        next.expect("a command comes").unwrap()
    }

    /// How the lane works, by its own word.
    pub(crate) async fn works(&self, mode: LaneMode) {
        self.works.lock().unwrap().0 = mode;
        let kind = EventKind::ModeOrdered { mode, by: "binh".to_owned() };
        tell(&self.client, &self.lane, kind).await;
    }

    /// The lane works by a directive from now on, by its own word.
    pub(crate) fn follows(&self, directive: &LaneDirective) {
        *self.works.lock().unwrap() = (directive.mode, Some(directive.version));
    }
}

fn raised(call: u64, exception: ExceptionRecord) -> EventKind {
    let tag =
        (exception != ExceptionRecord::NoTag).then(|| "3416214B88C0011762000493".parse().unwrap());
    EventKind::CallRaised { call, exception, tag, fare: Some(Amount::try_new(FARE).unwrap()) }
}

async fn tell(client: &Client, lane: &LaneId, kind: EventKind) {
    let bytes = emit(&event(lane, kind));
    client.publish(subject::event(lane), bytes.into()).await.unwrap();
    client.flush().await.unwrap();
}

async fn live(
    client: Client,
    lane: LaneId,
    waiting: Arc<Mutex<Waiting>>,
    works: Arc<Mutex<Works>>,
) {
    let mut beat = tokio::time::interval(HEARTBEAT_EVERY);
    loop {
        beat.tick().await;
        let calls = usize::from(waiting.lock().unwrap().is_some());
        let (mode, directive_version) = *works.lock().unwrap();
        let heartbeat = Heartbeat {
            v: 1,
            lane: lane.clone(),
            at: Clock::system().now(),
            epoch: 1,
            last_seq: 100,
            posted_upto: 100,
            list_version: 3,
            list_hash: Digest256::of(b"list"),
            reader: ReaderHealth::Reading,
            field_io: true,
            queue: calls,
            calls,
            arm_up: Some(false),
            unwritten: None,
            degraded: Vec::new(),
            vitals: Some(Vitals { mode: Some(mode), directive_version, ..Vitals::default() }),
        };
        client.publish(subject::heartbeat(&lane), emit(&heartbeat).into()).await.unwrap();
    }
}

async fn call_again(client: Client, lane: LaneId, waiting: Arc<Mutex<Waiting>>) {
    let mut again = tokio::time::interval(CALL_AGAIN_EVERY);
    loop {
        again.tick().await;
        let call = *waiting.lock().unwrap();
        if let Some((number, exception)) = call {
            tell(&client, &lane, raised(number, exception)).await;
        }
    }
}

async fn obey(
    client: Client,
    mut orders: async_nats::Subscriber,
    lane: LaneId,
    waiting: Arc<Mutex<Waiting>>,
    told: mpsc::UnboundedSender<SignedOrder>,
) {
    let mut seq = 100_u64;
    while let Some(message) = orders.next().await {
        let command: Command = parse("command", &message.payload).unwrap();
        let header = message.headers.as_ref().and_then(|all| all.get(SIGNERS_HEADER));
        let signers = order::signers(header.map(async_nats::HeaderValue::as_str)).unwrap();
        let decision = match command.verb {
            Verb::Open { .. } => Some(DecisionRecord::OpenedByAttendant),
            Verb::ChargeByPlate { .. } => Some(DecisionRecord::ChargedByPlate),
            Verb::TurnAway { .. } => Some(DecisionRecord::TurnedAway),
            Verb::ChangeGroup { .. }
            | Verb::RetryRead
            | Verb::BeginConvoy { .. }
            | Verb::EndConvoy
            | Verb::SetMode { .. } => None,
        };
        let answer = match decision {
            None => CommandAnswer::Obeyed,
            Some(decision) => {
                seq += 1;
                *waiting.lock().unwrap() = None;
                let fare = Amount::try_new(FARE).ok();
                let recorded = EventKind::PassageRecorded {
                    epoch: 1,
                    seq,
                    decision,
                    group: None,
                    fare,
                    read_to_decision_us: None,
                };
                tell(&client, &lane, recorded).await;
                tell(&client, &lane, EventKind::CallEnded { call: command.call }).await;
                CommandAnswer::Done { passage: format!("{lane}:1:{seq}").parse().unwrap() }
            }
        };
        let reply = CommandReply { v: 1, id: command.id.clone(), answer };
        client.publish(message.reply.unwrap(), emit(&reply).into()).await.unwrap();
        told.send(SignedOrder { command, signers }).ok();
    }
}
