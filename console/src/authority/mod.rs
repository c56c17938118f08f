//! The road authority's view: traffic and revenue by station and local hour, read only.
//!
//! Nothing personal is asked for, so nothing personal can be shown. The picture is drawn here, as
//! SVG, and its figures stand beside it as a table.

mod repo;

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::BusinessDate;
use serde::Deserialize;
use tracing::warn;

use crate::books::BooksError;
use crate::chart::Columns;
use crate::finance::{or_notice, respond};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use repo::HourRow;

/// The day as it stands in the address; empty asks for the newest.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DayForm {
    #[serde(default)]
    day: String,
}

/// One hour or class of one station as the page shows it.
struct HourLine {
    name: String,
    vehicles: String,
    revenue: String,
}

/// One station's day.
struct StationDay {
    name: String,
    operator: String,
    chart: Columns,
    hours: Vec<HourLine>,
    classes_chart: Columns,
    classes: Vec<HourLine>,
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

/// The day that was asked for, or the newest; nothing where it is no day.
fn asked(query: Result<Query<DayForm>, QueryRejection>) -> Option<Option<BusinessDate>> {
    let day = query.ok()?.0.day;
    if day.is_empty() { Some(None) } else { day.parse().ok().map(Some) }
}

/// The same for spreadsheets and programs: counts and sums by hour and group, nothing personal.
pub(crate) async fn export(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<DayForm>, QueryRejection>,
) -> Response {
    let t = visit.t;
    let Some(Some(day)) = asked(query) else {
        return problem(&app, &visit, StatusCode::BAD_REQUEST, t.wrong_search());
    };
    match repo::hours(app.books(), day, &visit.scope()).await {
        Ok(hours) => {
            let name = format!("attachment; filename=\"traffic-{day}.csv\"");
            let kind = "text/csv; charset=utf-8";
            let headers =
                [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
            (headers, csv(day, &hours)).into_response()
        }
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "export traffic");
            problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, t.books_away())
        }
    }
}

/// One line an hour and group. Operators and stations are named by what no spreadsheet takes for a
/// formula: their identities.
fn csv(day: BusinessDate, hours: &[HourRow]) -> String {
    let mut text =
        String::from("day,operator,station,hour,vehicle_group,vehicles,revenue,currency\r\n");
    for row in hours {
        let HourRow { operator, station, hour, vehicles, revenue, currency, .. } = row;
        let group = row.vehicle_group.map(|group| group.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "{day},{operator},{station},{hour},{group},{vehicles},{revenue},{currency}\r\n"
        ));
    }
    text
}

/// Traffic and revenue of one day.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<DayForm>, QueryRejection>,
) -> Response {
    let t = visit.t;
    let Some(asked) = asked(query) else {
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

/// Vehicles and what they paid, in minor units.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    vehicles: u64,
    revenue: i64,
}

impl Sum {
    fn and(self, row: &HourRow) -> Self {
        Self {
            vehicles: self.vehicles + row.vehicles.unsigned_abs(),
            revenue: self.revenue + row.revenue,
        }
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Sum>, key: K, row: &HourRow) {
    let sum = sums.entry(key).or_default();
    *sum = sum.and(row);
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
            let mut by_hour = BTreeMap::new();
            let mut by_class = BTreeMap::new();
            for row in hours {
                add(&mut by_hour, row.hour, row);
                add(&mut by_class, row.vehicle_group, row);
            }
            let line = |name: String, sum: &Sum| HourLine {
                name,
                vehicles: t.count(sum.vehicles),
                revenue: t.money(sum.revenue, currency),
            };
            let class = |group: Option<i16>| {
                group.map_or_else(|| t.unknown().to_owned(), |group| group.to_string())
            };
            let sum_of = |hour| by_hour.get(&hour).map_or(0, |sum: &Sum| sum.vehicles);
            let columns: Vec<_> = (0..24).map(|hour| (hour.to_string(), sum_of(hour))).collect();
            let revenues: Vec<_> = by_class
                .iter()
                .map(|(group, sum)| (class(*group), sum.revenue.unsigned_abs()))
                .collect();
            let total = hours.iter().fold(Sum::default(), Sum::and);
            Ok(StationDay {
                name: first.station_name.clone(),
                operator: first.operator_name.clone(),
                chart: Columns::new(&columns, 3),
                hours: by_hour
                    .iter()
                    .map(|(hour, sum)| line(format!("{hour:02}:00"), sum))
                    .collect(),
                classes_chart: Columns::new(&revenues, 1),
                classes: by_class.iter().map(|(group, sum)| line(class(*group), sum)).collect(),
                vehicles: t.count(total.vehicles),
                revenue: t.money(total.revenue, currency),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
