//! Two small files beside a journal: who has it open, and how far it is known to have got.
//!
//! The *mark* is written after each commit and never flushed: it may be behind the journal, never
//! ahead of it. A journal that is behind its mark is an old copy that somebody put back.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use domain::signature::Digest256;

use super::JournalError;

/// Takes the journal for this process.
pub(super) fn lock(path: &Path) -> Result<File, JournalError> {
    let beside =
        |source| JournalError::Beside { doing: "take the lock", path: path.into(), source };
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path.with_extension("lock"))
        .map_err(beside)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who cannot be named still has it.
            drop(file.read_to_string(&mut holder));
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                named => named.to_owned(),
            };
            return Err(JournalError::InUse { path: path.to_owned(), holder });
        }
        Err(std::fs::TryLockError::Error(source)) => return Err(beside(source)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(beside)?;
    // The name is for people: a full disk must not keep a lane from opening what it has.
    drop(writeln!(file, "process {}", std::process::id()));
    Ok(file)
}

/// How far a journal is known to have got.
#[derive(Debug)]
pub(super) struct Mark {
    file: Option<File>,
    journal: Digest256,
}

impl Mark {
    /// Opens the mark of a journal, and tells the last sequence it knows of that very journal.
    pub(super) fn open(path: &Path, journal: Digest256) -> (Self, u64) {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.with_extension("mark"))
            .ok();
        let mut text = String::new();
        let known = file.as_ref().is_some_and(|mut file| file.read_to_string(&mut text).is_ok());
        let seen = text
            .trim()
            .split_once(' ')
            .filter(|(of, _)| known && *of == journal.to_string())
            .and_then(|(_, seq)| seq.parse().ok());
        (Self { file, journal }, seen.unwrap_or(0))
    }

    /// Notes that a sequence is durable. It is a second opinion: without it the journal works.
    pub(super) fn note(&self, seq: u64) {
        if let Some(file) = &self.file {
            drop(file.write_all_at(format!("{} {seq:020}\n", self.journal).as_bytes(), 0));
        }
    }
}
