//! The one file that reads the machine's clocks. Everything else takes time as an argument.
//!
//! A run may go faster than life: then every clock and timer of every process of the run scales
//! together from one anchor. *Run time* is what the road sees; *real time* is what the machine
//! sees. Latencies are always measured in real time.
#![expect(clippy::disallowed_methods, reason = "this is the clock file")]

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How the run's time follows from the machine's, shared by all processes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockConfig {
    /// The machine's time at the anchor.
    pub real: Timestamp,
    /// The run's time at the anchor.
    pub run: Timestamp,
    /// How many seconds of the run pass in one real second; 1 is life.
    pub speed: f64,
}

/// A clock: the run's wall time and monotonic time, and real time for latencies.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    started_run: Timestamp,
    speed: f64,
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self { started: Instant::now(), started_run: Timestamp::now(), speed: 1.0 }
    }

    /// A clock of a run, or the machine's own where the run has none of its own.
    ///
    /// A speed that is not a positive number counts as 1.
    #[must_use]
    pub fn of_run(config: Option<ClockConfig>) -> Self {
        let Some(config) = config else { return Self::system() };
        let speed = if config.speed.is_finite() && config.speed > 0.0 { config.speed } else { 1.0 };
        let elapsed: Duration =
            Timestamp::now().duration_since(config.real).try_into().unwrap_or_default();
        let started_run = config.run.saturating_add(elapsed.mul_f64(speed)).unwrap_or(config.run);
        Self { started: Instant::now(), started_run, speed }
    }

    /// A configuration that anchors a run at this moment of the machine.
    #[must_use]
    pub fn anchor(run: Timestamp, speed: f64) -> ClockConfig {
        ClockConfig { real: Timestamp::now(), run, speed }
    }

    /// The run's wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.started_run.saturating_add(self.uptime()).unwrap_or(Timestamp::MAX)
    }

    /// The run's monotonic time since this clock was made.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed().mul_f64(self.speed)
    }

    /// The machine's monotonic time, for latencies.
    #[must_use]
    pub fn real(&self) -> Instant {
        Instant::now()
    }

    /// The run's monotonic time at a real instant; zero for one before the clock was made.
    #[must_use]
    pub fn uptime_at(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started).mul_f64(self.speed)
    }

    /// The real instant at which the run's monotonic time will be `uptime`.
    #[must_use]
    pub fn real_at(&self, uptime: Duration) -> Instant {
        self.started + self.to_real(uptime)
    }

    /// How long a span of the run lasts on the machine.
    #[must_use]
    pub fn to_real(&self, run: Duration) -> Duration {
        run.div_f64(self.speed)
    }

    /// How much faster than life the run goes.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_as_many_times_faster_as_it_says() {
        let run: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        let clock = Clock::of_run(Some(Clock::anchor(run, 50.0)));
        assert_eq!(clock.to_real(Duration::from_secs(5)), Duration::from_millis(100));
        let span = clock.uptime_at(clock.real_at(Duration::from_secs(7)));
        assert!(span.abs_diff(Duration::from_secs(7)) < Duration::from_millis(1));
        assert!(clock.now() >= run);
    }

    #[test]
    fn a_clock_without_a_run_goes_with_the_machine() {
        assert!((Clock::of_run(None).speed() - 1.0).abs() < f64::EPSILON);
    }
}
