//! Directives: what the centre wants to be so, as a whole signed document with a version that only
//! rises. One message a subject; whoever missed some needs the last one alone.

use serde::{Deserialize, Serialize};

use crate::{LaneId, OperatorId, Timestamp};

use super::PaymentRecord;

/// Every tariff of one operator that lanes may still need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffDirective {
    /// 1.
    pub v: u32,
    /// Whose tariffs.
    pub operator: OperatorId,
    /// The version of this document; it only rises.
    pub version: u64,
    /// When.
    pub issued_at: Timestamp,
    /// The tariff files, as JSON in the place of TOML; each says from when on it is in force. What a
    /// file may hold is [`crate::tariff::TariffFile`]'s to say.
    pub tariffs: Vec<serde_json::Value>,
}

/// How a lane is to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneMode {
    /// By tag, with a person for the rest.
    #[default]
    Automatic,
    /// A person answers for each vehicle; no tag opens by itself.
    Attended,
    /// By tag alone: nobody pays in cash here.
    EtcOnly,
    /// Nobody is let through by a tag; who comes all the same needs a person.
    Closed,
    /// In the hands of the technician: nobody is served, and nobody is called. What crosses has its
    /// record.
    Maintenance,
}

/// What is done in a case that an operator decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChoiceRecord {
    /// Let the vehicle pass.
    Serve,
    /// Bring a person.
    Call,
}

/// How one lane is to work from an instant on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneDirective {
    /// 1.
    pub v: u32,
    /// The lane.
    pub lane: LaneId,
    /// The version of this document; it only rises.
    pub version: u64,
    /// When.
    pub issued_at: Timestamp,
    /// From when on it is to be so.
    pub effective_at: Timestamp,
    /// Who wants it so: a staff id.
    pub ordered_by: String,
    /// How it is to work.
    pub mode: LaneMode,
    /// What is to be other than in the lane's own configuration.
    #[serde(default)]
    pub policy: PolicyRecord,
}

/// Thresholds and choices of a lane; what is absent stays as the lane's own configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyRecord {
    /// How long a tag is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_wait_ms: Option<u64>,
    /// How long a tag that was dealt with stays so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_window_s: Option<u64>,
    /// How often a tag must be read before it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads_needed: Option<u32>,
    /// How long a vehicle may take to the safety loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drive_timeout_s: Option<u64>,
    /// A tag on no list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<ChoiceRecord>,
    /// A balance that is low.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<ChoiceRecord>,
    /// A list that is old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_list: Option<ChoiceRecord>,
    /// From which age on a list is old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_age_max_s: Option<u64>,
    /// A clock that is not to be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_clock: Option<ChoiceRecord>,
    /// An exit without a known entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_entry: Option<ChoiceRecord>,
    /// How it is paid for where equipment failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equipment_fault: Option<PaymentRecord>,
}
