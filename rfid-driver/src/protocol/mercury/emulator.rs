//! A Mercury reader made of software.
//!
//! What it does like the real module (M6e User Guide; `MercuryAPI` sources; captures):
//!
//! * a continuous read answers nothing but stop; what is queued still comes before the
//!   acknowledgement of stop; timestamps begin anew with each start,
//! * the read filter is on after power-up and lets each tag be reported once per start,
//! * without a region the radio is off; the boot loader knows almost no command,
//! * a change of baud rate is answered at the old rate.
//!
//! Not there yet: timed reads with the tag buffer, tag memory, pins, temperature and its faults.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use super::BAUDS;
use super::codec::{
    CONFIG_READ_FILTER, CONFIG_RSSI_IN_DBM, Command, EmbeddedData, Frame, FromHost, MetadataFlags,
    PROGRAM_APPLICATION, PROGRAM_BOOT_LOADER, PROTOCOL_GEN2, Reply, Status, StreamRequest,
    TagRecord, VersionInfo, opcode,
};
use crate::Epc;
use crate::codec::{Direction, Opaque};
use crate::deframe::Deframer;
use crate::emulator::{
    DeviceFault, Emulator, EmulatorSettings, FieldTag, Heard, PowerUp, Radio, Transmit,
    TransmitKind, tag_words,
};

const KEEP_ALIVE_PERIOD: Duration = Duration::from_secs(1);
/// Between the last queued report and the acknowledgement of stop.
const STOP_TIME: Duration = Duration::from_millis(5);
/// M6e User Guide: 120 ms from power-up to the application.
const BOOT_TIME: Duration = Duration::from_millis(120);
const POWER_CDBM_MIN: u16 = 500;
const POWER_CDBM_MAX: u16 = 3150;
/// Ten of the channels between 920 and 925 MHz.
const CHANNEL_FIRST_KHZ: u32 = 920_250;
const CHANNEL_STEP_KHZ: u32 = 500;
const VERSION: VersionInfo = VersionInfo {
    boot_loader: 0x1712_0800,
    hardware: 0x2000_0001,
    firmware_date: 0x2019_0610,
    firmware: 0x0119_0111,
    protocols: 0x0000_0010,
};

/// What runs in the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// After power-up, until it is told to boot.
    BootLoader,
    /// The program that reads tags.
    Application,
}

/// A continuous read.
#[derive(Debug)]
struct Stream {
    request: StreamRequest,
    started_at: Duration,
    keep_alive_at: Duration,
    // For the read filter.
    reported: HashSet<Epc>,
    // Once told to stop: when it acknowledges.
    acknowledge_at: Option<Duration>,
}

/// A Mercury reader. See the module for what it is true to.
#[derive(Debug)]
pub struct MercuryReader {
    settings: EmulatorSettings,
    radio: Radio,
    deframer: Deframer<FromHost>,
    transmits: VecDeque<Transmit>,
    program: Program,
    // While the application starts: when it is up.
    booted_at: Option<Duration>,
    baud: u32,
    region: Option<u8>,
    protocol: Option<u8>,
    antennas: Vec<u8>,
    power_cdbm: u16,
    keys: BTreeMap<u8, u8>,
    stream: Option<Stream>,
}

impl MercuryReader {
    /// A reader that has just been switched on.
    #[must_use]
    pub fn new(settings: &EmulatorSettings) -> Self {
        Self {
            settings: settings.clone(),
            radio: Radio::new(settings),
            deframer: Deframer::new(),
            transmits: VecDeque::new(),
            program: match settings.power_up {
                PowerUp::BootLoader => Program::BootLoader,
                PowerUp::Ready | PowerUp::Reading => Program::Application,
            },
            booted_at: None,
            baud: settings.baud.unwrap_or(BAUDS[0]),
            region: None,
            protocol: None,
            antennas: vec![1],
            power_cdbm: POWER_CDBM_MAX,
            keys: BTreeMap::from([(CONFIG_READ_FILTER, 1), (CONFIG_RSSI_IN_DBM, 1)]),
            stream: None,
        }
    }

    /// Restarts the module, as a failing supply does: everything is forgotten, and the application
    /// says that it has booted.
    fn reboot(&mut self, now: Duration) {
        let fresh = Self::new(&self.settings);
        let before = std::mem::replace(self, fresh);
        self.radio = before.radio;
        self.booted_at = Some(now + BOOT_TIME);
    }

    /// Reports what the radio has heard.
    fn read(&mut self, now: Duration) {
        for heard in self.radio.read(now) {
            self.report(heard, now);
        }
    }

    fn handle_command(&mut self, command: Command<'_>, now: Duration) {
        if self.booted_at.is_some() {
            return;
        }
        match (&self.stream, self.program, command) {
            (Some(_), _, Command::StopStream) => self.stop_stream(now),
            // A continuous read listens to nothing else.
            (Some(_), _, _) => {}
            (None, _, Command::Version) => self.answer(&Reply::Version(VERSION)),
            (None, Program::BootLoader, Command::CurrentProgram) => {
                self.answer(&Reply::Program(PROGRAM_BOOT_LOADER));
            }
            (None, Program::BootLoader, Command::BootFirmware) => {
                self.booted_at = Some(now + BOOT_TIME);
            }
            (None, Program::BootLoader, command) => {
                self.refuse(command.opcode(), Status::INVALID_OPCODE);
            }
            (None, Program::Application, command) => self.handle_application(command, now),
        }
    }

