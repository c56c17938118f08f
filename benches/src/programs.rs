//! Where the programs of `PostgreSQL` are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failed;

/// The folder of the database's programs: as the environment says, else as the script finds it that
/// both commands of the README call.
pub(crate) fn postgres_bin() -> Result<PathBuf, Failed> {
    if let Some(folder) = std::env::var_os("POSTGRES_BIN") {
        return Ok(folder.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/install-prerequisites.sh");
    let found = tempfile::NamedTempFile::new()?;
    let status = Command::new(script).arg(found.path()).status()?;
    if !status.success() {
        return Err("the prerequisites could neither be found nor installed".into());
    }
    std::fs::read_to_string(found.path())?
        .lines()
        .find_map(|line| line.strip_prefix("POSTGRES_BIN="))
        .map(|path| path.trim_matches('\'').into())
        .ok_or_else(|| "the install script does not say where PostgreSQL is".into())
}
