//! A bank's statement as SWIFT MT940. Pure.
//!
//! A file has statements, each with fields `:NN:`; a field goes on until the next begins. `:60F:` or
//! `:60M:` opens, `:61:` is an entry, `:62F:` or `:62M:` closes. An entry is `YYMMDD`, perhaps `MMDD`,
//! `C`, `D`, `RC` or `RD`, perhaps a letter of the currency, the amount with a comma, four characters
//! of type, the owner's reference, and behind `//` the bank's. `RC` takes a credit back, so it moves
//! money as a debit does. A row's identity is the owner's reference, or the bank's where the owner
//! has none (`NONREF`).

use domain::Currency;

use super::balance::{Balance, Way};
use super::form::{Read, Refusal, text_of};
use super::mapping::AmountForm;
use super::normal::{NormalRow, yes_if};
use super::value::AmountReader;

struct Field<'a> {
    line: u64,
    tag: &'a str,
    text: &'a str,
}

pub(super) fn read(bytes: &[u8]) -> Result<Read, Refusal> {
    let text = text_of(bytes);
    let fields = fields(&text);
    if !fields.iter().any(|field| field.tag.starts_with("60")) {
        return Err(Refusal::new(1, ":60F:", "an opening balance is missing; is this MT940?"));
    }
    let mut rows = Vec::new();
    let mut balance = None;
    let mut currency: Option<Currency> = None;
    for Field { line, tag, text } in fields {
        match tag {
            "60F" | "60M" => {
                let (units, way, of_balance) = balance_of(line, text)?;
                if let Some(known) = currency.replace(of_balance).filter(|c| *c != of_balance) {
                    let why = format!("{of_balance} among {known}: one currency a file");
                    return Err(Refusal::new(line, "balance", why));
                }
                let mut opened = Balance::default();
                opened.open(units, way);
                balance = Some(opened);
            }
            "61" => {
                let Some(open) = &mut balance else {
                    return Err(Refusal::new(line, ":61:", "an entry outside a statement"));
                };
                let (row, way) = entry(line, text, currency.map_or(2, Currency::exponent))?;
                open.entry(row.amount, way);
                rows.push(row);
            }
            "62F" | "62M" => {
                let (units, way, _) = balance_of(line, text)?;
                let Some(open) = balance.take() else {
                    return Err(Refusal::new(
                        line,
                        ":62F:",
                        "a closing balance without an opening",
                    ));
                };
                open.close(units, way).map_err(|why| Refusal::new(line, ":62F:", why))?;
            }
            _ => {}
        }
    }
    if balance.is_some() {
        let last = text.lines().count() as u64;
        return Err(Refusal::new(last, ":62F:", "the closing balance is missing: the file is cut"));
    }
    Ok(Read { currency, rows })
}

/// The fields of a text, with the line that each begins on.
fn fields(text: &str) -> Vec<Field<'_>> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        // The first field may stand behind the brace that opens the text block.
        let line = line.rfind("{4:").map_or(line, |at| &line[at + 3..]);
        let begun = line.strip_prefix(':').and_then(|line| line.split_once(':'));
        if let Some((tag, text)) = begun.filter(|(tag, _)| matches!(tag.len(), 2 | 3)) {
            fields.push(Field { line: number, tag, text });
        }
    }
    fields
}

/// `C` or `D`, `YYMMDD`, currency, amount.
fn balance_of(line: u64, text: &str) -> Result<(u64, Way, Currency), Refusal> {
    let refuse = || {
        let why = format!("{text:?} is not a balance such as C261121VND1500000,");
        Refusal::new(line, "balance", why)
    };
    let way = way_of(text.get(..1)).ok_or_else(refuse)?;
    let currency: Currency =
        text.get(7..10).and_then(|code| code.parse().ok()).ok_or_else(refuse)?;
    let units =
        units(text.get(10..).unwrap_or_default(), currency.exponent()).ok_or_else(refuse)?;
    Ok((units, way, currency))
}

fn way_of(mark: Option<&str>) -> Option<Way> {
    match mark? {
        "C" => Some(Way::In),
        "D" => Some(Way::Out),
        _ => None,
    }
}

fn units(text: &str, decimals: u32) -> Option<u64> {
    Some(AmountReader::new(AmountForm::Comma, decimals).read(text.trim().as_bytes())?.units)
}

fn entry(line: u64, text: &str, decimals: u32) -> Result<(NormalRow, Way), Refusal> {
    let refuse = |what: &str| {
        let why = format!("no {what}, as in 2611211121C47000,NTRFPAY-17//BANK-4");
        Refusal::new(line, ":61:", why)
    };
    let date = text.get(..6).filter(|date| date.bytes().all(|byte| byte.is_ascii_digit()));
    let date = date.ok_or_else(|| refuse("value date"))?;
    let rest = &text[6..];
    let booked = rest.get(..4).is_some_and(|day| day.bytes().all(|byte| byte.is_ascii_digit()));
    let rest = if booked { &rest[4..] } else { rest };
    let (way, rest) = [("RC", Way::Out), ("RD", Way::In), ("C", Way::In), ("D", Way::Out)]
        .into_iter()
        .find_map(|(mark, way)| Some((way, rest.strip_prefix(mark)?)))
        .ok_or_else(|| refuse("C, D, RC or RD"))?;
    let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
    let amount = units(&rest[..end], decimals).ok_or_else(|| refuse("amount with a comma"))?;
    let references = rest.get(end + 4..).ok_or_else(|| refuse("type of four characters"))?;
    let (owner, bank) = references.split_once("//").unwrap_or((references, ""));
    let (owner, bank) = (owner.trim(), bank.trim());
    let identity = if owner.is_empty() || owner == "NONREF" { bank } else { owner };
    let (year, month, day) = (&date[..2], &date[2..4], &date[4..]);
    let row = NormalRow {
        identity: identity.to_owned(),
        time: format!("20{year}-{month}-{day}T00:00:00Z"),
        amount,
        reversed: yes_if(way == Way::Out),
        line,
        bank_reference: bank.to_owned(),
        ..NormalRow::default()
    };
    Ok((row, way))
}

#[cfg(test)]
mod tests;
