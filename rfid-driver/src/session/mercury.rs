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

use super::{Gap, GapCause, ReaderState, Session, SessionEvent};
use crate::codec::mercury::{
    Command, Direction, Frame, FrameBuf, FromReader, PROGRAM_BOOT_LOADER, Reply, Status, TagRecord,
    opcode,
};
use crate::deframe::Deframer;
use crate::{Epc, TagRead};

mod setup;

use setup::Step;
pub use setup::{MercurySettings, MercuryTiming};

/// Unanswered probes in a row after which the line is called dead.
const PROBES_UNANSWERED_MAX: u32 = 4;

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
    settings: MercurySettings,
    timing: MercuryTiming,
    deframer: Deframer<FromReader>,
    phase: Phase,
    state: ReaderState,
    phase_deadline: Option<Instant>,
    silence_deadline: Option<Instant>,
    probes_unanswered: u32,
    // When the reader last gave a sign of life while reading.
    heard_at: Option<Instant>,
    // The gap that began when reading ended, until it begins again.
    open_gap: Option<(Instant, GapCause)>,
    // The deframer's count when noise was last reported.
    dropped_before: u64,
    transmits: VecDeque<FrameBuf>,
    events: VecDeque<SessionEvent>,
}

impl MercurySession {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(settings: MercurySettings, timing: MercuryTiming) -> Self {
        Self {
            settings,
            timing,
            deframer: Deframer::new(),
            phase: Phase::Closed,
            state: ReaderState::Closed,
            phase_deadline: None,
            silence_deadline: None,
            probes_unanswered: 0,
            heard_at: None,
            open_gap: None,
            dropped_before: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// How many bytes from the line were part of no intact frame.
    #[must_use]
    pub fn dropped_bytes(&self) -> u64 {
        self.deframer.dropped_bytes()
    }

    /// Takes every intact frame out of the deframer.
    fn handle_frames(&mut self, at: Instant) {
        // The frame borrows the deframer while it is handled; it is given back afterwards.
        let mut deframer = std::mem::take(&mut self.deframer);
        while let Some(bytes) = deframer.next_frame() {
            let Ok(frame) = Frame::new_checked(bytes, Direction::FromReader) else { continue };
            match Reply::parse(frame) {
                Ok(reply) => self.handle_reply(reply, at),
                Err(_unusable) => self.report_gap(GapCause::Unusable, at),
            }
        }
        let dropped = deframer.dropped_bytes();
        let heard_now = self.heard_at == Some(at);
        if self.phase != Phase::Reading {
            self.dropped_before = dropped;
        } else if heard_now && dropped > self.dropped_before {
            self.report_gap(GapCause::Noise { bytes: dropped - self.dropped_before }, at);
            self.dropped_before = dropped;
        }
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
            Reply::Version(_) | Reply::Booted(_) => self.begin_setting(at),
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
                    Some(read) => self.events.push_back(SessionEvent::Tag(read)),
                    None => self.report_gap(GapCause::Unusable, at),
                }
            }
            Reply::KeepAlive { .. } | Reply::StreamNote { .. } => self.heard(at),
            Reply::Refused { opcode: opcode::READ_MULTIPLE, status, .. } => {
                self.wait_until(at + self.timing.life_timeout);
                if status.is_radio_fault() {
                    self.open_gap.get_or_insert((at, GapCause::Radio));
                    self.enter_state(ReaderState::Degraded);
                }
            }
            Reply::StreamStopped => {
                self.begin_gap(GapCause::Stopped, at);
                self.begin_setting(at);
            }
            Reply::Booted(_) => {
                self.begin_gap(GapCause::Reboot, at);
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
                self.probes_unanswered += 1;
                if self.probes_unanswered >= PROBES_UNANSWERED_MAX {
                    self.probes_unanswered = 0;
                    self.events.push_back(SessionEvent::LineDead);
                }
                self.probe(now);
            }
            Phase::Draining | Phase::Resting => self.probe(now),
            Phase::Setting(Step::Boot) => self.rest(now),
            Phase::Setting(_) => self.probe(now),
            Phase::Reading => {
                self.begin_gap(GapCause::Silence, now);
                self.enter_state(ReaderState::Degraded);
                self.drain(now);
            }
        }
    }

    fn probe(&mut self, now: Instant) {
        self.enter_state(ReaderState::Probing);
        self.send(Command::Version, Phase::Probing, now + self.timing.answer_timeout);
    }

    fn drain(&mut self, now: Instant) {
        self.send(Command::StopStream, Phase::Draining, now + self.timing.stop_timeout);
    }

    fn rest(&mut self, now: Instant) {
        self.enter_state(ReaderState::Degraded);
        self.phase = Phase::Resting;
        self.wait_until(now + self.timing.rest);
    }

    fn begin_setting(&mut self, now: Instant) {
        self.probes_unanswered = 0;
        self.enter_state(ReaderState::Configuring);
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
        let frame = self.settings.command(step).emit();
        self.transmits.push_back(frame);
        self.phase = Phase::Setting(step);
        self.wait_until(now + timeout);
    }

    fn read(&mut self, now: Instant) {
        self.phase = Phase::Reading;
        self.enter_state(ReaderState::Reading);
        self.heard(now);
    }

    fn send(&mut self, command: Command<'_>, phase: Phase, deadline: Instant) {
        self.transmits.push_back(command.emit());
        self.phase = phase;
        self.wait_until(deadline);
    }

    /// A sign of life while reading: tags that pass now are reported.
    fn heard(&mut self, at: Instant) {
        self.wait_until(at + self.timing.life_timeout);
        if let Some((since, cause)) = self.open_gap.take() {
            self.events.push_back(SessionEvent::Gap(Gap { since, until: at, cause }));
        }
        self.enter_state(ReaderState::Reading);
        self.heard_at = Some(at);
    }

    fn begin_gap(&mut self, cause: GapCause, now: Instant) {
        if self.phase == Phase::Reading {
            self.open_gap.get_or_insert((self.heard_at.unwrap_or(now), cause));
        }
    }

    /// Reports a gap that was over as soon as it was known.
    fn report_gap(&mut self, cause: GapCause, at: Instant) {
        if self.phase == Phase::Reading {
            let since = self.heard_at.unwrap_or(at);
            self.events.push_back(SessionEvent::Gap(Gap { since, until: at, cause }));
        }
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.phase_deadline = Some(deadline);
    }

    fn enter_state(&mut self, state: ReaderState) {
        if self.state != state {
            self.state = state;
            self.events.push_back(SessionEvent::State(state));
        }
    }
}

