//! The settlement days at a glance: complete, matched with others, closed, approved, paid, in the
//! bank; and what each comes to.
//!
//! Figures of a day that is stated are its statement's; of another, what its batches come to so
//! far, on the operator's general terms. No page of days looks at passages: that is a day's own.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use domain::Currency;
use jiff::tz::TimeZone;
use reconciliation::window::State as Life;

use crate::books::BooksError;
use crate::http::App;
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use super::days_repo::{self, DayRow};
use super::{or_notice, respond};

/// A step of a day, as a mark and a word.
pub(crate) struct Step {
    pub name: &'static str,
    pub is_done: bool,
    /// Somebody has to see to it.
    pub needs: bool,
    pub detail: String,
}

/// An operator's settlement day as a page shows it.
pub(crate) struct DayLine {
    pub operator: String,
    pub operator_id: String,
    pub day: String,
    /// Complete, without differences, closed, approved, paid, in the bank.
    pub steps: Vec<Step>,
    /// Open cases of the day.
    pub cases: u64,
    pub early_reason: Option<String>,
    pub passages: String,
    pub tolls: String,
    pub adjustment: String,
    pub cash: String,
    pub fee: String,
    pub vat: String,
    pub net: String,
    pub is_stated: bool,
}

/// Currency and zone of an operator.
pub(crate) fn ways(currency: &str, zone: &str) -> Result<(Currency, TimeZone), BooksError> {
    let shape = |what| BooksError::Shape { what };
    Ok((
        currency.parse().or(Err(shape("currency of an operator")))?,
        TimeZone::get(zone).or(Err(shape("zone of an operator")))?,
    ))
}

impl DayLine {
    pub(crate) fn new(row: &DayRow, t: Language) -> Result<Self, BooksError> {
        let (currency, zone) = ways(&row.currency, &row.zone)?;
        let money = |units| t.money(units, currency);
        let figures = &row.figures;
        Ok(Self {
            operator: row.operator_name.clone(),
            operator_id: row.operator.clone(),
            day: row.day.to_string(),
            steps: steps(row, t, &zone),
            cases: row.open_cases,
            early_reason: row.early_reason.clone(),
            passages: t.count(figures.passages.unsigned_abs()),
            tolls: money(figures.gross),
            adjustment: money(figures.adjustment),
            cash: money(figures.cash),
            fee: money(figures.fee),
            vat: money(figures.vat),
            net: money(figures.net()),
            is_stated: row.is_stated,
        })
    }
}

fn steps(row: &DayRow, t: Language, zone: &TimeZone) -> Vec<Step> {
    let reached = |life: Life| row.life >= life;
    let step = |name, is_done, needs, detail: String| Step {
        name,
        is_done,
        needs: needs && !is_done,
        detail,
    };
    let people = match (&row.proposed_by, &row.approved_by) {
        (Some(maker), Some(checker)) => format!("{maker} + {checker}"),
        (Some(maker), None) => format!("{} {maker}", t.proposed_by()),
        (None, _) => String::new(),
    };
    let complete = if reached(Life::Closing) {
        String::new()
    } else {
        match row.lanes_behind {
            0 => t.so_far().to_owned(),
            lanes => format!("{} {}", t.count(lanes), t.lanes_with_gaps()),
        }
    };
    let closed_at = row.closed_at.map(|at| t.date_and_time(at, zone)).unwrap_or_default();
    let differences = match row.open_cases {
        0 => String::new(),
        cases => format!("{} {}", t.count(cases), t.open_cases()),
    };
    let is_complete = reached(Life::Closing) || row.lanes_behind == 0;
    vec![
        step(t.step_complete(), is_complete, row.lanes_behind > 0, complete),
        step(t.step_matched(), row.open_cases == 0, row.open_cases > 0, differences),
        step(t.step_closed(), reached(Life::Closed), row.life == Life::Closing, closed_at),
        step(t.step_approved(), reached(Life::Approved), reached(Life::Closed), people),
        step(t.step_paid(), reached(Life::Paid), reached(Life::Approved), String::new()),
        step(t.step_in_bank(), reached(Life::Matched), reached(Life::Paid), String::new()),
    ]
}

#[derive(Template)]
#[template(path = "finance.html")]
struct DaysPage {
    page: Page,
    days: Vec<DayLine>,
}

/// The settlement days.
pub(crate) async fn days_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
) -> Response {
    let mut page = app.page(&visit, Section::Finance);
    let days = days_repo::days(app.books(), &visit.scope(), None).await.and_then(|rows| {
        rows.iter().map(|row| DayLine::new(row, visit.t)).collect::<Result<Vec<_>, _>>()
    });
    let days = or_notice(days, &mut page, visit.t);
    respond(days.is_some(), &DaysPage { page, days: days.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::super::days_repo::Figures;
    use super::*;

    fn row(life: Life) -> DayRow {
        DayRow {
            operator: "cienco4".to_owned(),
            operator_name: "Cienco4".to_owned(),
            currency: "VND".to_owned(),
            zone: "Asia/Ho_Chi_Minh".to_owned(),
            day: "2026-11-21".parse().unwrap(),
            life,
            closed_at: None,
            early_reason: None,
            proposed_by: None,
            approved_by: None,
            lanes_behind: 0,
            open_cases: 0,
            figures: Figures { gross: 1_000, fee: 25, vat: 2, ..Figures::default() },
            is_stated: life >= Life::Closed,
        }
    }

    fn marks(row: &DayRow) -> String {
        let line = DayLine::new(row, Language::English).unwrap();
        let mark = |step: &Step| match (step.is_done, step.needs) {
            (true, _) => '+',
            (false, true) => '!',
            (false, false) => '-',
        };
        line.steps.iter().map(mark).collect()
    }

    #[test]
    fn a_day_shows_how_far_it_is_and_who_has_to_do_something() {
        for (life, expected) in [
            (Life::Open, "++----"),
            (Life::Closing, "++!---"),
            (Life::Closed, "+++!--"),
            (Life::Approved, "++++!-"),
            (Life::Paid, "+++++!"),
            (Life::Matched, "++++++"),
        ] {
            assert_eq!(marks(&row(life)), expected, "{life}");
        }
        let gaps = DayRow { lanes_behind: 2, open_cases: 1, ..row(Life::Open) };
        assert_eq!(marks(&gaps), "!!----");
        let closed_over = DayRow { lanes_behind: 2, ..row(Life::Closed) };
        assert_eq!(marks(&closed_over), "+++!--", "a gap of today is not one of that day");
    }

    #[test]
    fn what_is_left_is_tolls_and_corrections_less_fee_and_tax() {
        let line = DayLine::new(&row(Life::Closed), Language::English).unwrap();
        assert_eq!(line.net.replace('\u{a0}', " "), "973 ₫");
    }
}
