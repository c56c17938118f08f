//! Unplugged, replaced, at another rate, hung.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rfid_driver::emulator::pty::{Power, PtyReader, PtyReaderConfig};
use rfid_driver::emulator::{EmulatorSettings, FieldTag};
use rfid_driver::protocol::{ALL, Protocol, Transport};
use rfid_driver::supervisor::{
    Activity, GapCause, Reader, ReaderConfig, ReaderEvent, ReaderState, Report, Request, Stopped,
};

use super::host::{Host, PATIENCE, now, tag};
use super::stranger::Stranger;
use super::wait_until;

/// From plugging in until the first tag, in real time.
const BACK_WITHIN: Duration = Duration::from_secs(1);

/// Does it for every protocol on a serial line, all at once: most of it is waiting.
fn with_each_protocol(check: impl Fn(&'static dyn Protocol) + Sync) {
    thread::scope(|scope| {
        let check = &check;
        for &protocol in ALL.iter().filter(|protocol| {
            protocol.transport() == Transport::Serial
                && protocol.emulator(&EmulatorSettings::default()).is_ok()
        }) {
            scope.spawn(move || check(protocol));
        }
    });
}

fn emulated(protocol: &'static dyn Protocol) -> PtyReaderConfig {
    PtyReaderConfig { protocol, ..PtyReaderConfig::default() }
}

fn wait_for_port_lost(host: &Host) -> rfid_driver::session::Gap {
    let port_lost = |event: &ReaderEvent| matches!(event, ReaderEvent::Gap(gap) if gap.cause == GapCause::PortLost);
    let ReaderEvent::Gap(gap) = host.wait_for("gap", port_lost) else { unreachable!() };
    gap
}

#[test]
fn a_reader_that_is_plugged_in_again_is_read_within_a_second() {
    with_each_protocol(|protocol| {
        let folder = tempfile::tempdir().unwrap();
        let port = folder.path().join("reader");
        let mut emulator = PtyReader::start(&port, emulated(protocol)).unwrap();
        let host = Host::with(ReaderConfig { protocol, ..ReaderConfig::new(&port) });
        emulator.set_field(&[tag(1)]);
        host.wait_for_tag(tag(1));
        for power in [Power::Kept, Power::Lost] {
            let unplugged_at = now();
            emulator.unplug();
            assert!(std::fs::symlink_metadata(&port).is_err());
            host.wait_for_state(ReaderState::Closed);
            emulator.set_field(&[tag(2)]);
            let plugged_at = now();
            emulator.replug(power).unwrap();
            let gap = wait_for_port_lost(&host);
            assert!(gap.since <= unplugged_at && gap.until >= plugged_at, "{protocol:?}");
            host.wait_for_tag(tag(2));
            let took = plugged_at.elapsed();
            assert!(took < BACK_WITHIN, "{protocol:?} with power {power:?}: {took:?}");
        }
        assert_eq!(host.reader.stop(), Stopped::Cleanly);
    });
}

#[test]
fn a_name_that_leads_to_another_device_is_followed_although_the_old_line_lives() {
    with_each_protocol(|protocol| {
        let folder = tempfile::tempdir().unwrap();
        let port = folder.path().join("reader");
        let old = PtyReader::start(&port, emulated(protocol)).unwrap();
        let host = Host::with(ReaderConfig { protocol, ..ReaderConfig::new(&port) });
        old.set_field(&[tag(1)]);
        host.wait_for_tag(tag(1));
        std::fs::remove_file(&port).unwrap();
        // A name that leads nowhere is no reason to leave a line that works.
        old.set_field(&[tag(2)]);
        host.wait_for_tag(tag(2));
        let plugged_at = now();
        let new = PtyReader::start(&port, emulated(protocol)).unwrap();
        new.set_field(&[tag(3)]);
        host.wait_for_tag(tag(3));
        let took = plugged_at.elapsed();
        assert!(took < BACK_WITHIN, "{protocol:?}: {took:?}");
        assert_eq!(host.reader.stop(), Stopped::Cleanly);
    });
}

#[test]
fn a_reader_at_any_rate_is_found() {
    with_each_protocol(|protocol| {
        thread::scope(|scope| {
            for &baud in protocol.bauds() {
                scope.spawn(move || is_found(protocol, baud));
            }
        });
    });
}

fn is_found(protocol: &'static dyn Protocol, baud: u32) {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let reader = EmulatorSettings { baud: Some(baud), ..EmulatorSettings::default() };
    let emulator =
        PtyReader::start(&port, PtyReaderConfig { reader, ..emulated(protocol) }).unwrap();
    let host = Host::with(ReaderConfig { protocol, ..ReaderConfig::new(&port) });
    emulator.set_field(&[tag(1)]);
    let is_identity =
        |event: &ReaderEvent| matches!(event, ReaderEvent::Report(Report::Identity { .. }));
    let ReaderEvent::Report(Report::Identity { baud: found_at, .. }) =
        host.wait_for("identity", is_identity)
    else {
        unreachable!()
    };
    assert_eq!(found_at, Some(baud), "{protocol:?}");
    host.wait_for_tag(tag(1));
    assert_eq!(host.reader.stop(), Stopped::Cleanly);
}

#[test]
fn a_silent_line_is_opened_anew_and_the_search_goes_on_where_it_was() {
    with_each_protocol(|protocol| {
        let folder = tempfile::tempdir().unwrap();
        let port = folder.path().join("reader");
        let stranger = Stranger::at(&port, Box::new(|_, _| Vec::new()));
        let host = Host::with(ReaderConfig { protocol, ..ReaderConfig::new(&port) });
        host.wait_for_state(ReaderState::Probing);
        // Two rounds and a bit; the first rate of each is tried twice.
        let probes = 2 * (protocol.bauds().len() + 1) + 2;
        wait_until("two rounds", || {
            let mut rates = stranger.spoken_at();
            rates.dedup();
            rates.len() >= probes - 2
        });
        let mut rates = stranger.spoken_at();
        rates.dedup();
        let known = protocol.bauds();
        assert_eq!(rates[0], known[0], "{protocol:?}");
        // On a busy machine the stranger may come to a probe when the rate has moved on already:
        // that may hide two of them, and no more.
        let mut search = known.iter().cycle().take(rates.len() + 2);
        let in_order = rates.iter().all(|rate| search.any(|next| next == rate));
        assert!(in_order, "{protocol:?}: {rates:?}");
        assert_eq!(host.reader.stop(), Stopped::Cleanly);
    });
}

#[test]
fn a_sink_that_hangs_is_told_from_outside_and_does_not_hold_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let _emulator = PtyReader::start(&port, PtyReaderConfig::default()).unwrap();
    let (release, released) = mpsc::channel::<()>();
    let reader = Reader::spawn(ReaderConfig::new(port), move |event| {
        if event == ReaderEvent::State(ReaderState::Reading) {
            // Until the test lets go.
            released.recv().unwrap_err();
        }
    })
    .unwrap();
    assert_eq!(reader.stall(), None);
    wait_until("the hang is noticed", || reader.stall().is_some());
    let stall = reader.stall().unwrap();
    assert_eq!(stall.activity, Activity::Delivering);
    assert!(stall.lasting > Duration::from_secs(1));
    let asked_at = now();
    assert_eq!(reader.stop(), Stopped::Abandoned);
    assert!(asked_at.elapsed() < PATIENCE);
    drop(release);
}

