//! A month's or a year's statement: the signed days of an operator, put together. Pure.
//!
//! It is made of the days' statements and names each with its digest, so it says nothing that was not
//! signed before; the same days always make the same bytes. *Complete*: every day of the period that
//! has money is in it and the period is over.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use domain::signature::{Digest256, Signature};
use domain::{Amount, BusinessDate, Currency, IssuerId, MoneyError, OperatorId, Timestamp};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::sealed::Sealed;
use super::statement::{column, money_cells, money_columns, signatures};
use super::{Both, Cell, PdfError, Sheet, Table, WorkbookError, words};
use crate::money::Signed;
use crate::statement::{Position, Statement, Totals};

/// A calendar month or year, such as `2026-11` or `2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Period {
    /// A month, by its first day.
    Month(BusinessDate),
    /// A year, by its first day.
    Year(BusinessDate),
}

impl Period {
    /// The first day.
    #[must_use]
    pub const fn first(self) -> BusinessDate {
        match self {
            Self::Month(first) | Self::Year(first) => first,
        }
    }

    /// The last day.
    #[must_use]
    pub fn last(self) -> BusinessDate {
        BusinessDate::new(match self {
            Self::Month(first) => first.date().last_of_month(),
            Self::Year(first) => first.date().last_of_year(),
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month(first) => write!(f, "{}", first.date().strftime("%Y-%m")),
            Self::Year(first) => write!(f, "{:04}", first.date().year()),
        }
    }
}

/// Not a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a month such as 2026-11 nor a year such as 2026")]
pub struct NotAPeriod(String);

impl FromStr for Period {
    type Err = NotAPeriod;
    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let wrong = || NotAPeriod(text.chars().take(16).collect());
        let date = |text: &str| text.parse::<Date>().map(BusinessDate::new);
        let period = match text.len() {
            4 => date(&format!("{text}-01-01")).map(Self::Year),
            7 => date(&format!("{text}-01")).map(Self::Month),
            _ => return Err(wrong()),
        };
        period.ok().filter(|period| period.to_string() == text).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Period {
    type Error = NotAPeriod;
    fn try_from(text: String) -> Result<Self, NotAPeriod> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// Which layout a period's statement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "etc/v1/period-statement")]
    V1,
}

/// A day in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    day: BusinessDate,
    /// Of the day's signed text.
    digest: Digest256,
    totals: Totals,
}

/// What an issuer owes for the period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// How many passages.
    pub passages: u64,
    /// Tolls charged to its accounts.
    pub gross: Amount,
    /// What corrections of earlier tolls add to that, or take away.
    pub adjustment: Signed,
    /// What it keeps.
    pub fee: Signed,
    /// The tax on that.
    pub vat: Signed,
    /// What it pays.
    pub net: Signed,
}

impl Sum {
    /// Adds what an issuer owes for a day.
    ///
    /// # Errors
    /// When a sum is past what the books hold.
    pub fn plus(self, position: &Position) -> Result<Self, MoneyError> {
        Ok(Self {
            passages: self.passages + position.passages,
            gross: self.gross.plus(position.gross)?,
            adjustment: self.adjustment.plus(position.adjustment)?,
            fee: self.fee.plus(position.fee)?,
            vat: self.vat.plus(position.vat)?,
            net: self.net.plus(position.net)?,
        })
    }

    /// The columns of money, after the first.
    pub(super) fn cells(&self) -> [Cell; 6] {
        money_cells(self.passages, self.gross, [self.adjustment, self.fee, self.vat, self.net])
    }
}

/// A month or a year of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodStatement {
    format: Format,
    operator: OperatorId,
    operator_name: String,
    period: Period,
    currency: Currency,
    /// When the last of its days was stated.
    issued_at: Timestamp,
    days: Vec<Day>,
    issuers: BTreeMap<IssuerId, Sum>,
    totals: Totals,
}

