//! What closing and payment find, as cases. Pure.

use domain::time::SettlementCalendar;
use domain::{Amount, BusinessDate, Timestamp};

use super::{Finding, Kind};
use crate::manifest::standing::{JournalDay, Standing, standing};
use crate::payment::repo::Waiting;
use crate::payment::{Booking, Confirmed, Unassigned};
use crate::settlement::{DayClose, Outcome, Refusal};
use crate::window::Window;

/// The cases of a day that could not be closed.
#[must_use]
pub fn of_close(close: &DayClose) -> Vec<Finding> {
    let Outcome::Refused(refusals) = &close.outcome else { return Vec::new() };
    let finding = |refusal: &Refusal| {
        let (kind, subject, ours, theirs, amount) = match refusal {
            Refusal::Missing { lane, epoch, first_seq, .. } => {
                // Named by where it begins: it is the same hole when a part of it has come.
                let subject = format!("{lane}:{epoch}:{first_seq}");
                (Kind::Hole, subject, refusal.to_string(), None, Amount::ZERO)
            }
            Refusal::ManifestDiffers { lane, epoch, first_seq, .. } => {
                let subject = format!("{lane}:{epoch}:{first_seq}");
                (Kind::ManifestDiffers, subject, refusal.to_string(), None, Amount::ZERO)
            }
            Refusal::NotProven(difference) => {
                let apart = difference.charges.minor_units.abs_diff(difference.ledger.minor_units);
                let amount =
                    i64::try_from(apart).ok().and_then(|units| Amount::try_new(units).ok());
                let of = |counted: crate::settlement::Counted| {
                    format!("{} records, {}", counted.tolls, counted.minor_units)
                };
                let subject = format!("{}:{:?}", close.day, difference.source);
                let theirs = Some(of(difference.ledger));
                let amount = amount.unwrap_or_default();
                (Kind::Unproven, subject, of(difference.charges), theirs, amount)
            }
            Refusal::NotOver { .. }
            | Refusal::EarlierDay { .. }
            | Refusal::ReceiptsBehind { .. }
            | Refusal::ManifestAwaited { .. }
            | Refusal::Undecided { .. } => return None,
        };
        let (operator, day) = (close.operator.clone(), close.day);
        Some(Finding { kind, operator, day, subject, ours: Some(ours), theirs, amount })
    };
    refusals.iter().filter_map(finding).collect()
}

/// The cases of a closed day's lanes: what was not told in time, and where the loops counted others.
#[must_use]
pub fn of_lanes(
    window: &Window,
    calendar: &SettlementCalendar,
    journals: &[JournalDay],
    now: Timestamp,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for journal in journals {
        let JournalDay { lane, epoch, .. } = journal;
        let of_day = format!("{lane}:{epoch}:{}", window.day);
        let mut finding = |kind, subject: String, ours: Option<String>, theirs: Option<String>| {
            found.push(Finding {
                kind,
                operator: window.operator.clone(),
                day: window.day,
                subject,
                ours,
                theirs,
                amount: Amount::ZERO,
            });
        };
        match (standing(window.day, calendar, journal, now), &journal.told) {
            (Standing::Missing { due_at }, _) => {
                let ours = format!("passages up to {} are stored", journal.stored_upto);
                let theirs = format!("no manifest by {due_at}");
                finding(Kind::ManifestMissing, of_day, Some(ours), Some(theirs));
            }
            (Standing::Forgotten { upto_seq }, _) => {
                // Named by how far it goes: once, however many days lie in it.
                let subject = format!("{lane}:{epoch}:forgotten {upto_seq}");
                let ours = format!("passages up to {upto_seq} are stored without a gap");
                let theirs =
                    format!("the journal has forgotten them up to {upto_seq}, and told no count");
                finding(Kind::ManifestMissing, subject, Some(ours), Some(theirs));
            }
            (Standing::Told, Some(told)) if !told.loops.is_empty() => {
                let ours = format!("passages {} to {}", told.first_seq, told.last_seq);
                finding(Kind::LoopsDiffer, of_day, Some(ours), Some(told.loops.join("; ")));
            }
            (Standing::Silent | Standing::Awaited { .. } | Standing::Told, _) => {}
        }
    }
    found
}

/// The case of a payment of which a bank shows too little or too much, or which it gave back.
#[must_use]
pub fn of_payment(booking: &Booking, confirmed: &Confirmed) -> Option<Finding> {
    let (kind, windows, amount, left) = match confirmed {
        Confirmed::Before | Confirmed::Whole { .. } => return None,
        Confirmed::Short { owed, windows } => (Kind::BankShort, windows, *owed, "leaves owed"),
        Confirmed::Over { beyond, windows } => (Kind::BankOver, windows, *beyond, "pays too much:"),
        Confirmed::Returned { windows } => {
            (Kind::BankReturned, windows, booking.amount, "gives back")
        }
    };
    let first = windows.first()?;
    let Booking { end_to_end, booked_on, bank_reference, .. } = booking;
    let days: Vec<String> = windows.iter().map(|window| window.day.to_string()).collect();
    Some(Finding {
        kind,
        operator: first.operator.clone(),
        day: first.day,
        // Each booking that leaves something wrong is a case of its own.
        subject: format!("{end_to_end} {bank_reference}"),
        ours: Some(format!("payment {end_to_end} for {}", days.join(", "))),
        theirs: Some(format!("booking {bank_reference} of {booked_on} {left} {amount}")),
        amount,
    })
}

/// The case of a bank's line about a payment that nobody ordered.
#[must_use]
pub fn of_unknown(line: &Unassigned) -> Finding {
    let Unassigned { issuer, booking, candidates, window } = line;
    let Booking { end_to_end, kind, amount, booked_on, bank_reference } = booking;
    let ours = match candidates.as_slice() {
        [] => "no payment lacks this amount".to_owned(),
        some => format!("not booked, with this amount: {}", some.join(", ")),
    };
    let kind = kind.name();
    Finding {
        kind: Kind::BankUnknown,
        operator: window.operator.clone(),
        day: window.day,
        subject: format!("{issuer} {bank_reference}"),
        ours: Some(ours),
        theirs: Some(format!(
            "booking {bank_reference} of {booked_on}: {amount} {kind} for {end_to_end:?}"
        )),
        amount: *amount,
    }
}

/// The case of a payment of which the bank has shown nothing.
#[must_use]
pub(crate) fn of_waiting(waiting: &Waiting, booked_by: BusinessDate) -> Finding {
    let Waiting { end_to_end, issuer, window, amount, execute_on } = waiting;
    Finding {
        kind: Kind::BankLate,
        operator: window.operator.clone(),
        day: window.day,
        subject: end_to_end.clone(),
        ours: Some(format!("{issuer} was to pay {amount} on {execute_on}")),
        theirs: Some(format!("nothing is booked by {booked_by}")),
        amount: *amount,
    }
}
