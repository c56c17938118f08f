//! How a Mercury reader is set up, and in which order.

use crate::protocol::mercury::codec::{
    CONFIG_READ_FILTER, CONFIG_RSSI_IN_DBM, Command, MetadataFlags, PROTOCOL_GEN2, StreamRequest,
    opcode,
};
use crate::session::ReaderSettings;

/// North America. A module forgets its region, and without one its radio stays off.
const REGION_DEFAULT: u8 = 0x01;

/// What each record shall carry: everything a [`crate::TagRead`] holds.
const METADATA: MetadataFlags = MetadataFlags::READ_COUNT
    .with(MetadataFlags::RSSI)
    .with(MetadataFlags::ANTENNA)
    .with(MetadataFlags::FREQUENCY)
    .with(MetadataFlags::TIMESTAMP)
    .with(MetadataFlags::PHASE)
    .with(MetadataFlags::PROTOCOL);

/// What a reader shall be set to, in the module's terms.
#[derive(Debug)]
pub(super) struct Setup {
    antenna_pairs: Vec<u8>,
    read_power_cdbm: u16,
    region: u8,
}

impl Setup {
    pub(super) fn new(settings: &ReaderSettings) -> Self {
        Self {
            antenna_pairs: settings.antennas.iter().flat_map(|&port| [port, port]).collect(),
            read_power_cdbm: settings.read_power_cdbm,
            region: settings.region.unwrap_or(REGION_DEFAULT),
        }
    }

    pub(super) fn command(&self, step: Step) -> Command<'_> {
        match step {
            Step::AskProgram => Command::CurrentProgram,
            Step::Boot => Command::BootFirmware,
            Step::Region => Command::SetRegion { region: self.region },
            Step::Antennas => Command::SetAntennas { pairs: &self.antenna_pairs },
            Step::ReadPower => Command::SetReadPower { power_cdbm: self.read_power_cdbm },
            Step::Protocol => Command::SetProtocol { protocol: PROTOCOL_GEN2 },
            Step::ReadFilterOff => Command::SetReaderConfig { key: CONFIG_READ_FILTER, value: 0 },
            Step::RssiInDbm => Command::SetReaderConfig { key: CONFIG_RSSI_IN_DBM, value: 1 },
            Step::Start => Command::StartStream(StreamRequest::without_pause(METADATA)),
        }
    }
}

/// One command of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    AskProgram,
    /// Only where the boot loader runs.
    Boot,
    Region,
    Antennas,
    ReadPower,
    Protocol,
    /// The filter is on after power-up and would report each tag once, which hides the curve of
    /// its signal (python-mercuryapi issue 149).
    ReadFilterOff,
    RssiInDbm,
    Start,
}

impl Step {
    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self::AskProgram | Self::Boot => Some(Self::Region),
            Self::Region => Some(Self::Antennas),
            Self::Antennas => Some(Self::ReadPower),
            Self::ReadPower => Some(Self::Protocol),
            Self::Protocol => Some(Self::ReadFilterOff),
            Self::ReadFilterOff => Some(Self::RssiInDbm),
            Self::RssiInDbm => Some(Self::Start),
            Self::Start => None,
        }
    }

    pub(super) fn opcode(self) -> u8 {
        match self {
            Self::AskProgram => opcode::CURRENT_PROGRAM,
            Self::Boot => opcode::BOOT_FIRMWARE,
            Self::Region => opcode::SET_REGION,
            Self::Antennas => opcode::SET_ANTENNAS,
            Self::ReadPower => opcode::SET_READ_POWER,
            Self::Protocol => opcode::SET_PROTOCOL,
            Self::ReadFilterOff | Self::RssiInDbm => opcode::SET_READER_CONFIG,
            Self::Start => opcode::STREAM,
        }
    }
}
