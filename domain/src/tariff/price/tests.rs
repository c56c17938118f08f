use proptest::prelude::*;
use rust_decimal::Decimal;

use super::super::{
    Caps, Discount, For, Hours, ImpossibleSpeed, MissedGantry, OverTime, Rate, Section, Share,
    TariffFile, TripRules, Weekday,
};
use super::*;
use crate::{Currency, OperatorId, Rounding};

fn station(name: &str) -> StationId {
    StationId::try_new(name).unwrap()
}

fn group(number: u8) -> VehicleGroup {
    VehicleGroup::try_new(number).unwrap()
}

fn vnd(units: i64) -> Amount {
    Amount::try_new(units).unwrap()
}

fn amounts(units: &[i64]) -> Vec<Amount> {
    units.iter().map(|units| vnd(*units)).collect()
}

/// Bến Thủy's passes, and two sections of the Bắc–Nam expressway with their sum, as published.
fn published() -> Tariff {
    let mut tariff = Tariff::new(
        "v1".into(),
        OperatorId::try_new("vec").unwrap(),
        Currency::VND,
        "2026-02-25T17:00:00Z".parse().unwrap(),
        "test".into(),
    );
    tariff.zone = jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    let pass = Segment::Pass { station: station("ben-thuy") };
    let trip = |entry, exit| Segment::Trip { entry: station(entry), exit: station(exit) };
    for (segment, fares) in [
        (pass, [47_000, 64_000, 87_000, 140_000, 200_000]),
        (trip("mai-son", "ql45"), [54_909, 82_364, 109_781, 137_273, 219_636]),
        (trip("ql45", "mai-son"), [54_909, 82_364, 109_781, 137_273, 219_636]),
        (trip("ql45", "nghi-son"), [40_516, 60_775, 81_032, 101_354, 162_065]),
        (trip("nghi-son", "ql45"), [40_516, 60_775, 81_032, 101_354, 162_065]),
        (trip("mai-son", "nghi-son"), [95_425, 143_139, 190_813, 238_627, 381_701]),
        (trip("nghi-son", "mai-son"), [95_425, 143_139, 190_813, 238_627, 381_701]),
    ] {
        for (number, amount) in (1..).zip(fares) {
            tariff.add(segment.clone(), group(number), vnd(amount)).unwrap();
        }
    }
    tariff.rates = vec![
        level(1, [1_300, 1_950, 2_600, 3_250, 5_200]),
        level(2, [900, 1_350, 1_800, 2_250, 3_600]),
    ];
    tariff.roads = vec![bac_nam(ChargedBy::Published)];
    tariff
}

fn level(number: u8, per_km: [i64; 5]) -> Rate {
    Rate { name: format!("level-{number}"), per_km: amounts(&per_km) }
}

fn bac_nam(charged_by: ChargedBy) -> Road {
    let section = |one, other, length_m, fares: &[i64]| Section {
        between: [station(one), station(other)],
        length_m,
        amounts: amounts(fares),
    };
    Road {
        name: "bac-nam".into(),
        charged_by,
        rate: Some("level-2".into()),
        rounding: Rounding::HalfUp,
        rounding_unit: 1,
        symmetric: true,
        gantries: Vec::new(),
        sections: vec![
            section("mai-son", "ql45", 61_010, &[54_909, 82_364]),
            section("ql45", "nghi-son", 45_018, &[40_516, 60_775]),
        ],
    }
}

/// The same road, of which nothing is published but the rate.
fn by(charged_by: ChargedBy) -> Tariff {
    let published = published();
    let mut tariff = Tariff::new(
        "v2".into(),
        published.operator.clone(),
        published.currency,
        published.valid_from,
        "test".into(),
    );
    tariff.zone = published.zone.clone();
    tariff.rates = published.rates.clone();
    tariff.roads = vec![bac_nam(charged_by)];
    tariff
}

/// What is asked: `ben-thuy 1`, `mai-son>ql45 1 40min`, `?>ql45 1`, `mai-son>ql45>nghi-son 1`,
/// with `at 2026-03-02T09:00` and `as NAME` behind it.
struct Question {
    names: Vec<StationId>,
    is_trip: bool,
    group: VehicleGroup,
    took: Option<SignedDuration>,
    at: Timestamp,
    entitlements: Vec<String>,
}

