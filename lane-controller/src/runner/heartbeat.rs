//! What a lane says of itself each second.

use domain::signature::Digest256;
use domain::wire::v1::{Heartbeat, Vitals};

use super::LaneThread;

impl LaneThread {
    pub(super) fn heartbeat(&self) -> Heartbeat {
        let list = self.shared.list.view();
        Heartbeat {
            v: 1,
            lane: self.id.clone(),
            at: self.shared.clock.now(),
            epoch: self.scribe.epoch(),
            last_seq: self.scribe.last_seq(),
            posted_upto: self.posted_upto,
            list_version: list.version(),
            list_hash: Digest256::new(*list.hash().as_bytes()),
            reader: self.reader,
            field_io: self.field.is_some() && !self.field_lost,
            queue: self.lane.queue_len(),
            calls: self.lane.calls_waiting(),
            arm_up: self.field.filter(|_| !self.field_lost).map(|field| field.arm_up),
            unwritten: self
                .scribe
                .unwritten()
                .map(|count| u64::try_from(count).unwrap_or(u64::MAX)),
            degraded: self.roll.degraded().into_iter().collect(),
            vitals: Some(Vitals {
                mode: Some(self.lane.mode()),
                convoy: self.lane.convoy().cloned(),
                ..Vitals::default()
            }),
        }
    }
}
