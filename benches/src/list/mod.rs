//! One tag in a list of millions, while the list changes; and how long a start takes.
//!
//! Ours is `lane_controller::list` as a station uses it: signed parts into the file, signed deltas
//! upon it. The others hold tag and status and nothing else, unsigned and unchecked: a hash map
//! (hashbrown, as the standard library has it) built at start, a file of `SQLite`, one of redb, and
//! a Redis over a unix socket.

mod centre;
mod others;

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Clock, TagId};
use lane_controller::list::ListStore;
use lane_controller::list::guard::ListSettings;

use self::centre::Centre;
use self::others::{Map, Redb, Redis, Sqlite};
use crate::Failed;
use crate::latency::Latency;
use crate::report::Report;

/// Changes in one delta.
const CHANGES_A_DELTA: u64 = 250;
/// Between two deltas while lookups are measured: 10,000 changes a second.
const DELTA_EVERY: Duration = Duration::from_millis(25);
/// Changes that are applied as fast as they can be; so many that the log is as long as it ever is
/// when the next start reads it.
const CHANGES_AT_ONCE: u64 = 1_019_750;
const OURS: &str = "**ours** (lane-controller)";

/// How large the list is, and how much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    tags: u64,
    lookups: u64,
    changes: u64,
}

impl Size {
    /// Reads this process's arguments.
    ///
    /// # Errors
    /// On any other argument than `--short` and `--tags N`.
    pub fn from_command_line() -> Result<Self, Failed> {
        let mut size = Self { tags: 10_000_000, lookups: 2_000_000, changes: CHANGES_AT_ONCE };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--short" => size = Self { tags: 200_000, lookups: 200_000, changes: 19_750 },
                "--tags" => size.tags = arguments.next().ok_or("--tags N")?.parse()?,
                other => {
                    return Err(format!("{other:?} is not known; --short and --tags are").into());
                }
            }
        }
        Ok(size)
    }
}

/// Something that knows tags and takes changes.
trait Contender: Sync {
    fn finds(&self, tag: &TagId) -> Result<bool, Failed>;
    fn change(&self, centre: &mut Centre) -> Result<(), Failed>;
}

impl Contender for ListStore {
    fn finds(&self, tag: &TagId) -> Result<bool, Failed> {
        Ok(self.view().lookup(tag)?.is_some())
    }

    fn change(&self, centre: &mut Centre) -> Result<(), Failed> {
        self.apply(&centre.delta(CHANGES_A_DELTA)?)?;
        self.compact_if_due()?;
        Ok(())
    }
}

/// Measures all contenders.
///
/// # Errors
/// When one fails, or answers wrongly.
pub fn compare(size: Size) -> Result<Report, Failed> {
    let mut report = Report::new("list");
    let clock = Clock::system();
    let folder = tempfile::tempdir()?;
    let mut centre = Centre::new(size.tags);
    let ours = ours(&mut report, clock, size, &mut centre, &folder.path().join("list"))?;

    let started = clock.real();
    let map = Map::build(size.tags)?;
    let built = clock.real().duration_since(started).as_secs_f64() * 1e3;
    report.figure(OTHER_MAP, "start to first decision", built, "ms", 1);
    report.figure(OTHER_MAP, "size", map.bytes() / number(size.tags), "B/tag", size.tags);
    let theirs = measure(clock, &map, size, &mut centre)?;
    report.latency(OTHER_MAP, "lookup", &theirs);
    report.ratio("ours/hash map, p99.9", ours.micros_at(0.999) / theirs.micros_at(0.999));
    drop(map);

    let few = Size { lookups: size.lookups / 10, ..size };
    let path = folder.path().join("list.sqlite");
    Sqlite::fill(&path, size.tags)?;
    let file = File { subject: SQLITE, path: &path, ours: &ours };
    file.compare(&mut report, clock, few, &mut centre, Sqlite::open)?;
    std::fs::remove_file(&path)?;

    let path = folder.path().join("list.redb");
    Redb::fill(&path, size.tags)?;
    let file = File { subject: REDB, path: &path, ours: &ours };
    file.compare(&mut report, clock, few, &mut centre, Redb::open)?;
    std::fs::remove_file(&path)?;

    match Redis::fill(folder.path(), clock, size.tags)? {
        Some(redis) => {
            let theirs = measure(clock, &redis, few, &mut centre)?;
            report.figure(REDIS, "size", redis.bytes()? / number(size.tags), "B/tag", size.tags);
            report.latency(REDIS, "lookup", &theirs);
            report.ratio("ours/Redis, p99.9", ours.micros_at(0.999) / theirs.micros_at(0.999));
        }
        None => report.note(
            "Redis was not measured: there is no redis-server here (apt-get install redis-server).",
        ),
    }
    report.note(format!(
        "{} tags, 95 % of lookups for one of them; 10,000 changes a second flow meanwhile, ours \
         signed and proved, the others' bare. Each lookup holds one reading of the clock.",
        size.tags
    ));
    report.note("Ratios are of the p99.9 of a lookup; below 1 ours is the faster.");
    Ok(report)
}

const OTHER_MAP: &str = "hash map (hashbrown) behind a lock";
const SQLITE: &str = "SQLite";
const REDB: &str = "redb";
const REDIS: &str = "Redis over a unix socket";

