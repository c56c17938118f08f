//! What the driver is told, as rows that fit. Pure.
//!
//! Nothing is ever cut off: a row that is wider than the panel scrolls, and what has no row of its
//! own stands behind the last one. Amounts come first. Rows are filled with blanks, and every row
//! of the panel is written, so that nothing of the last notice stays.

use domain::passage::ExceptionKind;
use domain::{Amount, Currency};

/// The language of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// Tiếng Việt.
    Vietnamese,
    /// English.
    English,
}

/// The characters that a panel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Charset {
    /// Without Vietnamese marks: they are taken off, as on a telegram.
    Ascii,
    /// All, as UTF-8.
    Utf8,
}

/// What fits on a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Characters in a row.
    pub columns: u8,
    /// Rows.
    pub rows: u8,
    /// From the top of a row to the top of the next, in pixels.
    pub row_px: u8,
    /// What its font has.
    pub charset: Charset,
}

/// What the driver is to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Nobody is here.
    Idle,
    /// The vehicle may go and has paid.
    Paid {
        /// What it costs.
        fare: Amount,
        /// In what.
        currency: Currency,
        /// What is left in the account, where the lane knows it.
        balance: Option<Amount>,
        /// Whether the list says that little is left.
        is_low: bool,
    },
    /// The vehicle may go and pays nothing here: exempt, by a pass, or where a trip begins.
    Free,
    /// The vehicle has to wait for an attendant.
    Wait {
        /// Why.
        why: ExceptionKind,
        /// What is due, where it is known.
        fare: Option<(Amount, Currency)>,
    },
    /// The lane is closed.
    LaneClosed,
}

/// A row of the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// It fits, and is as wide as the panel.
    Static(String),
    /// It is wider than the panel and runs.
    Scroll(String),
}

/// The rows that tell a notice, from the top of the panel down.
#[must_use]
pub fn compose(notice: &Notice, language: Language, layout: Layout) -> Vec<Row> {
    let mut texts = texts(notice, language);
    let rows_max = usize::from(layout.rows.max(1));
    if texts.len() > rows_max {
        let rest = texts.split_off(rows_max - 1).join(" - ");
        texts.push(rest);
    }
    texts.resize(rows_max, String::new());
    texts.into_iter().map(|text| row(text, layout)).collect()
}

fn row(text: String, layout: Layout) -> Row {
    let text = match layout.charset {
        Charset::Utf8 => text,
        Charset::Ascii => text.chars().map(without_mark).collect(),
    };
    let columns = usize::from(layout.columns);
    if text.chars().count() > columns {
        Row::Scroll(text)
    } else {
        Row::Static(format!("{text:<columns$}"))
    }
}

/// What is told, the most important first.
fn texts(notice: &Notice, language: Language) -> Vec<String> {
    let say = |vietnamese: &str, english: &str| match language {
        Language::Vietnamese => vietnamese.to_owned(),
        Language::English => english.to_owned(),
    };
    match notice {
        Notice::Idle => vec![say("Kính chào quý khách", "Welcome")],
        Notice::LaneClosed => vec![say("Làn đóng", "Lane closed")],
        Notice::Free => vec![say("Mời qua", "Please pass"), say("Miễn phí", "Free of charge")],
        Notice::Paid { fare, currency, balance, is_low } => {
            let mut texts = vec![money(*fare, *currency, language)];
            if let Some(balance) = balance {
                let balance = money(*balance, *currency, language);
                texts.push(format!("{} {balance}", say("Số dư", "Balance")));
            }
            if *is_low {
                texts.push(say("Sắp hết tiền", "Balance is low"));
            }
            texts
        }
        Notice::Wait { why, fare } => {
            let mut texts = vec![reason(*why, language).to_owned()];
            texts.extend(fare.map(|(fare, currency)| money(fare, currency, language)));
            texts.push(say("Xin chờ nhân viên", "Please wait for staff"));
            texts
        }
    }
}

