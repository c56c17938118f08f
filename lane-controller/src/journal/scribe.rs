//! The scribe: writes the journal on a thread of its own, so that the lane can stop waiting.
//!
//! The lane hands over a passage and waits for it to be durable, as long as it may. A disk that is
//! full or stalls past that bound begins an *episode*: passages are kept in memory, a bounded
//! number of them, in their order and with their sequences, and are written as soon as the store
//! takes them. The journal itself keeps when an episode began and ended and which passages it
//! covers. What happens at the barrier meanwhile is not decided here.
//!
//! A hand-over costs two wake-ups of a thread; between two passages the scribe moves the log into
//! the file, which the barrier then never waits for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use domain::passage::LaneRole;
use domain::{Clock, Timestamp};

use super::{CaseNote, Episode, Journal, JournalError, Retention};
use crate::lane::{PassageDraft, SavedLane};

/// How long to wait before a failed write is tried again, in real time.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// After so many passages the log is moved into the file.
const CHECKPOINT_EVERY: u32 = 256;

/// So many cases are kept in memory while the store fails; then the oldest is given up.
const CASES_IN_MEMORY_MAX: usize = 1_000;

/// A passage on its way into the journal.
#[derive(Debug, Clone)]
pub struct Page {
    /// What the lane is for.
    pub role: LaneRole,
    /// The passage.
    pub draft: PassageDraft,
    /// The lane as it is to be remembered.
    pub saved: SavedLane,
    /// The watermark.
    pub posted_upto: u64,
}

#[derive(Debug)]
enum Request {
    Write(Box<Page>),
    Receipt { posted_upto: u64, retention: Retention, now: Option<Timestamp> },
    Note(Episode),
    Case(CaseNote),
    CasesSent { upto: u64 },
}

#[derive(Debug)]
enum Outcome {
    Durable(u64),
    Failed(JournalError),
}

/// Where a passage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In the journal, on the disk.
    Durable,
    /// In memory: the journal cannot be written in time.
    InMemory,
    /// Nowhere: memory is full too. The passage must be handed over again.
    Nowhere,
}

/// The journal can no longer be written by this scribe.
#[derive(Debug, thiserror::Error)]
#[error("the journal can no longer be written")]
pub struct ScribeEnded {
    /// The last that the store said.
    #[source]
    source: Option<JournalError>,
}

/// Writes one lane's journal on its own thread.
#[derive(Debug)]
pub struct Scribe {
    requests: Option<Sender<Request>>,
    outcomes: Receiver<Outcome>,
    stop: Arc<AtomicBool>,
    clock: Clock,
    wait_max: Duration,
    memory_max: usize,
    epoch: u32,
    handed: u64,
    durable: u64,
    pending: VecDeque<u64>,
    episode: Option<Episode>,
    said: Option<JournalError>,
}

