use std::time::Duration;

use domain::wire::v1::{LaneMode, ReasonRecord, Verb};
use domain::{Plate, VehicleGroup};

use super::{LaneOrderForm, OrderError, OrderForm, validity};

fn form(action: &str) -> OrderForm {
    OrderForm {
        lane: "cienco4/ben-thuy/l01".to_owned(),
        call: 7,
        action: action.to_owned(),
        plate: "37a-123.45".to_owned(),
        group: "2".to_owned(),
        open_reason: "cash-paid".to_owned(),
        turn_away_reason: "drivers-wish".to_owned(),
        note: String::new(),
    }
}

fn verb(form: &OrderForm) -> Result<Verb, OrderError> {
    form.order().map(|order| order.verb)
}

#[test]
fn each_action_becomes_its_own_verb() {
    let plate = Plate::try_new("37A12345").unwrap();
    let group = VehicleGroup::try_new(2).unwrap();
    assert_eq!(
        verb(&form("open")),
        Ok(Verb::Open { reason: ReasonRecord::CashPaid, plate: plate.clone(), group })
    );
    assert_eq!(verb(&form("charge-by-plate")), Ok(Verb::ChargeByPlate { plate, group }));
    assert_eq!(verb(&form("turn-away")), Ok(Verb::TurnAway { reason: ReasonRecord::DriversWish }));
    let order = form("open").order().unwrap();
    assert_eq!((order.lane.to_string().as_str(), order.call), ("cienco4/ben-thuy/l01", 7));
}

#[test]
fn a_form_that_is_not_whole_is_refused_with_what_it_lacks() {
    let check = |action: &str, spoil: fn(&mut OrderForm), error: OrderError| {
        let mut form = form(action);
        spoil(&mut form);
        assert_eq!(verb(&form), Err(error), "{action}");
    };
    check("open", |f| f.lane = "l01".to_owned(), OrderError::Lane);
    check("", |_| {}, OrderError::Action);
    check("close", |_| {}, OrderError::Action);
    check("open", |f| f.plate = "<b>".to_owned(), OrderError::Plate);
    check("charge-by-plate", |f| f.plate.clear(), OrderError::Plate);
    check("open", |f| f.group.clear(), OrderError::Group);
    check("open", |f| f.group = "0".to_owned(), OrderError::Group);
    check("charge-by-plate", |f| f.group = "6".to_owned(), OrderError::Group);
    check("open", |f| f.open_reason = "drivers-wish".to_owned(), OrderError::Reason);
    check("turn-away", |f| f.turn_away_reason = "cash-paid".to_owned(), OrderError::Reason);
    check("open", |f| f.open_reason = "other".to_owned(), OrderError::Note);
    check(
        "turn-away",
        |f| {
            f.turn_away_reason = "other".to_owned();
            f.note = "x".repeat(201);
        },
        OrderError::Note,
    );
}

#[test]
fn turning_away_needs_neither_plate_nor_group() {
    let mut form = form("turn-away");
    form.plate.clear();
    form.group.clear();
    assert!(verb(&form).is_ok());
}

#[test]
fn a_note_goes_with_another_reason_alone() {
    let mut form = form("turn-away");
    form.note = "  lost its load ".to_owned();
    assert_eq!(verb(&form), Ok(Verb::TurnAway { reason: ReasonRecord::DriversWish }));
    form.turn_away_reason = "other".to_owned();
    let note = "lost its load".to_owned();
    assert_eq!(verb(&form), Ok(Verb::TurnAway { reason: ReasonRecord::Other { note } }));
}

#[test]
fn a_command_is_valid_ten_seconds_of_the_run_and_two_real_ones_at_least() {
    assert_eq!(validity(1.0), Duration::from_secs(10));
    assert_eq!(validity(5.0), Duration::from_secs(10));
    assert_eq!(validity(50.0), Duration::from_secs(100));
    let now = "2026-11-21T05:00:00Z".parse().unwrap();
    let command = form("open").order().unwrap().command("c-1".to_owned(), ("lan", None), now, 1.0);
    assert_eq!(command.expires_at.duration_since(command.issued_at).as_secs(), 10);
    assert_eq!((command.attendant.as_str(), command.id.as_str()), ("lan", "c-1"));
}

fn lane_form(action: &str) -> LaneOrderForm {
    let text = |text: &str| text.to_owned();
    LaneOrderForm {
        lane: text("cienco4/ben-thuy/l01"),
        action: text(action),
        mode: text("closed"),
        convoy: text(" visit "),
        vehicles: text("20"),
        minutes: text("15"),
        second: text("binh"),
        second_password: text("a long secret"),
        second_code: String::new(),
    }
}

#[test]
fn a_lanes_form_asks_for_a_mode_or_a_convoy_and_answers_no_call() {
    let verb = |action: &str| lane_form(action).order().unwrap();
    assert_eq!(verb("set-mode").verb, Verb::SetMode { mode: LaneMode::Closed });
    let convoy = Verb::BeginConvoy { name: "visit".to_owned(), vehicles_max: 20, lasts_s: 900 };
    assert_eq!(verb("begin-convoy").verb, convoy);
    let end = verb("end-convoy");
    assert_eq!((end.call, end.verb), (0, Verb::EndConvoy));
}

#[test]
fn a_lanes_form_that_says_nothing_useful_is_refused_by_what_is_wrong() {
    let check = |action: &str, change: fn(&mut LaneOrderForm), error: OrderError| {
        let mut form = lane_form(action);
        change(&mut form);
        assert_eq!(form.order(), Err(error));
    };
    check("set-mode", |f| f.lane = "l01".to_owned(), OrderError::Lane);
    check("set-mode", |f| f.mode = "open".to_owned(), OrderError::Mode);
    check("open", |_| (), OrderError::Action);
    check("begin-convoy", |f| f.convoy = " ".to_owned(), OrderError::Convoy);
    check("begin-convoy", |f| f.vehicles = "0".to_owned(), OrderError::Convoy);
    check("begin-convoy", |f| f.minutes = "99999999999".to_owned(), OrderError::Convoy);
}

#[test]
fn a_call_is_answered_with_a_corrected_group_or_another_read() {
    let group = VehicleGroup::try_new(2).unwrap();
    let mut corrected = form("change-group");
    corrected.group = "2".to_owned();
    assert_eq!(corrected.order().unwrap().verb, Verb::ChangeGroup { group });
    assert_eq!(form("retry-read").order().unwrap().verb, Verb::RetryRead);
}
