//! A `UHFReader18` or `UHFReader288` made of software.
//!
//! What it does like the real reader (`UHFReader18` manual V2.0, `UHFReader288MP` manual V1.14 and V2.20;
//! captures; what clients of real readers rely on):
//!
//! * it keeps its settings when it restarts: rate, address, power, band, antennas, work mode,
//! * while it does one command it hears no other, but for the newer dialect's stop,
//! * an inventory ends when every tag has answered, or by its scan time; the newer dialect reports
//!   each tag at once under "more frames follow" and ends with an empty list, the older one answers
//!   all together, or "no tag",
//! * in the work modes that read unasked the newer dialect hears nothing but 21, 76 and 77, the older
//!   only what is no tag command; the newer gives a heartbeat when no tag has come for a while,
//! * what it does not know it answers with operation 00 and status FE, a wrong length with FD; to
//!   another address it says nothing.
//!
//! What is made up: the raw signal strength (dBm plus 130), how long a reader takes to settle, and
//! that it no longer reads above 75 degrees, which it says by status F9.
//!
//! Deliberately absent: the inventory into the reader's own buffer, ISO 18000-6B, locking, Wiegand and
//! network settings beyond an acknowledgement.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::codec::{
    ADDRESS_BROADCAST, Band, Command, Dialect, Frame, FromHost, ReaderInfo, Reply, Status,
    baud_code, baud_of_code, opcode,
};
use crate::Epc;
use crate::codec::{Direction, Opaque};
use crate::deframe::Deframer;
use crate::emulator::{
    DeviceFault, Emulator, EmulatorSettings, FieldTag, PowerUp, Radio, Transmit, TransmitKind,
};
use crate::protocol::Unsupported;

mod kept;
mod memory;
mod reading;

use kept::{ANTENNAS_ALL, Kept, PORTS};
use reading::{Inventory, Push};

/// From a restart until the reader hears again.
const BOOT_TIME: Duration = Duration::from_millis(500);
/// A pause after which the bytes that came before are no frame any more (18 manual V2.0, 2).
const BYTE_PAUSE_MAX: Duration = Duration::from_millis(15);
/// Above this the reader protects itself.
const CELSIUS_MAX: i8 = 75;
const CELSIUS_AT_FIRST: i8 = 35;
const RETURN_LOSS_GOOD_DB: u8 = 18;
const RETURN_LOSS_HIGH_DB: u8 = 2;
const RETURN_LOSS_OPEN_DB: u8 = 1;
const SERIAL_NUMBER: u32 = 0x2019_0610;
/// Out1 and Out2.
const OUTPUT_PINS: u8 = 0x03;
/// In1, which is pulled up.
const INPUT_PIN: u8 = 0x01;
const FIRMWARE: [u8; 2] = [5, 2];
/// ISO 18000-6C.
const TAG_PROTOCOLS: u8 = 0x02;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken {
    /// Bit 0 for port 1.
    antennas: u8,
    celsius: i8,
    return_loss: bool,
    voice: bool,
    heartbeat: bool,
    tags: bool,
}

/// A reader made of software. See the module for what it is true to.
#[derive(Debug)]
pub struct UhfReaderDevice {
    dialect: Dialect,
    radio: Radio,
    field: Vec<FieldTag>,
    deframer: Deframer<FromHost>,
    // When what waits in the deframer is no frame any more.
    pause_deadline: Option<Duration>,
    transmits: VecDeque<Transmit>,
    kept: Kept,
    outputs: u8,
    // While it restarts: when it is up.
    booted_at: Option<Duration>,
    inventory: Option<Inventory>,
    push: Option<Push>,
    broken: Broken,
    // What hosts have written into tags, by the EPC that the field's owner gave them.
    written_epcs: BTreeMap<Epc, Epc>,
    user_memories: BTreeMap<Epc, memory::UserMemory>,
}

