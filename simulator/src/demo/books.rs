//! What the centre's books say at the end, as the programs print it.

use std::collections::BTreeMap;

use domain::OperatorId;
use serde::{Deserialize, Serialize};

/// `clearing-house report --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CentreReport {
    /// Passages by disposition.
    pub passages: BTreeMap<String, u64>,
    /// Exceptions by kind.
    pub exceptions: BTreeMap<String, u64>,
    /// Every lane's account of itself.
    pub lanes: Vec<LaneLine>,
    /// What operators are owed.
    pub tolls: Vec<TollLine>,
    /// The ledger's check.
    pub ledger: LedgerLine,
}

/// A lane in the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneLine {
    /// Whose lane.
    pub operator: OperatorId,
    /// At which station.
    pub station: String,
    /// The lane's token.
    pub lane: String,
    /// The epoch of its journal.
    pub epoch: u32,
    /// The highest sequence that is known.
    pub last_seq: u64,
    /// Sequences charged, or found to cost nothing.
    pub posted: u64,
    /// Sequences with any other disposition.
    pub rejected: u64,
    /// Sequences that are not accounted for yet.
    pub pending: u64,
}

/// What an operator is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TollLine {
    /// The operator.
    pub operator: OperatorId,
    /// How much in all, from accounts and in cash.
    pub amount_vnd: i64,
    /// Of these, in cash at the lane.
    pub cash_vnd: i64,
    /// For how many passages.
    pub passages: u64,
}

/// The ledger's check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Entries.
    pub entries: u64,
    /// Their sum: 0.
    pub sum: i64,
    /// Balances that were compared with their entries.
    pub accounts_checked: u64,
    /// Those that differ: 0.
    pub mismatches: u64,
}

/// `reconciliation report --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementReport {
    /// A line for each operator and day.
    pub settlement: Vec<SettlementLine>,
}

/// A settlement day of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlementLine {
    /// The operator.
    pub operator: OperatorId,
    /// The day.
    pub day: String,
    /// Such as `closed`.
    pub state: String,
    /// Tolls of the day from accounts.
    pub gross_vnd: i64,
    /// Tolls of the day in cash.
    pub cash_vnd: i64,
    /// What issuers keep.
    pub fee_vnd: i64,
    /// What the operator is paid.
    pub net_vnd: i64,
    /// Passages of the day.
    pub passages: u64,
    /// Where the statement is.
    pub statement: Option<String>,
}

/// `… verify --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Whether everything holds.
    pub ok: bool,
    /// What was checked.
    pub invariants: Vec<Invariant>,
}

/// One thing that must always hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invariant {
    /// Its number.
    pub id: String,
    /// What it says.
    pub what: String,
    /// How many cases were looked at.
    pub checked: u64,
    /// In how many it is broken.
    pub broken: u64,
    /// The first of them.
    pub first: Option<String>,
}

/// Everything the books say about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// The clearing house's report.
    pub centre: CentreReport,
    /// The reconciliation's report.
    pub settlement: SettlementReport,
    /// What `clearing-house verify` found.
    pub centre_verified: VerifyReport,
    /// What `reconciliation verify` found.
    pub settlement_verified: VerifyReport,
}
