//! The session of a `UHFReader`: from whatever state it was left in to inventories without end, and
//! back there after everything that can go wrong.
//!
//! ```text
//!   Closed ─open─► Probing ─information─► Setting(step …) ─► Reading(round) ◄─► Asking
//!                   ▲  ▲                     │                 │        │
//!                   │  └──── after a while ─ Resting ◄─ refused┘     two rounds
//!                   └───────────────────────────────────────────── without an end
//! ```
//!
//! **Why it asks, and does not let the reader push.** The newer dialect can report unasked, and each
//! tag then comes with no pause between two inventories. But it then hears nothing but 21, 76 and 77;
//! its heartbeat comes no oftener than every 30 seconds and only in an empty field, so a dead reader
//! looks like an empty lane for half a minute; a lost antenna is not reported; the mode is kept in a
//! memory that wears out, and a reader whose host has died goes on transmitting. Asked, it reports each
//! tag just as soon, in a frame of its own under "more frames follow", and says at the end of each
//! round that it lives and whether its antenna is there. The price is the time between two rounds: one
//! command and the carrier's rise, some 20 ms in 300. The older dialect answers only at the end of a
//! round, which comes 10 ms after the last tag has answered, or after 300 ms, the shortest that its
//! manual allows.
//!
//! A reader found pushing is told to answer first. A restart cannot be seen in this protocol, but
//! nothing that this session needs is lost by one: two rounds without an end, and the reader is asked
//! who it is and how it is set, and only what differs is set.

use std::collections::VecDeque;
use std::time::Instant;

use super::BAUDS;
use super::codec::{ADDRESS_BROADCAST, Command, Dialect, Frame, FromReader, Reply, Status, opcode};
use crate::codec::Direction;
use crate::deframe::Deframer;
use crate::protocol::Unsupported;
use crate::session::{
    BaudSearch, GapCause, ReaderSettings, ReaderState, Report, Request, Requests, Round, Session,
    SessionEvent, Timing, Transmit, Watch,
};

mod asking;
mod heard;
mod rounds;
mod setup;

use asking::Question;
use heard::Heard;
use rounds::Inventory;
use setup::{Found, Setup, Step};

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    /// Asked who it is.
    Probing,
    /// Being set up; the command of this step awaits its answer.
    Setting(Step),
    Reading(Inventory),
    /// Between two rounds; the question awaits its answer.
    Asking(Question),
    /// Refused something it must do; left alone for a while.
    Resting,
}

/// A conversation with one reader.
#[derive(Debug)]
pub struct UhfReaderSession {
    setup: Setup,
    timing: Timing,
    deframer: Deframer<FromReader>,
    rates: BaudSearch,
    phase: Phase,
    phase_deadline: Option<Instant>,
    silence_deadline: Option<Instant>,
    // When a round whose end may have been damaged is asked for again.
    repeat_deadline: Option<Instant>,
    // How often, since an intact frame came.
    repeats: u8,
    // The deframer's count when the round began.
    dropped_before_round: u64,
    // Whom it talks to, once it is known.
    found: Option<Found>,
    // While probing: it reports unasked, in this dialect.
    pushing: Option<Dialect>,
    // So that a reader that does not follow to another rate is told once.
    baud_told: bool,
    // Whether the antenna byte is an index.
    indexed: bool,
    rounds_lost: u8,
    // What the radio last could not do.
    fault: Option<Status>,
    requests: Requests,
    outputs: u8,
    watch: Watch,
    transmits: VecDeque<Transmit>,
}

impl UhfReaderSession {
    /// A conversation that has not begun.
    ///
    /// # Errors
    /// Says which setting no such reader can have.
    pub fn try_new(settings: &ReaderSettings) -> Result<Self, Unsupported> {
        let setup = Setup::try_new(settings)?;
        Ok(Self {
            indexed: setup.is_indexed(),
            setup,
            timing: settings.timing,
            deframer: Deframer::new(),
            rates: BaudSearch::new(&settings.bauds, &BAUDS),
            phase: Phase::Closed,
            phase_deadline: None,
            silence_deadline: None,
            repeat_deadline: None,
            repeats: 0,
            dropped_before_round: 0,
            found: None,
            pushing: None,
            baud_told: false,
            rounds_lost: 0,
            fault: None,
            requests: Requests::default(),
            outputs: asking::OUTPUTS_AT_FIRST,
            watch: Watch::new(),
            transmits: VecDeque::new(),
        })
    }

