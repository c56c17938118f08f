//! The lane's own timers; those of a vehicle are in its state.

use std::time::Duration;

/// What a lane waits for, whoever stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The arm is lowered.
    Close,
    /// The presence loop has been occupied for too long.
    PresenceStuck,
    /// The safety loop has been occupied for too long.
    SafetyStuck,
    /// The arm no longer stays up for a convoy.
    ConvoyEnds,
}

impl Timer {
    pub(super) const ALL: [Self; 4] =
        [Self::Close, Self::PresenceStuck, Self::SafetyStuck, Self::ConvoyEnds];
}

/// When each is due, if it runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timers([Option<Duration>; Timer::ALL.len()]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Duration) {
        self.0[timer as usize] = Some(at);
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// Stops the timer and tells whether it was due.
    pub(super) fn expires(&mut self, timer: Timer, now: Duration) -> bool {
        self.0[timer as usize].take_if(|at| *at <= now).is_some()
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.0.iter().flatten().min().copied()
    }
}
