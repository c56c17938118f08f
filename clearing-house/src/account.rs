//! Traffic accounts: opened from a file, topped up by reference.

use std::io::BufRead;

use domain::{
    AccountId, Amount, BusinessDate, Clock, IssuerId, Plate, StationId, TagId, Timestamp,
    VehicleGroup,
};
use jiff::tz::TimeZone;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool, Row};

use crate::config::ListPolicy;
use crate::ledger::{self, LedgerAccountKey, LedgerError, NewTransfer, TransferKind};
use crate::lists;
use crate::sql::to_sql;

/// Why accounts were not opened or topped up; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A line of the file is not an account.
    #[error("line {line} is not an account: {why}")]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong, without the line's content.
        why: String,
    },
    /// The file could not be read.
    #[error("read the accounts")]
    Read(#[source] std::io::Error),
    /// No such account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// A top-up of nothing.
    #[error("a top-up needs an amount above zero")]
    NoAmount,
    /// The reference was used before, for something else.
    #[error("reference {reference} was used before for another account or amount")]
    ReferenceTaken {
        /// The payer's reference.
        reference: String,
    },
    /// The database failed, or a tag or plate belongs to another account.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The ledger refused.
    #[error("post the top-up")]
    Ledger(#[source] LedgerError),
}

fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> AccountError {
    move |source| AccountError::Database { doing, source }
}

/// An account as a line of the import file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountLine {
    account: AccountId,
    issuer: IssuerId,
    state: StateName,
    top_up: Option<TopUpLine>,
    vehicles: Vec<VehicleLine>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StateName {
    Open,
    Blocked,
    Closed,
    NotConverted,
}

impl StateName {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Blocked => "blocked",
            Self::Closed => "closed",
            Self::NotConverted => "not-converted",
        }
    }
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

