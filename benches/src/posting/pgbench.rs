//! TPC-B as `pgbench` runs it, against the same server.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::Failed;

/// Transactions per second; none where `pgbench` is not beside the other programs.
pub(super) fn tpc_b(
    postgres_bin: &Path,
    url: &str,
    lasting: Duration,
) -> Result<Option<f64>, Failed> {
    let program = postgres_bin.join("pgbench");
    if !program.exists() {
        return Ok(None);
    }
    // postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE&sslrootcert=FILE; the host may be the
    // socket's folder, each `/` as `%2F`.
    let malformed = || Failed::from("the database's address is of another form");
    let rest = url.strip_prefix("postgres://").ok_or_else(malformed)?;
    let (user, rest) = rest.split_once(':').ok_or_else(malformed)?;
    let (password, rest) = rest.split_once('@').ok_or_else(malformed)?;
    let (address, rest) = rest.split_once('/').ok_or_else(malformed)?;
    let (database, settings) = rest.split_once('?').unwrap_or((rest, ""));
    // Each of libpq's settings may come as a variable of that name in capitals.
    let settings: Vec<(String, &str)> = settings
        .split('&')
        .filter_map(|setting| setting.split_once('='))
        .map(|(name, value)| (format!("PG{}", name.to_uppercase()), value))
        .collect();
    let (host, port) = address.split_once(':').ok_or_else(malformed)?;
    let host = &host.replace("%2F", "/");
    let pgbench = |arguments: &[&str]| -> Result<Output, Failed> {
        let output = Command::new(&program)
            .env("PGPASSWORD", password)
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .args(["--host", host, "--port", port, "--username", user])
            .args(arguments)
            .arg(database)
            .output()?;
        if output.status.success() {
            Ok(output)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
        }
    };
    pgbench(&["--initialize", "--scale=10", "--quiet"])?;
    let time = format!("--time={}", lasting.as_secs());
    let output = pgbench(&["--client=4", "--jobs=2", "--protocol=prepared", "--no-vacuum", &time])?;
    let said = String::from_utf8_lossy(&output.stdout);
    let tps = said
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok())
        .ok_or("pgbench does not say how fast it was")?;
    Ok(Some(tps))
}
