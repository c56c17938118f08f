//! How a Mercury reader is set up, and in which order.

use super::dialect::Dialect;
use crate::codec::FrameBuf;
use crate::protocol::mercury::codec::{
    Answer, AntennaQuery, CONFIG_READ_FILTER, CONFIG_RSSI_IN_DBM, Command, EmbeddedRead,
    MetadataFlags, Operation, PROTOCOL_GEN2, PowerQuery, StreamRequest, opcode,
};
use crate::session::{AntennaState, ReaderSettings, Report, TidReading};

/// North America. A module forgets its region, and without one its radio stays off.
const REGION_DEFAULT: u8 = 0x01;

/// How often a change of rate may come to nothing before the reader is left at the rate it has.
const BAUD_FAILURES_MAX: u8 = 2;

/// What each record shall carry: everything a [`crate::TagRead`] holds.
const METADATA: MetadataFlags = MetadataFlags::READ_COUNT
    .with(MetadataFlags::RSSI)
    .with(MetadataFlags::ANTENNA)
    .with(MetadataFlags::FREQUENCY)
    .with(MetadataFlags::TIMESTAMP)
    .with(MetadataFlags::PHASE)
    .with(MetadataFlags::PROTOCOL);

/// What a reader shall be set to, in the module's terms, and what it has turned out not to do.
#[derive(Debug)]
pub(super) struct Setup {
    antennas: Vec<u8>,
    antenna_pairs: Vec<u8>,
    read_power_cdbm: u16,
    region: u8,
    tid: TidReading,
    pub(super) dialect: Dialect,
    baud_wanted: Option<u32>,
    baud_failures: u8,
    /// The rate at which the reader answered before it was told to change it.
    baud_before: Option<u32>,
    /// The step that made us boot the application, since the set-up began.
    booted_for: Option<Step>,
}

impl Setup {
    pub(super) fn new(settings: &ReaderSettings) -> Self {
        Self {
            antennas: settings.antennas.clone(),
            antenna_pairs: settings.antennas.iter().flat_map(|&port| [port, port]).collect(),
            read_power_cdbm: settings.read_power_cdbm,
            region: settings.region.unwrap_or(REGION_DEFAULT),
            tid: settings.tid,
            dialect: Dialect::default(),
            baud_wanted: settings.baud_wanted,
            baud_failures: 0,
            baud_before: None,
            booted_for: None,
        }
    }

    /// The set-up begins anew.
    pub(super) fn begin(&mut self) {
        self.booted_for = None;
    }

    /// A step is unknown to whatever runs. Says whether booting may help: once.
    pub(super) fn boot_for(&mut self, step: Step) -> bool {
        self.booted_for.replace(step) != Some(step)
    }

    pub(super) fn frame(&self, step: Step) -> FrameBuf {
        match step {
            Step::AskProgram => Command::CurrentProgram.emit(),
            Step::Boot => Command::BootFirmware.emit(),
            Step::Baud => Command::SetBaud { baud: self.baud_wanted.unwrap_or_default() }.emit(),
            Step::BaudCheck => Command::Version.emit(),
            Step::Region => Command::SetRegion { region: self.region }.emit(),
            Step::AntennaCheck => Operation::Antennas(AntennaQuery::Detect).emit(),
            Step::Antennas => Command::SetAntennas { pairs: &self.antenna_pairs }.emit(),
            Step::ReadPower => Command::SetReadPower { power_cdbm: self.read_power_cdbm }.emit(),
            Step::PowerLimits => Operation::ReadPower(PowerQuery::WithLimits).emit(),
            Step::ReadPowerLimited => {
                Command::SetReadPower { power_cdbm: self.read_power_cdbm }.emit()
            }
            Step::Protocol => Command::SetProtocol { protocol: PROTOCOL_GEN2 }.emit(),
            Step::ReadFilterOff => {
                Command::SetReaderConfig { key: CONFIG_READ_FILTER, value: 0 }.emit()
            }
            Step::RssiInDbm => {
                Command::SetReaderConfig { key: CONFIG_RSSI_IN_DBM, value: 1 }.emit()
            }
            Step::Start => self.dialect.start(self.stream()),
        }
    }

    fn stream(&self) -> StreamRequest {
        let stream = StreamRequest::without_pause(METADATA);
        match self.tid {
            TidReading::Off => stream,
            TidReading::On => stream.with_embedded(EmbeddedRead::TID),
        }
    }

    /// What comes after a step that is done, or that can be left out; `baud` is the rate now.
    pub(super) fn next(&self, done: Step, baud: u32) -> Option<Step> {
        match done {
            Step::AskProgram | Step::Boot => Some(match self.baud_to_set(baud) {
                Some(_) => Step::Baud,
                None => Step::Region,
            }),
            Step::Baud => Some(Step::BaudCheck),
            Step::BaudCheck => Some(Step::Region),
            Step::Region => Some(Step::AntennaCheck),
            Step::AntennaCheck => Some(Step::Antennas),
            Step::Antennas => Some(Step::ReadPower),
            Step::PowerLimits => Some(Step::ReadPowerLimited),
            Step::ReadPower | Step::ReadPowerLimited => Some(Step::Protocol),
            Step::Protocol => Some(Step::ReadFilterOff),
            Step::ReadFilterOff => Some(Step::RssiInDbm),
            Step::RssiInDbm => Some(Step::Start),
            Step::Start => None,
        }
    }

