//! What happens to a lane.

use std::time::Duration;

use domain::TagId;
use domain::wire::v1::Verb;

use super::SavedLane;

/// The loops as the I/O module tells them: levels, and edges counted in the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    /// The presence loop is occupied.
    pub presence: bool,
    /// The safety loop is occupied.
    pub safety: bool,
    /// Times the presence loop became occupied, modulo 2¹⁶.
    pub presence_rises: u16,
    /// Times the presence loop became free, modulo 2¹⁶.
    pub presence_falls: u16,
    /// Times the safety loop became free, modulo 2¹⁶.
    pub safety_falls: u16,
}

/// An attendant's answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The command's id.
    pub command: String,
    /// The call it answers.
    pub call: u64,
    /// The attendant's staff id.
    pub attendant: String,
    /// What to do.
    pub verb: Verb,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The loops answer, for the first time or again.
    Restored {
        /// What they say.
        inputs: Inputs,
        /// What the journal remembers of the lane; absent where nothing was ever written.
        saved: Option<SavedLane>,
    },
    /// The loops no longer answer.
    FieldLost,
    /// The presence loop became occupied.
    PresenceRose,
    /// The presence loop became free.
    PresenceFell,
    /// The safety loop became occupied.
    SafetyRose,
    /// The safety loop became free.
    SafetyFell,
    /// A tag was read, for the first time or again.
    TagSeen {
        /// The tag.
        tag: TagId,
        /// When it was read, which may be before it was told.
        at: Duration,
    },
    /// An attendant answered a call.
    Answered(Answer),
    /// The account list changed.
    ListChanged,
}
