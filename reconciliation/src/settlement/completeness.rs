//! Completeness: may a day be closed, as far as the lanes' journals tell? Pure.
//!
//! A lane numbers its passages from 1 without gaps, so what is missing can be named without asking
//! the lane. Which day a *missing* passage belongs to nobody knows; it is after the passage before
//! the hole, so a hole stands in the way of that passage's day and of every later one.

use domain::time::SettlementCalendar;
use domain::{BusinessDate, LaneId, Timestamp};

use super::Refusal;
use crate::approval::{HoleDecision, HoleInLane};

/// How far a journal is stored whose receipts do not stand at its last number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JournalState {
    /// The lane.
    pub(super) lane: LaneId,
    /// The journal's epoch.
    pub(super) epoch: u32,
    /// Where the lane's receipts stand.
    pub(super) posted_upto: u64,
    /// The last number stored.
    pub(super) last_seq: u64,
}

/// Numbers of a journal that are not stored though later ones are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hole {
    /// The lane.
    pub(super) lane: LaneId,
    /// The journal's epoch.
    pub(super) epoch: u32,
    /// The first number missing.
    pub(super) first_seq: u64,
    /// The last number missing.
    pub(super) last_seq: u64,
    /// When the passage before the hole was; none where the journal's beginning is missing.
    pub(super) after: Option<Timestamp>,
}

/// A passage that is stored and not decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// The lane.
    pub(super) lane: LaneId,
    /// The journal's epoch.
    pub(super) epoch: u32,
    /// Its number.
    pub(super) seq: u64,
    /// When it was, or where it cannot be read, when it came.
    pub(super) at: Timestamp,
}

/// Takes away what two people accepted: numbers that never came, within those that they named; or a
/// manifest that differs, of the very numbers and in no other figure than they named.
pub(super) fn without_accepted(refusals: Vec<Refusal>, accepted: &[HoleDecision]) -> Vec<Refusal> {
    let is_accepted = |refusal: &Refusal| match refusal {
        Refusal::Missing { lane, epoch, first_seq, last_seq } => accepted.iter().any(|known| {
            let HoleDecision { hole, figures, .. } = known;
            figures.is_empty()
                && hole.lane == *lane
                && hole.epoch == *epoch
                && hole.first_seq <= *first_seq
                && *last_seq <= hole.last_seq
        }),
        Refusal::ManifestDiffers { lane, epoch, first_seq, last_seq, figures } => {
            let differs = HoleInLane {
                lane: lane.clone(),
                epoch: *epoch,
                first_seq: *first_seq,
                last_seq: *last_seq,
            };
            let is_named = |figure| {
                accepted.iter().any(|known| known.hole == differs && known.figures.contains(figure))
            };
            !figures.is_empty() && figures.iter().all(is_named)
        }
        Refusal::NotOver { .. }
        | Refusal::EarlierDay { .. }
        | Refusal::ReceiptsBehind { .. }
        | Refusal::Undecided { .. }
        | Refusal::ManifestAwaited { .. }
        | Refusal::NotProven(_) => false,
    };
    refusals.into_iter().filter(|refusal| !is_accepted(refusal)).collect()
}

/// Everything the journals hold against closing a day. `pending` is in order of lane, epoch, number.
pub(super) fn obstacles(
    day: BusinessDate,
    calendar: &SettlementCalendar,
    journals: &[JournalState],
    holes: &[Hole],
    pending: &[Pending],
) -> Vec<Refusal> {
    let missing = holes
        .iter()
        .filter(|hole| hole.after.is_none_or(|after| calendar.day_of(after) <= day))
        .map(|hole| Refusal::Missing {
            lane: hole.lane.clone(),
            epoch: hole.epoch,
            first_seq: hole.first_seq,
            last_seq: hole.last_seq,
        });
    // A journal with a hole has its receipts before the hole, as it should; one without has none.
    let has_hole = |journal: &JournalState| {
        holes.iter().any(|hole| hole.lane == journal.lane && hole.epoch == journal.epoch)
    };
    let behind = journals
        .iter()
        .filter(|journal| journal.posted_upto != journal.last_seq && !has_hole(journal))
        .map(|journal| Refusal::ReceiptsBehind {
            lane: journal.lane.clone(),
            epoch: journal.epoch,
            posted_upto: journal.posted_upto,
            last_seq: journal.last_seq,
        });
    let mut refusals: Vec<Refusal> = missing.chain(behind).collect();
    let of_the_day: Vec<&Pending> =
        pending.iter().filter(|passage| calendar.day_of(passage.at) <= day).collect();
    let journals = of_the_day.chunk_by(|a, b| a.lane == b.lane && a.epoch == b.epoch);
    refusals.extend(journals.filter_map(|passages| {
        let (first, last) = (passages.first()?, passages.last()?);
        Some(Refusal::Undecided {
            lane: first.lane.clone(),
            epoch: first.epoch,
            first_seq: first.seq,
            last_seq: last.seq,
            passages: u64::try_from(passages.len()).unwrap_or(u64::MAX),
        })
    }));
    refusals
}
