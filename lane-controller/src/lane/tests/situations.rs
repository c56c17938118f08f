//! Situations of the road, by the numbers of `docs/situations.md`.

use super::*;

#[test]
fn a_vehicle_that_comes_out_of_nowhere_is_a_violation_with_a_record() {
    check(
        LaneRole::Open,
        "
        0 safety on
        > Siren
        > Violation
        > Record LeftUndecided Nothing after LeftUndecided
        900 safety off
        > Left 0
        > Red
        1900 deadline
        > Close
        ",
    );
}

#[test]
fn two_vehicles_that_cross_as_one_do_not_hold_the_arm_up_for_the_next() {
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
        2300 presence off
        4000 safety off
        > Left 1
        > Open
        64000 deadline
        > Case: a vehicle that was let through was not seen to go
        > Left 0
        > Red
        65000 deadline
        > Close
        70000 presence on
        > Arrived 1
        70005 tag poor
        > Call 1 NoMoney
        ",
    );
}

#[test]
fn one_that_was_given_up_and_goes_late_has_its_passage() {
    let released = "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        900 presence off
        60005 deadline
        > Case: a vehicle that was let through was not seen to go
        > Left 0
        > Red
        61005 deadline
        > Close
        ";
    check(
        LaneRole::Open,
        &format!("{released}\n70000 safety on\n71000 safety off\n> Left 0\n> Red"),
    );
    check(LaneRole::Open, &format!("{released}\n70000 fault 0\n> Open\n> Confirm 1"));
}

#[test]
fn one_that_may_go_and_stands_is_waited_for() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        60005 deadline
        > Alarm: a vehicle that may go does not go
        70000 presence off
        71000 safety on
        72000 safety off
        > Left 0
        > Red
        ",
    );
}

#[test]
fn equipment_that_failed_costs_the_driver_nothing_where_the_operator_says_so() {
    let story = |payment: &str| {
        format!(
            "0 presence on\n> Arrived 1\n3000 deadline\n> Call 1 NoTag\n4000 fault 1\n\
             > CallEnded 1\n> Record OpenedByAttendant {payment} after NoTag\n> Open\n> Confirm"
        )
    };
    check(LaneRole::Open, &story("Account 47000"));
    let free = policy(|policy| policy.verdict.equipment_fault = domain::passage::Payment::Nothing);
    check_with(free, &story("Nothing 0"));
}

#[test]
fn a_plate_that_a_camera_is_sure_of_is_on_the_record_of_one_that_ran() {
    let world = World::new();
    for (word, has_plate) in [("camera surely", true), ("camera perhaps", false)] {
        let mut lane = lane(LaneRole::Open);
        let now = Duration::from_secs(20);
        let mut plates = Vec::new();
        for word in ["presence on", word, "safety on"] {
            let event = event(word, &mut World::new());
            for action in lane.handle(event, now, &world.known()) {
                if let Action::Record { draft, .. } = action {
                    plates.push(draft.plate.is_some());
                }
            }
        }
        assert_eq!(plates, [has_plate]);
    }
}

#[test]
fn a_trailer_is_one_vehicle_with_what_pulls_it() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        900 presence off
        1100 presence on
        1500 presence off
        1600 safety on
        2400 safety off
        > Left 0
        > Red
        2600 safety on
        3400 safety off
        > Red
        4400 deadline
        > Close
        ",
    );
}

#[test]
fn a_loop_that_chatters_counts_one_vehicle() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        20 presence off
        > NoVehicle 1
        > Left 0
        40 presence on
        > Arrived 1
        50 tag good
        > Record OpenedByTag Account 47000
        > Open
        60 presence off
        80 presence on
        100 presence off
        1500 safety on
        1520 safety off
        > Left 0
        > Red
        1540 safety on
        2400 safety off
        > Red
        ",
    );
}

#[test]
fn a_motorcycle_on_the_presence_loop_is_no_vehicle() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        200 presence off
        > NoVehicle 1
        > Left 0
        5000 presence on
        > Arrived 1
        5200 tag good
        > Record OpenedByTag Account 47000
        > Open
        ",
    );
}

