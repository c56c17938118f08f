//! From a tag's frame on the line to the open command at the I/O module, one vehicle every 20 ms.
//!
//! Ours is the lane controller's own parts on a pseudo-terminal and a Modbus server. The others
//! stand in the same harness and differ in one thing: what they do between the decision and the
//! open command (see `keepers`). All of them see the same list while it changes.
//!
//! Words: a *seat* is what a lane is given to run with; a *contender* is whoever sits in it.

mod contender;
mod deltas;
mod drive;
mod io_module;
pub(crate) mod keepers;
pub(crate) mod signer;

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use domain::account_list::{AccountList, ListChange, ListEntry, ListStatus};
use domain::passage::LaneRole;
use domain::signature::{Context, SecretKey};
use domain::tariff::{Segment, Tariff, TariffBook};
use domain::wire::v1::{DeltaRecord, emit};
use domain::{Amount, Clock, Currency, LaneId, TagId, Timestamp, VehicleGroup};
use lane_controller::clock_quality::ClockWatch;
use lane_controller::directives::DirectiveBoard;
use lane_controller::entries::EntryBook;
use lane_controller::journal::Journal;
use lane_controller::lane::LanePolicy;
use lane_controller::list::guard::ListSettings;
use lane_controller::list::{ListStore, SignedMessage};
use lane_controller::runner::{Equipment, JournalPolicy, LaneParts, LaneThread, Shared};
use simulator::demo::database::Database;
use simulator::demo::run_folder::RunFolder;

use self::contender::Contender;
use self::deltas::Deltas;
pub(crate) use self::drive::wait_until;
use self::drive::{Seat, Timings, drive};
use self::keepers::{AppendedFile, Central, GOOD, Keeper, Nothing, Redb, Redis, SqliteNormal};
use self::signer::Signer;
use crate::Failed;
use crate::arguments::Extent;
use crate::latency::Latency;
use crate::redis::RedisServer;
use crate::report::Report;

/// A lane's rhythm.
const VEHICLE_EVERY: Duration = Duration::from_millis(20);
/// Vehicles that pass before any is measured, each time a lane starts.
const WARM_UP: usize = 15;
/// Flushes that the disk is judged by.
const FLUSHES: usize = 150;

const OURS: &str = "**ours** (lane-controller)";
const FILE: &str = "file append + fdatasync";
const REDB: &str = "redb";
const NORMAL: &str = "SQLite WAL NORMAL (not power-safe)";
const NOTHING: &str = "no journal (forgets on power loss)";
const CENTRAL: &str = "ask PostgreSQL, then open";
const REDIS: &str = "list in Redis, our journal";

/// What all lanes of a run have in common.
struct Scene {
    clock: Clock,
    lane: LaneId,
    key: SecretKey,
    tags: Vec<TagId>,
    shared: Shared,
    centre: SecretKey,
    /// The list as the centre has it.
    centre_list: AccountList,
}

