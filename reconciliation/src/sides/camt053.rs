//! A bank's statement as ISO 20022 camt.053. Pure.
//!
//! Of each statement (`Stmt`) the booked entries (`Ntry`, `Sts` `BOOK`) are taken; one that is only
//! announced (`PDNG`, `INFO`) is no money yet. An entry with several transactions (`TxDtls`) is as
//! many rows, whose amounts must come to the entry's. A row's identity is `EndToEndId`, or the
//! bank's own reference where the payer gave none (`NOTPROVIDED`). `CdtDbtInd` says which way the
//! money went, for a reversal as well. Where the statement has the balances `OPBD` (or `PRCD`) and
//! `CLBD`, the entries must lead from one to the other.

use domain::Currency;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::balance::{Balance, Way};
use super::form::{Read, Refusal, text_of};
use super::mapping::AmountForm;
use super::normal::{NormalRow, yes_if};
use super::value::AmountReader;

/// No statement is nested deeper.
const DEPTH_MAX: usize = 32;

pub(super) fn read(bytes: &[u8]) -> Result<Read, Refusal> {
    let text = text_of(bytes);
    let mut reader = Reader::from_str(&text);
    let mut walk = Walk::default();
    let mut counted = 0;
    walk.line = 1;
    loop {
        let event = reader.read_event();
        let here = usize::try_from(reader.buffer_position()).unwrap_or(text.len()).min(text.len());
        let passed = &text.as_bytes()[counted..here];
        walk.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        counted = here;
        match event.map_err(|error| walk.refuse("XML", error.to_string()))? {
            Event::Start(start) => walk.open(&start)?,
            Event::End(_) => walk.close()?,
            Event::Text(text) => walk.text.push_str(text.xml10_content().trim()),
            Event::GeneralRef(_) | Event::CData(_) => walk.has_entity = true,
            Event::DocType(_) => {
                return Err(walk.refuse("XML", "a document type has no place in camt.053"));
            }
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if !walk.path.is_empty() => {
                return Err(walk.refuse("XML", "the file is cut: elements are still open"));
            }
            Event::Eof if walk.statements == 0 => {
                return Err(walk.refuse("Stmt", "no statement; is this camt.053?"));
            }
            Event::Eof => return Ok(Read { currency: walk.currency, rows: walk.rows }),
        }
    }
}

/// An amount with its currency's decimals, and which way it went, as far as they are read.
#[derive(Debug, Default, Clone, Copy)]
struct Moved {
    units: Option<u64>,
    way: Option<Way>,
}

#[derive(Debug, Default)]
struct Entry {
    moved: Moved,
    is_booked: bool,
    day: String,
    reference: String,
    transactions: Vec<Transaction>,
    line: u64,
}

#[derive(Debug, Default)]
struct Transaction {
    moved: Moved,
    end_to_end: String,
    reference: String,
    line: u64,
}

/// Where the reader is, and what it has read of the statement it is in.
#[derive(Debug, Default)]
struct Walk {
    line: u64,
    path: Vec<String>,
    text: String,
    has_entity: bool,
    currency: Option<Currency>,
    code: String,
    balance_moved: Moved,
    balance: Balance,
    closing: Option<(u64, Way)>,
    entry: Entry,
    statements: u64,
    rows: Vec<NormalRow>,
}

