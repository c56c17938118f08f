//! Corrections: what was posted anew, and what two people are about to correct.
//!
//! An operator proposes for its own tolls, the centre for all; the centre approves, under another
//! name than that of the proposal.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Json};
use domain::{BusinessDate, OperatorId};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::ToSchema;

use super::App;
use super::body::{Asked, At, amount, read, text};
use super::caller::Caller;
use super::once::once;
use super::paging::{self, Paging};
use super::problem::Problem;
use crate::ledger::{self, LedgerError, ProposalError, TransferId};
use crate::sql::from_sql;

/// The longest reason, in characters.
const REASON_LEN_MAX: usize = 500;

/// A transfer that corrects another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Correction {
    /// The transfer.
    transfer: i64,
    /// What it is.
    kind: String,
    /// How much, in minor units.
    amount: i64,
    /// Whose settlement it belongs to.
    operator: Option<String>,
    /// The settlement day.
    day: String,
    /// When it was posted.
    posted_at: String,
    /// The passage it is about.
    passage: Option<String>,
    /// The outside reference, if it has one.
    reference: Option<String>,
}

/// A page of corrections.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CorrectionPage {
    items: Vec<Correction>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Corrections in the order of their numbers; an operator sees its own.
#[utoipa::path(get, path = "/api/v1/corrections", params(Paging), tag = "passages",
    responses((status = 200, body = CorrectionPage)))]
pub(super) async fn corrections(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<CorrectionPage>, Problem> {
    let (operator, limit) = (caller.roads()?, paging.limit()?);
    let after = paging.after::<i64>()?.unwrap_or(0);
    let mut view = app.view(operator).await?;
    let rows = sqlx::query(
        // Tolls are no corrections: of what all days hold nothing is read.
        "select t.transfer, t.kind, t.amount, t.operator, t.day::text, t.posted_at, \
                e.lane || ':' || e.epoch || ':' || t.seq, t.reference \
         from direct_transfer t left join lane_epoch e using (journal_no) \
         where t.kind in ('reversal', 'repost', 'adjustment') and t.transfer > $1 \
           and ($2::text is null or t.operator = $2) order by t.transfer limit $3",
    )
    .bind(after)
    .bind(operator.map(OperatorId::as_str))
    .bind(limit)
    .fetch_all(&mut *view)
    .await
    .map_err(|error| Problem::books(&error))?;
    let place: Option<i64> = rows.last().map(|row| row.get(0));
    let next = paging::next(rows.len(), limit, place);
    let line = |row: &sqlx::postgres::PgRow| Correction {
        transfer: row.get(0),
        kind: row.get(1),
        amount: row.get(2),
        operator: row.get(3),
        day: row.get(4),
        posted_at: from_sql(row.get(5)).to_string(),
        passage: row.get(6),
        reference: row.get(7),
    };
    Ok(Json(CorrectionPage { items: rows.iter().map(line).collect(), next }))
}

/// A correction to be proposed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProposal {
    /// The transfer that is wrong, by its number.
    transfer: i64,
    /// What it should have been, in minor units; 0 where it should not have been.
    should_be: i64,
    /// Why.
    reason: String,
}

/// A proposal was written down.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Proposed {
    /// Its number.
    proposal: i64,
}

/// Proposes what a transfer should have been; nothing moves before another one approves.
#[utoipa::path(post, path = "/api/v1/corrections", request_body = NewProposal, tag = "money",
    params(("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Proposed), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn propose(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let of = caller.roads()?;
    let request: [&[u8]; 2] = [b"correction", &body];
    once(&app, &caller, &headers, &request, async {
        let new: NewProposal = read(&body)?;
        text("reason", &new.reason, REASON_LEN_MAX)?;
        let wanted = (TransferId::new(new.transfer), amount(new.should_be)?);
        let now = app.0.clock.now();
        let proposal =
            ledger::propose(&app.0.pool, wanted, &new.reason, &caller.name, of, now).await?;
        Ok(Proposed { proposal })
    })
    .await
}

/// A proposal to be approved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApproval {
    /// The settlement day it is to fall into, which must be open: `2026-03-02`.
    #[schema(value_type = String)]
    day: BusinessDate,
}

