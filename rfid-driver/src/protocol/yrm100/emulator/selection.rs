//! Which tags take part, as the host has selected them.

use super::super::codec::Select;
use super::memory::epc_bank;
use crate::codec::Opaque;
use crate::emulator::FieldTag;

const BANK_EPC: u8 = 1;
const BANK_TID: u8 = 2;
/// Select before everything.
const MODE_ALWAYS: u8 = 0;
/// Never select.
const MODE_NEVER: u8 = 1;
/// Select before everything but polling.
const MODE_ACCESS: u8 = 2;

/// What tags are selected for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Poll,
    Access,
}

/// The mask, and when it counts.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    mode: u8,
    parameters: u8,
    pointer_bits: u32,
    mask_bits: u8,
    truncate: u8,
    mask: Vec<u8>,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            mode: MODE_NEVER,
            parameters: BANK_EPC,
            pointer_bits: 0x20,
            mask_bits: 0,
            truncate: 0,
            mask: Vec::new(),
        }
    }
}

impl Selection {
    /// Setting the mask makes it count, too (both manuals, chapter "set select parameter").
    pub(super) fn set(&mut self, select: &Select<'_>) {
        *self = Self {
            mode: MODE_ACCESS,
            parameters: select.parameters,
            pointer_bits: select.pointer_bits,
            mask_bits: select.mask_bits,
            truncate: select.truncate,
            mask: select.mask.0.to_vec(),
        };
    }

    /// Says whether there is such a mode.
    pub(super) fn set_mode(&mut self, mode: u8) -> bool {
        let known = matches!(mode, MODE_ALWAYS | MODE_NEVER | MODE_ACCESS);
        if known {
            self.mode = mode;
        }
        known
    }

    pub(super) fn select(&self) -> Select<'_> {
        Select {
            parameters: self.parameters,
            pointer_bits: self.pointer_bits,
            mask_bits: self.mask_bits,
            truncate: self.truncate,
            mask: Opaque(&self.mask),
        }
    }

    /// Whether a tag takes part.
    pub(super) fn lets(&self, tag: &FieldTag, used_for: Use) -> bool {
        let selects = match used_for {
            Use::Poll => self.mode == MODE_ALWAYS,
            Use::Access => matches!(self.mode, MODE_ALWAYS | MODE_ACCESS),
        };
        if !selects {
            return true;
        }
        let bank = match self.parameters & 3 {
            BANK_EPC => epc_bank(&tag.epc),
            BANK_TID => tag.tid.map(|tid| tid.as_bytes().to_vec()).unwrap_or_default(),
            _ => Vec::new(),
        };
        let bit = |bytes: &[u8], at: u32| {
            let byte = bytes.get(usize::try_from(at / 8).ok()?)?;
            Some(byte >> (7 - at % 8) & 1)
        };
        (0..u32::from(self.mask_bits)).all(|at| {
            let wanted = bit(&self.mask, at);
            wanted.is_some() && wanted == bit(&bank, self.pointer_bits.saturating_add(at))
        })
    }
}
