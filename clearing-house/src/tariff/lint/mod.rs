//! Lint: what is wrong with tariffs before they charge anybody, with file, line, and what would be
//! right.
//!
//! *Error*: vehicles would be charged wrongly or not at all; a file with one is not imported.
//! *Warning*: amounts do not agree with each other. What is published is charged all the same, for
//! it is the truth; somebody should ask whoever published it.

mod amounts;
mod document;
mod network;
mod versions;

use std::fmt;

use serde::Serialize;

pub use document::{Document, ReadError};
pub use network::Stations;

use domain::tariff::Tariff;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It must not be imported so.
    Error,
    /// Somebody should look at it.
    Warning,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The file.
    pub file: String,
    /// The line in it, counted from 1.
    pub line: usize,
    /// Which check says so.
    pub check: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let Self { file, line, check, message, .. } = self;
        write!(f, "{file}:{line}: {level} ({check}): {message}")
    }
}

/// Everything that is found in these files: each by itself, against the versions of the same
/// operator among them and in the books, and against the network where it is known.
#[must_use]
pub fn lint<'a>(
    documents: &'a [Document],
    stored: impl Iterator<Item = &'a Tariff>,
    stations: Option<&Stations>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in documents {
        findings.extend(amounts::check(document));
        if let Some(stations) = stations {
            findings.extend(network::check(document, stations));
        }
    }
    findings.extend(versions::check(documents, stored));
    findings
}

/// Whether any of the findings is an error.
#[must_use]
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Error)
}

#[cfg(test)]
mod tests;
