//! The SQL of payments.

use clearing_house::sql::{day_from_sql, day_to_sql, to_sql};
use domain::{Amount, BusinessDate, Currency, IssuerId, OperatorId, Timestamp};
use sqlx::PgConnection;
use sqlx::types::time::Date;

use super::pain::{Order, Party};
use super::{Booking, BookingKind, Due, Ordered, PaymentError};
use crate::money::Signed;
use crate::settlement::repo::parsed;
use crate::settlement::{SettlementError, stored_amount};
use crate::window::{State, Window};

type Result<T> = std::result::Result<T, SettlementError>;

/// One at a time: what two would pay is the same money.
pub(super) async fn hold_payments(tx: &mut PgConnection) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('payments', 0))")
        .execute(tx)
        .await
        .map_err(SettlementError::database("hold the payments"))?;
    Ok(())
}

pub(super) async fn approved_through(
    tx: &mut PgConnection,
    through: BusinessDate,
) -> Result<Vec<Window>> {
    let rows: Vec<(String, Date)> = sqlx::query_as(
        "select operator, day from window_v1 where state = 'approved' and day <= $1
         order by operator collate \"C\", day",
    )
    .bind(day_to_sql(through))
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read the approved windows"))?;
    rows.into_iter().map(window).collect()
}

fn window((operator, day): (String, Date)) -> Result<Window> {
    Ok(Window::new(parsed("operator", &operator)?, day_from_sql(day)))
}

/// The windows' positions that no payment holds, and those carried for their pairs: a payment that
/// came back holds none.
pub(super) async fn due(tx: &mut PgConnection, windows: &[Window]) -> Result<Vec<Due>> {
    let (operators, days): (Vec<&str>, Vec<Date>) =
        windows.iter().map(|window| (window.operator.as_str(), day_to_sql(window.day))).unzip();
    let rows: Vec<(String, Date, String, i64)> = sqlx::query_as(
        "with asked as (select * from unnest($1::text[], $2::date[]) as a (operator, day))
         select s.operator, s.day, s.issuer, s.net
         from settlement_position s
         where ((s.operator, s.day) in (select operator, day from asked)
                or exists (select from payment_carry c where c.operator = s.operator and c.day = s.day
                           and c.issuer = s.issuer))
           and s.net <> 0
           and not exists (select from payment_part t join payment_v1 p using (end_to_end)
                           where t.operator = s.operator and t.day = s.day and t.issuer = s.issuer
                             and not p.came_back)
         order by s.issuer, s.operator, s.day",
    )
    .bind(operators)
    .bind(days)
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read what is to be paid"))?;
    rows.into_iter()
        .map(|(operator, day, issuer, net)| {
            let window = window((operator, day))?;
            Ok(Due { window, issuer: parsed("issuer", &issuer)?, net: Signed::new(net) })
        })
        .collect()
}

pub(super) async fn carry(tx: &mut PgConnection, due: &[Due], now: Timestamp) -> Result<()> {
    for Due { window, issuer, net } in due {
        sqlx::query(
            "insert into payment_carry (operator, day, issuer, net, carried_at)
             values ($1, $2, $3, $4, $5) on conflict do nothing",
        )
        .bind(window.operator.as_str())
        .bind(day_to_sql(window.day))
        .bind(issuer.as_str())
        .bind(net.minor_units())
        .bind(to_sql(now))
        .execute(&mut *tx)
        .await
        .map_err(SettlementError::database("carry a position"))?;
    }
    Ok(())
}

pub(super) async fn next_order(tx: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar("select nextval(pg_get_serial_sequence('payment_order', 'payment_order'))")
        .fetch_one(tx)
        .await
        .map_err(SettlementError::database("number an order"))
}

