//! Our own side out of the books: what an operator's days charged to accounts, as a table.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use domain::{BusinessDate, OperatorId};
use futures::TryStreamExt as _;
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
    /// The disk failed.
    #[error("write the charges as a table")]
    Disk(#[from] io::Error),
}

/// Whose charges are wanted, and of which settlement days.
#[derive(Debug, Clone)]
pub struct Charges {
    /// The operator.
    pub operator: OperatorId,
    /// The first day.
    pub from: BusinessDate,
    /// The last.
    pub through: BusinessDate,
}

/// Writes the charges in the normal form, into a file without a name. A passage's identity is its
/// own: lane, epoch and sequence.
///
/// # Errors
/// When the database or the disk fails.
pub async fn charges(pool: &PgPool, wanted: &Charges, folder: &Path) -> Result<File, LedgerError> {
    let Charges { operator, from, through } = wanted;
    let failed = |source| LedgerError::Database { operator: operator.clone(), source };
    // COPY takes no parameters; an operator's id has letters, digits and hyphens alone.
    let query = format!(
        "copy (select lane || ':' || epoch || ':' || seq as identity,
                      operator || '/' || station as station, upper(tag) as tag, plate,
                      to_char(at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as time,
                      vehicle_group as \"group\", amount, '' as reversed, '' as disputed, '' as line
               from passage_v1
               where operator = '{operator}' and day between '{from}' and '{through}'
                 and disposition = 'posted' and payer = 'account')
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
