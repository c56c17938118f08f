//! A vehicle between the loops.

use std::time::Duration;

use domain::passage::{Attendance, ExceptionKind};
use domain::{Amount, Plate, TagId, VehicleGroup};

/// How far a vehicle has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VehicleState {
    /// It has come, and its tag may still be read.
    AwaitingTag {
        /// Until then; after it a person is called.
        until: Duration,
    },
    /// The list says that its account has no money, and the centre is asked whether that is still so.
    Asking {
        /// Until then; after it a person is called.
        until: Duration,
        /// The fare that is due, where it is known.
        fare: Option<Amount>,
    },
    /// A person is called.
    Calling {
        /// The number of the call.
        call: u64,
        /// Why.
        exception: ExceptionKind,
        /// The fare that is due, where it is known.
        fare: Option<Amount>,
        /// When the call is told again.
        repeat_at: Duration,
    },
    /// A passage has been decided, and it may go.
    Released {
        /// The passage's sequence, once it is written.
        seq: Option<u64>,
        /// Until when it is to be at the safety loop, once the arm is up for it.
        until: Option<Duration>,
    },
    /// It is under the arm.
    OnSafetyLoop,
    /// It was turned away and has not left yet.
    BackingOut {
        /// Until then it is believed to be there.
        until: Duration,
    },
}

/// That a person corrected the group of a vehicle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrected {
    /// The group that it is charged by.
    pub to: VehicleGroup,
    /// Who corrected it, and from what.
    pub attendance: Attendance,
}

/// A vehicle between the loops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vehicle {
    /// The lane's own number for it.
    pub number: u64,
    /// When it came onto the presence loop, or was found between the loops.
    pub arrived_at: Duration,
    /// Its tag, once read.
    pub tag: Option<TagId>,
    /// When that was first read.
    pub tag_first_at: Option<Duration>,
    /// Further tags that it carries.
    pub other_tags: Vec<TagId>,
    /// Its plate, where a camera is sure of it.
    pub plate: Option<Plate>,
    /// Its group, where a classifier is sure of it.
    pub measured: Option<VehicleGroup>,
    /// Its group, where a person corrected it.
    pub corrected: Option<Box<Corrected>>,
    /// Whether the centre was asked about it: once is enough.
    pub asked: bool,
    /// Whether a passage of it was decided.
    pub recorded: bool,
    /// How far it has come.
    pub state: VehicleState,
}

impl Vehicle {
    /// When something is to be done about it.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        match self.state {
            VehicleState::AwaitingTag { until }
            | VehicleState::Asking { until, .. }
            | VehicleState::BackingOut { until } => Some(until),
            VehicleState::Calling { repeat_at, .. } => Some(repeat_at),
            VehicleState::Released { until, .. } => until,
            VehicleState::OnSafetyLoop => None,
        }
    }

    /// Whether it may go, and has not yet.
    #[must_use]
    pub const fn may_go(&self) -> bool {
        match self.state {
            VehicleState::Released { .. } => true,
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Calling { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => false,
        }
    }

    /// The call that a person is called by for it.
    #[must_use]
    pub const fn call(&self) -> Option<u64> {
        match self.state {
            VehicleState::Calling { call, .. } => Some(call),
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => None,
        }
    }

    /// Whether nothing was decided about it.
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        match self.state {
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Calling { .. } => true,
            VehicleState::Released { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => false,
        }
    }

    /// Whether a tag that is read now may be its first.
    #[must_use]
    pub fn waits_for_tag(&self) -> bool {
        self.tag.is_none()
            && match self.state {
                VehicleState::AwaitingTag { .. } => true,
                // One that came into a closed lane has its tag on its record.
                VehicleState::Calling { exception, .. } => {
                    matches!(exception, ExceptionKind::NoTag | ExceptionKind::LaneClosed)
                }
                VehicleState::Asking { .. }
                | VehicleState::Released { .. }
                | VehicleState::OnSafetyLoop
                | VehicleState::BackingOut { .. } => false,
            }
    }

    /// Whether it was let through or sent back without its tag, and still stands in the zone.
    #[must_use]
    pub const fn is_unread(&self) -> bool {
        self.tag.is_none()
            && match self.state {
                VehicleState::Released { .. } | VehicleState::BackingOut { .. } => true,
                VehicleState::AwaitingTag { .. }
                | VehicleState::Asking { .. }
                | VehicleState::Calling { .. }
                | VehicleState::OnSafetyLoop => false,
            }
    }

    /// The sequence of its passage, while it is released and that is written.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        match self.state {
            VehicleState::Released { seq, .. } => seq,
            VehicleState::AwaitingTag { .. }
            | VehicleState::Asking { .. }
            | VehicleState::Calling { .. }
            | VehicleState::OnSafetyLoop
            | VehicleState::BackingOut { .. } => None,
        }
    }

    /// Whether it carries this tag.
    #[must_use]
    pub fn carries(&self, tag: &TagId) -> bool {
        self.tag.as_ref() == Some(tag) || self.other_tags.contains(tag)
    }
}
