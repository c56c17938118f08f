//! A sum of money with a sign, for what two sides owe each other after corrections. Pure.
//!
//! Prices, tolls and payments are `Amount`s, which are never negative. What is left of a day may
//! be: more may be taken back on it than was driven. *Above zero* is always in favour of the one
//! whose statement it is, the operator.

use std::fmt;

use domain::{Amount, MoneyError, Rounding};
use rust_decimal::Decimal;
use rust_decimal::RoundingStrategy;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

/// Whole minor units with a sign.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Signed(i64);

impl Signed {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Takes whole minor units.
    #[must_use]
    pub const fn new(minor_units: i64) -> Self {
        Self(minor_units)
    }

    /// The whole minor units.
    #[must_use]
    pub const fn minor_units(self) -> i64 {
        self.0
    }

    /// Whether it is nothing; by reference, as `serde` asks.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// How much, when it is above zero.
    #[must_use]
    pub fn above_zero(self) -> Option<Amount> {
        Amount::try_new(self.0).ok().filter(|amount| !amount.is_zero())
    }

    /// How much, when it is below zero.
    #[must_use]
    pub fn below_zero(self) -> Option<Amount> {
        self.0.checked_neg().and_then(|units| Self(units).above_zero())
    }

    /// The sum of both.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::Overflow)
    }

    /// What is left when `other` is taken away.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_sub(other.0).map(Self).ok_or(MoneyError::Overflow)
    }

    /// A share of the sum, made whole by the named rule, which works alike on both sides of zero: a
    /// fee that is given back is the fee that was taken.
    ///
    /// # Errors
    /// When the product does not fit.
    pub fn share(self, share: Decimal, rounding: Rounding) -> Result<Self, MoneyError> {
        let product = Decimal::from(self.0).checked_mul(share).ok_or(MoneyError::Overflow)?;
        let strategy = match rounding {
            Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Rounding::Down => RoundingStrategy::ToZero,
        };
        let whole = product.round_dp_with_strategy(0, strategy);
        whole.to_i64().map(Self).ok_or(MoneyError::Overflow)
    }

    /// The sum of many.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn sum(sums: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        sums.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

impl From<Amount> for Signed {
    fn from(amount: Amount) -> Self {
        Self(amount.minor_units())
    }
}

impl fmt::Display for Signed {
    /// Groups the digits in threes with a dot: `-1.410.000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push('.');
            }
            text.push(digit);
        }
        f.pad_integral(self.0 >= 0, "", &text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sum_below_zero_prints_its_sign_before_the_groups() {
        for (units, text) in [(-1_410_000, "-1.410.000"), (-5, "-5"), (0, "0"), (47_000, "47.000")]
        {
            assert_eq!(Signed::new(units).to_string(), text);
        }
        assert_eq!(format!("{:>10}|", Signed::new(-1_000)), "    -1.000|");
    }

    proptest! {
        #[test]
        fn a_share_given_back_is_the_share_that_was_taken(
            units in 0..i64::MAX / 1_000_000,
            share in 0..1_000_000_i64,
        ) {
            for rounding in [Rounding::HalfUp, Rounding::Down] {
                let share = Decimal::new(share, 6);
                let taken = Signed::new(units).share(share, rounding).unwrap();
                let back = Signed::new(-units).share(share, rounding).unwrap();
                prop_assert_eq!(taken.plus(back).unwrap(), Signed::ZERO);
                let amount = Amount::try_new(units).unwrap().share(share, rounding).unwrap();
                prop_assert_eq!(Signed::from(amount), taken);
            }
        }
    }
}
