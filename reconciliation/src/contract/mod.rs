//! Contracts: on which terms an issuer pays an operator, as data. Pure; `repo` keeps the rows.
//!
//! *Fee terms* say what the issuer keeps: a share of the tolls, a sum for each passage, and the tax
//! on both. *Base* is what the fee is taken from: the tolls of the day and the corrections that
//! landed in it. Where the terms have a fraction of the smallest unit, the named rounding makes it
//! whole once for each operator, issuer and day, the share and the tax each by itself; so every
//! figure can be worked out again with pencil and paper. A contract counts from a day on, and what
//! is stated stays on the terms it was stated on.

pub mod file;
pub mod repo;

use domain::{Amount, MoneyError, Rounding};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::Signed;

/// What an issuer keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeTerms {
    /// The share of the base.
    pub fee_share: Decimal,
    /// For each passage, in the smallest unit.
    #[serde(default)]
    pub fee_per_passage: Amount,
    /// The share of the fee that is tax on it.
    #[serde(default)]
    pub vat_share: Decimal,
    /// How a fraction is made whole.
    #[serde(default = "half_up")]
    pub rounding: Rounding,
}

const fn half_up() -> Rounding {
    Rounding::HalfUp
}

/// A fee, in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// The share of the base, made whole.
    pub share: Signed,
    /// What the passages cost.
    pub passages: Signed,
    /// Both.
    pub fee: Signed,
    /// The tax on it, made whole.
    pub vat: Signed,
}

impl FeeTerms {
    /// A share of the base and nothing else.
    #[must_use]
    pub const fn share(fee_share: Decimal) -> Self {
        Self {
            fee_share,
            fee_per_passage: Amount::ZERO,
            vat_share: Decimal::ZERO,
            rounding: Rounding::HalfUp,
        }
    }

    /// The fee on a base of so many passages; both may be below zero after corrections.
    ///
    /// # Errors
    /// When a product does not fit.
    pub fn fee(&self, base: Signed, passages: i64) -> Result<Fee, MoneyError> {
        let share = base.share(self.fee_share, self.rounding)?;
        let each = self.fee_per_passage.minor_units();
        let passages = Signed::new(each.checked_mul(passages).ok_or(MoneyError::Overflow)?);
        let fee = share.plus(passages)?;
        Ok(Fee { share, passages, fee, vat: fee.share(self.vat_share, self.rounding)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_fee_can_be_worked_out_with_pencil_and_paper() {
        let check = |rounding, base: i64, passages, expected: [i64; 4]| {
            let terms = FeeTerms {
                fee_share: Decimal::new(25, 3),
                fee_per_passage: Amount::try_new(50).unwrap(),
                vat_share: Decimal::new(8, 2),
                rounding,
            };
            let fee = terms.fee(Signed::new(base), passages).unwrap();
            let found = [fee.share, fee.passages, fee.fee, fee.vat].map(Signed::minor_units);
            assert_eq!(found, expected, "{rounding:?} {base} {passages}");
        };
        // 2,5 % of 64.060 is 1.601,5; 8 % of 1.652 is 132,16.
        check(Rounding::HalfUp, 64_060, 1, [1_602, 50, 1_652, 132]);
        check(Rounding::Down, 64_060, 1, [1_601, 50, 1_651, 132]);
        // What is taken back gives its fee back.
        check(Rounding::HalfUp, -64_060, -1, [-1_602, -50, -1_652, -132]);
        check(Rounding::HalfUp, 0, 0, [0, 0, 0, 0]);
    }
}
