//! A YRM100 or R200 made of software.
//!
//! What it does like the real module (both manuals; see [`super::codec`]):
//!
//! * a poll reports each round: its tags, or "no tag"; it ends by itself after its rounds, silently,
//! * what is heard before a poll has stopped still comes before the acknowledgement,
//! * a change of rate has no answer; "set select mode" is answered with another command's code,
//! * selecting hides tags, from polls too if it is told to; tag memory can be read and written,
//! * asleep, it is woken by a byte and loses the command that the byte began; it forgets the select,
//! * it does not say when it restarts, and polls no more.
//!
//! A real module knows one kind of frame marks. This one may be told to take both.
//!
//! Where the manuals give no error for a parameter out of range, it answers "invalid command". What
//! tags of one maker alone can do, its tags do not.

use std::collections::VecDeque;
use std::time::Duration;

use super::BAUDS;
use super::codec::{
    Command, Demodulator, ErrorCode, Frame, FromHost, Marks, PinOperation, Reply, SetOutcome,
    TagNotice, opcode,
};
use crate::codec::{Direction, Opaque};
use crate::deframe::Deframer;
use crate::emulator::{
    DeviceFault, Emulator, EmulatorSettings, FieldTag, Heard, PowerUp, Radio, Transmit,
    TransmitKind,
};

mod memory;
mod selection;

use memory::{Memories, identity};
use selection::Selection;

/// A round with 16 slots (Q 4) in which nobody answers, and switching the amplifier on and off.
const ROUND_TIME: Duration = Duration::from_millis(20);
/// Between the command to stop and its acknowledgement: what is left of a round.
const STOP_TIME: Duration = Duration::from_millis(5);
/// The chip's firmware is loaded into it after each reset.
const BOOT_TIME: Duration = Duration::from_millis(150);
/// After so long without the next byte, the beginning of a command is forgotten.
const COMMAND_PATIENCE: Duration = Duration::from_millis(100);
const POWER_CDBM_MIN: u16 = 1500;
const POWER_CDBM_MAX: u16 = 2600;
const QUERY: u16 = 0x1020;
const DEMODULATOR: Demodulator = Demodulator { mixer_gain: 2, if_gain: 6, threshold: 0x01B0 };
/// Region codes with how many channels each has.
const REGIONS: [(u8, u8); 5] = [(1, 20), (2, 52), (3, 15), (4, 20), (6, 32)];
/// A quiet place: what the chip measures where nobody sends.
const QUIET_DBM: i8 = -70;
/// What the chip measures of its own carrier.
const JAMMER_DBM: i8 = -14;
const PINS: usize = 4;

/// A poll under way.
#[derive(Debug)]
struct Poll {
    rounds_left: u16,
    round_ends_at: Duration,
    // Whether this round has heard a tag.
    heard: bool,
    // Once told to stop: when it acknowledges.
    acknowledge_at: Option<Duration>,
}

/// What is wrong with it.
#[derive(Debug, Default, Clone, Copy)]
struct Faults {
    mute: bool,
    no_antenna: bool,
    no_heartbeat: bool,
    no_tags: bool,
}

/// What it has been set to and forgets when it restarts.
#[derive(Debug)]
struct Registers {
    region: u8,
    channel: u8,
    power_cdbm: u16,
    query: u16,
    demodulator: Demodulator,
    // Direction (1 is output) and level of each pin.
    pins: [(u8, u8); PINS],
}

impl Registers {
    fn new() -> Self {
        Self {
            region: REGIONS[0].0,
            channel: 0,
            power_cdbm: POWER_CDBM_MAX,
            query: QUERY,
            demodulator: DEMODULATOR,
            pins: [(0, 1); PINS],
        }
    }

    fn channels(&self) -> u8 {
        REGIONS.iter().find(|(region, _)| *region == self.region).map_or(0, |(_, count)| *count)
    }
}

/// A module. What it is true to, and what it is not: see above.
#[derive(Debug)]
pub struct Yrm100Reader {
    wanted_marks: Option<Marks>,
    // Of its frames: those that are wanted, or of the last command.
    marks: Marks,
    radio: Radio,
    memories: Memories,
    deframer: Deframer<FromHost>,
    bytes_at: Duration,
    transmits: VecDeque<Transmit>,
    baud: u32,
    baud_at_power_up: u32,
    registers: Registers,
    selection: Selection,
    poll: Option<Poll>,
    // While it starts: when it is up.
    up_at: Option<Duration>,
    asleep: bool,
    faults: Faults,
}

