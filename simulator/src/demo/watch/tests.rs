use domain::signature::Digest256;
use domain::wire::v1::{DecisionRecord, ExceptionRecord};

use super::*;

fn lane() -> LaneId {
    "cienco4/ben-thuy/l01".parse().unwrap()
}

fn event(kind: EventKind) -> LaneEvent {
    LaneEvent { v: 1, lane: lane(), at: "2026-03-02T00:00:00Z".parse().unwrap(), kind }
}

fn heartbeat(last_seq: u64, posted_upto: u64) -> Heartbeat {
    Heartbeat {
        v: 1,
        lane: lane(),
        at: "2026-03-02T00:00:00Z".parse().unwrap(),
        epoch: 1,
        last_seq,
        posted_upto,
        list_version: 1,
        list_hash: Digest256::new([0; 32]),
        reader: ReaderHealth::Reading,
        field_io: true,
        queue: 0,
        calls: 0,
        arm_up: None,
        unwritten: None,
        degraded: Vec::new(),
        vitals: None,
    }
}

#[test]
fn a_call_that_is_told_again_counts_once() {
    let mut seen = Seen::default();
    let raised =
        EventKind::CallRaised { call: 1, exception: ExceptionRecord::NoTag, tag: None, fare: None };
    seen.event(event(raised.clone()));
    seen.event(event(raised));
    assert_eq!((seen.calls_raised, seen.calls_waiting()), (1, 1));
    seen.event(event(EventKind::CallEnded { call: 1 }));
    assert_eq!((seen.calls_ended, seen.calls_waiting()), (1, 0));
}

#[test]
fn a_fare_counts_only_where_the_vehicle_went_through() {
    let mut seen = Seen::default();
    for decision in [DecisionRecord::OpenedByTag, DecisionRecord::TurnedAway] {
        seen.event(event(EventKind::PassageRecorded {
            epoch: 1,
            seq: 1,
            decision,
            group: None,
            fare: Some(domain::Amount::try_new(47_000).unwrap()),
            read_to_decision_us: Some(120),
        }));
    }
    assert_eq!(seen.fares_shown, 47_000);
    assert_eq!(seen.read_to_decision.percentiles().n, 2);
}

#[test]
fn a_lane_is_ready_when_reader_and_field_io_and_list_are() {
    let mut seen = Seen::default();
    assert_eq!(seen.lacks_to_begin(&lane()), Some("no heartbeat yet"));
    seen.heartbeat(Heartbeat { reader: ReaderHealth::Starting, ..heartbeat(0, 0) });
    assert_eq!(seen.lacks_to_begin(&lane()), Some("its reader does not read yet"));
    seen.heartbeat(Heartbeat { field_io: false, ..heartbeat(0, 0) });
    assert_eq!(seen.lacks_to_begin(&lane()), Some("loops and arm do not answer yet"));
    seen.heartbeat(Heartbeat { list_version: 0, ..heartbeat(0, 0) });
    assert_eq!(seen.lacks_to_begin(&lane()), Some("it has no account list yet"));
    seen.heartbeat(heartbeat(0, 0));
    assert_eq!(seen.lacks_to_begin(&lane()), None);
}

#[test]
fn a_lane_is_done_when_a_second_fresh_heartbeat_says_that_all_is_posted() {
    let mut seen = Seen::default();
    seen.heartbeat(heartbeat(7, 7));
    assert!(seen.lacks_to_close(&lane()).is_some(), "it may be older than the last passage");
    seen.heartbeat(heartbeat(8, 7));
    assert_eq!(seen.lacks_to_close(&lane()).as_deref(), Some("posted up to 7 of 8"));
    seen.heartbeat(heartbeat(8, 8));
    assert_eq!(seen.lacks_to_close(&lane()), None);
    assert_eq!(seen.recorded_and_posted(), (8, 8));
}