/// Measures all contenders.
///
/// # Errors
/// When a part does not start, or a vehicle does not get through.
pub fn compare(extent: Extent) -> Result<Report, Failed> {
    let mut report = Report::new("lane");
    let rounds = extent.pick(2, 4);
    let vehicles = extent.pick(150, 1_000);
    let run = RunFolder::temporary()?;
    let folder = run.join("data");
    let scene = Scene::with_tags(extent.pick(10_000, 100_000), &folder.join("list"))?;
    let database = Database::start(&run, &crate::programs::postgres_bin()?)?;
    keepers::fill_central(&database.url(), &scene)?;
    let redis = RedisServer::start(&folder, scene.clock)?;
    if let Some(redis) = &redis {
        let values: Vec<_> = scene.tags.iter().map(|tag| (tag.as_bytes(), GOOD)).collect();
        redis.connect()?.set_all(&values)?;
    }
    let deltas = Deltas::start(&scene)?;

    let mut subjects = vec![OURS, FILE, REDB, NORMAL, NOTHING, CENTRAL];
    subjects.extend(redis.as_ref().map(|_| REDIS));
    let mut results: Vec<(&str, Timings)> = Vec::new();
    for subject in &subjects {
        results.push((subject, Timings::try_new()?));
    }
    for round in 0..rounds {
        for (subject, timings) in &mut results {
            let store = folder.join(format!("{round}-{}", timings.frame_to_open.count()));
            let sit = |seat: Seat| match *subject {
                OURS => ours(&scene, &store, seat),
                FILE => other(&scene, seat, AppendedFile::create(&store)?),
                REDB => other(&scene, seat, Redb::create(&store)?),
                NORMAL => other(&scene, seat, SqliteNormal::create(&store)?),
                NOTHING => other(&scene, seat, Nothing),
                CENTRAL => other(&scene, seat, Central::connect(&database.url())?),
                _ => {
                    let server = redis.as_ref().ok_or("there is no Redis")?;
                    other(&scene, seat, Redis::connect(server, &store, &scene)?)
                }
            };
            drive(&scene, &deltas, vehicles, timings, sit)?;
        }
    }
    let changes = deltas.stop()?;
    write_up(&mut report, &scene, &folder, &results, changes)?;
    Ok(report)
}

/// The lane controller's own thread with its own journal.
fn ours(scene: &Scene, store: &Path, seat: Seat) -> Result<drive::Sitting, Failed> {
    let path = store.with_extension("ours");
    Journal::identify(&path, &scene.lane)?;
    let journal =
        Journal::open(&path, scene.lane.clone(), scene.key.clone(), 1, "bench".to_owned())?;
    let thread = LaneThread::try_new(LaneParts {
        id: scene.lane.clone(),
        role: LaneRole::Open,
        policy: LanePolicy::default(),
        journal,
        outputs: seat.outputs,
        shared: scene.shared.clone(),
        words: seat.words,
        keep_records: 100_000,
        journal_policy: JournalPolicy::default(),
        equipment: Equipment::default(),
    })?;
    let wakes = seat.wakes;
    drive::sitting(move || Ok(thread.run(&wakes)?))
}

/// The same decisions with another way to keep the passage.
fn other(
    scene: &Scene,
    seat: Seat,
    keeper: impl Keeper + 'static,
) -> Result<drive::Sitting, Failed> {
    let signer = Signer::new(scene.lane.clone(), scene.key.clone());
    let contender = Contender::new(scene, signer, Box::new(keeper), seat.outputs, seat.words);
    let wakes = seat.wakes;
    drive::sitting(move || contender.run(&wakes))
}

fn write_up(
    report: &mut Report,
    scene: &Scene,
    folder: &Path,
    results: &[(&str, Timings)],
    changes: u64,
) -> Result<(), Failed> {
    for (subject, timings) in results {
        report.latency(subject, "frame to open command", &timings.frame_to_open);
    }
    for (subject, timings) in results {
        report.latency(subject, "read to decision (its own word)", &timings.read_to_decision);
        report.latency(subject, "read to open (its own word)", &timings.read_to_open);
    }
    let flush = flushes(scene.clock, folder, VEHICLE_EVERY)?;
    report.latency("this disk", "512 B append + fdatasync, one every 20 ms", &flush);
    let flush = flushes(scene.clock, folder, Duration::ZERO)?;
    report.latency("this disk", "the same, back to back", &flush);

    let p50_of = |wanted: &str| {
        let found = results.iter().find(|(subject, _)| *subject == wanted);
        found.map(|(_, timings)| timings.frame_to_open.micros_at(0.5))
    };
    let ours = p50_of(OURS).ok_or("ours was not measured")?;
    let durable = [FILE, REDB, CENTRAL, REDIS].into_iter().filter_map(p50_of);
    report.ratio("ours/best alternative", ours / durable.fold(f64::INFINITY, f64::min));
    for (name, subject) in [
        ("ours/file append + fdatasync", FILE),
        ("ours/redb", REDB),
        ("ours/SQLite NORMAL", NORMAL),
        ("ours/no journal", NOTHING),
        ("ours/ask PostgreSQL", CENTRAL),
        ("ours/list in Redis", REDIS),
    ] {
        if let Some(other) = p50_of(subject) {
            report.ratio(name, ours / other);
        }
    }
    report.note(
        "Ratios are of the p50 of frame to open command; below 1 ours is the faster. The best \
         alternative is the best of those that lose nothing when the power fails.",
    );
    report.note(format!(
        "One vehicle every 20 ms in real time, {} tags on the list, {changes} tags changed \
         meanwhile in signed deltas of {} ({} changes a second were asked for).",
        scene.tags.len(),
        deltas::CHANGES_A_DELTA,
        deltas::CHANGES_A_SECOND,
    ));
    report.note(
        "What bounds every durable way is the flush of this disk (see the lines of this disk); the \
         line without a journal shows what is left without one.",
    );
    if p50_of(REDIS).is_none() {
        report.note("The list in Redis was not measured: there is no redis-server on this machine (apt-get install redis-server).");
    }
    Ok(())
}

