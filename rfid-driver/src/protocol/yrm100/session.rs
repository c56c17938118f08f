//! The session of a YRM100 or R200: from whatever state it was left in to an endless poll, and back
//! there after everything that can go wrong.
//!
//! ```text
//!   Closed ─open─► Probing ─info, or still polling─► Draining ◄────── silence ──────┐
//!                   ▲  ▲                               │ stopped                    │
//!                   │  └─after a while─ Resting        ▼                            │
//!                   └─────────────────────▲──refused─ Setting(step …) ─1st round─► Reading
//!                                                      │  ▲                         │
//!                                                      ▼  │                     a request
//!                                                     Asking ◄────stopped───── Pausing
//! ```
//!
//! Which of the two firmwares it is, the first frame shows: a probe asks both in one go, and each
//! takes the other's question for noise.
//!
//! The module reports each round of a poll, with a tag or as "no tag", so a few hundred milliseconds
//! without a report mean that nothing is read any more: the poll has come to its end, or the module
//! has restarted, which it does not say. It is then stopped, found, set up from the beginning, and
//! started. A module is always stopped before it is set up; what it reports until then is of unknown
//! age.
//! A poll has at most 65535 rounds; it is begun anew before they are used up.
//!
//! While it polls, a module is told nothing but to begin anew or to stop: what the owner asks for
//! interrupts reading, which is a gap.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::BAUDS;
use super::codec::{Command, Frame, FromReader, Marks, Reply, SetOutcome};
use super::describe::tag_read;
use crate::codec::Direction;
use crate::deframe::Deframer;
use crate::session::{
    BaudSearch, GapCause, ReaderSettings, ReaderState, Report, Request, Round, Session,
    SessionEvent, Timing, Transmit, Watch,
};

mod errands;
mod heard;
mod setup;

use errands::Errands;
use heard::Heard;
use setup::{Setup, Step};

/// What "module information" shall tell: the software.
const INFO_SOFTWARE: u8 = 1;
/// As many rounds as a poll can have.
const ROUNDS: u16 = u16::MAX;
/// After so many reports a poll is begun anew. Each round makes one report or more, so fewer rounds
/// than this have gone by.
const REPORTS_BEFORE_RENEWAL: u16 = 60_000;

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    /// Asked who it is.
    Probing,
    /// Told to stop; reports still come.
    Draining,
    /// Being set up; the command of this step awaits its answer.
    Setting(Step),
    Reading,
    /// Told to stop because the owner wants something.
    Pausing,
    /// Asked what the owner wants to know.
    Asking,
    /// Refused something it must do; left alone for a while.
    Resting,
}

/// A conversation with one module.
#[derive(Debug)]
pub struct Yrm100Session {
    // `None` where either may be on the line.
    wanted_marks: Option<Marks>,
    // Those of the module that was found last.
    marks: Marks,
    // Whether it has said who it is since its line was last in doubt.
    known: bool,
    setup: Setup,
    errands: Errands,
    timing: Timing,
    deframer: Deframer<FromReader>,
    rates: BaudSearch,
    phase: Phase,
    phase_deadline: Option<Instant>,
    silence_deadline: Option<Instant>,
    reports: u16,
    radio_faulty: bool,
    watch: Watch,
    transmits: VecDeque<Transmit>,
}

impl Yrm100Session {
    /// A conversation that has not begun, with a module whose frames have these marks; `None` to
    /// find out.
    #[must_use]
    pub fn new(settings: &ReaderSettings, marks: Option<Marks>) -> Self {
        Self {
            wanted_marks: marks,
            marks: marks.unwrap_or(Marks::Bb7e),
            known: false,
            setup: Setup::new(settings),
            errands: Errands::default(),
            timing: settings.timing,
            deframer: Deframer::new(),
            rates: BaudSearch::new(&settings.bauds, &BAUDS),
            phase: Phase::Closed,
            phase_deadline: None,
            silence_deadline: None,
            reports: 0,
            radio_faulty: false,
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
            if self.phase == Phase::Probing && self.wanted_marks.is_none() {
                self.marks = frame.marks();
            }
            if frame.marks() != self.marks {
                continue;
            }
            match Reply::parse(frame) {
                Ok(reply) => self.handle_heard(reply.into(), at),
                Err(_unusable) => self.watch.gap(GapCause::Unusable, at),
            }
        }
        self.watch.noise(deframer.dropped_bytes(), at);
        let silence = deframer.is_waiting().then(|| at + self.timing.silence_in_frame);
        self.silence_deadline = silence;
        self.deframer = deframer;
    }

