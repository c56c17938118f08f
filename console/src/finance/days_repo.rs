//! What the pages of settlement days ask the books.

use std::collections::HashMap;

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql};
use domain::{BusinessDate, Timestamp};
use reconciliation::window::State as Life;
use sqlx::types::time::{Date, OffsetDateTime};

use crate::access::Scope;
use crate::books::{Books, BooksError, in_time};

/// How many days the overview goes back.
const DAYS_MAX: i32 = 62;

/// What a day comes to, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Figures {
    pub passages: i64,
    pub gross: i64,
    pub adjustment: i64,
    pub fee: i64,
    pub vat: i64,
    pub cash: i64,
}

impl Figures {
    /// What is owed to the operator.
    pub(crate) const fn net(&self) -> i64 {
        self.gross + self.adjustment - self.fee - self.vat
    }
}

/// An operator's settlement day.
pub(crate) struct DayRow {
    pub operator: String,
    pub operator_name: String,
    pub currency: String,
    pub zone: String,
    pub day: BusinessDate,
    pub life: Life,
    pub closed_at: Option<Timestamp>,
    pub early_reason: Option<String>,
    pub proposed_by: Option<String>,
    pub approved_by: Option<String>,
    /// Lanes whose numbers have a gap at this moment, or whose receipts are on their way.
    pub lanes_behind: u64,
    pub open_cases: u64,
    pub figures: Figures,
    /// Whether the figures are a statement's.
    pub is_stated: bool,
}

#[derive(sqlx::FromRow)]
struct BaseRow {
    operator: String,
    operator_name: String,
    currency: String,
    zone: String,
    day: Date,
    state: String,
    closed_at: Option<OffsetDateTime>,
    early_reason: Option<String>,
    lanes_behind: i64,
}

#[derive(sqlx::FromRow)]
struct WindowRow {
    operator: String,
    day: Date,
    state: String,
    proposed_by: Option<String>,
    approved_by: Option<String>,
    open_cases: i64,
}

#[derive(sqlx::FromRow)]
struct FiguresRow {
    operator: String,
    day: Date,
    #[sqlx(flatten)]
    figures: Figures,
}

type Key = (String, Date);

/// The settlement days of a scope, newest first, operators in order of their names; or one of them.
pub(crate) async fn days(
    books: &Books,
    scope: &Scope,
    only: Option<BusinessDate>,
) -> Result<Vec<DayRow>, BooksError> {
    let only = only.map(day_to_sql);
    let base: Vec<BaseRow> = in_time(
        sqlx::query_as(
            "select d.operator, o.name as operator_name, o.currency::text as currency, o.zone,
                    d.day, d.state, d.closed_at, d.early_reason, coalesce(b.lanes, 0) as lanes_behind
             from settlement_day d
             join operator o using (operator)
             left join (select l.operator, count(distinct e.lane) as lanes
                        from lane_epoch e join lane l using (lane)
                        where e.posted_upto <> e.last_seq group by l.operator) b using (operator)
             where (d.day = $3 or $3 is null and d.day > (select max(day) from settlement_day) - $1)
               and ($2::text is null or d.operator = $2)
             order by d.day desc, o.name",
        )
        .bind(DAYS_MAX)
        .bind(scope.operator())
        .bind(only)
        .fetch_all(books.pool()?),
    )
    .await?;
    let (mut windows, stated) = if has_settlement(books).await? {
        (windows(books, only).await?, stated(books, only).await?)
    } else {
        (HashMap::new(), HashMap::new())
    };
    let unstated: Vec<Key> = base
        .iter()
        .map(|row| (row.operator.clone(), row.day))
        .filter(|key| !stated.contains_key(key))
        .collect();
    let so_far = so_far(books, unstated).await?;
    base.into_iter()
        .map(|row| {
            let key = (row.operator.clone(), row.day);
            let window = windows.remove(&key);
            let figures = stated.get(&key).or_else(|| so_far.get(&key));
            row.into_day(window, figures.copied().unwrap_or_default(), stated.contains_key(&key))
        })
        .collect()
}

