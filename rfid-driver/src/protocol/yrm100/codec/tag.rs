//! What a module passes on of a tag: its identity, and how it was heard.

use crc::{CRC_16_GENIBUS, Crc};

use super::MeaningError;
use super::frame::Builder;
use crate::codec::{Fields, Opaque};

/// The check that a Gen2 tag sends with its EPC (EPC Gen2 v2.1, annex F).
const TAG_CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_GENIBUS);
/// Bit 9 of the PC: the tag sends extended words too.
const EXTENDED: u16 = 0x0200;
/// The top bit of the first extended word: a second follows.
const EXTENDED_AGAIN: u8 = 0x80;

/// PC, extended words and EPC of a tag, as it sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagIdentity<'a> {
    /// Protocol control word.
    pub pc: u16,
    /// Extended protocol control words; none, one or two.
    pub xpc: Opaque<'a>,
    /// The EPC.
    pub epc: Opaque<'a>,
}

impl<'a> TagIdentity<'a> {
    /// Reads the whole of `words`.
    ///
    /// The PC counts the words that follow it. Whether it counts the extended words depends on the
    /// version of the standard that the tag follows, so both are taken.
    pub(super) fn parse(words: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(words);
        let pc = fields.u16("pc")?;
        let found = fields.0.len();
        let counted = usize::from(pc >> 11) * 2;
        let xpc_len = xpc_len(pc, fields.0);
        if found != counted && found != counted + xpc_len {
            return Err(MeaningError::EpcLen { found, counted });
        }
        let xpc = Opaque(fields.bytes(xpc_len, "xpc")?);
        Ok(Self { pc, xpc, epc: Opaque(fields.0) })
    }

    /// Reads one that is preceded by its length in bytes.
    pub(super) fn parse_counted(fields: &mut Fields<'a>) -> Result<Self, MeaningError> {
        let len = fields.u8("identity length")?;
        Self::parse(fields.bytes(usize::from(len), "identity")?)
    }

    pub(super) fn emit(&self, frame: Builder) -> Builder {
        frame.put(&self.pc.to_be_bytes()).put(self.xpc.0).put(self.epc.0)
    }

    pub(super) fn emit_counted(&self, frame: Builder) -> Builder {
        let len = 2 + self.xpc.0.len() + self.epc.0.len();
        self.emit(frame.put(&[u8::try_from(len).expect("an EPC has 62 bytes at most")]))
    }

    /// The extended words, first and second.
    #[must_use]
    pub fn xpc_words(&self) -> [Option<u16>; 2] {
        let word = |at: usize| {
            let word = self.xpc.0.get(at..at + 2)?;
            Some(u16::from_be_bytes([word[0], word[1]]))
        };
        [word(0), word(2)]
    }
}

/// One tag, heard once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagNotice<'a> {
    /// How strong its answer was at the chip's input, in dBm.
    pub rssi_dbm: i8,
    /// Who it is.
    pub identity: TagIdentity<'a>,
    /// The check that it sent.
    pub tag_crc: u16,
}

impl<'a> TagNotice<'a> {
    pub(super) fn parse(parameters: &'a [u8]) -> Result<Self, MeaningError> {
        let mut fields = Fields(parameters);
        let rssi_dbm = fields.i8("rssi")?;
        let words_len = fields.0.len().saturating_sub(2);
        let identity = TagIdentity::parse(fields.bytes(words_len, "identity")?)?;
        let tag_crc = fields.u16("tag crc")?;
        Ok(Self { rssi_dbm, identity, tag_crc })
    }

    pub(super) fn emit(&self, frame: Builder) -> Builder {
        let frame = self.identity.emit(frame.put(&self.rssi_dbm.to_be_bytes()));
        frame.put(&self.tag_crc.to_be_bytes())
    }

    /// The check that belongs to this identity. A module passes on no tag whose check is another.
    #[must_use]
    pub fn computed_crc(&self) -> u16 {
        let mut digest = TAG_CRC.digest();
        digest.update(&self.identity.pc.to_be_bytes());
        digest.update(self.identity.xpc.0);
        digest.update(self.identity.epc.0);
        digest.finalize()
    }
}

fn xpc_len(pc: u16, after_pc: &[u8]) -> usize {
    match after_pc {
        [first, _, _, _, ..] if pc & EXTENDED != 0 && first & EXTENDED_AGAIN != 0 => 4,
        [_, _, ..] if pc & EXTENDED != 0 => 2,
        _ => 0,
    }
}
