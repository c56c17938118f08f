//! The command `clearing-house api`: the description, and the keys of those who call.

use std::io::Write as _;

use clap::{Args, Subcommand};
use domain::Timestamp;
use sqlx::PgPool;

use super::keys::{self, Key, KeyError, NewKey};
use super::{Role, openapi_text};

/// What to do about the API.
#[derive(Debug, Subcommand)]
pub enum ApiCommand {
    /// Print the description, which `docs/openapi.json` keeps.
    Describe,
    /// Make, list and revoke keys.
    #[command(subcommand)]
    Key(KeyCommand),
}

/// What to do about keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; prints its token, once.
    Make(NewKeyArgs),
    /// List all keys there have ever been.
    List,
    /// Revoke a key: it opens nothing from the next request on.
    Revoke {
        /// Its number.
        #[arg(long)]
        key: i64,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who does it.
        #[arg(long)]
        by: String,
    },
}

/// A key to be made.
#[derive(Debug, Args)]
pub struct NewKeyArgs {
    /// Whose: the name under which everything it does is written down.
    #[arg(long)]
    name: String,
    /// For an issuer: its own accounts.
    #[arg(long, group = "role")]
    issuer: Option<String>,
    /// For an operator: its own roads.
    #[arg(long, group = "role")]
    operator: Option<String>,
    /// For who looks at everything and changes nothing.
    #[arg(long, group = "role")]
    auditor: bool,
    /// For the centre itself.
    #[arg(long, group = "role")]
    centre: bool,
    /// Until before when it opens: `2027-01-01T00:00:00Z`.
    #[arg(long)]
    until: Option<Timestamp>,
    /// Who makes it.
    #[arg(long)]
    by: String,
}

impl NewKeyArgs {
    fn role(&self) -> Option<Role> {
        match (self.auditor, self.centre) {
            (true, _) => Role::try_new("auditor", None),
            (_, true) => Role::try_new("centre", None),
            (false, false) => Role::try_new("issuer", self.issuer.as_deref())
                .or_else(|| Role::try_new("operator", self.operator.as_deref())),
        }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No role, or one with a name that is none.
    #[error("a key is for --issuer NAME, --operator NAME, --auditor or --centre")]
    NoRole,
    /// The key was not made or revoked.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The answer could not be written.
    #[error("write the answer")]
    Write(#[from] std::io::Error),
}

/// Prints the description.
///
/// # Errors
/// When it cannot be written.
pub fn describe() -> Result<(), CommandError> {
    Ok(write!(std::io::stdout().lock(), "{}", openapi_text())?)
}

/// Makes, lists or revokes keys.
///
/// # Errors
/// When a key is refused, the database fails or the answer cannot be written.
pub async fn keys(command: &KeyCommand, pool: &PgPool, now: Timestamp) -> Result<(), CommandError> {
    match command {
        KeyCommand::Make(args) => {
            let role = args.role().ok_or(CommandError::NoRole)?;
            let new = NewKey { name: args.name.clone(), role, valid_until: args.until };
            let (key, token) = keys::make(pool, &new, &args.by, now).await?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "key    {key}")?;
            writeln!(out, "token  {}", token.as_str())?;
        }
        KeyCommand::List => {
            let all = keys::list(pool).await?;
            let mut out = std::io::stdout().lock();
            for key in &all {
                writeln!(out, "{}", line(key, now))?;
            }
        }
        KeyCommand::Revoke { key, reason, by } => {
            keys::revoke(pool, *key, by, reason, now).await?;
        }
    }
    Ok(())
}

fn line(key: &Key, now: Timestamp) -> String {
    let Key { key: number, name, role, made_by, made_at, .. } = key;
    let state = match (&key.revoked, key.valid_until) {
        (Some((by, at)), _) => format!("revoked {at} by {by}"),
        (None, Some(until)) if until <= now => format!("over since {until}"),
        (None, Some(until)) => format!("opens until {until}"),
        (None, None) => "opens".to_owned(),
    };
    format!("{number:>5}  {name:<24} {role:<20} {state}, made {made_at} by {made_by}")
}
