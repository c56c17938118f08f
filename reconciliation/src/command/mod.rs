//! The commands of `reconciliation`, one file each: arguments in, one call, words or JSON out.

pub mod case;
pub mod close;
pub mod confirm;
pub mod manifest;
pub mod pay;
pub mod report;
pub mod schedule;
pub mod statement;
pub mod terms;
pub mod window;

use std::io::{self, Write as _};

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
