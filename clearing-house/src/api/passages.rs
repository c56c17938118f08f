//! Passages and quarantine, page by page. Plates and tags are in none of them: they are personal.

#![expect(unused_qualifications, reason = "what the macro writes for query parameters")]

use axum::extract::State;
use axum::{Extension, Json};
use domain::{BusinessDate, OperatorId, PassageId};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::accounts::of_scope;
use super::body::{Asked, At, some_day};
use super::caller::Caller;
use super::paging::{self, Paging};
use super::problem::Problem;
use crate::search::{self, Days, Found, Place, Sought, Whose};
use crate::sql::from_sql;

/// A passage and what became of it. Without tag and plate: they are personal data.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PassageLine {
    /// Its identity: lane, epoch and sequence.
    passage: String,
    /// When, by the lane's clock.
    at: String,
    /// What the lane decided.
    decision: Option<String>,
    /// Why the vehicle did not simply pass.
    exception: Option<String>,
    /// The group it went by.
    group: Option<i16>,
    /// What became of it; `pending` while nothing has.
    disposition: String,
    /// Why it costs what it costs.
    why: Option<String>,
    /// The settlement day.
    day: Option<String>,
    /// `account`, `cash` or `nobody`.
    payer: Option<String>,
    /// What it cost, in minor units.
    amount: Option<i64>,
    /// The tariff's version.
    tariff: Option<String>,
}

impl From<Found> for PassageLine {
    fn from(found: Found) -> Self {
        Self {
            passage: found.passage(),
            at: found.at().to_string(),
            day: found.day().map(|day| day.to_string()),
            decision: found.decision,
            exception: found.exception,
            group: found.vehicle_group,
            disposition: found.disposition,
            why: found.why,
            payer: found.payer,
            amount: found.amount,
            tariff: found.tariff,
        }
    }
}

/// A page of passages. It may have fewer than were asked for, even none, and still a next one: a
/// search that finds little in much is cut into pieces.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PassagePage {
    items: Vec<PassageLine>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Which passages, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PassageQuery {
    /// From this settlement day on; from the first where absent.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<BusinessDate>,
    /// Up to this settlement day; up to the last where absent.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<BusinessDate>,
    /// Of this operator.
    operator: Option<String>,
    /// Of this station.
    station: Option<String>,
    /// Of this lane of a station, by its own name.
    lane: Option<String>,
    /// With this disposition: `posted`, `not-posted`, `invalid`, …; `pending` is found so alone.
    disposition: Option<String>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 100 where absent, and never more than 500.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

impl PassageQuery {
    /// What is looked for, by one operator alone where there is one.
    fn sought(&self, of: Option<&OperatorId>) -> Option<Sought> {
        let named = [&self.operator, &self.station, &self.lane, &self.disposition];
        if named.into_iter().flatten().any(|name| name.contains('\0')) {
            return None;
        }
        let foreign =
            |of: &OperatorId| self.operator.as_deref().is_some_and(|one| one != of.as_str());
        if of.is_some_and(foreign) {
            return None;
        }
        Some(Sought {
            operator: of.map(ToString::to_string).or_else(|| self.operator.clone()),
            station: self.station.clone(),
            lane: self.lane.clone(),
            disposition: self.disposition.clone(),
            ..Sought::default()
        })
    }

    async fn page(
        self,
        app: &App,
        of: Option<&OperatorId>,
        whose: Option<Whose>,
    ) -> Result<Json<PassagePage>, Problem> {
        let (after, limit) =
            (paging::after::<Place>(self.cursor.as_deref())?, paging::limit(self.limit)?);
        some_day(after.as_ref().and_then(|after| after.day))?;
        let days = Days { first: some_day(self.from)?, last: some_day(self.to)? };
        let Some(sought) = self.sought(of) else {
            return Ok(Json(PassagePage { items: Vec::new(), next: None }));
        };
        let sought = Sought { whose, ..sought };
        let mut view = app.view(of).await?;
        let len = usize::try_from(limit).unwrap_or(1);
        let found = search::page(&mut view, &sought, days, after, len, app.0.clock).await;
        let found = found.map_err(|error| Problem::books(&error))?;
        let next = found.next.as_ref().and_then(paging::cursor);
        let items = found.passages.into_iter().map(PassageLine::from).collect();
        Ok(Json(PassagePage { items, next }))
    }
}

/// Passages by settlement day and time, the newest first; an operator sees its own.
#[utoipa::path(get, path = "/api/v1/passages", params(PassageQuery), tag = "passages",
    responses((status = 200, body = PassagePage)))]
