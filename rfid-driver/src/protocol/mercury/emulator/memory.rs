//! What a tag keeps: the four Gen2 banks, and what hosts have changed in them.
//!
//! ```text
//! bank 0  kill password u32, access password u32
//! bank 1  check u16, protocol control u16, EPC
//! bank 2  TID; a tag whose TID nobody has told the emulator does not answer
//! bank 3  user memory
//! ```
//!
//! A read may name several banks at once: bits 2 to 5 of the bank's byte, and then each comes as
//! `bank in the high nibble | words | memory` (`serial_reader_l3.c`, `extractGen2MemoryBankValues`).
//!
//! A tag is known by the EPC with which it came into the field, whatever has been written to it
//! since. How many written tags are remembered is bounded.

use std::collections::BTreeMap;

use super::Withheld;
use crate::Epc;
use crate::emulator::{FieldTag, tag_words};
use crate::protocol::mercury::codec::Status;

const USER_LEN: usize = 64;
const RESERVED_LEN: usize = 8;
const WRITTEN_TAGS_MAX: usize = 256;
/// Check and protocol control word.
const EPC_AT: usize = 4;

/// A bank of a tag's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bank {
    Reserved,
    Epc,
    Tid,
    User,
}

impl Bank {
    pub(super) fn from_byte(byte: u8) -> Result<Self, Status> {
        match byte {
            0 => Ok(Self::Reserved),
            1 => Ok(Self::Epc),
            2 => Ok(Self::Tid),
            3 => Ok(Self::User),
            _ => Err(Status::INVALID_VALUE),
        }
    }

    /// Of the ten lock bits, the pair that guards writing: password needed, for good.
    fn lock_shift(self) -> u16 {
        match self {
            Self::Reserved => 6,
            Self::Epc => 4,
            Self::Tid => 2,
            Self::User => 0,
        }
    }
}

/// Which banks a read is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Banks(u8);

impl Banks {
    const SEVERAL: u8 = 0x3C;

    pub(super) fn from_byte(byte: u8) -> Result<Self, Status> {
        match byte & !(Self::SEVERAL | 0x03) {
            0 => Ok(Self(byte)),
            _ => Err(Status::INVALID_VALUE),
        }
    }

    /// Words of these banks; no words means all from the first on.
    pub(super) fn read(
        self,
        tag: &TagImage<'_>,
        first_word: u32,
        words: u8,
        password: u32,
    ) -> Result<Vec<u8>, Status> {
        let first = self.0 & 0x03;
        if self.0 & Self::SEVERAL == 0 {
            return tag.read(Bank::from_byte(first)?, first_word, words, password);
        }
        let mut memories = Vec::new();
        let mut trouble = Status::NO_DATA_READ;
        let named = |bank: &u8| self.0 >> (bank + 2) & 1 == 1 || (*bank == first && first != 0);
        for bank in (0..4).filter(named) {
            // A bank without an answer is left out.
            match tag.read(Bank::from_byte(bank)?, first_word, words, password) {
                Ok(memory) => {
                    let words = u8::try_from(memory.len() / 2).unwrap_or(u8::MAX);
                    memories.extend([bank << 4, words]);
                    memories.extend(memory);
                }
                Err(status) => trouble = status,
            }
        }
        if memories.is_empty() { Err(trouble) } else { Ok(memories) }
    }
}

/// What has been written to a tag.
#[derive(Debug, Clone)]
struct Written {
    epc: Epc,
    reserved: Withheld,
    user: Withheld,
    locks: u16,
    killed: bool,
}

/// The memories that differ from how the tags came.
#[derive(Debug, Default)]
pub(super) struct Memories {
    written: BTreeMap<Epc, Written>,
}

/// One tag as it is now.
#[derive(Debug, Clone, Copy)]
pub(super) struct TagImage<'a> {
    tag: &'a FieldTag,
    written: Option<&'a Written>,
}

impl Memories {
    pub(super) fn image<'a>(&'a self, tag: &'a FieldTag) -> TagImage<'a> {
        TagImage { tag, written: self.written.get(&tag.epc) }
    }

    /// Writes whole words.
    pub(super) fn write(
        &mut self,
        tag: &FieldTag,
        bank: Bank,
        first_word: u32,
        words: &[u8],
        password: u32,
    ) -> Result<(), Status> {
        let image = self.image(tag);
        image.check_password(password)?;
        image.check_lock(bank, password)?;
        let mut memory = image.bank(bank)?;
        if bank == Bank::Epc {
            memory.resize(EPC_AT + Epc::LEN_MAX, 0);
        }
        let start = usize::try_from(first_word).map_or(usize::MAX, |word| word.saturating_mul(2));
        let place = start
            .checked_add(words.len())
            .and_then(|end| memory.get_mut(start..end))
            .ok_or(Status::GEN2_OVERRUN)?;
        place.copy_from_slice(words);
        let kept = self.kept(tag)?;
        match bank {
            Bank::Reserved => kept.reserved = Withheld(memory),
            Bank::User => kept.user = Withheld(memory),
            // The top five bits of the control word count the EPC's words.
            Bank::Epc => {
                let len = usize::from(memory[2] >> 3) * 2;
                kept.epc = Epc::try_from_slice(&memory[EPC_AT..EPC_AT + len])
                    .map_err(|_empty| Status::INVALID_EPC)?;
            }
            Bank::Tid => return Err(Status::GEN2_LOCKED),
        }
        Ok(())
    }

