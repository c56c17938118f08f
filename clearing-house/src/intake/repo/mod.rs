//! The intake's SQL. Every statement takes a whole batch.
//!
//! *Place*: where a passage is stored, the number of its journal and its sequence. *Manner*:
//! everything about a passage that has few values, as one number.

pub(super) mod batches;
pub(super) mod copy;
pub(super) mod days;
pub(super) mod evidence;
pub(super) mod journals;
pub(super) mod manners;
pub(super) mod quarantine;
pub(super) mod trips;
pub(super) mod vehicles;

use domain::{LaneId, PassageId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use self::journals::Place;

/// A passage id from the columns lane, epoch and seq, at the row's first places.
pub(crate) fn id_from(row: &PgRow, first: usize) -> Option<PassageId> {
    let lane: LaneId = row.get::<&str, _>(first).parse().ok()?;
    let epoch = u32::try_from(row.get::<i32, _>(first + 1)).ok()?;
    let seq = u64::try_from(row.get::<i64, _>(first + 2)).ok()?.try_into().ok()?;
    Some(PassageId { lane, epoch, seq })
}

/// Where a passage of a journal is stored. Whoever stores one has seen that its sequence fits.
pub(crate) fn place_of(journal_no: i32, id: &PassageId) -> Place {
    (journal_no, i32::try_from(id.seq.get()).unwrap_or(i32::MAX))
}

/// Text as a database column takes it: no NUL, and no longer than a stranger's may be.
pub(crate) fn storable(text: &str) -> String {
    text.chars().filter(|character| *character != '\0').take(256).collect()
}

/// The JSON name of an enumeration of the wire.
fn name<T: serde::Serialize>(value: T) -> Option<String> {
    serde_json::to_value(value).ok().and_then(|value| match value {
        serde_json::Value::String(name) => Some(name),
        serde_json::Value::Object(tagged) => tagged.into_iter().next().map(|(name, _)| name),
        _ => None,
    })
}
