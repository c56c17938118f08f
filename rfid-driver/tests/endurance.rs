//! Readers that go on and on: silent, talking nonsense, never finishing a frame, or reporting a
//! thousand reads a second. The state is right, memory stays flat, and a good reader in its place is
//! read within a bound.
//!
//! Seconds by default. An hour of each, with memory watched to the end:
//! `RFID_ENDURANCE_SECS=3600 cargo test -p rfid-driver --test endurance`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rfid_driver::Epc;
use rfid_driver::emulator::pty::{PtyReader, PtyReaderConfig};
use rfid_driver::emulator::{EmulatorSettings, FieldTag};
use rfid_driver::protocol::{ALL, Protocol, Transport};
use rfid_driver::session::Timing;
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent, ReaderState, Stopped};

#[path = "pty/stranger.rs"]
mod stranger;

use stranger::{Stranger, Talk};

/// How much the process may grow once it is warm, whatever comes in and for how long.
const GROWTH_KB_MAX: u64 = 2048;
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// One at a time, so that the memory measured is that of one story.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn duration() -> Duration {
    let seconds = std::env::var("RFID_ENDURANCE_SECS").ok();
    Duration::from_secs(seconds.map_or(2, |seconds| seconds.parse().unwrap()))
}

fn serial_protocols() -> Vec<&'static dyn Protocol> {
    let emulated = |protocol: &&dyn Protocol| {
        protocol.transport() == Transport::Serial
            && protocol.emulator(&EmulatorSettings::default()).is_ok()
    };
    ALL.iter().copied().filter(emulated).collect()
}

/// Once it is plugged in a reader is found within a second and the time it takes to look for it at
/// each rate, once from where the search stands and once more.
fn recovery_max(protocol: &dyn Protocol) -> Duration {
    let probes = u32::try_from(2 * (protocol.bauds().len() + 1)).unwrap();
    Duration::from_secs(1) + Timing::LIFE.probe_timeout * probes
}

/// What one reader has said, counted.
#[derive(Debug, Default)]
struct Said {
    state: Option<ReaderState>,
    has_read: bool,
    states: u64,
    tags: u64,
    gaps: u64,
}

struct Host {
    protocol: &'static dyn Protocol,
    reader: Reader,
    said: Arc<Mutex<Said>>,
}

impl Host {
    fn on(port: &Path, protocol: &'static dyn Protocol, time_scale: f64) -> Self {
        let said = Arc::new(Mutex::new(Said::default()));
        let told = Arc::clone(&said);
        let config = ReaderConfig { protocol, time_scale, ..ReaderConfig::new(port) };
        let reader = Reader::spawn(config, move |event| {
            let mut said = told.lock().unwrap();
            match event {
                ReaderEvent::Tag(_) => said.tags += 1,
                ReaderEvent::State(state) => {
                    said.state = Some(state);
                    said.has_read |= state == ReaderState::Reading;
                    said.states += 1;
                }
                ReaderEvent::Gap(_) => said.gaps += 1,
                ReaderEvent::Report(_) => {}
            }
        })
        .unwrap();
        Self { protocol, reader, said }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&Said) -> bool) -> Duration {
        let asked_at = now();
        while !is_so(&self.said()) {
            assert!(asked_at.elapsed() < PATIENCE, "{:?} never: {what}", self.protocol);
            wait(Duration::from_millis(5));
        }
        asked_at.elapsed()
    }
}

#[expect(clippy::disallowed_methods, reason = "these tests are about real time")]
fn now() -> Instant {
    Instant::now()
}

/// Lets time pass: what is tested is that nothing happens meanwhile.
fn wait(time: Duration) {
    let (_open, silent) = mpsc::channel::<()>();
    silent.recv_timeout(time).unwrap_err();
}

/// This process's memory that is really there.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Runs `step` again and again, and demands that memory does not grow after the first third.
fn endure(mut step: impl FnMut()) {
    let begun_at = now();
    let mut warm_kb = None;
    while begun_at.elapsed() < duration() {
        step();
        wait(Duration::from_millis(50));
        if begun_at.elapsed() > duration() / 3 {
            warm_kb.get_or_insert_with(resident_kb);
        }
    }
    let growth_kb = resident_kb().saturating_sub(warm_kb.unwrap());
    assert!(growth_kb < GROWTH_KB_MAX, "grew by {growth_kb} kB");
}

fn tag(serial: u8) -> FieldTag {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]).unwrap();
    FieldTag::new(epc, -55, 1)
}

