//! Closing: every open day of every operator up to a date, each in one transaction.

use clearing_house::ledger::{LedgerAccountKey, NewTransfer, TransferKind, post_in_tx};
use clearing_house::sql::{from_sql, to_sql};
use domain::signature::SecretKey;
use domain::time::SettlementCalendar;
use domain::{BusinessDate, Clock, Currency, OperatorId, Timestamp};
use sqlx::{PgConnection, PgPool};

use super::repo::{self, DayState, Operator};
use super::{Refusal, SettlementError, completeness, figures, proof};
use crate::statement::{Header, Paper, Statement, Totals};

/// What became of one operator's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayClose {
    /// The operator.
    pub operator: OperatorId,
    /// The settlement day.
    pub day: BusinessDate,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a day that was to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was closed now.
    Closed {
        /// What it came to.
        totals: Totals,
        /// In which currency.
        currency: Currency,
    },
    /// It was closed before, and nothing was changed.
    ClosedBefore,
    /// It stays open, for these reasons.
    Refused(Vec<Refusal>),
}

/// When a close is made, and on whose word.
#[derive(Debug, Clone, Copy)]
pub struct Today<'a> {
    /// The run's clock.
    pub clock: &'a Clock,
    /// Why days are closed that are not over, if they are to be.
    pub early_reason: Option<&'a str>,
}

/// Closes every open day with charges up to `through`, operator by operator, the oldest first.
///
/// A day that is refused keeps the operator's later days open: they are closed in order.
///
/// # Errors
/// When the database fails or the books hold what they cannot hold; days closed before stay closed.
pub async fn close_through(
    pool: &PgPool,
    through: BusinessDate,
    today: Today<'_>,
    key: &SecretKey,
) -> Result<Vec<DayClose>, SettlementError> {
    let mut closes = Vec::new();
    for operator in repo::operators(pool).await? {
        let days = repo::days_through(pool, &operator.operator, through).await?;
        let mut in_the_way = None;
        for day in days.open {
            let outcome = match in_the_way {
                Some(day) => Outcome::Refused(vec![Refusal::EarlierDay { day }]),
                None => close_day(pool, &operator, day, today, key).await?,
            };
            if let (Outcome::Refused(_), None) = (&outcome, in_the_way) {
                in_the_way = Some(day);
            }
            closes.push(DayClose { operator: operator.operator.clone(), day, outcome });
        }
        closes.extend(days.last_closed.map(|day| DayClose {
            operator: operator.operator.clone(),
            day,
            outcome: Outcome::ClosedBefore,
        }));
    }
    closes.sort_by(|a, b| (&a.operator, a.day).cmp(&(&b.operator, b.day)));
    Ok(closes)
}

async fn close_day(
    pool: &PgPool,
    operator: &Operator,
    day: BusinessDate,
    today: Today<'_>,
    key: &SecretKey,
) -> Result<Outcome, SettlementError> {
    let calendar =
        SettlementCalendar::try_new(&operator.zone, &operator.cut_off).map_err(|source| {
            SettlementError::Calendar { operator: operator.operator.to_string(), source }
        })?;
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to close a day"))?;
    if repo::take_day(&mut tx, &operator.operator, day).await? == DayState::Closed {
        return Ok(Outcome::ClosedBefore);
    }
    // Only now: whatever fell into the day is committed, and nothing more can fall into it.
    let now = from_sql(to_sql(today.clock.now()));
    let early_reason = match calendar.day_of(now) {
        current if current > day => None,
        current => match today.early_reason {
            Some(reason) => Some(reason.to_owned()),
            None => return Ok(Outcome::Refused(vec![Refusal::NotOver { today: current }])),
        },
    };
    let refusals = obstacles_in_tx(&mut tx, operator, day, &calendar).await?;
    if !refusals.is_empty() {
        return Ok(Outcome::Refused(refusals));
    }
    // The clocks of two processes differ a little; the day ends after the last thing in it.
    let last = repo::last_posting(&mut tx, &operator.operator, day).await?;
    let closed_at = last.map_or(now, |last| last.max(now));
    let header = Header {
        operator: operator.operator.clone(),
        operator_name: operator.name.clone(),
        day,
        currency: operator.currency,
        fee_share: operator.fee_share,
        issued_at: closed_at,
        early_reason,
    };
    let figures = figures(&mut tx, &operator.operator, day).await?;
    let statement = Statement::try_new(header, figures)?;
    let paper = Paper::try_sign(&statement, key)?;
    post_in_tx(&mut tx, &fees(&statement, closed_at)).await?;
    repo::close_in_tx(&mut tx, &statement, &paper).await?;
    tx.commit().await.map_err(SettlementError::database("commit a closed day"))?;
    Ok(Outcome::Closed { totals: statement.totals, currency: statement.currency })
}

async fn obstacles_in_tx(
    tx: &mut PgConnection,
    operator: &Operator,
    day: BusinessDate,
    calendar: &SettlementCalendar,
) -> Result<Vec<Refusal>, SettlementError> {
    let id = &operator.operator;
    let journals = repo::journals(tx, id).await?;
    let holes = repo::holes(tx, id).await?;
    let pending = repo::pending(tx, id).await?;
    let mut refusals = completeness::obstacles(day, calendar, &journals, &holes, &pending);
    let charges = repo::counted_from_charges(tx, id, day).await?;
    let ledger = repo::counted_from_ledger(tx, id, day).await?;
    let differences = proof::differences(&charges, &ledger);
    refusals.extend(differences.into_iter().map(Refusal::NotProven));
    Ok(refusals)
}

/// The fee each issuer keeps, taken from what it owes the operator.
fn fees(statement: &Statement, posted_at: Timestamp) -> Vec<NewTransfer> {
    let (operator, day) = (&statement.operator, statement.day);
    let fee = |position: &crate::statement::Position| NewTransfer {
        kind: TransferKind::Fee,
        debit: LedgerAccountKey::Payable {
            issuer: position.issuer.clone(),
            operator: operator.clone(),
        },
        credit: LedgerAccountKey::Fee(position.issuer.clone()),
        amount: position.fee,
        operator: Some(operator.clone()),
        day,
        posted_at,
        passage: None,
        reference: Some(format!("fee/{operator}/{day}/{}", position.issuer)),
    };
    statement.issuers.iter().filter(|position| !position.fee.is_zero()).map(fee).collect()
}
