//! Operations on one tag: read it, read or write its memory, lock it, kill it.
//!
//! ```text
//! 21 timeout u16 | [8x] option | [metadata u16] | filter
//!        [8x] option | [metadata u16 | metadata …] | EPC | check u16        21 timeout: EPC check
//! 23 timeout u16 | [8x] option | filter, or 00 without one | EPC
//! 24 timeout u16 | [8x] option | first word u32 | bank | filter | words
//! 25 timeout u16 | [8x] option | password u32 | mask u16 | action u16 | filter
//! 26 timeout u16 | [8x] option | password u32 | 00 | filter
//! 28 timeout u16 | [8x] option | [metadata u16] | bank | first word u32 | words | filter
//!        [8x] option | [metadata u16 | metadata …] | words
//! 28 timeout u16 | bank | first word u32 | words                        words
//! ```
//!
//! The module searches until the tag is there or the time is over. Source: `serial_reader_l3.c`,
//! `TMR_SR_msgAddGEN2…`, `TMR_SR_cmdGEN2ReadTagData`, `TMR_SR_cmdWriteGen2TagEpc`; for the form
//! without an option, `SparkFun_UHF_RFID_Reader.cpp`, `readData`. Silion's client sends a password
//! with 24 whether there is a filter or not (`rfid-silion-compat`, `command.rs`).

use std::time::Duration;

use super::memory::{Bank, Banks, Memories};
use super::module::Maker;
use super::search::{OPTION_METADATA, READ_DATA, is_several, millis, take_prefix};
use super::select::{Password, Select, short};
use super::sighting::{Sighting, known};
use super::{Answer, Withheld};
use crate::codec::Fields;
use crate::emulator::FieldTag;
use crate::protocol::mercury::codec::Status;

const READ_ONE: u8 = 0x21;
const WRITE_EPC: u8 = 0x23;
const WRITE_DATA: u8 = 0x24;
const LOCK: u8 = 0x25;
const KILL: u8 = 0x26;

#[derive(Debug)]
pub(super) struct Access {
    pub(super) opcode: u8,
    pub(super) timeout: Duration,
    pub(super) select: Select,
    // What the answer begins with; `None` where the command had no option.
    head: Option<Vec<u8>>,
    metadata: Option<u16>,
    operation: Operation,
}

#[derive(Debug)]
enum Operation {
    ReadOne,
    WriteEpc { epc: Withheld },
    WriteData { bank: Bank, first_word: u32, words: Withheld },
    Lock { password: u32, mask: u16, action: u16 },
    Kill { password: u32 },
    ReadData { banks: Banks, first_word: u32, words: u8 },
}

impl Access {
    /// `None` where the operation code is another's.
    pub(super) fn parse(opcode: u8, data: &[u8], maker: Maker) -> Option<Result<Self, Status>> {
        if !matches!(opcode, READ_ONE | WRITE_EPC | WRITE_DATA | LOCK | KILL | READ_DATA) {
            return None;
        }
        let parse = |password| Self::parse_with(opcode, data, password, maker);
        let bare = Self::parse_bare(opcode, data).transpose();
        Some(bare.unwrap_or_else(|| {
            parse(Password::NotSent)
                .or_else(|status| parse(Password::Sent).map_err(|_other| status))
        }))
    }

