use domain::tariff::TariffBook;

use super::*;
use crate::registry::NetworkFile;

const STATE_EXPRESSWAYS: &str =
    include_str!("../../../../deploy/viet-nam/tariff-state-expressways.toml");
const BAC_NAM: &str = include_str!("../../../../deploy/viet-nam/tariff-bac-nam.toml");
const BEN_THUY: &str = include_str!("../../../../deploy/viet-nam/tariff-ben-thuy.toml");
const NETWORK: &str = include_str!("../../../../deploy/viet-nam/network.toml");

fn document(name: &str, text: &str) -> Document {
    Document::parse(name.into(), text.into()).unwrap_or_else(|error| panic!("{error}"))
}

fn found(texts: &[&str]) -> Vec<String> {
    let documents: Vec<Document> = texts.iter().map(|text| document("t.toml", text)).collect();
    let network: NetworkFile = toml::from_str(NETWORK).unwrap();
    let stations = Stations::from(&network);
    let book = TariffBook::default();
    let findings = lint(&documents, book.versions(), Some(&stations));
    findings.iter().map(ToString::to_string).collect()
}

/// One file after a change, and the only finding it then has.
fn check(text: &str, change: (&str, &str), expected: &str) {
    let changed = text.replacen(change.0, change.1, 1);
    assert_ne!(text, changed, "the change is in the file");
    let before = found(&[text]);
    let new: Vec<String> =
        found(&[&changed]).into_iter().filter(|finding| !before.contains(finding)).collect();
    assert_eq!(new, [expected]);
}

#[test]
fn the_three_misprints_of_the_published_expressways_are_found_and_nothing_else() {
    let documents = [document("tariff-state-expressways.toml", STATE_EXPRESSWAYS)];
    let findings = lint(&documents, TariffBook::default().versions(), None);
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let line = |amounts: &str| {
        STATE_EXPRESSWAYS.lines().position(|line| line.contains(amounts)).unwrap() + 1
    };
    let expected = [
        (
            line("109781"),
            "the trip mai-son to ql45, group 3: 109.781 is published, 37 less than 61.010 km at \
             1.800 a kilometre, which are 109.818",
        ),
        (
            line("101354"),
            "the trip ql45 to nghi-son, group 4: 101.354 is published, 63 more than 45.018 km at \
             2.250 a kilometre, which are 101.291",
        ),
        (
            line("518800"),
            "the trip phan-thiet to dau-giay, group 5: 518.800 is published, 4000 more than 99.000 km \
             at 5.200 a kilometre, which are 514.800",
        ),
    ]
    .map(|(line, what)| {
        format!(
            "tariff-state-expressways.toml:{line}: warning (rate): {what}; a misprint? The \
             published amount is charged"
        )
    });
    assert_eq!(told, expected);
}

/// The file in `deploy/` says what the published table says, where that is at hand.
#[test]
#[expect(clippy::print_stderr, reason = "says that it was skipped")]
fn the_expressways_file_has_the_amounts_of_the_published_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/tariffs-viet-nam.csv");
    let Ok(table) = std::fs::read_to_string(folder) else {
        eprintln!("skipped: ../shared/data is absent");
        return;
    };
    let document = document("tariff-state-expressways.toml", STATE_EXPRESSWAYS);
    let column = |amounts: &[domain::Amount], group: &str| {
        amounts[group.parse::<usize>().unwrap() - 1].minor_units().to_string()
    };
    let mut compared = 0;
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let name = cells[1].to_lowercase().replace('_', "-");
        let own = match cells[0] {
            "route" => {
                let is_it = |fare: &&domain::tariff::FareRow| {
                    let of = |id: &Option<domain::StationId>| id.as_ref().unwrap().to_string();
                    name == format!("{}-{}", of(&fare.entry), of(&fare.exit))
                };
                column(&document.file.fares.iter().find(is_it).unwrap().amounts, cells[2])
            }
            "perkm" => {
                let level = name.replace("state-l", "level-");
                let rate = document.file.rates.iter().find(|rate| rate.name == level).unwrap();
                column(&rate.per_km, cells[2])
            }
            _ => continue,
        };
        assert_eq!(own, cells[4], "{line}");
        compared += 1;
    }
    assert_eq!(compared, 35);
}

#[test]
fn the_files_of_the_network_have_no_error() {
    let told = found(&[BEN_THUY, BAC_NAM]);
    assert_eq!(told.len(), 8, "two misprints, and in the sum, there and back: {told:#?}");
    assert!(told.iter().all(|finding| finding.contains(": warning (rate): ")), "{told:#?}");
}

#[test]
fn a_missing_group_is_an_error() {
    check(
        BEN_THUY,
        ("140000, 200000]", "140000]"),
        "t.toml:19: error (groups): a pass of ben-thuy has no amount for group 5; the tariff has 5 \
         groups: each group needs one",
    );
}

#[test]
fn a_higher_group_that_costs_less_is_told() {
    let told = found(&[&BEN_THUY.replacen("87000, 140000", "87000, 84000", 1)]);
    assert_eq!(
        told[0],
        "t.toml:19: warning (falling): a pass of ben-thuy: group 4 costs 84.000, less than group 3 \
         with 87.000; it would be 87.000 or more"
    );
}

