//! A Mercury module made of software: what the vendor's own client takes for a module.
//!
//! What it does like the real one (M6e User Guide; `MercuryAPI` C 1.35 and 1.37; captures):
//!
//! * a continuous read answers nothing but stop, and commands that come wrapped; what is queued
//!   still comes before the acknowledgement of stop; timestamps begin anew with each start,
//! * a timed read takes its time, whatever it hears, and keeps each tag once in the tag buffer,
//! * the read filter is on after power-up and lets a tag through once while it stays,
//! * without a region the radio is off; the boot loader knows almost no command,
//! * a change of baud rate is answered at the old rate,
//! * one command at a time: what comes while one is carried out waits.
//!
//! What it does not play: tag protocols other than Gen2, the commands of single chip makers, power
//! saving (it is always awake), updates of its firmware, reading begun by an input pin.
//!
//! It understands and builds the fields of commands and answers itself and shares only frames with
//! the driver, so that a mistake in the driver's codec does not cancel out.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::BAUDS;
use super::codec::{
    CONFIG_READ_FILTER, CONFIG_RSSI_IN_DBM, Frame, FromHost, PROGRAM_APPLICATION,
    PROGRAM_BOOT_LOADER, PROTOCOL_GEN2, Reply, Status, opcode,
};
use crate::codec::{Direction, FrameBuf, Opaque};
use crate::deframe::Deframer;
use crate::emulator::{
    DeviceFault, Emulator, EmulatorSettings, FieldTag, Heard, PowerUp, Radio, Transmit,
    TransmitKind,
};

mod access;
mod antennas;
mod application;
mod buffer;
mod configuration;
mod faults;
mod keys;
mod memory;
mod module;
mod pins;
mod reading;
mod search;
mod select;
mod sighting;
mod silion;
mod statistics;
mod stream;

use access::Access;
use buffer::TagBuffer;
use configuration::Configuration;
use faults::Faults;
use memory::Memories;
use module::Module;
use search::{Search, Tally};
use statistics::Statistics;
use stream::{Language, Stream};

/// M6e User Guide: 120 ms from power-up to the application.
const BOOT_TIME: Duration = Duration::from_millis(120);
/// No frame has so long a pause in it: an unfinished one is given up if something stands behind it.
const SILENCE: Duration = Duration::from_millis(50);
/// Commands that wait for the one before.
const WAITING_MAX: usize = 16;
/// Frames that wait to be sent; the oldest report makes room, as in the module's own buffer.
const TRANSMITS_MAX: usize = 512;
/// What LEN can count.
const DATA_LEN_MAX: usize = 0xF8;

/// The names of the modules that can be played; the first is the default.
pub(super) const MODELS: [&str; 5] = {
    let modules = &module::MODULES;
    [modules[0].name, modules[1].name, modules[2].name, modules[3].name, modules[4].name]
};

/// What is answered to a command: data, or why not.
type Answer = Result<Vec<u8>, Status>;

/// Bytes of a tag's memory: `Debug` shows only how many.
#[derive(Clone, PartialEq, Eq, Default)]
struct Withheld(Vec<u8>);

impl fmt::Debug for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Opaque(&self.0), f)
    }
}

/// What runs in the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// After power-up, until it is told to boot.
    BootLoader,
    /// The program that reads tags.
    Application,
}

/// What the application is busy with.
#[derive(Debug)]
enum Activity {
    Idle,
    Streaming(Box<Stream>),
    Searching(Box<Timed>),
    Accessing(Box<Pending>),
}

/// A timed read.
#[derive(Debug)]
struct Timed {
    search: Search,
    ports: Vec<u8>,
    started_at: Duration,
    ends_at: Duration,
    // Tags that were not in the buffer before.
    found: u32,
    heard: bool,
    full: bool,
    tally: Tally,
}

/// An operation on one tag that waits for the tag.
#[derive(Debug)]
struct Pending {
    access: Access,
    started_at: Duration,
    ends_at: Duration,
}

