//! The keys of those who call: made, listed and revoked in the books, and so at once.
//!
//! A *token* is what a caller shows: 32 random bytes behind a mark by which programs that look for
//! lost secrets know it. Only its SHA-256 is kept: nobody finds the bytes from that, so a slow hash
//! would defend nothing. A *key* is a token with a name, a role and a scope. A name may have several
//! keys at a time, all of one role and scope; that is how a partner changes its token without a gap.
//!
//! Deliberately absent: a copy in memory. Each request asks the books, so a key that is revoked opens
//! nothing from the next request on, in every process.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::signature::Digest256;
use domain::{IssuerId, OperatorId, Timestamp};
use sqlx::{PgPool, Row};

use super::caller::{Caller, Role};
use crate::sql::{from_sql, to_sql};

/// How every token begins.
const MARK: &str = "etc_";
/// Random bytes of a token.
const TOKEN_LEN: usize = 32;
/// The longest reason of a revocation, in characters.
const REASON_LEN_MAX: usize = 500;

/// Why a key was not made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The machine gave no random bytes.
    #[error("no random bytes for a token")]
    Random(#[source] getrandom::Error),
    /// A name that is none.
    #[error(
        "{0:?} names nobody: a name has 1 to 64 lower-case letters, digits, dots, dashes, underscores or @, \
         and begins with a letter or digit"
    )]
    Name(String),
    /// The name has keys of another role or scope.
    #[error("{0} has keys of another role or scope: revoke them first")]
    Elsewhere(String),
    /// There is no such issuer or operator.
    #[error("the network has no {0}")]
    NoScope(Role),
    /// It would never open anything.
    #[error("a key that ends at {0} never opens anything")]
    Ended(Timestamp),
    /// A revocation needs a reason.
    #[error("a reason has 1 to {REASON_LEN_MAX} characters")]
    Reason,
    /// There is no such key.
    #[error("there is no key {0}")]
    Unknown(i64),
    /// Who proposed a key may not make it.
    #[error("{0} proposed the key: another one makes it")]
    SamePerson(String),
    /// The database failed.
    #[error("{operation}")]
    Database {
        /// What was being done.
        operation: &'static str,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
}

fn failed(operation: &'static str) -> impl FnOnce(sqlx::Error) -> KeyError {
    move |source| KeyError::Database { operation, source }
}

/// What a caller shows; for its owner, once. Not in any log: it has no `Debug` of its content.
pub struct Token(String);

impl Token {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; TOKEN_LEN];
        getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
        Ok(Self(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Whose: the name under which everything it does is written down.
    pub name: String,
    /// What it may do, and whose data it sees.
    pub role: Role,
    /// Until before when it opens; until it is revoked where absent.
    pub valid_until: Option<Timestamp>,
}

/// A key as it stands. Its token is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its number.
    pub key: i64,
    /// Whose.
    pub name: String,
    /// What it may do, and whose data it sees.
    pub role: Role,
    /// By whom it was made.
    pub made_by: String,
    /// Who proposed it, where it took two.
    pub proposed_by: Option<String>,
    /// When.
    pub made_at: Timestamp,
    /// Until before when it opens.
    pub valid_until: Option<Timestamp>,
    /// Who revoked it and when.
    pub revoked: Option<(String, Timestamp)>,
}

impl Key {
    /// Whether it opens at an instant.
    #[must_use]
    pub fn opens_at(&self, at: Timestamp) -> bool {
        self.revoked.is_none() && self.valid_until.is_none_or(|until| at < until)
    }
}

/// Whether somebody may be called so.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=64).contains(&name.len())
        && name.as_bytes().first().is_some_and(|first| plain(*first))
        && name.bytes().all(|byte| plain(byte) || b"._@-".contains(&byte))
}

/// Makes a key. The token is in the answer and nowhere else.
///
/// # Errors
/// When a name is none, it has keys of another role or scope, the network has no such issuer or
/// operator, or the database fails.
pub async fn make(
    pool: &PgPool,
    new: &NewKey,
    by: &str,
    now: Timestamp,
) -> Result<(i64, Token), KeyError> {
    make_as(pool, new, (None, by), now).await
}

/// Makes a key that another one proposed: first who proposed it, then who makes it.
///
/// # Errors
/// As of [`make`], and when both are one.
pub async fn make_by_two(
    pool: &PgPool,
    new: &NewKey,
    (proposed_by, by): (&str, &str),
    now: Timestamp,
) -> Result<(i64, Token), KeyError> {
    if proposed_by == by {
        return Err(KeyError::SamePerson(by.to_owned()));
    }
    make_as(pool, new, (Some(proposed_by), by), now).await
}

async fn make_as(
    pool: &PgPool,
    new: &NewKey,
    by: (Option<&str>, &str),
    now: Timestamp,
) -> Result<(i64, Token), KeyError> {
    let names = [Some(new.name.as_str()), Some(by.1), by.0];
    if let Some(wrong) = names.into_iter().flatten().find(|name| !is_name(name)) {
        return Err(KeyError::Name(wrong.to_owned()));
    }
    if let Some(until) = new.valid_until.filter(|until| *until <= now) {
        return Err(KeyError::Ended(until));
    }
    let token = Token::generate()?;
    let key = keep(pool, new, (by, now), &token).await?;
    Ok((key, token))
}

