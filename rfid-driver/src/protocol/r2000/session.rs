//! The session of an R2000 reader: from whatever state it was left in to round after round of
//! inventory, and back there after everything that can go wrong.
//!
//! ```text
//!   Closed ─open─► Probing ─version─► Setting(step …) ──► Reading ◄──► Asking(question …)
//!                   │   ▲               │   ▲             │  ▲
//!       still busy  │   │ drained  baud │   │ restarted   │  │ only slow
//!                   ▼   │               ▼   │      silence▼  │
//!                  Draining        Restarting          Checking ─version─► Setting
//!                                                         │
//!                                        Resting ◄refused─┴─dead─► Probing
//! ```
//!
//! The reader reads one round for each command; its end record is the sign of life, and the next
//! command leaves when it arrives. In between the owner's questions are asked.
//!
//! A reader that restarts does not say so, and comes back with other power and antenna. So when a
//! round does not end in time, the version is asked first: a reader that is only slow goes on with
//! its round and is heard; one that answers at once is idle, has lost the round, and is set up anew.
//!
//! Only the reader that answered the probe is listened to: others may be on an RS-485 line, and
//! another address is what most false frames have.

use std::collections::VecDeque;
use std::time::Instant;

use super::codec::{
    BROADCAST, Command, ErrorCode, Frame, FromReader, Region, Reply, RssiConvention, TagReport,
    opcode,
};
use super::describe::tag_read;
use super::{BAUDS, Model};
use crate::codec::Direction;
use crate::deframe::Deframer;
use crate::protocol::Unsupported;
use crate::session::{
    AntennaState, BaudSearch, GapCause, ReaderSettings, ReaderState, Report, Request, Requests,
    Round, Session, SessionEvent, Timing, Transmit, Watch,
};

mod antennas;
mod event;
mod questions;
mod setting;
mod setup;

use antennas::Antennas;
use event::Event;
use questions::Question;
use setup::{Setup, Step};

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    /// Asked whoever listens for the version.
    Probing,
    /// An earlier host's round goes on.
    Draining,
    /// Being set up; the command of this step awaits its answer.
    Setting(Step),
    /// Told to change its rate, it restarts.
    Restarting,
    /// A round goes on, or a pause after a failed one.
    Reading,
    /// The round has not ended in time; asked for the version.
    Checking,
    /// The owner's question awaits its answer.
    Asking(Question),
    /// Refused something it must do; left alone for a while.
    Resting,
}

/// A conversation with one R2000 reader.
#[derive(Debug)]
pub struct R2000Session {
    setup: Setup,
    rssi: RssiConvention,
    timing: Timing,
    deframer: Deframer<FromReader>,
    rates: BaudSearch,
    address: u8,
    region: Option<Region>,
    phase: Phase,
    phase_deadline: Option<Instant>,
    // While reading: when the round that was begun should have ended, or the next begins.
    round_deadline: Option<Instant>,
    round_is_open: bool,
    silence_deadline: Option<Instant>,
    is_quiet: bool,
    antennas: Antennas,
    fault: Option<ErrorCode>,
    requests: Requests,
    watch: Watch,
    transmits: VecDeque<Transmit>,
}

