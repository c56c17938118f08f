//! Values: what may stand in a field, said once for readers, writers and the documentation.
//!
//! *Canonical*: the one form of a value inside this system. Numbers have no leading zeros, codes no
//! trailing blank; identities (tags, references, agencies) keep every digit they came with. Money
//! is whole minor units, never a fraction.

use std::fmt::Write as _;

use jiff::civil;

/// One code of a list, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The code as this system has it.
    pub code: &'static str,
    /// The code as it is written. Differs where a schema has a trailing blank, or a field is wider;
    /// both are read.
    pub written: &'static str,
    /// What it means; empty where the format does not say.
    pub means: &'static str,
}

/// A code and what it means.
#[must_use]
pub const fn choice(code: &'static str, means: &'static str) -> Choice {
    Choice { code, written: code, means }
}

/// Which characters a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// A to Z.
    Letters,
    /// A to Z and digits.
    Upper,
    /// A to Z, digits and the blank.
    UpperBlank,
    /// A to Z, digits, blank, hyphen, dot and ampersand.
    Plate,
    /// Digits and A to F.
    Hex,
    /// 0, 1 and the blank.
    Flag,
    /// A to Z, digits, slash and hyphen.
    Ticket,
    /// ASCII that prints, blank included.
    Printable,
    /// Any letter of any script but controls, comma and parentheses.
    Name,
}

impl Alphabet {
    fn has(self, c: char) -> bool {
        let is_upper = c.is_ascii_uppercase() || c.is_ascii_digit();
        match self {
            Self::Letters => c.is_ascii_uppercase(),
            Self::Upper => is_upper,
            Self::UpperBlank => is_upper || c == ' ',
            Self::Plate => is_upper || matches!(c, ' ' | '-' | '.' | '&'),
            Self::Hex => c.is_ascii_digit() || matches!(c, 'A'..='F'),
            Self::Flag => matches!(c, '0' | '1' | ' '),
            Self::Ticket => is_upper || matches!(c, '/' | '-'),
            Self::Printable => c == ' ' || c.is_ascii_graphic(),
            Self::Name => !c.is_control() && !matches!(c, ',' | '(' | ')' | '\u{feff}'),
        }
    }

    const fn described(self) -> &'static str {
        match self {
            Self::Letters => "A to Z",
            Self::Upper => "A to Z and 0 to 9",
            Self::UpperBlank => "A to Z, 0 to 9 and blank",
            Self::Plate => "A to Z, 0 to 9, blank, `-`, `.` and `&`",
            Self::Hex => "0 to 9 and A to F",
            Self::Flag => "0, 1 and blank",
            Self::Ticket => "A to Z, 0 to 9, `/` and `-`",
            Self::Printable => "printable ASCII",
            Self::Name => "any but control characters, comma and parentheses",
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identity of digits, leading zeros kept.
    Digits {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// An identity of digits that must also fit a signed 64-bit number, as `xs:long` does.
    Long {
        /// The most digits.
        max: usize,
    },
    /// A whole number, not below zero.
    Number {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// Money in minor units, not below zero.
    Amount {
        /// The most.
        max: u64,
    },
    /// Money in minor units; below zero where it goes back.
    SignedAmount {
        /// The most, either way.
        max: u64,
    },
    /// One of a list.
    Code(&'static [Choice]),
    /// Text.
    Text {
        /// The fewest characters.
        min: usize,
        /// The most characters.
        max: usize,
        /// Which characters.
        alphabet: Alphabet,
    },
    /// `yyyy-MM-ddTHH:mm:ssZ`.
    Instant,
    /// `yyyy-MM-ddTHH:mm:ss+HH:MM`.
    ZonedInstant,
    /// `yyyyMMdd`.
    Day,
    /// `yyyy-MM-dd`.
    DashedDay,
    /// `HH:mm:ss`.
    TimeOfDay,
    /// `yyyyMMddHHmmss`.
    Stamp,
}

impl Kind {
    /// The value in its canonical form; nothing where it is not of this kind.
    #[must_use]
    pub fn canonical<'a>(&self, text: &'a str) -> Option<&'a str> {
        let is = |good: bool| good.then_some(text);
        match *self {
            Self::Digits { min, max } => is((min..=max).contains(&text.len()) && digits(text)),
            Self::Long { max } => is((1..=max).contains(&text.len())
                && digits(text)
                && text.parse::<u64>().is_ok_and(|n| i64::try_from(n).is_ok())),
            Self::Number { min, max } => number(text).filter(|n| within(n, min, max)),
            Self::Amount { max } => number(text).filter(|n| within(n, 0, max)),
            Self::SignedAmount { max } => match text.strip_prefix('-') {
                // A zero has no direction.
                Some(rest) => is(number(rest) == Some(rest) && within(rest, 1, max)),
                None => number(text).filter(|n| within(n, 0, max)),
            },
            Self::Code(choices) => choices
                .iter()
                .find(|choice| choice.code == text || choice.written == text)
                .map(|choice| choice.code),
            Self::Text { min, max, alphabet } => is((min..=max).contains(&text.chars().count())
                && text.chars().all(|c| alphabet.has(c))),
            Self::Instant => is(text.strip_suffix('Z').is_some_and(is_date_time)),
            Self::ZonedInstant => is(is_zoned(text)),
            Self::Day => is(is_date(text, "")),
            Self::DashedDay => is(is_date(text, "-")),
            Self::TimeOfDay => is(is_time(text, ":")),
            Self::Stamp => is(text
                .split_at_checked(8)
                .is_some_and(|(day, time)| is_date(day, "") && is_time(time, ""))),
        }
    }

    /// The value as it is written, from its canonical form.
    #[must_use]
    pub fn written<'a>(&self, canonical: &'a str) -> &'a str {
        match *self {
            Self::Code(choices) => choices
                .iter()
                .find(|choice| choice.code == canonical)
                .map_or(canonical, |choice| choice.written),
            Self::Digits { .. }
            | Self::Long { .. }
            | Self::Number { .. }
            | Self::Amount { .. }
            | Self::SignedAmount { .. }
            | Self::Text { .. }
            | Self::Instant
            | Self::ZonedInstant
            | Self::Day
            | Self::DashedDay
            | Self::TimeOfDay
            | Self::Stamp => canonical,
        }
    }

