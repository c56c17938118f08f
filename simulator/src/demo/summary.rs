//! The end of a run, for a person to read.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use super::report::Report;
use super::text::{grouped, percentiles};

/// A report as a page of text.
#[derive(Debug)]
pub struct Summary<'a>(pub &'a Report);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        writeln!(f, "\nvehicles     {}", grouped(report.vehicles))?;
        if let Some(traffic) = report.traffic {
            let (rows, bad) = (grouped(traffic.rows as u64), grouped(traffic.bad_rows as u64));
            writeln!(f, "recording    {rows} rows replayed, {bad} skipped")?;
        }
        counts(f, "crossings", &report.crossings)?;
        counts(f, "passages", &report.passages)?;
        counts(f, "exceptions", &report.exceptions)?;
        self.tolls(f)?;
        self.latencies(f)?;
        self.ledger(f)?;
        self.settlement(f)?;
        self.restarts(f)?;
        self.problems(f)
    }
}

impl Summary<'_> {
    fn tolls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\ntolls        {:<16} {:>14} {:>14} {:>10}",
            "operator", "VND", "of it cash", "passages"
        )?;
        for toll in &self.0.tolls {
            writeln!(
                f,
                "             {:<16} {:>14} {:>14} {:>10}",
                toll.operator.as_str(),
                grouped(toll.amount_vnd),
                grouped(toll.cash_vnd),
                grouped(toll.passages)
            )?;
        }
        Ok(())
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latency = &self.0.latency_us;
        writeln!(f, "\nlatency      from a tag's last byte, in real time")?;
        writeln!(f, "  decision   {}", percentiles(&latency.read_to_decision))?;
        writeln!(f, "  open       {}", percentiles(&latency.read_to_open))?;
        writeln!(f, "  posted     {}", percentiles(&latency.read_to_posted))
    }

    fn ledger(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = &self.0.ledger;
        writeln!(
            f,
            "\nledger       {} entries sum to {}; {} balances checked, {} differ",
            grouped(ledger.entries),
            ledger.sum,
            grouped(ledger.accounts_checked),
            grouped(ledger.mismatches)
        )
    }

    fn settlement(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nsettlement   {:<16} {:<11} {:<7} {:>14} {:>14} {:>12} {:>14}",
            "operator", "day", "state", "accounts VND", "cash VND", "fee VND", "to be paid"
        )?;
        for line in &self.0.settlement {
            writeln!(
                f,
                "             {:<16} {:<11} {:<7} {:>14} {:>14} {:>12} {:>14}",
                line.operator.as_str(),
                line.day,
                line.state,
                grouped(line.gross_vnd),
                grouped(line.cash_vnd),
                grouped(line.fee_vnd),
                grouped(line.net_vnd)
            )?;
            if let Some(statement) = &line.statement {
                writeln!(f, "             statement {statement}")?;
            }
        }
        Ok(())
    }

    fn restarts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.restarts.is_empty() {
            return Ok(());
        }
        write!(f, "\nrestarted   ")?;
        for (server, times) in &self.0.restarts {
            write!(f, " {server} ×{times}")?;
        }
        writeln!(f)
    }

    fn problems(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.problems.is_empty() {
            return writeln!(f, "\nall is well  the books agree with what happened on the road");
        }
        writeln!(f, "\nWRONG        {} things:", self.0.problems.len())?;
        for problem in &self.0.problems {
            writeln!(f, "  - {problem}")?;
        }
        Ok(())
    }
}

fn counts(f: &mut fmt::Formatter<'_>, title: &str, of: &BTreeMap<String, u64>) -> fmt::Result {
    write!(f, "{title:<12}")?;
    if of.values().all(|n| *n == 0) {
        write!(f, " none")?;
    }
    for (index, (name, n)) in of.iter().filter(|(_, n)| **n > 0).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(f, "{comma} {} {name}", grouped(*n))?;
    }
    writeln!(f)
}
