use jiff::tz::TimeZone;

use domain::Currency;
use domain::wire::v1::{
    DecisionRecord, Disposition, ExceptionRecord, ReaderHealth, ReasonRecord, RoleRecord,
};

use super::{Language, TEXTS};

const BOTH: [Language; 2] = [Language::Vietnamese, Language::English];

#[test]
fn every_text_is_written_in_both_languages() {
    for (name, vietnamese, english) in TEXTS
        .iter()
        .chain(super::of_money::TEXTS)
        .chain(super::of_rules::TEXTS)
        .chain(super::of_desk::TEXTS)
        .chain(super::of_administration::TEXTS)
        .chain(super::of_review::TEXTS)
    {
        assert!(!vietnamese.trim().is_empty(), "{name} has no Vietnamese");
        assert!(!english.trim().is_empty(), "{name} has no English");
        assert_ne!(vietnamese, english, "{name} was not translated");
        assert!(english.is_ascii() || english.contains(['·', '…']), "{name}: {english}");
    }
}

#[test]
fn names_of_one_kind_differ_from_each_other_in_both_languages() {
    let check = |kind: &str, names: Vec<&str>| {
        for (index, name) in names.iter().enumerate() {
            assert!(!name.is_empty(), "{kind} {index} is empty");
            assert!(!names[..index].contains(name), "{kind} {name} stands for two");
        }
    };
    for t in BOTH {
        use ReaderHealth as Health;
        let health = [Health::Away, Health::Starting, Health::Reading, Health::Degraded];
        check("health", health.map(|health| t.reader_health(health)).to_vec());
        let roles = [RoleRecord::Open, RoleRecord::Entry, RoleRecord::Exit];
        check("role", roles.map(|role| t.role(role)).to_vec());
        check("exception", crate::finance::EXCEPTIONS.map(|kind| t.exception_kind(kind)).to_vec());
        check("outcome", crate::finance::DISPOSITIONS.map(|kind| t.outcome(kind)).to_vec());
        let decisions = [
            DecisionRecord::OpenedByTag,
            DecisionRecord::ChargedByPlate,
            DecisionRecord::OpenedByAttendant,
            DecisionRecord::TurnedAway,
            DecisionRecord::LeftUndecided,
        ];
        check("decision", decisions.map(|decision| t.lane_decision(decision)).to_vec());
        let reasons = [
            ReasonRecord::CashPaid,
            ReasonRecord::CashAtExit,
            ReasonRecord::PlateRead,
            ReasonRecord::GroupCorrected,
            ReasonRecord::PriorityVehicle,
            ReasonRecord::Convoy,
            ReasonRecord::EquipmentFault,
            ReasonRecord::NoMeansOfPayment,
            ReasonRecord::DriversWish,
            ReasonRecord::Other { note: String::new() },
        ];
        check("reason", reasons.iter().map(|reason| t.reason(reason)).collect());
    }
    assert_ne!(
        Language::Vietnamese.outcome(Disposition::Posted),
        Language::English.outcome(Disposition::Posted)
    );
    assert_ne!(
        Language::Vietnamese.exception_kind(ExceptionRecord::NoTag),
        Language::English.exception_kind(ExceptionRecord::NoTag)
    );
}

#[test]
fn money_is_written_as_the_country_writes_it() {
    let euro: Currency = "EUR".parse().unwrap();
    for (language, units, currency, text) in [
        (Language::Vietnamese, 1_410_000, Currency::VND, "1.410.000\u{a0}₫"),
        (Language::English, 1_410_000, Currency::VND, "1,410,000\u{a0}₫"),
        (Language::Vietnamese, -35_000, Currency::VND, "−35.000\u{a0}₫"),
        (Language::English, 123_405, euro, "1,234.05\u{a0}EUR"),
        (Language::Vietnamese, 5, euro, "0,05\u{a0}EUR"),
        (Language::English, 0, Currency::VND, "0\u{a0}₫"),
    ] {
        assert_eq!(language.money(units, currency), text);
    }
}

#[test]
fn an_instant_is_shown_in_the_operators_zone() {
    let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    let at = "2026-11-21T17:00:09Z".parse().unwrap();
    assert_eq!(Language::Vietnamese.date_and_time(at, &zone), "22/11/2026 00:00:09");
    assert_eq!(Language::English.date_and_time(at, &zone), "2026-11-22 00:00:09");
    assert_eq!(Language::English.time(at, &zone), "00:00:09");
}

#[test]
fn a_language_is_found_by_its_own_code_and_no_other() {
    for language in BOTH {
        assert_eq!(Language::of_code(language.code()), Some(language));
        assert_eq!(language.other().other(), language);
        assert_ne!(language.other().own_name(), language.own_name());
    }
    assert_eq!(Language::of_code("fr"), None);
}
