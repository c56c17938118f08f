//! One passage: what became of it, what its amount consists of, the money that moved, and the
//! record that its lane signed.
//!
//! Plate and tag are masked, in the record too. Whoever needs them in clear says why, out of a
//! closed list; that is written down first, and then they are shown, once.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::PassageId;
use serde::Deserialize;
use serde_json::Value;
use tracing::error;

use crate::audit::Deed;
use crate::books::BooksError;
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use super::repo::{self, Whole};
use super::{PassageLine, masked_plate, masked_tag, or_notice, respond};

/// Why somebody may see a plate or a tag in clear.
pub(crate) const UNMASK_REASONS: [&str; 4] = ["dispute", "mismatch", "review", "authority-request"];

#[derive(Deserialize)]
pub(crate) struct UnmaskForm {
    #[serde(default)]
    reason: String,
}

type PassagePath = (String, String, String, String, String);

/// A line of figures.
struct Line {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "passage.html")]
struct PassagePage {
    page: Page,
    path: String,
    id: String,
    passage: Option<PassageLine>,
    basis: Vec<Line>,
    transfers: Vec<Line>,
    record: Option<String>,
    clear: bool,
    reasons: Vec<(&'static str, &'static str)>,
}

fn identity((operator, station, lane, epoch, seq): &PassagePath) -> Option<PassageId> {
    format!("{operator}/{station}/{lane}:{epoch}:{seq}").parse().ok()
}

/// One passage, masked.
pub(crate) async fn passage_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(path): Path<PassagePath>,
) -> Response {
    show(&app, &visit, &path, Sight::Masked).await
}

/// One passage with plate and tag in clear, once the reason is written down.
pub(crate) async fn unmask(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(path): Path<PassagePath>,
    Form(form): Form<UnmaskForm>,
) -> Response {
    let t = visit.t;
    if !UNMASK_REASONS.contains(&form.reason.as_str()) {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.unmask_needs_reason());
    }
    let Some(passage) = identity(&path).filter(|id| visit.scope().covers(&id.lane)) else {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    };
    match app.audit().record(visit.author(), Deed::Unmasked { passage, reason: form.reason }).await
    {
        Ok(Ok(_)) => show(&app, &visit, &path, Sight::Clear).await,
        // What is not written down is not shown.
        Ok(Err(_)) | Err(_) => {
            error!("an unmasking could not be written down");
            problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.audit_away())
        }
    }
}

/// Whether plate and tag are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Masked,
    Clear,
}

async fn show(app: &App, visit: &Visit, path: &PassagePath, sight: Sight) -> Response {
    let t = visit.t;
    let missing = || problem(app, visit, StatusCode::NOT_FOUND, t.not_found());
    let Some(id) = identity(path).filter(|id| visit.scope().covers(&id.lane)) else {
        return missing();
    };
    let mut page = app.page(visit, Section::Passages);
    let whole = or_notice(repo::passage(app.books(), &id).await, &mut page, t);
    let is_whole = whole.is_some();
    let whole = match whole {
        Some(Some(whole)) => Some(whole),
        Some(None) => return missing(),
        None => None,
    };
    let shown = whole.map(|whole| Shown::new(&whole, t, sight)).transpose();
    let Some(shown) = or_notice(shown, &mut page, t) else {
        return problem(app, visit, StatusCode::INTERNAL_SERVER_ERROR, t.problem());
    };
    let shown = shown.unwrap_or_default();
    respond(
        is_whole,
        &PassagePage {
            page,
            path: visit.path.clone(),
            id: id.to_string(),
            passage: shown.passage,
            basis: shown.basis,
            transfers: shown.transfers,
            record: shown.record,
            clear: sight == Sight::Clear,
            reasons: UNMASK_REASONS.map(|name| (name, t.unmask_reason(name))).to_vec(),
        },
    )
}

/// A passage as the page shows it.
#[derive(Default)]
struct Shown {
    passage: Option<PassageLine>,
    basis: Vec<Line>,
    transfers: Vec<Line>,
    record: Option<String>,
}

impl Shown {
    fn new(whole: &Whole, t: Language, sight: Sight) -> Result<Self, BooksError> {
        let shape = |what| BooksError::Shape { what };
        let row = &whole.row;
        let currency = row.currency.parse().or(Err(shape("currency of an operator")))?;
        let mut passage = PassageLine::new(row, t)?;
        if sight == Sight::Clear {
            passage.tag = row.tag.as_deref().unwrap_or_default().to_uppercase();
            passage.plate = row.plate.clone().unwrap_or_default();
        }
        let line =
            |name: &str, units| Line { name: name.to_owned(), value: t.money(units, currency) };
        let basis = whole.basis.as_ref().map(|basis| {
            vec![
                line(t.basis_gross(), basis.gross),
                line(t.basis_discount(), -basis.discount),
                line(t.basis_trip_cap(), -basis.over_trip_cap),
                line(t.basis_day_cap(), -basis.over_day_cap),
            ]
        });
        let transfers = whole.transfers.iter().map(|transfer| {
            let day = transfer.day().map(|day| format!(" · {day}")).unwrap_or_default();
            let (number, kind) = (transfer.transfer, &transfer.kind);
            let name = format!("{number} · {kind} · {} → {}{day}", transfer.debit, transfer.credit);
            line(&name, transfer.amount)
        });
        Ok(Self {
            basis: basis.unwrap_or_default(),
            transfers: transfers.collect(),
            record: whole.record.as_deref().map(|bytes| record(bytes, sight)),
            passage: Some(passage),
        })
    }
}

/// The signed record as text, its personal parts masked unless they may be seen.
fn record(bytes: &[u8], sight: Sight) -> String {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        // Nobody knows what is in bytes that nobody can read.
        return format!("{} bytes", bytes.len());
    };
    if sight == Sight::Masked {
        mask(&mut value);
    }
    serde_json::to_string_pretty(&value).unwrap_or_default()
}

/// Masks every text that stands under a name of something personal, however deep.
fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let has = |part: &&str| name.contains(*part);
                if name.contains("plate") {
                    mask_texts(field, masked_plate);
                } else if ["tag", "epc", "tid", "memory"].iter().any(has) {
                    mask_texts(field, masked_tag);
                } else if name == "note" {
                    mask_texts(field, |_| "…".to_owned());
                } else {
                    mask(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn mask_texts(value: &mut Value, masked: fn(&str) -> String) {
    match value {
        Value::String(text) => *text = masked(text),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_texts(item, masked)),
        Value::Object(fields) => fields.values_mut().for_each(|item| mask_texts(item, masked)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Sight, record};

    #[test]
    fn a_record_shows_plate_and_tag_to_those_alone_who_said_why() {
        let bytes = br#"{"v":1,"tag":"3416214B88C0011762000493","known":{"plate":"37A12345",
            "reads":[{"epc":"3416214B88C0011762000493","count":3}],"note":"37A12345"}}"#;
        let clear = record(bytes, Sight::Clear);
        assert!(clear.contains("37A12345") && clear.contains("3416214B88C0011762000493"));
        let masked = record(bytes, Sight::Masked);
        assert!(masked.contains("37…45") && masked.contains("…0493"), "{masked}");
        assert!(!masked.contains("37A12345") && !masked.contains("3416214B"), "{masked}");
        assert!(masked.contains("\"count\": 3"));
    }

    #[test]
    fn bytes_that_are_no_record_are_counted_and_not_shown() {
        assert_eq!(record(b"37A12345", Sight::Clear), "8 bytes");
    }
}