#[expect(clippy::too_many_lines, reason = "five statements, one table each")]
async fn open_batch(
    tx: &mut PgConnection,
    batch: &[AccountLine],
    now: Timestamp,
) -> Result<(), AccountError> {
    let ids: Vec<i64> = batch.iter().map(|line| line.account.as_i64()).collect();
    sqlx::query(
        "insert into account select account, issuer, state, $4 \
         from unnest($1::int8[], $2::text[], $3::text[]) as u (account, issuer, state) on conflict do nothing",
    )
    .bind(&ids)
    .bind(batch.iter().map(|line| line.issuer.to_string()).collect::<Vec<_>>())
    .bind(batch.iter().map(|line| line.state.name()).collect::<Vec<_>>())
    .bind(to_sql(now))
    .execute(&mut *tx)
    .await
    .map_err(failed("open accounts: their issuers must be in the network"))?;
    sqlx::query(
        "insert into ledger_account (kind, issuer, account) select 'customer', issuer, account \
         from account where account = any($1) on conflict do nothing",
    )
    .bind(&ids)
    .execute(&mut *tx)
    .await
    .map_err(failed("open ledger accounts"))?;
    let vehicles: Vec<(&AccountLine, &VehicleLine)> = batch
        .iter()
        .flat_map(|line| line.vehicles.iter().map(move |vehicle| (line, vehicle)))
        .collect();
    sqlx::query(
        "insert into vehicle select * from unnest($1::text[], $2::int8[], $3::int2[], $4::bool[]) \
         on conflict do nothing",
    )
    .bind(vehicles.iter().map(|(_, vehicle)| vehicle.plate.as_str()).collect::<Vec<_>>())
    .bind(vehicles.iter().map(|(line, _)| line.account.as_i64()).collect::<Vec<_>>())
    .bind(vehicles.iter().map(|(_, v)| i16::from(v.group.number())).collect::<Vec<_>>())
    .bind(vehicles.iter().map(|(_, vehicle)| vehicle.exempt).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .map_err(failed("register vehicles"))?;
    let tagged: Vec<(&TagId, &Plate)> = vehicles
        .iter()
        .filter_map(|(_, vehicle)| Some((vehicle.tag.as_ref()?, &vehicle.plate)))
        .collect();
    sqlx::query(
        "insert into tag select tag, plate, $3 from unnest($1::bytea[], $2::text[]) as u (tag, plate) \
         on conflict (tag) do nothing",
    )
    .bind(tagged.iter().map(|(tag, _)| tag.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(tagged.iter().map(|(_, plate)| plate.as_str()).collect::<Vec<_>>())
    .bind(to_sql(now))
    .execute(&mut *tx)
    .await
    .map_err(failed("link tags: a vehicle has one tag"))?;
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
    let transfers: Vec<NewTransfer> = batch
        .iter()
        .filter_map(|line| {
            let top_up = line.top_up.as_ref().filter(|top_up| !top_up.amount.is_zero())?;
            Some(top_up_transfer(line.account, &line.issuer, top_up.amount, &top_up.reference, now))
        })
        .collect();
    let fresh = unposted(tx, transfers).await?;
    ledger::post_in_tx(tx, &fresh).await.map_err(AccountError::Ledger)?;
    lists::note_accounts_in_tx(tx, &ids).await.map_err(failed("note the accounts for the list"))
}

/// Those of the transfers whose reference is not in the books yet.
async fn unposted(
    tx: &mut PgConnection,
    transfers: Vec<NewTransfer>,
) -> Result<Vec<NewTransfer>, AccountError> {
    let references: Vec<&str> =
        transfers.iter().filter_map(|transfer| transfer.reference.as_deref()).collect();
    let known: Vec<String> = sqlx::query_scalar(
        "select reference from transfer where kind = 'top-up' and reference = any($1)",
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

fn top_up_transfer(
    account: AccountId,
    issuer: &IssuerId,
    amount: Amount,
    reference: &str,
    now: Timestamp,
) -> NewTransfer {
    NewTransfer {
        kind: TransferKind::TopUp,
        debit: LedgerAccountKey::Bank(issuer.clone()),
        credit: LedgerAccountKey::Customer(account),
        amount,
        operator: None,
        day: BusinessDate::new(now.to_zoned(TimeZone::UTC).date()),
        posted_at: now,
        passage: None,
        reference: Some(reference.to_owned()),
    }
}

/// What a top-up did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToppedUp {
    /// The money is in the account.
    Now,
    /// It was there already, by the same reference.
    Before,
}

/// Tops an account up; the payer's reference makes a second try a no-op.
///
/// # Errors
/// When there is no such account, the reference was used for something else, or the database
/// fails.
pub async fn top_up(
    pool: &PgPool,
    account: AccountId,
    amount: Amount,
    reference: &str,
    policy: ListPolicy,
    now: Timestamp,
) -> Result<ToppedUp, AccountError> {
    if amount.is_zero() {
        return Err(AccountError::NoAmount);
    }
    let mut tx = pool.begin().await.map_err(failed("begin the top-up"))?;
    let issuer: Option<String> =
        sqlx::query_scalar("select issuer from account where account = $1")
            .bind(account.as_i64())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed("look up the account"))?;
    let issuer = issuer
        .and_then(|issuer| IssuerId::try_new(&issuer).ok())
        .ok_or(AccountError::NoAccount(account))?;
    let transfer = top_up_transfer(account, &issuer, amount, reference, now);
    match ledger::post_in_tx(&mut tx, &[transfer]).await {
        Ok(changes) => {
            lists::note_balances_in_tx(&mut tx, &changes, policy)
                .await
                .map_err(failed("note the account for the list"))?;
            tx.commit().await.map_err(failed("commit the top-up"))?;
            Ok(ToppedUp::Now)
        }
        Err(LedgerError::AlreadyPosted { .. }) => {
            tx.rollback().await.map_err(failed("end the top-up"))?;
            same_before(pool, account, amount, reference).await
        }
        Err(error) => Err(AccountError::Ledger(error)),
    }
}

async fn same_before(
    pool: &PgPool,
    account: AccountId,
    amount: Amount,
    reference: &str,
) -> Result<ToppedUp, AccountError> {
    let row = sqlx::query(
        "select l.account, t.amount from transfer t join ledger_account l on l.ledger_account = t.credit \
         where t.kind = 'top-up' and t.reference = $1",
    )
    .bind(reference)
    .fetch_one(pool)
    .await
    .map_err(failed("look up the reference"))?;
    let (before, paid): (Option<i64>, i64) = (row.get(0), row.get(1));
    if before == Some(account.as_i64()) && paid == amount.minor_units() {
        Ok(ToppedUp::Before)
    } else {
        Err(AccountError::ReferenceTaken { reference: reference.to_owned() })
    }
}
