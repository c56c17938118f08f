//! What a reader says: answers, and what it pushes unasked.

use super::frame::{Builder, Frame};
use super::info::ReaderInfo;
use super::status::Status;
use super::tags::TagList;
use super::{MeaningError, opcode};
use crate::codec::{Fields, FrameBuf, Opaque};

/// A reader's frame, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Tags that an inventory has found.
    Tags {
        /// Which inventory.
        opcode: u8,
        /// Whether more will come, and why not.
        status: Status,
        /// The tags.
        list: TagList<'a>,
    },
    /// What an inventory counted.
    Statistics {
        /// Which inventory.
        opcode: u8,
        /// The antenna byte.
        antenna: u8,
        /// Reads in a second, repeats included.
        reads_per_s: u16,
        /// Reads in this inventory, repeats included.
        reads: u32,
    },
    /// One tag, unasked.
    Pushed(TagList<'a>),
    /// The sign of life of a reader that reads unasked and finds nothing.
    Heartbeat {
        /// Counts the heartbeats; begins anew when the reader restarts.
        number: u32,
        /// A byte for each antenna.
        antennas: Opaque<'a>,
        /// Tags reported so far.
        tags: u32,
    },
    /// What the reader says about itself.
    Info(ReaderInfo<'a>),
    /// How it reads unasked, in the newer dialect.
    WorkMode {
        /// 0 when asked, 1 unasked, 2 unasked while the first input is low.
        mode: u8,
        /// What operation 75 sets.
        parameters: Opaque<'a>,
    },
    /// How it reads unasked, in the older dialect.
    ScanMode {
        /// Wiegand: mode, interval, pulse width, pulse interval.
        wiegand: [u8; 4],
        /// What operation 35 sets.
        parameters: [u8; 6],
        /// Accuracy of EAS, Syris offset.
        offsets: [u8; 2],
    },
    /// How the pins stand: bit 0 for In1, bits 4 and 5 for Out1 and Out2.
    Pins(u8),
    /// How warm it is, in degrees Celsius.
    Temperature {
        /// 0 for below zero.
        plus: u8,
        /// Degrees.
        degrees: u8,
    },
    /// How much comes back from an antenna, in dB below what went in.
    ReturnLoss(u8),
    /// Which reader it is.
    SerialNumber(u32),
    /// Any other success.
    Done {
        /// What was asked.
        opcode: u8,
        /// What came of it.
        data: Opaque<'a>,
    },
    /// Anything but a success.
    Refused {
        /// What was asked; 0 where the reader did not understand it.
        opcode: u8,
        /// Why not.
        status: Status,
        /// What it adds to that.
        data: Opaque<'a>,
    },
}

impl<'a> Reply<'a> {
    /// Understands a reader's frame.
    ///
    /// # Errors
    /// Refuses commands, and lists of tags that do not add up.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        let status = frame.status().ok_or(MeaningError::Direction)?;
        let (opcode, data) = (frame.opcode(), frame.data());
        Ok(match (opcode, status) {
            (opcode::INVENTORY | opcode::INVENTORY_SINGLE | opcode::INVENTORY_EPC, status)
                if status.lists_tags() && !data.is_empty() =>
            {
                let list = TagList::parse_inventory(data).ok_or(MeaningError::Tags)?;
                Self::Tags { opcode, status, list }
            }
            (opcode, Status::STATISTICS) if data.len() == 7 => {
                let mut fields = Fields(data);
                Self::Statistics {
                    opcode,
                    antenna: fields.u8("antenna")?,
                    reads_per_s: fields.u16("read rate")?,
                    reads: fields.u32("total")?,
                }
            }
            (opcode::PUSH, Status::SUCCESS) => {
                Self::Pushed(TagList::parse_push(data).ok_or(MeaningError::Tags)?)
            }
            (opcode::PUSH, Status::HEARTBEAT) if data.len() > 8 => Self::parse_heartbeat(data)?,
            (opcode, Status::SUCCESS) => Self::parse_success(opcode, data)?,
            (opcode, status) => Self::Refused { opcode, status, data: Opaque(data) },
        })
    }

    fn parse_heartbeat(data: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(data);
        Ok(Self::Heartbeat {
            number: fields.u32("packet number")?,
            antennas: Opaque(fields.bytes(fields.0.len() - 4, "antennas")?),
            tags: fields.u32("total")?,
        })
    }

    fn parse_success(opcode: u8, data: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(data);
        Ok(match (opcode, data) {
            (opcode::READER_INFO, [_, _, _, _, _, _, _, ..]) => {
                Self::Info(ReaderInfo::parse(data)?)
            }
            (opcode::WORK_MODE, [mode, parameters @ ..]) => {
                Self::WorkMode { mode: *mode, parameters: Opaque(parameters) }
            }
            (opcode::SCAN_MODE, _) if data.len() == 12 => Self::ScanMode {
                wiegand: fields.array("wiegand")?,
                parameters: fields.array("parameters")?,
                offsets: fields.array("offsets")?,
            },
            (opcode::PINS, &[pins]) => Self::Pins(pins),
            (opcode::TEMPERATURE, &[plus, degrees]) => Self::Temperature { plus, degrees },
            (opcode::RETURN_LOSS, &[loss]) => Self::ReturnLoss(loss),
            (opcode::SERIAL_NUMBER, &[a, b, c, d]) => {
                Self::SerialNumber(u32::from_be_bytes([a, b, c, d]))
            }
            (opcode, data) => Self::Done { opcode, data: Opaque(data) },
        })
    }

    /// Builds the frame of the reader with this address.
    ///
    /// # Panics
    /// If the data exceed what one frame can hold.
    #[must_use]
    pub fn emit(&self, address: u8) -> FrameBuf {
        let answer = |opcode, status| Builder::reply(address, opcode, status);
        let success = |opcode| answer(opcode, Status::SUCCESS);
        match self {
            Self::Tags { opcode, status, list } => {
                list.data().fold(answer(*opcode, *status), Builder::put)
            }
            Self::Statistics { opcode, antenna, reads_per_s, reads } => {
                answer(*opcode, Status::STATISTICS)
                    .put(&[*antenna])
                    .put(&reads_per_s.to_be_bytes())
                    .put(&reads.to_be_bytes())
            }
            Self::Pushed(list) => list.data().fold(success(opcode::PUSH), Builder::put),
            Self::Heartbeat { number, antennas, tags } => answer(opcode::PUSH, Status::HEARTBEAT)
                .put(&number.to_be_bytes())
                .put(antennas.0)
                .put(&tags.to_be_bytes()),
            Self::Info(info) => {
                let (bytes, len) = info.data();
                success(opcode::READER_INFO).put(&bytes[..len]).put(info.more.0)
            }
            Self::WorkMode { mode, parameters } => {
                success(opcode::WORK_MODE).put(&[*mode]).put(parameters.0)
            }
            Self::ScanMode { wiegand, parameters, offsets } => {
                success(opcode::SCAN_MODE).put(wiegand).put(parameters).put(offsets)
            }
            Self::Pins(pins) => success(opcode::PINS).put(&[*pins]),
            Self::Temperature { plus, degrees } => {
                success(opcode::TEMPERATURE).put(&[*plus, *degrees])
            }
            Self::ReturnLoss(loss) => success(opcode::RETURN_LOSS).put(&[*loss]),
            Self::SerialNumber(number) => success(opcode::SERIAL_NUMBER).put(&number.to_be_bytes()),
            Self::Done { opcode, data } => success(*opcode).put(data.0),
            Self::Refused { opcode, status, data } => answer(*opcode, *status).put(data.0),
        }
        .finish()
    }

    /// Whether the reader reports unasked.
    #[must_use]
    pub fn is_push(&self) -> bool {
        match self {
            Self::Pushed(_) | Self::Heartbeat { .. } => true,
            Self::Refused { opcode, .. } => *opcode == opcode::PUSH,
            Self::Tags { .. }
            | Self::Statistics { .. }
            | Self::Info(_)
            | Self::WorkMode { .. }
            | Self::ScanMode { .. }
            | Self::Pins(_)
            | Self::Temperature { .. }
            | Self::ReturnLoss(_)
            | Self::SerialNumber(_)
            | Self::Done { .. } => false,
        }
    }
}