fn question(text: &str) -> Question {
    let mut words = text.split(' ');
    let places = words.next().unwrap();
    let names = places.split('>').filter(|name| *name != "?").map(station).collect();
    let number = words.next().unwrap().parse().unwrap();
    let mut question = Question {
        names,
        is_trip: places.contains('>'),
        group: group(number),
        took: None,
        at: "2026-03-02T09:00:00+07:00".parse().unwrap(),
        entitlements: Vec::new(),
    };
    while let Some(word) = words.next() {
        match word {
            "at" => question.at = format!("{}+07:00", words.next().unwrap()).parse().unwrap(),
            "as" => question.entitlements.push(words.next().unwrap().to_owned()),
            took => {
                let minutes = took.strip_suffix("min").unwrap().parse().unwrap();
                question.took = Some(SignedDuration::from_mins(minutes));
            }
        }
    }
    question
}

impl Question {
    fn price(&self, tariff: &Tariff) -> Result<Price, TariffError> {
        let entitlements: Vec<&str> = self.entitlements.iter().map(String::as_str).collect();
        let passing = match self.names.as_slice() {
            [station] if !self.is_trip => Passing::Open { station },
            [exit] => Passing::WithoutEntry { exit },
            [entry, via @ .., exit] => Passing::Trip { entry, exit, took: self.took, via },
            [] => unreachable!("a question names stations"),
        };
        let crossing =
            Crossing { passing, group: self.group, at: self.at, entitlements: &entitlements };
        tariff.price(&crossing)
    }
}

/// Reads as the business does: rule, gross, less discount, less caps, = amount, cases, missed.
fn check(tariff: &Tariff, asked: &str, expected: &str) {
    let answer = match question(asked).price(tariff) {
        Err(error) => error.to_string(),
        Ok(price) => {
            let rule = match price.rule {
                PriceRule::Published => "published".to_owned(),
                PriceRule::Distance => "distance".to_owned(),
                PriceRule::Sections => "sections".to_owned(),
                PriceRule::Instead(case) => case.name().to_owned(),
            };
            let mut text = format!("{rule} {}", price.parts.gross.minor_units());
            if let Some(name) = &price.discount {
                text += &format!(" -{} {name}", price.parts.discount.minor_units());
            }
            if !price.parts.over_trip_cap.is_zero() {
                text += &format!(" -{} cap", price.parts.over_trip_cap.minor_units());
            }
            text += &format!(" = {}", price.amount().minor_units());
            for case in &price.cases {
                text += &format!(", {}", case.name());
            }
            for station in &price.missed {
                text += &format!(", not seen at {station}");
            }
            text
        }
    };
    assert_eq!(answer, expected, "{asked}");
}

#[test]
fn an_open_station_costs_its_published_fare() {
    let tariff = published();
    check(&tariff, "ben-thuy 1", "published 47000 = 47000");
    check(&tariff, "ben-thuy 5", "published 200000 = 200000");
    check(&tariff, "ben-thuy 6", "tariff v1 has no fare for a pass of ben-thuy and group 6");
}

#[test]
fn the_published_amount_is_charged_where_rate_times_kilometres_says_another() {
    // 61.01 km × 1,800 = 109,818; published are 109,781.
    check(&published(), "mai-son>ql45 3", "published 109781 = 109781");
    check(&by(ChargedBy::Distance), "mai-son>ql45 3", "distance 109818 = 109818");
}

#[test]
fn a_road_by_distance_costs_rate_times_kilometres() {
    let tariff = by(ChargedBy::Distance);
    check(&tariff, "mai-son>ql45 1", "distance 54909 = 54909");
    check(&tariff, "mai-son>ql45 2", "distance 82364 = 82364");
    // 106.028 km × 900 = 95,425.2
    check(&tariff, "mai-son>nghi-son 1", "distance 95425 = 95425");
    check(&tariff, "nghi-son>mai-son 1", "distance 95425 = 95425");
    let mut rounded = tariff.clone();
    rounded.roads[0].rounding_unit = 1_000;
    check(&rounded, "mai-son>nghi-son 1", "distance 95000 = 95000");
    check(
        &tariff,
        "mai-son>ben-thuy 1",
        "tariff v2 has no fare for the trip mai-son to ben-thuy and group 1",
    );
}