pub(super) async fn bank_account(
    tx: &mut PgConnection,
    kind: &'static str,
    party: &str,
    on: BusinessDate,
) -> std::result::Result<Party, PaymentError> {
    let row: Option<(String, String, String)> = sqlx::query_as(
        "select holder, number, bic from bank_account
         where party_kind = $1 and party = $2 and valid_from <= $3
         order by valid_from desc limit 1",
    )
    .bind(kind)
    .bind(party)
    .bind(day_to_sql(on))
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read a bank account"))?;
    let (holder, number, bic) =
        row.ok_or_else(|| PaymentError::NoBankAccount { kind, party: party.to_owned() })?;
    Ok(Party::new(holder, number, bic))
}

pub(super) async fn currency(tx: &mut PgConnection, operator: &OperatorId) -> Result<Currency> {
    let currency: String =
        sqlx::query_scalar("select currency::text from operator where operator = $1")
            .bind(operator.as_str())
            .fetch_one(tx)
            .await
            .map_err(SettlementError::database("read an operator's currency"))?;
    parsed("currency", &currency)
}

pub(super) async fn insert_order(
    tx: &mut PgConnection,
    ordered: &Ordered,
    order: &Order,
    payments: &[(OperatorId, Amount, Vec<Due>)],
) -> Result<()> {
    let writing = || SettlementError::database("write a payment order");
    sqlx::query(
        "insert into payment_order (payment_order, issuer, currency, created_at, payments, total, document,
                                    execute_on)
         overriding system value values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(ordered.number)
    .bind(ordered.issuer.as_str())
    .bind(order.currency.to_string())
    .bind(to_sql(order.created_at))
    .bind(i32::try_from(ordered.payments).unwrap_or(i32::MAX))
    .bind(ordered.total.minor_units())
    .bind(&ordered.document)
    .bind(day_to_sql(order.execute_on))
    .execute(&mut *tx)
    .await
    .map_err(writing())?;
    for (payment, (operator, amount, due)) in order.payments.iter().zip(payments) {
        sqlx::query(
            "insert into payment (end_to_end, payment_order, issuer, operator, amount)
             values ($1, $2, $3, $4, $5)",
        )
        .bind(&payment.end_to_end)
        .bind(ordered.number)
        .bind(ordered.issuer.as_str())
        .bind(operator.as_str())
        .bind(amount.minor_units())
        .execute(&mut *tx)
        .await
        .map_err(writing())?;
        for Due { window, issuer, net } in due {
            sqlx::query(
                "insert into payment_part (end_to_end, operator, day, issuer, net)
                 values ($1, $2, $3, $4, $5)",
            )
            .bind(&payment.end_to_end)
            .bind(window.operator.as_str())
            .bind(day_to_sql(window.day))
            .bind(issuer.as_str())
            .bind(net.minor_units())
            .execute(&mut *tx)
            .await
            .map_err(writing())?;
        }
    }
    Ok(())
}

/// A payment as it was ordered, and what of it is booked.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) issuer: IssuerId,
    pub(super) operator: OperatorId,
    pub(super) amount: Amount,
    pub(super) paid: Signed,
    /// Whether all of it came back once: another payment stands for it.
    pub(super) came_back: bool,
}

pub(super) async fn payment(tx: &mut PgConnection, end_to_end: &str) -> Result<Option<Known>> {
    let row: Option<(String, String, i64, i64, bool)> = sqlx::query_as(
        "select issuer, operator, amount, paid - returned, came_back from payment_v1 where end_to_end = $1",
    )
    .bind(end_to_end)
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read a payment"))?;
    row.map(|(issuer, operator, amount, paid, came_back)| {
        Ok(Known {
            issuer: parsed("issuer", &issuer)?,
            operator: parsed("operator", &operator)?,
            amount: stored_amount(amount)?,
            paid: Signed::new(paid),
            came_back,
        })
    })
    .transpose()
}

/// A line of a bank's statement: for which payment, whether it is paid, how much, and when.
type Line = (String, bool, i64, Date);

fn booking((end_to_end, is_paid, amount, booked_on): Line, reference: &str) -> Result<Booking> {
    Ok(Booking {
        end_to_end,
        kind: if is_paid { BookingKind::Paid } else { BookingKind::Returned },
        amount: stored_amount(amount)?,
        booked_on: day_from_sql(booked_on),
        bank_reference: reference.to_owned(),
    })
}

