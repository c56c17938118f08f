//! Rules: what makes two rows the same thing. Data, in an order; read from TOML.
//!
//! A rule has a *key*, the fields that must be equal, and either the identity among them or a
//! *window* in time. Under an identity, further rows of a side are copies or parts of the first:
//! duplicates, or a split. Under a window each row pairs with one other at most, and what finds none
//! is left for the next rule.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The name that both sides have for it.
    Identity,
    /// The station.
    Station,
    /// The tag.
    Tag,
    /// The plate, in its normal form.
    Plate,
    /// The tariff group.
    Group,
    /// The amount.
    Amount,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called; each match says it.
    pub name: String,
    /// What must be equal.
    pub key: Vec<Field>,
    /// How far apart the two may be in time; none for a rule by identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// How far apart the amounts may be and still agree, in minor units.
    #[serde(default)]
    pub amount_tolerance: u64,
    /// How far apart the tariff groups may be and still agree.
    #[serde(default)]
    pub group_tolerance: u8,
}

impl Rule {
    /// Whether the key holds the identity.
    #[must_use]
    pub fn is_by_identity(&self) -> bool {
        self.key.contains(&Field::Identity)
    }
}

/// Rules in their order; at least one, each sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Listed", into = "Listed")]
pub struct Rules(Vec<Rule>);

/// The form of a rules file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    rule: Vec<Rule>,
}

/// Why a list of rules is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No rule at all.
    #[error("there is no rule; at least one [[rule]] is needed")]
    None,
    /// More than can be told apart.
    #[error("there are {0} rules; 100 are enough")]
    Many(usize),
    /// Two of a name.
    #[error("two rules are called {0:?}; each match says its rule, so names must differ")]
    Name(String),
    /// Nothing to compare.
    #[error("rule {0:?} has an empty key; name at least one field")]
    Key(String),
    /// A field twice.
    #[error("rule {rule:?} has {field:?} twice in its key")]
    Twice {
        /// The rule.
        rule: String,
        /// The field.
        field: Field,
    },
    /// Neither identity nor window.
    #[error(
        "rule {0:?} has neither \"identity\" in its key nor window_ms: all that ever agreed would \
         be one group"
    )]
    Boundless(String),
    /// Both.
    #[error("rule {0:?} has \"identity\" in its key and window_ms; an identity needs no window")]
    Both(String),
}

impl Rules {
    /// Takes rules in their order.
    ///
    /// # Errors
    /// When there is none, or one of them is unsound.
    pub fn try_new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        if rules.is_empty() {
            return Err(RuleError::None);
        }
        if rules.len() > 100 {
            return Err(RuleError::Many(rules.len()));
        }
        let mut names = HashSet::new();
        for rule in &rules {
            let name = || rule.name.clone();
            if !names.insert(rule.name.as_str()) {
                return Err(RuleError::Name(name()));
            }
            if rule.key.is_empty() {
                return Err(RuleError::Key(name()));
            }
            let mut fields = HashSet::new();
            if let Some(field) = rule.key.iter().find(|field| !fields.insert(**field)) {
                return Err(RuleError::Twice { rule: name(), field: *field });
            }
            match (rule.is_by_identity(), rule.window_ms) {
                (true, None) | (false, Some(_)) => {}
                (false, None) => return Err(RuleError::Boundless(name())),
                (true, Some(_)) => return Err(RuleError::Both(name())),
            }
        }
        Ok(Self(rules))
    }

    /// The rules, the first first.
    #[must_use]
    pub fn as_slice(&self) -> &[Rule] {
        &self.0
    }
}

impl Default for Rules {
    /// By identity; then by tag at a station within two minutes; then by plate likewise.
    fn default() -> Self {
        let rule = |name: &str, key: &[Field], window_ms| Rule {
            name: name.to_owned(),
            key: key.to_vec(),
            window_ms,
            amount_tolerance: 0,
            group_tolerance: 0,
        };
        Self(vec![
            rule("identity", &[Field::Identity], None),
            rule("tag", &[Field::Station, Field::Tag], Some(120_000)),
            rule("plate", &[Field::Station, Field::Plate], Some(120_000)),
        ])
    }
}

impl TryFrom<Listed> for Rules {
    type Error = RuleError;
    fn try_from(listed: Listed) -> Result<Self, RuleError> {
        Self::try_new(listed.rule)
    }
}

impl From<Rules> for Listed {
    fn from(rules: Rules) -> Self {
        Self { rule: rules.0 }
    }
}
