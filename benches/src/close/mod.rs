//! A large settlement day: how long closing it holds up those who post, and how long it takes to
//! prove it.
//!
//! The day is filled through the code that posts. Then two writers post small batches at a steady
//! pace, half of them late passages of that very day, and each batch is timed from when it was due:
//! first with nothing beside it, then beside the close, then beside each proof. Close and proofs run
//! as the commands run them, each in a process of its own that says how much memory it took.
//!
//! Deliberately absent: signed bytes (`posting` measures them), so that of what `clearing-house verify`
//! proves, signatures and fares are missing here.

mod filled;
mod manifests;
mod steady;
mod step;

use std::time::Duration;

use domain::{BusinessDate, Clock};
use simulator::demo::database::Database;
use simulator::demo::run_folder::RunFolder;
use sqlx::PgPool;

use self::steady::Steady;
pub use self::step::{Step, one_step};
use crate::Failed;
use crate::report::{Report, count};

/// How much is asked of posting that a close stands beside.
const HELD_UP_MS_MAX: f64 = 200.0;

/// What is asked of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// To measure.
    Measurement(Size),
    /// To do one thing to the books, in this process, and say how it went.
    OneStep(Step),
}

/// How large the day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    passages: usize,
    accounts: u32,
    /// How long posting is watched with nothing beside it.
    undisturbed: Duration,
}

impl Asked {
    /// Reads this process's arguments: `--short`, `--passages N`, and what this program says to
    /// itself.
    ///
    /// # Errors
    /// On any other argument.
    pub fn from_command_line() -> Result<Self, Failed> {
        let whole =
            |passages| Size { passages, accounts: 1_000_000, undisturbed: Duration::from_secs(20) };
        let mut size = whole(20_000_000);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut next = || arguments.next().ok_or_else(|| format!("{argument} needs more"));
            match argument.as_str() {
                "--bench" => {}
                "--short" => {
                    let undisturbed = Duration::from_secs(5);
                    size = Size { passages: 1_000_000, accounts: 100_000, undisturbed };
                }
                "--passages" => size.passages = next()?.replace('_', "").parse()?,
                "--step" => return Ok(Self::OneStep(Step::try_new(&next()?, &next()?, &next()?)?)),
                other => {
                    return Err(
                        format!("{other:?} is not known; --short and --passages N are").into()
                    );
                }
            }
        }
        Ok(Self::Measurement(size))
    }
}

/// Fills a day, closes it beside others who post, and proves it.
///
/// # Errors
/// When a part does not start, the day does not close, or a proof finds something broken.
pub fn measure(size: Size) -> Result<Report, Failed> {
    let mut report = Report::new("close");
    let run = RunFolder::temporary()?;
    let database = Database::start(&run, &crate::programs::postgres_bin()?)?;
    database.create("close")?;
    let url = database.local_url_of("close");
    let server = i32::try_from(database.process().pid().ok_or("the database has no process")?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measured(&mut report, size, &url, server))?;
    report.note(
        "Each batch has 50 passages of 50 lanes and is timed from when it was due, every 20 ms by two \
         writers, 5,000 passages a second of 5,000 lanes together; half are late passages of the day that \
         is closed, half of the next. Their own server, client, close and proof share the machine.",
    );
    Ok(report)
}

async fn measured(report: &mut Report, size: Size, url: &str, server: i32) -> Result<(), Failed> {
    let clock = Clock::system();
    let pool = PgPool::connect(url).await?;
    // Over since long, wherever the operator is.
    let day = past_day(clock)?;
    let lanes = filled::fill(report, &pool, size, day, server, clock).await?;
    manifests::tell(&pool, day, clock).await?;

    let steady = Steady::begin(&pool, day, lanes, clock).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    steady.take()?;
    tokio::time::sleep(size.undisturbed).await;
    let alone = steady.take()?;
    report.latency("posting, nothing beside it", "a batch", &alone);
    for step in Step::all(url, day) {
        let took = step.run_in_a_process().await?;
        let beside = steady.take()?;
        let subject = format!("posting beside {}", step.name());
        report.latency(&subject, "a batch", &beside);
        let n = u64::try_from(size.passages)?;
        report.figure(step.name(), "time", took.seconds, "s", n);
        report.figure(step.name(), "peak memory", count(took.peak_kib / 1024), "MiB", n);
        let held_up_ms = (beside.max_micros() - alone.max_micros()).max(0.0) / 1_000.0;
        report.figure(&subject, "held up at most, more than alone", held_up_ms, "ms", 1);
        if step.is_close() {
            report.ratio("held up by the close/200 ms", held_up_ms / HELD_UP_MS_MAX);
        }
        if let Some(said) = took.said {
            report.note(said);
        }
    }
    let posted = steady.end().await?;
    report
        .note(format!("{posted} passages were posted beside the measured steps, all taken once."));
    pool.close().await;
    Ok(())
}

/// A day that is over everywhere.
fn past_day(clock: Clock) -> Result<BusinessDate, Failed> {
    let before = clock.now().checked_sub(Duration::from_secs(2 * 24 * 3_600))?;
    Ok(before.strftime("%Y-%m-%d").to_string().parse()?)
}
