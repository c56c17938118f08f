use std::time::{Duration, Instant};

use domain::signature::Digest256;
use domain::wire::v1::{
    DecisionRecord, EventKind, ExceptionRecord, Heartbeat, LaneEvent, ReaderHealth, RoleRecord,
};
use domain::{Clock, Currency, LaneId, TagId, Timestamp};
use jiff::tz::TimeZone;

use super::{Board, Condition, Freshness, Place, Tally};
use crate::access::Scope;
use crate::station::feed::{KEPT, What};

/// A board, the machine's instant and the run's at which a story begins.
struct Story {
    board: Board,
    real: Instant,
}

fn lane(name: &str) -> LaneId {
    format!("cienco4/ben-thuy/{name}").parse().unwrap()
}

fn run(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

fn heartbeat(name: &str, second: i64) -> Heartbeat {
    Heartbeat {
        v: 1,
        lane: lane(name),
        at: run(second),
        epoch: 1,
        last_seq: 10,
        posted_upto: 8,
        list_version: 3,
        list_hash: Digest256::of(b"list"),
        reader: ReaderHealth::Reading,
        field_io: true,
        queue: 0,
        calls: 0,
        arm_up: Some(false),
        unwritten: None,
        degraded: Vec::new(),
        vitals: None,
    }
}

impl Story {
    fn new() -> Self {
        Self { board: Board::default(), real: Clock::system().real() }
    }

    fn real(&self, second: u64) -> Instant {
        self.real + Duration::from_secs(second)
    }

    fn hear(&mut self, second: u64, heartbeat: Heartbeat) {
        let now = self.real(second);
        self.board.handle_heartbeat(heartbeat, now);
    }

    fn tell(&mut self, second: u32, name: &str, kind: EventKind) {
        let now = self.real(u64::from(second));
        let at = run(i64::from(second));
        self.board.handle_event(LaneEvent { v: 1, lane: lane(name), at, kind }, now);
    }

    fn call(&mut self, second: u32, name: &str, call: u64, tag: Option<&str>) {
        let tag = tag.map(|tag| tag.parse::<TagId>().unwrap());
        let exception =
            if tag.is_some() { ExceptionRecord::NoMoney } else { ExceptionRecord::NoTag };
        self.tell(second, name, EventKind::CallRaised { call, exception, tag, fare: None });
    }

    fn condition(&self, second: u64, name: &str) -> Condition {
        self.board.lane(&lane(name)).unwrap().condition(self.real(second))
    }

    fn calls(&self) -> Vec<(String, u64)> {
        let calls = self.board.calls();
        calls.iter().map(|(id, _, number, _)| (id.lane().to_owned(), *number)).collect()
    }
}

#[test]
fn a_lane_of_the_register_is_unknown_until_it_reports() {
    let mut story = Story::new();
    let place = Place {
        operator: "Cienco4".to_owned(),
        station: "Bến Thủy".to_owned(),
        role: Some(RoleRecord::Open),
        zone: TimeZone::UTC,
        currency: Currency::VND,
    };
    story.board.handle_register(vec![(lane("l01"), place)]);
    assert_eq!(story.condition(0, "l01"), Condition::Unknown);
    story.hear(1, heartbeat("l01", 1));
    assert_eq!(story.condition(1, "l01"), Condition::Normal);
    assert!(story.board.lane(&lane("l01")).unwrap().place.is_some());
}

#[test]
fn a_lane_is_stale_once_five_real_seconds_passed_without_a_heartbeat() {
    let mut story = Story::new();
    story.hear(0, heartbeat("l01", 0));
    assert_eq!(story.condition(5, "l01"), Condition::Normal);
    assert_eq!(story.condition(6, "l01"), Condition::Stale);
    story.hear(7, heartbeat("l01", 7));
    assert_eq!(story.condition(7, "l01"), Condition::Normal);
}

#[test]
fn an_event_alone_does_not_make_a_lane_known() {
    let mut story = Story::new();
    story.tell(0, "l01", EventKind::VehicleArrived { queue: 1 });
    assert_eq!(story.condition(0, "l01"), Condition::Unknown);
    let known = story.board.lane(&lane("l01")).unwrap();
    assert_eq!(known.freshness(story.real(0)), Freshness::Unknown);
}

#[test]
fn whatever_is_not_well_asks_for_attention() {
    for worsen in [
        (|h| h.reader = ReaderHealth::Away) as fn(&mut Heartbeat),
        |h| h.reader = ReaderHealth::Starting,
        |h| h.reader = ReaderHealth::Degraded,
        |h| h.field_io = false,
        |h| h.calls = 1,
    ] {
        let mut story = Story::new();
        let mut worse = heartbeat("l01", 0);
        worsen(&mut worse);
        story.hear(0, worse);
        assert_eq!(story.condition(0, "l01"), Condition::Attention);
    }
}

#[test]
fn events_bring_the_heartbeat_forward_and_never_back() {
    let mut story = Story::new();
    story.hear(10, heartbeat("l01", 10));
    story.tell(9, "l01", EventKind::VehicleArrived { queue: 7 });
    story.tell(11, "l01", EventKind::VehicleArrived { queue: 2 });
    story.tell(12, "l01", EventKind::Reader { health: ReaderHealth::Degraded });
    story.tell(
        13,
        "l01",
        EventKind::PassageRecorded {
            epoch: 1,
            seq: 11,
            decision: DecisionRecord::OpenedByTag,
            group: None,
            fare: None,
            read_to_decision_us: None,
        },
    );
    story.tell(14, "l01", EventKind::Posted { upto: 11, read_to_posted_us: vec![] });
    story.hear(15, heartbeat("l01", 9));
    let known = story.board.lane(&lane("l01")).unwrap();
    let now = known.heartbeat.as_ref().unwrap();
    assert_eq!((now.queue, now.reader), (2, ReaderHealth::Degraded));
    assert_eq!((now.last_seq, now.posted_upto), (11, 11));
    assert_eq!(known.last.unwrap().decision, DecisionRecord::OpenedByTag);
}

#[test]
fn a_lane_whose_clock_was_set_back_is_believed_again() {
    let mut story = Story::new();
    story.hear(1, heartbeat("l01", 3_600));
    story.hear(2, heartbeat("l01", 2));
    assert_eq!(story.board.lane(&lane("l01")).unwrap().heard, Some(story.real(1)));
    story.hear(7, heartbeat("l01", 7));
    assert_eq!(story.condition(7, "l01"), Condition::Normal);
}

#[test]
fn calls_stand_oldest_first_until_the_lane_ends_them() {
    let mut story = Story::new();
    story.call(3, "l01", 1, None);
    story.call(1, "l02", 4, Some("3416214B"));
    story.call(8, "l01", 1, None);
    assert_eq!(story.calls(), [("l02".to_owned(), 4), ("l01".to_owned(), 1)]);
    let raised: Vec<_> = story.board.calls().iter().map(|(_, _, _, call)| call.raised_at).collect();
    assert_eq!(raised, [run(1), run(3)]);
    story.tell(9, "l02", EventKind::CallEnded { call: 4 });
    assert_eq!(story.calls(), [("l01".to_owned(), 1)]);
}

#[test]
fn a_call_with_a_used_number_and_another_vehicle_is_a_new_call() {
    let mut story = Story::new();
    story.call(1, "l01", 1, None);
    story.call(9, "l01", 1, Some("3416214B"));
    let calls = story.board.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].3.raised_at, run(9));
}

