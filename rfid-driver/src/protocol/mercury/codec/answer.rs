//! What a module answers to an [`super::Operation`]: the meaning of a [`super::Reply::Done`].
//!
//! Sources: those of [`super::Operation`].

use super::frame::Builder;
use super::opcode;
use super::operation::{
    ANTENNAS_DETECT, HOP_TIME, Moduletech, PINS_WITH_DIRECTION, WITH_LIMITS, WITHOUT_LIMITS,
};
use super::record::MULTISELECT;
use super::statistics::Statistics;
use super::status::Status;
use super::tags::{SilionTag, SingleTag, TagBuffer};
use crate::codec::{FrameBuf, Opaque};

/// What a Silion module says about once a second while it reads.
const SILION_HEARTBEAT: &[u8; 4] = b"XTSJ";

/// A reader's frame that is [`super::Reply::Done`], understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The tag that was read.
    Single(SingleTag<'a>),
    /// How many tags a timed read has put into the buffer.
    Found(Found),
    /// From where to where the buffer holds tags that have not been fetched.
    TagBufferCount {
        /// The next to be fetched.
        read_index: u16,
        /// The next to be filled.
        write_index: u16,
    },
    /// Tags from the buffer.
    TagBuffer(TagBuffer<'a>),
    /// On which ports there is an antenna.
    AntennasDetected {
        /// Pairs of port and 01 or 00.
        pairs: Opaque<'a>,
    },
    /// The power for reading or writing.
    Power {
        /// Which of the two was asked for.
        opcode: u8,
        /// What it is set to, in hundredths of a dBm.
        power_cdbm: u16,
        /// Between what it can be set; `None` where that was not asked for.
        limits: Option<PowerLimits>,
    },
    /// The tag protocol that is set.
    Protocol {
        /// The vendor's number; 0 for none.
        protocol: u16,
    },
    /// The channels in their order.
    HopTable {
        /// Of four bytes each, in kHz.
        channels: Opaque<'a>,
    },
    /// How long it stays on one.
    HopTime {
        /// In milliseconds.
        hop_time_ms: u32,
    },
    /// How the pins stand.
    Pins {
        /// Triples of pin, direction (01 for an output) and level.
        triples: Opaque<'a>,
    },
    /// The region that is set.
    Region {
        /// The vendor's number; 0 for none.
        region: u8,
    },
    /// How much it saves power.
    PowerMode {
        /// 00 full power, to 04 sleep.
        mode: u8,
    },
    /// The value of a configuration key.
    ReaderConfig {
        /// Which key.
        key: u8,
        /// Its value; of the lengths that it has, one is usual.
        value: Opaque<'a>,
    },
    /// The value of a parameter of a tag protocol.
    ProtocolParameter {
        /// The protocol.
        protocol: u8,
        /// The parameter.
        key: u8,
        /// Its value.
        value: Opaque<'a>,
    },
    /// What it counts.
    Statistics(Statistics<'a>),
    /// The tag protocols that it knows.
    AvailableProtocols {
        /// Of two bytes each.
        protocols: Opaque<'a>,
    },
    /// The regions that it knows.
    AvailableRegions {
        /// Of one byte each.
        regions: &'a [u8],
    },
    /// How warm it is.
    Temperature {
        /// In degrees Celsius.
        celsius: i8,
    },
    /// Silion's acknowledgement.
    Moduletech(Moduletech<'a>),
    /// A tag in Silion's continuous read.
    SilionTag(SilionTag<'a>),
    /// Silion's sign of life.
    SilionHeartbeat {
        /// Search flags and state.
        data: Opaque<'a>,
    },
}

/// Between what a power can be set, in hundredths of a dBm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerLimits {
    /// The most.
    pub max_cdbm: u16,
    /// The least.
    pub min_cdbm: u16,
}

/// The end of a timed read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Whether it has the longer form of the 1.37 firmware.
    pub multiselect: bool,
    /// The select option of the command.
    pub option: u8,
    /// The search flags of the command.
    pub search_flags: u16,
    /// How many tags, in four bytes or, from firmware for small populations, in one.
    pub tags: FoundTags,
    /// On how many of them the embedded operation worked and failed.
    pub embedded: Option<EmbeddedOutcome>,
}

/// How many tags were found, and in how many bytes that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundTags {
    /// In one byte.
    Few(u8),
    /// In four bytes.
    Many(u32),
}

/// What an embedded operation came to in a timed read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedOutcome {
    /// The operation.
    pub opcode: u8,
    /// On how many tags it worked.
    pub succeeded: u16,
    /// On how many it failed.
    pub failed: u16,
}

