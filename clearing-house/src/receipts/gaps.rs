//! What the centre should ask lanes for again, and which lanes have fallen silent. Pure.
//!
//! *Hole*: numbers that are not in the books although later ones are. *Tail*: numbers that a lane
//! says it has written, in its heartbeat, past the last one the books have. Both are usual for a
//! moment: something is under way, or came out of order. What has been lacking for as long as the
//! *patience* says is asked for; a broker that lost a message, or all of them, is found out so.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::LaneId;

/// Numbers from the first to the last, both included.
pub type Range = (u64, u64);

/// How long something may lack, in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Before a hole is asked for.
    pub hole: Duration,
    /// Before a tail is asked for.
    pub tail: Duration,
    /// Before a lane counts as silent.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            hole: Duration::from_secs(60),
            tail: Duration::from_secs(120),
            silence: Duration::from_secs(30),
        }
    }
}

/// A lane's journal as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The journal.
    pub epoch: u32,
    /// The last number in the books.
    pub highest: u64,
    /// The numbers before it that are not, in order.
    pub holes: Vec<Range>,
}

/// Something lacking, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lacking {
    range: Range,
    since: Instant,
}

#[derive(Debug, Default)]
struct Lane {
    epoch: u32,
    highest: u64,
    holes: Vec<Lacking>,
    /// What its heartbeat said last: epoch and last number.
    written: Option<(u32, u64)>,
    tail: Option<Lacking>,
    heard: Option<Instant>,
    silent: bool,
}

impl Lane {
    /// Begins, goes on with, or ends a tail.
    fn look_at_tail(&mut self, now: Instant) {
        let lacks = self
            .written
            .filter(|(epoch, last)| *epoch == self.epoch && *last > self.highest)
            .map(|(_, last)| (self.highest + 1, last));
        self.tail = lacks.map(|range| {
            // A tail whose beginning moves is one that comes in: nothing to ask for.
            let before = self.tail.filter(|before| before.range.0 == range.0);
            Lacking { range, since: before.map_or(now, |before| before.since) }
        });
    }
}

/// What lacks of every lane.
#[derive(Debug, Default)]
pub struct Gaps {
    patience: Patience,
    lanes: HashMap<LaneId, Lane>,
}

impl Gaps {
    /// Nothing known yet.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        Self { patience, lanes: HashMap::new() }
    }

    /// The books have been read.
    pub fn handle_books(&mut self, lane: &LaneId, seen: Seen, now: Instant) {
        let known = self.lanes.entry(lane.clone()).or_default();
        if known.epoch != seen.epoch {
            known.holes.clear();
            known.tail = None;
        }
        let before = std::mem::take(&mut known.holes);
        let since = |range: Range| {
            let of_old = |old: &&Lacking| old.range.0 <= range.1 && range.0 <= old.range.1;
            before.iter().find(of_old).map_or(now, |old| old.since)
        };
        known.holes =
            seen.holes.into_iter().map(|range| Lacking { range, since: since(range) }).collect();
        known.epoch = seen.epoch;
        known.highest = seen.highest;
        known.look_at_tail(now);
    }

    /// A lane has said that it lives, and how far it has written. Tells whether it was silent.
    pub fn handle_heartbeat(
        &mut self,
        lane: &LaneId,
        (epoch, last_seq): (u32, u64),
        now: Instant,
    ) -> bool {
        let known = self.lanes.entry(lane.clone()).or_default();
        known.heard = Some(now);
        known.written = Some((epoch, last_seq));
        known.look_at_tail(now);
        std::mem::take(&mut known.silent)
    }

    /// Part of the stream has not been read yet: whatever lacks may be in it, and its time begins
    /// anew.
    pub fn handle_backlog(&mut self, now: Instant) {
        for lane in self.lanes.values_mut() {
            for lacking in lane.holes.iter_mut().chain(&mut lane.tail) {
                lacking.since = now;
            }
        }
    }

    /// What is to be asked of a lane's journal, in order.
    #[must_use]
    pub fn missing(&self, lane: &LaneId, epoch: u32, now: Instant) -> Vec<Range> {
        let Some(known) = self.lanes.get(lane).filter(|known| known.epoch == epoch) else {
            return Vec::new();
        };
        let due = |lacking: &Lacking, patience| now.duration_since(lacking.since) >= patience;
        let holes = known.holes.iter().filter(|hole| due(hole, self.patience.hole));
        let tail = known.tail.iter().filter(|tail| due(tail, self.patience.tail));
        holes.chain(tail).map(|lacking| lacking.range).collect()
    }

    /// The lanes that have fallen silent since this was asked last.
    pub fn handle_deadline(&mut self, now: Instant) -> Vec<LaneId> {
        let patience = self.patience.silence;
        let mut fallen_silent = Vec::new();
        for (lane, known) in &mut self.lanes {
            let quiet = known.heard.is_some_and(|heard| now.duration_since(heard) >= patience);
            if quiet && !known.silent {
                known.silent = true;
                fallen_silent.push(lane.clone());
            }
        }
        fallen_silent.sort();
        fallen_silent
    }
}

