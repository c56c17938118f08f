//! Lists of tags, in both dialects.
//!
//! ```text
//! 18   inventory  Num | (Len EPC) x Num            push  EPC
//! 288  inventory  Ant Num | (Len EPC RSSI [phase(4) freq(3)]) x Num
//!      push       Ant | Len EPC RSSI [phase(4) freq(3)]
//! ```
//!
//! In the newer form bit 7 of Len says that a TID of 12 bytes follows the EPC and is counted
//! (`FastID`), bit 6 that phase and frequency follow, and the rest counts bytes (manual V2.20, 8.2.1
//! and 8.4.22).

use crate::codec::Opaque;

const FAST_ID: u8 = 0x80;
const PHASE: u8 = 0x40;
const LEN: u8 = 0x3F;
const FAST_ID_TID_LEN: usize = 12;
const PHASE_LEN: usize = 4;
const FREQUENCY_LEN: usize = 3;
const EPC_LEN_MAX: usize = 62;
/// What carriers there are, in kHz: a number beside them is something else.
const FREQUENCIES_KHZ: std::ops::RangeInclusive<u32> = 840_000..=960_000;

/// Which form the parts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// EPCs only.
    Old18,
    /// With antenna and signal strength.
    New288,
}

/// The port that the antenna byte of the newer dialect means, counted from 1.
///
/// Readers of up to eight ports send a bit per port; a value of several bits counts for the highest.
/// Readers of twelve and sixteen ports send an index from 0, which `indexed` says; a 0 can only be
/// that.
#[must_use]
pub fn antenna_of_byte(byte: u8, indexed: bool) -> u8 {
    if indexed || byte == 0 {
        return byte.saturating_add(1);
    }
    u8::try_from(byte.ilog2()).map_or(1, |bit| bit + 1)
}

/// One tag of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagBlock<'a> {
    /// Its identity. Where the host asked for TIDs in place of EPCs, which the reply does not say,
    /// this is one.
    pub epc: Opaque<'a>,
    /// The chip's own identity, where asked for and answered.
    pub tid: Option<Opaque<'a>>,
    /// How strong the answer was, without a unit.
    pub rssi_raw: Option<u8>,
    /// The phase at the beginning and the end of the answer, without a unit.
    pub phase_raw: Option<u32>,
    /// The carrier.
    pub frequency_khz: Option<u32>,
}

/// Takes one block off the front; `None` where it is cut off.
fn take_block<'a>(rest: &mut &'a [u8], dialect: Dialect) -> Option<TagBlock<'a>> {
    let (&first, after) = rest.split_first()?;
    let (flags, len) = match dialect {
        Dialect::Old18 => (0, first),
        Dialect::New288 => (first & !LEN, first & LEN),
    };
    let (identity, mut after) = after.split_at_checked(usize::from(len))?;
    let (epc, tid) = match identity.len().checked_sub(FAST_ID_TID_LEN) {
        Some(epc_len) if flags & FAST_ID != 0 => {
            let (epc, tid) = identity.split_at(epc_len);
            (epc, Some(Opaque(tid)))
        }
        Some(_) | None => (identity, None),
    };
    let mut block =
        TagBlock { epc: Opaque(epc), tid, rssi_raw: None, phase_raw: None, frequency_khz: None };
    if dialect == Dialect::New288 {
        let (&rssi, rest) = after.split_first()?;
        block.rssi_raw = Some(rssi);
        after = rest;
    }
    if flags & PHASE != 0 {
        let (phase, rest) = after.split_first_chunk::<PHASE_LEN>()?;
        let (&[high, middle, low], rest) = rest.split_first_chunk::<FREQUENCY_LEN>()?;
        block.phase_raw = Some(u32::from_be_bytes(*phase));
        let frequency_khz = u32::from_be_bytes([0, high, middle, low]);
        block.frequency_khz = Some(frequency_khz).filter(|khz| FREQUENCIES_KHZ.contains(khz));
        after = rest;
    }
    *rest = after;
    Some(block)
}

