use domain::passage::{Attendance, ClockQuality, Correction};
use domain::signature::Digest256;
use domain::tariff::{Segment, Tariff, TariffFile};
use domain::{Currency, OperatorId};

use super::*;

mod rows;

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
        entitlements: Vec::new(),
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
            let mut text = format!(
                "{} {} {payer} {}",
                charge.disposition.name(),
                charge.why.name(),
                charge.amount.minor_units()
            );
            let parts = charge.basis.parts;
            if parts.amount() != parts.gross {
                let named = charge.basis.discount.as_deref().unwrap_or("none");
                text += &format!(
                    " = {} - {named} {} - trip {} - day {}",
                    parts.gross.minor_units(),
                    parts.discount.minor_units(),
                    parts.over_trip_cap.minor_units(),
                    parts.over_day_cap.minor_units()
                );
            }
            for case in &charge.basis.cases {
                text += &format!(", {}", case.name());
            }
            text
        }
    };
    assert_eq!(text, expected);
}

#[test]
fn an_open_station_charges_the_registered_group() {
    let passage = passage("ben-thuy/l01", LaneRole::Open);
    let tariffs = tariffs();
    let rate = |vehicle: Option<VehicleFacts>| {
        rate(&passage, vehicle.as_ref(), EntryFinding::NotNeeded, &tariffs, passage.at)
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
    let rate =
        |passage: &Passage, entry| rate(passage, Some(&vehicle), entry, &tariffs, passage.at);
    check(
        &rate(&passage("a/e01", LaneRole::Entry), EntryFinding::NotNeeded),
        "posted entry nobody 0",
    );
    let exit = passage("z/x01", LaneRole::Exit);
    check(&rate(&exit, entry("a")), "posted fare account 7 60775");
    check(&rate(&exit, EntryFinding::Awaited), "awaits entry");
    check(
        &rate(&exit, EntryFinding::Missing),
        "posted missing-entry account 7 143139, missing-entry",
    );
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
        rate(&passage, Some(&vehicle), EntryFinding::NotNeeded, &tariffs(), passage.at)
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
        attendance: Some(Attendance::of("nv".into(), "c".into(), reason)),
        ..passage("ben-thuy/l01", LaneRole::Open)
    };
    let rate = |passage: &Passage, vehicle: Option<VehicleFacts>| {
        rate(passage, vehicle.as_ref(), EntryFinding::NotNeeded, &tariffs(), passage.at)
    };
    let cash = attended(Decision::OpenedByAttendant, Payment::Cash, Reason::CashPaid);
    check(&rate(&cash, None), "posted fare cash 47000");
    let duty = attended(Decision::OpenedByAttendant, Payment::Nothing, Reason::PriorityVehicle);
    check(&rate(&duty, None), "posted exempt nobody 0");
    let convoy = attended(Decision::OpenedByAttendant, Payment::Nothing, Reason::Convoy);
    check(&rate(&convoy, Some(vehicle(1))), "posted exempt nobody 0");
    let mut corrected =
        attended(Decision::OpenedByAttendant, Payment::Account, Reason::GroupCorrected);
    corrected.group = Some(vehicle(2).group);
    check(&rate(&corrected, Some(vehicle(1))), "posted fare account 7 47000");
    let correction = Correction { from: Some(vehicle(1).group) };
    corrected.attendance.as_mut().unwrap().corrected = Some(correction);
    check(&rate(&corrected, Some(vehicle(1))), "posted fare account 7 64000");
    let plate = attended(Decision::ChargedByPlate, Payment::Account, Reason::PlateRead);
    check(&rate(&plate, Some(vehicle(1))), "posted fare account 7 47000");
    let away = attended(Decision::TurnedAway, Payment::Nothing, Reason::NoMeansOfPayment);
    check(&rate(&away, Some(vehicle(1))), "not-posted turned-away nobody 0");
}

#[test]
fn an_exempt_vehicle_pays_nothing_however_it_came() {
    let vehicle = VehicleFacts { exempt: true, ..vehicle(1) };
    let exit = passage("z/x01", LaneRole::Exit);
    check(&rate(&exit, Some(&vehicle), entry("a"), &tariffs(), exit.at), "posted exempt nobody 0");
}