#[test]
fn a_road_by_sections_costs_the_sum_of_its_sections() {
    let tariff = by(ChargedBy::Sections);
    check(&tariff, "mai-son>nghi-son 1", "sections 95425 = 95425");
    check(&tariff, "ql45>nghi-son 2", "sections 60775 = 60775");
    check(
        &tariff,
        "mai-son>nghi-son 3",
        "tariff v2 has no fare for the trip mai-son to nghi-son and group 3",
    );
}

#[test]
fn a_missed_gantry_is_inferred_or_left_out_as_the_operator_says() {
    let mut tariff = by(ChargedBy::Sections);
    tariff.roads[0].gantries = vec![station("ql45")];
    check(&tariff, "mai-son>ql45>nghi-son 1", "sections 95425 = 95425");
    check(&tariff, "mai-son>nghi-son 1", "sections 95425 = 95425, missed-gantry, not seen at ql45");
    tariff.rules.missed_gantry = MissedGantry::SeenOnly;
    check(&tariff, "mai-son>nghi-son 1", "sections 0 = 0, missed-gantry, not seen at ql45");
    check(&tariff, "mai-son>ql45>nghi-son 1", "sections 95425 = 95425");
    // What a gantry of another road saw says nothing of this one.
    check(&tariff, "mai-son>ben-thuy>ql45>nghi-son 1", "sections 95425 = 95425");
}

#[test]
fn a_missing_entry_costs_what_the_operator_says() {
    let with = |missing_entry| Tariff {
        rules: TripRules { missing_entry, ..TripRules::default() },
        ..published()
    };
    let check = |rule, expected| check(&with(rule), "?>nghi-son 1", expected);
    check(InsteadOfTrip::DearestTrip, "missing-entry 95425 = 95425, missing-entry");
    check(InsteadOfTrip::CheapestTrip, "missing-entry 40516 = 40516, missing-entry");
    check(InsteadOfTrip::CheapestReturn, "missing-entry 81032 = 81032, missing-entry");
    check(InsteadOfTrip::Nothing, "missing-entry 0 = 0, missing-entry");
    check(InsteadOfTrip::Amounts(amounts(&[95_425])), "missing-entry 95425 = 95425, missing-entry");
    check(InsteadOfTrip::Trip, "tariff v1 has no trip to nghi-son for group 1");
}

#[test]
fn the_farthest_station_of_a_road_by_distance_is_the_dearest() {
    check(&by(ChargedBy::Distance), "?>nghi-son 5", "missing-entry 381701 = 381701, missing-entry");
}

#[test]
fn leaving_where_one_came_in_costs_what_the_operator_says() {
    let with =
        |u_turn| Tariff { rules: TripRules { u_turn, ..TripRules::default() }, ..published() };
    check(&with(InsteadOfTrip::CheapestReturn), "ql45>ql45 1", "u-turn 81032 = 81032, u-turn");
    check(&with(InsteadOfTrip::Nothing), "ql45>ql45 1", "u-turn 0 = 0, u-turn");
    check(
        &with(InsteadOfTrip::Trip),
        "ql45>ql45 1",
        "tariff v1 has no fare for the trip ql45 to ql45 and group 1",
    );
    let mut published = with(InsteadOfTrip::CheapestReturn);
    let turn = Segment::Trip { entry: station("ql45"), exit: station("ql45") };
    published.add(turn, group(1), vnd(10_000)).unwrap();
    check(&published, "ql45>ql45 1", "published 10000 = 10000, u-turn");
}