    /// Takes every intact frame out of the deframer.
    fn handle_frames(&mut self, at: Instant) {
        // The frame borrows the deframer while it is handled; it is given back afterwards.
        let mut deframer = std::mem::take(&mut self.deframer);
        while let Some(bytes) = deframer.next_frame() {
            let Ok(frame) = Frame::new_checked(bytes, Direction::FromReader) else { continue };
            match Reply::parse(frame) {
                Ok(reply) => self.handle_reply(reply, frame.address(), at),
                Err(_unusable) => self.watch.gap(GapCause::Unusable, at),
            }
        }
        self.watch.noise(deframer.dropped_bytes(), at);
        let silence = deframer.is_waiting().then(|| at + self.timing.silence_in_frame);
        self.silence_deadline = silence;
        self.deframer = deframer;
        let damaged =
            self.deframer.dropped_bytes() > self.dropped_before_round || silence.is_some();
        if self.phase == Phase::Reading(Inventory::Running) && damaged {
            self.repeat_deadline = Some(at + self.timing.silence_in_frame);
        }
    }

    fn handle_reply(&mut self, reply: Reply<'_>, address: u8, at: Instant) {
        let heard = Heard::new(reply);
        // Another reader on the same line talks to somebody else.
        let is_ours = self.found.is_none_or(|found| found.address == address);
        match self.phase {
            Phase::Closed | Phase::Resting => {}
            Phase::Probing => self.handle_while_probing(heard, address, at),
            Phase::Setting(_) | Phase::Reading(_) | Phase::Asking(_) if !is_ours => {}
            Phase::Setting(step) => self.handle_while_setting(step, heard, at),
            Phase::Reading(inventory) => self.handle_while_reading(inventory, heard, at),
            Phase::Asking(question) => self.handle_while_asking(question, heard, at),
        }
    }

    fn handle_while_probing(&mut self, heard: Heard<'_>, address: u8, at: Instant) {
        match heard {
            Heard::Info(info) => {
                self.rates.found();
                self.watch.report(Report::Identity {
                    text: info.to_string(),
                    baud: Some(self.rates.current()),
                });
                self.found = Some(self.setup.found(&info, address));
                self.watch.enter(ReaderState::Configuring);
                self.set(Some(Step::FIRST), at);
            }
            Heard::Push(dialect) => {
                self.pushing = Some(dialect);
                self.rates.found();
            }
            // It does what an earlier session asked for and hears nothing, but it is at this rate:
            // worth asking here again.
            Heard::Tags(..)
            | Heard::Statistics { .. }
            | Heard::RoundOver(_)
            | Heard::Done(..)
            | Heard::Refused(_) => self.rates.found(),
        }
    }

    fn handle_while_setting(&mut self, step: Step, heard: Heard<'_>, at: Instant) {
        match heard {
            Heard::Done(_, Reply::WorkMode { mode, .. }) if step == Step::AskMode => {
                self.note_mode(mode, [0; 6]);
                self.set(step.next(), at);
            }
            Heard::Done(_, Reply::ScanMode { parameters, .. }) if step == Step::AskMode => {
                self.note_mode(parameters[0], parameters);
                self.set(step.next(), at);
            }
            Heard::Done(opcode, _) if Some(opcode) == self.opcode_of(step) => {
                if step == Step::Baud
                    && let Some(baud) = self.setup.baud_wanted
                {
                    self.rates.moved_to(baud);
                    self.transmits.push_back(Transmit::Baud(baud));
                    self.probe(at);
                } else {
                    self.set(step.next(), at);
                }
            }
            Heard::Refused(opcode)
                if opcode == opcode::NOT_UNDERSTOOD || Some(opcode) == self.opcode_of(step) =>
            {
                if step.is_optional() {
                    self.set(step.next(), at);
                } else {
                    self.rest(at);
                }
            }
            // Late answers, and what was pushed before the reader was told to wait.
            Heard::Push(_)
            | Heard::Info(_)
            | Heard::Tags(..)
            | Heard::Statistics { .. }
            | Heard::RoundOver(_)
            | Heard::Done(..)
            | Heard::Refused(_) => {}
        }
    }

