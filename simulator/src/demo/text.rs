//! Numbers for people.

use super::latency::Percentiles;

/// A whole number with its thousands apart: `12,345`.
#[must_use]
pub fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A latency as a person reads it: `340 µs`, `1.2 ms`, `3.4 s`.
#[must_use]
pub fn latency(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us / 100 % 10),
        _ => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
    }
}

/// The usual two percentiles, for a live line.
#[must_use]
pub fn brief(of: &Percentiles) -> String {
    match of.n {
        0 => "not yet".to_owned(),
        _ => format!("p50 {}  p99 {}", latency(of.p50), latency(of.p99)),
    }
}

/// The usual three percentiles and the slowest.
#[must_use]
pub fn percentiles(of: &Percentiles) -> String {
    if of.n == 0 {
        return "nothing measured".to_owned();
    }
    format!(
        "p50 {:>8}   p99 {:>8}   p99.9 {:>8}   slowest {:>8}   of {}",
        latency(of.p50),
        latency(of.p99),
        latency(of.p999),
        latency(of.max),
        grouped(of.n)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
        assert_eq!(latency(999), "999 µs");
        assert_eq!(latency(1_250), "1.2 ms");
        assert_eq!(latency(2_340_000), "2.3 s");
    }
}