    fn handle_heard(&mut self, heard: Heard<'_>, at: Instant) {
        match self.phase {
            Phase::Closed => {}
            Phase::Probing => self.handle_while_probing(heard, at),
            Phase::Draining => self.handle_while_draining(heard, at),
            Phase::Setting(Step::Start) => self.handle_while_starting(heard, at),
            Phase::Setting(step) => self.handle_while_setting(step, heard, at),
            Phase::Reading => self.handle_while_reading(heard, at),
            Phase::Pausing => self.handle_while_pausing(heard, at),
            Phase::Asking => self.handle_while_asking(heard, at),
            Phase::Resting => self.handle_while_resting(heard),
        }
    }

    fn handle_while_probing(&mut self, heard: Heard<'_>, at: Instant) {
        match heard {
            Heard::Info { text } => {
                self.rates.found();
                self.known = true;
                let model = match self.marks {
                    Marks::Bb7e => "YRM100",
                    Marks::AaDd => "R200",
                };
                self.watch.report(Report::Identity {
                    text: format!("{model}, firmware {}", String::from_utf8_lossy(text)),
                    baud: Some(self.rates.current()),
                });
                // It may poll all the same, and answer between two rounds.
                self.drain(at);
            }
            Heard::Tag(_) | Heard::NoTag | Heard::NoChannel => self.drain(at),
            // Late answers to an earlier session.
            Heard::Stopped
            | Heard::Done { .. }
            | Heard::Refused
            | Heard::Pin(_)
            | Heard::Unasked => {}
        }
    }

    fn handle_while_draining(&mut self, heard: Heard<'_>, at: Instant) {
        match heard {
            // One that refuses to stop has nothing to stop.
            Heard::Stopped | Heard::Refused => self.leave_draining(at),
            // What was queued before the stop: of unknown age, so of no use.
            Heard::Tag(_)
            | Heard::NoTag
            | Heard::NoChannel
            | Heard::Info { .. }
            | Heard::Done { .. }
            | Heard::Pin(_)
            | Heard::Unasked => {}
        }
    }

    fn handle_while_setting(&mut self, step: Step, heard: Heard<'_>, at: Instant) {
        match heard {
            Heard::Done { command, outcome } if step.answered_by(command) => match outcome {
                SetOutcome::DONE => self.set_next(step, at),
                SetOutcome(_) => self.handle_refusal(step, at),
            },
            Heard::Refused => self.handle_refusal(step, at),
            // It polls although it was not told to: somebody else's poll goes on.
            Heard::Tag(_) | Heard::NoTag | Heard::NoChannel => self.drain(at),
            // Late answers to a question that was asked twice.
            Heard::Stopped
            | Heard::Info { .. }
            | Heard::Done { .. }
            | Heard::Pin(_)
            | Heard::Unasked => {}
        }
    }

    fn handle_refusal(&mut self, step: Step, at: Instant) {
        match step {
            Step::Power if self.setup.lower_power() => self.set(Step::Power, at),
            Step::Region | Step::Power => self.rest(at),
            // Firmware without it does what it would be told.
            Step::SelectOff | Step::Query => self.set_next(step, at),
            // A poll that is refused is handled where it is started.
            Step::Start => self.rest(at),
        }
    }

