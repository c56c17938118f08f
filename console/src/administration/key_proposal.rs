//! Keys of the HTTP API that take two administrators: one proposes, another makes. Pure: folded from
//! the audit log, as changes of people are.
//!
//! A proposal's number is that of the entry it began with. The token is made with the key, never
//! before, and is in the answer to the second administrator alone: no proposal holds one.

use std::collections::BTreeMap;

use clearing_house::api::Role;
use clearing_house::api::keys::NewKey;
use domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{Deed, Entry};

/// Why a deed about a key is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyRule {
    /// There is no such proposal, or it was decided before.
    #[error("the key is not proposed, or was decided before")]
    Decided,
    /// Who proposed it may not make it.
    #[error("they proposed the key themselves")]
    Own,
}

/// A key that somebody wants, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedKey {
    pub name: String,
    role: String,
    /// The issuer or operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl From<&NewKey> for WantedKey {
    fn from(new: &NewKey) -> Self {
        let issuer = new.role.issuer().map(ToString::to_string);
        Self {
            name: new.name.clone(),
            role: new.role.name().to_owned(),
            scope: issuer.or_else(|| new.role.operator().map(ToString::to_string)),
            until: new.valid_until,
        }
    }
}

impl WantedKey {
    /// The key to be made; nothing where the log has a role that is none.
    pub(crate) fn new_key(&self) -> Option<NewKey> {
        let role = Role::try_new(&self.role, self.scope.as_deref())?;
        Some(NewKey { name: self.name.clone(), role, valid_until: self.until })
    }

    /// In words: for whom, and what it may do.
    pub(crate) fn told(&self) -> String {
        let scope = self.scope.as_deref().map(|scope| format!(" {scope}")).unwrap_or_default();
        let until = self.until.map(|until| format!(" · {until}")).unwrap_or_default();
        format!("{}: {}{scope}{until}", self.name, self.role)
    }
}

/// Whether a key takes two: every one that does more than look.
pub(crate) const fn takes_two(role: &Role) -> bool {
    match role {
        Role::Issuer(_) | Role::Operator(_) | Role::Centre => true,
        Role::Auditor => false,
    }
}

/// A key that waits for a second administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProposedKey {
    pub number: u64,
    pub maker: String,
    pub at: Timestamp,
    pub key: WantedKey,
}

/// The keys that wait for a second administrator.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProposedKeys {
    waiting: BTreeMap<u64, ProposedKey>,
    /// Those that were agreed to: one that could not be made waits again.
    agreed: BTreeMap<u64, ProposedKey>,
}

impl ProposedKeys {
    /// One of them.
    pub(crate) fn proposed(&self, number: u64) -> Option<&ProposedKey> {
        self.waiting.get(&number)
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ProposedKey> {
        self.waiting.values()
    }

    /// Whether a deed may be written down; deeds that are not about such keys always may.
    pub(crate) fn admits(&self, who: Option<&str>, deed: &Deed) -> Result<(), KeyRule> {
        let (Deed::KeyAgreed { proposal } | Deed::KeyDeclined { proposal }) = deed else {
            return Ok(());
        };
        let proposed = self.proposed(*proposal).ok_or(KeyRule::Decided)?;
        let is_own = who.is_none_or(|who| who == proposed.maker);
        if is_own && matches!(deed, Deed::KeyAgreed { .. }) {
            return Err(KeyRule::Own);
        }
        Ok(())
    }

    /// Takes what was written down.
    pub(crate) fn handle(&mut self, entry: &Entry) {
        if let Deed::KeyProposed { key } = &entry.deed {
            let (number, at, key) = (entry.seq, entry.at, key.clone());
            let maker = entry.who.clone().unwrap_or_default();
            self.waiting.insert(number, ProposedKey { number, maker, at, key });
        } else if let Deed::KeyAgreed { proposal } = &entry.deed {
            let agreed = self.waiting.remove(proposal);
            self.agreed.extend(agreed.map(|agreed| (*proposal, agreed)));
        } else if let Deed::KeyNotMade { proposal } = &entry.deed {
            let agreed = self.agreed.remove(proposal);
            self.waiting.extend(agreed.map(|agreed| (*proposal, agreed)));
        } else if let Deed::KeyDeclined { proposal } = &entry.deed {
            self.waiting.remove(proposal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditLog, Author, NotAllowed};

    fn wanted(role: Role) -> WantedKey {
        let key = NewKey { name: "vetc-app".to_owned(), role, valid_until: None };
        let wanted = WantedKey::from(&key);
        assert_eq!(wanted.new_key(), Some(key));
        wanted
    }

    #[test]
    fn a_key_that_only_looks_takes_one_and_every_other_takes_two() {
        let issuer = Role::try_new("issuer", Some("vetc")).unwrap();
        let operator = Role::try_new("operator", Some("cienco4")).unwrap();
        for (role, two) in
            [(issuer, true), (operator, true), (Role::Centre, true), (Role::Auditor, false)]
        {
            assert_eq!(takes_two(&role), two, "{role}");
            wanted(role);
        }
    }

    #[test]
    fn a_key_is_made_by_another_than_who_proposed_it_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = AuditLog::open(&path, domain::Clock::system()).unwrap();
        let author = |who: &str| Author { who: Some(who.to_owned()), from: None };
        let key = wanted(Role::Centre);
        let proposed = Deed::KeyProposed { key: key.clone() };
        let proposal = log.append(&author("dung"), proposed).unwrap().unwrap().seq;
        let agree = |log: &AuditLog, who: &str| {
            log.append(&author(who), Deed::KeyAgreed { proposal }).unwrap().map(|_| ())
        };
        assert_eq!(agree(&log, "dung"), Err(NotAllowed::Key(KeyRule::Own)));
        drop(log);
        // It is there after a restart.
        let log = AuditLog::open(&path, domain::Clock::system()).unwrap();
        assert_eq!(log.proposed_keys().proposed(proposal).unwrap().key, key);
        assert_eq!(agree(&log, "minh"), Ok(()));
        assert_eq!(agree(&log, "minh"), Err(NotAllowed::Key(KeyRule::Decided)));
        // What could not be made waits again, and its maker may take it back.
        log.append(&author("minh"), Deed::KeyNotMade { proposal }).unwrap().unwrap();
        assert_eq!(log.proposed_keys().iter().count(), 1);
        log.append(&author("dung"), Deed::KeyDeclined { proposal }).unwrap().unwrap();
        assert_eq!(log.proposed_keys().iter().count(), 0);
        assert_eq!(agree(&log, "minh"), Err(NotAllowed::Key(KeyRule::Decided)));
    }
}
