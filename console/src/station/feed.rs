//! The feed: what happened lately in the lanes, the newest first. Pure.
//!
//! Beside the board, which says how things are, it says what made them so: who looks up from a
//! vehicle reads what went by meanwhile. It holds nothing that says whose vehicle it was.
//!
//! Deliberately absent: vehicles that come and go, barriers and receipts, which would drown the rest;
//! and history, which is the centre's.

use std::collections::VecDeque;

use domain::wire::v1::{DecisionRecord, EventKind, ExceptionRecord, LaneMode, ReaderHealth};
use domain::{Amount, LaneId, Timestamp, VehicleGroup};

/// How much is kept.
pub(crate) const KEPT: usize = 40;

/// Something that happened in a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    /// When, by the lane's clock.
    pub at: Timestamp,
    /// Where.
    pub lane: LaneId,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A vehicle waits for a person.
    Called(ExceptionRecord),
    /// A passage was decided.
    Passed { decision: DecisionRecord, group: Option<VehicleGroup>, fare: Option<Amount> },
    /// A vehicle crossed undecided.
    Violation,
    /// The reader is now so.
    Reader(ReaderHealth),
    /// The lane works so from now on.
    Mode(LaneMode),
    /// A convoy of this name began.
    ConvoyBegan(String),
    /// The convoy ended.
    ConvoyEnded,
    /// The lane raised an alarm.
    Alarm(String),
}

/// What of an event is told; a call that is raised again is no news.
pub(super) fn told(kind: &EventKind, is_news: bool) -> Option<What> {
    match kind {
        EventKind::CallRaised { exception, .. } => is_news.then_some(What::Called(*exception)),
        EventKind::PassageRecorded { decision, group, fare, .. } => {
            Some(What::Passed { decision: *decision, group: *group, fare: *fare })
        }
        EventKind::Violation => Some(What::Violation),
        EventKind::Reader { health } => Some(What::Reader(*health)),
        EventKind::ModeOrdered { mode, .. } => Some(What::Mode(*mode)),
        EventKind::ConvoyBegan { convoy } => Some(What::ConvoyBegan(convoy.name.clone())),
        EventKind::ConvoyEnded { .. } => Some(What::ConvoyEnded),
        EventKind::Alarm { text } => Some(What::Alarm(text.clone())),
        EventKind::VehicleArrived { .. }
        | EventKind::VehicleLeft { .. }
        | EventKind::CallEnded { .. }
        | EventKind::Posted { .. }
        | EventKind::Case { .. }
        | EventKind::Opened { .. }
        | EventKind::DirectiveApplied { .. }
        | EventKind::EventsDropped { .. } => None,
    }
}

/// What happened lately, the newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feed {
    happened: VecDeque<Happened>,
}

impl Feed {
    /// Adds something; the oldest goes where it is full.
    pub(super) fn add(&mut self, happened: Happened) {
        self.happened.truncate(KEPT - 1);
        self.happened.push_front(happened);
    }

    /// The newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Happened> {
        self.happened.iter()
    }
}