#[test]
fn who_stayed_too_long_is_charged_by_rule() {
    let with = |charge| Tariff {
        rules: TripRules {
            over_time: Some(OverTime { after_minutes: 720, charge }),
            ..TripRules::default()
        },
        ..published()
    };
    let dearest = with(InsteadOfTrip::DearestTrip);
    check(&dearest, "ql45>nghi-son 1 720min", "published 40516 = 40516");
    check(&dearest, "ql45>nghi-son 1 721min", "over-time 95425 = 95425, over-time");
    check(
        &with(InsteadOfTrip::Trip),
        "ql45>nghi-son 1 721min",
        "published 40516 = 40516, over-time",
    );
    // Without a clock to trust nobody is late.
    check(&dearest, "ql45>nghi-son 1", "published 40516 = 40516");
}

#[test]
fn who_was_faster_than_can_be_came_in_elsewhere() {
    let with = |charge| Tariff {
        rules: TripRules {
            impossible_speed: Some(ImpossibleSpeed { above_kmh: 180, charge }),
            ..TripRules::default()
        },
        ..published()
    };
    let dearest = with(InsteadOfTrip::DearestTrip);
    // 45.018 km at 180 km/h take 15 minutes and 0.36 seconds.
    check(&dearest, "ql45>nghi-son 1 16min", "published 40516 = 40516");
    check(&dearest, "ql45>nghi-son 1 15min", "impossible-speed 95425 = 95425, impossible-speed");
    check(&dearest, "ql45>nghi-son 1 -5min", "impossible-speed 95425 = 95425, impossible-speed");
    check(&dearest, "ql45>nghi-son 1", "published 40516 = 40516");
    check(
        &with(InsteadOfTrip::Trip),
        "ql45>nghi-son 1 15min",
        "published 40516 = 40516, impossible-speed",
    );
}

fn discount(name: &str, share: &str, whom: For) -> Discount {
    Discount {
        name: name.into(),
        share: Share::try_new(share.parse().unwrap()).unwrap(),
        rounding: Rounding::HalfUp,
        whom,
        stations: Vec::new(),
        groups: Vec::new(),
        hours: None,
        weekdays: Vec::new(),
        first_day: None,
        last_day: None,
    }
}

#[test]
fn a_local_resident_pays_half_at_their_own_station() {
    let mut tariff = published();
    tariff.discounts = vec![Discount {
        stations: vec![station("ben-thuy")],
        groups: vec![group(1)],
        ..discount("resident", "0.5", For::Entitled)
    }];
    check(&tariff, "ben-thuy 1", "published 47000 = 47000");
    check(&tariff, "ben-thuy 1 as resident", "published 47000 -23500 resident = 23500");
    check(&tariff, "ben-thuy 1 as somebody", "published 47000 = 47000");
    check(&tariff, "ben-thuy 2 as resident", "published 64000 = 64000");
    check(&tariff, "mai-son>ql45 1 as resident", "published 54909 = 54909");
    tariff.discounts[0].stations = vec![station("ql45")];
    check(&tariff, "mai-son>ql45 1 as resident", "published 54909 -27455 resident = 27454");
    tariff.discounts[0].rounding = Rounding::Down;
    check(&tariff, "mai-son>ql45 1 as resident", "published 54909 -27454 resident = 27455");
}

#[test]
fn the_night_is_cheaper_by_the_clock_of_the_road() {
    let hours = Hours { from: "22:00".parse().unwrap(), until: "05:00".parse().unwrap() };
    let mut tariff = published();
    tariff.discounts =
        vec![Discount { hours: Some(hours), ..discount("night", "0.2", For::Everybody) }];
    check(&tariff, "ben-thuy 1 at 2026-03-02T21:59:59", "published 47000 = 47000");
    check(&tariff, "ben-thuy 1 at 2026-03-02T22:00", "published 47000 -9400 night = 37600");
    check(&tariff, "ben-thuy 1 at 2026-03-03T04:59:59", "published 47000 -9400 night = 37600");
    check(&tariff, "ben-thuy 1 at 2026-03-03T05:00", "published 47000 = 47000");
}

