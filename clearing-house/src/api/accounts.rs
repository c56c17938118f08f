//! Accounts: what `clearing-house account` does, over HTTP.

#![expect(unused_qualifications, reason = "what the macro writes for query parameters")]

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use domain::{AccountId, IssuerId, Plate, TagId, Timestamp, VehicleGroup};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::body::{Asked, At, amount, instant, read, text};
use super::caller::{Caller, Role};
use super::once::once;
use super::paging::{self, Paging};
use super::problem::Problem;
use crate::account::link::{self, NewVehicle};
use crate::account::money::{self, Held, Reservation};
use crate::account::show::{self, AccountPicture, AccountStatement};
use crate::account::state::{self, Change, Request, Requester};
use crate::account::{AccountError, Effect};

/// The longest reason, in characters.
const REASON_LEN_MAX: usize = 500;

/// What a request did: `now`, or `before` by an earlier one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    effect: Effect,
}

/// Refuses accounts beyond the caller's scope as if they were not there.
pub(super) async fn of_scope(
    app: &App,
    account: i64,
    scope: Option<&IssuerId>,
) -> Result<AccountId, Problem> {
    let issuer: Option<String> =
        sqlx::query_scalar("select issuer from account where account = $1")
            .bind(account)
            .fetch_optional(&app.0.pool)
            .await
            .map_err(|error| Problem::books(&error))?;
    let account = AccountId::new(account);
    match issuer {
        Some(issuer) if scope.is_none_or(|scope| scope.as_str() == issuer) => Ok(account),
        Some(_) | None => Err(AccountError::NoAccount(account).into()),
    }
}

/// An account to be opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    /// Its number, above zero.
    account: i64,
    /// Who holds it.
    #[schema(value_type = String)]
    issuer: IssuerId,
}

/// Opens an account; a second try is a no-op.
#[utoipa::path(post, path = "/api/v1/accounts", request_body = NewAccount, tag = "accounts",
    responses((status = 200, body = Done),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn open(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<Done>, Problem> {
    let new: NewAccount = read(&body)?;
    if caller.accounts()?.is_some_and(|own| *own != new.issuer) {
        return Err(AccountError::NoIssuer(new.issuer).into());
    }
    if new.account < 1 {
        return Err(Problem::bad("account: a number is above zero"));
    }
    let account = AccountId::new(new.account);
    let effect = link::open(&app.0.pool, account, &new.issuer, app.0.clock.now()).await?;
    Ok(Json(Done { effect }))
}

/// An account in a list of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountLine {
    /// Its number.
    account: i64,
    /// Who holds it.
    issuer: String,
    /// `open`, `blocked`, `closed` or `not-converted`.
    state: String,
    /// What the customer may spend, in minor units; below zero it is owed.
    available: i64,
}

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountPage {
    items: Vec<AccountLine>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Accounts in the order of their numbers; an issuer sees its own.
#[utoipa::path(get, path = "/api/v1/accounts", params(Paging), tag = "accounts",
    responses((status = 200, body = AccountPage)))]
pub(super) async fn accounts(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<Paging>,
) -> Result<Json<AccountPage>, Problem> {
    let (scope, limit) = (caller.accounts()?, paging.limit()?);
    let rows = sqlx::query(
        "select account, issuer, state, balance from balance_v1
         where account > $1 and ($2::text is null or issuer = $2) order by account limit $3",
    )
    .bind(paging.after::<i64>()?.unwrap_or(0))
    .bind(scope.map(IssuerId::as_str))
    .bind(limit)
    .fetch_all(&app.0.pool)
    .await
    .map_err(|error| Problem::books(&error))?;
    let line = |row: &sqlx::postgres::PgRow| AccountLine {
        account: row.get(0),
        issuer: row.get(1),
        state: row.get(2),
        available: row.get(3),
    };
    let items: Vec<AccountLine> = rows.iter().map(line).collect();
    let next = paging::next(items.len(), limit, items.last().map(|last| last.account));
    Ok(Json(AccountPage { items, next }))
}

/// What an account is and has.
#[utoipa::path(get, path = "/api/v1/accounts/{account}", params(("account" = i64, Path)), tag = "accounts",
    responses((status = 200, body = AccountPicture), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
) -> Result<Json<AccountPicture>, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let mut picture = show::show(&app.0.pool, account).await?;
    if caller.role == Role::Auditor {
        picture.mask();
    }
    Ok(Json(picture))
}

/// Between which instants.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Period {
    /// From when; from the beginning where absent.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Until before when; until now where absent.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

/// What came and went in an account, at most 10,000 lines: ask again from the last one's instant.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/statement", params(("account" = i64, Path), Period),
    tag = "accounts",
    responses((status = 200, body = AccountStatement), (status = 404, body = Problem)))]
pub(super) async fn statement(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    Asked(period): Asked<Period>,
) -> Result<Json<AccountStatement>, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let from = instant(period.from, Timestamp::UNIX_EPOCH)?;
    let until = instant(period.until, app.0.clock.now())?;
    Ok(Json(show::statement(&app.0.pool, account, from, until).await?))
}

/// Money that moves.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Movement {
    /// Whole minor units, above zero.
    amount: i64,
    /// The payer's reference, unique for the issuer.
    reference: String,
}

