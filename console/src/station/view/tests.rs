use domain::signature::Digest256;
use domain::wire::v1::{
    EventKind, ExceptionRecord, Heartbeat, LaneEvent, PictureKind, PictureNote, PictureRecord,
    Pictured, ReaderHealth,
};
use domain::{Amount, Clock, LaneId};
use serde_json::Value;

use super::{Arm, Scene, Shown, Viewer};
use crate::access::Scope;
use crate::language::Language;
use crate::station::board::{Board, Condition, FRESH};

fn lane(name: &str) -> LaneId {
    format!("cienco4/ben-thuy/{name}").parse().unwrap()
}

fn heartbeat(clock: &Clock, name: &str) -> Heartbeat {
    Heartbeat {
        v: 1,
        lane: lane(name),
        at: clock.now(),
        epoch: 1,
        last_seq: 1_240,
        posted_upto: 1_238,
        list_version: 3,
        list_hash: Digest256::of(b"list"),
        reader: ReaderHealth::Reading,
        field_io: true,
        queue: 6,
        calls: 0,
        arm_up: Some(true),
        unwritten: None,
        degraded: Vec::new(),
        vitals: None,
    }
}

fn call(clock: &Clock, name: &str, number: u64) -> LaneEvent {
    let kind = EventKind::CallRaised {
        call: number,
        exception: ExceptionRecord::NoMoney,
        tag: Some("3416214B88C0011762000493".parse().unwrap()),
        fare: Some(Amount::try_new(47_000).unwrap()),
    };
    LaneEvent { v: 1, lane: lane(name), at: clock.now(), kind }
}

fn scene(board: &Board, clock: &Clock) -> Scene {
    scene_of(board, &Scope::Everywhere, clock)
}

fn scene_of(board: &Board, scope: &Scope, clock: &Clock) -> Scene {
    let viewer = Viewer { t: Language::English, csrf: "token", scope, may_answer: true };
    Scene::new(board, viewer, clock)
}

#[test]
fn nobody_sees_the_lanes_or_calls_of_another_place() {
    let clock = Clock::system();
    let mut board = Board::default();
    board.handle_heartbeat(heartbeat(&clock, "l01"), clock.real());
    board.handle_event(call(&clock, "l01", 1), clock.real());
    for (scope, seen) in
        [("*", 1), ("cienco4", 1), ("vec", 0), ("cienco4/ben-thuy", 1), ("cienco4/hoang-mai", 0)]
    {
        let scene = scene_of(&board, &scope.parse().unwrap(), &clock);
        let tally = (scene.tally.lanes, scene.tally.calls);
        assert_eq!((scene.stations.len(), scene.calls.len(), tally), (seen, seen, (seen, seen)));
    }
}

