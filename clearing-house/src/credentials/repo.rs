//! Enrolments in the books.

use domain::signature::PublicKey;
use domain::{LaneId, Timestamp};
use sqlx::{PgConnection, PgPool, Row};

use super::{CredentialError, Moment};
use crate::sql::{from_sql, to_sql};

pub(super) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> CredentialError {
    move |source| CredentialError::Database { doing, source }
}

/// What a lane has.
pub(super) struct Enrolled {
    /// Since when its key is good, where it has one that is.
    pub(super) since: Option<Timestamp>,
    /// The broker's users that are good for it.
    pub(super) users: Vec<String>,
}

/// What the lane has now; nobody else enrols or revokes it until the transaction ends.
pub(super) async fn enrolled_in_tx(
    tx: &mut PgConnection,
    lane: &LaneId,
) -> Result<Enrolled, CredentialError> {
    let known = sqlx::query("select 1 from lane where lane = $1 for update")
        .bind(lane.to_string())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed("look for the lane"))?;
    if known.is_none() {
        return Err(CredentialError::Unknown { lane: lane.clone() });
    }
    let since =
        sqlx::query("select max(valid_from) from lane_key where lane = $1 and valid_until is null")
            .bind(lane.to_string())
            .fetch_one(&mut *tx)
            .await
            .map_err(failed("read the lane's key"))?;
    let users = sqlx::query_scalar(
        "select broker_user from lane_credential where lane = $1 and revoked_at is null",
    )
    .bind(lane.to_string())
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("read the lane's credentials"))?;
    Ok(Enrolled { since: since.get::<Option<_>, _>(0).map(from_sql), users })
}

/// Why a lane's key ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Another takes its place: what it signed before is still to come.
    Replaced,
    /// It may be in wrong hands.
    Revoked,
}

/// Ends the lane's key.
pub(super) async fn end_in_tx(
    tx: &mut PgConnection,
    lane: &LaneId,
    at: Moment,
    ending: Ending,
) -> Result<(), CredentialError> {
    sqlx::query(
        "update lane_key set valid_until = greatest($2, valid_from), revoked = $3 \
         where lane = $1 and valid_until is null",
    )
    .bind(lane.to_string())
    .bind(to_sql(at.run))
    .bind(ending == Ending::Revoked)
    .execute(tx)
    .await
    .map_err(failed("end the lane's key"))?;
    Ok(())
}

/// Writes down a new key and the credential that goes with it.
pub(super) async fn begin_in_tx(
    tx: &mut PgConnection,
    lane: &LaneId,
    key: PublicKey,
    user: &str,
    at: Moment,
) -> Result<(), CredentialError> {
    sqlx::query("insert into lane_key (lane, public_key, valid_from) values ($1, $2, $3)")
        .bind(lane.to_string())
        .bind(key.as_bytes().as_slice())
        .bind(to_sql(at.run))
        .execute(&mut *tx)
        .await
        .map_err(failed("write the lane's key"))?;
    sqlx::query("insert into lane_credential (lane, broker_user, issued_at) values ($1, $2, $3)")
        .bind(lane.to_string())
        .bind(user)
        .bind(to_sql(at.real))
        .execute(tx)
        .await
        .map_err(failed("write the lane's credential"))?;
    Ok(())
}

pub(super) async fn end_users_in_tx(
    tx: &mut PgConnection,
    users: &[String],
    at: Timestamp,
) -> Result<(), CredentialError> {
    sqlx::query(
        "update lane_credential set revoked_at = $2 \
         where broker_user = any($1) and revoked_at is null",
    )
    .bind(users)
    .bind(to_sql(at))
    .execute(tx)
    .await
    .map_err(failed("end credentials"))?;
    Ok(())
}

/// Keeps what the broker is to be told.
pub(super) async fn keep_account_in_tx(
    tx: &mut PgConnection,
    token: &str,
    at: Timestamp,
) -> Result<(), CredentialError> {
    sqlx::query("insert into broker_account (token, issued_at) values ($1, $2)")
        .bind(token)
        .bind(to_sql(at))
        .execute(tx)
        .await
        .map_err(failed("keep the broker's account"))?;
    Ok(())
}

/// The newest word to the broker, if there has been one besides what it was set up with.
pub(super) async fn account(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select token from broker_account order by broker_account desc limit 1")
        .fetch_optional(pool)
        .await
}
