//! An R2000 reader made of software.
//!
//! What it does like the real reader (the manual V3.7; the vendor's development kits; what
//! `pyImpinj` and `invelion` expect of theirs):
//!
//! * it listens to its address and to FF, and answers with its address,
//! * it does one thing at a time: what comes during an inventory round waits until the round ends,
//! * a round ends with a record of its rate and total; a round over several antennas names those
//!   that fail and goes on with the others,
//! * with the detector on, an antenna with too little return loss is missing; with it off it is
//!   deaf without a word,
//! * what is set is kept over a restart, except work antenna, temporary power, unsaved `FastTID`,
//!   EPC match, output pins and the buffer,
//! * a reset is answered by silence, a change of the baud rate at the old rate and by a restart.
//!
//! How long a restart and a round take, the manual does not say: [`BOOT_TIME`] and [`ROUND_TIME`]
//! are inferred. Deliberately absent: tags of ISO 18000-6B, tag select (98) and antenna groups,
//! which it refuses.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::codec::{Command, ErrorCode, Frame, FromHost, Reply, opcode};
use super::{BAUDS, Model, baud_of_code};
use crate::Epc;
use crate::codec::{Direction, FrameBuf, Opaque};
use crate::deframe::Deframer;
use crate::emulator::{
    DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp, Radio, Transmit, TransmitKind,
};
use crate::protocol::Unsupported;

mod access;
mod memory;
mod round;
mod settings;

use memory::TagMemory;
use round::{Buffered, Round};
use settings::{Saved, Unsaved};

/// From a restart until it listens.
pub const BOOT_TIME: Duration = Duration::from_millis(500);
/// One inventory round on one antenna, whoever is there.
pub const ROUND_TIME: Duration = Duration::from_millis(30);
/// Of what earlier hosts left running: how many rounds.
const ROUNDS_LEFT_RUNNING: u8 = 60;
/// Commands that wait for the end of a round; more are lost.
const WAITING_MAX: usize = 8;
/// Above this it no longer transmits.
const CELSIUS_MAX: i8 = 75;
const CELSIUS_AT_FIRST: i8 = 36;
const FIRMWARE: (u8, u8) = (2, 8);
/// What a good antenna takes, one with water in its cable, and an open port.
const RETURN_LOSS_GOOD_DB: u8 = 18;
const RETURN_LOSS_HIGH_DB: u8 = 2;
const RETURN_LOSS_OPEN_DB: u8 = 1;

/// What is wrong with it.
#[derive(Debug, Default)]
struct Faults {
    antennas_lost: Vec<u8>,
    return_loss_high: bool,
    mute: bool,
    end_records_lost: bool,
    tags_lost: bool,
}

/// An R2000 reader. See the module for what it is true to.
#[derive(Debug)]
pub struct R2000Reader {
    model: Model,
    read_interval: Duration,
    radio: Radio,
    deframer: Deframer<FromHost>,
    transmits: VecDeque<Transmit>,
    saved: Saved,
    unsaved: Unsaved,
    round: Option<Round>,
    waiting: VecDeque<FrameBuf>,
    buffer: Vec<Buffered>,
    memories: BTreeMap<Epc, TagMemory>,
    // While it restarts: when it listens again.
    up_at: Option<Duration>,
    baud: u32,
    celsius: i8,
    faults: Faults,
}

impl R2000Reader {
    /// A reader that has just been switched on.
    ///
    /// # Errors
    /// Says which models there are.
    pub fn try_new(settings: &EmulatorSettings) -> Result<Self, Unsupported> {
        let model = Model::try_new(settings.model.as_deref())?;
        let saved = Saved::new();
        let mut reader = Self {
            model,
            read_interval: settings.read_interval,
            radio: Radio::new(settings),
            deframer: Deframer::new(),
            transmits: VecDeque::new(),
            unsaved: Unsaved::new(&saved),
            saved,
            round: None,
            waiting: VecDeque::new(),
            buffer: Vec::new(),
            memories: BTreeMap::new(),
            up_at: None,
            baud: settings.baud.unwrap_or(BAUDS[0]),
            celsius: CELSIUS_AT_FIRST,
            faults: Faults::default(),
        };
        match settings.power_up {
            PowerUp::Reading => {
                reader.begin_real_time(
                    opcode::REAL_TIME,
                    ROUNDS_LEFT_RUNNING,
                    false,
                    Duration::ZERO,
                );
            }
            PowerUp::Ready | PowerUp::BootLoader => {}
        }
        Ok(reader)
    }

