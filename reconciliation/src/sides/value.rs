//! Values: what the text of one cell means. Pure; no float comes near an amount.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::mapping::{AmountForm, Mapping, MappingError, TimeForm};

/// What an amount is, in minor units, and whether it was written below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    pub(super) units: u64,
    pub(super) negative: bool,
}

/// How amounts of a file are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct AmountReader {
    point: Option<u8>,
    decimals: usize,
}

impl AmountReader {
    pub(super) fn new(form: AmountForm, decimals: u32) -> Self {
        let point = match form {
            AmountForm::MinorUnits => None,
            AmountForm::Point => Some(b'.'),
            AmountForm::Comma => Some(b','),
        };
        Self { point, decimals: usize::try_from(decimals).unwrap_or(0) }
    }

    /// `None` where the text is no amount, or says less than a minor unit.
    #[inline]
    pub(super) fn read(self, text: &[u8]) -> Option<Worth> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let units = match self.point {
            None => whole(digits)?,
            Some(point) => self.with_point(digits, point)?,
        };
        i64::try_from(units).is_ok().then_some(Worth { units, negative })
    }

    fn with_point(self, text: &[u8], point: u8) -> Option<u64> {
        let at = text.iter().position(|byte| *byte == point).unwrap_or(text.len());
        let mut units = whole(&text[..at])?;
        let fraction = text.get(at + 1..).unwrap_or_default();
        for place in 0..self.decimals {
            let digit = fraction.get(place).map_or(Some(0), |byte| digit(*byte))?;
            units = units.checked_mul(10)?.checked_add(digit)?;
        }
        // What is smaller than a minor unit must be nothing: it is never rounded away.
        let rest = fraction.get(self.decimals..).unwrap_or_default();
        rest.iter().all(|byte| *byte == b'0').then_some(units)
    }

    /// What would be right.
    pub(super) const fn wanted(self) -> &'static str {
        match self.point {
            None => "a whole number of minor units, such as 47000",
            Some(b',') => "an amount such as 470,50, without blanks, no smaller than a minor unit",
            Some(_) => "an amount such as 470.50, without blanks, no smaller than a minor unit",
        }
    }
}

const fn digit(byte: u8) -> Option<u64> {
    match byte {
        b'0'..=b'9' => Some((byte - b'0') as u64),
        _ => None,
    }
}

#[inline]
fn whole(digits: &[u8]) -> Option<u64> {
    // Twenty digits may not fit, and are no toll.
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut units = 0;
    for byte in digits {
        units = units * 10 + digit(*byte)?;
    }
    Some(units)
}

/// How instants of a file are written.
#[derive(Debug, Clone)]
pub(super) struct TimeReader {
    form: Form,
    zone: TimeZone,
}

#[derive(Debug, Clone)]
enum Form {
    Iso,
    Compact,
    UnixS,
    UnixMs,
    Pattern(String),
}

impl TimeReader {
    pub(super) fn try_new(mapping: &Mapping) -> Result<Self, MappingError> {
        let TimeForm { format, zone: _ } = &mapping.time;
        let form = match format.as_str() {
            "iso" => Form::Iso,
            "compact" => Form::Compact,
            "unix-s" => Form::UnixS,
            "unix-ms" => Form::UnixMs,
            pattern => Form::Pattern(pattern.to_owned()),
        };
        Ok(Self { form, zone: mapping.zone()? })
    }

    /// Milliseconds since 1970; `None` where the text is no instant.
    pub(super) fn read(&self, text: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(text).ok()?;
        match &self.form {
            Form::Iso => self.iso(text),
            Form::Compact => self.compact(text.as_bytes()),
            Form::UnixS => text.parse::<i64>().ok()?.checked_mul(1000),
            Form::UnixMs => text.parse().ok(),
            Form::Pattern(pattern) => self.pattern(pattern, text),
        }
    }

    fn local(&self, civil: DateTime) -> Option<i64> {
        Some(civil.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond())
    }

    fn iso(&self, text: &str) -> Option<i64> {
        // With an offset it is an instant; without one, a time in the file's zone.
        match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Some(instant.as_millisecond()),
            Err(_no_offset) => self.local(text.parse().ok()?),
        }
    }

    fn compact(&self, text: &[u8]) -> Option<i64> {
        let number = |from: usize, to: usize| -> Option<u16> {
            text.get(from..to)?.iter().try_fold(0_u16, |number, byte| {
                number.checked_mul(10)?.checked_add(u16::try_from(digit(*byte)?).ok()?)
            })
        };
        let small = |from, to| i8::try_from(number(from, to)?).ok();
        let year = i16::try_from(number(0, 4)?).ok()?;
        let date = Date::new(year, small(4, 6)?, small(6, 8)?).ok()?;
        let time = match text.len() {
            8 => Time::midnight(),
            14 => Time::new(small(8, 10)?, small(10, 12)?, small(12, 14)?, 0).ok()?,
            _ => return None,
        };
        self.local(date.to_datetime(time))
    }

    fn pattern(&self, pattern: &str, text: &str) -> Option<i64> {
        let parsed = jiff::fmt::strtime::parse(pattern, text).ok()?;
        if parsed.offset().is_some() {
            return Some(parsed.to_timestamp().ok()?.as_millisecond());
        }
        let civil = parsed.to_datetime();
        let civil = civil.or_else(|_no_time| parsed.to_date().map(|day| day.at(0, 0, 0, 0)));
        self.local(civil.ok()?)
    }

    /// What would be right.
    pub(super) fn wanted(&self) -> String {
        match &self.form {
            Form::Iso => "an instant such as 2026-11-22T07:09:08+07:00".to_owned(),
            Form::Compact => {
                "an instant such as 20261122070908, or a day such as 20261122".to_owned()
            }
            Form::UnixS => "seconds since 1970".to_owned(),
            Form::UnixMs => "milliseconds since 1970".to_owned(),
            Form::Pattern(pattern) => format!("an instant written as {pattern:?}"),
        }
    }
}

/// Writes a tag behind `key`; `false` where there is none. Blanks and a leading `0x` are nothing.
pub(super) fn write_tag(text: &[u8], key: &mut Vec<u8>) -> bool {
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let digits = text.iter().filter(|byte| **byte != b' ');
    key.extend(digits.clone().map(u8::to_ascii_uppercase));
    digits.clone().next().is_some() && digits.clone().all(u8::is_ascii_alphanumeric)
}

/// Writes a plate in its normal form behind `key`; `false` where there is none.
pub(super) fn write_plate(text: &[u8], key: &mut Vec<u8>) -> bool {
    let plate = std::str::from_utf8(text).ok().and_then(|text| domain::Plate::try_new(text).ok());
    key.extend_from_slice(plate.as_ref().map_or("", domain::Plate::as_str).as_bytes());
    plate.is_some()
}

#[cfg(test)]
mod tests;