impl Session for MercurySession {
    type Transmit = FrameBuf;

    fn handle_open(&mut self, now: Instant) {
        self.deframer.clear();
        self.transmits.clear();
        self.probes_unanswered = 0;
        self.probe(now);
    }

    fn handle_closed(&mut self, now: Instant) {
        self.begin_gap(GapCause::PortLost, now);
        self.phase = Phase::Closed;
        self.phase_deadline = None;
        self.silence_deadline = None;
        self.transmits.clear();
        self.enter_state(ReaderState::Closed);
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

    fn handle_shutdown(&mut self, now: Instant) {
        match self.phase {
            Phase::Reading | Phase::Setting(_) => {
                self.transmits.push_back(Command::StopStream.emit());
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

    fn poll_transmit(&mut self) -> Option<FrameBuf> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }
}

/// What a record says about a tag; `None` where it lacks what a tag read must have.
fn tag_read(record: &TagRecord<'_>, at: Instant) -> Option<TagRead> {
    Some(TagRead {
        epc: Epc::try_from_slice(record.epc.0).ok()?,
        pc: record.pc,
        antenna: transmitting_port(record.antenna?),
        rssi_dbm: record.rssi_dbm?,
        frequency_khz: record.frequency_khz,
        phase_deg: record.phase_deg,
        read_count: record.read_count.unwrap_or(1),
        reader_timestamp_ms: record.timestamp_ms,
        at,
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
