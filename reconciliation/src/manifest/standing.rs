//! How each lane stands with its manifest of a day, and what of it keeps the day open. Pure.
//!
//! A manifest is expected of every journal that was in use on the day, of a lane that takes turns at
//! all. It is due [`WITHIN`] after the day's end: until then the day waits for it, and after that it
//! does not, and a case is opened. What never came is accepted by two people like any other hole.

use domain::time::SettlementCalendar;
use domain::{BusinessDate, LaneId, Timestamp};
use jiff::SignedDuration;

use super::lanes::VerdictOf;
use crate::settlement::Refusal;

/// How long after a day's end its manifests are due.
pub const WITHIN: SignedDuration = SignedDuration::from_hours(6);

/// A journal on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalDay {
    /// The lane.
    pub lane: LaneId,
    /// The journal's epoch.
    pub epoch: u32,
    /// When it was begun.
    pub opened_at: Timestamp,
    /// When the lane began the next one.
    pub replaced_at: Option<Timestamp>,
    /// Whether the lane takes turns with manifests.
    pub takes_turns: bool,
    /// The last number that is stored.
    pub stored_upto: u64,
    /// The last number that it told of on earlier days; 0 where it told of none.
    pub told_before: u64,
    /// Where it has forgotten the day without having told of it: up to which number it has.
    pub forgotten_upto: Option<u64>,
    /// Its manifest of the day, where there is one.
    pub told: Option<Told>,
}

/// A manifest that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its number in the books.
    pub manifest: i64,
    /// Its first number.
    pub first_seq: u64,
    /// Its last.
    pub last_seq: u64,
    /// What the books say to it; none before they have looked.
    pub verdict: Option<VerdictOf>,
    /// The figures that differ.
    pub figures: Vec<String>,
    /// The loops'.
    pub loops: Vec<String>,
}

/// How a journal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is expected of it.
    Silent,
    /// It is waited for.
    Awaited {
        /// Until then.
        due_at: Timestamp,
    },
    /// It was not told in time.
    Missing {
        /// When it was due.
        due_at: Timestamp,
    },
    /// It has forgotten the day, whose every number was receipted: the books stand for themselves.
    Forgotten {
        /// The last number it has forgotten.
        upto_seq: u64,
    },
    /// It was told.
    Told,
}

/// How a journal stands with a day.
#[must_use]
pub fn standing(
    day: BusinessDate,
    calendar: &SettlementCalendar,
    journal: &JournalDay,
    now: Timestamp,
) -> Standing {
    if journal.told.is_some() {
        return Standing::Told;
    }
    let Ok(ends_at) = calendar.end_of(day) else { return Standing::Silent };
    let was_used = journal.opened_at < ends_at
        && journal.replaced_at.is_none_or(|at| calendar.day_of(at) >= day);
    if !was_used || !journal.takes_turns {
        return Standing::Silent;
    }
    if let Some(upto_seq) = journal.forgotten_upto {
        return Standing::Forgotten { upto_seq };
    }
    let due_at = ends_at.saturating_add(WITHIN).unwrap_or(Timestamp::MAX);
    if now < due_at { Standing::Awaited { due_at } } else { Standing::Missing { due_at } }
}

/// Everything that manifests hold against closing a day.
#[must_use]
pub fn obstacles(
    day: BusinessDate,
    calendar: &SettlementCalendar,
    journals: &[JournalDay],
    now: Timestamp,
) -> Vec<Refusal> {
    let mut found = Vec::new();
    for journal in journals {
        let (lane, epoch) = (journal.lane.clone(), journal.epoch);
        // The tail of an earlier day may have been told when that day was closed already.
        if journal.told_before > journal.stored_upto {
            found.push(Refusal::Missing {
                lane: lane.clone(),
                epoch,
                first_seq: journal.stored_upto.saturating_add(1),
                last_seq: journal.told_before,
            });
        }
        match (standing(day, calendar, journal, now), &journal.told) {
            (Standing::Awaited { due_at }, _) => {
                found.push(Refusal::ManifestAwaited { lane, epoch, due_at });
            }
            (Standing::Told, Some(told)) => found.extend(of_told(journal, told)),
            (
                Standing::Silent
                | Standing::Missing { .. }
                | Standing::Forgotten { .. }
                | Standing::Told,
                _,
            ) => {}
        }
    }
    found
}