impl UhfReaderDevice {
    /// A reader that has just been switched on.
    ///
    /// # Errors
    /// Says which model there is not, or which rate it cannot have.
    pub fn try_new(settings: &EmulatorSettings) -> Result<Self, Unsupported> {
        let dialect = super::dialect(settings.model.as_deref())?.unwrap_or(Dialect::New288);
        let baud = settings.baud.unwrap_or(super::BAUDS[0]);
        if baud_code(baud).is_none() {
            return Err(super::unsupported("baud rate", baud.to_string(), super::bauds_text()));
        }
        let mut reader = Self {
            dialect,
            radio: Radio::new(settings),
            field: Vec::new(),
            deframer: Deframer::new(),
            pause_deadline: None,
            transmits: VecDeque::new(),
            kept: Kept::new(baud),
            outputs: OUTPUT_PINS,
            booted_at: None,
            inventory: None,
            push: None,
            broken: Broken {
                antennas: 0,
                celsius: CELSIUS_AT_FIRST,
                return_loss: false,
                voice: false,
                heartbeat: false,
                tags: false,
            },
            written_epcs: BTreeMap::new(),
            user_memories: BTreeMap::new(),
        };
        match settings.power_up {
            PowerUp::Reading => reader.kept.leave_reading(),
            // It has no boot loader that a host would meet.
            PowerUp::Ready | PowerUp::BootLoader => {}
        }
        reader.enter_work_mode(Duration::ZERO);
        Ok(reader)
    }

    /// Restarts, as a failing supply does. What is kept is kept; the pins are not.
    fn reboot(&mut self, now: Duration) {
        self.inventory = None;
        self.push = None;
        self.outputs = OUTPUT_PINS;
        self.deframer.clear();
        self.pause_deadline = None;
        self.booted_at = Some(now + BOOT_TIME);
    }

    fn handle_frames(&mut self, now: Duration) {
        let mut deframer = std::mem::take(&mut self.deframer);
        while let Some(bytes) = deframer.next_frame() {
            let Ok(frame) = Frame::new_checked(bytes, Direction::FromHost) else { continue };
            let is_mine = [ADDRESS_BROADCAST, self.kept.address].contains(&frame.address());
            if is_mine && let Ok(command) = Command::parse(frame) {
                self.handle_command(command, now);
            }
        }
        self.pause_deadline = deframer.is_waiting().then(|| now + BYTE_PAUSE_MAX);
        self.deframer = deframer;
    }

    fn handle_command(&mut self, command: Command<'_>, now: Duration) {
        if self.booted_at.is_some() {
            return;
        }
        match (&self.inventory, &self.push, command) {
            (Some(_), _, Command::Stop) if self.dialect == Dialect::New288 => {
                self.end_inventory(Status::INVENTORY_DONE, now);
            }
            // One command at a time.
            (Some(_), _, _) => {}
            (None, Some(_), command) if !self.hears_while_pushing(command.opcode()) => {}
            (None, _, command) => self.obey(command, now),
        }
    }

    fn hears_while_pushing(&self, opcode: u8) -> bool {
        match self.dialect {
            Dialect::New288 => {
                matches!(opcode, opcode::READER_INFO | opcode::SET_WORK_MODE | opcode::WORK_MODE)
            }
            Dialect::Old18 => (opcode::READER_INFO..=opcode::TRIGGER_TIME).contains(&opcode),
        }
    }

