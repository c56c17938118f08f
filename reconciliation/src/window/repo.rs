//! The SQL of windows.

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql, to_sql};
use domain::Timestamp;
use sqlx::types::time::{Date, OffsetDateTime};
use sqlx::{PgConnection, PgExecutor};

use super::{Actor, Change, Event, State, Window};
use crate::settlement::SettlementError;
use crate::settlement::repo::{number, parsed};

type Result<T> = std::result::Result<T, SettlementError>;

/// Keeps every other change of the window out until the transaction ends; posting is not held up.
pub(crate) async fn hold(tx: &mut PgConnection, window: &Window) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('window ' || $1, 0))")
        .bind(window.to_string())
        .execute(tx)
        .await
        .map_err(SettlementError::database("hold a window"))?;
    Ok(())
}

/// What the window is now, and after how many changes.
pub(crate) async fn state(executor: impl PgExecutor<'_>, window: &Window) -> Result<(State, u32)> {
    let last: Option<(String, i32)> = sqlx::query_as(
        "select state, place from window_change where operator = $1 and day = $2
         order by place desc limit 1",
    )
    .bind(window.operator.as_str())
    .bind(day_to_sql(window.day))
    .fetch_optional(executor)
    .await
    .map_err(SettlementError::database("read a window's state"))?;
    last.map_or(Ok((State::Open, 0)), |(state, place)| {
        Ok((parsed("state", &state)?, number("place", place.into())?))
    })
}

/// Changes a window that is [held](hold), as the rules allow.
pub(crate) async fn change_in_tx(
    tx: &mut PgConnection,
    window: &Window,
    event: Event,
    actor: &Actor,
    at: Timestamp,
    reason: Option<&str>,
) -> Result<State> {
    let (before, place) = state(&mut *tx, window).await?;
    let after = before
        .after(event)
        .map_err(|source| SettlementError::Misplaced { window: window.clone(), source })?;
    sqlx::query(
        "insert into window_change (operator, day, place, state, changed_at, actor, reason)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(window.operator.as_str())
    .bind(day_to_sql(window.day))
    .bind(i32::try_from(place + 1).unwrap_or(i32::MAX))
    .bind(after.name())
    .bind(to_sql(at))
    .bind(actor.to_string())
    .bind(reason)
    .execute(tx)
    .await
    .map_err(SettlementError::database("change a window"))?;
    Ok(after)
}

/// Every change of a window, the first first.
///
/// # Errors
/// When the database fails.
pub async fn changes(executor: impl PgExecutor<'_>, window: &Window) -> Result<Vec<Change>> {
    type Row = (i32, String, OffsetDateTime, String, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "select place, state, changed_at, actor, reason from window_change
         where operator = $1 and day = $2 order by place",
    )
    .bind(window.operator.as_str())
    .bind(day_to_sql(window.day))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read a window's changes"))?;
    let change = |(place, state, at, actor, reason): Row| {
        Ok(Change {
            place: number("place", place.into())?,
            state: parsed("state", &state)?,
            changed_at: from_sql(at),
            actor,
            reason,
        })
    };
    rows.into_iter().map(change).collect()
}

/// The windows that are in a state now, by operator and day.
///
/// # Errors
/// When the database fails.
pub async fn windows_in(executor: impl PgExecutor<'_>, state: State) -> Result<Vec<Window>> {
    let rows: Vec<(String, Date)> = sqlx::query_as(
        "select operator, day from window_v1 where state = $1 order by operator collate \"C\", day",
    )
    .bind(state.name())
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the windows"))?;
    rows.into_iter()
        .map(|(operator, day)| Ok(Window::new(parsed("operator", &operator)?, day_from_sql(day))))
        .collect()
}
