//! The commands of `reconciliation`, one file each: arguments in, one call, words or JSON out.

pub mod case;
pub mod close;
pub mod confirm;
pub mod manifest;
pub mod minutes;
pub mod pay;
pub mod progress;
pub mod report;
pub mod review;
pub mod schedule;
pub mod side_files;
pub mod statement;
pub mod terms;
pub mod verify;
pub mod window;

use std::io::{self, Write as _};
use std::path::Path;

use clap::Args;
use domain::{BusinessDate, OperatorId};

use crate::window::Window;

/// How a command went wrong.
pub type Failure = Box<dyn std::error::Error>;

/// Prints a line for whoever called.
///
/// # Errors
/// When nobody listens.
pub fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes a paper into a file, or prints it where no file is named.
///
/// # Errors
/// When it cannot be written, or is no text and no file is named.
pub fn write_or_say(bytes: &[u8], is_text: bool, out: Option<&Path>) -> Result<(), Failure> {
    match out {
        Some(file) => std::fs::write(file, bytes)
            .map_err(|error| format!("write {}: {error}", file.display()))?,
        None if is_text => say(String::from_utf8_lossy(bytes).trim_end())?,
        None => return Err("a PDF or a workbook is written into a file: --out FILE".into()),
    }
    Ok(())
}

/// Which window.
#[derive(Debug, Args)]
pub struct Which {
    /// The operator.
    #[arg(long)]
    pub operator: OperatorId,
    /// The settlement day.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub day: BusinessDate,
}

impl Which {
    /// The window.
    #[must_use]
    pub fn window(&self) -> Window {
        Window::new(self.operator.clone(), self.day)
    }
}
