//! Payments: what is approved and waits for its order, the orders with their files for the banks,
//! and what banks have booked of them.
//!
//! A maker orders what two people have approved, to the last unit: nobody types an amount that is to
//! be paid. A booking is a line of a bank's statement; one that is short or comes back opens a case.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use clearing_house::sql::{day_from_sql, from_sql};
use domain::{Amount, BusinessDate};
use reconciliation::cases::{self, finding};
use reconciliation::payment::{Booking, BookingKind, confirm, pay};
use reconciliation::window::Actor;
use serde::Deserialize;
use sqlx::types::time::{Date, OffsetDateTime};

use crate::access::{Role, Scope};
use crate::audit::Act;
use crate::books::{Books, BooksError, Purpose, in_time};
use crate::change::{Refused, change, person};
use crate::http::{App, problem};
use crate::language::Language;
use crate::page::{Page, Section, Visit};

use super::day::DoneForm;
use super::days_repo::has_settlement;
use super::{or_notice, respond};

/// How many payments the page has.
const PAYMENTS_MAX: i64 = 200;

#[derive(sqlx::FromRow)]
struct PaymentRow {
    end_to_end: String,
    payment_order: i64,
    issuer_name: String,
    operator_name: String,
    currency: String,
    created_at: OffsetDateTime,
    amount: i64,
    paid: i64,
    returned: i64,
    days: Vec<Date>,
    bookings: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct WaitingRow {
    operator: String,
    operator_name: String,
    day: Date,
    net: i64,
    currency: String,
}

struct PaymentLine {
    number: String,
    order: i64,
    issuer: String,
    operator: String,
    ordered_at: String,
    days: String,
    amount: String,
    is_open: bool,
    state: &'static str,
    bookings: String,
}

struct WaitingLine {
    operator: String,
    operator_id: String,
    day: String,
    net: String,
}

#[derive(Template)]
#[template(path = "payments.html")]
struct PaymentsPage {
    page: Page,
    done: Option<&'static str>,
    waiting: Vec<WaitingLine>,
    /// The last day that waits, and the day on which banks may be told to pay.
    through: String,
    execute_on: String,
    payments: Vec<PaymentLine>,
    may_order: bool,
}

async fn waiting(books: &Books, scope: &Scope) -> Result<Vec<WaitingRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select w.operator, o.name as operator_name, w.day, s.net,
                    o.currency::text as currency
             from window_v1 w
             join operator o using (operator)
             join statement s on s.operator = w.operator and s.day = w.day and s.revision = 1
             where w.state = 'approved' and ($1::text is null or w.operator = $1)
             order by w.day, o.name",
        )
        .bind(scope.operator())
        .fetch_all(books.pool()?),
    )
    .await
}

async fn payments(books: &Books, scope: &Scope) -> Result<Vec<PaymentRow>, BooksError> {
    in_time(
        sqlx::query_as(
            "select p.end_to_end, p.payment_order, i.name as issuer_name, o.name as operator_name,
                    p.currency::text as currency, p.created_at, p.amount, p.paid, p.returned,
                    coalesce(t.days, '{}') as days, coalesce(b.bookings, '{}') as bookings
             from payment_v1 p
             join issuer i using (issuer)
             join operator o using (operator)
             left join lateral (select array_agg(day order by day) as days from payment_part t
                                where t.end_to_end = p.end_to_end) t on true
             left join lateral (select array_agg(bank_reference order by payment_booking) as bookings
                                from payment_booking k where k.end_to_end = p.end_to_end) b on true
             where $1::text is null or p.operator = $1
             order by p.payment_order desc, p.end_to_end limit $2",
        )
        .bind(scope.operator())
        .bind(PAYMENTS_MAX)
        .fetch_all(books.pool()?),
    )
    .await
}

