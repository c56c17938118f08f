//! The tables of reconciliation, beside those of the clearing house in the same database.

use sqlx::PgPool;

/// Brings the tables up to date; those of the clearing house must be there already.
///
/// # Errors
/// When the database fails, or the clearing house has not made its books yet.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    sqlx::migrate!("./migrations").set_ignore_missing(true).run(pool).await
}
