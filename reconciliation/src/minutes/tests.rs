use domain::signature::SecretKey;

use super::*;
use crate::matching::Class;
use crate::papers::{AnyPaper, Opened, PageError, open_pages};
use crate::statement::PaperError;

fn side(rows: u64, amount: i64) -> SideSum {
    SideSum { rows, amount: Amount::try_new(amount).unwrap(), reversed: Amount::ZERO }
}

fn figure(records: u64, amount: i64) -> Figure {
    Figure { records, amount: Signed::new(amount) }
}

fn difference(number: u32, kind: Kind, amount: i64, outcome: Option<Outcome>) -> Difference {
    let record =
        |whose: &str| format!("cienco4/ben-thuy/l01:1:{number} at cienco4/ben-thuy ({whose})");
    Difference {
        case: format!("C-2026-{number:06}"),
        kind,
        subject: format!("cienco4/ben-thuy/l01:1:{number}"),
        ours: (kind != Kind::OnlyTheirs).then(|| record("books line 2")),
        theirs: (kind != Kind::OnlyOurs).then(|| record("vetc.csv line 9")),
        amount: Amount::try_new(amount).unwrap(),
        settled: outcome.is_some(),
        outcome,
    }
}

/// 31 passages of ours and 31 of theirs: one each side has alone, one with another amount.
pub(crate) fn minutes() -> Minutes {
    let digest = Digest256::of(b"a paper");
    let day: BusinessDate = "2026-11-21".parse().unwrap();
    let lines = [
        (Class::Matched, side(29, 1_363_000), side(29, 1_363_000)),
        (Class::AmountDiffers, side(1, 47_000), side(1, 40_000)),
        (Class::GroupDiffers, side(0, 0), side(0, 0)),
        (Class::OnlyOurs, side(1, 47_000), side(0, 0)),
        (Class::OnlyTheirs, side(0, 0), side(1, 64_000)),
        (Class::Duplicate, side(0, 0), side(0, 0)),
        (Class::Disputed, side(0, 0), side(0, 0)),
    ];
    let differences = vec![
        difference(1, Kind::AmountDiffers, 7_000, Some(Outcome::TheirsCorrected)),
        difference(2, Kind::OnlyOurs, 47_000, Some(Outcome::Stands)),
        difference(3, Kind::OnlyTheirs, 64_000, None),
    ];
    let (cases, open) = by_kind(&differences).unwrap();
    let line = |kind, ours, theirs| KindLine { kind, ours, theirs };
    Minutes {
        format: Format::V1,
        operator: "cienco4".parse().unwrap(),
        operator_name: "Cienco4".to_owned(),
        with: Party::Issuer("vetc".parse().unwrap()),
        issuer_name: "VETC".to_owned(),
        span: Span::Day(day),
        revision: 1,
        currency: Currency::VND,
        issued_at: "2026-11-22T02:00:00Z".parse().unwrap(),
        signers: Signers {
            operator: "Nguyễn Thị Lan, kế toán trưởng".to_owned(),
            other: "Trần Văn Minh, trưởng phòng đối soát".to_owned(),
        },
        counted: Counted::Settled,
        statements: vec![DayPaper { day, digest }],
        minutes: Vec::new(),
        sources: vec![Source { file: "vetc.csv".to_owned(), digest }],
        ours: side(31, 1_457_000),
        theirs: side(31, 1_467_000),
        classes: lines.map(|(class, ours, theirs)| ClassLine { class, ours, theirs }).to_vec(),
        kinds: vec![
            line(PaidBy::Account, Some(figure(31, 1_457_000)), Some(figure(31, 1_467_000))),
            line(PaidBy::Correction, Some(figure(1, -47_000)), None),
            line(PaidBy::Cash, Some(figure(2, 94_000)), None),
        ],
        differences,
        cases,
        carried: Carried { cases: open, not_booked: Signed::new(1_364_262), ..Carried::default() },
        owed: Sum {
            passages: 31,
            gross: Amount::try_new(1_457_000).unwrap(),
            adjustment: Signed::new(-47_000),
            fee: Signed::new(42_300),
            vat: Signed::new(3_438),
            net: Signed::new(1_364_262),
        },
    }
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

#[test]
fn figures_that_do_not_agree_with_each_other_are_refused_by_name() {
    assert_eq!(minutes().check(), Ok(()));
    let refused = |what: &str, change: fn(&mut Minutes)| {
        let mut changed = minutes();
        change(&mut changed);
        let said = changed.check().unwrap_err().to_string();
        assert!(said.starts_with(what), "{said}");
    };
    refused("our records by class", |m| m.ours.rows += 1);
    refused("their records by class", |m| m.classes[4].theirs = side(1, 64_001));
    refused("the classes", |m| m.classes.swap(0, 1));
    refused("their records by kind", |m| m.kinds[0].theirs = Some(figure(31, 1)));
    refused("what is owed", |m| m.owed.fee = Signed::new(42_301));
    refused("our records and the signed statements", |m| {
        m.owed.gross = Amount::try_new(1_457_001).unwrap();
        m.owed.net = Signed::new(1_364_263);
    });
    refused("what is carried over", |m| m.carried.cases = figure(0, 0));
}

#[test]
fn what_passed_in_a_span_is_what_was_settled_with_it_but_for_what_came_late() {
    let mut passed = minutes();
    passed.counted = Counted::Passed;
    passed.carried.from_other_days = figure(2, 94_000);
    passed.carried.to_later_days = figure(1, 64_000);
    assert!(passed.check().is_err());
    passed.carried.to_later_days = figure(2, 94_000);
    assert_eq!(passed.check(), Ok(()));
}

#[test]
fn minutes_are_the_same_whenever_they_are_made_if_they_say_the_same() {
    let first = minutes();
    let mut again = first.clone();
    (again.revision, again.issued_at) = (2, "2026-11-23T02:00:00Z".parse().unwrap());
    assert!(again.says_the_same_as(&first));
    again.differences[2].settled = true;
    assert!(!again.says_the_same_as(&first));
}

#[test]
fn days_put_together_add_up() {
    let mut together = Together::default();
    let days = [minutes(), minutes(), minutes()];
    days.iter().for_each(|day| together.add(day).unwrap());
    assert_eq!(together.ours, side(93, 3 * 1_457_000));
    let sum = sum_of_classes(&together.classes).unwrap();
    assert_eq!((sum.ours, sum.theirs), (together.ours, together.theirs));
    let accounts = together.kinds[&PaidBy::Account];
    assert_eq!(accounts.theirs, Some(figure(93, 3 * 1_467_000)));
    assert_eq!(together.kinds[&PaidBy::Cash].theirs, None);
}

#[test]
fn a_span_is_a_day_a_month_or_a_year() {
    for (text, last) in
        [("2026-02-03", "2026-02-03"), ("2026-02", "2026-02-28"), ("2026", "2026-12-31")]
    {
        let span: Span = text.parse().unwrap();
        assert_eq!((span.to_string(), span.last().to_string()), (text.into(), last.into()));
    }
    for bad in ["2026-02-30", "2026-2-3", "february", ""] {
        let said = bad.parse::<Span>().unwrap_err().to_string();
        assert!(said.contains("2026-11-21, month such as 2026-11"), "{said}");
    }
}

/// Writes a page where somebody asks to look at it.
fn show(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("PAPERS_TO_LOOK_AT") {
        std::fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
    }
}

/// Minutes with so many differences that they need several pages.
fn long() -> Minutes {
    let mut long = minutes();
    long.differences =
        (1..=120).map(|number| difference(number, Kind::OnlyTheirs, 1_000, None)).collect();
    (long.cases, long.carried.cases) = by_kind(&long.differences).unwrap();
    long
}

#[test]
fn pages_of_minutes_open_with_the_centres_key_and_no_other() {
    for (name, minutes) in [("minutes.pdf", minutes()), ("minutes-long.pdf", long())] {
        let paper = MinutesPaper::try_sign(&minutes, &key()).unwrap();
        let pages = paper.pdf().unwrap();
        show(name, &pages);
        assert_eq!(pages, paper.pdf().unwrap());
        let opened = open_pages(&pages, &key().public()).unwrap();
        assert_eq!(opened, Opened::Minutes(minutes));
        let other = SecretKey::from_seed(&[8; 32]).public();
        let refused = open_pages(&pages, &other);
        assert!(matches!(refused, Err(PageError::Paper(PaperError::Signature(_)))), "{refused:?}");
    }
}

#[test]
fn an_edited_amount_a_missing_page_and_the_pages_of_another_are_refused() {
    let paper = MinutesPaper::try_sign(&minutes(), &key()).unwrap();
    let pages = paper.pdf().unwrap();
    let edit = |from: &[u8], to: &[u8]| {
        let at = pages.windows(from.len()).position(|window| window == from).unwrap();
        let mut edited = pages.clone();
        edited[at..at + from.len()].copy_from_slice(to);
        open_pages(&edited, &key().public())
    };
    let in_the_text = edit(b"\"gross\":1457000", b"\"gross\":1957000");
    assert!(matches!(in_the_text, Err(PageError::Paper(PaperError::Digest))), "{in_the_text:?}");
    // This day's signed text in the pages of other minutes, which are fewer.
    let whole = MinutesPaper::try_sign(&long(), &key()).unwrap();
    let text = paper.to_json();
    let at = pages.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let mut forged = pages[..at].to_vec();
    forged.extend(whole.to_json().as_bytes());
    forged.extend(&pages[at + text.len()..]);
    let refused = open_pages(&forged, &key().public());
    assert!(matches!(refused, Err(PageError::Pages { .. })), "{refused:?}");
    let edited = paper.to_json().replace("\"settled\":true", "\"settled\":false");
    let edited = AnyPaper::try_from_json(&edited).unwrap();
    assert!(matches!(edited.open(&key().public()), Err(PaperError::Digest)));
}

#[test]
fn a_statement_is_not_taken_for_minutes_nor_minutes_for_a_statement() {
    let json = MinutesPaper::try_sign(&minutes(), &key()).unwrap().to_json();
    assert!(matches!(AnyPaper::try_from_json(&json), Ok(AnyPaper::Minutes(_))));
    let renamed = json.replace("etc/v1/minutes", "etc/v1/statement");
    assert!(AnyPaper::try_from_json(&renamed).is_err());
}

#[test]
fn the_table_has_every_class_of_both_sides_and_every_difference() {
    let paper = MinutesPaper::try_sign(&minutes(), &key()).unwrap();
    let csv = paper.csv().unwrap();
    show("minutes.xlsx", &paper.xlsx().unwrap());
    assert!(csv.contains("class,amount-differs,,1,47000,1,40000,\n"), "{csv}");
    assert!(csv.contains("class,total,,31,1457000,31,1467000,\n"), "{csv}");
    assert!(csv.contains("difference,C-2026-000003,only-theirs,1,64000,,,"), "{csv}");
    assert!(csv.ends_with(&format!("digest,{},,,,,,\n", paper.digest())), "{csv}");
}