    /// The rate that the line shall be brought to, unless it has it or would not take it.
    fn baud_to_set(&self, baud: u32) -> Option<u32> {
        self.baud_wanted.filter(|wanted| *wanted != baud && self.baud_failures < BAUD_FAILURES_MAX)
    }

    /// The reader is about to change its rate. Returns the new one.
    pub(super) fn leave_baud(&mut self, before: u32) -> u32 {
        self.baud_before = Some(before);
        self.baud_wanted.unwrap_or(before)
    }

    /// It answers at the new rate.
    pub(super) fn baud_changed(&mut self) {
        self.baud_failures = 0;
        self.baud_before = None;
    }

    /// It refused, or was not heard again. Returns the rate before, if it had already gone.
    pub(super) fn baud_failed(&mut self) -> Option<u32> {
        self.baud_failures = self.baud_failures.saturating_add(1);
        self.baud_before.take()
    }

    /// Another reader may be on the line: what the last one would not do is tried again.
    pub(super) fn forget_reader(&mut self, settings: &ReaderSettings) {
        *self = Self::new(settings);
    }

    /// The reader does not read the TID. Says whether it was asked to.
    pub(super) fn give_up_tid(&mut self) -> bool {
        std::mem::take(&mut self.tid) == TidReading::On
    }

    /// The reader does not know how to read continuously. Says whether there is another way.
    pub(super) fn change_dialect(&mut self) -> bool {
        let (next, untried) = match self.dialect {
            Dialect::Mercury => (Dialect::Silion, true),
            Dialect::Silion => (Dialect::Mercury, false),
        };
        self.dialect = next;
        untried
    }

    /// Rounds the power down to what the reader can set. Says whether that is possible.
    pub(super) fn limit_power(&mut self, answer: &Answer<'_>) -> bool {
        match answer {
            Answer::Power { limits: Some(limits), .. } => {
                self.read_power_cdbm = self.read_power_cdbm.min(limits.max_cdbm);
                self.read_power_cdbm >= limits.min_cdbm
            }
            _ => false,
        }
    }

    /// What the reader found on the configured ports; one that it does not know has no antenna.
    pub(super) fn antennas_found(&self, pairs: &[u8]) -> impl Iterator<Item = Report> {
        let (pairs, _) = pairs.as_chunks::<2>();
        self.antennas.iter().map(|&port| {
            let found = pairs.iter().any(|&[of, detected]| of == port && detected != 0);
            let state = if found { AntennaState::Connected } else { AntennaState::Missing };
            Report::Antenna { port, state }
        })
    }
}

/// One command of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    AskProgram,
    /// Only where the boot loader runs.
    Boot,
    /// Only where the line shall have another rate.
    Baud,
    /// Whether it is there at the new rate.
    BaudCheck,
    Region,
    /// Only to report it: a reader reads with the antennas it has.
    AntennaCheck,
    Antennas,
    ReadPower,
    /// Only where that was too much.
    PowerLimits,
    ReadPowerLimited,
    Protocol,
    /// The filter is on after power-up and would report each tag once, which hides the curve of
    /// its signal (python-mercuryapi issue 149).
    ReadFilterOff,
    RssiInDbm,
    Start,
}

/// What becomes of a set-up without the answer to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It goes on.
    Optional,
    /// It begins anew after a while.
    Mandatory,
}

impl Step {
    pub(super) fn need(self) -> Need {
        match self {
            Self::Baud
            | Self::AntennaCheck
            // Firmware without this key has no such behaviour to turn off.
            | Self::ReadFilterOff
            | Self::RssiInDbm => Need::Optional,
            Self::AskProgram
            | Self::Boot
            | Self::BaudCheck
            | Self::Region
            | Self::Antennas
            | Self::ReadPower
            | Self::PowerLimits
            | Self::ReadPowerLimited
            | Self::Protocol
            | Self::Start => Need::Mandatory,
        }
    }

    pub(super) fn opcode(self) -> u8 {
        match self {
            Self::AskProgram => opcode::CURRENT_PROGRAM,
            Self::Boot => opcode::BOOT_FIRMWARE,
            Self::Baud => opcode::SET_BAUD,
            Self::BaudCheck => opcode::VERSION,
            Self::Region => opcode::SET_REGION,
            Self::AntennaCheck => opcode::ANTENNAS,
            Self::Antennas => opcode::SET_ANTENNAS,
            Self::ReadPower | Self::ReadPowerLimited => opcode::SET_READ_POWER,
            Self::PowerLimits => opcode::READ_POWER,
            Self::Protocol => opcode::SET_PROTOCOL,
            Self::ReadFilterOff | Self::RssiInDbm => opcode::SET_READER_CONFIG,
            Self::Start => opcode::STREAM,
        }
    }
}