impl Walk {
    fn refuse(&self, field: &'static str, why: impl Into<String>) -> Refusal {
        Refusal::new(self.line, field, why)
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Refusal> {
        if self.path.len() == DEPTH_MAX {
            return Err(self.refuse("XML", "nested deeper than a statement is"));
        }
        let name = start.local_name().into_inner().to_owned();
        match name.as_str() {
            "Stmt" => (self.balance, self.closing) = (Balance::default(), None),
            "Bal" => (self.code, self.balance_moved) = (String::new(), Moved::default()),
            "Ntry" => self.entry = Entry { line: self.line, ..Entry::default() },
            "TxDtls" => {
                let line = self.line;
                self.entry.transactions.push(Transaction { line, ..Transaction::default() });
            }
            _ => {}
        }
        if name == "Amt" {
            let currency =
                start.attributes().flatten().find(|attribute| attribute.key.as_ref() == "Ccy");
            if let Some(currency) = currency {
                self.take_currency(&currency.value)?;
            }
        }
        self.path.push(name);
        self.text.clear();
        self.has_entity = false;
        Ok(())
    }

    fn take_currency(&mut self, code: &str) -> Result<(), Refusal> {
        let currency =
            code.parse().map_err(|_bad| self.refuse("Ccy", format!("{code:?} is no currency")))?;
        match self.currency {
            Some(known) if known != currency => {
                Err(self.refuse("Ccy", format!("{currency} among {known}: one currency a file")))
            }
            _ => {
                self.currency = Some(currency);
                Ok(())
            }
        }
    }

    fn close(&mut self) -> Result<(), Refusal> {
        let from =
            self.path.iter().position(|name| name == "Stmt").map_or(self.path.len(), |at| at + 1);
        let inside: Vec<String> = self.path.drain(from..).collect();
        let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
        self.element(&inside)?;
        self.path.extend(inside.iter().map(|name| (*name).to_owned()));
        if self.path.pop().as_deref() == Some("Stmt") {
            self.statement_ends()?;
        }
        self.text.clear();
        Ok(())
    }

    /// An element of a statement ends; `inside` is its path from there.
    fn element(&mut self, inside: &[&str]) -> Result<(), Refusal> {
        match inside {
            ["Bal", "Tp", "CdOrPrtry", "Cd"] => self.code = self.said()?,
            ["Bal", "Amt"] => self.balance_moved.units = Some(self.units()?),
            ["Bal", "CdtDbtInd"] => self.balance_moved.way = Some(self.way()?),
            ["Bal"] => self.balance_ends()?,
            ["Ntry", "Amt"] => self.entry.moved.units = Some(self.units()?),
            ["Ntry", "CdtDbtInd"] => self.entry.moved.way = Some(self.way()?),
            ["Ntry", "Sts"] | ["Ntry", "Sts", "Cd"] if !self.text.is_empty() => {
                self.entry.is_booked = self.said()? == "BOOK";
            }
            ["Ntry", "BookgDt", "Dt" | "DtTm"] => self.entry.day = self.said()?,
            ["Ntry", "AcctSvcrRef"] => self.entry.reference = self.said()?,
            ["Ntry"] => self.entry_ends()?,
            ["Ntry", "NtryDtls", "TxDtls", rest @ ..] if !rest.is_empty() => {
                self.transaction(rest)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// An element of a transaction ends; `inside` is its path from there.
    fn transaction(&mut self, inside: &[&str]) -> Result<(), Refusal> {
        let mut read = Transaction::default();
        match inside {
            ["Refs", "EndToEndId"] => read.end_to_end = self.said()?,
            ["Refs", "AcctSvcrRef"] => read.reference = self.said()?,
            ["Amt"] | ["AmtDtls", "TxAmt", "Amt"] => read.moved.units = Some(self.units()?),
            ["CdtDbtInd"] => read.moved.way = Some(self.way()?),
            _ => {}
        }
        if let Some(transaction) = self.entry.transactions.last_mut() {
            transaction.end_to_end += &read.end_to_end;
            transaction.reference += &read.reference;
            // The transaction's own amount is said before that of its details.
            transaction.moved.units = transaction.moved.units.or(read.moved.units);
            transaction.moved.way = transaction.moved.way.or(read.moved.way);
        }
        Ok(())
    }

    fn said(&mut self) -> Result<String, Refusal> {
        if self.has_entity {
            return Err(self.refuse("XML", "plain text is needed where it counts, no entities"));
        }
        Ok(std::mem::take(&mut self.text))
    }

    fn units(&mut self) -> Result<u64, Refusal> {
        let text = self.said()?;
        let decimals = self.currency.map_or(2, Currency::exponent);
        let reader = AmountReader::new(AmountForm::Point, decimals);
        let worth = reader.read(text.as_bytes()).filter(|worth| !worth.negative);
        let units = worth.map(|worth| worth.units);
        units.ok_or_else(|| self.refuse("Amt", format!("{text:?} is not {}", reader.wanted())))
    }

    fn way(&mut self) -> Result<Way, Refusal> {
        let text = self.said()?;
        match text.as_str() {
            "CRDT" => Ok(Way::In),
            "DBIT" => Ok(Way::Out),
            _ => Err(self.refuse("CdtDbtInd", format!("{text:?} is neither CRDT nor DBIT"))),
        }
    }

    fn whole(&self, moved: Moved, field: &'static str) -> Result<(u64, Way), Refusal> {
        let whole = moved.units.zip(moved.way);
        whole.ok_or_else(|| self.refuse(field, "Amt or CdtDbtInd is missing"))
    }

    fn balance_ends(&mut self) -> Result<(), Refusal> {
        let (units, way) = self.whole(self.balance_moved, "Bal")?;
        match self.code.as_str() {
            "OPBD" | "PRCD" => self.balance.open(units, way),
            "CLBD" => self.closing = Some((units, way)),
            _ => {}
        }
        Ok(())
    }

    fn entry_ends(&mut self) -> Result<(), Refusal> {
        let entry = std::mem::take(&mut self.entry);
        if !entry.is_booked {
            return Ok(());
        }
        let (units, way) = self.whole(entry.moved, "Ntry")?;
        self.balance.entry(units, way);
        let row = |(identity, bank): (&str, &str), units, way, line| NormalRow {
            identity: identity.to_owned(),
            bank_reference: bank.to_owned(),
            time: if entry.day.len() == 10 {
                entry.day.clone() + "T00:00:00Z"
            } else {
                entry.day.clone()
            },
            amount: units,
            reversed: yes_if(way == Way::Out),
            line,
            ..NormalRow::default()
        };
        let given = |text: &str| !text.is_empty() && text != "NOTPROVIDED";
        let several = entry.transactions.len() > 1;
        let mut parts = 0_i128;
        for Transaction { moved, end_to_end, reference, line } in &entry.transactions {
            let part = match moved.units {
                Some(part) => part,
                None if several => {
                    let why = "an entry of several transactions says the amount of each";
                    return Err(Refusal::new(*line, "TxDtls", why));
                }
                None => units,
            };
            let part_way = moved.way.unwrap_or(way);
            parts += super::balance::signed(part, part_way);
            let first = |names: &[&String]| {
                names
                    .iter()
                    .find(|name| given(name))
                    .map_or_else(String::new, |name| (*name).clone())
            };
            let bank = first(&[reference, &entry.reference]);
            let identity = first(&[end_to_end, &bank]);
            self.rows.push(row((&identity, &bank), part, part_way, *line));
        }
        if entry.transactions.is_empty() {
            let bank = entry.reference.as_str();
            self.rows.push(row((bank, bank), units, way, entry.line));
        } else if parts != super::balance::signed(units, way) {
            let why = format!("its transactions come to {parts}, and the entry to {units}");
            return Err(self.refuse("Ntry", why));
        }
        Ok(())
    }

    fn statement_ends(&mut self) -> Result<(), Refusal> {
        self.statements += 1;
        match self.closing.take() {
            None => Ok(()),
            Some((units, way)) => {
                self.balance.close(units, way).map_err(|why| self.refuse("CLBD", why))
            }
        }
    }
}

#[cfg(test)]
mod tests;
