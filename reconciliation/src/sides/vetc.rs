//! Transactions as VETC and the stations exchange them (ITD, 2016): one tuple in parentheses for each.
//! Pure.
//!
//! `(transaction, time, ticket or tag, price, plate, staff, shift, lane, ticket code, …)`. The
//! transaction is the second in which it was, so two of one second have the same: the identity of a
//! row is transaction and lane. The files carry neither count nor sum; what was cut off at the end of
//! a line is refused, what was cut off at the end of a file cannot be seen. Ticket codes are 12 to 16
//! for a single pass of group 1 to 5, 22 to 26 for a month's, 32 to 36 for a quarter's.

use domain::Currency;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::form::{Read, Refusal, text_of};
use super::normal::NormalRow;

/// What a tuple has at least.
const FIELDS_MIN: usize = 9;
/// A tag's hexadecimal digits; a ticket's number has a stroke in it.
const TAG_LEN: usize = 24;

pub(super) fn read(bytes: &[u8]) -> Result<Read, Refusal> {
    let text = text_of(bytes);
    let zone = TimeZone::get("Asia/Ho_Chi_Minh")
        .map_err(|error| Refusal::new(1, "time", error.to_string()))?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let rows = lines.map(|(number, line)| row(number, line.trim(), &zone));
    Ok(Read { currency: Some(Currency::VND), rows: rows.collect::<Result<_, _>>()? })
}

fn row(line: u64, text: &str, zone: &TimeZone) -> Result<NormalRow, Refusal> {
    let refuse = |field, why: &str| Refusal::new(line, field, why);
    let inside = text.trim_end_matches([',', ';']).strip_prefix('(');
    let inside = inside.and_then(|text| text.strip_suffix(')'));
    let inside = inside.ok_or_else(|| refuse("tuple", "a line is one tuple in parentheses"))?;
    let fields: Vec<&str> = inside.split(',').map(str::trim).collect();
    if fields.len() < FIELDS_MIN {
        let why = format!("{} fields; a transaction has {FIELDS_MIN} at least", fields.len());
        return Err(Refusal::new(line, "tuple", why));
    }
    let [transaction, _, item, price, plate, _, _, lane, code] = fields[..FIELDS_MIN] else {
        return Err(refuse("tuple", "too few fields"));
    };
    // The lane may stand behind the transaction as well.
    let second = transaction.split('_').next().unwrap_or_default();
    let at = DateTime::strptime("%Y%m%d%H%M%S", second).ok();
    let at = at.and_then(|at| at.to_zoned(zone.clone()).ok());
    let at = at.ok_or_else(|| refuse("transaction", "not a second such as 20160901070908"))?;
    let amount = price.parse().ok().filter(|units| i64::try_from(*units).is_ok());
    let amount = amount.ok_or_else(|| refuse("price", "not whole dong such as 35000"))?;
    let group = match code.as_bytes() {
        [b'1'..=b'3', group @ b'2'..=b'6'] => char::from(group - 1).to_string(),
        _ => return Err(refuse("ticket code", "none of 12 to 16, 22 to 26, 32 to 36")),
    };
    let is_tag = item.len() == TAG_LEN && item.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(NormalRow {
        identity: format!("{second}_{lane}"),
        station: fields.get(FIELDS_MIN).copied().unwrap_or_default().to_owned(),
        tag: if is_tag { item.to_owned() } else { String::new() },
        plate: plate.to_owned(),
        time: at.timestamp().to_string(),
        group,
        amount,
        line,
        ..NormalRow::default()
    })
}

#[cfg(test)]
mod tests;
