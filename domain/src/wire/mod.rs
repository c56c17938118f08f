//! The wire contract: subjects, headers and messages between lane, centre and desk.
//!
//! Messages are JSON; what is signed is the exact payload, its signature travels in the header
//! [`SIGNATURE_HEADER`]. Versions are part of the subject and of every message; version 1 is pinned by
//! golden bytes in `v1/tests.rs`, which never change.

pub mod field_io;
pub mod subject;
pub mod v1;

/// The header that carries the base64 Ed25519 signature of the payload.
pub const SIGNATURE_HEADER: &str = "Etc-Signature";

/// The largest message a lane or the centre sends, in bytes.
pub const MESSAGE_LEN_MAX: usize = 64 * 1024;