/// Something on each protocol's line that never says anything intact, then a good reader.
fn check(what: &str, talk: impl Fn(&'static dyn Protocol) -> Talk) {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let port = |protocol: &dyn Protocol| folder.path().join(protocol.name());
    let lines: Vec<(Stranger, Host)> = serial_protocols()
        .into_iter()
        .map(|protocol| {
            let stranger = Stranger::at(&port(protocol), talk(protocol));
            (stranger, Host::on(&port(protocol), protocol, 1.0))
        })
        .collect();
    endure(|| {
        for (_, host) in &lines {
            assert!(!host.said().has_read, "{:?} takes {what} for a reader", host.protocol);
        }
    });
    thread::scope(|scope| {
        for (stranger, host) in lines {
            let port = port(host.protocol);
            scope.spawn(move || {
                let protocol = host.protocol;
                assert_eq!(host.said().state, Some(ReaderState::Probing), "{protocol:?}, {what}");
                assert!(stranger.spoken_at().len() > 1, "{protocol:?}, {what}");
                drop(stranger);
                std::fs::remove_file(&port).unwrap();
                host.wait_until("closed", |said| said.state == Some(ReaderState::Closed));
                let config = PtyReaderConfig { protocol, ..PtyReaderConfig::default() };
                let reader = PtyReader::start(&port, config).unwrap();
                reader.set_field(&[tag(1)]);
                let took = host.wait_until("tag", |said| said.tags > 0);
                assert!(took < recovery_max(protocol), "{protocol:?} after {what}: {took:?}");
                assert_eq!(host.reader.stop(), Stopped::Cleanly);
            });
        }
    });
}

#[test]
fn a_line_that_says_nothing_is_probed_for_ever() {
    check("silence", |_| Box::new(|_, _| Vec::new()));
}

#[test]
fn a_line_that_says_nonsense_is_probed_for_ever() {
    check("nonsense", |_| {
        let mut chance = ChaCha8Rng::seed_from_u64(5);
        // Ten bytes a millisecond, nearly all that 115200 baud carries.
        Box::new(move |_, _| (0..50).map(|_| chance.random::<u8>()).collect())
    });
}

#[test]
fn a_reader_that_never_finishes_a_frame_is_probed_for_ever() {
    check("half frames", |protocol| {
        let mut reader = protocol.emulator(&EmulatorSettings::default()).unwrap();
        Box::new(move |heard, now| {
            reader.handle_bytes(heard, now);
            reader.handle_deadline(now);
            let frames = std::iter::from_fn(|| reader.poll_transmit());
            frames
                .flat_map(|sent| {
                    let frame = sent.frame.as_ref();
                    frame[..frame.len() / 2].to_vec()
                })
                .collect()
        })
    });
}

#[test]
fn a_thousand_reads_a_second_all_arrive() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<_> = serial_protocols()
        .into_iter()
        .map(|protocol| {
            let port = folder.path().join(protocol.name());
            let (truth, sent) = mpsc::channel();
            // A report a millisecond is all that leaves when time runs faster than life.
            let config = PtyReaderConfig {
                protocol,
                time_scale: 20.0,
                truth: Some(truth),
                ..PtyReaderConfig::default()
            };
            let reader = PtyReader::start(&port, config).unwrap();
            let host = Host::on(&port, protocol, 20.0);
            host.wait_until("reading", |said| said.state == Some(ReaderState::Reading));
            reader.set_field(&(1..=5).map(tag).collect::<Vec<_>>());
            (reader, host, sent)
        })
        .collect();
    let mut sent_tags = vec![0; lines.len()];
    let mut count = || {
        for ((_, _, sent), tags) in lines.iter().zip(&mut sent_tags) {
            *tags += sent.try_iter().map(|sent| sent.tags.len()).sum::<usize>();
        }
    };
    endure(&mut count);
    for (reader, ..) in &lines {
        reader.set_field(&[]);
    }
    wait(Duration::from_millis(500));
    count();
    for ((reader, host, _), sent) in lines.into_iter().zip(sent_tags) {
        let protocol = host.protocol;
        let said = std::mem::take(&mut *host.said());
        assert_eq!(usize::try_from(said.tags).unwrap(), sent, "{protocol:?}");
        assert_eq!((said.state, said.gaps), (Some(ReaderState::Reading), 0), "{protocol:?}");
        assert_eq!(reader.frames_dropped(), 0, "{protocol:?}");
        let per_second = said.tags / duration().as_secs();
        assert!(per_second > 300, "{protocol:?}: only {per_second} reads a second");
        assert_eq!(host.reader.stop(), Stopped::Cleanly);
    }
}
