use clearing_house::search::Place;
use domain::wire::v1::{Disposition, ExceptionRecord};

use super::search::{ExceptionFilter, Personal, PersonalForm, Search, SearchForm};
use super::{DISPOSITIONS, EXCEPTIONS, masked_plate, masked_tag, name_of, named};

fn form(station: &str, day: &str, disposition: &str, exception: &str, after: &str) -> SearchForm {
    SearchForm {
        station: station.to_owned(),
        day: day.to_owned(),
        disposition: disposition.to_owned(),
        exception: exception.to_owned(),
        after: after.to_owned(),
        ..SearchForm::default()
    }
}

#[test]
fn an_empty_search_asks_for_everything() {
    let all = Search {
        station: None,
        day: None,
        disposition: None,
        exception: ExceptionFilter::Whatever,
        account: None,
        amount: None,
        after: None,
    };
    assert_eq!(SearchForm::default().search(), Some(all));
}

#[test]
fn a_search_is_read_by_its_names() {
    let search = form("cienco4/ben-thuy", "2026-11-21", "not-posted", "no-tag", "").search();
    let search = search.unwrap();
    assert_eq!(search.station.unwrap().1.as_str(), "ben-thuy");
    assert_eq!(search.day.unwrap().to_string(), "2026-11-21");
    assert_eq!(search.disposition, Some(Disposition::NotPosted));
    assert_eq!(search.exception, ExceptionFilter::Kind(ExceptionRecord::NoTag));
}

#[test]
fn a_field_that_is_not_understood_is_not_left_out_in_silence() {
    for wrong in [
        form("ben-thuy", "", "", "", ""),
        form("a/B", "", "", "", ""),
        form("", "21/11/2026", "", "", ""),
        form("", "", "lost", "", ""),
        form("", "", "", "tag", ""),
        form("", "", "", "", "1_x"),
        form("", "", "", "", "2026-11-21_1_2"),
        form("", "", "", "", "2026-11-21_1_2_3_4"),
    ] {
        assert_eq!(wrong.search(), None, "{wrong:?}");
    }
}

#[test]
fn account_and_amount_are_numbers_as_people_write_them() {
    let with = |day: &str, account: &str, amount: &str| {
        let (account, amount) = (account.to_owned(), amount.to_owned());
        SearchForm { account, amount, ..form("", day, "", "", "") }.search()
    };
    let search = with("2026-11-21", "1001", "47.000").unwrap();
    assert_eq!((search.account, search.amount), (Some(1001), Some(47_000)));
    assert_eq!(with("", "1001", "").unwrap().day, None);
    assert_eq!(with("2026-11-21", "a", ""), None);
    assert_eq!(with("2026-11-21", "", "4,7x"), None);
}

#[test]
fn a_plate_is_looked_for_as_people_write_it() {
    let with = |by: &str, what: &str, day: &str| {
        let (by, what, day) = (by.to_owned(), what.to_owned(), day.to_owned());
        PersonalForm { by, what, day }.search().map(|(personal, _)| personal)
    };
    let plate = Personal::Plate("37A12345".parse().unwrap());
    assert!(with("plate", " 37a-123.45", "2026-11-21") == Some(plate));
    let tag = Personal::Tag("3416214B88C0011762000493".parse().unwrap());
    assert!(with("tag", "3416214b88c0011762000493", "2026-11-21") == Some(tag));
    for (by, what, day) in
        [("plate", "37A12345", "x"), ("plate", "?", "2026-11-21"), ("name", "x", "2026-11-21")]
    {
        assert!(with(by, what, day).is_none(), "{by} {day}");
    }
}

#[test]
fn the_next_page_has_the_same_search_and_begins_after_the_last_passage() {
    let form = form("cienco4/ben-thuy", "2026-11-21", "", "any", "");
    let place = Place {
        day: Some("2026-11-21".parse().unwrap()),
        at: "2026-11-21T05:00:00.123456Z".parse().unwrap(),
        journal: 7,
        seq: 77,
    };
    let url = form.page_url(&place);
    let query = url.strip_prefix("/passages?").unwrap();
    let mut next = SearchForm::default();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "station" => next.station = value.to_owned(),
            "day" => next.day = value.to_owned(),
            "exception" => next.exception = value.to_owned(),
            "after" => next.after = value.to_owned(),
            other => panic!("{other} was never asked for"),
        }
    }
    let search = next.search().unwrap();
    assert_eq!(search.after, Some(place));
    assert_eq!(search.exception, ExceptionFilter::Some);
}

#[test]
fn plates_and_tags_are_masked_even_when_they_are_not_well_formed() {
    assert_eq!(masked_plate("37A12345"), "37…45");
    assert_eq!(masked_plate("?!"), "…");
    assert_eq!(masked_tag("3416214b88c0011762000493"), "…0493");
    assert_eq!(masked_tag("34zz"), "…");
}

#[test]
fn what_the_page_offers_is_what_the_search_takes() {
    for disposition in DISPOSITIONS {
        assert_eq!(named::<Disposition>(disposition.name()), Some(disposition));
    }
    for exception in EXCEPTIONS {
        assert_eq!(named::<ExceptionRecord>(&name_of(exception)), Some(exception));
    }
}
