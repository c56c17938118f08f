//! The memory of the tags in the field, as far as hosts read and write it.

use std::collections::BTreeMap;

use crate::Epc;
use crate::emulator::{FieldTag, tag_words};
use crate::protocol::r2000::codec::{ErrorCode, Memory};

const RESERVED: u8 = 0;
const EPC: u8 = 1;
const TID: u8 = 2;
const USER: u8 = 3;
const PASSWORD_LEN: usize = 4;
const USER_LEN: usize = 64;
/// CRC and PC stand before the EPC.
const EPC_AT: usize = 4;
const EPC_BANK_LEN: usize = EPC_AT + Epc::LEN_MAX;

/// One tag's.
#[derive(Clone)]
pub(super) struct TagMemory {
    /// The EPC that the field knows it by.
    pub(super) made_with: Epc,
    /// The EPC that it has.
    pub(super) epc: Epc,
    pub(super) killed: bool,
    tid: Vec<u8>,
    user: [u8; USER_LEN],
    /// Kill password, access password.
    reserved: [u8; 2 * PASSWORD_LEN],
    /// By the vendor's number of what is locked: the action.
    locks: BTreeMap<u8, u8>,
}

/// It holds an EPC and passwords.
impl std::fmt::Debug for TagMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TagMemory").field("killed", &self.killed).finish_non_exhaustive()
    }
}

impl TagMemory {
    pub(super) fn new(tag: &FieldTag) -> Self {
        Self {
            made_with: tag.epc,
            epc: tag.epc,
            killed: false,
            tid: tag.tid.map(|tid| tid.as_bytes().to_vec()).unwrap_or_default(),
            user: [0; USER_LEN],
            reserved: [0; 2 * PASSWORD_LEN],
            locks: BTreeMap::new(),
        }
    }

    pub(super) fn read(&self, memory: Memory, password: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        self.check_password(password)?;
        let bank = self.bank(memory.bank)?;
        let (from, to) = range(memory);
        match bank.get(from..to) {
            Some(words) if !words.is_empty() => Ok(words.to_vec()),
            _ => Err(ErrorCode::TAG_READ),
        }
    }

    pub(super) fn write(
        &mut self,
        memory: Memory,
        data: &[u8],
        password: &[u8],
    ) -> Result<(), ErrorCode> {
        self.check_password(password)?;
        let lock_of_bank = match memory.bank {
            RESERVED if memory.address < 2 => 5,
            RESERVED => 4,
            EPC => 3,
            TID => return Err(ErrorCode::TAG_WRITE),
            _ => 1,
        };
        let open_to = self.reserved[PASSWORD_LEN..] == *password && password != [0; PASSWORD_LEN];
        match self.locks.get(&lock_of_bank) {
            Some(3) => return Err(ErrorCode::TAG_WRITE),
            Some(1) if !open_to => return Err(ErrorCode::TAG_WRITE),
            _ => {}
        }
        let (from, to) = range(memory);
        let mut bank = self.bank(memory.bank)?;
        if memory.bank == EPC {
            bank.resize(EPC_BANK_LEN, 0);
        }
        bank.get_mut(from..to).ok_or(ErrorCode::TAG_WRITE)?.copy_from_slice(data);
        match memory.bank {
            RESERVED => self.reserved.copy_from_slice(&bank),
            EPC => {
                let len = usize::from(bank[2] >> 3) * 2;
                let epc = bank.get(EPC_AT..EPC_AT + len).ok_or(ErrorCode::TAG_WRITE)?;
                self.epc = Epc::try_from_slice(epc).map_err(|_empty| ErrorCode::TAG_WRITE)?;
            }
            _ => self.user.copy_from_slice(&bank),
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, bank: u8, action: u8, password: &[u8]) -> Result<(), ErrorCode> {
        self.check_password(password)?;
        if !(1..=5).contains(&bank) {
            return Err(ErrorCode::LOCK_REGION);
        }
        if action > 3 {
            return Err(ErrorCode::LOCK_ACTION);
        }
        // For ever is for ever.
        match self.locks.get(&bank) {
            Some(2 | 3) => Err(ErrorCode::TAG_LOCK),
            _ => {
                self.locks.insert(bank, action);
                Ok(())
            }
        }
    }

    /// A tag without a kill password cannot be killed.
    pub(super) fn kill(&mut self, password: &[u8]) -> Result<(), ErrorCode> {
        if self.reserved[..PASSWORD_LEN] != *password || password == [0; PASSWORD_LEN] {
            return Err(ErrorCode::TAG_KILL);
        }
        self.killed = true;
        Ok(())
    }

    /// Without one, or with zeros, a host does not try to open the tag.
    fn check_password(&self, password: &[u8]) -> Result<(), ErrorCode> {
        let given = !password.is_empty() && password != [0; PASSWORD_LEN];
        if given && self.reserved[PASSWORD_LEN..] != *password {
            return Err(ErrorCode::PASSWORD);
        }
        Ok(())
    }

    fn bank(&self, bank: u8) -> Result<Vec<u8>, ErrorCode> {
        Ok(match bank {
            RESERVED => self.reserved.to_vec(),
            EPC => {
                let (pc, crc) = tag_words(&self.epc);
                [&crc.to_be_bytes()[..], &pc.to_be_bytes(), self.epc.as_bytes()].concat()
            }
            TID => self.tid.clone(),
            USER => self.user.to_vec(),
            _ => return Err(ErrorCode::MEMORY_BANK),
        })
    }
}

fn range(memory: Memory) -> (usize, usize) {
    let from = usize::from(memory.address) * 2;
    (from, from + usize::from(memory.words) * 2)
}
