//! Writing a batch: everything that was computed, in as few statements as there are tables.
//!
//! Order inside the transaction: a number and a chain · settlement days that are open now · rows of
//! passages, charges and tolls · what few of them have · the exact bytes · trips and waits · sums of
//! the hot accounts, as rows of their own · the batch's hash · customers' balances, in the order of
//! the accounts. Balances come last because whoever shares a customer waits for them until the
//! commit. What is computed is computed before the first row is sent.

use std::collections::{BTreeMap, BTreeSet};

use domain::passage::Passage;
use domain::{Amount, BusinessDate, OperatorId, Timestamp};
use sqlx::PgConnection;

use super::examine::Genuine;
use super::post::{BooksError, failed, passages_failed};
use super::repo::batches::{self, INTO_POSTING, More, Posting};
use super::repo::copy::Rows;
use super::repo::evidence::{self, Witness};
use super::repo::journals::Place;
use super::repo::manners::{self, FareShown, Manner, Manners};
use super::repo::trips::{self, NewTrip, NewWait};
use super::repo::{days, storable};
use crate::ledger::{self, BalanceChange, ChartOfAccounts, HotSum, LedgerAccountKey, LedgerError};
use crate::rating::{Charge, Payer};

/// How a passage came to be written now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arrival<'a> {
    /// It came with this batch, with these bytes.
    Now(&'a [u8]),
    /// It came before, and has waited for its entry.
    Before,
}

/// A passage that is decided.
#[derive(Debug)]
pub(super) struct Decided<'a> {
    pub(super) place: Place,
    pub(super) operator_no: i32,
    pub(super) genuine: &'a Genuine,
    pub(super) arrival: Arrival<'a>,
    pub(super) charge: Charge,
    /// The ledger account of the customer who pays.
    pub(super) customer: Option<i64>,
    /// The settlement day it would fall into by its own time.
    pub(super) own_day: BusinessDate,
}

/// An exit that begins to wait for its entry.
#[derive(Debug)]
pub(super) struct Undecided<'a> {
    pub(super) place: Place,
    pub(super) operator_no: i32,
    pub(super) genuine: &'a Genuine,
    pub(super) passage: &'a Passage,
    pub(super) payload: &'a [u8],
    pub(super) until: Timestamp,
}

/// Numbers that never change once they are committed.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) manners: Manners,
    pub(super) chart: ChartOfAccounts,
}

/// What was written, once it is committed.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Customers whose balance crossed one of the marks.
    pub(super) changes: Vec<BalanceChange>,
    /// Numbers that were given.
    pub(super) learnt: Numbers,
}

/// A decided passage with everything its row needs but numbers.
struct Placed<'a> {
    decided: Decided<'a>,
    day: BusinessDate,
    manner: Manner,
    legs: Option<(Leg, LedgerAccountKey)>,
}

/// Which account a toll is taken from.
#[derive(Debug, Clone)]
enum Leg {
    Customer(i64),
    Hot(LedgerAccountKey),
}

/// Writes a batch within the caller's transaction.
pub(super) async fn write(
    tx: &mut PgConnection,
    mut decided: Vec<Decided<'_>>,
    undecided: &[Undecided<'_>],
    known: &Numbers,
    marks: &[i64],
    now: Timestamp,
) -> Result<Written, BooksError> {
    decided.sort_unstable_by_key(|one| one.place);
    let begun = batches::begin(tx).await?;
    let own_days: BTreeSet<(OperatorId, BusinessDate)> =
        decided.iter().map(|one| (one.genuine.id.lane.operator().clone(), one.own_day)).collect();
    let open = days::hold_open(tx, own_days).await?;
    let day_of = |one: &Decided<'_>| {
        let own = (one.genuine.id.lane.operator().clone(), one.own_day);
        open.get(&own).copied().unwrap_or(one.own_day)
    };
    let placed: Vec<Placed<'_>> = decided
        .into_iter()
        .map(|decided| {
            let day = day_of(&decided);
            place(decided, day)
        })
        .collect();
    let mut written = Written::default();
    let waits: Vec<Manner> = undecided.iter().map(manner_of_wait).collect();
    written.learnt.manners = number_manners(tx, &placed, &waits, known).await?;
    written.learnt.chart = number_accounts(tx, &placed, known).await?;

    let sheet = Sheet::of(&placed, known, &written.learnt, begun.batch)?;
    if !sheet.rows.is_empty() {
        sheet.rows.send(tx, INTO_POSTING).await.map_err(passages_failed)?;
    }
    batches::insert_more(tx, &more(&placed, undecided, begun.batch)).await?;
    evidence::write(tx, begun.batch, witnesses(&placed, undecided))
        .await
        .map_err(failed("store the bytes of passages"))?;
    trips::insert_trips(tx, &trips_of(&placed)).await?;
    let waits: Vec<NewWait<'_>> = undecided
        .iter()
        .zip(&waits)
        .map(|(one, manner)| new_wait(one, number(known, &written.learnt, manner)))
        .collect();
    trips::begin_waits(tx, begun.batch, &waits).await?;
    ledger::note_hot_in_tx(tx, begun.batch, &sheet.hot).await.map_err(BooksError::Ledger)?;
    begun.end(tx, &sheet.rows, (placed.len(), sheet.amount), now).await?;
    written.changes =
        ledger::add_in_tx(tx, &sheet.customers, Some(marks)).await.map_err(BooksError::Ledger)?;
    Ok(written)
}

