//! A statement as CSV: one table, each row named by its section.

use super::Statement;
use crate::money::Signed;
use crate::papers::{PdfError, WorkbookError};

/// Why a statement could not be put into a form.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// The stored text is no statement.
    #[error("read the statement")]
    Text(#[source] serde_json::Error),
    /// The writer failed.
    #[error("write the table")]
    Write(#[from] csv::Error),
    /// The writer's end failed.
    #[error("end the table")]
    End(#[source] std::io::Error),
    /// The pages cannot be made.
    #[error("make the pages")]
    Pdf(#[from] PdfError),
    /// The workbook cannot be made.
    #[error("make the workbook")]
    Workbook(#[from] WorkbookError),
    /// The table is not UTF-8.
    #[error("the table is not UTF-8")]
    Utf8(#[from] std::string::FromUtf8Error),
}

const COLUMNS: [&str; 13] = [
    "operator",
    "day",
    "currency",
    "section",
    "name",
    "detail",
    "passages",
    "amount",
    "fee",
    "net",
    "remark",
    "adjustment",
    "vat",
];

pub(super) fn render(statement: &Statement) -> Result<String, FormError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    let (operator, day) = (statement.operator.to_string(), statement.day.to_string());
    let currency = statement.currency.to_string();
    for row in rows(statement) {
        let start = [operator.as_str(), day.as_str(), currency.as_str()];
        table.write_record(start.into_iter().chain(row.iter().map(String::as_str)))?;
    }
    let bytes = table.into_inner().map_err(|error| FormError::End(error.into_error()))?;
    Ok(String::from_utf8(bytes)?)
}

/// Section, name, detail, passages, amount, fee, net, remark, adjustment, vat.
type Line = [String; 10];

fn line(section: &str, name: String, detail: String, passages: u64, amount: String) -> Line {
    let none = String::new;
    let passages = passages.to_string();
    [section.into(), name, detail, passages, amount, none(), none(), none(), none(), none()]
}

fn rows(statement: &Statement) -> Vec<Line> {
    let none = String::new;
    let units = |amount: domain::Amount| amount.minor_units().to_string();
    let signed = |sum: Signed| sum.minor_units().to_string();
    let mut rows = Vec::new();
    for position in &statement.issuers {
        let name = position.issuer.to_string();
        let mut line = line("issuer", name, none(), position.passages, units(position.gross));
        (line[5], line[6]) = (signed(position.fee), signed(position.net));
        (line[8], line[9]) = (signed(position.adjustment), signed(position.vat));
        rows.push(line);
    }
    let (cash, totals) = (statement.cash, statement.totals);
    let mut of_cash = line("cash", none(), none(), cash.passages, units(cash.amount));
    of_cash[8] = signed(totals.cash_adjustment);
    rows.push(of_cash);
    for one in &statement.adjustments {
        let name = one.issuer.as_ref().map_or_else(none, ToString::to_string);
        let passage = one.passage.as_ref();
        let detail = passage.map_or_else(none, |passage| passage.id.to_string());
        let mut line = line("adjustment", name, detail, 0, none());
        let at = passage.map(|passage| format!(" of {} settled {}", passage.at, passage.day));
        line[7] = format!("{}{}", one.kind, at.unwrap_or_default());
        line[8] = signed(one.amount);
        rows.push(line);
    }
    for traffic in &statement.traffic {
        let group = traffic.group.map_or_else(none, |group| group.to_string());
        let station = traffic.station.to_string();
        rows.push(line("traffic", station, group, traffic.passages, units(traffic.amount)));
    }
    for count in &statement.dispositions {
        rows.push(line("disposition", count.disposition.clone(), none(), count.passages, none()));
    }
    for span in &statement.lanes {
        let numbers = format!("{}-{}", span.first_seq, span.last_seq);
        let mut line = line("lane", span.lane.to_string(), numbers, span.passages, none());
        line[7] = format!("epoch {}", span.epoch);
        rows.push(line);
    }
    for hole in &statement.holes {
        let missing = &hole.decision.hole;
        let numbers = format!("{}-{}", missing.first_seq, missing.last_seq);
        let mut line = line("hole", missing.lane.to_string(), numbers, 0, none());
        line[7] = format!("accepted by {} and {}", hole.maker, hole.checker);
        rows.push(line);
    }
    let mut total = line("total", none(), none(), totals.passages, units(totals.gross));
    (total[5], total[6]) = (signed(totals.fee), signed(totals.net));
    (total[8], total[9]) = (signed(totals.adjustment), signed(totals.vat));
    rows.push(total);
    rows
}
