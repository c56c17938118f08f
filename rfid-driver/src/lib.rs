//! A driver for UHF RFID readers on serial lines: bytes on a wire in, tags seen out.
//!
//! It knows tags, not tolls. It does not know vehicles, lanes or accounts, and neither filters nor
//! merges reads: every read that a reader reports is handed on at once.
//!
//! Words:
//!
//! * a **frame** is one checked message of a reader's protocol ([`codec`]),
//! * the **deframer** cuts frames out of a stream that may hold noise ([`deframe`]),
//! * a **session** is the conversation that makes a reader read, without any input or output of
//!   its own ([`session`]),
//! * the **supervisor** gives a session a thread and a port and keeps it going ([`supervisor`]),
//! * a **tag read** is one report that a tag was in the field ([`TagRead`]),
//! * a **sighting** is one tag's stay in the field, made of its reads by whoever wants that
//!   ([`sighting`]); a **layout** is what an EPC says about its issuer ([`tag_layout`]),
//! * a **gap** is a span of time in which tags may have passed unreported ([`session::Gap`]),
//! * an **emulator** is the other end of the line: a reader made of software ([`emulator`]).
//!
//! Where the next thing goes: a protocol is one folder in `protocol/` and one line in its list.

pub mod codec;
pub mod deframe;
pub mod emulator;
pub mod line;
pub mod port;
pub mod protocol;
pub mod session;
pub mod sighting;
pub mod supervisor;
pub mod tag_layout;
pub mod tcp_line;

mod clock;
mod tag_read;

pub use tag_read::{Epc, EpcError, Rssi, TagRead, Tid, TidError};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
