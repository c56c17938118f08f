//! Waiting for a condition, with a deadline.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use domain::Clock;

/// How often a condition is looked at that nothing announces.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until `look` finds something, and hands it back.
///
/// # Panics
/// When it has not within `patience`; the message says what was waited for.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock.uptime() < patience, "in {} s there was no {what}", patience.as_secs());
        pause();
    }
}

/// Lets other threads go on for a moment.
pub(crate) fn pause() {
    let nobody = (Mutex::new(()), Condvar::new());
    let guard = nobody.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(nobody.1.wait_timeout(guard, LOOK_AGAIN));
}