impl Yrm100Reader {
    /// A module that has just been switched on, whose frames have these marks; `None` for one that
    /// answers each command in its own, so that clients of either kind can use it.
    #[must_use]
    pub fn new(settings: &EmulatorSettings, marks: Option<Marks>) -> Self {
        let baud = settings.baud.unwrap_or(BAUDS[0]);
        let mut reader = Self {
            wanted_marks: marks,
            marks: marks.unwrap_or(Marks::Bb7e),
            radio: Radio::new(settings),
            memories: Memories::default(),
            deframer: Deframer::new(),
            bytes_at: Duration::ZERO,
            transmits: VecDeque::new(),
            baud,
            baud_at_power_up: baud,
            registers: Registers::new(),
            selection: Selection::default(),
            poll: None,
            up_at: None,
            asleep: false,
            faults: Faults::default(),
        };
        match settings.power_up {
            PowerUp::Reading => reader.begin_poll(u16::MAX, Duration::ZERO),
            PowerUp::Ready | PowerUp::BootLoader => {}
        }
        reader
    }

    fn reboot(&mut self, now: Duration) {
        self.registers = Registers::new();
        self.selection = Selection::default();
        self.poll = None;
        self.asleep = false;
        self.deframer = Deframer::new();
        self.transmits.clear();
        self.baud = self.baud_at_power_up;
        self.up_at = Some(now + BOOT_TIME);
    }

    fn handle_command(&mut self, command: &Command<'_>, now: Duration) {
        match *command {
            Command::Info { what } => self.tell_info(what),
            Command::SinglePoll => self.poll_once(),
            Command::MultiPoll { rounds } => self.begin_poll(rounds, now),
            Command::StopPoll => match &mut self.poll {
                Some(poll) => poll.acknowledge_at = Some(now + STOP_TIME),
                None => self.done(opcode::STOP_POLL),
            },
            Command::SetBaud { hundreds } => {
                let baud = u32::from(hundreds) * 100;
                if BAUDS.contains(&baud) {
                    self.baud = baud;
                } else {
                    self.refuse(ErrorCode::INVALID_COMMAND);
                }
            }
            Command::SetSelect(select) => {
                self.selection.set(&select);
                self.done(opcode::SET_SELECT);
            }
            Command::SetSelectMode { mode } => {
                let known = self.selection.set_mode(mode);
                self.done_if(known, opcode::SET_SELECT);
            }
            Command::Select => {
                let selection = self.selection.clone();
                self.answer(&Reply::Select(selection.select()));
            }
            Command::Query
            | Command::Region
            | Command::Channel
            | Command::Power
            | Command::Demodulator
            | Command::ScanJammer
            | Command::ScanRssi => self.tell_register(command),
            Command::SetQuery { .. }
            | Command::SetRegion { .. }
            | Command::SetChannel { .. }
            | Command::SetHopping { .. }
            | Command::InsertChannels { .. }
            | Command::SetPower { .. }
            | Command::SetCarrier { .. }
            | Command::SetDemodulator(_)
            | Command::Idle { .. } => {
                let set = self.set_register(command);
                self.done_if(set, command.opcode());
            }
            Command::SetIdleSleep { minutes } => {
                let outcome = SetOutcome(minutes);
                self.answer(&Reply::Done { command: opcode::SET_IDLE_SLEEP, outcome });
            }
            Command::Pin(operation) => self.work_pin(operation),
            Command::Sleep => {
                self.done(opcode::SLEEP);
                self.poll = None;
                self.asleep = true;
            }
            Command::ReadMemory(_)
            | Command::WriteMemory { .. }
            | Command::Lock { .. }
            | Command::Kill { .. }
            | Command::NxpReadProtect { .. }
            | Command::NxpChangeEas { .. }
            | Command::NxpEasAlarm
            | Command::NxpChangeConfig { .. }
            | Command::MonzaQt { .. }
            | Command::BlockPermalock { .. } => self.access_tag(command),
            Command::Other { .. } => self.refuse(ErrorCode::INVALID_COMMAND),
        }
    }

    fn tell_info(&mut self, what: u8) {
        let text: &[u8] = match what {
            0 => b"M100 26dBm V1.0",
            1 => b"V2.3.5",
            2 => b"MagicRf",
            _ => return self.refuse(ErrorCode::INVALID_COMMAND),
        };
        self.answer(&Reply::Info { what, text: Opaque(text) });
    }

