//! What a reader says: answers, and what it sends unasked while it reads.

use std::fmt;

use super::frame::{Builder, Frame};
use super::record::{KIND_END, KIND_TAG, MULTISELECT, TagRecord};
use super::search::SEARCH_STREAMING;
use super::status::Status;
use super::{MeaningError, opcode};
use crate::codec::{Fields, FrameBuf, Opaque};

/// What a module says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionInfo {
    /// Boot loader version.
    pub boot_loader: u32,
    /// Hardware: model and revision.
    pub hardware: u32,
    /// Firmware date, as hex digits year month day.
    pub firmware_date: u32,
    /// Firmware version.
    pub firmware: u32,
    /// Tag protocols, one bit each.
    pub protocols: u32,
}

impl VersionInfo {
    const LEN: usize = 20;

    /// The module's name; `None` where the vendor's list has none (`serial_reader_imp.h`,
    /// `TMR_SR_ModelHardwareID`).
    #[must_use]
    pub fn model(&self) -> Option<&'static str> {
        match self.hardware.to_be_bytes() {
            [0x18, ..] => Some("M6e"),
            [0x19, ..] => Some("M6e-i"),
            [0x20, ..] => Some("M6e Micro"),
            [0x30, ..] => Some("M6e Nano"),
            [0x38, ..] => Some("M7e"),
            [0x80, ..] => Some("M3e"),
            _ => None,
        }
    }

    fn parse(data: &[u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(data);
        let version = Self {
            boot_loader: fields.u32("boot loader")?,
            hardware: fields.u32("hardware")?,
            firmware_date: fields.u32("firmware date")?,
            firmware: fields.u32("firmware")?,
            protocols: fields.u32("protocols")?,
        };
        fields.end()?;
        Ok(version)
    }

    fn emit(&self, frame: Builder) -> Builder {
        [self.boot_loader, self.hardware, self.firmware_date, self.firmware, self.protocols]
            .into_iter()
            .fold(frame, |frame, field| frame.put(&field.to_be_bytes()))
    }
}

/// In words: "M6e Micro, hardware 20000001, firmware 01190111 of 20190610".
impl fmt::Display for VersionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hardware, firmware, firmware_date, .. } = self;
        if let Some(model) = self.model() {
            write!(f, "{model}, ")?;
        }
        write!(f, "hardware {hardware:08x}, firmware {firmware:08x} of {firmware_date:08x}")
    }
}

/// A reader's frame, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// One tag, in a continuous read.
    Tag(TagRecord<'a>),
    /// A search cycle ended without a tag; in a continuous read this is the sign of life.
    KeepAlive {
        /// What newer firmware adds.
        data: Opaque<'a>,
    },
    /// Another record of a continuous read: status, statistics, end.
    StreamNote {
        /// The record.
        data: Opaque<'a>,
    },
    /// A continuous read has begun.
    StreamStarted,
    /// A continuous read has ended; no record of it follows.
    StreamStopped,
    /// The version asked for.
    Version(VersionInfo),
    /// The application has started. Unasked, the module has just rebooted.
    Booted(VersionInfo),
    /// Which program runs.
    Program(u8),
    /// Any other success: [`super::Answer::parse`] may understand it.
    Done {
        /// What was asked.
        opcode: u8,
        /// What came of it.
        data: Opaque<'a>,
    },
    /// The module did not do it.
    Refused {
        /// What was asked.
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
    /// Refuses commands, and records of tags whose fields do not add up.
    pub fn parse(frame: Frame<'a>) -> Result<Self, MeaningError> {
        let status = frame.status().ok_or(MeaningError::Direction)?;
        let (opcode, data) = (frame.opcode(), frame.data());
        Ok(match (opcode, status, data) {
            (opcode::READ_MULTIPLE, Status::NO_TAGS, _) => Self::KeepAlive { data: Opaque(data) },
            (_, status, _) if !status.is_success() => {
                Self::Refused { opcode, status, data: Opaque(data) }
            }
            (opcode::READ_MULTIPLE, _, _) => match stream_record_kind(data) {
                Some(KIND_TAG) => Self::Tag(TagRecord::parse(data)?),
                Some(_) => Self::StreamNote { data: Opaque(data) },
                None => Self::Done { opcode, data: Opaque(data) },
            },
            (opcode::STREAM, _, [0x01]) => Self::StreamStarted,
            (opcode::STREAM, _, [0x02]) => Self::StreamStopped,
            (opcode::VERSION, _, _) if data.len() == VersionInfo::LEN => {
                Self::Version(VersionInfo::parse(data)?)
            }
            (opcode::BOOT_FIRMWARE, _, _) if data.len() == VersionInfo::LEN => {
                Self::Booted(VersionInfo::parse(data)?)
            }
            (opcode::CURRENT_PROGRAM, _, [program]) => Self::Program(*program),
            _ => Self::Done { opcode, data: Opaque(data) },
        })
    }

    /// Whether it says that the continuous read has ended by itself.
    #[must_use]
    pub fn is_end_of_stream(&self) -> bool {
        match self {
            Self::StreamNote { data } => stream_record_kind(data.0) == Some(KIND_END),
            Self::Tag(_)
            | Self::KeepAlive { .. }
            | Self::StreamStarted
            | Self::StreamStopped
            | Self::Version(_)
            | Self::Booted(_)
            | Self::Program(_)
            | Self::Done { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// Builds the frame.
    ///
    /// # Panics
    /// If the data exceed what one frame can hold.
    #[must_use]
    pub fn emit(&self) -> FrameBuf {
        let success = |opcode| Builder::reply(opcode, Status::SUCCESS);
        match self {
            Self::Tag(record) => return record.emit(),
            Self::KeepAlive { data } => {
                Builder::reply(opcode::READ_MULTIPLE, Status::NO_TAGS).put(data.0)
            }
            Self::StreamNote { data } => success(opcode::READ_MULTIPLE).put(data.0),
            Self::StreamStarted => success(opcode::STREAM).put(&[0x01]),
            Self::StreamStopped => success(opcode::STREAM).put(&[0x02]),
            Self::Version(version) => version.emit(success(opcode::VERSION)),
            Self::Booted(version) => version.emit(success(opcode::BOOT_FIRMWARE)),
            Self::Program(program) => success(opcode::CURRENT_PROGRAM).put(&[*program]),
            Self::Done { opcode, data } => success(*opcode).put(data.0),
            Self::Refused { opcode, status, data } => Builder::reply(*opcode, *status).put(data.0),
        }
        .finish()
    }
}

/// The kind of a record of a continuous read; `None` for the answer to a timed read, which has the
/// same opcode.
pub(in super::super) fn stream_record_kind(data: &[u8]) -> Option<u8> {
    let record = match data {
        [MULTISELECT, rest @ ..] => rest,
        _ => data,
    };
    match *record {
        [_option, high, low, _, _, kind, ..]
            if u16::from_be_bytes([high, low]) & SEARCH_STREAMING != 0 =>
        {
            Some(kind)
        }
        _ => None,
    }
}
