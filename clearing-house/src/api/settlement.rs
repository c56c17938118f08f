//! Settlement as an operator sees its own: days, statements, payments, and what does not add up.
//!
//! What a row security policy knows the operator of is read under it; what hangs on such a row, by
//! its key. Deliberately absent: closing, approving and paying (`reconciliation`).

#![expect(unused_qualifications, reason = "what the macro writes for query parameters")]

use std::borrow::Cow;
use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use domain::{BusinessDate, OperatorId};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::body::{Asked, At, day as whole_day, some_day};
use super::caller::Caller;
use super::paging::{self, Paging};
use super::problem::Problem;
use crate::sql::{day_from_sql, day_to_sql, from_sql};

/// The books do not answer, or have no settlement yet.
pub(super) fn away(error: &sqlx::Error) -> Problem {
    let code = error.as_database_error().and_then(|error| error.code().map(Cow::into_owned));
    // An undefined table or function: they come with settlement's own migration.
    if matches!(code.as_deref(), Some("42P01" | "42883")) {
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-settlement",
            "these books have no settlement yet: `reconciliation migrate` makes its tables",
        );
    }
    Problem::books(error)
}

/// What a day comes to, in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Figures {
    /// Passages that somebody paid for.
    passages: i64,
    /// Tolls charged to accounts.
    gross: i64,
    /// Corrections of earlier tolls.
    adjustment: i64,
    /// What issuers keep.
    fee: i64,
    /// Tax on the fee.
    vat: i64,
    /// What issuers owe: gross and adjustment, less fee and tax.
    net: i64,
}

fn figures(row: &PgRow, first: usize) -> Option<Figures> {
    Some(Figures {
        passages: row.get::<Option<i64>, _>(first)?,
        gross: row.get(first + 1),
        adjustment: row.get(first + 2),
        fee: row.get(first + 3),
        vat: row.get(first + 4),
        net: row.get(first + 5),
    })
}

/// A settlement day of an operator.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DayLine {
    /// Whose.
    operator: String,
    /// Which day.
    day: String,
    /// `open`, `closing`, `closed`, `approved`, `paid` or `matched`.
    state: String,
    /// When it was closed.
    closed_at: Option<String>,
    /// What its statement says; absent before there is one.
    figures: Option<Figures>,
    /// Tolls the operator took in cash, in minor units.
    cash: Option<i64>,
}

fn day_line(row: &PgRow) -> DayLine {
    DayLine {
        operator: row.get(0),
        day: day_from_sql(row.get(1)).to_string(),
        state: row.get(2),
        closed_at: row.get::<Option<_>, _>(3).map(|at| from_sql(at).to_string()),
        cash: row.get(4),
        figures: figures(row, 5),
    }
}

/// A page of days.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DayPage {
    items: Vec<DayLine>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Which days, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DayQuery {
    /// From this day on.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<BusinessDate>,
    /// Up to this day.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<BusinessDate>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 100 where absent, and never more than 500.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// Settlement days, the newest first; an operator sees its own.
#[utoipa::path(get, path = "/api/v1/settlement/days", params(DayQuery), tag = "settlement",
    responses((status = 200, body = DayPage)))]
pub(super) async fn days(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<DayQuery>,
) -> Result<Json<DayPage>, Problem> {
    let (of, limit) = (caller.roads()?, paging::limit(query.limit)?);
    let after: Option<(BusinessDate, OperatorId)> = paging::after(query.cursor.as_deref())?;
    some_day(after.as_ref().map(|(day, _)| *day))?;
    let (from, to) = (some_day(query.from)?, some_day(query.to)?);
    let mut view = app.view(of).await?;
    let rows = sqlx::query(
        "select d.operator, d.day,
                coalesce(w.state, case d.state when 'closed' then 'closing' else d.state end),
                d.closed_at, s.cash, s.passages, s.gross, s.adjustment, s.fee, s.vat, s.net
         from settlement_day d
         left join statement s on s.operator = d.operator and s.day = d.day and s.revision = 1
         left join lateral (select c.state from window_change c where c.operator = d.operator
                            and c.day = d.day order by c.place desc limit 1) w on true
         where ($1::text is null or d.operator = $1)
           and ($2::date is null or d.day >= $2) and ($3::date is null or d.day <= $3)
           and ($4::date is null or d.day < $4 or (d.day = $4 and d.operator > $5))
         order by d.day desc, d.operator limit $6",
    )
    .bind(of.map(OperatorId::as_str))
    .bind(from.map(day_to_sql))
    .bind(to.map(day_to_sql))
    .bind(after.as_ref().map(|(day, _)| day_to_sql(*day)))
    .bind(after.as_ref().map(|(_, operator)| operator.as_str()))
    .bind(limit)
    .fetch_all(&mut *view)
    .await
    .map_err(|error| away(&error))?;
    let items: Vec<DayLine> = rows.iter().map(day_line).collect();
    let last = items.last().map(|last| (last.day.clone(), last.operator.clone()));
    Ok(Json(DayPage { next: paging::next(items.len(), limit, last), items }))
}