    fn handle_application(&mut self, command: Command<'_>, now: Duration) {
        let outcome = match command {
            Command::Version => return self.answer(&Reply::Version(VERSION)),
            Command::CurrentProgram => return self.answer(&Reply::Program(PROGRAM_APPLICATION)),
            Command::StartStream(request) => match self.start_stream(request, now) {
                Ok(()) => return self.answer(&Reply::StreamStarted),
                Err(status) => Err(status),
            },
            Command::StopStream => return self.answer(&Reply::StreamStopped),
            Command::ReaderConfig { key } => return self.answer_config(key),
            Command::BootFirmware => Err(Status::INVALID_OPCODE),
            Command::SetBaud { baud } => return self.set_baud(baud),
            Command::SetRegion { region } => self.set_region(region),
            Command::SetAntennas { pairs } => self.set_antennas(pairs),
            Command::SetReadPower { power_cdbm } => self.set_power(power_cdbm),
            Command::SetProtocol { protocol: PROTOCOL_GEN2 } => {
                self.protocol = Some(5);
                Ok(())
            }
            Command::SetProtocol { .. } => Err(Status::INVALID_PROTOCOL),
            Command::SetReaderConfig { key, value } => {
                self.keys.insert(key, value);
                Ok(())
            }
            Command::Other { opcode, data } => return self.answer_other(opcode, data.0),
        };
        match outcome {
            Ok(()) => self.done(command.opcode(), &[]),
            Err(status) => self.refuse(command.opcode(), status),
        }
    }

    fn start_stream(&mut self, request: StreamRequest, now: Duration) -> Result<(), Status> {
        if self.region.is_none() {
            return Err(Status::RADIO_OFF);
        }
        if self.protocol != Some(request.protocol) {
            return Err(Status::INVALID_PROTOCOL);
        }
        self.radio.begin(now);
        self.stream = Some(Stream {
            request,
            started_at: now,
            keep_alive_at: now + KEEP_ALIVE_PERIOD,
            reported: HashSet::new(),
            acknowledge_at: None,
        });
        Ok(())
    }

    fn stop_stream(&mut self, now: Duration) {
        // What the radio had in its queue comes out first.
        for heard in self.radio.read_all() {
            self.report(heard, now);
        }
        if let Some(stream) = &mut self.stream {
            stream.acknowledge_at.get_or_insert(now + STOP_TIME);
        }
    }

    fn set_baud(&mut self, baud: u32) {
        if BAUDS.contains(&baud) {
            self.done(opcode::SET_BAUD, &[]);
            self.baud = baud;
        } else {
            self.refuse(opcode::SET_BAUD, Status::INVALID_BAUD);
        }
    }

    fn set_region(&mut self, region: u8) -> Result<(), Status> {
        if region == 0 {
            return Err(Status::INVALID_REGION);
        }
        self.region = Some(region);
        Ok(())
    }

    fn set_antennas(&mut self, pairs: &[u8]) -> Result<(), Status> {
        let (pairs, _) = pairs.as_chunks::<2>();
        if pairs.iter().flatten().any(|port| !(1..=16).contains(port)) {
            return Err(Status::INVALID_VALUE);
        }
        self.antennas = pairs.iter().map(|&[transmit, _receive]| transmit).collect();
        Ok(())
    }

    fn set_power(&mut self, power_cdbm: u16) -> Result<(), Status> {
        match power_cdbm {
            ..POWER_CDBM_MIN => Err(Status::POWER_TOO_LOW),
            POWER_CDBM_MIN..=POWER_CDBM_MAX => {
                self.power_cdbm = power_cdbm;
                Ok(())
            }
            _ => Err(Status::POWER_TOO_HIGH),
        }
    }

    fn answer_config(&mut self, key: u8) {
        match self.keys.get(&key) {
            Some(&value) => self.done(opcode::READER_CONFIG, &[1, key, value]),
            None => self.refuse(opcode::READER_CONFIG, Status::INVALID_VALUE),
        }
    }

    fn answer_other(&mut self, opcode: u8, data: &[u8]) {
        let [power_high, power_low] = self.power_cdbm.to_be_bytes();
        match (opcode, data) {
            (opcode::REGION, []) => self.done(opcode, &[self.region.unwrap_or(0)]),
            (opcode::PROTOCOL, []) => self.done(opcode, &[0, self.protocol.unwrap_or(0)]),
            (opcode::READ_POWER, [0]) => self.done(opcode, &[0, power_high, power_low]),
            (
                opcode::REGION
                | opcode::PROTOCOL
                | opcode::READ_POWER
                | opcode::ANTENNAS
                | opcode::STREAM
                | opcode::SET_ANTENNAS
                | opcode::SET_BAUD
                | opcode::SET_PROTOCOL
                | opcode::SET_READ_POWER
                | opcode::SET_READER_CONFIG
                | opcode::SET_REGION
                | opcode::VERSION,
                _,
            ) => self.refuse(opcode, Status::WRONG_DATA_LENGTH),
            _ => self.refuse(opcode, Status::INVALID_OPCODE),
        }
    }

