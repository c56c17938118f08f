//! The session of a Mercury reader: from whatever state it was left in to a continuous read, and
//! back there after everything that can go wrong.
//!
//! ```text
//!   Closed ─open─► Probing ─version─► Setting(step …) ──started──► Reading
//!                   │   ▲                │  ▲     ▲                 │    │
//!        still reading  stopped     refused  │     answered     request  silence
//!                   ▼   │                ▼  │     │                 ▼    │
//!                  Draining ◄─┐    Resting ─┘    Asking ◄─stopped─ Pausing
//!                      ▲      └─────────────────────────────────────────┘
//! ```
//!
//! A reader that is still in a continuous read from an earlier session answers nothing but stop; it
//! is told to stop and its queued reports are thrown away until it acknowledges, because nobody
//! knows when they were made. Where nobody answers at all, stop is therefore said after the next
//! question. An unasked boot message means that the module restarted and has forgotten everything.
//!
//! A step of the set-up that gets no answer is asked again once; then it is left out if reading can
//! do without it, else the reader rests. A request of the owner interrupts reading: the reports that
//! come until the reader has stopped are of the read that ends, so they count.

use std::collections::VecDeque;
use std::time::Instant;

use super::BAUDS;
use super::codec::{Command, Frame, FromReader, Reply, Status, opcode};
use crate::codec::{Direction, FrameBuf};
use crate::deframe::Deframer;
use crate::session::{
    BaudSearch, GapCause, ReaderSettings, ReaderState, Report, Request, Requests, Round, Session,
    SessionEvent, Transmit, Watch,
};

mod setup;
mod setting;
mod dialect;
mod reading;
mod requests;
mod tag;

use dialect::{Dialect, in_mercury_terms};
use setup::{Setup, Step};
pub(super) use tag::{single_read, tag_read};

/// How often a reader that goes on reporting is told to stop before it is left alone for a while.
const DRAINS_MAX: u8 = 3;

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    /// Asked for the version.
    Probing,
    /// Told to stop; reports still come.
    Draining,
    /// Being set up; the command of this step awaits its answer.
    Setting(Step, Try),
    Reading,
    /// Told to stop because the owner wants something; reports still come and count.
    Pausing,
    /// Asked what the owner wants to know.
    Asking(Request),
    /// Refused something it must do, or does not answer; left alone for a while.
    Resting,
}

/// How often a step has been asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Try {
    First,
    Second,
}

/// A conversation with one Mercury reader.
#[derive(Debug)]
pub struct MercurySession {
    settings: ReaderSettings,
    setup: Setup,
    requests: Requests,
    deframer: Deframer<FromReader>,
    rates: BaudSearch,
    phase: Phase,
    phase_deadline: Option<Instant>,
    silence_deadline: Option<Instant>,
    // Since something answered: how often nothing did, and how often stop had to be said.
    unanswered_probes: u32,
    drains: u8,
    // The last fault of the radio, and when it was last heard of.
    radio_fault: Option<(Status, Instant)>,
    watch: Watch,
    transmits: VecDeque<Transmit>,
}

impl MercurySession {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(settings: &ReaderSettings) -> Self {
        let mut bauds = settings.bauds.clone();
        if !bauds.is_empty() {
            // A reader may have been left at the rate that it shall have.
            bauds.extend(settings.baud_wanted.filter(|wanted| !settings.bauds.contains(wanted)));
        }
        Self {
            settings: settings.clone(),
            setup: Setup::new(settings),
            requests: Requests::default(),
            deframer: Deframer::new(),
            rates: BaudSearch::new(&bauds, &BAUDS),
            phase: Phase::Closed,
            phase_deadline: None,
            silence_deadline: None,
            unanswered_probes: 0,
            drains: 0,
            radio_fault: None,
            watch: Watch::new(),
            transmits: VecDeque::new(),
        }
    }