    fn handle_while_starting(&mut self, heard: Heard<'_>, at: Instant) {
        match heard {
            // Only its first round shows that a poll has begun.
            Heard::Tag(_) | Heard::NoTag | Heard::NoChannel => {
                self.phase = Phase::Reading;
                self.watch.begin_reading(at);
                self.handle_while_reading(heard, at);
            }
            Heard::Refused => self.handle_refusal(Step::Start, at),
            Heard::Stopped
            | Heard::Info { .. }
            | Heard::Done { .. }
            | Heard::Pin(_)
            | Heard::Unasked => {}
        }
    }

    fn handle_while_reading(&mut self, heard: Heard<'_>, at: Instant) {
        match heard {
            Heard::Tag(notice) => {
                self.heard(at);
                match tag_read(&notice, at) {
                    Some(read) => self.watch.tag(read),
                    None => self.watch.gap(GapCause::Unusable, at),
                }
            }
            Heard::NoTag => self.heard(at),
            Heard::NoChannel => {
                self.wait_until(at + self.quiet_timeout());
                self.watch.radio_failed(at);
                if !std::mem::replace(&mut self.radio_faulty, true) {
                    self.watch.report(Report::RadioFault { text: "all channels occupied" });
                }
            }
            Heard::Stopped => {
                self.watch.end_reading(GapCause::Stopped, at);
                self.begin_setting(at);
            }
            // Late answers.
            Heard::Info { .. }
            | Heard::Done { .. }
            | Heard::Refused
            | Heard::Pin(_)
            | Heard::Unasked => {}
        }
    }

    fn handle_while_pausing(&mut self, heard: Heard<'_>, at: Instant) {
        match heard {
            Heard::Stopped => self.ask_or_start(at),
            // Reported before the stop came to the module: as good as any other.
            Heard::Tag(notice) => {
                if let Some(read) = tag_read(&notice, at) {
                    self.watch.tag(read);
                }
            }
            Heard::NoTag
            | Heard::NoChannel
            | Heard::Info { .. }
            | Heard::Done { .. }
            | Heard::Refused
            | Heard::Pin(_)
            | Heard::Unasked => {}
        }
    }

    fn handle_while_asking(&mut self, heard: Heard<'_>, at: Instant) {
        match heard {
            Heard::Pin(pin) => {
                if self.errands.handle_pin(pin, &mut self.watch) {
                    self.ask_or_start(at);
                }
            }
            Heard::Refused => {
                self.errands.refuse_first(&mut self.watch);
                self.ask_or_start(at);
            }
            Heard::Tag(_) | Heard::NoTag | Heard::NoChannel => self.drain(at),
            Heard::Stopped | Heard::Info { .. } | Heard::Done { .. } | Heard::Unasked => {}
        }
    }