#[test]
fn a_sink_that_is_slow_for_once_delays_tags_but_loses_none() {
    // Longer than a reader may be silent.
    const SLOW: Duration = Duration::from_millis(2800);
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let (truth, sent) = mpsc::channel();
    let config = PtyReaderConfig { truth: Some(truth), ..PtyReaderConfig::default() };
    let emulator = PtyReader::start(&port, config).unwrap();
    let (sender, events) = mpsc::channel();
    let (_open, nothing) = mpsc::channel::<()>();
    let mut was_slow = false;
    let reader = Reader::spawn(ReaderConfig::new(port), move |event| {
        let is_tag = matches!(event, ReaderEvent::Tag(_));
        sender.send(event).unwrap();
        if is_tag && !std::mem::replace(&mut was_slow, true) {
            nothing.recv_timeout(SLOW).unwrap_err();
        }
    })
    .unwrap();
    let host = Host { reader, events };
    host.wait_for_state(ReaderState::Reading);
    emulator.set_field(&[tag(1)]);
    host.wait_for_tag(tag(1));
    // All that comes meanwhile fits into what the kernel keeps.
    wait_until("the sink is quick again", || emulator.tag_frames_sent() > 58);
    emulator.set_field(&[]);
    let mut tags = 1;
    while let Ok(event) = host.events.recv_timeout(Duration::from_millis(500)) {
        assert!(matches!(event, ReaderEvent::Tag(_)), "{event:?}");
        tags += 1;
    }
    assert_eq!(tags, sent.try_iter().count());
    assert_eq!(host.reader.stop(), Stopped::Cleanly);
}

