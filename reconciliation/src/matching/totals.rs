//! What the classes of a day come to, by side: how a day of the books is proved against the lanes. Pure.
//!
//! The two sides of a passage stand in one row of the books: what was charged for it, *ours*, and
//! what its lane showed and took, *theirs*. So nothing is looked for; rows that fare alike are counted
//! together, and the totals of the classes add up to both sides. Deliberately absent: rules, files,
//! groups and keys; those are the engine's (`engine`).

use domain::{Amount, MoneyError};
use serde::{Deserialize, Serialize};

/// How many records a class has on a side, and what they sum to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many records.
    pub records: u64,
    /// Their sum.
    pub amount: Amount,
}

impl Tally {
    fn plus(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self { records: self.records + other.records, amount: self.amount.plus(other.amount)? })
    }
}

/// Passages that fare alike, with what they sum to on the sides that have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alike {
    /// Both sides have them, each with the same amount.
    Matched(Tally),
    /// Both sides have them, each with another amount.
    AmountDiffers {
        /// How many.
        records: u64,
        /// Our sum.
        ours: Amount,
        /// Their sum.
        theirs: Amount,
    },
    /// We have them, they do not.
    OnlyOurs(Tally),
    /// They have them, we do not.
    OnlyTheirs(Tally),
}

/// The classes' totals, by side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// On both sides with the same amount; the same figures hold for either side.
    pub matched: Tally,
    /// Ours among those with different amounts.
    pub amount_differs_ours: Tally,
    /// Theirs among those with different amounts.
    pub amount_differs_theirs: Tally,
    /// Only ours.
    pub only_ours: Tally,
    /// Only theirs.
    pub only_theirs: Tally,
    /// Ours once more: nothing, as long as the books take a passage once.
    pub duplicate_ours: Tally,
    /// Theirs once more: nothing likewise.
    pub duplicate_theirs: Tally,
}

impl Totals {
    /// Counts passages that fare alike.
    ///
    /// # Errors
    /// When a sum is past what the books hold.
    pub fn count(&mut self, alike: Alike) -> Result<(), MoneyError> {
        let add = |sum: &mut Tally, more: Tally| sum.plus(more).map(|both| *sum = both);
        match alike {
            Alike::Matched(both) => add(&mut self.matched, both),
            Alike::AmountDiffers { records, ours, theirs } => {
                add(&mut self.amount_differs_ours, Tally { records, amount: ours })?;
                add(&mut self.amount_differs_theirs, Tally { records, amount: theirs })
            }
            Alike::OnlyOurs(ours) => add(&mut self.only_ours, ours),
            Alike::OnlyTheirs(theirs) => add(&mut self.only_theirs, theirs),
        }
    }

    /// What the classes say our side is.
    ///
    /// # Errors
    /// When the sum is past what the books hold.
    pub fn ours(&self) -> Result<Tally, MoneyError> {
        self.matched.plus(self.amount_differs_ours)?.plus(self.only_ours)?.plus(self.duplicate_ours)
    }

    /// What the classes say their side is.
    ///
    /// # Errors
    /// When the sum is past what the books hold.
    pub fn theirs(&self) -> Result<Tally, MoneyError> {
        self.matched
            .plus(self.amount_differs_theirs)?
            .plus(self.only_theirs)?
            .plus(self.duplicate_theirs)
    }
}

#[cfg(test)]
mod tests;