    /// The only value that can stand there; nothing where there are more.
    #[must_use]
    pub const fn only(&self) -> Option<&'static str> {
        match self {
            Self::Code([one]) => Some(one.code),
            _ => None,
        }
    }

    /// Whether the value is filled with zeros from the left where its field is wider.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        matches!(self, Self::Number { .. } | Self::Amount { .. } | Self::SignedAmount { .. })
    }

    /// Whether white space around the value says nothing, as around the schema's numbers and times.
    #[must_use]
    pub const fn collapses(&self) -> bool {
        !matches!(self, Self::Text { .. } | Self::Code(_))
    }

    /// What would be right, in words.
    #[must_use]
    pub fn wanted(&self) -> String {
        match *self {
            Self::Digits { min, max } if min == max => format!("{max} digits"),
            Self::Digits { min, max } => format!("{min} to {max} digits"),
            Self::Long { max } => format!("1 to {max} digits, at most {}", i64::MAX),
            Self::Number { min, max } => format!("a whole number, {min} to {max}"),
            Self::Amount { max } => format!("whole minor units, 0 to {max}"),
            Self::SignedAmount { max } => {
                format!("whole minor units, -{max} to {max}, without leading zeros below zero")
            }
            Self::Code(choices) => {
                let mut text = String::from("one of");
                for (index, Choice { written, means, .. }) in choices.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    // Writing into a string does not fail.
                    let _ignored = write!(text, "{comma} `{written}`");
                    if !means.is_empty() {
                        let _ignored = write!(text, " ({means})");
                    }
                }
                text
            }
            Self::Text { min, max, alphabet } if min == max => {
                format!("{max} characters, {}", alphabet.described())
            }
            Self::Text { min, max, alphabet } => {
                format!("{min} to {max} characters, {}", alphabet.described())
            }
            Self::Instant => "an instant in UTC, yyyy-MM-ddTHH:mm:ssZ".to_owned(),
            Self::ZonedInstant => {
                "a local time with its offset, yyyy-MM-ddTHH:mm:ss+HH:MM".to_owned()
            }
            Self::Day => "a date, yyyyMMdd".to_owned(),
            Self::DashedDay => "a date, yyyy-MM-dd".to_owned(),
            Self::TimeOfDay => "a time of day, HH:mm:ss".to_owned(),
            Self::Stamp => "a date and time, yyyyMMddHHmmss".to_owned(),
        }
    }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// A whole number without its leading zeros.
fn number(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('0');
    match (digits(text), text, rest) {
        (false, _, _) | (true, "", _) => None,
        (true, _, "") => Some("0"),
        (true, _, rest) => Some(rest),
    }
}

fn within(number: &str, min: u64, max: u64) -> bool {
    number.parse::<u64>().is_ok_and(|n| (min..=max).contains(&n))
}

/// Years that a toll system can mean; others are misprints.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2199;

fn is_date(text: &str, between: &str) -> bool {
    let Some([year, month, day]) = parts(text, between, [4, 2, 2]) else { return false };
    let small = |n: i16| i8::try_from(n).unwrap_or(i8::MAX);
    YEARS.contains(&year) && civil::Date::new(year, small(month), small(day)).is_ok()
}

fn is_time(text: &str, between: &str) -> bool {
    let Some([hour, minute, second]) = parts(text, between, [2, 2, 2]) else { return false };
    hour < 24 && minute < 60 && second < 60
}

