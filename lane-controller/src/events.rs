//! Lane events on their way to the broker: what matters is kept until the broker has it.
//!
//! What only those need who watch now goes out at once or not at all. The rest (calls, faults,
//! alarms, changes of mode) is written to a small file of the lane's and leaves it when the broker has
//! acknowledged it, however long that takes. The file is bounded: where too many wait, the least
//! severe goes first, of those the oldest, and how many went is said when the broker is back. Nothing
//! here is money, and nothing here stops a lane: where the file fails, memory stands in for it.

use std::path::Path;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::{Client, HeaderMap};
use domain::signature::Digest256;
use domain::wire::subject;
use domain::wire::v1::{EventKind, LaneEvent, Severity, emit};
use domain::{Clock, LaneId};
use rusqlite::{Connection, params};
use tokio::sync::{mpsc, watch};

/// So many events of a lane wait for the broker at most.
pub const KEPT_MAX: u64 = 10_000;
/// How many are under way at once.
const AT_ONCE: usize = 16;
/// How soon a broker that did not take an event is asked again, in real time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long the broker may take to acknowledge one, in real time.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    pragma journal_mode = wal;
    pragma synchronous = normal;
    create table if not exists event (
        id       integer primary key autoincrement,
        severity integer not null,
        payload  blob not null
    ) strict;
    create index if not exists event_by_severity on event (severity, id);
    create table if not exists dropped (one integer primary key check (one = 1), count integer) strict;
    insert or ignore into dropped values (1, 0);
";

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its number; none comes twice in one file.
    pub id: i64,
    /// Its exact bytes.
    pub payload: Vec<u8>,
}

/// The events of one lane that wait for the broker.
#[derive(Debug)]
pub struct EventStore {
    connection: Connection,
    kept_max: u64,
    waiting: u64,
}

impl EventStore {
    /// Opens a lane's file, or memory in its place where that cannot be used.
    #[must_use]
    pub fn open(path: &Path, kept_max: u64) -> Self {
        let open = || Connection::open(path).and_then(|file| Self::over(file, kept_max));
        let opened = open().or_else(|error| {
            tracing::error!(%error, "the file of events is put away, and a new one begins");
            // Where it cannot be put away, opening it fails once more.
            drop(std::fs::rename(path, path.with_extension("events-damaged")));
            open()
        });
        opened.unwrap_or_else(|error| {
            tracing::error!(%error, "events wait in memory alone");
            Self::in_memory(kept_max)
        })
    }

    fn in_memory(kept_max: u64) -> Self {
        Connection::open_in_memory()
            .and_then(|memory| Self::over(memory, kept_max))
            .expect("a store in memory needs nothing of the system")
    }

    fn over(connection: Connection, kept_max: u64) -> Result<Self, rusqlite::Error> {
        connection.execute_batch(SCHEMA)?;
        let waiting = connection.query_row("select count(*) from event", [], |row| row.get(0))?;
        Ok(Self { connection, kept_max, waiting })
    }

    /// How many wait.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Keeps an event; where too many wait, the oldest of the least severe goes.
    pub fn push(&mut self, event: &LaneEvent) {
        if let Err(error) = self.try_push(event) {
            tracing::error!(%error, "events wait in memory alone");
            *self = Self::in_memory(self.kept_max);
            // In memory it does well, or there is no memory left to say so in.
            let _unkept = self.try_push(event);
        }
    }

