//! What cameras sent, kept on the disk within bounds: pictures, and what was not understood.
//!
//! A folder holds files by their digest, up to a number of bytes; past it the oldest go. The same
//! bytes twice are one file. What is on the disk at start counts. Files appear whole or not at
//! all; they are not flushed, because a picture that a power cut takes was never promised.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::{fs, io};

use domain::signature::Digest256;

/// A picture that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// The digest of its bytes, and the name it is kept by.
    pub digest: Digest256,
    /// Its length in bytes.
    pub len: u64,
}

/// What the names of pictures end in.
pub const PICTURE_EXTENSION: &str = "jpg";

/// Where a folder of pictures keeps one.
#[must_use]
pub fn file_of(folder: &Path, digest: &Digest256) -> PathBuf {
    folder.join(format!("{digest}.{PICTURE_EXTENSION}"))
}

/// A folder with a limit.
#[derive(Debug)]
pub struct BoundedFolder {
    folder: PathBuf,
    extension: &'static str,
    bytes_max: u64,
    bytes: u64,
    /// The oldest first.
    kept: VecDeque<(String, u64)>,
}

impl BoundedFolder {
    /// Opens a folder, or makes it, for files of one kind.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(folder: &Path, extension: &'static str, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if meta.is_file() && Path::new(&name).extension().is_some_and(|own| own == extension) {
                found.push((meta.modified()?, name, meta.len()));
            }
        }
        found.sort();
        let bytes = found.iter().map(|(_, _, len)| len).sum();
        let kept = found.into_iter().map(|(_, name, len)| (name, len)).collect();
        let mut opened = Self { folder: folder.to_owned(), extension, bytes_max, bytes, kept };
        opened.make_room(0)?;
        Ok(opened)
    }

    /// Keeps some bytes, and returns their digest; the oldest files go where room is needed.
    ///
    /// # Errors
    /// When they are more than the folder may hold, or the disk refuses.
    pub fn keep(&mut self, bytes: &[u8]) -> io::Result<Picture> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than the folder holds"));
        }
        let digest = Digest256::of(bytes);
        let name = format!("{digest}.{}", self.extension);
        if !self.kept.iter().any(|(kept, _)| *kept == name) {
            self.make_room(len)?;
            let fresh = self.folder.join(format!("{digest}.new"));
            fs::write(&fresh, bytes)?;
            fs::rename(&fresh, self.folder.join(&name))?;
            self.bytes += len;
            self.kept.push_back((name, len));
        }
        Ok(Picture { digest, len })
    }

    fn make_room(&mut self, len: u64) -> io::Result<()> {
        while self.bytes.saturating_add(len) > self.bytes_max {
            let Some((name, gone)) = self.kept.pop_front() else { return Ok(()) };
            self.bytes = self.bytes.saturating_sub(gone);
            match fs::remove_file(self.folder.join(name)) {
                // Somebody has tidied up.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn name_of(bytes: &[u8]) -> String {
        format!("{}.jpg", Digest256::of(bytes))
    }

    #[test]
    fn the_oldest_go_when_room_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = BoundedFolder::open(folder.path(), "jpg", 10).unwrap();
        store.keep(b"aaaa").unwrap();
        store.keep(b"bbbb").unwrap();
        store.keep(b"cccc").unwrap();
        let mut expected = [name_of(b"bbbb"), name_of(b"cccc")];
        expected.sort();
        assert_eq!(names(folder.path()), expected);
        assert!(store.keep(b"more than ten bytes").is_err());
        assert_eq!(names(folder.path()), expected, "nothing went for what did not fit");
    }

    #[test]
    fn the_same_bytes_twice_are_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = BoundedFolder::open(folder.path(), "jpg", 10).unwrap();
        let first = store.keep(b"aaaa").unwrap();
        assert_eq!(store.keep(b"aaaa").unwrap(), first);
        assert_eq!(names(folder.path()), [name_of(b"aaaa")]);
    }

    #[test]
    fn what_is_on_the_disk_at_start_counts() {
        let folder = tempfile::tempdir().unwrap();
        BoundedFolder::open(folder.path(), "jpg", 100).unwrap().keep(b"aaaa").unwrap();
        let mut store = BoundedFolder::open(folder.path(), "jpg", 6).unwrap();
        store.keep(b"bbbb").unwrap();
        assert_eq!(names(folder.path()), [name_of(b"bbbb")]);
        BoundedFolder::open(folder.path(), "jpg", 3).unwrap();
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