/// The road of `deploy/viet-nam/tariff-bac-nam.toml`, with rules and discounts of a test.
fn bac_nam(rules: &str) -> TariffBook {
    let published = include_str!("../../../deploy/viet-nam/tariff-bac-nam.toml");
    let (before, after) = published.split_once("[rules]").unwrap();
    let (_, after) = after.split_once("\n\n").unwrap();
    let file: TariffFile = toml::from_str(&format!("{before}{rules}\n\n{after}")).unwrap();
    let mut book = TariffBook::default();
    book.insert(Tariff::try_from(file).unwrap());
    book
}

/// An exit of QL45 at 07:00 by the road's clock, after an entry at another station so many minutes
/// before.
fn exit_after(minutes: i64, at: &str, rules: &str) -> Rating {
    let exit = passage("ql45/x01", LaneRole::Exit);
    let entered = exit.at.checked_sub(jiff::SignedDuration::from_mins(minutes)).unwrap();
    let entry = EntryFinding::Found(EntryFacts {
        passage: format!("vec/{at}/e01:1:1").parse().unwrap(),
        station: StationId::try_new(at).unwrap(),
        at: entered,
    });
    rate(&exit, Some(&vehicle(1)), entry, &bac_nam(rules), exit.at)
}

#[test]
fn a_strange_trip_is_charged_by_the_operators_rule_and_says_so() {
    let rules = "[rules]\nu_turn = \"cheapest-return\"\n\
                 over_time = { after_minutes = 1440, charge = \"dearest-trip\" }\n\
                 impossible_speed = { above_kmh = 200, charge = \"dearest-trip\" }";
    check(&exit_after(45, "mai-son", rules), "posted fare account 7 54909");
    check(&exit_after(20, "ql45", rules), "posted u-turn account 7 81032, u-turn");
    check(&exit_after(1_441, "nghi-son", rules), "posted over-time account 7 54909, over-time");
    // 61.01 km in 18 minutes are 203 km/h.
    check(&exit_after(18, "nghi-son", rules), "posted fare account 7 40516");
    check(
        &exit_after(18, "mai-son", rules),
        "posted impossible-speed account 7 54909, impossible-speed",
    );
    let flagged = "[rules]\nimpossible_speed = { above_kmh = 200, charge = \"trip\" }";
    check(&exit_after(13, "nghi-son", flagged), "posted fare account 7 40516, impossible-speed");
}

#[test]
fn without_a_clock_to_trust_no_trip_is_too_long_or_too_fast() {
    let rules = "[rules]\nimpossible_speed = { above_kmh = 200, charge = \"dearest-trip\" }";
    let exit =
        Passage { clock: ClockQuality::Unsynchronised, ..passage("ql45/x01", LaneRole::Exit) };
    let entry = EntryFinding::Found(EntryFacts {
        passage: "vec/nghi-son/e01:1:1".parse().unwrap(),
        station: StationId::try_new("nghi-son").unwrap(),
        at: exit.at,
    });
    let rating = rate(&exit, Some(&vehicle(1)), entry, &bac_nam(rules), exit.at);
    check(&rating, "posted fare account 7 40516");
}

#[test]
fn an_account_is_charged_until_so_many_days_after_the_passage_and_cash_is_never_late() {
    let late = bac_nam("[rules]\ntoo_late = { after_days = 60 }");
    let exit = passage("ql45/x01", LaneRole::Exit);
    let rated = |exit: &Passage, book: &TariffBook, hours: i64, seconds: i64| {
        let after = jiff::SignedDuration::from_secs(hours * 3_600 + seconds);
        rate(exit, Some(&vehicle(1)), entry("mai-son"), book, exit.at.checked_add(after).unwrap())
    };
    check(&rated(&exit, &late, 60 * 24, 0), "posted fare account 7 54909");
    check(&rated(&exit, &late, 60 * 24, 1), "too-old too-late nobody 0");
    check(&rated(&exit, &bac_nam("[rules]\n"), 24 * 999, 0), "posted fare account 7 54909");
    let cash = Passage { payment: Payment::Cash, ..exit.clone() };
    check(&rated(&cash, &late, 61 * 24, 0), "posted fare cash 54909");
    let unsure = Passage { clock: ClockQuality::Unsynchronised, ..exit };
    check(&rated(&unsure, &late, 61 * 24, 0), "posted fare account 7 54909");
}

