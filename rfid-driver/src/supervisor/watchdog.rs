//! Watching the reader's thread from outside.
//!
//! A read can block for good although it has a timeout, when the device goes bad between poll(2)
//! and read(2) (serialport issue 7), and the sink is somebody else's code. A thread that hangs
//! cannot say so itself. So it notes what it is about to do, and another one looks once a second.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::clock;

/// Nothing that the thread does takes so long: a read 50 ms, a write 200, a pause 250, and a sink
/// must be quick.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// What a reader's thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activity {
    /// It waits before it opens the port again.
    Pausing,
    /// It opens the port.
    Opening,
    /// It reads from the port.
    Reading,
    /// It writes to the port or sets its rate.
    Writing,
    /// It is in the sink.
    Delivering,
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pausing => "pausing",
            Self::Opening => "opening the port",
            Self::Reading => "reading the port",
            Self::Writing => "writing to the port",
            Self::Delivering => "in the sink",
        })
    }
}

/// A reader's thread has been doing one thing for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// What.
    pub activity: Activity,
    /// For how long by now.
    pub lasting: Duration,
}

/// What the thread is doing and since when, in one word.
#[derive(Debug)]
pub(super) struct Pulse {
    epoch: Instant,
    // Milliseconds since the epoch times `CODES`, plus the activity's code.
    word: AtomicU64,
}

const CODES: u64 = 8;

impl Pulse {
    pub(super) fn new() -> Self {
        Self { epoch: clock::now(), word: AtomicU64::new(code(Activity::Opening)) }
    }

    /// The thread begins something.
    pub(super) fn beat(&self, activity: Activity, now: Instant) {
        let since_ms = now.saturating_duration_since(self.epoch).as_millis();
        let since_ms = u64::try_from(since_ms).unwrap_or(u64::MAX / CODES);
        self.word.store(since_ms * CODES + code(activity), Ordering::Relaxed);
    }

    /// What it has been doing for too long.
    pub(super) fn stall(&self, now: Instant) -> Option<Stall> {
        let word = self.word.load(Ordering::Relaxed);
        let since = self.epoch + Duration::from_millis(word / CODES);
        let lasting = now.saturating_duration_since(since);
        (lasting > STALLED_AFTER).then(|| Stall { activity: activity(word % CODES), lasting })
    }
}

fn code(activity: Activity) -> u64 {
    match activity {
        Activity::Pausing => 0,
        Activity::Opening => 1,
        Activity::Reading => 2,
        Activity::Writing => 3,
        Activity::Delivering => 4,
    }
}

fn activity(code: u64) -> Activity {
    match code {
        0 => Activity::Pausing,
        1 => Activity::Opening,
        2 => Activity::Reading,
        3 => Activity::Writing,
        _ => Activity::Delivering,
    }
}

/// Says, once each time, that the thread hangs and that it goes on; until it has finished.
pub(super) fn watch(port: &Path, pulse: &Arc<Pulse>, finished: &Receiver<Infallible>) {
    let mut stalled = None;
    while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(STALLED_AFTER) {
        match (stalled, pulse.stall(clock::now())) {
            (None, Some(stall)) => {
                tracing::error!(
                    reader.port = %port.display(), reader.activity = %stall.activity,
                    "reader thread hangs: no tag is reported until it goes on"
                );
                stalled = Some(stall);
            }
            (Some(Stall { activity, .. }), None) => {
                tracing::warn!(
                    reader.port = %port.display(), reader.activity = %activity,
                    "reader thread goes on"
                );
                stalled = None;
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Activity, Pulse, STALLED_AFTER, Stall};

    #[test]
    fn a_thread_that_does_one_thing_for_too_long_is_stalled_until_it_does_another() {
        let pulse = Pulse::new();
        for activity in [
            Activity::Pausing,
            Activity::Opening,
            Activity::Reading,
            Activity::Writing,
            Activity::Delivering,
        ] {
            let since = pulse.epoch;
            pulse.beat(activity, since);
            assert_eq!(pulse.stall(since + STALLED_AFTER), None);
            let lasting = 2 * STALLED_AFTER;
            assert_eq!(pulse.stall(since + lasting), Some(Stall { activity, lasting }));
            pulse.beat(activity, since + lasting);
            assert_eq!(pulse.stall(since + lasting), None);
        }
    }
}