#[test]
fn a_holiday_discount_has_first_and_last_days_and_days_of_the_week() {
    let mut tariff = published();
    tariff.discounts = vec![Discount {
        first_day: Some("2026-04-30".parse().unwrap()),
        last_day: Some("2026-05-03".parse().unwrap()),
        weekdays: vec![Weekday::Friday, Weekday::Saturday],
        ..discount("holiday", "1", For::Everybody)
    }];
    check(&tariff, "ben-thuy 1 at 2026-04-30T12:00", "published 47000 = 47000"); // a Thursday
    check(&tariff, "ben-thuy 1 at 2026-05-01T00:00", "published 47000 -47000 holiday = 0");
    check(&tariff, "ben-thuy 1 at 2026-05-02T23:59", "published 47000 -47000 holiday = 0");
    check(&tariff, "ben-thuy 1 at 2026-05-08T12:00", "published 47000 = 47000");
}

#[test]
fn of_several_discounts_the_one_worth_most_is_given() {
    let mut tariff = published();
    tariff.discounts =
        vec![discount("tenth", "0.1", For::Everybody), discount("resident", "0.5", For::Entitled)];
    check(&tariff, "ben-thuy 1", "published 47000 -4700 tenth = 42300");
    check(&tariff, "ben-thuy 1 as resident", "published 47000 -23500 resident = 23500");
}

#[test]
fn what_is_charged_in_place_of_a_trip_gets_no_discount() {
    let mut tariff = published();
    tariff.discounts = vec![discount("tenth", "0.1", For::Everybody)];
    check(&tariff, "?>nghi-son 1", "missing-entry 95425 = 95425, missing-entry");
}

#[test]
fn a_trip_costs_no_more_than_its_cap() {
    let mut tariff = published();
    tariff.caps = Caps { trip: amounts(&[90_000]), day: Vec::new() };
    check(&tariff, "mai-son>nghi-son 1", "published 95425 -5425 cap = 90000");
    check(&tariff, "mai-son>ql45 1", "published 54909 = 54909");
    check(&tariff, "mai-son>nghi-son 2", "published 143139 = 143139");
    check(&tariff, "?>nghi-son 1", "missing-entry 95425 -5425 cap = 90000, missing-entry");
    tariff.discounts = vec![discount("tenth", "0.1", For::Everybody)];
    check(&tariff, "mai-son>nghi-son 1", "published 95425 -9543 tenth = 85882");
}

#[test]
fn a_day_costs_no_more_than_its_cap() {
    let cap = vnd(100_000);
    let mut before = Amount::ZERO;
    for (fare, charged) in [(47_000, 47_000), (47_000, 47_000), (47_000, 6_000), (47_000, 0)] {
        let parts = Parts::of(vnd(fare)).under_day_cap(cap, before);
        assert_eq!(parts.amount(), vnd(charged), "after {before}");
        before = before.plus(parts.amount()).unwrap();
    }
    assert_eq!(before, cap);
    assert_eq!(Parts::of(vnd(1)).under_day_cap(cap, vnd(100_001)).amount(), Amount::ZERO);
}

prop_compose! {
    fn ascending()(steps in prop::collection::vec(0_i64..200_000, 5)) -> Vec<Amount> {
        steps.iter().scan(0, |sum, step| { *sum += step; Some(vnd(*sum)) }).collect()
    }
}

fn instead() -> impl Strategy<Value = InsteadOfTrip> {
    prop_oneof![
        Just(InsteadOfTrip::DearestTrip),
        Just(InsteadOfTrip::CheapestTrip),
        Just(InsteadOfTrip::CheapestReturn),
        Just(InsteadOfTrip::Nothing),
        ascending().prop_map(InsteadOfTrip::Amounts),
    ]
}

prop_compose! {
    fn rules()(
        missing_entry in instead(),
        u_turn in instead(),
        over in instead(),
        fast in instead(),
        seen_only in any::<bool>(),
    ) -> TripRules {
        TripRules {
            missing_entry,
            u_turn,
            over_time: Some(OverTime { after_minutes: 600, charge: over }),
            impossible_speed: Some(ImpossibleSpeed { above_kmh: 180, charge: fast }),
            missing_exit: None,
            missed_gantry: if seen_only { MissedGantry::SeenOnly } else { MissedGantry::Infer },
            too_late: None,
        }
    }
}