    fn handle_phase_deadline(&mut self, now: Instant) {
        match self.phase {
            Phase::Closed => self.phase_deadline = None,
            Phase::Probing => {
                if self.rates.advance() == Round::Complete {
                    self.watch.line_dead();
                }
                self.transmits.push_back(Transmit::Baud(self.rates.current()));
                if let Some(dialect) = self.pushing.take() {
                    let command = setup::answer_only(dialect);
                    self.transmits.push_back(Transmit::Frame(command.emit(ADDRESS_BROADCAST)));
                }
                self.probe(now);
            }
            Phase::Setting(_) | Phase::Resting => self.probe(now),
            Phase::Reading(Inventory::Running) => self.lose_round(now),
            Phase::Reading(Inventory::Counting) => {
                let refused = self.requests.pop_if(Request::Statistics);
                if let Some(request) = refused {
                    self.watch.report(Report::Refused { request });
                }
                self.next_round(now);
            }
            Phase::Reading(Inventory::Pausing) => self.next_round(now),
            Phase::Asking(question) => self.give_up(question, now),
        }
    }

    fn probe(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Probing);
        self.rounds_lost = 0;
        self.found = None;
        self.phase = Phase::Probing;
        let frame = Command::ReaderInfo.emit(ADDRESS_BROADCAST);
        self.transmits.push_back(Transmit::Frame(frame));
        self.wait_until(now + self.timing.probe_timeout);
    }

    fn rest(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Degraded);
        self.phase = Phase::Resting;
        self.wait_until(now + self.timing.rest);
    }

    fn note_mode(&mut self, mode: u8, scan_mode: [u8; 6]) {
        if let Some(found) = &mut self.found {
            found.mode = mode;
            found.scan_mode = scan_mode;
        }
    }

    fn opcode_of(&self, step: Step) -> Option<u8> {
        let command = self.setup.command(step, self.found.as_ref()?)?;
        Some(command.opcode())
    }

    /// Sets what is next to be set; begins to read where nothing is.
    fn set(&mut self, first: Option<Step>, now: Instant) {
        let Some(found) = self.found else { return self.probe(now) };
        let mut next = first;
        while let Some(step) = next {
            let is_wanted = step != Step::Baud
                || (!self.baud_told && self.setup.baud_wanted != Some(self.rates.current()));
            if is_wanted && let Some(command) = self.setup.command(step, &found) {
                self.baud_told |= step == Step::Baud;
                self.transmits.push_back(Transmit::Frame(command.emit(found.address)));
                self.phase = Phase::Setting(step);
                return self.wait_until(now + self.timing.answer_timeout);
            }
            next = step.next();
        }
        self.next_round(now);
    }

    fn dialect(&self) -> Dialect {
        self.found.map_or(Dialect::New288, |found| found.dialect)
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.phase_deadline = Some(deadline);
    }
}

impl Session for UhfReaderSession {
    fn handle_open(&mut self, now: Instant) {
        self.deframer.clear();
        self.transmits.clear();
        self.baud_told = false;
        self.transmits.push_back(Transmit::Baud(self.rates.current()));
        self.probe(now);
    }

    fn handle_closed(&mut self, now: Instant) {
        self.watch.end_reading(GapCause::PortLost, now);
        self.phase = Phase::Closed;
        self.phase_deadline = None;
        self.silence_deadline = None;
        self.repeat_deadline = None;
        self.found = None;
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
        if self.repeat_deadline.is_some_and(|deadline| deadline <= now) {
            self.repeat_round(now);
        }
        if self.phase_deadline.is_some_and(|deadline| deadline <= now) {
            self.handle_phase_deadline(now);
        }
    }

    fn handle_request(&mut self, request: Request, _now: Instant) {
        if let Err(request) = self.requests.push(request) {
            self.watch.report(Report::Refused { request });
        }
    }

    fn handle_shutdown(&mut self, now: Instant) {
        // The older dialect cannot be interrupted, and is quiet when its round ends.
        if let (Phase::Reading(Inventory::Running), Some(found)) = (self.phase, self.found)
            && found.dialect == Dialect::New288
        {
            let frame = Command::Stop.emit(found.address);
            self.transmits.push_back(Transmit::Frame(frame));
        }
        let last_words = std::mem::take(&mut self.transmits);
        self.handle_closed(now);
        self.transmits = last_words;
    }

    fn next_deadline(&self) -> Option<Instant> {
        let noise = self.silence_deadline.into_iter().chain(self.repeat_deadline);
        self.phase_deadline.into_iter().chain(noise).min()
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
