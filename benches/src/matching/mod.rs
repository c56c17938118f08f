//! Two sides' files, millions of rows each: until every row is in one class.
//!
//! Ours is `reconciliation::matching` on `reconciliation::sides::Table`, as the command `match` runs
//! it, in a process of its own. Beside it stand `DuckDB`, Polars and `PostgreSQL`, which say the same by
//! identity alone, each in the better of two ways; all counts are compared with what was planted.
//! Every contender reads the same files, which the system has in memory.

mod contenders;
mod data;

use std::path::{Path, PathBuf};
use std::process::Command;

use domain::Clock;
use nix::unistd::Pid;
use reconciliation::matching::{Class, NoSink, Plan, Rules, match_rows};
use reconciliation::sides::{Mapping, Table};
use serde_json::json;

use self::contenders::WAYS;
use crate::Failed;
use crate::report::{Report, count};

const OURS: &str = "**ours** (reconciliation)";
const SPILLING: &str = "**ours**, within 1 GB";
const ALL_RULES: &str = "**ours**, by three rules";
const SPILL_BYTES: u64 = 1_000_000_000;
const MAPPING: &str = r#"
[columns]
identity = "identity"
station = "station"
tag = "tag"
time = "time"
group = "group"
amount = "amount"
"#;

/// What is asked of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// To compare.
    Comparison(Size),
    /// To match once, in this process, and say how it went.
    OneRun(OneRun),
}

/// How much is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    rows: u64,
    repeat: usize,
}

/// One matching by ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneRun {
    ours: PathBuf,
    theirs: PathBuf,
    /// All rules, or the identity alone.
    rules: usize,
    memory_bytes: Option<u64>,
}

impl Asked {
    /// Reads this process's arguments: `--short`, `--rows N`, `--repeat N`, and what this program
    /// says to itself.
    ///
    /// # Errors
    /// On any other argument.
    pub fn from_command_line() -> Result<Self, Failed> {
        let mut size = Size { rows: 5_000_000, repeat: 2 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut next = || arguments.next().ok_or_else(|| format!("{argument} needs more"));
            match argument.as_str() {
                "--bench" => {}
                "--short" => size = Size { rows: 1_000_000, repeat: 3 },
                "--rows" => size.rows = next()?.replace('_', "").parse()?,
                "--repeat" => size.repeat = next()?.parse()?,
                "--one-run" => {
                    let (ours, theirs) = (next()?.into(), next()?.into());
                    let rules = next()?.parse()?;
                    let memory_bytes = Some(next()?.parse()?).filter(|bytes| *bytes > 0);
                    return Ok(Self::OneRun(OneRun { ours, theirs, rules, memory_bytes }));
                }
                other => {
                    return Err(format!(
                        "{other:?} is not known; --short, --rows N and --repeat N are"
                    )
                    .into());
                }
            }
        }
        Ok(Self::Comparison(size))
    }
}

/// How one run went.
#[derive(Debug, Clone, Copy)]
struct Ran {
    seconds: f64,
    peak_kib: u64,
    /// Matched, amount differs, group differs, only ours, only theirs, duplicates.
    counts: [u64; 6],
}

