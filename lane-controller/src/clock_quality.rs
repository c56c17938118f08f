//! How far a lane may trust its wall clock: what the kernel says of it, and how far the centre's
//! clock is from it.
//!
//! The *offset* is how far the centre's clock is ahead, by four time stamps (sent, received,
//! answered, heard); its *error* is half of what the way there and back took, and grows with the age
//! of the exchange, as a clock that nobody disciplines drifts. A clock is good when the offset is
//! surely within the bound, or, where the centre cannot be asked, when the kernel says that something
//! disciplines it. A lane never sets the clock and never rewrites a time stamp: chrony does the
//! former, and the quality in each record stands for the latter.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Request};
use domain::passage::ClockQuality;
use domain::signature::{Context, PublicKey, Signature};
use domain::wire::v1::{TimeAnswer, TimeQuestion, emit, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId, Timestamp};
use kernel_clock::KernelClock;
use serde::Deserialize;
use tokio::sync::watch;

/// How often the centre is asked, in real time.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How soon it is asked again where it did not answer, in real time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long an answer is waited for, in real time.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How many exchanges are remembered; the one with the smallest error counts.
const REMEMBERED: usize = 8;
/// A clock that nobody disciplines drifts by this much at most.
const DRIFT_PPM: u128 = 100;

/// From where on a clock is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockBounds {
    /// The largest offset of a clock that is to be trusted, its error included.
    pub offset_max_ms: u64,
    /// From which offset on there is an alarm, whatever else is known.
    pub offset_alarm_ms: u64,
}

impl Default for ClockBounds {
    fn default() -> Self {
        Self { offset_max_ms: 1_000, offset_alarm_ms: 30_000 }
    }
}

/// One exchange with the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// How far the centre's clock is ahead, in microseconds.
    pub offset_us: i64,
    /// How far that may be wrong, either way.
    pub error_us: u64,
    /// When the answer was heard, by the run's monotonic time.
    pub at: Duration,
}

impl Exchange {
    /// Reckons an exchange; nothing where the time stamps contradict each other.
    #[must_use]
    pub fn of(answer: &TimeAnswer, heard_at: Timestamp, at: Duration) -> Option<Self> {
        let us = |time: Timestamp| i128::from(time.as_microsecond());
        let (sent, received) = (us(answer.sent_at), us(answer.received_at));
        let (answered, heard) = (us(answer.answered_at), us(heard_at));
        let way = (heard - sent) - (answered - received);
        let offset_us = i64::try_from(((received - sent) + (answered - heard)) / 2).ok()?;
        let error_us = u64::try_from(way).ok()? / 2 + 1;
        (answered >= received).then_some(Self { offset_us, error_us, at })
    }

    /// The same later: what is not asked for again is known less and less.
    fn aged(self, now: Duration) -> Self {
        let drift = now.saturating_sub(self.at).as_micros() * DRIFT_PPM / 1_000_000;
        let drift = u64::try_from(drift).unwrap_or(u64::MAX);
        Self { error_us: self.error_us.saturating_add(drift), at: now, ..self }
    }
}

/// What is known of a lane's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockState {
    /// Whether it is to be trusted.
    pub quality: ClockQuality,
    /// How far the centre's clock is ahead, where it was asked.
    pub offset: Option<Exchange>,
    /// What the kernel says, where it may be asked and the lane goes by its clock.
    pub kernel: Option<KernelClock>,
}

/// Judges a clock.
#[must_use]
pub fn judge(
    kernel: Option<KernelClock>,
    exchanges: &VecDeque<Exchange>,
    bounds: ClockBounds,
    now: Duration,
) -> ClockState {
    let offset = exchanges.iter().map(|one| one.aged(now)).min_by_key(|one| one.error_us);
    let bound_us = bounds.offset_max_ms.saturating_mul(1_000);
    let within =
        |one: Exchange| one.offset_us.unsigned_abs().saturating_add(one.error_us) <= bound_us;
    let surely_off =
        |one: Exchange| one.offset_us.unsigned_abs() > bound_us.saturating_add(one.error_us);
    let disciplined = kernel.is_some_and(|kernel| {
        kernel.synchronised && kernel.error_max <= Duration::from_millis(bounds.offset_max_ms)
    });
    let good = offset.is_some_and(within) || (disciplined && !offset.is_some_and(surely_off));
    let quality = if good { ClockQuality::Synchronised } else { ClockQuality::Unsynchronised };
    ClockState { quality, offset, kernel }
}

