//! What a reader says about a tag, whatever protocol it said it in.
//!
//! An EPC identifies a vehicle and with it a person: it is shown only where somebody asks for it
//! by [`Epc`]'s `Display`; `Debug` never prints it.

use std::fmt;
use std::time::Instant;

/// One report of a reader that a tag was in its field. What a protocol or a reader does not say is
/// `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRead {
    /// The tag's identity.
    pub epc: Epc,
    /// The protocol control word that precedes the EPC in the tag's memory.
    pub pc: Option<u16>,
    /// The extended protocol control words, first and second.
    pub xpc: [Option<u16>; 2],
    /// The chip's own identity, where the tag was asked for it and answered.
    pub tid: Option<Tid>,
    /// The antenna port that heard the tag, counted from 1.
    pub antenna: Option<u8>,
    /// How strong the tag's answer was.
    pub rssi: Option<Rssi>,
    /// The carrier on which it was read.
    pub frequency_khz: Option<u32>,
    /// The phase of the tag's answer, 0 to 180.
    pub phase_deg: Option<u16>,
    /// How many reads this report stands for.
    pub read_count: u16,
    /// Milliseconds on the reader's clock. It restarts with every start of reading, so two reads
    /// compare only within one stay in [`crate::session::ReaderState::Reading`].
    pub reader_timestamp_ms: Option<u32>,
    /// The host's instant right after the read(2) that completed the frame.
    pub at: Instant,
}

impl TagRead {
    /// A report that says nothing but who and when.
    #[must_use]
    pub fn new(epc: Epc, at: Instant) -> Self {
        Self {
            epc,
            pc: None,
            xpc: [None; 2],
            tid: None,
            antenna: None,
            rssi: None,
            frequency_khz: None,
            phase_deg: None,
            read_count: 1,
            reader_timestamp_ms: None,
            at,
        }
    }
}

/// How strong a tag's answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rssi {
    /// In dBm, as the reader says or by the vendor's formula; `None` where the vendor gives none.
    pub dbm: Option<i16>,
    /// The byte on the line: comparable within one reader whatever its unit.
    pub raw: u8,
}

/// Bytes of a tag's memory: kept in place, compared by content, never shown by `Debug`.
macro_rules! tag_memory {
    ($(#[$doc:meta])* $name:ident, $error:ident, $what:literal, $min:literal..=$max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            // Unused bytes are zero, so that the derived comparisons hold.
            bytes: [u8; Self::LEN_MAX],
            len: u8,
        }

        #[doc = concat!("Why bytes are not ", $what, ".")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error("{} has {} to {} bytes, not {len}", $what, $min, $max)]
        pub struct $error {
            len: usize,
        }

        impl $name {
            /// The shortest, in bytes.
            pub const LEN_MIN: usize = $min;
            /// The longest, in bytes.
            pub const LEN_MAX: usize = $max;

            /// Takes it from its bytes.
            ///
            /// # Errors
            /// Refuses fewer bytes than [`Self::LEN_MIN`] and more than [`Self::LEN_MAX`].
            pub fn try_from_slice(slice: &[u8]) -> Result<Self, $error> {
                let error = $error { len: slice.len() };
                let len = u8::try_from(slice.len()).map_err(|_too_long| error)?;
                if !(Self::LEN_MIN..=Self::LEN_MAX).contains(&slice.len()) {
                    return Err(error);
                }
                let mut bytes = [0; Self::LEN_MAX];
                bytes[..slice.len()].copy_from_slice(slice);
                Ok(Self { bytes, len })
            }

            /// Its bytes, as the tag holds them.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.bytes[..usize::from(self.len)]
            }
        }

        /// Upper-case hex. For a person who asked; never for a log.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes, withheld)"), self.len)
            }
        }
    };
}

tag_memory! {
    /// A tag's electronic product code: 2 to 62 bytes (16 to 496 bits). The length field of the
    /// protocol control word has five bits and counts words.
    Epc, EpcError, "an EPC", 2..=62
}

/// The usual EPC, of 96 bits.
impl From<[u8; 12]> for Epc {
    fn from(epc: [u8; 12]) -> Self {
        let mut bytes = [0; Self::LEN_MAX];
        bytes[..epc.len()].copy_from_slice(&epc);
        Self { bytes, len: 12 }
    }
}

tag_memory! {
    /// A tag's TID: what the chip's maker wrote into it for good, 2 to 32 bytes.
    Tid, TidError, "a TID", 2..=32
}

#[cfg(test)]
mod tests;
