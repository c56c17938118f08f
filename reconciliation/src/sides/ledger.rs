//! Our own side out of the books: what an operator's days charged to accounts, as a table.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use domain::time::{SettlementCalendar, TimeError};
use domain::{BusinessDate, IssuerId, OperatorId};
use futures::TryStreamExt as _;
use jiff::ToSpan as _;
use sqlx::PgPool;

/// Why our side could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database failed.
    #[error("read the charges of {operator}")]
    Database {
        /// The operator.
        operator: OperatorId,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// The days are none of the operator's calendar.
    #[error("find the days of {operator}")]
    Calendar {
        /// The operator.
        operator: OperatorId,
        /// What is wrong.
        #[source]
        source: TimeError,
    },
    /// The disk failed.
    #[error("write the charges as a table")]
    Disk(#[from] io::Error),
}

/// Whose charges are wanted, and of which days.
#[derive(Debug, Clone)]
pub struct Charges {
    /// The operator.
    pub operator: OperatorId,
    /// One issuer's accounts alone.
    pub issuer: Option<IssuerId>,
    /// The first day.
    pub from: BusinessDate,
    /// The last.
    pub through: BusinessDate,
    /// What makes a charge one of these days.
    pub by: By,
}

/// What makes a charge one of a day.
#[derive(Debug, Clone)]
pub enum By {
    /// It was settled with the day.
    Settled,
    /// The vehicle passed on the day, by the operator's calendar: a passage that came late is
    /// settled with a later day, and the other side has it where it was. Looked for in the
    /// [`LATE_MAX_D`] days after the last.
    Passed(SettlementCalendar),
}

/// How many days late a passage may come and still be found by the day it was on.
pub const LATE_MAX_D: i64 = 31;

/// The days as a condition.
fn days(from: BusinessDate, through: BusinessDate, by: &By) -> Result<String, TimeError> {
    match by {
        By::Settled => Ok(format!("day between '{from}' and '{through}'")),
        By::Passed(calendar) => {
            let before = BusinessDate::new(from.date().saturating_sub(1.day()));
            let last = BusinessDate::new(through.date().saturating_add(LATE_MAX_D.days()));
            let (start, end) = (calendar.end_of(before)?, calendar.end_of(through)?);
            Ok(format!("day between '{from}' and '{last}' and at >= '{start}' and at < '{end}'"))
        }
    }
}

/// Writes the charges in the normal form, into a file without a name. A passage's identity is its
/// own: lane, epoch and sequence.
///
/// # Errors
/// When the database or the disk fails.
pub async fn charges(pool: &PgPool, wanted: &Charges, folder: &Path) -> Result<File, LedgerError> {
    let Charges { operator, issuer, from, through, by } = wanted;
    let days = days(*from, *through, by)
        .map_err(|source| LedgerError::Calendar { operator: operator.clone(), source })?;
    let failed = |source| LedgerError::Database { operator: operator.clone(), source };
    // COPY takes no parameters; ids have letters, digits and hyphens alone.
    let of_issuer = issuer.as_ref().map_or_else(String::new, |issuer| {
        format!(" and account in (select account from account where issuer = '{issuer}')")
    });
    let query = format!(
        "copy (select lane || ':' || epoch || ':' || seq as identity,
                      operator || '/' || station as station, upper(tag) as tag, plate,
                      to_char(at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as time,
                      vehicle_group as \"group\", amount, '' as reversed, '' as disputed, '' as line
               from passage_v1
               where operator = '{operator}' and {days}
                 and disposition = 'posted' and payer = 'account'{of_issuer})
         to stdout (format csv, header)"
    );
    let mut connection = pool.acquire().await.map_err(failed)?;
    let mut table = tempfile::tempfile_in(folder)?;
    let copied = connection.copy_out_raw(&query).await.map_err(failed)?;
    let mut copied = std::pin::pin!(copied);
    while let Some(bytes) = copied.try_next().await.map_err(failed)? {
        table.write_all(&bytes)?;
    }
    table.rewind()?;
    Ok(table)
}