#[test]
fn a_month_is_thirty_passes_and_a_quarter_eighty_one() {
    let month = BEN_THUY.replacen("1410000", "1400000", 1);
    assert!(found(&[&month])[0].contains(
        "(passes): group 1: the month costs 1.400.000; 30 passes of 47.000 are 1.410.000"
    ));
    check(
        BEN_THUY,
        ("16200000", "16000000"),
        "t.toml:21: warning (passes): group 5: the quarter costs 16.000.000; 81 passes of 200.000 \
         are 16.200.000",
    );
}

#[test]
fn a_symmetric_road_costs_the_same_there_and_back() {
    let changed = BAC_NAM.replacen("54909, 82364", "54908, 82364", 1);
    let told = found(&[&changed]);
    assert!(
        told.iter().any(|one| one.contains(
            "error (symmetric): group 1: the trip ql45 to mai-son costs 54.909 and back 54.908; \
             road bac-nam says symmetric"
        )),
        "{told:#?}"
    );
    let row = "[[fare]]\nentry = \"ql45\"\nexit = \"mai-son\"\n\
               amounts = [54909, 82364, 109781, 137273, 219636]\n\n";
    let told = found(&[&BAC_NAM.replacen(row, "", 1)]);
    assert!(
        told.iter().any(|one| one.contains("there is no fare for the trip ql45 to mai-son; add"))
    );
    assert!(told.iter().any(|one| {
        one.contains("error (unpriced): there is no fare for the trip ql45 to mai-son")
    }));
}

#[test]
fn a_gap_between_versions_is_an_error_that_says_from_when_to_when() {
    let ended = BEN_THUY.replacen("source =", "valid_until = \"2026-01-01\"\nsource =", 1);
    let next = |begins: &str| {
        BEN_THUY.replacen("ben-thuy-2023-12-29", "ben-thuy-2026", 1).replacen(
            "valid_from = \"2023-12-29\"",
            &format!("valid_from = \"{begins}\""),
            1,
        )
    };
    assert_eq!(found(&[&ended, &next("2026-01-01")]), Vec::<String>::new());
    assert_eq!(
        found(&[&ended, &next("2026-01-02")]),
        ["t.toml:9: error (gap): no tariff of cienco4 is in force from 2026-01-01 00:00, where \
          ben-thuy-2023-12-29 ends, to 2026-01-02 00:00, where ben-thuy-2026 begins; ben-thuy-2026 \
          would begin on 2026-01-01 00:00, or ben-thuy-2023-12-29 have no `valid_until`"]
    );
    assert!(found(&[&ended, &next("2025-12-31")])[0].contains("warning (overlap)"));
    assert!(found(&[&ended, &next("2023-12-29")])[0].contains("error (versions)"));
}

#[test]
fn a_version_is_checked_against_those_in_the_books() {
    let ended = BEN_THUY.replacen("source =", "valid_until = \"2026-01-01\"\nsource =", 1);
    let stored = document("stored", &ended).tariff;
    let next = BEN_THUY.replacen("ben-thuy-2023-12-29", "ben-thuy-2026", 1).replacen(
        "valid_from = \"2023-12-29\"",
        "valid_from = \"2026-02-01\"",
        1,
    );
    let documents = [document("t.toml", &next)];
    let findings = lint(&documents, std::iter::once(&stored), None);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!((findings[0].check, findings[0].level), ("gap", Level::Error));
    // What is in the books already is not told again.
    assert_eq!(lint(&[document("t.toml", &ended)], std::iter::once(&stored), None), []);
}

#[test]
fn a_station_or_zone_that_the_network_does_not_have_is_named_with_those_it_has() {
    let told = found(&[&BEN_THUY.replacen("station = \"ben-thuy\"", "station = \"ben-thui\"", 1)]);
    assert_eq!(
        told,
        [
            "t.toml:17: error (station): cienco4 has no station ben-thui; the network has ben-thuy",
            "t.toml:5: error (unpriced): there is no fare for a pass of ben-thuy: nobody would be \
             charged for it; add a [[fare]]",
        ]
    );
    check(
        BEN_THUY,
        ("\"Asia/Ho_Chi_Minh\"", "\"Asia/Bangkok\""),
        "t.toml:8: error (zone): `zone` is \"Asia/Bangkok\"; the operator's days are in \
         \"Asia/Ho_Chi_Minh\", so it would be that",
    );
}

#[test]
fn what_is_no_tariff_file_is_refused_with_its_line() {
    let refused =
        |text: &str| Document::parse("t.toml".into(), text.into()).unwrap_err().to_string();
    let unknown = refused(&BEN_THUY.replacen("month = ", "months = ", 1));
    assert!(unknown.starts_with("t.toml:20: unknown field `months`"), "{unknown}");
    let both =
        refused(&BEN_THUY.replacen("station = \"ben-thuy\"", "station = \"a\"\nentry = \"b\"", 1));
    assert_eq!(both, "t.toml:17: fare 1 needs either `station`, or `entry` and `exit`");
    let zone = refused(&BEN_THUY.replacen("zone = \"Asia/Ho_Chi_Minh\"\n", "", 1));
    assert!(zone.contains("`valid_from` is in local time: it needs `zone`"), "{zone}");
    let negative = refused(&BEN_THUY.replacen("47000", "-47000", 1));
    assert!(negative.starts_with("t.toml:19: "), "{negative}");
}
