use std::time::Duration;

use rfid_driver::session::{Gap, GapCause, ReaderState, Report};
use rfid_driver::supervisor::{AntennaState, ReaderEvent};
use rfid_driver::{Epc, Rssi, TagRead};

use super::verdict::{Verdict, judge};
use super::{Check, clock};

/// A good reader that has read one tag ten times in a second.
fn good() -> Check {
    let mut check = Check::new(vec![1]);
    let start = clock::now();
    check.handle(&ReaderEvent::State(ReaderState::Reading), start);
    check.handle(
        &ReaderEvent::Report(Report::Antenna { port: 1, state: AntennaState::Connected }),
        start,
    );
    let epc = Epc::try_from_slice(b"a tag for us").unwrap();
    for number in 0..10_u8 {
        let at = start + Duration::from_millis(100) * u32::from(number);
        let rssi = Some(Rssi { dbm: Some(-50 - i16::from(number)), raw: 0 });
        check.handle(&ReaderEvent::Tag(TagRead { rssi, ..TagRead::new(epc, at) }), at);
    }
    check.end(start + Duration::from_secs(1));
    check
}

#[track_caller]
fn verdicts(check: &Check, expected: &[(&str, Verdict)]) {
    let findings = judge(check);
    for (about, verdict) in expected {
        let found = findings.iter().find(|finding| finding.about == *about).unwrap();
        assert_eq!(found.verdict, *verdict, "{found:?}");
    }
}

#[test]
fn a_good_reader_passes_with_its_figures() {
    let check = good();
    assert!(judge(&check).iter().all(|finding| finding.verdict == Verdict::Pass));
    let figures = check.tags.values().next().unwrap();
    assert_eq!((figures.reads, figures.median_dbm()), (10, Some(-55)));
    assert_eq!(figures.interval_max, Duration::from_millis(100));
    assert!((check.reads_per_second().unwrap() - 10.0).abs() < 0.01);
}

#[test]
fn a_reader_that_never_reads_fails() {
    let check = Check::new(vec![1]);
    verdicts(&check, &[("reader", Verdict::Fail), ("tags", Verdict::Warn)]);
}

#[test]
fn what_loses_vehicles_fails_and_what_should_be_looked_at_warns() {
    let at = clock::now();
    let gap = |cause| ReaderEvent::Gap(Gap { since: at, until: at, cause });
    let report = ReaderEvent::Report;
    let missing = Report::Antenna { port: 1, state: AntennaState::Missing };
    for (event, about, verdict) in [
        (gap(GapCause::Silence), "gaps", Verdict::Fail),
        (gap(GapCause::Request), "gaps", Verdict::Pass),
        (gap(GapCause::Noise { bytes: 7 }), "gaps", Verdict::Pass),
        (gap(GapCause::Noise { bytes: 7 }), "line", Verdict::Warn),
        (report(missing), "antenna", Verdict::Fail),
        (report(Report::Temperature { celsius: 40 }), "temperature", Verdict::Pass),
        (report(Report::Temperature { celsius: 75 }), "temperature", Verdict::Warn),
        (report(Report::Temperature { celsius: 90 }), "temperature", Verdict::Fail),
        (report(Report::RadioFault { text: "return loss" }), "radio", Verdict::Fail),
        (ReaderEvent::State(ReaderState::Degraded), "reader", Verdict::Fail),
    ] {
        let mut check = good();
        check.handle(&event, at);
        verdicts(&check, &[(about, verdict)]);
    }
}
