//! One passage into the journal: how long until it may be acted upon.
//!
//! Ours is `lane_controller::journal::Scribe` as a lane uses it: the passage is signed, chained and
//! check-summed on a thread of its own and is durable when the lane goes on. The others keep the
//! same bytes, signed and chained, on the lane's own thread.

use std::path::Path;
use std::time::Duration;

use domain::passage::{ClockQuality, Decision, LaneRole, Payment};
use domain::signature::SecretKey;
use domain::{Amount, Clock, LaneId, TagId, Timestamp, VehicleGroup};
use lane_controller::journal::{Journal, Kept, Page, Scribe};
use lane_controller::lane::{PassageDraft, SavedLane};

use crate::Failed;
use crate::arguments::Extent;
use crate::lane::keepers::{AppendedFile, Keeper, Passage, Redb, SqliteNormal};
use crate::lane::signer::Signer;
use crate::latency::Latency;
use crate::report::Report;

const OURS: &str = "**ours** (lane-controller)";
const FILE: &str = "file append + fdatasync";
const REDB: &str = "redb";
const NORMAL: &str = "SQLite WAL NORMAL (not power-safe)";

/// Between two passages of a lane.
const RHYTHM: Duration = Duration::from_millis(20);
/// Longer than any disk here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whatever keeps one passage and comes back when it is kept.
type Keep = Box<dyn FnMut(PassageDraft) -> Result<(), Failed>>;

/// Measures all contenders, in turns, with a lane's rhythm and back to back.
///
/// # Errors
/// When one of them fails.
pub fn compare(extent: Extent) -> Result<Report, Failed> {
    let mut report = Report::new("journal");
    let clock = Clock::system();
    let folder = tempfile::tempdir()?;
    for (metric, rhythm, passages) in [
        ("commit, one every 20 ms", RHYTHM, extent.pick(40, 500)),
        ("commit, back to back", Duration::ZERO, extent.pick(200, 2_000)),
    ] {
        let mut results = Vec::new();
        for subject in [OURS, FILE, REDB, NORMAL] {
            results.push((subject, Latency::try_new()?));
        }
        for round in 0..extent.pick(3, 5) {
            for (subject, latency) in &mut results {
                let store = folder.path().join(format!("{round}-{}-{metric}", latency.count()));
                let mut keep = keeper(subject, &store, clock)?;
                for serial in 0..passages {
                    let passage = draft(clock, serial)?;
                    crate::lane::wait_until(clock, clock.real() + rhythm);
                    let started = clock.real();
                    keep(passage)?;
                    latency.record(clock.real().duration_since(started));
                }
            }
        }
        let p50_of = |wanted| {
            let found = results.iter().find(|(subject, _)| *subject == wanted);
            found.map_or(f64::NAN, |(_, latency)| latency.micros_at(0.5))
        };
        for (name, subject) in [("file", FILE), ("redb", REDB), ("SQLite NORMAL", NORMAL)] {
            report.ratio(&format!("ours/{name}, {metric}"), p50_of(OURS) / p50_of(subject));
        }
        for (subject, latency) in &results {
            report.latency(subject, metric, latency);
        }
    }
    report.note(
        "Ratios are of the p50; below 1 ours is the faster. Every durable way is bound by the flush \
         of this disk. Ours adds a hand-over to the journal's thread and back: what keeps a disk \
         that stalls from stopping the barrier.",
    );
    Ok(report)
}

fn keeper(subject: &str, store: &Path, clock: Clock) -> Result<Keep, Failed> {
    let lane: LaneId = "cienco4/ben-thuy/l01".parse()?;
    let key = SecretKey::from_seed(&[7; 32]);
    let other = |mut keeper: Box<dyn Keeper>| -> Keep {
        let mut signer = Signer::new(lane.clone(), key.clone());
        Box::new(move |draft| {
            keeper.keep(Passage { draft, saved: SavedLane::default(), signer: &mut signer })
        })
    };
    Ok(match subject {
        OURS => {
            let path = store.with_extension("ours");
            Journal::identify(&path, &lane)?;
            let journal = Journal::open(&path, lane.clone(), key, 1, "bench".to_owned())?;
            let mut scribe = Scribe::start(journal, clock, PATIENCE, 1)?;
            Box::new(move |draft| {
                let saved = SavedLane::default();
                match scribe.keep(Page { role: LaneRole::Open, draft, saved, posted_upto: 0 })? {
                    Kept::Durable => Ok(()),
                    Kept::InMemory | Kept::Nowhere => Err("the disk stalls".into()),
                }
            })
        }
        FILE => other(Box::new(AppendedFile::create(store)?)),
        REDB => other(Box::new(Redb::create(store)?)),
        _ => other(Box::new(SqliteNormal::create(store)?)),
    })
}

fn draft(clock: Clock, serial: u32) -> Result<PassageDraft, Failed> {
    let mut tag = [0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    tag[8..].copy_from_slice(&serial.to_be_bytes());
    Ok(PassageDraft {
        at: Timestamp::UNIX_EPOCH,
        clock: ClockQuality::Synchronised,
        uptime: clock.uptime(),
        tag: Some(TagId::try_from_slice(&tag)?),
        plate: None,
        group: Some(VehicleGroup::try_new(1)?),
        list_version: 1,
        status_seen: None,
        tariff: Some("bench".to_owned()),
        entry: None,
        exception: None,
        decision: Decision::OpenedByTag,
        attendance: None,
        fare: Some(Amount::try_new(47_000)?),
        payment: Payment::Account,
    })
}
