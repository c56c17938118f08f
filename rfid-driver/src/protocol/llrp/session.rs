//! The session of an LLRP reader: from the reader's greeting to an inventory without end.
//!
//! ```text
//!   Closed ─open─► Greeting ─success─► Setting(step …) ─started─► Reading
//!     ▲               │                  │  ▲  ▲  ▲                 │  │
//!     │      turned   │     other version│  │  │  └─ended by itself─┘  │
//!     │        away   │                  ▼  │  └────┐                  │
//!     │               │        Negotiating ─┘  after a while           │
//!     │               │                          Resting ◄─refused     │
//!     │               ▼                                                │
//!     └──reopened── Distrusted ◄──── silence, or bytes without sense ──┘
//! ```
//!
//! The reader speaks first: it says whether the connection stands or whether it talks to somebody
//! else already. What earlier sessions have left in it is deleted before ours is added; every report
//! that comes before the answer to that is thrown away, because nobody knows when it was made.
//!
//! The reader is spoken to in version 1.0.1, in which every connection begins; only one that refuses
//! that version is asked to go on in 1.1.
//!
//! There is no searching for the next message on TCP. A connection that is silent or makes no sense
//! is given up: [`SessionEvent::LineDead`] asks for a new one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::codec::{
    ConnectionAttempt, Frame, Message, MessageKind, Parameters, TagReport, Version, events,
    tag_reports,
};
use super::tag::tag_read;
use crate::TagRead;
use crate::session::{
    GapCause, ReaderSettings, ReaderState, Report, Request, Session, SessionEvent, Timing,
    Transmit, Watch,
};

mod antennas;
mod reactions;
mod said;
mod setup;
mod stream;

use said::{Said, words};
use setup::{Setup, Step};
use stream::{Nonsense, Stream};

/// How much longer than a module on a serial line a reader that is a computer may take to answer:
/// stopping what it does before it deletes it takes it seconds.
const ANSWER_FACTOR: u32 = 20;
/// How much is handled at a time, so that memory is bounded whatever comes.
const PIECE_LEN: usize = 4096;

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    /// The connection stands; the reader has not said yet whether it serves us.
    Greeting,
    /// Asked to speak 1.1.
    Negotiating,
    /// Being set up; the command of this step awaits its answer.
    Setting(Step),
    Reading,
    /// Refused something it must do; left alone for a while.
    Resting,
    /// Nothing that comes over this connection is believed any more.
    Distrusted,
}

/// A conversation with one LLRP reader.
#[derive(Debug)]
pub struct LlrpSession {
    setup: Setup,
    timing: Timing,
    stream: Stream,
    version: Version,
    phase: Phase,
    phase_deadline: Option<Instant>,
    // The id of the last command.
    last_id: u32,
    // The configured antennas that the reader says are gone, one bit for each port.
    antennas_missing: u32,
    // Whether the owner wants to know of the antennas, and whether the reader has been asked.
    antennas_wanted: bool,
    antennas_asked: bool,
    // The reader's clock at the first report since reading began, in microseconds.
    epoch_us: Option<u64>,
    // Whether the reader has been reported since the connection stands.
    introduced: bool,
    // Why the reader last turned us away, so that it is said once.
    turned_away: Option<ConnectionAttempt>,
    watch: Watch,
    transmits: VecDeque<Transmit>,
}

impl LlrpSession {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(settings: &ReaderSettings) -> Self {
        Self {
            setup: Setup::new(settings),
            timing: settings.timing,
            stream: Stream::default(),
            version: Version::V1_0_1,
            phase: Phase::Closed,
            phase_deadline: None,
            last_id: 0,
            antennas_missing: 0,
            antennas_wanted: false,
            antennas_asked: false,
            epoch_us: None,
            introduced: false,
            turned_away: None,
            watch: Watch::new(),
            transmits: VecDeque::new(),
        }
    }

    /// Takes every whole message out of the stream.
    fn handle_messages(&mut self, at: Instant) {
        // The message borrows the stream while it is handled; it is given back afterwards.
        let mut stream = std::mem::take(&mut self.stream);
        loop {
            if matches!(self.phase, Phase::Closed | Phase::Distrusted) {
                // Whatever it is, it is not believed.
                stream.clear();
                break;
            }
            match stream.next_message() {
                Ok(Some(frame)) => self.handle_message(frame, at),
                Ok(None) => break,
                Err(Nonsense) => {
                    let before = stream.dropped_bytes();
                    stream.clear();
                    let bytes = stream.dropped_bytes() - before;
                    self.distrust(GapCause::Noise { bytes }, at);
                }
            }
        }
        self.stream = stream;
    }

