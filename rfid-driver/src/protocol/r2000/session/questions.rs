//! What the owner wants of the reader beside reading, asked between two rounds.

use std::time::Instant;

use super::event::Event;
use super::setup::RETURN_LOSS_MIN_DB;
use super::{Phase, R2000Session};
use crate::protocol::r2000::codec::{Command, ErrorCode, Region, Reply, opcode};
use crate::session::{AntennaState, GapCause, Level, Report, Request};

/// The channel at which return loss is measured, where the region does not say: 915 MHz.
const MEASURING_CHANNEL: u8 = 33;

/// What is asked between two rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Temperature,
    Inputs,
    Output {
        pin: u8,
        level: Level,
    },
    /// To measure it, an antenna is selected first; by its place in the list.
    SelectAntenna(usize),
    ReturnLoss(usize),
    /// Afterwards the one that reads is selected again.
    ReselectAntenna,
}

impl Question {
    pub(super) fn opcode(self) -> u8 {
        match self {
            Self::Temperature => opcode::TEMPERATURE,
            Self::Inputs => opcode::READ_GPIO,
            Self::Output { .. } => opcode::WRITE_GPIO,
            Self::SelectAntenna(_) | Self::ReselectAntenna => opcode::SET_ANTENNA,
            Self::ReturnLoss(_) => opcode::RETURN_LOSS,
        }
    }

    /// What it was asked for.
    pub(super) fn request(self) -> Request {
        match self {
            Self::Temperature => Request::Temperature,
            Self::Inputs => Request::Inputs,
            Self::Output { pin, level } => Request::SetOutput { pin, level },
            Self::SelectAntenna(_) | Self::ReturnLoss(_) | Self::ReselectAntenna => {
                Request::Antennas
            }
        }
    }
}

impl R2000Session {
    pub(super) fn handle_while_asking(
        &mut self,
        question: Question,
        event: Event<'_>,
        at: Instant,
    ) {
        match event {
            Event::Answer(reply) if reply.opcode() == question.opcode() => {
                self.handle_reply_to(question, reply, at);
            }
            Event::Refused(opcode, code) if opcode == question.opcode() => match question {
                Question::SelectAntenna(which) | Question::ReturnLoss(which)
                    if code == ErrorCode::ANTENNA_MISSING || code == ErrorCode::RETURN_LOSS =>
                {
                    self.report_antenna(which, AntennaState::Missing);
                    self.ask_of_antenna(which + 1, at);
                }
                Question::SelectAntenna(_) | Question::ReturnLoss(_) => {
                    self.watch.report(Report::Refused { request: Request::Antennas });
                    self.ask_of_antenna(usize::MAX, at);
                }
                Question::ReselectAntenna => self.begin_setting(at),
                Question::Temperature | Question::Inputs | Question::Output { .. } => {
                    self.watch.report(Report::Refused { request: question.request() });
                    self.go_on(at);
                }
            },
            Event::Tag(report) => self.report_tag(report, at),
            Event::End(_)
            | Event::AntennaFailed(..)
            | Event::Version(..)
            | Event::Answer(_)
            | Event::Refused(..)
            | Event::Stray => {}
        }
    }

    pub(super) fn handle_reply_to(&mut self, question: Question, reply: Reply<'_>, at: Instant) {
        match (question, reply) {
            (Question::Temperature, Reply::Temperature { sign, degrees }) => {
                let degrees = i16::from(degrees);
                let celsius = if sign == 0 { -degrees } else { degrees };
                self.watch.report(Report::Temperature { celsius });
            }
            (Question::Inputs, Reply::Inputs { levels }) => {
                for (pin, level) in (1..).zip(levels) {
                    self.watch.report(Report::Input { pin, level: (*level != 0).into() });
                }
            }
            (Question::Output { pin, .. }, _) => self.watch.report(Report::OutputSet { pin }),
            (Question::SelectAntenna(which), _) => {
                return self.ask(Question::ReturnLoss(which), at);
            }
            (Question::ReturnLoss(which), Reply::ReturnLoss { loss_db }) => {
                let connected = loss_db >= RETURN_LOSS_MIN_DB;
                let state = if connected { AntennaState::Connected } else { AntennaState::Missing };
                self.report_antenna(which, state);
                return self.ask_of_antenna(which + 1, at);
            }
            (Question::ReselectAntenna, _) => {}
            (Question::Temperature | Question::Inputs, _) => {
                self.watch.report(Report::Refused { request: question.request() });
            }
            (Question::ReturnLoss(_), _) => {
                self.watch.report(Report::Refused { request: Request::Antennas });
                return self.ask_of_antenna(usize::MAX, at);
            }
        }
        self.go_on(at);
    }

    /// Between two rounds: asks what the owner wants, or begins the next.
    pub(super) fn go_on(&mut self, now: Instant) {
        match self.requests.pop() {
            Some(request) => {
                self.watch.end_reading(GapCause::Request, now);
                match request {
                    Request::Temperature => self.ask(Question::Temperature, now),
                    Request::Inputs => self.ask(Question::Inputs, now),
                    Request::SetOutput { pin, level } => {
                        self.ask(Question::Output { pin, level }, now);
                    }
                    Request::Antennas => self.ask_of_antenna(0, now),
                    Request::Statistics => {
                        self.watch.report(Report::Refused { request });
                        self.go_on(now);
                    }
                }
            }
            None => self.begin_round(now),
        }
    }

    pub(super) fn ask(&mut self, question: Question, now: Instant) {
        let antenna = |which: usize| self.setup.antennas.get(which).map_or(0, |port| port - 1);
        let channel = match self.region {
            Some(Region::Fixed { first, last, .. }) => first.midpoint(last),
            Some(Region::User { .. }) => 0,
            None => MEASURING_CHANNEL,
        };
        let command = match question {
            Question::Temperature | Question::Inputs => Command::Ask { opcode: question.opcode() },
            Question::Output { pin, level } => {
                Command::SetOutput { pin, level: u8::from(level == Level::High) }
            }
            Question::SelectAntenna(which) => Command::SetAntenna { antenna: antenna(which) },
            Question::ReturnLoss(_) => Command::ReturnLoss { channel },
            Question::ReselectAntenna => Command::SetAntenna { antenna: antenna(0) },
        };
        self.send(command);
        self.enter(Phase::Asking(question), now + self.timing.answer_timeout);
    }

    pub(super) fn ask_of_antenna(&mut self, which: usize, now: Instant) {
        if which < self.setup.antennas.len() {
            self.ask(Question::SelectAntenna(which), now);
        } else {
            self.ask(Question::ReselectAntenna, now);
        }
    }

    pub(super) fn report_antenna(&mut self, which: usize, state: AntennaState) {
        if let Some(&port) = self.setup.antennas.get(which) {
            self.antennas.found(port, state);
            self.watch.report(Report::Antenna { port, state });
        }
    }
}
