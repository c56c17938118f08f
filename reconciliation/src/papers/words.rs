//! Amounts in words, as papers about money need them: Vietnamese and English. Pure.
//!
//! Vietnamese counts in groups of three digits below a thousand million (*tỷ*), and begins again
//! above it. Inside a number every group is read whole (*không trăm linh năm*); *mốt*, *tư* and *lăm*
//! stand for one, four and five after a ten.

use domain::Currency;

use crate::money::Signed;

/// An amount in Vietnamese words, with its currency: `Một triệu bốn trăm mười nghìn đồng`.
#[must_use]
pub fn vietnamese(amount: Signed, currency: Currency) -> String {
    let (whole, rest) = split(amount, currency);
    let number = match whole {
        0 => "không".to_owned(),
        _ => vietnamese_number(whole, false),
    };
    let sign = if amount.minor_units() < 0 { "âm " } else { "" };
    let name = if currency == Currency::VND { "đồng".to_owned() } else { currency.to_string() };
    capital(&format!("{sign}{number} {name}{rest}"))
}

/// An amount in English words, with its currency: `One million four hundred ten thousand dong`.
#[must_use]
pub fn english(amount: Signed, currency: Currency) -> String {
    let (whole, rest) = split(amount, currency);
    let number = match whole {
        0 => "zero".to_owned(),
        _ => english_number(whole),
    };
    let sign = if amount.minor_units() < 0 { "minus " } else { "" };
    let name = if currency == Currency::VND { "dong".to_owned() } else { currency.to_string() };
    capital(&format!("{sign}{number} {name}{rest}"))
}

/// Whole units, and the minor units as a fraction where the currency has them: ` 45/100`.
fn split(amount: Signed, currency: Currency) -> (u64, String) {
    let units = amount.minor_units().unsigned_abs();
    let in_one = 10_u64.pow(currency.exponent());
    let rest = if in_one == 1 { String::new() } else { format!(" {}/{in_one}", units % in_one) };
    (units / in_one, rest)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

const VIETNAMESE: [&str; 10] =
    ["không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín"];

const BILLION: u64 = 1_000_000_000;

/// `inner`: digits stand before it, so that every group is read whole.
fn vietnamese_number(number: u64, inner: bool) -> String {
    let (billions, below) = (number / BILLION, number % BILLION);
    let mut words = Vec::new();
    if billions > 0 {
        words.push(format!("{} tỷ", vietnamese_number(billions, inner)));
    }
    let mut inner = inner || billions > 0;
    for (unit, name) in [(1_000_000, " triệu"), (1_000, " nghìn"), (1, "")] {
        let group = below / unit % 1_000;
        if group > 0 {
            words.push(format!("{}{name}", vietnamese_group(group, inner)));
            inner = true;
        }
    }
    words.join(" ")
}

fn digit(of: u64) -> &'static str {
    usize::try_from(of).ok().and_then(|index| VIETNAMESE.get(index)).copied().unwrap_or_default()
}

fn vietnamese_group(group: u64, inner: bool) -> String {
    let (hundreds, tens, ones) = (group / 100, group / 10 % 10, group % 10);
    let mut words = Vec::new();
    if hundreds > 0 || inner {
        words.push(format!("{} trăm", digit(hundreds)));
    }
    match tens {
        0 if ones > 0 && !words.is_empty() => words.push("linh".to_owned()),
        0 => {}
        1 => words.push("mười".to_owned()),
        _ => words.push(format!("{} mươi", digit(tens))),
    }
    let last = match (tens, ones) {
        (_, 0) => None,
        (2.., 1) => Some("mốt"),
        (2.., 4) => Some("tư"),
        (1.., 5) => Some("lăm"),
        (_, ones) => Some(digit(ones)),
    };
    words.extend(last.map(str::to_owned));
    words.join(" ")
}

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const GROUPS: [(u64, &str); 7] = [
    (1_000_000_000_000_000_000, " quintillion"),
    (1_000_000_000_000_000, " quadrillion"),
    (1_000_000_000_000, " trillion"),
    (1_000_000_000, " billion"),
    (1_000_000, " million"),
    (1_000, " thousand"),
    (1, ""),
];

fn english_number(number: u64) -> String {
    let groups = GROUPS.into_iter().filter_map(|(unit, name)| {
        let group = number / unit % 1_000;
        (group > 0).then(|| format!("{}{name}", english_group(group)))
    });
    groups.collect::<Vec<_>>().join(" ")
}

fn english_group(group: u64) -> String {
    let name = |of: u64, names: &[&'static str]| {
        usize::try_from(of).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let (hundreds, rest) = (group / 100, group % 100);
    let mut words = Vec::new();
    if hundreds > 0 {
        words.push(format!("{} hundred", name(hundreds, &SMALL)));
    }
    match (rest / 10, rest % 10) {
        (0, 0) => {}
        (0 | 1, _) => words.push(name(rest, &SMALL).to_owned()),
        (tens, 0) => words.push(name(tens, &TENS).to_owned()),
        (tens, ones) => words.push(format!("{}-{}", name(tens, &TENS), name(ones, &SMALL))),
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_as_a_clerk_reads_them() {
        let check = |units, vi: &str, en: &str| {
            assert_eq!(vietnamese(Signed::new(units), Currency::VND), vi, "{units}");
            assert_eq!(english(Signed::new(units), Currency::VND), en, "{units}");
        };
        check(0, "Không đồng", "Zero dong");
        check(5, "Năm đồng", "Five dong");
        check(15, "Mười lăm đồng", "Fifteen dong");
        check(21, "Hai mươi mốt đồng", "Twenty-one dong");
        check(24, "Hai mươi tư đồng", "Twenty-four dong");
        check(105, "Một trăm linh năm đồng", "One hundred five dong");
        check(47_000, "Bốn mươi bảy nghìn đồng", "Forty-seven thousand dong");
        check(
            1_410_000,
            "Một triệu bốn trăm mười nghìn đồng",
            "One million four hundred ten thousand dong",
        );
        check(2_000_005, "Hai triệu không trăm linh năm đồng", "Two million five dong");
        check(
            1_000_015_000_001,
            "Một nghìn tỷ không trăm mười lăm triệu không trăm linh một đồng",
            "One trillion fifteen million one dong",
        );
        check(-1_001, "Âm một nghìn không trăm linh một đồng", "Minus one thousand one dong");
        check(
            i64::MAX,
            "Chín tỷ hai trăm hai mươi ba triệu ba trăm bảy mươi hai nghìn không trăm ba mươi sáu tỷ \
             tám trăm năm mươi tư triệu bảy trăm bảy mươi lăm nghìn tám trăm linh bảy đồng",
            "Nine quintillion two hundred twenty-three quadrillion three hundred seventy-two trillion \
             thirty-six billion eight hundred fifty-four million seven hundred seventy-five thousand \
             eight hundred seven dong",
        );
    }

    #[test]
    fn minor_units_are_a_fraction() {
        let dollars: Currency = "USD".parse().unwrap();
        assert_eq!(english(Signed::new(1_205), dollars), "Twelve USD 5/100");
    }

    proptest! {
        #[test]
        fn two_amounts_are_never_read_alike(a in any::<i64>(), b in any::<i64>()) {
            prop_assume!(a != b);
            let (a, b) = (Signed::new(a), Signed::new(b));
            prop_assert_ne!(vietnamese(a, Currency::VND), vietnamese(b, Currency::VND));
            prop_assert_ne!(english(a, Currency::VND), english(b, Currency::VND));
        }
    }
}
