//! What happens to a lane.

use std::time::Duration;

use domain::order::SignedOrder;
use domain::passage::{Attendance, Reason};
use domain::wire::v1::Verb;
use domain::{Plate, TagId, VehicleGroup};

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

/// The call number that answers no call: an attendant opens by hand.
pub const NO_CALL: u64 = 0;

/// What people at the desk order: an answer to a call, or something about the lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The command's id.
    pub command: String,
    /// The call it answers, or [`NO_CALL`].
    pub call: u64,
    /// The attendant's staff id.
    pub attendant: String,
    /// Who agreed, where it takes two people.
    pub second: Option<String>,
    /// What to do.
    pub verb: Verb,
    /// The order as it was signed, for the record.
    pub order: Option<Box<SignedOrder>>,
}

impl Answer {
    /// An answer of one person that nobody signed.
    #[must_use]
    pub const fn of(command: String, call: u64, attendant: String, verb: Verb) -> Self {
        Self { command, call, attendant, second: None, verb, order: None }
    }

    /// Who answered, for the record.
    pub(super) fn attendance(&self, reason: Reason) -> Attendance {
        Attendance {
            second: self.second.clone(),
            order: self.order.as_deref().cloned(),
            ..Attendance::of(self.attendant.clone(), self.command.clone(), reason)
        }
    }
}

/// What the centre answered when it was asked about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CentreAnswer {
    /// It has money now.
    MayPass,
    /// It has none.
    NoMoney,
    /// The centre cannot tell, or cannot be asked.
    Unknown,
}

/// How far a camera or classifier trusts what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// As far as the site's threshold asks.
    Confident,
    /// Less.
    Doubtful,
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
    /// A classifier saw a vehicle go out backwards over the presence loop.
    Reversed,
    /// A tag was read, for the first time or again.
    TagSeen {
        /// The tag.
        tag: TagId,
        /// When it was read, which may be before it was told.
        at: Duration,
    },
    /// Another lane of the station let the vehicle of this tag through.
    TakenElsewhere {
        /// The tag.
        tag: TagId,
    },
    /// A camera read a plate of the vehicle that came last.
    PlateSeen {
        /// The plate.
        plate: Plate,
        /// How sure it is.
        certainty: Certainty,
    },
    /// A classifier measured the vehicle that came last.
    GroupMeasured {
        /// The group.
        group: VehicleGroup,
        /// How sure it is.
        certainty: Certainty,
    },
    /// The centre answered [`super::Action::AskCentre`].
    CentreAnswered {
        /// The vehicle.
        vehicle: u64,
        /// The answer.
        answer: CentreAnswer,
    },
    /// People at the desk have ordered something.
    Answered(Answer),
    /// The account list changed.
    ListChanged,
}
