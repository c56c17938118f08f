use domain::passage::{Attendance, ClockQuality};
use domain::signature::Digest256;
use domain::tariff::Tariff;
use domain::{Currency, OperatorId};

use super::*;

fn tariffs() -> TariffBook {
    let mut tariff = Tariff::new(
        "v1".into(),
        OperatorId::try_new("vec").unwrap(),
        Currency::VND,
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "test".into(),
    );
    let station = |name| StationId::try_new(name).unwrap();
    for (segment, amounts) in [
        (Segment::Pass { station: station("ben-thuy") }, [47_000, 64_000]),
        (Segment::Trip { entry: station("a"), exit: station("z") }, [40_516, 60_775]),
        (Segment::Trip { entry: station("b"), exit: station("z") }, [95_425, 143_139]),
    ] {
        for (group, amount) in (1..).zip(amounts) {
            let group = VehicleGroup::try_new(group).unwrap();
            tariff.add(segment.clone(), group, Amount::try_new(amount).unwrap()).unwrap();
        }
    }
    let mut book = TariffBook::default();
    book.insert(tariff);
    book
}

fn passage(lane: &str, role: LaneRole) -> Passage {
    Passage {
        id: format!("vec/{lane}:1:1").parse().unwrap(),
        role,
        at: "2026-03-02T00:00:00Z".parse().unwrap(),
        clock: ClockQuality::Synchronised,
        uptime_ns: 0,
        boot: "b".into(),
        tag: None,
        plate: None,
        group: Some(VehicleGroup::try_new(1).unwrap()),
        list_version: 1,
        status_seen: None,
        tariff: None,
        entry: None,
        exception: None,
        decision: Decision::OpenedByTag,
        attendance: None,
        fare: None,
        payment: Payment::Account,
        previous: Digest256::default(),
    }
}

fn vehicle(group: u8) -> VehicleFacts {
    VehicleFacts {
        plate: Plate::try_new("37A12345").unwrap(),
        account: AccountId::new(7),
        issuer: IssuerId::try_new("vetc").unwrap(),
        group: VehicleGroup::try_new(group).unwrap(),
        exempt: false,
        passes: Vec::new(),
    }
}

fn entry(station: &str) -> EntryFinding {
    EntryFinding::Found(EntryFacts {
        passage: format!("vec/{station}/e01:1:1").parse().unwrap(),
        station: StationId::try_new(station).unwrap(),
        at: "2026-03-01T23:00:00Z".parse().unwrap(),
    })
}

/// Reads as the business does: disposition, why, payer, amount.
fn check(rating: &Rating, expected: &str) {
    let text = match rating {
        Rating::AwaitsEntry => "awaits entry".to_owned(),
        Rating::Charged(charge) => {
            let payer = match &charge.payer {
                Payer::Account { account, .. } => format!("account {account}"),
                Payer::Cash => "cash".into(),
                Payer::Nobody => "nobody".into(),
            };
            format!(
                "{} {} {payer} {}",
                charge.disposition.name(),
                charge.why.name(),
                charge.amount.minor_units()
            )
        }
    };
    assert_eq!(text, expected);
}

#[test]
fn an_open_station_charges_the_registered_group() {
    let passage = passage("ben-thuy/l01", LaneRole::Open);
    let tariffs = tariffs();
    let rate = |vehicle: Option<VehicleFacts>| {
        rate(&passage, vehicle.as_ref(), EntryFinding::NotNeeded, &tariffs)
    };
    check(&rate(Some(vehicle(1))), "posted fare account 7 47000");
    check(&rate(Some(vehicle(2))), "posted fare account 7 64000");
    check(&rate(Some(vehicle(5))), "not-on-file no-fare nobody 0");
    check(&rate(None), "invalid unknown-vehicle nobody 0");
}

#[test]
fn a_trip_is_paid_for_where_it_ends() {
    let vehicle = vehicle(2);
    let tariffs = tariffs();
    let rate = |passage: &Passage, entry| rate(passage, Some(&vehicle), entry, &tariffs);
    check(
        &rate(&passage("a/e01", LaneRole::Entry), EntryFinding::NotNeeded),
        "posted entry nobody 0",
    );
    let exit = passage("z/x01", LaneRole::Exit);
    check(&rate(&exit, entry("a")), "posted fare account 7 60775");
    check(&rate(&exit, EntryFinding::Awaited), "awaits entry");
    check(&rate(&exit, EntryFinding::Missing), "posted missing-entry account 7 143139");
    check(&rate(&exit, entry("z")), "not-on-file no-fare nobody 0");
}

#[test]
fn a_pass_is_good_at_its_station_until_its_last_instant() {
    let passage = passage("ben-thuy/l01", LaneRole::Open);
    let rate = |station: &str, until: &str| {
        let mut vehicle = vehicle(1);
        vehicle.passes.push(PassFacts {
            station: StationId::try_new(station).unwrap(),
            valid_from: "2026-03-01T00:00:00Z".parse().unwrap(),
            valid_until: until.parse().unwrap(),
        });
        rate(&passage, Some(&vehicle), EntryFinding::NotNeeded, &tariffs())
    };
    check(&rate("ben-thuy", "2026-03-02T00:00:01Z"), "posted pass nobody 0");
    check(&rate("ben-thuy", "2026-03-02T00:00:00Z"), "posted fare account 7 47000");
    check(&rate("a", "2026-04-01T00:00:00Z"), "posted fare account 7 47000");
}

#[test]
fn what_the_attendant_did_decides_who_pays() {
    let attended = |decision, payment, reason| Passage {
        decision,
        payment,
        attendance: Some(Attendance { attendant: "nv".into(), command: "c".into(), reason }),
        ..passage("ben-thuy/l01", LaneRole::Open)
    };
    let rate = |passage: &Passage, vehicle: Option<VehicleFacts>| {
        rate(passage, vehicle.as_ref(), EntryFinding::NotNeeded, &tariffs())
    };
    let cash = attended(Decision::OpenedByAttendant, Payment::Cash, Reason::CashPaid);
    check(&rate(&cash, None), "posted fare cash 47000");
    let duty = attended(Decision::OpenedByAttendant, Payment::Nothing, Reason::PriorityVehicle);
    check(&rate(&duty, None), "posted exempt nobody 0");
    let plate = attended(Decision::ChargedByPlate, Payment::Account, Reason::PlateRead);
    check(&rate(&plate, Some(vehicle(1))), "posted fare account 7 47000");
    let away = attended(Decision::TurnedAway, Payment::Nothing, Reason::NoMeansOfPayment);
    check(&rate(&away, Some(vehicle(1))), "not-posted turned-away nobody 0");
}

#[test]
fn an_exempt_vehicle_pays_nothing_however_it_came() {
    let vehicle = VehicleFacts { exempt: true, ..vehicle(1) };
    let exit = passage("z/x01", LaneRole::Exit);
    check(&rate(&exit, Some(&vehicle), entry("a"), &tariffs()), "posted exempt nobody 0");
}
