//! Corrections by two people: one *proposes* what a transfer should have been, another *approves*,
//! and only then is it posted. The database holds the two apart as well, and keeps one correction one
//! proposal.

use domain::{Amount, BusinessDate, OperatorId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};

use super::LedgerError;
use super::correction::{Remainder, TransferId, correct_in_tx, find};
use crate::sql::{day_from_sql, day_to_sql, from_sql, to_sql};

/// The longest reason, in characters.
const REASON_LEN_MAX: usize = 500;

/// Why a correction is not proposed, or not approved.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// A reason is missing, or is a whole story.
    #[error("a correction needs a reason of 1 to {REASON_LEN_MAX} characters")]
    NoReason,
    /// Another one proposed the very same before.
    #[error("proposal {proposal} by {proposed_by} says the same of transfer {}", transfer.as_i64())]
    Proposed {
        /// The transfer.
        transfer: TransferId,
        /// The proposal that is there.
        proposal: i64,
        /// Who made it.
        proposed_by: String,
    },
    /// There is no such proposal.
    #[error("there is no proposal {0} of a correction")]
    Unknown(i64),
    /// It was approved before.
    #[error("proposal {0} was approved before")]
    Approved(i64),
    /// Who proposed it may not approve it.
    #[error("{who} proposed it: another one approves")]
    SamePerson {
        /// Who tried.
        who: String,
    },
    /// The ledger refuses it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database failed.
    #[error("write down a correction")]
    Database(#[source] sqlx::Error),
}

/// A proposal and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its number.
    pub proposal: i64,
    /// What is to be corrected.
    pub transfer: TransferId,
    /// What that should have been; nothing where it should not have been.
    pub should_be: Amount,
    /// Why.
    pub reason: String,
    /// By whom.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Timestamp,
    /// Who approved it, and into which settlement day it fell.
    pub approved: Option<(String, BusinessDate)>,
}

/// Proposes what a transfer should have been. `of` is the operator whose transfers alone may be
/// named; others are as if they were not there. Who proposes the same twice gets the first answer.
///
/// # Errors
/// When there is no such transfer, it is a reversal, somebody else proposed the same, a reason is
/// missing, or the database fails.
pub async fn propose(
    pool: &PgPool,
    (transfer, should_be): (TransferId, Amount),
    reason: &str,
    who: &str,
    of: Option<&OperatorId>,
    at: Timestamp,
) -> Result<i64, ProposalError> {
    if !(1..=REASON_LEN_MAX).contains(&reason.trim().chars().count()) {
        return Err(ProposalError::NoReason);
    }
    let mut tx = pool.begin().await.map_err(ProposalError::Database)?;
    let known = find(&mut tx, transfer).await?;
    if of.is_some_and(|of| known.operator.as_deref() != Some(of.as_str())) {
        return Err(LedgerError::NoTransfer { transfer }.into());
    }
    // Of two who propose at once, one waits here and finds the other's.
    let fresh: Option<i64> = sqlx::query_scalar(
        "insert into correction_proposal (transfer, should_be, reason, proposed_by, proposed_at) \
         values ($1, $2, $3, $4, $5) on conflict on constraint correction_proposed_once do nothing \
         returning proposal",
    )
    .bind(transfer.as_i64())
    .bind(should_be.minor_units())
    .bind(reason.trim())
    .bind(who)
    .bind(to_sql(at))
    .fetch_optional(&mut *tx)
    .await
    .map_err(ProposalError::Database)?;
    if let Some(proposal) = fresh {
        tx.commit().await.map_err(ProposalError::Database)?;
        return Ok(proposal);
    }
    let (proposal, proposed_by): (i64, String) = sqlx::query_as(
        "select proposal, proposed_by from correction_proposal where transfer = $1 and should_be = $2",
    )
    .bind(transfer.as_i64())
    .bind(should_be.minor_units())
    .fetch_one(&mut *tx)
    .await
    .map_err(ProposalError::Database)?;
    if proposed_by == who {
        Ok(proposal)
    } else {
        Err(ProposalError::Proposed { transfer, proposal, proposed_by })
    }
}

/// Approves a proposal as another one, and posts the correction into an open settlement day.
///
/// # Errors
/// When there is no such proposal, it was approved before or proposed by `who`, the ledger refuses
/// it, or the database fails; then nothing is changed.
pub async fn approve(
    pool: &PgPool,
    proposal: i64,
    day: BusinessDate,
    who: &str,
    at: Timestamp,
) -> Result<(), ProposalError> {
    let mut tx = pool.begin().await.map_err(ProposalError::Database)?;
    let row = sqlx::query(
        "select p.transfer, p.should_be, p.proposed_by from correction_proposal p where p.proposal = $1",
    )
    .bind(proposal)
    .fetch_optional(&mut *tx)
    .await
    .map_err(ProposalError::Database)?
    .ok_or(ProposalError::Unknown(proposal))?;
    let proposed_by: String = row.get(2);
    if proposed_by == who {
        return Err(ProposalError::SamePerson { who: proposed_by });
    }
    // First: of two who approve at once, one waits here and finds that it was done.
    sqlx::query(
        "insert into correction_approval (proposal, proposed_by, approved_by, approved_at, day) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(proposal)
    .bind(proposed_by)
    .bind(who)
    .bind(to_sql(at))
    .bind(day_to_sql(day))
    .execute(&mut *tx)
    .await
    .map_err(|error| {
        let refused = error.as_database_error().and_then(|refused| refused.constraint());
        match refused {
            Some("correction_approved_once") => ProposalError::Approved(proposal),
            Some(_) | None => ProposalError::Database(error),
        }
    })?;
    let should_be = Amount::try_new(row.get(1)).map_err(LedgerError::Money)?;
    let transfer = TransferId::new(row.get(0));
    correct_in_tx(&mut tx, transfer, Remainder::Amount(should_be), day, at).await?;
    tx.commit().await.map_err(ProposalError::Database)
}

/// Proposals after a number, in their order.
///
/// # Errors
/// When the database fails.
pub async fn proposals(
    pool: &PgPool,
    after: i64,
    limit: i64,
) -> Result<Vec<Proposal>, ProposalError> {
    let rows = sqlx::query(
        "select p.proposal, p.transfer, p.should_be, p.reason, p.proposed_by, p.proposed_at, \
                a.approved_by, a.day \
         from correction_proposal p left join correction_approval a using (proposal) \
         where p.proposal > $1 order by p.proposal limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(ProposalError::Database)?;
    let read = |row: &PgRow| {
        let approved_by: Option<String> = row.get(6);
        Ok(Proposal {
            proposal: row.get(0),
            transfer: TransferId::new(row.get(1)),
            should_be: Amount::try_new(row.get(2)).map_err(LedgerError::Money)?,
            reason: row.get(3),
            proposed_by: row.get(4),
            proposed_at: from_sql(row.get(5)),
            approved: approved_by.map(|by| (by, day_from_sql(row.get(7)))),
        })
    };
    rows.iter().map(read).collect()
}
