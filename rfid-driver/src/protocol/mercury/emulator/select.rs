//! Which tags a command means.
//!
//! ```text
//! option: low three bits   0 all, 1 EPC, 2 TID, 3 user memory, 4 EPC bank, 5 password, 6 EPC length
//!         08 invert   10 metadata follow   20 the mask's length has two bytes
//! filter  [password u32] | [first bit u32] | mask length in bits | mask
//! several [88] first filter | target action option | next filter … | target action 00
//! ```
//!
//! Source: `serial_reader_l3.c`, `filterbytes`. The vendor's client sends a password before every
//! filter of a read, of zeros if there is none; Silion's does not. Only one of the two makes the
//! command end where its fields do; where both would, which takes a password of more than zeros,
//! it is taken for Silion's.

use super::memory::{Bank, TagImage};
use crate::codec::{Fields, FieldsError};
use crate::protocol::mercury::codec::Status;

const BY: u8 = 0x07;
const INVERT: u8 = 0x08;
const LONG_MASK: u8 = 0x20;
/// More than one frame can hold.
const FILTERS_MAX: usize = 8;

/// Which tags, and the password to use on them.
#[derive(Debug, Clone, Default)]
pub(super) struct Select {
    pub(super) password: u32,
    filters: Vec<Filter>,
}

#[derive(Debug, Clone)]
struct Filter {
    by: By,
    invert: bool,
    // The Gen2 Select action: what it does to a tag that matches and to one that does not.
    action: u8,
}

#[derive(Debug, Clone)]
enum By {
    Bits { bank: Bank, first: u32, count: u16, mask: super::Withheld },
    EpcBits(u16),
}

/// Whether a password stands before the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Password {
    Sent,
    NotSent,
}

impl Select {
    /// Takes a filter off the fields. What the option says is not there takes nothing.
    pub(super) fn parse(
        option: u8,
        several: bool,
        password: Password,
        fields: &mut Fields<'_>,
    ) -> Result<Self, Status> {
        let mut select = Self::default();
        let mut option = option;
        if option & BY == 0 {
            return Ok(select);
        }
        if (password == Password::Sent && option & BY != 6) || option & BY == 5 {
            select.password = fields.u32("password").map_err(short)?;
        }
        while option & BY != 0 && select.filters.len() < FILTERS_MAX {
            let by = By::parse(option, fields)?;
            let invert = option & INVERT != 0;
            let mut action = 0;
            if several {
                let [_target, sent, next] = fields.array("action").map_err(short)?;
                (action, option) = (sent, next);
            } else {
                option = 0;
            }
            select.filters.extend(by.map(|by| Filter { by, invert, action }));
        }
        Ok(select)
    }

    /// Whether a tag is meant.
    pub(super) fn takes(&self, tag: &TagImage<'_>) -> bool {
        self.filters.iter().fold(true, |selected, filter| {
            let matches = filter.by.matches(tag) != filter.invert;
            // EPC Gen2 v2.1, table 6.29.
            match (filter.action, matches) {
                (0 | 1, true) | (4 | 6, false) => true,
                (4 | 5, true) | (0 | 2, false) => false,
                (3, true) | (7, false) => !selected,
                _ => selected,
            }
        })
    }
}

impl By {
    /// `None` where only a password was sent.
    fn parse(option: u8, fields: &mut Fields<'_>) -> Result<Option<Self>, Status> {
        let bank = match option & BY {
            1 | 4 => Bank::Epc,
            2 => Bank::Tid,
            3 => Bank::User,
            5 => return Ok(None),
            6 => return Ok(Some(Self::EpcBits(fields.u16("epc bits").map_err(short)?))),
            _ => return Err(Status::INVALID_VALUE),
        };
        // A whole EPC begins behind its check and its control word.
        let first = match option & BY {
            1 => 32,
            _ => fields.u32("first bit").map_err(short)?,
        };
        let count = match option & LONG_MASK {
            0 => u16::from(fields.u8("mask bits").map_err(short)?),
            _ => fields.u16("mask bits").map_err(short)?,
        };
        let mask = fields.bytes(usize::from(count.div_ceil(8)), "mask").map_err(short)?;
        Ok(Some(Self::Bits { bank, first, count, mask: super::Withheld(mask.to_vec()) }))
    }

    fn matches(&self, tag: &TagImage<'_>) -> bool {
        match self {
            Self::EpcBits(bits) => tag.epc().as_bytes().len() * 8 == usize::from(*bits),
            Self::Bits { bank, first, count, mask } => {
                let memory = tag.bank(*bank).unwrap_or_default();
                (0..u32::from(*count)).all(|at| {
                    bit(&memory, first.saturating_add(at)) == bit(&mask.0, at)
                        && bit(&mask.0, at).is_some()
                })
            }
        }
    }
}

fn bit(bytes: &[u8], at: u32) -> Option<bool> {
    let byte = bytes.get(usize::try_from(at / 8).ok()?)?;
    Some(byte >> (7 - at % 8) & 1 == 1)
}

/// A command whose fields do not end where it does.
pub(super) fn short(_: FieldsError) -> Status {
    Status::WRONG_DATA_LENGTH
}