impl Scribe {
    /// Starts writing a journal. A passage is waited for `wait_max` of real time at most, and at
    /// most `memory_max` passages are kept in memory.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        journal: Journal,
        clock: Clock,
        wait_max: Duration,
        memory_max: usize,
    ) -> std::io::Result<Self> {
        let (requests, asked) = channel();
        let (tell, outcomes) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (epoch, last) = (journal.epoch(), journal.last_seq());
        std::thread::Builder::new()
            .name(format!("journal-{}", journal.lane.lane()))
            .spawn(move || write_all(journal, &asked, &tell, &stopped))?;
        Ok(Self {
            requests: Some(requests),
            outcomes,
            stop,
            clock,
            wait_max,
            memory_max,
            epoch,
            handed: last,
            durable: last,
            pending: VecDeque::new(),
            episode: None,
            said: None,
        })
    }

    /// The epoch that is written.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The sequence the next passage will have.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.handed + 1
    }

    /// The last sequence that is on the disk.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.durable
    }

    /// Whether memory holds one more passage.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.pending.len() < self.memory_max.max(1)
    }

    /// How many passages are only in memory; none while the journal is written as it should be.
    #[must_use]
    pub fn unwritten(&self) -> Option<usize> {
        self.episode.as_ref().map(|_| self.pending.len())
    }

    /// What the store said last, where it failed.
    #[must_use]
    pub fn said(&self) -> Option<&JournalError> {
        self.said.as_ref()
    }

    /// Hands over a passage, and waits for it as long as it may be waited for.
    ///
    /// # Errors
    /// When the journal can no longer be written at all.
    pub fn keep(&mut self, page: Page) -> Result<Kept, ScribeEnded> {
        self.listen(Duration::ZERO)?;
        if !self.has_room() {
            return Ok(Kept::Nowhere);
        }
        let at = page.draft.at;
        self.ask(Request::Write(Box::new(page)))?;
        self.handed += 1;
        self.pending.push_back(self.handed);
        if self.episode.is_some() {
            return Ok(Kept::InMemory);
        }
        self.listen(self.wait_max)?;
        if self.pending.is_empty() {
            return Ok(Kept::Durable);
        }
        self.begin_episode(at)?;
        Ok(Kept::InMemory)
    }

    /// Tells the episode that has just ended, if one has: everything is durable again.
    ///
    /// # Errors
    /// When the journal can no longer be written at all.
    pub fn recovered(&mut self, now: Timestamp) -> Result<Option<Episode>, ScribeEnded> {
        self.listen(Duration::ZERO)?;
        if !self.pending.is_empty() {
            return Ok(None);
        }
        let Some(mut episode) = self.episode.take() else { return Ok(None) };
        episode.upto_seq = Some(self.durable);
        episode.until = Some(now);
        self.said = None;
        self.ask(Request::Note(episode.clone()))?;
        Ok(Some(episode))
    }

    /// Notes a receipt, and forgets what need not be kept any more, between two passages. `now` only
    /// where the clock is to be trusted.
    ///
    /// # Errors
    /// When the journal can no longer be written at all.
    pub fn receipt(
        &mut self,
        posted_upto: u64,
        retention: Retention,
        now: Option<Timestamp>,
    ) -> Result<(), ScribeEnded> {
        self.ask(Request::Receipt { posted_upto, retention, now })
    }

    /// Keeps a case. It holds nobody up: it is written behind the passages before it, and again
    /// with each later request where the store failed.
    ///
    /// # Errors
    /// When the journal can no longer be written at all.
    pub fn keep_case(&mut self, note: CaseNote) -> Result<(), ScribeEnded> {
        self.ask(Request::Case(note))
    }

    /// Notes up to where the broker has the cases.
    ///
    /// # Errors
    /// When the journal can no longer be written at all.
    pub fn cases_sent(&mut self, upto: u64) -> Result<(), ScribeEnded> {
        self.ask(Request::CasesSent { upto })
    }

    /// Lets what is in memory be written, for so long of real time, and ends; returns how many
    /// passages were lost.
    #[must_use]
    pub fn finish(mut self, within: Duration) -> usize {
        self.requests = None;
        let until = self.clock.real() + within;
        // The scribe's end closes the line.
        while self.hear(until).is_ok() {}
        self.pending.len()
    }

    fn begin_episode(&mut self, since: Timestamp) -> Result<(), ScribeEnded> {
        let cause = match &self.said {
            Some(JournalError::Store { source, .. }) => source.to_string(),
            Some(other) => other.to_string(),
            None => format!("no answer of the disk within {} ms", self.wait_max.as_millis()),
        };
        let from_seq = self.pending.front().copied().unwrap_or(self.handed);
        let episode = Episode { from_seq, upto_seq: None, since, until: None, cause };
        // Behind the passage in the queue, and so in the file as soon as anything is.
        self.ask(Request::Note(episode.clone()))?;
        self.episode = Some(episode);
        Ok(())
    }

    fn ask(&mut self, request: Request) -> Result<(), ScribeEnded> {
        match self.requests.as_ref().map(|requests| requests.send(request)) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(ScribeEnded { source: self.said.take() }),
        }
    }

    /// Takes what the scribe says until everything is durable or the time is over.
    fn listen(&mut self, within: Duration) -> Result<(), ScribeEnded> {
        let until = self.clock.real() + within;
        while !self.pending.is_empty() {
            match self.hear(until) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ScribeEnded { source: self.said.take() });
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, until: Instant) -> Result<(), RecvTimeoutError> {
        let within = until.saturating_duration_since(self.clock.real());
        match self.outcomes.recv_timeout(within)? {
            Outcome::Durable(seq) => {
                self.durable = seq;
                self.pending.pop_front();
            }
            Outcome::Failed(error) => self.said = Some(error),
        }
        Ok(())
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn write_all(
    mut journal: Journal,
    asked: &Receiver<Request>,
    tell: &Sender<Outcome>,
    stop: &AtomicBool,
) {
    let mut since_checkpoint = 0;
    let mut cases = VecDeque::new();
    // Up to where records are to be forgotten, as soon as nobody wants anything written.
    let mut forget_upto = None;
    loop {
        let request = match asked.try_recv() {
            Ok(request) => request,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                if let Some(upto) = forget_upto {
                    forget_upto = forget(&mut journal, upto).then_some(upto);
                    continue;
                }
                let Ok(request) = asked.recv() else { return };
                request
            }
        };
        match request {
            Request::Write(page) => {
                if !write_one(&mut journal, &page, tell, stop) {
                    return;
                }
                since_checkpoint += 1;
            }
            Request::Receipt { posted_upto, retention, now } => {
                let noted = journal
                    .note_receipt(posted_upto, now)
                    .and_then(|()| journal.forgettable(retention, now));
                match noted {
                    Ok(upto) => forget_upto = Some(upto),
                    Err(error) => complain(&error, "a receipt was not noted"),
                }
            }
            Request::Note(episode) => {
                if let Err(error) = journal.note_episode(&episode) {
                    complain(&error, "an episode was not noted");
                }
            }
            Request::Case(note) => cases.push_back(note),
            Request::CasesSent { upto } => {
                if let Err(error) = journal.cases_sent(upto) {
                    complain(&error, "cases will be sent again");
                }
            }
        }
        write_cases(&mut journal, &mut cases);
        if since_checkpoint >= CHECKPOINT_EVERY {
            since_checkpoint = 0;
            if let Err(error) = journal.checkpoint() {
                complain(&error, "the log was not moved");
            }
        }
    }
}

