//! Telling the broker what its account is now.

use std::time::Duration;

use async_nats::Client;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use sqlx::PgPool;

use super::repo;

/// How often a running clearing house sees to it that the broker knows, in real time. Revoking is
/// to count within a minute also where the broker was away when it was said.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Why the broker does not know yet.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// It could not be asked.
    #[error("tell the broker about its account")]
    Request(#[from] async_nats::RequestError),
    /// It did not take the token.
    #[error("the broker refused the account: {0}")]
    Refused(String),
    /// What is kept is no token.
    #[error("what is kept of the broker's account is no token")]
    NoToken,
    /// The books could not be read.
    #[error("read the broker's account")]
    Database(#[from] sqlx::Error),
}

/// Tells the broker; from its answer on the token counts, also for connections that are open.
///
/// # Errors
/// When it is away or refuses.
pub async fn push(system: &Client, token: &str) -> Result<(), PushError> {
    #[derive(Deserialize)]
    struct Answer {
        data: Option<Done>,
        error: Option<serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Done {
        code: u32,
    }
    let answer = system.request("$SYS.REQ.CLAIMS.UPDATE", token.to_owned().into()).await?;
    let told = || PushError::Refused(String::from_utf8_lossy(&answer.payload).into_owned());
    match serde_json::from_slice::<Answer>(&answer.payload) {
        Ok(Answer { data: Some(Done { code: 200 }), error: None }) => Ok(()),
        Ok(_) | Err(_) => Err(told()),
    }
}

/// Sees to it, for as long as the process lives, that the broker has what is kept.
pub async fn keep_told(system: Client, pool: PgPool) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        match tell_if_new(&system, &pool).await {
            Ok(true) => tracing::info!("the broker has been told who is revoked"),
            Ok(false) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the broker may not know who is revoked; again soon");
            }
        }
    }
}

async fn tell_if_new(system: &Client, pool: &PgPool) -> Result<bool, PushError> {
    let Some(kept) = repo::account(pool).await? else { return Ok(false) };
    let account = account_of(&kept).ok_or(PushError::NoToken)?;
    let asked = format!("$SYS.REQ.ACCOUNT.{account}.CLAIMS.LOOKUP");
    let known = system.request(asked, "".into()).await?;
    if known.payload == kept.as_bytes() {
        return Ok(false);
    }
    push(system, &kept).await?;
    Ok(true)
}

fn account_of(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1)?.as_bytes()).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.sub)
}
