//! LLRP, the Low Level Reader Protocol of `EPCglobal`, versions 1.0.1 and 1.1: messages over TCP.
//!
//! ```text
//! message        reserved 3 bits | version 3 | type 10 | length u32 | id u32 | body
//! TLV parameter  reserved 6 bits | type 10 | length u16 | fields | parameters
//! TV parameter   1 | type 7 bits | fields of a length that the type implies
//! ```
//!
//! All integers are big-endian; both lengths count their own header. [`Frame`] is a checked view of
//! one message, [`Message`] is what it means, [`Parameters`] is a checked list of parameters that is
//! walked without allocation. What this crate has no use for passes through as
//! [`Message::Other`] and as parameters that nobody looks into, so that parsing and emitting loses
//! nothing.
//!
//! It is deliberately no complete object model of the standard: the parameters of a message stay
//! bytes until somebody asks for a tag report, an event or a capability. [`layout`] knows the fields
//! of all of them, for people who want to see a message taken apart.
//!
//! **Panics.** [`Frame::new_checked`] and parsing accept any bytes and never panic. Emitting panics
//! only where its documentation says so: when a message would be longer than a [`FrameBuf`].
//!
//! Sources: `EPCglobal`, *Low Level Reader Protocol* 1.0.1 and 1.1 (message and parameter layouts,
//! section "Protocol Data Unit encoding"), read through Wireshark's `packet-llrp.c`, llrpkit 0.3.0
//! and mchesser/llrp-rs, and checked against captures of Impinj readers.
//!
//! [`FrameBuf`]: crate::codec::FrameBuf

use crate::codec::FieldsError;

mod capabilities;
mod event;
mod frame;
mod kind;
mod message;
mod parameter;
mod report;
mod request;
mod status;
mod write;

pub mod layout;

pub use capabilities::{Capabilities, Channels, ReaderConfiguration, Transmitter};
pub use event::{AntennaChange, ConnectionAttempt, ReaderEvent, RoSpecChange, events};
pub use frame::{Frame, FrameError, LEN_MAX, Messages, Version};
pub use kind::MessageKind;
pub use message::Message;
pub use parameter::{Parameter, ParameterKind, Parameters};
pub use report::{ReadResult, TagReport, Timestamp, tag_reports};
pub use request::{InventorySpec, Requested, SetUp, TidSpec};
pub use status::{Status, StatusCode};

/// Why a well-framed message has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// The message goes the other way.
    #[error("message of the other direction")]
    Direction,
    /// The body does not hold the fields it should.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// A parameter's header has bits set that must not be.
    #[error("parameter header {header:04x} has reserved bits set")]
    Reserved {
        /// The header's first two bytes.
        header: u16,
    },
    /// A parameter claims a length that does not fit into what holds it, or not even its header.
    #[error("parameter {kind} claims {len} bytes where {room} are left")]
    ParameterLength {
        /// The type of the parameter.
        kind: u16,
        /// The length it claims, header included.
        len: u16,
        /// How many bytes there are from its header on.
        room: usize,
    },
    /// A parameter without a length whose type is not in the standard, so that nobody knows where
    /// it ends.
    #[error("parameter {kind} without a length is not in the standard")]
    UnknownTv {
        /// The type of the parameter.
        kind: u16,
    },
    /// An answer that does not say how it went.
    #[error("answer without a status")]
    NoStatus,
    /// Parameters inside parameters beyond any that the standard has.
    #[error("parameters nested more than {depth_max} deep")]
    TooDeep {
        /// How deep they may be.
        depth_max: usize,
    },
}

#[cfg(test)]
mod tests;