impl BaseRow {
    fn into_day(
        self,
        window: Option<WindowRow>,
        figures: Figures,
        is_stated: bool,
    ) -> Result<DayRow, BooksError> {
        let life = window.as_ref().map_or(self.state.as_str(), |window| window.state.as_str());
        let life = life.parse().or(Err(BooksError::Shape { what: "state of a settlement day" }))?;
        let open_cases = window.as_ref().map_or(0, |window| window.open_cases.unsigned_abs());
        let (proposed_by, approved_by) =
            window.map_or((None, None), |window| (window.proposed_by, window.approved_by));
        Ok(DayRow {
            operator: self.operator,
            operator_name: self.operator_name,
            currency: self.currency,
            zone: self.zone,
            day: day_from_sql(self.day),
            life,
            closed_at: self.closed_at.map(from_sql),
            early_reason: self.early_reason,
            proposed_by,
            approved_by,
            lanes_behind: self.lanes_behind.unsigned_abs(),
            open_cases,
            figures,
            is_stated,
        })
    }
}

/// Whether settlement has its tables yet: they come with its first run.
pub(crate) async fn has_settlement(books: &Books) -> Result<bool, BooksError> {
    in_time(
        sqlx::query_scalar("select to_regclass('settlement_case_v1') is not null")
            .fetch_one(books.pool()?),
    )
    .await
}

async fn windows(books: &Books, only: Option<Date>) -> Result<HashMap<Key, WindowRow>, BooksError> {
    let rows: Vec<WindowRow> = in_time(
        sqlx::query_as(
            "select w.operator, w.day, w.state, w.proposed_by, w.approved_by,
                    coalesce(c.cases, 0) as open_cases
             from window_v1 w
             left join (select operator, day, count(*) as cases from settlement_case_v1
                        where state <> 'settled' group by operator, day) c using (operator, day)
             where (w.day = $2 or $2 is null and w.day > (select max(day) from settlement_day) - $1)",
        )
        .bind(DAYS_MAX)
        .bind(only)
        .fetch_all(books.pool()?),
    )
    .await?;
    Ok(rows.into_iter().map(|row| ((row.operator.clone(), row.day), row)).collect())
}

async fn stated(books: &Books, only: Option<Date>) -> Result<HashMap<Key, Figures>, BooksError> {
    let rows: Vec<FiguresRow> = in_time(
        sqlx::query_as(
            "select operator, day, passages, gross, adjustment, fee, vat, cash from statement
             where revision = 1
               and (day = $2 or $2 is null and day > (select max(day) from settlement_day) - $1)",
        )
        .bind(DAYS_MAX)
        .bind(only)
        .fetch_all(books.pool()?),
    )
    .await?;
    Ok(rows.into_iter().map(|row| ((row.operator, row.day), row.figures)).collect())
}

/// What days come to so far, by their batches.
async fn so_far(books: &Books, days: Vec<Key>) -> Result<HashMap<Key, Figures>, BooksError> {
    let (operators, days): (Vec<String>, Vec<Date>) = days.into_iter().unzip();
    let rows: Vec<FiguresRow> = in_time(
        sqlx::query_as(
            "select o.operator, s.day, sum(s.passages)::bigint as passages,
                    coalesce(sum(s.amount) filter (where a.kind = 'payable'), 0)::bigint as gross,
                    0::bigint as adjustment,
                    round(coalesce(sum(s.amount) filter (where a.kind = 'payable'), 0)
                          * o.fee_share)::bigint as fee,
                    0::bigint as vat,
                    coalesce(sum(s.amount) filter (where a.kind = 'cash-toll'), 0)::bigint as cash
             from unnest($1::text[], $2::date[]) as asked (operator, day)
             join operator o using (operator)
             join batch_sum s on s.operator_no = o.operator_no and s.day = asked.day
             join ledger_account a using (ledger_account)
             where a.kind in ('payable', 'cash-toll')
             group by o.operator, o.fee_share, s.day",
        )
        .bind(operators)
        .bind(days)
        .fetch_all(books.pool()?),
    )
    .await?;
    Ok(rows.into_iter().map(|row| ((row.operator, row.day), row.figures)).collect())
}
