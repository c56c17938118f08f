//! A stub: what the engine keeps of a row while it matches. 32 bytes, whatever the row was.
//!
//! *Digest*: bits that stand for the key that a rule asks for, 96 under an identity and 64 beside the
//! time under a window. Two of 40 million identities have the same digest once in 10¹⁴ matchings.
//! *Content*: a few bits of everything that the row says, so that of rows that look alike the same
//! one comes first, however the file is ordered. *Place*: where the row can be read again, the
//! side's own affair. A digest is of personal data and is never printed.

use std::cmp::Ordering;
use std::fmt;

use twox_hash::{XxHash3_64, XxHash3_128};

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// Our own records.
    Ours,
    /// The other party's.
    Theirs,
}

/// How many bytes a stub takes in a spill file.
pub(crate) const STUB_LEN: usize = 32;

const PLACE_BITS: u32 = 44;
const CONTENT_MASK: u64 = ((1 << 10) - 1) << PLACE_BITS;
const SAYS_SHIFT: u32 = 54;
const REVERSED: u64 = 1 << 54;
const DISPUTED: u64 = 1 << 55;
const GROUP_SHIFT: u32 = 56;
const KEY_MASK: u64 = 0xffff_ffff << 32;
const TIME_SHIFT: u32 = 16;
const TIME_BITS: u32 = 48;
const LOW_CONTENT_MASK: u64 = (1 << TIME_SHIFT) - 1;
/// So that instants before 1970 have a place as well.
const TIME_OFFSET_MS: i64 = 1 << 47;

/// The first place that is too large.
pub const PLACE_LIMIT: u64 = 1 << PLACE_BITS;

/// What is kept of a row.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Stub {
    high: u64,
    low: u64,
    amount: u64,
    facts: u64,
}

/// What a row is worth and what else a rule compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Minor units.
    pub amount: u64,
    /// The tariff group; 0 where the side does not say.
    pub group: u8,
    /// Whether it gives money back.
    pub reversed: bool,
    /// Whether somebody disputes it.
    pub disputed: bool,
    /// A digest of everything it says.
    pub content: u64,
    /// Where it can be read again; below [`PLACE_LIMIT`].
    pub place: u64,
}

impl Stub {
    /// The stub of a row without a key.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        let Facts { amount, group, reversed, disputed, content, place } = facts;
        debug_assert!(place < PLACE_LIMIT, "a place has 44 bits");
        let facts = u64::from(group) << GROUP_SHIFT
            | if disputed { DISPUTED } else { 0 }
            | if reversed { REVERSED } else { 0 }
            | content & CONTENT_MASK
            | place;
        Self { high: 0, low: 0, amount, facts }
    }

    /// The same under an identity.
    #[must_use]
    pub fn under(mut self, digest: Digest, content: u64) -> Self {
        self.high = digest.high;
        self.low = digest.low & KEY_MASK | content & !KEY_MASK;
        self
    }

    /// The same under a key with a time; `None` where the time is some 4,000 years away.
    #[must_use]
    pub fn under_at(mut self, digest: Digest, at_ms: i64, content: u64) -> Option<Self> {
        let time = u64::try_from(at_ms.checked_add(TIME_OFFSET_MS)?).ok()?;
        self.high = digest.high;
        self.low = time << TIME_SHIFT | content & LOW_CONTENT_MASK;
        (time >> TIME_BITS == 0).then_some(self)
    }

    /// Minor units.
    #[must_use]
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The tariff group, 0 where unknown.
    #[must_use]
    pub const fn group(&self) -> u8 {
        self.facts.to_be_bytes()[0]
    }

    /// Whether it gives money back.
    #[must_use]
    pub const fn is_reversed(&self) -> bool {
        self.facts & REVERSED != 0
    }

    /// Whether somebody disputes it.
    #[must_use]
    pub const fn is_disputed(&self) -> bool {
        self.facts & DISPUTED != 0
    }

    /// Where the row can be read again.
    #[must_use]
    pub const fn place(&self) -> u64 {
        self.facts & (PLACE_LIMIT - 1)
    }

    /// The time under which it was put, in milliseconds from some instant that all share.
    pub(crate) const fn time_ms(&self) -> u64 {
        self.low >> TIME_SHIFT
    }

    /// What decides which shelf it goes to, and the order on it.
    pub(crate) const fn leading(&self) -> u64 {
        self.high
    }

    /// Whether both are under one identity.
    pub(crate) const fn has_key_of(&self, other: &Self) -> bool {
        self.high == other.high && self.low & KEY_MASK == other.low & KEY_MASK
    }

    /// Whether both are under one key, whatever the time.
    pub(crate) const fn has_timed_key_of(&self, other: &Self) -> bool {
        self.high == other.high
    }

    /// All that it says under a key with a time, apart from the key.
    pub(crate) const fn says(&self) -> (u64, u64, u64) {
        (self.time_ms(), self.amount, self.facts >> SAYS_SHIFT)
    }

    pub(crate) fn to_bytes(self) -> [u8; STUB_LEN] {
        let mut bytes = [0; STUB_LEN];
        let words = [self.high, self.low, self.amount, self.facts];
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; STUB_LEN]) -> Self {
        let mut words = [0_u64; 4];
        for (word, from) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(from);
            *word = u64::from_le_bytes(eight);
        }
        let [high, low, amount, facts] = words;
        Self { high, low, amount, facts }
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub")
            .field("amount", &self.amount)
            .field("group", &self.group())
            .field("reversed", &self.is_reversed())
            .field("disputed", &self.is_disputed())
            .field("place", &self.place())
            .finish_non_exhaustive()
    }
}

impl Stub {
    /// The order on a shelf of identities: by key, amount, group, what is disputed, content, place.
    #[inline]
    pub(crate) fn by_identity(&self, other: &Self) -> Ordering {
        self.high.cmp(&other.high).then_with(|| {
            let rest = |stub: &Self| {
                let content = stub.low & !KEY_MASK;
                (stub.low & KEY_MASK, stub.amount, stub.facts >> SAYS_SHIFT, content, stub.facts)
            };
            rest(self).cmp(&rest(other))
        })
    }

    /// The order on a shelf of keys with a time: by key, time, amount, group, and so on.
    #[inline]
    pub(crate) fn by_time(&self, other: &Self) -> Ordering {
        self.high.cmp(&other.high).then_with(|| {
            let content = |stub: &Self| stub.low & LOW_CONTENT_MASK;
            let rest = |stub: &Self| (stub.says(), content(stub), stub.facts);
            rest(self).cmp(&rest(other))
        })
    }
}

/// 128 bits that stand for a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    high: u64,
    low: u64,
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Digest {
    /// Of a key's bytes. What gives money back never meets what takes it: a charge and its reversal
    /// may carry the same identity.
    #[must_use]
    #[inline]
    pub fn of(key: &[u8], reversed: bool) -> Self {
        let digest = XxHash3_128::oneshot_with_seed(u64::from(reversed), key).to_be_bytes();
        let (mut high, mut low) = ([0; 8], [0; 8]);
        high.copy_from_slice(&digest[..8]);
        low.copy_from_slice(&digest[8..]);
        Self { high: u64::from_be_bytes(high), low: u64::from_be_bytes(low) }
    }
}

/// A digest of everything that a row says.
#[must_use]
#[inline]
pub fn content_of(row: &[u8]) -> u64 {
    XxHash3_64::oneshot(row)
}