fn of_told(journal: &JournalDay, told: &Told) -> Option<Refusal> {
    let (lane, epoch) = (journal.lane.clone(), journal.epoch);
    let first_seq = told.first_seq.max(journal.stored_upto.saturating_add(1));
    if first_seq <= told.last_seq {
        return Some(Refusal::Missing { lane, epoch, first_seq, last_seq: told.last_seq });
    }
    let figures = match told.verdict {
        // What is missing in between is named as the hole it is.
        Some(VerdictOf::Agrees | VerdictOf::Short) => return None,
        Some(VerdictOf::Differs) => told.figures.clone(),
        None => Vec::new(),
    };
    let (first_seq, last_seq) = (told.first_seq, told.last_seq);
    Some(Refusal::ManifestDiffers { lane, epoch, first_seq, last_seq, figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(last_seq: u64, verdict: VerdictOf) -> Told {
        Told {
            manifest: 1,
            first_seq: 4,
            last_seq,
            verdict: Some(verdict),
            figures: vec!["the sum is 1 in the books, 2 at the lane".to_owned()],
            loops: Vec::new(),
        }
    }

    /// What stands in the way of 2 March at an instant, where numbers up to 9 are stored.
    #[track_caller]
    fn check(change: impl FnOnce(&mut JournalDay), now: &str, expected: &[&str]) {
        let calendar = SettlementCalendar::try_new("Asia/Ho_Chi_Minh", "00:00").unwrap();
        let mut journal = JournalDay {
            lane: "cienco4/ben-thuy/l01".parse().unwrap(),
            epoch: 1,
            opened_at: "2026-02-01T00:00:00Z".parse().unwrap(),
            replaced_at: None,
            takes_turns: true,
            stored_upto: 9,
            told_before: 3,
            forgotten_upto: None,
            told: None,
        };
        change(&mut journal);
        let day = "2026-03-02".parse().unwrap();
        let found = obstacles(day, &calendar, &[journal], now.parse().unwrap());
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    const SOON: &str = "2026-03-02T17:00:01Z";
    const LATE: &str = "2026-03-02T23:00:00Z";

    #[test]
    fn a_manifest_is_waited_for_until_it_is_due_and_not_longer() {
        let awaited = "lane cienco4/ben-thuy/l01 epoch 1: its manifest is missing, and is due at \
                       2026-03-02T23:00:00Z";
        check(|_| {}, SOON, &[awaited]);
        check(|_| {}, LATE, &[]);
        // Nothing is expected of a lane that never told anything, or of a journal of another time.
        check(|journal| journal.takes_turns = false, SOON, &[]);
        check(|journal| journal.opened_at = SOON.parse().unwrap(), SOON, &[]);
        check(
            |journal| journal.replaced_at = Some("2026-03-01T12:00:00Z".parse().unwrap()),
            SOON,
            &[],
        );
        // The journal that was in use when the disk was lost has a day to tell of.
        check(
            |journal| journal.replaced_at = Some("2026-03-02T12:00:00Z".parse().unwrap()),
            SOON,
            &[awaited],
        );
    }

    #[test]
    fn a_lane_that_has_forgotten_the_day_is_not_waited_for() {
        check(|journal| journal.forgotten_upto = Some(9), SOON, &[]);
        // What it told before it forgot still counts.
        check(
            |journal| {
                journal.forgotten_upto = Some(9);
                journal.told = Some(told(12, VerdictOf::Short));
            },
            SOON,
            &["lane cienco4/ben-thuy/l01 epoch 1: passages 10 to 12 never came"],
        );
    }

    #[test]
    fn what_a_lane_wrote_last_and_never_sent_is_a_hole() {
        let hole = "lane cienco4/ben-thuy/l01 epoch 1: passages 10 to 12 never came";
        check(|journal| journal.told = Some(told(12, VerdictOf::Short)), LATE, &[hole]);
        check(|journal| journal.told = Some(told(9, VerdictOf::Short)), LATE, &[]);
        check(|journal| journal.told = Some(told(9, VerdictOf::Agrees)), LATE, &[]);
    }

    #[test]
    fn the_tail_of_an_earlier_day_that_was_told_late_is_a_hole_of_this_one() {
        let hole = "lane cienco4/ben-thuy/l01 epoch 1: passages 10 to 14 never came";
        check(|journal| journal.told_before = 14, LATE, &[hole]);
        check(|journal| journal.told_before = 9, LATE, &[]);
    }

    #[test]
    fn a_figure_that_differs_is_named_with_its_numbers() {
        check(
            |journal| journal.told = Some(told(9, VerdictOf::Differs)),
            LATE,
            &[
                "lane cienco4/ben-thuy/l01 epoch 1: its manifest of passages 4 to 9 differs: the sum \
               is 1 in the books, 2 at the lane",
            ],
        );
    }
}
