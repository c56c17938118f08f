//! Passages into the books of the clearing house: posting alone, and by the code that takes them from
//! the broker.
//!
//! *Posting alone* (`alone`) begins with passages that are examined and rated, and ends with the
//! commit of rows, both entries and balances. By the broker's code everything from the delivery on is
//! real: signature and content examined, vehicles and entries
//! looked up, passages, charges, transfers and balances in one transaction, commit on the disk.
//! Beside it stand what the same server gives otherwise in the same run: TPC-B of `pgbench`, where
//! each transfer is a transaction of its own, and as the ceiling a bare `COPY` of the very rows.
//!
//! Deliberately absent: the broker, and more than one worker.

pub(crate) mod alone;
mod copy;
mod ledgers;
pub(crate) mod passages;
mod pgbench;
pub(crate) mod world;

use std::time::Duration;

use clearing_house::intake::{Books, Delivery, Examiner, examine};
use clearing_house::registry::Registry;
use domain::Clock;
use simulator::demo::database::Database;
use simulator::demo::run_folder::RunFolder;
use sqlx::PgPool;

use self::passages::Lanes;
use crate::Failed;
use crate::arguments::Extent;
use crate::latency::Latency;
use crate::report::{Report, count};

const OURS: &str = "**ours** (clearing-house)";

/// How much is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    extent: Extent,
    /// Passages of the measured run of posting alone.
    rows: usize,
    /// Passages that are in the books before it.
    stored: usize,
    /// Who posts at once.
    workers: usize,
    /// Passages in a batch.
    batch_len: usize,
}

impl Size {
    /// Reads this process's arguments: `--short`, `--rows N`, `--stored N`, `--workers N`,
    /// `--batch N`.
    ///
    /// # Errors
    /// On any other argument.
    pub fn from_command_line() -> Result<Self, Failed> {
        let (workers, batch_len) = (WORKERS, BATCH_LEN);
        let mut size =
            Self { extent: Extent::Whole, rows: 4_000_000, stored: 0, workers, batch_len };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<usize, Failed> {
                let text = arguments.next().ok_or_else(|| format!("{argument} needs a number"))?;
                Ok(text.replace('_', "").parse()?)
            };
            match argument.as_str() {
                "--bench" => {}
                "--short" => (size.extent, size.rows) = (Extent::Short, 1_000_000),
                "--rows" => size.rows = number()?,
                "--stored" => size.stored = number()?,
                "--workers" => size.workers = number()?.max(1),
                "--batch" => size.batch_len = number()?.max(1),
                other => {
                    return Err(format!(
                        "{other:?} is not known; --short, --rows N, --stored N, --workers N and \
                         --batch N are"
                    )
                    .into());
                }
            }
        }
        Ok(size)
    }
}

/// Accounts of posting alone.
const ACCOUNTS: u32 = 1_000_000;
/// Passages in its batches, unless others are asked for.
const BATCH_LEN: usize = 5_000;
/// Who posts at once, unless others are asked for.
const WORKERS: usize = 2;
/// About as many bytes as a signed passage has.
const PAYLOAD_LEN: usize = 600;

/// Lanes of the station whose passages are examined.
const LANES: usize = 4;
/// How many passages of a lane come one behind the other.
const RUN_LENS: [usize; 3] = [1, 10, 250];

/// Measures the posting and what stands beside it.
///
/// # Errors
/// When a part does not start, or a passage is not posted.
pub fn compare(size: Size) -> Result<Report, Failed> {
    let extent = size.extent;
    let mut report = Report::new("posting");
    let run = RunFolder::temporary()?;
    let postgres_bin = crate::programs::postgres_bin()?;
    let database = Database::start(&run, &postgres_bin)?;
    // Posting runs on the machine of its database, and so by its socket.
    for name in ["pgbench", "alone", "whole"] {
        database.create(name)?;
    }
    let pgbench = database.local_url_of("pgbench");
    let tps = pgbench::tpc_b(&postgres_bin, &pgbench, Duration::from_secs(10))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = database.process().pid().ok_or("the database has no process")?;
    let alone = database.local_url_of("alone");
    let ours =
        runtime.block_on(post_alone(&mut report, size, &alone, i32::try_from(server)?, tps))?;
    let lasting = Duration::from_secs(extent.pick(5, 15));
    if let Some(best) = ledgers::measure(&mut report, &database, lasting)? {
        report.ratio("posting alone/best of those ledgers", ours / best);
    }
    let whole = database.local_url_of("whole");
    runtime.block_on(post_all(&mut report, extent, &whole, tps))?;
    if let Some(tps) = tps {
        report.figure("pgbench TPC-B, 4 clients", "transactions", tps, "1/s", 1);
    }
    Ok(report)
}

