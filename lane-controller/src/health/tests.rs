use domain::signature::Digest256;

use super::*;

fn lane(name: &str) -> LaneId {
    format!("cienco4/ben-thuy/{name}").parse().unwrap()
}

fn heartbeat(unwritten: Option<u64>) -> Heartbeat {
    Heartbeat {
        v: 1,
        lane: lane("l01"),
        at: Timestamp::UNIX_EPOCH,
        epoch: 1,
        last_seq: 12,
        posted_upto: 9,
        list_version: 4,
        list_hash: Digest256::default(),
        reader: ReaderHealth::Reading,
        field_io: true,
        queue: 0,
        calls: 0,
        arm_up: None,
        unwritten,
        vitals: None,
    }
}

fn station(lanes: Vec<LaneHealth>) -> StationHealth {
    StationHealth {
        station: "ben-thuy".to_owned().try_into().unwrap(),
        clock: Timestamp::UNIX_EPOCH,
        broker: false,
        list_confirmed_at: None,
        list_version: 4,
        list_unchanged_s: 60,
        lanes,
    }
}

fn failed() -> Condition {
    Condition::Failed { why: "its journal is damaged".to_owned(), times: 3 }
}

#[test]
fn a_station_is_well_only_when_every_lane_is() {
    let well = LaneHealth::of(lane("l01"), Condition::Running, Some(&heartbeat(None)));
    assert!(station(vec![well.clone()]).is_well());
    let degraded = LaneHealth::of(lane("l02"), Condition::Running, Some(&heartbeat(Some(2))));
    let broken = LaneHealth::of(lane("l03"), failed(), None);
    assert_eq!(broken.why.as_deref(), Some("its journal is damaged"));
    for other in [degraded, broken] {
        let station = station(vec![well.clone(), other]);
        assert!(!station.is_well());
        assert!(station.lives());
    }
}

#[test]
fn a_process_whose_running_lanes_are_all_silent_does_not_live() {
    let silent = || LaneHealth::of(lane("l01"), Condition::Running, None);
    let failed = || LaneHealth::of(lane("l02"), failed(), None);
    assert!(!station(vec![silent(), failed()]).lives());
    // A station whose lanes have all failed is tried again from within.
    assert!(station(vec![failed()]).lives());
}

#[test]
fn metrics_have_one_line_for_each_lane_that_can_say() {
    let text = station(vec![
        LaneHealth::of(lane("l01"), Condition::Running, Some(&heartbeat(Some(2)))),
        LaneHealth::of(lane("l02"), failed(), None),
    ])
    .metrics();
    for line in [
        "etc_broker_connected 0",
        "etc_list_unchanged_seconds 60",
        "etc_lane_running{lane=\"cienco4/ben-thuy/l01\"} 1",
        "etc_lane_running{lane=\"cienco4/ben-thuy/l02\"} 0",
        "etc_lane_failures{lane=\"cienco4/ben-thuy/l02\"} 3",
        "etc_lane_journal{lane=\"cienco4/ben-thuy/l01\"} 0",
        "etc_lane_unwritten{lane=\"cienco4/ben-thuy/l01\"} 2",
        "etc_lane_backlog{lane=\"cienco4/ben-thuy/l01\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("etc_lane_backlog{lane=\"cienco4/ben-thuy/l02\"}"));
}
