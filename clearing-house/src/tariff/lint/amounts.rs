//! Whether the amounts of one file are whole and agree with each other.

use domain::tariff::{Segment, TariffFile};
use domain::{Amount, VehicleGroup};

use super::Finding;
use super::document::{Document, Place};

pub(super) fn check(document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    let groups = group_count(&document.file);
    for (place, what, amounts) in lists(&document.file) {
        findings.extend(whole(document, place, &what, amounts, groups));
        findings.extend(ascending(document, place, &what, amounts));
    }
    for index in 0..document.file.fares.len() {
        findings.extend(pass_prices(document, index));
        findings.extend(both_ways(document, index));
        findings.extend(by_rate(document, index));
    }
    findings.extend(speed_without_length(document));
    findings
}

/// As many as the file says, or as its longest row of fares has.
fn group_count(file: &TariffFile) -> usize {
    let longest = file.fares.iter().map(|fare| fare.amounts.len()).max();
    file.groups.map_or(longest.unwrap_or_default(), usize::from)
}

/// Every list of amounts, with its place and what it is.
fn lists(file: &TariffFile) -> Vec<(Place, String, &[Amount])> {
    let mut lists: Vec<(Place, String, &[Amount])> = Vec::new();
    for (index, fare) in file.fares.iter().enumerate() {
        let what = fare.segment().map_or_else(String::new, |segment| segment.to_string());
        lists.push((Place::Amounts(index), what.clone(), &fare.amounts));
        lists.push((Place::Month(index), format!("a month of {what}"), &fare.month));
        lists.push((Place::Quarter(index), format!("a quarter of {what}"), &fare.quarter));
    }
    for (index, rate) in file.rates.iter().enumerate() {
        lists.push((Place::Rate(index), format!("rate {}", rate.name), &rate.per_km));
    }
    for (index, road) in file.roads.iter().enumerate() {
        for (number, section) in road.sections.iter().enumerate() {
            let [one, other] = &section.between;
            let what = format!("the section {one} to {other}");
            lists.push((Place::Section(index, number), what, &section.amounts));
        }
    }
    lists.push((Place::Cap, "the cap of a trip".to_owned(), &file.cap.trip));
    lists.push((Place::Cap, "the cap of a day".to_owned(), &file.cap.day));
    lists.retain(|(place, _, amounts)| {
        // Fares must be there; the others may be left out as a whole.
        matches!(place, Place::Amounts(_)) || !amounts.is_empty()
    });
    lists
}

fn whole(
    document: &Document,
    place: Place,
    what: &str,
    amounts: &[Amount],
    groups: usize,
) -> Option<Finding> {
    let given = amounts.len();
    let missing: Vec<String> = (given + 1..=groups).map(|group| group.to_string()).collect();
    let (is, right) = if given < groups {
        (format!("has no amount for group {}", missing.join(", ")), "each group needs one")
    } else if given > groups {
        (format!("has {given} amounts"), "set `groups` if there are more")
    } else {
        return None;
    };
    let message = format!("{what} {is}; the tariff has {groups} groups: {right}");
    Some(document.error("groups", place, message))
}

fn ascending(document: &Document, place: Place, what: &str, amounts: &[Amount]) -> Option<Finding> {
    let falls = amounts.windows(2).position(|pair| pair[1] < pair[0])?;
    let (lower, higher) = (amounts[falls], amounts[falls + 1]);
    let message = format!(
        "{what}: group {} costs {higher}, less than group {} with {lower}; it would be {lower} or more",
        falls + 2,
        falls + 1
    );
    Some(document.warning("falling", place, message))
}

fn pass_prices(document: &Document, index: usize) -> Vec<Finding> {
    let (fare, check) = (&document.file.fares[index], document.file.check);
    let mut findings = Vec::new();
    for (place, period, prices, passes) in [
        (Place::Month(index), "month", &fare.month, check.month_passes),
        (Place::Quarter(index), "quarter", &fare.quarter, check.quarter_passes),
    ] {
        let Some(passes) = passes else { continue };
        for (group, (single, price)) in (1..).zip(fare.amounts.iter().zip(prices)) {
            let right = single.minor_units().checked_mul(i64::from(passes));
            let right = right.and_then(|units| Amount::try_new(units).ok()).unwrap_or_default();
            if right != *price {
                let message = format!(
                    "group {group}: the {period} costs {price}; {passes} passes of {single} are {right}"
                );
                findings.push(document.warning("passes", place, message));
            }
        }
    }
    findings
}

fn both_ways(document: &Document, index: usize) -> Option<Finding> {
    let Some(Segment::Trip { entry, exit }) = document.file.fares[index].segment() else {
        return None;
    };
    let is_on = |road: &&domain::tariff::Road| road.has(&entry) && road.has(&exit);
    let road = document.file.roads.iter().find(is_on).filter(|road| road.symmetric)?;
    let back = Segment::Trip { entry: exit.clone(), exit: entry.clone() };
    let row = document.file.fares.iter().find(|fare| fare.segment().as_ref() == Some(&back));
    let name = &road.name;
    let message = match row {
        None => format!(
            "road {name} says symmetric, and there is no fare for the trip {exit} to {entry}; add \
             one with the same amounts"
        ),
        Some(row) => {
            let there = &document.file.fares[index].amounts;
            let (at, (there, back)) = (1..)
                .zip(there.iter().zip(&row.amounts))
                .find(|(_, (there, back))| there != back)?;
            // Told once, at the later of the two.
            if entry < exit {
                return None;
            }
            format!(
                "group {at}: the trip {entry} to {exit} costs {there} and back {back}; road {name} \
                 says symmetric, so they would be the same"
            )
        }
    };
    Some(document.error("symmetric", Place::Amounts(index), message))
}

/// The published amounts of a trip against rate times kilometres.
fn by_rate(document: &Document, index: usize) -> Vec<Finding> {
    let fare = &document.file.fares[index];
    let Some(Segment::Trip { entry, exit }) = fare.segment() else { return Vec::new() };
    let road = document.file.roads.iter().find_map(|road| {
        Some((road, road.length_m(&entry, &exit)?)).filter(|_| road.rate.is_some())
    });
    let Some((road, length_m)) = road else { return Vec::new() };
    let mut findings = Vec::new();
    for (number, published) in (1..).zip(&fare.amounts) {
        let Ok(group) = VehicleGroup::try_new(number) else { continue };
        let Some(per_km) = document.tariff.per_km(road, group) else { continue };
        let Ok(computed) = road.by_distance(length_m, per_km) else { continue };
        let off = published.minor_units().abs_diff(computed.minor_units());
        if off > document.file.check.rate_tolerance.minor_units().unsigned_abs() {
            let than = if *published > computed { "more" } else { "less" };
            let message = format!(
                "the trip {entry} to {exit}, group {number}: {published} is published, {off} {than} \
                 than {}.{:03} km at {per_km} a kilometre, which are {computed}; a misprint? The \
                 published amount is charged",
                length_m / 1_000,
                length_m % 1_000
            );
            findings.push(document.warning("rate", Place::Amounts(index), message));
        }
    }
    findings
}

fn speed_without_length(document: &Document) -> Option<Finding> {
    let no_length = document.file.roads.iter().all(|road| road.sections.is_empty());
    let message = "impossible_speed never applies: no road says how long it is; give its \
                   [[road.section]] with `between` and `length_m`";
    (document.file.rules.impossible_speed.is_some() && no_length)
        .then(|| document.warning("speed", Place::Rules, message.to_owned()))
}
