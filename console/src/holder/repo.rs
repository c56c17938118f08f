//! What an account holder's page asks the books: of one account alone.

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql};
use domain::{BusinessDate, PassageId, Timestamp};
use sqlx::types::time::{Date, OffsetDateTime};

use crate::books::{Books, BooksError, in_time};
use crate::finance::days_repo::has_settlement;

/// An account and what it has.
#[derive(sqlx::FromRow)]
pub(super) struct AccountRow {
    pub ledger_account: i64,
    pub balance: i64,
    pub state: String,
    pub issuer_name: String,
}

/// The account.
pub(super) async fn account(books: &Books, account: i64) -> Result<Option<AccountRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select b.ledger_account, b.balance, b.state, i.name as issuer_name
             from balance_v1 b join issuer i using (issuer) where b.account = $1",
        )
        .bind(account)
        .fetch_optional(books.pool()?),
    )
    .await
}

/// A trip that the account paid.
#[derive(sqlx::FromRow)]
pub(super) struct TripRow {
    lane: String,
    epoch: i32,
    seq: i64,
    at: OffsetDateTime,
    day: Date,
    pub station_name: String,
    pub currency: String,
    pub zone: String,
    pub vehicle_group: Option<i16>,
    pub amount: i64,
}

impl TripRow {
    pub(super) fn at(&self) -> Timestamp {
        from_sql(self.at)
    }

    pub(super) fn day(&self) -> BusinessDate {
        day_from_sql(self.day)
    }

    /// Its passage's number.
    pub(super) fn passage(&self) -> String {
        format!("{}:{}:{}", self.lane, self.epoch, self.seq)
    }

    /// What we know of it, for the case of its dispute; no plate and no tag.
    pub(super) fn told(&self) -> String {
        let group = self.vehicle_group.map(|group| group.to_string()).unwrap_or_default();
        format!(
            "{} at {}, group {group}, {} {}",
            self.passage(),
            self.at(),
            self.amount,
            self.currency
        )
    }
}

/// The trips of a day: one look at its partition.
pub(super) async fn trips(
    books: &Books,
    account: i64,
    day: BusinessDate,
) -> Result<Vec<TripRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select p.lane, p.epoch, p.seq, coalesce(p.at, p.received_at) as at, p.day,
                    s.name as station_name, o.currency::text as currency, o.zone, p.vehicle_group,
                    coalesce(p.amount, 0) as amount
             from passage_v1 p
             join operator o using (operator)
             join station s using (operator, station)
             where p.day = $2 and p.account = $1 and p.disposition = 'posted'
             order by at desc limit 100",
        )
        .bind(account)
        .bind(day_to_sql(day))
        .fetch_all(books.pool()?),
    )
    .await
}

/// One trip, if the account paid it.
pub(super) async fn trip(
    books: &Books,
    account: i64,
    passage: &PassageId,
) -> Result<Option<TripRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select p.lane, p.epoch, p.seq, coalesce(p.at, p.received_at) as at, p.day,
                    s.name as station_name, o.currency::text as currency, o.zone, p.vehicle_group,
                    coalesce(p.amount, 0) as amount
             from passage_v1 p
             join operator o using (operator)
             join station s using (operator, station)
             where p.lane = $2 and p.epoch = $3 and p.seq = $4 and p.account = $1
               and p.disposition = 'posted'",
        )
        .bind(account)
        .bind(passage.lane.to_string())
        .bind(i32::try_from(passage.epoch).unwrap_or(i32::MAX))
        .bind(i64::try_from(passage.seq.get()).unwrap_or(i64::MAX))
        .fetch_optional(books.pool()?),
    )
    .await
}

/// The disputes of trips: passage, code, state.
pub(super) async fn disputes(
    books: &Books,
    trips: &[TripRow],
) -> Result<Vec<(String, String, String)>, BooksError> {
    if trips.is_empty() || !has_settlement(books).await? {
        return Ok(Vec::new());
    }
    let passages: Vec<String> = trips.iter().map(TripRow::passage).collect();
    in_time(
        sqlx::query_as(
            "select subject, code, state from settlement_case_v1
             where kind = 'dispute' and subject = any($1)",
        )
        .bind(passages)
        .fetch_all(books.pool()?),
    )
    .await
}

/// Money that came or went otherwise than for a trip.
#[derive(sqlx::FromRow)]
pub(super) struct MovementRow {
    posted_at: OffsetDateTime,
    pub kind: String,
    pub reference: Option<String>,
    pub amount: i64,
}

impl MovementRow {
    pub(super) fn at(&self) -> Timestamp {
        from_sql(self.posted_at)
    }
}

/// The last movements of an account that are no tolls.
pub(super) async fn movements(
    books: &Books,
    ledger_account: i64,
) -> Result<Vec<MovementRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select posted_at, kind, reference,
                    case when credit = $1 then amount else -amount end as amount
             from direct_transfer where debit = $1 or credit = $1
             order by posted_at desc, transfer desc limit 20",
        )
        .bind(ledger_account)
        .fetch_all(books.pool()?),
    )
    .await
}