/// Whether a clock is surely further off than people may leave it. One that nobody could compare is
/// not known to be.
#[must_use]
pub fn is_far(state: &ClockState, bounds: ClockBounds) -> bool {
    let alarm_us = bounds.offset_alarm_ms.saturating_mul(1_000);
    state
        .offset
        .is_some_and(|one| one.offset_us.unsigned_abs().saturating_sub(one.error_us) > alarm_us)
}

/// What everybody who needs it knows of the clock.
#[derive(Debug, Clone)]
pub struct ClockWatch(Arc<ArcSwap<ClockState>>);

impl ClockWatch {
    /// A clock of which this is known.
    #[must_use]
    pub fn of(state: ClockState) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(state)))
    }

    /// A clock that is trusted without being asked.
    #[must_use]
    pub fn trusted() -> Self {
        Self::of(ClockState { quality: ClockQuality::Synchronised, offset: None, kernel: None })
    }

    /// What is known now.
    #[must_use]
    pub fn state(&self) -> ClockState {
        **self.0.load()
    }
}

/// Watches a station's clock for as long as the process lives.
#[derive(Debug)]
pub struct ClockKeeper {
    /// In whose name the centre is asked.
    pub lane: LaneId,
    /// The connection.
    pub client: Client,
    /// The key an answer must be signed by.
    pub centre: PublicKey,
    /// The clock in question.
    pub clock: Clock,
    /// Whether the lane goes by the machine's clock as it is, so that the kernel's word counts.
    pub by_machine: bool,
    /// From where on it is not to be trusted.
    pub bounds: ClockBounds,
    /// Where it tells what it knows.
    pub watch: ClockWatch,
    /// Where it tells whether the clock is far off.
    pub far: watch::Sender<bool>,
}

impl ClockKeeper {
    /// Asks kernel and centre again and again.
    pub async fn run(self) {
        let mut exchanges = VecDeque::new();
        loop {
            let heard = self.exchange().await;
            let answered = heard.is_some();
            exchanges.extend(heard);
            if exchanges.len() > REMEMBERED {
                exchanges.pop_front();
            }
            let kernel = if self.by_machine { kernel_clock::ask().ok() } else { None };
            let now = self.clock.uptime();
            let state = judge(kernel, &exchanges, self.bounds, now);
            let before = self.watch.0.swap(Arc::new(state)).quality;
            if before != state.quality {
                tracing::warn!(quality = ?state.quality, offset = ?state.offset, "the clock's quality");
            }
            let far = is_far(&state, self.bounds);
            self.far.send_if_modified(|before| std::mem::replace(before, far) != far);
            tokio::time::sleep(if answered { ASK_EVERY } else { AGAIN_AFTER }).await;
        }
    }

    async fn exchange(&self) -> Option<Exchange> {
        if self.client.connection_state() != State::Connected {
            return None;
        }
        let question = TimeQuestion { v: 1, lane: self.lane.clone(), sent_at: self.clock.now() };
        let request = Request::new().payload(emit(&question).into()).timeout(Some(ANSWER_WITHIN));
        let answer = self.client.send_request(subject::TIME, request).await.ok()?;
        let (heard_at, at) = (self.clock.now(), self.clock.uptime());
        if !is_signed(&self.centre, answer.headers.as_ref(), &answer.payload) {
            tracing::error!("an answer about the time is not signed by the clearing house");
            return None;
        }
        let answer: TimeAnswer = parse("answer about the time", &answer.payload).ok()?;
        let is_ours = answer.lane == question.lane && answer.sent_at == question.sent_at;
        if is_ours { Exchange::of(&answer, heard_at, at) } else { None }
    }
}

