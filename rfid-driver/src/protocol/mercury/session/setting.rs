//! Setting a reader up, step by step.

use std::time::Instant;

use super::setup::{Need, Step};
use super::{MercurySession, Phase, Try};
use crate::protocol::mercury::codec::{Answer, PROGRAM_BOOT_LOADER, Reply, Status, opcode};
use crate::session::{ReaderState, Transmit};

impl MercurySession {
    pub(super) fn handle_while_setting(&mut self, step: Step, reply: Reply<'_>, at: Instant) {
        match reply {
            Reply::Program(PROGRAM_BOOT_LOADER) if step == Step::AskProgram => {
                self.set(Step::Boot, at);
            }
            Reply::Program(_) if step == Step::AskProgram => self.set_next(step, at),
            Reply::Booted(_) if step == Step::Boot => self.set_next(step, at),
            Reply::Booted(_) => self.begin_setting(at),
            Reply::Version(_) if step == Step::BaudCheck => {
                self.setup.baud_changed();
                self.rates.found();
                self.set_next(step, at);
            }
            Reply::Done { opcode, data } if opcode == step.opcode() => {
                self.handle_step_done(step, data.0, at);
            }
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

    fn handle_step_done(&mut self, step: Step, data: &[u8], at: Instant) {
        match step {
            Step::Baud => {
                let baud = self.setup.leave_baud(self.rates.current());
                self.change_baud(baud);
                self.set(Step::BaudCheck, at);
            }
            Step::AntennaCheck => {
                if let Some(Answer::AntennasDetected { pairs }) =
                    Answer::parse(opcode::ANTENNAS, data)
                {
                    for report in self.setup.antennas_found(pairs.0) {
                        self.watch.report(report);
                    }
                }
                self.set_next(step, at);
            }
            Step::PowerLimits => match Answer::parse(opcode::READ_POWER, data) {
                Some(answer) if self.setup.limit_power(&answer) => self.set_next(step, at),
                Some(_) | None => self.rest(at),
            },
            Step::AskProgram
            | Step::Boot
            | Step::BaudCheck
            | Step::Region
            | Step::Antennas
            | Step::ReadPower
            | Step::ReadPowerLimited
            | Step::Protocol
            | Step::ReadFilterOff
            | Step::RssiInDbm
            | Step::Start => self.set_next(step, at),
        }
    }

    fn handle_refusal(&mut self, step: Step, status: Status, at: Instant) {
        match (step, step.need(), status) {
            // The application that is to be started runs already.
            (Step::Boot, _, Status::INVALID_OPCODE) => self.set_next(step, at),
            (Step::Boot, ..) => self.rest(at),
            (Step::Baud, ..) => {
                self.setup.baud_failed();
                self.set(Step::Region, at);
            }
            (_, Need::Optional, _) => self.set_next(step, at),
            (Step::Start, _, Status::INVALID_OPCODE | Status::UNIMPLEMENTED_OPCODE) => {
                if self.setup.change_dialect() {
                    self.set(Step::Start, at);
                } else {
                    self.rest(at);
                }
            }
            // Only the boot loader does not know these, unless the module never heard of them.
            (step, Need::Mandatory, Status::INVALID_OPCODE) if self.setup.boot_for(step) => {
                self.set(Step::Boot, at);
            }
            (Step::ReadPower, _, Status::POWER_TOO_HIGH) => self.set(Step::PowerLimits, at),
            (Step::Start, ..) if !status.is_radio_fault() && self.setup.give_up_tid() => {
                self.set(Step::Start, at);
            }
            (_, Need::Mandatory, _) => {
                if status.is_radio_fault() {
                    self.report_radio_fault(status, at);
                }
                self.rest(at);
            }
        }
    }

    /// A step of the set-up got no answer.
    pub(super) fn handle_unanswered(&mut self, step: Step, tried: Try, now: Instant) {
        match (step, tried, step.need()) {
            (Step::Boot, ..) => self.rest(now),
            // It may have gone to the new rate without our hearing so.
            (Step::Baud, ..) => {
                let baud = self.setup.leave_baud(self.rates.current());
                self.setup.baud_failed();
                self.change_baud(baud);
                self.probe(now);
            }
            // It may read without our having heard so, and then answers nothing but stop.
            (Step::Start, ..) => self.drain(now),
            (step, Try::First, _) => self.ask_step(step, Try::Second, now),
            (Step::BaudCheck, Try::Second, _) => {
                let before = self.setup.baud_failed().unwrap_or(self.rates.current());
                self.change_baud(before);
                self.probe(now);
            }
            (step, Try::Second, Need::Optional) => self.set_next(step, now),
            (_, Try::Second, Need::Mandatory) => self.rest(now),
        }
    }

    fn change_baud(&mut self, baud: u32) {
        self.rates.found();
        self.rates.moved_to(baud);
        self.transmits.push_back(Transmit::Baud(baud));
    }

    pub(super) fn begin_setting(&mut self, now: Instant) {
        self.unanswered_probes = 0;
        self.setup.begin();
        self.watch.enter(ReaderState::Configuring);
        self.set(Step::AskProgram, now);
    }

    pub(super) fn set_next(&mut self, done: Step, now: Instant) {
        match self.setup.next(done, self.rates.current()) {
            // What the owner wants to know is asked as long as the reader listens.
            Some(Step::Start) => self.ask_next(now),
            Some(step) => self.set(step, now),
            None => self.read(now),
        }
    }

    pub(super) fn set(&mut self, step: Step, now: Instant) {
        self.ask_step(step, Try::First, now);
    }

    fn ask_step(&mut self, step: Step, tried: Try, now: Instant) {
        let timeout = match step {
            Step::Boot => self.settings.timing.boot_timeout,
            _ => self.settings.timing.answer_timeout,
        };
        self.transmits.push_back(Transmit::Frame(self.setup.frame(step)));
        self.phase = Phase::Setting(step, tried);
        self.wait_until(now + timeout);
    }
}
