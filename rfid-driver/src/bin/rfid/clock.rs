//! The one place of the command that looks at a clock.

#![expect(clippy::disallowed_methods, reason = "this is the clock file")]

use std::time::{Instant, SystemTime};

use jiff::Timestamp;

/// The host's monotonic time, now.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// When `at` was, by the host's calendar, as RFC 3339 writes it.
pub(crate) fn rfc3339(at: Instant) -> String {
    let ago = Instant::now().saturating_duration_since(at);
    let then = SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
    Timestamp::try_from(then).map_or_else(|_| String::new(), |then| format!("{then:.6}"))
}