async fn keep(
    pool: &PgPool,
    new: &NewKey,
    ((proposed_by, by), now): ((Option<&str>, &str), Timestamp),
    token: &Token,
) -> Result<i64, KeyError> {
    let (role, issuer, operator) = (new.role.name(), new.role.issuer(), new.role.operator());
    let mut tx = pool.begin().await.map_err(failed("begin to make a key"))?;
    // Two who make keys of one name take turns, so that its role stays one.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('api key ' || $1, 0))")
        .bind(&new.name)
        .execute(&mut *tx)
        .await
        .map_err(failed("hold a name"))?;
    let elsewhere: bool = sqlx::query_scalar(
        "select exists (select from api_key k where k.name = $1
             and (k.role, k.issuer, k.operator) is distinct from ($2, $3, $4)
             and (k.valid_until is null or k.valid_until > $5)
             and not exists (select from api_key_revocation r where r.api_key = k.api_key))",
    )
    .bind(&new.name)
    .bind(role)
    .bind(issuer.map(IssuerId::as_str))
    .bind(operator.map(OperatorId::as_str))
    .bind(to_sql(now))
    .fetch_one(&mut *tx)
    .await
    .map_err(failed("look for keys of that name"))?;
    if elsewhere {
        return Err(KeyError::Elsewhere(new.name.clone()));
    }
    let key = sqlx::query_scalar(
        "insert into api_key (name, sha256, role, issuer, operator, made_by, made_at, valid_until,
                              proposed_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning api_key",
    )
    .bind(&new.name)
    .bind(Digest256::of(token.as_str().as_bytes()).as_bytes().as_slice())
    .bind(role)
    .bind(issuer.map(IssuerId::as_str))
    .bind(operator.map(OperatorId::as_str))
    .bind(by)
    .bind(to_sql(now))
    .bind(new.valid_until.map(to_sql))
    .bind(proposed_by)
    .fetch_one(&mut *tx)
    .await
    .map_err(|source| match source.as_database_error() {
        Some(error) if error.is_foreign_key_violation() => KeyError::NoScope(new.role.clone()),
        Some(_) | None => failed("keep a key")(source),
    })?;
    tx.commit().await.map_err(failed("commit a key"))?;
    Ok(key)
}

/// Every key there has ever been, in the order they were made.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool) -> Result<Vec<Key>, KeyError> {
    let rows = sqlx::query(
        "select k.api_key, k.name, k.role, k.issuer, k.operator, k.made_by, k.made_at, k.valid_until,
                r.revoked_by, r.revoked_at, k.proposed_by
         from api_key k left join api_key_revocation r using (api_key) order by k.api_key",
    )
    .fetch_all(pool)
    .await
    .map_err(failed("list the keys"))?;
    rows.iter()
        .map(|row| {
            let revoked: Option<String> = row.get(8);
            Ok(Key {
                key: row.get(0),
                name: row.get(1),
                role: role_of(row, 2)?,
                made_by: row.get(5),
                proposed_by: row.get(10),
                made_at: from_sql(row.get(6)),
                valid_until: row.get::<Option<_>, _>(7).map(from_sql),
                revoked: revoked.map(|by| (by, from_sql(row.get(9)))),
            })
        })
        .collect()
}

/// Revokes a key; one that is revoked stays so, by whom it was.
///
/// # Errors
/// When there is no such key, the reason or the name is none, or the database fails.
pub async fn revoke(
    pool: &PgPool,
    key: i64,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<(), KeyError> {
    if !is_name(by) {
        return Err(KeyError::Name(by.to_owned()));
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_LEN_MAX || reason.contains('\0') {
        return Err(KeyError::Reason);
    }
    sqlx::query(
        "insert into api_key_revocation (api_key, revoked_by, revoked_at, reason)
         values ($1, $2, $3, $4) on conflict (api_key) do nothing",
    )
    .bind(key)
    .bind(by)
    .bind(to_sql(now))
    .bind(reason)
    .execute(pool)
    .await
    .map_err(|source| match source.as_database_error() {
        Some(error) if error.is_foreign_key_violation() => KeyError::Unknown(key),
        Some(_) | None => failed("revoke a key")(source),
    })?;
    Ok(())
}

/// Who shows this token, if its key opens now.
pub(super) async fn caller_of(
    pool: &PgPool,
    token: &str,
    now: Timestamp,
) -> Result<Option<Caller>, KeyError> {
    // What no key ever looked like needs no look into the books.
    if !token.starts_with(MARK) || token.len() > 2 * TOKEN_LEN {
        return Ok(None);
    }
    let row = sqlx::query(
        "select k.api_key, k.name, k.role, k.issuer, k.operator from api_key k
         where k.sha256 = $1 and (k.valid_until is null or k.valid_until > $2)
           and not exists (select from api_key_revocation r where r.api_key = k.api_key)",
    )
    .bind(Digest256::of(token.as_bytes()).as_bytes().as_slice())
    .bind(to_sql(now))
    .fetch_optional(pool)
    .await
    .map_err(failed("look up a key"))?;
    row.map(|row| Ok(Caller { key: row.get(0), name: row.get(1), role: role_of(&row, 2)? }))
        .transpose()
}

/// The role in three columns from this one on.
fn role_of(row: &sqlx::postgres::PgRow, first: usize) -> Result<Role, KeyError> {
    let (role, issuer, operator): (&str, Option<&str>, Option<&str>) =
        (row.get(first), row.get(first + 1), row.get(first + 2));
    Role::try_new(role, issuer.or(operator)).ok_or_else(|| {
        let what = format!("{role} is no role of a key");
        failed("read a key")(sqlx::Error::Decode(what.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown_by_accident() {
        let token = Token::generate().unwrap();
        assert!(token.as_str().starts_with(MARK) && token.as_str().len() == 47);
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_ne!(token.as_str(), Token::generate().unwrap().as_str());
    }

    #[test]
    fn a_name_is_one_that_a_log_and_an_audit_take() {
        for good in ["vetc-app", "a", "an@vec", "0.9_x"] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "-a", "A", "an ", "a\n", "é", long.as_str()] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