#[cfg(test)]
mod tests {
    use domain::Clock;

    use super::*;

    /// Tells a story: at each second something happens; what is then missing is compared.
    struct Story {
        gaps: Gaps,
        lane: LaneId,
        began: Instant,
    }

    impl Story {
        fn new() -> Self {
            Self {
                gaps: Gaps::new(Patience::default()),
                lane: "cienco4/ben-thuy/l01".parse().unwrap(),
                began: Clock::system().real(),
            }
        }

        fn at(&self, second: u64) -> Instant {
            self.began + Duration::from_secs(second)
        }

        fn books(&mut self, second: u64, highest: u64, holes: &[Range]) {
            let seen = Seen { epoch: 1, highest, holes: holes.to_vec() };
            self.gaps.handle_books(&self.lane, seen, self.at(second));
        }

        fn heartbeat(&mut self, second: u64, last: u64) -> bool {
            self.gaps.handle_heartbeat(&self.lane, (1, last), self.at(second))
        }

        fn missing(&self, second: u64) -> Vec<Range> {
            self.gaps.missing(&self.lane, 1, self.at(second))
        }
    }

    #[test]
    fn a_hole_is_asked_for_after_a_minute_and_no_longer_once_it_is_filled() {
        let mut story = Story::new();
        story.books(0, 9, &[(3, 4)]);
        story.books(30, 12, &[(3, 4), (10, 10)]);
        assert_eq!(story.missing(59), []);
        assert_eq!(story.missing(60), [(3, 4)]);
        story.books(65, 12, &[(4, 4), (10, 10)]);
        assert_eq!(story.missing(65), [(4, 4)], "what is left of it is as old");
        assert_eq!(story.missing(90), [(4, 4), (10, 10)]);
        story.books(95, 12, &[]);
        assert_eq!(story.missing(200), []);
    }

    #[test]
    fn a_tail_is_asked_for_when_it_has_stood_still_for_two_minutes() {
        let mut story = Story::new();
        story.books(0, 9, &[]);
        story.heartbeat(0, 20);
        story.heartbeat(60, 25);
        assert_eq!(story.missing(119), []);
        assert_eq!(story.missing(120), [(10, 25)]);
        story.books(121, 15, &[]);
        assert_eq!(story.missing(121), [], "it comes");
        assert_eq!(story.missing(241), [(16, 25)]);
    }

    #[test]
    fn a_wiped_broker_is_found_out_for_a_lane_of_which_nothing_ever_came() {
        let mut story = Story::new();
        story.heartbeat(0, 3);
        assert_eq!(story.missing(500), [], "its journal is not known yet");
        story.books(1, 0, &[]);
        assert_eq!(story.missing(121), [(1, 3)]);
    }

    #[test]
    fn nothing_is_asked_for_that_may_still_be_in_a_backlog() {
        let mut story = Story::new();
        story.books(0, 9, &[(3, 4)]);
        story.heartbeat(0, 30);
        for second in (10..=600).step_by(10) {
            story.gaps.handle_backlog(story.at(second));
            assert_eq!(story.missing(second), []);
        }
        assert_eq!(story.missing(660), [(3, 4)]);
        assert_eq!(story.missing(720), [(3, 4), (10, 30)]);
    }

    #[test]
    fn a_new_journal_begins_with_nothing_missing() {
        let mut story = Story::new();
        story.books(0, 9, &[(3, 4)]);
        story.heartbeat(0, 30);
        let seen = Seen { epoch: 2, highest: 5, holes: vec![(3, 4)] };
        story.gaps.handle_books(&story.lane, seen, story.at(100));
        assert_eq!(story.gaps.missing(&story.lane, 2, story.at(150)), []);
        assert_eq!(story.gaps.missing(&story.lane, 1, story.at(500)), []);
        assert_eq!(story.gaps.missing(&story.lane, 2, story.at(500)), [(3, 4)]);
    }

    #[test]
    fn a_lane_falls_silent_once_and_speaks_again_once() {
        let mut story = Story::new();
        story.books(0, 9, &[]);
        assert!(story.gaps.handle_deadline(story.at(100)).is_empty(), "it never spoke");
        assert!(!story.heartbeat(100, 9));
        assert!(story.gaps.handle_deadline(story.at(129)).is_empty());
        assert_eq!(story.gaps.handle_deadline(story.at(130)), [story.lane.clone()]);
        assert!(story.gaps.handle_deadline(story.at(140)).is_empty());
        assert!(story.heartbeat(150, 9));
        assert!(!story.heartbeat(151, 9));
    }
}
