//! What a reader says about a tag, whatever protocol it said it in.
//!
//! An EPC identifies a vehicle and with it a person: it is shown only where somebody asks for it
//! by [`Epc`]'s `Display`; `Debug` never prints it.

use std::fmt;
use std::time::Instant;

/// One report of a reader that a tag was in its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRead {
    /// The tag's identity.
    pub epc: Epc,
    /// The protocol control word that precedes the EPC in the tag's memory.
    pub pc: u16,
    /// The antenna port that heard the tag, counted from 1.
    pub antenna: u8,
    /// How strong the tag's answer was.
    pub rssi_dbm: i8,
    /// The carrier on which it was read, where the reader says so.
    pub frequency_khz: Option<u32>,
    /// The phase of the tag's answer, 0 to 180, where the reader says so.
    pub phase_deg: Option<u16>,
    /// How many reads this report stands for.
    pub read_count: u8,
    /// Milliseconds on the reader's clock. It restarts with every start of reading, so two reads
    /// compare only within one stay in [`crate::session::ReaderState::Reading`].
    pub reader_timestamp_ms: Option<u32>,
    /// The host's instant right after the read(2) that completed the frame.
    pub at: Instant,
}

/// A tag's electronic product code: 2 to 62 bytes (16 to 496 bits).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epc {
    // Unused bytes are zero, so that the derived comparisons hold.
    bytes: [u8; Self::LEN_MAX],
    len: u8,
}

/// Why bytes are not an EPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an EPC has 2 to 62 bytes, not {len}")]
pub struct EpcError {
    len: usize,
}

impl Epc {
    /// The shortest EPC, in bytes.
    pub const LEN_MIN: usize = 2;
    /// The longest EPC, in bytes: the length field of the protocol control word has five bits and
    /// counts words.
    pub const LEN_MAX: usize = 62;

    /// Takes an EPC from its bytes.
    ///
    /// # Errors
    /// Refuses a length outside 2 to 62.
    pub fn try_from_slice(epc: &[u8]) -> Result<Self, EpcError> {
        let error = EpcError { len: epc.len() };
        let len = u8::try_from(epc.len()).map_err(|_too_long| error)?;
        if !(Self::LEN_MIN..=Self::LEN_MAX).contains(&epc.len()) {
            return Err(error);
        }
        let mut bytes = [0; Self::LEN_MAX];
        bytes[..epc.len()].copy_from_slice(epc);
        Ok(Self { bytes, len })
    }

    /// The EPC's bytes, as the tag holds them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Upper-case hex. For a person who asked; never for a log.
impl fmt::Display for Epc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Epc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epc({} bytes, withheld)", self.len)
    }
}

#[cfg(test)]
mod tests;