    fn obey(&mut self, command: Command<'_>, now: Duration) {
        if !kept::knows(self.dialect, command.opcode()) {
            return self.refuse(opcode::NOT_UNDERSTOOD, Status::ILLEGAL_COMMAND);
        }
        match command {
            Command::InventoryAll => self.begin_inventory(None, now),
            Command::Inventory(request) => self.begin_inventory(Some(request), now),
            Command::InventorySingle => self.begin_single(now),
            Command::ReaderInfo => self.answer_info(),
            Command::SetAddress { address: ADDRESS_BROADCAST } => {
                self.refuse(opcode::SET_ADDRESS, Status::PARAMETER);
            }
            Command::SetAddress { address } => {
                // "Reader will response this command with the ORIGINAL address" (288, 8.4.3).
                self.done(opcode::SET_ADDRESS, &[]);
                self.kept.address = address;
            }
            Command::SetBaud { code } => match baud_of_code(code) {
                Some(baud) => {
                    self.done(opcode::SET_BAUD, &[]);
                    self.kept.baud = baud;
                }
                None => self.refuse(opcode::SET_BAUD, Status::PARAMETER),
            },
            Command::ScanMode => self.answer(&Reply::ScanMode {
                wiegand: self.kept.wiegand,
                parameters: self.kept.scan_mode,
                offsets: self.kept.offsets,
            }),
            Command::WorkMode => {
                let parameters = self.kept.real_time;
                let parameters = Opaque(&parameters);
                self.answer(&Reply::WorkMode { mode: self.kept.work_mode, parameters });
            }
            Command::SetOutputs { pins } => {
                self.outputs = pins & OUTPUT_PINS;
                self.done(opcode::SET_OUTPUTS, &[]);
            }
            Command::Pins => self.answer(&Reply::Pins(INPUT_PIN | self.outputs << 4)),
            Command::ReturnLoss { antenna, .. } => self.answer_return_loss(antenna),
            Command::Temperature => self.answer(&Reply::Temperature {
                plus: u8::from(self.broken.celsius >= 0),
                degrees: self.broken.celsius.unsigned_abs(),
            }),
            Command::Stop => self.done(opcode::STOP, &[]),
            Command::SerialNumber => self.answer(&Reply::SerialNumber(SERIAL_NUMBER)),
            Command::SetFrequency { .. }
            | Command::SetScanTime { .. }
            | Command::SetPower { .. }
            | Command::SetScanMode { .. }
            | Command::SetAntennas { .. }
            | Command::SetAntennaCheck { .. }
            | Command::SetRealTime { .. }
            | Command::SetWorkMode { .. }
            | Command::HeartbeatTime { .. } => self.keep(command, now),
            Command::Other { opcode, data } => self.obey_other(opcode, data.0),
        }
    }

    /// Settings that are only kept and acknowledged.
    fn keep(&mut self, command: Command<'_>, now: Duration) {
        let opcode = command.opcode();
        let before = (self.kept.work_mode, self.kept.scan_mode);
        match self.kept.set(command, self.dialect) {
            Ok(Some(byte)) => self.done(opcode, &[byte]),
            Ok(None) => self.done(opcode, &[]),
            Err(status) => return self.refuse(opcode, status),
        }
        if before != (self.kept.work_mode, self.kept.scan_mode) {
            self.enter_work_mode(now);
        }
    }

    fn obey_other(&mut self, opcode: u8, data: &[u8]) {
        if let Some(outcome) = self.access_tag(opcode, data) {
            return match outcome {
                Ok(read) => self.done(opcode, &read),
                Err(status) => self.refuse(opcode, status),
            };
        }
        match self.kept.other(opcode, data, self.dialect) {
            Ok(answer) => self.done(opcode, &answer),
            Err(status) => self.refuse(opcode, status),
        }
    }

    fn answer_info(&mut self) {
        let kept = &self.kept;
        let more = [kept.antennas, kept.beep, 0, kept.antenna_check];
        let [frequency_max, frequency_min] = kept.frequency;
        let info = ReaderInfo {
            firmware: FIRMWARE,
            reader_type: match self.dialect {
                Dialect::New288 => 0x20,
                Dialect::Old18 => 0x09,
            },
            protocols: TAG_PROTOCOLS,
            frequency_max,
            frequency_min,
            power_dbm: kept.power_dbm[0],
            scan_time: Some(kept.scan_time),
            more: match self.dialect {
                Dialect::New288 => Opaque(&more),
                Dialect::Old18 => Opaque(&[]),
            },
        };
        self.answer(&Reply::Info(info));
    }

