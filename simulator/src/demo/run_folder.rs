//! The folder of a run: everything the run writes is in it, and goes with it unless it is kept.
//!
//! ```text
//! config/     one TOML file for each program
//! secrets/    keys and passwords of this run
//! data/       the lanes' journals, statements, the simulated ports
//! broker/     database/     the stores of the two servers
//! logs/       NAME.log for each program
//! pids/       NAME.pid for each living server
//! ```

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::process::ProcessError;

/// What becomes of the folder at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Removed,
    Kept,
}

/// A run's folder; dropping it removes it, unless it is to be kept.
#[derive(Debug)]
pub struct RunFolder {
    root: PathBuf,
    fate: Fate,
}

impl RunFolder {
    /// A new folder in the system's folder for such, gone when this is dropped.
    ///
    /// The path is short: sockets and terminals have little room for one.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn temporary() -> Result<Self, ProcessError> {
        let root = std::env::temp_dir().join(format!("etc-{:08x}", rand::random::<u32>()));
        Self::make(&root, Fate::Removed)
    }

    /// A folder that stays. It must be new or empty: no run writes over another's.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds something already.
    pub fn kept(root: &Path) -> Result<Self, ProcessError> {
        let failed = || ProcessError::preparing(root);
        let holds_something = match fs::read_dir(root) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed()(error)),
        };
        if holds_something {
            let why = "it holds something already; name a new or empty folder";
            return Err(failed()(io::Error::new(io::ErrorKind::DirectoryNotEmpty, why)));
        }
        fs::create_dir_all(root).map_err(failed())?;
        Self::make(&fs::canonicalize(root).map_err(failed())?, Fate::Kept)
    }

    fn make(root: &Path, fate: Fate) -> Result<Self, ProcessError> {
        // Others may pass through, for the database's own user, and see nothing.
        for (folder, mode) in [
            ("", 0o711),
            ("config", 0o700),
            ("secrets", 0o700),
            ("data", 0o700),
            ("logs", 0o700),
            ("pids", 0o755),
        ] {
            let path = root.join(folder);
            make_folder(&path, mode).map_err(ProcessError::preparing(&path))?;
        }
        Ok(Self { root: root.to_owned(), fate })
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A path in the folder.
    #[must_use]
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// Where a program logs to.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// Where the number of a living server stands.
    #[must_use]
    pub fn pid_file(&self, name: &str) -> PathBuf {
        self.root.join("pids").join(format!("{name}.pid"))
    }

    /// Where a secret is kept.
    #[must_use]
    pub fn secret(&self, name: &str) -> PathBuf {
        self.root.join("secrets").join(name)
    }

    /// Keeps the folder when this is dropped.
    pub fn keep(&mut self) {
        self.fate = Fate::Kept;
    }

    /// Whether the folder stays.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.fate == Fate::Kept
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if self.fate == Fate::Removed
            && let Err(error) = fs::remove_dir_all(&self.root)
        {
            tracing::warn!(folder = %self.root.display(), %error, "the run's folder stays");
        }
    }
}

/// Makes a folder with exactly these permissions, or gives them to one that is there.
pub(super) fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Writes a file that only its owner reads.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), ProcessError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(ProcessError::preparing(path))
}
