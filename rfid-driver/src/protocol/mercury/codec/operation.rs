//! What else a module can be asked, beside what a continuous read needs.
//!
//! Sources: `serial_reader_l3.c` of `MercuryAPI` C 1.35.1.43 and 1.37.4.8, and frames captured from it;
//! AA from Silion's "Communication Protocol".

use super::frame::Builder;
use super::opcode;
use super::record::MetadataFlags;
use super::search::{OPTION_METADATA, StreamRequest};
use crate::codec::{FrameBuf, Opaque};

pub(super) const ANTENNAS_DETECT: u8 = 0x05;
pub(super) const WITH_LIMITS: u8 = 0x01;
pub(super) const WITHOUT_LIMITS: u8 = 0x00;
pub(super) const PINS_WITH_DIRECTION: u8 = 0x01;
pub(super) const HOP_TIME: u8 = 0x01;
pub(super) const MODULETECH: &[u8; 10] = b"Moduletech";
pub(super) const MODULETECH_END: u8 = 0xBB;
/// The tag protocol of a timed read, which does not say.
const GEN2: u8 = 0x05;
/// The option of a single read that carries nothing but the EPC.
const OPTION_NONE: u8 = 0x00;

/// A host's frame that is [`super::Command::Other`], understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Leave the application for the boot loader.
    BootLoader,
    /// Which hardware is this?
    HardwareVersion {
        /// What about it: 00 for all.
        option: u8,
        /// Which fields: 00 for the version, 40 for the serial number.
        flags: u8,
    },
    /// Read one tag.
    ReadSingle {
        /// How long to look for it.
        timeout_ms: u16,
        /// What the answer shall carry; `None` for the EPC alone.
        metadata: Option<MetadataFlags>,
    },
    /// Read tags for a time and keep them in the buffer.
    ReadMultiple(StreamRequest),
    /// How many tags are in the buffer?
    TagBufferCount,
    /// Which ones? As many as one frame holds; the same command asks for the next.
    TagBuffer {
        /// What each record shall carry.
        metadata: MetadataFlags,
        /// 00 to go on, 01 to begin again.
        option: u8,
    },
    /// Empty the buffer.
    ClearTagBuffer,
    /// What is known about the antennas?
    Antennas(AntennaQuery),
    /// Use this antenna for operations on one tag.
    SetAntenna {
        /// The port that transmits.
        transmit: u8,
        /// The port that receives.
        receive: u8,
    },
    /// How much power is used for reading?
    ReadPower(PowerQuery),
    /// How much power is used for writing?
    WritePower(PowerQuery),
    /// Use this much power for writing.
    SetWritePower {
        /// Hundredths of a dBm.
        power_cdbm: u16,
    },
    /// Which tag protocol is used?
    Protocol,
    /// Which channels are used, in which order?
    HopTable,
    /// How long does it stay on one?
    HopTime,
    /// How do the pins stand?
    Pins,
    /// Put an output pin to a level.
    SetOutput {
        /// The pin.
        pin: u8,
        /// The level: 01 for high, 00 for low.
        level: u8,
    },
    /// Which region is set?
    Region,
    /// How much does it save power?
    PowerMode,
    /// Save this much.
    SetPowerMode {
        /// 00 full power, to 04 sleep.
        mode: u8,
    },
    /// What is a parameter of a tag protocol set to?
    ProtocolParameter {
        /// The protocol.
        protocol: u8,
        /// The parameter: 00 session, 01 target, 02 encoding, 10 link frequency, 11 Tari, 12 Q.
        key: u8,
    },
    /// Set it.
    SetProtocolParameter {
        /// The protocol.
        protocol: u8,
        /// The parameter.
        key: u8,
        /// The value: its length depends on the parameter.
        value: Opaque<'a>,
    },
    /// What does it count?
    Statistics(StatisticsRequest),
    /// Which tag protocols does it know?
    AvailableProtocols,
    /// Which regions does it know?
    AvailableRegions,
    /// How warm is it?
    Temperature,
    /// Silion's own.
    Moduletech(Moduletech<'a>),
}