/// Why a period's statement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PeriodError {
    /// There is nothing to put together.
    #[error("no day of {0} is closed")]
    NoDays(Period),
    /// A sum is past what the books hold.
    #[error("sum the days")]
    Money(#[from] MoneyError),
    /// It could not be written.
    #[error("write the statement")]
    Text(#[from] serde_json::Error),
}

impl PeriodStatement {
    /// Puts days together, each with the digest of its signed text, in order.
    ///
    /// # Errors
    /// When there are none, or a sum is past what the books hold.
    pub fn try_new(period: Period, days: &[(Digest256, Statement)]) -> Result<Self, PeriodError> {
        let (_, last) = days.last().ok_or(PeriodError::NoDays(period))?;
        let mut issuers: BTreeMap<IssuerId, Sum> = BTreeMap::new();
        let mut totals = Totals::default();
        for (_, day) in days {
            for position in &day.issuers {
                let sum = issuers.entry(position.issuer.clone()).or_default();
                *sum = sum.plus(position)?;
            }
            totals = add(totals, day.totals)?;
        }
        Ok(Self {
            format: Format::V1,
            operator: last.operator.clone(),
            operator_name: last.operator_name.clone(),
            period,
            currency: last.currency,
            issued_at: last.issued_at,
            days: days
                .iter()
                .map(|(digest, day)| Day { day: day.day, digest: *digest, totals: day.totals })
                .collect(),
            issuers,
            totals,
        })
    }

    /// What it comes to.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The currency of every amount.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// Whose, and of when.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} for {}", self.operator, self.period)
    }

    /// The last of its days.
    #[must_use]
    pub fn last_day(&self) -> Option<BusinessDate> {
        self.days.last().map(|day| day.day)
    }

    fn sheet(&self, digest: Digest256, signature: &Signature) -> Sheet {
        let net = self.totals.net;
        let title = match self.period {
            Period::Month(_) => Both(
                "BẢNG KÊ THANH TOÁN PHÍ ĐƯỜNG BỘ THEO THÁNG",
                "MONTHLY TOLL SETTLEMENT STATEMENT",
            ),
            Period::Year(_) => {
                Both("BẢNG KÊ THANH TOÁN PHÍ ĐƯỜNG BỘ THEO NĂM", "YEARLY TOLL SETTLEMENT STATEMENT")
            }
        };
        let operator = format!("{} ({})", self.operator_name, self.operator);
        Sheet {
            title,
            facts: vec![
                (Both("Đơn vị khai thác", "Operator"), operator),
                (Both("Kỳ quyết toán", "Period"), self.period.to_string()),
                (Both("Số ngày", "Days"), self.days.len().to_string()),
                (Both("Lập lúc (UTC)", "Issued at (UTC)"), self.issued_at.to_string()),
                (Both("Đơn vị tiền", "Currency"), self.currency.to_string()),
            ],
            tables: vec![self.by_issuer(), self.by_day(), self.digests()],
            words: [words::vietnamese(net, self.currency), words::english(net, self.currency)],
            notes: Vec::new(),
            signatures: signatures(),
            digest: digest.to_string(),
            signature: signature.to_text(),
            made_at: self.issued_at,
        }
    }

    fn by_issuer(&self) -> Table {
        let row = |(issuer, sum): (&IssuerId, &Sum)| {
            std::iter::once(Cell::text(issuer)).chain(sum.cells()).collect()
        };
        Table {
            title: Both("1. Phải thu từ nhà cung cấp dịch vụ", "Due from issuers"),
            columns: money_columns(column("Nhà cung cấp", "Issuer", 16)),
            rows: self.issuers.iter().map(row).collect(),
            total: None,
        }
    }

    fn by_day(&self) -> Table {
        Table {
            title: Both("2. Theo ngày, kể cả tiền mặt trong số lượt", "By day, passages with cash"),
            columns: money_columns(column("Ngày", "Day", 16)),
            rows: self.days.iter().map(|day| totals_row(day.day.to_string(), day.totals)).collect(),
            total: Some(totals_row("Cộng / Total".to_owned(), self.totals)),
        }
    }

    fn digests(&self) -> Table {
        let row = |day: &Day| vec![Cell::text(&day.day), Cell::text(&day.digest)];
        Table {
            title: Both("3. Bảng kê ngày đã ký", "The signed days"),
            columns: vec![column("Ngày", "Day", 16), column("SHA-256", "SHA-256", 84)],
            rows: self.days.iter().map(row).collect(),
            total: None,
        }
    }
}

fn totals_row(name: String, totals: Totals) -> Vec<Cell> {
    let Totals { passages, gross, adjustment, fee, vat, net, .. } = totals;
    let money = money_cells(passages, gross, [adjustment, fee, vat, net]);
    std::iter::once(Cell::Text(name)).chain(money).collect()
}

fn add(a: Totals, b: Totals) -> Result<Totals, MoneyError> {
    Ok(Totals {
        passages: a.passages + b.passages,
        gross: a.gross.plus(b.gross)?,
        adjustment: a.adjustment.plus(b.adjustment)?,
        fee: a.fee.plus(b.fee)?,
        vat: a.vat.plus(b.vat)?,
        net: a.net.plus(b.net)?,
        cash: a.cash.plus(b.cash)?,
        cash_adjustment: a.cash_adjustment.plus(b.cash_adjustment)?,
    })
}

/// A period's statement with the bytes that were signed.
pub type PeriodPaper = Sealed<PeriodStatement>;

impl PeriodPaper {
    fn sheet(&self) -> Result<Sheet, serde_json::Error> {
        Ok(self.read()?.sheet(self.digest(), self.signature()))
    }

    /// As a page that finance files.
    ///
    /// # Errors
    /// When the pages cannot be made.
    pub fn pdf(&self) -> Result<Vec<u8>, PdfError> {
        super::pdf::render(&self.sheet().map_err(PdfError::Text)?, &self.to_json())
    }

    /// As a workbook.
    ///
    /// # Errors
    /// When the workbook cannot be made.
    pub fn xlsx(&self) -> Result<Vec<u8>, WorkbookError> {
        super::xlsx::render(&self.sheet().map_err(WorkbookError::Text)?)
    }

    /// As one table, a row a day.
    ///
    /// # Errors
    /// When the text is no statement.
    pub fn csv(&self) -> Result<String, serde_json::Error> {
        let statement = self.read()?;
        let mut table =
            "operator,period,day,currency,passages,gross,adjustment,fee,vat,net,cash,digest\n"
                .to_owned();
        for Day { day, digest, totals } in &statement.days {
            let row = [
                statement.operator.to_string(),
                statement.period.to_string(),
                day.to_string(),
                statement.currency.to_string(),
                totals.passages.to_string(),
                totals.gross.minor_units().to_string(),
                totals.adjustment.minor_units().to_string(),
                totals.fee.minor_units().to_string(),
                totals.vat.minor_units().to_string(),
                totals.net.minor_units().to_string(),
                totals.cash.minor_units().to_string(),
                digest.to_string(),
            ];
            table.push_str(&row.join(","));
            table.push('\n');
        }
        Ok(table)
    }
}