    fn handle_message(&mut self, frame: Frame<'_>, at: Instant) {
        if self.phase == Phase::Reading {
            // Whatever it says, it lives.
            self.wait_until(at + self.timing.life_timeout);
        }
        let Ok(message) = Message::parse(frame) else {
            return self.watch.gap(GapCause::Unusable, at);
        };
        match message {
            Message::Parameters { kind: MessageKind::READER_EVENT_NOTIFICATION, parameters } => {
                for event in events(parameters) {
                    self.handle_said(event.map_or(Said::Other, Said::from), at);
                }
            }
            message => {
                if let Message::Bare { kind: MessageKind::KEEPALIVE } = message {
                    self.acknowledge(frame.id());
                }
                self.handle_said(Said::of(&message, frame.id()), at);
            }
        }
    }

    fn handle_said(&mut self, said: Said<'_>, at: Instant) {
        match self.phase {
            Phase::Closed | Phase::Distrusted => {}
            Phase::Greeting => self.handle_while_greeting(said, at),
            Phase::Negotiating => self.handle_while_negotiating(said, at),
            Phase::Setting(step) => self.handle_while_setting(step, said, at),
            Phase::Reading => self.handle_while_reading(said, at),
            Phase::Resting => self.handle_while_resting(said, at),
        }
    }

    fn handle_phase_deadline(&mut self, now: Instant) {
        match self.phase {
            Phase::Closed => self.phase_deadline = None,
            Phase::Resting => self.begin_setting(now),
            Phase::Reading | Phase::Greeting | Phase::Negotiating | Phase::Setting(_) => {
                self.distrust(GapCause::Silence, now);
            }
            // It was asked for already; ask again, in case nobody did it.
            Phase::Distrusted => {
                self.watch.line_dead();
                self.wait_until(now + self.timing.rest);
            }
        }
    }

    fn handle_tags(&mut self, reports: Parameters<'_>, at: Instant) {
        self.heard(at);
        for report in tag_reports(reports) {
            match report.ok().and_then(|report| self.understand(&report, at)) {
                Some(read) => self.watch.tag(read),
                None => self.watch.gap(GapCause::Unusable, at),
            }
        }
    }

    fn understand(&mut self, report: &TagReport<'_>, at: Instant) -> Option<TagRead> {
        let epoch_us = match report.first_seen.or(report.last_seen) {
            Some(seen) => *self.epoch_us.get_or_insert(seen.microseconds()),
            None => 0,
        };
        tag_read(report, self.setup.frequencies_khz(), epoch_us, at)
    }

    fn be_turned_away(&mut self, reason: ConnectionAttempt, now: Instant) {
        if self.turned_away != Some(reason) {
            self.turned_away = Some(reason);
            self.watch.report(Report::RadioFault { text: words(reason) });
        }
        // The reader closes the connection; if it does not, we do, after a while.
        self.watch.enter(ReaderState::Degraded);
        self.phase = Phase::Distrusted;
        self.wait_until(now + self.timing.rest);
    }

    fn negotiate(&mut self, now: Instant) {
        match self.version {
            Version::V1_0_1 => {
                self.version = Version::V1_1;
                let number = self.version.number();
                let id = self.next_id();
                let message = Message::SetProtocolVersion { number }.emit(self.version, id);
                self.transmits.push_back(Transmit::Frame(message));
                self.phase = Phase::Negotiating;
                self.wait_until(now + self.answer_timeout());
            }
            // It has refused both.
            Version::V1_1 => {
                self.version = Version::V1_0_1;
                self.rest(now);
            }
        }
    }