    fn answer_return_loss(&mut self, antenna: u8) {
        if antenna >= PORTS {
            return self.refuse(opcode::RETURN_LOSS, Status::PARAMETER);
        }
        let loss = match (self.broken.antennas & 1 << antenna != 0, self.broken.return_loss) {
            (true, _) => RETURN_LOSS_OPEN_DB,
            (false, true) => RETURN_LOSS_HIGH_DB,
            (false, false) => RETURN_LOSS_GOOD_DB,
        };
        self.answer(&Reply::ReturnLoss(loss));
    }

    fn done(&mut self, opcode: u8, data: &[u8]) {
        self.answer(&Reply::Done { opcode, data: Opaque(data) });
    }

    fn refuse(&mut self, opcode: u8, status: Status) {
        self.answer(&Reply::Refused { opcode, status, data: Opaque(&[]) });
    }

    fn answer(&mut self, reply: &Reply<'_>) {
        self.send(reply, TransmitKind::Answer);
    }

    fn send(&mut self, reply: &Reply<'_>, kind: TransmitKind) {
        if !self.broken.voice {
            let frame = reply.emit(self.kept.address);
            self.transmits.push_back(Transmit { frame, kind, baud: self.kept.baud });
        }
    }

    /// The middle of the band that it is set to.
    fn band(&self) -> &'static Band {
        let [max, min] = self.kept.frequency;
        Band::by_number((max >> 6) << 2 | min >> 6).unwrap_or(&Band::ALL[0])
    }
}

impl Emulator for UhfReaderDevice {
    fn handle_bytes(&mut self, bytes: &[u8], now: Duration) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.deframer.push(rest);
            self.handle_frames(now);
        }
    }

    fn handle_deadline(&mut self, now: Duration) {
        if self.booted_at.is_some_and(|at| at <= now) {
            self.booted_at = None;
            self.enter_work_mode(now);
        }
        if self.pause_deadline.is_some_and(|at| at <= now) {
            self.deframer.handle_silence();
            self.handle_frames(now);
            // Nothing more can come of it until more bytes come.
            self.pause_deadline = None;
        }
        self.read(now);
        self.end_what_is_over(now);
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.reading_deadline().into_iter().chain(self.booted_at).chain(self.pause_deadline).min()
    }

    fn set_field(&mut self, tags: &[FieldTag], now: Duration) {
        self.field = tags.to_vec();
        self.radio.set_field(tags, now);
        self.meet_field();
        self.read(now);
    }

    fn handle_fault(&mut self, fault: DeviceFault, now: Duration) {
        let bit = |port: u8| match port {
            1..=PORTS => 1 << (port - 1),
            _ => 0,
        };
        match fault {
            DeviceFault::Reboot => self.reboot(now),
            DeviceFault::AntennaLost { port } => self.broken.antennas |= bit(port),
            DeviceFault::AntennaBack { port } => self.broken.antennas &= !bit(port) & ANTENNAS_ALL,
            DeviceFault::Temperature { celsius } => self.broken.celsius = celsius,
            DeviceFault::ReturnLossHigh => self.broken.return_loss = true,
            DeviceFault::ReturnLossGood => self.broken.return_loss = false,
            DeviceFault::Mute => self.broken.voice = true,
            DeviceFault::Unmute => self.broken.voice = false,
            DeviceFault::HeartbeatLost => self.broken.heartbeat = true,
            DeviceFault::HeartbeatBack => self.broken.heartbeat = false,
            DeviceFault::TagsLost => self.broken.tags = true,
            DeviceFault::TagsBack => self.broken.tags = false,
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn baud(&self) -> u32 {
        self.kept.baud
    }
}

#[cfg(test)]
mod tests;
