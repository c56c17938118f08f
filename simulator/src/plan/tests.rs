use super::*;
use crate::network::{Direction, GateDemand};
use crate::traffic::RecordedPass;

const STARTS_AT: &str = "2026-11-21T01:00:00Z";

fn plan(count: usize, seed: u64) -> Plan {
    let population = Population::of_seed(count, seed, STARTS_AT.parse().unwrap());
    Plan::of_population(&Network::viet_nam().unwrap(), population, seed).unwrap()
}

#[test]
fn the_same_seed_plans_the_same_journeys() {
    assert_eq!(plan(300, 7).journeys, plan(300, 7).journeys);
    assert_ne!(plan(300, 7).journeys, plan(300, 8).journeys);
}

#[test]
fn every_vehicle_has_one_journey_in_the_order_of_arrival() {
    let plan = plan(501, 7);
    let mut vehicles: Vec<_> = plan.journeys.iter().map(|journey| journey.vehicle).collect();
    assert!(plan.journeys.is_sorted_by_key(|journey| journey.arrives));
    vehicles.sort_unstable();
    vehicles.dedup();
    assert_eq!(vehicles.len(), 501);
}

#[test]
fn two_thousand_vehicles_are_through_in_under_two_hours() {
    let plan = plan(2000, 7);
    let last = plan.journeys.iter().map(|journey| {
        journey.arrives + journey.legs.iter().map(|leg| leg.drive).sum::<Duration>()
    });
    assert!(last.max().unwrap() < Duration::from_secs(2 * 3600));
}

#[test]
fn a_trip_ends_at_another_station_and_takes_as_long_as_the_road_is() {
    let network = Network::viet_nam().unwrap();
    for journey in plan(400, 7).journeys {
        if let [entry, exit] = journey.legs.as_slice() {
            let (from, to) = (network.approach(entry.approach), network.approach(exit.approach));
            assert_eq!((from.role, to.role), (LaneRole::Entry, LaneRole::Exit));
            let km = f64::from(network.distance_km(&from.station, &to.station).unwrap());
            let kmh = km / (exit.drive.as_secs_f64() / 3600.0);
            assert!((80.0..110.01).contains(&kmh), "{kmh} km/h");
        } else {
            assert_eq!(journey.legs.len(), 1);
            assert_eq!(network.approach(journey.legs[0].approach).role, LaneRole::Open);
        }
    }
}

#[test]
fn a_recorded_pass_comes_at_its_recorded_second() {
    let pass = |line, at: &str, gate, has_tag| RecordedPass {
        line,
        at: at.parse().unwrap(),
        gate,
        direction: Direction::In,
        model: 1,
        has_tag,
    };
    let recording = Recording {
        passes: vec![
            pass(2, "2016-10-18T01:00:30Z", 1, true),
            pass(3, "2016-10-18T01:00:00Z", 1, false),
        ],
        bad_rows: Vec::new(),
    };
    let network = Network::of_gates(&recording.demands()).unwrap();
    let plan = Plan::of_recording(&network, &recording, 7).unwrap();
    assert_eq!(plan.begins_at, Some("2016-10-18T01:00:00Z".parse().unwrap()));
    let arrivals: Vec<_> =
        plan.journeys.iter().map(|j| (j.vehicle.0, j.arrives.as_secs())).collect();
    assert_eq!(arrivals, [(1, 0), (0, 30)]);
    assert_eq!(plan.population.vehicles()[0].means, Means::Tag);
    assert_ne!(plan.population.vehicles()[1].means, Means::Tag);

    let elsewhere = GateDemand { gate: 2, direction: Direction::In, peak_per_minute: 1 };
    let error =
        Plan::of_recording(&Network::of_gates(&[elsewhere]).unwrap(), &recording, 7).unwrap_err();
    assert_eq!(error.to_string(), "line 2: the network has no lanes for gate 1 in this direction");
}
