//! The record that every way to keep a passage writes: the same bytes as our journal's.

use std::num::NonZeroU64;

use domain::passage::{LaneRole, Passage};
use domain::signature::{Context, Digest256, SecretKey, Signature};
use domain::wire::v1::{PassageRecord, emit};
use domain::{LaneId, PassageId};
use lane_controller::lane::PassageDraft;

/// A passage as it is kept.
pub(crate) struct Signed {
    pub(crate) seq: u64,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Signature,
    pub(crate) digest: Digest256,
}

/// Numbers, chains and signs passages.
pub(crate) struct Signer {
    lane: LaneId,
    key: SecretKey,
    last: u64,
    head: Digest256,
}

impl Signer {
    pub(crate) fn new(lane: LaneId, key: SecretKey) -> Self {
        Self { lane, key, last: 0, head: Digest256::default() }
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.last + 1
    }

    pub(crate) fn sign(&mut self, draft: PassageDraft) -> Signed {
        let seq = NonZeroU64::MIN.saturating_add(self.last);
        let passage = Passage {
            id: PassageId { lane: self.lane.clone(), epoch: 1, seq },
            role: LaneRole::Open,
            at: draft.at,
            clock: draft.clock,
            uptime_ns: u64::try_from(draft.uptime.as_nanos()).unwrap_or(u64::MAX),
            boot: "bench".to_owned(),
            tag: draft.tag,
            plate: draft.plate,
            group: draft.group,
            list_version: draft.list_version,
            status_seen: draft.status_seen,
            tariff: draft.tariff,
            entry: draft.entry,
            exception: draft.exception,
            decision: draft.decision,
            attendance: draft.attendance,
            fare: draft.fare,
            payment: draft.payment,
            previous: self.head,
        };
        let payload = emit(&PassageRecord::from(passage));
        let signature = self.key.sign(Context::Passage, &payload);
        let digest = Digest256::of(&payload);
        (self.last, self.head) = (seq.get(), digest);
        Signed { seq: seq.get(), payload, signature, digest }
    }
}
