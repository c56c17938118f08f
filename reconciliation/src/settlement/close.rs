//! Closing: every day of every operator up to a date, each sealed and then stated.

use clearing_house::ledger::{LedgerAccountKey, NewTransfer, TransferKind, post_in_tx};
use clearing_house::sql::{from_sql, to_sql};
use domain::signature::SecretKey;
use domain::time::SettlementCalendar;
use domain::{BusinessDate, Clock, Currency, OperatorId, Timestamp};
use sqlx::{PgConnection, PgPool};

use super::holes::{self, Looked};
use super::repo::{self, DayState, Operator};
use super::{Refusal, SettlementError, Sheet, completeness, figures, proof};
use crate::approval::{ApprovalError, HoleDecision, Person, accepted_holes, propose_in_tx};
use crate::contract::repo::fee_terms;
use crate::manifest::{standing, told};
use crate::money::Signed;
use crate::statement::{Header, Paper, Position, Statement, Totals};
use crate::window::repo::{change_in_tx, hold, state};
use crate::window::{Actor, Event, State, Window};

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
    /// It stays as it is, for these reasons.
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
    close_through_by(pool, through, today, key, None).await
}

/// The same on the word of a person, who thereby proposes the settlements for approval.
///
/// # Errors
/// As [`close_through`].
pub async fn close_through_by(
    pool: &PgPool,
    through: BusinessDate,
    today: Today<'_>,
    key: &SecretKey,
    maker: Option<&Person>,
) -> Result<Vec<DayClose>, SettlementError> {
    let mut closes = Vec::new();
    for operator in repo::operators(pool).await? {
        // Before the day is held: this may take its time, and what agrees once agrees for good.
        told::check(pool, &operator.operator, through, today.clock.now()).await?;
        let days = repo::days_through(pool, &operator.operator, through).await?;
        let mut in_the_way = None;
        for day in days.to_close {
            let outcome = match in_the_way {
                Some(day) => Outcome::Refused(vec![Refusal::EarlierDay { day }]),
                None => close_day(pool, &operator, day, today, key, maker).await?,
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
    maker: Option<&Person>,
) -> Result<Outcome, SettlementError> {
    let window = Window::new(operator.operator.clone(), day);
    let actor = maker.map_or(Actor::Program, |maker| Actor::Person(maker.clone()));
    if let Some(refusals) = seal(pool, operator, &window, today, &actor).await? {
        return Ok(Outcome::Refused(refusals));
    }
    state_day(pool, operator, &window, key, (&actor, maker)).await
}

/// Ends a day that is over and complete. Returns what stands in the way, if anything does.
async fn seal(
    pool: &PgPool,
    operator: &Operator,
    window: &Window,
    today: Today<'_>,
    actor: &Actor,
) -> Result<Option<Vec<Refusal>>, SettlementError> {
    let calendar = operator.calendar()?;
    let Window { operator: id, day } = window;
    // Before the day is held: nobody waits for this, however many days there are.
    let looked = holes::look(pool, id).await?;
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to seal a day"))?;
    hold(&mut tx, window).await?;
    if repo::take_day(&mut tx, id, *day).await? == DayState::Closed {
        return Ok(None);
    }
    // Only now: whatever fell into the day is committed, and nothing more can fall into it.
    let now = from_sql(to_sql(today.clock.now()));
    let early_reason = match calendar.day_of(now) {
        current if current > *day => None,
        current => match today.early_reason {
            Some(reason) => Some(reason),
            None => return Ok(Some(vec![Refusal::NotOver { today: current }])),
        },
    };
    // The lanes cannot tell of a day that is not over.
    let tells = early_reason.is_none().then_some(now);
    let since = (looked, calendar.day_of(now));
    let refusals = obstacles_in_tx(&mut tx, window, &calendar, since, tells).await?;
    if !refusals.is_empty() {
        return Ok(Some(refusals));
    }
    // The clocks of two processes differ a little; the day ends after the last thing in it.
    let last = repo::last_posting(&mut tx, id, *day).await?;
    let closed_at = last.map_or(now, |last| last.max(now));
    repo::seal(&mut tx, id, *day, closed_at, early_reason).await?;
    change_in_tx(&mut tx, window, Event::Seal, actor, closed_at, early_reason).await?;
    tx.commit().await.map_err(SettlementError::database("commit a sealed day"))?;
    Ok(None)
}

async fn obstacles_in_tx(
    tx: &mut PgConnection,
    window: &Window,
    calendar: &SettlementCalendar,
    (looked, today): (Looked, BusinessDate),
    tells: Option<Timestamp>,
) -> Result<Vec<Refusal>, SettlementError> {
    let id = &window.operator;
    let journals = repo::journals_behind(tx, id).await?;
    let holes = holes::now(tx, looked, (window.day, today), &journals).await?;
    let pending = repo::pending(tx, id).await?;
    let mut found = completeness::obstacles(window.day, calendar, &journals, &holes, &pending);
    if let Some(now) = tells {
        let journals = told::journals_of_day(&mut *tx, id, window.day).await?;
        found.extend(standing::obstacles(window.day, calendar, &journals, now));
    }
    let accepted: Vec<HoleDecision> = accepted_holes(tx, id)
        .await?
        .into_iter()
        .filter(|accepted| accepted.window.day <= window.day)
        .map(|accepted| accepted.decision)
        .collect();
    Ok(completeness::without_accepted(found, &accepted))
}

/// Counts and proves a sealed day, and writes what it came to; whoever comes second finds it done.
async fn state_day(
    pool: &PgPool,
    operator: &Operator,
    window: &Window,
    key: &SecretKey,
    (actor, maker): (&Actor, Option<&Person>),
) -> Result<Outcome, SettlementError> {
    let Window { operator: id, day } = window;
    if state(pool, window).await?.0 > State::Closing {
        return Ok(Outcome::ClosedBefore);
    }
    // Before anything is held: a sealed day changes no more, and counting it takes its time.
    let sheet = Sheet::read(pool, id, *day).await?;
    let mut tx = pool.begin().await.map_err(SettlementError::database("begin to state a day"))?;
    hold(&mut tx, window).await?;
    if state(&mut *tx, window).await?.0 > State::Closing {
        return Ok(Outcome::ClosedBefore);
    }
    let differences =
        proof::differences(&sheet.counted_from_charges()?, &sheet.counted_from_ledger()?);
    if !differences.is_empty() {
        return Ok(Outcome::Refused(differences.into_iter().map(Refusal::NotProven).collect()));
    }
    let (closed_at, early_reason) = repo::sealed(&mut tx, id, *day).await?;
    let header = Header {
        operator: id.clone(),
        operator_name: operator.name.clone(),
        day: *day,
        currency: operator.currency,
        fee_share: operator.fee_share,
        terms: fee_terms(&mut tx, window).await?,
        issued_at: closed_at,
        early_reason,
    };
    let figures = figures(&mut tx, id, *day, &sheet).await?;
    let statement = Statement::try_new(header, figures)?;
    let paper = Paper::try_sign(&statement, key)?;
    post_in_tx(&mut tx, &fees(&statement, closed_at)).await?;
    repo::state_in_tx(&mut tx, &statement, &paper).await?;
    change_in_tx(&mut tx, window, Event::State, actor, closed_at, None).await?;
    if let Some(maker) = maker {
        propose_in_tx(&mut tx, window, maker, closed_at).await.map_err(|error| match error {
            ApprovalError::Books(error) => error,
            // A day that is stated just now was never proposed before.
            other => SettlementError::Stored { what: "proposal", text: other.to_string() },
        })?;
    }
    tx.commit().await.map_err(SettlementError::database("commit a closed day"))?;
    Ok(Outcome::Closed { totals: statement.totals, currency: statement.currency })
}

/// The fee each issuer keeps and the tax on it, taken from what it owes the operator, or given back.
fn fees(statement: &Statement, posted_at: Timestamp) -> Vec<NewTransfer> {
    let (operator, day) = (&statement.operator, statement.day);
    let transfer = |position: &Position, sum: Signed, kept: LedgerAccountKey, name: &str| {
        let issuer = position.issuer.clone();
        let owed = LedgerAccountKey::Payable { issuer, operator: operator.clone() };
        let (debit, credit, amount) = match (sum.above_zero(), sum.below_zero()) {
            (Some(amount), _) => (owed, kept, amount),
            (None, Some(amount)) => (kept, owed, amount),
            (None, None) => return None,
        };
        Some(NewTransfer {
            kind: TransferKind::Fee,
            debit,
            credit,
            amount,
            operator: Some(operator.clone()),
            day,
            posted_at,
            passage: None,
            reference: Some(format!("{name}/{operator}/{day}/{}", position.issuer)),
        })
    };
    let of = |position: &Position| {
        let (fee, vat) = (
            LedgerAccountKey::Fee(position.issuer.clone()),
            LedgerAccountKey::Vat(position.issuer.clone()),
        );
        [transfer(position, position.fee, fee, "fee"), transfer(position, position.vat, vat, "vat")]
    };
    statement.issuers.iter().flat_map(of).flatten().collect()
}
