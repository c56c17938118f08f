//! Why a journal cannot be used.

use std::path::{Path, PathBuf};

use domain::LaneId;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store failed.
    #[error("{doing} in journal {path}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the store said.
        #[source]
        source: rusqlite::Error,
    },
    /// A file beside the journal could not be used.
    #[error("{doing} of journal {path}")]
    Beside {
        /// What was being done.
        doing: &'static str,
        /// The journal.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The linked store is one with a known way to lose data.
    #[error("SQLite {found} is linked; 3.51.3 or newer is needed (WAL-reset bug)")]
    OldStore {
        /// The version that is linked.
        found: String,
    },
    /// Another process holds the journal.
    #[error("journal {path} is in use by {holder}")]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// The file is another lane's journal.
    #[error("journal {path} is of lane {of}, not of {lane}")]
    OtherLane {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        of: String,
        /// Whose it should be.
        lane: Box<LaneId>,
    },
    /// A record is not what was written.
    #[error("journal {path} is damaged at sequence {seq}: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The record; 0 where it is the file as a whole.
        seq: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The journal is older than what this lane is known to have written: its next numbers have
    /// been used.
    #[error("journal {path} ends at sequence {last}, and {seen} has been written: an old copy")]
    RolledBack {
        /// The file.
        path: PathBuf,
        /// Its last sequence.
        last: u64,
        /// The last sequence that is known to have been written.
        seen: u64,
    },
}

/// Turns what the store said into what it means for a journal.
pub(super) fn store<'a>(
    path: &'a Path,
    doing: &'static str,
) -> impl FnOnce(rusqlite::Error) -> JournalError + 'a {
    move |source| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            JournalError::Damaged {
                path: path.to_owned(),
                seq: 0,
                why: "the store finds its own pages damaged",
            }
        }
        _ => JournalError::Store { doing, path: path.to_owned(), source },
    }
}