/// A contender that keeps the list in a file of its own.
struct File<'a> {
    subject: &'static str,
    path: &'a Path,
    ours: &'a Latency,
}

impl File<'_> {
    fn compare<C: Contender>(
        &self,
        report: &mut Report,
        clock: Clock,
        size: Size,
        centre: &mut Centre,
        open: impl Fn(&Path) -> Result<C, Failed>,
    ) -> Result<(), Failed> {
        let started = clock.real();
        let contender = open(self.path)?;
        contender.finds(&centre::tag(7)?)?;
        let opened = clock.real().duration_since(started).as_secs_f64() * 1e3;
        report.figure(self.subject, "start to first decision", opened, "ms", 1);
        let bytes = number(std::fs::metadata(self.path)?.len());
        report.figure(self.subject, "size", bytes / number(size.tags), "B/tag", size.tags);
        let theirs = measure(clock, &contender, size, centre)?;
        report.latency(self.subject, "lookup", &theirs);
        let ratio = self.ours.micros_at(0.999) / theirs.micros_at(0.999);
        report.ratio(&format!("ours/{}, p99.9", self.subject), ratio);
        Ok(())
    }
}

fn ours(
    report: &mut Report,
    clock: Clock,
    size: Size,
    centre: &mut Centre,
    folder: &Path,
) -> Result<Latency, Failed> {
    let settings = ListSettings::default();
    let open = || ListStore::open(folder, centre::key().public(), settings);
    let seconds = |since| clock.real().duration_since(since).as_secs_f64();
    let store = open()?;
    let manifest = centre.manifest()?;
    let started = clock.real();
    let mut snapshot = store.begin_snapshot(&manifest)?;
    for part in 0..snapshot.parts() {
        snapshot.add_part(&centre.part(part)?)?;
    }
    store.install(snapshot)?;
    report.figure(OURS, "snapshot into the file", seconds(started), "s", 1);
    let bytes = number(std::fs::metadata(folder.join("accounts.list"))?.len());
    report.figure(OURS, "size", bytes / number(size.tags), "B/tag", size.tags);
    drop(store);

    for what in ["start to first decision", "the same after changes"] {
        let started = clock.real();
        let store = open()?;
        let right = store.finds(&centre::tag(7)?)?;
        report.figure(OURS, what, seconds(started) * 1e3, "ms", 1);
        if !right {
            return Err("a tag of the list is not found".into());
        }
        let started = clock.real();
        store.prove()?;
        report.figure(OURS, "proof of all of it, in the background", seconds(started), "s", 1);
        let started = clock.real();
        let deltas = size.changes / CHANGES_A_DELTA;
        for _ in 0..deltas {
            store.change(centre)?;
        }
        let rate = number(size.changes) / seconds(started);
        report.figure(OURS, "changes signed and applied", rate, "1/s", size.changes);
    }
    let store = open()?;
    store.prove()?;
    let lookups = measure(clock, &store, size, centre)?;
    report.latency(OURS, "lookup", &lookups);
    report.latency("a bucket by pread", "no more than the read", &preads(clock, folder, size)?);
    Ok(lookups)
}

/// What a read of one bucket by a system call costs, in the place of a mapped page.
fn preads(clock: Clock, folder: &Path, size: Size) -> Result<Latency, Failed> {
    let file = std::fs::File::open(folder.join("accounts.list"))?;
    let buckets = file.metadata()?.len() / 64;
    let (mut latency, mut random) = (Latency::try_new()?, Random::default());
    for _ in 0..size.lookups {
        let place = random.below(buckets) * 64;
        let started = clock.real();
        file.read_exact_at(&mut [0; 64], place)?;
        latency.record(clock.real().duration_since(started));
    }
    Ok(latency)
}

/// Looks tags up while the list changes.
fn measure(
    clock: Clock,
    contender: &impl Contender,
    size: Size,
    centre: &mut Centre,
) -> Result<Latency, Failed> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| -> Result<(), Failed> {
            while !stop.load(Ordering::Relaxed) {
                contender.change(centre)?;
                std::thread::park_timeout(DELTA_EVERY);
            }
            Ok(())
        });
        let measured = lookups(clock, contender, size);
        stop.store(true, Ordering::Relaxed);
        changes.thread().unpark();
        changes.join().map_err(|_panic| "the thread of the changes panicked")??;
        measured
    })
}

fn lookups(clock: Clock, contender: &impl Contender, size: Size) -> Result<Latency, Failed> {
    let mut latency = Latency::try_new()?;
    let mut random = Random::default();
    for _ in 0..size.lookups {
        // One in twenty is for a tag that nobody knows.
        let serial = random.below(size.tags + size.tags / 19);
        let tag = centre::tag(serial)?;
        let started = clock.real();
        let found = contender.finds(&tag)?;
        latency.record(clock.real().duration_since(started));
        if found != (serial < size.tags) {
            return Err("a contender answers wrongly".into());
        }
    }
    Ok(latency)
}

/// The same chances in every run (xorshift64).
struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A count as a number with a fraction.
#[expect(clippy::cast_precision_loss, reason = "counts of tags and bytes are far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}