impl R2000Session {
    /// A conversation that has not begun.
    ///
    /// # Errors
    /// Says which setting no reader can have.
    pub fn try_new(settings: &ReaderSettings) -> Result<Self, Unsupported> {
        Ok(Self {
            setup: Setup::try_new(settings)?,
            rssi: Model::try_new(settings.model.as_deref())?.rssi,
            timing: settings.timing,
            deframer: Deframer::new(),
            rates: BaudSearch::new(&settings.bauds, &BAUDS),
            address: BROADCAST,
            region: None,
            phase: Phase::Closed,
            phase_deadline: None,
            round_deadline: None,
            round_is_open: false,
            silence_deadline: None,
            is_quiet: false,
            antennas: Antennas::default(),
            fault: None,
            requests: Requests::default(),
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
            let anyone = matches!(self.phase, Phase::Probing | Phase::Draining);
            if !anyone && frame.address() != self.address {
                continue;
            }
            match Reply::parse(frame) {
                Ok(reply) => self.handle_event(reply.into(), frame.address(), at),
                Err(_unusable) => self.watch.gap(GapCause::Unusable, at),
            }
        }
        self.watch.noise(deframer.dropped_bytes(), at);
        let silence = deframer.is_waiting().then(|| at + self.timing.silence_in_frame);
        self.silence_deadline = silence;
        self.deframer = deframer;
    }

    fn handle_event(&mut self, event: Event<'_>, address: u8, at: Instant) {
        match self.phase {
            Phase::Closed => {}
            Phase::Probing | Phase::Draining => self.handle_while_probing(event, address, at),
            Phase::Setting(step) => self.handle_while_setting(step, event, at),
            Phase::Reading => self.handle_while_reading(event, at),
            Phase::Checking => self.handle_while_checking(event, at),
            Phase::Asking(question) => self.handle_while_asking(question, event, at),
            // Whatever it says belongs to what it was told before.
            Phase::Restarting | Phase::Resting => {}
        }
    }

    fn handle_while_probing(&mut self, event: Event<'_>, address: u8, at: Instant) {
        match event {
            Event::Version(major, minor) => {
                self.rates.found();
                self.address = address;
                let baud = Some(self.rates.current());
                let text = format!("R2000 firmware {major}.{minor}, address {address}");
                self.watch.report(Report::Identity { text, baud });
                self.begin_setting(at);
            }
            // An earlier host's round. Its reads are of a time when nobody listened; what we asked
            // is answered when it ends.
            Event::Tag(_) | Event::AntennaFailed(..) => {
                self.rates.found();
                self.phase = Phase::Draining;
                self.wait_until(at + self.timing.stop_timeout);
            }
            Event::End(_) => {
                self.rates.found();
                self.phase = Phase::Draining;
                self.wait_until(at + self.timing.probe_timeout);
            }
            // Late answers to an earlier session.
            Event::Answer(_) | Event::Refused(..) | Event::Stray => {}
        }
    }

    fn handle_while_reading(&mut self, event: Event<'_>, at: Instant) {
        let ours = self.setup.round().opcode();
        match event {
            Event::Tag(report) if report.opcode == ours => {
                self.heard(at);
                self.await_round(at);
                self.report_tag(report, at);
            }
            Event::End(opcode) if opcode == ours => self.handle_end(at),
            Event::AntennaFailed(antenna, code) => {
                self.await_round(at);
                self.handle_antenna_failure(antenna, code);
            }
            Event::Refused(opcode, code) if opcode == ours => self.handle_round_failure(code, at),
            // Late answers: the reader lives.
            Event::Tag(_)
            | Event::End(_)
            | Event::Version(..)
            | Event::Answer(_)
            | Event::Refused(..)
            | Event::Stray => self.wait_until(at + self.timing.life_timeout),
        }
    }

    fn handle_end(&mut self, at: Instant) {
        self.round_is_open = false;
        self.wait_until(at + self.timing.life_timeout);
        for port in self.antennas.end_round(&self.setup.antennas) {
            self.watch.report(Report::Antenna { port, state: AntennaState::Connected });
        }
        if self.antennas.all_failed(&self.setup.antennas) {
            self.watch.radio_failed(at);
            return self.pause(at);
        }
        self.heard(at);
        self.go_on(at);
    }

    fn handle_antenna_failure(&mut self, antenna: u8, code: ErrorCode) {
        let port = antenna;
        if self.antennas.failed(port) {
            if code == ErrorCode::ANTENNA_MISSING {
                self.watch.report(Report::Antenna { port, state: AntennaState::Missing });
            }
            self.watch.report(Report::RadioFault { text: code.name().unwrap_or_default() });
        }
    }

    /// The round did not take place.
    fn handle_round_failure(&mut self, code: ErrorCode, at: Instant) {
        self.round_is_open = false;
        self.wait_until(at + self.timing.life_timeout);
        match code {
            // It has nothing to say but that it looked.
            ErrorCode::NO_TAG => self.handle_end(at),
            ErrorCode::MCU_RESET => {
                self.watch.end_reading(GapCause::Reboot, at);
                self.begin_setting(at);
            }
            ErrorCode::ANTENNA_MISSING => {
                let antenna = self.setup.antennas[0];
                self.handle_antenna_failure(antenna, code);
                self.watch.radio_failed(at);
                self.pause(at);
            }
            code if code.is_refusal() => {
                self.report_fault(code);
                self.watch.end_reading(GapCause::Stopped, at);
                self.rest(at);
            }
            code => {
                self.report_fault(code);
                self.watch.radio_failed(at);
                self.pause(at);
            }
        }
    }

    fn handle_while_checking(&mut self, event: Event<'_>, at: Instant) {
        match event {
            // The round is only slow.
            Event::Tag(_) | Event::End(_) | Event::AntennaFailed(..) | Event::Refused(..) => {
                self.phase = Phase::Reading;
                self.handle_while_reading(event, at);
            }
            // The reader is idle: command or end record were lost, or it has restarted.
            Event::Version(..) => {
                self.watch.end_reading(GapCause::Silence, at);
                self.begin_setting(at);
            }
            Event::Answer(_) | Event::Stray => {}
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
            Phase::Draining | Phase::Setting(_) | Phase::Restarting | Phase::Resting => {
                self.probe(now);
            }
            Phase::Reading | Phase::Checking => {
                self.watch.end_reading(GapCause::Silence, now);
                self.watch.enter(ReaderState::Degraded);
                self.probe(now);
            }
            // The antennas have been told of by then.
            Phase::Asking(Question::ReselectAntenna) => self.begin_setting(now),
            Phase::Asking(question) => {
                self.watch.report(Report::Refused { request: question.request() });
                self.begin_setting(now);
            }
        }
    }

    /// The round has not ended in time, or the pause has.
    fn handle_round_deadline(&mut self, now: Instant) {
        self.round_deadline = None;
        match self.phase {
            Phase::Reading if !self.round_is_open => self.go_on(now),
            Phase::Reading | Phase::Checking => {
                self.phase = Phase::Checking;
                self.send(Command::Ask { opcode: opcode::VERSION });
                self.round_deadline = Some(now + self.timing.answer_timeout);
            }
            Phase::Closed
            | Phase::Probing
            | Phase::Draining
            | Phase::Setting(_)
            | Phase::Restarting
            | Phase::Asking(_)
            | Phase::Resting => {}
        }
    }

    fn probe(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Probing);
        self.address = BROADCAST;
        self.send(Command::Ask { opcode: opcode::VERSION });
        self.enter(Phase::Probing, now + self.timing.probe_timeout);
    }

