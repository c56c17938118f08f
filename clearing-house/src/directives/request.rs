//! Requests: how somebody at the centre wants a lane to work, from a page that has no key.
//!
//! A *request* is a row that a page writes; the *decision* is another person's, where it takes two;
//! the *answer* is the clearing house's: the version of the directive it made, or nothing where
//! [`GOOD_FOR`] had passed or something else is planned for the lane. All of a directive but its
//! mode stays as it is in force. Deliberately absent: who may ask, which is the page's table of
//! roles, and whether the lane follows, which its heartbeat says.

use std::time::Duration;

use domain::signature::SecretKey;
use domain::wire::subject;
use domain::wire::v1::{LaneDirective, LaneMode, parse};
use domain::{LaneId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Postgres, Row as _, Transaction};

use super::{DirectiveError, last_in_tx, order_lane_in_tx};
use crate::sql::{from_sql, to_sql};

/// How long a request is good for: an order of an hour ago is of another situation.
pub const GOOD_FOR: Duration = Duration::from_secs(60 * 60);

/// The longest reason, in characters.
const REASON_LEN_MAX: usize = 500;

/// Why a request was not written down, or not decided.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A reason is missing, or is a whole story.
    #[error("a lane's mode needs a reason of 1 to {REASON_LEN_MAX} characters")]
    NoReason,
    /// The network has no such lane.
    #[error("there is no lane {0}")]
    NoLane(LaneId),
    /// A directive is known that begins later; another one would take its place.
    #[error("a directive for {lane} begins at {at}, and a new one would take its place")]
    Planned {
        /// The lane.
        lane: LaneId,
        /// From when on.
        at: Timestamp,
    },
    /// Somebody else asked for the same, and it waits.
    #[error("request {request} by {asked_by} asks for the same")]
    Asked {
        /// The request that is there.
        request: i64,
        /// Who made it.
        asked_by: String,
    },
    /// There is no such request.
    #[error("there is no request {0}")]
    Unknown(i64),
    /// It waits for nobody (any more).
    #[error("request {0} waits for nobody")]
    Decided(i64),
    /// Who asked may not agree.
    #[error("{who} asked for it: another one agrees")]
    SamePerson {
        /// Who tried.
        who: String,
    },
    /// The database failed.
    #[error("write down how a lane is to work")]
    Database(#[from] sqlx::Error),
    /// The directive that is there cannot be read.
    #[error(transparent)]
    Directive(#[from] DirectiveError),
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It waits for a second person.
    AwaitsSecond,
    /// It waits for the clearing house.
    AwaitsCentre,
    /// Somebody declined it, or whoever asked took it back.
    Declined {
        /// Who.
        by: String,
    },
    /// It is a directive of this version.
    Directed {
        /// The version.
        version: u64,
    },
    /// It was not made a directive: too late, or something else is planned.
    Lapsed,
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub request: i64,
    /// The lane.
    pub lane: LaneId,
    /// How it is to work.
    pub mode: LaneMode,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// Who agreed, where it takes two.
    pub agreed_by: Option<String>,
    /// How it stands.
    pub standing: Standing,
}

/// Whether a mode takes two people: one that stops a lane from serving. To leave it takes two as well.
#[must_use]
pub const fn takes_two(mode: LaneMode) -> bool {
    match mode {
        LaneMode::Closed | LaneMode::Maintenance => true,
        LaneMode::Automatic | LaneMode::Attended | LaneMode::EtcOnly => false,
    }
}

/// A mode's name in the books: that of the wire.
const fn name_of(mode: LaneMode) -> &'static str {
    match mode {
        LaneMode::Automatic => "automatic",
        LaneMode::Attended => "attended",
        LaneMode::EtcOnly => "etc-only",
        LaneMode::Closed => "closed",
        LaneMode::Maintenance => "maintenance",
    }
}

fn mode_of(name: &str) -> Result<LaneMode, sqlx::Error> {
    let modes = [
        LaneMode::Automatic,
        LaneMode::Attended,
        LaneMode::EtcOnly,
        LaneMode::Closed,
        LaneMode::Maintenance,
    ];
    let found = modes.into_iter().find(|mode| name_of(*mode) == name);
    found.ok_or_else(|| sqlx::Error::Decode(format!("{name} is no mode of a lane").into()))
}