    fn try_push(&mut self, event: &LaneEvent) -> Result<(), rusqlite::Error> {
        let severity = event.kind.severity();
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "insert into event (severity, payload) values (?1, ?2)",
            params![rank(severity), emit(event)],
        )?;
        let mut waiting = self.waiting + 1;
        if waiting > self.kept_max {
            transaction.execute(
                "delete from event where id = (select id from event order by severity, id limit 1)",
                [],
            )?;
            transaction.execute("update dropped set count = count + 1", [])?;
            waiting -= 1;
        }
        transaction.commit()?;
        self.waiting = waiting;
        Ok(())
    }

    /// The oldest that wait, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub fn oldest(&self, limit: usize) -> Result<Vec<Waiting>, rusqlite::Error> {
        let mut statement =
            self.connection.prepare_cached("select id, payload from event order by id limit ?1")?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(Waiting { id: row.get(0)?, payload: row.get(1)? })
        })?;
        rows.collect()
    }

    /// Forgets an event that the broker has.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forget(&mut self, id: i64) -> Result<(), rusqlite::Error> {
        let gone = self.connection.execute("delete from event where id = ?1", [id])?;
        self.waiting = self.waiting.saturating_sub(u64::try_from(gone).unwrap_or(0));
        Ok(())
    }

    /// How many were dropped since this was last asked.
    ///
    /// # Errors
    /// When the store fails.
    pub fn take_dropped(&mut self) -> Result<u64, rusqlite::Error> {
        let count = self.connection.query_row("select count from dropped", [], |row| row.get(0))?;
        if count > 0 {
            self.connection.execute("update dropped set count = 0", [])?;
        }
        Ok(count)
    }
}

const fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Passing => 0,
        Severity::Note => 1,
        Severity::Fault => 2,
        Severity::Alarm => 3,
    }
}

/// Carries one lane's events to the broker.
#[derive(Debug)]
pub struct EventLine {
    /// The lane.
    pub lane: LaneId,
    /// The connection.
    pub client: Client,
    /// The same, for what is stored at the broker.
    pub jetstream: Context,
    /// What waits.
    pub store: EventStore,
    /// The lane's events, as they happen.
    pub events: mpsc::UnboundedReceiver<Box<LaneEvent>>,
    /// How many wait.
    pub waiting: watch::Sender<u64>,
    /// The run's clock.
    pub clock: Clock,
}

impl EventLine {
    /// Carries until nobody has events any more; what waits then waits in the file.
    pub async fn run(mut self) {
        let mut again_at = self.clock.real();
        loop {
            self.waiting.send_replace(self.store.waiting());
            let wait = again_at.saturating_duration_since(self.clock.real());
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Some(event) => self.take(&event).await,
                    None => return,
                },
                () = tokio::time::sleep(wait), if self.store.waiting() > 0 => {
                    if !self.drain().await {
                        again_at = self.clock.real() + AGAIN_AFTER;
                    }
                }
            }
        }
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    async fn take(&mut self, event: &LaneEvent) {
        if event.kind.severity() > Severity::Passing {
            self.store.push(event);
        } else if self.is_connected() {
            let to = subject::event(&self.lane);
            if let Err(error) = self.client.publish(to, emit(event).into()).await {
                tracing::debug!(%error, "an event was not sent");
            }
        }
    }

    /// Sends some of what waits; tells whether all of them were taken.
    async fn drain(&mut self) -> bool {
        if !self.is_connected() {
            return false;
        }
        match self.store.take_dropped() {
            Ok(0) => {}
            Ok(count) => {
                tracing::error!(lane.id = %self.lane, count, "events were dropped");
                let kind = EventKind::EventsDropped { count };
                let at = self.clock.now();
                self.store.push(&LaneEvent { v: 1, lane: self.lane.clone(), at, kind });
            }
            Err(error) => tracing::error!(%error, "how many events were dropped is not known"),
        }
        let oldest = match self.store.oldest(AT_ONCE) {
            Ok(oldest) => oldest,
            Err(error) => {
                tracing::error!(%error, "events are not read; memory stands in");
                self.store = EventStore::in_memory(self.store.kept_max);
                return false;
            }
        };
        let sent = oldest.into_iter().map(|waiting| {
            let (lane, jetstream) = (self.lane.clone(), self.jetstream.clone());
            send(lane, jetstream, waiting)
        });
        let sent: Vec<_> = futures::future::join_all(sent).await;
        let all = sent.iter().all(Option::is_some);
        for id in sent.into_iter().flatten() {
            if let Err(error) = self.store.forget(id) {
                tracing::error!(%error, "an event that was sent will be sent again");
                return false;
            }
        }
        all
    }
}