impl PaymentLine {
    fn new(row: &PaymentRow, app: &App, t: Language) -> Result<Self, BooksError> {
        let shape = BooksError::Shape { what: "currency of a payment" };
        let currency = row.currency.parse().or(Err(shape))?;
        let kept = row.paid - row.returned;
        let state = match kept {
            _ if row.returned > 0 && kept == 0 => t.payment_returned(),
            kept if kept >= row.amount => t.payment_booked(),
            0 => t.payment_ordered(),
            _ => t.payment_short(),
        };
        let days: Vec<String> = row.days.iter().map(|day| day_from_sql(*day).to_string()).collect();
        Ok(Self {
            number: row.end_to_end.clone(),
            order: row.payment_order,
            issuer: row.issuer_name.clone(),
            operator: row.operator_name.clone(),
            ordered_at: t.date_and_time(from_sql(row.created_at), &app.desk().zone()),
            days: days.join(", "),
            amount: t.money(row.amount, currency),
            is_open: kept < row.amount && row.returned == 0,
            state,
            bookings: row.bookings.join(", "),
        })
    }
}

/// What waits, what is ordered, and what is booked.
pub(crate) async fn payments_page(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Query(form): Query<DoneForm>,
) -> Response {
    let (t, scope) = (visit.t, visit.scope());
    let mut page = app.page(&visit, Section::Finance);
    let asking = async {
        if !has_settlement(app.books()).await? {
            return Ok((Vec::new(), Vec::new()));
        }
        Ok((waiting(app.books(), &scope).await?, payments(app.books(), &scope).await?))
    };
    let lines = asking.await.and_then(|(waiting, payments)| {
        let through = waiting.iter().map(|row: &WaitingRow| row.day).max().map(day_from_sql);
        let waits = |row: &WaitingRow| {
            let shape = BooksError::Shape { what: "currency of an operator" };
            Ok(WaitingLine {
                operator: row.operator_name.clone(),
                operator_id: row.operator.clone(),
                day: day_from_sql(row.day).to_string(),
                net: t.money(row.net, row.currency.parse().or(Err(shape))?),
            })
        };
        let waiting = waiting.iter().map(waits).collect::<Result<Vec<_>, BooksError>>()?;
        let payments = payments.iter().map(|row| PaymentLine::new(row, &app, t));
        Ok((through, waiting, payments.collect::<Result<Vec<_>, _>>()?))
    });
    let lines = or_notice(lines, &mut page, t);
    let whole = lines.is_some();
    let (through, waiting, payments) = lines.unwrap_or_default();
    let today = BusinessDate::new(app.clock().now().to_zoned(app.desk().zone()).date());
    let done = match form.done.as_str() {
        "ordered" => Some(t.done_ordered()),
        "nothing" => Some(t.done_nothing_to_pay()),
        "booked" => Some(t.done_booked()),
        _ => None,
    };
    let template = PaymentsPage {
        page,
        done,
        waiting,
        through: through.map(|day| day.to_string()).unwrap_or_default(),
        execute_on: today.to_string(),
        payments,
        // Orders are for banks, which know of no operator's scope.
        may_order: visit.roles().contains(&Role::FinanceMaker) && scope.operator().is_none(),
    };
    respond(whole, &template)
}

#[derive(Deserialize)]
pub(crate) struct OrderForm {
    #[serde(default)]
    through: String,
    #[serde(default)]
    execute_on: String,
}

/// Orders the payment of what is approved.
pub(crate) async fn order_payments(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<OrderForm>,
) -> Response {
    let t = visit.t;
    let days = (form.through.parse::<BusinessDate>(), form.execute_on.parse::<BusinessDate>());
    let ((Ok(through), Ok(execute_on)), Some(who)) = (days, person(&visit)) else {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.wrong_days());
    };
    if visit.scope().operator().is_some() {
        return problem(&app, &visit, StatusCode::NOT_FOUND, t.not_found());
    }
    let paying = async {
        let pool = app.books().pool_for(Purpose::Settlement)?;
        let now = app.clock().now();
        let made = pay(pool, through, execute_on, &Actor::Person(who), now).await;
        made.map_err(|error| Refused::of_payment(error, t))
    };
    let subject = format!("through {through}, on {execute_on}");
    match change((&app, &visit), (Act::Pay, subject), paying).await {
        Ok(made) => {
            let done = if made.is_empty() { "nothing" } else { "ordered" };
            Redirect::to(&format!("/finance/payments?done={done}")).into_response()
        }
        Err(answer) => answer,
    }
}

#[derive(Deserialize)]
pub(crate) struct BookingForm {
    #[serde(default)]
    end_to_end: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    booked_on: String,
    #[serde(default)]
    bank_reference: String,
}

