//! What receipts say of the lane's journal: how much of it is safe, or that it is an old copy.

use domain::wire::v1::EventKind;

use super::{LaneEnded, LaneThread, micros};
use crate::journal::Retention;

/// How often, in posted passages, the journal notes a receipt and forgets what is old.
const RECEIPT_NOTED_EVERY: u64 = 256;

impl LaneThread {
    /// Everything up to here is posted, says a receipt that fits to the journal.
    pub(super) fn posted(&mut self, upto: u64) {
        if upto <= self.posted_upto {
            return;
        }
        let last = self.scribe.next_seq() - 1;
        if upto > last {
            self.alarm_text("the clearing house has passages that this journal never had");
            self.over = Some(LaneEnded::RolledBack {
                last,
                posted_upto: upto,
                saved: Box::new(self.lane.saved()),
            });
            return;
        }
        let before = std::mem::replace(&mut self.posted_upto, upto);
        let later = self.cause_of_seq.split_off(&(upto + 1));
        let now = self.shared.clock.real();
        let took = std::mem::replace(&mut self.cause_of_seq, later);
        let read_to_posted_us =
            took.values().map(|at| micros(now.saturating_duration_since(*at))).collect();
        self.tell(EventKind::Posted { upto, read_to_posted_us });
        let keep_for = self.journal_policy.keep_for;
        let retention = Retention { keep_for, records_max: self.keep_records };
        if upto / RECEIPT_NOTED_EVERY > before / RECEIPT_NOTED_EVERY
            && let Err(ended) = self.scribe.receipt(upto, retention, self.trusted_now())
        {
            self.over = Some(LaneEnded::Journal(ended));
        }
    }

    /// Under a number of this journal another passage is posted. The journal is put away whole, as
    /// one that is too short: what it wrote is for people to look at.
    pub(super) fn posted_otherwise(&mut self, seq: u64) {
        self.alarm_text("the clearing house has other passages under this journal's numbers");
        let saved = Box::new(self.lane.saved());
        self.over = Some(LaneEnded::UsedTwice { seq, saved });
    }
}
