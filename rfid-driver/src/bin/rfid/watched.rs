//! A supervised reader whose events come through a queue that cannot grow for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rfid_driver::protocol::Protocol;
use rfid_driver::session::Request;
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent};

use crate::arguments::ReaderArguments;
use crate::clock;
use crate::failure::Failure;
use crate::interrupt::{Interrupt, LOOK_PERIOD};
use crate::line;
use crate::probe::{AskAntennas, Search};

/// Minutes of reads, for an output that is stuck; what comes then is counted and thrown away.
const QUEUE_LEN_MAX: usize = 65_536;

/// The reader and its queue.
#[derive(Debug)]
pub(crate) struct WatchedReader {
    reader: Reader,
    events: mpsc::Receiver<(Instant, ReaderEvent)>,
    thrown_away: Arc<AtomicU64>,
}

impl WatchedReader {
    /// Starts the reader that the arguments name, after finding out what it speaks where they do
    /// not say.
    pub(crate) fn start(
        arguments: &ReaderArguments,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let candidates = arguments.candidates()?;
        let (protocol, baud) = match arguments.protocol {
            Some(protocol) => {
                // A port that is not there is said at once; later it is waited for.
                drop(line::open(&arguments.port)?);
                (protocol, None)
            }
            None => {
                let search = Search {
                    port: arguments.port.clone(),
                    candidates,
                    bauds: arguments.settings(None).bauds,
                    antennas: AskAntennas::No,
                };
                let found = search.run(interrupt)?;
                (found.protocol, found.baud)
            }
        };
        Self::spawn(arguments, protocol, baud)
    }

    fn spawn(
        arguments: &ReaderArguments,
        protocol: &'static dyn Protocol,
        baud: Option<u32>,
    ) -> Result<Self, Failure> {
        let (sender, events) = mpsc::sync_channel(QUEUE_LEN_MAX);
        let thrown_away = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&thrown_away);
        let config = ReaderConfig {
            protocol,
            settings: arguments.settings(baud),
            ..ReaderConfig::new(arguments.port.clone())
        };
        let reader = Reader::spawn(config, move |event| {
            if sender.try_send((clock::now(), event)).is_err() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        })
        .map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self { reader, events, thrown_away })
    }

    pub(crate) fn request(&self, request: Request) {
        self.reader.request(request);
    }

    /// The next event, and when it came; `None` when `due` has come or it is time to look around.
    pub(crate) fn next(&self, due: Option<Instant>) -> Option<(Instant, ReaderEvent)> {
        let now = clock::now();
        let wait = due.map_or(LOOK_PERIOD, |due| due.saturating_duration_since(now));
        self.events.recv_timeout(wait.min(LOOK_PERIOD)).ok()
    }

    /// An event that is there already.
    pub(crate) fn next_waiting(&self) -> Option<(Instant, ReaderEvent)> {
        self.events.try_recv().ok()
    }

    /// How many events found no room since this was asked last.
    pub(crate) fn take_thrown_away(&self) -> u64 {
        self.thrown_away.swap(0, Ordering::Relaxed)
    }

    /// Leaves the reader quiet.
    pub(crate) fn stop(self) {
        self.reader.stop();
    }
}

/// Whether `limit` has passed since `start`.
pub(crate) fn is_over(start: Instant, limit: Option<Duration>) -> bool {
    limit.is_some_and(|limit| clock::now().saturating_duration_since(start) >= limit)
}
