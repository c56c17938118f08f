//! What the search for passages asks the books, and the page of one of them.

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql, to_sql};
use domain::{BusinessDate, OperatorId, Timestamp};
use reconciliation::statement::Paper;
use sqlx::types::time::{Date, OffsetDateTime};

use crate::access::Scope;
use crate::books::{Books, BooksError, in_time};

use super::days_repo::has_settlement;
use super::name_of;
use super::search::{Cursor, ExceptionFilter, Personal, Search};

/// How many passages a page has.
const PASSAGES_MAX: i64 = 50;

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

/// A passage with its charge.
#[derive(sqlx::FromRow)]
pub(super) struct PassageRow {
    lane: String,
    pub station_name: String,
    pub lane_name: String,
    pub epoch: i32,
    pub seq: i64,
    pub zone: String,
    pub currency: String,
    at: OffsetDateTime,
    pub tag: Option<String>,
    pub plate: Option<String>,
    pub vehicle_group: Option<i16>,
    pub exception: Option<String>,
    pub decision: Option<String>,
    pub disposition: String,
    pub why: Option<String>,
    day: Option<Date>,
    account: Option<i64>,
    pub payer: Option<String>,
    pub amount: Option<i64>,
}

impl PassageRow {
    /// When the lane saw it; when it came in, where that cannot be read.
    pub(super) fn at(&self) -> Timestamp {
        from_sql(self.at)
    }

    /// Where everything that is known of it is.
    pub(super) fn url(&self) -> String {
        format!("/passages/{}/{}/{}", self.lane, self.epoch, self.seq)
    }

    /// The settlement day it fell into.
    pub(super) fn day(&self) -> Option<BusinessDate> {
        self.day.map(day_from_sql)
    }

    /// The place in the list after this passage.
    pub(super) fn cursor(&self) -> Result<Cursor, BooksError> {
        let shape = BooksError::Shape { what: "identity of a passage" };
        let id = format!("{}:{}:{}", self.lane, self.epoch, self.seq);
        Ok(Cursor { at: self.at(), passage: id.parse().or(Err(shape))? })
    }
}

/// Everything the books have of one passage.
pub(super) struct Whole {
    pub row: PassageRow,
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
pub(super) struct TransferRow {
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
    let row: Option<PassageRow> = in_time(
        sqlx::query_as(
            "select p.lane, s.name as station_name, p.lane_name, p.epoch, p.seq, o.zone,
                    o.currency::text as currency, coalesce(p.at, p.received_at) as at, p.tag,
                    p.plate, p.vehicle_group, p.exception, p.decision, p.disposition, p.why, p.day,
                    p.account, p.payer, p.amount
             from passage_v1 p
             join operator o using (operator)
             join station s using (operator, station)
             where p.lane = $1 and p.epoch = $2 and p.seq = $3",
        )
        .bind(&lane)
        .bind(epoch)
        .bind(seq)
        .fetch_optional(pool),
    )
    .await?;
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
    let transfers = in_time(
        sqlx::query_as(
            "select transfer, kind, debit, credit, amount, day from transfer_v1
             where lane = $1 and epoch = $2 and seq = $3 order by transfer",
        )
        .bind(&lane)
        .bind(epoch)
        .bind(seq)
        .fetch_all(pool),
    )
    .await?;
    let mut connection = in_time(pool.acquire()).await?;
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

/// One page of passages, newest first, and whether there are more.
pub(super) async fn passages(
    books: &Books,
    search: &Search,
    personal: Option<&Personal>,
    scope: &Scope,
) -> Result<(Vec<PassageRow>, bool), BooksError> {
    let (has_exception, exception) = match search.exception {
        ExceptionFilter::Whatever => (None, None),
        ExceptionFilter::None => (Some(false), None),
        ExceptionFilter::Some => (Some(true), None),
        ExceptionFilter::Kind(kind) => (Some(true), Some(name_of(kind))),
    };
    let (plate, tag) = match personal {
        None => (None, None),
        Some(Personal::Plate(plate)) => (Some(plate.as_str()), None),
        Some(Personal::Tag(tag)) => (None, Some(tag.to_hex().to_lowercase())),
    };
    let after = search.after.as_ref();
    let mut rows: Vec<PassageRow> = in_time(
        sqlx::query_as(
            "select p.lane, s.name as station_name, p.lane_name, p.epoch, p.seq, o.zone,
                    o.currency::text as currency, coalesce(p.at, p.received_at) as at, p.tag,
                    p.plate, p.vehicle_group, p.exception, p.decision, p.disposition, p.why, p.day,
                    p.account, p.payer, p.amount
             from passage_v1 p
             join operator o using (operator)
             join station s using (operator, station)
             where ($1::text is null or p.operator = $1)
               and ($2::text is null or p.station = $2)
               and ($3::date is null or p.day = $3)
               and ($4::text is null or p.disposition = $4)
               and ($5::bool is null or (p.exception is not null) = $5)
               and ($6::text is null or p.exception = $6)
               and ($7::timestamptz is null
                    or (coalesce(p.at, p.received_at), p.lane, p.epoch, p.seq)
                       < ($7, $8::text, $9::int, $10::bigint))
               and ($12::text is null or p.operator = $12)
               and ($13::text is null or p.station = $13)
               and ($14::bigint is null or p.account = $14)
               and ($15::bigint is null or p.amount = $15)
               and ($16::text is null or p.plate = $16)
               and ($17::text is null or p.tag = $17)
             order by coalesce(p.at, p.received_at) desc, p.lane desc, p.epoch desc, p.seq desc
             limit $11",
        )
        .bind(search.station.as_ref().map(|(operator, _)| operator.as_str()))
        .bind(search.station.as_ref().map(|(_, station)| station.as_str()))
        .bind(search.day.map(day_to_sql))
        .bind(search.disposition.map(domain::wire::v1::Disposition::name))
        .bind(has_exception)
        .bind(exception)
        .bind(after.map(|after| to_sql(after.at)))
        .bind(after.map(|after| after.passage.lane.to_string()))
        .bind(after.map(|after| i32::try_from(after.passage.epoch).unwrap_or(i32::MAX)))
        .bind(after.map(|after| i64::try_from(after.passage.seq.get()).unwrap_or(i64::MAX)))
        .bind(PASSAGES_MAX + 1)
        .bind(scope.operator())
        .bind(scope.station())
        .bind(search.account)
        .bind(search.amount)
        .bind(plate)
        .bind(tag)
        .fetch_all(books.pool()?),
    )
    .await?;
    let page = usize::try_from(PASSAGES_MAX).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    Ok((rows, more))
}
