//! The issuers' banks: they pay what they are told, on bank days, and some of it wrongly.

use std::fmt::Write as _;

use reconciliation::sides::Form;

use super::truth::{bank_day, date_of};
use super::world::ISSUERS;

/// What a bank does with a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// What it was told.
    Right,
    /// Less, and the rest later.
    Short,
    /// Twice; one comes back.
    Twice,
    /// Six bank days later.
    Late,
    /// Under a name that nobody knows.
    Unnamed,
    /// It comes back whole, and is ordered again.
    Back,
    /// A half comes back, and goes again.
    HalfBack,
}

const IN_TURN: [Does; 12] = [
    Does::Right,
    Does::Short,
    Does::Right,
    Does::Twice,
    Does::Right,
    Does::Late,
    Does::Right,
    Does::Unnamed,
    Does::Right,
    Does::Back,
    Does::Right,
    Does::HalfBack,
];

/// A line of the account that pays.
#[derive(Debug, Clone)]
struct Line {
    on: i64,
    named: String,
    is_paid: bool,
    amount: i64,
    reference: String,
}

/// A case that what a bank does must lead to.
#[derive(Debug)]
pub(crate) struct Planted {
    pub kind: &'static str,
    pub subject: String,
}

/// A bank of one issuer.
#[derive(Debug)]
pub(crate) struct Bank {
    issuer: usize,
    lines: Vec<Line>,
    orders: usize,
    references: u32,
}

impl Bank {
    pub(crate) fn new(issuer: usize) -> Self {
        // Each begins elsewhere in the turns.
        Self { issuer, lines: Vec::new(), orders: issuer * 5, references: 0 }
    }

    fn line(&mut self, on: i64, named: &str, is_paid: bool, amount: i64) -> String {
        self.references += 1;
        let reference = format!("B{}", self.references);
        let (named, kept) = (named.to_owned(), reference.clone());
        self.lines.push(Line { on, named, is_paid, amount, reference });
        kept
    }

    /// Is told to pay; says what will be wrong with it.
    pub(crate) fn order(
        &mut self,
        end_to_end: &str,
        amount: i64,
        execute_on: i64,
        may_err: bool,
    ) -> Option<Planted> {
        let mut does = Does::Right;
        if may_err {
            does = IN_TURN[self.orders % IN_TURN.len()];
            self.orders += 1;
        }
        let on = bank_day(execute_on, 0);
        let half = amount / 2;
        let of = |line: String| format!("{end_to_end} {line}");
        let (kind, subject) = match does {
            Does::Right => {
                self.line(on, end_to_end, true, amount);
                return None;
            }
            Does::Short => {
                let first = self.line(on, end_to_end, true, amount - half);
                self.line(bank_day(on, 3), end_to_end, true, half);
                ("bank-short", of(first))
            }
            Does::Twice => {
                self.line(on, end_to_end, true, amount);
                let second = self.line(on, end_to_end, true, amount);
                self.line(bank_day(on, 2), end_to_end, false, amount);
                ("bank-over", of(second))
            }
            Does::Late => {
                self.line(bank_day(on, 6), end_to_end, true, amount);
                ("bank-late", end_to_end.to_owned())
            }
            Does::Unnamed => {
                let line = self.line(on, "PHI DUONG BO", true, amount);
                ("bank-unknown", format!("{} {line}", ISSUERS[self.issuer]))
            }
            Does::Back => {
                self.line(on, end_to_end, true, amount);
                ("bank-returned", of(self.line(bank_day(on, 2), end_to_end, false, amount)))
            }
            Does::HalfBack => {
                self.line(on, end_to_end, true, amount);
                let back = self.line(bank_day(on, 2), end_to_end, false, half);
                self.line(bank_day(on, 4), end_to_end, true, half);
                ("bank-short", of(back))
            }
        };
        Some(Planted { kind, subject })
    }

    /// The statement of a date, in the bank's own form; none where nothing moved.
    pub(crate) fn statement(&mut self, date: i64) -> Option<(Form, String)> {
        let (of_date, later) = self.lines.drain(..).partition(|line| line.on == date);
        self.lines = later;
        let of_date: Vec<Line> = of_date;
        if of_date.is_empty() {
            return None;
        }
        Some(match self.issuer {
            0 => (Form::Mt940, mt940(date, &of_date)),
            _ => (Form::Camt053, camt053(date, &of_date)),
        })
    }
}

fn mt940(date: i64, lines: &[Line]) -> String {
    let date = date_of(date).replace('-', "");
    let (day, mut balance) = (&date[2..], 50_000_000_000);
    let mut text = format!(":20:S{day}\n:25:100200300\n:60F:C{day}VND{balance},\n");
    for Line { named, is_paid, amount, reference, .. } in lines {
        let way = if *is_paid { 'D' } else { 'C' };
        balance += if *is_paid { -amount } else { *amount };
        writeln!(text, ":61:{day}{way}{amount},NTRF{named}//{reference}").unwrap();
    }
    writeln!(text, ":62F:C{day}VND{balance},").unwrap();
    text
}

fn camt053(date: i64, lines: &[Line]) -> String {
    let date = date_of(date);
    let mut text = "<Document><BkToCstmrStmt><Stmt>\n".to_owned();
    for Line { named, is_paid, amount, reference, .. } in lines {
        let way = if *is_paid { "DBIT" } else { "CRDT" };
        writeln!(
            text,
            "<Ntry><Amt Ccy=\"VND\">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd><Sts>BOOK</Sts>\
             <BookgDt><Dt>{date}</Dt></BookgDt><AcctSvcrRef>{reference}</AcctSvcrRef><NtryDtls><TxDtls>\
             <Refs><EndToEndId>{named}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"
        )
        .unwrap();
    }
    text + "</Stmt></BkToCstmrStmt></Document>\n"
}