const fn reason(why: ExceptionKind, language: Language) -> &'static str {
    let (vietnamese, english) = match why {
        ExceptionKind::NoTag => ("Không đọc được thẻ", "No tag read"),
        ExceptionKind::UnknownTag => ("Thẻ không có trong hệ thống", "Unknown tag"),
        ExceptionKind::NoMoney => ("Tài khoản không đủ tiền", "Not enough money"),
        ExceptionKind::Blocked => ("Tài khoản bị khóa", "Account is blocked"),
        ExceptionKind::Closed => ("Tài khoản đã đóng", "Account is closed"),
        ExceptionKind::NotConverted => {
            ("Chưa chuyển đổi tài khoản giao thông", "Account is not converted")
        }
        ExceptionKind::NoFare => ("Chưa xác định mức phí", "Fare is not known"),
        ExceptionKind::LeftUndecided => ("Chưa xử lý", "Not settled"),
        ExceptionKind::LaneClosed => ("Làn đóng", "Lane is closed"),
    };
    match language {
        Language::Vietnamese => vietnamese,
        Language::English => english,
    }
}

/// An amount as it is written where the language is spoken: 35.000đ, 35,000 VND.
#[must_use]
pub fn money(amount: Amount, currency: Currency, language: Language) -> String {
    let (group, point) = match language {
        Language::Vietnamese => ('.', ','),
        Language::English => (',', '.'),
    };
    let exponent = usize::try_from(currency.exponent()).unwrap_or(0);
    let digits = format!("{:0>width$}", amount.minor_units(), width = exponent + 1);
    let (whole, fraction) = digits.split_at(digits.len() - exponent);
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(group);
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push(point);
        text.push_str(fraction);
    }
    match (language, currency) {
        (Language::Vietnamese, Currency::VND) => text.push('đ'),
        (Language::Vietnamese | Language::English, _) => text.push_str(&format!(" {currency}")),
    }
    text
}

