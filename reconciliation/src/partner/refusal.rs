//! Why a file was refused: the line, the record, the field, the reason, and what would be right.
//!
//! What stood in a personal field is never repeated.

use std::fmt;
use std::io;

/// Which promise of the format was broken. It decides the code of the acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no file of this format: not text, not XML, cut short.
    File,
    /// The header is wrong.
    Header,
    /// The header's count is not the number of records.
    Count,
    /// A record is wrong.
    Detail,
    /// The times of name and header differ.
    Date,
}

/// Where a file is wrong and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which promise was broken.
    pub fault: Fault,
    /// The line, from 1; 0 where the whole file, or its name, is meant.
    pub line: u64,
    /// The record, from 1; 0 in the header.
    pub record: u64,
    /// The field with the groups it is in, such as `TagInfo/TagStatus`; empty where none is meant.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub wanted: String,
}

impl Refusal {
    /// A refusal of the file as a whole.
    #[must_use]
    pub fn of_file(fault: Fault, reason: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self {
            fault,
            line: 0,
            record: 0,
            field: String::new(),
            reason: reason.into(),
            wanted: wanted.into(),
        }
    }

    /// The refusal of a value, at a place.
    #[must_use]
    pub fn of_value(wrong: Wrong, place: Place) -> Self {
        let Wrong { field, reason, wanted } = wrong;
        let fault = if place.record == 0 { Fault::Header } else { Fault::Detail };
        Self { fault, line: place.line, record: place.record, field, reason, wanted }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}", self.line)?;
            match self.record {
                0 => f.write_str(", header")?,
                record => write!(f, ", record {record}")?,
            }
        } else {
            f.write_str("the file")?;
        }
        if !self.field.is_empty() {
            write!(f, ", field {}", self.field)?;
        }
        write!(f, ": {}", self.reason)?;
        if self.wanted.is_empty() { Ok(()) } else { write!(f, "; wanted: {}", self.wanted) }
    }
}

/// Where a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The line, from 1.
    pub line: u64,
    /// The record, from 1; 0 in the header.
    pub record: u64,
}

/// What is wrong with a record or one of its values, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The field with the groups it is in.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub wanted: String,
}

impl Wrong {
    /// Says it of a field.
    #[must_use]
    pub fn new(
        field: impl Into<String>,
        reason: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), reason: reason.into(), wanted: wanted.into() }
    }
}

/// Why a file could not be read, or written, to its end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk failed; to try again may help.
    #[error("read or write the file")]
    Io(#[from] io::Error),
    /// The file, or what should be written into one, is not as the format says.
    #[error("{0}")]
    Refused(Box<Refusal>),
}

impl From<Refusal> for FileError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