/// What is asked about the antennas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AntennaQuery {
    /// The one for operations on one tag.
    Pair,
    /// That, and how many ports there are.
    Ports,
    /// The list that a read of many tags goes through.
    SearchList,
    /// The power of each port.
    Powers,
    /// The power and the settling time of each port.
    PowersAndSettling,
    /// On which ports there is an antenna.
    Detect,
    /// The return loss of each port.
    ReturnLoss,
    /// How long each port is used.
    OnTimes,
}

impl AntennaQuery {
    const ALL: [Self; 8] = [
        Self::Pair,
        Self::Ports,
        Self::SearchList,
        Self::Powers,
        Self::PowersAndSettling,
        Self::Detect,
        Self::ReturnLoss,
        Self::OnTimes,
    ];

    fn option(self) -> u8 {
        match self {
            Self::Pair => 0x00,
            Self::Ports => 0x01,
            Self::SearchList => 0x02,
            Self::Powers => 0x03,
            Self::PowersAndSettling => 0x04,
            Self::Detect => ANTENNAS_DETECT,
            Self::ReturnLoss => 0x06,
            Self::OnTimes => 0x07,
        }
    }
}

/// How much is asked about a power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerQuery {
    /// What it is set to.
    Current,
    /// And within which limits it can be set.
    WithLimits,
}

impl PowerQuery {
    fn parse(option: u8) -> Option<Self> {
        match option {
            WITHOUT_LIMITS => Some(Self::Current),
            WITH_LIMITS => Some(Self::WithLimits),
            _ => None,
        }
    }

    fn option(self) -> u8 {
        match self {
            Self::Current => WITHOUT_LIMITS,
            Self::WithLimits => WITH_LIMITS,
        }
    }
}

/// What is asked of the statistics. The flags go over the line in bytes of seven bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatisticsRequest {
    /// 00 to get, 01 to begin anew, 02 to get by port.
    pub option: u8,
    /// Which; at most 14 bits.
    pub flags: u16,
}

impl StatisticsRequest {
    /// All that a UHF module counts, by port.
    pub const ALL_BY_PORT: Self = Self { option: 0x02, flags: 0x0FC1 };

    /// # Panics
    /// If the flags have more than 14 bits.
    fn emit(self, frame: Builder) -> Builder {
        let low = u8::try_from(self.flags & 0x7F).expect("seven bits fit a byte");
        let high = u8::try_from(self.flags >> 7).ok().filter(|high| *high < 0x80);
        match high.expect("the flags have at most 14 bits") {
            0 => frame.put(&[self.option, low]),
            high => frame.put(&[self.option, 0x80 | high, low]),
        }
    }

    fn parse(data: &[u8]) -> Option<Self> {
        match *data {
            [option, low @ ..0x80] => Some(Self { option, flags: u16::from(low) }),
            [option, high, low @ ..0x80] if high > 0x80 => {
                Some(Self { option, flags: u16::from(high & 0x7F) << 7 | u16::from(low) })
            }
            _ => None,
        }
    }
}

/// What a Silion module is told, or acknowledges, beyond the vendor's commands: a name, a subcommand,
/// an 8-bit sum and an end mark inside operation AA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moduletech<'a> {
    /// AA48 starts a continuous read, AA49 stops it, AA58 and AA59 the one for many tags.
    pub subcommand: u16,
    /// Its arguments.
    pub data: Opaque<'a>,
}

impl<'a> Moduletech<'a> {
    /// Reads the data of a frame; `None` where it is not of this form or the sum is wrong.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let rest = data.strip_prefix(MODULETECH)?;
        let [covered @ .., sum, MODULETECH_END] = rest else { return None };
        let [high, low, data @ ..] = covered else { return None };
        let subcommand = u16::from_be_bytes([*high, *low]);
        (sum_of(covered) == *sum).then_some(Self { subcommand, data: Opaque(data) })
    }

    pub(super) fn emit(&self, frame: Builder) -> Builder {
        let subcommand = self.subcommand.to_be_bytes();
        let sum = sum_of(&subcommand).wrapping_add(sum_of(self.data.0));
        frame.put(MODULETECH).put(&subcommand).put(self.data.0).put(&[sum, MODULETECH_END])
    }
}

