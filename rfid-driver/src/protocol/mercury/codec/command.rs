//! What a host asks of a reader.

use super::frame::{Builder, Frame};
use super::record::{MULTISELECT, MetadataFlags, SEARCH_STREAMING};
use super::{MeaningError, opcode};
use crate::codec::{Direction, FrameBuf, Opaque};

const SEARCH_CONFIGURED_ANTENNAS: u16 = 0x0003;
const SEARCH_LARGE_POPULATION: u16 = 0x0010;
const SEARCH_DUTY_CYCLE: u16 = 0x0400;
const OPTION_METADATA: u8 = 0x10;
const STREAM_START: u8 = 0x01;
const STREAM_STOP: u8 = 0x02;
const ANTENNAS_SEARCH_LIST: u8 = 0x02;
const CONFIG_SET: u8 = 0x01;

/// What a continuous read shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRequest {
    /// Whether the command has the longer form of the 1.37 firmware.
    pub multiselect: bool,
    /// The tag protocol.
    pub protocol: u8,
    /// The select option; 10 hex asks for metadata and selects nothing.
    pub option: u8,
    /// How to search.
    pub search_flags: u16,
    /// How long the radio is on in each cycle.
    pub on_time_ms: u16,
    /// How long it then is off; `None` for never.
    pub off_time_ms: Option<u16>,
    /// What each record shall carry.
    pub metadata: MetadataFlags,
}

impl StreamRequest {
    /// Reads Gen2 tags on the configured antennas without a pause, reporting `metadata`.
    #[must_use]
    pub fn without_pause(metadata: MetadataFlags) -> Self {
        Self {
            multiselect: false,
            protocol: 0x05,
            option: OPTION_METADATA,
            search_flags: SEARCH_CONFIGURED_ANTENNAS | SEARCH_STREAMING | SEARCH_LARGE_POPULATION,
            on_time_ms: 250,
            off_time_ms: None,
            metadata,
        }
    }

    /// Understands the form that is built here and by the vendor's client; `None` for others
    /// (select filters, embedded operations, statistics).
    fn parse(data: &[u8]) -> Option<Self> {
        let [0, 0, STREAM_START, opcode::READ_MULTIPLE, 0, 0, protocol, len, rest @ ..] = data
        else {
            return None;
        };
        let [opcode::READ_MULTIPLE, read @ ..] = rest else { return None };
        if usize::from(*len) != read.len() {
            return None;
        }
        let (multiselect, read) = match read {
            [MULTISELECT, read @ ..] => (true, read),
            _ => (false, read),
        };
        let [OPTION_METADATA, flags_high, flags_low, on_high, on_low, rest @ ..] = read else {
            return None;
        };
        let search_flags = u16::from_be_bytes([*flags_high, *flags_low]);
        let paused = search_flags & SEARCH_DUTY_CYCLE != 0;
        let (off_time_ms, metadata) = match (paused, rest) {
            (false, [high, low]) => (None, [*high, *low]),
            (true, [off_high, off_low, high, low]) => {
                (Some(u16::from_be_bytes([*off_high, *off_low])), [*high, *low])
            }
            (true | false, _) => return None,
        };
        Some(Self {
            multiselect,
            protocol: *protocol,
            option: OPTION_METADATA,
            search_flags,
            on_time_ms: u16::from_be_bytes([*on_high, *on_low]),
            off_time_ms,
            metadata: MetadataFlags(u16::from_be_bytes(metadata)),
        })
    }

    fn emit(&self) -> Builder {
        let len = 7 + u8::from(self.multiselect) + 2 * u8::from(self.off_time_ms.is_some());
        let mut frame = Builder::command(opcode::STREAM)
            .put(&[0, 0, STREAM_START, opcode::READ_MULTIPLE, 0, 0, self.protocol, len])
            .put(&[opcode::READ_MULTIPLE]);
        if self.multiselect {
            frame = frame.put(&[MULTISELECT]);
        }
        frame = frame
            .put(&[self.option])
            .put(&self.search_flags.to_be_bytes())
            .put(&self.on_time_ms.to_be_bytes());
        if let Some(off_time_ms) = self.off_time_ms {
            frame = frame.put(&off_time_ms.to_be_bytes());
        }
        frame.put(&self.metadata.0.to_be_bytes())
    }
}

