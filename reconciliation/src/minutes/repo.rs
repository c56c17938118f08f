//! The SQL of minutes.

use std::collections::BTreeMap;

use clearing_house::sql::{day_from_sql, day_to_sql, to_sql};
use domain::signature::{Digest256, Signature};
use domain::{Amount, BusinessDate, IssuerId, OperatorId, Timestamp};
use serde_json::Value;
use sqlx::types::time::Date;
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor};

use super::{Difference, Figure, Minutes, MinutesPaper, Party, Span};
use crate::money::Signed;
use crate::papers::period::Sum;
use crate::settlement::{SettlementError, stored_amount};

type Result<T> = std::result::Result<T, SettlementError>;

/// An operator and an issuer, by their names in the books.
pub(super) async fn names(
    executor: impl PgExecutor<'_>,
    operator: &OperatorId,
    issuer: &IssuerId,
) -> Result<Option<(String, String, String)>> {
    sqlx::query_as(
        "select o.name, i.name, o.currency::text from operator o, issuer i
         where o.operator = $1 and i.issuer = $2",
    )
    .bind(operator.as_str())
    .bind(issuer.as_str())
    .fetch_optional(executor)
    .await
    .map_err(SettlementError::database("read the parties' names"))
}

/// One at a time for a pair and span: each looks at what was made before.
pub(super) async fn hold(tx: &mut PgConnection, minutes: &Minutes) -> Result<()> {
    let key = format!("minutes/{}", minutes.name());
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(key)
        .execute(tx)
        .await
        .map_err(SettlementError::database("hold the minutes"))?;
    Ok(())
}

type Row = (String, Vec<u8>, Vec<u8>);

fn paper_of((canonical, digest, signature): Row) -> Result<MinutesPaper> {
    let signature = Signature::try_from_slice(&signature)
        .map_err(|error| SettlementError::Stored { what: "signature", text: error.to_string() })?;
    Ok(MinutesPaper::stored(canonical, digest_of(digest)?, signature))
}

fn digest_of(bytes: Vec<u8>) -> Result<Digest256> {
    let wrong = |other: Vec<u8>| SettlementError::Stored {
        what: "digest",
        text: format!("{} bytes", other.len()),
    };
    bytes.try_into().map(Digest256::new).map_err(wrong)
}

/// The last minutes of a pair and span, if there are any.
///
/// # Errors
/// When the database fails.
pub async fn minutes(
    executor: impl PgExecutor<'_>,
    operator: &OperatorId,
    with: &Party,
    span: Span,
) -> Result<Option<MinutesPaper>> {
    let row: Option<Row> = sqlx::query_as(
        "select canonical, digest, signature from minutes
         where operator = $1 and party_kind = $2 and issuer = $3 and span = $4
         order by revision desc limit 1",
    )
    .bind(operator.as_str())
    .bind(with.kind())
    .bind(with.issuer().as_str())
    .bind(span.to_string())
    .fetch_optional(executor)
    .await
    .map_err(SettlementError::database("read minutes"))?;
    row.map(paper_of).transpose()
}

