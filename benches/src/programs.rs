//! Where the programs of the two servers are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failed;

/// The folder of the database's programs: as the environment says, else as the script finds it that
/// both commands of the README call.
pub(crate) fn postgres_bin() -> Result<PathBuf, Failed> {
    found("POSTGRES_BIN")
}

/// The broker's program: found in the same way.
pub(crate) fn nats_server() -> Result<PathBuf, Failed> {
    found("NATS_SERVER")
}

fn found(name: &str) -> Result<PathBuf, Failed> {
    if let Some(path) = std::env::var_os(name) {
        return Ok(path.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/install-prerequisites.sh");
    let found = tempfile::NamedTempFile::new()?;
    let status = Command::new(script).arg(found.path()).status()?;
    if !status.success() {
        return Err("the prerequisites could neither be found nor installed".into());
    }
    std::fs::read_to_string(found.path())?
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .map(|path| path.trim_matches('\'').into())
        .ok_or_else(|| format!("the install script does not say where {name} is").into())
}
