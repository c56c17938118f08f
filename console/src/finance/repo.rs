//! What the search for passages asks the books, and the page of one of them.

use clearing_house::search::{self, Days, Found, Page, Sought, Whose};
use clearing_house::sql::{day_from_sql, day_to_sql};
use domain::{BusinessDate, Clock, OperatorId};
use reconciliation::statement::Paper;
use sqlx::types::time::Date;

use crate::access::Scope;
use crate::books::{Books, BooksError, in_time};

use super::days_repo::has_settlement;
use super::name_of;
use super::search::{ExceptionFilter, Personal, Search};

/// How many passages a page has.
const PASSAGES_MAX: usize = 50;

/// The statement of a closed day.
pub(super) async fn statement(
    books: &Books,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<Option<Paper>, BooksError> {
    if !has_settlement(books).await? {
        return Ok(None);
    }
    in_time(reconciliation::statement::repo::paper(books.pool()?, operator, day)).await
}

/// A station for the choice of one.
#[derive(sqlx::FromRow)]
pub(crate) struct StationRow {
    /// `operator/station`.
    pub id: String,
    pub name: String,
}

/// All stations of a scope.
pub(crate) async fn stations(books: &Books, scope: &Scope) -> Result<Vec<StationRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select operator || '/' || station as id, name from station
             where ($1::text is null or operator = $1) and ($2::text is null or station = $2)
             order by operator, name",
        )
        .bind(scope.operator())
        .bind(scope.station())
        .fetch_all(books.pool()?),
    )
    .await
}

/// Everything the books have of one passage.
pub(super) struct Whole {
    pub row: Found,
    /// Gross, discount, its name, and what caps took, where the amount is not simply a fare.
    pub basis: Option<BasisRow>,
    pub transfers: Vec<TransferRow>,
    /// The bytes the lane signed.
    pub record: Option<Vec<u8>>,
    /// Who issues the account that pays.
    pub issuer: Option<String>,
}

/// What an amount consists of.
#[derive(sqlx::FromRow)]
pub(super) struct BasisRow {
    pub gross: i64,
    pub discount: i64,
    pub over_trip_cap: i64,
    pub over_day_cap: i64,
}

/// Money that moved for a passage.
#[derive(sqlx::FromRow)]
pub(crate) struct TransferRow {
    pub transfer: i64,
    pub kind: String,
    pub debit: i64,
    pub credit: i64,
    pub amount: i64,
    day: Option<Date>,
}

impl TransferRow {
    /// The settlement day it belongs to.
    pub(super) fn day(&self) -> Option<BusinessDate> {
        self.day.map(day_from_sql)
    }
}

/// One passage, down to the bytes its lane signed.
pub(super) async fn passage(
    books: &Books,
    id: &domain::PassageId,
) -> Result<Option<Whole>, BooksError> {
    let pool = books.pool()?;
    let lane = id.lane.to_string();
    let epoch = i32::try_from(id.epoch).unwrap_or(i32::MAX);
    let seq = i64::try_from(id.seq.get()).unwrap_or(i64::MAX);
    let mut connection = in_time(pool.acquire()).await?;
    let row = in_time(search::one(&mut connection, id)).await?;
    let Some(row) = row else { return Ok(None) };
    let basis = in_time(
        sqlx::query_as(
            "select gross, discount, over_trip_cap, over_day_cap from charge_basis
             where lane = $1 and epoch = $2 and seq = $3",
        )
        .bind(&lane)
        .bind(epoch)
        .bind(seq)
        .fetch_optional(pool),
    )
    .await?;
    let transfers = transfers(books, id, row.day()).await?;
    let kept =
        in_time(clearing_house::intake::evidence::find(&mut connection, (&lane, epoch, seq)));
    let record = kept.await?.map(|kept| kept.payload);
    let issuer = match row.account {
        None => None,
        Some(account) => {
            in_time(
                sqlx::query_scalar("select issuer from account where account = $1")
                    .bind(account)
                    .fetch_optional(pool),
            )
            .await?
        }
    };
    Ok(Some(Whole { row, basis, transfers, record, issuer }))
}

/// The transfers of a passage: its toll, in the day it fell into, and what corrected it on any day.
pub(crate) async fn transfers(
    books: &Books,
    id: &domain::PassageId,
    day: Option<BusinessDate>,
) -> Result<Vec<TransferRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select transfer, kind, debit, credit, amount, day from transfer_v1
             where lane = $1 and epoch = $2 and seq = $3 and day = $4
             union
             select t.transfer, t.kind, t.debit, t.credit, t.amount, t.day
             from lane_epoch e join direct_transfer t on t.journal_no = e.journal_no
             where e.lane = $1 and e.epoch = $2 and t.seq = $3
             order by transfer",
        )
        .bind(id.lane.to_string())
        .bind(i32::try_from(id.epoch).unwrap_or(i32::MAX))
        .bind(i64::try_from(id.seq.get()).unwrap_or(i64::MAX))
        .bind(day.map(day_to_sql))
        .fetch_all(books.pool()?),
    )
    .await
}

/// One page of passages, newest first.
pub(super) async fn passages(
    (books, clock): (&Books, Clock),
    asked_for: &Search,
    personal: Option<&Personal>,
    scope: &Scope,
) -> Result<Page, BooksError> {
    let (has_exception, exception) = match asked_for.exception {
        ExceptionFilter::Whatever => (None, None),
        ExceptionFilter::None => (Some(false), None),
        ExceptionFilter::Some => (Some(true), None),
        ExceptionFilter::Kind(kind) => (Some(true), Some(name_of(kind))),
    };
    let asked =
        asked_for.station.as_ref().map(|(operator, station)| (operator.as_str(), station.as_str()));
    let operator = scope.operator().or(asked.map(|(operator, _)| operator));
    let station = scope.station().or(asked.map(|(_, station)| station));
    if asked.is_some_and(|(own, one)| operator != Some(own) || station != Some(one)) {
        // It is asked for what lies outside the scope.
        return Ok(Page::default());
    }
    let whose = match (personal, asked_for.account) {
        (Some(Personal::Plate(plate)), _) => Some(Whose::Plate(plate.clone())),
        (Some(Personal::Tag(tag)), _) => Some(Whose::Tag(tag.clone())),
        (None, account) => account.map(Whose::Account),
    };
    let sought = Sought {
        operator: operator.map(str::to_owned),
        station: station.map(str::to_owned),
        lane: None,
        disposition: asked_for.disposition.map(|one| one.name().to_owned()),
        has_exception,
        exception,
        amount: asked_for.amount,
        whose,
    };
    let days = asked_for.day.map_or(Days::default(), Days::only);
    let mut connection = in_time(books.pool()?.acquire()).await?;
    let after = asked_for.after.clone();
    in_time(search::page(&mut connection, &sought, days, after, PASSAGES_MAX, clock)).await
}
