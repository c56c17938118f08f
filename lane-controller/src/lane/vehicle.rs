//! A vehicle between the loops.

use std::time::Duration;

use domain::passage::ExceptionKind;
use domain::{Amount, TagId};

/// How far a vehicle has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VehicleState {
    /// It has come, and its tag may still be read.
    AwaitingTag {
        /// Until then; after it a person is called.
        until: Duration,
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
    },
    /// It is under the arm.
    OnSafetyLoop,
    /// It was turned away and has not left yet.
    BackingOut,
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
    /// How far it has come.
    pub state: VehicleState,
}
