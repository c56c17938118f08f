//! The memory of the tags in the field: what hosts have written into them.

use std::collections::BTreeMap;

use super::super::codec::{Access, Command, ErrorCode, Password, Reply, TagIdentity, opcode};
use crate::Epc;
use crate::codec::Opaque;
use crate::emulator::{FieldTag, tag_words};

const BANK_RESERVED: u8 = 0;
const BANK_EPC: u8 = 1;
const BANK_TID: u8 = 2;
const BANK_USER: u8 = 3;
/// Kill password, then access password.
const RESERVED_LEN: usize = 8;
const USER_LEN: usize = 64;
/// Errors of a tag, in the low half of a code (EPC Gen2, annex I).
const OTHER: u8 = 0x0;
const OVERRUN: u8 = 0x3;
const LOCKED: u8 = 0x4;
/// What was tried, in the high half.
const READ: u8 = 0xA0;
const WRITE: u8 = 0xB0;
const KILL: u8 = 0xD0;

/// What has been done to one tag.
#[derive(Debug, Clone)]
struct Memory {
    reserved: [u8; RESERVED_LEN],
    user: [u8; USER_LEN],
    // Where it has been written.
    epc: Option<Epc>,
    killed: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { reserved: [0; RESERVED_LEN], user: [0; USER_LEN], epc: None, killed: false }
    }
}

impl Memory {
    fn password(&self, at: usize) -> u32 {
        let [.., a, b, c, d] = self.reserved[..at + 4] else { return 0 };
        u32::from_be_bytes([a, b, c, d])
    }
}

/// The memories, by the EPC that the owner of the field gave each tag.
#[derive(Debug, Default)]
pub(super) struct Memories {
    by_epc: BTreeMap<Epc, Memory>,
    // From the EPC that a tag has now to the one that it was given.
    given: BTreeMap<Epc, Epc>,
}

impl Memories {
    /// The tag as hosts have left it; `None` where they have killed it.
    pub(super) fn now(&self, tag: FieldTag) -> Option<FieldTag> {
        match self.by_epc.get(&tag.epc) {
            None => Some(tag),
            Some(memory) if memory.killed => None,
            Some(memory) => Some(FieldTag { epc: memory.epc.unwrap_or(tag.epc), ..tag }),
        }
    }

    /// Does to a tag what it is told; `None` where no tag takes part. The answer borrows the tag.
    pub(super) fn access<'a>(
        &mut self,
        tag: Option<&'a FieldTag>,
        command: &Command<'_>,
    ) -> Answer<'a> {
        let failed = match command {
            Command::ReadMemory(_) => ErrorCode::READ_FAILED,
            Command::WriteMemory { .. } => ErrorCode::WRITE_FAILED,
            Command::Lock { .. } => ErrorCode::LOCK_FAILED,
            Command::Kill { .. } => ErrorCode::KILL_FAILED,
            Command::NxpReadProtect { reset: 0, .. } => ErrorCode::READ_PROTECT_FAILED,
            Command::NxpReadProtect { .. } => ErrorCode::READ_PROTECT_RESET_FAILED,
            Command::NxpChangeEas { .. } => ErrorCode::CHANGE_EAS_FAILED,
            Command::NxpEasAlarm => ErrorCode::EAS_ALARM_FAILED,
            Command::NxpChangeConfig { .. } => ErrorCode::CHANGE_CONFIG_FAILED,
            Command::MonzaQt { .. } => ErrorCode::QT_FAILED,
            Command::BlockPermalock { .. } => ErrorCode::BLOCK_PERMALOCK_FAILED,
            _ => ErrorCode::INVALID_COMMAND,
        };
        let Some(tag) = tag else { return Answer::Refused(failed, None) };
        let given = self.given.get(&tag.epc).copied().unwrap_or(tag.epc);
        let memory = self.by_epc.entry(given).or_default();
        let done = |command| Answer::Accessed { command, tag };
        match *command {
            Command::ReadMemory(Access { password, .. })
            | Command::WriteMemory { access: Access { password, .. }, .. }
            | Command::Lock { password, .. }
                if denied(memory, password) =>
            {
                Answer::Refused(ErrorCode::ACCESS_DENIED, Some(tag))
            }
            Command::ReadMemory(access) => match read(memory, tag, access) {
                Some(data) => Answer::Memory { tag, data },
                None => Answer::Refused(ErrorCode(READ | OVERRUN), Some(tag)),
            },
            Command::WriteMemory { access, data } => match write(memory, tag, access, data.0) {
                Ok(()) => {
                    if let Some(epc) = memory.epc {
                        self.given.insert(epc, given);
                    }
                    done(opcode::WRITE_MEMORY)
                }
                Err(error) => Answer::Refused(ErrorCode(WRITE | error), Some(tag)),
            },
            Command::Lock { .. } => done(opcode::LOCK),
            Command::Kill { password: Password(password) } => match memory.password(0) {
                // A tag whose kill password is zero cannot be killed.
                0 => Answer::Refused(ErrorCode(KILL | OTHER), Some(tag)),
                kill if kill == password => {
                    memory.killed = true;
                    done(opcode::KILL)
                }
                _ => Answer::Refused(ErrorCode::KILL_FAILED, None),
            },
            _ => Answer::Refused(failed, None),
        }
    }
}

