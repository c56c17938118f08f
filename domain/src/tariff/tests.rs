use super::*;

fn station(name: &str) -> StationId {
    StationId::try_new(name).unwrap()
}

fn group(number: u8) -> VehicleGroup {
    VehicleGroup::try_new(number).unwrap()
}

fn vnd(units: i64) -> Amount {
    Amount::try_new(units).unwrap()
}

fn tariff(version: &str, from: &str, fare: i64) -> Tariff {
    let mut tariff = Tariff::new(
        version.into(),
        OperatorId::try_new("cienco4").unwrap(),
        Currency::VND,
        from.parse().unwrap(),
        "test".into(),
    );
    tariff.add(Segment::Pass { station: station("ben-thuy") }, group(1), vnd(fare)).unwrap();
    tariff
}

#[test]
fn the_version_in_force_is_the_last_that_has_begun() {
    let mut book = TariffBook::default();
    book.insert(tariff("old", "2023-01-01T00:00:00Z", 35_000));
    book.insert(tariff("new", "2023-12-28T17:00:00Z", 47_000));
    let operator = OperatorId::try_new("cienco4").unwrap();
    let version = |at: &str| {
        book.in_force(&operator, at.parse().unwrap()).map(|tariff| tariff.version.as_str())
    };
    assert_eq!(version("2023-12-28T16:59:59Z"), Ok("old"));
    assert_eq!(version("2023-12-28T17:00:00Z"), Ok("new"));
    assert!(version("2022-12-31T23:59:59Z").is_err());
    let other = OperatorId::try_new("cienco5").unwrap();
    assert!(book.in_force(&other, Timestamp::MAX).is_err());
}

#[test]
fn a_fare_that_nobody_published_is_an_error_that_names_it() {
    let tariff = tariff("v1", "2023-01-01T00:00:00Z", 47_000);
    let segment = Segment::Trip { entry: station("a"), exit: station("b") };
    let error = tariff.fare(&segment, group(2)).unwrap_err();
    assert_eq!(error.to_string(), "tariff v1 has no fare for the trip a to b and group 2");
}

#[test]
fn a_vehicle_without_an_entry_owes_the_dearest_trip_to_its_exit() {
    let mut tariff = tariff("v1", "2023-01-01T00:00:00Z", 47_000);
    for (entry, fare) in [("a", 10), ("b", 30), ("c", 20)] {
        let segment = Segment::Trip { entry: station(entry), exit: station("z") };
        tariff.add(segment, group(1), vnd(fare)).unwrap();
    }
    assert_eq!(tariff.dearest_trip_to(&station("z"), group(1)), Some(vnd(30)));
    assert_eq!(tariff.dearest_trip_to(&station("a"), group(1)), None);
}

#[test]
fn one_segment_and_group_have_one_fare() {
    let mut tariff = tariff("v1", "2023-01-01T00:00:00Z", 47_000);
    let again = tariff.add(Segment::Pass { station: station("ben-thuy") }, group(1), vnd(1));
    assert!(matches!(again, Err(TariffError::Twice { .. })));
}
