//! The memory of tags: reading it, and writing EPC and user memory.

use super::UhfReaderDevice;
use super::reading::tid_of;
use crate::Epc;
use crate::codec::Fields;
use crate::emulator::{FieldTag, tag_words};
use crate::protocol::uhfreader::codec::{Status, opcode};

/// Bytes of user memory that a tag has.
const USER_LEN: usize = 64;
const BANK_RESERVED: u8 = 0;
const BANK_EPC: u8 = 1;
const BANK_TID: u8 = 2;
const BANK_USER: u8 = 3;
/// In place of the EPC's length: a mask chooses the tag.
const BY_MASK: u8 = 0xFF;
const WORDS_MAX: u8 = 120;
/// Two passwords of four bytes, both zero.
const RESERVED: [u8; 8] = [0; 8];

/// What hosts have written into a tag's user memory.
#[derive(Debug, Clone)]
pub(super) struct UserMemory([u8; USER_LEN]);

impl UhfReaderDevice {
    /// The EPC that the tag has now.
    pub(super) fn epc_of(&self, tag: &FieldTag) -> Epc {
        self.written_epcs.get(&tag.epc).copied().unwrap_or(tag.epc)
    }

    /// Does a command to a tag; `None` where it is none.
    pub(super) fn access_tag(
        &mut self,
        opcode: u8,
        data: &[u8],
    ) -> Option<Result<Vec<u8>, Status>> {
        let mut fields = Fields(data);
        match opcode {
            opcode::READ_DATA => Some(self.read_memory(&mut fields)),
            opcode::WRITE_DATA | opcode::BLOCK_WRITE => {
                Some(self.write_memory(&mut fields).map(|()| Vec::new()))
            }
            opcode::WRITE_EPC => Some(self.write_epc(&mut fields).map(|()| Vec::new())),
            // Its kill password is zero, as it left the factory.
            opcode::KILL => Some(Err(Status::KILL_PASSWORD_ZERO)),
            opcode::LOCK => Some(Err(Status::EXECUTION)),
            _ => None,
        }
    }

    /// The tag with this EPC, or any where it is empty.
    fn find(&self, epc: &[u8]) -> Result<FieldTag, Status> {
        let is_it = |tag: &&FieldTag| epc.is_empty() || self.epc_of(tag).as_bytes() == epc;
        self.field.iter().find(is_it).copied().ok_or(Status::NO_TAG)
    }

    fn read_memory(&self, fields: &mut Fields<'_>) -> Result<Vec<u8>, Status> {
        let short = |_| Status::WRONG_LENGTH;
        let epc_words = fields.u8("epc length").map_err(short)?;
        let tag = self.find(epc_field(fields, epc_words)?)?;
        let bank = fields.u8("memory").map_err(short)?;
        let first = fields.u8("first word").map_err(short)?;
        let words = fields.u8("words").map_err(short)?;
        fields.bytes(4, "password").map_err(short)?;
        if bank > BANK_USER || !(1..=WORDS_MAX).contains(&words) {
            return Err(Status::PARAMETER);
        }
        let memory = self.bank(&tag, bank);
        let from = 2 * usize::from(first);
        let to = from + 2 * usize::from(words);
        memory.get(from..to).map(<[u8]>::to_vec).ok_or(Status::TAG_ERROR)
    }

    /// All that stands in one of the tag's memories.
    pub(super) fn bank(&self, tag: &FieldTag, bank: u8) -> Vec<u8> {
        match bank {
            BANK_RESERVED => RESERVED.to_vec(),
            BANK_EPC => {
                let epc = self.epc_of(tag);
                let (pc, check) = tag_words(&epc);
                [&check.to_be_bytes(), &pc.to_be_bytes(), epc.as_bytes()].concat()
            }
            BANK_TID => tid_of(tag),
            _ => {
                let written = self.user_memories.get(&tag.epc);
                written.map_or(vec![0; USER_LEN], |memory| memory.0.to_vec())
            }
        }
    }

    fn write_memory(&mut self, fields: &mut Fields<'_>) -> Result<(), Status> {
        let short = |_| Status::WRONG_LENGTH;
        let words = fields.u8("words").map_err(short)?;
        let epc_words = fields.u8("epc length").map_err(short)?;
        let tag = self.find(epc_field(fields, epc_words)?)?;
        let bank = fields.u8("memory").map_err(short)?;
        let first = usize::from(fields.u8("first word").map_err(short)?);
        let written = fields.bytes(2 * usize::from(words), "written").map_err(short)?;
        fields.bytes(4, "password").map_err(short)?;
        match bank {
            BANK_EPC => {
                let epc = self.epc_of(&tag);
                let mut bytes = epc.as_bytes().to_vec();
                // Check and protocol control come first.
                let from = (2 * first).checked_sub(4).ok_or(Status::TAG_ERROR)?;
                let place = bytes.get_mut(from..from + written.len()).ok_or(Status::TAG_ERROR)?;
                place.copy_from_slice(written);
                self.set_epc(&tag, &bytes)
            }
            BANK_USER => {
                let memory = self.user_memories.entry(tag.epc).or_insert(UserMemory([0; USER_LEN]));
                let place = memory.0.get_mut(2 * first..2 * first + written.len());
                place.ok_or(Status::TAG_ERROR)?.copy_from_slice(written);
                Ok(())
            }
            BANK_RESERVED | BANK_TID => Err(Status::TAG_ERROR),
            _ => Err(Status::PARAMETER),
        }
    }

    fn write_epc(&mut self, fields: &mut Fields<'_>) -> Result<(), Status> {
        let short = |_| Status::WRONG_LENGTH;
        let words = fields.u8("epc length").map_err(short)?;
        fields.bytes(4, "password").map_err(short)?;
        let epc = fields.bytes(2 * usize::from(words), "epc").map_err(short)?;
        let tag = self.find(&[])?;
        self.set_epc(&tag, epc)
    }

    fn set_epc(&mut self, tag: &FieldTag, epc: &[u8]) -> Result<(), Status> {
        let epc = Epc::try_from_slice(epc).map_err(|_wrong_len| Status::PARAMETER)?;
        self.written_epcs.insert(tag.epc, epc);
        Ok(())
    }
}

fn epc_field<'a>(fields: &mut Fields<'a>, words: u8) -> Result<&'a [u8], Status> {
    match words {
        BY_MASK => Ok(&[]),
        words => fields.bytes(2 * usize::from(words), "epc").map_err(|_short| Status::WRONG_LENGTH),
    }
}
