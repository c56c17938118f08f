use std::time::Duration;

use domain::wire::v1::{ReasonRecord, Verb};
use domain::{Plate, VehicleGroup};

use super::{OrderError, OrderForm, validity};

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
    let command = form("open").order().unwrap().command("c-1".to_owned(), "lan", now, 1.0);
    assert_eq!(command.expires_at.duration_since(command.issued_at).as_secs(), 10);
    assert_eq!((command.attendant.as_str(), command.id.as_str()), ("lan", "c-1"));
}
