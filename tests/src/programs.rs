//! Where the programs are: those of the system, and those of the two servers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The broker's program.
#[must_use]
pub fn nats_server() -> PathBuf {
    found("NATS_SERVER")
}

/// The folder of the database's programs.
#[must_use]
pub fn postgres_bin() -> PathBuf {
    found("POSTGRES_BIN")
}

/// A program of the system, built beside this test: `target/PROFILE/deps/TEST` → `target/PROFILE/NAME`.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let folder = test.ancestors().nth(2).expect("a test is two folders deep");
    let path = folder.join(name);
    assert!(path.is_file(), "{name} is not built yet: cargo build --workspace --bins");
    path
}

/// A file of the repository.
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    root.join(path)
}

/// What `./test` says, or else what the install script finds; by the script's names.
///
/// # Panics
/// When the script cannot find or install what is needed.
#[must_use]
pub fn found(name: &str) -> PathBuf {
    static SAID: OnceLock<String> = OnceLock::new();
    if let Some(path) = env::var_os(name) {
        return path.into();
    }
    let said = SAID.get_or_init(|| {
        let script = repository("deploy/install-prerequisites.sh");
        let output = Command::new(script)
            .args(["/dev/stderr", "--with-browser"])
            .output()
            .expect("the script runs");
        assert!(output.status.success(), "the prerequisites could not be found or installed");
        String::from_utf8(output.stderr).expect("paths are text")
    });
    let line = said.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    line.expect("the install script names every program").into()
}