impl Found {
    fn parse(data: &[u8]) -> Option<Self> {
        let (multiselect, data) = match data {
            [MULTISELECT, data @ ..] => (true, data),
            _ => (false, data),
        };
        let [option, high, low, rest @ ..] = data else { return None };
        let (tags, rest) = match rest {
            &[few] => (FoundTags::Few(few), &[][..]),
            [few, 0x01, rest @ ..] if rest.len() == 5 => (FoundTags::Few(*few), rest),
            &[a, b, c, d] => (FoundTags::Many(u32::from_be_bytes([a, b, c, d])), &[][..]),
            [a, b, c, d, 0x01, rest @ ..] if rest.len() == 5 => {
                (FoundTags::Many(u32::from_be_bytes([*a, *b, *c, *d])), rest)
            }
            _ => return None,
        };
        let embedded = match *rest {
            [opcode, a, b, c, d] => Some(EmbeddedOutcome {
                opcode,
                succeeded: u16::from_be_bytes([a, b]),
                failed: u16::from_be_bytes([c, d]),
            }),
            _ => None,
        };
        let search_flags = u16::from_be_bytes([*high, *low]);
        Some(Self { multiselect, option: *option, search_flags, tags, embedded })
    }

    fn emit(&self, frame: Builder) -> Builder {
        let frame = frame
            .put_some(self.multiselect.then_some([MULTISELECT]))
            .put(&[self.option])
            .put(&self.search_flags.to_be_bytes());
        let frame = match self.tags {
            FoundTags::Few(few) => frame.put(&[few]),
            FoundTags::Many(many) => frame.put(&many.to_be_bytes()),
        };
        match self.embedded {
            None => frame,
            Some(EmbeddedOutcome { opcode, succeeded, failed }) => {
                frame.put(&[0x01, opcode]).put(&succeeded.to_be_bytes()).put(&failed.to_be_bytes())
            }
        }
    }
}

impl<'a> Answer<'a> {
    /// Understands what a [`super::Reply::Done`] holds; `None` where it is of no form known here.
    #[must_use]
    pub fn parse(opcode: u8, data: &'a [u8]) -> Option<Self> {
        Some(match (opcode, data) {
            (opcode::READ_SINGLE, data) => Self::Single(SingleTag::parse(data)?),
            (opcode::READ_MULTIPLE, data) => Self::Found(Found::parse(data)?),
            (opcode::TAG_BUFFER, &[a, b, c, d]) => match TagBuffer::parse(data) {
                // A count has no room for metadata flags and an empty list.
                Some(buffer) if d == 0 && c == 0 && a | b != 0 => Self::TagBuffer(buffer),
                _ => Self::TagBufferCount {
                    read_index: u16::from_be_bytes([a, b]),
                    write_index: u16::from_be_bytes([c, d]),
                },
            },
            (opcode::TAG_BUFFER, data) => Self::TagBuffer(TagBuffer::parse(data)?),
            (opcode::STATISTICS, data) => Self::Statistics(Statistics::parse(data)?),
            (opcode::MODULETECH, data) => match data.strip_prefix(SILION_HEARTBEAT) {
                Some(data) => Self::SilionHeartbeat { data: Opaque(data) },
                None => Moduletech::parse(data)
                    .map(Self::Moduletech)
                    .or_else(|| SilionTag::parse(data).map(Self::SilionTag))?,
            },
            (opcode, data) => return Self::parse_setting(opcode, data),
        })
    }

    fn parse_setting(opcode: u8, data: &'a [u8]) -> Option<Self> {
        Some(match (opcode, data) {
            (opcode::ANTENNAS, [ANTENNAS_DETECT, pairs @ ..]) if pairs.len().is_multiple_of(2) => {
                Self::AntennasDetected { pairs: Opaque(pairs) }
            }
            (opcode::READ_POWER | opcode::WRITE_POWER, &[WITHOUT_LIMITS, a, b]) => {
                Self::Power { opcode, power_cdbm: u16::from_be_bytes([a, b]), limits: None }
            }
            (opcode::READ_POWER | opcode::WRITE_POWER, &[WITH_LIMITS, a, b, c, d, e, f]) => {
                let limits = PowerLimits {
                    max_cdbm: u16::from_be_bytes([c, d]),
                    min_cdbm: u16::from_be_bytes([e, f]),
                };
                let power_cdbm = u16::from_be_bytes([a, b]);
                Self::Power { opcode, power_cdbm, limits: Some(limits) }
            }
            (opcode::PROTOCOL, &[high, low]) => {
                Self::Protocol { protocol: u16::from_be_bytes([high, low]) }
            }
            (opcode::HOP_TABLE, &[HOP_TIME, a, b, c, d]) => {
                Self::HopTime { hop_time_ms: u32::from_be_bytes([a, b, c, d]) }
            }
            (opcode::HOP_TABLE, [_, ..]) if data.len().is_multiple_of(4) => {
                Self::HopTable { channels: Opaque(data) }
            }
            (opcode::INPUTS, [PINS_WITH_DIRECTION, triples @ ..])
                if triples.len().is_multiple_of(3) =>
            {
                Self::Pins { triples: Opaque(triples) }
            }
            (opcode::REGION, &[region]) => Self::Region { region },
            (opcode::POWER_MODE, &[mode]) => Self::PowerMode { mode },
            (opcode::READER_CONFIG, [0x01, key, value @ ..]) => {
                Self::ReaderConfig { key: *key, value: Opaque(value) }
            }
            (opcode::PROTOCOL_PARAMETER, [protocol, key, value @ ..]) => {
                Self::ProtocolParameter { protocol: *protocol, key: *key, value: Opaque(value) }
            }
            (opcode::AVAILABLE_PROTOCOLS, data) if data.len().is_multiple_of(2) => {
                Self::AvailableProtocols { protocols: Opaque(data) }
            }
            (opcode::AVAILABLE_REGIONS, regions) => Self::AvailableRegions { regions },
            (opcode::TEMPERATURE, &[celsius]) => {
                Self::Temperature { celsius: i8::from_be_bytes([celsius]) }
            }
            _ => return None,
        })
    }

