//! Disputes: a trip of an account that its issuer says is wrong. Each becomes a case of settlement.
//!
//! Deliberately absent: settling it, which two people of finance do (`console`).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use domain::PassageId;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::ToSchema;

use super::App;
use super::accounts::of_scope;
use super::body::{At, read, text};
use super::caller::Caller;
use super::once::once;
use super::problem::Problem;
use super::settlement::away;
use crate::sql::{day_from_sql, from_sql, to_sql};

/// The longest text, in characters.
const TEXT_LEN_MAX: usize = 500;

/// What is disputed, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDispute {
    /// The trip's passage: `operator/station/lane:epoch:sequence`.
    #[schema(value_type = String)]
    passage: PassageId,
    /// What is wrong with it. No plate: it is read by whoever works on the case.
    #[schema(min_length = 1, max_length = 500)]
    text: String,
}

/// A dispute was taken up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Disputed {
    /// The case, by which it is asked after.
    case: String,
}

/// Disputes a trip that the account paid; a trip has one case, however often it is disputed.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/disputes", request_body = NewDispute, tag = "accounts",
    params(("account" = i64, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Disputed), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn dispute(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let request: [&[u8]; 3] = [b"dispute", &account.as_i64().to_be_bytes(), &body];
    once(&app, &caller, &headers, &request, async {
        let new: NewDispute = read(&body)?;
        let theirs = text("text", &new.text, TEXT_LEN_MAX)?;
        let trip = sqlx::query(
            "select day, at, vehicle_group, amount, operator from passage_v1
             where lane = $1 and epoch = $2 and seq = $3 and account = $4 and disposition = 'posted'",
        )
        .bind(new.passage.lane.to_string())
        .bind(i32::try_from(new.passage.epoch).unwrap_or(i32::MAX))
        .bind(i64::try_from(new.passage.seq.get()).unwrap_or(i64::MAX))
        .bind(account.as_i64())
        .fetch_optional(&app.0.pool)
        .await
        .map_err(|error| Problem::books(&error))?
        .ok_or_else(|| Problem::none("trip", "the account paid for no such passage"))?;
        let at = trip.get::<Option<_>, _>(1).map(from_sql).map(|at| at.to_string());
        let group = trip.get::<Option<i16>, _>(2).map(|group| format!(", group {group}"));
        let amount: i64 = trip.get(3);
        let ours = format!(
            "{} at {}{}, {amount}",
            new.passage,
            at.unwrap_or_default(),
            group.unwrap_or_default()
        );
        let case = sqlx::query_scalar("select open_dispute($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(trip.get::<String, _>(4))
            .bind(trip.get::<sqlx::types::time::Date, _>(0))
            .bind(new.passage.to_string())
            .bind(ours)
            .bind(theirs)
            .bind(amount)
            .bind(&caller.name)
            .bind(to_sql(app.0.clock.now()))
            .fetch_one(&app.0.pool)
            .await
            .map_err(|error| away(&error))?;
        Ok(Disputed { case })
    })
    .await
}

/// A dispute as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Dispute {
    /// Its case.
    case: String,
    /// The trip's passage.
    passage: String,
    /// The settlement day of the trip.
    day: String,
    /// What the trip cost, in minor units.
    amount: i64,
    /// `open`, `proposed` or `settled`.
    state: String,
    /// When it was taken up.
    opened_at: String,
    /// By when it is to be settled.
    due_at: String,
}

/// The disputes of an account's trips, the newest first, at most 500.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/disputes", params(("account" = i64, Path)),
    tag = "accounts",
    responses((status = 200, body = [Dispute]), (status = 404, body = Problem)))]
pub(super) async fn disputes(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
) -> Result<Json<Vec<Dispute>>, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let mut view = app.view(None).await?;
    let rows = sqlx::query(
        "select c.code, c.subject, c.day, c.amount, c.state, c.opened_at, c.due_at
         from settlement_case_v1 c
         -- As text: what another side calls its passages has no numbers where ours have.
         join lane_epoch e on e.lane || ':' || e.epoch
                            = split_part(c.subject, ':', 1) || ':' || split_part(c.subject, ':', 2)
         join posting p on p.day = c.day and p.journal_no = e.journal_no
                       and p.seq = case when split_part(c.subject, ':', 3) ~ '^[0-9]{1,9}$'
                                        then split_part(c.subject, ':', 3)::int end
         join ledger_account l on l.ledger_account = p.debit and l.account = $1
         where c.kind = 'dispute' order by c.opened_at desc limit 500",
    )
    .bind(account.as_i64())
    .fetch_all(&mut *view)
    .await
    .map_err(|error| away(&error))?;
    let line = |row: &sqlx::postgres::PgRow| Dispute {
        case: row.get(0),
        passage: row.get(1),
        day: day_from_sql(row.get(2)).to_string(),
        amount: row.get(3),
        state: row.get(4),
        opened_at: from_sql(row.get(5)).to_string(),
        due_at: from_sql(row.get(6)).to_string(),
    };
    Ok(Json(rows.iter().map(line).collect()))
}
