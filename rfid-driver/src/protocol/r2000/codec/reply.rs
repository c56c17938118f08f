//! What a reader says.

use super::error_code::ErrorCode;
use super::frame::{self, Frame};
use super::radio::Region;
use super::tag::{self, AccessedTag, BufferedTag, TagReport};
use super::{MeaningError, opcode};
use crate::codec::{Direction, Fields, FrameBuf, Opaque};

/// More tags than this no round reads, however often it is repeated.
const TOTAL_MAX: u32 = 0x00FF_FFFF;
/// Tags a second; the air allows about 1,500.
const RATE_MAX: u16 = 0x1FFF;
/// The longest sequence: 255 times 8 antennas with 255 rounds each, in milliseconds.
const DURATION_MS_MAX: u32 = 0x01FF_FFFF;
const PORT_MAX: u8 = 15;
/// Only readers with four ports speak to tags of ISO 18000-6B.
const PORT_6B_MAX: u8 = 3;
const POWER_DBM_MAX: u8 = 36;
const RETURN_LOSS_DB_MAX: u8 = 0x40;
const CELSIUS_MAX: u8 = 125;

/// A reader's frame, understood. Antennas in it are counted from 0, as on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named like what the manual calls them")]
pub enum Reply<'a> {
    /// One tag, in an inventory that reports them as it reads them.
    Tag(TagReport<'a>),
    /// Such an inventory has ended; in a continuous read this is the sign of life.
    RoundEnd { opcode: u8, antenna: u8, rate_per_s: u16, total: u32 },
    /// An inventory over several antennas has ended.
    SwitchEnd { total: u32, duration_ms: u32 },
    /// It goes on, but not on this antenna.
    AntennaFailed { opcode: u8, antenna: u8, code: ErrorCode },
    /// An inventory into the buffer has ended.
    BufferedEnd { antenna: u8, tags: u16, rate_per_s: u16, total: u32 },
    /// A tag of the buffer.
    Buffered(BufferedTag<'a>),
    /// How many tags are in the buffer.
    BufferCount { tags: u16 },
    /// A tag that was read, written, locked or killed.
    Accessed(AccessedTag<'a>),
    /// The firmware, and in some a third number.
    Version { major: u8, minor: u8, rest: &'a [u8] },
    /// Sign 1 is above zero, 0 below: as readers do it; the manual has it the other way round.
    Temperature { sign: u8, degrees: u8 },
    /// The levels of the pins, from pin 1.
    Inputs { levels: &'a [u8] },
    /// How much of the power does not come back from the work antenna.
    ReturnLoss { loss_db: u8 },
    /// Where it may transmit.
    Region(Region),
    /// The command has been carried out.
    Done { opcode: u8 },
    /// It has not.
    Refused { opcode: u8, code: ErrorCode },
    /// Another answer.
    Value { opcode: u8, data: Opaque<'a> },
}

impl<'a> Reply<'a> {
    /// Understands a reader's frame.
    ///
    /// # Errors
    /// Refuses commands, and what no reader says: see [`super`].
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        if frame.direction() != Direction::FromReader {
            return Err(MeaningError::Direction(frame.direction()));
        }
        let (opcode, payload) = (frame.opcode(), frame.payload());
        opcode::name(opcode).ok_or(MeaningError::UnknownCommand { opcode })?;
        if !opcode::has_payload_len(opcode, Direction::FromReader, payload.len()) {
            return Err(MeaningError::PayloadLength { opcode, len: payload.len() });
        }
        match (opcode, payload) {
            (opcode, &[byte]) => Self::parse_byte(opcode, byte, payload),
            (opcode::REAL_TIME | opcode::FAST_SWITCH | opcode::SESSION, payload) => {
                Self::parse_inventory(opcode, payload)
            }
            (opcode::INVENTORY, payload) => Self::parse_buffered_end(payload),
            (opcode::BUFFER | opcode::TAKE_BUFFER, payload) => {
                BufferedTag::parse(opcode, payload).map(Self::Buffered)
            }
            (
                opcode::READ | opcode::WRITE | opcode::BLOCK_WRITE | opcode::LOCK | opcode::KILL,
                payload,
            ) => AccessedTag::parse(opcode, payload).map(Self::Accessed),
            (opcode::BUFFER_COUNT, &[high, low]) => {
                Ok(Self::BufferCount { tags: u16::from_be_bytes([high, low]) })
            }
            (opcode::VERSION, &[major, minor, ref rest @ ..]) => {
                Ok(Self::Version { major, minor, rest })
            }
            (opcode::TEMPERATURE, &[sign, degrees]) => {
                at_most("sign", sign, 1)?;
                at_most("degrees", degrees, CELSIUS_MAX)?;
                Ok(Self::Temperature { sign, degrees })
            }
            (opcode::READ_GPIO, levels) => {
                levels.iter().try_for_each(|level| at_most("level", *level, 1))?;
                Ok(Self::Inputs { levels })
            }
            (opcode::REGION, payload) => Region::parse(payload).map(Self::Region),
            (opcode::POWER | opcode::POWER_EIGHT, powers) => {
                powers.iter().try_for_each(|power| at_most("power", *power, POWER_DBM_MAX))?;
                Ok(Self::Value { opcode, data: Opaque(powers) })
            }
            (opcode::MATCH, &[status, len, ref epc @ ..]) => {
                at_most("status", status, 0)?;
                if usize::from(len) != epc.len() {
                    let claimed = usize::from(len);
                    return Err(MeaningError::EpcLength { claimed, found: epc.len() });
                }
                Ok(Self::Value { opcode, data: Opaque(payload) })
            }
            (opcode::TAG_SELECT, &[_, _, _, _, _, _, mask_bits, ref rest @ ..]) => {
                let claimed = usize::from(mask_bits).div_ceil(8) + 1;
                if rest.len() != claimed {
                    return Err(MeaningError::PayloadLength { opcode, len: payload.len() });
                }
                Ok(Self::Value { opcode, data: Opaque(payload) })
            }
            (
                opcode::INVENTORY_6B
                | opcode::READ_6B
                | opcode::WRITE_6B
                | opcode::LOCK_6B
                | opcode::QUERY_LOCK_6B,
                &[antenna, ..],
            ) => {
                at_most("antenna", antenna, PORT_6B_MAX)?;
                Ok(Self::Value { opcode, data: Opaque(payload) })
            }
            (opcode, payload) => Ok(Self::Value { opcode, data: Opaque(payload) }),
        }
    }

    /// One byte is a result, except where it can be what was asked for.
    fn parse_byte(opcode: u8, byte: u8, payload: &'a [u8]) -> Result<Self, MeaningError> {
        let is_value = match opcode {
            opcode::POWER | opcode::POWER_EIGHT => byte <= POWER_DBM_MAX,
            opcode::DETECTOR => byte <= RETURN_LOSS_DB_MAX,
            opcode::ANTENNA => byte <= PORT_MAX,
            opcode::PROFILE => matches!(byte, 0xD0..=0xD3),
            opcode::ANTENNA_GROUP | opcode::DENSE_MODE | opcode::MATCH => byte <= 1,
            opcode::FAST_TID => matches!(byte, 0 | super::command::FAST_TID_ON),
            opcode::BUFFER_INTERVAL => true,
            opcode::INVENTORY_6B => byte == 0xFF,
            opcode::RETURN_LOSS if byte <= RETURN_LOSS_DB_MAX => {
                return Ok(Self::ReturnLoss { loss_db: byte });
            }
            _ => false,
        };
        match ErrorCode(byte) {
            _ if is_value => Ok(Self::Value { opcode, data: Opaque(payload) }),
            ErrorCode::SUCCESS => Ok(Self::Done { opcode }),
            code if code.is_known() => Ok(Self::Refused { opcode, code }),
            ErrorCode(code) => Err(MeaningError::UnknownResult { opcode, code }),
        }
    }

    fn parse_inventory(opcode: u8, payload: &'a [u8]) -> Result<Self, MeaningError> {
        if tag::is_report(opcode, payload.len()) {
            return TagReport::parse(opcode, payload).map(Self::Tag);
        }
        let mut fields = Fields(payload);
        if let [antenna, code] = *payload {
            at_most("antenna", antenna, PORT_MAX)?;
            let known = ErrorCode(code);
            if known.is_success() || !known.is_known() {
                return Err(MeaningError::UnknownResult { opcode, code });
            }
            return Ok(Self::AntennaFailed { opcode, antenna, code: known });
        }
        if opcode == opcode::FAST_SWITCH {
            let (total, duration_ms) = (fields.u24("total")?, fields.u32("duration")?);
            not_above("duration", duration_ms, DURATION_MS_MAX)?;
            return Ok(Self::SwitchEnd { total, duration_ms });
        }
        let antenna = fields.u8("antenna")?;
        at_most("antenna", antenna, PORT_MAX)?;
        let (rate_per_s, total) = rate_and_total(&mut fields)?;
        Ok(Self::RoundEnd { opcode, antenna, rate_per_s, total })
    }

    fn parse_buffered_end(payload: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(payload);
        let (antenna, tags) = (fields.u8("antenna")?, fields.u16("tag count")?);
        at_most("antenna", antenna, PORT_MAX)?;
        let (rate_per_s, total) = rate_and_total(&mut fields)?;
        Ok(Self::BufferedEnd { antenna, tags, rate_per_s, total })
    }

    /// Builds the frame of the reader with this address.
    ///
    /// # Panics
    /// If the data exceed what one frame can hold.
    #[must_use]
    pub fn emit(&self, address: u8) -> FrameBuf {
        frame::emit(address, self.opcode(), |frame| self.put(frame))
    }

    fn put(&self, frame: FrameBuf) -> FrameBuf {
        match *self {
            Self::Tag(report) => report.put(frame),
            Self::RoundEnd { antenna, rate_per_s, total, .. } => {
                frame.put(&[antenna]).put(&rate_per_s.to_be_bytes()).put(&total.to_be_bytes())
            }
            Self::SwitchEnd { total, duration_ms } => {
                let [_, total @ ..] = total.to_be_bytes();
                frame.put(&total).put(&duration_ms.to_be_bytes())
            }
            Self::AntennaFailed { antenna, code, .. } => frame.put(&[antenna, code.0]),
            Self::BufferedEnd { antenna, tags, rate_per_s, total } => frame
                .put(&[antenna])
                .put(&tags.to_be_bytes())
                .put(&rate_per_s.to_be_bytes())
                .put(&total.to_be_bytes()),
            Self::Buffered(tag) => tag.put(frame),
            Self::BufferCount { tags } => frame.put(&tags.to_be_bytes()),
            Self::Accessed(tag) => tag.put(frame),
            Self::Version { major, minor, rest } => frame.put(&[major, minor]).put(rest),
            Self::Temperature { sign, degrees } => frame.put(&[sign, degrees]),
            Self::Inputs { levels } => frame.put(levels),
            Self::ReturnLoss { loss_db } => frame.put(&[loss_db]),
            Self::Region(region) => region.put(frame),
            Self::Done { .. } => frame.put(&[ErrorCode::SUCCESS.0]),
            Self::Refused { code, .. } => frame.put(&[code.0]),
            Self::Value { data, .. } => frame.put(data.0),
        }
    }

    /// The command that it answers.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match *self {
            Self::Tag(TagReport { opcode, .. })
            | Self::Buffered(BufferedTag { opcode, .. })
            | Self::Accessed(AccessedTag { opcode, .. })
            | Self::RoundEnd { opcode, .. }
            | Self::AntennaFailed { opcode, .. }
            | Self::Done { opcode }
            | Self::Refused { opcode, .. }
            | Self::Value { opcode, .. } => opcode,
            Self::SwitchEnd { .. } => opcode::FAST_SWITCH,
            Self::BufferedEnd { .. } => opcode::INVENTORY,
            Self::BufferCount { .. } => opcode::BUFFER_COUNT,
            Self::Version { .. } => opcode::VERSION,
            Self::Temperature { .. } => opcode::TEMPERATURE,
            Self::Inputs { .. } => opcode::READ_GPIO,
            Self::ReturnLoss { .. } => opcode::RETURN_LOSS,
            Self::Region(_) => opcode::REGION,
        }
    }
}

fn rate_and_total(fields: &mut Fields<'_>) -> Result<(u16, u32), MeaningError> {
    let (rate_per_s, total) = (fields.u16("rate")?, fields.u32("total")?);
    not_above("rate", rate_per_s.into(), RATE_MAX.into())?;
    not_above("total", total, TOTAL_MAX)?;
    Ok((rate_per_s, total))
}

fn at_most(field: &'static str, value: u8, most: u8) -> Result<(), MeaningError> {
    not_above(field, value.into(), most.into())
}

fn not_above(field: &'static str, value: u32, most: u32) -> Result<(), MeaningError> {
    if value > most { Err(MeaningError::Value { field, value }) } else { Ok(()) }
}