/// What it costs here to put half a kilobyte on the disk.
fn flushes(clock: Clock, folder: &Path, every: Duration) -> Result<Latency, Failed> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(folder.join("flushes"))?;
    let mut latency = Latency::try_new()?;
    for _ in 0..FLUSHES {
        wait_until(clock, clock.real() + every);
        let started = clock.real();
        file.write_all(&[0x5A; 512])?;
        file.sync_data()?;
        latency.record(clock.real().duration_since(started));
    }
    Ok(latency)
}

impl Scene {
    fn with_tags(count: u32, folder: &Path) -> Result<Self, Failed> {
        let clock = Clock::system();
        let lane: LaneId = "cienco4/ben-thuy/l01".parse()?;
        let group = VehicleGroup::try_new(1)?;
        let mut tariff = Tariff::new(
            "bench".to_owned(),
            lane.operator().clone(),
            Currency::VND,
            Timestamp::UNIX_EPOCH,
            "bench".to_owned(),
        );
        let station = lane.station().clone();
        tariff.add(Segment::Pass { station }, group, Amount::try_new(47_000)?)?;
        let mut tariffs = TariffBook::default();
        tariffs.insert(tariff);
        let tags: Vec<TagId> = (0..count).map(tag).collect::<Result<_, _>>()?;
        let mut list = AccountList::default();
        let entries = tags.iter().map(|tag| ListChange::Upsert(entry(tag, group))).collect();
        let whole = list.plan(entries, clock.now());
        list.apply(&whole)?;
        let centre = SecretKey::from_seed(&[8; 32]);
        let payload = emit(&DeltaRecord::from(whole));
        let signature = centre.sign(Context::List, &payload).to_text();
        let kept = ListStore::open(folder, centre.public(), ListSettings::default())?;
        kept.apply(&SignedMessage::try_new(&payload, Some(&signature))?)?;
        kept.compact()?;
        let shared = Shared {
            list: kept,
            entries: Arc::new(RwLock::new(EntryBook::default())),
            tariffs: Arc::new(tariffs),
            directives: DirectiveBoard::default(),
            clock_watch: ClockWatch::trusted(),
            clock,
        };
        let key = SecretKey::from_seed(&[7; 32]);
        Ok(Self { clock, lane, key, tags, shared, centre, centre_list: list })
    }
}

fn tag(serial: u32) -> Result<TagId, domain::TagError> {
    let mut bytes = [0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[8..].copy_from_slice(&serial.to_be_bytes());
    TagId::try_from_slice(&bytes)
}

fn entry(tag: &TagId, group: VehicleGroup) -> ListEntry {
    ListEntry { tag: tag.clone(), status: ListStatus::Good, group, exempt: false, pass: None }
}
