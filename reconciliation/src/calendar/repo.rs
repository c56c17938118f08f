//! The SQL of deadlines, and putting the duties together.

use std::collections::{BTreeMap, BTreeSet};

use clearing_house::sql::{day_from_sql, day_to_sql, from_sql};
use domain::time::SettlementCalendar;
use domain::{BusinessDate, IssuerId, OperatorId, Timestamp};
use jiff::ToSpan as _;
use sqlx::PgPool;
use sqlx::types::time::{Date, OffsetDateTime};

use super::{BankCalendar, Deadlines, Duty, Item, OnHoliday, Standing};
use crate::settlement::SettlementError;
use crate::settlement::repo::{number, operators, parsed};
use crate::window::Window;

type Result<T> = std::result::Result<T, SettlementError>;
type Pair = (OperatorId, IssuerId);

/// A contract's deadlines from a day on, and whose bank holidays count.
type Terms = BTreeMap<Pair, BTreeMap<BusinessDate, (Deadlines, String)>>;

/// Every duty that follows from days stated since `since`, soonest due first.
///
/// # Errors
/// When the database fails, or an operator's calendar is none.
pub async fn items(pool: &PgPool, since: BusinessDate, now: Timestamp) -> Result<Vec<Item>> {
    let (terms, banks) = (terms(pool).await?, bank_calendars(pool).await?);
    let agreed = agreed(pool).await?;
    let mut calendars = BTreeMap::new();
    for operator in operators(pool).await? {
        let calendar = SettlementCalendar::try_new(&operator.zone, &operator.cut_off);
        let calendar = calendar.map_err(calendar_of(&operator.operator))?;
        calendars.insert(operator.operator, calendar);
    }
    let mut items = Vec::new();
    let mut periods: BTreeSet<(Pair, Duty)> = BTreeSet::new();
    let mut add = |pair: &Pair, duty: Duty, day: BusinessDate, met| {
        let (operator, issuer) = pair.clone();
        let in_force = terms.get(pair).and_then(|from| from.range(..=day).next_back());
        let (deadlines, banks_of) =
            in_force.map_or_else(Default::default, |(_, terms)| terms.clone());
        let none = BankCalendar::default();
        let Some(calendar) = calendars.get(&operator) else { return Ok(()) };
        let due = duty
            .due(&deadlines, calendar, banks.get(&banks_of).unwrap_or(&none))
            .map_err(calendar_of(&operator))?;
        let standing = Standing::of(due, met, deadlines.warn_h, now);
        items.push(Item { operator, issuer, duty, due, standing });
        Ok::<_, SettlementError>(())
    };
    for (pair, day, paid_at) in transfers(pool, since).await? {
        add(&pair, Duty::Transfer(day), day, paid_at)?;
        let first = |date: jiff::civil::Date| BusinessDate::new(date);
        let date = day.date();
        periods.insert((pair.clone(), Duty::Month(first(date.first_of_month()))));
        periods.insert((pair, Duty::Year(first(date.first_of_year()))));
    }
    for (pair, duty) in periods {
        let (Duty::Transfer(day) | Duty::Month(day) | Duty::Year(day)) = duty;
        let met = agreed.get(&(pair.0.clone(), duty)).copied();
        add(&pair, duty, day, met)?;
    }
    items.sort_by(|a, b| {
        (a.due, &a.operator, &a.issuer, a.duty).cmp(&(b.due, &b.operator, &b.issuer, b.duty))
    });
    Ok(items)
}

/// By when banks have booked what they were to pay.
pub(crate) struct Banks {
    terms: Terms,
    calendars: BTreeMap<String, BankCalendar>,
}

impl Banks {
    /// As the contracts have it now.
    pub(crate) async fn of_contracts(pool: &PgPool) -> Result<Self> {
        Ok(Self { terms: terms(pool).await?, calendars: bank_calendars(pool).await? })
    }

    /// The last day on which a payment is booked in time: the bank day after the one it was for. Where
    /// a pair has no contract, the issuer's bank rests as in the contracts it has with others.
    pub(crate) fn booked_by(
        &self,
        window: &Window,
        issuer: &IssuerId,
        execute_on: BusinessDate,
    ) -> BusinessDate {
        let pair = (window.operator.clone(), issuer.clone());
        let in_force = |from: &BTreeMap<BusinessDate, (Deadlines, String)>| {
            from.range(..=window.day).next_back().map(|(_, (_, calendar))| calendar.clone())
        };
        let of_others = || {
            let others = self.terms.iter().filter(|((_, other), _)| other == issuer);
            others.filter_map(|(_, from)| in_force(from)).next()
        };
        let calendar = self.terms.get(&pair).and_then(in_force).or_else(of_others);
        let known = calendar.and_then(|calendar| self.calendars.get(&calendar));
        let none = BankCalendar::default();
        let banks = known.unwrap_or(&none);
        let paid = banks.bank_day_from(execute_on.date());
        BusinessDate::new(banks.bank_day_from(paid.saturating_add(1.day())))
    }
}

