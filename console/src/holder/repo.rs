//! What an account holder's page asks the books: of one account alone.

use clearing_house::search::{self, Days, Found, Sought, Whose};
use clearing_house::sql::from_sql;
use domain::{BusinessDate, Clock, PassageId, Timestamp};
use sqlx::types::time::OffsetDateTime;

use crate::books::{Books, BooksError, in_time};
use crate::finance::days_repo::has_settlement;

/// How many trips of a day a page has.
const TRIPS_MAX: usize = 100;

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
pub(super) struct TripRow(Found);

impl TripRow {
    pub(super) fn found(&self) -> &Found {
        &self.0
    }

    pub(super) fn at(&self) -> Timestamp {
        self.0.at()
    }

    /// The settlement day it fell into; every trip that somebody paid has one.
    pub(super) fn day(&self) -> Option<BusinessDate> {
        self.0.day()
    }

    pub(super) fn amount(&self) -> i64 {
        self.0.amount.unwrap_or(0)
    }

    /// Its passage's number.
    pub(super) fn passage(&self) -> String {
        self.0.passage()
    }

    /// What we know of it, for the case of its dispute; no plate and no tag.
    pub(super) fn told(&self) -> String {
        let group = self.0.vehicle_group.map(|group| group.to_string()).unwrap_or_default();
        format!(
            "{} at {}, group {group}, {} {}",
            self.passage(),
            self.at(),
            self.amount(),
            self.0.currency
        )
    }
}

/// The trips of a day.
pub(super) async fn trips(
    books: &Books,
    account: i64,
    day: BusinessDate,
    clock: Clock,
) -> Result<Vec<TripRow>, BooksError> {
    let sought = Sought {
        disposition: Some("posted".to_owned()),
        whose: Some(Whose::Account(account)),
        ..Sought::default()
    };
    let mut connection = in_time(books.pool()?.acquire()).await?;
    let days = Days::only(day);
    let page = search::page(&mut connection, &sought, days, None, TRIPS_MAX, clock);
    Ok(in_time(page).await?.passages.into_iter().map(TripRow).collect())
}

/// One trip, if the account paid it.
pub(super) async fn trip(
    books: &Books,
    account: i64,
    passage: &PassageId,
) -> Result<Option<TripRow>, BooksError> {
    let mut connection = in_time(books.pool()?.acquire()).await?;
    let found = in_time(search::one(&mut connection, passage)).await?;
    let own = |one: &Found| one.account == Some(account) && one.disposition == "posted";
    Ok(found.filter(own).map(TripRow))
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