/// Sends one; tells its number where the broker has it.
async fn send(lane: LaneId, jetstream: Context, waiting: Waiting) -> Option<i64> {
    let mut headers = HeaderMap::new();
    // The digest tells events of two files with equal numbers apart.
    let digest = Digest256::of(&waiting.payload);
    headers.insert("Nats-Msg-Id", format!("event/{lane}/{}/{digest}", waiting.id));
    let to = subject::event(&lane);
    let publish =
        async { jetstream.publish_with_headers(to, headers, waiting.payload.into()).await?.await };
    match tokio::time::timeout(ACKNOWLEDGED_WITHIN, publish).await {
        Ok(Ok(_ack)) => Some(waiting.id),
        Ok(Err(error)) => {
            tracing::debug!(lane.id = %lane, %error, "the broker did not take an event");
            None
        }
        Err(_elapsed) => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use domain::wire::v1::{ReaderHealth, parse};

    use super::*;

    fn event(number: u64, kind: EventKind) -> LaneEvent {
        let at = Timestamp::from_second(i64::try_from(number).unwrap()).unwrap();
        LaneEvent { v: 1, lane: "cienco4/ben-thuy/l01".parse().unwrap(), at, kind }
    }

    fn note(number: u64) -> LaneEvent {
        event(number, EventKind::CallEnded { call: number })
    }

    fn fault(number: u64) -> LaneEvent {
        event(number, EventKind::Reader { health: ReaderHealth::Away })
    }

    fn alarm(number: u64) -> LaneEvent {
        event(number, EventKind::Alarm { text: "the arm is broken".to_owned() })
    }

    fn waiting(store: &EventStore) -> Vec<i64> {
        let read = |one: &Waiting| parse::<LaneEvent>("event", &one.payload).unwrap();
        store.oldest(100).unwrap().iter().map(|one| read(one).at.as_second()).collect()
    }

    #[test]
    fn what_waits_is_there_after_a_restart_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.events");
        let mut store = EventStore::open(&path, 10);
        for event in [alarm(1), note(2), fault(3)] {
            store.push(&event);
        }
        let first = store.oldest(1).unwrap().remove(0).id;
        store.forget(first).unwrap();
        drop(store);
        let store = EventStore::open(&path, 10);
        assert_eq!((waiting(&store), store.waiting()), (vec![2, 3], 2));
    }

    #[test]
    fn the_oldest_of_the_least_severe_is_dropped_first_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = EventStore::open(&folder.path().join("a.events"), 4);
        for event in [alarm(1), note(2), fault(3), note(4), alarm(5)] {
            store.push(&event);
        }
        assert_eq!(waiting(&store), [1, 3, 4, 5]);
        for event in [fault(6), alarm(7), alarm(8)] {
            store.push(&event);
        }
        assert_eq!(waiting(&store), [1, 5, 7, 8]);
        store.push(&note(9));
        assert_eq!(waiting(&store), [1, 5, 7, 8]);
        assert_eq!((store.take_dropped().unwrap(), store.take_dropped().unwrap()), (5, 0));
    }

    #[test]
    fn a_file_that_is_none_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.events");
        std::fs::write(&path, [7; 4_096]).unwrap();
        let mut store = EventStore::open(&path, 4);
        store.push(&alarm(1));
        drop(store);
        assert_eq!(waiting(&EventStore::open(&path, 4)), [1]);
        let nowhere = folder.path().join("nowhere/a.events");
        let mut store = EventStore::open(&nowhere, 4);
        store.push(&alarm(1));
        assert_eq!(waiting(&store), [1]);
    }

    #[test]
    fn a_year_of_a_reader_that_comes_and_goes_takes_no_more_room_than_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.events");
        let mut store = EventStore::open(&path, 200);
        let mut largest = 0;
        for number in 0..6_000 {
            store.push(&fault(number));
            if number == 1_000 {
                largest = std::fs::metadata(&path).unwrap().len();
            }
        }
        assert_eq!(store.waiting(), 200);
        assert!(std::fs::metadata(&path).unwrap().len() <= largest.max(1 << 18));
    }
}