fn sum_of(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

impl<'a> Operation<'a> {
    /// Understands what a [`super::Command::Other`] holds; `None` where it is of no form known here.
    #[must_use]
    pub fn parse(opcode: u8, data: &'a [u8]) -> Option<Self> {
        Some(match (opcode, data) {
            (opcode::BOOT_LOADER, []) => Self::BootLoader,
            (opcode::HARDWARE_VERSION, &[option, flags]) => Self::HardwareVersion { option, flags },
            (opcode::READ_SINGLE, &[a, b, OPTION_NONE]) => {
                Self::ReadSingle { timeout_ms: u16::from_be_bytes([a, b]), metadata: None }
            }
            (opcode::READ_SINGLE, &[a, b, OPTION_METADATA, high, low]) => Self::ReadSingle {
                timeout_ms: u16::from_be_bytes([a, b]),
                metadata: Some(MetadataFlags(u16::from_be_bytes([high, low]))),
            },
            (opcode::READ_MULTIPLE, data) => Self::ReadMultiple(StreamRequest::parse(GEN2, data)?),
            (opcode::TAG_BUFFER, []) => Self::TagBufferCount,
            (opcode::TAG_BUFFER, &[high, low, option]) => {
                Self::TagBuffer { metadata: MetadataFlags(u16::from_be_bytes([high, low])), option }
            }
            (opcode::CLEAR_TAG_BUFFER, []) => Self::ClearTagBuffer,
            (opcode::MODULETECH, data) => Self::Moduletech(Moduletech::parse(data)?),
            (opcode, data) => return Self::parse_setting(opcode, data),
        })
    }

    /// Understands what asks for a setting or sets it.
    fn parse_setting(opcode: u8, data: &'a [u8]) -> Option<Self> {
        Some(match (opcode, data) {
            (opcode::ANTENNAS, &[option]) => Self::Antennas(
                AntennaQuery::ALL.into_iter().find(|query| query.option() == option)?,
            ),
            // With the top bit it is the option of another form.
            (opcode::SET_ANTENNAS, &[transmit @ ..0x80, receive]) => {
                Self::SetAntenna { transmit, receive }
            }
            (opcode::READ_POWER, &[option]) => Self::ReadPower(PowerQuery::parse(option)?),
            (opcode::WRITE_POWER, &[option]) => Self::WritePower(PowerQuery::parse(option)?),
            (opcode::SET_WRITE_POWER, &[high, low]) => {
                Self::SetWritePower { power_cdbm: u16::from_be_bytes([high, low]) }
            }
            (opcode::PROTOCOL, []) => Self::Protocol,
            (opcode::HOP_TABLE, []) => Self::HopTable,
            (opcode::HOP_TABLE, [HOP_TIME]) => Self::HopTime,
            (opcode::INPUTS, [PINS_WITH_DIRECTION]) => Self::Pins,
            (opcode::SET_OUTPUT, &[pin, level]) => Self::SetOutput { pin, level },
            (opcode::REGION, []) => Self::Region,
            (opcode::POWER_MODE, []) => Self::PowerMode,
            (opcode::SET_POWER_MODE, &[mode]) => Self::SetPowerMode { mode },
            (opcode::PROTOCOL_PARAMETER, &[protocol, key]) => {
                Self::ProtocolParameter { protocol, key }
            }
            (opcode::SET_PROTOCOL_PARAMETER, [protocol, key, value @ ..]) => {
                Self::SetProtocolParameter { protocol: *protocol, key: *key, value: Opaque(value) }
            }
            (opcode::STATISTICS, data) => Self::Statistics(StatisticsRequest::parse(data)?),
            (opcode::AVAILABLE_PROTOCOLS, []) => Self::AvailableProtocols,
            (opcode::AVAILABLE_REGIONS, []) => Self::AvailableRegions,
            (opcode::TEMPERATURE, []) => Self::Temperature,
            _ => return None,
        })
    }

    /// Builds the frame.
    ///
    /// # Panics
    /// If the arguments exceed what one frame can hold, or the flags of statistics 14 bits.
    #[must_use]
    pub fn emit(&self) -> FrameBuf {
        let opcode = Builder::command(self.opcode());
        match self {
            Self::BootLoader
            | Self::TagBufferCount
            | Self::ClearTagBuffer
            | Self::Protocol
            | Self::HopTable
            | Self::Region
            | Self::PowerMode
            | Self::AvailableProtocols
            | Self::AvailableRegions
            | Self::Temperature => opcode,
            Self::HardwareVersion { option, flags } => opcode.put(&[*option, *flags]),
            Self::ReadSingle { timeout_ms, metadata: None } => {
                opcode.put(&timeout_ms.to_be_bytes()).put(&[OPTION_NONE])
            }
            Self::ReadSingle { timeout_ms, metadata: Some(flags) } => opcode
                .put(&timeout_ms.to_be_bytes())
                .put(&[OPTION_METADATA])
                .put(&flags.0.to_be_bytes()),
            Self::ReadMultiple(request) => request.emit(opcode),
            Self::TagBuffer { metadata, option } => {
                opcode.put(&metadata.0.to_be_bytes()).put(&[*option])
            }
            Self::Antennas(query) => opcode.put(&[query.option()]),
            Self::SetAntenna { transmit, receive } => opcode.put(&[*transmit, *receive]),
            Self::ReadPower(query) | Self::WritePower(query) => opcode.put(&[query.option()]),
            Self::SetWritePower { power_cdbm } => opcode.put(&power_cdbm.to_be_bytes()),
            Self::HopTime => opcode.put(&[HOP_TIME]),
            Self::Pins => opcode.put(&[PINS_WITH_DIRECTION]),
            Self::SetOutput { pin, level } => opcode.put(&[*pin, *level]),
            Self::SetPowerMode { mode } => opcode.put(&[*mode]),
            Self::ProtocolParameter { protocol, key } => opcode.put(&[*protocol, *key]),
            Self::SetProtocolParameter { protocol, key, value } => {
                opcode.put(&[*protocol, *key]).put(value.0)
            }
            Self::Statistics(request) => request.emit(opcode),
            Self::Moduletech(extension) => extension.emit(opcode),
        }
        .finish()
    }

    /// The operation it asks for.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match self {
            Self::BootLoader => opcode::BOOT_LOADER,
            Self::HardwareVersion { .. } => opcode::HARDWARE_VERSION,
            Self::ReadSingle { .. } => opcode::READ_SINGLE,
            Self::ReadMultiple(_) => opcode::READ_MULTIPLE,
            Self::TagBufferCount | Self::TagBuffer { .. } => opcode::TAG_BUFFER,
            Self::ClearTagBuffer => opcode::CLEAR_TAG_BUFFER,
            Self::Antennas(_) => opcode::ANTENNAS,
            Self::SetAntenna { .. } => opcode::SET_ANTENNAS,
            Self::ReadPower(_) => opcode::READ_POWER,
            Self::WritePower(_) => opcode::WRITE_POWER,
            Self::SetWritePower { .. } => opcode::SET_WRITE_POWER,
            Self::Protocol => opcode::PROTOCOL,
            Self::HopTable | Self::HopTime => opcode::HOP_TABLE,
            Self::Pins => opcode::INPUTS,
            Self::SetOutput { .. } => opcode::SET_OUTPUT,
            Self::Region => opcode::REGION,
            Self::PowerMode => opcode::POWER_MODE,
            Self::SetPowerMode { .. } => opcode::SET_POWER_MODE,
            Self::ProtocolParameter { .. } => opcode::PROTOCOL_PARAMETER,
            Self::SetProtocolParameter { .. } => opcode::SET_PROTOCOL_PARAMETER,
            Self::Statistics(_) => opcode::STATISTICS,
            Self::AvailableProtocols => opcode::AVAILABLE_PROTOCOLS,
            Self::AvailableRegions => opcode::AVAILABLE_REGIONS,
            Self::Temperature => opcode::TEMPERATURE,
            Self::Moduletech(_) => opcode::MODULETECH,
        }
    }
}

#[cfg(test)]
mod tests;
