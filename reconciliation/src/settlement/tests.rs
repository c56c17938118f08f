use std::collections::BTreeMap;

use domain::time::SettlementCalendar;
use domain::{LaneId, Timestamp};

use super::completeness::{Hole, JournalState, Pending, obstacles, without_accepted};
use super::{Counted, Refusal, Source, proof};
use crate::approval::{HoleDecision, HoleInLane};

const LANE: &str = "cienco4/ben-thuy/l01";

fn lane() -> LaneId {
    LANE.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn journal(posted_upto: u64, last_seq: u64) -> JournalState {
    JournalState { lane: lane(), epoch: 1, posted_upto, last_seq }
}

fn hole(first_seq: u64, last_seq: u64, after: Option<&str>) -> Hole {
    Hole { lane: lane(), epoch: 1, first_seq, last_seq, after: after.map(at) }
}

fn pending(seq: u64, text: &str) -> Pending {
    Pending { lane: lane(), epoch: 1, seq, at: at(text) }
}

/// What stands in the way of closing 2026-11-21 (in UTC: 2026-11-20T17:00 to 2026-11-21T17:00).
fn check(journals: &[JournalState], holes: &[Hole], pending: &[Pending], expected: &[&str]) {
    let calendar = SettlementCalendar::try_new("Asia/Ho_Chi_Minh", "00:00").unwrap();
    let day = "2026-11-21".parse().unwrap();
    let found: Vec<String> = obstacles(day, &calendar, journals, holes, pending)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_journal_stored_and_receipted_to_its_last_number_is_complete() {
    check(&[journal(9, 9), journal(0, 0)], &[], &[], &[]);
}

#[test]
fn a_hole_is_named_by_lane_and_range() {
    check(
        &[journal(3, 9)],
        &[hole(4, 5, Some("2026-11-21T03:00:00Z"))],
        &[],
        &["lane cienco4/ben-thuy/l01 epoch 1: passages 4 to 5 never came"],
    );
}

#[test]
fn a_hole_after_a_passage_of_a_later_day_is_that_days_matter() {
    check(&[journal(3, 9)], &[hole(4, 5, Some("2026-11-21T17:00:00Z"))], &[], &[]);
}

#[test]
fn a_journal_without_its_beginning_stands_in_every_days_way() {
    check(
        &[journal(0, 9)],
        &[hole(1, 2, None)],
        &[],
        &["lane cienco4/ben-thuy/l01 epoch 1: passages 1 to 2 never came"],
    );
}

fn given_up(first_seq: u64, last_seq: u64, figures: &[&str]) -> HoleDecision {
    let hole = HoleInLane { lane: lane(), epoch: 1, first_seq, last_seq };
    let figures = figures.iter().map(ToString::to_string).collect();
    HoleDecision { hole, figures, reason: "the disk was lost".to_owned() }
}

#[test]
fn who_accepts_a_hole_accepts_no_figure_and_who_accepts_a_figure_no_other() {
    let left = |figures: &[&str], accepted: &[HoleDecision]| {
        let figures = figures.iter().map(ToString::to_string).collect();
        let (lane, epoch, first_seq, last_seq) = (lane(), 1, 2, 5);
        let differs = Refusal::ManifestDiffers { lane, epoch, first_seq, last_seq, figures };
        without_accepted(vec![differs], accepted).len()
    };
    let (sum, count) = ("the sum is 1 in the books, 2 at the lane", "the count of group 4 is 0");
    assert_eq!(left(&[sum], &[given_up(2, 5, &[])]), 1, "a hole is no figure");
    assert_eq!(left(&[sum], &[given_up(1, 9, &[sum])]), 1, "other numbers");
    assert_eq!(left(&[sum], &[given_up(2, 5, &[sum])]), 0);
    assert_eq!(left(&[sum, count], &[given_up(2, 5, &[sum])]), 1, "a later figure");
    assert_eq!(left(&[sum, count], &[given_up(2, 5, &[sum]), given_up(2, 5, &[count])]), 0);
    assert_eq!(left(&[], &[given_up(2, 5, &[sum])]), 1, "nobody has looked yet");
    // Nor does a figure stand for numbers that never came.
    let missing = Refusal::Missing { lane: lane(), epoch: 1, first_seq: 2, last_seq: 5 };
    assert_eq!(without_accepted(vec![missing], &[given_up(2, 5, &[sum])]).len(), 1);
}

#[test]
fn a_hole_that_two_people_accepted_stands_in_no_ones_way_and_a_larger_one_does() {
    let refusals = |first, last| {
        let calendar = SettlementCalendar::try_new("Asia/Ho_Chi_Minh", "00:00").unwrap();
        let holes = [hole(first, last, None)];
        let found =
            obstacles("2026-11-21".parse().unwrap(), &calendar, &[journal(0, 9)], &holes, &[]);
        without_accepted(found, &[given_up(2, 5, &[])]).len()
    };
    assert_eq!((refusals(2, 5), refusals(3, 4)), (0, 0));
    assert_eq!((refusals(1, 5), refusals(2, 6)), (1, 1));
}

#[test]
fn receipts_behind_a_journal_without_holes_are_refused() {
    check(
        &[journal(8, 9)],
        &[],
        &[],
        &["lane cienco4/ben-thuy/l01 epoch 1: receipts stand at 8, 9 is stored"],
    );
}

#[test]
fn undecided_passages_of_the_day_are_named_and_those_of_tomorrow_are_not() {
    check(
        &[journal(9, 9)],
        &[],
        &[
            pending(3, "2026-11-21T02:00:00Z"),
            pending(6, "2026-11-21T16:59:59Z"),
            pending(9, "2026-11-21T17:00:00Z"),
        ],
        &["lane cienco4/ben-thuy/l01 epoch 1: 2 undecided among passages 3 to 6"],
    );
}

#[test]
fn one_dong_between_charges_and_ledger_is_found_and_named() {
    let side = |vetc: i64, cash: Option<i64>| {
        let issuer = Source::Issuer("vetc".parse().unwrap());
        let mut side = BTreeMap::from([(issuer, Counted { tolls: 2, minor_units: vetc })]);
        side.extend(cash.map(|cash| (Source::Cash, Counted { tolls: 1, minor_units: cash })));
        side
    };
    let check = |charges, ledger, expected: &[&str]| {
        let found: Vec<String> =
            proof::differences(&charges, &ledger).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    };
    check(side(94_000, Some(47_000)), side(94_000, Some(47_000)), &[]);
    check(
        side(94_000, None),
        side(93_999, None),
        &["issuer vetc: 2 charges sum to 94000, 2 transfers of the ledger sum to 93999"],
    );
    check(
        side(94_000, Some(47_000)),
        side(94_000, None),
        &["cash: 1 charges sum to 47000, 0 transfers of the ledger sum to 0"],
    );
}
