//! What reviewers saw, on the page of the case that their review opened: plates masked until
//! somebody says why they need them, which is written down first.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::PassageId;
use jiff::tz::TimeZone;
use reconciliation::review::answer::Answer;
use reconciliation::review::{self, Seen};
use serde::Deserialize;
use tracing::error;

use crate::audit::Deed;
use crate::books::{BooksError, in_time};
use crate::finance::{Sight, UNMASK_REASONS};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::Visit;

use super::one::show;
use super::repo;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct LooksForm {
    #[serde(default)]
    reason: String,
}

/// A look as the page tells it.
struct LookLine {
    place: usize,
    reviewer: String,
    at: String,
    saw: String,
}

/// What was seen of the passage of a case.
#[derive(Template)]
#[template(path = "looks.html")]
pub(super) struct Looks {
    t: Language,
    csrf: String,
    /// Where the form goes.
    path: String,
    lines: Vec<LookLine>,
    reasons: Vec<(&'static str, &'static str)>,
    /// Whether a plate is there to be shown.
    is_masked: bool,
}

/// What reviewers saw, where a review opened the case.
pub(super) async fn looks(
    app: &App,
    visit: &Visit,
    (code, zone): (&str, &TimeZone),
    sight: Sight,
) -> Result<Option<Looks>, BooksError> {
    let found = in_time(review::seen_of_case(app.books().pool()?, code)).await?;
    let Some((_, seen)) = found else { return Ok(None) };
    let t = visit.t;
    let line = |(index, one): (usize, &Seen)| LookLine {
        place: index + 1,
        reviewer: one.reviewer.to_string(),
        at: t.date_and_time(one.looked_at, zone),
        saw: saw(one.answer.as_ref(), sight, t),
    };
    let has_plate =
        seen.iter().any(|one| one.answer.as_ref().is_some_and(|said| said.reading().is_some()));
    Ok(Some(Looks {
        t,
        csrf: visit.session.as_ref().map(|session| session.csrf.clone()).unwrap_or_default(),
        path: format!("/cases/{code}/looks"),
        lines: seen.iter().enumerate().map(line).collect(),
        reasons: UNMASK_REASONS.map(|name| (name, t.unmask_reason(name))).to_vec(),
        is_masked: has_plate && sight == Sight::Masked,
    }))
}

/// An answer in words.
fn saw(answer: Option<&Answer>, sight: Sight, t: Language) -> String {
    match answer {
        None => t.review_erased().to_owned(),
        Some(Answer::Read(reading)) => {
            let plate = match sight {
                Sight::Clear => reading.plate.as_str().to_owned(),
                Sight::Masked => reading.plate.masked(),
            };
            format!("{plate} · {} {}", t.group(), reading.group.number())
        }
        Some(answer @ (Answer::Unreadable(_) | Answer::Rejected(_))) => {
            let heading = match answer {
                Answer::Unreadable(_) => t.review_unreadable(),
                Answer::Read(_) | Answer::Rejected(_) => t.review_rejected(),
            };
            let reason = answer.reason().map(|number| t.review_reason(number)).unwrap_or_default();
            // A note is free text, and may have what is masked.
            let note = answer.note().filter(|_| sight == Sight::Clear);
            let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
            format!("{heading}: {reason}{note}")
        }
    }
}

/// Shows the plates that reviewers read, once the reason is written down.
pub(crate) async fn unmask_looks(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(code): Path<String>,
    Form(form): Form<LooksForm>,
) -> Response {
    let t = visit.t;
    if !UNMASK_REASONS.contains(&form.reason.as_str()) {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.unmask_needs_reason());
    }
    let passage = match passage_of(&app, &visit, &code).await {
        Ok(Some(passage)) => passage,
        Ok(None) => return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found()),
        Err(failure) => {
            error!(error = &failure as &dyn std::error::Error, "read the looks behind a case");
            return problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away());
        }
    };
    let deed = Deed::Unmasked { passage, reason: form.reason };
    if !matches!(app.audit().record(visit.author(), deed).await, Ok(Ok(_))) {
        error!("an unmasking could not be written down");
        return problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.audit_away());
    }
    show(&app, &visit, &code, Sight::Clear).await
}

/// The passage that was reviewed, where the case is one of theirs.
async fn passage_of(app: &App, visit: &Visit, code: &str) -> Result<Option<PassageId>, BooksError> {
    if repo::case(app.books(), &visit.scope(), code).await?.is_none() {
        return Ok(None);
    }
    let found = in_time(review::seen_of_case(app.books().pool()?, code)).await?;
    Ok(found.map(|(passage, _)| passage))
}

#[cfg(test)]
mod tests {
    use domain::{Plate, VehicleGroup};
    use reconciliation::review::answer::Reading;

    use super::*;

    #[test]
    fn what_was_seen_shows_no_plate_and_no_note_before_somebody_said_why() {
        let t = Language::English;
        let reading = Reading {
            plate: Plate::try_new("37A12345").unwrap(),
            group: VehicleGroup::try_new(2).unwrap(),
        };
        let note = Answer::of_reason(99, "37A12345 of a friend").unwrap();
        for answer in [Answer::Read(reading), note] {
            let masked = saw(Some(&answer), Sight::Masked, t);
            assert!(!masked.contains("37A12345"), "{masked}");
            assert!(saw(Some(&answer), Sight::Clear, t).contains("37A12345"));
        }
        assert_eq!(saw(None, Sight::Clear, t), t.review_erased());
    }
}
