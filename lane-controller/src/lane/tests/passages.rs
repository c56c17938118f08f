//! Ordinary passages: a vehicle comes, is decided upon, and goes.

use super::*;

#[test]
fn a_good_tag_opens_after_its_passage_is_written_and_the_arm_falls_behind_the_vehicle() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        25 tag good
        900 presence off
        1500 safety on
        2400 safety off
        > Left 0
        > Red
        3400 deadline
        > Close
        ",
    );
}

#[test]
fn a_tag_that_is_read_before_the_loop_opens_when_its_vehicle_arrives() {
    check(
        LaneRole::Open,
        "
        0 tag good
        300 presence on
        > Arrived 1
        > Record OpenedByTag Account 47000
        > Open
        ",
    );
}

#[test]
fn a_vehicle_without_a_tag_gets_help_and_may_still_pass() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        3000 deadline
        > Call 1 NoTag
        8000 deadline
        > Call 1 NoTag
        9000 by-plate 1
        > CallEnded 1
        > Record ChargedByPlate Account 47000 after NoTag
        > Open
        > Confirm
        ",
    );
}

#[test]
fn a_tag_that_is_read_late_settles_the_call_by_itself() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        3000 deadline
        > Call 1 NoTag
        3100 tag good
        > CallEnded 1
        > Record OpenedByTag Account 47000 after NoTag
        > Open
        3200 by-plate 1
        > Refuse: this call has ended
        ",
    );
}

#[test]
fn a_vehicle_without_money_is_turned_away_and_leaves_over_the_loop_it_came_by() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        900 presence off
        4000 turn-away 1
        > CallEnded 1
        > Record TurnedAway Nothing after NoMoney
        > Confirm
        5000 presence on
        6000 presence off
        > Left 0
        7000 tag poor
        ",
    );
}

#[test]
fn a_driver_who_pays_in_while_waiting_passes_without_an_attendant() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        2000 pays-in poor
        > CallEnded 1
        > Record OpenedByTag Account 47000 after NoMoney
        > Open
        ",
    );
}

#[test]
fn passes_exemptions_and_duty_cost_nothing_and_cash_costs_the_fare() {
    for (tag, told) in [
        ("pass", "> Record OpenedByTag Nothing 0\n> Open"),
        ("exempt", "> Record OpenedByTag Nothing 0\n> Open"),
        ("blocked", "> Call 1 Blocked"),
        ("stranger", "> Call 1 UnknownTag"),
    ] {
        check(LaneRole::Open, &format!("0 presence on\n> Arrived 1\n5 tag {tag}\n{told}"));
    }
    for (answer, told) in [
        ("on-duty", "Record OpenedByAttendant Nothing 0 after NoTag"),
        ("cash", "Record OpenedByAttendant Cash 47000 after NoTag"),
    ] {
        check(
            LaneRole::Open,
            &format!(
                "0 presence on\n> Arrived 1\n3000 deadline\n> Call 1 NoTag\n4000 {answer} 1\n\
                 > CallEnded 1\n> {told}\n> Open\n> Confirm"
            ),
        );
    }
}

#[test]
fn a_trip_costs_nothing_at_its_entry_and_its_fare_at_its_exit() {
    check(
        LaneRole::Entry,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Nothing 0
        > Open
        ",
    );
    check(
        LaneRole::Exit,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 40516
        > Open
        ",
    );
    // The exit does not know the entry: the vehicle goes, and the centre finds the fare.
    check(
        LaneRole::Exit,
        "
        0 presence on
        > Arrived 1
        5 tag pass
        > Record OpenedByTag Account
        > Open
        ",
    );
}

#[test]
fn the_arm_stays_up_for_a_second_vehicle_that_may_go_and_comes_down_before_one_that_may_not() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        900 presence off
        1400 presence on
        > Arrived 2
        1405 tag pass
        > Record OpenedByTag Nothing 0
        1500 safety on
        2400 safety off
        > Left 1
        > Open
        2500 presence off
        3000 presence on
        > Arrived 2
        3005 tag poor
        > Call 1 NoMoney
        3500 safety on
        4000 safety off
        > Left 1
        > Red
        5000 deadline
        > Close
        ",
    );
}

#[test]
fn a_vehicle_that_goes_without_a_decision_is_a_violation_with_a_record() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        2000 safety on
        > CallEnded 1
        > Siren
        > Violation
        > Record LeftUndecided Nothing after LeftUndecided
        3000 safety off
        > Left 0
        > Red
        ",
    );
}

#[test]
fn nobody_is_served_before_the_vehicle_that_stands_in_front() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        900 presence off
        1400 presence on
        > Arrived 2
        1405 tag good
        > Record OpenedByTag Account 47000
        2000 cash 1
        > CallEnded 1
        > Record OpenedByAttendant Cash 47000 after NoMoney
        > Open
        > Confirm
        2600 safety on
        3000 safety off
        > Left 1
        > Open
        ",
    );
}

#[test]
fn a_vehicle_is_not_turned_away_while_another_stands_behind_it() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        900 presence off
        1400 presence on
        > Arrived 2
        2000 turn-away 1
        > Refuse: a vehicle stands behind it, and it cannot back out
        ",
    );
}

#[test]
fn a_read_that_is_told_late_is_not_the_tag_of_who_came_after_it() {
    let world = World::new();
    let mut lane = lane(LaneRole::Open);
    let arrives = Duration::from_secs(30);
    let _arrived = lane.handle(Event::PresenceRose, arrives, &world.known());
    let told = arrives + Duration::from_millis(500);
    let old = Event::TagSeen { tag: tag("pass"), at: arrives - Duration::from_secs(3) };
    assert_eq!(lane.handle(old, told, &world.known()), []);
    let own = Event::TagSeen { tag: tag("good"), at: arrives - Duration::from_secs(1) };
    let actions: Vec<String> =
        lane.handle(own, told, &world.known()).iter().map(describe).collect();
    assert_eq!(actions, ["Record OpenedByTag Account 47000", "Open"]);
}

#[test]
fn a_tag_that_is_read_after_the_attendant_opened_is_not_the_next_vehicles() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        3000 deadline
        > Call 1 NoTag
        9000 by-plate 1
        > CallEnded 1
        > Record ChargedByPlate Account 47000 after NoTag
        > Open
        > Confirm
        9500 tag good
        10000 presence off
        10500 safety on
        11500 safety off
        > Left 0
        > Red
        12000 tag good
        12100 presence on
        > Arrived 1
        12200 tag good
        12300 tag pass
        > Record OpenedByTag Nothing 0
        > Open
        ",
    );
    // The next one's tag is read early, while the one without is already under the arm.
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        3000 deadline
        > Call 1 NoTag
        9000 by-plate 1
        > CallEnded 1
        > Record ChargedByPlate Account 47000 after NoTag
        > Open
        > Confirm
        10500 safety on
        11000 tag pass
        11500 safety off
        > Left 0
        > Red
        11800 presence on
        > Arrived 1
        > Record OpenedByTag Nothing 0
        > Open
        ",
    );
}