    /// The oldest forms, which have no option; their answers have none either.
    fn parse_bare(opcode: u8, data: &[u8]) -> Result<Option<Self>, Status> {
        let (timeout, operation) = match (opcode, data) {
            (READ_ONE, &[high, low]) => ([high, low], Operation::ReadOne),
            (READ_DATA, &[high, low, bank, a, b, c, d, words]) => {
                let banks = Banks::from_byte(bank)?;
                let first_word = u32::from_be_bytes([a, b, c, d]);
                ([high, low], Operation::ReadData { banks, first_word, words })
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            opcode,
            timeout: millis(u16::from_be_bytes(timeout)),
            select: Select::default(),
            head: None,
            metadata: None,
            operation,
        }))
    }

    fn parse_with(
        opcode: u8,
        data: &[u8],
        password: Password,
        maker: Maker,
    ) -> Result<Self, Status> {
        let mut fields = Fields(data);
        let timeout = millis(fields.u16("timeout").map_err(short)?);
        let prefix = take_prefix(&mut fields);
        let option = fields.u8("option").map_err(short)?;
        let metadata = match option & OPTION_METADATA {
            0 => None,
            _ => Some(known(fields.u16("metadata flags").map_err(short)?)),
        };
        let fields = &mut fields;
        let select = |password, fields: &mut Fields<'_>| {
            Select::parse(option, is_several(prefix), password, fields)
        };
        let (operation, select) = match opcode {
            READ_ONE => (Operation::ReadOne, select(password, fields)?),
            WRITE_EPC => {
                let select = select(Password::Sent, fields)?;
                if option == 0 {
                    fields.u8("reserved").map_err(short)?;
                }
                (Operation::WriteEpc { epc: rest(fields) }, select)
            }
            WRITE_DATA => {
                let first_word = fields.u32("first word").map_err(short)?;
                let bank = Bank::from_byte(fields.u8("bank").map_err(short)?)?;
                let mut select = select(Password::Sent, fields)?;
                if option == 0 && maker == Maker::Silion {
                    select.password = fields.u32("password").map_err(short)?;
                }
                let words = rest(fields);
                if words.0.is_empty() || !words.0.len().is_multiple_of(2) {
                    return Err(Status::INVALID_DATA_COUNT);
                }
                (Operation::WriteData { bank, first_word, words }, select)
            }
            LOCK => {
                let password = fields.u32("password").map_err(short)?;
                let mask = fields.u16("mask").map_err(short)?;
                let action = fields.u16("action").map_err(short)?;
                let select = select(Password::NotSent, fields)?;
                (Operation::Lock { password, mask, action }, select)
            }
            KILL => {
                let password = fields.u32("password").map_err(short)?;
                fields.u8("reserved").map_err(short)?;
                (Operation::Kill { password }, select(Password::NotSent, fields)?)
            }
            _ => {
                let banks = Banks::from_byte(fields.u8("bank").map_err(short)?)?;
                let first_word = fields.u32("first word").map_err(short)?;
                let words = fields.u8("words").map_err(short)?;
                let select = select(password, fields)?;
                (Operation::ReadData { banks, first_word, words }, select)
            }
        };
        fields.end().map_err(short)?;
        let mut head: Vec<u8> = prefix.into_iter().chain([option]).collect();
        head.extend(metadata.iter().flat_map(|flags| flags.to_be_bytes()));
        Ok(Self { opcode, timeout, select, head: Some(head), metadata, operation })
    }

    /// Does it to the tag that has come, and says what is answered.
    pub(super) fn run(
        &self,
        tag: &FieldTag,
        sighting: &Sighting,
        memories: &mut Memories,
    ) -> Answer {
        let password = self.select.password;
        let mut answer = self.head.clone().unwrap_or_default();
        sighting.put_metadata(self.metadata.unwrap_or(0), &mut answer);
        match &self.operation {
            Operation::ReadOne => sighting.put_epc_alone(&mut answer),
            Operation::ReadData { banks, first_word, words } => {
                let tag = memories.image(tag);
                answer.extend(banks.read(&tag, *first_word, *words, password)?);
                // What one frame holds.
                if answer.len() > 0xF8 {
                    return Err(Status::DATA_TOO_LARGE);
                }
            }
            Operation::WriteEpc { epc } => memories.write_epc(tag, &epc.0, password)?,
            Operation::WriteData { bank, first_word, words } => {
                memories.write(tag, *bank, *first_word, &words.0, password)?;
            }
            Operation::Lock { password, mask, action } => {
                memories.lock(tag, *mask, *action, *password)?;
            }
            Operation::Kill { password } => memories.kill(tag, *password)?,
        }
        match self.operation {
            Operation::ReadOne | Operation::ReadData { .. } => Ok(answer),
            Operation::WriteEpc { .. }
            | Operation::WriteData { .. }
            | Operation::Lock { .. }
            | Operation::Kill { .. } => Ok(self.head.clone().unwrap_or_default()),
        }
    }
}

fn rest(fields: &mut Fields<'_>) -> Withheld {
    Withheld(std::mem::take(&mut fields.0).to_vec())
}