    /// Takes every intact frame out of the deframer.
    fn handle_frames(&mut self, at: Instant) {
        // The frame borrows the deframer while it is handled; it is given back afterwards.
        let mut deframer = std::mem::take(&mut self.deframer);
        while let Some(bytes) = deframer.next_frame() {
            let Ok(frame) = Frame::new_checked(bytes, Direction::FromReader) else { continue };
            match Reply::parse(frame) {
                Ok(reply) => match in_mercury_terms(&reply) {
                    Some(reply) => self.handle_silion_reply(reply, at),
                    None => self.handle_reply(reply, at),
                },
                Err(_unusable) => self.watch.gap(GapCause::Unusable, at),
            }
        }
        self.watch.noise(deframer.dropped_bytes(), at);
        let silence = deframer.is_waiting().then(|| at + self.settings.timing.silence_in_frame);
        self.silence_deadline = silence;
        self.deframer = deframer;
    }

    /// Something that only a module of Silion's says.
    fn handle_silion_reply(&mut self, reply: Reply<'_>, at: Instant) {
        match reply {
            // Every other module says so, too.
            Reply::Refused { .. } => {}
            _ => self.setup.dialect = Dialect::Silion,
        }
        self.handle_reply(reply, at);
    }

    fn handle_reply(&mut self, reply: Reply<'_>, at: Instant) {
        match self.phase {
            Phase::Closed => {}
            Phase::Probing => self.handle_while_probing(reply, at),
            Phase::Draining => self.handle_while_draining(reply, at),
            Phase::Setting(step, _) => self.handle_while_setting(step, reply, at),
            Phase::Reading => self.handle_while_reading(reply, at),
            Phase::Pausing => self.handle_while_pausing(reply, at),
            Phase::Asking(request) => self.handle_while_asking(request, reply, at),
            Phase::Resting => self.handle_while_resting(reply, at),
        }
    }

    fn handle_while_probing(&mut self, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::Version(version) | Reply::Booted(version) => {
                self.rates.found();
                self.watch.report(Report::Identity {
                    text: version.to_string(),
                    baud: Some(self.rates.current()),
                });
                self.begin_setting(at);
            }
            Reply::Tag(_)
            | Reply::KeepAlive { .. }
            | Reply::StreamNote { .. }
            | Reply::Refused { opcode: opcode::READ_MULTIPLE, .. } => self.drain(at),
            // While it stopped reading it may not have heard the question.
            Reply::StreamStopped => {
                self.unanswered_probes = 0;
                self.probe(at);
            }
            // Late answers to an earlier session.
            Reply::StreamStarted
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => {}
        }
    }

    fn handle_while_draining(&mut self, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::StreamStopped | Reply::Refused { opcode: opcode::STREAM, .. } => {
                self.drains = 0;
                self.probe(at);
            }
            Reply::Booted(_) => self.begin_setting(at),
            // What was queued before the stop: of unknown age, so of no use.
            Reply::Tag(_)
            | Reply::KeepAlive { .. }
            | Reply::StreamNote { .. }
            | Reply::StreamStarted
            | Reply::Version(_)
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => {}
        }
    }

    fn handle_while_resting(&mut self, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::Booted(_) => self.begin_setting(at),
            Reply::Tag(_)
            | Reply::KeepAlive { .. }
            | Reply::StreamNote { .. }
            | Reply::StreamStarted
            | Reply::StreamStopped
            | Reply::Version(_)
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => {}
        }
    }

    fn handle_phase_deadline(&mut self, now: Instant) {
        match self.phase {
            Phase::Closed => self.phase_deadline = None,
            Phase::Probing => {
                if self.rates.advance() == Round::Complete {
                    self.watch.line_dead();
                }
                self.unanswered_probes = self.unanswered_probes.saturating_add(1);
                self.transmits.push_back(Transmit::Baud(self.rates.current()));
                self.probe(now);
            }
            Phase::Draining | Phase::Resting => self.probe(now),
            Phase::Setting(step, tried) => self.handle_unanswered(step, tried, now),
            Phase::Reading => {
                self.watch.end_reading(GapCause::Silence, now);
                self.watch.enter(ReaderState::Degraded);
                self.drain(now);
            }
            Phase::Pausing => {
                self.watch.end_reading(GapCause::Request, now);
                self.drain(now);
            }
            Phase::Asking(request) => {
                self.watch.report(Report::Refused { request });
                self.probe(now);
            }
        }
    }

    fn probe(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Probing);
        let deadline = now + self.settings.timing.probe_timeout;
        self.send(Command::Version.emit(), Phase::Probing, deadline);
        if self.unanswered_probes > 0 {
            // It may be reading for somebody else, with nothing in its field to report. This comes
            // after the question, so that at a low rate it does not delay the answer.
            for dialect in [Dialect::Mercury, Dialect::Silion] {
                self.transmits.push_back(Transmit::Frame(dialect.stop()));
            }
        }
    }

    fn drain(&mut self, now: Instant) {
        if self.drains == DRAINS_MAX {
            self.drains = 0;
            return self.rest(now);
        }
        self.drains += 1;
        let deadline = now + self.settings.timing.stop_timeout;
        self.send(self.setup.dialect.stop(), Phase::Draining, deadline);
    }

    fn rest(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Degraded);
        self.phase = Phase::Resting;
        self.wait_until(now + self.settings.timing.rest);
    }

    fn send(&mut self, command: FrameBuf, phase: Phase, deadline: Instant) {
        self.transmits.push_back(Transmit::Frame(command));
        self.phase = phase;
        self.wait_until(deadline);
    }

    /// A sign of life while reading: tags that pass now are reported.
    fn heard(&mut self, at: Instant) {
        self.wait_until(at + self.settings.timing.life_timeout);
        self.watch.heard(at);
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.phase_deadline = Some(deadline);
    }
}