    fn begin_setting(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Configuring);
        self.setup.forget_reader();
        self.antennas_missing = 0;
        self.antennas_wanted |= std::mem::take(&mut self.antennas_asked);
        self.set(Step::AskCapabilities, now);
    }

    fn set_next(&mut self, done: Step, now: Instant) {
        match done.next(&self.setup) {
            Some(step) => self.set(step, now),
            None => self.read(now),
        }
    }

    fn set(&mut self, step: Step, now: Instant) {
        let id = self.next_id();
        let message = self.setup.message(step, self.version, id);
        self.transmits.push_back(Transmit::Frame(message));
        self.phase = Phase::Setting(step);
        self.wait_until(now + self.answer_timeout());
    }

    fn rest(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Degraded);
        self.phase = Phase::Resting;
        self.wait_until(now + self.timing.rest);
    }

    fn read(&mut self, now: Instant) {
        self.phase = Phase::Reading;
        self.epoch_us = None;
        self.watch.begin_reading(now);
        if self.is_deaf() {
            self.watch.radio_failed(now);
        }
        self.wait_until(now + self.timing.life_timeout);
        if self.antennas_wanted {
            self.ask_antennas();
        }
    }

    /// Gives the connection up.
    fn distrust(&mut self, cause: GapCause, now: Instant) {
        self.watch.end_reading(cause, now);
        self.watch.enter(ReaderState::Degraded);
        self.transmits.clear();
        self.phase = Phase::Distrusted;
        self.wait_until(now + self.timing.rest);
        self.watch.line_dead();
    }

    /// A sign of life while reading: tags that pass now are reported, if there is an antenna.
    fn heard(&mut self, at: Instant) {
        if !self.is_deaf() {
            self.watch.heard(at);
        }
    }

    fn acknowledge(&mut self, id: u32) {
        let answer = Message::Bare { kind: MessageKind::KEEPALIVE_ACK };
        self.transmits.push_back(Transmit::Frame(answer.emit(self.version, id)));
    }

    fn send_bare(&mut self, kind: MessageKind) {
        let id = self.next_id();
        self.transmits.push_back(Transmit::Frame(Message::Bare { kind }.emit(self.version, id)));
    }

    fn send_about_inventory(&mut self, kind: MessageKind) {
        let id = self.next_id();
        let message = Message::Spec { kind, id: self.setup.inventory() }.emit(self.version, id);
        self.transmits.push_back(Transmit::Frame(message));
    }

    fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    fn answer_timeout(&self) -> Duration {
        self.timing.answer_timeout * ANSWER_FACTOR
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.phase_deadline = Some(deadline);
    }
}

impl Session for LlrpSession {
    fn handle_open(&mut self, now: Instant) {
        self.stream.clear();
        self.transmits.clear();
        self.version = Version::V1_0_1;
        self.introduced = false;
        self.watch.enter(ReaderState::Probing);
        self.phase = Phase::Greeting;
        self.wait_until(now + self.answer_timeout());
    }

    fn handle_closed(&mut self, now: Instant) {
        self.watch.end_reading(GapCause::PortLost, now);
        self.phase = Phase::Closed;
        self.phase_deadline = None;
        self.transmits.clear();
        self.watch.enter(ReaderState::Closed);
    }

    fn handle_bytes(&mut self, bytes: &[u8], at: Instant) {
        for piece in bytes.chunks(PIECE_LEN) {
            self.stream.push(piece);
            self.handle_messages(at);
        }
    }

    fn handle_deadline(&mut self, now: Instant) {
        if self.phase_deadline.is_some_and(|deadline| deadline <= now) {
            self.handle_phase_deadline(now);
        }
    }

    fn handle_request(&mut self, request: Request, _now: Instant) {
        match (request, self.phase) {
            (Request::Antennas, Phase::Reading) => self.ask_antennas(),
            (
                Request::Antennas,
                Phase::Closed
                | Phase::Greeting
                | Phase::Negotiating
                | Phase::Setting(_)
                | Phase::Resting
                | Phase::Distrusted,
            ) => self.antennas_wanted = true,
            (
                Request::Temperature
                | Request::Inputs
                | Request::SetOutput { .. }
                | Request::Statistics,
                _,
            ) => self.watch.report(Report::Refused { request }),
        }
    }

    fn handle_shutdown(&mut self, now: Instant) {
        match self.phase {
            Phase::Reading | Phase::Setting(_) | Phase::Resting => {
                self.send_about_inventory(MessageKind::STOP_ROSPEC);
                self.send_about_inventory(MessageKind::DELETE_ROSPEC);
                self.send_bare(MessageKind::CLOSE_CONNECTION);
            }
            Phase::Negotiating => self.send_bare(MessageKind::CLOSE_CONNECTION),
            Phase::Closed | Phase::Greeting | Phase::Distrusted => {}
        }
        let last_words = std::mem::take(&mut self.transmits);
        self.handle_closed(now);
        self.transmits = last_words;
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.phase_deadline
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<SessionEvent> {
        self.watch.poll()
    }

    fn dropped_bytes(&self) -> u64 {
        self.stream.dropped_bytes()
    }
}

#[cfg(test)]
mod tests;
