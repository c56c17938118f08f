//! Many spans of time, and their percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::Failed;

/// The longest span that is told apart from a longer one.
const SPAN_NS_MAX: u64 = 60_000_000_000;

/// Spans of time, kept to three digits.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Latency {
    /// No spans yet.
    ///
    /// # Errors
    /// Never: the bounds are constants that make sense.
    pub fn try_new() -> Result<Self, Failed> {
        Ok(Self(Histogram::new_with_bounds(1, SPAN_NS_MAX, 3)?))
    }

    /// Adds a span; a longer one than a minute counts as a minute.
    pub fn record(&mut self, span: Duration) {
        let nanoseconds = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds);
    }

    /// Adds another's spans.
    ///
    /// # Errors
    /// Never: all have the same bounds.
    pub fn merge(&mut self, other: &Self) -> Result<(), Failed> {
        Ok(self.0.add(&other.0)?)
    }

    /// The span in microseconds that this share of all spans does not exceed.
    #[must_use]
    pub fn micros_at(&self, quantile: f64) -> f64 {
        in_micros(self.0.value_at_quantile(quantile))
    }

    /// The longest span, in microseconds.
    #[must_use]
    pub fn max_micros(&self) -> f64 {
        in_micros(self.0.max())
    }

    /// How many spans there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

fn in_micros(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
}
