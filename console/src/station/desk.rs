//! The desk: keeps the board up to date from the broker, and sends commands to lanes.
//!
//! Connections come and go by themselves; while the broker is away the board grows stale and says
//! so, and commands are refused rather than kept for later.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::connection::State;
use async_nats::{Client, Message};
use axum::body::Bytes;
use broker_link::Link;
use domain::order::{self, Signer};
use domain::signature::Digest256;
use domain::wire::v1::{
    self, Command, CommandReply, Heartbeat, LaneEvent, LaneMode, PictureNote, RoleRecord, WireError,
};
use domain::wire::{SIGNERS_HEADER, subject};
use domain::{Amount, Clock, LaneId, PassageId};
use futures::stream::{self, StreamExt};
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::access::Scope;
use crate::audit::OpenItem;
use crate::books::{Books, BooksError, in_time};
use crate::config::Station;

use super::board::{Board, Condition, Freshness, Lane, Place};
use super::order::validity;
use super::pictures::Album;
use super::view::{Scene, Viewer};

pub(super) use domain::wire::v1::CommandAnswer as Answer;

/// How long to wait before the next attempt to connect.
const RETRY: Duration = Duration::from_secs(2);

/// How often the register of lanes is read again.
const REGISTER_EVERY: Duration = Duration::from_secs(5);

/// How often calls that nobody repeats are looked for.
const DEADLINE_EVERY: Duration = Duration::from_secs(1);

/// The shortest and the longest real time a lane may take to answer.
const ANSWER_MIN: Duration = Duration::from_secs(2);
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long the fare of a passage that an order made is waited for: its event comes with the reply.
const FARE_WITHIN: Duration = Duration::from_millis(250);

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// There is no connection to the broker.
    #[error("the broker is away")]
    BrokerAway,
    /// The call has ended.
    #[error("the call has ended")]
    CallGone,
    /// No lane controller listens.
    #[error("nobody listens on the lane's command subject")]
    NobodyThere,
    /// No answer came in time.
    #[error("the lane did not answer in time")]
    Silence,
    /// The request failed on the way.
    #[error("send the command")]
    Send(#[source] async_nats::RequestError),
    /// The answer was not understood.
    #[error("read the lane's reply")]
    WrongReply(#[source] WireError),
    /// The answer is to another command.
    #[error("the reply is to another command")]
    AnotherReply,
}

/// The board, the broker behind it, and who waits for news of it.
#[derive(Debug)]
pub(crate) struct Desk {
    clock: Clock,
    /// The station, where the desk stands at one.
    station: Option<Station>,
    board: Mutex<Board>,
    client: OnceLock<Client>,
    /// The last pictures that a station's desk heard.
    album: Mutex<Album>,
    register_is_read: watch::Sender<bool>,
    changed: watch::Sender<()>,
}

/// What a lane last said of how it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    /// How it works.
    pub mode: Option<LaneMode>,
    /// The directive it works by.
    pub directive: Option<u64>,
}

impl Desk {
    pub(crate) fn new(clock: Clock, station: Option<Station>) -> Self {
        let board = station.as_ref().map(|at| Board::at(place_of(at))).unwrap_or_default();
        Self {
            clock,
            board: Mutex::new(board),
            client: OnceLock::new(),
            album: Mutex::default(),
            // A station's own configuration is all the register it needs.
            register_is_read: watch::Sender::new(station.is_some()),
            station,
            changed: watch::Sender::new(()),
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Board)) {
        change(&mut self.board());
        self.changed.send_replace(());
    }

    /// Tells whenever the board has changed.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The connection, while the broker is there.
    pub(super) fn connected(&self) -> Option<Client> {
        self.client.get().filter(|_| self.is_connected()).cloned()
    }

    /// A picture that was heard, as far as it is still held.
    pub(super) fn held(&self, lane: &LaneId, digest: &Digest256) -> Option<Bytes> {
        self.album.lock().unwrap_or_else(PoisonError::into_inner).of(lane, digest)
    }

