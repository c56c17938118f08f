//! Hours of a bad reader in virtual time: it says nothing, garbage, half a frame, or more than the
//! line carries. Memory stays flat, the state is the true one, and reading is back within its bound.
//!
//! `./test` passes a few virtual minutes of each; `RFID_SOAK_MINUTES=60` an hour.

#![expect(clippy::print_stdout, reason = "what was measured is part of the result")]

use std::time::Duration;

use rfid_driver::emulator::memory::{MemoryLine, numbered_tag};
use rfid_driver::emulator::{DeviceFault, FieldTag};
use rfid_driver::session::{ReaderState, SessionEvent};

mod common;

use common::{Kind, kinds};

const SECOND: Duration = Duration::from_secs(1);
/// A reader that is well again reads again within this time.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// How much the process may grow while it soaks: what the allocator keeps for itself.
const GROWTH_MAX_KIB: u64 = 4096;

fn minutes() -> u32 {
    std::env::var("RFID_SOAK_MINUTES")
        .map_or(2, |minutes| minutes.parse().expect("RFID_SOAK_MINUTES is a number of minutes"))
}

/// A line, and what its session said.
struct Soak {
    kind: Kind,
    line: MemoryLine,
    state: ReaderState,
    tags: u64,
}

impl Soak {
    fn reading(kind: Kind) -> Self {
        let line = kind.reading(3);
        Self { kind, line, state: ReaderState::Reading, tags: 0 }
    }

    fn pass(&mut self, time: Duration) {
        self.line.pass(time);
        while self.line.poll_sent().is_some() {}
        while let Some(event) = self.line.poll_event() {
            match event {
                SessionEvent::Tag(_) => self.tags += 1,
                SessionEvent::State(state) => self.state = state,
                SessionEvent::Gap(_) | SessionEvent::Report(_) | SessionEvent::LineDead => {}
            }
        }
    }

    /// Passes the virtual minutes, one second at a time, and says by how many KiB the process grew
    /// after the first tenth of it.
    fn soak(&mut self, mut each_second: impl FnMut(&mut Self)) -> u64 {
        let seconds = 60 * minutes();
        let mut resident_at_first = 0;
        for second in 0..seconds {
            each_second(self);
            self.pass(SECOND);
            if second == seconds / 10 {
                resident_at_first = resident_kib();
            }
        }
        resident_kib().saturating_sub(resident_at_first)
    }

    /// Lets time pass until it reads again, and says how long that took.
    fn recovery(&mut self) -> Duration {
        let since = self.line.now();
        self.line.set_field(&[numbered_tag(1)]);
        let tags_before = self.tags;
        while self.tags == tags_before {
            assert!(
                self.line.now() - since < 10 * RECOVERY_MAX,
                "{}: does not read again",
                self.kind.name()
            );
            self.pass(Duration::from_millis(10));
        }
        assert_eq!(self.state, ReaderState::Reading, "{}", self.kind.name());
        self.line.now() - since
    }

    fn check(mut self, what: &str, grown_kib: u64) {
        let recovery = self.recovery();
        println!(
            "{:<16} {what:<28} {} min, grew {grown_kib} KiB, {} tags, back in {recovery:?}",
            self.kind.name(),
            minutes(),
            self.tags,
        );
        assert!(recovery <= RECOVERY_MAX, "{}, {what}: {recovery:?}", self.kind.name());
        assert!(grown_kib <= GROWTH_MAX_KIB, "{}, {what}: {grown_kib} KiB", self.kind.name());
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc is there");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
    line.split_whitespace().nth(1).and_then(|size| size.parse().ok()).expect("in KiB")
}

#[test]
fn bad_readers_cost_no_memory_and_are_read_again_when_they_are_well() {
    for kind in kinds() {
        silent(kind);
        garbage(kind);
        half_a_frame(kind);
        flooded(kind);
    }
}

fn silent(kind: Kind) {
    let mut soak = Soak::reading(kind);
    soak.line.break_with(DeviceFault::Mute);
    let grown = soak.soak(|soak| {
        if soak.line.now() > 30 * SECOND {
            assert_ne!(soak.state, ReaderState::Reading, "{} is silent", soak.kind.name());
        }
    });
    soak.line.break_with(DeviceFault::Unmute);
    soak.check("silent", grown);
}

fn garbage(kind: Kind) {
    let mut soak = Soak::reading(kind);
    soak.line.break_with(DeviceFault::Mute);
    let mut noise = 1_u32;
    let tags_before = soak.tags;
    let grown = soak.soak(|soak| {
        let bytes: Vec<u8> = (0..11_520)
            .map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                noise.to_le_bytes()[2]
            })
            .collect();
        for piece in bytes.chunks(64) {
            soak.line.inject(piece);
        }
    });
    println!("{:<16} garbage: {} false tags", kind.name(), soak.tags - tags_before);
    soak.line.break_with(DeviceFault::Unmute);
    soak.check("garbage", grown);
}

fn half_a_frame(kind: Kind) {
    let frame = kind.tag_frames(1)[0];
    let half = &frame.as_ref()[..frame.as_ref().len() / 2];
    let mut soak = Soak::reading(kind);
    soak.line.break_with(DeviceFault::Mute);
    let grown = soak.soak(|soak| soak.line.inject(half));
    assert_eq!(soak.tags, 0, "{}: half a frame is no tag", kind.name());
    soak.line.break_with(DeviceFault::Unmute);
    soak.check("half a frame each second", grown);
}

fn flooded(kind: Kind) {
    // Five tags every 5 ms are 1,000 reads a second: more than most lines carry.
    let mut soak = Soak::reading(kind);
    let mut serial = 0_u64;
    let grown = soak.soak(|soak| {
        serial += 5;
        let field: Vec<FieldTag> = (0..5).map(|at| numbered_tag(serial + at)).collect();
        soak.line.set_field(&field);
    });
    let per_second = soak.tags / u64::from(60 * minutes());
    assert_eq!(soak.state, ReaderState::Reading, "{}", kind.name());
    assert!(per_second >= 20, "{}: {per_second} reads a second", kind.name());
    soak.check("1,000 reads offered a second", grown);
}