/// Whether the identity is one that a Gen2 tag can have: whole words, or nothing but a TID.
fn is_plausible(block: &TagBlock<'_>) -> bool {
    let len = block.epc.0.len();
    len.is_multiple_of(2) && len <= EPC_LEN_MAX && (len >= 2 || block.tid.is_some())
}

/// Tags that a reader reports in one frame: they add up to its length exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagList<'a> {
    dialect: Dialect,
    antenna: Option<u8>,
    // `None` in a push, which has exactly one and does not say so.
    count: Option<u8>,
    blocks: Opaque<'a>,
}

impl<'a> TagList<'a> {
    /// The answer to an inventory, in the dialect whose parts add up; the newer where both do.
    pub(super) fn parse_inventory(data: &'a [u8]) -> Option<Self> {
        let new = || match *data {
            [antenna, count, ref blocks @ ..] => Some(Self {
                dialect: Dialect::New288,
                antenna: Some(antenna),
                count: Some(count),
                blocks: Opaque(blocks),
            }),
            _ => None,
        };
        let old = || match *data {
            [count, ref blocks @ ..] => Some(Self {
                dialect: Dialect::Old18,
                antenna: None,
                count: Some(count),
                blocks: Opaque(blocks),
            }),
            [] => None,
        };
        new().filter(Self::adds_up).or_else(|| old().filter(Self::adds_up))
    }

    /// A tag that the reader reports unasked.
    ///
    /// An EPC has whole words, so the newer form has an odd length unless phase and frequency
    /// follow; only then must the antenna decide.
    pub(super) fn parse_push(data: &'a [u8]) -> Option<Self> {
        let new = || match *data {
            [antenna, ref blocks @ ..]
                if !data.len().is_multiple_of(2) || antenna < 16 || antenna.is_power_of_two() =>
            {
                Some(Self {
                    dialect: Dialect::New288,
                    antenna: Some(antenna),
                    count: None,
                    blocks: Opaque(blocks),
                })
            }
            _ => None,
        };
        let old =
            Self { dialect: Dialect::Old18, antenna: None, count: None, blocks: Opaque(data) };
        new().filter(Self::adds_up).or_else(|| Some(old).filter(Self::adds_up))
    }

    fn adds_up(&self) -> bool {
        if let (Dialect::Old18, None) = (self.dialect, self.count) {
            let len = self.blocks.0.len();
            return len.is_multiple_of(2) && (2..=EPC_LEN_MAX).contains(&len);
        }
        let mut rest = self.blocks.0;
        let all = (0..self.count.unwrap_or(1))
            .all(|_| take_block(&mut rest, self.dialect).is_some_and(|block| is_plausible(&block)));
        all && rest.is_empty()
    }

    /// The form it has.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The antenna byte as sent; see [`antenna_of_byte`]. The older dialect has none.
    #[must_use]
    pub fn antenna_byte(&self) -> Option<u8> {
        self.antenna
    }

    /// The tags.
    pub fn tags(&self) -> impl Iterator<Item = TagBlock<'a>> + use<'a> {
        let Self { dialect, count, blocks, .. } = *self;
        let whole = (dialect == Dialect::Old18 && count.is_none()).then_some(TagBlock {
            epc: blocks,
            tid: None,
            rssi_raw: None,
            phase_raw: None,
            frequency_khz: None,
        });
        let listed = if whole.is_some() { 0 } else { count.unwrap_or(1) };
        let mut rest = blocks.0;
        whole.into_iter().chain((0..listed).map_while(move |_| take_block(&mut rest, dialect)))
    }

    /// What comes between status and check.
    pub(super) fn data(&self) -> impl Iterator<Item = &[u8]> {
        let antenna = self.antenna.as_ref().map(std::slice::from_ref);
        let count = self.count.as_ref().map(std::slice::from_ref);
        antenna.into_iter().chain(count).chain([self.blocks.0])
    }
}
