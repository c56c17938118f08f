//! The account list's SQL.

use std::collections::HashMap;

use domain::account_list::{ListEntry, ListStatus, PassOnList};
use domain::{StationId, TagId, Timestamp, VehicleGroup};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row};

use super::status_of;
use crate::account::AccountState;
use crate::config::ListPolicy;
use crate::ledger::BalanceChange;
use crate::sql::{from_sql, to_sql};

pub(super) async fn note_accounts(
    tx: &mut PgConnection,
    accounts: &[i64],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into list_change (tag) select t.tag from tag t join vehicle v using (plate) \
         where v.account = any($1) order by t.tag",
    )
    .bind(accounts)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn note_tags(tx: &mut PgConnection, tags: &[Vec<u8>]) -> Result<(), sqlx::Error> {
    sqlx::query("insert into list_change (tag) select unnest($1::bytea[])")
        .bind(tags)
        .execute(tx)
        .await?;
    Ok(())
}

/// The thresholds of those of the accounts that have one of their own.
pub(super) async fn own_thresholds(
    tx: &mut PgConnection,
    changes: &[BalanceChange],
) -> Result<HashMap<i64, i64>, sqlx::Error> {
    let accounts: Vec<i64> = changes.iter().map(|change| change.account.as_i64()).collect();
    let rows = sqlx::query(
        "select account, low_below from account where low_below is not null and account = any($1)",
    )
    .bind(accounts)
    .fetch_all(tx)
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// The oldest changes: their numbers and tags.
pub(super) async fn changes(
    tx: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    let rows = sqlx::query("select list_change, tag from list_change order by 1 limit $1")
        .bind(limit)
        .fetch_all(tx)
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What lanes should know of these tags now; a tag that is gone has no entry.
pub(super) async fn entries_now(
    tx: &mut PgConnection,
    tags: &[Vec<u8>],
    policy: ListPolicy,
) -> Result<Vec<ListEntry>, sqlx::Error> {
    let rows = sqlx::query(
        "select t.tag, v.vehicle_group, v.exempt, a.state, b.balance, p.pass, p.station, p.valid_until, a.low_below \
         from tag t join vehicle v using (plate) join account a using (account) \
         join balance_v1 b on b.account = a.account \
         left join lateral (select pass, station, valid_until from pass where pass.plate = v.plate \
                            order by valid_until desc limit 1) p on true \
         where t.tag = any($1)",
    )
    .bind(tags)
    .fetch_all(tx)
    .await?;
    Ok(rows.iter().filter_map(|row| entry_from(row, policy)).collect())
}

/// Every tag with what lanes should know of it now, and whether a change of it waits in the outbox.
pub(crate) async fn all_now(
    tx: &mut PgConnection,
    policy: ListPolicy,
) -> Result<Vec<(ListEntry, bool)>, sqlx::Error> {
    let noted: std::collections::HashSet<Vec<u8>> =
        sqlx::query_scalar("select tag from list_change")
            .fetch_all(&mut *tx)
            .await?
            .into_iter()
            .collect();
    let tags: Vec<Vec<u8>> =
        sqlx::query_scalar("select tag from tag order by tag").fetch_all(&mut *tx).await?;
    let mut entries = entries_now(tx, &tags, policy).await?;
    entries.sort_by(|a, b| a.tag.cmp(&b.tag));
    Ok(entries
        .into_iter()
        .map(|entry| {
            let waits = noted.contains(entry.tag.as_bytes());
            (entry, waits)
        })
        .collect())
}

fn entry_from(row: &PgRow, policy: ListPolicy) -> Option<ListEntry> {
    let policy = policy.with_low_below(row.get(8));
    let status: ListStatus = status_of(AccountState::from_name(row.get(3))?, row.get(4), policy);
    let pass = row.get::<Option<i64>, _>(5).and_then(|pass| {
        Some(PassOnList {
            pass,
            station: StationId::try_new(row.get(6)).ok()?,
            until: from_sql(row.get(7)),
        })
    });
    Some(ListEntry {
        tag: TagId::try_from_slice(row.get(0)).ok()?,
        status,
        group: VehicleGroup::try_new(u8::try_from(row.get::<i16, _>(1)).ok()?).ok()?,
        exempt: row.get(2),
        pass,
    })
}

pub(super) async fn take_changes(tx: &mut PgConnection, taken: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query("delete from list_change where list_change = any($1)")
        .bind(taken)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn write_entries(
    tx: &mut PgConnection,
    tags: &[Vec<u8>],
    entries: &[String],
    version: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into list_entry select tag, entry, $3 from unnest($1::bytea[], $2::text[]) as u (tag, entry) \
         on conflict (tag) do update set entry = excluded.entry, version = excluded.version",
    )
    .bind(tags)
    .bind(entries)
    .bind(version)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn remove_entries(
    tx: &mut PgConnection,
    tags: &[Vec<u8>],
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from list_entry where tag = any($1)").bind(tags).execute(tx).await?;
    Ok(())
}

pub(super) async fn insert_delta(
    tx: &mut PgConnection,
    version: i64,
    payload: &[u8],
    signature: &str,
    issued_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into list_delta (version, payload, signature, issued_at) values ($1, $2, $3, $4)",
    )
    .bind(version)
    .bind(payload)
    .bind(signature)
    .bind(to_sql(issued_at))
    .execute(tx)
    .await?;
    Ok(())
}

/// The last delta there is: its version and bytes; nothing before the first.
pub(super) async fn last_delta(
    tx: &mut PgConnection,
) -> Result<Option<(i64, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as("select version, payload from list_delta order by version desc limit 1")
        .fetch_optional(tx)
        .await
}

/// What the lanes have been told of these tags.
pub(super) async fn entries_told(
    tx: &mut PgConnection,
    tags: &[Vec<u8>],
) -> Result<Vec<(Vec<u8>, String)>, sqlx::Error> {
    sqlx::query_as("select tag, entry from list_entry where tag = any($1)")
        .bind(tags)
        .fetch_all(tx)
        .await
}

/// The next entries of the list in the order of their tags.
pub(super) async fn part(
    tx: &mut PgConnection,
    after: &[u8],
    limit: i64,
) -> Result<Vec<(Vec<u8>, String)>, sqlx::Error> {
    sqlx::query_as("select tag, entry from list_entry where tag > $1 order by tag limit $2")
        .bind(after)
        .bind(limit)
        .fetch_all(tx)
        .await
}

/// Deltas that were not published yet: version, bytes, signature.
pub(super) async fn unpublished(pool: &PgPool) -> Result<Vec<(i64, Vec<u8>, String)>, sqlx::Error> {
    let rows = sqlx::query(
        "select version, payload, signature from list_delta where published_at is null \
         order by version limit 100",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

pub(super) async fn mark_published(
    pool: &PgPool,
    versions: &[i64],
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    if versions.is_empty() {
        return Ok(());
    }
    sqlx::query("update list_delta set published_at = $2 where version = any($1)")
        .bind(versions)
        .bind(to_sql(at))
        .execute(pool)
        .await?;
    Ok(())
}
