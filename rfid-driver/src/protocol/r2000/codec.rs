//! The "A0" serial protocol of readers around Impinj's R2000 chip: Invelion IND903 and YR903,
//! `RodinBell` M, D and S series, YR8900, and many fixed readers with four or eight ports.
//!
//! ```text
//! both ways  A0 | LEN | ADR | CMD | payload | CHK
//! ```
//!
//! LEN counts what follows it. CHK makes the sum of all bytes zero modulo 256. All integers are
//! big-endian. ADR is the reader's address, FF in a command for whichever reader listens.
//!
//! One random frame in 256 passes such a check, so a frame counts only if it also *makes sense*:
//! its command is known, its payload has a length that this command has in this direction, and the
//! parts agree with each other (the length in a tag's PC with the bytes of its EPC). What makes
//! sense is what [`Command::parse`] and [`Reply::parse`] understand; they know every frame of the
//! manual, so that nothing legal is refused.
//!
//! All 64 channels that a tag report can name are legal: beyond the 60 of the vendor's table they
//! are of the owner's own list (region 4). Nor is an RSSI outside the vendor's table refused: a
//! capture of a `RodinBell` reader has 67 hex, where the table ends at 62.
//!
//! [`Frame`] is a checked view, [`Command`] and [`Reply`] are its meaning.
//!
//! **Panics.** [`Frame::new_checked`] accepts any bytes and never panics; parsing never panics.
//! Emitting panics only where the caller's data exceed what LEN can count.
//!
//! Deliberately absent: what the manual does not have, namely the vendor's commands for calibration
//! (A0 to AA), for special chips (E1, E4) and for Bluetooth handhelds (F0 to F9).
//!
//! Sources: "UHF RFID Reader Serial Interface Protocol" V2.2 (IND903) and V3.7, `pyImpinj` 1.2, crate
//! `invelion` 0.1.3, the vendor's Java and C# development kits, and captures from real readers.

use crate::codec::{Direction, FieldsError};

mod command;
mod error_code;
mod frame;
mod radio;
mod reply;
mod tag;

pub mod opcode;

pub use command::{Command, FastSwitch, Memory, Slot};
pub use error_code::ErrorCode;
pub use frame::{BROADCAST, Frame, FrameError, FromHost, FromReader, LEN_MAX};
pub use radio::{Region, RssiConvention, channel_khz, channel_of_khz};
pub use reply::Reply;
pub use tag::{
    AccessedTag, BufferedTag, FreqAnt, Phase, PhasePlace, TagReport, fast_tid, with_fast_tid,
};

/// Why an intact frame has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// A reader's frame was to be a command, or a host's a reply.
    #[error("the frame goes {0:?}")]
    Direction(Direction),
    /// No reader knows the command.
    #[error("command {opcode:02x} is not known")]
    UnknownCommand {
        /// The command.
        opcode: u8,
    },
    /// The command never has a payload of this length in this direction.
    #[error("command {opcode:02x} never has {len} bytes of payload")]
    PayloadLength {
        /// The command.
        opcode: u8,
        /// How many bytes.
        len: usize,
    },
    /// A result that is not in the vendor's list.
    #[error("result {code:02x} of command {opcode:02x} is not in the vendor's list")]
    UnknownResult {
        /// The command.
        opcode: u8,
        /// The result.
        code: u8,
    },
    /// The length in the tag's PC is not that of its EPC.
    #[error("the PC says {claimed} bytes of EPC, but there are {found} bytes for it")]
    EpcLength {
        /// By the PC.
        claimed: usize,
        /// Without what else the frame holds.
        found: usize,
    },
    /// A number beyond what it can be.
    #[error("{field} cannot be {value}")]
    Value {
        /// Which.
        field: &'static str,
        /// What it says.
        value: u32,
    },
    /// The payload does not hold its fields.
    #[error(transparent)]
    Fields(#[from] FieldsError),
}

#[cfg(test)]
mod tests;