async fn post_alone(
    report: &mut Report,
    size: Size,
    url: &str,
    server: i32,
    tps: Option<f64>,
) -> Result<f64, Failed> {
    let clock = Clock::system();
    let pool = PgPool::connect(url).await?;
    alone::make(&pool, ACCOUNTS, size.workers * alone::LANES_EACH).await?;
    let day = clock.now().strftime("%Y-%m-%d").to_string().parse()?;
    let load = |passages, payload_len| alone::Load {
        accounts: ACCOUNTS,
        workers: size.workers,
        batch_len: size.batch_len,
        passages,
        payload_len,
        day,
    };
    let (mut posted, mut last_seq) = (0, 0);
    let mut run = async |passages, payload_len| -> Result<alone::Posted, Failed> {
        let run = alone::post(&pool, load(passages, payload_len), last_seq, server, clock).await?;
        posted += run.passages;
        last_seq += alone::each_lane(run.passages, size.workers)?;
        alone::check(&pool, posted).await?;
        Ok(run)
    };
    if size.stored > 0 {
        let filled = run(size.stored, 0).await?;
        filled.tell(report, &format!("{OURS}, posting alone, to fill the books"));
    }
    let ours = run(size.rows, 0).await?;
    ours.tell(report, &format!("{OURS}, posting alone"));
    let kept = run(size.rows / 10, PAYLOAD_LEN).await?;
    kept.tell(report, &format!("{OURS}, posting alone with the signed bytes kept"));
    let bare = copy::posting_rows(&pool, clock, 1_000_000).await?;
    report.figure(
        "bare COPY of posted rows",
        "passages",
        bare.passages_a_second,
        "passages/s",
        bare.passages,
    );
    report.ratio("posting alone/bare COPY", ours.a_second / bare.passages_a_second);
    if let Some(tps) = tps {
        report.ratio("posting alone/pgbench TPC-B", ours.a_second / tps);
    }
    pool.close().await;
    Ok(ours.a_second)
}

/// What one batch size came to.
struct Run {
    passages: u64,
    batches: Latency,
    elapsed: Duration,
    wal_bytes: f64,
    table_bytes: f64,
}

impl Run {
    fn passages_a_second(&self) -> f64 {
        count(self.passages) / self.elapsed.as_secs_f64()
    }
}

async fn post_all(
    report: &mut Report,
    extent: Extent,
    url: &str,
    tps: Option<f64>,
) -> Result<(), Failed> {
    let clock = Clock::system();
    let accounts = extent.pick(10_000, 100_000);
    let pool = PgPool::connect(url).await?;
    let mut lanes = Lanes::new(accounts, u8::try_from(LANES)?)?;
    world::make(&pool, &lanes, accounts, clock).await?;
    let books = Books::open(pool.clone(), world::LIST_POLICY, Clock::system()).await?;

    let registry = Registry::load(&pool).await?;
    let per_second =
        examined(&lanes.clone().batch(extent.pick(5_000, 20_000), clock), &registry, clock)?;
    report.figure(OURS, "examined alone, one thread", per_second.0, "passages/s", per_second.1);
    let together = lanes.clone().batch(extent.pick(20_000, 100_000), clock);
    for run_len in RUN_LENS {
        let (rate, n) = examined_together(&together, run_len * LANES, &registry, clock)?;
        let metric = format!("examined in runs of {run_len}, one thread");
        report.figure(OURS, &metric, rate, "passages/s", n);
    }

    let each = extent.pick(9_800, 99_000);
    let mut runs = Vec::new();
    for (batch_len, passages) in [(1, extent.pick(400, 2_000)), (100, each), (1_000, each)] {
        let run = post(&pool, &books, &mut lanes, (batch_len, passages), clock).await?;
        let subject = format!("{OURS}, batches of {batch_len}");
        report.latency(&subject, "a batch", &run.batches);
        report.figure(&subject, "passages", run.passages_a_second(), "passages/s", run.passages);
        let per_passage = |bytes| bytes / count(run.passages);
        report.figure(&subject, "log", per_passage(run.wal_bytes), "B/passage", run.passages);
        let stored = per_passage(run.table_bytes);
        report.figure(&subject, "tables and indexes", stored, "B/passage", run.passages);
        runs.push(run);
    }
    let posted: i64 = runs.iter().map(|run| i64::try_from(run.passages)).sum::<Result<_, _>>()?;
    world::check(&pool, posted).await?;

    let copied = copy::posting_rows(&pool, clock, 1_000_000).await?;
    let subject = "bare COPY of the very rows";
    report.figure(subject, "passages", copied.passages_a_second, "passages/s", copied.passages);
    let ours = runs.last().map_or(0.0, Run::passages_a_second);
    report.ratio("ours/bare COPY", ours / copied.passages_a_second);
    match tps {
        Some(tps) => {
            report.ratio("ours/best alternative", ours / tps);
            report.ratio("ours/pgbench TPC-B", ours / tps);
        }
        None => report.note("pgbench is not beside the other programs of PostgreSQL: left out."),
    }
    notes(report, accounts);
    pool.close().await;
    Ok(())
}

