//! Matching by equal keys alone, in memory: how a day of the books is proved against the lanes.
//!
//! Two lists of records, each with a key and an amount. Every record of either side ends in one
//! class, so the totals of the classes add up to both sides. Deliberately absent: rules, files,
//! groups, and anything larger than memory; those are the engine's (`engine`).
//!
//! A key that one side holds more than once says nothing certain: its first record is matched, the
//! others are *duplicates* of that side. "First" is the smallest amount, so that neither the order
//! of the lists nor which side is called ours changes the outcome.

use std::cmp::Ordering;

use domain::{Amount, MoneyError};
use serde::{Deserialize, Serialize};

/// One side's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record<K> {
    /// What makes it the same thing on both sides.
    pub key: K,
    /// What it is worth.
    pub amount: Amount,
}

/// What became of the records of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Both sides have it, with the same amount.
    Matched {
        /// The amount on both sides.
        amount: Amount,
    },
    /// Both sides have it, with different amounts.
    AmountDiffers {
        /// Our amount.
        ours: Amount,
        /// Their amount.
        theirs: Amount,
    },
    /// We have it, they do not.
    OnlyOurs {
        /// Our amount.
        amount: Amount,
    },
    /// They have it, we do not.
    OnlyTheirs {
        /// Their amount.
        amount: Amount,
    },
    /// We have it once more.
    DuplicateOurs {
        /// Our amount.
        amount: Amount,
    },
    /// They have it once more.
    DuplicateTheirs {
        /// Their amount.
        amount: Amount,
    },
}

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
    fn count(&mut self, amount: Amount) -> Result<(), MoneyError> {
        self.records += 1;
        self.amount = self.amount.plus(amount)?;
        Ok(())
    }

    fn plus(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self { records: self.records + other.records, amount: self.amount.plus(other.amount)? })
    }
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
    /// Ours once more.
    pub duplicate_ours: Tally,
    /// Theirs once more.
    pub duplicate_theirs: Tally,
}

impl Totals {
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

    fn count(&mut self, class: Class) -> Result<(), MoneyError> {
        match class {
            Class::Matched { amount } => self.matched.count(amount),
            Class::AmountDiffers { ours, theirs } => {
                self.amount_differs_ours.count(ours)?;
                self.amount_differs_theirs.count(theirs)
            }
            Class::OnlyOurs { amount } => self.only_ours.count(amount),
            Class::OnlyTheirs { amount } => self.only_theirs.count(amount),
            Class::DuplicateOurs { amount } => self.duplicate_ours.count(amount),
            Class::DuplicateTheirs { amount } => self.duplicate_theirs.count(amount),
        }
    }
}

/// Two sides, matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching<K> {
    /// What became of every record, in order of key.
    pub classes: Vec<(K, Class)>,
    /// The classes' totals.
    pub totals: Totals,
}

/// Puts every record of both sides into one class.
///
/// # Errors
/// When a side's sum is past what the books hold.
pub fn match_sides<K: Ord + Clone>(
    mut ours: Vec<Record<K>>,
    mut theirs: Vec<Record<K>>,
) -> Result<Matching<K>, MoneyError> {
    ours.sort_unstable();
    theirs.sort_unstable();
    let mut classes = Vec::with_capacity(ours.len().max(theirs.len()));
    let (mut ours, mut theirs) = (ours.as_slice(), theirs.as_slice());
    while let Some(key) = smallest_key(ours, theirs).cloned() {
        let (of_ours, rest) = take_key(ours, &key);
        ours = rest;
        let (of_theirs, rest) = take_key(theirs, &key);
        theirs = rest;
        let first = match (of_ours.first(), of_theirs.first()) {
            (Some(a), Some(b)) if a.amount == b.amount => Class::Matched { amount: a.amount },
            (Some(a), Some(b)) => Class::AmountDiffers { ours: a.amount, theirs: b.amount },
            (Some(a), None) => Class::OnlyOurs { amount: a.amount },
            (None, Some(b)) => Class::OnlyTheirs { amount: b.amount },
            (None, None) => continue,
        };
        classes.push((key.clone(), first));
        let more_ours = of_ours.iter().skip(1).map(|a| Class::DuplicateOurs { amount: a.amount });
        let more_theirs =
            of_theirs.iter().skip(1).map(|b| Class::DuplicateTheirs { amount: b.amount });
        classes.extend(more_ours.chain(more_theirs).map(|class| (key.clone(), class)));
    }
    let mut totals = Totals::default();
    for (_, class) in &classes {
        totals.count(*class)?;
    }
    Ok(Matching { classes, totals })
}

fn smallest_key<'a, K: Ord>(ours: &'a [Record<K>], theirs: &'a [Record<K>]) -> Option<&'a K> {
    match (ours.first(), theirs.first()) {
        (Some(a), Some(b)) if a.key.cmp(&b.key) == Ordering::Greater => Some(&b.key),
        (Some(a), _) => Some(&a.key),
        (None, Some(b)) => Some(&b.key),
        (None, None) => None,
    }
}

fn take_key<'a, K: Ord>(side: &'a [Record<K>], key: &K) -> (&'a [Record<K>], &'a [Record<K>]) {
    let len = side.iter().take_while(|record| record.key == *key).count();
    side.split_at(len)
}

#[cfg(test)]
mod tests;