pub(super) async fn booked(
    tx: &mut PgConnection,
    issuer: &IssuerId,
    reference: &str,
) -> Result<Option<Booking>> {
    let row: Option<Line> = sqlx::query_as(
        "select end_to_end, kind = 'paid', amount, booked_on from payment_booking
         where issuer = $1 and bank_reference = $2",
    )
    .bind(issuer.as_str())
    .bind(reference)
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read a booking"))?;
    row.map(|row| booking(row, reference)).transpose()
}

pub(super) async fn insert_booking(
    tx: &mut PgConnection,
    issuer: &IssuerId,
    booking: &Booking,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into payment_booking (end_to_end, issuer, kind, amount, booked_on, bank_reference, noted_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&booking.end_to_end)
    .bind(issuer.as_str())
    .bind(booking.kind.name())
    .bind(booking.amount.minor_units())
    .bind(day_to_sql(booking.booked_on))
    .bind(&booking.bank_reference)
    .bind(to_sql(now))
    .execute(tx)
    .await
    .map_err(SettlementError::database("write a booking"))?;
    Ok(())
}

/// The windows that a payment is for, and what they are now.
pub(super) async fn windows_of(
    tx: &mut PgConnection,
    end_to_end: &str,
) -> Result<Vec<(Window, State)>> {
    let rows: Vec<(String, Date, String)> = sqlx::query_as(
        "select t.operator, t.day, w.state from payment_part t join window_v1 w using (operator, day)
         where t.end_to_end = $1 order by t.day",
    )
    .bind(end_to_end)
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("read a payment's windows"))?;
    rows.into_iter()
        .map(|(operator, day, state)| Ok((window((operator, day))?, parsed("state", &state)?)))
        .collect()
}

pub(super) async fn note_came_back(
    tx: &mut PgConnection,
    end_to_end: &str,
    now: Timestamp,
) -> Result<()> {
    sqlx::query("insert into payment_came_back (end_to_end, came_back_at) values ($1, $2)")
        .bind(end_to_end)
        .bind(to_sql(now))
        .execute(tx)
        .await
        .map_err(SettlementError::database("note that a payment came back"))?;
    Ok(())
}

/// Whether a position of the window is neither carried nor booked to the last unit.
pub(super) async fn is_outstanding(tx: &mut PgConnection, window: &Window) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (
             select from settlement_position s
             where s.operator = $1 and s.day = $2 and s.net <> 0
               and not exists (select from payment_part t join payment_v1 p using (end_to_end)
                               where t.operator = s.operator and t.day = s.day and t.issuer = s.issuer
                                 and p.paid - p.returned >= p.amount and not p.came_back)
               and not exists (select from payment_carry c where c.operator = s.operator and c.day = s.day
                               and c.issuer = s.issuer))",
    )
    .bind(window.operator.as_str())
    .bind(day_to_sql(window.day))
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("look for what is outstanding"))
}

// Lines about payments that nobody ordered ---------------------------------------------------------

pub(super) async fn unknown(
    tx: &mut PgConnection,
    issuer: &IssuerId,
    reference: &str,
) -> Result<Option<Booking>> {
    let row: Option<Line> = sqlx::query_as(
        "select named, kind = 'paid', amount, booked_on from bank_line_unknown
         where issuer = $1 and bank_reference = $2",
    )
    .bind(issuer.as_str())
    .bind(reference)
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("read a line that was kept"))?;
    row.map(|row| booking(row, reference)).transpose()
}

