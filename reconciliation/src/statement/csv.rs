//! A statement as CSV: one table, each row named by its section.

use super::Statement;

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
    /// The table is not UTF-8.
    #[error("the table is not UTF-8")]
    Utf8(#[from] std::string::FromUtf8Error),
}

const COLUMNS: [&str; 11] = [
    "operator", "day", "currency", "section", "name", "detail", "passages", "amount", "fee", "net",
    "remark",
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

/// Section, name, detail, passages, amount, fee, net, remark.
fn rows(statement: &Statement) -> Vec<[String; 8]> {
    let none = String::new;
    let row = |section: &str, name: String, detail: String, passages: u64, amount: String| {
        [section.into(), name, detail, passages.to_string(), amount, none(), none(), none()]
    };
    let units = |amount: domain::Amount| amount.minor_units().to_string();
    let mut rows = Vec::new();
    for position in &statement.issuers {
        let name = position.issuer.to_string();
        let mut line = row("issuer", name, none(), position.passages, units(position.gross));
        (line[5], line[6]) = (units(position.fee), units(position.net));
        rows.push(line);
    }
    let cash = statement.cash;
    rows.push(row("cash", none(), none(), cash.passages, units(cash.amount)));
    for traffic in &statement.traffic {
        let group = traffic.group.map_or_else(none, |group| group.to_string());
        let station = traffic.station.to_string();
        rows.push(row("traffic", station, group, traffic.passages, units(traffic.amount)));
    }
    for count in &statement.dispositions {
        let name = count.disposition.clone();
        rows.push(row("disposition", name, none(), count.passages, none()));
    }
    for span in &statement.lanes {
        let numbers = format!("{}-{}", span.first_seq, span.last_seq);
        let mut line = row("lane", span.lane.to_string(), numbers, span.passages, none());
        line[7] = format!("epoch {}", span.epoch);
        rows.push(line);
    }
    let totals = statement.totals;
    let mut line = row("total", none(), none(), totals.passages, units(totals.gross));
    (line[5], line[6]) = (units(totals.fee), units(totals.net));
    rows.push(line);
    rows
}