fn place(decided: Decided<'_>, day: BusinessDate) -> Placed<'_> {
    let passage = decided.genuine.passage.as_deref();
    let charge = &decided.charge;
    let fare_shown = match (passage.and_then(|passage| passage.fare), decided.arrival) {
        (None, _) => FareShown::None,
        (Some(fare), Arrival::Now(_)) if fare == charge.amount => FareShown::Same,
        (Some(_), Arrival::Now(_) | Arrival::Before) => FareShown::Other,
    };
    let manner = Manner::of(passage, Some(charge), day != decided.own_day, fare_shown);
    let operator = decided.genuine.id.lane.operator();
    let legs = match (&charge.payer, decided.customer) {
        (Payer::Account { issuer, .. }, Some(customer)) => Some((
            Leg::Customer(customer),
            LedgerAccountKey::Payable { issuer: issuer.clone(), operator: operator.clone() },
        )),
        (Payer::Cash, _) => Some((
            Leg::Hot(LedgerAccountKey::Till(operator.clone())),
            LedgerAccountKey::CashToll(operator.clone()),
        )),
        (Payer::Account { .. }, None) | (Payer::Nobody, _) => None,
    };
    let legs = legs.filter(|_| !charge.amount.is_zero());
    Placed { decided, day, manner, legs }
}

fn manner_of_wait(one: &Undecided<'_>) -> Manner {
    let shown = one.passage.fare.map_or(FareShown::None, |_| FareShown::Other);
    Manner::of(Some(one.passage), None, false, shown)
}

fn number(known: &Numbers, learnt: &Numbers, manner: &Manner) -> i32 {
    let numbered = known.manners.get(manner).or_else(|| learnt.manners.get(manner));
    numbered.copied().unwrap_or_default()
}

async fn number_manners(
    tx: &mut PgConnection,
    placed: &[Placed<'_>],
    waits: &[Manner],
    known: &Numbers,
) -> Result<Manners, BooksError> {
    let unknown: BTreeSet<&Manner> = placed
        .iter()
        .map(|one| &one.manner)
        .chain(waits)
        .filter(|manner| !known.manners.contains_key(manner))
        .collect();
    manners::number(tx, &unknown).await
}

async fn number_accounts(
    tx: &mut PgConnection,
    placed: &[Placed<'_>],
    known: &Numbers,
) -> Result<ChartOfAccounts, BooksError> {
    let unknown: BTreeSet<&LedgerAccountKey> = placed
        .iter()
        .filter_map(|one| one.legs.as_ref())
        .flat_map(|(debit, credit)| match debit {
            Leg::Customer(_) => [Some(credit), None],
            Leg::Hot(debit) => [Some(credit), Some(debit)],
        })
        .flatten()
        .filter(|key| !known.chart.contains_key(key))
        .collect();
    ledger::numbers_in_tx(tx, unknown).await.map_err(BooksError::Ledger)
}

/// The rows of a batch, and what they add up to.
struct Sheet {
    rows: Rows,
    amount: i64,
    customers: BTreeMap<i64, i64>,
    hot: BTreeMap<(i64, BusinessDate), HotSum>,
}

/// Bytes a row takes on its way, about.
const ROW_LEN: usize = 160;

impl Sheet {
    fn of(
        placed: &[Placed<'_>],
        known: &Numbers,
        learnt: &Numbers,
        batch: i32,
    ) -> Result<Self, BooksError> {
        let rows = Rows::with_capacity(placed.len() * ROW_LEN);
        let (customers, hot) = (BTreeMap::new(), BTreeMap::new());
        let mut sheet = Self { rows, amount: 0, customers, hot };
        let account = |key: &LedgerAccountKey| {
            known.chart.get(key).or_else(|| learnt.chart.get(key)).copied().unwrap_or_default()
        };
        for one in placed {
            let amount = one.decided.charge.amount;
            let (debit, credit) = match &one.legs {
                None => match &one.decided.charge.payer {
                    Payer::Account { account, .. } if !amount.is_zero() => {
                        let account = *account;
                        return Err(BooksError::Ledger(LedgerError::NoAccount { account }));
                    }
                    Payer::Account { .. } | Payer::Cash | Payer::Nobody => (0, 0),
                },
                Some((Leg::Customer(customer), credit)) => {
                    add(sheet.customers.entry(*customer).or_default(), -amount.minor_units())?;
                    let credit = account(credit);
                    sheet.note_hot(one, credit, amount.minor_units())?;
                    (*customer, credit)
                }
                Some((Leg::Hot(debit), credit)) => {
                    let (debit, credit) = (account(debit), account(credit));
                    sheet.note_hot(one, debit, -amount.minor_units())?;
                    sheet.note_hot(one, credit, amount.minor_units())?;
                    (debit, credit)
                }
            };
            add(&mut sheet.amount, if one.legs.is_some() { amount.minor_units() } else { 0 })?;
            let manner = number(known, learnt, &one.manner);
            posting(one, batch, manner, (narrow(debit), narrow(credit))).append(&mut sheet.rows);
        }
        Ok(sheet)
    }

    fn note_hot(&mut self, one: &Placed<'_>, account: i64, amount: i64) -> Result<(), BooksError> {
        let operator_no = one.decided.operator_no;
        let empty = HotSum { operator_no, passages: 0, amount: 0 };
        let sum = self.hot.entry((account, one.day)).or_insert(empty);
        sum.passages += 1;
        add(&mut sum.amount, amount)
    }
}

fn add(sum: &mut i64, amount: i64) -> Result<(), BooksError> {
    *sum = sum
        .checked_add(amount)
        .ok_or(BooksError::Ledger(LedgerError::Money(domain::MoneyError::Overflow)))?;
    Ok(())
}

/// A ledger account's number as it is stored; the table refuses numbers that would not fit.
fn narrow(ledger_account: i64) -> i32 {
    i32::try_from(ledger_account).unwrap_or_default()
}

fn posting<'a>(
    one: &'a Placed<'_>,
    batch: i32,
    manner: i32,
    (debit, credit): (i32, i32),
) -> Posting<'a> {
    let passage = one.decided.genuine.passage.as_deref();
    let mut digest = [0; 16];
    digest.copy_from_slice(&one.decided.genuine.content_hash.as_bytes()[..16]);
    Posting {
        amount: if one.legs.is_some() { one.decided.charge.amount } else { Amount::ZERO },
        at: passage.map_or(Timestamp::UNIX_EPOCH, |passage| passage.at),
        digest,
        place: one.decided.place,
        batch,
        manner,
        debit,
        credit,
        operator_no: one.decided.operator_no,
        day: one.day,
        tag: passage.and_then(|passage| passage.tag.as_ref()).map_or(&[], |tag| tag.as_bytes()),
        plate: passage
            .and_then(|passage| passage.plate.as_ref())
            .map_or("", |plate| plate.as_str()),
    }
}

fn more(placed: &[Placed<'_>], undecided: &[Undecided<'_>], batch: i32) -> Vec<More> {
    let attendant = |passage: &Passage| {
        passage.attendance.as_ref().map(|attendance| storable(&attendance.attendant))
    };
    let second = |passage: &Passage| {
        let attendance = passage.attendance.as_ref();
        attendance.and_then(|attendance| attendance.second.as_deref()).map(storable)
    };
    let came_now = placed.iter().filter_map(|one| {
        let (Arrival::Now(_), Some(passage)) = (one.decided.arrival, &one.decided.genuine.passage)
        else {
            return None;
        };
        let fare = passage.fare.filter(|fare| *fare != one.decided.charge.amount);
        let attendant = attendant(passage);
        (fare.is_some() || attendant.is_some()).then_some(More {
            place: one.decided.place,
            operator_no: one.decided.operator_no,
            received_batch: None,
            attendant,
            second: second(passage),
            fare,
        })
    });
    let wait = undecided.iter().map(|one| More {
        place: one.place,
        operator_no: one.operator_no,
        received_batch: Some(batch),
        attendant: attendant(one.passage),
        second: second(one.passage),
        fare: one.passage.fare,
    });
    came_now.chain(wait).collect()
}

fn witnesses<'a>(placed: &[Placed<'a>], undecided: &[Undecided<'a>]) -> Vec<Witness<'a>> {
    let came_now = placed.iter().filter_map(|one| {
        let Arrival::Now(payload) = one.decided.arrival else { return None };
        (!payload.is_empty()).then_some(Witness {
            operator_no: one.decided.operator_no,
            place: one.decided.place,
            signature: &one.decided.genuine.signature,
            payload,
        })
    });
    let wait = undecided.iter().map(|one| Witness {
        operator_no: one.operator_no,
        place: one.place,
        signature: &one.genuine.signature,
        payload: one.payload,
    });
    came_now.chain(wait).collect()
}

fn trips_of<'a>(placed: &'a [Placed<'_>]) -> Vec<NewTrip<'a>> {
    let trip = |one: &'a Placed<'_>| {
        let entry = &one.decided.charge.entry.as_ref()?.passage;
        Some(NewTrip { exit: one.decided.place, operator_no: one.decided.operator_no, entry })
    };
    placed.iter().filter_map(trip).collect()
}

fn new_wait<'a>(one: &'a Undecided<'a>, manner: i32) -> NewWait<'a> {
    NewWait {
        place: one.place,
        operator_no: one.operator_no,
        until: one.until,
        genuine: one.genuine,
        passage: one.passage,
        payload: one.payload,
        manner,
    }
}