const HALF_FOR_RESIDENTS: &str = "[[discount]]\nname = \"resident\"\nshare = \"0.5\"\n\
                                  for = \"entitled\"\nstations = [\"ql45\"]";

#[test]
fn a_resident_pays_half_while_the_entitlement_is_good() {
    let entry = entry("mai-son");
    let exit = passage("ql45/x01", LaneRole::Exit);
    let rate = |operator: &str, until: &str| {
        let mut vehicle = vehicle(1);
        vehicle.entitlements.push(Entitlement {
            operator: OperatorId::try_new(operator).unwrap(),
            discount: "resident".into(),
            valid_from: "2026-03-01T00:00:00Z".parse().unwrap(),
            valid_until: until.parse().unwrap(),
        });
        rate(&exit, Some(&vehicle), entry.clone(), &bac_nam(HALF_FOR_RESIDENTS), exit.at)
    };
    check(
        &rate("vec", "2026-03-02T00:00:01Z"),
        "posted fare account 7 27454 = 54909 - resident 27455 - trip 0 - day 0",
    );
    check(&rate("vec", "2026-03-02T00:00:00Z"), "posted fare account 7 54909");
    check(&rate("cienco4", "2027-01-01T00:00:00Z"), "posted fare account 7 54909");
}

#[test]
fn a_day_that_has_cost_its_cap_costs_nothing_more() {
    let book = bac_nam("[cap]\nday = [100000, 150000, 200000, 250000, 400000]");
    let exit = passage("ql45/x01", LaneRole::Exit);
    let after = |passage: &Passage, before| match rate(
        passage,
        Some(&vehicle(1)),
        entry("mai-son"),
        &book,
        passage.at,
    ) {
        Rating::Charged(charge) => {
            Rating::Charged(charge.under_day_cap(Amount::try_new(before).unwrap()))
        }
        waiting @ Rating::AwaitsEntry => waiting,
    };
    check(&after(&exit, 0), "posted fare account 7 54909");
    check(
        &after(&exit, 54_909),
        "posted fare account 7 45091 = 54909 - none 0 - trip 0 - day 9818",
    );
    check(&after(&exit, 100_000), "posted fare nobody 0 = 54909 - none 0 - trip 0 - day 54909");
    // Who pays cash pays what the lane asks for.
    let cash = Passage { payment: Payment::Cash, ..exit };
    check(&after(&cash, 100_000), "posted fare cash 54909");
}

/// What a lane would show, from the same tariff and entry: the lane's own way is
/// `lane-controller/src/lane/verdict.rs`, and both end in `Tariff::price`.
#[test]
fn what_the_centre_charges_is_what_the_lanes_question_gives() {
    let book = bac_nam("[rules]\nu_turn = \"cheapest-return\"");
    let exit = passage("ql45/x01", LaneRole::Exit);
    for at in ["mai-son", "nghi-son", "ql45"] {
        let EntryFinding::Found(found) = entry(at) else { unreachable!("an entry is given") };
        let station = exit.id.lane.station();
        let passing = Passing::of_lane(
            exit.role,
            station,
            Some((&found.station, found.at)),
            exit.at,
            exit.clock,
        );
        let crossing = Crossing {
            passing: passing.unwrap(),
            group: vehicle(1).group,
            at: exit.at,
            entitlements: &[],
        };
        let tariff = book.in_force(exit.id.lane.operator(), exit.at).unwrap();
        let shown = tariff.price(&crossing).unwrap().amount();
        match rate(&exit, Some(&vehicle(1)), entry(at), &book, exit.at) {
            Rating::Charged(charge) => assert_eq!(charge.amount, shown, "{at}"),
            Rating::AwaitsEntry => panic!("the entry is known"),
        }
    }
}