#[test]
fn a_request_is_answered_although_the_reader_comes_later() {
    with_each_protocol(|protocol| {
        let folder = tempfile::tempdir().unwrap();
        let port = folder.path().join("reader");
        let host = Host::with(ReaderConfig { protocol, ..ReaderConfig::new(&port) });
        host.reader.request(Request::Temperature);
        let _emulator = PtyReader::start(&port, emulated(protocol)).unwrap();
        host.wait_for("answer", |event| {
            let ReaderEvent::Report(report) = event else { return false };
            matches!(
                report,
                Report::Temperature { .. } | Report::Refused { request: Request::Temperature }
            )
        });
        assert_eq!(host.reader.stop(), Stopped::Cleanly);
    });
}

#[test]
fn a_sink_that_panics_is_not_swallowed() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let _emulator = PtyReader::start(&port, PtyReaderConfig::default()).unwrap();
    let (called, calls) = mpsc::channel();
    let reader = Reader::spawn(ReaderConfig::new(port), move |_| {
        called.send(()).unwrap();
        panic!("the sink's own affair");
    })
    .unwrap();
    calls.recv_timeout(PATIENCE).unwrap();
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.stop()));
    assert!(stopped.is_err());
}

#[test]
fn whoever_stops_a_reader_that_is_not_there_does_not_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, events) = mpsc::channel();
    let reader = Reader::spawn(ReaderConfig::new(folder.path().join("nothing")), move |event| {
        sender.send(event).unwrap();
    })
    .unwrap();
    assert_eq!(reader.stop(), Stopped::Cleanly);
    // Closed it was from the beginning.
    assert_eq!(events.try_iter().count(), 0);
}

/// The antenna's view of a car, from [`rfid_driver::emulator::passing`], arrives as a curve.
#[test]
fn a_passing_vehicle_arrives_as_a_curve() {
    use rfid_driver::emulator::passing::{Drive, Passing, Position};

    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("reader");
    let emulator = PtyReader::start(&port, PtyReaderConfig::default()).unwrap();
    let host = Host::on(port, 1.0);
    host.wait_for_state(ReaderState::Reading);
    let drive = Drive { speed_kmh: 20.0, fading_db: 0.0, ..Drive::default() };
    let begun_at = now();
    let pass = Passing {
        tag: FieldTag { rssi_dbm: 0, ..tag(1) },
        enters_at: Duration::ZERO,
        position: Position::Centre,
        drive,
        seed: 1,
    };
    wait_until("the car has passed", || {
        let field = pass.field(begun_at.elapsed());
        emulator.set_field(field.as_slice());
        field.is_none()
    });
    let tags = host.remaining_tags();
    // 1080 ms at a read each 50 ms; a busy machine may miss some.
    assert!((8..=24).contains(&tags.len()), "{} reads", tags.len());
    let dbm = |read: &rfid_driver::TagRead| read.rssi.unwrap().dbm.unwrap();
    let peak = tags.iter().map(dbm).max().unwrap();
    assert!((-54..=-48).contains(&peak), "{peak} dBm");
    assert!(dbm(&tags[0]) < peak - 5 && dbm(tags.last().unwrap()) < peak - 5);
    host.reader.stop();
}
