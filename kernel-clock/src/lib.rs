//! What the kernel says of its clock: whether something disciplines it, and how far it may be off.
//!
//! It exists so that the rest of the workspace can forbid unsafe code: `adjtimex(2)` has no safe
//! wrapper in the crates that the workspace uses. Whoever disciplines the clock (chrony, ntpd,
//! systemd-timesyncd) tells the kernel so, and the kernel lets the bound grow when it hears nothing
//! more; so one question covers them all.
//!
//! Deliberately absent: setting anything.

use std::io;
use std::time::Duration;

/// What the kernel says of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelClock {
    /// Whether the clock is disciplined, by the word of whoever does it.
    pub synchronised: bool,
    /// How far the clock may be off at most, by the same word. It grows while nothing is heard.
    pub error_max: Duration,
}

/// Asks the kernel.
///
/// # Errors
/// When the system does not allow the question.
pub fn ask() -> io::Result<KernelClock> {
    #[expect(unsafe_code, reason = "a C structure of numbers, all of which may be zero")]
    // SAFETY: `timex` consists of integers and of a `timeval` of integers: zero is a value of each.
    let mut answer: libc::timex = unsafe { std::mem::zeroed() };
    // No mode is set: the call only reads.
    answer.modes = 0;
    #[expect(unsafe_code, reason = "the one call that asks the kernel")]
    // SAFETY: the pointer is to a `timex` that is alive and nobody else's for the whole call, and
    // the kernel writes within it alone.
    let state = unsafe { libc::adjtimex(&raw mut answer) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let synchronised = state != libc::TIME_ERROR && answer.status & libc::STA_UNSYNC == 0;
    let error_max = Duration::from_micros(u64::try_from(answer.maxerror).unwrap_or(u64::MAX));
    Ok(KernelClock { synchronised, error_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_or_says_why_not() {
        match ask() {
            // The kernel's own limit is 16 seconds; past it the clock counts as not synchronised.
            Ok(clock) => assert!(!clock.synchronised || clock.error_max <= Duration::from_secs(16)),
            Err(error) => assert!(error.raw_os_error().is_some(), "{error}"),
        }
    }
}
