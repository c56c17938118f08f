//! The part of the configuration that says how lanes behave.

use std::time::Duration;

use domain::wire::v1::PaymentRecord;
use serde::Deserialize;

use crate::lane::policy::{Choice, LanePolicy, Layout, VerdictPolicy};
use crate::runner::{JournalPolicy, WhenFailing};
use crate::supervise::SafePosition;

/// Where the barrier of a lane that does not run is left, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SafePositionRecord {
    /// Where it is.
    AsItIs,
    /// Up.
    Open,
    /// Down, as soon as the safety loop allows it.
    Closed,
}

/// What a lane does while its journal cannot be written, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFailingRecord {
    /// Good vehicles go on; their passages are kept in memory.
    GoOn,
    /// Nothing opens before it is durable.
    Hold,
}

/// How lanes behave; milliseconds and seconds are run time.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// How long a tag is waited for.
    pub tag_wait_ms: u64,
    /// How long a tag that was dealt with stays so.
    pub duplicate_window_s: u64,
    /// How long a tag may be seen before its vehicle.
    pub floating_tag_ms: u64,
    /// How often a call is told again.
    pub call_repeat_s: u64,
    /// How many posted records are kept at most.
    pub keep_records: u64,
    /// For how many days posted records are kept after their receipt, of those.
    pub keep_days: u64,
    /// How often a tag must be read before it counts.
    pub reads_needed: u32,
    /// Pulses and first reads that are closer together are of one vehicle.
    pub same_vehicle_ms: u64,
    /// A pulse that is shorter, without a tag, is no vehicle.
    pub shortest_vehicle_ms: u64,
    /// How long a vehicle may take to the safety loop once the arm is up for it.
    pub drive_timeout_s: u64,
    /// How long a vehicle that was turned away may take to be gone.
    pub back_out_timeout_s: u64,
    /// How long a loop may stay occupied before it is taken for stuck.
    pub loop_stuck_s: u64,
    /// How long after the safety loop cleared the arm is lowered: 1000 at least.
    pub close_after_ms: u64,
    /// How many vehicles without a tag in a row say that it is the reader, and not they.
    pub untagged_in_row: u32,
    /// How long the centre is asked about a tag without money, in real milliseconds: 200 at most;
    /// 0: it is not asked.
    pub question_ms: u64,
    /// How sure a camera must be of a plate, in percent.
    pub plate_confidence_min: u8,
    /// Whether an arm stands at the lane's end: `barrier` or `free-flow`.
    pub layout: Layout,
    /// A tag on no list: `call` (a white list) or `serve` (a black list).
    pub unlisted: Choice,
    /// A balance that is low and still enough.
    pub low: Choice,
    /// A list older than `list_age_max_s`.
    pub old_list: Choice,
    /// The age from which a list is old.
    pub list_age_max_s: u64,
    /// A wall clock that is not to be trusted.
    pub bad_clock: Choice,
    /// An exit that knows of no entry.
    pub missing_entry: Choice,
    /// How it is paid for where equipment failed: `account` or `nothing`.
    pub equipment_fault: PaymentRecord,
    /// The longest a barrier waits for the disk, in real milliseconds.
    pub journal_wait_max_ms: u64,
    /// What a lane does while its journal cannot be written.
    pub journal_failing: WhenFailingRecord,
    /// The most passages that are kept in memory meanwhile.
    pub journal_memory_max: usize,
    /// Where the barrier of a lane that does not run is left.
    pub safe_position: SafePositionRecord,
}

/// The centre is never waited for longer than that, in real time.
const QUESTION_MS_MAX: u64 = 200;

impl Policy {
    /// Values that no lane may have, each with its key.
    pub(super) fn wrongs(self) -> impl Iterator<Item = String> {
        let longer_than_0 = [
            ("tag_wait_ms", self.tag_wait_ms),
            ("call_repeat_s", self.call_repeat_s),
            ("drive_timeout_s", self.drive_timeout_s),
            ("back_out_timeout_s", self.back_out_timeout_s),
            ("loop_stuck_s", self.loop_stuck_s),
            ("reads_needed", self.reads_needed.into()),
            ("untagged_in_row", self.untagged_in_row.into()),
            ("keep_records", self.keep_records),
        ];
        let zero = longer_than_0
            .into_iter()
            .filter(|(_, value)| *value == 0)
            .map(|(key, _)| format!("policy.{key} is 1 at least"));
        let question = (self.question_ms > QUESTION_MS_MAX).then(|| {
            format!("policy.question_ms is {QUESTION_MS_MAX} at most, not {}", self.question_ms)
        });
        let close = (self.close_after_ms < 1_000).then(|| {
            format!("policy.close_after_ms is 1000 at least, not {}", self.close_after_ms)
        });
        let plate = (self.plate_confidence_min > 100).then(|| {
            let percent = self.plate_confidence_min;
            format!("policy.plate_confidence_min is 0 to 100, not {percent}")
        });
        zero.chain(question).chain(close).chain(plate)
    }