    fn tell_register(&mut self, command: &Command<'_>) {
        let registers = &self.registers;
        let scan = |command, level: i8| {
            (command, vec![level.to_be_bytes()[0]; usize::from(registers.channels())])
        };
        let (command, levels) = match command {
            Command::Query => return self.answer(&Reply::Query { bits: registers.query }),
            Command::Region => return self.answer(&Reply::Region(registers.region)),
            Command::Channel => return self.answer(&Reply::Channel(registers.channel)),
            Command::Power => {
                return self.answer(&Reply::Power { power_cdbm: registers.power_cdbm });
            }
            Command::Demodulator => {
                return self.answer(&Reply::Demodulator(registers.demodulator));
            }
            Command::ScanJammer => scan(opcode::SCAN_JAMMER, JAMMER_DBM),
            _ => scan(opcode::SCAN_RSSI, QUIET_DBM),
        };
        let last = registers.channels() - 1;
        self.answer(&Reply::Scan { command, first: 0, last, levels_dbm: Opaque(&levels) });
    }

    /// Says whether the value is one that a module takes.
    fn set_register(&mut self, command: &Command<'_>) -> bool {
        let registers = &mut self.registers;
        match *command {
            Command::SetQuery { bits } => registers.query = bits,
            Command::SetRegion { region } if REGIONS.iter().any(|(code, _)| *code == region) => {
                registers.region = region;
                registers.channel = 0;
            }
            Command::SetChannel { index } if index < registers.channels() => {
                registers.channel = index;
            }
            Command::SetPower { power_cdbm }
                if (POWER_CDBM_MIN..=POWER_CDBM_MAX).contains(&power_cdbm) =>
            {
                registers.power_cdbm = power_cdbm;
            }
            Command::SetDemodulator(demodulator)
                if demodulator.mixer_gain <= 6 && demodulator.if_gain <= 7 =>
            {
                registers.demodulator = demodulator;
            }
            Command::SetHopping { on: 0x00 | 0xFF }
            | Command::SetCarrier { on: 0x00 | 0xFF }
            | Command::InsertChannels { .. }
            | Command::Idle { .. } => {}
            _ => return false,
        }
        true
    }

    fn work_pin(&mut self, operation: PinOperation) {
        let PinOperation { operation: what, pin, value } = operation;
        let place = usize::from(pin).checked_sub(1).and_then(|at| self.registers.pins.get_mut(at));
        let value = match (what, place) {
            (PinOperation::DIRECTION, Some(place)) if value <= 1 => {
                place.0 = value;
                1
            }
            // An input cannot be set.
            (PinOperation::SET, Some(place)) if value <= 1 => {
                if place.0 == 1 {
                    place.1 = value;
                }
                place.0
            }
            (PinOperation::READ, Some(place)) => place.1,
            _ => return self.refuse(ErrorCode::INVALID_COMMAND),
        };
        self.answer(&Reply::Pin(PinOperation { value, ..operation }));
    }

    fn access_tag(&mut self, command: &Command<'_>) {
        let field = self.radio.read_all();
        let tags = field
            .into_iter()
            .filter(|_| !self.faults.no_antenna)
            .filter_map(|heard| self.memories.now(heard.tag))
            .find(|tag| self.selection.lets(tag, selection::Use::Access));
        let reply = self.memories.access(tags.as_ref(), command);
        let frame = reply.emit(self.marks);
        self.push(Transmit { frame, kind: TransmitKind::Answer, baud: self.baud });
    }

    fn poll_once(&mut self) {
        let field = self.radio.read_all();
        let mut any = false;
        for heard in field {
            any |= self.report(heard);
        }
        if !any {
            self.refuse(ErrorCode::NO_TAG);
        }
    }

    fn begin_poll(&mut self, rounds: u16, now: Duration) {
        self.radio.begin(now);
        self.poll = (rounds > 0).then_some(Poll {
            rounds_left: rounds,
            round_ends_at: now + ROUND_TIME,
            heard: false,
            acknowledge_at: None,
        });
        self.read(now);
    }

    /// Reports the tags that are due, if it polls.
    fn read(&mut self, now: Duration) {
        if self.poll.is_none() {
            return;
        }
        let due = self.radio.read(now);
        let mut any = false;
        for heard in due {
            any |= self.report(heard);
        }
        if let Some(poll) = &mut self.poll {
            poll.heard |= any;
        }
    }

    fn end_round(&mut self, now: Duration) {
        let Some(poll) = self.poll.as_mut().filter(|poll| poll.round_ends_at <= now) else {
            return;
        };
        let heard = std::mem::take(&mut poll.heard);
        poll.round_ends_at = now + ROUND_TIME;
        poll.rounds_left -= 1;
        if poll.rounds_left == 0 && poll.acknowledge_at.is_none() {
            self.poll = None;
        }
        if !heard && !self.faults.no_heartbeat {
            let reply = Reply::Refused { code: ErrorCode::NO_TAG, tag: None };
            let frame = reply.emit(self.marks);
            self.push(Transmit { frame, kind: TransmitKind::KeepAlive, baud: self.baud });
        }
    }

