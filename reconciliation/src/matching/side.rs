//! A side: where rows come from, and what a rule sees of one.

use std::error::Error;

use super::rule::{Field, Rule};
use super::stub::{Digest, Facts, Stub};

/// Why a side could not be read.
pub type Unreadable = Box<dyn Error + Send + Sync>;

/// One side, which can be read in parts, and again where a row was.
pub trait Side: Sync {
    /// What a worker keeps between two reads.
    type Scratch: Default + Send;

    /// Above every place; at most [`PLACE_LIMIT`](super::stub::PLACE_LIMIT).
    fn extent(&self) -> u64;

    /// About how many rows there are: a guess decides how many shelves are made.
    fn rows_about(&self) -> u64;

    /// How many parts it has; each may be read by another worker.
    fn parts(&self) -> usize;

    /// Takes every row of a part.
    ///
    /// # Errors
    /// When it cannot be read, with the place in the file and what would be right.
    fn read_part(
        &self,
        part: usize,
        rule: &Rule,
        scratch: &mut Self::Scratch,
        take: impl FnMut(Taken),
    ) -> Result<(), Unreadable>;

    /// Takes rows that were read before, by places in ascending order.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read_again(
        &self,
        places: impl Iterator<Item = u64>,
        rule: &Rule,
        scratch: &mut Self::Scratch,
        take: impl FnMut(Taken),
    ) -> Result<(), Unreadable>;
}

/// A row as a rule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Of the rule's key; `None` where the row lacks a field of it.
    pub digest: Option<Digest>,
    /// When it was; needed under a window alone.
    pub at_ms: Option<i64>,
    /// What else there is to say.
    pub facts: Facts,
}

impl Taken {
    /// `None` where the row takes no part in the rule.
    pub(crate) fn stub(&self, rule: &Rule) -> Option<Stub> {
        let stub = Stub::new(self.facts);
        match rule.window_ms {
            None => Some(stub.under(self.digest?, self.facts.content)),
            Some(_) => stub.under_at(self.digest?, self.at_ms?, self.facts.content),
        }
    }
}

/// What a rule's key can be made of. Both sides must write the same bytes for the same thing.
pub trait Keyed {
    /// Writes a field behind what `key` holds; `false` where there is none, or none that can be
    /// read, as with a plate that a camera half saw.
    fn write(&self, field: Field, key: &mut Vec<u8>) -> bool;

    /// The bytes that [`write`](Self::write) would write, where they lie in the row as they are; a
    /// shorter way, and never another key.
    fn lies_in_row(&self, _field: Field) -> Option<&[u8]> {
        None
    }
}

impl Rule {
    /// The digest of a row's key, made in `key`; `None` where it lacks a field.
    #[inline]
    pub fn digest(&self, row: &impl Keyed, reversed: bool, key: &mut Vec<u8>) -> Option<Digest> {
        if let [field] = self.key.as_slice()
            && let Some(bytes) = row.lies_in_row(*field)
        {
            return Some(Digest::of(bytes, reversed));
        }
        key.clear();
        for (number, field) in self.key.iter().enumerate() {
            if number > 0 {
                key.push(0);
            }
            if !row.write(*field, key) {
                return None;
            }
        }
        Some(Digest::of(key, reversed))
    }
}