/// The last minutes of each day of a pair, from a day to a day, in order.
pub(super) async fn of_days(
    executor: impl PgExecutor<'_>,
    operator: &OperatorId,
    with: &Party,
    span: Span,
) -> Result<Vec<(BusinessDate, MinutesPaper)>> {
    let rows: Vec<(Date, String, Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "select distinct on (first_day) first_day, canonical, digest, signature from minutes
         where operator = $1 and party_kind = $2 and issuer = $3 and first_day = last_day
           and first_day between $4 and $5
         order by first_day, revision desc",
    )
    .bind(operator.as_str())
    .bind(with.kind())
    .bind(with.issuer().as_str())
    .bind(day_to_sql(span.first()))
    .bind(day_to_sql(span.last()))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the days' minutes"))?;
    let day = |(day, canonical, digest, signature)| {
        Ok((day_from_sql(day), paper_of((canonical, digest, signature))?))
    };
    rows.into_iter().map(day).collect()
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    minutes: &Minutes,
    paper: &MinutesPaper,
) -> Result<()> {
    sqlx::query(
        "insert into minutes (operator, party_kind, issuer, span, first_day, last_day, revision,
                              canonical, digest, signature, issued_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(minutes.operator.as_str())
    .bind(minutes.with.kind())
    .bind(minutes.with.issuer().as_str())
    .bind(minutes.span.to_string())
    .bind(day_to_sql(minutes.span.first()))
    .bind(day_to_sql(minutes.span.last()))
    .bind(i32::try_from(minutes.revision).unwrap_or(i32::MAX))
    .bind(paper.canonical())
    .bind(&paper.digest().as_bytes()[..])
    .bind(&paper.signature().as_bytes()[..])
    .bind(to_sql(minutes.issued_at))
    .execute(tx)
    .await
    .map_err(SettlementError::database("keep the minutes"))?;
    Ok(())
}

// What is carried over ------------------------------------------------------------------------------

/// A pair's passages: what an issuer's accounts were charged by an operator.
const OF_PAIR: &str =
    "passage_v1 where operator = $1 and disposition = 'posted' and payer = 'account'
    and account in (select account from account where issuer = $2)";

/// Passages of a pair that passed on other days than they were settled with: of other days settled with
/// these, and of these days settled later. `until` is how far later ones are looked for.
pub(super) async fn late(
    executor: impl PgExecutor<'_>,
    (operator, issuer): (&OperatorId, &IssuerId),
    span: Span,
    (start, end): (Timestamp, Timestamp),
    until: BusinessDate,
) -> Result<[Figure; 2]> {
    let sql = format!(
        "with asked as (
             select day between $3 and $4 as settled, at >= $5 and at < $6 as passed, amount
             from {OF_PAIR} and day between $3 and $7)
         select count(*) filter (where settled and not passed),
                coalesce(sum(amount) filter (where settled and not passed), 0)::bigint,
                count(*) filter (where passed and not settled),
                coalesce(sum(amount) filter (where passed and not settled), 0)::bigint
         from asked"
    );
    let row: (i64, i64, i64, i64) = sqlx::query_as(AssertSqlSafe(sql))
        .bind(operator.as_str())
        .bind(issuer.as_str())
        .bind(day_to_sql(span.first()))
        .bind(day_to_sql(span.last()))
        .bind(to_sql(start))
        .bind(to_sql(end))
        .bind(day_to_sql(until))
        .fetch_one(executor)
        .await
        .map_err(SettlementError::database("count what came late"))?;
    let (before, of_before, after, of_after) = row;
    Ok([figure(before, of_before)?, figure(after, of_after)?])
}

/// What a pair's passages of each day come to, by when they passed: by the day's place in the span, from 0
/// on, their count and sum. `starts` are the days' beginnings; one is looked for in as many days after its
/// own as it may come late.
pub(super) async fn passed(
    executor: impl PgExecutor<'_>,
    (operator, issuer): (&OperatorId, &IssuerId),
    span: Span,
    (starts, end): (&[Timestamp], Timestamp),
    late_max_d: i64,
) -> Result<BTreeMap<i32, (u64, Amount)>> {
    let sql = format!(
        "with passed as (
             select width_bucket(at, $4::timestamptz[]) - 1 as place, day, amount
             from {OF_PAIR} and day >= $3 and day <= $6::date + $7::int4
               and at >= ($4::timestamptz[])[1] and at < $5)
         select place, count(*), sum(amount)::bigint from passed
         where day between $3::date + place and $3::date + place + $7::int4
         group by place"
    );
    let rows: Vec<(i32, i64, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(operator.as_str())
        .bind(issuer.as_str())
        .bind(day_to_sql(span.first()))
        .bind(starts.iter().map(|at| to_sql(*at)).collect::<Vec<_>>())
        .bind(to_sql(end))
        .bind(day_to_sql(span.last()))
        .bind(i32::try_from(late_max_d).unwrap_or(i32::MAX))
        .fetch_all(executor)
        .await
        .map_err(SettlementError::database("count what passed on each day"))?;
    let sum = |(place, records, units)| {
        let Figure { records, amount } = figure(records, units)?;
        Ok((place, (records, stored_amount(amount.minor_units())?)))
    };
    rows.into_iter().map(sum).collect()
}

