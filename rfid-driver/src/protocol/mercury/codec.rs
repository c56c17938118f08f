//! The Mercury serial protocol of ThingMagic/JADAK modules (M5e, M6e, Micro, Nano, M7e) and of the
//! modules that copy it (Silion).
//!
//! ```text
//! host to reader  FF | LEN | OP          | data[LEN] | CRC CRC
//! reader to host  FF | LEN | OP | ST ST  | data[LEN] | CRC CRC
//! ```
//!
//! All integers are big-endian; LEN is at most F8. [`Frame`] is a checked view of one such frame,
//! [`Command`] and [`Reply`] are what it means to a session that reads continuously. Everything else
//! passes through as [`Command::Other`] and [`Reply::Done`], so that parsing and emitting loses
//! nothing; [`Operation`] and [`Answer`] understand most of it.
//!
//! **Panics.** [`Frame::new_checked`] accepts any bytes and never panics; the accessors of a `Frame`
//! cannot, because only checked bytes become one. Parsing never panics. Emitting panics only where
//! its documentation says so: when the caller's data exceeds what LEN can count.
//!
//! Sources: `MercuryAPI` C 1.35 and 1.37 (`serial_reader_l3.c`, `serial_reader.c`, `tmr_status.h`),
//! M6e User Guide, and captures from real modules.

use crate::codec::FieldsError;

mod command;
mod reply;
mod search;
mod record;
mod operation;
mod answer;
mod tags;
mod statistics;
mod frame;
mod status;
mod crc;

pub mod opcode;

pub use answer::{Answer, EmbeddedOutcome, Found, FoundTags, PowerLimits};
pub use command::Command;
pub use frame::{Frame, FrameError, FromHost, FromReader, LEN_MAX};
pub use operation::{AntennaQuery, Moduletech, Operation, PowerQuery, StatisticsRequest};
pub use record::{EmbeddedData, MetadataFlags, TagRecord};
pub use reply::{Reply, VersionInfo};
pub use search::{EmbeddedRead, StreamRequest};
pub use statistics::{Statistic, Statistics};
pub use status::Status;
pub use tags::{SilionForm, SilionTag, SingleForm, SingleTag, TagBuffer};

pub(super) use record::{KIND_END, KIND_STATUS, KIND_TAG, MULTISELECT};
pub(super) use reply::stream_record_kind;
pub(super) use search::{
    SEARCH_DUTY_CYCLE, SEARCH_EMBEDDED, SEARCH_STATISTICS, SEARCH_STATUS, SEARCH_TAGS_WANTED,
};
pub(super) use statistics::{Entry, take_flag};

/// The tag protocol number of ISO 18000-6C ("Gen2").
pub const PROTOCOL_GEN2: u16 = 0x0005;
/// The configuration key of the read filter, which makes the module report each tag only once.
pub const CONFIG_READ_FILTER: u8 = 0x0C;
/// The configuration key that makes the module report signal strength in dBm.
pub const CONFIG_RSSI_IN_DBM: u8 = 0x09;
/// What opcode 0C answers while the boot loader runs.
pub const PROGRAM_BOOT_LOADER: u8 = 0x11;
/// What opcode 0C answers while the application runs.
pub const PROGRAM_APPLICATION: u8 = 0x12;

/// Why a well-framed message has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// The frame goes the other way.
    #[error("frame of the other direction")]
    Direction,
    /// The data do not hold the fields they should.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// A metadata flag whose width nobody has published.
    #[error("metadata flags {flags:04x} hold an unknown field")]
    UnknownMetadata {
        /// The flags as received.
        flags: u16,
    },
    /// The length of the EPC field cannot hold a protocol control word and a checksum.
    #[error("an EPC field of {bits} bits")]
    EpcBits {
        /// The length as received.
        bits: u16,
    },
}

#[cfg(test)]
mod tests;
