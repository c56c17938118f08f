//! How old a read was when the host got it.
//!
//! A reader's reports may wait on the way: in a bridge, a driver, a stalled host. A read is
//! evidence of where its tag was when it was read, so one that waited too long must not be taken
//! for the vehicle that stands there now. The reader's own time stamps tell: between them and the
//! host's clock lies an offset, and the report that came quickest shows the least of it.

use std::time::Duration;

/// The reader's clock may run this much slower than the host's, in parts of a million, without
/// its reads being taken for old ones.
const DRIFT_PPM: i128 = 200;

/// Follows one reader's time stamps.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadAge {
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    reader_ms: u32,
    host_us: i128,
    offset_us: i128,
}

impl ReadAge {
    /// How long the report waited that carries `reader_ms` and came at `host`. The first since
    /// the reader's time stamps began anew counts as one that did not wait.
    pub fn of(&mut self, reader_ms: u32, host: Duration) -> Duration {
        let host_us = i128::try_from(host.as_micros()).unwrap_or(i128::MAX);
        let offset_us = host_us - i128::from(reader_ms) * 1_000;
        let least_us = match self.last {
            Some(last) if last.reader_ms <= reader_ms => {
                let drifted = (host_us - last.host_us).max(0) * DRIFT_PPM / 1_000_000;
                offset_us.min(last.offset_us + drifted)
            }
            Some(_) | None => offset_us,
        };
        self.last = Some(Last { reader_ms, host_us, offset_us: least_us });
        Duration::from_micros(u64::try_from(offset_us - least_us).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(reads: &[(u32, u64)]) -> Vec<u128> {
        let mut age = ReadAge::default();
        reads
            .iter()
            .map(|&(reader_ms, host_ms)| age.of(reader_ms, Duration::from_millis(host_ms)))
            .map(|age| (age.as_micros() + 500) / 1_000)
            .collect()
    }

    #[test]
    fn a_report_that_waited_is_as_old_as_it_waited() {
        assert_eq!(ages(&[(100, 5_103), (150, 5_153), (200, 5_903), (950, 5_953)]), [0, 0, 700, 0]);
    }

    #[test]
    fn a_first_report_that_waited_is_found_out_by_the_next() {
        assert_eq!(ages(&[(100, 5_400), (150, 5_150), (200, 5_400)]), [0, 0, 200]);
    }

    #[test]
    fn time_stamps_that_begin_anew_begin_a_new_count() {
        assert_eq!(ages(&[(9_000, 10_000), (20, 12_000), (40, 12_020)]), [0, 0, 0]);
    }

    #[test]
    fn a_reader_whose_clock_runs_slow_does_not_grow_old() {
        let hour = 3_600_000_u32;
        let reads: Vec<(u32, u64)> =
            (0..24).map(|n| (n * hour, u64::from(n) * (u64::from(hour) + 360))).collect();
        assert!(ages(&reads).iter().all(|age| *age == 0));
    }
}