fn update(shown: &mut Shown, scene: &Scene) -> Value {
    shown.update(scene).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

#[test]
fn a_card_shows_the_lane_and_a_stale_one_shows_no_arm() {
    let clock = Clock::system();
    let mut board = Board::default();
    board.handle_heartbeat(heartbeat(&clock, "l01"), clock.real());
    let fresh = scene(&board, &clock);
    let card = &fresh.stations[0].lanes[0];
    assert_eq!((card.condition, card.arm), (Condition::Normal, Arm::Up));
    assert_eq!((card.queue, card.vehicles.len(), card.backlog), (Some(6), 4, 2));
    assert!(fresh.lanes().contains("1,238"));

    let mut board = Board::default();
    let Some(long_ago) = clock.real().checked_sub(FRESH * 2) else { return };
    board.handle_heartbeat(heartbeat(&clock, "l01"), long_ago);
    let stale = scene(&board, &clock);
    let card = &stale.stations[0].lanes[0];
    assert_eq!((card.condition, card.arm), (Condition::Stale, Arm::Unknown));
    assert!(stale.lanes().contains("Stale"));
}

#[test]
fn pictures_of_a_vehicle_that_waits_come_later_and_are_for_those_who_answer_it() {
    let clock = Clock::system();
    let mut board = Board::default();
    let mut shown = Shown::default();
    board.handle_event(call(&clock, "l01", 1), clock.real());
    update(&mut shown, &scene(&board, &clock));
    let digest = Digest256::of(b"a picture");
    let pictures = vec![PictureRecord { digest, kind: PictureKind::Plate, len: 9 }];
    let (of, at) = (Pictured::Call { call: 1 }, clock.now());
    board.handle_pictures(PictureNote { v: 1, lane: lane("l01"), at, of, pictures });
    let second = update(&mut shown, &scene(&board, &clock));
    assert_eq!(second["calls"], Value::Null, "the form is left alone");
    let set = second["set"].as_object().unwrap();
    let (id, html) = set.iter().find(|(id, _)| id.starts_with("pictures-call-")).unwrap();
    let url = format!("/station/picture/cienco4/ben-thuy/l01/1/{digest}");
    let html = html.as_str().unwrap();
    assert!(
        html.contains(&url) && html.contains("Plate of the vehicle that waits"),
        "{id}: {html}"
    );
    let scope = Scope::Everywhere;
    let onlooker = Viewer { t: Language::English, csrf: "token", scope: &scope, may_answer: false };
    assert!(Scene::new(&board, onlooker, &clock).calls[0].pictures.is_empty());
}

#[test]
fn nothing_of_a_tag_but_its_end_reaches_the_page() {
    let clock = Clock::system();
    let mut board = Board::default();
    board.handle_event(call(&clock, "l01", 1), clock.real());
    let text = update(&mut Shown::default(), &scene(&board, &clock)).to_string();
    assert!(text.contains("…0493"));
    assert!(!text.contains("3416214B"));
}

#[test]
fn a_page_gets_what_changed_and_only_that() {
    let clock = Clock::system();
    let mut board = Board::default();
    board.handle_heartbeat(heartbeat(&clock, "l01"), clock.real());
    board.handle_heartbeat(heartbeat(&clock, "l02"), clock.real());
    let mut shown = Shown::default();
    let first = update(&mut shown, &scene(&board, &clock));
    assert!(first["set"]["lanes"].as_str().unwrap().contains("L02"));
    assert_eq!(update(&mut shown, &scene(&board, &clock)), Value::Null);

    let mut busier = heartbeat(&clock, "l02");
    busier.queue = 1;
    board.handle_heartbeat(busier, clock.real());
    let second = update(&mut shown, &scene(&board, &clock));
    let ids: Vec<&String> = second["set"].as_object().unwrap().keys().collect();
    assert_eq!(ids, ["lane-cienco4.ben-thuy.l02"]);
    assert_eq!(second["calls"], Value::Null);
}

#[test]
fn a_call_is_sent_once_and_its_form_is_left_alone_afterwards() {
    let clock = Clock::system();
    let mut board = Board::default();
    let mut shown = Shown::default();
    board.handle_event(call(&clock, "l01", 1), clock.real());
    let first = update(&mut shown, &scene(&board, &clock));
    assert!(first["calls"][0]["html"].as_str().unwrap().contains("token"));

    board.handle_event(call(&clock, "l02", 1), clock.real());
    let second = update(&mut shown, &scene(&board, &clock));
    assert_eq!(second["calls"].as_array().unwrap().len(), 2);
    assert_eq!(second["calls"][0]["html"], Value::Null);
    assert_ne!(second["calls"][1]["html"], Value::Null);

    let kind = EventKind::CallEnded { call: 1 };
    let ended = LaneEvent { v: 1, lane: lane("l01"), at: clock.now(), kind };
    board.handle_event(ended, clock.real());
    let third = update(&mut shown, &scene(&board, &clock));
    assert_eq!(third["calls"].as_array().unwrap().len(), 1);
    assert_eq!(third["calls"][0]["html"], Value::Null);
}

#[test]
fn what_a_lane_says_cannot_become_markup() {
    let clock = Clock::system();
    let mut board = Board::default();
    let kind = EventKind::Alarm { text: "<script>alert(1)</script>".to_owned() };
    let alarm = LaneEvent { v: 1, lane: lane("l01"), at: clock.now(), kind };
    board.handle_event(alarm, clock.real());
    let html = scene(&board, &clock).lanes();
    assert!(html.contains("alert(1)") && !html.contains("<script>"), "{html}");
}

#[test]
fn the_feed_tells_what_happened_to_whom_it_concerns_and_nothing_of_the_vehicle() {
    let clock = Clock::system();
    let mut board = Board::default();
    board.handle_event(call(&clock, "l01", 1), clock.real());
    let mut shown = Shown::default();
    let seen = update(&mut shown, &scene(&board, &clock));
    let feed = seen["set"]["feed"].as_str().unwrap();
    assert!(feed.contains("L01") && feed.contains("Not enough money"), "{feed}");
    assert!(!feed.contains("0493"), "{feed}");
    let elsewhere = scene_of(&board, &"vec".parse().unwrap(), &clock);
    assert!(elsewhere.feed.is_empty());
    // What is on the page already is not sent again.
    assert_eq!(update(&mut shown, &scene(&board, &clock))["set"]["feed"], Value::Null);
}
