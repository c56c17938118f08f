//! Proof: the day's money, counted twice by ways that share nothing, must agree. Pure.
//!
//! One way sums the charges, over the accounts they were charged to; the other sums what moved on
//! the ledger accounts that stand for what issuers owe the operator. A toll that was charged and
//! not transferred, transferred and not charged, or put on another issuer's account differs here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Counted, Source};

/// Where the two ways of counting part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whose tolls.
    pub source: Source,
    /// What the charges say.
    pub charges: Counted,
    /// What the ledger says.
    pub ledger: Counted,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Issuer(issuer) => write!(f, "issuer {issuer}: ")?,
            Source::Cash => write!(f, "cash: ")?,
        }
        let Self { charges, ledger, .. } = self;
        write!(
            f,
            "{} charges sum to {}, {} transfers of the ledger sum to {}",
            charges.tolls, charges.minor_units, ledger.tolls, ledger.minor_units
        )
    }
}

/// Every difference, by source.
pub(crate) fn differences(
    charges: &BTreeMap<Source, Counted>,
    ledger: &BTreeMap<Source, Counted>,
) -> Vec<Difference> {
    let sources: BTreeSet<&Source> = charges.keys().chain(ledger.keys()).collect();
    let of =
        |side: &BTreeMap<Source, Counted>, source| side.get(source).copied().unwrap_or_default();
    sources
        .into_iter()
        .map(|source| Difference {
            source: source.clone(),
            charges: of(charges, source),
            ledger: of(ledger, source),
        })
        .filter(|difference| difference.charges != difference.ledger)
        .collect()
}