    /// Reports one read of a tag. Says whether it was heard.
    fn report(&mut self, heard: Heard) -> bool {
        let Some(tag) = self.memories.now(heard.tag) else { return false };
        if self.faults.no_antenna
            || self.faults.no_tags
            || tag.antenna != 1
            || !self.selection.lets(&tag, selection::Use::Poll)
        {
            return false;
        }
        let (identity, tag_crc) = identity(&tag.epc);
        let notice = TagNotice { rssi_dbm: heard.rssi_dbm, identity, tag_crc };
        let frame = Reply::Tag { command: opcode::SINGLE_POLL, notice }.emit(self.marks);
        self.push(Transmit { frame, kind: TransmitKind::Tag, baud: self.baud });
        true
    }

    fn done(&mut self, command: u8) {
        self.answer(&Reply::Done { command, outcome: SetOutcome::DONE });
    }

    fn done_if(&mut self, done: bool, command: u8) {
        if done { self.done(command) } else { self.refuse(ErrorCode::INVALID_COMMAND) }
    }

    fn refuse(&mut self, code: ErrorCode) {
        self.answer(&Reply::Refused { code, tag: None });
    }

    fn answer(&mut self, reply: &Reply<'_>) {
        let frame = reply.emit(self.marks);
        self.push(Transmit { frame, kind: TransmitKind::Answer, baud: self.baud });
    }

    fn push(&mut self, transmit: Transmit) {
        if !self.faults.mute {
            self.transmits.push_back(transmit);
        }
    }
}

impl Emulator for Yrm100Reader {
    fn handle_bytes(&mut self, bytes: &[u8], now: Duration) {
        if self.up_at.is_some_and(|at| at > now) {
            return;
        }
        self.up_at = None;
        if now.saturating_sub(self.bytes_at) > COMMAND_PATIENCE {
            self.deframer.clear();
        }
        self.bytes_at = now;
        let mut rest = bytes;
        if self.asleep && !bytes.is_empty() {
            self.asleep = false;
            self.selection = Selection::default();
            rest = &bytes[1..];
        }
        while !rest.is_empty() {
            rest = self.deframer.push(rest);
            let mut deframer = std::mem::take(&mut self.deframer);
            while let Some(bytes) = deframer.next_frame() {
                let frame = Frame::new_checked(bytes, Direction::FromHost);
                if let Ok(frame) = frame
                    && self.wanted_marks.is_none_or(|wanted| wanted == frame.marks())
                    && let Ok(command) = Command::parse(frame)
                {
                    self.marks = frame.marks();
                    self.handle_command(&command, now);
                }
            }
            self.deframer = deframer;
        }
    }

    fn handle_deadline(&mut self, now: Duration) {
        self.read(now);
        self.end_round(now);
        let acknowledge_at = self.poll.as_ref().and_then(|poll| poll.acknowledge_at);
        if acknowledge_at.is_some_and(|at| at <= now) {
            self.poll = None;
            self.done(opcode::STOP_POLL);
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        let poll = self.poll.as_ref()?;
        let reads = self.radio.next_read().into_iter();
        reads.chain([poll.round_ends_at]).chain(poll.acknowledge_at).min()
    }

    fn set_field(&mut self, tags: &[FieldTag], now: Duration) {
        self.radio.set_field(tags, now);
        self.read(now);
    }

    fn handle_fault(&mut self, fault: DeviceFault, now: Duration) {
        match fault {
            DeviceFault::Reboot => self.reboot(now),
            DeviceFault::AntennaLost { port: 1 } => self.faults.no_antenna = true,
            DeviceFault::AntennaBack { port: 1 } => self.faults.no_antenna = false,
            DeviceFault::Mute => self.faults.mute = true,
            DeviceFault::Unmute => self.faults.mute = false,
            DeviceFault::HeartbeatLost => self.faults.no_heartbeat = true,
            DeviceFault::HeartbeatBack => self.faults.no_heartbeat = false,
            DeviceFault::TagsLost => self.faults.no_tags = true,
            DeviceFault::TagsBack => self.faults.no_tags = false,
            // It has one antenna port and measures neither heat nor what comes back.
            DeviceFault::AntennaLost { .. }
            | DeviceFault::AntennaBack { .. }
            | DeviceFault::Temperature { .. }
            | DeviceFault::ReturnLossHigh
            | DeviceFault::ReturnLossGood => {}
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
