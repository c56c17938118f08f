//! The commands of the application, by operation code.

use std::time::Duration;

use super::access::Access;
use super::configuration::Configuration;
use super::module::Maker;
use super::search::Search;
use super::silion::{self, SILION};
use super::statistics::{Present, STATISTICS};
use super::stream::Language;
use super::{Activity, Answer, MercuryReader, Program};
use crate::protocol::mercury::codec::{Status, opcode};

const BOOT_BOOT_LOADER: u8 = 0x09;
const TAG_BUFFER: u8 = 0x29;
const CLEAR_TAG_BUFFER: u8 = 0x2A;
const USER_PROFILE: u8 = 0x9D;

/// What the command 2F ends with, and the acknowledgements of start and stop.
const STARTED: u8 = 0x01;
const STOP: u8 = 0x02;
/// Wraps a command that shall be carried out while a continuous read goes on.
const WRAPPED: u8 = 0x04;

impl MercuryReader {
    /// A command to the application while it is idle.
    pub(super) fn handle_application(&mut self, opcode: u8, data: &[u8], now: Duration) {
        let outcome = match (opcode, data) {
            (opcode::STREAM, &[_, _, STOP]) => Ok(vec![STOP]),
            (opcode::STREAM, &[_, _, WRAPPED, ..]) => self.answer_wrapped(data),
            (opcode::STREAM, _) => return self.start_several(data, now),
            (opcode::READ_MULTIPLE, _) => {
                let begun = Search::parse(data).and_then(|search| {
                    let time = search.on_time;
                    self.begin_search(search, time, now)
                });
                return self.refuse_if_failed(opcode, begun);
            }
            (SILION, _) if self.module.maker == Maker::Silion => {
                return self.handle_silion(data, now);
            }
            (BOOT_BOOT_LOADER, []) => {
                self.program = Program::BootLoader;
                Ok(Vec::new())
            }
            _ => match Access::parse(opcode, data, self.module.maker) {
                Some(access) => {
                    let begun = access.and_then(|access| self.begin_access(access, now));
                    return self.refuse_if_failed(opcode, begun);
                }
                None => self.outcome(opcode, data),
            },
        };
        self.answer(opcode, outcome);
    }

    /// The commands that are over at once and may also come wrapped into a continuous read.
    fn outcome(&mut self, opcode: u8, data: &[u8]) -> Answer {
        match (opcode, data) {
            (TAG_BUFFER, _) => self.buffer.answer(data),
            (CLEAR_TAG_BUFFER, []) => {
                self.buffer.clear();
                Ok(Vec::new())
            }
            (CLEAR_TAG_BUFFER | BOOT_BOOT_LOADER, _) => Err(Status::WRONG_DATA_LENGTH),
            (STATISTICS, _) => {
                let Self { statistics, configuration, faults, module, .. } = self;
                let port = configuration.antennas.access_port();
                let frequency_khz = configuration.channel_khz(0);
                statistics
                    .answer(data, &Present { ports: module.ports, port, frequency_khz, faults })
            }
            (USER_PROFILE, &[operation, _category, _kind, ..]) => self.handle_profile(operation),
            (USER_PROFILE, _) => Err(Status::WRONG_DATA_LENGTH),
            _ => {
                let own = self.configuration.answer(opcode, data, &self.faults);
                own.unwrap_or(Err(Status::INVALID_OPCODE))
            }
        }
    }

    /// Saves the configuration for the next start, brings the saved one back, compares, or forgets
    /// it (`tm_reader.h`, `TMR_SR_UserConfigOperation`).
    fn handle_profile(&mut self, operation: u8) -> Answer {
        match operation {
            1 | 5 => self.saved = Some(self.configuration.clone()),
            2 => self.configuration = self.saved.clone().ok_or(Status::INVALID_VALUE)?,
            3 if self.saved.is_some() => {}
            4 => {
                self.saved = None;
                self.configuration = Configuration::new(self.module);
            }
            _ => return Err(Status::INVALID_VALUE),
        }
        Ok(Vec::new())
    }

    /// `timeout | 04 | length | operation | data` is answered by `04 | length | operation | status
    /// | data` (`serial_reader_l3.c`, `TMR_SR_sendTimeout`; `TMR_SR_hasMoreTags`).
    fn answer_wrapped(&mut self, data: &[u8]) -> Answer {
        let [_, _, _, len, opcode, data @ ..] = data else { return Err(Status::WRONG_DATA_LENGTH) };
        if usize::from(*len) != data.len() {
            return Err(Status::WRONG_DATA_LENGTH);
        }
        let (status, data) = match self.outcome(*opcode, data) {
            Ok(data) => (Status::SUCCESS, data),
            Err(status) => (status, Vec::new()),
        };
        let len = u8::try_from(data.len()).map_err(|_long| Status::DATA_TOO_LARGE)?;
        let [high, low] = status.0.to_be_bytes();
        Ok([&[WRAPPED, len, *opcode, high, low][..], &data].concat())
    }

    fn start_several(&mut self, data: &[u8], now: Duration) {
        let begun = Search::parse_several(data).and_then(|(search, timeout)| match timeout {
            Some(time) => self.begin_search(search, time, now),
            None => {
                self.begin_stream(search, Language::ThingMagic, now)?;
                self.answer(opcode::STREAM, Ok(vec![STARTED]));
                Ok(())
            }
        });
        self.refuse_if_failed(opcode::STREAM, begun);
    }

    fn handle_silion(&mut self, data: &[u8], now: Duration) {
        let begun = silion::Request::parse(data).and_then(|request| {
            let said = match request {
                silion::Request::Stop => silion::stopped(),
                silion::Request::Start(search) => {
                    self.begin_stream(search, Language::Silion, now)?;
                    silion::started()
                }
            };
            self.answer(SILION, Ok(said));
            Ok(())
        });
        self.refuse_if_failed(SILION, begun);
    }

    /// A continuous read listens to its own end and to what is wrapped for it, and to nothing else.
    pub(super) fn handle_while_streaming(&mut self, opcode: u8, data: &[u8], now: Duration) {
        let Activity::Streaming(stream) = &self.activity else { return };
        match (stream.language, opcode, data) {
            (Language::ThingMagic, opcode::STREAM, &[_, _, STOP]) => self.stop_stream(now),
            (Language::ThingMagic, opcode::STREAM, &[_, _, WRAPPED, ..]) => {
                let answer = self.answer_wrapped(data);
                self.answer(opcode, answer);
            }
            (Language::Silion, SILION, _) => {
                if let Ok(silion::Request::Stop) = silion::Request::parse(data) {
                    self.stop_stream(now);
                }
            }
            (Language::ThingMagic | Language::Silion, _, _) => {}
        }
    }

    /// What acknowledges that a continuous read is over.
    pub(super) fn acknowledge_stop(&mut self, language: Language) {
        match language {
            Language::ThingMagic => self.answer(opcode::STREAM, Ok(vec![STOP])),
            Language::Silion => self.answer(SILION, Ok(silion::stopped())),
        }
    }

    fn refuse_if_failed(&mut self, opcode: u8, begun: Result<(), Status>) {
        if let Err(status) = begun {
            self.answer(opcode, Err(status));
        }
    }
}