    /// Forgets what is not saved and says nothing until it is up.
    fn restart(&mut self, now: Duration) {
        self.unsaved = Unsaved::new(&self.saved);
        self.round = None;
        self.waiting.clear();
        self.buffer.clear();
        self.deframer.clear();
        self.up_at = Some(now + BOOT_TIME);
    }

    fn take(&mut self, frame: FrameBuf, now: Duration) {
        if self.round.is_some() {
            if self.waiting.len() < WAITING_MAX {
                self.waiting.push_back(frame);
            }
            return;
        }
        let checked = Frame::new_checked(frame.as_ref(), Direction::FromHost);
        if let Ok(Ok(command)) = checked.map(Command::parse) {
            self.handle_command(command, now);
        }
    }

    /// Does what waited, until a round begins again.
    fn take_waiting(&mut self, now: Duration) {
        while self.round.is_none() && self.up_at.is_none() {
            let Some(frame) = self.waiting.pop_front() else { return };
            self.take(frame, now);
        }
    }

    fn handle_command(&mut self, command: Command<'_>, now: Duration) {
        let opcode = command.opcode();
        let outcome = match command {
            Command::Ask { opcode: opcode::RESET } => return self.restart(now),
            Command::Ask { opcode } => return self.answer_question(opcode),
            Command::SetBaud { code } => return self.set_baud(code, now),
            Command::RealTime { repeat } => {
                return self.begin_real_time(opcode, repeat, false, now);
            }
            Command::Session { session, target, options, repeat } => {
                if session > 3 || target > 1 {
                    Err(ErrorCode::PARAMETER)
                } else {
                    let phase = options.get(1).is_some_and(|phase| *phase != 0);
                    return self.begin_real_time(opcode, repeat, phase, now);
                }
            }
            Command::Inventory { repeat } => return self.begin_buffered(repeat, now),
            Command::FastSwitch(switch) => return self.begin_fast_switch(&switch, now),
            Command::ReturnLoss { channel } => return self.answer_return_loss(channel),
            Command::Read { memory, password } => return self.read_tags(memory, password.0),
            Command::Write { password, memory, data, .. } => {
                return self.operate(opcode, |tag| tag.write(memory, data.0, password.0));
            }
            Command::Lock { password, bank, action } => {
                return self.operate(opcode, |tag| tag.lock(bank, action, password.0));
            }
            Command::Kill { password } => {
                return self.operate(opcode, |tag| tag.kill(password.0));
            }
            Command::SetMatch { mode, epc } => self.set_match(mode, epc),
            Command::SetAntenna { antenna } if antenna < self.model.ports => {
                self.unsaved.antenna = antenna;
                Ok(())
            }
            Command::SetAntenna { .. } => Err(ErrorCode::ANTENNA_ID),
            Command::SetTemporaryPower { power_dbm } => self.unsaved.set_temporary_power(power_dbm),
            Command::SetFastTid { save, status } => {
                let outcome = self.unsaved.set_fast_tid(status);
                if save && outcome.is_ok() {
                    self.saved.fast_tid = status;
                }
                outcome
            }
            Command::SetOutput { pin, level } => self.unsaved.set_output(pin, level),
            Command::SetPower { power_dbm } => {
                let outcome = self.saved.set_power(power_dbm, self.model.ports);
                if outcome.is_ok() {
                    self.unsaved.temporary_power_dbm = None;
                }
                outcome
            }
            Command::SetAddress { address } => self.saved.set_address(address),
            Command::SetRegion(region) => self.saved.set_region(region),
            Command::SetBeeper { mode } => self.saved.set_beeper(mode),
            Command::SetDetector { threshold_db } => {
                self.saved.detector_db = threshold_db;
                Ok(())
            }
            Command::SetIdentifier { identifier } => self.saved.set_identifier(identifier),
            Command::SetProfile { profile } => self.saved.set_profile(profile),
            Command::Other { opcode: opcode::SET_DENSE_MODE, data: Opaque([0 | 1]) } => Ok(()),
            Command::Other { opcode: opcode::SET_DENSE_MODE, .. } => Err(ErrorCode::DENSE_MODE),
            Command::Other { .. } => Err(ErrorCode::PARAMETER),
        };
        match outcome {
            Ok(()) => self.answer(&Reply::Done { opcode }),
            Err(code) => self.refuse(opcode, code),
        }
    }

