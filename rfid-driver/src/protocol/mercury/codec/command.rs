//! What a host asks of a reader in order to read continuously. The rest of what a module can be
//! asked is [`Command::Other`], of which [`super::Operation`] understands most.

use super::frame::{Builder, Frame};
use super::search::StreamRequest;
use super::{MeaningError, opcode};
use crate::codec::{Direction, FrameBuf, Opaque};

const STREAM_START: u8 = 0x01;
const STREAM_STOP: u8 = 0x02;
const ANTENNAS_SEARCH_LIST: u8 = 0x02;
const CONFIG_SET: u8 = 0x01;

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
    /// Anything else: [`super::Operation::parse`] may understand it.
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
            (opcode, data) => match start_of_stream(opcode, data) {
                Some(request) => Self::StartStream(request),
                None => Self::Other { opcode, data: Opaque(data) },
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
            Self::StartStream(request) => {
                request.emit(opcode.put(&[0, 0, STREAM_START, opcode::READ_MULTIPLE, 0, 0]).put(&[
                    request.protocol,
                    request.len(),
                    opcode::READ_MULTIPLE,
                ]))
            }
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

/// Understands the form that is built here and by the vendor's client: one protocol, no filter.
fn start_of_stream(opcode: u8, data: &[u8]) -> Option<StreamRequest> {
    match (opcode, data) {
        (
            opcode::STREAM,
            [
                0,
                0,
                STREAM_START,
                opcode::READ_MULTIPLE,
                0,
                0,
                protocol,
                len,
                opcode::READ_MULTIPLE,
                read @ ..,
            ],
        ) if usize::from(*len) == read.len() => StreamRequest::parse(*protocol, read),
        _ => None,
    }
}
