//! The online question: may this tag pass for this amount? Request and reply, never stored.
//!
//! A lane asks when the list alone would refuse a vehicle for want of money, because the customer
//! may have paid a moment ago. It waits 200 milliseconds at most and then decides without an
//! answer. Both messages are signed; the answer names the digest of the very question, so it is
//! good for that tag, that amount and that moment only. An answer is not a promise of payment, and
//! nothing is set aside by asking.

use serde::{Deserialize, Serialize};

use crate::signature::Digest256;
use crate::{Amount, LaneId, TagId, Timestamp};

/// A lane's question; signed by the lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountQuestion {
    /// 1.
    pub v: u32,
    /// Unique for all time, so that no answer to an earlier question fits this one.
    pub id: String,
    /// The lane that asks.
    pub lane: LaneId,
    /// The tag.
    pub tag: TagId,
    /// What the passage would cost.
    pub amount: Amount,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it is no longer to be answered; at most ten seconds later.
    pub expires_at: Timestamp,
}

/// What the centre says of a tag and an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulingRecord {
    /// Its account is open and has the money, or nothing is due.
    MayPass,
    /// Its account is open and has not the money.
    NoMoney,
    /// Its account is locked.
    Blocked,
    /// Its account is closed.
    Closed,
    /// Its account is not a traffic account yet.
    NotConverted,
    /// The tag is on no vehicle.
    UnknownTag,
    /// The centre cannot tell in time: decide as if it had not been asked.
    CannotTell,
}

/// The centre's answer; signed by the centre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountAnswer {
    /// 1.
    pub v: u32,
    /// The lane that asked.
    pub lane: LaneId,
    /// The digest of the question's payload.
    pub question: Digest256,
    /// The answer.
    pub ruling: RulingRecord,
    /// When it was given.
    pub answered_at: Timestamp,
}