/// What a tag answered.
#[derive(Debug)]
pub(super) enum Answer<'a> {
    Memory { tag: &'a FieldTag, data: Vec<u8> },
    Accessed { command: u8, tag: &'a FieldTag },
    Refused(ErrorCode, Option<&'a FieldTag>),
}

impl Answer<'_> {
    pub(super) fn emit(&self, marks: super::Marks) -> crate::codec::FrameBuf {
        match self {
            Self::Memory { tag, data } => {
                Reply::Memory { tag: identity(&tag.epc).0, data: Opaque(data) }.emit(marks)
            }
            Self::Accessed { command, tag } => Reply::Accessed {
                command: *command,
                tag: identity(&tag.epc).0,
                result: Opaque(&[0]),
            }
            .emit(marks),
            Self::Refused(code, tag) => {
                let tag = tag.map(|tag| identity(&tag.epc).0);
                Reply::Refused { code: *code, tag }.emit(marks)
            }
        }
    }
}

/// How a tag introduces itself, and its own check.
pub(super) fn identity(epc: &Epc) -> (TagIdentity<'_>, u16) {
    let (pc, tag_crc) = tag_words(epc);
    (TagIdentity { pc, xpc: Opaque(&[]), epc: Opaque(epc.as_bytes()) }, tag_crc)
}

/// Check, PC, EPC.
pub(super) fn epc_bank(epc: &Epc) -> Vec<u8> {
    let (pc, crc) = tag_words(epc);
    [&crc.to_be_bytes()[..], &pc.to_be_bytes()[..], epc.as_bytes()].concat()
}

/// Whether a password is given that is not the tag's.
fn denied(memory: &Memory, Password(password): Password) -> bool {
    password != 0 && password != memory.password(4)
}

fn read(memory: &Memory, tag: &FieldTag, access: Access) -> Option<Vec<u8>> {
    let bank = match access.bank {
        BANK_RESERVED => memory.reserved.to_vec(),
        BANK_EPC => epc_bank(&tag.epc),
        BANK_TID => tid(tag),
        BANK_USER => memory.user.to_vec(),
        _ => return None,
    };
    let from = 2 * usize::from(access.address);
    bank.get(from..from + 2 * usize::from(access.words)).map(<[u8]>::to_vec)
}

fn write(memory: &mut Memory, tag: &FieldTag, access: Access, data: &[u8]) -> Result<(), u8> {
    let from = 2 * usize::from(access.address);
    let place = from..from + data.len();
    match access.bank {
        BANK_RESERVED => memory.reserved.get_mut(place).ok_or(OVERRUN)?.copy_from_slice(data),
        BANK_USER => memory.user.get_mut(place).ok_or(OVERRUN)?.copy_from_slice(data),
        BANK_EPC => {
            let mut bank = epc_bank(&tag.epc);
            // A tag has room for a longer EPC than it has.
            bank.resize(bank.len().max(4 + Epc::LEN_MAX), 0);
            bank.get_mut(place).ok_or(OVERRUN)?.copy_from_slice(data);
            let len = 2 * usize::from(bank[2] >> 3);
            memory.epc = Some(Epc::try_from_slice(&bank[4..4 + len]).map_err(|_none| OTHER)?);
        }
        BANK_TID => return Err(LOCKED),
        _ => return Err(OVERRUN),
    }
    Ok(())
}

/// A tag whose owner gave it no TID has one all the same, which follows from its EPC.
fn tid(tag: &FieldTag) -> Vec<u8> {
    const MAKER_AND_MODEL: [u8; 4] = [0xE2, 0x80, 0x68, 0x94];
    const SERIAL_LEN: usize = 8;
    match tag.tid {
        Some(tid) => tid.as_bytes().to_vec(),
        None => {
            let epc = tag.epc.as_bytes();
            let mut serial = [0; SERIAL_LEN];
            let tail = &epc[epc.len().saturating_sub(SERIAL_LEN)..];
            serial[SERIAL_LEN - tail.len()..].copy_from_slice(tail);
            [&MAKER_AND_MODEL[..], &serial].concat()
        }
    }
}