/// What an issuer owes for a day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Position {
    /// Who owes.
    issuer: String,
    /// What.
    figures: Option<Figures>,
    /// The payment that is to bring it.
    payment: Option<String>,
}

/// A settlement day with what each issuer owes for it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Day {
    /// The day.
    day: DayLine,
    /// What each issuer owes; empty before there is a statement.
    positions: Vec<Position>,
}

/// One settlement day.
#[utoipa::path(get, path = "/api/v1/settlement/days/{operator}/{day}", tag = "settlement",
    params(("operator" = String, Path), ("day" = String, Path, format = Date)),
    responses((status = 200, body = Day), (status = 404, body = Problem)))]
pub(super) async fn day(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At((operator, day)): At<(OperatorId, BusinessDate)>,
) -> Result<Json<Day>, Problem> {
    let (of, day) = (own(&caller, &operator)?, whole_day(day)?);
    let mut view = app.view(of).await?;
    let row = sqlx::query(
        "select d.operator, d.day,
                coalesce(w.state, case d.state when 'closed' then 'closing' else d.state end),
                d.closed_at, s.cash, s.passages, s.gross, s.adjustment, s.fee, s.vat, s.net
         from settlement_day d
         left join statement s on s.operator = d.operator and s.day = d.day and s.revision = 1
         left join lateral (select c.state from window_change c where c.operator = d.operator
                            and c.day = d.day order by c.place desc limit 1) w on true
         where d.operator = $1 and d.day = $2",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_optional(&mut *view)
    .await
    .map_err(|error| away(&error))?
    .ok_or_else(no_day)?;
    let positions = sqlx::query(
        "select s.issuer, t.end_to_end, s.passages, s.gross, s.adjustment, s.fee, s.vat, s.net
         from settlement_position s left join payment_part t using (operator, day, issuer)
         where s.operator = $1 and s.day = $2 order by s.issuer, t.end_to_end",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_all(&mut *view)
    .await
    .map_err(|error| away(&error))?;
    let position = |row: &PgRow| Position {
        issuer: row.get(0),
        payment: row.get(1),
        figures: figures(row, 2),
    };
    Ok(Json(Day { day: day_line(&row), positions: positions.iter().map(position).collect() }))
}

fn no_day() -> Problem {
    Problem::none("day", "there is no such settlement day")
}

/// The scope, where the operator is in it; what is not in it is not there.
fn own<'a>(caller: &'a Caller, operator: &OperatorId) -> Result<Option<&'a OperatorId>, Problem> {
    let of = caller.roads()?;
    if of.is_some_and(|of| of != operator) { Err(no_day()) } else { Ok(of) }
}

/// A statement as it was signed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Statement {
    /// Whose.
    operator: String,
    /// Of which day.
    day: String,
    /// When it was made.
    issued_at: String,
    /// The exact text that is signed: JSON.
    canonical: String,
    /// Its SHA-256, in hexadecimal.
    sha256: String,
    /// The centre's Ed25519 signature, in Base64.
    signature: String,
}

/// The signed statement of a closed day.
#[utoipa::path(get, path = "/api/v1/settlement/days/{operator}/{day}/statement", tag = "settlement",
    params(("operator" = String, Path), ("day" = String, Path, format = Date)),
    operation_id = "settlement_statement",
    responses((status = 200, body = Statement), (status = 404, body = Problem)))]
pub(super) async fn statement(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At((operator, day)): At<(OperatorId, BusinessDate)>,
) -> Result<Json<Statement>, Problem> {
    let (of, day) = (own(&caller, &operator)?, whole_day(day)?);
    let mut view = app.view(of).await?;
    let row = sqlx::query(
        "select issued_at, canonical, digest, signature from statement
         where operator = $1 and day = $2 and revision = 1",
    )
    .bind(operator.as_str())
    .bind(day_to_sql(day))
    .fetch_optional(&mut *view)
    .await
    .map_err(|error| away(&error))?
    .ok_or_else(|| Problem::none("statement", "the day has no statement yet"))?;
    Ok(Json(Statement {
        operator: operator.to_string(),
        day: day.to_string(),
        issued_at: from_sql(row.get(0)).to_string(),
        canonical: row.get(1),
        sha256: HEXLOWER.encode(row.get(2)),
        signature: STANDARD.encode(row.get::<&[u8], _>(3)),
    }))
}

/// A payment to an operator.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Payment {
    /// Its number, as it stands in the bank's statement.
    payment: String,
    /// Who pays.
    issuer: String,
    /// To whom.
    operator: String,
    /// What was ordered, in minor units.
    amount: i64,
    /// What the bank's statement shows as paid.
    paid: i64,
    /// What came back of it.
    returned: i64,
}

