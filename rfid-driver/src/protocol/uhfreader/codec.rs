//! The serial protocol of `UHFReader18` and `UHFReader288` (Chafon CF-RU and CF-MU readers, Wyuan,
//! FRD950 and many other names).
//!
//! ```text
//! host to reader  LEN | ADR | CMD            | data | CRC CRC
//! reader to host  LEN | ADR | reCMD | STATUS | data | CRC CRC
//! ```
//!
//! LEN counts everything after itself. There is no start byte: a frame is found by its check alone,
//! and by what its header can plausibly say ([`FromReader`]). The check is CRC-16/MCRF4XX, low byte
//! first; other numbers are big-endian. The direction is not in the bytes.
//!
//! A **dialect** is the older form (18: an inventory lists only EPCs) or the newer one (288: antenna
//! and signal strength too). Both use the same commands; the reader says neither, so a list of tags
//! is taken for the form whose parts add up exactly.
//!
//! [`Frame`] is a checked view of one frame, [`Command`] and [`Reply`] are what it means. What this
//! crate has no use for passes through as [`Command::Other`] and [`Reply::Done`], so that parsing and
//! emitting loses nothing. The signal strength has no unit: no manual gives a formula for dBm.
//!
//! **Panics.** [`Frame::new_checked`] accepts any bytes and never panics; the accessors of a `Frame`
//! cannot, because only checked bytes become one. Parsing never panics. Emitting panics only where
//! its documentation says so: when the caller's data exceed what LEN can count.
//!
//! Sources: `UHFReader18` User's Manual V2.0 (also as ZK-RFID102 V2.0), chapters 3 to 8; `UHFReader288MP`
//! User Manual V1.14 (also as UR Series V1.14) and V2.20, chapters 3 to 8; what clients of real readers
//! do (wabson/chafon-rfid, `WyuanReader` of `omnitag`, `uhfreader18`, `ru5102`); captures from real readers.

use crate::codec::FieldsError;

mod command;
mod crc;
mod frame;
mod info;
mod reply;
mod status;
mod tags;

pub mod opcode;

pub use command::{Command, Express, InventoryRequest, Mask, QFlags, baud_code, baud_of_code};
pub use frame::{ADDRESS_BROADCAST, Frame, FrameError, FromHost, FromReader, LEN_MAX};
pub use info::{Band, ReaderInfo};
pub use reply::Reply;
pub use status::Status;
pub(super) use status::tag_error_name;
pub use tags::{Dialect, TagBlock, TagList, antenna_of_byte};

/// Why a well-framed message has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// The frame goes the other way.
    #[error("frame of the other direction")]
    Direction,
    /// The data do not hold the fields they should.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// The lengths in a list of tags contradict the length of the frame, in either dialect.
    #[error("the list of tags does not add up")]
    Tags,
}

#[cfg(test)]
mod tests;