    /// Builds the frame.
    ///
    /// # Panics
    /// If the data exceed what one frame can hold.
    #[must_use]
    pub fn emit(&self) -> FrameBuf {
        let frame = Builder::reply(self.opcode(), Status::SUCCESS);
        match self {
            Self::Single(tag) => tag.emit(frame),
            Self::Found(found) => found.emit(frame),
            Self::TagBufferCount { read_index, write_index } => {
                frame.put(&read_index.to_be_bytes()).put(&write_index.to_be_bytes())
            }
            Self::TagBuffer(buffer) => buffer.emit(frame),
            Self::AntennasDetected { pairs } => frame.put(&[ANTENNAS_DETECT]).put(pairs.0),
            Self::Power { power_cdbm, limits: None, .. } => {
                frame.put(&[WITHOUT_LIMITS]).put(&power_cdbm.to_be_bytes())
            }
            Self::Power { power_cdbm, limits: Some(limits), .. } => frame
                .put(&[WITH_LIMITS])
                .put(&power_cdbm.to_be_bytes())
                .put(&limits.max_cdbm.to_be_bytes())
                .put(&limits.min_cdbm.to_be_bytes()),
            Self::Protocol { protocol } => frame.put(&protocol.to_be_bytes()),
            Self::HopTable { channels } => frame.put(channels.0),
            Self::HopTime { hop_time_ms } => frame.put(&[HOP_TIME]).put(&hop_time_ms.to_be_bytes()),
            Self::Pins { triples } => frame.put(&[PINS_WITH_DIRECTION]).put(triples.0),
            Self::Region { region } => frame.put(&[*region]),
            Self::PowerMode { mode } => frame.put(&[*mode]),
            Self::ReaderConfig { key, value } => frame.put(&[0x01, *key]).put(value.0),
            Self::ProtocolParameter { protocol, key, value } => {
                frame.put(&[*protocol, *key]).put(value.0)
            }
            Self::Statistics(statistics) => frame.put(statistics.data.0),
            Self::AvailableProtocols { protocols } => frame.put(protocols.0),
            Self::AvailableRegions { regions } => frame.put(regions),
            Self::Temperature { celsius } => frame.put(&celsius.to_be_bytes()),
            Self::Moduletech(extension) => extension.emit(frame),
            Self::SilionTag(tag) => tag.emit(frame),
            Self::SilionHeartbeat { data } => frame.put(SILION_HEARTBEAT).put(data.0),
        }
        .finish()
    }

    /// The operation that it answers.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match self {
            Self::Single(_) => opcode::READ_SINGLE,
            Self::Found(_) => opcode::READ_MULTIPLE,
            Self::TagBufferCount { .. } | Self::TagBuffer(_) => opcode::TAG_BUFFER,
            Self::AntennasDetected { .. } => opcode::ANTENNAS,
            Self::Power { opcode, .. } => *opcode,
            Self::Protocol { .. } => opcode::PROTOCOL,
            Self::HopTable { .. } | Self::HopTime { .. } => opcode::HOP_TABLE,
            Self::Pins { .. } => opcode::INPUTS,
            Self::Region { .. } => opcode::REGION,
            Self::PowerMode { .. } => opcode::POWER_MODE,
            Self::ReaderConfig { .. } => opcode::READER_CONFIG,
            Self::ProtocolParameter { .. } => opcode::PROTOCOL_PARAMETER,
            Self::Statistics(_) => opcode::STATISTICS,
            Self::AvailableProtocols { .. } => opcode::AVAILABLE_PROTOCOLS,
            Self::AvailableRegions { .. } => opcode::AVAILABLE_REGIONS,
            Self::Temperature { .. } => opcode::TEMPERATURE,
            Self::Moduletech(_) | Self::SilionTag(_) | Self::SilionHeartbeat { .. } => {
                opcode::MODULETECH
            }
        }
    }
}

#[cfg(test)]
mod tests;
