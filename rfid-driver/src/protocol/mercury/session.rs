//! The session of a Mercury reader: from whatever state it was left in to a continuous read, and
//! back there after everything that can go wrong.
//!
//! ```text
//!   Closed ─open─► Probing ─version─► Setting(step …) ─started─► Reading
//!                   │   ▲                │  ▲                      │
//!        still reading  stopped     refused  after a while      silence
//!                   ▼   │                ▼  │ (by Probing)         │
//!                  Draining ◄──────────  Resting                   │
//!                      ▲───────────────────────────────────────────┘
//! ```
//!
//! A reader that is still in a continuous read from an earlier session answers nothing but stop; it
//! is told to stop and its queued reports are thrown away until it acknowledges, because nobody
//! knows when they were made. An unasked boot message means that the module restarted and has
//! forgotten everything.

use std::collections::VecDeque;
use std::time::Instant;

use super::BAUDS;
use super::codec::{
    Command, EmbeddedData, Frame, FromReader, PROGRAM_BOOT_LOADER, Reply, Status, TagRecord, opcode,
};
use crate::codec::Direction;
use crate::deframe::Deframer;
use crate::session::{
    BaudSearch, GapCause, ReaderSettings, ReaderState, Report, Request, Round, Session,
    SessionEvent, Timing, Transmit, Watch,
};
use crate::{Epc, Rssi, TagRead, Tid};

mod setup;

use setup::{Setup, Step};

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    /// Asked for the version.
    Probing,
    /// Told to stop; reports still come.
    Draining,
    /// Being set up; the command of this step awaits its answer.
    Setting(Step),
    Reading,
    /// Refused something it must do; left alone for a while.
    Resting,
}

/// A conversation with one Mercury reader.
#[derive(Debug)]
pub struct MercurySession {
    setup: Setup,
    timing: Timing,
    deframer: Deframer<FromReader>,
    rates: BaudSearch,
    phase: Phase,
    phase_deadline: Option<Instant>,
    silence_deadline: Option<Instant>,
    watch: Watch,
    transmits: VecDeque<Transmit>,
}