/// A Mercury module. See the file for what it is true to.
#[derive(Debug)]
pub struct MercuryReader {
    settings: EmulatorSettings,
    module: &'static Module,
    radio: Radio,
    deframer: Deframer<FromHost>,
    heard_at: Duration,
    waiting: VecDeque<FrameBuf>,
    transmits: VecDeque<Transmit>,
    program: Program,
    // While the application starts: when it is up.
    booted_at: Option<Duration>,
    baud: u32,
    configuration: Configuration,
    saved: Option<Configuration>,
    activity: Activity,
    buffer: TagBuffer,
    statistics: Statistics,
    memories: Memories,
    faults: Faults,
}

impl MercuryReader {
    /// A reader that has just been switched on: the model of the settings, or the first where there
    /// is none of that name.
    #[must_use]
    pub fn new(settings: &EmulatorSettings) -> Self {
        let module = Module::by_name(settings.model.as_deref());
        let mut reader = Self {
            settings: settings.clone(),
            module,
            radio: Radio::new(settings),
            deframer: Deframer::new(),
            heard_at: Duration::ZERO,
            waiting: VecDeque::new(),
            transmits: VecDeque::new(),
            program: match settings.power_up {
                PowerUp::BootLoader => Program::BootLoader,
                PowerUp::Ready | PowerUp::Reading => Program::Application,
            },
            booted_at: None,
            baud: settings.baud.unwrap_or(BAUDS[0]),
            configuration: Configuration::new(module),
            saved: None,
            activity: Activity::Idle,
            buffer: TagBuffer::default(),
            statistics: Statistics::default(),
            memories: Memories::default(),
            faults: Faults::new(),
        };
        if settings.power_up == PowerUp::Reading {
            reader.go_on_reading();
        }
        reader
    }

    /// Reads as an earlier host has told it to.
    fn go_on_reading(&mut self) {
        self.configuration.region = Some(0x01);
        self.configuration.protocol = Some(PROTOCOL_GEN2);
        self.configuration.keys.switch(CONFIG_READ_FILTER, false);
        let search = Search::left_behind();
        let ports = self.configuration.antennas.used(search.flags);
        let stream = Stream::new(search, Language::ThingMagic, ports, Duration::ZERO);
        self.activity = Activity::Streaming(Box::new(stream));
    }

    /// Restarts the module, as a failing supply does: everything is forgotten but what was saved,
    /// and the application says that it has booted.
    fn reboot(&mut self, now: Duration) {
        let fresh = Self::new(&self.settings);
        let before = std::mem::replace(self, fresh);
        self.radio = before.radio;
        self.faults = before.faults;
        self.memories = before.memories;
        self.saved = before.saved;
        self.start_application(now);
    }

    fn start_application(&mut self, now: Duration) {
        self.activity = Activity::Idle;
        self.configuration = self.saved.clone().unwrap_or_else(|| Configuration::new(self.module));
        self.booted_at = Some(now + BOOT_TIME);
    }

    fn handle_frame(&mut self, bytes: &[u8], now: Duration) {
        let Ok(frame) = Frame::new_checked(bytes, Direction::FromHost) else { return };
        if self.booted_at.is_some() {
            return;
        }
        match &self.activity {
            Activity::Idle => self.handle_command(frame.opcode(), frame.data(), now),
            Activity::Streaming(_) => {
                self.handle_while_streaming(frame.opcode(), frame.data(), now);
            }
            Activity::Searching(_) | Activity::Accessing(_) => {
                if self.waiting.len() < WAITING_MAX {
                    self.waiting.push_back(FrameBuf::new().put(bytes));
                }
            }
        }
    }

