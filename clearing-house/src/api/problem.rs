//! Problem documents (RFC 9457): what went wrong, for the caller's program and for a person.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::account::AccountError;
use crate::ledger::LedgerError;

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(super) struct Problem {
    /// Which problem it is: a name that never changes its meaning.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status' own words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong here.
    pub detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:etc:problem:{kind}"),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }

    /// The request itself is not as it should be.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// There is no such thing, or not for this caller.
    pub(super) fn none(what: &str, detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, &format!("no-{what}"), detail)
    }

    /// The books do not answer. What they said is for the log.
    pub(super) fn books(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "the books did not answer the API");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "books", "the books do not answer: try again")
    }

    /// Whether trying again may help, so that the answer is not to be remembered.
    pub(super) fn is_passing(&self) -> bool {
        self.status >= 500
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let (status, kind) = match &error {
            AccountError::NoAccount(_) => (StatusCode::NOT_FOUND, "no-account"),
            AccountError::NoHold { .. } => (StatusCode::NOT_FOUND, "no-hold"),
            AccountError::NoVehicle { .. } => (StatusCode::NOT_FOUND, "no-vehicle"),
            AccountError::NoTag { .. } => (StatusCode::NOT_FOUND, "no-tag"),
            AccountError::NoIssuer(_) => (StatusCode::UNPROCESSABLE_ENTITY, "no-issuer"),
            AccountError::NoAmount => (StatusCode::UNPROCESSABLE_ENTITY, "no-amount"),
            AccountError::NoReference => (StatusCode::UNPROCESSABLE_ENTITY, "no-reference"),
            AccountError::Line { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "no-account-line"),
            AccountError::AccountTaken { .. } => (StatusCode::CONFLICT, "account-taken"),
            AccountError::ReferenceTaken { .. } => (StatusCode::CONFLICT, "reference-taken"),
            AccountError::State { .. } => (StatusCode::CONFLICT, "state"),
            AccountError::Debt { .. } => (StatusCode::CONFLICT, "debt"),
            AccountError::MoneyLeft { .. } => (StatusCode::CONFLICT, "money-left"),
            AccountError::NotEnough { .. } => (StatusCode::CONFLICT, "not-enough"),
            AccountError::VehicleElsewhere { .. } => (StatusCode::CONFLICT, "vehicle-elsewhere"),
            AccountError::TagElsewhere => (StatusCode::CONFLICT, "tag-elsewhere"),
            AccountError::VehicleHasTag => (StatusCode::CONFLICT, "vehicle-has-tag"),
            AccountError::Ledger(LedgerError::AlreadyPosted { .. }) => {
                (StatusCode::CONFLICT, "posted-before")
            }
            AccountError::Read(_) | AccountError::Database { .. } | AccountError::Ledger(_) => {
                return Self::books(&error);
            }
        };
        Self::new(status, kind, error.to_string())
    }
}