/// Matches once and prints how it went, as JSON.
///
/// # Errors
/// When the matching fails.
pub fn one_run(run: &OneRun) -> Result<(), Failed> {
    use std::io::Write as _;

    let clock = Clock::system();
    let rules = Rules::try_new(Rules::default().as_slice()[..run.rules].to_vec())?;
    let plan = Plan {
        workers: threads(),
        memory_bytes: run.memory_bytes,
        folder: run.ours.parent().ok_or("the file lies in no folder")?.to_owned(),
    };
    let mapping = Mapping::try_from_toml(MAPPING)?;
    let started = clock.real();
    let ours = Table::open(std::slice::from_ref(&run.ours), &mapping)?;
    let theirs = Table::open(std::slice::from_ref(&run.theirs), &mapping)?;
    let (totals, _sinks) = match_rows(&ours, &theirs, &rules, &plan, || NoSink)?;
    let seconds = clock.real().duration_since(started).as_secs_f64();
    let ours = |class| totals.class(class).ours.rows;
    let theirs = |class| totals.class(class).theirs.rows;
    let counts = [
        ours(Class::Matched),
        ours(Class::AmountDiffers),
        ours(Class::GroupDiffers),
        ours(Class::OnlyOurs),
        theirs(Class::OnlyTheirs),
        ours(Class::Duplicate) + theirs(Class::Duplicate),
    ];
    let said = json!({"seconds": seconds, "peak_kib": peak_kib(None)?, "counts": counts});
    Ok(writeln!(std::io::stdout().lock(), "{said}")?)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The most memory that a process ever had, this one where none is named.
pub(crate) fn peak_kib(pid: Option<Pid>) -> Result<u64, Failed> {
    let pid = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    Ok(kib.ok_or("the system does not say how much memory a process had")?)
}

/// Measures all of them.
///
/// # Errors
/// When one fails, or counts other than was planted.
pub fn compare(size: Size) -> Result<Report, Failed> {
    let mut report = Report::new("matching");
    let folder = tempfile::tempdir_in(crate::report::target()?)?;
    let (ours, theirs) = (folder.path().join("ours.csv"), folder.path().join("theirs.csv"));
    let planted = data::write(size.rows, &ours, &theirs)?;
    let files = [ours.as_path(), theirs.as_path()];

    let wanted = planted.by_identity();
    let ours_took = told(&mut report, size, OURS, wanted, || ours_in_a_process(files, 1, 0))?;
    let spilling = || ours_in_a_process(files, 1, SPILL_BYTES);
    let spilled = told(&mut report, size, SPILLING, wanted, spilling)?;
    let mut by_all = wanted;
    by_all[0] += planted.found_by_tag;
    by_all[3] -= planted.found_by_tag;
    by_all[4] -= planted.found_by_tag;
    told(&mut report, size, ALL_RULES, by_all, || ours_in_a_process(files, 3, 0))?;

    let mut best = f64::INFINITY;
    if let Some(python) = contenders::python()? {
        for (name, script) in [("DuckDB", "matching_duckdb.py"), ("Polars", "matching_polars.py")] {
            let mut best_way = f64::INFINITY;
            for way in WAYS {
                let subject = format!("{name}, {way}");
                let run = || contenders::script(&python, script, files, way, threads());
                best_way = best_way.min(told(&mut report, size, &subject, wanted, run)?);
            }
            report.ratio(&format!("ours/{name}"), ours_took / best_way);
            best = best.min(best_way);
        }
    } else {
        report.note("DuckDB and Polars do not install here.");
    }
    let mut join_took = f64::INFINITY;
    let once = Size { repeat: 1, ..size };
    let postgres = told(&mut report, once, "PostgreSQL, load and full join", wanted, || {
        let (ran, join) = contenders::postgres(files)?;
        join_took = join;
        Ok(ran)
    })?;
    report.figure("PostgreSQL, full join alone", "time", join_took, "s", 1);
    report.ratio("ours/PostgreSQL", ours_took / postgres);
    report.ratio("ours/best alternative", ours_took / best.min(postgres));
    report.ratio("ours within 1 GB/best alternative", spilled / best.min(postgres));
    report.note(format!(
        "{} rows on either side, CSV, {} MB together, in the system's memory. Ratios are of the time \
         from opening the files; below 1 ours is the faster. All counts are those that were planted.",
        size.rows,
        (ours.metadata()?.len() + theirs.metadata()?.len()) / 1_000_000
    ));
    report.note(format!(
        "By identity: {wanted:?} matched, of another amount, of another group, only ours, only \
         theirs, duplicates. {} more pairs are found by tag, station and time.",
        planted.found_by_tag
    ));
    Ok(report)
}

/// Runs several times, checks the counts, and reports the quickest and the most memory.
fn told(
    report: &mut Report,
    size: Size,
    subject: &str,
    wanted: [u64; 6],
    mut run: impl FnMut() -> Result<Ran, Failed>,
) -> Result<f64, Failed> {
    let (mut seconds, mut peak_kib) = (f64::INFINITY, 0);
    for _ in 0..size.repeat.max(1) {
        let ran = run()?;
        if ran.counts != wanted {
            return Err(
                format!("{subject} counted {:?}, planted are {wanted:?}", ran.counts).into()
            );
        }
        seconds = seconds.min(ran.seconds);
        peak_kib = peak_kib.max(ran.peak_kib);
    }
    report.figure(subject, "time", seconds, "s", size.rows);
    report.figure(subject, "peak memory", count(peak_kib / 1024), "MiB", size.rows);
    Ok(seconds)
}

fn ours_in_a_process(files: [&Path; 2], rules: usize, memory_bytes: u64) -> Result<Ran, Failed> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--one-run")
        .args(files)
        .args([rules.to_string(), memory_bytes.to_string()])
        .output()?;
    if !output.status.success() {
        return Err(format!("ours: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ran::from_json(&serde_json::from_slice(&output.stdout)?)
}