#[test]
fn a_heartbeat_without_calls_clears_those_told_before_it_alone() {
    let mut story = Story::new();
    story.call(1, "l01", 1, None);
    story.call(6, "l01", 2, None);
    story.hear(6, heartbeat("l01", 5));
    assert_eq!(story.calls(), [("l01".to_owned(), 2)]);
}

#[test]
fn a_call_that_a_living_lane_no_longer_repeats_goes_and_a_silent_lanes_stays() {
    let mut story = Story::new();
    story.call(1, "l01", 1, None);
    story.call(1, "l02", 1, None);
    let mut waiting = heartbeat("l01", 16);
    waiting.calls = 1;
    story.hear(16, waiting);
    let now = story.real(16);
    story.board.handle_deadline(now, 1.0);
    assert_eq!(story.calls().len(), 2, "fifteen seconds are three repeats, and allowed");
    let now = story.real(17);
    story.board.handle_deadline(now, 1.0);
    assert_eq!(story.calls(), [("l02".to_owned(), 1)]);
}

#[test]
fn a_fast_run_still_leaves_a_call_three_real_seconds() {
    let mut story = Story::new();
    let mut waiting = heartbeat("l01", 0);
    waiting.calls = 1;
    story.hear(0, waiting);
    story.call(0, "l01", 1, None);
    let now = story.real(3);
    story.board.handle_deadline(now, 50.0);
    assert_eq!(story.calls().len(), 1);
    let now = story.real(4);
    story.board.handle_deadline(now, 50.0);
    assert!(story.calls().is_empty());
}

#[test]
fn the_tally_counts_each_lane_once() {
    let mut story = Story::new();
    story.hear(0, heartbeat("l01", 0));
    story.hear(10, heartbeat("l02", 10));
    story.hear(10, heartbeat("l03", 10));
    story.call(10, "l03", 1, None);
    let tally = story.board.tally(&Scope::Everywhere, story.real(10));
    assert_eq!(tally, Tally { live: 2, lanes: 3, attention: 1, silent: 1, calls: 1 });
}

#[test]
fn what_happens_is_told_the_newest_first_and_a_call_that_is_repeated_is_no_news() {
    let mut story = Story::new();
    story.call(1, "l01", 1, None);
    story.call(2, "l01", 1, None);
    story.tell(3, "l02", EventKind::Violation);
    story.tell(4, "l02", EventKind::VehicleArrived { queue: 2 });
    // Another vehicle at the same number: the lane restarted.
    story.call(5, "l01", 1, Some("3416214B88C0011762000493"));
    let told: Vec<_> = story.board.feed().iter().map(|it| (it.lane.clone(), &it.what)).collect();
    assert_eq!(
        told,
        [
            (lane("l01"), &What::Called(ExceptionRecord::NoMoney)),
            (lane("l02"), &What::Violation),
            (lane("l01"), &What::Called(ExceptionRecord::NoTag)),
        ]
    );
}

#[test]
fn the_oldest_is_forgotten_where_the_feed_is_full() {
    let mut story = Story::new();
    story.tell(0, "l02", EventKind::Violation);
    for second in 1..=u32::try_from(KEPT).unwrap() {
        story.tell(second, "l01", EventKind::Violation);
    }
    assert_eq!(story.board.feed().iter().count(), KEPT);
    assert!(story.board.feed().iter().all(|it| it.lane == lane("l01")));
}
