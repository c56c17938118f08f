//! Readers made of software: the other end of the line, for tests, simulators and demonstrations.
//!
//! An emulator speaks its protocol with the same codec as the driver and behaves as the real module
//! does, its unpleasant habits included. It has no input, output or clock of its own; [`pty`] puts
//! one on a pseudo-terminal, where any client can open it as a serial port.
//!
//! It does not move vehicles: somebody else says which tags are in the field.

use crate::Epc;

pub mod mercury;
pub mod pty;

/// A tag in a reader's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldTag {
    /// Its identity.
    pub epc: Epc,
    /// How strong its answer is, before the jitter that the emulator adds.
    pub rssi_dbm: i8,
    /// The antenna port that hears it, counted from 1.
    pub antenna: u8,
}
