//! Why a command did not do what it was asked to, and what it exits with then.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Why. The texts name the thing, the place, and what would be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command makes no sense as it was typed.
    #[error("{0}")]
    Usage(String),
    /// It made sense, but did not work.
    #[error("{what}")]
    Failed {
        what: String,
        #[source]
        source: Option<Box<dyn Error>>,
    },
    /// It worked, and what it found is bad; the output has said so.
    #[error("not good")]
    NotGood,
    /// Standard output takes no more.
    #[error("write the output")]
    Output(#[source] io::Error),
}

impl Failure {
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), source: None }
    }

    pub(crate) fn caused(what: impl Into<String>, source: impl Into<Box<dyn Error>>) -> Self {
        Self::Failed { what: what.into(), source: Some(source.into()) }
    }

    /// Says it on standard error where that is of use, and gives the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        let code = match self {
            Self::Usage(_) => 2,
            Self::NotGood => return ExitCode::from(1),
            // Whoever read the output has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Self::Failed { .. } | Self::Output(_) => 1,
        };
        let text = with_causes(self);
        // Without standard error there is nobody left to tell.
        writeln!(io::stderr(), "rfid: {text}").ok();
        ExitCode::from(code)
    }
}

/// The error with its causes, on one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
