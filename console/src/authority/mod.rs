//! The road authority's view: traffic and revenue by station and local hour, read only.
//!
//! Nothing personal is asked for, so nothing personal can be shown. The picture is drawn here, as
//! SVG, and its figures stand beside it as a table.

mod chart;
mod repo;

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::BusinessDate;
use serde::Deserialize;

use crate::books::BooksError;
use crate::finance::{or_notice, respond};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use chart::Chart;
use repo::HourRow;

/// The day as it stands in the address; empty asks for the newest.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DayForm {
    #[serde(default)]
    day: String,
}

/// One hour of one station as the page shows it.
struct HourLine {
    hour: String,
    vehicles: String,
    revenue: String,
}

/// One station's day.
struct StationDay {
    name: String,
    operator: String,
    chart: Chart,
    hours: Vec<HourLine>,
    vehicles: String,
    revenue: String,
}

#[derive(Template)]
#[template(path = "authority.html")]
struct AuthorityPage {
    page: Page,
    day: String,
    days: Vec<String>,
    stations: Vec<StationDay>,
}

/// Traffic and revenue of one day.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<DayForm>, QueryRejection>,
) -> Response {
    let t = visit.t;
    let asked = match query.map(|Query(form)| form.day) {
        Ok(day) if day.is_empty() => Ok(None),
        Ok(day) => day.parse::<BusinessDate>().map(Some).or(Err(())),
        Err(_) => Err(()),
    };
    let Ok(asked) = asked else {
        return problem(&app, &visit, StatusCode::BAD_REQUEST, t.wrong_search());
    };
    let mut page = app.page(&visit, Section::Authority);
    let answer = or_notice(day(&app, asked, &visit).await, &mut page, t);
    let whole = answer.is_some();
    let (day, days, stations) = answer.unwrap_or_default();
    respond(whole, &AuthorityPage { page, day, days, stations })
}

type Day = (String, Vec<String>, Vec<StationDay>);

async fn day(app: &App, asked: Option<BusinessDate>, visit: &Visit) -> Result<Day, BooksError> {
    let days = repo::days(app.books()).await?;
    let Some(day) = asked.or_else(|| days.first().copied()) else {
        return Ok(Day::default());
    };
    let hours = repo::hours(app.books(), day, &visit.scope()).await?;
    let names = days.iter().map(ToString::to_string).collect();
    Ok((day.to_string(), names, station_days(&hours, visit.t)?))
}

/// Puts the hours of each station together; they come in order of the stations.
fn station_days(hours: &[HourRow], t: Language) -> Result<Vec<StationDay>, BooksError> {
    let same = |left: &HourRow, right: &HourRow| {
        (&left.operator, &left.station) == (&right.operator, &right.station)
    };
    hours
        .chunk_by(same)
        .filter_map(|hours| hours.first().map(|first| (first, hours)))
        .map(|(first, hours)| {
            let currency = first
                .currency
                .parse()
                .or(Err(BooksError::Shape { what: "currency of an operator" }))?;
            let mut by_hour = [0_u64; 24];
            for row in hours {
                if let Some(slot) = usize::try_from(row.hour).ok().and_then(|h| by_hour.get_mut(h))
                {
                    *slot += row.vehicles.unsigned_abs();
                }
            }
            Ok(StationDay {
                name: first.station_name.clone(),
                operator: first.operator_name.clone(),
                chart: Chart::new(&by_hour),
                hours: hours
                    .iter()
                    .map(|row| HourLine {
                        hour: format!("{:02}:00", row.hour),
                        vehicles: t.count(row.vehicles.unsigned_abs()),
                        revenue: t.money(row.revenue, currency),
                    })
                    .collect(),
                vehicles: t.count(by_hour.iter().sum()),
                revenue: t.money(hours.iter().map(|row| row.revenue).sum(), currency),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
