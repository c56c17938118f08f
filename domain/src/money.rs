//! Money: whole minor units that are never negative; direction is another type's matter.
//!
//! Rates and shares are decimals; the step from a product back to money names its rounding.

use std::fmt;
use std::str::FromStr;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// Why a sum of money could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Below zero.
    #[error("an amount is never negative, and this one is {0}")]
    Negative(i64),
    /// Past what 63 bits hold.
    #[error("the amount is past what the books hold")]
    Overflow,
    /// Not a currency code.
    #[error("{0:?} is not a currency code of ISO 4217: three letters A to Z")]
    Currency(String),
}

/// A currency by its ISO 4217 code, such as `VND`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Vietnamese dong, which has no minor unit.
    pub const VND: Self = Self(*b"VND");

    /// How many decimal places the minor unit has (ISO 4217, "minor unit").
    #[must_use]
    pub fn exponent(self) -> u32 {
        match &self.0 {
            b"VND" | b"JPY" | b"KRW" | b"CLP" | b"ISK" | b"PYG" | b"UGX" | b"XAF" | b"XOF" => 0,
            b"BHD" | b"KWD" | b"OMR" | b"JOD" | b"TND" | b"IQD" | b"LYD" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or("???"))
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(MoneyError::Currency(text.chars().take(16).collect())),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.to_string()
    }
}

/// How a product of money and a rate becomes whole minor units again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the nearest unit, a half away from zero: what an invoice does.
    HalfUp,
    /// Down to the whole unit: what is kept back never exceeds what was agreed.
    Down,
}

/// A sum of money in whole minor units of a currency that the context names; never negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Takes whole minor units.
    ///
    /// # Errors
    /// When they are negative.
    pub const fn try_new(minor_units: i64) -> Result<Self, MoneyError> {
        if minor_units >= 0 {
            Ok(Self(minor_units))
        } else {
            Err(MoneyError::Negative(minor_units))
        }
    }

    /// The whole minor units.
    #[must_use]
    pub const fn minor_units(self) -> i64 {
        self.0
    }

    /// Whether nothing is due.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum of two amounts.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::Overflow)
    }

    /// What is left when `other` is taken away.
    ///
    /// # Errors
    /// When more would be taken than there is.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        let left = self.0.checked_sub(other.0).ok_or(MoneyError::Overflow)?;
        Self::try_new(left)
    }

    /// A share of the amount, such as a fee of 0.03, made whole by the named rule.
    ///
    /// # Errors
    /// When the share is negative or the product does not fit.
    pub fn share(self, share: Decimal, rounding: Rounding) -> Result<Self, MoneyError> {
        let product = Decimal::from(self.0).checked_mul(share).ok_or(MoneyError::Overflow)?;
        let strategy = match rounding {
            Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Rounding::Down => RoundingStrategy::ToZero,
        };
        let whole = product.round_dp_with_strategy(0, strategy);
        Self::try_new(whole.to_i64().ok_or(MoneyError::Overflow)?)
    }

    /// The sum of many amounts.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

impl TryFrom<i64> for Amount {
    type Error = MoneyError;
    fn try_from(minor_units: i64) -> Result<Self, MoneyError> {
        Self::try_new(minor_units)
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl fmt::Display for Amount {
    /// Groups the digits in threes with a dot, as Vietnamese papers do: `1.410.000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push('.');
            }
            text.push(digit);
        }
        f.pad_integral(true, "", &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_print_in_groups_of_three() {
        for (units, text) in [(0, "0"), (999, "999"), (47_000, "47.000"), (1_410_000, "1.410.000")]
        {
            assert_eq!(Amount::try_new(units).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_fee_share_names_its_rounding() {
        let toll = Amount::try_new(54_909).unwrap();
        let share = Decimal::new(3, 2);
        assert_eq!(toll.share(share, Rounding::HalfUp).unwrap().minor_units(), 1_647);
        assert_eq!(toll.share(share, Rounding::Down).unwrap().minor_units(), 1_647);
        let odd = Amount::try_new(50).unwrap();
        assert_eq!(odd.share(share, Rounding::HalfUp).unwrap().minor_units(), 2);
        assert_eq!(odd.share(share, Rounding::Down).unwrap().minor_units(), 1);
    }

    proptest! {
        #[test]
        fn money_is_neither_made_nor_lost(a in 0..i64::MAX / 2, b in 0..i64::MAX / 2) {
            let (a, b) = (Amount::try_new(a).unwrap(), Amount::try_new(b).unwrap());
            let sum = a.plus(b).unwrap();
            prop_assert_eq!(sum.minus(b).unwrap(), a);
            if b > a {
                prop_assert!(a.minus(b).is_err());
            }
        }
    }
}
