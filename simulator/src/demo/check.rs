//! Whether a run did what it should: the books against the truth.
//!
//! The truth is what the simulated road wrote alone; the books are what the centre made of what
//! the lanes told it. Every difference is a line that a person can follow up.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use domain::OperatorId;

use super::books::{Books, VerifyReport};
use crate::truth::TruthLine;
use crate::world::Progress;

/// What the truth comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TruthTotals {
    /// Crossings.
    pub crossings: u64,
    /// Fares by operator.
    pub fares_vnd: BTreeMap<OperatorId, i64>,
}

impl TruthTotals {
    /// Adds up a truth file.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is none of the truth's.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut totals = Self::default();
        for line in BufReader::new(File::open(path)?).lines() {
            let line: TruthLine = serde_json::from_str(&line?)?;
            totals.crossings += 1;
            *totals.fares_vnd.entry(line.operator).or_default() += line.fare_vnd.minor_units();
        }
        Ok(totals)
    }
}

/// Every way in which the run went wrong; none when all is well.
#[must_use]
pub fn problems(progress: &Progress, truth: &TruthTotals, books: &Books) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |holds: bool, what: String| {
        if !holds {
            problems.push(what);
        }
    };
    let (done, vehicles) = (progress.vehicles_done, progress.vehicles);
    expect(done == vehicles, format!("{done} of {vehicles} vehicles finished their journey"));
    expect(progress.struck == 0, format!("an arm came down on {} vehicles", progress.struck));
    let (crossed, written) = (progress.crossed, truth.crossings);
    expect(crossed == written, format!("{crossed} crossings, and {written} lines of truth"));
    for lane in &books.centre.lanes {
        let accounted = lane.posted + lane.rejected;
        expect(
            lane.pending == 0 && accounted == lane.last_seq,
            format!(
                "lane {}/{}/{}: {accounted} of {} passages accounted for, {} pending",
                lane.operator, lane.station, lane.lane, lane.last_seq, lane.pending
            ),
        );
    }
    let ledger = &books.centre.ledger;
    expect(ledger.sum == 0, format!("the ledger's entries sum to {}", ledger.sum));
    let mismatches = ledger.mismatches;
    expect(mismatches == 0, format!("{mismatches} balances differ from their entries"));
    let owed: BTreeMap<&OperatorId, i64> =
        books.centre.tolls.iter().map(|toll| (&toll.operator, toll.amount_vnd)).collect();
    let operators = truth.fares_vnd.keys().chain(owed.keys().copied());
    let operators: std::collections::BTreeSet<&OperatorId> = operators.collect();
    for operator in operators {
        let due = truth.fares_vnd.get(operator).copied().unwrap_or_default();
        let booked = owed.get(operator).copied().unwrap_or_default();
        expect(
            due == booked,
            format!(
                "{operator}: {booked} VND in the books, {due} by the truth ({:+})",
                booked - due
            ),
        );
    }
    let closed = books.settlement.settlement.iter().all(|line| line.statement.is_some());
    expect(closed, "a settlement day has no statement".to_owned());
    let any = !books.settlement.settlement.is_empty();
    expect(any || truth.crossings == 0, "no settlement day was closed".to_owned());
    problems.extend(broken("clearing-house verify", &books.centre_verified));
    problems.extend(broken("reconciliation verify", &books.settlement_verified));
    problems
}

fn broken(command: &str, verified: &VerifyReport) -> Vec<String> {
    let lines: Vec<String> = verified
        .invariants
        .iter()
        .filter(|invariant| invariant.broken > 0)
        .map(|invariant| {
            let first = invariant.first.as_deref().unwrap_or("no example");
            let (id, what, broken) = (&invariant.id, &invariant.what, invariant.broken);
            format!("{command}: {id} {what}: broken {broken} times, first: {first}")
        })
        .collect();
    if lines.is_empty() && !verified.ok { vec![format!("{command} found a break")] } else { lines }
}

#[cfg(test)]
mod tests;
