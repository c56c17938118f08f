use proptest::prelude::*;

use super::*;
use crate::matching::Tally;

fn amount(units: i64) -> Amount {
    Amount::try_new(units).unwrap()
}

fn signed(units: i64) -> Signed {
    Signed::new(units)
}

pub(crate) fn header() -> Header {
    Header {
        operator: "cienco4".parse().unwrap(),
        operator_name: "Cienco4".to_owned(),
        day: "2026-11-21".parse().unwrap(),
        currency: Currency::VND,
        fee_share: Decimal::new(3, 2),
        terms: BTreeMap::new(),
        issued_at: "2026-11-21T17:05:00Z".parse().unwrap(),
        early_reason: None,
    }
}

pub(crate) fn figures() -> DayFigures {
    let traffic = |group, passages, units| Traffic {
        station: "ben-thuy".parse().unwrap(),
        group: VehicleGroup::try_new(group).ok(),
        passages,
        amount: amount(units),
    };
    DayFigures {
        issuers: vec![
            IssuerTolls { issuer: "epass".parse().unwrap(), passages: 1, gross: amount(64_050) },
            IssuerTolls { issuer: "vetc".parse().unwrap(), passages: 30, gross: amount(1_410_000) },
        ],
        cash: Cash { passages: 1, amount: amount(47_000) },
        adjustments: Vec::new(),
        traffic: vec![traffic(1, 31, 1_457_000), traffic(2, 1, 64_050)],
        dispositions: vec![DispositionCount { disposition: "posted".to_owned(), passages: 32 }],
        lanes: vec![LaneSpan {
            lane: "cienco4/ben-thuy/l01".parse().unwrap(),
            epoch: 1,
            first_seq: 1,
            last_seq: 32,
            passages: 32,
        }],
        tariffs: vec!["ben-thuy-2023-12-29".to_owned()],
        holes: Vec::new(),
        matching: Matched {
            matched: Tally { records: 32, amount: amount(1_521_050) },
            ..Matched::default()
        },
    }
}