    fn rest(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Degraded);
        self.enter(Phase::Resting, now + self.timing.rest);
    }

    fn begin_round(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Asking(_)) {
            self.watch.begin_reading(now);
        }
        let frame = self.setup.round().emit(self.address);
        self.transmits.push_back(Transmit::Frame(frame));
        self.antennas.begin_round();
        self.round_is_open = true;
        self.enter(Phase::Reading, now + self.timing.life_timeout);
        self.await_round(now);
    }

    fn report_tag(&mut self, report: TagReport<'_>, at: Instant) {
        let channel = report.freq_ant.channel();
        match tag_read(&Reply::Tag(report), self.rssi, at) {
            Some(mut read) => {
                if let Some(region) = self.region {
                    read.frequency_khz = region.khz(channel);
                }
                self.watch.tag(read);
            }
            None => self.watch.gap(GapCause::Unusable, at),
        }
    }

    /// Says once what is wrong, until it is right again.
    fn report_fault(&mut self, code: ErrorCode) {
        if self.fault.replace(code) != Some(code) {
            self.watch.report(Report::RadioFault { text: code.name().unwrap_or_default() });
        }
    }

    /// A sign of life while reading: tags that pass now are reported.
    fn heard(&mut self, at: Instant) {
        self.fault = None;
        self.watch.heard(at);
        self.wait_until(at + self.timing.life_timeout);
    }

    /// A round on more antennas takes longer.
    fn await_round(&mut self, now: Instant) {
        let antennas = u32::try_from(self.setup.antennas.len()).unwrap_or(u32::MAX);
        let wait = self.timing.answer_timeout + self.timing.answer_timeout / 4 * antennas;
        self.round_deadline = Some(now + wait);
    }

    /// Leaves a reader whose radio failed alone for a moment.
    fn pause(&mut self, now: Instant) {
        self.round_deadline = Some(now + self.timing.answer_timeout);
    }

    fn send(&mut self, command: Command<'_>) {
        self.transmits.push_back(Transmit::Frame(command.emit(self.address)));
    }

    fn enter(&mut self, phase: Phase, deadline: Instant) {
        self.phase = phase;
        self.round_deadline = None;
        self.wait_until(deadline);
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.phase_deadline = Some(deadline);
    }
}

impl Session for R2000Session {
    fn handle_open(&mut self, now: Instant) {
        self.deframer.clear();
        self.is_quiet = false;
        self.transmits.clear();
        self.transmits.push_back(Transmit::Baud(self.rates.current()));
        self.probe(now);
    }

    fn handle_closed(&mut self, now: Instant) {
        self.watch.end_reading(GapCause::PortLost, now);
        if let Phase::Asking(question) = self.phase
            && question != Question::ReselectAntenna
        {
            self.requests.put_back(question.request());
        }
        self.phase = Phase::Closed;
        self.phase_deadline = None;
        self.round_deadline = None;
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
        if self.round_deadline.is_some_and(|deadline| deadline <= now) {
            self.handle_round_deadline(now);
        }
    }

    fn handle_request(&mut self, request: Request, now: Instant) {
        if request == Request::Statistics || self.requests.push(request).is_err() {
            return self.watch.report(Report::Refused { request });
        }
        if self.phase == Phase::Reading && !self.round_is_open {
            self.go_on(now);
        }
    }

    /// A round ends by itself, and what was set is not saved: there is nothing to say.
    fn handle_shutdown(&mut self, now: Instant) {
        self.handle_closed(now);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [self.phase_deadline, self.round_deadline, self.silence_deadline];
        deadlines.into_iter().flatten().min()
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