/// A correction was posted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Approved {
    /// The proposal.
    proposal: i64,
    /// Who proposed nothing of it.
    approved_by: String,
}

/// Approves a proposal as another one than who proposed it, and posts the correction.
#[utoipa::path(post, path = "/api/v1/corrections/{proposal}/approval", request_body = NewApproval, tag = "money",
    params(("proposal" = i64, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Approved), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn approve(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(proposal): At<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let request: [&[u8]; 3] = [b"approval", &proposal.to_be_bytes(), &body];
    once(&app, &caller, &headers, &request, async {
        let NewApproval { day } = read(&body)?;
        let now = app.0.clock.now();
        ledger::approve(&app.0.pool, proposal, day, &caller.name, now).await?;
        Ok(Approved { proposal, approved_by: caller.name.clone() })
    })
    .await
}

/// A proposal and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Proposal {
    /// Its number.
    proposal: i64,
    /// The transfer that is wrong.
    transfer: i64,
    /// What it should have been, in minor units.
    should_be: i64,
    /// Why.
    reason: String,
    /// By whom.
    proposed_by: String,
    /// When.
    proposed_at: String,
    /// Who approved it; absent as long as nobody has.
    approved_by: Option<String>,
    /// The settlement day it fell into.
    day: Option<String>,
}

/// A page of proposals.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProposalPage {
    items: Vec<Proposal>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Proposals in the order of their numbers, for the centre and its auditors.
#[utoipa::path(get, path = "/api/v1/corrections/proposals", params(Paging), tag = "passages",
    responses((status = 200, body = ProposalPage)))]
pub(super) async fn proposals(
    State(app): State<App>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<ProposalPage>, Problem> {
    let (after, limit) = (paging.after::<i64>()?.unwrap_or(0), paging.limit()?);
    let found = ledger::proposals(&app.0.pool, after, limit).await?;
    let place = found.last().map(|last| last.proposal);
    let next = paging::next(found.len(), limit, place);
    let line = |one: ledger::Proposal| {
        let (approved_by, day) = one.approved.unzip();
        Proposal {
            proposal: one.proposal,
            transfer: one.transfer.as_i64(),
            should_be: one.should_be.minor_units(),
            reason: one.reason,
            proposed_by: one.proposed_by,
            proposed_at: one.proposed_at.to_string(),
            approved_by,
            day: day.map(|day| day.to_string()),
        }
    };
    Ok(Json(ProposalPage { items: found.into_iter().map(line).collect(), next }))
}

impl From<ProposalError> for Problem {
    fn from(error: ProposalError) -> Self {
        let (status, kind) = match &error {
            ProposalError::NoReason => (StatusCode::UNPROCESSABLE_ENTITY, "no-reason"),
            ProposalError::Proposed { .. } => (StatusCode::CONFLICT, "proposed-before"),
            ProposalError::Unknown(_) => (StatusCode::NOT_FOUND, "no-proposal"),
            ProposalError::Approved(_) => (StatusCode::CONFLICT, "approved-before"),
            ProposalError::SamePerson { .. } => (StatusCode::CONFLICT, "same-person"),
            ProposalError::Ledger(LedgerError::NoTransfer { .. }) => {
                (StatusCode::NOT_FOUND, "no-transfer")
            }
            ProposalError::Ledger(LedgerError::IsReversal { .. }) => {
                (StatusCode::CONFLICT, "is-reversal")
            }
            ProposalError::Ledger(LedgerError::AlreadyPosted { .. }) => {
                (StatusCode::CONFLICT, "corrected-before")
            }
            ProposalError::Ledger(LedgerError::DayClosed { .. }) => {
                (StatusCode::CONFLICT, "day-closed")
            }
            ProposalError::Ledger(LedgerError::Overdrawn) => (StatusCode::CONFLICT, "overdrawn"),
            ProposalError::Ledger(
                LedgerError::NoAccount { .. } | LedgerError::Money(_) | LedgerError::Database(_),
            )
            | ProposalError::Database(_) => return Self::books(&error),
        };
        Self::new(status, kind, error.to_string())
    }
}