fn figure(records: i64, units: i64) -> Result<Figure> {
    let records = u64::try_from(records)
        .map_err(|_wrong| SettlementError::Stored { what: "count", text: records.to_string() })?;
    Ok(Figure { records, amount: Signed::new(units) })
}

/// What is owed for the days and no bank's statement shows to the last unit.
pub(super) async fn not_booked(
    executor: impl PgExecutor<'_>,
    (operator, issuer): (&OperatorId, &IssuerId),
    span: Span,
) -> Result<Signed> {
    let units: i64 = sqlx::query_scalar(
        "select coalesce(sum(s.net), 0)::bigint from settlement_position s
         where s.operator = $1 and s.issuer = $2 and s.day between $3 and $4
           and not exists (select from payment_part t join payment_v1 p using (end_to_end)
                           where t.operator = s.operator and t.day = s.day and t.issuer = s.issuer
                             and p.paid - p.returned >= p.amount and not p.came_back)",
    )
    .bind(operator.as_str())
    .bind(issuer.as_str())
    .bind(day_to_sql(span.first()))
    .bind(day_to_sql(span.last()))
    .fetch_one(executor)
    .await
    .map_err(SettlementError::database("sum what is not booked"))?;
    Ok(Signed::new(units))
}

// Cases ---------------------------------------------------------------------------------------------

/// Cases as they stand now, by their codes.
pub(super) async fn cases(
    executor: impl PgExecutor<'_>,
    codes: &[String],
) -> Result<Vec<Difference>> {
    type Case =
        (String, String, String, Option<String>, Option<String>, i64, String, Option<String>);
    let rows: Vec<Case> = sqlx::query_as(
        "select code, kind, subject, ours, theirs, amount, state, outcome from settlement_case_v1
         where code = any($1) order by code collate \"C\"",
    )
    .bind(codes)
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the cases of the minutes"))?;
    let difference = |(case, kind, subject, ours, theirs, amount, state, outcome): Case| {
        let unread = |what, text: &str| SettlementError::Stored { what, text: text.to_owned() };
        Ok(Difference {
            case,
            kind: serde_json::from_value(Value::from(kind.as_str()))
                .map_err(|_wrong| unread("kind of case", &kind))?,
            subject,
            ours,
            theirs,
            amount: stored_amount(amount)?,
            settled: state == "settled",
            outcome: outcome
                .map(|text| serde_json::from_str(&text).map_err(|_wrong| unread("outcome", &text)))
                .transpose()?,
        })
    };
    rows.into_iter().map(difference).collect()
}

/// The codes of the cases about payments and lines of a bank.
pub(super) async fn bank_cases(
    executor: impl PgExecutor<'_>,
    operator: &OperatorId,
    payments: &[String],
    lines: &[String],
) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "select code from settlement_case
         where operator = $1 and kind like 'bank-%'
           and (split_part(subject, ' ', 1) = any($2) or subject = any($3))",
    )
    .bind(operator.as_str())
    .bind(payments)
    .bind(lines)
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("find the bank's cases"))
}

// Banks ---------------------------------------------------------------------------------------------

/// A payment, and what the bank's statements show of it.
pub(super) struct Payment {
    pub(super) end_to_end: String,
    pub(super) amount: Amount,
    /// How often it was booked as paid and as given back, and how much.
    pub(super) paid: Figure,
    pub(super) returned: Figure,
    pub(super) came_back: bool,
}

