//! What the pages of cases ask the books.

use clearing_house::search;
use clearing_house::sql::{day_from_sql, day_to_sql, from_sql, to_sql};
use domain::{BusinessDate, PassageId, Timestamp};
use jiff::SignedDuration;
use reconciliation::cases::Kind;
use sqlx::types::time::{Date, OffsetDateTime};

use crate::access::Scope;
use crate::books::{Books, BooksError, in_time};
use crate::finance::transfers;

use super::form::{Filter, Owned, States};
use super::trend::{DAYS, Opened};

/// How many cases a page has.
const CASES_MAX: i64 = 200;

/// A case as it stands.
#[derive(sqlx::FromRow)]
pub(super) struct CaseRow {
    pub code: String,
    pub kind: String,
    pub operator: String,
    pub operator_name: String,
    pub currency: String,
    pub zone: String,
    day: Date,
    pub subject: String,
    pub ours: Option<String>,
    pub theirs: Option<String>,
    pub amount: i64,
    opened_at: OffsetDateTime,
    due_at: OffsetDateTime,
    pub state: String,
    pub owner: Option<String>,
    /// The outcome, proposed or settled, as the library keeps it.
    pub outcome: Option<String>,
}

impl CaseRow {
    pub(super) fn day(&self) -> BusinessDate {
        day_from_sql(self.day)
    }

    pub(super) fn opened_at(&self) -> Timestamp {
        from_sql(self.opened_at)
    }

    pub(super) fn due_at(&self) -> Timestamp {
        from_sql(self.due_at)
    }
}

/// The cases of a filter, the soonest due first, and whether there are more.
pub(super) async fn cases(
    books: &Books,
    scope: &Scope,
    (filter, user): (&Filter, &str),
    now: Timestamp,
) -> Result<(Vec<CaseRow>, bool), BooksError> {
    let states: &[&str] = match filter.states {
        States::Unsettled => &["open", "proposed"],
        States::Proposed => &["proposed"],
        States::Settled => &["settled"],
        States::All => &["open", "proposed", "settled"],
    };
    let (owner, owned) = match filter.owned {
        Owned::Whoever => (None, None),
        Owned::Mine => (Some(user), Some(true)),
        Owned::Nobody => (None, Some(false)),
    };
    let mut rows: Vec<CaseRow> = in_time(
        sqlx::query_as(
            "select c.code, c.kind, c.operator, o.name as operator_name, o.currency::text as currency,
                    o.zone, c.day, c.subject, c.ours, c.theirs, c.amount, c.opened_at, c.due_at,
                    c.state, c.owner, c.outcome
             from settlement_case_v1 c
             join operator o using (operator)
             where ($1::text is null or c.operator = $1)
               and ($2::text is null or c.operator = $2)
               and ($3::date is null or c.day = $3)
               and ($4::text is null or c.kind = $4)
               and c.state = any($5)
               and ($6::bool is null or (c.owner is not null) = $6)
               and ($7::text is null or c.owner = $7)
               and (not $8 or c.due_at < $9 and c.state <> 'settled')
             order by c.due_at, c.code limit $10",
        )
        .bind(scope.operator())
        .bind(filter.operator.as_ref().map(domain::OperatorId::as_str))
        .bind(filter.day.map(day_to_sql))
        .bind(filter.kind.map(Kind::name))
        .bind(states)
        .bind(owned)
        .bind(owner)
        .bind(filter.overdue_only)
        .bind(to_sql(now))
        .bind(CASES_MAX + 1)
        .fetch_all(books.pool()?),
    )
    .await?;
    let page = usize::try_from(CASES_MAX).unwrap_or(usize::MAX);
    let is_more = rows.len() > page;
    rows.truncate(page);
    Ok((rows, is_more))
}

