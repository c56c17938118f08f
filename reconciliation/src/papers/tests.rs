use domain::signature::{Digest256, SecretKey};

use super::period::{Period, PeriodPaper, PeriodStatement};
use super::*;
use crate::statement::tests::{corrected, statement};

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn signed(statement: &Statement) -> Paper {
    Paper::try_sign(statement, &key()).unwrap()
}

/// A day of so many stations that it needs several pages.
fn long() -> Paper {
    let mut long = corrected();
    let first = long.traffic[0].clone();
    long.traffic = (0..150)
        .map(|number| crate::statement::Traffic {
            station: format!("tram-{number}").parse().unwrap(),
            ..first.clone()
        })
        .collect();
    signed(&long)
}

/// Writes a page where somebody asks to look at it.
fn show(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("PAPERS_TO_LOOK_AT") {
        std::fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
    }
}

#[test]
fn the_same_statement_always_makes_the_same_pages_and_they_open_with_the_centres_key() {
    for (name, paper) in [
        ("day.pdf", signed(&statement())),
        ("corrected.pdf", signed(&corrected())),
        ("long.pdf", long()),
    ] {
        let page = pdf(&paper).unwrap();
        show(name, &page);
        assert_eq!(page, pdf(&paper).unwrap());
        assert!(page.starts_with(b"%PDF-1."));
        let read = open_pages(&page, &key().public()).unwrap();
        assert_eq!(read, Opened::Day(paper.read().unwrap()));
    }
}

#[test]
fn pages_signed_by_another_are_refused() {
    let page = pdf(&signed(&statement())).unwrap();
    let other = SecretKey::from_seed(&[8; 32]).public();
    let refused = open_pages(&page, &other);
    assert!(matches!(refused, Err(PageError::Paper(PaperError::Signature(_)))), "{refused:?}");
}

#[test]
fn an_edited_amount_is_refused_wherever_it_stands() {
    let page = pdf(&signed(&statement())).unwrap();
    let edit = |from: &[u8], to: &[u8]| {
        let at = page.windows(from.len()).position(|window| window == from).unwrap();
        let mut edited = page.clone();
        edited[at..at + from.len()].copy_from_slice(to);
        open_pages(&edited, &key().public())
    };
    let in_the_text = edit(b"\"gross\":1410000", b"\"gross\":1400000");
    assert!(matches!(in_the_text, Err(PageError::Paper(PaperError::Digest))), "{in_the_text:?}");
    // What is drawn is compressed: any byte of it stands for what is seen.
    let mut in_the_picture = page.clone();
    let at = page.windows(6).position(|window| window == b"stream").unwrap() + 20;
    in_the_picture[at] ^= 1;
    let refused = open_pages(&in_the_picture, &key().public());
    assert!(matches!(refused, Err(PageError::Pages { .. })), "{refused:?}");
}

#[test]
fn a_missing_page_is_refused() {
    let (long, short) = (long(), signed(&statement()));
    let (pages, other) = (pdf(&long).unwrap(), pdf(&short).unwrap());
    // The pages of another day with this day's signed text: shorter by some pages.
    let text = |page: &[u8]| pdf::carried(page).unwrap().to_owned();
    let (from, to) = (text(&other), text(&pages));
    let at = other.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    let mut forged = other[..at].to_vec();
    forged.extend(to.as_bytes());
    forged.extend(&other[at + from.len()..]);
    let refused = open_pages(&forged, &key().public());
    assert!(matches!(refused, Err(PageError::Pages { .. })), "{refused:?}");
    assert!(open_pages(&pages[..pages.len() / 9], &key().public()).is_err());
    assert!(matches!(open_pages(b"%PDF-1.7", &key().public()), Err(PageError::NothingSigned)));
}

#[test]
fn a_workbook_has_a_sheet_for_the_facts_and_one_for_each_table() {
    let book = xlsx(&signed(&corrected())).unwrap();
    show("corrected.xlsx", &book);
    assert!(book.starts_with(b"PK"), "a workbook is a zip");
    assert_eq!(book, xlsx(&signed(&corrected())).unwrap());
}

#[test]
fn a_month_is_the_sum_of_its_signed_days() {
    let month: Period = "2026-11".parse().unwrap();
    let days: Vec<(Digest256, Statement)> =
        [statement(), corrected()].into_iter().map(|day| (signed(&day).digest, day)).collect();
    let sum = PeriodStatement::try_new(month, &days).unwrap();
    let net = days.iter().map(|(_, day)| day.totals.net.minor_units()).sum::<i64>();
    assert_eq!(sum.totals().net.minor_units(), net);
    let paper = PeriodPaper::try_sign(&sum, &key()).unwrap();
    let pages = paper.pdf().unwrap();
    show("month.pdf", &pages);
    assert_eq!(open_pages(&pages, &key().public()).unwrap(), Opened::Period(sum.clone()));
    let read = PeriodPaper::try_from_json(&paper.to_json()).unwrap();
    assert_eq!(read.open(&key().public()).unwrap(), sum);
    assert_eq!(paper.csv().unwrap().lines().count(), 3);
    let edited = paper.to_json().replace("\"passages\":", "\"passages\":1");
    let edited = PeriodPaper::try_from_json(&edited).unwrap();
    assert!(edited.open(&key().public()).is_err());
    assert!(PeriodStatement::try_new(month, &[]).is_err());
}

#[test]
fn a_period_is_a_month_or_a_year() {
    for (text, first, last) in
        [("2026-02", "2026-02-01", "2026-02-28"), ("2026", "2026-01-01", "2026-12-31")]
    {
        let period: Period = text.parse().unwrap();
        assert_eq!(period.to_string(), text);
        assert_eq!(
            (period.first().to_string(), period.last().to_string()),
            (first.into(), last.into())
        );
    }
    for bad in ["2026-13", "26", "2026-1", "2026-11-21", ""] {
        assert!(bad.parse::<Period>().is_err(), "{bad}");
    }
}