/// The payments of a pair that were to be made on some days.
pub(super) async fn payments(
    executor: impl PgExecutor<'_>,
    (operator, issuer): (&OperatorId, &IssuerId),
    span: Span,
) -> Result<Vec<Payment>> {
    let rows: Vec<(String, i64, i64, i64, i64, i64, bool)> = sqlx::query_as(
        "select p.end_to_end, p.amount, b.times, p.paid, b.times_back, p.returned, p.came_back
         from payment_v1 p
         cross join lateral (
             select count(*) filter (where kind = 'paid') as times,
                    count(*) filter (where kind = 'returned') as times_back
             from payment_booking k where k.end_to_end = p.end_to_end) b
         where p.operator = $1 and p.issuer = $2 and p.execute_on between $3 and $4
         order by p.end_to_end collate \"C\"",
    )
    .bind(operator.as_str())
    .bind(issuer.as_str())
    .bind(day_to_sql(span.first()))
    .bind(day_to_sql(span.last()))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the payments of the minutes"))?;
    let payment = |(end_to_end, amount, times, paid, times_back, returned, came_back)| {
        Ok(Payment {
            end_to_end,
            amount: stored_amount(amount)?,
            paid: figure(times, paid)?,
            returned: figure(times_back, returned)?,
            came_back,
        })
    };
    rows.into_iter().map(payment).collect()
}

/// What the payments that hold are for, and the statements behind it.
pub(super) async fn parts(
    executor: impl PgExecutor<'_>,
    payments: &[String],
) -> Result<(Sum, Vec<(BusinessDate, Digest256)>)> {
    type Part = (Date, i64, i64, i64, i64, i64, i64, Vec<u8>);
    let rows: Vec<Part> = sqlx::query_as(
        "select s.day, s.passages, s.gross, s.adjustment, s.fee, s.vat, s.net, p.digest
         from payment_part t
         join settlement_position s using (operator, day, issuer)
         join statement p on p.operator = s.operator and p.day = s.day and p.revision = 1
         where t.end_to_end = any($1) order by s.day",
    )
    .bind(payments)
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read what payments are for"))?;
    let (mut sum, mut days) = (Sum::default(), Vec::new());
    for (day, passages, gross, adjustment, fee, vat, net, digest) in rows {
        let [adjustment, fee, vat, net] = [adjustment, fee, vat, net].map(Signed::new);
        sum.passages += figure(passages, 0)?.records;
        sum.gross = sum.gross.plus(stored_amount(gross)?)?;
        sum.adjustment = sum.adjustment.plus(adjustment)?;
        sum.fee = sum.fee.plus(fee)?;
        sum.vat = sum.vat.plus(vat)?;
        sum.net = sum.net.plus(net)?;
        days.push((day_from_sql(day), digest_of(digest)?));
    }
    Ok((sum, days))
}

/// Lines of an issuer's bank that are about no payment of ours and are looked into for the operator:
/// reference, whether money came, and how much.
pub(super) async fn strange_lines(
    executor: impl PgExecutor<'_>,
    (operator, issuer): (&OperatorId, &IssuerId),
    span: Span,
) -> Result<Vec<(String, bool, Amount)>> {
    let rows: Vec<(String, bool, i64)> = sqlx::query_as(
        "select u.bank_reference, u.kind = 'paid', u.amount from bank_line_unknown u
         join settlement_case c on c.kind = 'bank-unknown' and c.operator = $1
              and c.subject = u.issuer || ' ' || u.bank_reference
         where u.issuer = $2 and u.booked_on between $3 and $4
           and not exists (select from payment_booking k
                           where k.issuer = u.issuer and k.bank_reference = u.bank_reference)
         order by u.bank_reference collate \"C\"",
    )
    .bind(operator.as_str())
    .bind(issuer.as_str())
    .bind(day_to_sql(span.first()))
    .bind(day_to_sql(span.last()))
    .fetch_all(executor)
    .await
    .map_err(SettlementError::database("read the bank's other lines"))?;
    rows.into_iter()
        .map(|(reference, paid, amount)| Ok((reference, paid, stored_amount(amount)?)))
        .collect()
}
