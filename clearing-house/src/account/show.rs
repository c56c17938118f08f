//! What an account is and has, and what came and went: for its owner and for who serves them.

use domain::{AccountId, Plate, TagId, Timestamp};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Row};

use super::{AccountError, failed};
use crate::search::{self, Toll};
use crate::sql::{from_sql, to_sql};

/// An account as it stands. Holds plates and tags: for those who may see them, and never for a log.
#[derive(Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AccountPicture {
    /// Its number.
    pub account: i64,
    /// Who holds it.
    pub issuer: String,
    /// `open`, `blocked`, `closed` or `not-converted`.
    pub state: String,
    /// When it was opened.
    pub opened_at: String,
    /// What the customer may spend, in minor units; below zero it is owed.
    pub available: i64,
    /// What is set aside, in minor units.
    pub held: i64,
    /// Below this balance its drivers are told, where it is not the centre's own.
    pub low_below: Option<i64>,
    /// What it is paid with.
    pub instrument: Option<InstrumentPicture>,
    /// Its vehicles.
    pub vehicles: Vec<VehiclePicture>,
    /// What is set aside, one by one.
    pub holds: Vec<HoldPicture>,
}

impl AccountPicture {
    /// Masks plates and tags, for those who check books and need know nobody.
    pub fn mask(&mut self) {
        for vehicle in &mut self.vehicles {
            vehicle.plate = Plate::try_new(&vehicle.plate)
                .map_or_else(|_| "…".to_owned(), |plate| plate.masked());
            vehicle.tag = vehicle.tag.as_deref().map(|tag| {
                tag.parse::<TagId>().map_or_else(|_| "…".to_owned(), |tag| tag.masked())
            });
        }
    }
}

impl std::fmt::Debug for AccountPicture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountPicture").field("account", &self.account).finish_non_exhaustive()
    }
}

/// What an account is paid with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct InstrumentPicture {
    /// `bank-account`, `card` or `wallet`.
    pub kind: String,
    /// Since when.
    pub since: String,
}

/// A vehicle of an account.
#[derive(Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct VehiclePicture {
    /// Its plate.
    pub plate: String,
    /// Its group.
    pub group: i16,
    /// Exempt by law.
    pub exempt: bool,
    /// Its tag, in hexadecimal.
    pub tag: Option<String>,
    /// Since when it is the account's.
    pub since: String,
}

impl std::fmt::Debug for VehiclePicture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VehiclePicture").field("group", &self.group).finish_non_exhaustive()
    }
}

/// Money set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HoldPicture {
    /// Its number.
    pub hold: i64,
    /// How much, in minor units.
    pub amount: i64,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: String,
}

fn text(at: sqlx::types::time::OffsetDateTime) -> String {
    from_sql(at).to_string()
}

