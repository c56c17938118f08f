use std::time::{Duration, Instant};

use super::Watch;
use crate::session::{Gap, GapCause, SessionEvent};
use crate::{Epc, TagRead, clock};

fn after(origin: Instant, ms: u64) -> Instant {
    origin + Duration::from_millis(ms)
}

fn gaps(watch: &mut Watch) -> Vec<Gap> {
    std::iter::from_fn(|| watch.poll())
        .filter_map(|event| match event {
            SessionEvent::Gap(gap) => Some(gap),
            SessionEvent::Tag(_)
            | SessionEvent::State(_)
            | SessionEvent::Report(_)
            | SessionEvent::LineDead => None,
        })
        .collect()
}

#[test]
fn a_gap_of_noise_lasts_from_the_report_before_it_to_the_one_behind_it() {
    let origin = clock::now();
    let mut watch = Watch::new();
    watch.begin_reading(origin);
    watch.heard(after(origin, 100));
    // Noise alone, and then noise with an intact report behind it.
    watch.noise(3, after(origin, 150));
    watch.heard(after(origin, 200));
    watch.noise(5, after(origin, 200));
    let cause = GapCause::Noise { bytes: 5 };
    let gap = Gap { since: after(origin, 100), until: after(origin, 200), cause };
    assert_eq!(gaps(&mut watch), [gap]);
}

#[test]
fn a_report_of_no_use_is_a_gap_since_the_one_before_it() {
    let origin = clock::now();
    let mut watch = Watch::new();
    watch.begin_reading(origin);
    watch.heard(after(origin, 100));
    watch.gap(GapCause::Unusable, after(origin, 100));
    let gap = Gap { since: origin, until: after(origin, 100), cause: GapCause::Unusable };
    assert_eq!(gaps(&mut watch), [gap]);
}

#[test]
fn gaps_do_not_overlap() {
    let origin = clock::now();
    let mut watch = Watch::new();
    watch.begin_reading(origin);
    watch.end_reading(GapCause::Silence, after(origin, 500));
    watch.begin_reading(after(origin, 900));
    watch.gap(GapCause::Noise { bytes: 1 }, after(origin, 900));
    let silence = Gap { since: origin, until: after(origin, 900), cause: GapCause::Silence };
    let noise = GapCause::Noise { bytes: 1 };
    let noise = Gap { since: after(origin, 900), until: after(origin, 900), cause: noise };
    assert_eq!(gaps(&mut watch), [silence, noise]);
}

#[test]
fn a_read_that_is_found_after_a_silence_has_the_instant_at_which_its_bytes_came() {
    let origin = clock::now();
    let mut watch = Watch::new();
    watch.received(origin);
    watch.tag(TagRead::new(Epc::from([0x34; 12]), after(origin, 20)));
    let Some(SessionEvent::Tag(read)) = watch.poll() else { panic!("no tag") };
    assert_eq!(read.at, origin);
}
