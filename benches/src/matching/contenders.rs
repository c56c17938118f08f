//! What a team would take otherwise: `DuckDB` and Polars, as Python packages, and a `PostgreSQL` server.

use std::path::{Path, PathBuf};
use std::process::Command;

use domain::Clock;
use nix::unistd::Pid;
use serde_json::Value;
use simulator::demo::database::Database;
use simulator::demo::run_folder::RunFolder;
use sqlx::{Connection as _, Row as _};

use super::Ran;
use crate::Failed;

/// One of two ways to say it to a database.
pub(super) const WAYS: [&str; 2] = ["full-join", "group-by"];

/// An interpreter that finds `DuckDB` and Polars; none where they do not install.
pub(super) fn python() -> Result<Option<PathBuf>, Failed> {
    if let Some(path) = std::env::var_os("MATCHING_PYTHON") {
        return Ok(Some(path.into()));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("contenders/install");
    let found = tempfile::NamedTempFile::new()?;
    let status = Command::new(script).arg(found.path()).status()?;
    if !status.success() {
        return Err("contenders/install failed".into());
    }
    let said = std::fs::read_to_string(found.path())?;
    let path = said.lines().find_map(|line| line.strip_prefix("MATCHING_PYTHON="));
    Ok(path.map(|path| path.trim_matches('\'').into()))
}

/// Runs a script of `contenders/`.
pub(super) fn script(
    python: &Path,
    name: &str,
    files: [&Path; 2],
    way: &str,
    threads: usize,
) -> Result<Ran, Failed> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("contenders").join(name);
    let threads = threads.to_string();
    let output =
        Command::new(python).arg(script).args(files).args([way, threads.as_str()]).output()?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ran::from_json(&serde_json::from_slice(&output.stdout)?)
}

/// Loads both files into a server of its own and joins them; the time of both, and of the join.
pub(super) fn postgres(files: [&Path; 2]) -> Result<(Ran, f64), Failed> {
    let run = RunFolder::temporary()?;
    let database = Database::start(&run, &crate::programs::postgres_bin()?)?;
    database.create("matching")?;
    let url = database.local_url_of("matching");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(load_and_join(&url, files))
}

const COUNTS: &str = "
    with a as (select identity, count(*) n, min(amount) amount, min(vehicle_group) g
               from ours group by identity),
         b as (select identity, count(*) n, min(amount) amount, min(vehicle_group) g
               from theirs group by identity)
    select count(*) filter (where a.n > 0 and b.n > 0 and a.g = b.g and a.amount = b.amount),
           count(*) filter (where a.n > 0 and b.n > 0 and a.g = b.g and a.amount <> b.amount),
           count(*) filter (where a.n > 0 and b.n > 0 and a.g <> b.g),
           count(*) filter (where b.n is null),
           count(*) filter (where a.n is null),
           (coalesce(sum(a.n - 1), 0) + coalesce(sum(b.n - 1), 0))::bigint
    from a full join b using (identity)";

async fn load_and_join(url: &str, files: [&Path; 2]) -> Result<(Ran, f64), Failed> {
    let clock = Clock::system();
    let mut connection = sqlx::PgConnection::connect(url).await?;
    sqlx::raw_sql("set work_mem = '1GB'; set max_parallel_workers_per_gather = 2")
        .execute(&mut connection)
        .await?;
    let started = clock.real();
    for (table, file) in ["ours", "theirs"].into_iter().zip(files) {
        let make = format!(
            "create unlogged table {table} (identity uuid, station text, tag text, \
             at timestamptz, vehicle_group smallint, amount bigint)"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&mut connection).await?;
        let copy = format!("copy {table} from stdin (format csv, header)");
        let mut copy = connection.copy_in_raw(&copy).await?;
        copy.read_from(tokio::fs::File::open(file).await?).await?;
        copy.finish().await?;
    }
    let joining = clock.real();
    let row = sqlx::query(COUNTS).fetch_one(&mut connection).await?;
    let ended = clock.real();
    let mut counts = [0; 6];
    for (number, count) in counts.iter_mut().enumerate() {
        *count = u64::try_from(row.get::<i64, _>(number))?;
    }
    let backend: i32 =
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await?;
    let peak_kib = super::peak_kib(Some(Pid::from_raw(backend)))?;
    let seconds = ended.duration_since(started).as_secs_f64();
    Ok((Ran { seconds, peak_kib, counts }, ended.duration_since(joining).as_secs_f64()))
}

impl Ran {
    pub(super) fn from_json(said: &Value) -> Result<Self, Failed> {
        let missing = || "a run said less than it should";
        let counts = said["counts"].as_array().ok_or_else(missing)?;
        let counts: Vec<u64> = counts.iter().filter_map(Value::as_u64).collect();
        Ok(Self {
            seconds: said["seconds"].as_f64().ok_or_else(missing)?,
            peak_kib: said["peak_kib"].as_u64().ok_or_else(missing)?,
            counts: counts.try_into().map_err(|_other| missing())?,
        })
    }
}