impl BookingForm {
    fn booking(&self) -> Option<Booking> {
        let kind = match self.kind.as_str() {
            "paid" => BookingKind::Paid,
            "returned" => BookingKind::Returned,
            _ => return None,
        };
        let digits: String =
            self.amount.chars().filter(|c| !matches!(c, '.' | ',' | ' ' | '\u{a0}')).collect();
        let amount = Amount::try_new(digits.parse().ok()?).ok().filter(|one| !one.is_zero())?;
        let reference = self.bank_reference.trim();
        (!reference.is_empty() && reference.chars().count() <= 64).then_some(())?;
        Some(Booking {
            end_to_end: self.end_to_end.trim().to_owned(),
            kind,
            amount,
            booked_on: self.booked_on.parse().ok()?,
            bank_reference: reference.to_owned(),
        })
    }
}

/// Takes a line of a bank's statement.
pub(crate) async fn take_booking(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<BookingForm>,
) -> Response {
    let t = visit.t;
    let Some(booking) = form.booking().filter(|_| visit.scope().operator().is_none()) else {
        return problem(&app, &visit, StatusCode::UNPROCESSABLE_ENTITY, t.wrong_booking());
    };
    let taking = async {
        let pool = app.books().pool_for(Purpose::Settlement)?;
        let now = app.clock().now();
        let taken = confirm(pool, &booking, now).await;
        let confirmed = taken.map_err(|error| Refused::of_payment(error, t))?;
        if let Some(found) = finding::of_payment(&booking, &confirmed) {
            let opened = cases::open(pool, &found, &Actor::Program, now).await;
            opened.map_err(|error| Refused::of_case(error, t))?;
        }
        Ok(())
    };
    let subject = format!("{} {}", booking.end_to_end, booking.bank_reference);
    match change((&app, &visit), (Act::Confirm, subject), taking).await {
        Ok(()) => Redirect::to("/finance/payments?done=booked").into_response(),
        Err(answer) => answer,
    }
}

/// The file of an order, for the issuer's bank.
pub(crate) async fn payment_file(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<String>,
) -> Response {
    let missing = || problem(&app, &visit, StatusCode::NOT_FOUND, visit.t.not_found());
    // A file is for a bank and names every operator it pays.
    let Some(number) = number.parse::<i64>().ok().filter(|_| visit.scope().operator().is_none())
    else {
        return missing();
    };
    let asking = async {
        if !has_settlement(app.books()).await? {
            return Ok(None);
        }
        let asked =
            sqlx::query_as("select issuer, document from payment_order where payment_order = $1");
        in_time(asked.bind(number).fetch_optional(app.books().pool()?)).await
    };
    let document: Result<Option<(String, String)>, BooksError> = asking.await;
    match document {
        Ok(Some((issuer, document))) => {
            let name = format!("attachment; filename=\"payment-{issuer}-ETC{number:012}.xml\"");
            (
                [(header::CONTENT_TYPE, "application/xml"), (header::CONTENT_DISPOSITION, &name)],
                document,
            )
                .into_response()
        }
        Ok(None) => missing(),
        Err(_) => problem(&app, &visit, StatusCode::SERVICE_UNAVAILABLE, visit.t.books_away()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(kind: &str, amount: &str, on: &str, reference: &str) -> BookingForm {
        BookingForm {
            end_to_end: "ETC000000000001-0001".to_owned(),
            kind: kind.to_owned(),
            amount: amount.to_owned(),
            booked_on: on.to_owned(),
            bank_reference: reference.to_owned(),
        }
    }

    #[test]
    fn a_booking_is_read_with_the_thousands_as_people_write_them() {
        let booking = form("paid", "45.677", "2026-03-03", " B1 ").booking().unwrap();
        assert_eq!((booking.amount.minor_units(), booking.bank_reference.as_str()), (45_677, "B1"));
        for wrong in [
            form("gone", "1", "2026-03-03", "B1"),
            form("paid", "0", "2026-03-03", "B1"),
            form("paid", "-5", "2026-03-03", "B1"),
            form("paid", "", "2026-03-03", "B1"),
            form("paid", "1", "3/3/2026", "B1"),
            form("paid", "1", "2026-03-03", "  "),
        ] {
            assert_eq!(wrong.booking(), None);
        }
    }
}