/// One case, if it lies in the scope.
pub(super) async fn case(
    books: &Books,
    scope: &Scope,
    code: &str,
) -> Result<Option<CaseRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select c.code, c.kind, c.operator, o.name as operator_name, o.currency::text as currency,
                    o.zone, c.day, c.subject, c.ours, c.theirs, c.amount, c.opened_at, c.due_at,
                    c.state, c.owner, c.outcome
             from settlement_case_v1 c
             join operator o using (operator)
             where c.code = $2 and ($1::text is null or c.operator = $1)",
        )
        .bind(scope.operator())
        .bind(code)
        .fetch_optional(books.pool()?),
    )
    .await
}

/// An open case, for its age.
#[derive(sqlx::FromRow)]
pub(super) struct OpenRow {
    opened_at: OffsetDateTime,
    pub amount: i64,
    pub currency: String,
}

impl OpenRow {
    pub(super) fn opened_at(&self) -> Timestamp {
        from_sql(self.opened_at)
    }
}

/// Every case that is not settled.
pub(super) async fn open(books: &Books, scope: &Scope) -> Result<Vec<OpenRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select c.opened_at, c.amount, o.currency::text as currency
             from settlement_case_v1 c join operator o using (operator)
             where c.state <> 'settled' and ($1::text is null or c.operator = $1)",
        )
        .bind(scope.operator())
        .fetch_all(books.pool()?),
    )
    .await
}

/// How many cases were opened on each of the last days, by UTC, and about how much.
pub(super) async fn opened_by_day(
    books: &Books,
    scope: &Scope,
    now: Timestamp,
) -> Result<Vec<Opened>, BooksError> {
    let since = now - SignedDuration::from_hours(24 * DAYS);
    let rows: Vec<(Date, String, i64, i64)> = in_time(
        sqlx::query_as(
            "select (c.opened_at at time zone 'UTC')::date as opened_on, o.currency::text, count(*),
                    sum(c.amount)::bigint
             from settlement_case c join operator o using (operator)
             where c.opened_at > $2 and ($1::text is null or c.operator = $1)
             group by opened_on, o.currency order by opened_on, o.currency",
        )
        .bind(scope.operator())
        .bind(to_sql(since))
        .fetch_all(books.pool()?),
    )
    .await?;
    let opened = |(day, currency, cases, units): (Date, String, i64, i64)| {
        let currency = currency.parse().or(Err(BooksError::Shape { what: "a currency" }))?;
        let (cases, units) = (cases.unsigned_abs(), units.unsigned_abs());
        Ok(Opened { day: day_from_sql(day), currency, cases, units })
    };
    rows.into_iter().map(opened).collect()
}

/// The operators of a scope, for the choice of one: id and name.
pub(super) async fn operators(
    books: &Books,
    scope: &Scope,
) -> Result<Vec<(String, String)>, BooksError> {
    in_time(
        sqlx::query_as(
            "select operator, name from operator where $1::text is null or operator = $1 order by name",
        )
        .bind(scope.operator())
        .fetch_all(books.pool()?),
    )
    .await
}

/// A toll that an outcome may correct: its transfer and amount.
pub(super) async fn tolls(
    books: &Books,
    passage: &PassageId,
) -> Result<Vec<(i64, i64)>, BooksError> {
    let mut connection = in_time(books.pool()?.acquire()).await?;
    let found = in_time(search::one(&mut connection, passage)).await?;
    let day = found.and_then(|found| found.day());
    let transfers = transfers(books, passage, day).await?;
    let tolls = ["toll", "cash-toll", "repost"];
    let own = transfers.iter().filter(|one| tolls.contains(&one.kind.as_str()));
    Ok(own.map(|one| (one.transfer, one.amount)).collect())
}

/// The operator's days that take postings, the newest first.
pub(super) async fn open_days(
    books: &Books,
    operator: &str,
) -> Result<Vec<BusinessDate>, BooksError> {
    let days: Vec<Date> = in_time(
        sqlx::query_scalar(
            "select day from settlement_day where operator = $1 and state = 'open'
             order by day desc limit 10",
        )
        .bind(operator)
        .fetch_all(books.pool()?),
    )
    .await?;
    Ok(days.into_iter().map(day_from_sql).collect())
}
