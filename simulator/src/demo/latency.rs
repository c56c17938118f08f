//! Latencies of a run, in real microseconds whatever the run's speed.

use hdrhistogram::Histogram;
use serde::Serialize;

/// An hour: what takes longer counts as an hour.
const LONGEST_US: u64 = 3_600_000_000;
/// Values keep their first three digits.
const DIGITS: u8 = 3;

/// What a run says of one latency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half were no slower.
    pub p50: u64,
    /// 99 of 100 were no slower.
    pub p99: u64,
    /// 999 of 1000 were no slower.
    pub p999: u64,
    /// The slowest.
    pub max: u64,
    /// How many were measured.
    pub n: u64,
}

/// One latency, measured many times.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Latency {
    /// Nothing measured yet.
    ///
    /// # Panics
    /// Never: the bounds are good.
    #[must_use]
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are good"))
    }

    /// Takes one measurement.
    pub fn record_us(&mut self, us: u64) {
        self.0.saturating_record(us);
    }

    /// What was measured so far.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let n = self.0.len();
        if n == 0 {
            return Percentiles::default();
        }
        Percentiles {
            p50: self.0.value_at_quantile(0.5),
            p99: self.0.value_at_quantile(0.99),
            p999: self.0.value_at_quantile(0.999),
            max: self.0.max(),
            n,
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let mut latency = Latency::new();
        assert_eq!(latency.percentiles(), Percentiles::default());
        (1..=1000).for_each(|us| latency.record_us(us));
        let found = latency.percentiles();
        assert_eq!((found.p50, found.p99, found.max, found.n), (500, 990, 1000, 1000));
    }
}
