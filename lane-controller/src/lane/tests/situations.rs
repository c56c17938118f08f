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
