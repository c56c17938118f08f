//! Many accounts at once, from a file: one JSON object a line.

use std::io::BufRead;

use domain::{
    AccountId, Amount, Clock, IssuerId, Plate, StationId, TagId, Timestamp, VehicleGroup,
};
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};

use super::link::{NewAccount, open_in_tx};
use super::money::top_up_transfer;
use super::{AccountError, AccountState, failed};
use crate::ledger::{self, NewTransfer};
use crate::lists;
use crate::sql::to_sql;

/// An account as a line of the import file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountLine {
    account: AccountId,
    issuer: IssuerId,
    state: AccountState,
    top_up: Option<TopUpLine>,
    vehicles: Vec<VehicleLine>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TopUpLine {
    reference: String,
    amount: Amount,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VehicleLine {
    plate: Plate,
    group: VehicleGroup,
    tag: Option<TagId>,
    #[serde(default)]
    exempt: bool,
    pass: Option<PassLine>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PassLine {
    station: StationId,
    from: Timestamp,
    until: Timestamp,
}

/// How much an import brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Accounts.
    pub accounts: usize,
    /// Tags.
    pub tags: usize,
}

/// Accounts a transaction of the import takes.
const IMPORT_BATCH: usize = 500;

/// Opens the accounts of a file, one JSON object a line; those that are there already stay as
/// they are. A bad line stops the import before anything of its batch is written.
///
/// # Errors
/// When a line is no account, a tag or plate belongs to another, or the database fails.
pub async fn import(
    pool: &PgPool,
    reader: impl BufRead,
    clock: Clock,
) -> Result<Imported, AccountError> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(AccountError::Read)?;
        if line.trim().is_empty() {
            continue;
        }
        let account: AccountLine =
            serde_json::from_str(&line).map_err(|error| AccountError::Line {
                line: number,
                // What the parser says is not passed on: it quotes.
                why: format!("{:?} error in column {}", error.classify(), error.column()),
            })?;
        lines.push(account);
    }
    let mut imported = Imported::default();
    for batch in lines.chunks(IMPORT_BATCH) {
        let mut tx = pool.begin().await.map_err(failed("begin the import"))?;
        open_batch(&mut tx, batch, clock.now()).await?;
        tx.commit().await.map_err(failed("commit the import"))?;
        imported.accounts += batch.len();
        imported.tags += batch
            .iter()
            .flat_map(|account| &account.vehicles)
            .filter(|vehicle| vehicle.tag.is_some())
            .count();
    }
    Ok(imported)
}

async fn open_batch(
    tx: &mut PgConnection,
    batch: &[AccountLine],
    now: Timestamp,
) -> Result<(), AccountError> {
    let new = |line: &AccountLine| NewAccount {
        account: line.account,
        issuer: line.issuer.clone(),
        state: line.state,
    };
    open_in_tx(tx, &batch.iter().map(new).collect::<Vec<_>>(), now).await?;
    link_batch(tx, batch, now).await?;
    let transfers: Vec<NewTransfer> = batch
        .iter()
        .filter_map(|line| {
            let top_up = line.top_up.as_ref().filter(|top_up| !top_up.amount.is_zero())?;
            Some(top_up_transfer(line.account, &line.issuer, top_up.amount, &top_up.reference, now))
        })
        .collect();
    let fresh = unposted(tx, transfers).await?;
    ledger::post_in_tx(tx, &fresh).await.map_err(AccountError::Ledger)?;
    let ids: Vec<i64> = batch.iter().map(|line| line.account.as_i64()).collect();
    lists::note_accounts_in_tx(tx, &ids).await.map_err(failed("note the accounts for the list"))
}

/// Links the vehicles and tags of accounts that are there; those linked already stay as they are.
async fn link_batch(
    tx: &mut PgConnection,
    batch: &[AccountLine],
    now: Timestamp,
) -> Result<(), AccountError> {
    let vehicles: Vec<(&AccountLine, &VehicleLine)> = batch
        .iter()
        .flat_map(|line| line.vehicles.iter().map(move |vehicle| (line, vehicle)))
        .collect();
    sqlx::query(
        "insert into vehicle_link (plate, account, vehicle_group, exempt, valid_from) \
         select plate, account, vehicle_group, exempt, $5 \
         from unnest($1::text[], $2::int8[], $3::int2[], $4::bool[]) as u (plate, account, vehicle_group, exempt) \
         where not exists (select from vehicle v where v.plate = u.plate and v.account = u.account)",
    )
    .bind(vehicles.iter().map(|(_, vehicle)| vehicle.plate.as_str()).collect::<Vec<_>>())
    .bind(vehicles.iter().map(|(line, _)| line.account.as_i64()).collect::<Vec<_>>())
    .bind(vehicles.iter().map(|(_, v)| i16::from(v.group.number())).collect::<Vec<_>>())
    .bind(vehicles.iter().map(|(_, vehicle)| vehicle.exempt).collect::<Vec<_>>())
    .bind(to_sql(now))
    .execute(&mut *tx)
    .await
    .map_err(failed("link vehicles: a vehicle belongs to one account"))?;
    let tagged: Vec<(&TagId, &Plate)> = vehicles
        .iter()
        .filter_map(|(_, vehicle)| Some((vehicle.tag.as_ref()?, &vehicle.plate)))
        .collect();
    sqlx::query(
        "insert into tag_link (tag, plate, valid_from) \
         select tag, plate, $3 from unnest($1::bytea[], $2::text[]) as u (tag, plate) \
         where not exists (select from tag t where t.tag = u.tag and t.plate = u.plate)",
    )
    .bind(tagged.iter().map(|(tag, _)| tag.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(tagged.iter().map(|(_, plate)| plate.as_str()).collect::<Vec<_>>())
    .bind(to_sql(now))
    .execute(&mut *tx)
    .await
    .map_err(failed("link tags: a tag is on one vehicle, and a vehicle has one tag"))?;
    for (_, vehicle) in &vehicles {
        let Some(pass) = &vehicle.pass else { continue };
        sqlx::query(
            "insert into pass (plate, operator, station, valid_from, valid_until) \
             select $1, operator, station, $3, $4 from station where station = $2 on conflict do nothing",
        )
        .bind(vehicle.plate.as_str())
        .bind(pass.station.as_str())
        .bind(to_sql(pass.from))
        .bind(to_sql(pass.until))
        .execute(&mut *tx)
        .await
        .map_err(failed("register passes"))?;
    }
    Ok(())
}

/// Those of the transfers whose reference is not in the books yet.
async fn unposted(
    tx: &mut PgConnection,
    transfers: Vec<NewTransfer>,
) -> Result<Vec<NewTransfer>, AccountError> {
    let references: Vec<&str> =
        transfers.iter().filter_map(|transfer| transfer.reference.as_deref()).collect();
    let known: Vec<String> = sqlx::query_scalar(
        "select reference from transfer_v1 where kind = 'top-up' and reference = any($1)",
    )
    .bind(references)
    .fetch_all(tx)
    .await
    .map_err(failed("look for known references"))?;
    let is_new = |transfer: &NewTransfer| {
        transfer.reference.as_ref().is_none_or(|reference| !known.contains(reference))
    };
    Ok(transfers.into_iter().filter(is_new).collect())
}
