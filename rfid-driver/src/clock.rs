//! The one place that looks at the host's clock; everything else takes time as an argument.

use std::time::Instant;

/// The host's monotonic time, now.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is passed")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
