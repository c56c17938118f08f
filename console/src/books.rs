//! The books: pools of connections that come up whenever the database does, one for each role in
//! which the console asks.
//!
//! Everything is read in a role that changes nothing. What people change goes through the doors of
//! `reconciliation` and `clearing-house`, in the roles of these; a console without those
//! connections shows everything and changes nothing. Every question has a deadline, so that a page
//! never hangs on a database that is away.
//! Deliberately absent: the questions themselves, which each page has in its own `repo`.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use clearing_house::config::Database;
use reconciliation::settlement::SettlementError;
use sqlx::PgPool;
use tracing::{info, warn};

/// How long a question may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long to wait before the next attempt to connect.
const RETRY: Duration = Duration::from_secs(2);

/// Why the books were not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BooksError {
    /// There has been no connection yet.
    #[error("the database has not been reached yet")]
    Away,
    /// The answer did not come in time.
    #[error("the database did not answer within {} s", ANSWER_MAX.as_secs())]
    Silent,
    /// The question failed.
    #[error("read the books")]
    Read(#[from] sqlx::Error),
    /// Settlement's part of the books could not be read.
    #[error("read the settlement")]
    Settlement(#[from] SettlementError),
    /// The answer is not what the books hold by their own rules.
    #[error("{what} in the books is not one")]
    Shape {
        /// What was expected.
        what: &'static str,
    },
}

/// What a connection is for; each is another role of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To look.
    Reading,
    /// To propose, approve and pay settlements, and to work on cases.
    Settlement,
    /// To bring in tariffs.
    Registry,
}

/// The books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    reading: OnceLock<PgPool>,
    settlement: OnceLock<PgPool>,
    registry: OnceLock<PgPool>,
}

impl Books {
    const fn slot(&self, purpose: Purpose) -> &OnceLock<PgPool> {
        match purpose {
            Purpose::Reading => &self.reading,
            Purpose::Settlement => &self.settlement,
            Purpose::Registry => &self.registry,
        }
    }

    /// Connects, trying again until it works; afterwards the pool looks after itself.
    pub(crate) async fn connect(&self, purpose: Purpose, database: &Database) {
        let mut told = false;
        loop {
            match clearing_house::sql::connect(database).await {
                Ok(pool) => {
                    info!(?purpose, "the books are open");
                    self.slot(purpose).get_or_init(|| pool);
                    return;
                }
                Err(error) if !told => {
                    warn!(error = &error as &dyn std::error::Error, ?purpose, "the books are away");
                    told = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// The pool to look with, once there is one.
    pub(crate) fn pool(&self) -> Result<&PgPool, BooksError> {
        self.pool_for(Purpose::Reading)
    }

    /// The pool for a purpose, once there is one.
    pub(crate) fn pool_for(&self, purpose: Purpose) -> Result<&PgPool, BooksError> {
        self.slot(purpose).get().ok_or(BooksError::Away)
    }

    /// Whether the database answers now.
    pub(crate) async fn answers(&self) -> bool {
        let Ok(pool) = self.pool() else { return false };
        in_time(sqlx::query_scalar::<_, i32>("select 1").fetch_one(pool)).await.is_ok()
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn in_time<T, E>(
    question: impl Future<Output = Result<T, E>>,
) -> Result<T, BooksError>
where
    BooksError: From<E>,
{
    match tokio::time::timeout(ANSWER_MAX, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BooksError::Silent),
    }
}
