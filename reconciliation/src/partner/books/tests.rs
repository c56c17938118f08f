use super::*;
use crate::partner::iag::layout::{ICLP, ICRX, ICTX, IRXC, ITAG, ITXC};
use crate::partner::niop::layout::{SCORR, SRECON, STRAN, STVL};
use crate::partner::record::Record;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn agency(text: &str) -> Agency {
    Agency::try_from(text.to_owned()).unwrap()
}

fn passage(entry: bool, correction: bool) -> Passage {
    Passage {
        number: (7 << 32) + 1,
        at: at("2026-03-02T18:30:00Z"),
        station: "ben-thuy".to_owned(),
        lane: "l01".to_owned(),
        is_exit: entry,
        entry: entry.then(|| Entry {
            at: at("2026-03-02T17:30:00Z"),
            station: "mai-son".to_owned(),
            lane: "e1".to_owned(),
        }),
        tag: vec![0xff; 12],
        plate: "37A10005".to_owned(),
        group: 2,
        amount: 47_000,
        is_lanes: !correction,
        is_of_convoy: false,
        correction: correction.then(|| (1, at("2026-03-05T02:00:00Z"))),
    }
}

#[test]
fn what_we_write_is_as_the_layouts_say_and_reads_as_what_it_was() {
    let (own, tags, road) = (agency("4081"), agency("4082"), agency("4081"));
    let operator: OperatorId = "cienco4".parse().unwrap();
    let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    let parties = Parties { own: &own, tags: &tags, road: Some((&road, &operator)), zone };
    for (layout, is_correction) in [(&STRAN, false), (&SCORR, true), (&ICTX, false), (&ITXC, true)]
    {
        for has_entry in [false, true] {
            let passage = passage(has_entry, is_correction);
            let value = transaction(layout, &passage, &parties);
            let record = Record::from_json(&value, layout.record).unwrap();
            (layout.rule)(&record).unwrap();
            let amount = layout.roles.amount.and_then(|path| record.number(path));
            assert_eq!(amount, Some(47_000), "{}", layout.code);
        }
    }
    for standing in [Standing::Good, Standing::Low, Standing::Empty, Standing::Invalid] {
        let one = Tag { serial: 5, plate: "37A10005".to_owned(), group: 1, standing };
        for layout in [&STVL, &ITAG, &ICLP] {
            Record::from_json(&tag(layout, &one, &parties), layout.record).unwrap();
        }
    }
    for disposition in Disposition::ALL {
        assert_eq!(Disposition::parse(disposition.name()), Some(disposition));
        let reference = "30064771073".to_owned();
        let decided = Decided {
            reference,
            correction: 0,
            disposition,
            amount: 47_000,
            at: at("2026-03-03T00:00:00Z"),
        };
        for layout in [&SRECON, &ICRX, &IRXC] {
            Record::from_json(&decision(layout, &decided, &own), layout.record).unwrap();
        }
    }
}

#[test]
fn an_agency_is_four_digits_and_a_party_that_is_not_named_is_told_by_its_place() {
    for bad in ["408", "40811", "40a1", ""] {
        assert!(Agency::try_from(bad.to_owned()).is_err(), "{bad}");
    }
    let agencies: Agencies = toml::from_str("own = \"4081\"\nissuers.vetc = \"4082\"").unwrap();
    let said = agencies.issuer(&"vdtc".parse().unwrap()).unwrap_err().to_string();
    assert!(said.contains("issuers.vdtc"), "{said}");
    assert!(agencies.hub().is_err() && agencies.operator_of("4081").is_err());
}

#[test]
fn a_serial_is_the_last_four_bytes_of_a_tag() {
    assert_eq!(serial_of(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5]), 261);
    assert_eq!(serial_of(&[0xff; 12]), u32::MAX);
    assert_eq!(serial_of(&[1, 2]), 258);
}
