//! The exchange that tells a lane how far its clock is off.

use serde::{Deserialize, Serialize};

use crate::signature::Digest256;
use crate::{LaneId, Timestamp};

/// A station's question, put in the name of one of its lanes: what time is it?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeQuestion {
    /// 1.
    pub v: u32,
    /// The lane that asks.
    pub lane: LaneId,
    /// When it was sent, by the lane's clock.
    pub sent_at: Timestamp,
}

/// The centre's answer, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeAnswer {
    /// 1.
    pub v: u32,
    /// The lane that asked.
    pub lane: LaneId,
    /// When it asked, by its own clock.
    pub sent_at: Timestamp,
    /// When the question came, by the centre's clock.
    pub received_at: Timestamp,
    /// When the answer went, by the centre's clock.
    pub answered_at: Timestamp,
}

/// The centre's word that a version of the account list is still the newest; signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListConfirmation {
    /// 1.
    pub v: u32,
    /// The version of the list.
    pub version: u64,
    /// Its content hash.
    pub hash: Digest256,
    /// When that was so.
    pub at: Timestamp,
}