/// Writes down how a lane is to work from now on. Who asks for the same twice gets the first answer
/// as long as that waits.
///
/// # Errors
/// When there is no such lane or reason, something else is planned for it, somebody else asked for
/// the same, or the database fails.
pub async fn ask(
    pool: &PgPool,
    (lane, mode): (&LaneId, LaneMode),
    reason: &str,
    who: &str,
    now: Timestamp,
) -> Result<i64, RequestError> {
    let reason = reason.trim();
    if !(1..=REASON_LEN_MAX).contains(&reason.chars().count()) || reason.contains('\0') {
        return Err(RequestError::NoReason);
    }
    let mut tx = begin(pool).await?;
    // Of two who ask at once, one waits here and finds the other's.
    let in_force = last_directive_in_tx(&mut tx, lane).await?;
    if let Some(at) = in_force.as_ref().map(|last| last.effective_at).filter(|at| *at > now) {
        return Err(RequestError::Planned { lane: lane.clone(), at });
    }
    let waits: Option<(i64, String)> = sqlx::query_as(
        "select r.request, r.asked_by from directive_request r
         left join directive_decision d using (request)
         where r.lane = $1 and r.mode = $2 and r.asked_at > $3 and d.agrees is not false
           and not exists (select from directive_answer a where a.request = r.request)
         order by r.request desc limit 1",
    )
    .bind(lane.to_string())
    .bind(name_of(mode))
    .bind(to_sql(now - GOOD_FOR))
    .fetch_optional(&mut *tx)
    .await?;
    match waits {
        Some((request, asked_by)) if asked_by == who => return Ok(request),
        Some((request, asked_by)) => return Err(RequestError::Asked { request, asked_by }),
        None => {}
    }
    let request = sqlx::query_scalar(
        "insert into directive_request (lane, mode, reason, asked_by, asked_at, takes_two)
         values ($1, $2, $3, $4, $5, $6) returning request",
    )
    .bind(lane.to_string())
    .bind(name_of(mode))
    .bind(reason)
    .bind(who)
    .bind(to_sql(now))
    .bind(takes_two(mode) || in_force.is_some_and(|last| takes_two(last.mode)))
    .fetch_one(&mut *tx)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(refused) if refused.is_foreign_key_violation() => RequestError::NoLane(lane.clone()),
        Some(_) | None => RequestError::Database(error),
    })?;
    tx.commit().await?;
    Ok(request)
}

/// Agrees to a request as a second person, or declines it; whoever asked may only take it back.
///
/// # Errors
/// When it waits for nobody, whoever asked would agree to it, or the database fails.
pub async fn decide(
    pool: &PgPool,
    request: i64,
    agrees: bool,
    who: &str,
    now: Timestamp,
) -> Result<(), RequestError> {
    let found = one(pool, request, now).await?.ok_or(RequestError::Unknown(request))?;
    if found.standing != Standing::AwaitsSecond {
        return Err(RequestError::Decided(request));
    }
    if agrees && found.asked_by == who {
        return Err(RequestError::SamePerson { who: who.to_owned() });
    }
    sqlx::query(
        "insert into directive_decision (request, asked_by, decided_by, decided_at, agrees)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(request)
    .bind(found.asked_by)
    .bind(who)
    .bind(to_sql(now))
    .bind(agrees)
    .execute(pool)
    .await
    .map_err(|error| {
        match error.as_database_error().and_then(|refused| refused.constraint()) {
            Some("directive_decided_once") => RequestError::Decided(request),
            Some(_) | None => RequestError::Database(error),
        }
    })?;
    Ok(())
}

/// What is asked of a request, and by whom it was decided and answered.
const REQUESTS: &str = "select r.request, r.lane, r.mode, r.reason, r.asked_by, r.asked_at, \
        r.takes_two, d.decided_by, d.agrees, a.request is not null, a.version \
     from directive_request r \
     left join directive_decision d using (request) left join directive_answer a using (request)";

/// One of them.
///
/// # Errors
/// When the database fails.
pub async fn one(
    pool: &PgPool,
    request: i64,
    now: Timestamp,
) -> Result<Option<Request>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{REQUESTS} where r.request = $1"));
    let row = sqlx::query(sql).bind(request).fetch_optional(pool).await?;
    row.map(|row| read(&row, now)).transpose()
}

/// The last ones of an operator's or a station's lanes, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn newest(
    pool: &PgPool,
    (operator, station): (Option<&str>, Option<&str>),
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Request>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{REQUESTS} where ($1::text is null or split_part(r.lane, '/', 1) = $1) \
           and ($2::text is null or split_part(r.lane, '/', 2) = $2) \
         order by r.request desc limit $3"
    ));
    let rows = sqlx::query(sql).bind(operator).bind(station).bind(limit).fetch_all(pool).await?;
    rows.iter().map(|row| read(row, now)).collect()
}

