//! Passages the whole way: from the broker's stream to the receipt, by the code that a clearing
//! house runs.
//!
//! Everything is real: `nats-server` with the stream on disk, the workers with their partitions,
//! signature, chain and rating, the transaction in `PostgreSQL`, the receipt. First a full stream is
//! drained as fast as it goes; then passages come at a steady rate, and each is timed from its
//! publishing to the arrival of the receipt that covers it.
//!
//! Deliberately absent: lanes' journals, and lines between machines.

mod processor;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, HeaderMap};
use clearing_house::broker::{ensure_streams, jetstream};
use clearing_house::config;
use clearing_house::intake::{self, Books, Delivery};
use clearing_house::receipts::Receipts;
use domain::signature::SecretKey;
use domain::wire::v1::{Receipt, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Clock, LaneId, PassageId};
use futures::StreamExt as _;
use futures::future::join_all;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::database::Database;
use simulator::demo::run_folder::RunFolder;
use sqlx::PgPool;
use tokio::sync::Notify;

use self::processor::Used;
use crate::Failed;
use crate::arguments::Extent;
use crate::latency::Latency;
use crate::posting::passages::Lanes;
use crate::posting::world;
use crate::report::{Report, count};

const OURS: &str = "**ours** (clearing-house)";
/// Enough for every partition to have some.
const LANES: u8 = 64;
/// Passages published before their acknowledgements are waited for.
const WINDOW: usize = 1_000;
/// Passages that wait for the broker's word at once, and how long.
const UNDER_WAY_MAX: usize = 200;
const PUBLISHED_WITHIN: Duration = Duration::from_secs(60);
/// The steady rate: so many passages in each step.
const STEADY_PER_STEP: usize = 10;
const STEADY_STEP: Duration = Duration::from_millis(10);

/// How much is measured, and by whom it is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    extent: Extent,
    workers: u16,
}

impl Size {
    /// Reads this process's arguments: `--short`, `--workers N`.
    ///
    /// # Errors
    /// On any other argument.
    pub fn from_command_line() -> Result<Self, Failed> {
        let mut size = Self { extent: Extent::Whole, workers: config::Intake::default().workers };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--short" => size.extent = Extent::Short,
                "--workers" => {
                    size.workers = arguments.next().ok_or("--workers needs a number")?.parse()?;
                }
                other => {
                    let known = "--short and --workers N are";
                    return Err(format!("{other:?} is not known; {known}").into());
                }
            }
        }
        Ok(size)
    }
}

/// Measures draining and latency.
///
/// # Errors
/// When a part does not start, or a passage is not posted.
pub fn measure(size: Size) -> Result<Report, Failed> {
    let mut report = Report::new("whole way");
    let run = RunFolder::temporary()?;
    let broker = Broker::start(&run, &crate::programs::nats_server()?, &[BrokerUser::Centre])?;
    let database = Database::start(&run, &crate::programs::postgres_bin()?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure_all(&mut report, size, &broker, &database))?;
    report.note(format!(
        "{LANES} lanes in {} partitions, {} workers in one process; broker, database and workers \
         share the machine; fsync and synchronous_commit on, data checksums on; the broker's \
         settings are those of `deploy/nats-server.conf`. Making and publishing the passages that \
         are drained is not measured. Lane to posted ends with the receipt at the lane.",
        subject::PARTITIONS,
        size.workers
    ));
    Ok(report)
}

async fn measure_all(
    report: &mut Report,
    Size { extent, workers }: Size,
    broker: &Broker,
    database: &Database,
) -> Result<(), Failed> {
    let clock = Clock::system();
    let accounts = extent.pick(10_000, 100_000);
    database.create("whole")?;
    let pool = PgPool::connect(&database.local_url_of("whole")).await?;
    let mut lanes = Lanes::new(accounts, LANES)?;
    world::make(&pool, &lanes, accounts, clock).await?;
    let client = broker.connect(&BrokerUser::Centre).await?;
    // Patient, for what is not measured: a busy disk may keep an acknowledgement for long.
    let context = ContextBuilder::new()
        .timeout(PUBLISHED_WITHIN)
        .max_ack_inflight(UNDER_WAY_MAX)
        .build(client.clone());
    ensure_streams(&context).await?;

    let passages = extent.pick(100_000, 400_000);
    for _ in 0..passages / WINDOW {
        publish(&context, &lanes.batch(WINDOW, clock)).await?;
    }
    let pids = (
        broker.process().pid().ok_or("the broker does not run")?,
        database.process().pid().ok_or("the database does not run")?,
    );
    let before = Used::so_far(pids.0, pids.1)?;
    let started = clock.real();
    let working = work(&pool, broker, workers, clock).await?;
    posted(&pool, passages, clock).await?;
    let elapsed = clock.real().duration_since(started);
    let used = Used::so_far(pids.0, pids.1)?.since(before);
    drained(report, passages, elapsed, used)?;

    let seconds = extent.pick(5, 60);
    let latency = steady(&context, &client, &mut lanes, seconds, clock).await?;
    report.latency(OURS, "lane to posted at 1,000/s", &latency);
    working.abort();
    let sent = i64::try_from(passages + seconds * 1_000)?;
    world::check(&pool, sent).await?;
    pool.close().await;
    Ok(())
}