    fn handle_while_resting(&mut self, heard: Heard<'_>) {
        match heard {
            // After the rest it is asked from the beginning, whatever it says now.
            Heard::Tag(_)
            | Heard::NoTag
            | Heard::NoChannel
            | Heard::Stopped
            | Heard::Info { .. }
            | Heard::Done { .. }
            | Heard::Refused
            | Heard::Pin(_)
            | Heard::Unasked => {}
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
                self.probe(now);
            }
            Phase::Draining => self.leave_draining(now),
            Phase::Resting | Phase::Setting(_) | Phase::Pausing => self.probe(now),
            Phase::Asking => {
                self.errands.refuse_first(&mut self.watch);
                self.probe(now);
            }
            Phase::Reading => {
                self.watch.end_reading(GapCause::Silence, now);
                self.watch.enter(ReaderState::Degraded);
                self.known = false;
                self.drain(now);
            }
        }
    }

    fn leave_draining(&mut self, now: Instant) {
        if self.known {
            self.begin_setting(now);
        } else {
            self.probe(now);
        }
    }

    fn probe(&mut self, now: Instant) {
        self.known = false;
        self.watch.enter(ReaderState::Probing);
        for marks in Marks::ALL {
            if self.wanted_marks.is_none_or(|wanted| wanted == marks) {
                let info = Command::Info { what: INFO_SOFTWARE };
                self.transmits.push_back(Transmit::Frame(info.emit(marks)));
            }
        }
        self.await_in(Phase::Probing, now + self.timing.probe_timeout);
    }

    fn drain(&mut self, now: Instant) {
        self.send(Command::StopPoll);
        self.await_in(Phase::Draining, now + self.timing.stop_timeout);
    }

    fn rest(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Degraded);
        self.await_in(Phase::Resting, now + self.timing.rest);
    }

    fn begin_setting(&mut self, now: Instant) {
        if let Some(baud) = self.setup.take_baud(self.rates.current()) {
            self.send(Command::SetBaud { hundreds: u16::try_from(baud / 100).unwrap_or(u16::MAX) });
            self.transmits.push_back(Transmit::Baud(baud));
            self.rates.moved_to(baud);
            self.rates.found();
            // There is no answer: it is asked who it is, at the new rate.
            self.probe(now);
            return;
        }
        self.watch.enter(ReaderState::Configuring);
        self.setup.begin();
        self.set(self.setup.first(), now);
    }

    fn set_next(&mut self, done: Step, now: Instant) {
        match done.next() {
            Step::Start => self.ask_or_start(now),
            step => self.set(step, now),
        }
    }

    fn set(&mut self, step: Step, now: Instant) {
        self.send(self.setup.command(step));
        self.await_in(Phase::Setting(step), now + self.timing.answer_timeout);
    }

    fn ask_or_start(&mut self, now: Instant) {
        match self.errands.first() {
            Some(pin) => {
                self.send(Command::Pin(pin));
                self.await_in(Phase::Asking, now + self.timing.answer_timeout);
            }
            None => {
                self.reports = 0;
                self.send(Command::MultiPoll { rounds: ROUNDS });
                self.await_in(Phase::Setting(Step::Start), now + self.quiet_timeout());
            }
        }
    }

    /// A sign of life while reading: tags that pass now are reported.
    fn heard(&mut self, at: Instant) {
        self.radio_faulty = false;
        self.wait_until(at + self.quiet_timeout());
        self.watch.heard(at);
        self.reports += 1;
        if self.reports == REPORTS_BEFORE_RENEWAL {
            self.reports = 0;
            self.send(Command::MultiPoll { rounds: ROUNDS });
        }
    }

    /// Longer than a round takes, even a large one.
    fn quiet_timeout(&self) -> Duration {
        self.timing.answer_timeout * 2
    }

    fn send(&mut self, command: Command<'_>) {
        self.transmits.push_back(Transmit::Frame(command.emit(self.marks)));
    }

    fn await_in(&mut self, phase: Phase, deadline: Instant) {
        self.phase = phase;
        self.wait_until(deadline);
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.phase_deadline = Some(deadline);
    }
}

impl Session for Yrm100Session {
    fn handle_open(&mut self, now: Instant) {
        self.deframer.clear();
        self.transmits.clear();
        self.setup.forget_baud();
        self.transmits.push_back(Transmit::Baud(self.rates.current()));
        self.probe(now);
    }

    fn handle_closed(&mut self, now: Instant) {
        self.watch.end_reading(GapCause::PortLost, now);
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
        self.errands.add(request, &mut self.watch);
        if self.phase == Phase::Reading && self.errands.first().is_some() {
            self.watch.end_reading(GapCause::Request, now);
            self.send(Command::StopPoll);
            self.await_in(Phase::Pausing, now + self.timing.stop_timeout);
        }
    }

    fn handle_shutdown(&mut self, now: Instant) {
        match self.phase {
            // Where it was told already, or is not known to poll, once more costs nothing; the other
            // way round, a poll would go on for minutes.
            Phase::Probing
            | Phase::Draining
            | Phase::Setting(_)
            | Phase::Reading
            | Phase::Pausing
            | Phase::Asking
            | Phase::Resting => self.send(Command::StopPoll),
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