/// A host's frame, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Which firmware is this?
    Version,
    /// Start the application.
    BootFirmware,
    /// Which program runs?
    CurrentProgram,
    /// Change the line's rate, after the answer.
    SetBaud {
        /// Bits per second.
        baud: u32,
    },
    /// Use a radio region.
    SetRegion {
        /// The vendor's number: 01 North America, 02 Europe, 08 Europe 3, …
        region: u8,
    },
    /// Use these antennas, in this order.
    SetAntennas {
        /// Pairs of transmitting and receiving port.
        pairs: &'a [u8],
    },
    /// Use this much power for reading.
    SetReadPower {
        /// Hundredths of a dBm.
        power_cdbm: u16,
    },
    /// Read this kind of tag.
    SetProtocol {
        /// The vendor's number.
        protocol: u16,
    },
    /// Set a configuration key.
    SetReaderConfig {
        /// Which.
        key: u8,
        /// To what.
        value: u8,
    },
    /// What is a configuration key set to?
    ReaderConfig {
        /// Which.
        key: u8,
    },
    /// Begin a continuous read.
    StartStream(StreamRequest),
    /// End it.
    StopStream,
    /// Anything else.
    Other {
        /// The operation.
        opcode: u8,
        /// Its arguments.
        data: Opaque<'a>,
    },
}

impl<'a> Command<'a> {
    /// Understands a host's frame; what has no meaning here becomes [`Command::Other`].
    ///
    /// # Errors
    /// Refuses frames of a reader.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        if frame.direction() != Direction::FromHost {
            return Err(MeaningError::Direction);
        }
        let data = frame.data();
        Ok(match (frame.opcode(), data) {
            (opcode::VERSION, []) => Self::Version,
            (opcode::BOOT_FIRMWARE, []) => Self::BootFirmware,
            (opcode::CURRENT_PROGRAM, []) => Self::CurrentProgram,
            (opcode::SET_BAUD, &[a, b, c, d]) => {
                Self::SetBaud { baud: u32::from_be_bytes([a, b, c, d]) }
            }
            (opcode::SET_REGION, &[region]) => Self::SetRegion { region },
            (opcode::SET_ANTENNAS, [ANTENNAS_SEARCH_LIST, pairs @ ..])
                if !pairs.is_empty() && pairs.len().is_multiple_of(2) =>
            {
                Self::SetAntennas { pairs }
            }
            (opcode::SET_READ_POWER, &[high, low]) => {
                Self::SetReadPower { power_cdbm: u16::from_be_bytes([high, low]) }
            }
            (opcode::SET_PROTOCOL, &[high, low]) => {
                Self::SetProtocol { protocol: u16::from_be_bytes([high, low]) }
            }
            (opcode::SET_READER_CONFIG, &[CONFIG_SET, key, value]) => {
                Self::SetReaderConfig { key, value }
            }
            (opcode::READER_CONFIG, &[CONFIG_SET, key]) => Self::ReaderConfig { key },
            (opcode::STREAM, [0, 0, STREAM_STOP]) => Self::StopStream,
            (opcode, data) => match (opcode, StreamRequest::parse(data)) {
                (opcode::STREAM, Some(request)) => Self::StartStream(request),
                (opcode, _) => Self::Other { opcode, data: Opaque(data) },
            },
        })
    }

    /// Builds the frame.
    ///
    /// # Panics
    /// If the arguments exceed what one frame can hold.
    #[must_use]
    pub fn emit(&self) -> FrameBuf {
        let opcode = Builder::command(self.opcode());
        match self {
            Self::Version | Self::BootFirmware | Self::CurrentProgram => opcode,
            Self::SetBaud { baud } => opcode.put(&baud.to_be_bytes()),
            Self::SetRegion { region } => opcode.put(&[*region]),
            Self::SetAntennas { pairs } => opcode.put(&[ANTENNAS_SEARCH_LIST]).put(pairs),
            Self::SetReadPower { power_cdbm } => opcode.put(&power_cdbm.to_be_bytes()),
            Self::SetProtocol { protocol } => opcode.put(&protocol.to_be_bytes()),
            Self::SetReaderConfig { key, value } => opcode.put(&[CONFIG_SET, *key, *value]),
            Self::ReaderConfig { key } => opcode.put(&[CONFIG_SET, *key]),
            Self::StartStream(request) => request.emit(),
            Self::StopStream => opcode.put(&[0, 0, STREAM_STOP]),
            Self::Other { data, .. } => opcode.put(data.0),
        }
        .finish()
    }

    /// The operation it asks for.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match self {
            Self::Version => opcode::VERSION,
            Self::BootFirmware => opcode::BOOT_FIRMWARE,
            Self::CurrentProgram => opcode::CURRENT_PROGRAM,
            Self::SetBaud { .. } => opcode::SET_BAUD,
            Self::SetRegion { .. } => opcode::SET_REGION,
            Self::SetAntennas { .. } => opcode::SET_ANTENNAS,
            Self::SetReadPower { .. } => opcode::SET_READ_POWER,
            Self::SetProtocol { .. } => opcode::SET_PROTOCOL,
            Self::SetReaderConfig { .. } => opcode::SET_READER_CONFIG,
            Self::ReaderConfig { .. } => opcode::READER_CONFIG,
            Self::StartStream(_) | Self::StopStream => opcode::STREAM,
            Self::Other { opcode, .. } => *opcode,
        }
    }
}