pub(super) async fn insert_unknown(
    tx: &mut PgConnection,
    issuer: &IssuerId,
    booking: &Booking,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into bank_line_unknown (issuer, bank_reference, named, kind, amount, booked_on, noted_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(issuer.as_str())
    .bind(&booking.bank_reference)
    .bind(&booking.end_to_end)
    .bind(booking.kind.name())
    .bind(booking.amount.minor_units())
    .bind(day_to_sql(booking.booked_on))
    .bind(to_sql(now))
    .execute(tx)
    .await
    .map_err(SettlementError::database("keep a line"))?;
    Ok(())
}

/// The window that a line of this amount is most likely about: of a payment that lacks it, or else of
/// the last one the issuer was told to make.
pub(super) async fn likely_window(
    tx: &mut PgConnection,
    issuer: &IssuerId,
    amount: Amount,
) -> Result<Option<Window>> {
    let row: Option<(String, Date)> = sqlx::query_as(
        "select t.operator, t.day from payment_v1 p join payment_part t using (end_to_end)
         where p.issuer = $1
         order by p.amount - p.paid + p.returned <> $2, p.payment_order desc, t.operator, t.day limit 1",
    )
    .bind(issuer.as_str())
    .bind(amount.minor_units())
    .fetch_optional(tx)
    .await
    .map_err(SettlementError::database("look for what a line is about"))?;
    row.map(window).transpose()
}

/// The payments of an issuer of which this much is not booked.
pub(super) async fn unbooked(
    tx: &mut PgConnection,
    issuer: &IssuerId,
    amount: Amount,
) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "select end_to_end from payment_v1
         where issuer = $1 and amount - paid + returned = $2 and not came_back order by end_to_end",
    )
    .bind(issuer.as_str())
    .bind(amount.minor_units())
    .fetch_all(tx)
    .await
    .map_err(SettlementError::database("look for payments that are not booked"))
}

pub(super) async fn is_put_right(tx: &mut PgConnection, end_to_end: &str) -> Result<bool> {
    sqlx::query_scalar(
        "select coalesce(bool_and(p.paid - p.returned = case when p.came_back then 0 else p.amount end), false)
                and not exists (
                    select from payment_part t
                    where t.end_to_end = $1
                      and not exists (select from payment_part o join payment_v1 q using (end_to_end)
                                      where o.operator = t.operator and o.day = t.day and o.issuer = t.issuer
                                        and not q.came_back and q.paid - q.returned = q.amount)
                      -- Or it came back, and its pair owes nothing for now: it waits for their next payment.
                      and not exists (select from payment_carry c join payment_came_back b on b.end_to_end = $1
                                      where c.operator = t.operator and c.day = t.day and c.issuer = t.issuer
                                        and c.carried_at >= b.came_back_at))
         from payment_v1 p where p.end_to_end = $1",
    )
    .bind(end_to_end)
    .fetch_one(tx)
    .await
    .map_err(SettlementError::database("look whether a payment is put right"))
}

/// A payment that the bank has not booked at all.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) end_to_end: String,
    pub(crate) issuer: IssuerId,
    pub(crate) window: Window,
    pub(crate) amount: Amount,
    pub(crate) execute_on: BusinessDate,
}

/// The payments of which no bank has shown anything, with the first day each is for.
pub(crate) async fn waiting(pool: &sqlx::PgPool) -> Result<Vec<Waiting>> {
    let rows: Vec<(String, String, String, Date, i64, Date)> = sqlx::query_as(
        "select p.end_to_end, p.issuer, p.operator, min(t.day), p.amount, p.execute_on
         from payment_v1 p join payment_part t using (end_to_end)
         where p.paid = 0 and p.execute_on is not null
         group by p.end_to_end, p.issuer, p.operator, p.amount, p.execute_on
         order by p.end_to_end",
    )
    .fetch_all(pool)
    .await
    .map_err(SettlementError::database("look for payments that wait"))?;
    rows.into_iter()
        .map(|(end_to_end, issuer, operator, day, amount, execute_on)| {
            Ok(Waiting {
                end_to_end,
                issuer: parsed("issuer", &issuer)?,
                window: window((operator, day))?,
                amount: stored_amount(amount)?,
                execute_on: day_from_sql(execute_on),
            })
        })
        .collect()
}