    fn answer_question(&mut self, opcode: u8) {
        let (saved, unsaved) = (&self.saved, &self.unsaved);
        let value = match opcode {
            opcode::VERSION => {
                let (major, minor) = FIRMWARE;
                return self.answer(&Reply::Version { major, minor, rest: &[] });
            }
            opcode::TEMPERATURE => {
                let sign = u8::from(self.celsius >= 0);
                let degrees = self.celsius.unsigned_abs();
                return self.answer(&Reply::Temperature { sign, degrees });
            }
            // Nothing is connected to the inputs.
            opcode::READ_GPIO => return self.answer(&Reply::Inputs { levels: &[0, 0] }),
            opcode::REGION => {
                let region = saved.region;
                return self.answer(&Reply::Region(region));
            }
            opcode::POWER | opcode::POWER_EIGHT => {
                FrameBuf::new().put(&saved.power_dbm(unsaved.temporary_power_dbm))
            }
            opcode::ANTENNA => FrameBuf::new().put(&[unsaved.antenna]),
            opcode::DETECTOR => FrameBuf::new().put(&[saved.detector_db]),
            opcode::IDENTIFIER => FrameBuf::new().put(&saved.identifier),
            opcode::PROFILE => FrameBuf::new().put(&[saved.profile]),
            opcode::FAST_TID => FrameBuf::new().put(&[unsaved.fast_tid]),
            opcode::DENSE_MODE | opcode::BUFFER_INTERVAL => FrameBuf::new().put(&[0]),
            opcode::MATCH => match &unsaved.epc_match {
                None => FrameBuf::new().put(&[1]),
                Some(epc) => {
                    let len = u8::try_from(epc.as_bytes().len()).unwrap_or(u8::MAX);
                    FrameBuf::new().put(&[0, len]).put(epc.as_bytes())
                }
            },
            opcode::BUFFER | opcode::TAKE_BUFFER => return self.answer_buffer(opcode),
            opcode::BUFFER_COUNT => {
                let tags = u16::try_from(self.buffer.len()).unwrap_or(u16::MAX);
                return self.answer(&Reply::BufferCount { tags });
            }
            opcode::RESET_BUFFER => {
                self.buffer.clear();
                return self.answer(&Reply::Done { opcode });
            }
            _ => return self.refuse(opcode, ErrorCode::FAIL),
        };
        self.answer(&Reply::Value { opcode, data: Opaque(value.as_ref()) });
    }

    fn answer_return_loss(&mut self, channel: u8) {
        if self.saved.region.khz(channel).is_none() {
            return self.refuse(opcode::RETURN_LOSS, ErrorCode::FREQUENCY_RANGE);
        }
        let loss_db = self.return_loss_db(self.unsaved.antenna + 1);
        self.answer(&Reply::ReturnLoss { loss_db });
    }

    fn set_baud(&mut self, code: u8, now: Duration) {
        let Some(baud) = baud_of_code(code) else {
            return self.refuse(opcode::SET_BAUD, ErrorCode::BAUD);
        };
        self.answer(&Reply::Done { opcode: opcode::SET_BAUD });
        self.baud = baud;
        self.restart(now);
    }

