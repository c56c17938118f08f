//! The operators' own records, as each sends them for its day: in its own words, with its own mistakes.

use std::fmt::Write as _;

use super::plan::{Crossing, Plan, Wrong};
use super::truth::{DAY_S, date_of};
use super::world::{LANES, OPERATORS, STATIONS, lane_path};

/// How an operator's file is to be read.
pub(crate) fn mapping(operator: usize) -> String {
    let stations = STATIONS.iter().enumerate().map(|(number, station)| {
        format!("\"T{number}\" = \"{}/{station}\"\n", OPERATORS[operator].id)
    });
    let groups = (1..=5).map(|group| format!("loai-{group} = {group}\n"));
    format!(
        "[columns]\nidentity = \"so_gd\"\nstation = \"tram\"\ntag = \"etag\"\nplate = \"bien_so\"\n\
         time = \"thoi_gian\"\ngroup = \"loai\"\namount = \"so_tien\"\n\
         disputed = {{ column = \"trang_thai\", values = [\"D\"] }}\n\
         [time]\nformat = \"%d/%m/%Y %H:%M:%S\"\nzone = \"{}\"\n[stations]\n{}[groups]\n{}",
        OPERATORS[operator].zone,
        stations.collect::<String>(),
        groups.collect::<String>(),
    )
}

/// The name of a passage that a lane wrote.
pub(crate) fn passage_name(crossing: &Crossing, seq: u64) -> String {
    format!("{}:1:{seq}", lane_path(crossing.operator, crossing.lane))
}

/// What the operator calls a crossing; `seqs` are the numbers that the lane wrote of it.
pub(crate) fn their_name(number: usize, crossing: &Crossing, seqs: &[u64]) -> String {
    match seqs.first() {
        Some(seq) if OPERATORS[crossing.operator].has_our_names => passage_name(crossing, *seq),
        _ => format!("{}{number}", if crossing.wrong.is_some() { "X" } else { "N" }),
    }
}

/// The file of an operator's day. `written` says what the lanes wrote of each crossing.
pub(crate) fn file(plan: &Plan, operator: usize, day: i64, written: &[Vec<u64>]) -> String {
    let mut text = "so_gd,tram,etag,bien_so,thoi_gian,loai,so_tien,trang_thai\n".to_owned();
    let of_the_day =
        |one: &(usize, &Crossing)| one.1.operator == operator && Plan::own_day(one.1) == day;
    for (number, crossing) in plan.crossings.iter().enumerate().filter(of_the_day) {
        rows(&mut text, plan, number, crossing, &written[number]);
    }
    text
}

fn rows(text: &mut String, plan: &Plan, number: usize, crossing: &Crossing, seqs: &[u64]) {
    let operator = &OPERATORS[crossing.operator];
    let driver = &plan.drivers[crossing.driver];
    let fare_of = |group: u8| operator.fares[usize::from(group) - 1];
    let (mut group, mut state) = (driver.true_group, "");
    let mut amounts = vec![fare_of(group)];
    match crossing.wrong {
        Some(Wrong::TheirsLacks | Wrong::OursInvents) => return,
        Some(Wrong::TheirsAmount) => amounts[0] += 1_000,
        Some(Wrong::OursAmount) => amounts[0] -= 5_000,
        Some(Wrong::TheirsClass) => {
            group = if group == 5 { 4 } else { group + 1 };
            amounts[0] = fare_of(group);
        }
        Some(Wrong::TheirsTwice) => amounts.push(fare_of(group)),
        Some(Wrong::TheirsSplits) => {
            amounts[0] -= 6_000;
            amounts.push(6_000);
        }
        Some(Wrong::DisputedRightly | Wrong::DisputedWrongly) => state = "D",
        Some(
            Wrong::TheirsInvents
            | Wrong::OursTwice
            | Wrong::OursClass
            | Wrong::OursUnread
            | Wrong::OursLost,
        )
        | None => {}
    }
    let name = their_name(number, crossing, seqs);
    let station = crossing.lane / LANES.len();
    // Their clocks are not ours: up to half a minute apart. Of two of ours, the first is meant.
    let is_twice = crossing.wrong == Some(Wrong::OursTwice);
    let skew_s = if is_twice { 0 } else { i64::try_from(number % 31).unwrap() };
    let time = local_time(crossing.at_s + skew_s + operator.ahead_h * 3_600);
    let (tag, plate) = (driver.vehicle.tag.to_hex(), driver.vehicle.plate.as_str());
    for amount in amounts {
        writeln!(text, "{name},T{station},{tag},{plate},{time},loai-{group},{amount},{state}")
            .unwrap();
    }
}

fn local_time(local_s: i64) -> String {
    let (date, second) = (date_of(local_s.div_euclid(DAY_S)), local_s.rem_euclid(DAY_S));
    let (year, rest) = date.split_at(4);
    let (month, day) = (&rest[1..3], &rest[4..6]);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{day}/{month}/{year} {hour:02}:{minute:02}:{:02}", second % 60)
}