/// Puts money into an account.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/top-ups", request_body = Movement, tag = "money",
    params(("account" = i64, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Done), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn top_up(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let request: [&[u8]; 3] = [b"top-up", &account.as_i64().to_be_bytes(), &body];
    once(&app, &caller, &headers, &request, async {
        let Movement { amount: wanted, reference } = read(&body)?;
        let (pool, policy, now) = (&app.0.pool, app.0.policy, app.0.clock.now());
        let effect = money::top_up(pool, account, amount(wanted)?, &reference, policy, now).await?;
        Ok(Done { effect })
    })
    .await
}

/// Pays money back out of an account, as far as its balance reaches.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/refunds", request_body = Movement, tag = "money",
    params(("account" = i64, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Done), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn refund(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let request: [&[u8]; 3] = [b"refund", &account.as_i64().to_be_bytes(), &body];
    once(&app, &caller, &headers, &request, async {
        let Movement { amount: wanted, reference } = read(&body)?;
        let (pool, policy, now) = (&app.0.pool, app.0.policy, app.0.clock.now());
        let effect = money::refund(pool, account, amount(wanted)?, &reference, policy, now).await?;
        Ok(Done { effect })
    })
    .await
}

/// Money to be set aside.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHold {
    /// Whole minor units, above zero.
    amount: i64,
    /// The reference, unique for the issuer.
    reference: String,
    /// Why.
    reason: String,
}

/// Sets money of an account aside, as far as its balance reaches.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/holds", request_body = NewHold, tag = "money",
    params(("account" = i64, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Held), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn reserve(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let request: [&[u8]; 3] = [b"hold", &account.as_i64().to_be_bytes(), &body];
    once(&app, &caller, &headers, &request, async {
        let new: NewHold = read(&body)?;
        text("reason", &new.reason, REASON_LEN_MAX)?;
        let amount = amount(new.amount)?;
        let wanted = Reservation { amount, reference: &new.reference, reason: &new.reason };
        let (pool, policy, now) = (&app.0.pool, app.0.policy, app.0.clock.now());
        Ok(money::reserve(pool, account, wanted, policy, now).await?)
    })
    .await
}

/// Gives money that was set aside free again; a second try is a no-op, so it needs no key.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/holds/{hold}", tag = "money",
    params(("account" = i64, Path), ("hold" = i64, Path)),
    responses((status = 200, body = Done),
              (status = 404, body = Problem)))]
pub(super) async fn release(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At((account, hold)): At<(i64, i64)>,
) -> Result<Json<Done>, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let now = app.0.clock.now();
    let effect = money::release(&app.0.pool, account, hold, app.0.policy, now).await?;
    Ok(Json(Done { effect }))
}

/// What is to become of an account.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Wanted {
    Lock,
    Unlock,
    Convert,
    Close,
}

/// A wish about an account's state.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    change: Wanted,
    /// Whose wish it is.
    requested_by: Requester,
    /// Why.
    reason: String,
}

/// Locks, unlocks, converts or closes an account; what is so already is a no-op.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/state", request_body = Wish, tag = "accounts",
    params(("account" = i64, Path)),
    responses((status = 200, body = Done),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change_state(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    body: Bytes,
) -> Result<Json<Done>, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let wish: Wish = read(&body)?;
    text("reason", &wish.reason, REASON_LEN_MAX)?;
    let change = match wish.change {
        Wanted::Lock => Change::Lock,
        Wanted::Unlock => Change::Unlock,
        Wanted::Convert => Change::Convert,
        Wanted::Close => Change::Close,
    };
    let request =
        Request { requested_by: wish.requested_by, actor: caller.name, reason: wish.reason };
    let effect = state::change(&app.0.pool, account, change, &request, app.0.clock.now()).await?;
    Ok(Json(Done { effect }))
}

/// What belongs to an account. In a body, because an address is written down in logs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Belonging {
    /// The vehicle.
    #[schema(value_type = Option<String>)]
    plate: Option<Plate>,
    /// Its group, to link it.
    #[schema(value_type = Option<u8>)]
    group: Option<VehicleGroup>,
    /// Exempt by law.
    #[serde(default)]
    exempt: bool,
    /// The tag, in hexadecimal.
    #[schema(value_type = Option<String>)]
    tag: Option<TagId>,
}

/// Links a vehicle to an account, with or without its tag; or, without a group, a tag to a vehicle.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/links", request_body = Belonging, tag = "accounts",
    params(("account" = i64, Path)),
    responses((status = 200, body = Done), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn link(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    body: Bytes,
) -> Result<Json<Done>, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let (pool, now) = (&app.0.pool, app.0.clock.now());
    let Belonging { plate, group, exempt, tag } = read(&body)?;
    let effect = match (plate, group, tag) {
        (Some(plate), Some(group), tag) => {
            link::link_vehicle(pool, account, &NewVehicle { plate, group, exempt, tag }, now)
                .await?
        }
        (Some(plate), None, Some(tag)) => link::link_tag(pool, account, &plate, &tag, now).await?,
        (Some(_), None, None) | (None, _, _) => {
            return Err(Problem::bad("a link needs a plate and a group, or a plate and a tag"));
        }
    };
    Ok(Json(Done { effect }))
}

/// Ends a vehicle's link to an account, or a tag's to its vehicle.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/unlinks", request_body = Belonging, tag = "accounts",
    params(("account" = i64, Path)),
    responses((status = 200, body = Done), (status = 404, body = Problem)))]
pub(super) async fn unlink(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    At(account): At<i64>,
    body: Bytes,
) -> Result<Json<Done>, Problem> {
    let account = of_scope(&app, account, caller.accounts()?).await?;
    let (pool, now) = (&app.0.pool, app.0.clock.now());
    let Belonging { plate, tag, .. } = read(&body)?;
    match (plate, tag) {
        (Some(plate), None) => link::unlink_vehicle(pool, account, &plate, now).await?,
        (None, Some(tag)) => link::unlink_tag(pool, account, &tag, now).await?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::bad("either a plate or a tag is taken off an account"));
        }
    }
    Ok(Json(Done { effect: Effect::Now }))
}