    fn set_match(&mut self, mode: u8, epc: Option<Opaque<'_>>) -> Result<(), ErrorCode> {
        match (mode, epc) {
            (0, Some(epc)) => {
                let epc = Epc::try_from_slice(epc.0).map_err(|_bad| ErrorCode::MATCH_LENGTH)?;
                self.unsaved.epc_match = Some(epc);
                Ok(())
            }
            (0, None) => Err(ErrorCode::MATCH_LENGTH),
            (1, _) => {
                self.unsaved.epc_match = None;
                Ok(())
            }
            _ => Err(ErrorCode::MATCH_MODE),
        }
    }

    fn return_loss_db(&self, antenna: u8) -> u8 {
        if self.faults.antennas_lost.contains(&antenna) {
            RETURN_LOSS_OPEN_DB
        } else if self.faults.return_loss_high {
            RETURN_LOSS_HIGH_DB
        } else {
            RETURN_LOSS_GOOD_DB
        }
    }

    /// Why the reader cannot transmit on an antenna.
    fn check_antenna(&self, antenna: u8) -> Result<(), ErrorCode> {
        if self.celsius > CELSIUS_MAX {
            return Err(ErrorCode::POWER_NOT_REACHED);
        }
        if self.return_loss_db(antenna) < self.saved.detector_db {
            return Err(ErrorCode::ANTENNA_MISSING);
        }
        Ok(())
    }

    fn refuse(&mut self, opcode: u8, code: ErrorCode) {
        self.answer(&Reply::Refused { opcode, code });
    }

    fn answer(&mut self, reply: &Reply<'_>) {
        self.push(reply, TransmitKind::Answer);
    }

    fn push(&mut self, reply: &Reply<'_>, kind: TransmitKind) {
        if !self.faults.mute {
            let frame = reply.emit(self.saved.address);
            self.transmits.push_back(Transmit { frame, kind, baud: self.baud });
        }
    }
}

impl Emulator for R2000Reader {
    fn handle_bytes(&mut self, bytes: &[u8], now: Duration) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.up_at.is_some_and(|up_at| now < up_at) {
                return;
            }
            rest = self.deframer.push(rest);
            let mut deframer = std::mem::take(&mut self.deframer);
            while let Some(bytes) = deframer.next_frame() {
                let for_us = |frame: &Frame<'_>| {
                    [self.saved.address, super::codec::BROADCAST].contains(&frame.address())
                };
                let frame = Frame::new_checked(bytes, Direction::FromHost);
                if frame.is_ok_and(|frame| for_us(&frame)) {
                    self.take(FrameBuf::new().put(bytes), now);
                }
            }
            self.deframer = deframer;
        }
    }

    fn handle_deadline(&mut self, now: Duration) {
        if self.up_at.is_some_and(|at| at <= now) {
            self.up_at = None;
        }
        self.go_on(now);
    }

    fn next_deadline(&self) -> Option<Duration> {
        let round = self.round.as_ref().map(Round::turn_ends_at);
        let read = round.and_then(|_| self.radio.next_read());
        round.into_iter().chain(read).chain(self.up_at).min()
    }

    fn set_field(&mut self, tags: &[FieldTag], now: Duration) {
        self.radio.set_field(tags, now);
        self.go_on(now);
    }

    fn handle_fault(&mut self, fault: DeviceFault, now: Duration) {
        match fault {
            DeviceFault::Reboot => self.restart(now),
            DeviceFault::AntennaLost { port } => self.faults.antennas_lost.push(port),
            DeviceFault::AntennaBack { port } => {
                self.faults.antennas_lost.retain(|lost| *lost != port);
            }
            DeviceFault::Temperature { celsius } => self.celsius = celsius,
            DeviceFault::ReturnLossHigh => self.faults.return_loss_high = true,
            DeviceFault::ReturnLossGood => self.faults.return_loss_high = false,
            DeviceFault::Mute => self.faults.mute = true,
            DeviceFault::Unmute => self.faults.mute = false,
            DeviceFault::HeartbeatLost => self.faults.end_records_lost = true,
            DeviceFault::HeartbeatBack => self.faults.end_records_lost = false,
            DeviceFault::TagsLost => self.faults.tags_lost = true,
            DeviceFault::TagsBack => self.faults.tags_lost = false,
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn baud(&self) -> u32 {
        self.baud
    }
}

#[cfg(test)]
mod tests;
