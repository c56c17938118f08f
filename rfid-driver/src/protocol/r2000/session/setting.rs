//! Setting the reader up: what each answer means for the next step.

use std::time::Instant;

use super::event::Event;
use super::setup::{Found, Step};
use super::{Phase, R2000Session};
use crate::protocol::r2000::codec::{ErrorCode, Reply};
use crate::session::{ReaderState, Transmit};

impl R2000Session {
    pub(super) fn handle_while_setting(&mut self, step: Step, event: Event<'_>, at: Instant) {
        match event {
            Event::Answer(reply) if reply.opcode() == step.opcode() => {
                self.handle_answer(step, reply, at);
            }
            Event::Refused(opcode, code) if opcode == step.opcode() => {
                self.handle_refusal(step, code, at);
            }
            // A round goes on before which the reader does not get to the command.
            Event::Tag(_) | Event::AntennaFailed(..) => {
                self.wait_until(at + self.timing.answer_timeout);
            }
            Event::End(_)
            | Event::Version(..)
            | Event::Answer(_)
            | Event::Refused(..)
            | Event::Stray => {}
        }
    }

    pub(super) fn handle_answer(&mut self, step: Step, reply: Reply<'_>, at: Instant) {
        let as_wanted = match (step, reply) {
            (Step::Baud, _) => return self.change_baud(at),
            (Step::AskRegion, Reply::Region(region)) => {
                self.region = Some(region);
                self.setup.region.is_none_or(|wanted| wanted == region)
            }
            (Step::SetRegion, _) => {
                self.region = self.setup.region.or(self.region);
                true
            }
            (Step::AskPower, Reply::Value { data, .. }) => self.setup.is_power_wanted(data.0),
            (Step::AskDetector, Reply::Value { data, .. }) => data.0 != [0],
            (
                Step::AskRegion
                | Step::AskPower
                | Step::AskDetector
                | Step::TemporaryPower
                | Step::SetPower
                | Step::Beeper
                | Step::SetDetector
                | Step::FastTid
                | Step::Antenna,
                _,
            ) => true,
        };
        let found = if as_wanted { Found::AsWanted } else { Found::Otherwise };
        self.set_next(step, found, at);
    }

    pub(super) fn handle_refusal(&mut self, step: Step, code: ErrorCode, at: Instant) {
        match step {
            // An older reader has no temporary power.
            Step::TemporaryPower => self.set(Step::SetPower, at),
            // It reads without, or as it was set.
            Step::Baud
            | Step::AskRegion
            | Step::AskPower
            | Step::Beeper
            | Step::AskDetector
            | Step::SetDetector
            | Step::FastTid => self.set_next(step, Found::AsWanted, at),
            Step::SetRegion | Step::SetPower | Step::Antenna => {
                self.report_fault(code);
                self.rest(at);
            }
        }
    }

    pub(super) fn begin_setting(&mut self, now: Instant) {
        self.watch.enter(ReaderState::Configuring);
        self.set(self.setup.first(self.rates.current()), now);
    }

    pub(super) fn set_next(&mut self, done: Step, found: Found, now: Instant) {
        match self.setup.next(done, found) {
            // It cannot be asked for, and lies in flash: it is set once for each time the port opens.
            Some(Step::Beeper) if self.is_quiet => self.set_next(Step::Beeper, found, now),
            Some(step) => {
                self.is_quiet |= step == Step::Beeper;
                self.set(step, now);
            }
            None => {
                self.watch.begin_reading(now);
                self.go_on(now);
            }
        }
    }

    pub(super) fn set(&mut self, step: Step, now: Instant) {
        let frame = self.setup.command(step, self.address);
        self.transmits.push_back(Transmit::Frame(frame));
        self.enter(Phase::Setting(step), now + self.timing.answer_timeout);
    }

    /// It has answered at the old rate, and restarts at the new one.
    pub(super) fn change_baud(&mut self, now: Instant) {
        if let Some(baud) = self.setup.baud_wanted {
            self.rates.moved_to(baud);
            self.transmits.push_back(Transmit::Baud(baud));
        }
        self.enter(Phase::Restarting, now + self.timing.rest);
    }
}
