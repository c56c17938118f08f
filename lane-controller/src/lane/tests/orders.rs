//! What the desk orders besides letting through and sending back: a corrected group, another read,
//! a convoy and its limits, how the lane works.

use super::*;

#[test]
fn a_corrected_group_is_told_charged_and_a_case_and_the_one_before_stays_on_the_record() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        3000 group-is 1 2
        > Call 1 NoMoney
        > Obeyed
        4000 cash 1
        > Refuse: its group was corrected: let it through as that, or correct it again
        5000 group-is 1 1
        > Call 1 NoMoney
        > Obeyed
        6000 cash 1
        > CallEnded 1
        > Record OpenedByAttendant Cash 47000 after NoMoney as 1 and not Some(1)
        > Open
        > Confirm
        ",
    );
}

#[test]
fn a_tag_whose_account_can_pay_goes_as_soon_as_its_group_is_corrected() {
    // Of group 5 nobody knows the fare here.
    let mut world = World::new();
    let mut entry = world.list.find(&tag("good")).unwrap().clone();
    entry.group = VehicleGroup::try_new(5).unwrap();
    let delta = world.list.plan(vec![ListChange::Upsert(entry)], at());
    world.list.apply(&delta).unwrap();
    check_in(
        world,
        lane(LaneRole::Open),
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Call 1 NoFare
        3000 group-is 1 2
        > CallEnded 1
        > Record OpenedByAttendant Account 64000 after NoFare as 2 and not Some(5)
        > Open
        > Case: a vehicle was measured as of another group
        > Confirm
        ",
    );
}

#[test]
fn a_corrected_group_holds_when_the_driver_pays_in_meanwhile() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        3000 group-is 1 2
        > Call 1 NoMoney
        > Obeyed
        9000 pays-in poor
        > CallEnded 1
        > Record OpenedByAttendant Account 64000 after NoMoney as 2 and not Some(1)
        > Open
        > Case: a vehicle was measured as of another group
        ",
    );
}

#[test]
fn the_group_of_one_without_a_tag_is_corrected_before_anybody_pays() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        10 group 1 surely
        3000 deadline
        > Call 1 NoTag
        4000 group-is 0 2
        > Refuse: no vehicle has called
        4100 group-is 2 2
        > Refuse: this call has ended
        4200 group-is 1 2
        > Call 1 NoTag
        > Obeyed
        ",
    );
}

#[test]
fn another_read_forgets_what_was_read_and_takes_the_next_as_the_first() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag stranger
        > Call 1 UnknownTag
        3000 retry 1
        > Call 1 NoTag
        > Obeyed
        3100 tag stranger
        > Call 1 UnknownTag
        4000 retry 1
        > Call 1 NoTag
        > Obeyed
        4200 tag good
        > CallEnded 1
        > Record OpenedByTag Account 47000 after NoTag
        > Open
        5000 retry 1
        > Refuse: this call has ended
        ",
    );
}

#[test]
fn another_read_finds_the_tag_of_one_that_had_none() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        3000 deadline
        > Call 1 NoTag
        4000 retry 1
        > Call 1 NoTag
        > Obeyed
        4500 tag good
        > CallEnded 1
        > Record OpenedByTag Account 47000 after NoTag
        > Open
        ",
    );
}

#[test]
fn a_convoy_ends_with_its_last_vehicle_and_who_follows_pays() {
    check(
        LaneRole::Open,
        "
        0 convoy nv-01 nv-02 1
        > ConvoyBegan nv-01 and nv-02
        > Obeyed
        100 convoy nv-01 nv-02
        > Refuse: a convoy is under way
        1000 presence on
        > Arrived 1
        > Record OpenedByAttendant Nothing 0
        > Open
        > Alarm: the convoy has had all its vehicles
        > ConvoyEnded 1
        2000 presence off
        2500 safety on
        3500 safety off
        > Left 0
        > Red
        4000 presence on
        > Arrived 1
        4500 deadline
        > Close
        4600 tag good
        > Record OpenedByTag Account 47000
        > Open
        ",
    );
}

#[test]
fn a_convoy_is_ended_by_one_person_and_those_on_their_way_go_on() {
    check(
        LaneRole::Open,
        "
        0 convoy-ends
        > Refuse: no convoy is under way
        100 convoy nv-01 nv-02
        > ConvoyBegan nv-01 and nv-02
        > Obeyed
        1000 presence on
        > Arrived 1
        > Record OpenedByAttendant Nothing 0
        > Open
        1500 convoy-ends
        > ConvoyEnded 1
        > Obeyed
        2000 presence off
        2500 safety on
        3500 safety off
        > Left 0
        > Red
        4500 deadline
        > Close
        ",
    );
}