fn notes(report: &mut Report, accounts: u32) {
    report.note(
        "Ratios are of passages per second in batches of 1,000; above 1 ours is the faster. The \
         alternative, `pgbench` (scale 10, prepared statements), moves one amount in a transaction \
         of its own: four statements and a row of history. Bare COPY is a ceiling, not an \
         alternative: it neither looks anything up nor proves anything.",
    );
    report.note(format!(
        "{accounts} accounts with one tag each, four lanes of an open station, each account in \
         turn; one worker, one batch after the other; client and server share the machine; fsync \
         and synchronous_commit on, data checksums on. The first batches after a checkpoint write \
         whole pages to the log; there is one checkpoint before each batch size."
    ));
}

/// Passages per second that one thread can examine without a database, and how many it did.
fn examined(
    deliveries: &[Delivery],
    registry: &Registry,
    clock: Clock,
) -> Result<(f64, u64), Failed> {
    let now = clock.now();
    let started = clock.real();
    for (index, delivery) in deliveries.iter().enumerate() {
        if let Err(refusal) = examine(index, delivery, registry, now) {
            return Err(format!("a passage is refused: {}", refusal.name()).into());
        }
    }
    let n = u64::try_from(deliveries.len())?;
    Ok((count(n) / clock.real().duration_since(started).as_secs_f64(), n))
}

/// The same in batches, in which each lane's passages follow each other.
fn examined_together(
    deliveries: &[Delivery],
    batch_len: usize,
    registry: &Registry,
    clock: Clock,
) -> Result<(f64, u64), Failed> {
    let now = clock.now();
    let examiner = Examiner::default();
    let mut genuine = 0;
    let started = clock.real();
    for batch in deliveries.chunks(batch_len) {
        genuine += examiner.examine(batch, registry, now).genuine.len();
    }
    let elapsed = clock.real().duration_since(started);
    if genuine != deliveries.len() {
        return Err(format!("{genuine} of {} passages are taken", deliveries.len()).into());
    }
    let n = u64::try_from(genuine)?;
    Ok((count(n) / elapsed.as_secs_f64(), n))
}

/// Posts so many passages in batches of that length. Making them is not measured.
async fn post(
    pool: &PgPool,
    books: &Books,
    lanes: &mut Lanes,
    (batch_len, passages): (usize, usize),
    clock: Clock,
) -> Result<Run, Failed> {
    let whole_batches = passages / batch_len;
    sqlx::raw_sql("checkpoint").execute(pool).await?;
    let stored_before = world::table_bytes(pool).await?;
    let log_before = world::log_position(pool).await?;
    let mut batches = Latency::try_new()?;
    let mut elapsed = Duration::ZERO;
    for _ in 0..whole_batches {
        let batch = lanes.batch(batch_len, clock);
        let started = clock.real();
        let outcome = books.post(&batch, clock.now()).await?;
        let took = clock.real().duration_since(started);
        if outcome.fresh != batch_len {
            return Err(format!("{} of {batch_len} passages were taken", outcome.fresh).into());
        }
        batches.record(took);
        elapsed += took;
    }
    Ok(Run {
        passages: u64::try_from(whole_batches * batch_len)?,
        batches,
        elapsed,
        wal_bytes: world::log_bytes_since(pool, &log_before).await?,
        table_bytes: world::table_bytes(pool).await? - stored_before,
    })
}
