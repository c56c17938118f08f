//! The books, read only: a pool of connections that comes up whenever the database does.
//!
//! Every question has a deadline, so that a page never hangs on a database that is away.
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

/// The books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pool: OnceLock<PgPool>,
}

impl Books {
    /// Connects, trying again until it works; afterwards the pool looks after itself.
    pub(crate) async fn connect(&self, database: &Database) {
        let mut told = false;
        loop {
            match clearing_house::sql::connect(database).await {
                Ok(pool) => {
                    info!("the books are open");
                    self.pool.get_or_init(|| pool);
                    return;
                }
                Err(error) if !told => {
                    warn!(error = &error as &dyn std::error::Error, "the books are away");
                    told = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// The pool, once there is one.
    pub(crate) fn pool(&self) -> Result<&PgPool, BooksError> {
        self.pool.get().ok_or(BooksError::Away)
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