fn drained(
    report: &mut Report,
    passages: usize,
    elapsed: Duration,
    used: Used,
) -> Result<(), Failed> {
    let n = u64::try_from(passages)?;
    let rate = count(n) / elapsed.as_secs_f64();
    report.figure(OURS, "passages, stream to books", rate, "passages/s", n);
    for (part, time) in
        [("broker", used.broker), ("database", used.database), ("workers", used.ours)]
    {
        let each = time.as_secs_f64() * 1e6 / count(n);
        report.figure(OURS, &format!("processor, {part}"), each, "µs/passage", n);
    }
    let cores = std::thread::available_parallelism()?.get();
    let busy = used.total().as_secs_f64() / elapsed.as_secs_f64() / count(u64::try_from(cores)?);
    report.figure(OURS, "processor in use by all three", busy * 100.0, "%", n);
    report.note(if busy > 0.85 {
        "The processor bounds it."
    } else {
        "The processor does not bound it: waiting for the disk does, or others use the machine."
    });
    Ok(())
}

async fn work(
    pool: &PgPool,
    broker: &Broker,
    workers: u16,
    clock: Clock,
) -> Result<tokio::task::JoinHandle<()>, Failed> {
    let client = broker.connect(&BrokerUser::Centre).await?;
    let books = Arc::new(Books::open(pool.clone(), world::LIST_POLICY, clock).await?);
    let key = SecretKey::from_seed(&[42; 32]);
    let woken = Arc::new(Notify::new());
    let receipts = Arc::new(Receipts::new(pool.clone(), client.clone(), key, clock, woken));
    Ok(tokio::spawn(async move {
        let context = jetstream(client);
        // The stream is always read from its beginning here, whatever there is.
        let config = config::Intake { workers, lag_max: u64::MAX / 4, ..config::Intake::default() };
        let Err(error) = intake::run(&context, &books, &receipts, clock, config).await;
        // Whoever waits for the passages tells that they never came.
        drop(error);
    }))
}

async fn publish(context: &Context, deliveries: &[Delivery]) -> Result<(), Failed> {
    for some in deliveries.chunks(UNDER_WAY_MAX) {
        let mut acks = Vec::with_capacity(some.len());
        for delivery in some {
            let mut headers = HeaderMap::new();
            if let Some(id) = &delivery.message_id {
                headers.insert("Nats-Msg-Id", id.as_str());
            }
            if let Some(signature) = &delivery.signature {
                headers.insert(SIGNATURE_HEADER, signature.as_str());
            }
            let payload = delivery.payload.clone().into();
            let to = delivery.subject.clone();
            let ack = context.publish_with_headers(to, headers, payload).await?;
            acks.push(ack.into_future());
        }
        for ack in join_all(acks).await {
            ack?;
        }
    }
    Ok(())
}

/// Waits until so many passages are in the books.
async fn posted(pool: &PgPool, passages: usize, clock: Clock) -> Result<(), Failed> {
    let expected = i64::try_from(passages)?;
    let mut moved = (0, clock.real());
    loop {
        let posted: i64 = sqlx::query_scalar("select sum(posted_upto)::int8 from lane_epoch")
            .fetch_one(pool)
            .await?;
        if posted >= expected {
            return Ok(());
        }
        if posted > moved.0 {
            moved = (posted, clock.real());
        } else if clock.real().duration_since(moved.1) > Duration::from_secs(60) {
            return Err(format!("{posted} of {passages} passages are posted, and no more").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Passages at a steady rate, each timed until its receipt.
async fn steady(
    context: &Context,
    client: &Client,
    lanes: &mut Lanes,
    seconds: usize,
    clock: Clock,
) -> Result<Latency, Failed> {
    let mut receipts = client.subscribe(subject::RECEIPTS.subjects).await?;
    client.flush().await?;
    let mut latency = Latency::try_new()?;
    let mut under_way: HashMap<LaneId, Vec<(u64, Instant)>> = HashMap::new();
    let mut step = tokio::time::interval(STEADY_STEP);
    let mut steps = seconds * 1_000 / STEADY_PER_STEP;
    let mut acks = Vec::new();
    while steps > 0 || under_way.values().any(|sent| !sent.is_empty()) {
        tokio::select! {
            _ = step.tick(), if steps > 0 => {
                steps -= 1;
                let batch = lanes.batch(STEADY_PER_STEP, clock);
                for delivery in &batch {
                    let id = delivery.message_id.as_deref().unwrap_or_default();
                    let id: PassageId = id.parse()?;
                    under_way.entry(id.lane).or_default().push((id.seq.get(), clock.real()));
                }
                let context = context.clone();
                acks.push(tokio::spawn(async move { publish(&context, &batch).await }));
            }
            message = receipts.next() => {
                let Some(message) = message else { return Err("the broker is gone".into()) };
                let receipt: Receipt = parse("receipt", &message.payload)?;
                let now = clock.real();
                if let Some(sent) = under_way.get_mut(&receipt.lane) {
                    sent.retain(|(seq, at)| {
                        let covered = *seq <= receipt.posted_upto;
                        if covered {
                            latency.record(now.duration_since(*at));
                        }
                        !covered
                    });
                }
            }
        }
    }
    for ack in acks {
        ack.await??;
    }
    Ok(latency)
}