prop_compose! {
    /// A tariff whose own tables rise with the group, as `lint` asks for.
    fn tariff()(
        fares in prop::collection::vec(ascending(), 3),
        rate in ascending(),
        rules in rules(),
        shares in prop::collection::vec((0_i64..=100, any::<bool>()), 0..3),
        trip_cap in prop::option::of(ascending()),
        day_cap in prop::option::of(ascending()),
        by_distance in any::<bool>(),
        unit in prop::sample::select(vec![1_u32, 500, 1_000]),
    ) -> Tariff {
        let mut tariff = if by_distance { by(ChargedBy::Distance) } else { published() };
        tariff.roads[0].rounding_unit = unit;
        tariff.rates[1].per_km = rate;
        let places = [("a", "b"), ("a", "c"), ("b", "b")];
        for ((entry, exit), fares) in places.into_iter().zip(fares) {
            for (number, fare) in (1..).zip(fares) {
                let segment = Segment::Trip { entry: station(entry), exit: station(exit) };
                tariff.add(segment, group(number), fare).unwrap();
            }
        }
        tariff.rules = rules;
        tariff.discounts = shares
            .into_iter()
            .enumerate()
            .map(|(number, (percent, entitled))| {
                let whom = if entitled { For::Entitled } else { For::Everybody };
                let share = Decimal::new(percent, 2).to_string();
                discount(&format!("d{number}"), &share, whom)
            })
            .collect();
        tariff.caps = Caps { trip: trip_cap.unwrap_or_default(), day: day_cap.unwrap_or_default() };
        tariff
    }
}

fn questions() -> impl Strategy<Value = String> {
    let places = prop::sample::select(vec![
        "ben-thuy",
        "mai-son>ql45",
        "mai-son>nghi-son",
        "mai-son>ql45>nghi-son",
        "?>nghi-son",
        "ql45>ql45",
        "a>b",
        "a>c",
        "b>b",
        "?>b",
        "a>nghi-son",
    ]);
    (places, -10_i64..2_000, any::<bool>()).prop_map(|(places, took, resident)| {
        format!("{places} GROUP {took}min{}", if resident { " as d0 as d1" } else { "" })
    })
}

proptest! {
    #[test]
    fn a_price_is_the_same_every_time_and_its_parts_make_it_up(
        tariff in tariff(), asked in questions(), number in 1_u8..=5, before in 0_i64..1_000_000,
    ) {
        let asked = question(&asked.replace("GROUP", &number.to_string()));
        let price = asked.price(&tariff);
        prop_assert_eq!(&price, &asked.price(&tariff.clone()));
        if let Ok(price) = price {
            let parts = price.parts;
            let kept = parts.amount().minor_units() + parts.discount.minor_units()
                + parts.over_trip_cap.minor_units();
            prop_assert_eq!(kept, parts.gross.minor_units());
            prop_assert!(parts.amount() <= parts.gross, "a discount or cap raised {price:?}");
            if let Some(cap) = of_group(&tariff.caps.trip, asked.group) {
                prop_assert!(parts.amount() <= cap);
            }
            if let Some(cap) = tariff.day_cap(asked.group) {
                let capped = parts.under_day_cap(cap, vnd(before));
                prop_assert!(capped.amount() <= parts.amount());
                let day = before + capped.amount().minor_units();
                prop_assert!(day <= cap.minor_units().max(before));
                prop_assert_eq!(capped.under_day_cap(cap, vnd(before)), capped);
            }
        }
    }

    #[test]
    fn a_higher_group_never_pays_less(tariff in tariff(), asked in questions()) {
        let price = |number: u8| {
            question(&asked.replace("GROUP", &number.to_string())).price(&tariff)
        };
        for number in 1..5 {
            if let (Ok(lower), Ok(higher)) = (price(number), price(number + 1)) {
                prop_assert!(lower.amount() <= higher.amount(), "{lower:?} {higher:?}");
            }
        }
    }

    #[test]
    fn a_tariff_written_as_a_file_is_the_same_tariff(tariff in tariff()) {
        let text = serde_json::to_string(&TariffFile::from(&tariff)).unwrap();
        let file: TariffFile = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Tariff::try_from(file).unwrap(), tariff);
    }
}
