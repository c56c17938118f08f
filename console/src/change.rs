//! Changes of the books, through the doors of their libraries: written into the audit log first,
//! carried out, and answered in words.
//!
//! What is asked twice is done once: each door gives a second asking the first one's answer, or
//! refuses it, so that a form that is sent again moves no money again. That nobody agrees to their
//! own is the library's to refuse, and the database's. Deliberately absent: who may ask, which is
//! the table of routes.

use std::error::Error as _;
use std::future::Future;

use axum::http::StatusCode;
use axum::response::Response;
use reconciliation::approval::{ApprovalError, Person};
use reconciliation::cases::CaseError;
use reconciliation::payment::PaymentError;
use reconciliation::review::ReviewError;
use tracing::{error, warn};

use crate::audit::{Act, Deed};
use crate::books::BooksError;
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::Visit;

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It cannot be done as things are; the text is for whoever asked.
    Now { text: String, why: String },
    /// The books failed.
    Books(BooksError),
}

impl From<BooksError> for Refused {
    fn from(error: BooksError) -> Self {
        Self::Books(error)
    }
}

impl Refused {
    fn now(text: &str, why: String) -> Self {
        Self::Now { text: text.to_owned(), why }
    }

    /// What a door said, for whoever asked and for the log.
    pub(crate) fn said(text: &str, why: String) -> Self {
        Self::now(text, why)
    }

    pub(crate) fn of_approval(error: ApprovalError, t: Language) -> Self {
        let why = error.to_string();
        match error {
            ApprovalError::NotNow { .. } => Self::now(t.refused_not_now(), why),
            ApprovalError::Proposed { maker, .. } => {
                Self::now(&format!("{} {maker}.", t.refused_proposed_by()), why)
            }
            ApprovalError::NotProposed { .. } => Self::now(t.refused_not_proposed(), why),
            ApprovalError::SamePerson { .. } => Self::now(t.refused_own(), why),
            ApprovalError::Approved { checker, .. } => {
                Self::now(&format!("{} {checker}.", t.refused_approved_by()), why)
            }
            ApprovalError::Books(error) => Self::Books(error.into()),
        }
    }

    pub(crate) fn of_case(error: CaseError, t: Language) -> Self {
        let why = error.to_string();
        match error {
            CaseError::Unknown(_) => Self::now(t.not_found(), why),
            CaseError::Settled(_) => Self::now(t.refused_settled(), why),
            CaseError::NotProposed(_) => Self::now(t.refused_not_proposed(), why),
            CaseError::SamePerson { .. } => Self::now(t.refused_own(), why),
            CaseError::NoAccount { .. } => Self::now(t.refused_no_account(), why),
            CaseError::NotBooked { .. } => Self::now(t.refused_not_booked(), why),
            CaseError::Assign { source, .. } => Self::of_payment(*source, t),
            CaseError::Ledger { source, .. } => {
                let why = format!("{why}: {source}");
                Self::now(&format!("{} {source}", t.refused_by_ledger()), why)
            }
            CaseError::Books(error) => Self::Books(error.into()),
        }
    }

    pub(crate) fn of_review(error: ReviewError, t: Language) -> Self {
        let why = error.to_string();
        match error {
            ReviewError::NotTheirs { .. } => Self::now(t.review_lease_over(), why),
            ReviewError::Books(error) => Self::Books(error.into()),
        }
    }

    pub(crate) fn of_payment(error: PaymentError, t: Language) -> Self {
        match error {
            PaymentError::Books(error) => Self::Books(error.into()),
            PaymentError::NoBankAccount { .. }
            | PaymentError::Currencies { .. }
            | PaymentError::Unknown(_)
            | PaymentError::Reused(_)
            | PaymentError::TooMuch { .. }
            | PaymentError::NeverPaid(_)
            | PaymentError::NotWaiting(_)
            | PaymentError::Money(_) => {
                // It names payment, bank account and sums: what a person has to put right.
                Self::now(&format!("{} {error}", t.refused_payment()), error.to_string())
            }
        }
    }
}

/// The person who asks, as the books name people.
pub(crate) fn person(visit: &Visit) -> Option<Person> {
    visit.user()?.parse().ok()
}

/// Writes down what is asked, does it, and writes down a refusal. The answer of what was not done is
/// a page that says why.
pub(crate) async fn change<T>(
    (app, visit): (&App, &Visit),
    (act, subject): (Act, String),
    doing: impl Future<Output = Result<T, Refused>>,
) -> Result<T, Response> {
    let t = visit.t;
    let asked = Deed::BooksAsked { act, subject: subject.clone() };
    if !matches!(app.audit().record(visit.author(), asked).await, Ok(Ok(_))) {
        error!("a change of the books could not be written down");
        return Err(problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, t.audit_away()));
    }
    match doing.await {
        Ok(done) => Ok(done),
        Err(Refused::Now { text, why }) => {
            app.audit().note(visit.author(), Deed::BooksRefused { act, subject, why }).await;
            Err(problem(app, visit, StatusCode::CONFLICT, &text))
        }
        Err(Refused::Books(failure)) => {
            let why = failure.source().map_or_else(String::new, |cause| format!(": {cause}"));
            warn!(error = &failure as &dyn std::error::Error, "change the books");
            let why = format!("{failure}{why}");
            app.audit().note(visit.author(), Deed::BooksRefused { act, subject, why }).await;
            let text = t.change_away();
            Err(problem(app, visit, StatusCode::SERVICE_UNAVAILABLE, text))
        }
    }
}
