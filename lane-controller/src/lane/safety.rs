//! The safety monitor: stands between the core and the arm, and trusts neither.
//!
//! The arm is never commanded down while the safety loop is occupied, unknown or silent, nor
//! within one second after it cleared.

use std::time::Duration;

/// How long the safety loop must have been clear.
pub const CLEAR_FOR: Duration = Duration::from_secs(1);

/// What is known of the safety loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SafetyLoop {
    /// Nothing, or nothing recent enough.
    Unknown,
    /// Something is on it.
    Occupied,
    /// Nothing has been on it since then.
    ClearSince(Duration),
}

/// The monitor.
#[derive(Debug, Clone, Copy)]
pub struct SafetyMonitor {
    state: SafetyLoop,
}

impl Default for SafetyMonitor {
    fn default() -> Self {
        Self { state: SafetyLoop::Unknown }
    }
}

impl SafetyMonitor {
    /// Takes what the I/O module says of the loop; nothing where it is silent, or where it says
    /// that the loop is faulty.
    ///
    /// `was_occupied_between` says that the loop was occupied since the last word, however
    /// briefly.
    pub fn sees(&mut self, occupied: Option<bool>, was_occupied_between: bool, now: Duration) {
        self.state = match (occupied, self.state) {
            (None, _) => SafetyLoop::Unknown,
            (Some(true), _) => SafetyLoop::Occupied,
            (Some(false), SafetyLoop::ClearSince(since)) if !was_occupied_between => {
                SafetyLoop::ClearSince(since)
            }
            (Some(false), _) => SafetyLoop::ClearSince(now),
        };
    }

    /// When the arm may be commanded down: now, at an instant, or nobody knows.
    #[must_use]
    pub fn may_close_at(&self) -> Option<Duration> {
        match self.state {
            SafetyLoop::Unknown | SafetyLoop::Occupied => None,
            SafetyLoop::ClearSince(since) => Some(since + CLEAR_FOR),
        }
    }

    /// Whether the arm may be commanded down now.
    #[must_use]
    pub fn may_close(&self, now: Duration) -> bool {
        self.may_close_at().is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_arm_never_comes_down_on_or_just_after_a_vehicle(
            words in prop::collection::vec((prop::option::of(any::<bool>()), any::<bool>(), 0_u64..900), 1..60)
        ) {
            let mut monitor = SafetyMonitor::default();
            let mut now = Duration::ZERO;
            let mut last_not_clear = Duration::ZERO;
            for (occupied, between, pause_ms) in words {
                now += Duration::from_millis(pause_ms);
                monitor.sees(occupied, between, now);
                if occupied != Some(false) || between {
                    last_not_clear = now;
                }
                if monitor.may_close(now) {
                    prop_assert_eq!(occupied, Some(false));
                    prop_assert!(now - last_not_clear >= CLEAR_FOR);
                }
            }
        }
    }

    #[test]
    fn a_loop_that_was_never_heard_of_counts_as_occupied() {
        assert!(!SafetyMonitor::default().may_close(Duration::from_secs(3600)));
    }
}
