//! Net positions: what each participant is left with when everybody's days are put together. Pure.
//!
//! *Obligation*: what one issuer owes one operator for a day, with its parts; below zero the operator
//! owes the issuer. *Participant*: an issuer or an operator. A participant's *net position* is what it
//! is to receive (above zero) or to pay, in the end. Whatever the obligations are, the positions of
//! all participants sum to zero: money changes hands and none is made. The parts of an issuer's
//! position mirror those of the operators'.
//!
//! Deliberately absent: who pays whom. Payment goes pair by pair (`payment`), as contracts do; net
//! positions are what finance checks it against.

pub mod repo;

use std::collections::BTreeMap;
use std::fmt;

use domain::{BusinessDate, IssuerId, MoneyError, OperatorId};
use serde::Serialize;

use crate::money::Signed;

/// What an issuer owes an operator for a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obligation {
    /// Who is owed.
    pub operator: OperatorId,
    /// Who owes.
    pub issuer: IssuerId,
    /// For which day.
    pub day: BusinessDate,
    /// In what parts.
    #[serde(flatten)]
    pub parts: Parts,
}

/// The parts of an obligation or of a position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Tolls.
    pub gross: Signed,
    /// Corrections of earlier tolls.
    pub adjustment: Signed,
    /// What the issuer keeps.
    pub fee: Signed,
    /// The tax on that.
    pub vat: Signed,
    /// Gross and adjustment, less fee and tax.
    pub net: Signed,
}

impl Parts {
    fn plus(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self {
            gross: self.gross.plus(other.gross)?,
            adjustment: self.adjustment.plus(other.adjustment)?,
            fee: self.fee.plus(other.fee)?,
            vat: self.vat.plus(other.vat)?,
            net: self.net.plus(other.net)?,
        })
    }

    fn minus(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self {
            gross: self.gross.minus(other.gross)?,
            adjustment: self.adjustment.minus(other.adjustment)?,
            fee: self.fee.minus(other.fee)?,
            vat: self.vat.minus(other.vat)?,
            net: self.net.minus(other.net)?,
        })
    }
}

/// One who pays or is paid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Participant {
    /// An issuer.
    Issuer(IssuerId),
    /// An operator.
    Operator(OperatorId),
}

impl fmt::Display for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(issuer) => write!(f, "issuer/{issuer}"),
            Self::Operator(operator) => write!(f, "operator/{operator}"),
        }
    }
}

/// Everybody's position.
pub type Positions = BTreeMap<Participant, Parts>;

/// Puts obligations together: what is owed is added to the operator and taken from the issuer.
///
/// # Errors
/// When a sum is past what the books hold.
pub fn net(obligations: &[Obligation]) -> Result<Positions, MoneyError> {
    let mut positions = Positions::new();
    for Obligation { operator, issuer, parts, .. } in obligations {
        let operator = positions.entry(Participant::Operator(operator.clone())).or_default();
        *operator = operator.plus(*parts)?;
        let issuer = positions.entry(Participant::Issuer(issuer.clone())).or_default();
        *issuer = issuer.minus(*parts)?;
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn obligation(operator: u8, issuer: u8, gross: i64, adjustment: i64, fee: i64) -> Obligation {
        let [gross, adjustment, fee] = [gross, adjustment, fee].map(Signed::new);
        let net = gross.plus(adjustment).unwrap().minus(fee).unwrap();
        Obligation {
            operator: format!("operator-{operator}").parse().unwrap(),
            issuer: format!("issuer-{issuer}").parse().unwrap(),
            day: "2026-11-21".parse().unwrap(),
            parts: Parts { gross, adjustment, fee, vat: Signed::ZERO, net },
        }
    }

    #[test]
    fn an_operator_that_owes_more_than_it_is_owed_is_below_zero() {
        let positions =
            net(&[obligation(1, 1, 100, 0, 3), obligation(1, 2, 10, -150, -4)]).unwrap();
        let nets: Vec<String> =
            positions.iter().map(|(who, parts)| format!("{who} {}", parts.net)).collect();
        assert_eq!(nets, ["issuer/issuer-1 -97", "issuer/issuer-2 136", "operator/operator-1 -39"]);
    }

    proptest! {
        #[test]
        fn net_positions_sum_to_zero_in_every_part(
            obligations in proptest::collection::vec(
                (0..5_u8, 0..3_u8, 0..1_i64 << 40, -(1_i64 << 40)..1_i64 << 40, -(1_i64 << 30)..1_i64 << 30),
                0..40,
            ),
        ) {
            let obligations: Vec<Obligation> = obligations
                .into_iter()
                .map(|(operator, issuer, gross, adjustment, fee)| {
                    obligation(operator, issuer, gross, adjustment, fee)
                })
                .collect();
            let positions = net(&obligations).unwrap();
            let sum = positions.values().try_fold(Parts::default(), |sum, one| sum.plus(*one));
            prop_assert_eq!(sum.unwrap(), Parts::default());
            // The order of the obligations does not matter.
            let reversed: Vec<Obligation> = obligations.iter().rev().cloned().collect();
            prop_assert_eq!(net(&reversed).unwrap(), positions);
        }
    }
}