fn is_date_time(text: &str) -> bool {
    text.split_once('T').is_some_and(|(day, time)| is_date(day, "-") && is_time(time, ":"))
}

/// A date and time with an offset of at most 14 hours, the furthest that any zone is.
fn is_zoned(text: &str) -> bool {
    let Some((local, offset)) = text.split_at_checked(19) else { return false };
    let Some(offset) = offset.strip_prefix(['+', '-']) else { return false };
    let is_offset = offset.split_once(':').is_some_and(|(hours, minutes)| {
        let whole = |text: &str| (text.len() == 2 && digits(text)).then(|| text.parse::<u8>().ok());
        match (whole(hours).flatten(), whole(minutes).flatten()) {
            (Some(hours), Some(minutes)) => {
                minutes < 60 && (hours < 14 || (hours == 14 && minutes == 0))
            }
            (None, _) | (_, None) => false,
        }
    });
    is_date_time(local) && is_offset
}

/// Three numbers of fixed widths with something between them.
fn parts(text: &str, between: &str, widths: [usize; 3]) -> Option<[i16; 3]> {
    let mut rest = text;
    let mut found = [0; 3];
    for (index, (width, slot)) in widths.into_iter().zip(&mut found).enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(between)?;
        }
        let (own, after) = rest.split_at_checked(width)?;
        *slot = digits(own).then(|| own.parse().ok()).flatten()?;
        rest = after;
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &[Choice] =
        &[choice("A", "first"), Choice { code: "VC02", written: "VC02 ", means: "" }];

    /// Each value of the kind, with its canonical form; `-` where it is refused.
    fn check(kind: Kind, values: &[(&str, &str)]) {
        for (text, canonical) in values {
            let expected = (*canonical != "-").then_some(*canonical);
            assert_eq!(kind.canonical(text), expected, "{text:?} as {kind:?}");
        }
    }

    #[test]
    fn identities_keep_their_zeros_and_numbers_lose_them() {
        check(Kind::Digits { min: 4, max: 4 }, &[("0041", "0041"), ("041", "-"), ("00a1", "-")]);
        check(
            Kind::Number { min: 1, max: 99 },
            &[("07", "7"), ("0", "-"), ("100", "-"), ("", "-"), ("+7", "-"), ("7 ", "-")],
        );
        check(
            Kind::Long { max: 20 },
            &[
                ("9223372036854775807", "9223372036854775807"),
                ("9223372036854775808", "-"),
                ("00000000000000000001", "00000000000000000001"),
            ],
        );
    }

    #[test]
    fn money_is_whole_minor_units_and_nothing_else() {
        let kind = Kind::Amount { max: 499_999 };
        check(kind, &[("000001250", "1250"), ("0", "0"), ("12.50", "-"), ("-1", "-")]);
        check(kind, &[("500000", "-"), ("1e3", "-"), ("", "-")]);
        let signed = Kind::SignedAmount { max: 999_999_999 };
        check(signed, &[("-1250", "-1250"), ("1250", "1250"), ("-0", "-"), ("-007", "-")]);
    }

    #[test]
    fn a_code_is_read_with_and_without_the_blank_of_its_schema() {
        check(Kind::Code(CODES), &[("VC02", "VC02"), ("VC02 ", "VC02"), ("A ", "-"), ("B", "-")]);
        assert_eq!(Kind::Code(CODES).written("VC02"), "VC02 ");
    }

    #[test]
    fn times_are_those_of_a_calendar_and_a_clock() {
        check(
            Kind::Instant,
            &[
                ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
                ("2023-02-29T00:00:00Z", "-"),
                ("2024-01-01T24:00:00Z", "-"),
                ("2024-01-01T00:00:60Z", "-"),
                ("2024-01-01 00:00:00Z", "-"),
                ("2024-01-01T00:00:00", "-"),
                ("0024-01-01T00:00:00Z", "-"),
            ],
        );
        check(
            Kind::ZonedInstant,
            &[
                ("2024-01-01T00:00:00-05:00", "2024-01-01T00:00:00-05:00"),
                ("2024-01-01T00:00:00+07:60", "-"),
                ("2024-01-01T00:00:00+14:01", "-"),
                ("2024-01-01T00:00:00Z", "-"),
            ],
        );
        check(Kind::Day, &[("20240229", "20240229"), ("20240230", "-"), ("2024-02-29", "-")]);
        check(Kind::Stamp, &[("20160901070908", "20160901070908"), ("20160901070960", "-")]);
        check(Kind::TimeOfDay, &[("07:09:08", "07:09:08"), ("7:9:8", "-")]);
        check(Kind::DashedDay, &[("2016-09-30", "2016-09-30"), ("2016-09-31", "-")]);
    }
}
