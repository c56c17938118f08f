//! The serial protocol of the M100/QM100 chip: modules `YRM100x` and JRD-4035, and R200.
//!
//! ```text
//! BB | type | command | length (2) | parameters | sum | 7E      YRM100
//! AA | type | command | length (2) | parameters | sum | DD      R200
//!
//! type  00 command, 01 answer, 02 notice (of a tag)
//! sum   the low byte of the sum from type to the last parameter
//! tag   RSSI (dBm, signed) | PC (2) | EPC | the tag's own check (2)
//! ```
//!
//! All integers are big-endian. [`Frame`] is a checked view of one frame, [`Command`] and [`Reply`]
//! are what it means; what the manual does not know passes through as [`Command::Other`] and
//! [`Reply::Other`], so that parsing and emitting loses nothing.
//!
//! A sum of eight bits lets one damaged frame in 256 through. [`Frame::new_checked`] believes it,
//! for somebody who shows us one frame. In a stream ([`FromReader`]) it does not do: there a frame
//! must also be one that the manual knows, as long as the manual says, and a report of a tag must
//! agree with the length in its PC and with the tag's own CRC-16, which the module has checked
//! before it reports the tag.
//!
//! **Panics.** [`Frame::new_checked`] accepts any bytes and never panics; the accessors of a `Frame`
//! cannot, because only checked bytes become one. Parsing never panics. Emitting panics only where
//! its documentation says so: when the caller's data exceed what a frame can hold.
//!
//! Sources: "R200 user protocol V2.3.3" (shipped with the crate `r200_uhf`), "Unit RFID UHF
//! Protocol" of `M5Stack` for the JRD-4035 (shipped with the crate `uhf-rfid`), and captures from
//! real modules. Ten of the manuals' own examples have a wrong sum or type.

use crate::codec::FieldsError;

mod command;
mod error_code;
mod frame;
mod parts;
mod plausible;
mod reply;
mod tag;

pub mod opcode;

pub use command::Command;
pub use error_code::ErrorCode;
pub use frame::{Frame, FrameError, FrameKind, FromHost, FromReader, LEN_MAX, Marks};
pub use parts::{Access, Demodulator, Password, PinOperation, Select};
pub use reply::{Reply, SetOutcome};
pub use tag::{TagIdentity, TagNotice};

/// Why a well-framed message has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// The frame goes the other way.
    #[error("frame of the other direction")]
    Direction,
    /// The parameters do not hold the fields they should.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// The tag's protocol control word counts other words than there are.
    #[error("an EPC of {found} bytes where the PC counts {counted}")]
    EpcLen {
        /// How many bytes there are.
        found: usize,
        /// How many the PC counts.
        counted: usize,
    },
}

#[cfg(test)]
mod tests;