    /// Whether a vehicle that waits has this picture.
    pub(super) fn has_picture(&self, lane: &LaneId, call: u64, digest: &Digest256) -> bool {
        let board = self.board();
        let pictures = board.lane(lane).map_or(&[][..], |lane| lane.pictures_of(call));
        pictures.iter().any(|picture| picture.digest == *digest)
    }

    /// Whether the broker is there.
    pub(crate) fn is_connected(&self) -> bool {
        self.client.get().is_some_and(|client| client.connection_state() == State::Connected)
    }

    /// The zone of the operator, where all lanes known have the same one; otherwise UTC.
    pub(crate) fn zone(&self) -> TimeZone {
        if let Some(station) = &self.station {
            return place_of(station).zone;
        }
        let board = self.board();
        let mut zones = board.lanes().filter_map(|(_, lane)| lane.place.as_ref()).map(|p| &p.zone);
        match zones.next() {
            Some(first) if zones.all(|zone| zone == first) => first.clone(),
            Some(_) | None => TimeZone::UTC,
        }
    }

    /// The currency of all lanes known, where it is the same.
    pub(super) fn currency(&self) -> Option<domain::Currency> {
        let board = self.board();
        let mut all = board.lanes().filter_map(|(_, lane)| lane.place.as_ref()).map(|p| p.currency);
        let first = all.next()?;
        all.all(|currency| currency == first).then_some(first)
    }

    /// Everything the station's page shows at this moment.
    pub(super) fn scene(&self, viewer: Viewer<'_>) -> Scene {
        let zone = self.zone();
        let (connected, registered) = (self.is_connected(), *self.register_is_read.borrow());
        let run_time = viewer.t.date_and_time(self.clock.now(), &zone);
        let board = self.board();
        Scene::new(&board, viewer, &self.clock)
            .with_notices(connected, registered)
            .with_run_time(run_time)
    }

    /// What a shift that ends now would leave behind, of the lanes of a scope.
    pub(super) fn open_items(&self, scope: &Scope) -> Vec<OpenItem> {
        let now = self.clock.real();
        let board = self.board();
        let mut items = Vec::new();
        for (id, lane) in board.lanes().filter(|(id, _)| scope.covers(id)) {
            items.extend(lane.calls.iter().map(|(number, call)| OpenItem::Call {
                lane: id.clone(),
                call: *number,
                exception: call.exception,
            }));
            if lane.condition(now) != Condition::Normal && lane.calls.is_empty() {
                items.push(OpenItem::Lane { lane: id.clone() });
            }
            let heartbeat = lane.heartbeat.as_ref();
            let unposted = heartbeat.map_or(0, |h| h.last_seq.saturating_sub(h.posted_upto));
            if unposted > UNPOSTED_USUAL {
                items.push(OpenItem::Unposted { lane: id.clone(), passages: unposted });
            }
        }
        items
    }

    /// How a lane works by its own word; nothing where it has not been heard of late.
    pub(crate) fn word_of(&self, lane: &LaneId) -> Option<Word> {
        let board = self.board();
        let known = board.lane(lane)?;
        let fresh = known.freshness(self.clock.real()) == Freshness::Fresh;
        let heartbeat = known.heartbeat.as_ref().filter(|_| fresh)?;
        let vitals = heartbeat.vitals.as_ref();
        Some(Word {
            mode: vitals.and_then(|vitals| vitals.mode),
            directive: vitals.and_then(|vitals| vitals.directive_version),
        })
    }

    /// The fare that a vehicle was called for with.
    pub(super) fn fare_of_call(&self, lane: &LaneId, call: u64) -> Option<Amount> {
        self.board().lane(lane)?.calls.get(&call)?.fare
    }

