//! What could not be taken.

use domain::Timestamp;
use sqlx::PgConnection;

use super::super::examine::{Delivery, Refusal};
use super::super::post::{BooksError, failed};
use super::storable;
use crate::sql::to_sql;

/// A delivery on its way to quarantine.
pub(crate) struct Quarantined<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) refusal: Refusal,
    /// The journal and sequence it stands for, where its lane signed it.
    pub(crate) place: Option<(i32, i64)>,
}

pub(crate) async fn write(
    tx: &mut PgConnection,
    rows: &[Quarantined<'_>],
    now: Timestamp,
) -> Result<(), BooksError> {
    for row in rows {
        sqlx::query(
            "insert into quarantine (received_at, subject, message_id, payload, signature, reason, journal_no, seq) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        )
        .bind(to_sql(now))
        .bind(storable(&row.delivery.subject))
        .bind(row.delivery.message_id.as_deref().map(storable))
        .bind(&row.delivery.payload)
        .bind(row.delivery.signature.as_deref().map(storable))
        .bind(row.refusal.name())
        .bind(row.place.map(|(journal_no, _)| journal_no))
        .bind(row.place.map(|(_, seq)| seq))
        .execute(&mut *tx)
        .await
        .map_err(failed("write to quarantine"))?;
        tracing::warn!(subject = row.delivery.subject, reason = row.refusal.name(), "quarantined");
    }
    Ok(())
}
