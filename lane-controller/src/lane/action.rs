//! What the lane core wants done. Closed: the shell is a match.

use std::time::Duration;

use domain::account_list::ListStatus;
use domain::passage::{Attendance, ClockQuality, Decision, EntryRef, ExceptionKind, Payment};
use domain::wire::v1::EventKind;
use domain::{Amount, Plate, TagId, Timestamp, VehicleGroup};

use super::verdict::{Knowledge, Terms};

/// A passage as the core decided it; the journal adds identity, chain and signature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the same names in `domain::passage::Passage`")]
pub struct PassageDraft {
    pub at: Timestamp,
    pub clock: ClockQuality,
    pub uptime: Duration,
    pub tag: Option<TagId>,
    pub plate: Option<Plate>,
    pub group: Option<VehicleGroup>,
    pub list_version: u64,
    pub status_seen: Option<ListStatus>,
    pub tariff: Option<String>,
    pub entry: Option<EntryRef>,
    pub exception: Option<ExceptionKind>,
    pub decision: Decision,
    pub attendance: Option<Attendance>,
    pub fare: Option<Amount>,
    pub payment: Payment,
}

impl PassageDraft {
    /// A passage on the given terms, of a vehicle of which nothing else is known.
    pub(super) fn of(
        decision: Decision,
        terms: &Terms,
        now: Duration,
        known: &Knowledge<'_>,
    ) -> Self {
        Self {
            at: known.at,
            clock: known.clock,
            uptime: now,
            tag: None,
            plate: None,
            group: terms.group,
            list_version: known.list.version(),
            status_seen: terms.status,
            tariff: terms.tariff.clone(),
            entry: terms.entry.clone(),
            exception: None,
            decision,
            attendance: None,
            fare: terms.fare,
            payment: terms.payment,
        }
    }
}

/// Something to be done, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write a passage and make it durable before anything that follows.
    Record {
        /// The vehicle it is of, for [`super::Lane::recorded`].
        vehicle: u64,
        /// The passage.
        draft: Box<PassageDraft>,
    },
    /// Raise the arm and show green.
    Open,
    /// Lower the arm and show red; the safety monitor has the last word.
    Close,
    /// Show red, the arm stays.
    Red,
    /// Sound the siren.
    Siren,
    /// Tell those who watch.
    Tell(EventKind),
    /// Tell the attendant that the command was carried out, and as which passage.
    Confirm,
    /// Tell the attendant that the command was not carried out.
    Refuse {
        /// Why.
        why: &'static str,
    },
}