    /// What a passage owes that the lane has just made, if its event comes soon.
    pub(super) async fn fare_of(&self, passage: &PassageId) -> Option<Amount> {
        let mut changes = self.changes();
        let known = async {
            loop {
                changes.mark_unchanged();
                if let Some(fare) = self.board().fare_of(passage) {
                    return fare;
                }
                if changes.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(FARE_WITHIN, known).await.ok().flatten()
    }

    /// Listens to all lanes for as long as the console lives.
    pub(crate) async fn listen(&self, broker: &Link) {
        loop {
            match broker.connect("console").await {
                Ok(client) => {
                    self.client.get_or_init(|| client.clone());
                    match self.follow(&client).await {
                        Ok(()) => warn!("the broker ended the subscriptions"),
                        Err(error) => {
                            warn!(error = &error as &dyn Error, "subscribe to the lanes");
                        }
                    }
                }
                Err(error) => warn!(error = &error as &dyn Error, "connect to the broker"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow(&self, client: &Client) -> Result<(), async_nats::SubscribeError> {
        let of = |kind: &str, all: &str| match &self.station {
            Some(at) => format!("etc.v1.{kind}.{}.{}.*", at.operator, at.station),
            None => all.to_owned(),
        };
        let heartbeats = client.subscribe(of("heartbeat", subject::ALL_HEARTBEATS)).await?;
        let events = client.subscribe(of("event", subject::ALL_EVENTS)).await?;
        // At the centre pictures are fetched one by one; those of all lanes would be too many.
        let pictures = match &self.station {
            Some(at) => format!("etc.v1.picture.{}.{}.>", at.operator, at.station),
            None => subject::ALL_PICTURE_NOTES.to_owned(),
        };
        let pictures = client.subscribe(pictures).await?;
        let lives = stream::select(
            heartbeats.map(|message| (Kind::Heartbeat, message)),
            events.map(|message| (Kind::Event, message)),
        );
        let mut messages = stream::select(lives, pictures.map(|message| (Kind::Picture, message)));
        while let Some((kind, message)) = messages.next().await {
            if let Err(error) = self.handle_message(kind, &message) {
                debug!(error = &error as &dyn Error, subject = %message.subject, "message left out");
            }
        }
        Ok(())
    }

    fn handle_message(&self, kind: Kind, message: &Message) -> Result<(), WireError> {
        // A lane's user may publish under the lane's own subjects alone: the subject, not the
        // payload, proves who speaks.
        let speaker = subject::lane_of(&message.subject);
        let now = self.clock.real();
        match kind {
            Kind::Heartbeat => {
                let heartbeat: Heartbeat = v1::parse("heartbeat", &message.payload)?;
                if speaker.as_ref() == Some(&heartbeat.lane) {
                    self.change(|board| board.handle_heartbeat(heartbeat, now));
                }
            }
            Kind::Event => {
                let event: LaneEvent = v1::parse("event", &message.payload)?;
                if speaker.as_ref() == Some(&event.lane) {
                    self.change(|board| board.handle_event(event, now));
                }
            }
            Kind::Picture if speaker.is_some() => {
                let note: PictureNote = v1::parse("note of pictures", &message.payload)?;
                if speaker.as_ref() == Some(&note.lane) {
                    self.change(|board| board.handle_pictures(note));
                }
            }
            Kind::Picture => {
                let mut album = self.album.lock().unwrap_or_else(PoisonError::into_inner);
                if !album.hold(&message.subject, message.payload.clone()) {
                    warn!(subject = %message.subject, "a picture is not what its subject says");
                }
            }
        }
        Ok(())
    }

    /// Drops calls that nobody repeats, for as long as the console lives.
    pub(crate) async fn watch_deadlines(&self) {
        let mut every = tokio::time::interval(DEADLINE_EVERY);
        loop {
            every.tick().await;
            let (now, speed) = (self.clock.real(), self.clock.speed());
            self.change(|board| board.handle_deadline(now, speed));
        }
    }

    /// Reads the register of lanes, again and again, for as long as the console lives.
    pub(crate) async fn follow_register(&self, books: &Books) {
        let mut every = tokio::time::interval(REGISTER_EVERY);
        loop {
            every.tick().await;
            match register(books).await {
                Ok(places) => {
                    if !self.register_is_read.send_replace(!places.is_empty()) && !places.is_empty()
                    {
                        info!(lanes = places.len(), "register of lanes read");
                    }
                    self.change(|board| board.handle_register(places));
                }
                Err(error) => debug!(error = &error as &dyn Error, "read the register of lanes"),
            }
        }
    }

    /// Sends a command with its signatures to its lane, and waits for the answer.
    pub(super) async fn send(
        &self,
        command: &Command,
        signers: &[Signer],
    ) -> Result<Answer, CommandError> {
        let client = self.connected().ok_or(CommandError::BrokerAway)?;
        let waits = |lane: &Lane| lane.calls.contains_key(&command.call);
        if command.verb.is_about_vehicle() && !self.board().lane(&command.lane).is_some_and(waits) {
            return Err(CommandError::CallGone);
        }
        let patience =
            self.clock.to_real(validity(self.clock.speed())).clamp(ANSWER_MIN, ANSWER_MAX);
        let mut request =
            async_nats::Request::new().payload(v1::emit(command).into()).timeout(Some(patience));
        if !signers.is_empty() {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert(SIGNERS_HEADER, order::header(signers).as_str());
            request = request.headers(headers);
        }
        let reply = client.send_request(subject::command(&command.lane), request).await.map_err(
            |error| match error.kind() {
                RequestErrorKind::TimedOut => CommandError::Silence,
                RequestErrorKind::NoResponders => CommandError::NobodyThere,
                _ => CommandError::Send(error),
            },
        )?;
        let reply: CommandReply =
            v1::parse("command reply", &reply.payload).map_err(CommandError::WrongReply)?;
        if reply.id == command.id { Ok(reply.answer) } else { Err(CommandError::AnotherReply) }
    }

    /// A desk that hears what a test tells it.
    #[cfg(test)]
    pub(crate) fn hear(&self, event: LaneEvent) {
        let now = self.clock.real();
        self.change(|board| board.handle_event(event, now));
    }
}

/// Passages that are on their way at any moment, and no cause for a note.
const UNPOSTED_USUAL: u64 = 20;

/// The place that all lanes of a station have.
fn place_of(station: &Station) -> Place {
    Place {
        operator: station.operator_name.clone(),
        station: station.station_name.clone(),
        role: None,
        // Checked when the configuration was read.
        zone: TimeZone::get(&station.zone).unwrap_or(TimeZone::UTC),
        currency: station.currency,
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Heartbeat,
    Event,
    Picture,
}

/// A lane of the register, as the books have it.
#[derive(sqlx::FromRow)]
struct RegisterRow {
    lane: String,
    role: String,
    operator_name: String,
    station_name: String,
    zone: String,
    currency: String,
}

async fn register(books: &Books) -> Result<Vec<(LaneId, Place)>, BooksError> {
    let rows: Vec<RegisterRow> = in_time(
        sqlx::query_as(
            "select l.lane, l.role, o.name as operator_name, s.name as station_name, o.zone,
                    o.currency::text as currency
             from lane l
             join operator o using (operator)
             join station s using (operator, station)
             order by l.lane",
        )
        .fetch_all(books.pool()?),
    )
    .await?;
    rows.into_iter().map(RegisterRow::place).collect()
}

impl RegisterRow {
    fn place(self) -> Result<(LaneId, Place), BooksError> {
        let shape = |what| BooksError::Shape { what };
        let lane = self.lane.parse().or(Err(shape("lane")))?;
        let role = match self.role.as_str() {
            "open" => RoleRecord::Open,
            "entry" => RoleRecord::Entry,
            "exit" => RoleRecord::Exit,
            _ => return Err(shape("role of a lane")),
        };
        let place = Place {
            operator: self.operator_name,
            station: self.station_name,
            role: Some(role),
            zone: TimeZone::get(&self.zone).or(Err(shape("zone of an operator")))?,
            currency: self.currency.parse().or(Err(shape("currency of an operator")))?,
        };
        Ok((lane, place))
    }
}
