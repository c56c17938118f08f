//! Changes of people that take two administrators: one proposes, another makes it so. Pure: folded
//! from the audit log, as shifts are.
//!
//! A proposal's number is that of the entry it began with. Passwords and second factors are made when
//! a change is made, never before, so no proposal holds one.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::{People, Role, Scope};
use crate::audit::{Deed, Entry};

/// Why a deed about a change is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PersonError {
    /// There is no such proposal, or it was decided before.
    #[error("the change is not there, or was decided before")]
    Decided,
    /// Who proposed it, or whom it is about, may not agree to it.
    #[error("they proposed the change themselves, or it is about them")]
    Own,
}

/// A change of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum PersonChange {
    /// Somebody new.
    Add {
        name: String,
        full_name: String,
        roles: BTreeSet<Role>,
        scope: Scope,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<i64>,
    },
    /// Other roles, and where they hold.
    Rights { name: String, roles: BTreeSet<Role>, scope: Scope },
    /// A new password.
    Password { name: String },
    /// A new second factor.
    SecondFactor { name: String },
    /// They come in no more.
    End { name: String },
    /// They may come in again.
    Return { name: String },
}

impl PersonChange {
    /// Whom it is about.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Add { name, .. }
            | Self::Rights { name, .. }
            | Self::Password { name }
            | Self::SecondFactor { name }
            | Self::End { name }
            | Self::Return { name } => name,
        }
    }

    /// Whether it takes two: what gives money or administration, or a way in to somebody who has
    /// it. Taking somebody out never waits.
    pub(crate) fn takes_two(&self, people: &People) -> bool {
        let weighs = |roles: &BTreeSet<Role>| roles.iter().any(|role| role.needs_second_factor());
        let has = || people.person(self.name()).is_some_and(|person| weighs(&person.roles));
        match self {
            Self::Add { roles, .. } => weighs(roles),
            Self::Rights { roles, .. } => weighs(roles) || has(),
            Self::Password { .. } | Self::SecondFactor { .. } | Self::Return { .. } => has(),
            Self::End { .. } => false,
        }
    }
}

/// How a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposed {
    pub number: u64,
    pub maker: String,
    pub at: Timestamp,
    pub change: PersonChange,
}

/// The changes that wait for a second administrator, by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes(BTreeMap<u64, Proposed>);

impl Changes {
    /// One of them.
    pub(crate) fn proposed(&self, number: u64) -> Option<&Proposed> {
        self.0.get(&number)
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Proposed> {
        self.0.values()
    }

    /// Whether a deed may be written down; deeds that are not about such changes always may.
    pub(crate) fn admits(&self, who: Option<&str>, deed: &Deed) -> Result<(), PersonError> {
        let (number, agrees) = if let Deed::PersonChanged { proposal: Some(number), .. } = deed {
            (number, true)
        } else if let Deed::PersonDeclined { proposal } = deed {
            (proposal, false)
        } else {
            return Ok(());
        };
        let proposed = self.proposed(*number).ok_or(PersonError::Decided)?;
        let is_own = |who: &str| who == proposed.maker || who == proposed.change.name();
        if agrees && who.is_none_or(is_own) {
            return Err(PersonError::Own);
        }
        Ok(())
    }

    /// Takes what was written down.
    pub(crate) fn handle(&mut self, entry: &Entry) {
        if let Deed::PersonProposed { change } = &entry.deed {
            let (number, at, change) = (entry.seq, entry.at, change.clone());
            let maker = entry.who.clone().unwrap_or_default();
            self.0.insert(number, Proposed { number, maker, at, change });
        } else if let Deed::PersonChanged { proposal: Some(number), .. }
        | Deed::PersonDeclined { proposal: number } = &entry.deed
        {
            self.0.remove(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::people::tests::person;
    use crate::audit::{AuditLog, Author, NotAllowed};

    fn rights(name: &str, roles: &[Role]) -> PersonChange {
        PersonChange::Rights {
            name: name.to_owned(),
            roles: roles.iter().copied().collect(),
            scope: Scope::Everywhere,
        }
    }

    #[test]
    fn what_gives_money_or_a_way_to_it_takes_two_and_taking_somebody_out_takes_one() {
        let mut people = People::default();
        people.add(person("an", &[Role::FinanceMaker])).unwrap();
        people.add(person("lan", &[Role::StationOperator])).unwrap();
        let named = |name: &str| name.to_owned();
        let check = |change: PersonChange, two: bool| {
            assert_eq!(change.takes_two(&people), two, "{change:?}");
        };
        check(rights("lan", &[Role::Supervisor]), false);
        check(rights("lan", &[Role::FinanceChecker]), true);
        check(rights("an", &[Role::Auditor]), true);
        check(rights("lan", &[Role::Administrator]), true);
        check(PersonChange::Password { name: named("lan") }, false);
        check(PersonChange::Password { name: named("an") }, true);
        check(PersonChange::SecondFactor { name: named("an") }, true);
        check(PersonChange::Return { name: named("an") }, true);
        check(PersonChange::End { name: named("an") }, false);
    }

    #[test]
    fn a_change_is_made_by_another_than_who_proposed_it_or_whom_it_is_about_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = AuditLog::open(&path, domain::Clock::system()).unwrap();
        let author = |who: &str| Author { who: Some(who.to_owned()), from: None };
        let change = rights("kim", &[Role::FinanceMaker]);
        let proposed = Deed::PersonProposed { change: change.clone() };
        let number = log.append(&author("dung"), proposed).unwrap().unwrap().seq;
        let agree = |log: &AuditLog, who: &str| {
            let deed = Deed::PersonChanged { change: change.clone(), proposal: Some(number) };
            log.append(&author(who), deed).unwrap().map(|_| ())
        };
        for own in ["dung", "kim"] {
            assert_eq!(agree(&log, own), Err(NotAllowed::Person(PersonError::Own)));
        }
        drop(log);
        // It is there after a restart.
        let log = AuditLog::open(&path, domain::Clock::system()).unwrap();
        assert_eq!(log.changes().proposed(number).unwrap().change, change);
        assert_eq!(agree(&log, "minh"), Ok(()));
        assert_eq!(agree(&log, "minh"), Err(NotAllowed::Person(PersonError::Decided)));
        assert_eq!(log.changes().iter().count(), 0);
    }
}
