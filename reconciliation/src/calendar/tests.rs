use super::*;

fn date(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

fn banks() -> BankCalendar {
    BankCalendar {
        weekend: [6, 7].into(),
        holidays: [(date("2026-09-02"), "Quốc khánh".to_owned())].into(),
    }
}

/// When a duty is due in Viet Nam, cut-off at midnight, in UTC.
fn check(duty: Duty, on_holiday: OnHoliday, due: &str) {
    let calendar = SettlementCalendar::try_new("Asia/Ho_Chi_Minh", "00:00").unwrap();
    let deadlines = Deadlines { on_holiday, ..Deadlines::default() };
    let found = duty.due(&deadlines, &calendar, &banks()).unwrap();
    assert_eq!(found.to_string(), due, "{duty}");
}

#[test]
fn the_money_of_a_day_is_due_a_day_after_its_end() {
    // Monday's money: until Tuesday 24:00, which is 17:00 UTC.
    check(Duty::Transfer(date("2026-11-23")), OnHoliday::NextBankDay, "2026-11-24T17:00:00Z");
}

#[test]
fn a_deadline_on_a_bank_holiday_moves_to_the_next_bank_day_where_the_contract_says_so() {
    // Tuesday's money would be due by the end of Wednesday, the national day: by Thursday's.
    check(Duty::Transfer(date("2026-09-01")), OnHoliday::NextBankDay, "2026-09-03T17:00:00Z");
    // Friday's by the end of Saturday: by Monday's.
    check(Duty::Transfer(date("2026-08-28")), OnHoliday::NextBankDay, "2026-08-31T17:00:00Z");
    check(Duty::Transfer(date("2026-08-28")), OnHoliday::NoMatter, "2026-08-29T17:00:00Z");
}

#[test]
fn a_month_is_due_with_the_fifth_and_a_year_thirty_days_after_its_end() {
    check(Duty::Month(date("2026-11-01")), OnHoliday::NoMatter, "2026-12-05T17:00:00Z");
    check(Duty::Month(date("2026-12-01")), OnHoliday::NoMatter, "2027-01-05T17:00:00Z");
    check(Duty::Year(date("2026-01-01")), OnHoliday::NoMatter, "2027-01-30T17:00:00Z");
}

#[test]
fn an_alarm_comes_before_the_deadline_passes_and_age_is_told_after() {
    let due: Timestamp = "2026-11-24T17:00:00Z".parse().unwrap();
    let check = |now: &str, met: Option<&str>, name: &str| {
        let met = met.map(|met| met.parse().unwrap());
        assert_eq!(Standing::of(due, met, 6, now.parse().unwrap()).name(), name, "{now}");
    };
    check("2026-11-24T10:59:59Z", None, "ahead");
    check("2026-11-24T11:00:00Z", None, "near");
    check("2026-11-24T16:59:59Z", None, "near");
    check("2026-11-24T17:00:00Z", None, "overdue, less than a day");
    check("2026-11-25T17:00:00Z", None, "overdue, less than 5 days");
    check("2026-11-29T17:00:00Z", None, "overdue, less than 30 days");
    check("2026-12-24T17:00:00Z", None, "overdue, 30 days or more");
    check("2026-12-24T17:00:00Z", Some("2026-11-24T16:59:59Z"), "met");
    check("2026-12-24T17:00:00Z", Some("2026-11-24T17:00:00Z"), "met late");
}

#[test]
fn a_calendar_without_bank_days_keeps_the_date() {
    let never = BankCalendar { weekend: (1..=7).collect(), ..BankCalendar::default() };
    let today = date("2026-11-24").date();
    assert_eq!(never.bank_day_from(today), today);
}