fn is_signed(centre: &PublicKey, headers: Option<&HeaderMap>, payload: &[u8]) -> bool {
    headers
        .and_then(|headers| headers.get(SIGNATURE_HEADER))
        .and_then(|text| Signature::try_from(text.as_str().to_owned()).ok())
        .is_some_and(|signature| centre.verify(Context::Time, payload, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: KernelClock =
        KernelClock { synchronised: true, error_max: Duration::from_millis(20) };

    fn time(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    fn exchange(sent: i64, received: i64, answered: i64, heard: i64) -> Option<Exchange> {
        let answer = TimeAnswer {
            v: 1,
            lane: "cienco4/ben-thuy/l01".parse().unwrap(),
            sent_at: time(sent),
            received_at: time(received),
            answered_at: time(answered),
        };
        Exchange::of(&answer, time(heard), Duration::ZERO)
    }

    #[test]
    fn four_time_stamps_tell_the_offset_and_how_far_it_may_be_wrong() {
        // The centre is 5 s ahead; 20 ms there, 40 ms back, 10 ms to answer.
        let one = exchange(0, 5_020, 5_030, 70).unwrap();
        assert_eq!((one.offset_us, one.error_us), (4_990_000, 30_001));
        // Whatever the two ways took, the truth is within the error.
        for (there, back) in [(0, 60), (60, 0), (10, 50)] {
            let one = exchange(0, 5_000 + there, 5_010 + there, there + 10 + back).unwrap();
            let wrong = u64::try_from((one.offset_us - 5_000_000).abs()).unwrap();
            assert!(wrong <= one.error_us, "{there} {back}");
        }
    }

    #[test]
    fn a_clock_is_far_off_only_where_that_is_sure() {
        let bounds = ClockBounds { offset_max_ms: 1_000, offset_alarm_ms: 30_000 };
        for (centre_ahead_ms, way_ms, far) in [
            (0, 20, false),
            (29_000, 20, false),
            (31_000, 20, true),
            (-31_000, 20, true),
            // A slow line leaves it open.
            (31_000, 4_000, false),
        ] {
            let middle = way_ms / 2 + centre_ahead_ms;
            let known = VecDeque::from_iter(exchange(0, middle, middle, way_ms));
            let state = judge(None, &known, bounds, Duration::ZERO);
            assert_eq!(is_far(&state, bounds), far, "{centre_ahead_ms} {way_ms}");
        }
        let unasked = judge(None, &VecDeque::new(), bounds, Duration::ZERO);
        assert!(!is_far(&unasked, bounds));
    }

    #[test]
    fn time_stamps_that_contradict_each_other_tell_nothing() {
        assert_eq!(exchange(0, 10, 5, 20), None);
        assert_eq!(exchange(0, 10, 50, 20), None);
    }

    #[test]
    fn a_clock_is_trusted_by_the_centre_first_and_then_by_the_kernel() {
        let near = exchange(0, 10, 10, 20);
        let far = exchange(0, 5_010, 5_010, 20);
        let free = Some(KernelClock { synchronised: false, ..KERNEL });
        let vague = Some(KernelClock { error_max: Duration::from_secs(9), ..KERNEL });
        for (kernel, exchange, trusted) in [
            (None, None, false),
            (Some(KERNEL), None, true),
            (free, None, false),
            (vague, None, false),
            (free, near, true),
            (None, near, true),
            (Some(KERNEL), far, false),
        ] {
            let known: VecDeque<_> = exchange.into_iter().collect();
            let state = judge(kernel, &known, ClockBounds::default(), Duration::ZERO);
            let expected =
                if trusted { ClockQuality::Synchronised } else { ClockQuality::Unsynchronised };
            assert_eq!(state.quality, expected, "{kernel:?} {exchange:?}");
        }
    }

    #[test]
    fn an_exchange_is_worth_less_the_older_it_is() {
        let known: VecDeque<_> = exchange(0, 10, 10, 20).into_iter().collect();
        let quality = |hours: u64| {
            let now = Duration::from_secs(hours * 3_600);
            judge(None, &known, ClockBounds::default(), now).quality
        };
        // 100 ppm are a second in less than three hours.
        assert_eq!(quality(2), ClockQuality::Synchronised);
        assert_eq!(quality(3), ClockQuality::Unsynchronised);
    }
}
