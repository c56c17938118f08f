//! What stands behind `--` on the command line.

use crate::Failed;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Under a minute: enough to see an order of magnitude.
    Short,
    /// Enough for the tail.
    Whole,
}

impl Extent {
    /// Reads this process's arguments; the `--bench` that cargo adds by itself means nothing.
    ///
    /// # Errors
    /// On any other argument than `--short`.
    pub fn from_command_line() -> Result<Self, Failed> {
        let mut extent = Self::Whole;
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--bench" => {}
                "--short" => extent = Self::Short,
                other => return Err(format!("{other:?} is not known; --short is").into()),
            }
        }
        Ok(extent)
    }

    /// One of two sizes.
    #[must_use]
    pub fn pick<T>(self, short: T, whole: T) -> T {
        match self {
            Self::Short => short,
            Self::Whole => whole,
        }
    }
}
