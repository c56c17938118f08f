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
    /// it or is proposed for it. A second factor always does: who made one alone would hold it when
    /// its owner is given money. Taking somebody out never waits.
    pub(crate) fn takes_two(&self, people: &People, waiting: &Changes) -> bool {
        let weighs = |roles: &BTreeSet<Role>| roles.iter().any(|role| role.needs_second_factor());
        let has = || people.person(self.name()).is_some_and(|person| weighs(&person.roles));
        let is_proposed = || {
            waiting.iter().any(|proposed| match &proposed.change {
                Self::Add { name, roles, .. } | Self::Rights { name, roles, .. } => {
                    name == self.name() && weighs(roles)
                }
                Self::Password { .. }
                | Self::SecondFactor { .. }
                | Self::End { .. }
                | Self::Return { .. } => false,
            })
        };
        match self {
            Self::Add { roles, .. } => weighs(roles),
            Self::Rights { roles, .. } => weighs(roles) || has(),
            Self::Password { .. } | Self::Return { .. } => has() || is_proposed(),
            Self::SecondFactor { .. } => true,
            Self::End { .. } => false,
        }
    }

    /// Whether a scope covers whom it is about, where they are and where they will be.
    pub(crate) fn is_within(&self, scope: &Scope, people: &People) -> bool {
        let present = people.person(self.name()).map(|person| &person.scope);
        let next = match self {
            Self::Add { scope, .. } | Self::Rights { scope, .. } => Some(scope),
            Self::Password { .. }
            | Self::SecondFactor { .. }
            | Self::End { .. }
            | Self::Return { .. } => None,
        };
        present.into_iter().chain(next).all(|one| scope.contains(one))
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

/// The changes that wait for a second administrator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    /// By number.
    waiting: BTreeMap<u64, Proposed>,
    /// The one that was made last: it waits again if it could not be written.
    last_made: Option<Proposed>,
}

impl Changes {
    /// One of them.
    pub(crate) fn proposed(&self, number: u64) -> Option<&Proposed> {
        self.waiting.get(&number)
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Proposed> {
        self.waiting.values()
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
            self.waiting.insert(number, Proposed { number, maker, at, change });
        } else if let Deed::PersonChanged { proposal: Some(number), .. } = &entry.deed {
            self.last_made = self.waiting.remove(number);
        } else if let Deed::PersonNotChanged { proposal: Some(number), .. } = &entry.deed {
            let made = self.last_made.take().filter(|made| made.number == *number);
            self.waiting.extend(made.map(|made| (*number, made)));
        } else if let Deed::PersonDeclined { proposal } = &entry.deed {
            self.waiting.remove(proposal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Person;
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
            assert_eq!(change.takes_two(&people, &Changes::default()), two, "{change:?}");
        };
        check(rights("lan", &[Role::Supervisor]), false);
        check(rights("lan", &[Role::FinanceChecker]), true);
        check(rights("an", &[Role::Auditor]), true);
        check(rights("lan", &[Role::Administrator]), true);
        check(PersonChange::Password { name: named("lan") }, false);
        check(PersonChange::Password { name: named("an") }, true);
        check(PersonChange::SecondFactor { name: named("an") }, true);
        check(PersonChange::SecondFactor { name: named("lan") }, true);
        check(PersonChange::Return { name: named("an") }, true);
        check(PersonChange::End { name: named("an") }, false);

        // Who is proposed for money is given no way in by one alone.
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(&folder.path().join("log"), domain::Clock::system()).unwrap();
        let proposed = Deed::PersonProposed { change: rights("lan", &[Role::FinanceChecker]) };
        log.append(&Author::default(), proposed).unwrap().unwrap();
        for change in [
            PersonChange::Password { name: named("lan") },
            PersonChange::Return { name: named("lan") },
        ] {
            assert!(change.takes_two(&people, &log.changes()), "{change:?}");
        }
    }

    #[test]
    fn a_change_is_within_a_scope_where_whom_it_is_about_is_and_will_be() {
        let mut people = People::default();
        let scope: Scope = "cienco4".parse().unwrap();
        people.add(Person { scope: scope.clone(), ..person("lan", &[Role::Auditor]) }).unwrap();
        people.add(person("an", &[Role::FinanceMaker])).unwrap();
        let moved = |name: &str, to: &str| PersonChange::Rights {
            name: name.to_owned(),
            roles: [Role::Auditor].into(),
            scope: to.parse().unwrap(),
        };
        for (change, within) in [
            (moved("lan", "cienco4/ben-thuy"), true),
            (moved("lan", "*"), false),
            (moved("an", "cienco4"), false),
            (PersonChange::End { name: "lan".to_owned() }, true),
            (PersonChange::End { name: "an".to_owned() }, false),
            (PersonChange::Password { name: "an".to_owned() }, false),
        ] {
            assert_eq!(change.is_within(&scope, &people), within, "{change:?}");
            assert!(change.is_within(&Scope::Everywhere, &people));
        }
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