pub(crate) fn statement() -> Statement {
    Statement::try_new(header(), figures()).unwrap()
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

#[test]
fn the_fee_is_made_whole_once_for_each_issuer() {
    let statement = statement();
    // 3 % of 64.050 is 1.921,5, a half that goes up; 3 % of 1.410.000 is 42.300.
    assert_eq!(statement.issuers[0].fee, signed(1_922));
    assert_eq!(statement.issuers[0].net, signed(62_128));
    assert_eq!(statement.totals.gross, amount(1_474_050));
    assert_eq!(statement.totals.fee, signed(44_222));
    assert_eq!(statement.totals.net, signed(1_429_828));
    assert_eq!(statement.totals.passages, 32);
}

/// A day on which a toll of the day before was undone and made again on VETC's account, one of its
/// own contract's, and more was taken back from ePass than was driven.
pub(crate) fn corrected() -> Statement {
    let correction = |transfer, kind: &str, issuer: Option<&str>, units, seq: u64| Adjustment {
        transfer,
        kind: kind.to_owned(),
        issuer: issuer.map(|issuer| issuer.parse().unwrap()),
        amount: signed(units),
        passage: Some(CorrectedPassage {
            id: format!("cienco4/ben-thuy/l01:1:{seq}").parse().unwrap(),
            at: "2026-11-20T01:00:00Z".parse().unwrap(),
            day: "2026-11-20".parse().unwrap(),
        }),
        reference: None,
    };
    let terms = FeeTerms {
        fee_share: Decimal::new(25, 3),
        fee_per_passage: amount(50),
        vat_share: Decimal::new(8, 2),
        rounding: domain::Rounding::HalfUp,
    };
    let header = Header { terms: [("vetc".parse().unwrap(), terms)].into(), ..header() };
    let adjustments = vec![
        correction(70, "reversal", Some("vetc"), -47_000, 4),
        correction(71, "repost", Some("vetc"), 40_000, 4),
        correction(72, "reversal", Some("epass"), -140_000, 5),
        correction(73, "reversal", None, -47_000, 6),
    ];
    Statement::try_new(header, DayFigures { adjustments, ..figures() }).unwrap()
}

#[test]
fn a_correction_changes_base_fee_and_net_of_the_day_it_lands_in() {
    let [epass, vetc] = <[Position; 2]>::try_from(corrected().issuers).unwrap();
    // 3 % of 64.050 - 140.000 = -75.950 is -2.278,5: the fee goes back, a half away from zero.
    assert_eq!((epass.fee, epass.net), (signed(-2_279), signed(-73_671)));
    // 2,5 % of 1.410.000 - 7.000 is 35.075, and 50 for each of 30 - 1 + 1; 8 % of 36.575 is 2.926.
    assert_eq!(
        (vetc.adjustment, vetc.fee, vetc.vat),
        (signed(-7_000), signed(36_575), signed(2_926))
    );
    assert_eq!(vetc.net, signed(1_363_499));
    assert!(epass.adds_up() && vetc.adds_up());
    let totals = corrected().totals;
    assert_eq!((totals.adjustment, totals.cash_adjustment), (signed(-147_000), signed(-47_000)));
    assert_eq!((totals.net, totals.gross), (signed(1_289_828), amount(1_474_050)));
}

#[test]
fn a_corrected_statement_is_made_again_from_its_own_text_and_terms() {
    let statement = corrected();
    let paper = Paper::try_sign(&statement, &key()).unwrap();
    let read = Paper::try_from_json(&paper.to_json()).unwrap().open(&key().public()).unwrap();
    assert_eq!(read, statement);
    let figures = DayFigures { adjustments: read.adjustments.clone(), ..figures() };
    assert_eq!(Statement::try_new(read.header(), figures).unwrap(), statement);
}

/// Golden bytes: statements that were signed must stay readable. Don't change the test.
#[test]
fn the_canonical_text_never_changes() {
    let expected = concat!(
        r#"{"format":"etc/v1/statement","operator":"cienco4","operator_name":"Cienco4","#,
        r#""day":"2026-11-21","revision":1,"currency":"VND","issued_at":"2026-11-21T17:05:00Z","#,
        r#""early_reason":null,"fee_share":"0.03","#,
        r#""totals":{"passages":32,"gross":1474050,"fee":44222,"net":1429828,"cash":47000},"#,
        r#""issuers":[{"issuer":"epass","passages":1,"gross":64050,"fee":1922,"net":62128},"#,
        r#"{"issuer":"vetc","passages":30,"gross":1410000,"fee":42300,"net":1367700}],"#,
        r#""cash":{"passages":1,"amount":47000},"#,
        r#""traffic":[{"station":"ben-thuy","group":1,"passages":31,"amount":1457000},"#,
        r#"{"station":"ben-thuy","group":2,"passages":1,"amount":64050}],"#,
        r#""dispositions":[{"disposition":"posted","passages":32}],"#,
        r#""lanes":[{"lane":"cienco4/ben-thuy/l01","epoch":1,"first_seq":1,"last_seq":32,"#,
        r#""passages":32}],"tariffs":["ben-thuy-2023-12-29"],"#,
        r#""matching":{"matched":{"records":32,"amount":1521050},"#,
        r#""amount_differs_ours":{"records":0,"amount":0},"#,
        r#""amount_differs_theirs":{"records":0,"amount":0},"only_ours":{"records":0,"amount":0},"#,
        r#""only_theirs":{"records":0,"amount":0},"duplicate_ours":{"records":0,"amount":0},"#,
        r#""duplicate_theirs":{"records":0,"amount":0}}}"#,
    );
    assert_eq!(statement().canonical().unwrap(), expected);
}

#[test]
fn a_filed_paper_opens_with_the_centres_key_only() {
    let paper = Paper::try_sign(&statement(), &key()).unwrap();
    let filed = Paper::try_from_json(&paper.to_json()).unwrap();
    assert_eq!(filed.open(&key().public()).unwrap(), statement());
    let other = SecretKey::from_seed(&[8; 32]).public();
    assert!(matches!(filed.open(&other), Err(PaperError::Signature(_))));
}

#[test]
fn an_edited_amount_is_refused_even_with_a_digest_to_match() {
    let paper = Paper::try_sign(&statement(), &key()).unwrap();
    let edited = paper.to_json().replace("1410000", "1400000");
    let mut edited = Paper::try_from_json(&edited).unwrap();
    assert!(matches!(edited.open(&key().public()), Err(PaperError::Digest)));
    edited.digest = Digest256::of(edited.canonical.as_bytes());
    assert!(matches!(edited.open(&key().public()), Err(PaperError::Signature(_))));
}

#[test]
fn a_signed_text_in_other_bytes_than_the_canonical_ones_is_refused() {
    let canonical = statement().canonical().unwrap().replace(",", ", ");
    let paper = Paper {
        digest: Digest256::of(canonical.as_bytes()),
        signature: key().sign(Context::Statement, canonical.as_bytes()),
        canonical,
    };
    assert!(matches!(paper.open(&key().public()), Err(PaperError::NotCanonical)));
}

#[test]
fn the_clerks_form_groups_the_digits_and_names_every_figure() {
    let page = Paper::try_sign(&statement(), &key()).unwrap().to_text().unwrap();
    let line = |start: &str| page.lines().find(|line| line.starts_with(start)).unwrap();
    let words: Vec<&str> = line("vetc").split_whitespace().collect();
    assert_eq!(words, ["vetc", "30", "1.410.000", "42.300", "1.367.700"]);
    assert!(line("Cộng / Total").ends_with("1.429.828"));
    assert!(line("Tiền mặt / Cash").ends_with("47.000"));
    assert!(line("Ngày quyết toán / Settlement day").ends_with("2026-11-21"));
    assert!(!page.contains("Chốt sớm"), "the day was not closed early");
}

#[test]
fn the_spreadsheet_form_has_whole_units_and_one_row_a_figure() {
    let table = Paper::try_sign(&statement(), &key()).unwrap().to_csv().unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 1 + 2 + 1 + 2 + 1 + 1 + 1);
    assert_eq!(rows[2], "cienco4,2026-11-21,VND,issuer,vetc,,30,1410000,42300,1367700,,0,0");
    assert_eq!(rows[8], "cienco4,2026-11-21,VND,total,,,32,1474050,44222,1429828,,0,0");
}

proptest! {
    #[test]
    fn what_is_owed_and_what_is_kept_make_up_what_was_charged(
        gross in proptest::collection::vec(0..i64::MAX / 1_000_000, 1..5),
        share in 0..=1_000_000_i64,
    ) {
        let issuers = gross
            .iter()
            .enumerate()
            .map(|(index, units)| IssuerTolls {
                issuer: format!("issuer-{index}").parse().unwrap(),
                passages: 1,
                gross: amount(*units),
            })
            .collect();
        let header = Header { fee_share: Decimal::new(share, 6), ..header() };
        let statement = Statement::try_new(header, DayFigures { issuers, ..figures() }).unwrap();
        prop_assert!(statement.issuers.iter().all(Position::adds_up));
        let totals = statement.totals;
        prop_assert_eq!(totals.net.plus(totals.fee).unwrap(), totals.gross.into());
        prop_assert_eq!(totals.gross.minor_units(), gross.iter().sum::<i64>());
    }
}