#[test]
fn a_convoy_has_a_name_and_limits_and_an_arm() {
    let begin = |name: &str, vehicles_max, lasts_s| {
        let verb = Verb::BeginConvoy { name: name.into(), vehicles_max, lasts_s };
        Answer { second: Some("b".into()), ..Answer::of("c".into(), NO_CALL, "a".into(), verb) }
    };
    let world = World::new();
    let refused = |policy, answer| {
        let now = Duration::from_secs(10);
        let actions =
            lane_with(LaneRole::Open, policy).handle(Event::Answered(answer), now, &world.known());
        let [Action::Refuse { why }] = actions.as_slice() else { panic!("{actions:?}") };
        *why
    };
    let policy = LanePolicy::default();
    assert_eq!(refused(policy, begin(" ", 1, 60)), "a convoy has a name of 1 to 40 characters");
    for count in [0, 201] {
        assert_eq!(refused(policy, begin("x", count, 60)), "a convoy has 1 to 200 vehicles");
    }
    for seconds in [0, 3_601] {
        assert_eq!(refused(policy, begin("x", 1, seconds)), "a convoy lasts an hour at most");
    }
    let gantry = LanePolicy { layout: Layout::FreeFlow, ..policy };
    assert_eq!(refused(gantry, begin("x", 1, 60)), "there is no arm here");
}

#[test]
fn a_closed_lane_calls_for_whoever_comes_and_serves_them_when_it_opens() {
    check(
        LaneRole::Open,
        "
        0 mode closed
        > Mode Closed
        > Red
        > Obeyed
        100 convoy nv-01 nv-02
        > Refuse: the lane is closed
        1000 presence on
        > Arrived 1
        > Call 1 LaneClosed
        1100 tag good
        9000 mode automatic
        > Mode Automatic
        > CallEnded 1
        > Record OpenedByTag Account 47000
        > Open
        > Obeyed
        9100 mode closed
        > Refuse: a vehicle is on its way through
        9900 presence off
        10100 safety on
        11000 safety off
        > Left 0
        > Red
        12000 deadline
        > Close
        ",
    );
}

#[test]
fn in_maintenance_nobody_is_served_or_called_and_what_crosses_has_its_record() {
    check(
        LaneRole::Open,
        "
        0 mode maintenance
        > Mode Maintenance
        > Red
        > Obeyed
        1000 presence on
        > Arrived 1
        1100 tag good
        4000 deadline
        4100 cash 0
        > Refuse: the lane is in maintenance
        5000 safety on
        > Record LeftUndecided Nothing after LeftUndecided
        5500 presence off
        6000 safety off
        > Left 0
        > Red
        7000 deadline
        > Close
        8000 presence on
        > Arrived 1
        8100 mode maintenance
        > Refuse: vehicles stand in the lane
        8200 mode automatic
        > Mode Automatic
        > Obeyed
        11000 deadline
        > Call 1 NoTag
        ",
    );
}

#[test]
fn a_directive_that_takes_a_lane_out_of_service_strands_nobody_who_is_in_it() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        3000 deadline
        > Call 1 NoTag
        4000 directive maintenance
        5000 cash 1
        > CallEnded 1
        > Record OpenedByAttendant Cash 47000 after NoTag
        > Open
        > Confirm
        5500 presence off
        6000 safety on
        7000 safety off
        > Left 0
        > Red
        8000 deadline
        > Close
        9000 presence on
        > Arrived 1
        9100 tag good
        9200 cash 0
        > Refuse: the lane is in maintenance
        ",
    );
}

#[test]
fn a_lane_for_tags_alone_takes_no_cash() {
    check(
        LaneRole::Open,
        "
        0 mode etc-only
        > Mode EtcOnly
        > Obeyed
        1000 presence on
        > Arrived 1
        4000 deadline
        > Call 1 NoTag
        5000 cash 1
        > Refuse: nobody pays in cash in this lane
        6000 by-plate 1
        > CallEnded 1
        > Record ChargedByPlate Account 47000 after NoTag
        > Open
        > Confirm
        ",
    );
}

#[test]
fn an_attended_lane_has_a_person_answer_for_a_good_tag_too() {
    check(
        LaneRole::Open,
        "
        0 mode attended
        > Mode Attended
        > Obeyed
        1000 presence on
        > Arrived 1
        1100 tag good
        > Call 1 UnknownTag
        2000 by-plate 1
        > CallEnded 1
        > Record ChargedByPlate Account 47000 after UnknownTag
        > Open
        > Confirm
        ",
    );
}

#[test]
fn a_gantry_has_one_mode() {
    let policy = LanePolicy { layout: Layout::FreeFlow, ..LanePolicy::default() };
    check_with(
        policy,
        "0 mode closed\n> Refuse: there is no arm here: everybody goes, whatever the mode",
    );
}
