//! A finding: what became of rows, as the engine says it while it matches.

use std::io;

use super::class::Class;
use super::stub::Stub;

/// Rows that belong together, or one row that stands alone.
#[derive(Debug, Clone, Copy)]
pub struct Finding<'a> {
    /// What became of them.
    pub class: Class,
    /// By which rule, by its number from 0; none where no rule paired them.
    pub rule: Option<usize>,
    /// Ours.
    pub ours: &'a [Stub],
    /// Theirs.
    pub theirs: &'a [Stub],
}

/// What takes findings; one for each worker and rule.
pub trait Sink: Send {
    /// Takes one.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn take(&mut self, finding: &Finding<'_>) -> io::Result<()>;
}

/// Keeps nothing: the totals are enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoSink;

impl Sink for NoSink {
    fn take(&mut self, _finding: &Finding<'_>) -> io::Result<()> {
        Ok(())
    }
}
