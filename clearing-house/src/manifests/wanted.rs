//! Which day's manifest is wanted of a lane. Pure.
//!
//! The days of a journal are asked for in their order, each when it has ended. A day whose manifest
//! and books disagree is asked for again from time to time, for a while: numbers that were under way
//! have come by then, and a lane that counts again names the same or has counted wrongly before.

use domain::time::SettlementCalendar;
use domain::wire::v1::{DayManifest, WantedDay};
use domain::{BusinessDate, Timestamp};
use jiff::SignedDuration;

/// How long a manifest that disagrees is left alone, run time.
pub(super) const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// For how long it is asked for again.
pub(super) const AGAIN_FOR: SignedDuration = SignedDuration::from_hours(72);

/// What the books have of one journal's manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalManifests {
    /// When the journal was begun.
    pub opened_at: Timestamp,
    /// The manifest of the latest day.
    pub last: Option<Kept>,
    /// The first that the books do not agree with.
    pub disputed: Option<Disputed>,
}

/// A manifest that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its day.
    pub day: BusinessDate,
    /// Its last number.
    pub last_seq: u64,
}

/// A manifest that the books do not agree with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disputed {
    /// Its day.
    pub day: BusinessDate,
    /// Its first number.
    pub first_seq: u64,
    /// Its last.
    pub last_seq: u64,
    /// When the day's first manifest came.
    pub since: Timestamp,
    /// When the last came.
    pub received_at: Timestamp,
}

impl JournalManifests {
    /// The same when one more is kept.
    #[must_use]
    pub fn with(self, manifest: &DayManifest, now: Timestamp) -> Self {
        let kept = Kept { day: manifest.day, last_seq: manifest.last_seq };
        let disputed = self.disputed.map(|disputed| match disputed.day == manifest.day {
            true => Disputed { received_at: now, ..disputed },
            false => disputed,
        });
        let last = self.last.filter(|last| last.day >= kept.day).or(Some(kept));
        Self { last, disputed, ..self }
    }
}

/// What is wanted, and when to ask at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The day; none where all are here.
    pub day: Option<WantedDay>,
    /// When the next day ends.
    pub next_at: Timestamp,
}

/// What is wanted of a journal now.
#[must_use]
pub fn wanted(calendar: &SettlementCalendar, journal: &JournalManifests, now: Timestamp) -> Wanted {
    let (day, after_seq) = match journal.last {
        Some(last) => (following(last.day), last.last_seq),
        None => (calendar.day_of(journal.opened_at), 0),
    };
    // A calendar without such an instant asks for nothing.
    let next_at = calendar.end_of(day).unwrap_or(Timestamp::MAX);
    let fresh = WantedDay { day, ends_at: next_at, after_seq, last_seq: None };
    if next_at <= now {
        return Wanted { day: Some(fresh), next_at };
    }
    let again = journal.disputed.filter(|it| {
        now.duration_since(it.received_at) >= AGAIN_AFTER
            && now.duration_since(it.since) < AGAIN_FOR
    });
    let again = again.and_then(|it| {
        let (ends_at, after_seq) = (calendar.end_of(it.day).ok()?, it.first_seq.checked_sub(1)?);
        Some(WantedDay { day: it.day, ends_at, after_seq, last_seq: Some(it.last_seq) })
    });
    Wanted { day: again, next_at }
}

fn following(day: BusinessDate) -> BusinessDate {
    BusinessDate::new(day.date().tomorrow().unwrap_or_else(|_last_day| day.date()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// What is wanted at an instant, as day, numbers and whether again; days end at 17:00 UTC.
    #[track_caller]
    fn check(journal: &JournalManifests, now: &str, expected: &str) {
        let calendar = SettlementCalendar::try_new("Asia/Ho_Chi_Minh", "00:00").unwrap();
        let said = match wanted(&calendar, journal, at(now)).day {
            None => "nothing".to_owned(),
            Some(WantedDay { day, after_seq, last_seq: None, .. }) => {
                format!("{day} behind {after_seq}")
            }
            Some(WantedDay { day, after_seq, last_seq: Some(last), .. }) => {
                format!("{day} behind {after_seq} to {last} again")
            }
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn days_are_wanted_in_their_order_and_none_before_its_end() {
        let mut journal =
            JournalManifests { opened_at: at("2026-03-01T20:00:00Z"), last: None, disputed: None };
        check(&journal, "2026-03-02T16:59:59Z", "nothing");
        check(&journal, "2026-03-02T17:00:00Z", "2026-03-02 behind 0");
        // A lane that was cut off for days is asked for the oldest first.
        check(&journal, "2026-03-09T17:00:00Z", "2026-03-02 behind 0");
        journal.last = Some(Kept { day: "2026-03-02".parse().unwrap(), last_seq: 12 });
        check(&journal, "2026-03-09T17:00:00Z", "2026-03-03 behind 12");
        check(&journal, "2026-03-03T16:00:00Z", "nothing");
    }

    #[test]
    fn a_day_that_disagrees_is_asked_for_again_and_not_for_ever() {
        let journal = JournalManifests {
            opened_at: at("2026-03-01T20:00:00Z"),
            last: Some(Kept { day: "2026-03-02".parse().unwrap(), last_seq: 12 }),
            disputed: Some(Disputed {
                day: "2026-03-02".parse().unwrap(),
                first_seq: 4,
                last_seq: 12,
                since: at("2026-03-02T17:00:10Z"),
                received_at: at("2026-03-02T17:00:10Z"),
            }),
        };
        check(&journal, "2026-03-02T17:05:00Z", "nothing");
        check(&journal, "2026-03-02T17:10:10Z", "2026-03-02 behind 3 to 12 again");
        // What has not been told yet goes first.
        check(&journal, "2026-03-03T17:00:00Z", "2026-03-03 behind 12");
        let later = JournalManifests {
            last: Some(Kept { day: "2026-03-08".parse().unwrap(), last_seq: 12 }),
            ..journal
        };
        check(&later, "2026-03-09T16:00:00Z", "nothing");
    }
}