#[test]
fn a_convoy_goes_under_an_arm_that_two_people_hold_up_and_each_has_a_record() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        500 convoy nv-01 nv-02
        > ConvoyBegan nv-01 and nv-02
        > Record OpenedByAttendant Nothing 0
        > Open
        > Obeyed
        900 presence off
        1500 presence on
        > Arrived 2
        > Record OpenedByAttendant Nothing 0
        1505 tag good
        2000 safety on
        2900 safety off
        > Left 1
        > Open
        3000 presence off
        3500 safety on
        4400 safety off
        > Left 0
        5000 safety on
        > Record OpenedByAttendant Nothing 0
        5900 safety off
        > Left 0
        60500 deadline
        > Alarm: the convoy has had its time
        > ConvoyEnded 3
        > Red
        61500 deadline
        > Close
        ",
    );
}

#[test]
fn one_person_alone_does_not_hold_the_arm_up() {
    check(LaneRole::Open, "0 convoy nv-01 nv-01\n> Refuse: a second person has to agree");
}

#[test]
fn one_that_follows_under_the_open_arm_is_a_violation_with_a_record() {
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
        1500 safety on
        2000 presence off
        2400 safety off
        > Left 1
        > Red
        2800 safety on
        > Siren
        > Violation
        > Record LeftUndecided Nothing after LeftUndecided
        3600 safety off
        > Left 0
        > Red
        4600 deadline
        > Close
        ",
    );
}

#[test]
fn a_vehicle_that_goes_out_backwards_after_its_passage_is_a_case() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        2000 reversed
        > Case: a vehicle that was let through went out backwards
        > Left 0
        > Red
        3000 deadline
        > Close
        ",
    );
}

#[test]
fn a_vehicle_that_goes_away_before_anything_was_decided_has_a_record() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        4000 reversed
        > CallEnded 1
        > Record LeftUndecided Nothing after LeftUndecided
        > Left 0
        > Red
        ",
    );
}

#[test]
fn one_that_was_turned_away_and_is_not_seen_to_leave_does_not_block_the_lane() {
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
        64000 deadline
        > Alarm: a vehicle that was turned away was not seen to leave
        > Left 0
        65000 presence on
        > Arrived 1
        65005 tag good
        > Record OpenedByTag Account 47000
        > Open
        ",
    );
}

#[test]
fn an_exit_that_knows_no_entry_calls_a_person_where_the_operator_says_so() {
    let strict = policy(|policy| policy.verdict.missing_entry = policy::Choice::Call);
    let story = "0 presence on\n> Arrived 1\n5 tag low\n> Call 1 NoFare";
    check_in(World::new(), lane_with(LaneRole::Exit, strict), story);
    let story = "0 presence on\n> Arrived 1\n5 tag low\n> Record OpenedByTag Account\n> Open";
    check_in(World::new(), lane(LaneRole::Exit), story);
}

#[test]
fn vehicles_without_tags_in_a_row_raise_the_alarm_once() {
    check_with(
        policy(|policy| policy.untagged_in_row = 2),
        "
        0 presence on
        > Arrived 1
        3000 deadline
        > Call 1 NoTag
        3500 presence off
        4000 presence on
        > Arrived 2
        7000 deadline
        > Alarm: vehicles come and no tag is read
        > Call 2 NoTag
        ",
    );
}

#[test]
fn a_loop_that_stays_occupied_is_told_and_the_arm_stays_up() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        900 presence off
        1000 safety on
        121000 deadline
        > Alarm: the safety loop has been occupied for too long
        ",
    );
}

#[test]
fn an_attendant_opens_by_hand_with_a_record_and_without_a_call() {
    check(
        LaneRole::Open,
        "
        0 fault 0
        > Record OpenedByAttendant Account 47000
        > Open
        > Confirm
        60000 deadline
        > Case: a vehicle that was let through was not seen to go
        > Left 0
        > Red
        ",
    );
    check(LaneRole::Open, "0 turn-away 0\n> Refuse: no vehicle has called");
}

#[test]
fn at_a_gantry_everybody_goes_and_everybody_has_a_record() {
    check_with(
        policy(|policy| policy.layout = Layout::FreeFlow),
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Left 0
        400 presence off
        1000 presence on
        > Arrived 1
        1005 tag poor
        > Violation
        > Record LeftUndecided Nothing after NoMoney
        > Left 0
        1400 presence off
        2000 presence on
        > Arrived 1
        2400 presence off
        5000 deadline
        > Violation
        > Record LeftUndecided Nothing after NoTag
        > Left 0
        ",
    );
}
