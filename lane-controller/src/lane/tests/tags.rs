//! Situations of the road about tags and the list, by the numbers of `docs/situations.md`.

use super::*;

#[test]
fn a_vehicle_with_two_tags_is_charged_once() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag good
        > Record OpenedByTag Account 47000
        > Open
        105 tag pass
        > Case: a vehicle carries two tags
        900 presence off
        1500 safety on
        2400 safety off
        > Left 0
        > Red
        2600 presence on
        > Arrived 1
        2700 tag pass
        ",
    );
    // Both were read before it stood on the loop.
    check(
        LaneRole::Open,
        "
        0 tag good
        100 tag pass
        300 presence on
        > Arrived 1
        > Record OpenedByTag Account 47000
        > Open
        > Case: a vehicle carries two tags
        ",
    );
}

#[test]
fn a_second_tag_that_may_pass_helps_a_vehicle_whose_first_may_not() {
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        105 tag good
        > Case: a vehicle carries two tags
        > CallEnded 1
        > Record OpenedByTag Account 47000 after NoMoney
        > Open
        ",
    );
}

#[test]
fn two_tags_read_before_any_vehicle_stands_belong_to_two_vehicles_in_their_order() {
    check(
        LaneRole::Open,
        "
        0 tag good
        900 tag pass
        1000 presence on
        > Arrived 1
        > Record OpenedByTag Account 47000
        > Open
        1900 presence off
        2400 presence on
        > Arrived 2
        > Record OpenedByTag Nothing 0
        ",
    );
}

#[test]
fn a_tag_that_the_next_lane_let_through_is_not_charged_here() {
    check(
        LaneRole::Open,
        "
        0 tag good
        100 elsewhere good
        300 presence on
        > Arrived 1
        400 tag good
        500 tag pass
        > Record OpenedByTag Nothing 0
        > Open
        ",
    );
    // It was here first, and only then at the other lane.
    check(
        LaneRole::Open,
        "
        0 presence on
        > Arrived 1
        5 tag poor
        > Call 1 NoMoney
        100 elsewhere poor
        > CallEnded 1
        200 tag good
        > Record OpenedByTag Account 47000
        > Open
        300 elsewhere good
        > Case: a vehicle's tag was let through at another lane
        ",
    );
}

#[test]
fn a_tag_that_is_read_less_often_than_asked_does_not_count() {
    check_with(
        policy(|policy| policy.reads_needed = 3),
        "
        0 presence on
        > Arrived 1
        10 tag pass
        30 tag good
        50 tag good
        70 tag good
        > Record OpenedByTag Account 47000
        > Open
        ",
    );
}

#[test]
fn an_unlisted_tag_passes_where_the_list_is_a_black_list() {
    check_with(
        policy(|policy| policy.verdict.unlisted = policy::Choice::Serve),
        "
        0 presence on
        > Arrived 1
        5 tag stranger
        > Record OpenedByTag Account
        > Open
        ",
    );
}

#[test]
fn a_tag_that_may_not_pass_calls_a_person_with_its_reason() {
    for (tag, why) in [
        ("blocked", "Blocked"),
        ("closed", "Closed"),
        ("old", "NotConverted"),
        ("stranger", "UnknownTag"),
    ] {
        check(LaneRole::Open, &format!("0 presence on\n> Arrived 1\n5 tag {tag}\n> Call 1 {why}"));
    }
}

#[test]
fn a_balance_that_is_low_passes_unless_the_operator_says_otherwise() {
    let story = |told: &str| format!("0 presence on\n> Arrived 1\n5 tag low\n{told}");
    check(LaneRole::Open, &story("> Record OpenedByTag Account 47000\n> Open"));
    let strict = policy(|policy| policy.verdict.low = policy::Choice::Call);
    check_with(strict, &story("> Call 1 NoMoney"));
}

#[test]
fn the_centre_is_asked_once_about_an_account_without_money() {
    let asks = policy(|policy| policy.question = Duration::from_millis(200));
    let asked = "0 presence on\n> Arrived 1\n5 tag poor\n> AskCentre 1\n";
    for (then, told) in [
        ("150 centre has-money 1", "> Record OpenedByTag Account 47000\n> Open"),
        ("150 centre no-money 1", "> Call 1 NoMoney\n160 centre has-money 1"),
        ("150 centre unknown 1", "> Call 1 NoMoney"),
        ("205 deadline", "> Call 1 NoMoney\n300 centre has-money 1"),
        ("150 pays-in poor", "> Record OpenedByTag Account 47000\n> Open\n190 centre no-money 1"),
    ] {
        check_with(asks, &format!("{asked}{then}\n{told}"));
    }
}

#[test]
fn a_vehicle_of_another_group_than_listed_is_a_case_and_passes() {
    let story = |sure: &str, told: &str| {
        format!(
            "0 presence on\n> Arrived 1\n5 group 3 {sure}\n10 tag good\n\
             > Record OpenedByTag Account 47000\n> Open{told}"
        )
    };
    let case = "\n> Case: a vehicle was measured as of another group";
    check(LaneRole::Open, &story("surely", case));
    check(LaneRole::Open, &story("perhaps", ""));
    check(
        LaneRole::Open,
        &format!(
            "0 presence on\n> Arrived 1\n5 tag good\n> Record OpenedByTag Account 47000\n> Open\n\
             400 group 3 surely{case}\n500 group 3 surely"
        ),
    );
}

#[test]
fn a_list_that_is_old_or_a_clock_that_is_wrong_is_served_unless_the_operator_says_otherwise() {
    use policy::{Choice, VerdictPolicy};
    let world = World::new();
    let id: LaneId = "op/ben-thuy/l01".parse().unwrap();
    let month_later: Timestamp = "2026-04-01T00:00:00Z".parse().unwrap();
    let old = Knowledge { at: month_later, ..world.known() };
    let wrong = Knowledge { clock: ClockQuality::Unsynchronised, ..world.known() };
    let opens = |verdict: VerdictPolicy, known: &Knowledge<'_>| {
        let mode = LaneMode::Automatic;
        let court =
            Court { lane: &id, role: LaneRole::Open, policy: &verdict, mode, corrected: None };
        matches!(court.of_tag(&tag("good"), known), Verdict::Open(_))
    };
    let usual = VerdictPolicy::default();
    assert!(opens(usual, &old) && opens(usual, &wrong));
    let strict = VerdictPolicy {
        old_list: Choice::Call,
        bad_clock: Choice::Call,
        ..VerdictPolicy::default()
    };
    assert!(!opens(strict, &old) && !opens(strict, &wrong) && opens(strict, &world.known()));
}

#[test]
fn without_a_list_nobody_is_let_through_unseen() {
    let world = World::new();
    let list = AccountList::default();
    let known = Knowledge { list: &list, ..world.known() };
    let black = policy(|policy| policy.verdict.unlisted = policy::Choice::Serve);
    let mut lane = lane_with(LaneRole::Open, black);
    let now = Duration::from_secs(20);
    let _arrives = lane.handle(Event::PresenceRose, now, &known);
    let told = lane.handle(Event::TagSeen { tag: tag("good"), at: now }, now, &known);
    assert_eq!(told.iter().map(describe).collect::<Vec<_>>(), ["Call 1 UnknownTag"]);
}