fn read(row: &PgRow, now: Timestamp) -> Result<Request, sqlx::Error> {
    let asked_at = from_sql(row.get(5));
    let (takes_two, answered): (bool, bool) = (row.get(6), row.get(9));
    let (decided_by, agrees): (Option<String>, Option<bool>) = (row.get(7), row.get(8));
    let version: Option<i64> = row.get(10);
    let standing = match (answered, version, agrees) {
        (true, Some(version), _) => {
            Standing::Directed { version: u64::try_from(version).unwrap_or(0) }
        }
        (true, None, _) => Standing::Lapsed,
        (false, _, Some(false)) => {
            Standing::Declined { by: decided_by.clone().unwrap_or_default() }
        }
        (false, _, None | Some(true)) if now > asked_at + GOOD_FOR => Standing::Lapsed,
        (false, _, None) if takes_two => Standing::AwaitsSecond,
        (false, _, None | Some(true)) => Standing::AwaitsCentre,
    };
    let lane: String = row.get(1);
    let lane = lane.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Request {
        request: row.get(0),
        lane,
        mode: mode_of(row.get(2))?,
        reason: row.get(3),
        asked_by: row.get(4),
        asked_at,
        agreed_by: decided_by.filter(|_| agrees == Some(true)),
        standing,
    })
}

/// Makes directives of what was asked and, where it takes two, agreed to; of two for one lane, what
/// was said last is in force. One that fails holds up no other. Tells how many were answered.
///
/// # Errors
/// When the database fails.
pub async fn answer_all(
    pool: &PgPool,
    key: &SecretKey,
    now: Timestamp,
) -> Result<u32, DirectiveError> {
    let waiting: Vec<i64> = sqlx::query_scalar(
        "select r.request from directive_request r left join directive_decision d using (request)
         where (d.agrees or (d.agrees is null and not r.takes_two))
           and not exists (select from directive_answer a where a.request = r.request)
         order by coalesce(d.decided_at, r.asked_at), r.request",
    )
    .fetch_all(pool)
    .await?;
    let mut answered = 0;
    for request in waiting {
        match answer(pool, key, request, now).await {
            Ok(()) => answered += 1,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, request, "a request for a directive is not answered");
            }
        }
    }
    Ok(answered)
}

/// Answers one, in one transaction with its directive; one that another process answered stays.
async fn answer(
    pool: &PgPool,
    key: &SecretKey,
    request: i64,
    now: Timestamp,
) -> Result<(), RequestError> {
    let found = one(pool, request, now).await?.ok_or(RequestError::Unknown(request))?;
    if found.standing != Standing::AwaitsCentre && found.standing != Standing::Lapsed {
        return Ok(());
    }
    let mut tx = begin(pool).await?;
    let planned = planned_in_tx(&mut tx, &found.lane, now).await?;
    let version = if found.standing == Standing::Lapsed || planned.is_some() {
        None
    } else {
        let policy = last_directive_in_tx(&mut tx, &found.lane).await?.map(|last| last.policy);
        let wanted = LaneDirective {
            v: 1,
            lane: found.lane.clone(),
            version: 0,
            issued_at: now,
            effective_at: now,
            ordered_by: found.asked_by.clone(),
            mode: found.mode,
            policy: policy.unwrap_or_default(),
        };
        Some(order_lane_in_tx(&mut tx, key, wanted, now).await?)
    };
    let written = sqlx::query(
        "insert into directive_answer (request, version, answered_at) values ($1, $2, $3)
         on conflict (request) do nothing",
    )
    .bind(request)
    .bind(version.and_then(|version| i64::try_from(version).ok()))
    .bind(to_sql(now))
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 1 {
        tx.commit().await?;
        tracing::info!(lane.id = %found.lane, request, ?version, "a request is answered");
    }
    Ok(())
}

/// Begins what waits for another's directive a little, and no longer: whoever holds the lane may hang.
async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("set local lock_timeout = '2s'").execute(&mut *tx).await?;
    Ok(tx)
}

/// The last directive of a lane; whoever else wants to make one waits until this transaction ends.
async fn last_directive_in_tx(
    tx: &mut PgConnection,
    lane: &LaneId,
) -> Result<Option<LaneDirective>, RequestError> {
    let subject = subject::lane_directive(lane);
    let Some((_, payload)) = last_in_tx(tx, &subject).await? else { return Ok(None) };
    let last = parse("lane directive", &payload);
    Ok(Some(last.map_err(|_unreadable| DirectiveError::Stored { subject })?))
}

/// From when on another directive is to hold, where one is planned.
async fn planned_in_tx(
    tx: &mut PgConnection,
    lane: &LaneId,
    now: Timestamp,
) -> Result<Option<Timestamp>, RequestError> {
    let last = last_directive_in_tx(tx, lane).await?;
    Ok(last.map(|last| last.effective_at).filter(|at| *at > now))
}
