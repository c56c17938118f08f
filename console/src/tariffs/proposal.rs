//! Proposals of tariff versions: one person brings a document, another takes it into the books.
//! Pure: folded from the audit log, as shifts are.
//!
//! A proposal's number is that of the entry it began with. Its document stands in the entry, so what
//! the second person agrees to is what was proposed, to the byte.

use std::collections::BTreeMap;

use domain::{OperatorId, Timestamp};

use crate::audit::{Deed, Entry};

/// How many decided proposals are kept at hand.
const DECIDED_MAX: usize = 50;

/// Why a deed about a proposal is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TariffError {
    /// There is no such proposal, or it was decided before.
    #[error("the proposal is not there, or was decided before")]
    Decided,
    /// Who proposed it may not agree to it.
    #[error("they proposed the tariff themselves")]
    Own,
}

/// How a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits for a second person.
    Waits,
    /// A second person agreed.
    Approved { by: String, at: Timestamp },
    /// Somebody declined it; its maker too may.
    Declined { by: String, at: Timestamp },
}

/// A tariff version that somebody proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub number: u64,
    pub maker: String,
    pub at: Timestamp,
    pub operator: OperatorId,
    pub version: String,
    pub document: String,
    pub standing: Standing,
}

/// The proposals, by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proposals(BTreeMap<u64, Proposal>);

impl Proposals {
    /// One of them.
    pub(crate) fn proposal(&self, number: u64) -> Option<&Proposal> {
        self.0.get(&number)
    }

    /// All that are at hand, the newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Proposal> {
        self.0.values().rev()
    }

    /// Whether a deed may be written down; deeds that are not about tariffs always may.
    pub(crate) fn admits(&self, who: Option<&str>, deed: &Deed) -> Result<(), TariffError> {
        let (Deed::TariffApproved { proposal: number } | Deed::TariffDeclined { proposal: number }) =
            deed
        else {
            return Ok(());
        };
        let waits = self.proposal(*number).filter(|one| one.standing == Standing::Waits);
        let proposal = waits.ok_or(TariffError::Decided)?;
        let is_own = who.is_none_or(|who| who == proposal.maker);
        if is_own && matches!(deed, Deed::TariffApproved { .. }) {
            return Err(TariffError::Own);
        }
        Ok(())
    }

    /// Takes what was written down.
    pub(crate) fn handle(&mut self, entry: &Entry) {
        let who = entry.who.clone().unwrap_or_default();
        if let Deed::TariffProposed { operator, version, document } = &entry.deed {
            let proposal = Proposal {
                number: entry.seq,
                maker: who,
                at: entry.at,
                operator: operator.clone(),
                version: version.clone(),
                document: document.clone(),
                standing: Standing::Waits,
            };
            self.0.insert(entry.seq, proposal);
            self.forget();
        } else if let Deed::TariffApproved { proposal } = &entry.deed {
            self.decide(*proposal, Standing::Approved { by: who, at: entry.at });
        } else if let Deed::TariffDeclined { proposal } = &entry.deed {
            self.decide(*proposal, Standing::Declined { by: who, at: entry.at });
        }
    }

    fn decide(&mut self, number: u64, standing: Standing) {
        if let Some(proposal) = self.0.get_mut(&number) {
            proposal.standing = standing;
        }
    }

    /// Lets the oldest decided ones go; those that wait stay.
    fn forget(&mut self) {
        let decided = |one: &&Proposal| one.standing != Standing::Waits;
        let oldest = self.0.values().find(decided).map(|one| one.number);
        if let (true, Some(oldest)) =
            (self.0.values().filter(decided).count() > DECIDED_MAX, oldest)
        {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditLog, Author, NotAllowed};

    fn author(who: &str) -> Author {
        Author { who: Some(who.to_owned()), from: None }
    }

    fn proposed() -> Deed {
        Deed::TariffProposed {
            operator: "cienco4".parse().unwrap(),
            version: "2027".to_owned(),
            document: "version = \"2027\"".to_owned(),
        }
    }

    fn log() -> (tempfile::TempDir, AuditLog) {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(&folder.path().join("log"), domain::Clock::system()).unwrap();
        (folder, log)
    }

    #[test]
    fn nobody_agrees_to_a_tariff_of_their_own_and_nothing_is_decided_twice() {
        let (_folder, log) = log();
        let number = log.append(&author("an"), proposed()).unwrap().unwrap().seq;
        let approve =
            |who: &str| log.append(&author(who), Deed::TariffApproved { proposal: number });
        assert_eq!(approve("an").unwrap(), Err(NotAllowed::Tariff(TariffError::Own)));
        assert!(approve("chi").unwrap().is_ok());
        assert_eq!(approve("ha").unwrap(), Err(NotAllowed::Tariff(TariffError::Decided)));
        let unknown = log.append(&author("chi"), Deed::TariffApproved { proposal: 99 });
        assert_eq!(unknown.unwrap(), Err(NotAllowed::Tariff(TariffError::Decided)));
        let proposals = log.proposals();
        let standing = &proposals.proposal(number).unwrap().standing;
        assert!(matches!(standing, Standing::Approved { by, .. } if by == "chi"), "{standing:?}");
    }

    #[test]
    fn a_proposal_is_there_after_a_restart_and_its_maker_may_take_it_back() {
        let (folder, log) = log();
        let number = log.append(&author("an"), proposed()).unwrap().unwrap().seq;
        drop(log);
        let log = AuditLog::open(&folder.path().join("log"), domain::Clock::system()).unwrap();
        let again = log.proposals();
        assert_eq!(again.proposal(number).unwrap().document, "version = \"2027\"");
        let declined = log.append(&author("an"), Deed::TariffDeclined { proposal: number });
        assert!(declined.unwrap().is_ok());
        let standing = log.proposals().proposal(number).unwrap().standing.clone();
        assert!(matches!(standing, Standing::Declined { by, .. } if by == "an"));
    }

    #[test]
    fn those_that_wait_are_never_forgotten() {
        let (_folder, log) = log();
        let waits = log.append(&author("an"), proposed()).unwrap().unwrap().seq;
        for _ in 0..=DECIDED_MAX {
            let number = log.append(&author("an"), proposed()).unwrap().unwrap().seq;
            let declined = Deed::TariffDeclined { proposal: number };
            log.append(&author("an"), declined).unwrap().unwrap();
        }
        log.append(&author("an"), proposed()).unwrap().unwrap();
        let proposals = log.proposals();
        assert!(proposals.proposal(waits).is_some());
        assert!(proposals.newest_first().count() <= DECIDED_MAX + 2);
    }
}
