//! A row: what one table says of one tag, packed.
//!
//! *Marks*: sixteen bits that say whether the tag is on the list, its status, group and exemption.
//! *Pass*: the rare rest, bytes of their own. *Place*: the order of all rows, by hash and then by
//! tag; every table, the overlay and every merge keeps to it.

use domain::account_list::{ListEntry, ListStatus, PassOnList};
use domain::{StationId, TagId, Timestamp, VehicleGroup};

/// The length of the common tag, which has a slot of its own in a bucket; others are *odd*.
pub(super) const COMMON_LEN: usize = 12;
/// The most bytes an encoded row has: lengths, marks, 62 bytes of tag, and a pass.
pub(super) const ROW_LEN_MAX: usize = ROW_HEAD_LEN + 62 + PASS_LEN_MAX;
const ROW_HEAD_LEN: usize = 4;
/// Pass number, instant in nanoseconds, and a station's token of at most 32 characters.
const PASS_LEN_MAX: usize = 8 + 16 + 32;

const PRESENT: u16 = 1;
const REMOVED: u16 = 1 << 1;
const STATUS_SHIFT: u32 = 2;
const STATUS_MASK: u16 = 0b111;
const GROUP_SHIFT: u32 = 5;
const GROUP_MASK: u16 = 0b1_1111;
const EXEMPT: u16 = 1 << 10;

/// What is known of a tag in sixteen bits; 0 is an empty slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks(pub(super) u16);

impl Marks {
    pub(super) const REMOVED: Self = Self(PRESENT | REMOVED);

    pub(super) fn of(entry: &ListEntry) -> Self {
        let exempt = if entry.exempt { EXEMPT } else { 0 };
        Self(
            PRESENT
                | (u16::from(entry.status.code()) << STATUS_SHIFT)
                | (u16::from(entry.group.number()) << GROUP_SHIFT)
                | exempt,
        )
    }

    pub(super) const fn is_removed(self) -> bool {
        self.0 & REMOVED != 0
    }
}

/// What a table says of a tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) hash: u64,
    pub(super) tag: &'a [u8],
    pub(super) marks: Marks,
    /// Empty where the vehicle has no pass.
    pub(super) pass: &'a [u8],
}

impl<'a> Row<'a> {
    /// The row's place in the order of all rows.
    pub(super) const fn place(&self) -> (u64, &'a [u8]) {
        (self.hash, self.tag)
    }

    /// Whether the row fits a slot of a bucket.
    pub(super) const fn is_common(&self) -> bool {
        self.tag.len() == COMMON_LEN && self.pass.is_empty()
    }

    /// What the row means: an entry, or that the tag was removed. Nothing where the bits have no
    /// meaning, which only damage explains.
    pub(super) fn meaning(&self) -> Option<Option<ListEntry>> {
        if self.marks.is_removed() {
            return Some(None);
        }
        let bits = self.marks.0;
        let status = u8::try_from((bits >> STATUS_SHIFT) & STATUS_MASK).ok()?;
        let group = u8::try_from((bits >> GROUP_SHIFT) & GROUP_MASK).ok()?;
        Some(Some(ListEntry {
            tag: TagId::try_from_slice(self.tag).ok()?,
            status: ListStatus::of_code(status)?,
            group: VehicleGroup::try_new(group).ok()?,
            exempt: bits & EXEMPT != 0,
            pass: if self.pass.is_empty() { None } else { Some(decode_pass(self.pass)?) },
        }))
    }

    /// Appends the row without its hash.
    ///
    /// # Panics
    /// Never: tags and passes are shorter than 256 bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.tag.len()).expect("a tag has at most 62 bytes"));
        out.push(u8::try_from(self.pass.len()).expect("a pass has at most 56 bytes"));
        out.extend_from_slice(&self.marks.0.to_le_bytes());
        out.extend_from_slice(self.tag);
        out.extend_from_slice(self.pass);
    }

    /// How long the row is when encoded.
    pub(super) const fn encoded_len(&self) -> usize {
        ROW_HEAD_LEN + self.tag.len() + self.pass.len()
    }

    /// Reads the row at the beginning of `bytes`; nothing where there is none, or only a part.
    pub(super) fn decode(bytes: &'a [u8], salt: u64) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(ROW_HEAD_LEN)?;
        let (tag, rest) = rest.split_at_checked(usize::from(head[0]))?;
        let pass = rest.get(..usize::from(head[1]))?;
        let marks = Marks(u16::from_le_bytes([head[2], head[3]]));
        (marks.0 & PRESENT != 0).then(|| Row { hash: hash_of(tag, salt), tag, marks, pass })
    }
}

/// A pass as bytes; none for none.
pub(super) fn encode_pass(pass: Option<&PassOnList>) -> Vec<u8> {
    let Some(pass) = pass else { return Vec::new() };
    let mut bytes = Vec::with_capacity(PASS_LEN_MAX);
    bytes.extend_from_slice(&pass.pass.to_le_bytes());
    bytes.extend_from_slice(&pass.until.as_nanosecond().to_le_bytes());
    bytes.extend_from_slice(pass.station.as_str().as_bytes());
    bytes
}

fn decode_pass(bytes: &[u8]) -> Option<PassOnList> {
    let (pass, rest) = bytes.split_first_chunk::<8>()?;
    let (until, station) = rest.split_first_chunk::<16>()?;
    Some(PassOnList {
        pass: i64::from_le_bytes(*pass),
        until: Timestamp::from_nanosecond(i128::from_le_bytes(*until)).ok()?,
        station: std::str::from_utf8(station).ok()?.parse::<StationId>().ok()?,
    })
}

/// Where a tag belongs. The salt, which is not known before the list is, keeps whoever numbers tags
/// from choosing many that belong to one place.
pub(super) fn hash_of(tag: &[u8], salt: u64) -> u64 {
    let mut hash = salt ^ 0x9E37_79B9_7F4A_7C15;
    let mut words = tag.chunks_exact(8);
    for word in &mut words {
        hash = mix(hash ^ u64::from_le_bytes(word.try_into().unwrap_or_default()));
    }
    let mut last = [0; 8];
    let rest = words.remainder();
    last[..rest.len()].copy_from_slice(rest);
    // The length is in the last word: it is at most 6 bytes full, as tags are whole words of two.
    last[7] = u8::try_from(tag.len()).unwrap_or(u8::MAX);
    mix(hash ^ u64::from_le_bytes(last))
}

/// A permutation of 64 bits that spreads every bit over all (the finisher of `MurmurHash3`).
const fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    bits ^ (bits >> 33)
}

/// The home of a hash among `homes`, in the order of hashes.
pub(super) fn home_of(hash: u64, homes: u64) -> u64 {
    u64::try_from((u128::from(hash) * u128::from(homes)) >> 64).unwrap_or(u64::MAX)
}