fn calendar_of(operator: &OperatorId) -> impl FnOnce(domain::time::TimeError) -> SettlementError {
    let operator = operator.to_string();
    move |source| SettlementError::Calendar { operator, source }
}

/// Every position with money to move, and when its window was paid.
async fn transfers(
    pool: &PgPool,
    since: BusinessDate,
) -> Result<Vec<(Pair, BusinessDate, Option<Timestamp>)>> {
    type Row = (String, String, Date, Option<OffsetDateTime>);
    let rows: Vec<Row> = sqlx::query_as(
        "select p.operator, p.issuer, p.day, w.paid_at
         from settlement_position p
         left join lateral (
             select case when bool_or(c.state = 'paid')
                          and (array_agg(c.state order by c.place desc))[1] in ('paid', 'matched')
                         then max(c.changed_at) filter (where c.state = 'paid') end as paid_at
             from window_change c where c.operator = p.operator and c.day = p.day) w on true
         where p.net > 0 and p.day >= $1
         order by p.day, p.operator, p.issuer",
    )
    .bind(day_to_sql(since))
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read what is to be paid"))?;
    rows.into_iter()
        .map(|(operator, issuer, day, paid_at)| {
            let pair = (parsed("operator", &operator)?, parsed("issuer", &issuer)?);
            Ok((pair, day_from_sql(day), paid_at.map(from_sql)))
        })
        .collect()
}

/// When each operator's months and years were approved by two people.
async fn agreed(pool: &PgPool) -> Result<BTreeMap<(OperatorId, Duty), Timestamp>> {
    let rows: Vec<(String, String, Date, OffsetDateTime)> = sqlx::query_as(
        "select p.operator, p.kind, p.day, a.approved_at from proposal p join approval a using (proposal)
         where p.kind in ('month', 'year') order by a.approved_at desc",
    )
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read the agreed periods"))?;
    rows.into_iter()
        .map(|(operator, kind, day, at)| {
            let date = day_from_sql(day).date();
            let duty = match kind.as_str() {
                "month" => Duty::Month(BusinessDate::new(date.first_of_month())),
                _ => Duty::Year(BusinessDate::new(date.first_of_year())),
            };
            Ok(((parsed("operator", &operator)?, duty), from_sql(at)))
        })
        .collect()
}

async fn terms(pool: &PgPool) -> Result<Terms> {
    type Row = (String, String, Date, i32, String, i32, i32, i32, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select operator, issuer, valid_from, pay_within_h, on_holiday, month_by_day, year_within_d, warn_h,
                calendar
         from contract",
    )
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("read the contracts' deadlines"))?;
    let mut terms = Terms::new();
    for (operator, issuer, from, pay_within_h, on_holiday, by_day, within_d, warn_h, banks) in rows
    {
        let deadlines = Deadlines {
            pay_within_h: number("hours", pay_within_h.into())?,
            on_holiday: match on_holiday.as_str() {
                "next-bank-day" => OnHoliday::NextBankDay,
                _ => OnHoliday::NoMatter,
            },
            month_by_day: number("day", by_day.into())?,
            year_within_d: number("days", within_d.into())?,
            warn_h: number("hours", warn_h.into())?,
        };
        let pair = (parsed("operator", &operator)?, parsed("issuer", &issuer)?);
        terms.entry(pair).or_default().insert(day_from_sql(from), (deadlines, banks));
    }
    Ok(terms)
}

async fn bank_calendars(pool: &PgPool) -> Result<BTreeMap<String, BankCalendar>> {
    let mut calendars: BTreeMap<String, BankCalendar> = BTreeMap::new();
    let weekends: Vec<(String, i32)> = sqlx::query_as("select calendar, weekday from bank_weekend")
        .fetch_all(pool)
        .await
        .map_err(SettlementError::database("read the banks' weekends"))?;
    for (calendar, weekday) in weekends {
        calendars.entry(calendar).or_default().weekend.insert(number("weekday", weekday.into())?);
    }
    let holidays: Vec<(String, Date, String)> =
        sqlx::query_as("select calendar, day, name from bank_calendar")
            .fetch_all(pool)
            .await
            .map_err(SettlementError::database("read the banks' holidays"))?;
    for (calendar, day, name) in holidays {
        calendars.entry(calendar).or_default().holidays.insert(day_from_sql(day), name);
    }
    Ok(calendars)
}
