//! The run's own authority: its CA, and the keys that issue what users show the broker.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use broker_authority::{Authority, AuthorityError};
use domain::Clock;

use super::process::ProcessError;
use super::run_folder::RunFolder;

/// The run's authority, made by whoever asks first.
pub(super) fn authority_of(run: &RunFolder) -> Result<Authority, ProcessError> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = run.join("authority");
    let authority = if folder.join("account.jwt").is_file() {
        Authority::open(&folder)
    } else {
        Authority::make(&folder, Clock::system().now())
    };
    authority.map_err(|error| refused(&folder, error))
}

/// What the authority would not do, as something that a start failed of.
pub(super) fn refused(path: &Path, error: AuthorityError) -> ProcessError {
    ProcessError::preparing(path)(io::Error::other(error))
}
