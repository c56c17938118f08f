//! The user of the system that the database runs as, where the demo itself is root.
//!
//! `postgres` refuses to run as root. Then it runs as the user `postgres`, which its package makes,
//! or as `nobody`; everybody else runs it as themselves.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use nix::unistd::{Uid, User};

/// A user that a server is run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemUser {
    user: u32,
    group: u32,
}

impl SystemUser {
    /// Who runs the database: somebody else where this process is root, else nobody in particular.
    ///
    /// # Errors
    /// When root has no other user to run it as.
    pub fn for_database() -> io::Result<Option<Self>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name)? {
                return Ok(Some(Self { user: user.uid.as_raw(), group: user.gid.as_raw() }));
            }
        }
        let why = "PostgreSQL does not run as root, and there is no user postgres or nobody";
        Err(io::Error::new(io::ErrorKind::NotFound, why))
    }

    /// Hands a file or folder over to this user.
    ///
    /// # Errors
    /// When the system does not let it be handed over.
    pub fn own(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.user), Some(self.group))
    }

    /// Whether this user may pass through every folder above `path`.
    #[must_use]
    pub fn reaches(self, path: &Path) -> bool {
        path.ancestors().skip(1).filter_map(|folder| folder.metadata().ok()).all(|folder| {
            let pass = match (folder.uid() == self.user, folder.gid() == self.group) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            folder.mode() & pass != 0
        })
    }

    /// How `setpriv` is told.
    pub(super) fn setpriv_arguments(&self) -> [OsString; 3] {
        [
            format!("--reuid={}", self.user).into(),
            format!("--regid={}", self.group).into(),
            "--clear-groups".into(),
        ]
    }
}
