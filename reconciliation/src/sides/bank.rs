//! A bank's statement as bookings of payments: what the issuer's bank shows of what it was told to pay.
//!
//! It is the statement of the account that pays, so money that went is a payment and money that came
//! is one that came back. What comes in under a name that the bank itself gave is something else, and
//! is counted only. Deliberately absent: matching statements with files of our own, which `matching`
//! does.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use domain::{Amount, BusinessDate, Currency};

use super::form::{BYTES_MAX, Form, FormError, Read, Refusal, read_form};
use super::normal::NormalRow;
use crate::payment::{Booking, BookingKind};

/// What a statement shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The bookings, each with its line.
    pub bookings: Vec<(u64, Booking)>,
    /// How many lines are about something else.
    pub others: u64,
}

/// Reads a bank's statement.
///
/// # Errors
/// When it is not of its form, is in another currency, or a line lacks what a booking needs.
pub fn statement(form: Form, path: &Path, currency: Currency) -> Result<Statement, FormError> {
    let disk = |doing| move |source| FormError::Disk { path: path.to_owned(), doing, source };
    let file = File::open(path).map_err(disk("open it"))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(disk("read it"))?;
    let len = bytes.len() as u64;
    if len > BYTES_MAX {
        return Err(FormError::Large { path: path.to_owned(), len });
    }
    let refused = |Refusal { line, field, why }| {
        let path = path.to_owned();
        FormError::Refused { path, line, field, why }
    };
    let Read { currency: of_file, rows } = read_form(form, &bytes).map_err(refused)?;
    if let Some(other) = of_file.filter(|of_file| *of_file != currency) {
        let why = format!("it is in {other}, and the payments are in {currency}");
        return Err(refused(Refusal::new(1, "currency", why)));
    }
    let mut statement = Statement { bookings: Vec::new(), others: 0 };
    for row in &rows {
        match booking(row).map_err(refused)? {
            Some(booking) => statement.bookings.push((row.line, booking)),
            None => statement.others += 1,
        }
    }
    Ok(statement)
}

fn booking(row: &NormalRow) -> Result<Option<Booking>, Refusal> {
    let NormalRow { identity, bank_reference, line, .. } = row;
    let kind = if row.reversed.is_empty() { BookingKind::Returned } else { BookingKind::Paid };
    let is_named = identity != bank_reference && !identity.is_empty();
    if kind == BookingKind::Returned && !is_named {
        return Ok(None);
    }
    let refuse = |field, why: &str| Refusal::new(*line, field, why);
    if bank_reference.is_empty() {
        return Err(refuse(
            "reference",
            "the bank's own reference is missing: it says what is new",
        ));
    }
    let units = i64::try_from(row.amount).ok().and_then(|units| Amount::try_new(units).ok());
    let amount = units.filter(|amount| !amount.is_zero());
    let booked_on: Option<BusinessDate> = row.time.get(..10).and_then(|date| date.parse().ok());
    Ok(Some(Booking {
        // What the payer gave; the bank writes something of its own where that was nothing.
        end_to_end: if is_named { identity.clone() } else { "NOTPROVIDED".to_owned() },
        kind,
        amount: amount.ok_or_else(|| refuse("amount", "not a sum that the books can hold"))?,
        booked_on: booked_on.ok_or_else(|| refuse("date", "not a date such as 2026-11-22"))?,
        bank_reference: bank_reference.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(form: Form, text: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("statement");
        fs::write(&path, text).unwrap();
        let statement = statement(form, &path, Currency::VND)
            .map_err(|error| error.to_string().rsplit('/').next().unwrap_or_default().to_owned())?;
        let told = |(line, one): &(u64, Booking)| {
            let Booking { end_to_end, kind, amount, booked_on, bank_reference } = one;
            format!("{line} {end_to_end} {} {amount} {booked_on} {bank_reference}", kind.name())
        };
        let mut lines: Vec<String> = statement.bookings.iter().map(told).collect();
        lines.push(format!("{} others", statement.others));
        Ok(lines)
    }

    #[test]
    fn an_mt940_of_the_paying_account_shows_what_went_what_came_back_and_what_is_neither() {
        let text = ":20:X\n:60F:C261121VND1000,\n:61:2611221122D600,NTRFETC1-0001//B1\n\
                    :61:261122C100,NTRFETC1-0001//B2\n:61:261122D30,NTRFNONREF//B3\n\
                    :61:261122C900,NTRFNONREF//B4\n:62F:C261122VND1370,\n";
        let expected = [
            "3 ETC1-0001 paid 600 2026-11-22 B1",
            "4 ETC1-0001 returned 100 2026-11-22 B2",
            "5 NOTPROVIDED paid 30 2026-11-22 B3",
            "1 others",
        ];
        assert_eq!(read(Form::Mt940, text).unwrap(), expected);
    }

    #[test]
    fn a_camt053_names_the_payment_and_keeps_the_banks_reference() {
        let text = "<Document><BkToCstmrStmt><Stmt><Ntry><Amt Ccy=\"VND\">600</Amt>\
            <CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-11-22</Dt></BookgDt>\
            <AcctSvcrRef>B1</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>ETC1-0001</EndToEndId>\
            </Refs></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>";
        let expected = ["1 ETC1-0001 paid 600 2026-11-22 B1", "0 others"];
        assert_eq!(read(Form::Camt053, text).unwrap(), expected);
        let refused = read(Form::Camt053, &text.replace("<AcctSvcrRef>B1</AcctSvcrRef>", ""));
        let refused = refused.unwrap_err();
        assert!(refused.starts_with("statement line 1, reference: the bank's own"), "{refused}");
    }
}