/// Shows an account.
///
/// # Errors
/// When there is no such account or the database fails.
pub async fn show(pool: &PgPool, account: AccountId) -> Result<AccountPicture, AccountError> {
    let id = account.as_i64();
    let row = sqlx::query(
        "select b.issuer, b.state, a.opened_at, b.balance, a.low_below, i.kind, i.valid_from \
         from account a join balance_v1 b using (account) \
         left join instrument i on i.account = a.account and i.valid_until is null \
         where a.account = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await
    .map_err(failed("look up the account"))?
    .ok_or(AccountError::NoAccount(account))?;
    let vehicles = sqlx::query(
        "select v.plate, v.vehicle_group, v.exempt, encode(t.tag, 'hex'), v.linked_at \
         from vehicle v left join tag t using (plate) where v.account = $1 order by v.plate",
    )
    .bind(id)
    .fetch_all(pool)
    .await
    .map_err(failed("look up the vehicles"))?;
    let holds = sqlx::query(
        "select hold, amount, reason, placed_at from hold \
         where account = $1 and released_at is null order by hold",
    )
    .bind(id)
    .fetch_all(pool)
    .await
    .map_err(failed("look up the holds"))?;
    let holds: Vec<HoldPicture> = holds
        .iter()
        .map(|row| HoldPicture {
            hold: row.get(0),
            amount: row.get(1),
            reason: row.get(2),
            since: text(row.get(3)),
        })
        .collect();
    Ok(AccountPicture {
        account: id,
        issuer: row.get(0),
        state: row.get(1),
        opened_at: text(row.get(2)),
        available: row.get(3),
        held: holds.iter().map(|hold| hold.amount).sum(),
        low_below: row.get(4),
        instrument: row
            .get::<Option<String>, _>(5)
            .map(|kind| InstrumentPicture { kind, since: text(row.get(6)) }),
        vehicles: vehicles
            .iter()
            .map(|row| VehiclePicture {
                plate: row.get(0),
                group: row.get(1),
                exempt: row.get(2),
                tag: row.get::<Option<String>, _>(3).map(|tag| tag.to_uppercase()),
                since: text(row.get(4)),
            })
            .collect(),
        holds,
    })
}

/// What came and went in an account between two instants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AccountStatement {
    /// The account.
    pub account: i64,
    /// Who holds it.
    pub issuer: String,
    /// From when.
    pub from: String,
    /// Until before when.
    pub until: String,
    /// What it had at the beginning, in minor units.
    pub opening: i64,
    /// What it had at the end.
    pub closing: i64,
    /// Everything between, in the order it was posted.
    pub lines: Vec<StatementLine>,
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct StatementLine {
    /// The transfer.
    pub transfer: i64,
    /// When it was posted.
    pub at: String,
    /// What it is: `toll`, `top-up`, `refund`, `hold`, `release`, `reversal`.
    pub kind: String,
    /// What came, above zero, or went, below, in minor units.
    pub amount: i64,
    /// What the account had then.
    pub balance: i64,
    /// The passage it pays for.
    pub passage: Option<String>,
    /// The payer's reference.
    pub reference: Option<String>,
}

/// The most lines a statement has.
const LINES_MAX: usize = 10_000;

/// Makes the statement of an account, at most of its first 10,000 lines: ask for the next from the
/// last one's instant.
///
/// # Errors
/// When there is no such account or the database fails.
pub async fn statement(
    pool: &PgPool,
    account: AccountId,
    from: Timestamp,
    until: Timestamp,
) -> Result<AccountStatement, AccountError> {
    let mut books = pool.begin().await.map_err(failed("begin a statement"))?;
    // Balance and movements as they are at one moment.
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *books)
        .await
        .map_err(failed("hold the books still"))?;
    let row =
        sqlx::query("select issuer, ledger_account, balance from balance_v1 where account = $1")
            .bind(account.as_i64())
            .fetch_optional(&mut *books)
            .await
            .map_err(failed("look up the account"))?
            .ok_or(AccountError::NoAccount(account))?;
    let (issuer, ledger_account, balance): (String, i64, i64) =
        (row.get(0), row.get(1), row.get(2));
    let mut moved = movements(&mut books, (&issuer, ledger_account), from).await?;
    let tolls = search::tolls(&mut books, account.as_i64(), from).await;
    moved.extend(tolls.map_err(failed("read the tolls"))?.into_iter().map(Moved::from));
    moved.sort_by_key(|one| (one.at, one.transfer));
    let since: i64 = moved.iter().map(|one| one.amount).sum();
    let opening = balance - since;
    let mut balance = opening;
    let shown = moved.into_iter().take_while(|one| one.at < until).take(LINES_MAX);
    let lines: Vec<StatementLine> = shown
        .map(|one| {
            balance += one.amount;
            StatementLine {
                transfer: one.transfer,
                at: one.at.to_string(),
                kind: one.kind,
                amount: one.amount,
                balance,
                passage: one.passage,
                reference: one.reference,
            }
        })
        .collect();
    Ok(AccountStatement {
        account: account.as_i64(),
        issuer,
        from: from.to_string(),
        until: until.to_string(),
        opening,
        closing: balance,
        lines,
    })
}

/// Money that came, above zero, or went.
struct Moved {
    transfer: i64,
    at: Timestamp,
    kind: String,
    amount: i64,
    passage: Option<String>,
    reference: Option<String>,
}

impl From<Toll> for Moved {
    fn from(toll: Toll) -> Self {
        Self {
            transfer: toll.transfer,
            at: from_sql(toll.posted_at),
            kind: "toll".to_owned(),
            amount: -toll.amount,
            passage: Some(toll.passage),
            reference: None,
        }
    }
}

/// What moved from an instant on, but for tolls.
async fn movements(
    books: &mut PgConnection,
    (issuer, ledger_account): (&str, i64),
    from: Timestamp,
) -> Result<Vec<Moved>, AccountError> {
    let rows = sqlx::query(
        "select t.transfer, t.posted_at, t.kind, case when t.credit = $1 then t.amount else -t.amount end,
                case when t.seq is not null then e.lane || ':' || e.epoch || ':' || t.seq end, t.reference
         from direct_transfer t left join lane_epoch e on e.journal_no = t.journal_no
         where (t.debit = $1 or t.credit = $1) and t.posted_at >= $2",
    )
    .bind(ledger_account)
    .bind(to_sql(from))
    .fetch_all(books)
    .await
    .map_err(failed("read what came and went"))?;
    let own = format!("{issuer}/");
    let moved = |row: &sqlx::postgres::PgRow| Moved {
        transfer: row.get(0),
        at: from_sql(row.get(1)),
        kind: row.get(2),
        amount: row.get(3),
        passage: row.get(4),
        reference: row
            .get::<Option<String>, _>(5)
            .map(|one| one.strip_prefix(&own).map_or(one.clone(), ToOwned::to_owned)),
    };
    Ok(rows.iter().map(moved).collect())
}