/// A Vietnamese letter without its marks; what no telegram could carry becomes a question mark.
fn without_mark(letter: char) -> char {
    const MARKED: [(char, &str); 7] = [
        ('a', "àáảãạăằắẳẵặâầấẩẫậ"),
        ('e', "èéẻẽẹêềếểễệ"),
        ('i', "ìíỉĩị"),
        ('o', "òóỏõọôồốổỗộơờớởỡợ"),
        ('u', "ùúủũụưừứửữự"),
        ('y', "ỳýỷỹỵ"),
        ('d', "đ"),
    ];
    if letter.is_ascii() {
        return letter;
    }
    let lower = letter.to_lowercase().next().unwrap_or(letter);
    let plain = MARKED.iter().find(|(_, marked)| marked.contains(lower)).map(|(plain, _)| *plain);
    match plain {
        Some(plain) if letter.is_uppercase() => plain.to_ascii_uppercase(),
        Some(plain) => plain,
        None => '?',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dong(amount: i64) -> Amount {
        Amount::try_new(amount).unwrap()
    }

    fn paid(fare: i64, balance: Option<i64>, is_low: bool) -> Notice {
        let balance = balance.map(dong);
        Notice::Paid { fare: dong(fare), currency: Currency::VND, balance, is_low }
    }

    fn wait(why: ExceptionKind) -> Notice {
        Notice::Wait { why, fare: Some((dong(35_000), Currency::VND)) }
    }

    /// The rows as a person sees them: `|` at the panel's edges, `~` around a row that runs.
    fn seen(notice: &Notice, language: Language, layout: Layout) -> Vec<String> {
        let as_seen = |row| match row {
            Row::Static(text) => format!("|{text}|"),
            Row::Scroll(text) => format!("~{text}~"),
        };
        compose(notice, language, layout).into_iter().map(as_seen).collect()
    }

    fn check(notice: &Notice, layout: Layout, vietnamese: &[&str], english: &[&str]) {
        assert_eq!(seen(notice, Language::Vietnamese, layout), vietnamese);
        assert_eq!(seen(notice, Language::English, layout), english);
    }

    const WIDE: Layout = Layout { columns: 24, rows: 3, row_px: 16, charset: Charset::Utf8 };
    const SMALL: Layout = Layout { columns: 16, rows: 2, row_px: 16, charset: Charset::Ascii };
    const ONE_ROW: Layout = Layout { columns: 8, rows: 1, row_px: 16, charset: Charset::Ascii };

    #[test]
    fn a_fare_is_shown_with_the_balance_that_is_left() {
        check(
            &paid(35_000, Some(1_250_000), false),
            WIDE,
            &[
                "|35.000đ                 |",
                "|Số dư 1.250.000đ        |",
                "|                        |",
            ],
            &[
                "|35,000 VND              |",
                "|Balance 1,250,000 VND   |",
                "|                        |",
            ],
        );
        check(
            &paid(1_000, None, true),
            SMALL,
            &["|1.000d          |", "|Sap het tien    |"],
            &["|1,000 VND       |", "|Balance is low  |"],
        );
    }

    #[test]
    fn what_is_too_wide_runs_and_nothing_is_cut_off() {
        check(
            &paid(35_000, Some(1_250_000), true),
            SMALL,
            &["|35.000d         |", "~So du 1.250.000d - Sap het tien~"],
            &["|35,000 VND      |", "~Balance 1,250,000 VND - Balance is low~"],
        );
        check(&paid(12_035_000, None, false), ONE_ROW, &["~12.035.000d~"], &["~12,035,000 VND~"]);
    }

    #[test]
    fn who_has_to_wait_is_told_why() {
        check(
            &wait(ExceptionKind::NoMoney),
            WIDE,
            &[
                "|Tài khoản không đủ tiền |",
                "|35.000đ                 |",
                "|Xin chờ nhân viên       |",
            ],
            &[
                "|Not enough money        |",
                "|35,000 VND              |",
                "|Please wait for staff   |",
            ],
        );
        check(
            &wait(ExceptionKind::NotConverted),
            SMALL,
            &["~Chua chuyen doi tai khoan giao thong~", "~35.000d - Xin cho nhan vien~"],
            &["~Account is not converted~", "~35,000 VND - Please wait for staff~"],
        );
    }

    #[test]
    fn every_reason_has_words_in_both_languages() {
        let all = [
            ExceptionKind::NoTag,
            ExceptionKind::UnknownTag,
            ExceptionKind::NoMoney,
            ExceptionKind::Blocked,
            ExceptionKind::Closed,
            ExceptionKind::NotConverted,
            ExceptionKind::NoFare,
            ExceptionKind::LeftUndecided,
            ExceptionKind::LaneClosed,
        ];
        for why in all {
            let vietnamese = seen(&wait(why), Language::Vietnamese, SMALL);
            assert_ne!(vietnamese, seen(&wait(why), Language::English, SMALL));
            assert!(!vietnamese.concat().contains('?'), "{vietnamese:?}");
        }
    }

    #[test]
    fn other_notices_fit_a_small_panel() {
        check(
            &Notice::Free,
            SMALL,
            &["|Moi qua         |", "|Mien phi        |"],
            &["|Please pass     |", "|Free of charge  |"],
        );
        check(
            &Notice::LaneClosed,
            SMALL,
            &["|Lan dong        |", "|                |"],
            &["|Lane closed     |", "|                |"],
        );
        check(&Notice::Idle, ONE_ROW, &["~Kinh chao quy khach~"], &["|Welcome |"]);
    }

    #[test]
    fn money_is_written_as_people_write_it() {
        let check = |minor, currency: &str, vietnamese: &str, english: &str| {
            let currency = currency.parse().unwrap();
            assert_eq!(money(dong(minor), currency, Language::Vietnamese), vietnamese);
            assert_eq!(money(dong(minor), currency, Language::English), english);
        };
        check(0, "VND", "0đ", "0 VND");
        check(999, "VND", "999đ", "999 VND");
        check(1_000_000, "VND", "1.000.000đ", "1,000,000 VND");
        check(5, "EUR", "0,05 EUR", "0.05 EUR");
        check(123_456, "EUR", "1.234,56 EUR", "1,234.56 EUR");
    }

    proptest! {
        #[test]
        fn rows_are_as_many_as_the_panel_has_and_fit_or_run(
            fare in 0..=i64::MAX,
            balance in prop::option::of(0..=i64::MAX),
            is_low: bool,
            columns in 1_u8..60,
            rows in 1_u8..5,
        ) {
            let layout = Layout { columns, rows, row_px: 16, charset: Charset::Ascii };
            let notice = paid(fare, balance, is_low);
            let composed = compose(&notice, Language::Vietnamese, layout);
            prop_assert_eq!(composed.len(), usize::from(rows));
            let mut everything = String::new();
            for row in composed {
                let (text, fits) = match row {
                    Row::Static(text) => (text, true),
                    Row::Scroll(text) => (text, false),
                };
                prop_assert!(text.is_ascii());
                prop_assert!(fits == (text.len() <= usize::from(columns)));
                everything.push_str(&text);
            }
            let amount = money(dong(fare), Currency::VND, Language::Vietnamese);
            prop_assert!(everything.contains(amount.trim_end_matches('đ')));
        }
    }
}
