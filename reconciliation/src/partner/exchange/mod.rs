//! The exchange of files with a partner: what came, what is missing, what was answered, what must be
//! sent again. [`received`] and [`sent`]
//! decide, and are pure; [`repo`] keeps it.
//!
//! *Received*: each file is taken once, and the second time it is answered and changes nothing. A
//! number that was jumped over is *missing* until it comes; files behind it are taken meanwhile,
//! as their records are good, and settlement can see the hole. A change of a list is taken only on
//! top of the list that it changes. *Sent*: each file waits for its acknowledgement and is sent again
//! by a table of deadlines until a person is called.

pub mod code;
pub mod received;
pub mod sent;
pub mod repo;
pub mod import;
pub mod export;
mod listed;

use std::io;

/// Why the exchange could not be done. A file that is not as it should be is no error of it.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The file could not be read.
    #[error("read the partner's file")]
    Read(#[source] io::Error),
    /// The file could not be written.
    #[error("write the file for the partner")]
    Write(#[source] io::Error),
    /// The database failed.
    #[error("{what}")]
    Database {
        /// What was done.
        what: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The log says something that this version does not know.
    #[error("the log of sent file {file_no} cannot be read")]
    Log {
        /// The file's number in the log.
        file_no: i64,
    },
}

#[cfg(test)]
mod tests;
