use super::*;

#[test]
fn who_follows_bumper_to_bumper_under_the_arm_is_written_down() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        3000 safety on
        3400 presence off
        4400 presence on
        > Arrived 2
        5400 safety off
        > Left 1
        > Red
        5550 safety on
        5900 presence off
        8200 safety off
        > Siren
        > Violation
        > Record LeftUndecided Nothing after LeftUndecided
        > Left 0
        > Red
        9200 deadline
        > Close
        ",
    );
}

#[test]
fn who_waits_behind_a_loop_that_chatters_is_still_there() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        3000 safety on
        3400 presence off
        4400 presence on
        > Arrived 2
        5400 safety off
        > Left 1
        > Red
        5500 safety on
        5600 presence off
        5700 safety off
        > Red
        6000 tag low
        > Record OpenedByTag Account 47000
        > Open
        ",
    );
}

#[test]
fn who_waits_behind_a_trailer_is_still_there() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        3000 safety on
        3400 presence off
        4400 presence on
        > Arrived 2
        5400 safety off
        > Left 1
        > Red
        5550 safety on
        8200 safety off
        > Red
        8300 tag low
        > Record OpenedByTag Account 47000
        > Open
        ",
    );
}
