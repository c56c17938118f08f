//! Roles, and where somebody has them. Pure.
//!
//! *Role*: what a person may do, one of nine. *Scope*: where: everywhere, with one operator, or at
//! one station. Which role may use which route is one table, [`crate::routes`].

use std::fmt;
use std::str::FromStr;

use domain::{LaneId, OperatorId, StationId};
use serde::{Deserialize, Serialize};

use crate::language::Language;

/// What a person may do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Answers vehicles that wait, and keeps a shift.
    StationOperator,
    /// Stands over the station's operators: their shifts and passages.
    Supervisor,
    /// Prepares what moves money.
    FinanceMaker,
    /// Agrees to what a maker prepared, never to what is their own.
    FinanceChecker,
    /// Sees everything and changes nothing.
    Auditor,
    /// The road authority: traffic and revenue, nothing personal.
    Authority,
    /// Users and equipment; no money.
    Administrator,
    /// Looks again at the pictures of passages; sees their plates, one at a time.
    Reviewer,
    /// Holds an account: sees their own balance and trips, and disputes them.
    AccountHolder,
}

impl Role {
    /// All of them, in the order people read them.
    pub const ALL: [Self; 9] = [
        Self::StationOperator,
        Self::Supervisor,
        Self::FinanceMaker,
        Self::FinanceChecker,
        Self::Auditor,
        Self::Authority,
        Self::Administrator,
        Self::Reviewer,
        Self::AccountHolder,
    ];

    /// Its name in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StationOperator => "station-operator",
            Self::Supervisor => "supervisor",
            Self::FinanceMaker => "finance-maker",
            Self::FinanceChecker => "finance-checker",
            Self::Auditor => "auditor",
            Self::Authority => "authority",
            Self::Administrator => "administrator",
            Self::Reviewer => "reviewer",
            Self::AccountHolder => "account-holder",
        }
    }

    /// Whether a password alone does not admit to it: money and administration.
    #[must_use]
    pub const fn needs_second_factor(self) -> bool {
        matches!(self, Self::FinanceMaker | Self::FinanceChecker | Self::Administrator)
    }

    /// What people call it.
    pub(crate) fn text(self, t: Language) -> &'static str {
        match self {
            Self::StationOperator => t.role_station_operator(),
            Self::Supervisor => t.role_supervisor(),
            Self::FinanceMaker => t.role_finance_maker(),
            Self::FinanceChecker => t.role_finance_checker(),
            Self::Auditor => t.role_auditor(),
            Self::Authority => t.role_authority(),
            Self::Administrator => t.role_administrator(),
            Self::Reviewer => t.role_reviewer(),
            Self::AccountHolder => t.role_account_holder(),
        }
    }
}

/// Where somebody has their roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Everywhere: `*`.
    Everywhere,
    /// With one operator: `cienco4`.
    Operator(OperatorId),
    /// At one station: `cienco4/ben-thuy`.
    Station(OperatorId, StationId),
}

/// A text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no scope: * for everywhere, OPERATOR, or OPERATOR/STATION")]
pub struct ScopeError {
    text: String,
}

impl Scope {
    /// The operator whose rows may be seen; all where there is none.
    pub(crate) fn operator(&self) -> Option<&str> {
        match self {
            Self::Everywhere => None,
            Self::Operator(operator) | Self::Station(operator, _) => Some(operator.as_str()),
        }
    }

    /// The station whose rows may be seen; all of the operator's where there is none.
    pub(crate) fn station(&self) -> Option<&str> {
        match self {
            Self::Everywhere | Self::Operator(_) => None,
            Self::Station(_, station) => Some(station.as_str()),
        }
    }

    /// Whether a lane lies in it.
    pub(crate) fn covers(&self, lane: &LaneId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Operator(operator) => lane.operator() == operator,
            Self::Station(operator, station) => {
                lane.operator() == operator && lane.station() == station
            }
        }
    }

    /// Whether all of another scope lies in it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) => true,
            (Self::Operator(own), Self::Operator(operator) | Self::Station(operator, _)) => {
                own == operator
            }
            (Self::Station(own, at), Self::Station(operator, station)) => {
                own == operator && at == station
            }
            (Self::Operator(_), Self::Everywhere)
            | (Self::Station(_, _), Self::Everywhere | Self::Operator(_)) => false,
        }
    }

    /// Whether somebody of this scope has business at a station.
    pub(crate) fn meets(&self, operator: &OperatorId, station: &StationId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Operator(own) => own == operator,
            Self::Station(own, at) => own == operator && at == station,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.pad("*"),
            Self::Operator(operator) => f.pad(operator.as_str()),
            Self::Station(operator, station) => f.pad(&format!("{operator}/{station}")),
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let wrong = || ScopeError { text: text.to_owned() };
        if text == "*" {
            return Ok(Self::Everywhere);
        }
        match text.split_once('/') {
            None => text.parse().map(Self::Operator).or(Err(wrong())),
            Some((operator, station)) => match (operator.parse(), station.parse()) {
                (Ok(operator), Ok(station)) => Ok(Self::Station(operator, station)),
                (Err(_), _) | (_, Err(_)) => Err(wrong()),
            },
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;
    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn a_scope_covers_what_lies_in_it_and_nothing_beside_it() {
        let lane = "cienco4/ben-thuy/l01".parse().unwrap();
        for (scope, covers) in [
            ("*", true),
            ("cienco4", true),
            ("vec", false),
            ("cienco4/ben-thuy", true),
            ("cienco4/hoang-mai", false),
            ("vec/ben-thuy", false),
        ] {
            let scope: Scope = scope.parse().unwrap();
            assert_eq!(scope.covers(&lane), covers, "{scope}");
            assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
        }
        for wrong in ["", "/", "a/b/c", "A b", "cienco4/"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_scope_contains_itself_and_what_is_narrower() {
        let all = ["*", "cienco4", "cienco4/ben-thuy", "cienco4/hoang-mai", "vec"];
        let contained = |scope: &str| {
            let scope: Scope = scope.parse().unwrap();
            all.into_iter().filter(|other| scope.contains(&other.parse().unwrap())).collect()
        };
        let found: [Vec<&str>; 3] = ["*", "cienco4", "cienco4/ben-thuy"].map(contained);
        assert_eq!(found[0], all);
        assert_eq!(found[1], &all[1..4]);
        assert_eq!(found[2], &all[2..3]);
    }
}