    /// A command that comes while nothing else goes on.
    fn handle_command(&mut self, opcode: u8, data: &[u8], now: Duration) {
        match (self.program, opcode, data) {
            (_, opcode::VERSION, []) => {
                let version = self.version();
                self.answer(opcode, Ok(version));
            }
            (_, opcode::CURRENT_PROGRAM, []) => {
                let program = match self.program {
                    Program::BootLoader => PROGRAM_BOOT_LOADER,
                    Program::Application => PROGRAM_APPLICATION,
                };
                self.answer(opcode, Ok(vec![program]));
            }
            (_, opcode::SET_BAUD, &[a, b, c, d]) => self.set_baud(u32::from_be_bytes([a, b, c, d])),
            (_, opcode::VERSION | opcode::CURRENT_PROGRAM | opcode::SET_BAUD, _) => {
                self.answer(opcode, Err(Status::WRONG_DATA_LENGTH));
            }
            (Program::BootLoader, opcode::BOOT_FIRMWARE, []) => self.start_application(now),
            (Program::BootLoader, _, _) => self.answer(opcode, Err(Status::INVALID_OPCODE)),
            (Program::Application, _, _) => self.handle_application(opcode, data, now),
        }
    }

    /// Five numbers; the last, the tag protocols, is 0 in the boot loader, by which the newer client
    /// tells them apart (`serial_reader.c` 1.37, `TMR_SR_boot`).
    fn version(&self) -> Vec<u8> {
        let version = &self.module.version;
        let protocols = match self.program {
            Program::BootLoader => 0,
            Program::Application => version.protocols,
        };
        [version.boot_loader, version.hardware, version.firmware_date, version.firmware, protocols]
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    }

    fn set_baud(&mut self, baud: u32) {
        if BAUDS.contains(&baud) {
            self.answer(opcode::SET_BAUD, Ok(Vec::new()));
            self.baud = baud;
        } else {
            self.answer(opcode::SET_BAUD, Err(Status::INVALID_BAUD));
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "nobody has another use for an answer")]
    fn answer(&mut self, opcode: u8, answer: Answer) {
        self.send(opcode, &answer, TransmitKind::Answer);
    }

    fn send(&mut self, opcode: u8, answer: &Answer, kind: TransmitKind) {
        let reply = match answer {
            Ok(data) if data.len() > DATA_LEN_MAX => {
                let status = Status::DATA_TOO_LARGE;
                Reply::Refused { opcode, status, data: Opaque(&[]) }
            }
            Ok(data) => Reply::Done { opcode, data: Opaque(data) },
            Err(status) => Reply::Refused { opcode, status: *status, data: Opaque(&[]) },
        };
        self.push(&reply, kind);
    }

    fn push(&mut self, reply: &Reply<'_>, kind: TransmitKind) {
        if self.faults.muted {
            return;
        }
        if self.transmits.len() >= TRANSMITS_MAX {
            let is_report = |waiting: &Transmit| waiting.kind != TransmitKind::Answer;
            self.transmits.remove(self.transmits.iter().position(is_report).unwrap_or(0));
        }
        self.transmits.push_back(Transmit { frame: reply.emit(), kind, baud: self.baud });
    }

    fn handle_frames(&mut self, now: Duration) {
        let mut deframer = std::mem::take(&mut self.deframer);
        while let Some(frame) = deframer.next_frame() {
            self.handle_frame(frame, now);
        }
        self.deframer = deframer;
    }
}

impl Emulator for MercuryReader {
    fn handle_bytes(&mut self, bytes: &[u8], now: Duration) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.deframer.push(rest);
            self.handle_frames(now);
        }
        if now.saturating_sub(self.heard_at) > SILENCE {
            self.deframer.handle_silence();
            self.handle_frames(now);
        }
        self.heard_at = now;
    }

    fn handle_deadline(&mut self, now: Duration) {
        if self.booted_at.is_some_and(|at| at <= now) {
            self.booted_at = None;
            self.program = Program::Application;
            let version = self.version();
            self.answer(opcode::BOOT_FIRMWARE, Ok(version));
        }
        self.read(now);
        self.handle_activity_deadline(now);
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.next_activity_deadline().into_iter().chain(self.booted_at).min()
    }

    fn set_field(&mut self, tags: &[FieldTag], now: Duration) {
        self.radio.set_field(tags, now);
        self.read(now);
    }

    fn handle_fault(&mut self, fault: DeviceFault, now: Duration) {
        self.faults.handle(fault);
        if fault == DeviceFault::Reboot {
            self.reboot(now);
        } else {
            self.complain_at_once(now);
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