impl MercurySession {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(settings: &ReaderSettings) -> Self {
        Self {
            setup: Setup::new(settings),
            timing: settings.timing,
            deframer: Deframer::new(),
            rates: BaudSearch::new(&settings.bauds, &BAUDS),
            phase: Phase::Closed,
            phase_deadline: None,
            silence_deadline: None,
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
                Ok(reply) => self.handle_reply(reply, at),
                Err(_unusable) => self.watch.gap(GapCause::Unusable, at),
            }
        }
        self.watch.noise(deframer.dropped_bytes(), at);
        let silence = deframer.is_waiting().then(|| at + self.timing.silence_in_frame);
        self.silence_deadline = silence;
        self.deframer = deframer;
    }

    fn handle_reply(&mut self, reply: Reply<'_>, at: Instant) {
        match self.phase {
            Phase::Closed => {}
            Phase::Probing => self.handle_while_probing(reply, at),
            Phase::Draining => self.handle_while_draining(reply, at),
            Phase::Setting(step) => self.handle_while_setting(step, reply, at),
            Phase::Reading => self.handle_while_reading(reply, at),
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
            // Late answers to an earlier session.
            Reply::StreamStarted
            | Reply::StreamStopped
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => {}
        }
    }

    fn handle_while_draining(&mut self, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::StreamStopped | Reply::Refused { opcode: opcode::STREAM, .. } => self.probe(at),
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

    fn handle_while_setting(&mut self, step: Step, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::Program(PROGRAM_BOOT_LOADER) if step == Step::AskProgram => {
                self.set(Step::Boot, at);
            }
            Reply::Program(_) if step == Step::AskProgram => self.set(Step::Region, at),
            Reply::Booted(_) if step == Step::Boot => self.set(Step::Region, at),
            Reply::Booted(_) => self.begin_setting(at),
            Reply::Done { opcode, .. } if opcode == step.opcode() => self.set_next(step, at),
            Reply::StreamStarted if step == Step::Start => self.read(at),
            Reply::Refused { opcode, status, .. } if opcode == step.opcode() => {
                self.handle_refusal(step, status, at);
            }
            // It reads although we have not seen it start: the acknowledgement was lost, or
            // another host's session goes on.
            Reply::Tag(_)
            | Reply::KeepAlive { .. }
            | Reply::StreamNote { .. }
            | Reply::Refused { opcode: opcode::READ_MULTIPLE, .. } => self.drain(at),
            // Late answers to a question that was asked twice.
            Reply::StreamStarted
            | Reply::StreamStopped
            | Reply::Version(_)
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => {}
        }
    }

    fn handle_refusal(&mut self, step: Step, status: Status, at: Instant) {
        match (step, status) {
            // The application that is to be started runs already.
            (Step::Boot, Status::INVALID_OPCODE) => self.set(Step::Region, at),
            (Step::Boot, _) => self.rest(at),
            // Firmware without this key has no such behaviour to turn off.
            (Step::RssiInDbm | Step::ReadFilterOff, _) => self.set_next(step, at),
            // Only the boot loader does not know these.
            (
                Step::AskProgram
                | Step::Region
                | Step::Antennas
                | Step::ReadPower
                | Step::Protocol
                | Step::Start,
                Status::INVALID_OPCODE,
            ) => self.set(Step::Boot, at),
            (
                Step::AskProgram
                | Step::Region
                | Step::Antennas
                | Step::ReadPower
                | Step::Protocol
                | Step::Start,
                _,
            ) => self.rest(at),
        }
    }

    fn handle_while_reading(&mut self, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::Tag(record) => {
                self.heard(at);
                match tag_read(&record, at) {
                    Some(read) => self.watch.tag(read),
                    None => self.watch.gap(GapCause::Unusable, at),
                }
            }
            Reply::KeepAlive { .. } | Reply::StreamNote { .. } => self.heard(at),
            Reply::Refused { opcode: opcode::READ_MULTIPLE, status, .. } => {
                self.wait_until(at + self.timing.life_timeout);
                if status.is_radio_fault() {
                    self.watch.radio_failed(at);
                }
            }
            Reply::StreamStopped => {
                self.watch.end_reading(GapCause::Stopped, at);
                self.begin_setting(at);
            }
            Reply::Booted(_) => {
                self.watch.end_reading(GapCause::Reboot, at);
                self.begin_setting(at);
            }
            // Late answers.
            Reply::StreamStarted
            | Reply::Version(_)
            | Reply::Program(_)
            | Reply::Done { .. }
            | Reply::Refused { .. } => self.wait_until(at + self.timing.life_timeout),
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
                self.transmits.push_back(Transmit::Baud(self.rates.current()));
                self.probe(now);
            }
            Phase::Draining | Phase::Resting => self.probe(now),
            Phase::Setting(Step::Boot) => self.rest(now),
            Phase::Setting(_) => self.probe(now),
            Phase::Reading => {
                self.watch.end_reading(GapCause::Silence, now);
                self.watch.enter(ReaderState::Degraded);
                self.drain(now);
            }
        }
    }

    fn probe(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Probing);
        self.send(Command::Version, Phase::Probing, now + self.timing.probe_timeout);
    }

    fn drain(&mut self, now: Instant) {
        self.send(Command::StopStream, Phase::Draining, now + self.timing.stop_timeout);
    }

    fn rest(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Degraded);
        self.phase = Phase::Resting;
        self.wait_until(now + self.timing.rest);
    }

    fn begin_setting(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Configuring);
        self.set(Step::AskProgram, now);
    }

    fn set_next(&mut self, done: Step, now: Instant) {
        match done.next() {
            Some(step) => self.set(step, now),
            None => self.read(now),
        }
    }

    fn set(&mut self, step: Step, now: Instant) {
        let timeout = match step {
            Step::Boot => self.timing.boot_timeout,
            _ => self.timing.answer_timeout,
        };
        let frame = self.setup.command(step).emit();
        self.transmits.push_back(Transmit::Frame(frame));
        self.phase = Phase::Setting(step);
        self.wait_until(now + timeout);
    }

    fn read(&mut self, now: Instant) {
        self.phase = Phase::Reading;
        self.watch.begin_reading(now);
        self.wait_until(now + self.timing.life_timeout);
    }

    fn send(&mut self, command: Command<'_>, phase: Phase, deadline: Instant) {
        self.transmits.push_back(Transmit::Frame(command.emit()));
        self.phase = phase;
        self.wait_until(deadline);
    }

    /// A sign of life while reading: tags that pass now are reported.
    fn heard(&mut self, at: Instant) {
        self.wait_until(at + self.timing.life_timeout);
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

    fn handle_request(&mut self, request: Request, _now: Instant) {
        self.watch.report(Report::Refused { request });
    }

    fn handle_shutdown(&mut self, now: Instant) {
        match self.phase {
            Phase::Reading | Phase::Setting(_) => {
                self.transmits.push_back(Transmit::Frame(Command::StopStream.emit()));
            }
            Phase::Closed | Phase::Probing | Phase::Draining | Phase::Resting => {}
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

/// What a record says about a tag; `None` where it lacks an identity.
pub(super) fn tag_read(record: &TagRecord<'_>, at: Instant) -> Option<TagRead> {
    let word = |at: usize| {
        let word = record.xpc.0.get(at..at + 2)?;
        Some(u16::from_be_bytes([word[0], word[1]]))
    };
    let tid = match record.data {
        Some(EmbeddedData::Bits { bytes, .. }) => Tid::try_from_slice(bytes.0).ok(),
        Some(EmbeddedData::Failed(_)) | None => None,
    };
    Some(TagRead {
        pc: Some(record.pc),
        xpc: [word(0), word(2)],
        tid,
        antenna: record.antenna.map(transmitting_port),
        rssi: record
            .rssi_dbm
            .map(|dbm| Rssi { dbm: Some(i16::from(dbm)), raw: dbm.to_be_bytes()[0] }),
        frequency_khz: record.frequency_khz,
        phase_deg: record.phase_deg,
        read_count: record.read_count.map_or(1, u16::from),
        reader_timestamp_ms: record.timestamp_ms,
        ..TagRead::new(Epc::try_from_slice(record.epc.0).ok()?, at)
    })
}

/// The high nibble is the transmitting port; four bits have no room for port 16, which is sent as 0.
fn transmitting_port(antenna: u8) -> u8 {
    match antenna >> 4 {
        0 => 16,
        port => port,
    }
}

#[cfg(test)]
mod tests;