    /// Reports one read of a tag, if the radio is on, hears it, and the filter lets it through.
    fn report(&mut self, heard: Heard, now: Duration) {
        let tag = heard.tag;
        let Some(stream) = &mut self.stream else { return };
        if !self.antennas.contains(&tag.antenna) {
            return;
        }
        let filtered = self.keys.get(&CONFIG_READ_FILTER) != Some(&0);
        if filtered && !stream.reported.insert(tag.epc) {
            return;
        }
        let (request, started_at) = (stream.request, stream.started_at);
        let on = |flag| request.metadata.contains(flag).then_some(());
        let port = tag.antenna & 0x0F;
        let timestamp_ms = now.saturating_sub(started_at).as_millis();
        let (pc, tag_crc) = tag_words(&tag.epc);
        let record = TagRecord {
            multiselect: request.multiselect,
            option: request.option,
            search_flags: request.search_flags,
            read_count: on(MetadataFlags::READ_COUNT).map(|()| 1),
            rssi_dbm: on(MetadataFlags::RSSI).map(|()| heard.rssi_dbm),
            antenna: on(MetadataFlags::ANTENNA).map(|()| port << 4 | port),
            frequency_khz: on(MetadataFlags::FREQUENCY)
                .map(|()| CHANNEL_FIRST_KHZ + u32::from(heard.channel) * CHANNEL_STEP_KHZ),
            timestamp_ms: on(MetadataFlags::TIMESTAMP)
                .map(|()| u32::try_from(timestamp_ms).unwrap_or(u32::MAX)),
            phase_deg: on(MetadataFlags::PHASE).map(|()| heard.phase_deg),
            protocol: on(MetadataFlags::PROTOCOL).map(|()| request.protocol),
            data: on(MetadataFlags::DATA)
                .map(|()| EmbeddedData::Bits { bits: 0, bytes: Opaque(&[]) }),
            gpio: on(MetadataFlags::GPIO).map(|()| 0),
            gen2_q: on(MetadataFlags::GEN2_Q).map(|()| 0),
            gen2_link_frequency: on(MetadataFlags::GEN2_LINK_FREQUENCY).map(|()| 0),
            gen2_target: on(MetadataFlags::GEN2_TARGET).map(|()| 0),
            pc,
            epc: Opaque(tag.epc.as_bytes()),
            tag_crc,
            ..TagRecord::EMPTY
        };
        self.push(&Reply::Tag(record), TransmitKind::Tag);
    }

    fn done(&mut self, opcode: u8, data: &[u8]) {
        self.answer(&Reply::Done { opcode, data: Opaque(data) });
    }

    fn refuse(&mut self, opcode: u8, status: Status) {
        self.answer(&Reply::Refused { opcode, status, data: Opaque(&[]) });
    }

    fn answer(&mut self, reply: &Reply<'_>) {
        self.push(reply, TransmitKind::Answer);
    }

    fn push(&mut self, reply: &Reply<'_>, kind: TransmitKind) {
        self.transmits.push_back(Transmit { frame: reply.emit(), kind, baud: self.baud });
    }
}

impl Emulator for MercuryReader {
    fn handle_bytes(&mut self, bytes: &[u8], now: Duration) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.deframer.push(rest);
            let mut deframer = std::mem::take(&mut self.deframer);
            while let Some(bytes) = deframer.next_frame() {
                let command = Frame::new_checked(bytes, Direction::FromHost).map(Command::parse);
                if let Ok(Ok(command)) = command {
                    self.handle_command(command, now);
                }
            }
            self.deframer = deframer;
        }
    }

    fn handle_deadline(&mut self, now: Duration) {
        if self.booted_at.is_some_and(|at| at <= now) {
            self.booted_at = None;
            self.program = Program::Application;
            self.answer(&Reply::Booted(VERSION));
        }
        self.read(now);
        let Some(stream) = &mut self.stream else { return };
        if stream.keep_alive_at <= now {
            stream.keep_alive_at = now + KEEP_ALIVE_PERIOD;
            let reply = Reply::KeepAlive { data: Opaque(&[]) };
            self.push(&reply, TransmitKind::KeepAlive);
        }
        if self.stream.as_ref().and_then(|stream| stream.acknowledge_at).is_some_and(|at| at <= now)
        {
            self.stream = None;
            self.answer(&Reply::StreamStopped);
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        let reading = self.stream.iter().flat_map(|stream| {
            let reads = self.radio.next_read().into_iter();
            reads.chain([stream.keep_alive_at]).chain(stream.acknowledge_at)
        });
        reading.chain(self.booted_at).min()
    }

    fn set_field(&mut self, tags: &[FieldTag], now: Duration) {
        self.radio.set_field(tags, now);
        self.read(now);
    }

    fn handle_fault(&mut self, fault: DeviceFault, now: Duration) {
        if fault == DeviceFault::Reboot {
            self.reboot(now);
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