/// Writes what is there of cases, the oldest first, as far as the store takes them.
fn write_cases(journal: &mut Journal, cases: &mut VecDeque<CaseNote>) {
    while let Some(note) = cases.front() {
        match journal.note_case(note) {
            Ok(_number) => drop(cases.pop_front()),
            Err(error) => {
                complain(&error, "a case was not written yet");
                if cases.len() > CASES_IN_MEMORY_MAX {
                    cases.pop_front();
                }
                return;
            }
        }
    }
}

/// Forgets some records; tells whether there may be more.
fn forget(journal: &mut Journal, upto: u64) -> bool {
    journal.forget_some(upto).map_or_else(
        |error| {
            complain(&error, "posted records were not forgotten");
            false
        },
        |gone| gone > 0,
    )
}

fn complain(error: &JournalError, text: &'static str) {
    tracing::error!(error = error as &dyn std::error::Error, text);
}

/// Writes a passage, however often that takes; tells whether to go on.
fn write_one(
    journal: &mut Journal,
    page: &Page,
    tell: &Sender<Outcome>,
    stop: &AtomicBool,
) -> bool {
    let mut reopened = Ok(false);
    loop {
        let done = match reopened {
            Ok(true) => Ok(()),
            Ok(false) => journal
                .append(page.role, page.draft.clone(), &page.saved, page.posted_upto)
                .map(drop),
            Err(error) => Err(error),
        };
        let Err(error) = done else {
            // A lane that has ended asks for nothing any more.
            return tell.send(Outcome::Durable(journal.last_seq())).is_ok();
        };
        let is_over = matches!(error, JournalError::Damaged { .. });
        let is_heard = tell.send(Outcome::Failed(error)).is_ok();
        if is_over || !is_heard || stop.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::park_timeout(AGAIN_AFTER);
        reopened = journal.reopen();
    }
}

#[cfg(test)]
mod tests;