    /// Gives a tag another EPC, of another length if need be.
    pub(super) fn write_epc(
        &mut self,
        tag: &FieldTag,
        epc: &[u8],
        password: u32,
    ) -> Result<(), Status> {
        let image = self.image(tag);
        image.check_password(password)?;
        image.check_lock(Bank::Epc, password)?;
        let epc = Epc::try_from_slice(epc).map_err(|_length| Status::INVALID_EPC)?;
        self.kept(tag)?.epc = epc;
        Ok(())
    }

    pub(super) fn lock(
        &mut self,
        tag: &FieldTag,
        mask: u16,
        action: u16,
        password: u32,
    ) -> Result<(), Status> {
        self.image(tag).check_password(password)?;
        let kept = self.kept(tag)?;
        kept.locks = kept.locks & !mask | action & mask;
        Ok(())
    }

    pub(super) fn kill(&mut self, tag: &FieldTag, password: u32) -> Result<(), Status> {
        // A tag without a kill password cannot be killed (EPC Gen2 v2.1, 6.3.2.12.3.4).
        match self.image(tag).password(0) {
            stored if stored == password && stored != 0 => {
                self.kept(tag)?.killed = true;
                Ok(())
            }
            _ => Err(Status::KILL_FAILED),
        }
    }

    fn kept(&mut self, tag: &FieldTag) -> Result<&mut Written, Status> {
        if self.written.len() >= WRITTEN_TAGS_MAX && !self.written.contains_key(&tag.epc) {
            return Err(Status::WRITE_FAILED);
        }
        Ok(self.written.entry(tag.epc).or_insert_with(|| Written {
            epc: tag.epc,
            reserved: Withheld(vec![0; RESERVED_LEN]),
            user: Withheld(vec![0; USER_LEN]),
            locks: 0,
            killed: false,
        }))
    }
}

impl TagImage<'_> {
    pub(super) fn epc(&self) -> Epc {
        self.written.map_or(self.tag.epc, |written| written.epc)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.written.is_some_and(|written| written.killed)
    }

    pub(super) fn bank(&self, bank: Bank) -> Result<Vec<u8>, Status> {
        match bank {
            Bank::Reserved => {
                Ok(self.written.map_or_else(|| vec![0; RESERVED_LEN], |own| own.reserved.0.clone()))
            }
            Bank::Epc => {
                let epc = self.epc();
                let (control, check) = tag_words(&epc);
                let mut bytes = [check.to_be_bytes(), control.to_be_bytes()].concat();
                bytes.extend_from_slice(epc.as_bytes());
                bytes.resize(bytes.len().next_multiple_of(2), 0);
                Ok(bytes)
            }
            Bank::Tid => {
                let tid = self.tag.tid.as_ref().ok_or(Status::NO_DATA_READ)?;
                Ok(tid.as_bytes().to_vec())
            }
            Bank::User => {
                Ok(self.written.map_or_else(|| vec![0; USER_LEN], |own| own.user.0.clone()))
            }
        }
    }

    /// Words of a bank; no words means all from the first on.
    pub(super) fn read(
        &self,
        bank: Bank,
        first_word: u32,
        words: u8,
        password: u32,
    ) -> Result<Vec<u8>, Status> {
        self.check_password(password)?;
        let memory = self.bank(bank)?;
        let start = usize::try_from(first_word).map_or(usize::MAX, |word| word.saturating_mul(2));
        let rest = memory.get(start..).ok_or(Status::GEN2_OVERRUN)?;
        match usize::from(words) * 2 {
            0 => Ok(rest.to_vec()),
            len => Ok(rest.get(..len).ok_or(Status::GEN2_OVERRUN)?.to_vec()),
        }
    }

    fn check_password(&self, given: u32) -> Result<(), Status> {
        match given == 0 || given == self.password(4) {
            true => Ok(()),
            false => Err(Status::GEN2_AUTHENTICATION),
        }
    }

    fn check_lock(&self, bank: Bank, given: u32) -> Result<(), Status> {
        let locks = self.written.map_or(0, |own| own.locks) >> bank.lock_shift() & 0b11;
        let secured = self.password(4) != 0 && given == self.password(4);
        match locks {
            0b10 if secured => Ok(()),
            0b10 | 0b11 => Err(Status::GEN2_LOCKED),
            _ => Ok(()),
        }
    }

    /// The password at this place of the reserved bank.
    fn password(&self, at: usize) -> u32 {
        let reserved = self.written.map_or(&[][..], |own| &own.reserved.0);
        let bytes = reserved.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |&bytes| u32::from_be_bytes(bytes))
    }
}
