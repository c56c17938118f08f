//! The report of a run as JSON, for whoever measures or checks it with a program.

use std::collections::BTreeMap;

use serde::Serialize;

use super::books::{Books, LaneLine, LedgerLine, SettlementLine, TollLine};
use super::latency::Percentiles;
use super::watch::Seen;
use crate::world::Progress;

/// `--report FILE`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where all chance came from.
    pub seed: u64,
    /// How much faster than life.
    pub speed: f64,
    /// The recording that was replayed, if one was.
    pub traffic: Option<TrafficLine>,
    /// Vehicles whose journey is over.
    pub vehicles: u64,
    /// Crossings by how they ended, as the road saw them.
    pub crossings: BTreeMap<String, u64>,
    /// Passages by disposition, as the books have them.
    pub passages: BTreeMap<String, u64>,
    /// Exceptions by kind.
    pub exceptions: BTreeMap<String, u64>,
    /// Every lane's numbers.
    pub lanes: Vec<LaneLine>,
    /// What operators are owed.
    pub tolls: Vec<TollLine>,
    /// The ledger's check.
    pub ledger: LedgerLine,
    /// Real microseconds.
    pub latency_us: Latencies,
    /// Settlement days.
    pub settlement: Vec<SettlementLine>,
    /// How often each server had to be started again.
    pub restarts: BTreeMap<String, u32>,
    /// What went wrong; empty when all is well.
    pub problems: Vec<String>,
    /// Where the run's servers are.
    pub connect: Connect,
}

/// The recording that was replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrafficLine {
    /// Rows that became vehicles.
    pub rows: usize,
    /// Rows that were skipped.
    pub bad_rows: usize,
}

/// Latencies from a tag's last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latencies {
    /// To the lane's decision.
    pub read_to_decision: Percentiles,
    /// To the end of the open command.
    pub read_to_open: Percentiles,
    /// To the receipt.
    pub read_to_posted: Percentiles,
}

/// Where the run's servers are; the passwords are of this run alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Connect {
    /// The database.
    pub postgres_url: String,
    /// The broker, for a person who looks on.
    pub nats_url: String,
    /// What the `nats` tool is given to look on.
    pub nats_arguments: String,
    /// The console.
    pub console_url: String,
}

/// What a report is made of besides the books.
#[derive(Debug)]
pub struct Run<'a> {
    /// Where all chance came from.
    pub seed: u64,
    /// How much faster than life.
    pub speed: f64,
    /// The recording that was replayed, if one was.
    pub traffic: Option<TrafficLine>,
    /// What the road saw.
    pub progress: &'a Progress,
    /// What the lanes told.
    pub seen: &'a Seen,
    /// How often each server had to be started again.
    pub restarts: BTreeMap<String, u32>,
    /// What went wrong.
    pub problems: Vec<String>,
    /// Where the run's servers are.
    pub connect: Connect,
}

impl Report {
    /// Puts a run and its books together.
    #[must_use]
    pub fn new(run: Run<'_>, books: Books) -> Self {
        Self {
            seed: run.seed,
            speed: run.speed,
            traffic: run.traffic,
            vehicles: run.progress.vehicles_done,
            crossings: run.progress.by_how.iter().map(|(how, n)| (name(how), *n)).collect(),
            passages: books.centre.passages,
            exceptions: books.centre.exceptions,
            lanes: books.centre.lanes,
            tolls: books.centre.tolls,
            ledger: books.centre.ledger,
            latency_us: Latencies {
                read_to_decision: run.seen.read_to_decision.percentiles(),
                read_to_open: run.seen.read_to_open.percentiles(),
                read_to_posted: run.seen.read_to_posted.percentiles(),
            },
            settlement: books.settlement.settlement,
            restarts: run.restarts,
            problems: run.problems,
            connect: run.connect,
        }
    }
}

/// A name as JSON has it.
fn name(of: &impl Serialize) -> String {
    let value = serde_json::to_value(of).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