/// A page of payments.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PaymentPage {
    items: Vec<Payment>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Payments in the order of their numbers; an operator sees those to itself.
#[utoipa::path(get, path = "/api/v1/settlement/payments", params(Paging), tag = "settlement",
    responses((status = 200, body = PaymentPage)))]
pub(super) async fn payments(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<PaymentPage>, Problem> {
    let (of, limit) = (caller.roads()?, paging.limit()?);
    let after = no_nul(paging.after::<String>()?)?;
    let mut view = app.view(of).await?;
    let rows = sqlx::query(
        "select end_to_end, issuer, operator, amount from payment
         where ($1::text is null or operator = $1) and ($2::text is null or end_to_end > $2)
         order by end_to_end limit $3",
    )
    .bind(of.map(OperatorId::as_str))
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *view)
    .await
    .map_err(|error| away(&error))?;
    let numbers: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let booked: HashMap<String, (i64, i64)> = sqlx::query_as::<_, (String, i64, i64)>(
        "select end_to_end, coalesce(sum(amount) filter (where kind = 'paid'), 0)::bigint,
                coalesce(sum(amount) filter (where kind = 'returned'), 0)::bigint
         from payment_booking where end_to_end = any($1) group by end_to_end",
    )
    .bind(&numbers)
    .fetch_all(&app.0.reading)
    .await
    .map_err(|error| away(&error))?
    .into_iter()
    .map(|(number, paid, returned)| (number, (paid, returned)))
    .collect();
    let line = |row: &PgRow| {
        let payment: String = row.get(0);
        let (paid, returned) = booked.get(&payment).copied().unwrap_or_default();
        Payment {
            payment,
            issuer: row.get(1),
            operator: row.get(2),
            amount: row.get(3),
            paid,
            returned,
        }
    };
    let next = paging::next(rows.len(), limit, numbers.last());
    Ok(Json(PaymentPage { items: rows.iter().map(line).collect(), next }))
}

/// A place that a caller made up may hold what the books cannot.
fn no_nul(place: Option<String>) -> Result<Option<String>, Problem> {
    if place.as_deref().is_some_and(|place| place.contains('\0')) {
        return Err(Problem::bad("cursor: it is not the `next` of a page"));
    }
    Ok(place)
}

/// Something of a day that does not add up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Case {
    /// Its code.
    case: String,
    /// What kind of thing: `only-ours`, `amount-differs`, `dispute`, …
    kind: String,
    /// Whose settlement it touches.
    operator: String,
    /// Of which day.
    day: String,
    /// The passage or payment it is about.
    subject: String,
    /// How much money hangs on it, in minor units.
    amount: i64,
    /// When it was found.
    opened_at: String,
    /// By when it is to be settled.
    due_at: String,
    /// `open`, `proposed` or `settled`.
    state: String,
}

/// A page of cases.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CasePage {
    items: Vec<Case>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Cases in the order of their codes; an operator sees its own, without either side's records.
#[utoipa::path(get, path = "/api/v1/settlement/cases", params(Paging), tag = "settlement",
    responses((status = 200, body = CasePage)))]
pub(super) async fn cases(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<CasePage>, Problem> {
    let (of, limit) = (caller.roads()?, paging.limit()?);
    let after = no_nul(paging.after::<String>()?)?;
    let mut view = app.view(of).await?;
    let rows = sqlx::query(
        "select code, kind, operator, day, subject, amount, opened_at, due_at from settlement_case
         where ($1::text is null or operator = $1) and ($2::text is null or code > $2)
         order by code limit $3",
    )
    .bind(of.map(OperatorId::as_str))
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *view)
    .await
    .map_err(|error| away(&error))?;
    let codes: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let states: HashMap<String, String> = sqlx::query_as::<_, (String, String)>(
        "select distinct on (code) code, state from settlement_case_event where code = any($1)
         order by code, place desc",
    )
    .bind(&codes)
    .fetch_all(&app.0.reading)
    .await
    .map_err(|error| away(&error))?
    .into_iter()
    .collect();
    let line = |row: &PgRow| {
        let case: String = row.get(0);
        Case {
            state: states.get(&case).cloned().unwrap_or_else(|| "open".to_owned()),
            case,
            kind: row.get(1),
            operator: row.get(2),
            day: day_from_sql(row.get(3)).to_string(),
            subject: row.get(4),
            amount: row.get(5),
            opened_at: from_sql(row.get(6)).to_string(),
            due_at: from_sql(row.get(7)).to_string(),
        }
    };
    let next = paging::next(rows.len(), limit, codes.last());
    Ok(Json(CasePage { items: rows.iter().map(line).collect(), next }))
}
