use std::time::Duration;

use super::{Drive, Passing, Position, Traffic, TwoRay};
use crate::Epc;
use crate::emulator::FieldTag;

fn tag(serial: u8) -> FieldTag {
    FieldTag::new(Epc::try_from_slice(&[0x34, serial]).unwrap(), 0, 1)
}

fn passing(position: Position, seed: u64, drive: Drive) -> Passing {
    Passing { tag: tag(1), enters_at: Duration::from_secs(10), position, drive, seed }
}

/// The strength in each span of the pass.
fn strengths(passing: &Passing) -> Vec<Option<i8>> {
    let mut at = passing.enters_at;
    let mut strengths = Vec::new();
    while at < passing.enters_at + passing.drive.duration() {
        strengths.push(passing.field(at).map(|tag| tag.rssi_dbm));
        at += passing.drive.span;
    }
    strengths
}

fn reads(passing: &Passing) -> u32 {
    strengths(passing).iter().map(|read| u32::from(read.is_some())).sum()
}

/// A hundred reads a second.
const OFTEN: Drive = Drive {
    speed_kmh: 40.0,
    zone_len_m: 6.0,
    peak_dbm: -50.0,
    edge_dbm: -70.0,
    sensitivity_dbm: -78.0,
    fading_db: 0.0,
    reflection: None,
    span: Duration::from_millis(10),
};

#[test]
fn a_pass_rises_to_its_middle_and_falls_again() {
    let pass = passing(Position::Centre, 1, OFTEN);
    let strengths: Vec<i8> = strengths(&pass).into_iter().map(Option::unwrap).collect();
    let (rise, fall) = strengths.split_at(strengths.len() / 2);
    assert!(rise.is_sorted() && fall.iter().rev().is_sorted(), "{strengths:?}");
    assert_eq!(strengths.iter().max(), Some(&-50));
    assert!(strengths[0] <= -68 && *strengths.last().unwrap() <= -68, "{strengths:?}");
}

#[test]
fn outside_its_pass_a_vehicle_is_not_heard() {
    let pass = passing(Position::Centre, 1, OFTEN);
    assert_eq!(pass.field(Duration::ZERO), None);
    assert_eq!(pass.field(pass.enters_at - Duration::from_nanos(1)), None);
    assert!(pass.field(pass.enters_at).is_some());
    assert_eq!(pass.field(pass.enters_at + pass.drive.duration()), None);
}

#[test]
fn six_metres_at_120_km_per_hour_are_eighteen_reads_at_a_hundred_a_second() {
    let pass = passing(Position::Centre, 1, Drive { speed_kmh: 120.0, ..OFTEN });
    assert_eq!(pass.drive.duration(), Duration::from_millis(180));
    assert_eq!(reads(&pass), 18);
}

#[test]
fn who_straddles_is_read_63_percent_less() {
    let total = |position| (0..200).map(|seed| reads(&passing(position, seed, OFTEN))).sum::<u32>();
    let left = f64::from(total(Position::Straddling)) / f64::from(total(Position::Centre));
    assert!((left - 0.368).abs() < 0.02, "{left}");
}

#[test]
fn the_next_lane_is_heard_at_most_five_times_and_weakly() {
    let mut seen = [false; 6];
    for seed in 0..200 {
        let pass = passing(Position::AdjacentLane, seed, OFTEN);
        seen[usize::try_from(reads(&pass)).unwrap()] = true;
        assert!(strengths(&pass).into_iter().flatten().all(|dbm| dbm <= -60));
    }
    assert_eq!(seen, [true; 6]);
}

#[test]
fn the_road_cuts_nulls_into_the_curve_and_adds_nothing() {
    let drive = Drive { reflection: Some(TwoRay::default()), ..OFTEN };
    let with = strengths(&passing(Position::Centre, 1, drive));
    let without = strengths(&passing(Position::Centre, 1, OFTEN));
    let losses = || with.iter().zip(&without).map(|pair| pair.1.unwrap() - pair.0.unwrap_or(-78));
    assert!(losses().all(|loss_db| loss_db >= 0));
    assert!(losses().any(|loss_db| loss_db >= 8) && losses().any(|loss_db| loss_db <= 2));
}

#[test]
fn the_seed_alone_decides() {
    let drive = Drive { fading_db: 4.0, ..OFTEN };
    let of = |seed| strengths(&passing(Position::Straddling, seed, drive));
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}

#[test]
fn vehicles_come_in_turn_and_may_be_in_the_field_together() {
    let traffic = Traffic {
        tags: vec![tag(1), tag(2)],
        headway: Duration::from_millis(400),
        drive: OFTEN,
        straddling_one_in: None,
        adjacent_one_in: None,
        seed: 3,
    };
    let epcs = |at_ms| -> Vec<Epc> {
        traffic.field(Duration::from_millis(at_ms)).iter().map(|tag| tag.epc).collect()
    };
    assert_eq!(epcs(0), [tag(1).epc]);
    // A pass takes 540 ms.
    assert_eq!(epcs(450), [tag(1).epc, tag(2).epc]);
    assert_eq!(epcs(600), [tag(2).epc]);
    assert_eq!(epcs(1_000_000), [tag(2).epc, tag(1).epc]);
    assert_eq!(Traffic { tags: vec![], ..traffic }.field(Duration::ZERO), []);
}

#[test]
fn one_in_so_many_vehicles_straddles() {
    let traffic = Traffic {
        tags: vec![tag(1)],
        headway: Duration::from_secs(2),
        drive: OFTEN,
        straddling_one_in: Some(4),
        adjacent_one_in: Some(4),
        seed: 3,
    };
    let count = |position| {
        (0..400).filter(|&number| traffic.vehicle(number).unwrap().position == position).count()
    };
    assert!((80..120).contains(&count(Position::Straddling)));
    assert!((55..95).contains(&count(Position::AdjacentLane)));
}