    /// How far a lane depends on its disk.
    #[must_use]
    pub fn journal(self) -> JournalPolicy {
        JournalPolicy {
            wait_max: Duration::from_millis(self.journal_wait_max_ms),
            memory_max: self.journal_memory_max,
            when_failing: match self.journal_failing {
                WhenFailingRecord::GoOn => WhenFailing::GoOn,
                WhenFailingRecord::Hold => WhenFailing::Hold,
            },
            keep_for: Duration::from_secs(self.keep_days * 24 * 3_600),
        }
    }

    /// Where the barrier of a lane that does not run is left.
    #[must_use]
    pub fn safe_position(self) -> SafePosition {
        match self.safe_position {
            SafePositionRecord::AsItIs => SafePosition::AsItIs,
            SafePositionRecord::Open => SafePosition::Open,
            SafePositionRecord::Closed => SafePosition::Closed,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tag_wait_ms: 3_000,
            duplicate_window_s: 30,
            floating_tag_ms: 2_000,
            call_repeat_s: 5,
            keep_records: 1_000_000,
            keep_days: 30,
            journal_wait_max_ms: 500,
            journal_failing: WhenFailingRecord::GoOn,
            journal_memory_max: 1_000,
            safe_position: SafePositionRecord::AsItIs,
            reads_needed: 1,
            same_vehicle_ms: 300,
            shortest_vehicle_ms: 300,
            drive_timeout_s: 60,
            back_out_timeout_s: 60,
            loop_stuck_s: 120,
            close_after_ms: 1_000,
            untagged_in_row: 5,
            question_ms: QUESTION_MS_MAX,
            plate_confidence_min: 80,
            layout: Layout::Barrier,
            unlisted: Choice::Call,
            low: Choice::Serve,
            old_list: Choice::Serve,
            list_age_max_s: 24 * 3_600,
            bad_clock: Choice::Serve,
            missing_entry: Choice::Serve,
            equipment_fault: PaymentRecord::Account,
        }
    }
}

impl From<Policy> for LanePolicy {
    fn from(policy: Policy) -> Self {
        Self {
            tag_wait: Duration::from_millis(policy.tag_wait_ms),
            duplicate_window: Duration::from_secs(policy.duplicate_window_s),
            floating_tag: Duration::from_millis(policy.floating_tag_ms),
            call_repeat: Duration::from_secs(policy.call_repeat_s),
            reads_needed: policy.reads_needed,
            same_vehicle: Duration::from_millis(policy.same_vehicle_ms),
            shortest_vehicle: Duration::from_millis(policy.shortest_vehicle_ms),
            drive_timeout: Duration::from_secs(policy.drive_timeout_s),
            back_out_timeout: Duration::from_secs(policy.back_out_timeout_s),
            loop_stuck: Duration::from_secs(policy.loop_stuck_s),
            close_after: Duration::from_millis(policy.close_after_ms),
            untagged_in_row: policy.untagged_in_row,
            question: Duration::from_millis(policy.question_ms),
            layout: policy.layout,
            verdict: VerdictPolicy {
                mode: domain::wire::v1::LaneMode::Automatic,
                unlisted: policy.unlisted,
                low: policy.low,
                old_list: policy.old_list,
                list_age_max: Duration::from_secs(policy.list_age_max_s),
                bad_clock: policy.bad_clock,
                missing_entry: policy.missing_entry,
                equipment_fault: policy.equipment_fault.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_says_nothing_is_the_usual_one() {
        let said = LanePolicy::from(toml::from_str::<Policy>("").unwrap());
        // A core that nobody told of a centre asks none.
        let question = Duration::from_millis(200);
        assert_eq!(said, LanePolicy { question, ..LanePolicy::default() });
    }

    #[test]
    fn an_operator_chooses_by_name_and_unknown_names_are_refused() {
        let text = "unlisted = 'serve'\nlayout = 'free-flow'\nequipment_fault = 'nothing'";
        let said = LanePolicy::from(toml::from_str::<Policy>(text).unwrap());
        assert_eq!((said.layout, said.verdict.unlisted), (Layout::FreeFlow, Choice::Serve));
        assert_eq!(said.verdict.equipment_fault, domain::passage::Payment::Nothing);
        assert!(toml::from_str::<Policy>("unlisted = 'perhaps'").is_err());
        assert!(toml::from_str::<Policy>("not_a_key = 1").is_err());
    }

    #[test]
    fn what_no_lane_may_have_is_named_with_what_is_allowed() {
        let text = "question_ms = 201\nclose_after_ms = 999\ntag_wait_ms = 0\n\
                    plate_confidence_min = 101";
        let wrongs: Vec<_> = toml::from_str::<Policy>(text).unwrap().wrongs().collect();
        assert_eq!(
            wrongs,
            [
                "policy.tag_wait_ms is 1 at least",
                "policy.question_ms is 200 at most, not 201",
                "policy.close_after_ms is 1000 at least, not 999",
                "policy.plate_confidence_min is 0 to 100, not 101",
            ]
        );
        assert_eq!(Policy::default().wrongs().count(), 0);
    }
}