impl Session for MercurySession {
    fn handle_open(&mut self, now: Instant) {
        self.deframer.clear();
        self.transmits.clear();
        self.setup.forget_reader(&self.settings);
        self.transmits.push_back(Transmit::Baud(self.rates.current()));
        self.probe(now);
    }

    fn handle_closed(&mut self, now: Instant) {
        self.watch.end_reading(GapCause::PortLost, now);
        if let Phase::Asking(request) = self.phase {
            self.requests.put_back(request);
        }
        self.phase = Phase::Closed;
        self.phase_deadline = None;
        self.silence_deadline = None;
        self.transmits.clear();
        self.watch.enter(ReaderState::Closed);
    }

    fn handle_bytes(&mut self, bytes: &[u8], at: Instant) {
        self.watch.received(at);
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.deframer.push(rest);
            self.handle_frames(at);
        }
    }

    fn handle_deadline(&mut self, now: Instant) {
        if self.silence_deadline.is_some_and(|deadline| deadline <= now) {
            self.deframer.handle_silence();
            self.handle_frames(now);
            // Nothing more can come of it until more bytes come.
            self.silence_deadline = None;
        }
        if self.phase_deadline.is_some_and(|deadline| deadline <= now) {
            self.handle_phase_deadline(now);
        }
    }

    fn handle_request(&mut self, request: Request, now: Instant) {
        if let Err(request) = self.requests.push(request) {
            return self.watch.report(Report::Refused { request });
        }
        match self.phase {
            Phase::Reading => {
                let deadline = now + self.settings.timing.stop_timeout;
                self.send(self.setup.dialect.stop(), Phase::Pausing, deadline);
            }
            // It is asked before the reader reads.
            Phase::Closed
            | Phase::Probing
            | Phase::Draining
            | Phase::Setting(..)
            | Phase::Pausing
            | Phase::Asking(_)
            | Phase::Resting => {}
        }
    }

    fn handle_shutdown(&mut self, now: Instant) {
        match self.phase {
            // Where it was told already, or is not known to read, once more costs nothing; the other
            // way round, a radio would be left on.
            Phase::Probing
            | Phase::Draining
            | Phase::Setting(..)
            | Phase::Reading
            | Phase::Pausing
            | Phase::Asking(_)
            | Phase::Resting => {
                self.transmits.push_back(Transmit::Frame(self.setup.dialect.stop()));
            }
            Phase::Closed => {}
        }
        let last_words = std::mem::take(&mut self.transmits);
        self.handle_closed(now);
        self.transmits = last_words;
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.phase_deadline.into_iter().chain(self.silence_deadline).min()
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<SessionEvent> {
        self.watch.poll()
    }

    fn dropped_bytes(&self) -> u64 {
        self.deframer.dropped_bytes()
    }
}

#[cfg(test)]
mod tests;
