use super::*;

fn trip(entry: &str, exit: &str) -> Segment {
    Segment::Trip { entry: entry.parse().unwrap(), exit: exit.parse().unwrap() }
}

fn group(number: u8) -> VehicleGroup {
    VehicleGroup::try_new(number).unwrap()
}

#[test]
fn viet_nam_has_an_open_station_and_a_road_of_three() {
    let network = Network::viet_nam().unwrap();
    let lanes: Vec<String> = network
        .approaches()
        .iter()
        .map(|a| format!("{} {:?} {}", a.station, a.role, a.lanes.len()))
        .collect();
    assert_eq!(
        lanes,
        [
            "ben-thuy Open 4",
            "mai-son Entry 2",
            "mai-son Exit 2",
            "ql45 Entry 2",
            "ql45 Exit 2",
            "nghi-son Entry 2",
            "nghi-son Exit 2",
        ]
    );
    let indices: Vec<u16> =
        network.stations()[1].lanes.iter().map(|lane| lane.field_io_index).collect();
    assert_eq!(indices, [0, 1, 2, 3]);
}

#[test]
fn a_trip_over_two_sections_costs_both_in_both_directions() {
    let network = Network::viet_nam().unwrap();
    let vec = OperatorId::try_new("vec").unwrap();
    let at = "2026-11-21T05:00:00Z".parse().unwrap();
    for number in 1..=5 {
        let fare = |entry, exit| network.fare(&vec, &trip(entry, exit), group(number), at).unwrap();
        let sum = fare("mai-son", "ql45").plus(fare("ql45", "nghi-son")).unwrap();
        assert_eq!(fare("mai-son", "nghi-son"), sum, "group {number}");
        assert_eq!(fare("nghi-son", "mai-son"), sum, "group {number}");
        assert_eq!(fare("ql45", "mai-son"), fare("mai-son", "ql45"), "group {number}");
        assert_eq!(fare("nghi-son", "ql45"), fare("ql45", "nghi-son"), "group {number}");
    }
    let far = network.distance_km(&"nghi-son".parse().unwrap(), &"mai-son".parse().unwrap());
    assert_eq!(far, Some(61 + 45));
}

#[test]
fn what_is_rendered_reads_back_as_the_same_network() {
    for network in [Network::viet_nam().unwrap(), replay()] {
        let file: NetworkFile = toml::from_str(&network.network_toml()).unwrap();
        assert_eq!(file, network.file);
        for ((operator, name, text), tariff) in
            network.tariff_tomls().iter().zip(&network.tariff_files)
        {
            assert_eq!(&toml::from_str::<TariffFile>(text).unwrap(), tariff, "{name}");
            assert_eq!(operator, &tariff.operator);
        }
    }
}

fn replay() -> Network {
    let demand = |gate, direction, peak_per_minute| GateDemand { gate, direction, peak_per_minute };
    Network::of_gates(&[
        demand(3, Direction::Out, 9),
        demand(1, Direction::In, 4),
        demand(3, Direction::In, 1),
    ])
    .unwrap()
}

#[test]
fn a_gate_has_the_lanes_that_its_busiest_minute_needs() {
    let network = replay();
    let lanes: Vec<String> = network.lanes().map(|lane| lane.id.to_string()).collect();
    assert_eq!(
        lanes,
        [
            "gates/gate-1/i01",
            "gates/gate-3/i01",
            "gates/gate-3/o01",
            "gates/gate-3/o02",
            "gates/gate-3/o03"
        ]
    );
    let out = network.gate(3, Direction::Out).unwrap();
    assert_eq!(network.approach(out).lanes.len(), 3);
    assert_eq!(network.gate(1, Direction::Out), None);
}

#[test]
fn old_recordings_are_rated_too() {
    let network = replay();
    let pass = Segment::Pass { station: "gate-3".parse().unwrap() };
    let at = "2016-10-17T17:00:00Z".parse().unwrap();
    let fare = network.fare(&OperatorId::try_new("gates").unwrap(), &pass, group(1), at).unwrap();
    assert_eq!(fare.minor_units(), 47_000);
}
