//! The programs of the system, which stand beside this one.

use std::io;
use std::path::{Path, PathBuf};

use super::process::{ProcessError, Recipe};
use super::run_folder::RunFolder;

/// The system's programs by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Lists, intake, ledger.
    ClearingHouse,
    /// The lanes of a station.
    LaneController,
    /// Settlement.
    Reconciliation,
    /// Pages for people.
    Console,
}

impl Program {
    const ALL: [Self; 4] =
        [Self::ClearingHouse, Self::LaneController, Self::Reconciliation, Self::Console];

    /// The file name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClearingHouse => "clearing-house",
            Self::LaneController => "lane-controller",
            Self::Reconciliation => "reconciliation",
            Self::Console => "console",
        }
    }
}

/// The folder with the system's programs.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Those that were built together with this program.
    ///
    /// # Errors
    /// When one is missing.
    pub fn beside_this_one() -> Result<Self, ProcessError> {
        let this = std::env::current_exe().map_err(ProcessError::preparing(Path::new("self")))?;
        Self::in_folder(this.parent().unwrap_or(Path::new(".")))
    }

    /// Those in a folder.
    ///
    /// # Errors
    /// When one is missing.
    pub fn in_folder(folder: &Path) -> Result<Self, ProcessError> {
        for program in Program::ALL {
            let path = folder.join(program.name());
            if !path.is_file() {
                let why = "not there; build the workspace first (cargo build --bins)";
                let missing = io::Error::new(io::ErrorKind::NotFound, why);
                return Err(ProcessError::preparing(&path)(missing));
            }
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// A program with its configuration, under a name of its own for log and number.
    #[must_use]
    pub fn recipe(&self, program: Program, name: &str, config: &Path, run: &RunFolder) -> Recipe {
        Recipe::new(name, &self.path(program), run).arg("--config").arg(config)
    }

    /// A program for a command that needs no configuration.
    #[must_use]
    pub fn tool(&self, program: Program, run: &RunFolder) -> Recipe {
        Recipe::new(program.name(), &self.path(program), run)
    }

    /// Where a program is.
    #[must_use]
    pub fn path(&self, program: Program) -> PathBuf {
        self.folder.join(program.name())
    }
}
