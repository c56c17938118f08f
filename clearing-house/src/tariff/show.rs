//! A tariff version in words, for people.

use std::collections::BTreeMap;

use domain::tariff::{FareRow, InsteadOfTrip, Tariff, TariffFile};
use domain::{Amount, Timestamp};

/// The version as a text of some lines, with times by its own clock.
#[must_use]
pub fn text(tariff: &Tariff) -> String {
    let file = TariffFile::from(tariff);
    let local =
        |at: Timestamp| at.to_zoned(tariff.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
    let until = tariff.valid_until.map_or_else(|| "the next version".to_owned(), local);
    let mut lines = vec![
        format!("{} of {}, in {}", tariff.version, tariff.operator, tariff.currency),
        format!("from {} until {until}", local(tariff.valid_from)),
        format!("published: {}", tariff.source),
    ];
    for fare in &file.fares {
        lines.extend(fare_lines(fare));
    }
    for road in &file.roads {
        let length_m: u64 = road.sections.iter().map(|section| u64::from(section.length_m)).sum();
        let rate = road.rate.as_deref().unwrap_or("none");
        let by = format!("{:?}", road.charged_by).to_lowercase();
        let name = &road.name;
        lines.push(format!("road {name}: {length_m} m of sections, charged by {by}, rate {rate}"));
    }
    for rate in &file.rates {
        lines.push(format!("rate {} for a kilometre: {}", rate.name, amounts(&rate.per_km)));
    }
    for discount in &file.discounts {
        let share = rust_decimal::Decimal::from(discount.share);
        let whom = format!("{:?}", discount.whom).to_lowercase();
        lines.push(format!("discount {}: {share} of the fare, for {whom}", discount.name));
    }
    for (what, cap) in [("trip", &file.cap.trip), ("day", &file.cap.day)] {
        if !cap.is_empty() {
            lines.push(format!("a {what} costs at the most: {}", amounts(cap)));
        }
    }
    lines.extend(rule_lines(&file));
    lines.join("\n")
}

fn amounts(amounts: &[Amount]) -> String {
    amounts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ")
}

fn fare_lines(fare: &FareRow) -> Vec<String> {
    let Some(segment) = fare.segment() else { return Vec::new() };
    let mut lines = vec![format!("{segment}: {}", amounts(&fare.amounts))];
    for (period, prices) in [("month", &fare.month), ("quarter", &fare.quarter)] {
        if !prices.is_empty() {
            lines.push(format!("a {period} of {segment}: {}", amounts(prices)));
        }
    }
    lines
}

fn rule_lines(file: &TariffFile) -> Vec<String> {
    let rules = &file.rules;
    let mut said: BTreeMap<&str, String> = BTreeMap::new();
    said.insert("without an entry", instead(&rules.missing_entry));
    said.insert("out where it came in", instead(&rules.u_turn));
    if let Some(rule) = &rules.over_time {
        let charged = instead(&rule.charge);
        said.insert("stayed too long", format!("{charged} after {} minutes", rule.after_minutes));
    }
    if let Some(rule) = &rules.impossible_speed {
        let charged = instead(&rule.charge);
        said.insert("too fast", format!("{charged} above {} km/h", rule.above_kmh));
    }
    if let Some(rule) = &rules.too_late {
        let after = rule.after_days;
        said.insert("told too late", format!("nothing from an account after {after} days"));
    }
    if let Some(rule) = &rules.missing_exit {
        said.insert("never left", format!("a case after {} minutes", rule.after_minutes));
    }
    said.into_iter().map(|(what, charged)| format!("a trip {what}: {charged}")).collect()
}

fn instead(rule: &InsteadOfTrip) -> String {
    match rule {
        InsteadOfTrip::Trip => "the trip's own fare".to_owned(),
        InsteadOfTrip::DearestTrip => "the dearest trip to that exit".to_owned(),
        InsteadOfTrip::CheapestTrip => "the cheapest trip to that exit".to_owned(),
        InsteadOfTrip::CheapestReturn => "the cheapest trip, there and back".to_owned(),
        InsteadOfTrip::Nothing => "nothing".to_owned(),
        InsteadOfTrip::Amounts(own) => amounts(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_with_its_fares_and_rules_by_its_own_clock() {
        let file: TariffFile =
            toml::from_str(include_str!("../../../deploy/viet-nam/tariff-ben-thuy.toml")).unwrap();
        let told = text(&Tariff::try_from(file).unwrap());
        for line in [
            "ben-thuy-2023-12-29 of cienco4, in VND",
            "from 2023-12-29 00:00 +07 until the next version",
            "a pass of ben-thuy: 47.000 · 64.000 · 87.000 · 140.000 · 200.000",
            "a month of a pass of ben-thuy: 1.410.000 · 1.920.000 · 2.610.000 · 4.200.000 · 6.000.000",
            "a trip without an entry: the dearest trip to that exit",
        ] {
            assert!(told.lines().any(|own| own == line), "{line}\n\n{told}");
        }
    }
}
