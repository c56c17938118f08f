//! The frames of SW-net readers.
//!
//! ```text
//! host to reader  53 57 | length (2) | address | command          | data | check
//! reader to host  43 54 | length (2) | address | command | status | data | check
//!
//! length  of everything after itself
//! check   what makes the sum of the whole frame zero, in eight bits
//! tag     length of the rest | type (01) | antenna | EPC | RSSI
//! ```
//!
//! All integers are big-endian. What reports tags and what answers the simple questions is
//! understood; the rest passes through as [`Command::Other`] and [`Reply::Done`], so that parsing and
//! emitting loses nothing. In a stream a frame must also carry a command that the manual knows, and
//! reports of tags must fill their frame exactly: eight bits of sum are not enough.
//!
//! **Panics.** [`Frame::new_checked`] accepts any bytes and never panics; parsing never panics.
//! Emitting panics where the frame would exceed [`FrameBuf::LEN_MAX`](crate::codec::FrameBuf::LEN_MAX):
//! a report of more than some thirty tags can be read but not built.
//!
//! Source: "UHF RFID Reader User's Manual V2.0". Its answer to "check module" has a length of five
//! where four bytes follow; that is refused like any other wrong length.

use crate::codec::FieldsError;

mod command;
mod frame;
mod reply;

pub mod opcode;

pub use command::Command;
pub use frame::{Frame, FrameError, FromHost, FromReader, LEN_MAX};
pub use reply::{Reply, TagRecord, TagRecords};

/// Why a well-framed message has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// The frame goes the other way.
    #[error("frame of the other direction")]
    Direction,
    /// The data do not hold the fields they should.
    #[error(transparent)]
    Fields(#[from] FieldsError),
}

#[cfg(test)]
mod tests;
