//! Files of the folder where the list is kept.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::Serialize;

/// Removes what a crash left unfinished.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && path.ends_with("spool") {
            std::fs::remove_dir_all(&path)?;
        } else if path
            .extension()
            .is_some_and(|end| end == "new" || end == "merged" || end == "odd")
        {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Makes what a folder names durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What a file says, if it is there and says anything.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes a file whole or not at all.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, serde_json::to_vec(value)?)?;
    File::open(&new)?.sync_all()?;
    std::fs::rename(&new, path)
}
