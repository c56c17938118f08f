//! How often a caller may ask: a bucket for each key, which fills as time goes by. Pure.
//!
//! *Burst*: how many requests may come at once, after a pause. Deliberately absent: limits across
//! processes; each counts what it serves.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::RequestRate;

#[derive(Debug)]
pub(super) struct Limits {
    rate: RequestRate,
    buckets: Mutex<HashMap<i64, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    requests: f64,
    filled_at: Instant,
}

impl Limits {
    pub(super) fn new(rate: RequestRate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes one request out of a key's bucket, or says after how many seconds there will be one.
    pub(super) fn take(&self, key: i64, now: Instant) -> Result<(), u64> {
        let (per_s, burst) = (f64::from(self.rate.per_s.get()), f64::from(self.rate.burst.get()));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key).or_insert(Bucket { requests: burst, filled_at: now });
        let since = now.saturating_duration_since(bucket.filled_at);
        bucket.requests = (bucket.requests + since.as_secs_f64() * per_s).min(burst);
        bucket.filled_at = now;
        if bucket.requests < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - bucket.requests) / per_s);
            return Err(wait.as_secs() + 1);
        }
        bucket.requests -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use domain::Clock;

    use super::*;

    #[test]
    fn who_asks_too_often_waits_and_nobody_else_does() {
        let two = NonZeroU16::new(2).unwrap();
        let limits = Limits::new(RequestRate { per_s: two, burst: two });
        let begin = Clock::system().real();
        let after = |ms| begin + Duration::from_millis(ms);
        assert_eq!([limits.take(1, begin), limits.take(1, begin)], [Ok(()), Ok(())]);
        assert_eq!(limits.take(1, after(100)), Err(1));
        assert_eq!(limits.take(2, after(100)), Ok(()));
        assert_eq!(limits.take(1, after(600)), Ok(()), "half a second fills in one");
        assert_eq!(limits.take(1, after(600)), Err(1));
        let long = [limits.take(1, after(90_000)), limits.take(1, after(90_000))];
        assert_eq!(long, [Ok(()), Ok(())]);
        assert_eq!(limits.take(1, after(90_000)), Err(1), "no pause saves up more than the burst");
    }
}
