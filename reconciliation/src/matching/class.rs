//! Classes, and their totals by rule and by side.

use domain::{Amount, MoneyError};
use serde::{Deserialize, Serialize};

use super::stub::{Stub, Whose};

/// What became of a row. Each row is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Both sides have it, and agree.
    Matched,
    /// Both sides have it, with different amounts.
    AmountDiffers,
    /// Both sides have it, in different tariff groups, whatever the amounts: the group is why.
    GroupDiffers,
    /// We have it, they do not.
    OnlyOurs,
    /// They have it, we do not.
    OnlyTheirs,
    /// A side has it once more, under the same identity.
    Duplicate,
    /// Somebody disputes it, on either side.
    Disputed,
}

/// The classes in the order in which they are told.
pub const CLASSES: [Class; 7] = [
    Class::Matched,
    Class::AmountDiffers,
    Class::GroupDiffers,
    Class::OnlyOurs,
    Class::OnlyTheirs,
    Class::Duplicate,
    Class::Disputed,
];

impl Class {
    /// As it is written in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::AmountDiffers => "amount-differs",
            Self::GroupDiffers => "group-differs",
            Self::OnlyOurs => "only-ours",
            Self::OnlyTheirs => "only-theirs",
            Self::Duplicate => "duplicate",
            Self::Disputed => "disputed",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// Rows of one side, and what they come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RunningSum {
    rows: u64,
    amount: u128,
    reversed: u128,
}

impl RunningSum {
    #[inline]
    pub(crate) fn count(&mut self, stub: &Stub) {
        self.rows += 1;
        let sum = if stub.is_reversed() { &mut self.reversed } else { &mut self.amount };
        *sum += u128::from(stub.amount());
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.amount += other.amount;
        self.reversed += other.reversed;
    }

    fn sum(&self) -> Result<SideSum, MoneyError> {
        let amount = |sum: u128| {
            i64::try_from(sum).map_err(|_large| MoneyError::Overflow).and_then(Amount::try_new)
        };
        Ok(SideSum {
            rows: self.rows,
            amount: amount(self.amount)?,
            reversed: amount(self.reversed)?,
        })
    }
}

/// Rows of one side, and what they come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideSum {
    /// How many rows.
    pub rows: u64,
    /// What they take.
    pub amount: Amount,
    /// What they give back.
    pub reversed: Amount,
}

impl SideSum {
    /// Both together.
    ///
    /// # Errors
    /// When a sum is past what the books hold.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self {
            rows: self.rows + other.rows,
            amount: self.amount.plus(other.amount)?,
            reversed: self.reversed.plus(other.reversed)?,
        })
    }
}

/// One class under one rule, on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassLine {
    /// The class.
    pub class: Class,
    /// Our rows in it.
    pub ours: SideSum,
    /// Theirs.
    pub theirs: SideSum,
}

/// What a rule found; only classes with rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleTotals {
    /// Its name; none for rows that no rule paired.
    pub rule: Option<String>,
    /// By class.
    pub classes: Vec<ClassLine>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassTotals {
    /// By class, all rules together; every class is there.
    pub classes: Vec<ClassLine>,
    /// By rule, in the order of the rules, and last what no rule paired.
    pub rules: Vec<RuleTotals>,
    /// Our side, as it was read.
    pub ours: SideSum,
    /// Their side, as it was read.
    pub theirs: SideSum,
}

impl ClassTotals {
    /// The line of a class, all rules together.
    #[must_use]
    pub fn class(&self, class: Class) -> ClassLine {
        self.classes[class.index()]
    }
}

/// Both sides of a sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Both {
    pub(crate) ours: RunningSum,
    pub(crate) theirs: RunningSum,
}

impl Both {
    pub(crate) fn of(&mut self, whose: Whose) -> &mut RunningSum {
        match whose {
            Whose::Ours => &mut self.ours,
            Whose::Theirs => &mut self.theirs,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.ours.add(&other.ours);
        self.theirs.add(&other.theirs);
    }

    fn line(&self, class: Class) -> Result<ClassLine, MoneyError> {
        Ok(ClassLine { class, ours: self.ours.sum()?, theirs: self.theirs.sum()? })
    }
}

/// What is counted under one rule.
pub(crate) type OfRule = [Both; CLASSES.len()];

/// Adds up; refuses when classes and sides do not come to the same.
pub(crate) fn add_up(
    names: &[&str],
    by_rule: &[OfRule],
    read: &Both,
) -> Result<ClassTotals, AddUpError> {
    let mut all = OfRule::default();
    let mut rules = Vec::new();
    for (number, of_rule) in by_rule.iter().enumerate() {
        let mut classes = Vec::new();
        for class in CLASSES {
            let both = &of_rule[class.index()];
            all[class.index()].add(both);
            if *both != Both::default() {
                classes.push(both.line(class)?);
            }
        }
        rules.push(RuleTotals { rule: names.get(number).map(|name| (*name).to_owned()), classes });
    }
    let mut sum = Both::default();
    for both in &all {
        sum.add(both);
    }
    if sum != *read {
        return Err(AddUpError::Differs);
    }
    let lines = CLASSES.map(|class| all[class.index()].line(class));
    Ok(ClassTotals {
        classes: lines.into_iter().collect::<Result<_, _>>()?,
        rules,
        ours: read.ours.sum()?,
        theirs: read.theirs.sum()?,
    })
}

/// Why there are no totals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddUpError {
    #[error("the classes do not add up to what was read")]
    Differs,
    #[error(transparent)]
    Money(#[from] MoneyError),
}