pub(super) async fn passages(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<PassageQuery>,
) -> Result<Json<PassagePage>, Problem> {
    query.page(&app, caller.roads()?, None).await
}

/// Passages that an account paid, the newest first.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/passages", tag = "accounts",
    params(("account" = i64, Path), PassageQuery),
    responses((status = 200, body = PassagePage), (status = 404, body = Problem)))]
pub(super) async fn of_account(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    Asked(query): Asked<PassageQuery>,
) -> Result<Json<PassagePage>, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    query.page(&app, None, Some(Whose::Account(account.as_i64()))).await
}

/// One passage.
#[utoipa::path(get, path = "/api/v1/passages/{operator}/{station}/{lane}/{epoch}/{seq}", tag = "passages",
    params(("operator" = String, Path), ("station" = String, Path), ("lane" = String, Path),
           ("epoch" = i32, Path), ("seq" = i64, Path)),
    responses((status = 200, body = PassageLine), (status = 404, body = Problem)))]
pub(super) async fn passage(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At((operator, station, lane, epoch, seq)): At<(String, String, String, i32, i64)>,
) -> Result<Json<PassageLine>, Problem> {
    let of = caller.roads()?;
    let none = || Problem::none("passage", "there is no such passage");
    let id = format!("{operator}/{station}/{lane}:{epoch}:{seq}");
    let id: PassageId = id.parse().map_err(|_not_one| none())?;
    if of.is_some_and(|of| of != id.lane.operator()) {
        return Err(none());
    }
    let mut view = app.view(of).await?;
    let found = search::one(&mut view, &id).await.map_err(|error| Problem::books(&error))?;
    Ok(Json(found.ok_or_else(none)?.into()))
}

/// A message that could not be taken, without its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Quarantined {
    /// Its number.
    quarantine: i64,
    /// When it came.
    received_at: String,
    /// Where it came from.
    subject: String,
    /// Why it was not taken.
    reason: String,
    /// How long it is.
    payload_len: i32,
}

/// A page of quarantine.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantinePage {
    items: Vec<Quarantined>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// What is in quarantine; an operator sees what came on its own lanes' subjects.
#[utoipa::path(get, path = "/api/v1/quarantine", params(Paging), tag = "passages",
    responses((status = 200, body = QuarantinePage)))]
pub(super) async fn quarantine(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<QuarantinePage>, Problem> {
    let (operator, limit) = (caller.roads()?, paging.limit()?);
    let after = paging.after::<i64>()?.unwrap_or(0);
    // Rows are of no operator for the database: it is told here which are.
    let mut view = app.view(None).await?;
    let rows = sqlx::query(
        "select quarantine, received_at, subject, reason, length(payload) from quarantine \
         where quarantine > $1 and ($2::text is null or split_part(subject, '.', 4) = $2) \
         order by quarantine limit $3",
    )
    .bind(after)
    .bind(operator.map(OperatorId::as_str))
    .bind(limit)
    .fetch_all(&mut *view)
    .await
    .map_err(|error| Problem::books(&error))?;
    let place: Option<i64> = rows.last().map(|row| row.get(0));
    let next = paging::next(rows.len(), limit, place);
    let line = |row: &sqlx::postgres::PgRow| Quarantined {
        quarantine: row.get(0),
        received_at: from_sql(row.get(1)).to_string(),
        subject: row.get(2),
        reason: row.get(3),
        payload_len: row.get(4),
    };
    Ok(Json(QuarantinePage { items: rows.iter().map(line).collect(), next }))
}
