use std::collections::{HashMap, HashSet};

use super::*;

fn population(count: usize, seed: u64) -> Population {
    Population::of_seed(count, seed, "2026-11-21T01:00:00Z".parse().unwrap())
}

#[test]
fn the_same_seed_gives_the_same_vehicles_and_another_seed_others() {
    assert_eq!(population(500, 7), population(500, 7));
    assert_ne!(population(500, 7), population(500, 8));
    let more = population(600, 7);
    assert_eq!(population(500, 7).vehicles(), &more.vehicles()[..500]);
}

#[test]
fn nothing_is_given_out_twice() {
    let population = population(5000, 7);
    let vehicles = population.vehicles();
    let plates: HashSet<&str> = vehicles.iter().map(|v| v.plate.as_str()).collect();
    assert_eq!(plates.len(), vehicles.len());
    let tags: Vec<&TagId> = vehicles.iter().filter_map(|v| v.tag.as_ref()).collect();
    assert_eq!(tags.iter().collect::<HashSet<_>>().len(), tags.len());
    let owned: Vec<VehicleIndex> =
        population.accounts().iter().flat_map(|a| a.vehicles.clone()).collect();
    assert_eq!(owned.iter().collect::<HashSet<_>>().len(), owned.len());
    let with_account = vehicles.iter().filter(|v| v.account.is_some()).count();
    assert_eq!(owned.len(), with_account);
}

#[test]
fn every_kind_of_vehicle_drives_about_as_often_as_it_should() {
    let population = population(20_000, 7);
    let mut counts: HashMap<Means, usize> = HashMap::new();
    for vehicle in population.vehicles() {
        *counts.entry(vehicle.means).or_default() += 1;
    }
    let near = |means, per_thousand: usize| {
        let seen = counts[&means];
        let due = 20 * per_thousand;
        assert!(seen.abs_diff(due) < due / 2, "{means:?}: {seen} of about {due}");
    };
    near(Means::Plate, 20);
    near(Means::Cash, 20);
    near(Means::Blocked, 5);
    near(Means::Exempt, 10);
    near(Means::Priority, 3);
    near(Means::MonthPass, 20);
    near(Means::EmptyAccount { then: EmptyHanded::PaysCash }, 7);
    near(Means::EmptyAccount { then: EmptyHanded::TopsUp }, 22);
    assert!(counts[&Means::Tag] > 20_000 * 85 / 100);
}

#[test]
fn a_tag_shows_its_issuer_and_only_vehicles_with_a_tag_on_have_one() {
    for (index, vehicle) in population(3000, 7).vehicles().iter().enumerate() {
        assert_eq!(vehicle.number, index as u64 + 1);
        let tagless = matches!(vehicle.means, Means::Plate | Means::Cash | Means::Priority);
        assert_eq!(vehicle.tag.is_none(), tagless, "{:?}", vehicle.means);
        if let Some(tag) = &vehicle.tag {
            let hex = tag.to_hex();
            assert_eq!(hex.len(), 24);
            assert!(hex.starts_with("3416214B88") || hex.starts_with("3416214B94"));
        }
    }
}

#[test]
fn a_fleet_has_vehicles_with_money_only() {
    let population = population(5000, 7);
    let fleets: Vec<&Account> =
        population.accounts().iter().filter(|a| a.vehicles.len() > 1).collect();
    assert!(fleets.len() > 20, "only {} fleets", fleets.len());
    for fleet in fleets {
        assert!(fleet.vehicles.iter().all(|v| population.vehicle(*v).means == Means::Tag));
        assert!(fleet.vehicles.len() <= 6);
    }
}

#[test]
fn the_account_file_is_as_the_contract_has_it() {
    let population = population(2000, 7);
    let text = population.accounts_ndjson();
    assert_eq!(text.lines().count(), population.accounts().len());
    let mut passes = 0;
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["account"].as_i64().unwrap() >= 1001);
        assert!(["vetc", "vdtc"].contains(&line["issuer"].as_str().unwrap()));
        assert!(["open", "blocked"].contains(&line["state"].as_str().unwrap()));
        assert_eq!(line["top_up"]["reference"], format!("open-{}", line["account"]));
        assert!(line["top_up"]["amount"].as_i64().unwrap() >= 20_000);
        for vehicle in line["vehicles"].as_array().unwrap() {
            assert!((1..=5).contains(&vehicle["group"].as_u64().unwrap()));
            if let Some(pass) = vehicle["pass"].as_object() {
                passes += 1;
                assert_eq!(pass["station"], "ben-thuy");
                assert_eq!(pass["from"], "2026-11-11T01:00:00Z");
                assert_eq!(pass["until"], "2026-12-11T01:00:00Z");
            }
        }
    }
    assert!(passes > 20, "only {passes} passes");
}
