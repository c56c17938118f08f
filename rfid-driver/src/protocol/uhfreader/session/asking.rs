//! What the owner asks of a reader beside reading: done between two rounds, and a gap.

use std::time::Instant;

use super::heard::Heard;
use super::{Phase, UhfReaderSession};
use crate::protocol::uhfreader::codec::{Command, Dialect, Reply, opcode};
use crate::protocol::uhfreader::describe::celsius;
use crate::session::{AntennaState, GapCause, Level, Report, Request, Transmit, Watch};

/// Out1 and Out2 are high until told otherwise (288 manual V1.14, 8.4.10).
pub(super) const OUTPUTS_AT_FIRST: u8 = 0x03;
const OUTPUT_PINS: std::ops::RangeInclusive<u8> = 1..=2;
const INPUT_PIN: u8 = 1;
/// Bit of In1.
const INPUT_BIT: u8 = 0x01;
/// The middle of what there is: at an antenna that is not there everything comes back, whatever the
/// carrier. Clients of the vendor ask at this one.
const RETURN_LOSS_AT_KHZ: u32 = 915_000;
/// Clients of real readers take an antenna for connected above this.
const RETURN_LOSS_DB_MIN: u8 = 4;

/// A question under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    request: Request,
    /// Of the configured antennas: which is asked for.
    antenna_at: usize,
}

impl Question {
    fn opcode(self) -> u8 {
        match self.request {
            Request::Temperature => opcode::TEMPERATURE,
            Request::Antennas => opcode::RETURN_LOSS,
            Request::Inputs => opcode::PINS,
            Request::SetOutput { .. } => opcode::SET_OUTPUTS,
            Request::Statistics => opcode::INVENTORY,
        }
    }
}

pub(super) fn report_statistics(watch: &mut Watch, reads_per_s: u16, reads: u32) {
    let figures = [("reads_per_s", i64::from(reads_per_s)), ("reads", i64::from(reads))];
    for (name, value) in figures {
        watch.report(Report::Statistic { name, value });
    }
}

impl UhfReaderSession {
    /// The next question that this reader can be asked; the others are refused. What it counts is
    /// asked for with the round itself.
    pub(super) fn next_question(&mut self, now: Instant) -> Option<Question> {
        loop {
            let request = self.requests.first()?;
            let possible = match (self.dialect(), request) {
                (Dialect::Old18, _) => false,
                (Dialect::New288, Request::Statistics) => return None,
                (Dialect::New288, Request::SetOutput { pin, .. }) => OUTPUT_PINS.contains(&pin),
                (Dialect::New288, Request::Temperature | Request::Antennas | Request::Inputs) => {
                    true
                }
            };
            if possible {
                return Some(Question { request, antenna_at: 0 });
            }
            self.refuse(request, now);
        }
    }

    pub(super) fn ask(&mut self, question: Question, now: Instant) {
        let Some(found) = self.found else { return self.probe(now) };
        let command = match question.request {
            Request::Temperature => Command::Temperature,
            Request::Antennas => {
                let port = self.setup.antennas.get(question.antenna_at).copied().unwrap_or(1);
                let antenna = port.saturating_sub(1);
                Command::ReturnLoss { frequency_khz: RETURN_LOSS_AT_KHZ, antenna }
            }
            Request::Inputs => Command::Pins,
            Request::SetOutput { pin, level } => {
                let bit = 1 << (pin - 1);
                let pins = match level {
                    Level::High => self.outputs | bit,
                    Level::Low => self.outputs & !bit,
                };
                Command::SetOutputs { pins }
            }
            // Asked for with the round.
            Request::Statistics => return self.begin_round(now),
        };
        self.transmits.push_back(Transmit::Frame(command.emit(found.address)));
        self.phase = Phase::Asking(question);
        self.wait_until(now + self.timing.answer_timeout);
    }

    pub(super) fn handle_while_asking(
        &mut self,
        question: Question,
        heard: Heard<'_>,
        at: Instant,
    ) {
        match heard {
            Heard::Done(opcode, reply) if opcode == question.opcode() => {
                self.report_answer(question, reply);
                let antenna_at = question.antenna_at + 1;
                if question.request == Request::Antennas && antenna_at < self.setup.antennas.len() {
                    return self.ask(Question { antenna_at, ..question }, at);
                }
                self.requests.pop_if(question.request);
                self.resume(at);
            }
            Heard::Refused(opcode)
                if opcode == opcode::NOT_UNDERSTOOD || opcode == question.opcode() =>
            {
                self.give_up(question, at);
            }
            Heard::Push(_) => {
                self.watch.end_reading(GapCause::Stopped, at);
                self.probe(at);
            }
            // Late answers.
            Heard::Info(_)
            | Heard::Tags(..)
            | Heard::Statistics { .. }
            | Heard::RoundOver(_)
            | Heard::Done(..)
            | Heard::Refused(_) => {}
        }
    }

    /// The question was refused, or its answer has not come.
    pub(super) fn give_up(&mut self, question: Question, now: Instant) {
        self.refuse(question.request, now);
        self.resume(now);
    }

    fn refuse(&mut self, request: Request, _now: Instant) {
        self.requests.pop_if(request);
        self.watch.report(Report::Refused { request });
    }

    fn resume(&mut self, now: Instant) {
        self.watch.gap(GapCause::Request, now);
        self.next_round(now);
    }

    fn report_answer(&mut self, question: Question, reply: Reply<'_>) {
        let report = match (question.request, reply) {
            (Request::Temperature, Reply::Temperature { plus, degrees }) => {
                Report::Temperature { celsius: celsius(plus, degrees) }
            }
            (Request::Antennas, Reply::ReturnLoss(loss)) => Report::Antenna {
                port: self.setup.antennas.get(question.antenna_at).copied().unwrap_or(1),
                state: if loss >= RETURN_LOSS_DB_MIN {
                    AntennaState::Connected
                } else {
                    AntennaState::Missing
                },
            },
            (Request::Inputs, Reply::Pins(pins)) => {
                Report::Input { pin: INPUT_PIN, level: (pins & INPUT_BIT != 0).into() }
            }
            (Request::SetOutput { pin, level }, _) => {
                let bit = 1 << (pin - 1);
                match level {
                    Level::High => self.outputs |= bit,
                    Level::Low => self.outputs &= !bit,
                }
                Report::OutputSet { pin }
            }
            (request, _) => Report::Refused { request },
        };
        self.watch.report(report);
    }
}
