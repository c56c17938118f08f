//! One passage: what became of it, what its amount consists of, the money that moved, the record
//! that its lane signed, and the way of its money from the vehicle's picture to the line of a bank.
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

use super::day::payment_state;
use super::passage_pictures::{OfPassage, of_passage};
use super::repo::{self, Whole};
use super::{PassageLine, day_repo, days_repo, masked_plate, masked_tag, or_notice, respond};

/// Why somebody may see a plate or a tag in clear.
pub(crate) const UNMASK_REASONS: [&str; 4] = ["dispute", "mismatch", "review", "authority-request"];

#[derive(Deserialize)]
pub(crate) struct UnmaskForm {
    #[serde(default)]
    reason: String,
}

/// A step on the way from the picture to the bank.
struct WayLine {
    name: &'static str,
    text: String,
    url: Option<String>,
    is_reached: bool,
}

pub(super) type PassagePath = (String, String, String, String, String);

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
    way: Vec<WayLine>,
    /// The addresses of its pictures, where they may be seen.
    pictures: Vec<String>,
    record: Option<String>,
    clear: bool,
    reasons: Vec<(&'static str, &'static str)>,
}

pub(super) fn identity((operator, station, lane, epoch, seq): &PassagePath) -> Option<PassageId> {
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
pub(crate) enum Sight {
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
    let shown = whole.as_ref().map(|whole| Shown::new(whole, t, sight)).transpose();
    let Some(shown) = or_notice(shown, &mut page, t) else {
        return problem(app, visit, StatusCode::INTERNAL_SERVER_ERROR, t.problem());
    };
    let shown = shown.unwrap_or_default();
    let pictures = of_passage(app, visit, &id, sight).await;
    let way = match &whole {
        Some(whole) => or_notice(way(app, visit, &id, whole, &pictures).await, &mut page, t),
        None => None,
    };
    respond(
        is_whole,
        &PassagePage {
            page,
            path: visit.path.clone(),
            id: id.to_string(),
            passage: shown.passage,
            basis: shown.basis,
            transfers: shown.transfers,
            way: way.unwrap_or_default(),
            pictures: pictures.urls,
            record: shown.record,
            clear: sight == Sight::Clear,
            reasons: UNMASK_REASONS.map(|name| (name, t.unmask_reason(name))).to_vec(),
        },
    )
}

/// The way of a passage's money, as far as it has come.
async fn way(
    app: &App,
    visit: &Visit,
    id: &PassageId,
    whole: &Whole,
    pictures: &OfPassage,
) -> Result<Vec<WayLine>, BooksError> {
    let (t, books) = (visit.t, app.books());
    let row = &whole.row;
    let shape = BooksError::Shape { what: "currency of an operator" };
    let currency = row.currency.parse().or(Err(shape))?;
    let step = |name, reached: Option<(String, Option<String>)>| WayLine {
        name,
        is_reached: reached.is_some(),
        url: reached.as_ref().and_then(|(_, url)| url.clone()),
        text: reached.map_or_else(|| t.not_yet().to_owned(), |(text, _)| text),
    };
    let operator = id.lane.operator();
    let day = match row.day() {
        Some(day) => {
            let days = days_repo::days(books, &visit.scope(), Some(day)).await?;
            days.into_iter().find(|known| known.operator == operator.as_str())
        }
        None => None,
    };
    let position = match (row.day(), &whole.issuer) {
        (Some(day), Some(issuer)) if days_repo::has_settlement(books).await? => {
            day_repo::positions(books, operator, day, Some(issuer)).await?.into_iter().next_back()
        }
        (_, _) => None,
    };
    let sees_finance = visit.pages(app.is_at_station()).iter().any(|(path, _)| *path == "/finance");
    let link = |url: String| sees_finance.then_some(url);
    let day = day.map(|known| {
        let text = format!("{} · {}", known.day, t.window_state(known.life.name()));
        (text, link(format!("/finance/day/{operator}/{}", known.day)))
    });
    let payment = position.as_ref().and_then(|position| {
        let number = position.end_to_end.as_ref()?;
        let text = format!("{number} · {}", payment_state(position, t));
        Some((text, link("/finance/payments".to_owned())))
    });
    let booked = position.as_ref().filter(|position| !position.bookings.is_empty());
    let line = booked.map(|position| {
        let on = position.last_booked_on().map(|on| format!(" · {on}")).unwrap_or_default();
        (format!("{}{on}", position.bookings.join(", ")), None)
    });
    let transfer = whole.transfers.first();
    let picture = match pictures.count {
        0 => WayLine { text: t.way_no_picture().to_owned(), ..step(t.way_picture(), None) },
        count => {
            let text = format!("{count} · {}", t.way_pictures());
            step(t.way_picture(), Some((text, pictures.urls.first().cloned())))
        }
    };
    Ok(vec![
        picture,
        step(t.way_record(), whole.record.as_ref().map(|_| (id.to_string(), None))),
        step(t.way_charge(), row.amount.map(|units| (t.money(units, currency), None))),
        step(t.way_ledger(), transfer.map(|one| (one.transfer.to_string(), None))),
        step(t.way_day(), day),
        step(
            t.way_position(),
            position
                .as_ref()
                .map(|one| (format!("{} · {}", one.issuer_name, t.money(one.net, currency)), None)),
        ),
        step(t.way_payment(), payment),
        step(t.bank_line(), line),
    ])
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
pub(crate) fn record(bytes: &[u8], sight: Sight) -> String {
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
