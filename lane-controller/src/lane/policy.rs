//! How a lane behaves: what an operator may choose, and nothing that safety rests on.
//!
//! *Serve* goes on as if nothing were amiss; *call* brings a person.

use std::time::Duration;

use domain::passage::Payment;
use domain::wire::v1::LaneMode;
use serde::Deserialize;

/// What is done in a case that an operator decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Let the vehicle pass; what was amiss is on the passage.
    Serve,
    /// Bring a person.
    Call,
}

/// What stands at the end of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// An arm: nobody goes who may not.
    Barrier,
    /// Nothing: a gantry over a free road. Everybody goes, and a record is written of each.
    FreeFlow,
}

/// How verdicts are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictPolicy {
    /// How the lane works, unless the desk has ordered something else.
    pub mode: LaneMode,
    /// A tag that is on no list. *Serve* makes the account list a black list, *call* a white one.
    pub unlisted: Choice,
    /// A balance that is low and still enough.
    pub low: Choice,
    /// A list that is older than `list_age_max`.
    pub old_list: Choice,
    /// The age from which a list is old, since the centre issued it.
    pub list_age_max: Duration,
    /// A wall clock that is not to be trusted.
    pub bad_clock: Choice,
    /// An exit that knows of no entry; *serve* leaves the fare to the centre.
    pub missing_entry: Choice,
    /// How it is paid for where equipment failed and the attendant opened.
    pub equipment_fault: Payment,
}

impl Default for VerdictPolicy {
    fn default() -> Self {
        Self {
            mode: LaneMode::Automatic,
            unlisted: Choice::Call,
            low: Choice::Serve,
            // A lane that is cut off for a month serves every good tag.
            old_list: Choice::Serve,
            list_age_max: Duration::from_secs(24 * 3600),
            bad_clock: Choice::Serve,
            missing_entry: Choice::Serve,
            equipment_fault: Payment::Account,
        }
    }
}

/// How a lane behaves; the times are run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanePolicy {
    /// What stands at its end.
    pub layout: Layout,
    /// How verdicts are reached.
    pub verdict: VerdictPolicy,
    /// How long a vehicle may stand on the presence loop before a person is called.
    pub tag_wait: Duration,
    /// How often a tag must be read, within `floating_tag`, before it counts.
    pub reads_needed: u32,
    /// How long a tag that was dealt with stays so after it was last seen.
    pub duplicate_window: Duration,
    /// How long a tag that was seen before its vehicle is kept for it.
    pub floating_tag: Duration,
    /// How often a call is told again while it waits.
    pub call_repeat: Duration,
    /// How long after the safety loop cleared the arm is lowered; one second at least.
    pub close_after: Duration,
    /// What comes closer together than this is of one vehicle: pulses of a loop that chatters or
    /// that a trailer crosses, and first reads of two tags. Zero where time is not told so finely.
    pub same_vehicle: Duration,
    /// A pulse of the presence loop that is shorter is no vehicle, unless it has a tag: a
    /// motorcycle, a person, an animal. Zero where time is not told so finely.
    pub shortest_vehicle: Duration,
    /// How long a vehicle may take to the safety loop once the arm is up for it.
    pub drive_timeout: Duration,
    /// How long a vehicle that was turned away may take to be gone.
    pub back_out_timeout: Duration,
    /// How long a loop may stay occupied before it is taken for stuck.
    pub loop_stuck: Duration,
    /// How long the centre is asked about a tag without money; zero: it is not asked.
    pub question: Duration,
    /// How many vehicles without a tag in a row say that it is the reader, and not they.
    pub untagged_in_row: u32,
}

impl Default for LanePolicy {
    fn default() -> Self {
        Self {
            layout: Layout::Barrier,
            verdict: VerdictPolicy::default(),
            tag_wait: Duration::from_secs(3),
            reads_needed: 1,
            duplicate_window: Duration::from_secs(30),
            floating_tag: Duration::from_secs(2),
            call_repeat: Duration::from_secs(5),
            close_after: Duration::from_secs(1),
            same_vehicle: Duration::from_millis(300),
            shortest_vehicle: Duration::from_millis(300),
            drive_timeout: Duration::from_secs(60),
            back_out_timeout: Duration::from_secs(60),
            loop_stuck: Duration::from_secs(120),
            question: Duration::ZERO,
            untagged_in_row: 5,
        }
    }
}
